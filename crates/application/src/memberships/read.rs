use slipway_identity::{Command, Membership};
use slipway_kernel::{Page, PageSize, PrincipalId, Slug};

use crate::{Call, CommandError, Context};

/// A project's members, oldest principal first.
pub async fn list_members(
    context: &Context,
    call: &Call<'_>,
    project: &Slug,
    after: Option<PrincipalId>,
    size: PageSize,
) -> Result<Page<Membership, PrincipalId>, CommandError> {
    let project = context
        .authorise_in(call, Command::ListMembers, project)
        .await?;
    Ok(context.reader().members(project, after, size).await?)
}
