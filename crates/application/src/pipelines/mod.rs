//! Pipelines: where promotions may go.

mod archive;
mod create;
mod read;
mod stages;
mod update;

pub use archive::{ArchivePipeline, archive_pipeline};
pub use create::{CreatePipeline, create_pipeline};
pub use read::{get_pipeline, list_pipelines};
pub use stages::{NamedStage, StageFault, Stages};
pub use update::{UpdatePipeline, update_pipeline};

use serde_json::{Value, json};
use slipway_deployments::Pipeline;
use slipway_kernel::{Slug, revision::EtagMismatch};

use crate::{CommandError, error::meets_command_errors};

/// Why a command about a pipeline was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// The slug is taken.
    #[error(
        "the pipeline `{slug}` exists already in this project, perhaps archived; choose another slug"
    )]
    AlreadyExists {
        /// The slug.
        slug: Slug,
    },
    /// There is no such pipeline.
    #[error("there is no pipeline `{slug}` in this project")]
    NotFound {
        /// The slug given.
        slug: Slug,
    },
    /// The pipeline can't be changed any more.
    #[error("the pipeline `{slug}` is archived: it can be read, not changed")]
    Archived {
        /// The pipeline.
        slug: Slug,
    },
    /// A stage names an environment that is not there.
    #[error("there is no environment `{slug}` in this project")]
    EnvironmentNotFound {
        /// The slug given.
        slug: Slug,
    },
    /// A stage names an environment that nothing can be deployed to.
    #[error("the environment `{slug}` is archived: no stage can begin or end there")]
    EnvironmentArchived {
        /// The environment.
        slug: Slug,
    },
    /// Somebody changed the pipeline since the caller read it.
    #[error(transparent)]
    Etag(#[from] EtagMismatch),
    /// What any command may meet.
    #[error(transparent)]
    Command(#[from] CommandError),
}

meets_command_errors!(PipelineError);

/// A pipeline as the audit trail shows it.
fn described(pipeline: &Pipeline) -> Value {
    json!({
        "pipeline_id": pipeline.id,
        "slug": pipeline.slug,
        "display_name": pipeline.display_name,
        "description": pipeline.description,
        "stages": pipeline.stages,
        "archived_at": pipeline.archived_at.map(|at| at.to_string()),
    })
}
