//! Projects.

mod archive;
mod create;
mod read;
mod update;

pub use archive::{ArchiveProject, archive_project};
pub use create::{CreateProject, create_project};
pub use read::{get_project, list_projects};
pub use update::{UpdateProject, update_project};

use serde_json::{Value, json};
use slipway_identity::Project;
use slipway_kernel::{Slug, revision::EtagMismatch};

use crate::{CommandError, error::meets_command_errors};

/// Why a command about a project was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// The slug is taken.
    #[error("the project `{slug}` exists already, perhaps archived; choose another slug")]
    AlreadyExists {
        /// The slug.
        slug: Slug,
    },
    /// Somebody changed the project since the caller read it.
    #[error(transparent)]
    Etag(#[from] EtagMismatch),
    /// What any command may meet.
    #[error(transparent)]
    Command(#[from] CommandError),
}

meets_command_errors!(ProjectError);

/// A project as the audit trail shows it.
pub(crate) fn described(project: &Project) -> Value {
    json!({
        "project_id": project.id,
        "slug": project.slug,
        "display_name": project.display_name,
        "description": project.description,
        "required_locales": project.requirements.locales,
        "validation_rules": project.requirements.rules,
        "archived_at": project.archived_at.map(|at| at.to_string()),
    })
}
