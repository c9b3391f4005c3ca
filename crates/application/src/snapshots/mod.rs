//! Snapshots: what an environment looked like, in Git.

mod create;
mod read;
mod restore;
mod take;

pub use create::{CreateSnapshot, create_snapshot};
pub use read::{ListSnapshots, get_snapshot, list_snapshots};
pub use restore::{RestoreSnapshot, restore_snapshot};
pub(crate) use take::{Taking, keep, open_repository, take};

use slipway_kernel::{Slug, SnapshotId, StoreError, digest::CanonicalError};
use slipway_snapshots::GitError;

use crate::{CommandError, engines::EngineProblem, error::meets_command_errors};

/// Why a command about a snapshot was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// There is no such snapshot.
    #[error("there is no snapshot {id} in this project")]
    NotFound {
        /// The id given.
        id: SnapshotId,
    },
    /// There is no such environment.
    #[error("there is no environment `{slug}` in this project")]
    EnvironmentNotFound {
        /// The slug given.
        slug: Slug,
    },
    /// Nothing is put into the environment any more.
    #[error("the environment `{slug}` is archived: it can be read, not changed")]
    EnvironmentArchived {
        /// The environment.
        slug: Slug,
    },
    /// A stage into the environment asks for approval, which this version can't collect yet.
    #[error(
        "a pipeline's stage into this environment requires approval, which this version can't collect: change the \
         pipeline to restore without it"
    )]
    ApprovalRequired,
    /// It could not be taken.
    #[error(transparent)]
    Take(#[from] TakeError),
    /// What any command may meet.
    #[error(transparent)]
    Command(#[from] CommandError),
}

meets_command_errors!(SnapshotError);

/// Why a snapshot could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum TakeError {
    /// The engine could not be read.
    #[error(transparent)]
    Engine(#[from] EngineProblem),
    /// The Git store did not take it.
    #[error("the Git store did not take the snapshot")]
    Git(#[from] GitError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A fault of ours.
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
}
