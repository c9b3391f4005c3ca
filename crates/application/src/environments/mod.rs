//! Environments: where versions are deployed to.

mod archive;
mod create;
mod read;
mod update;

pub use archive::{ArchiveEnvironment, archive_environment};
pub use create::{CreateEnvironment, create_environment};
pub use read::{get_environment, list_environments};
pub use update::{UpdateEnvironment, update_environment};

use serde_json::{Value, json};
use slipway_catalog::Environment;
use slipway_kernel::{Slug, revision::EtagMismatch};

use crate::{CommandError, error::meets_command_errors};

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
    /// Somebody changed the environment since the caller read it.
    #[error(transparent)]
    Etag(#[from] EtagMismatch),
    /// What any command may meet.
    #[error(transparent)]
    Command(#[from] CommandError),
}

meets_command_errors!(EnvironmentError);

/// An environment as the audit trail shows it.
fn described(environment: &Environment) -> Value {
    json!({
        "environment_id": environment.id,
        "slug": environment.slug,
        "display_name": environment.display_name,
        "description": environment.description,
        "tier": environment.tier,
        "position": environment.position,
        "archived_at": environment.archived_at.map(|at| at.to_string()),
    })
}
