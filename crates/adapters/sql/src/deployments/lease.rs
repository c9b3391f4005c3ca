//! Who may carry a deployment out, and until when, by the database's clock.

use std::time::Duration;

use sea_orm::{FromQueryResult, Value};
use slipway_deployments::{Claim, FROZEN};
use slipway_kernel::{DeploymentId, EnvironmentId, ProjectId, StoreError, Timestamp};
use uuid::Uuid;

use super::deployment::TABLE;
use crate::{
    connection::Connection,
    row::{Place, length},
};

#[derive(FromQueryResult)]
struct ClaimRow {
    id: Uuid,
    epoch: i64,
    claims: i32,
}

/// One statement. On `PostgreSQL` a deployment that another unit of work holds is passed over: it may be claimed there.
///
/// What may not begin yet is passed over, and lets others go first.
///
/// The states stand in the statement as text, in the words of the partial indexes that serve it. Two units of work can
/// come to hold one environment only if something was queued before the deployment that one of them claimed and after
/// the other one looked; then the second is refused by the index that lets one hold an environment.
pub(super) async fn claim(
    connection: &Connection,
    owner: &str,
    lease: Duration,
) -> Result<Option<Claim>, StoreError> {
    let now = connection.dialect().now();
    let skip = connection
        .dialect()
        .postgres_only(" FOR NO KEY UPDATE OF d SKIP LOCKED");
    let sql = format!(
        "UPDATE deployment SET epoch = epoch + 1, claims = claims + 1, lease_owner = $1, lease_until = {now} + $2 \
         WHERE id = (SELECT d.id FROM deployment d \
         WHERE d.state IN ('QUEUED', 'RUNNING', 'CANCELING', 'COMPENSATING') \
         AND (d.lease_until IS NULL OR d.lease_until < {now}) \
         AND (d.state <> 'QUEUED' OR ((d.not_before IS NULL OR d.not_before <= {now}) \
         AND NOT EXISTS (SELECT 1 FROM deployment h WHERE h.target_id = d.target_id \
         AND h.state IN ('RUNNING', 'CANCELING', 'COMPENSATING', 'IN_DOUBT')) \
         AND NOT EXISTS (SELECT 1 FROM deployment q WHERE q.target_id = d.target_id AND q.state = 'QUEUED' \
         AND q.number < d.number AND (q.not_before IS NULL OR q.not_before <= {now})))) \
         ORDER BY d.created_at, d.id LIMIT 1{skip}) RETURNING id, epoch, claims"
    );
    let row: Option<ClaimRow> = connection.one(sql, [owner.into(), length(lease)]).await?;
    row.map(|row| {
        let place = Place {
            table: TABLE,
            row: &row.id,
        };
        Ok(Claim {
            deployment: DeploymentId::from_uuid(row.id),
            epoch: row.epoch,
            claims: place.parse("claims", row.claims)?,
        })
    })
    .transpose()
}

/// A lease that was given back, be it because the deployment is over, is not renewed.
pub(super) async fn renew(
    connection: &Connection,
    claim: &Claim,
    lease: Duration,
) -> Result<bool, StoreError> {
    let now = connection.dialect().now();
    let sql = format!(
        "UPDATE deployment SET lease_until = {now} + $3 \
         WHERE id = $1 AND epoch = $2 AND lease_until IS NOT NULL"
    );
    let [id, epoch] = values(claim);
    let renewed = connection.execute(sql, [id, epoch, length(lease)]).await?;
    Ok(renewed == 1)
}

pub(super) async fn give_back(connection: &Connection, claim: &Claim) -> Result<bool, StoreError> {
    let given_back = connection
        .execute(
            "UPDATE deployment SET lease_owner = NULL, lease_until = NULL WHERE id = $1 AND epoch = $2",
            values(claim),
        )
        .await?;
    Ok(given_back == 1)
}

pub(super) async fn put_off(
    connection: &Connection,
    claim: &Claim,
    until: Timestamp,
    pause: Duration,
) -> Result<bool, StoreError> {
    let soonest = format!("{} + $4", connection.dialect().now());
    let sql = format!(
        "UPDATE deployment SET lease_owner = NULL, lease_until = NULL, claims = claims - 1, \
         not_before = CASE WHEN $3 > {soonest} THEN $3 ELSE {soonest} END WHERE id = $1 AND epoch = $2"
    );
    let [id, epoch] = values(claim);
    let values = [id, epoch, until.micros().into(), length(pause)];
    Ok(connection.execute(sql, values).await? == 1)
}

/// Every one that is queued or approved, not only those that wait for a freeze: one that an executor holds may be about to, and is
/// looked at anew once that has let go.
pub(super) async fn thaw(connection: &Connection, project: ProjectId) -> Result<(), StoreError> {
    let kept =
        |column| format!("{column} = CASE WHEN problem_reason = $2 THEN NULL ELSE {column} END");
    let sql = format!(
        "UPDATE deployment SET {}, {}, {} WHERE project_id = $1 AND state IN ('QUEUED', 'APPROVED')",
        kept("not_before"),
        kept("problem_message"),
        kept("problem_reason")
    );
    connection
        .execute(sql, [project.uuid().into(), FROZEN.into()])
        .await?;
    Ok(())
}

pub(super) async fn guard(connection: &Connection, claim: &Claim) -> Result<bool, StoreError> {
    #[derive(FromQueryResult)]
    struct Held {}
    let lock = connection.dialect().postgres_only(" FOR NO KEY UPDATE");
    let sql = format!("SELECT id FROM deployment WHERE id = $1 AND epoch = $2{lock}");
    let held: Option<Held> = connection.one(sql, values(claim)).await?;
    Ok(held.is_some())
}

/// What waits there and what is in doubt is held too: a claim passes it over, and nothing else lets it begin.
pub(super) async fn under_way_in(
    connection: &Connection,
    target: EnvironmentId,
) -> Result<Option<i64>, StoreError> {
    #[derive(FromQueryResult)]
    struct Held {
        number: i64,
        state: String,
    }
    let lock = connection.dialect().postgres_only(" FOR NO KEY UPDATE");
    let sql = format!(
        "SELECT number, state FROM deployment WHERE target_id = $1 \
         AND state IN ('QUEUED', 'RUNNING', 'CANCELING', 'COMPENSATING', 'IN_DOUBT') ORDER BY number{lock}"
    );
    let held: Vec<Held> = connection.all(sql, [target.uuid().into()]).await?;
    let begun = |held: &&Held| !matches!(&*held.state, "QUEUED" | "IN_DOUBT");
    Ok(held.iter().find(begun).map(|held| held.number))
}

/// The deployment and the epoch.
pub(super) fn values(claim: &Claim) -> [Value; 2] {
    [claim.deployment.uuid().into(), claim.epoch.into()]
}
