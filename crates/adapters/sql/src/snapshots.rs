//! Snapshots.

mod backup;

use std::{collections::HashMap, time::Duration};

use async_trait::async_trait;
use sea_orm::{FromQueryResult, Value};
use slipway_kernel::{
    DeploymentId, EnvironmentId, Page, PageSize, PrincipalId, ProjectId, SnapshotId, StoreError,
    Timestamp,
};
use slipway_snapshots::{
    BackupClaim, BackupEnd, FailingBackup, Snapshot, SnapshotFilter, SnapshotKind, SnapshotPlace,
    SnapshotQueries, SnapshotRepository,
};
use uuid::Uuid;

use crate::{
    SqlReader, SqlUnitOfWork,
    connection::{limit, placeholders},
    row::Place,
    values::Values,
};

const TABLE: &str = "snapshot";
const COLUMNS: &str = "id, project_id, environment_id, commit_sha, content_hash, kind, created_at, created_by, \
    deployment_id, notes, workflows";
const COLUMN_COUNT: usize = 11;

#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
    project_id: Uuid,
    environment_id: Uuid,
    commit_sha: String,
    content_hash: Vec<u8>,
    kind: String,
    created_at: i64,
    created_by: Option<Uuid>,
    deployment_id: Option<Uuid>,
    notes: String,
    workflows: i32,
}

impl TryFrom<Row> for Snapshot {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let place = Place {
            table: TABLE,
            row: &row.id,
        };
        let kind = place.word("kind", &row.kind)?;
        let alone = matches!(kind, SnapshotKind::AutoBackup | SnapshotKind::ManualBackup);
        if row.deployment_id.is_none() && !alone {
            let problem = format!("a {kind} without a deployment");
            return Err(place.inconsistent("deployment_id", problem));
        }
        Ok(Self {
            id: SnapshotId::from_uuid(row.id),
            project: ProjectId::from_uuid(row.project_id),
            environment: EnvironmentId::from_uuid(row.environment_id),
            commit: place.parse("commit_sha", row.commit_sha)?,
            content_hash: place.digest("content_hash", &row.content_hash)?,
            kind,
            created_at: place.parse("created_at", row.created_at)?,
            created_by: row.created_by.map(PrincipalId::from_uuid),
            deployment: row.deployment_id.map(DeploymentId::from_uuid),
            notes: place.parse("notes", row.notes)?,
            workflows: place.parse("workflows", row.workflows)?,
        })
    }
}

#[async_trait]
impl SnapshotRepository for SqlUnitOfWork {
    async fn insert(&mut self, snapshot: &Snapshot) -> Result<(), StoreError> {
        let values: [Value; COLUMN_COUNT] = [
            snapshot.id.uuid().into(),
            snapshot.project.uuid().into(),
            snapshot.environment.uuid().into(),
            snapshot.commit.as_str().into(),
            snapshot.content_hash.as_bytes().to_vec().into(),
            snapshot.kind.as_str().into(),
            snapshot.created_at.micros().into(),
            snapshot.created_by.map(PrincipalId::uuid).into(),
            snapshot.deployment.map(DeploymentId::uuid).into(),
            snapshot.notes.as_str().into(),
            i64::from(snapshot.workflows).into(),
        ];
        let sql = format!(
            "INSERT INTO snapshot ({COLUMNS}) VALUES {}",
            placeholders(1, COLUMN_COUNT)
        );
        self.connection().await?.execute(sql, values).await?;
        Ok(())
    }

    async fn claim_backup(
        &mut self,
        now: Timestamp,
        lease: Duration,
    ) -> Result<Option<BackupClaim>, StoreError> {
        backup::claim(self.connection().await?, now, lease).await
    }

    async fn undisturbed(&mut self, claim: &BackupClaim) -> Result<bool, StoreError> {
        backup::undisturbed(self.connection().await?, claim).await
    }

