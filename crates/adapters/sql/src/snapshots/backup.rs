//! Who takes the backups that are due.

use std::{collections::HashMap, time::Duration};

use sea_orm::FromQueryResult;
use slipway_kernel::{EnvironmentId, StoreError, Timestamp};
use slipway_snapshots::{BackupClaim, BackupEnd, FailingBackup};
use uuid::Uuid;

use crate::{
    connection::{Connection, rows_per_statement},
    row::Place,
    values::Values,
};

const TABLE: &str = "environment_backup";
/// The states of a deployment that holds its environment, in the words of the index that serves them.
const HOLDS: &str = "state IN ('RUNNING', 'CANCELING', 'COMPENSATING', 'IN_DOUBT')";
/// How often executors claimed deployments to `$1`, or to what stands in its place.
const CLAIMED: &str =
    "SELECT CAST(COALESCE(SUM(d.epoch), 0) AS BIGINT) FROM deployment d WHERE d.target_id =";

#[derive(FromQueryResult)]
struct ClaimRow {
    environment_id: Uuid,
    epoch: i64,
    failures: i32,
    deployments: i64,
}

/// One statement: whoever comes second to the same environment finds that it may not be claimed yet.
pub(super) async fn claim(
    connection: &Connection,
    now: Timestamp,
    lease: Duration,
) -> Result<Option<BackupClaim>, StoreError> {
    let sql = format!(
        "INSERT INTO environment_backup (environment_id, epoch, not_before, failures, problem) \
         SELECT e.id, 1, CAST($2 AS BIGINT), 0, NULL FROM environment e \
         JOIN project p ON p.id = e.project_id \
         LEFT JOIN environment_backup b ON b.environment_id = e.id \
         WHERE e.backup_seconds IS NOT NULL AND e.archived_at IS NULL AND p.archived_at IS NULL \
         AND (b.not_before IS NULL OR b.not_before <= $1) \
         AND NOT EXISTS (SELECT 1 FROM snapshot s WHERE s.environment_id = e.id AND s.kind = 'AUTO_BACKUP' \
         AND s.created_at > $1 - e.backup_seconds * 1000000) \
         AND NOT EXISTS (SELECT 1 FROM deployment h WHERE h.target_id = e.id AND h.{HOLDS}) \
         ORDER BY COALESCE(b.not_before, e.created_at), e.id LIMIT 1 \
         ON CONFLICT (environment_id) DO UPDATE SET epoch = environment_backup.epoch + 1, \
         not_before = excluded.not_before WHERE environment_backup.not_before <= $1 \
         RETURNING environment_id, epoch, failures, ({CLAIMED} environment_backup.environment_id) AS deployments"
    );
    let until = now.plus(lease).micros();
    let row: Option<ClaimRow> = connection
        .one(sql, [now.micros().into(), until.into()])
        .await?;
    row.map(|row| {
        let place = Place {
            table: TABLE,
            row: &row.environment_id,
        };
        Ok(BackupClaim {
            environment: EnvironmentId::from_uuid(row.environment_id),
            epoch: row.epoch,
            failures: place.parse("failures", row.failures)?,
            deployments: row.deployments,
        })
    })
    .transpose()
}

pub(super) async fn undisturbed(
    connection: &Connection,
    claim: &BackupClaim,
) -> Result<bool, StoreError> {
    #[derive(FromQueryResult)]
    struct Held {}
    #[derive(FromQueryResult)]
    struct Seen {
        deployments: i64,
        holding: i64,
    }
    let environment = claim.environment.uuid();
    let lock = connection.dialect().postgres_only(" FOR NO KEY UPDATE");
    let sql = format!(
        "SELECT environment_id FROM environment_backup WHERE environment_id = $1 AND epoch = $2{lock}"
    );
    let held: Option<Held> = connection
        .one(sql, [environment.into(), claim.epoch.into()])
        .await?;
    if held.is_none() {
        return Ok(false);
    }
    let sql = format!(
        "SELECT ({CLAIMED} $1) AS deployments, \
         (SELECT count(*) FROM deployment h WHERE h.target_id = $1 AND h.{HOLDS}) AS holding"
    );
    let seen: Option<Seen> = connection.one(sql, [environment.into()]).await?;
    Ok(seen.is_some_and(|seen| seen.deployments == claim.deployments && seen.holding == 0))
}

pub(super) async fn end(
    connection: &Connection,
    claim: &BackupClaim,
    end: &BackupEnd,
    not_before: Timestamp,
) -> Result<bool, StoreError> {
    let mut values = Values::default();
    let not_before = values.bind(not_before.micros());
    let failures = match end {
        BackupEnd::Taken => ", failures = 0, problem = NULL".to_owned(),
        BackupEnd::PutOff => String::new(),
        BackupEnd::Failed { problem } => {
            // PostgreSQL can't keep this character.
            let problem = values.bind(problem.replace('\0', " "));
            format!(", failures = failures + 1, problem = {problem}")
        }
    };
    let environment = values.bind(claim.environment.uuid());
    let epoch = values.bind(claim.epoch);
    let sql = format!(
        "UPDATE environment_backup SET not_before = {not_before}{failures} \
         WHERE environment_id = {environment} AND epoch = {epoch}"
    );
    Ok(connection.execute(sql, values).await? == 1)
}

#[derive(FromQueryResult)]
struct FailingRow {
    environment_id: Uuid,
    failures: i32,
    problem: String,
    not_before: i64,
}

pub(super) async fn failing(
    connection: &Connection,
    environments: &[EnvironmentId],
) -> Result<HashMap<EnvironmentId, FailingBackup>, StoreError> {
    let mut failing = HashMap::new();
    for environments in environments.chunks(rows_per_statement(1)) {
        let mut values = Values::default();
        let sql = format!(
            "SELECT b.environment_id, b.failures, b.problem, b.not_before FROM environment_backup b \
             JOIN environment e ON e.id = b.environment_id \
             WHERE b.environment_id IN ({}) AND b.problem IS NOT NULL AND e.backup_seconds IS NOT NULL",
            values.bind_all(environments.iter().map(|environment| environment.uuid()))
        );
        let rows: Vec<FailingRow> = connection.all(sql, values).await?;
        for row in rows {
            let place = Place {
                table: TABLE,
                row: &row.environment_id,
            };
            let backup = FailingBackup {
                failures: place.parse("failures", row.failures)?,
                problem: row.problem,
                not_before: place.parse("not_before", row.not_before)?,
            };
            failing.insert(EnvironmentId::from_uuid(row.environment_id), backup);
        }
    }
    Ok(failing)
}
