use serde::Serialize;
use slipway_audit::Resource;
use slipway_identity::{
    Command, Membership,
    membership::{Groups, Roles},
};
use slipway_kernel::{PrincipalId, Slug};

use super::{MembershipError, described};
use crate::{Call, Context, change::Change, error::dangling};

/// What a principal shall be allowed to do in a project, in place of what it was before.
#[derive(Debug, Clone, Serialize)]
pub struct SetMembership {
    /// The project.
    pub project: Slug,
    /// The member.
    pub principal: PrincipalId,
    /// What it may do.
    pub roles: Roles,
    /// The groups it is in.
    pub groups: Groups,
}

/// Makes a principal a member, or changes what a member may do; what identity providers give stays beside it.
pub async fn set_membership(
    context: &Context,
    call: &Call<'_>,
    command: SetMembership,
) -> Result<Membership, MembershipError> {
    let (mut change, project) =
        Change::in_any_project(context, call, Command::SetMembership, &command.project).await?;
    let id = command.principal;
    let repeated = change.made_before(&command, &id.to_string()).await?;
    let before = change.unit.memberships().get(project, id).await?;
    if repeated.is_some() {
        return before.ok_or(MembershipError::NotFound {
            project: command.project,
            principal: id,
        });
    }
    change.require_open(&command.project).await?;
    let principal = change.unit.principals().get(id).await?;
    let principal = principal.ok_or(MembershipError::PrincipalNotFound { id })?;
    if principal.disabled.is_some() {
        return Err(MembershipError::PrincipalDisabled { id });
    }
    let after = Membership {
        project,
        principal: id,
        roles: command.roles.into(),
        groups: command.groups.into(),
        created_at: before
            .as_ref()
            .map_or(change.now, |before| before.created_at),
        updated_at: change.now,
    };
    change.unit.memberships().set(&after).await?;
    // With what identity providers give beside it.
    let after = change.unit.memberships().get(project, id).await?;
    let after = after.ok_or_else(|| dangling("membership", id))?;
    change
        .done(
            Resource::new("membership", &id),
            before.as_ref().map(described),
            Some(described(&after)),
        )
        .await?;
    context.forget_bearers();
    Ok(after)
}
