//! The ledger: immutable records of what was put where and when, and the current state that follows from them.

pub mod current_state;
pub mod record;
pub mod statistics;

pub use current_state::{AsOf, Cell, CellFilter, CellPlace, Freshness};
pub use record::{
    CLOCK_SKEW, NaturalKey, NewRecord, Record, RecordFilter, RecordKind, RecordPlace,
    RecordRepository, Retraction,
};
pub use slipway_kernel::RiskLevel;
pub use statistics::{DayCount, Statistics};

use std::collections::BTreeSet;

use async_trait::async_trait;
use slipway_kernel::{
    ApplicationId, EnvironmentId, Key, Page, PageSize, ProjectId, RecordId, Sha256, Slug,
    StoreError, Timestamp, VersionId, text::MediaType,
};

/// Reads about the ledger. Each is one statement unless its comment says more, and needs no transaction. Lookups answer
/// `Ok(None)` where there is nothing.
#[async_trait]
pub trait LedgerQueries: Send + Sync {
    /// One record, retracted or not.
    async fn record(&self, project: ProjectId, id: RecordId) -> Result<Option<Record>, StoreError>;

    /// The history that a filter selects, newest deployment first, equal times by ledger sequence, highest first.
    async fn records(
        &self,
        project: ProjectId,
        filter: &RecordFilter,
        after: Option<RecordPlace>,
        size: PageSize,
    ) -> Result<Page<Record, RecordPlace>, StoreError>;

    /// What is in one cell, now or at another time; `None` where nothing is.
    async fn cell(
        &self,
        project: ProjectId,
        application: &Key,
        environment: &Slug,
        as_of: Option<AsOf>,
    ) -> Result<Option<Cell>, StoreError>;

    /// What is in the cells that a filter selects, by application key, then environment slug, both bytewise.
    /// Empty cells are left out.
    async fn cells(
        &self,
        project: ProjectId,
        filter: &CellFilter,
        as_of: Option<AsOf>,
        after: Option<&CellPlace>,
        size: PageSize,
    ) -> Result<Page<Cell, CellPlace>, StoreError>;

    /// Which versions of these applications are current in an environment, by the applications' keys. Those of which
    /// nothing is deployed are missing.
    async fn current_versions(
        &self,
        environment: EnvironmentId,
        applications: &BTreeSet<Key>,
    ) -> Result<Vec<CurrentVersion>, StoreError>;

    /// The cells, filled or emptied, that these records stand or stood in, as they are now.
    async fn cells_of_records(
        &self,
        project: ProjectId,
        records: &[RecordId],
    ) -> Result<Vec<CellNow>, StoreError>;

    /// The current version of an application in an environment: the hot path.
    async fn resolve(
        &self,
        project: ProjectId,
        application: &Key,
        environment: &Slug,
    ) -> Result<Option<Resolved>, StoreError>;

    /// A project's figures: deployments from `since` on are counted; days from `days_from` on are listed, for one
    /// environment where one is named. Everything but the days is the whole project's. It takes three statements.
    async fn statistics(
        &self,
        project: ProjectId,
        since: Timestamp,
        days_from: Timestamp,
        environment: Option<&Slug>,
    ) -> Result<Statistics, StoreError>;
}

/// A version that is current in an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CurrentVersion {
    /// The key of the application.
    pub key: Key,
    /// The application.
    pub application: ApplicationId,
    /// The version.
    pub version: VersionId,
    /// What it is called.
    pub identifier: Key,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Cells that are held until a unit of work ends.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeldVersions {
    /// Those that are filled, by the applications' keys.
    pub versions: Vec<CurrentVersion>,
    /// The latest deployment time of any of them, emptied ones too: what is to be current has to be deployed no sooner.
    pub latest: Option<Timestamp>,
}

/// A cell as it is now, filled or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CellNow {
    /// Which cell.
    pub place: CellPlace,
    /// What is in it.
    pub cell: Option<Cell>,
}

/// The answer to "which version is current?".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The version.
    pub version: VersionId,
    /// Its name.
    pub identifier: Key,
    /// The SHA-256 of what it is.
    pub digest: Option<Sha256>,
    /// The media type of the content; `None` where Slipway keeps none.
    pub media_type: Option<MediaType>,
    /// The record that put it there.
    pub record: RecordId,
    /// When it was put there.
    pub deployed_at: Timestamp,
}
