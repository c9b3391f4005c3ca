//! The ledger: records and the current state that follows from them.

mod cells;
mod current_state;
mod history;
mod insert;
pub(crate) mod record;
mod statistics;
mod targets;
mod versions;

use std::collections::BTreeSet;

use async_trait::async_trait;
use slipway_kernel::{
    EnvironmentId, Key, Page, PageSize, PersonId, ProjectId, RecordId, Slug, StoreError, Timestamp,
};
use slipway_ledger::{
    AsOf, Cell, CellFilter, CellNow, CellPlace, CurrentVersion, HeldVersions, LedgerQueries,
    Record, RecordFilter, RecordPlace, RecordRepository, Resolved, Retraction, Statistics,
    record::{DeployedBy, Placed, Target, TargetNames},
};

use crate::{SqlReader, SqlUnitOfWork};

/// Whether the record `d` counts: nobody has taken it back.
pub(crate) const NOT_RETRACTED: &str =
    "NOT EXISTS (SELECT 1 FROM record_retraction x WHERE x.record_sequence = d.sequence)";

#[async_trait]
impl RecordRepository for SqlUnitOfWork {
    async fn versions_at(
        &mut self,
        environment: EnvironmentId,
        applications: &BTreeSet<Key>,
        as_of: AsOf,
    ) -> Result<Vec<CurrentVersion>, StoreError> {
        versions::at(self.connection().await?, environment, applications, as_of).await
    }

    async fn hold_versions(
        &mut self,
        environment: EnvironmentId,
        applications: &BTreeSet<Key>,
    ) -> Result<HeldVersions, StoreError> {
        let connection = self.connection().await?;
        let lock = connection
            .dialect()
            .postgres_only(" FOR NO KEY UPDATE OF c");
        versions::current(connection, environment, applications, lock).await
    }

    async fn targets(
        &mut self,
        project: ProjectId,
        names: &[TargetNames<'_>],
    ) -> Result<Vec<Target>, StoreError> {
        targets::targets(self.glance().await?, project, names).await
    }

    async fn claim_names(
        &mut self,
        project: ProjectId,
        names: &[(&DeployedBy, PersonId)],
    ) -> Result<Vec<PersonId>, StoreError> {
        targets::claim_names(self.connection().await?, project, names).await
    }

    async fn add(&mut self, placed: &[Placed<'_>]) -> Result<(), StoreError> {
        insert::insert(self, placed).await?;
        current_state::advance(self, placed).await
    }

    async fn retract(
        &mut self,
        project: ProjectId,
        retraction: &Retraction,
    ) -> Result<bool, StoreError> {
        current_state::retract(self.connection().await?, project, retraction).await
    }

    async fn get(
        &mut self,
        project: ProjectId,
        id: RecordId,
    ) -> Result<Option<Record>, StoreError> {
        history::record(self.connection().await?, project, id).await
    }
}

#[async_trait]
impl LedgerQueries for SqlReader {
    async fn record(&self, project: ProjectId, id: RecordId) -> Result<Option<Record>, StoreError> {
        history::record(&self.connection, project, id).await
    }

    async fn records(
        &self,
        project: ProjectId,
        filter: &RecordFilter,
        after: Option<RecordPlace>,
        size: PageSize,
    ) -> Result<Page<Record, RecordPlace>, StoreError> {
        history::records(&self.connection, project, filter, after, size).await
    }

    async fn cell(
        &self,
        project: ProjectId,
        application: &Key,
        environment: &Slug,
        as_of: Option<AsOf>,
    ) -> Result<Option<Cell>, StoreError> {
        cells::cell(&self.connection, project, application, environment, as_of).await
    }

    async fn cells(
        &self,
        project: ProjectId,
        filter: &CellFilter,
        as_of: Option<AsOf>,
        after: Option<&CellPlace>,
        size: PageSize,
    ) -> Result<Page<Cell, CellPlace>, StoreError> {
        cells::cells(&self.connection, project, filter, as_of, after, size).await
    }

    async fn current_versions(
        &self,
        environment: EnvironmentId,
        applications: &BTreeSet<Key>,
    ) -> Result<Vec<CurrentVersion>, StoreError> {
        let held = versions::current(&self.connection, environment, applications, "").await?;
        Ok(held.versions)
    }

    async fn cells_of_records(
        &self,
        project: ProjectId,
        records: &[RecordId],
    ) -> Result<Vec<CellNow>, StoreError> {
        cells::cells_of_records(&self.connection, project, records).await
    }

    async fn resolve(
        &self,
        project: ProjectId,
        application: &Key,
        environment: &Slug,
    ) -> Result<Option<Resolved>, StoreError> {
        cells::resolve(&self.connection, project, application, environment).await
    }

    async fn statistics(
        &self,
        project: ProjectId,
        since: Timestamp,
        days_from: Timestamp,
        environment: Option<&Slug>,
    ) -> Result<Statistics, StoreError> {
        statistics::statistics(&self.connection, project, since, days_from, environment).await
    }
}
