//! Backups by the clock: which environment is due, and which server takes its backup.

use slipway_kernel::{EnvironmentId, Timestamp};

/// An environment whose backup one server is to take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupClaim {
    /// The environment.
    pub environment: EnvironmentId,
    /// Which claim of it this is: a later one ends it.
    pub epoch: i64,
    /// How many backups of it failed since the last one that did not.
    pub failures: u32,
    /// How often executors had claimed deployments to the environment when the backup was claimed. Where the figure has grown
    /// since, a deployment may have changed the environment meanwhile.
    pub deployments: i64,
}

/// What became of a claimed backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BackupEnd {
    /// It was taken.
    Taken,
    /// A deployment came between, so that it is taken later. The count of failures stays as it is.
    PutOff,
    /// It failed.
    Failed {
        /// Why.
        problem: String,
    },
}

/// A backup that is not taken any more as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailingBackup {
    /// How many failed since the last one that did not: 1 or more.
    pub failures: u32,
    /// Why the last one did.
    pub problem: String,
    /// When the next one is tried.
    pub not_before: Timestamp,
}
