use serde::Serialize;
use slipway_audit::Resource;
use slipway_catalog::{BackupInterval, Environment};
use slipway_identity::Command;
use slipway_kernel::{
    EnvironmentId, Revision, Slug, Tier,
    text::{Description, DisplayName},
};
use slipway_workflows::EngineSettings;

use super::{EnvironmentError, allow, described};
use crate::{Call, Context, change::Change};

/// An environment to add.
#[derive(Debug, Clone, Serialize)]
pub struct CreateEnvironment {
    /// The project.
    pub project: Slug,
    /// Its name in every request.
    pub slug: Slug,
    /// What people call it; empty for the slug.
    pub display_name: DisplayName,
    /// What it is for.
    pub description: Description,
    /// How much depends on it.
    pub tier: Tier,
    /// Where it stands in lists.
    pub position: i32,
    /// How often a backup is taken.
    pub backup_interval: Option<BackupInterval>,
    /// Where its workflows run.
    pub engine: Option<EngineSettings>,
}

/// Adds an environment.
pub async fn create_environment(
    context: &Context,
    call: &Call<'_>,
    command: CreateEnvironment,
) -> Result<Environment, EnvironmentError> {
    let (mut change, project) =
        Change::in_any_project(context, call, Command::CreateEnvironment, &command.project).await?;
    if change
        .made_before(&command, command.slug.as_str())
        .await?
        .is_some()
    {
        let environment = change.unit.environments().find(project, &command.slug);
        return environment
            .await?
            .ok_or(EnvironmentError::NotFound { slug: command.slug });
    }
    change.require_open(&command.project).await?;
    let environment = Environment {
        id: EnvironmentId::new(&*context.ids),
        project,
        display_name: if command.display_name.is_empty() {
            command.slug.as_str().parse().unwrap_or_default()
        } else {
            command.display_name
        },
        slug: command.slug,
        description: command.description,
        tier: command.tier,
        position: command.position,
        backup_interval: command.backup_interval,
        created_at: change.now,
        archived_at: None,
        revision: Revision::FIRST,
    };
    let engine = command.engine.as_ref();
    if let Some(settings) = engine {
        allow(context, settings)?;
    }
    if !change.unit.environments().insert(&environment).await? {
        return Err(EnvironmentError::AlreadyExists {
            slug: environment.slug,
        });
    }
    if engine.is_some() {
        let engines = change.unit.engines();
        engines.set_engine(environment.id, engine).await?;
    }
    change
        .done(
            Resource::new("environment", &environment.slug),
            None,
            Some(described(&environment, engine)),
        )
        .await?;
    Ok(environment)
}
