use serde::Serialize;
use slipway_audit::Resource;
use slipway_identity::{Command, Project};
use slipway_kernel::Slug;

use super::{ProjectError, described};
use crate::{Call, CommandError, Context, change::Change};

/// A project to close for changes.
#[derive(Debug, Clone, Serialize)]
pub struct ArchiveProject {
    /// The project.
    pub project: Slug,
}

/// Closes a project for changes. One that is archived already is returned as it is.
pub async fn archive_project(
    context: &Context,
    call: &Call<'_>,
    command: ArchiveProject,
) -> Result<Project, ProjectError> {
    let (mut change, _) =
        Change::in_any_project(context, call, Command::ArchiveProject, &command.project).await?;
    let before = change.unit.projects().find(&command.project).await?;
    let before = before.ok_or_else(|| CommandError::ProjectNotFound {
        slug: command.project.clone(),
    })?;
    if change
        .made_before(&command, before.slug.as_str())
        .await?
        .is_some()
        || before.archived_at.is_some()
    {
        return Ok(before);
    }
    let after = Project {
        archived_at: Some(change.now),
        revision: before.revision.next(),
        ..before.clone()
    };
    change.unit.projects().update(&after).await?;
    change
        .done(
            Resource::new("project", &after.slug),
            Some(described(&before)),
            Some(described(&after)),
        )
        .await?;
    Ok(after)
}
