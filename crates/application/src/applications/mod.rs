//! Applications: whatever has versions and is deployed.

mod archive;
mod create;
mod read;
mod update;

pub use archive::{ArchiveApplication, archive_application};
pub use create::{CreateApplication, create_application};
pub use read::{get_application, list_applications};
pub use update::{UpdateApplication, update_application};

use serde_json::{Value, json};
use slipway_catalog::Application;
use slipway_kernel::{Key, revision::EtagMismatch};

use crate::{CommandError, error::meets_command_errors};

/// Why a command about an application was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum ApplicationError {
    /// The key is taken.
    #[error(
        "the application `{key}` exists already in this project, perhaps archived; choose another key"
    )]
    AlreadyExists {
        /// The key.
        key: Key,
    },
    /// There is no such application.
    #[error("there is no application `{key}` in this project")]
    NotFound {
        /// The key given.
        key: Key,
    },
    /// The application can't be changed any more.
    #[error("the application `{key}` is archived: it can be read, not changed")]
    Archived {
        /// The application.
        key: Key,
    },
    /// Somebody changed the application since the caller read it.
    #[error(transparent)]
    Etag(#[from] EtagMismatch),
    /// What any command may meet.
    #[error(transparent)]
    Command(#[from] CommandError),
}

meets_command_errors!(ApplicationError);

/// An application as the audit trail shows it.
fn described(application: &Application) -> Value {
    json!({
        "application_id": application.id,
        "key": application.key,
        "kind": application.kind,
        "display_name": application.display_name,
        "description": application.description,
        "archived_at": application.archived_at.map(|at| at.to_string()),
    })
}
