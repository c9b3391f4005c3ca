use serde::Serialize;
use slipway_audit::Resource;
use slipway_identity::Command;
use slipway_kernel::{PrincipalId, Slug};

use super::{MembershipError, described};
use crate::{Call, Context, change::Change};

/// A membership to end.
#[derive(Debug, Clone, Serialize)]
pub struct RemoveMember {
    /// The project.
    pub project: Slug,
    /// The member.
    pub principal: PrincipalId,
}

/// Takes away what was set by hand: the membership ends, unless an identity provider gives a part of it.
pub async fn remove_member(
    context: &Context,
    call: &Call<'_>,
    command: RemoveMember,
) -> Result<(), MembershipError> {
    let (mut change, project) =
        Change::in_any_project(context, call, Command::RemoveMember, &command.project).await?;
    let id = command.principal;
    if change
        .made_before(&command, &id.to_string())
        .await?
        .is_some()
    {
        return Ok(());
    }
    change.require_open(&command.project).await?;
    let before = change.unit.memberships().get(project, id).await?;
    let before = before.ok_or(MembershipError::NotFound {
        project: command.project.clone(),
        principal: id,
    })?;
    if !change.unit.memberships().remove(project, id).await? {
        let given = context.reader().given(&[id]).await?;
        let by = given
            .into_iter()
            .find(|given| given.membership.project == project);
        return Err(MembershipError::FromIssuer {
            project: command.project,
            principal: id,
            issuer: by.map_or_else(|| "an issuer".to_owned(), |given| given.issuer.into()),
        });
    }
    let after = change.unit.memberships().get(project, id).await?;
    change
        .done(
            Resource::new("membership", &id),
            Some(described(&before)),
            after.as_ref().map(described),
        )
        .await?;
    context.forget_bearers();
    Ok(())
}
