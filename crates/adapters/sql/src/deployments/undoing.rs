//! What undoes a deployment, and what stands in the way of that.

use sea_orm::FromQueryResult;
use slipway_kernel::{DeploymentId, StoreError};

use crate::connection::Connection;

#[derive(FromQueryResult)]
struct Numbered {
    number: i64,
}

/// The states stand in the statement in the words of the index that lets one deployment undo another.
pub(super) async fn undone_by(
    connection: &Connection,
    id: DeploymentId,
) -> Result<Option<i64>, StoreError> {
    let found: Option<Numbered> = connection
        .one(
            "SELECT number FROM deployment WHERE undoes_id = $1 \
             AND state NOT IN ('FAILED', 'CANCELED', 'REJECTED', 'EXPIRED')",
            [id.uuid().into()],
        )
        .await?;
    Ok(found.map(|found| found.number))
}

/// Later is what began later, or has not begun; of two that began at the same time, the one with the higher number. What was
/// undone since does not count, and neither does what undid it: together they left the workflows as they were. All that a release
/// chose goes back with it, be it that it was current before.
pub(super) async fn later_writers(
    connection: &Connection,
    id: DeploymentId,
    limit: u32,
) -> Result<Vec<i64>, StoreError> {
    let found: Vec<Numbered> = connection
        .all(
            "SELECT l.number FROM deployment u \
             JOIN deployment l ON l.target_id = u.target_id AND l.id <> u.id \
             AND (l.started_at IS NULL OR (l.started_at, l.number) > (u.started_at, u.number)) \
             WHERE u.id = $1 AND l.state <> 'ROLLED_BACK' \
             AND NOT EXISTS (SELECT 1 FROM deployment x WHERE x.id = l.undoes_id \
             AND (x.started_at, x.number) >= (u.started_at, u.number)) \
             AND EXISTS (SELECT 1 FROM deployment_item i \
             JOIN deployment_item m ON m.deployment_id = u.id AND m.key = i.key \
             WHERE i.deployment_id = l.id AND i.change IN ('CREATED', 'UPDATED', 'DELETED') \
             AND (m.application_kind IS NOT NULL \
             OR (m.change IN ('CREATED', 'UPDATED', 'DELETED') AND m.status IN ('SUCCEEDED', 'FAILED'))) \
             AND (i.status = 'SUCCEEDED' OR (i.status = 'PENDING' \
             AND l.state IN ('QUEUED', 'RUNNING', 'CANCELING', 'COMPENSATING', 'IN_DOUBT')))) \
             ORDER BY l.number LIMIT $2",
            [id.uuid().into(), i64::from(limit).into()],
        )
        .await?;
    Ok(found.into_iter().map(|found| found.number).collect())
}
