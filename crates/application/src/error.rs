//! What any command may meet. What only some meet stands with the noun they are about.

use slipway_identity::Denied;
use slipway_kernel::{Slug, StoreError, digest::CanonicalError};

/// Why a command was not carried out, whatever the command.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// There is no such project, or the caller may not know of it.
    #[error("there is no project `{slug}`, or you are no member of it")]
    ProjectNotFound {
        /// The slug given.
        slug: Slug,
    },
    /// The project takes no changes.
    #[error("the project `{slug}` is archived: it can be read, not changed")]
    ProjectArchived {
        /// The project.
        slug: Slug,
    },
    /// The caller may not.
    #[error(transparent)]
    Denied(Denied),
    /// The caller may neither ask for deployments to a governed environment nor carry them out.
    #[error(
        "the environment `{slug}` is governed by approval policies, and none of them lets you ask for deployments to it, \
         or carry them out: ask an administrator"
    )]
    MayNotAsk {
        /// The environment.
        slug: Slug,
    },
    /// The request id was used for something else.
    #[error(
        "the request id `{request_id}` was used before with another payload; use a new id for a new request"
    )]
    RequestIdReused {
        /// The request id.
        request_id: String,
    },
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A value could not be hashed: a fault of ours.
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
}

/// Lets `?` turn what any command may meet into a noun's own error, which has a variant `Command(CommandError)`.
macro_rules! meets_command_errors {
    ($($error:ty),+ $(,)?) => {$(
        impl From<slipway_kernel::StoreError> for $error {
            fn from(error: slipway_kernel::StoreError) -> Self {
                Self::Command(error.into())
            }
        }

        impl From<slipway_kernel::digest::CanonicalError> for $error {
            fn from(error: slipway_kernel::digest::CanonicalError) -> Self {
                Self::Command(error.into())
            }
        }
    )+};
}
pub(crate) use meets_command_errors;

/// A row refers to another one that is not there, which foreign keys rule out.
pub(crate) fn dangling(table: &'static str, id: impl std::fmt::Display) -> StoreError {
    StoreError::Inconsistent {
        table,
        column: "id",
        row: id.to_string(),
        problem: "it is referred to, and not there".to_owned(),
    }
}

/// An error with its causes, for people: what went wrong, and why.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
