//! Snapshots: what an environment looked like, in Git.

mod backups;
mod compare;
mod comparison;
mod contents;
mod create;
mod publish;
mod read;
mod restore;
mod take;
mod workflow;

pub use backups::{BackedUp, failing_backups, take_due_backup};
pub use compare::{Compared, compare_snapshots, detect_drift};
pub use comparison::{Comparison, WorkflowChange};
pub(crate) use comparison::{Side, compare};
pub(crate) use contents::Contents;
pub use contents::ContentsError;
pub use create::{CreateSnapshot, create_snapshot};
pub use publish::publish_snapshots;
use read::get_authorised;
pub use read::{ListSnapshots, get_snapshot, list_snapshots};
pub use restore::{RestoreSnapshot, plan_restore, restore_snapshot};
pub(crate) use take::{Taking, keep, open_repository, take};
pub use workflow::{KeptDocument, KeptWorkflow, get_snapshot_workflow};

use slipway_kernel::{Key, Slug, SnapshotId, StoreError, digest::CanonicalError};
use slipway_snapshots::GitError;

use crate::{
    CommandError, deployments::PuttingBackError, engines::EngineProblem,
    error::meets_command_errors,
};

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
    /// The environment has no snapshot yet.
    #[error("the environment `{environment}` has no snapshot yet: take one with CreateSnapshot")]
    NoSnapshot {
        /// The environment.
        environment: Slug,
    },
    /// The snapshot has no such workflow.
    #[error("the snapshot {id} holds no workflow with the key `{key}`{hint}")]
    WorkflowNotInSnapshot {
        /// The snapshot.
        id: SnapshotId,
        /// The key given.
        key: Key,
        /// What was probably meant.
        hint: String,
    },
    /// It could not be read.
    #[error(transparent)]
    Contents(#[from] ContentsError),
    /// It could not be taken.
    #[error(transparent)]
    Take(#[from] TakeError),
    /// It can't be said what it would take to put it back.
    #[error(transparent)]
    PuttingBack(#[from] PuttingBackError),
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
