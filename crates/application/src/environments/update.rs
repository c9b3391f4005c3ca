use serde::Serialize;
use slipway_audit::Resource;
use slipway_catalog::{BackupInterval, Environment};
use slipway_identity::Command;
use slipway_kernel::{
    Slug, Tier,
    text::{Description, DisplayName},
};
use slipway_workflows::EngineSettings;

use super::{EnvironmentError, allowed, described};
use crate::{Call, Context, change::Change};

/// What to change about an environment; what is `None` stays.
#[derive(Debug, Clone, Serialize)]
pub struct UpdateEnvironment {
    /// The project.
    pub project: Slug,
    /// The environment.
    pub environment: Slug,
    /// What people call it.
    pub display_name: Option<DisplayName>,
    /// What it is for.
    pub description: Option<Description>,
    /// How much depends on it.
    pub tier: Option<Tier>,
    /// Where it stands in lists.
    pub position: Option<i32>,
    /// How often a backup is taken.
    pub backups: Option<BackupsChange>,
    /// Where its workflows run.
    pub engine: Option<EngineChange>,
    /// The etag that the caller read; `None` to change whatever is there.
    pub etag: Option<String>,
}

/// Where an environment's workflows are to run from now on.
#[derive(Debug, Clone, Serialize)]
pub enum EngineChange {
    /// There.
    Set(EngineSettings),
    /// Nowhere.
    Clear,
}

/// How often a backup of an environment is to be taken from now on.
#[derive(Debug, Clone, Copy, Serialize)]
pub enum BackupsChange {
    /// So often.
    Every(BackupInterval),
    /// Never by the clock.
    Never,
}

/// Changes an environment.
pub async fn update_environment(
    context: &Context,
    call: &Call<'_>,
    command: UpdateEnvironment,
) -> Result<Environment, EnvironmentError> {
    let (mut change, project) =
        Change::in_any_project(context, call, Command::UpdateEnvironment, &command.project).await?;
    let slug = &command.environment;
    let before = change.unit.environments().find(project, slug).await?;
    let before = before.ok_or_else(|| EnvironmentError::NotFound { slug: slug.clone() })?;
    if change.made_before(&command, slug.as_str()).await?.is_some() {
        return Ok(before);
    }
    change.require_open(&command.project).await?;
    if before.archived_at.is_some() {
        return Err(EnvironmentError::Archived { slug: before.slug });
    }
    before.revision.check(command.etag.as_deref())?;
    let after = Environment {
        display_name: command
            .display_name
            .unwrap_or_else(|| before.display_name.clone()),
        description: command
            .description
            .unwrap_or_else(|| before.description.clone()),
        tier: command.tier.unwrap_or(before.tier),
        position: command.position.unwrap_or(before.position),
        backup_interval: match command.backups {
            Some(BackupsChange::Every(interval)) => Some(interval),
            Some(BackupsChange::Never) => None,
            None => before.backup_interval,
        },
        revision: before.revision.next(),
        ..before.clone()
    };
    let engine_before = change.unit.engines().engine(after.id).await?;
    let engine = match command.engine {
        Some(EngineChange::Set(settings)) => Some(allowed(context, settings)?),
        Some(EngineChange::Clear) => None,
        None => engine_before.clone(),
    };
    change.unit.environments().update(&after).await?;
    if after.tier != before.tier {
        // What was frozen with the one tier may not be with the other.
        change.unit.deployments().thaw(project).await?;
    }
    if engine != engine_before {
        // What was begun there has to end there.
        if let Some(number) = change.unit.deployments().under_way_in(after.id).await? {
            let slug = after.slug;
            return Err(EnvironmentError::InUse { slug, number });
        }
        let engines = change.unit.engines();
        engines.set_engine(after.id, engine.as_ref()).await?;
    }
    change
        .done(
            Resource::new("environment", &after.slug),
            Some(described(&before, engine_before.as_ref())),
            Some(described(&after, engine.as_ref())),
        )
        .await?;
    Ok(after)
}
