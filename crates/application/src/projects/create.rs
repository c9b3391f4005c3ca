use serde::Serialize;
use slipway_audit::Resource;
use slipway_identity::{Command, Project};
use slipway_kernel::{
    ProjectId, Requirements, Revision, Slug,
    text::{Description, DisplayName},
};

use super::{ProjectError, described};
use crate::{Call, CommandError, Context, change::Change};

/// A project to add.
#[derive(Debug, Clone, Serialize)]
pub struct CreateProject {
    /// Its name in every request.
    pub slug: Slug,
    /// What people call it; empty for the slug.
    pub display_name: DisplayName,
    /// What it is for.
    pub description: Description,
}

/// Adds a project.
pub async fn create_project(
    context: &Context,
    call: &Call<'_>,
    command: CreateProject,
) -> Result<Project, ProjectError> {
    let mut change = Change::in_installation(context, call, Command::CreateProject).await?;
    if change
        .made_before(&command, command.slug.as_str())
        .await?
        .is_some()
    {
        let project = change.unit.projects().find(&command.slug).await?;
        return Ok(project.ok_or(CommandError::ProjectNotFound { slug: command.slug })?);
    }
    let project = Project {
        id: ProjectId::new(&*context.ids),
        display_name: if command.display_name.is_empty() {
            DisplayName::try_from(command.slug.to_string()).unwrap_or_default()
        } else {
            command.display_name
        },
        slug: command.slug,
        description: command.description,
        requirements: Requirements::default(),
        created_at: change.now,
        archived_at: None,
        revision: Revision::FIRST,
    };
    if !change.unit.projects().insert(&project).await? {
        return Err(ProjectError::AlreadyExists { slug: project.slug });
    }
    change
        .done(
            Resource::new("project", &project.slug),
            None,
            Some(described(&project)),
        )
        .await?;
    Ok(project)
}
