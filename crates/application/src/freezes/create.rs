use std::collections::BTreeSet;

use serde::Serialize;
use slipway_approvals::{
    FreezeAction, FreezeWindow,
    freeze::{MAX_WINDOWS, Schedule},
};
use slipway_audit::Resource;
use slipway_identity::Command;
use slipway_kernel::{FreezeWindowId, Revision, Slug, text::Reason};

use super::{FreezeError, NamedScope, changed_before, described, scope_of};
use crate::{Call, Context, change::Change};

/// A freeze window to add.
#[derive(Debug, Clone, Serialize)]
pub struct CreateFreezeWindow {
    /// The project.
    pub project: Slug,
    /// Its name in every request.
    pub slug: Slug,
    /// Which environments it covers.
    pub scope: NamedScope,
    /// When it stands.
    pub schedule: Schedule,
    /// Which actions it covers; empty for all.
    pub actions: BTreeSet<FreezeAction>,
    /// Why.
    pub reason: Reason,
    /// Whether it stands in nobody's way for now.
    pub suspended: bool,
}

/// Adds a freeze window. What has begun goes on.
pub async fn create_freeze_window(
    context: &Context,
    call: &Call<'_>,
    command: CreateFreezeWindow,
) -> Result<FreezeWindow, FreezeError> {
    let (mut change, project) =
        Change::in_any_project(context, call, Command::CreateFreezeWindow, &command.project)
            .await?;
    let id = FreezeWindowId::new(&*context.ids);
    if let Some(made) = change.made_before(&command, &id.to_string()).await? {
        return changed_before(&mut change, &made).await;
    }
    change.require_open(&command.project).await?;
    let window = FreezeWindow {
        id,
        project,
        scope: scope_of(context, project, command.scope).await?,
        slug: command.slug,
        schedule: command.schedule,
        actions: command.actions,
        reason: command.reason,
        suspended: command.suspended,
        created_at: change.now,
        deleted_at: None,
        revision: Revision::FIRST,
    };
    if change.unit.freezes().count(project).await? >= MAX_WINDOWS {
        return Err(FreezeError::TooMany);
    }
    if !change.unit.freezes().insert(&window).await? {
        return Err(FreezeError::AlreadyExists { slug: window.slug });
    }
    let after = described(&window);
    let resource = Resource::new("freeze_window", &window.slug);
    change.done(resource, None, Some(after)).await?;
    Ok(window)
}
