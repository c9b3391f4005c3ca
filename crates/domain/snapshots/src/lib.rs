//! Snapshots: what an environment looked like, kept in Git; and the port to the store that keeps it.

pub mod backup;
pub mod content;
#[cfg(feature = "contract")]
#[expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::panic,
    reason = "the cases are tests: a panic is how they fail"
)]
pub mod contract;
pub mod git;
pub mod outline;
pub mod snapshot;

pub use backup::{BackupClaim, BackupEnd, FailingBackup};
pub use git::{CommitSha, Committed, FileChange, Files, GitError, GitStore, NewCommit, Upstream};
pub use outline::{Became, Outline, outline};
pub use snapshot::{
    Snapshot, SnapshotFilter, SnapshotKind, SnapshotPlace, SnapshotQueries, SnapshotRepository,
};
