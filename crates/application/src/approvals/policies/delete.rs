use serde::Serialize;
use slipway_audit::Resource;
use slipway_identity::Command;
use slipway_kernel::Slug;

use super::{NamedScope, PolicyError, described, scope_of};
use crate::{Call, Context, change::Change};

/// A policy to remove.
#[derive(Debug, Clone, Serialize)]
pub struct DeletePolicy {
    /// The project.
    pub project: Slug,
    /// What it is about.
    pub scope: NamedScope,
    /// The etag that the caller read; `None` to remove whatever is there.
    pub etag: Option<String>,
}

/// Removes a policy. Of a tier, what is built in applies again. Requests that were opened before keep what was asked then.
pub async fn delete_policy(
    context: &Context,
    call: &Call<'_>,
    command: DeletePolicy,
) -> Result<(), PolicyError> {
    let (mut change, project) =
        Change::in_any_project(context, call, Command::DeletePolicy, &command.project).await?;
    let scope = scope_of(context, project, &command.scope).await?;
    let named = command.scope.to_string();
    if change.made_before(&command, &named).await?.is_some() {
        return Ok(());
    }
    change.require_open(&command.project).await?;
    let found = change.unit.policies().find(project, scope).await?;
    let scope = command.scope;
    let policy = found.ok_or(PolicyError::NotFound { scope })?;
    policy.revision.check(command.etag.as_deref())?;
    change.unit.policies().remove(&policy).await?;
    change
        .done(
            Resource::new("policy", &policy.id),
            Some(described(&policy)),
            None,
        )
        .await?;
    Ok(())
}
