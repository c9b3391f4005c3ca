//! Versions of applications.

mod create;
mod deprecate;
mod read;

pub use create::{CreateVersion, NewContent, create_version};
pub use deprecate::{DeprecateVersion, deprecate_version};
pub use read::{get_version, list_versions};

use serde_json::{Value, json};
use slipway_audit::Resource;
use slipway_catalog::{Application, Version, version::MAX_CONTENT};
use slipway_kernel::{Key, PrincipalId, Sha256, object::ObjectError};

use crate::{CommandError, error::meets_command_errors};

/// Why a command about a version was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum VersionError {
    /// The application has a version of this name.
    #[error(
        "the application `{application}` has a version `{version}` already; versions never change, so choose another identifier"
    )]
    AlreadyExists {
        /// The application.
        application: Key,
        /// The version.
        version: Key,
    },
    /// There is no such version.
    #[error("the application `{application}` has no version `{version}`")]
    NotFound {
        /// The application.
        application: Key,
        /// The version given.
        version: Key,
    },
    /// There is no such application.
    #[error("there is no application `{key}` in this project")]
    ApplicationNotFound {
        /// The key given.
        key: Key,
    },
    /// The application takes no changes.
    #[error("the application `{key}` is archived: its versions can be read, not added or changed")]
    ApplicationArchived {
        /// The application.
        key: Key,
    },
    /// There is no such author in the project.
    #[error("there is no member {id} of this project; the author must be a member, or yourself")]
    AuthorNotFound {
        /// The id given.
        id: PrincipalId,
    },
    /// The author was shut out.
    #[error("the principal {id} is disabled; name an enabled one as the author")]
    AuthorDisabled {
        /// The author.
        id: PrincipalId,
    },
    /// The content is larger than what Slipway keeps.
    #[error(
        "the content has {size} bytes; at most {MAX_CONTENT} are allowed: keep it elsewhere and give its digest"
    )]
    ContentTooLarge {
        /// Its size, in bytes.
        size: usize,
    },
    /// The digest given is not that of the content given.
    #[error("the digest given is {given}, but the content has {found}; check that neither was cut")]
    DigestMismatch {
        /// The digest given.
        given: Sha256,
        /// The content's digest.
        found: Sha256,
    },
    /// The content should be in the object store, and is not.
    #[error("the content {digest} is missing from the object store")]
    ContentMissing {
        /// Its digest.
        digest: Sha256,
    },
    /// The object store.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// What any command may meet.
    #[error(transparent)]
    Command(#[from] CommandError),
}

meets_command_errors!(VersionError);

/// A version as the audit trail names it.
fn named(application: &Application, version: &Version) -> Resource {
    Resource::new(
        "version",
        &format_args!("{} {}", application.key, version.identifier),
    )
}

/// A version as the audit trail shows it: what can be long (dependencies, attributes, notes) stands with the version,
/// which never changes.
fn described(application: &Application, version: &Version) -> Value {
    json!({
        "version_id": version.id,
        "application": application.key,
        "identifier": version.identifier,
        "digest": version.digest,
        "content_size": version.content.as_ref().map(|content| content.size),
        "author": version.author,
        "deprecated_at": version.deprecated.as_ref().map(|deprecation| deprecation.at.to_string()),
        "deprecation_reason": version.deprecated.as_ref().map(|deprecation| deprecation.reason.as_str()),
    })
}
