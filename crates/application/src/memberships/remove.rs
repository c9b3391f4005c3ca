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

/// Ends a membership.
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
        project: command.project,
        principal: id,
    })?;
    change.unit.memberships().remove(project, id).await?;
    change
        .done(
            Resource::new("membership", &id),
            Some(described(&before)),
            None,
        )
        .await?;
    context.forget_bearers();
    Ok(())
}
