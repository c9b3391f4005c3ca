//! The outbox: what happened and was not told yet.

use sea_orm::FromQueryResult;
use slipway_kernel::{DeploymentId, EnvironmentId, PrincipalId, ProjectId, StoreError, Timestamp};
use slipway_notifications::{NewEvent, Occurrence, Subject};
use uuid::Uuid;

use crate::{
    connection::Connection,
    row::{Place, to_json},
    values::Values,
};

const TABLE: &str = "outbox";

#[derive(FromQueryResult)]
struct Taken {
    sequence: i64,
}

#[derive(FromQueryResult)]
struct Row {
    sequence: i64,
    project_id: Uuid,
    project_slug: String,
    event: String,
    facts: String,
    at: i64,
    deployment_id: Uuid,
    number: i64,
    kind: String,
    requested_by: Uuid,
    environment_id: Uuid,
    environment_slug: String,
    tier: String,
}

impl TryFrom<Row> for Occurrence {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let place = Place {
            table: TABLE,
            row: &row.sequence,
        };
        Ok(Self {
            sequence: row.sequence,
            project: ProjectId::from_uuid(row.project_id),
            project_slug: place.parse("project_id", row.project_slug)?,
            kind: place.word("event", &row.event)?,
            facts: place.json("facts", &row.facts)?,
            at: place.parse("at", row.at)?,
            subject: Subject {
                deployment: DeploymentId::from_uuid(row.deployment_id),
                number: row.number,
                kind: row.kind,
                requested_by: PrincipalId::from_uuid(row.requested_by),
                environment: EnvironmentId::from_uuid(row.environment_id),
                environment_slug: place.parse("environment_id", row.environment_slug)?,
                tier: place.word("environment_id", &row.tier)?,
            },
        })
    }
}

pub(super) async fn append(connection: &Connection, event: &NewEvent) -> Result<(), StoreError> {
    let now = connection.dialect().now();
    let sql = format!(
        "INSERT INTO outbox (project_id, deployment_id, environment_id, event, facts, at) \
         SELECT d.project_id, d.id, d.target_id, $2, $3, {now} FROM deployment d WHERE d.id = $1 \
         AND EXISTS (SELECT 1 FROM webhook w WHERE w.project_id = d.project_id AND w.enabled)"
    );
    connection
        .execute(
            sql,
            [
                event.deployment.uuid().into(),
                event.kind.as_str().into(),
                to_json(&event.facts)?.into(),
            ],
        )
        .await?;
    Ok(())
}

/// Rows are taken, not numbers: one that becomes visible late is taken late.
pub(super) async fn take(
    connection: &Connection,
    limit: u32,
) -> Result<Vec<Occurrence>, StoreError> {
    let now = connection.dialect().now();
    let skip = connection
        .dialect()
        .postgres_only(" FOR NO KEY UPDATE SKIP LOCKED");
    let sql = format!(
        "UPDATE outbox SET dispatched_at = {now} WHERE sequence IN (SELECT sequence FROM outbox \
         WHERE dispatched_at IS NULL ORDER BY sequence LIMIT $1{skip}) RETURNING sequence"
    );
    let taken: Vec<Taken> = connection.all(sql, [i64::from(limit).into()]).await?;
    if taken.is_empty() {
        return Ok(Vec::new());
    }
    let mut values = Values::default();
    let sql = format!(
        "SELECT o.sequence, o.project_id, p.slug AS project_slug, o.event, o.facts, o.at, o.deployment_id, d.number, \
         d.kind, d.requested_by, o.environment_id, e.slug AS environment_slug, e.tier FROM outbox o \
         JOIN project p ON p.id = o.project_id JOIN deployment d ON d.id = o.deployment_id \
         JOIN environment e ON e.id = o.environment_id WHERE o.sequence IN ({}) ORDER BY o.sequence",
        values.bind_all(taken.iter().map(|taken| taken.sequence))
    );
    let rows: Vec<Row> = connection.all(sql, values).await?;
    rows.into_iter().map(Occurrence::try_from).collect()
}

pub(super) async fn forget(
    connection: &Connection,
    before: Timestamp,
    limit: u32,
) -> Result<u64, StoreError> {
    let sql = "DELETE FROM outbox WHERE sequence IN (SELECT sequence FROM outbox WHERE dispatched_at < $1 LIMIT $2)";
    let values = [before.micros().into(), i64::from(limit).into()];
    connection.execute(sql, values).await
}
