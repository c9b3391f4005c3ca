//! Snapshots: what an environment looked like, kept in Git; and the port to the store that keeps it.

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
pub mod snapshot;

pub use git::{CommitSha, Committed, FileChange, Files, GitError, GitStore, NewCommit, Upstream};
pub use snapshot::{
    Snapshot, SnapshotFilter, SnapshotKind, SnapshotPlace, SnapshotQueries, SnapshotRepository,
};
