//! What tests and scans elsewhere say about deployments.

use async_trait::async_trait;
use sea_orm::{FromQueryResult, Value};
use slipway_deployments::{CheckQueries, CheckReport, CheckRepository};
use slipway_kernel::{DeploymentId, PrincipalId, StoreError};
use uuid::Uuid;

use crate::{
    SqlReader, SqlUnitOfWork,
    connection::{Connection, placeholders},
    row::{Place, changed_one},
};

const TABLE: &str = "deployment_check";
const COLUMNS: &str =
    "deployment_id, position, name, status, plan_digest, url, summary, reported_by, reported_at";
const COLUMN_COUNT: usize = 9;

#[derive(FromQueryResult)]
struct Row {
    deployment_id: Uuid,
    position: i32,
    name: String,
    status: String,
    plan_digest: Vec<u8>,
    url: String,
    summary: String,
    reported_by: Uuid,
    reported_at: i64,
}

#[derive(FromQueryResult)]
struct Count {
    count: i64,
}

impl TryFrom<Row> for CheckReport {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let key = format!("({}, {})", row.deployment_id, row.position);
        let place = Place {
            table: TABLE,
            row: &key,
        };
        Ok(Self {
            deployment: DeploymentId::from_uuid(row.deployment_id),
            position: place.parse("position", row.position)?,
            name: place.parse("name", row.name)?,
            status: place.word("status", &row.status)?,
            plan_digest: place.digest("plan_digest", &row.plan_digest)?,
            url: place.parse("url", row.url)?,
            summary: place.parse("summary", row.summary)?,
            reported_by: PrincipalId::from_uuid(row.reported_by),
            reported_at: place.parse("reported_at", row.reported_at)?,
        })
    }
}

#[async_trait]
impl CheckRepository for SqlUnitOfWork {
    async fn insert(&mut self, report: &CheckReport) -> Result<(), StoreError> {
        let values: [Value; COLUMN_COUNT] = [
            report.deployment.uuid().into(),
            i64::from(report.position).into(),
            report.name.as_str().into(),
            report.status.as_str().into(),
            report.plan_digest.as_bytes().to_vec().into(),
            report.url.as_str().into(),
            report.summary.as_str().into(),
            report.reported_by.uuid().into(),
            report.reported_at.micros().into(),
        ];
        let sql = format!(
            "INSERT INTO {TABLE} ({COLUMNS}) VALUES {}",
            placeholders(1, COLUMN_COUNT)
        );
        let added = self.connection().await?.execute(sql, values).await?;
        let key = format!("({}, {})", report.deployment, report.position);
        changed_one(added, TABLE, key)
    }

    async fn count(&mut self, deployment: DeploymentId) -> Result<u32, StoreError> {
        let sql = format!("SELECT count(*) AS count FROM {TABLE} WHERE deployment_id = $1");
        let connection = self.connection().await?;
        let row: Option<Count> = connection.one(sql, [deployment.uuid().into()]).await?;
        let count = row.map_or(0, |row| row.count);
        Ok(u32::try_from(count).unwrap_or(u32::MAX))
    }

    async fn last(&mut self, deployment: DeploymentId) -> Result<Vec<CheckReport>, StoreError> {
        last(self.connection().await?, deployment).await
    }
}

#[async_trait]
impl CheckQueries for SqlReader {
    async fn checks(&self, deployment: DeploymentId) -> Result<Vec<CheckReport>, StoreError> {
        last(&self.connection, deployment).await
    }
}

async fn last(
    connection: &Connection,
    deployment: DeploymentId,
) -> Result<Vec<CheckReport>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM {TABLE} c WHERE deployment_id = $1 AND NOT EXISTS (SELECT 1 FROM {TABLE} later \
         WHERE later.deployment_id = c.deployment_id AND later.name = c.name AND later.plan_digest = c.plan_digest \
         AND later.position > c.position)"
    );
    let rows: Vec<Row> = connection.all(sql, [deployment.uuid().into()]).await?;
    rows.into_iter().map(CheckReport::try_from).collect()
}
