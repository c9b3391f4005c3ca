//! The workflow engines of environments: where they are, and what they hold.

mod check;
mod credentials;
mod find;
mod inventory;
mod link;

pub use check::{CheckedEngine, FoundWorkflow, check_engine, engine_settings, list_workflows};
pub use credentials::{
    Credentials, CredentialsFault, MAX_CREDENTIALS, SetCredentialMapping, get_credential_mapping,
    set_credential_mapping,
};
pub use link::{LinkWorkflow, link_workflow};

use std::sync::Arc;

use slipway_catalog::Environment;
use slipway_kernel::{Key, Slug, StoreError};
use slipway_workflows::{EngineError, EngineSettings, WorkflowEngine, WorkflowId};

use crate::{CommandError, Context, error::meets_command_errors, outside::NotAllowed};

pub(crate) use inventory::{Surveyed, survey, survey_both};

/// Why an environment's engine can't be used.
#[derive(Debug, thiserror::Error)]
pub enum EngineProblem {
    /// The environment has none.
    #[error(
        "the environment `{environment}` has no workflow engine: set one with UpdateEnvironment"
    )]
    NoEngine {
        /// The environment.
        environment: Slug,
    },
    /// The operator does not allow it (any more).
    #[error("the workflow engine of `{environment}` is not allowed")]
    NotAllowed {
        /// The environment.
        environment: Slug,
        /// What is wrong.
        #[source]
        source: NotAllowed,
    },
    /// It did not do what it was asked.
    #[error("the workflow engine of `{environment}`")]
    Engine {
        /// The environment.
        environment: Slug,
        /// What it said.
        #[source]
        source: EngineError,
    },
    /// Several workflows of a name stand for one key.
    #[error(
        "`{environment}` has several workflows called `{name}` ({}): link the one that is meant with LinkWorkflow",
        ids.join(", ")
    )]
    Ambiguous {
        /// The environment.
        environment: Slug,
        /// The name.
        name: String,
        /// What the engine calls them.
        ids: Vec<String>,
    },
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a command about an environment's engine was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum EngineCommandError {
    /// There is no such environment.
    #[error("there is no environment `{slug}` in this project")]
    EnvironmentNotFound {
        /// The slug given.
        slug: Slug,
    },
    /// The environment can't be changed any more.
    #[error("the environment `{slug}` is archived: it can be read, not changed")]
    EnvironmentArchived {
        /// The environment.
        slug: Slug,
    },
    /// The engine has no such workflow.
    #[error("the workflow engine of `{environment}` has no workflow `{}`", id.0)]
    WorkflowNotFound {
        /// The environment.
        environment: Slug,
        /// The id given.
        id: WorkflowId,
    },
    /// The key stands for another workflow.
    #[error(
        "in `{environment}` the key `{key}` stands for the workflow `{}`; choose another key, or link that workflow to \
         another one first",
        id.0
    )]
    KeyTaken {
        /// The environment.
        environment: Slug,
        /// The key.
        key: Key,
        /// What it stands for.
        id: WorkflowId,
    },
    /// The engine.
    #[error(transparent)]
    Engine(#[from] EngineProblem),
    /// What any command may meet.
    #[error(transparent)]
    Command(#[from] CommandError),
}

meets_command_errors!(EngineCommandError);

/// What an environment's engine answered.
pub(crate) fn called<T>(
    environment: &Environment,
    answer: Result<T, EngineError>,
) -> Result<T, EngineProblem> {
    answer.map_err(|source| EngineProblem::Engine {
        environment: environment.slug.clone(),
        source,
    })
}

/// The engine of an environment.
pub(crate) async fn engine_of(
    context: &Context,
    environment: &Environment,
) -> Result<Arc<dyn WorkflowEngine>, EngineProblem> {
    let settings = settings_of(context, environment).await?;
    opened(context, environment, &settings)
}

/// Where an environment's workflows run.
async fn settings_of(
    context: &Context,
    environment: &Environment,
) -> Result<EngineSettings, EngineProblem> {
    let settings = context.reader().engine(environment.id).await?;
    settings.ok_or_else(|| EngineProblem::NoEngine {
        environment: environment.slug.clone(),
    })
}

fn opened(
    context: &Context,
    environment: &Environment,
    settings: &EngineSettings,
) -> Result<Arc<dyn WorkflowEngine>, EngineProblem> {
    context
        .engines
        .open(settings)
        .map_err(|source| EngineProblem::NotAllowed {
            environment: environment.slug.clone(),
            source,
        })
}
