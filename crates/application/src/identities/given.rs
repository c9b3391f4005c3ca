use slipway_identity::{Given, Identity};
use slipway_kernel::{PrincipalId, ProjectId, StoreError};

use crate::Context;

/// What issuers give these members of a project. The caller was authorised to see the memberships that it is a part of.
pub async fn given_in(
    context: &Context,
    project: ProjectId,
    members: &[PrincipalId],
) -> Result<Vec<Given>, StoreError> {
    let mut given = context.reader().given(members).await?;
    given.retain(|given| given.membership.project == project);
    Ok(given)
}

/// The identities of a principal, and what their issuers give it. The caller was authorised to see the principal.
pub async fn given_to(
    context: &Context,
    principal: PrincipalId,
) -> Result<(Vec<Identity>, Vec<Given>), StoreError> {
    let identities = context.reader().identities(principal).await?;
    let given = context.reader().given(&[principal]).await?;
    Ok((identities, given))
}
