use std::collections::BTreeSet;

use serde::Serialize;
use slipway_approvals::{FreezeAction, FreezeWindow, freeze::Schedule};
use slipway_audit::Resource;
use slipway_identity::Command;
use slipway_kernel::{Slug, text::Reason};

use super::{FreezeError, NamedScope, changed_before, described, scope_of};
use crate::{Call, Context, change::Change};

/// What to change about a freeze window; what is `None` stays.
#[derive(Debug, Clone, Serialize)]
pub struct UpdateFreezeWindow {
    /// The project.
    pub project: Slug,
    /// The window.
    pub window: Slug,
    /// Which environments it covers.
    pub scope: Option<NamedScope>,
    /// When it stands.
    pub schedule: Option<Schedule>,
    /// Which actions it covers; empty for all.
    pub actions: Option<BTreeSet<FreezeAction>>,
    /// Why.
    pub reason: Option<Reason>,
    /// Whether it stands in nobody's way for now.
    pub suspended: Option<bool>,
    /// The etag that the caller read; `None` to change whatever is there.
    pub etag: Option<String>,
}

/// Changes a freeze window. Deployments that wait for the end of a freeze look at it again.
pub async fn update_freeze_window(
    context: &Context,
    call: &Call<'_>,
    command: UpdateFreezeWindow,
) -> Result<FreezeWindow, FreezeError> {
    let (mut change, project) =
        Change::in_any_project(context, call, Command::UpdateFreezeWindow, &command.project)
            .await?;
    let slug = &command.window;
    let found = change.unit.freezes().find(project, slug).await?;
    let id = found.as_ref().map(|found| found.id.to_string());
    let id = id.unwrap_or_default();
    if let Some(made) = change.made_before(&command, &id).await? {
        return changed_before(&mut change, &made).await;
    }
    let before = found.ok_or_else(|| FreezeError::NotFound { slug: slug.clone() })?;
    change.require_open(&command.project).await?;
    before.revision.check(command.etag.as_deref())?;
    let scope = match command.scope {
        Some(scope) => scope_of(context, project, scope).await?,
        None => before.scope,
    };
    let after = FreezeWindow {
        scope,
        schedule: command.schedule.unwrap_or_else(|| before.schedule.clone()),
        actions: command.actions.unwrap_or_else(|| before.actions.clone()),
        reason: command.reason.unwrap_or_else(|| before.reason.clone()),
        suspended: command.suspended.unwrap_or(before.suspended),
        revision: before.revision.next(),
        ..before.clone()
    };
    change.unit.freezes().update(&after).await?;
    change.unit.deployments().thaw(project).await?;
    let (was, is) = (described(&before), described(&after));
    let resource = Resource::new("freeze_window", &after.slug);
    change.done(resource, Some(was), Some(is)).await?;
    Ok(after)
}
