//! Environments: where versions are deployed to.

mod archive;
mod create;
mod read;
mod update;

pub use archive::{ArchiveEnvironment, archive_environment};
pub use create::{CreateEnvironment, create_environment};
pub use read::{get_environment, list_environments};
pub use update::{BackupsChange, EngineChange, UpdateEnvironment, update_environment};

use serde_json::{Value, json};
use slipway_catalog::Environment;
use slipway_kernel::{Slug, revision::EtagMismatch};
use slipway_workflows::EngineSettings;

use crate::{CommandError, Context, error::meets_command_errors, outside::NotAllowed};

/// Why a command about an environment was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum EnvironmentError {
    /// The slug is taken.
    #[error(
        "the environment `{slug}` exists already in this project, perhaps archived; choose another slug"
    )]
    AlreadyExists {
        /// The slug.
        slug: Slug,
    },
    /// There is no such environment.
    #[error("there is no environment `{slug}` in this project")]
    NotFound {
        /// The slug given.
        slug: Slug,
    },
    /// The environment can't be changed any more.
    #[error("the environment `{slug}` is archived: it can be read, not changed")]
    Archived {
        /// The environment.
        slug: Slug,
    },
    /// Its engine is being written to.
    #[error(
        "deployment #{number} is changing `{slug}`: its workflow engine can't be replaced until that is over or in doubt"
    )]
    InUse {
        /// The environment.
        slug: Slug,
        /// The number of the deployment.
        number: i64,
    },
    /// The operator does not allow the workflow engine.
    #[error("the workflow engine is not allowed")]
    EngineNotAllowed(#[source] NotAllowed),
    /// Somebody changed the environment since the caller read it.
    #[error(transparent)]
    Etag(#[from] EtagMismatch),
    /// What any command may meet.
    #[error(transparent)]
    Command(#[from] CommandError),
}

meets_command_errors!(EnvironmentError);

/// The settings of an engine as they are kept, where the operator allows it. Nothing is called.
fn allowed(
    context: &Context,
    settings: EngineSettings,
) -> Result<EngineSettings, EnvironmentError> {
    let opened = context.engines.open(&settings);
    opened.map_err(EnvironmentError::EngineNotAllowed)?;
    Ok(context.engines.settled(settings))
}

/// An environment as the audit trail shows it. Settings of an engine hold no secret, only where one is.
fn described(environment: &Environment, engine: Option<&EngineSettings>) -> Value {
    json!({
        "environment_id": environment.id,
        "slug": environment.slug,
        "display_name": environment.display_name,
        "description": environment.description,
        "tier": environment.tier,
        "position": environment.position,
        "backup_interval": environment.backup_interval,
        "workflow_engine": engine,
        "archived_at": environment.archived_at.map(|at| at.to_string()),
    })
}
