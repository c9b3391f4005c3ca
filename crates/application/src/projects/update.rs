use serde::Serialize;
use slipway_audit::Resource;
use slipway_identity::{Command, Project};
use slipway_kernel::{
    Requirements, Slug,
    requirements::{RequiredLocales, ValidationRules},
    text::{Description, DisplayName},
};

use super::{ProjectError, described};
use crate::{Call, CommandError, Context, change::Change};

/// What to change about a project; what is `None` stays.
#[derive(Debug, Clone, Serialize)]
pub struct UpdateProject {
    /// The project.
    pub project: Slug,
    /// What people call it.
    pub display_name: Option<DisplayName>,
    /// What it is for.
    pub description: Option<Description>,
    /// The languages that every prompt must have.
    pub required_locales: Option<RequiredLocales>,
    /// What versions must be like.
    pub validation_rules: Option<ValidationRules>,
    /// The etag that the caller read; `None` to change whatever is there.
    pub etag: Option<String>,
}

/// Changes a project's names, and what it requires of versions before they are released.
pub async fn update_project(
    context: &Context,
    call: &Call<'_>,
    command: UpdateProject,
) -> Result<Project, ProjectError> {
    let (mut change, _) =
        Change::in_any_project(context, call, Command::UpdateProject, &command.project).await?;
    let before = change.unit.projects().find(&command.project).await?;
    let before = before.ok_or_else(|| CommandError::ProjectNotFound {
        slug: command.project.clone(),
    })?;
    if change
        .made_before(&command, before.slug.as_str())
        .await?
        .is_some()
    {
        return Ok(before);
    }
    change.require_open(&command.project).await?;
    before.revision.check(command.etag.as_deref())?;
    let after = Project {
        display_name: command
            .display_name
            .unwrap_or_else(|| before.display_name.clone()),
        description: command
            .description
            .unwrap_or_else(|| before.description.clone()),
        requirements: Requirements {
            locales: command
                .required_locales
                .unwrap_or_else(|| before.requirements.locales.clone()),
            rules: command
                .validation_rules
                .unwrap_or_else(|| before.requirements.rules.clone()),
        },
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