    async fn end_backup(
        &mut self,
        claim: &BackupClaim,
        end: &BackupEnd,
        not_before: Timestamp,
    ) -> Result<bool, StoreError> {
        backup::end(self.connection().await?, claim, end, not_before).await
    }
}

fn place(snapshot: &Snapshot) -> SnapshotPlace {
    SnapshotPlace {
        created_at: snapshot.created_at,
        id: snapshot.id,
    }
}

#[async_trait]
impl SnapshotQueries for SqlReader {
    async fn snapshot(
        &self,
        project: ProjectId,
        id: SnapshotId,
    ) -> Result<Option<Snapshot>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM snapshot WHERE project_id = $1 AND id = $2");
        let row: Option<Row> = self
            .connection
            .one(sql, [project.uuid().into(), id.uuid().into()])
            .await?;
        row.map(Snapshot::try_from).transpose()
    }

    async fn last_snapshot(
        &self,
        environment: EnvironmentId,
    ) -> Result<Option<Snapshot>, StoreError> {
        // The newest of each kind is found by an index, however many there are.
        let newest = SnapshotKind::ALL.iter().map(|kind| {
            format!(
                "SELECT * FROM (SELECT {COLUMNS} FROM snapshot WHERE environment_id = $1 AND kind = '{kind}' \
                 ORDER BY created_at DESC, id DESC LIMIT 1) AS newest"
            )
        });
        let newest: Vec<_> = newest.collect();
        let sql = format!(
            "SELECT {COLUMNS} FROM ({}) AS newest \
             ORDER BY (kind = '{}'), created_at DESC, id DESC LIMIT 1",
            newest.join(" UNION ALL "),
            SnapshotKind::AutoBackup
        );
        let row: Option<Row> = self
            .connection
            .one(sql, [environment.uuid().into()])
            .await?;
        row.map(Snapshot::try_from).transpose()
    }

    async fn snapshots(
        &self,
        project: ProjectId,
        filter: &SnapshotFilter,
        after: Option<SnapshotPlace>,
        size: PageSize,
    ) -> Result<Page<Snapshot, SnapshotPlace>, StoreError> {
        let mut values = Values::default();
        let conditions = conditions(&mut values, project, filter, after);
        let limit = values.bind(limit(size));
        let sql = format!(
            "SELECT {COLUMNS} FROM snapshot WHERE {conditions} ORDER BY created_at DESC, id DESC LIMIT {limit}"
        );
        let rows: Vec<Row> = self.connection.all(sql, values).await?;
        let snapshots: Result<Vec<_>, _> = rows.into_iter().map(Snapshot::try_from).collect();
        Ok(Page::from_rows(snapshots?, size, place))
    }

    async fn failing_backups(
        &self,
        environments: &[EnvironmentId],
    ) -> Result<HashMap<EnvironmentId, FailingBackup>, StoreError> {
        backup::failing(&self.connection, environments).await
    }
}

fn conditions(
    values: &mut Values,
    project: ProjectId,
    filter: &SnapshotFilter,
    after: Option<SnapshotPlace>,
) -> String {
    let mut conditions = vec![format!("project_id = {}", values.bind(project.uuid()))];
    if let Some(environment) = filter.environment {
        let environment = values.bind(environment.uuid());
        conditions.push(format!("environment_id = {environment}"));
    }
    if let Some(kind) = filter.kind {
        conditions.push(format!("kind = {}", values.bind(kind.as_str())));
    }
    if let Some(from) = filter.from {
        conditions.push(format!("created_at >= {}", values.bind(from.micros())));
    }
    // A place that lies before the end says more than the end, and of two upper bounds SQLite may start at the wrong one.
    if let Some(to) = filter.to
        && after.is_none_or(|place| place.created_at >= to)
    {
        conditions.push(format!("created_at < {}", values.bind(to.micros())));
    }
    if let Some(after) = after {
        let created_at = values.bind(after.created_at.micros());
        let id = values.bind(after.id.uuid());
        conditions.push(format!("(created_at, id) < ({created_at}, {id})"));
    }
    conditions.join(" AND ")
}
