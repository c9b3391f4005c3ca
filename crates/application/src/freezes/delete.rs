use serde::Serialize;
use slipway_approvals::FreezeWindow;
use slipway_audit::Resource;
use slipway_identity::Command;
use slipway_kernel::Slug;

use super::{FreezeError, changed_before, described};
use crate::{Call, Context, change::Change};

/// A freeze window to remove.
#[derive(Debug, Clone, Serialize)]
pub struct DeleteFreezeWindow {
    /// The project.
    pub project: Slug,
    /// The window.
    pub window: Slug,
    /// The etag that the caller read; `None` to delete whatever is there.
    pub etag: Option<String>,
}

/// Removes a freeze window: it stands in nobody's way any more, and its slug is free. Overrides can still name it.
/// Deployments that wait for the end of a freeze look at it again.
pub async fn delete_freeze_window(
    context: &Context,
    call: &Call<'_>,
    command: DeleteFreezeWindow,
) -> Result<FreezeWindow, FreezeError> {
    let (mut change, project) =
        Change::in_any_project(context, call, Command::DeleteFreezeWindow, &command.project)
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
    let after = FreezeWindow {
        deleted_at: Some(change.now),
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
