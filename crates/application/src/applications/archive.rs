use serde::Serialize;
use slipway_audit::Resource;
use slipway_catalog::Application;
use slipway_identity::Command;
use slipway_kernel::{Key, Slug};

use super::{ApplicationError, described};
use crate::{Call, Context, change::Change};

/// An application to close.
#[derive(Debug, Clone, Serialize)]
pub struct ArchiveApplication {
    /// The project.
    pub project: Slug,
    /// The application.
    pub application: Key,
}

/// Closes an application for new versions and deployments. One that is archived already is returned as it is.
pub async fn archive_application(
    context: &Context,
    call: &Call<'_>,
    command: ArchiveApplication,
) -> Result<Application, ApplicationError> {
    let (mut change, project) =
        Change::in_any_project(context, call, Command::ArchiveApplication, &command.project)
            .await?;
    let key = &command.application;
    let before = change.unit.applications().find(project, key).await?;
    let before = before.ok_or_else(|| ApplicationError::NotFound { key: key.clone() })?;
    if change.made_before(&command, key.as_str()).await?.is_some() {
        return Ok(before);
    }
    change.require_open(&command.project).await?;
    if before.archived_at.is_some() {
        return Ok(before);
    }
    let after = Application {
        archived_at: Some(change.now),
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
