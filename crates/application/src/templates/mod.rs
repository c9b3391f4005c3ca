//! Templates: what is released together, again and again.

mod create;
mod delete;
mod read;
mod update;

pub use create::{CreateTemplate, create_template};
pub use delete::{DeleteTemplate, delete_template};
pub(crate) use read::a_version;
pub use read::{get_template, list_templates};
pub use update::{UpdateTemplate, update_template};

use serde_json::{Value, json};
use slipway_deployments::Template;
use slipway_kernel::{Revision, Slug, revision::EtagMismatch};

use crate::{CommandError, error::meets_command_errors};

/// Why a command about a template was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// The slug is taken.
    #[error("the template `{slug}` exists already in this project; choose another slug")]
    AlreadyExists {
        /// The slug.
        slug: Slug,
    },
    /// There is no such template.
    #[error("there is no template `{slug}` in this project")]
    NotFound {
        /// The slug given.
        slug: Slug,
    },
    /// The template has no such version.
    #[error("the template `{slug}` has no version {version}")]
    VersionNotFound {
        /// The template.
        slug: Slug,
        /// The version given.
        version: Revision,
    },
    /// Somebody changed the template since the caller read it.
    #[error(transparent)]
    Etag(#[from] EtagMismatch),
    /// What any command may meet.
    #[error(transparent)]
    Command(#[from] CommandError),
}

meets_command_errors!(TemplateError);

/// A template as the audit trail shows it. What its items are stands in its version, which never changes.
fn described(template: &Template) -> Value {
    json!({
        "template_id": template.id,
        "slug": template.slug,
        "version": template.version.0,
        "display_name": template.display_name,
        "description": template.description,
        "items": template.items.as_slice().len(),
    })
}
