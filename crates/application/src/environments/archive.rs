use serde::Serialize;
use slipway_audit::Resource;
use slipway_catalog::Environment;
use slipway_identity::Command;
use slipway_kernel::Slug;

use super::{EnvironmentError, described};
use crate::{Call, Context, change::Change};

/// An environment to close.
#[derive(Debug, Clone, Serialize)]
pub struct ArchiveEnvironment {
    /// The project.
    pub project: Slug,
    /// The environment.
    pub environment: Slug,
}

/// Closes an environment for deployments. One that is archived already is returned as it is.
pub async fn archive_environment(
    context: &Context,
    call: &Call<'_>,
    command: ArchiveEnvironment,
) -> Result<Environment, EnvironmentError> {
    let (mut change, project) =
        Change::in_any_project(context, call, Command::ArchiveEnvironment, &command.project)
            .await?;
    let slug = &command.environment;
    let before = change.unit.environments().find(project, slug).await?;
    let before = before.ok_or_else(|| EnvironmentError::NotFound { slug: slug.clone() })?;
    if change.made_before(&command, slug.as_str()).await?.is_some() {
        return Ok(before);
    }
    change.require_open(&command.project).await?;
    if before.archived_at.is_some() {
        return Ok(before);
    }
    let after = Environment {
        archived_at: Some(change.now),
        revision: before.revision.next(),
        ..before.clone()
    };
    let engine = change.unit.engines().engine(after.id).await?;
    change.unit.environments().update(&after).await?;
    change
        .done(
            Resource::new("environment", &after.slug),
            Some(described(&before, engine.as_ref())),
            Some(described(&after, engine.as_ref())),
        )
        .await?;
    Ok(after)
}
