use serde::Serialize;
use slipway_approvals::{Policy, SoundTerms, Terms};
use slipway_audit::Resource;
use slipway_identity::Command;
use slipway_kernel::{PolicyId, Revision, Slug, StoreError};

use super::{NamedScope, PolicyError, described, scope_of};
use crate::{Call, Context, change::Change};

/// What a policy is to say from now on.
#[derive(Debug, Clone, Serialize)]
pub struct SetPolicy {
    /// The project.
    pub project: Slug,
    /// What it is about.
    pub scope: NamedScope,
    /// What it says.
    pub terms: SoundTerms,
    /// The etag that the caller read; `None` to set whatever is there.
    pub etag: Option<String>,
}

/// Sets what a policy says, be there one or not. Requests that were opened before keep what was asked then, and what is
/// stricter now counts besides.
pub async fn set_policy(
    context: &Context,
    call: &Call<'_>,
    command: SetPolicy,
) -> Result<Policy, PolicyError> {
    let (mut change, project) =
        Change::in_any_project(context, call, Command::SetPolicy, &command.project).await?;
    let scope = scope_of(context, project, &command.scope).await?;
    let named = command.scope.to_string();
    let repeated = change.made_before(&command, &named).await?;
    let before = change.unit.policies().find(project, scope).await?;
    if repeated.is_some() {
        let scope = command.scope;
        return before.ok_or(PolicyError::NotFound { scope });
    }
    change.require_open(&command.project).await?;
    let revision = before
        .as_ref()
        .map_or(Revision(0), |before| before.revision);
    revision.check(command.etag.as_deref())?;
    let terms = Terms::from(command.terms);
    let people = change.unit.approvals().voters(project, None).await?;
    let rules: Vec<_> = terms
        .unmeetable(&people)
        .into_iter()
        .map(|rule| rule.name.clone())
        .collect();
    if !rules.is_empty() {
        return Err(PolicyError::Unsatisfiable { rules });
    }
    let after = Policy {
        id: before
            .as_ref()
            .map_or_else(|| PolicyId::new(&*context.ids), |before| before.id),
        project,
        scope,
        terms,
        created_at: before
            .as_ref()
            .map_or(change.now, |before| before.created_at),
        updated_at: change.now,
        updated_by: call.caller.principal,
        revision: revision.next(),
    };
    if before.is_some() {
        change.unit.policies().update(&after).await?;
    } else if !change.unit.policies().insert(&after).await? {
        let problem = "another policy about the same was set at the same time";
        return Err(StoreError::Conflict(problem.into()).into());
    }
    change
        .done(
            Resource::new("policy", &after.id),
            before.as_ref().map(described),
            Some(described(&after)),
        )
        .await?;
    Ok(after)
}
