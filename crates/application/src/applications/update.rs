use serde::Serialize;
use slipway_audit::Resource;
use slipway_catalog::Application;
use slipway_identity::Command;
use slipway_kernel::{
    Key, Slug,
    text::{Description, DisplayName},
};

use super::{ApplicationError, described};
use crate::{Call, Context, change::Change};

/// What to change about an application; what is `None` stays.
#[derive(Debug, Clone, Serialize)]
pub struct UpdateApplication {
    /// The project.
    pub project: Slug,
    /// The application.
    pub application: Key,
    /// What people call it.
    pub display_name: Option<DisplayName>,
    /// What it is for.
    pub description: Option<Description>,
    /// The etag that the caller read; `None` to change whatever is there.
    pub etag: Option<String>,
}

/// Changes an application's names.
pub async fn update_application(
    context: &Context,
    call: &Call<'_>,
    command: UpdateApplication,
) -> Result<Application, ApplicationError> {
    let (mut change, project) =
        Change::in_any_project(context, call, Command::UpdateApplication, &command.project).await?;
    let key = &command.application;
    let before = change.unit.applications().find(project, key).await?;
    let before = before.ok_or_else(|| ApplicationError::NotFound { key: key.clone() })?;
    if change.made_before(&command, key.as_str()).await?.is_some() {
        return Ok(before);
    }
    change.require_open(&command.project).await?;
    if before.archived_at.is_some() {
        return Err(ApplicationError::Archived { key: before.key });
    }
    before.revision.check(command.etag.as_deref())?;
    let after = Application {
        display_name: command
            .display_name
            .unwrap_or_else(|| before.display_name.clone()),
        description: command
            .description
            .unwrap_or_else(|| before.description.clone()),
        revision: before.revision.next(),
        ..before.clone()
    };
    change.unit.applications().update(&after).await?;
    change
        .done(
            Resource::new("application", &after.key),
            Some(described(&before)),
            Some(described(&after)),
        )
        .await?;
    Ok(after)
}
