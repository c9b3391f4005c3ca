//! Who attempts which delivery, and until when, by the database's clock.

use std::time::Duration;

use sea_orm::{FromQueryResult, Value};
use slipway_kernel::{StoreError, Timestamp, WebhookId};
use slipway_notifications::{Claimed, Delivery, DeliveryState, PendingWork};

use super::{
    delivery::{COLUMNS, Row, TABLE, attempt_values},
    webhook,
};
use crate::{
    connection::{Connection, Dialect},
    row::{changed_one, length},
};

/// The delivery `d` that is to be attempted next: `$1` is now, `$2` how many may be under way to one webhook.
///
/// Of each webhook the one that has waited longest is looked at. It stands at the head of its deployment: no delivery of an
/// earlier event waits, and no earlier event is still in the outbox. Both are seen in the same moment, so that an earlier
/// event is in one place or the other.
fn next(dialect: Dialect) -> String {
    let now = dialect.now();
    let free = |row: &str| format!("({row}.lease_until IS NULL OR {row}.lease_until < {now})");
    let (x_free, d_free) = (free("x"), free("d"));
    format!(
        "FROM webhook w JOIN delivery d ON d.id = (SELECT x.id FROM delivery x WHERE x.webhook_id = w.id \
         AND x.state = 'PENDING' AND x.due_at <= $1 AND {x_free} \
         AND NOT EXISTS (SELECT 1 FROM delivery p WHERE p.webhook_id = x.webhook_id \
         AND p.deployment_id = x.deployment_id AND p.state = 'PENDING' AND p.sequence < x.sequence) \
         AND NOT EXISTS (SELECT 1 FROM outbox e WHERE e.deployment_id = x.deployment_id AND e.dispatched_at IS NULL \
         AND e.sequence < x.sequence) ORDER BY x.due_at, x.id LIMIT 1) \
         WHERE w.enabled AND d.state = 'PENDING' AND {d_free} \
         AND (SELECT count(*) FROM delivery u WHERE u.webhook_id = w.id AND u.lease_until >= {now}) < $2 \
         ORDER BY d.due_at, d.id LIMIT 1"
    )
}

/// On `PostgreSQL` a delivery that another unit of work holds is passed over: it may be claimed there.
pub(super) async fn claim(
    connection: &Connection,
    now: Timestamp,
    lease: Duration,
    at_once: u32,
) -> Result<Option<Claimed>, StoreError> {
    let clock = connection.dialect().now();
    let skip = connection
        .dialect()
        .postgres_only(" FOR NO KEY UPDATE OF d SKIP LOCKED");
    let sql = format!(
        "UPDATE delivery SET epoch = epoch + 1, attempts = attempts + 1, lease_until = {clock} + $3 \
         WHERE id = (SELECT d.id {}{skip}) RETURNING {COLUMNS}",
        next(connection.dialect())
    );
    let values: [Value; 3] = [
        now.micros().into(),
        i64::from(at_once).into(),
        length(lease),
    ];
    let row: Option<Row> = connection.one(sql, values).await?;
    let Some(row) = row else { return Ok(None) };
    let epoch = row.epoch;
    let delivery = Delivery::try_from(row)?;
    let webhook = known(connection, &delivery).await?;
    Ok(Some(Claimed {
        delivery,
        webhook,
        epoch,
    }))
}

async fn known(
    connection: &Connection,
    delivery: &Delivery,
) -> Result<slipway_notifications::Webhook, StoreError> {
    let id: WebhookId = delivery.webhook;
    let found = webhook::by_id(connection, id).await?;
    found.ok_or_else(|| StoreError::Inconsistent {
        table: TABLE,
        column: "webhook_id",
        row: delivery.id.to_string(),
        problem: "it is referred to, and not there".to_owned(),
    })
}

pub(super) async fn pending_work(
    connection: &Connection,
    now: Timestamp,
    at_once: u32,
) -> Result<PendingWork, StoreError> {
    #[derive(FromQueryResult)]
    struct Found {
        events: bool,
        deliveries: bool,
    }
    let sql = format!(
        "SELECT EXISTS (SELECT 1 FROM outbox WHERE dispatched_at IS NULL) AS events, \
         EXISTS (SELECT 1 {}) AS deliveries",
        next(connection.dialect())
    );
    let values: [Value; 2] = [now.micros().into(), i64::from(at_once).into()];
    let found: Option<Found> = connection.one(sql, values).await?;
    Ok(PendingWork {
        events: found.as_ref().is_some_and(|found| found.events),
        deliveries: found.is_some_and(|found| found.deliveries),
    })
}

pub(super) async fn end(
    connection: &Connection,
    delivery: &Delivery,
    epoch: i64,
) -> Result<bool, StoreError> {
    let [at, status, problem, answer] = attempt_values(delivery);
    let values: [Value; 9] = [
        delivery.state.as_str().into(),
        i64::from(delivery.attempts).into(),
        delivery.due_at.micros().into(),
        at,
        status,
        problem,
        answer,
        delivery.id.uuid().into(),
        epoch.into(),
    ];
    let sql = "UPDATE delivery SET state = $1, attempts = $2, due_at = $3, attempted_at = $4, status = $5, \
               problem = $6, answer = $7, lease_until = NULL WHERE id = $8 AND epoch = $9";
    if connection.execute(sql, values).await? == 0 {
        return Ok(false);
    }
    let (Some(sequence), Some(deployment)) = (delivery.sequence, delivery.deployment) else {
        return Ok(true);
    };
    // What stands behind it waits as long as it does, and no longer.
    let later = if delivery.state == DeliveryState::Pending {
        "<"
    } else {
        ">"
    };
    let sql = format!(
        "UPDATE delivery SET due_at = $1 WHERE webhook_id = $2 AND deployment_id = $3 AND state = 'PENDING' \
         AND sequence > $4 AND due_at {later} $1"
    );
    let values: [Value; 4] = [
        delivery.due_at.micros().into(),
        delivery.webhook.uuid().into(),
        deployment.uuid().into(),
        sequence.into(),
    ];
    connection.execute(sql, values).await?;
    Ok(true)
}

pub(super) async fn redeliver(
    connection: &Connection,
    delivery: &Delivery,
) -> Result<(), StoreError> {
    let values: [Value; 4] = [
        delivery.state.as_str().into(),
        i64::from(delivery.attempts).into(),
        delivery.due_at.micros().into(),
        delivery.id.uuid().into(),
    ];
    let sql = "UPDATE delivery SET state = $1, attempts = $2, due_at = $3, epoch = epoch + 1, lease_until = NULL \
               WHERE id = $4";
    changed_one(connection.execute(sql, values).await?, TABLE, delivery.id)
}
