//! Snapshots: what an environment looked like.

use std::{collections::HashMap, time::Duration};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use slipway_kernel::{
    DeploymentId, EnvironmentId, Page, PageSize, PrincipalId, ProjectId, Sha256, SnapshotId,
    StoreError, Timestamp, text::Notes, words,
};

use crate::{BackupClaim, BackupEnd, CommitSha, FailingBackup};

/// Why a snapshot was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SnapshotKind {
    /// By the clock.
    AutoBackup,
    /// Before a promotion or rollback changes the environment.
    PrePromotion,
    /// After it did.
    PostPromotion,
    /// Somebody asked for it.
    ManualBackup,
    /// Before a restore changes the environment.
    PreRestore,
    /// After it did.
    PostRestore,
}

words! {
    SnapshotKind, "kind of snapshot":
    AutoBackup = "AUTO_BACKUP",
    PrePromotion = "PRE_PROMOTION",
    PostPromotion = "POST_PROMOTION",
    ManualBackup = "MANUAL_BACKUP",
    PreRestore = "PRE_RESTORE",
    PostRestore = "POST_RESTORE",
}

/// What an environment looked like at some moment: a commit. Several snapshots share a commit where nothing changed
/// between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Its identifier.
    pub id: SnapshotId,
    /// The project.
    pub project: ProjectId,
    /// The environment.
    pub environment: EnvironmentId,
    /// The commit that holds it.
    pub commit: CommitSha,
    /// The digest over all workflows (`slipway.environment.v1`), which a restore must reach again.
    pub content_hash: Sha256,
    /// Why it was taken.
    pub kind: SnapshotKind,
    /// When.
    pub created_at: Timestamp,
    /// Who asked for it; `None` where nobody did.
    pub created_by: Option<PrincipalId>,
    /// The deployment that it was taken for.
    pub deployment: Option<DeploymentId>,
    /// What was said about it.
    pub notes: Notes,
    /// How many workflows it holds.
    pub workflows: u32,
}

/// Changes snapshots, inside a unit of work.
#[async_trait]
pub trait SnapshotRepository: Send {
    /// Adds a snapshot.
    async fn insert(&mut self, snapshot: &Snapshot) -> Result<(), StoreError>;

    /// Claims the backup of an environment that is due: one with an interval, not archived and of a project that is not,
    /// whose last backup by the clock is at least that old, and that no deployment holds. Nobody else can claim it for
    /// the length of `lease`, nor before the time that [`Self::end_backup`] was given. `None` where none is due.
    ///
    /// An adapter MUST give each due backup to one claim only, however many ask at once.
    async fn claim_backup(
        &mut self,
        now: Timestamp,
        lease: Duration,
    ) -> Result<Option<BackupClaim>, StoreError>;

    /// Whether a backup may still be kept: the claim is the last one, and no deployment has begun to change the
    /// environment since. An adapter MUST hold the claim until the unit of work ends.
    async fn undisturbed(&mut self, claim: &BackupClaim) -> Result<bool, StoreError>;

    /// Writes down what became of a claimed backup, and that nobody claims the next one before a time. `false`, and
    /// nothing written, where there is a later claim.
    async fn end_backup(
        &mut self,
        claim: &BackupClaim,
        end: &BackupEnd,
        not_before: Timestamp,
    ) -> Result<bool, StoreError>;
}

/// Which snapshots a reader wants; what is `None` selects all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SnapshotFilter {
    /// Of this environment.
    pub environment: Option<EnvironmentId>,
    /// Taken for this reason.
    pub kind: Option<SnapshotKind>,
    /// Taken at this time or later.
    pub from: Option<Timestamp>,
    /// Taken before this time.
    pub to: Option<Timestamp>,
}

/// A snapshot's place in lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotPlace {
    /// When it was taken.
    pub created_at: Timestamp,
    /// Tells those of one microsecond apart.
    pub id: SnapshotId,
}

/// Reads snapshots. Each is one statement.
#[async_trait]
pub trait SnapshotQueries: Send + Sync {
    /// One snapshot of a project.
    async fn snapshot(
        &self,
        project: ProjectId,
        id: SnapshotId,
    ) -> Result<Option<Snapshot>, StoreError>;

    /// The last snapshot of an environment that a person or a deployment took; the last one by the clock where there is no
    /// other. What somebody changed by hand is not made right by the clock.
    async fn last_snapshot(
        &self,
        environment: EnvironmentId,
    ) -> Result<Option<Snapshot>, StoreError>;

    /// The snapshots that a filter selects, newest first, equal times by id, highest first.
    async fn snapshots(
        &self,
        project: ProjectId,
        filter: &SnapshotFilter,
        after: Option<SnapshotPlace>,
        size: PageSize,
    ) -> Result<Page<Snapshot, SnapshotPlace>, StoreError>;

    /// Of these environments, those whose last backup by the clock failed.
    async fn failing_backups(
        &self,
        environments: &[EnvironmentId],
    ) -> Result<HashMap<EnvironmentId, FailingBackup>, StoreError>;
}
