//! Environments: where versions are deployed to.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use slipway_kernel::{
    EnvironmentId, ProjectId, Revision, Slug, StoreError, Tier, Timestamp,
    text::{Description, DisplayName},
};

/// A place that versions are deployed to: `dev`, `staging`, `prod-eu`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// Its identifier.
    pub id: EnvironmentId,
    /// The project it belongs to.
    pub project: ProjectId,
    /// Its name in every request; unique in its project, and never changed.
    pub slug: Slug,
    /// What people call it.
    pub display_name: DisplayName,
    /// What it is for.
    pub description: Description,
    /// How much depends on it.
    pub tier: Tier,
    /// Where it stands in lists: ascending, equal ones by slug.
    pub position: i32,
    /// When it was made.
    pub created_at: Timestamp,
    /// How often a backup is taken; `None` where nobody wants any by the clock.
    pub backup_interval: Option<BackupInterval>,
    /// Since when nothing can be deployed to it.
    pub archived_at: Option<Timestamp>,
    /// How often it has been changed.
    pub revision: Revision,
}

/// How often a backup of an environment is taken: whole seconds, 60 (a minute) to 2,592,000 (30 days).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct BackupInterval(u32);

/// A length of time that is no interval for backups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is {given} s; use 60 (a minute) to 2592000 (30 days)")]
pub struct BackupIntervalError {
    /// The seconds given.
    pub given: i64,
}

impl BackupInterval {
    /// The shortest, in seconds.
    pub const MIN: u32 = 60;
    /// The longest, in seconds.
    pub const MAX: u32 = 30 * 24 * 60 * 60;

    /// In seconds.
    pub const fn seconds(self) -> u32 {
        self.0
    }

    /// As a length of time.
    pub fn duration(self) -> Duration {
        Duration::from_secs(self.0.into())
    }
}

impl TryFrom<i64> for BackupInterval {
    type Error = BackupIntervalError;

    fn try_from(given: i64) -> Result<Self, BackupIntervalError> {
        match u32::try_from(given) {
            Ok(seconds) if (Self::MIN..=Self::MAX).contains(&seconds) => Ok(Self(seconds)),
            _ => Err(BackupIntervalError { given }),
        }
    }
}

impl From<BackupInterval> for i64 {
    fn from(interval: BackupInterval) -> Self {
        interval.0.into()
    }
}

/// Changes environments, inside a unit of work.
#[async_trait]
pub trait EnvironmentRepository: Send {
    /// Adds an environment. An adapter MUST answer `false`, and change nothing, where the slug is taken.
    async fn insert(&mut self, environment: &Environment) -> Result<bool, StoreError>;

    /// The environment with this slug, to be changed or to decide by. An adapter MUST hold it until the unit of work
    /// ends: another unit of work that looks it up here waits, and then finds it as it was left.
    async fn find(
        &mut self,
        project: ProjectId,
        slug: &Slug,
    ) -> Result<Option<Environment>, StoreError>;

    /// The environment with this identifier. An adapter MUST hold it as [`Self::find`] does.
    async fn hold(&mut self, id: EnvironmentId) -> Result<Option<Environment>, StoreError>;

    /// Saves a changed environment, whose revision is one above the stored one. An adapter MUST answer
    /// [`StoreError::Conflict`] where the stored revision is another.
    async fn update(&mut self, environment: &Environment) -> Result<(), StoreError>;
}
