//! Deliveries.

use sea_orm::{FromQueryResult, Value};
use slipway_kernel::{
    DeliveryId, DeploymentId, Page, PageSize, ProjectId, Slug, StoreError, Timestamp, WebhookId,
};
use slipway_notifications::{Attempt, Delivery, DeliveryFilter, DeliveryState, Outcome};
use uuid::Uuid;

use crate::{
    connection::{Connection, limit, placeholders, rows_per_statement},
    row::{Place, to_json},
    values::Values,
};

pub(super) const TABLE: &str = "delivery";
pub(super) const COLUMNS: &str = "id, project_id, webhook_id, sequence, deployment_id, event, message, state, attempts, \
    created_at, due_at, attempted_at, status, problem, answer, epoch";
const COLUMN_COUNT: usize = 16;

#[derive(FromQueryResult)]
pub(super) struct Row {
    id: Uuid,
    project_id: Uuid,
    webhook_id: Uuid,
    sequence: Option<i64>,
    deployment_id: Option<Uuid>,
    event: String,
    message: String,
    state: String,
    attempts: i32,
    created_at: i64,
    due_at: i64,
    attempted_at: Option<i64>,
    status: Option<i32>,
    problem: Option<String>,
    answer: Option<String>,
    pub(super) epoch: i64,
}

impl Row {
    fn last(&self, place: &Place<'_>, state: DeliveryState) -> Result<Option<Attempt>, StoreError> {
        let (at, problem, answer) = match (self.attempted_at, &self.problem, &self.answer) {
            (None, None, None) if state == DeliveryState::Pending => return Ok(None),
            (None, None, None) => {
                let problem = format!("{state} without an attempt");
                return Err(place.inconsistent("attempted_at", problem));
            }
            (Some(at), Some(problem), Some(answer)) => (at, problem.clone(), answer.clone()),
            _ => return Err(place.inconsistent("attempted_at", "half an attempt")),
        };
        Ok(Some(Attempt {
            at: place.parse("attempted_at", at)?,
            outcome: Outcome {
                taken: state == DeliveryState::Delivered,
                hopeless: false,
                status: place.parse_option("status", self.status)?,
                problem,
                answer,
                retry_after: None,
            },
        }))
    }
}

impl TryFrom<Row> for Delivery {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let place = Place {
            table: TABLE,
            row: &row.id,
        };
        if row.sequence.is_some() != row.deployment_id.is_some() {
            return Err(place.inconsistent("sequence", "half an event of a deployment"));
        }
        let state = place.word("state", &row.state)?;
        Ok(Self {
            id: DeliveryId::from_uuid(row.id),
            project: ProjectId::from_uuid(row.project_id),
            webhook: WebhookId::from_uuid(row.webhook_id),
            sequence: row.sequence,
            deployment: row.deployment_id.map(DeploymentId::from_uuid),
            kind: place.word("event", &row.event)?,
            message: place.json("message", &row.message)?,
            state,
            attempts: place.parse("attempts", row.attempts)?,
            last: row.last(&place, state)?,
            created_at: place.parse("created_at", row.created_at)?,
            due_at: place.parse("due_at", row.due_at)?,
        })
    }
}

/// What is kept of the last attempt: when, the status, the problem, the answer.
pub(super) fn attempt_values(delivery: &Delivery) -> [Value; 4] {
    let last = delivery.last.as_ref();
    let outcome = last.map(|last| &last.outcome);
    [
        last.map(|last| last.at.micros()).into(),
        outcome
            .and_then(|outcome| outcome.status.map(i32::from))
            .into(),
        outcome.map(|outcome| outcome.problem.clone()).into(),
        outcome.map(|outcome| outcome.answer.clone()).into(),
    ]
}

pub(super) async fn insert(
    connection: &Connection,
    deliveries: &[Delivery],
) -> Result<(), StoreError> {
    for deliveries in deliveries.chunks(rows_per_statement(COLUMN_COUNT)) {
        let mut values = Vec::with_capacity(deliveries.len() * COLUMN_COUNT);
        for delivery in deliveries {
            let first: [Value; 11] = [
                delivery.id.uuid().into(),
                delivery.project.uuid().into(),
                delivery.webhook.uuid().into(),
                delivery.sequence.into(),
                delivery.deployment.map(DeploymentId::uuid).into(),
                delivery.kind.as_str().into(),
                to_json(&delivery.message)?.into(),
                delivery.state.as_str().into(),
                i64::from(delivery.attempts).into(),
                delivery.created_at.micros().into(),
                delivery.due_at.micros().into(),
            ];
            values.extend(first);
            values.extend(attempt_values(delivery));
            values.push(0_i64.into());
        }
        let sql = format!(
            "INSERT INTO delivery ({COLUMNS}) VALUES {}",
            placeholders(deliveries.len(), COLUMN_COUNT)
        );
        connection.execute(sql, values).await?;
        wait_behind(connection, deliveries).await?;
    }
    Ok(())
}

/// What stands behind a delivery that waits is due no sooner, so that nobody looks at it in vain.
async fn wait_behind(connection: &Connection, deliveries: &[Delivery]) -> Result<(), StoreError> {
    const BEFORE: &str = "FROM delivery p WHERE p.webhook_id = delivery.webhook_id \
        AND p.deployment_id = delivery.deployment_id AND p.state = 'PENDING' AND p.sequence < delivery.sequence \
        AND p.due_at > delivery.due_at";
    let mut values = Values::default();
    let sql = format!(
        "UPDATE delivery SET due_at = (SELECT max(p.due_at) {BEFORE}) WHERE id IN ({}) AND EXISTS (SELECT 1 {BEFORE})",
        values.bind_all(deliveries.iter().map(|delivery| delivery.id.uuid()))
    );
    connection.execute(sql, values).await?;
    Ok(())
}

pub(super) async fn find(
    connection: &Connection,
    project: ProjectId,
    id: DeliveryId,
) -> Result<Option<Delivery>, StoreError> {
    let lock = connection.dialect().postgres_only(" FOR NO KEY UPDATE");
    let sql = format!("SELECT {COLUMNS} FROM delivery WHERE project_id = $1 AND id = $2{lock}");
    let values = [project.uuid().into(), id.uuid().into()];
    let row: Option<Row> = connection.one(sql, values).await?;
    row.map(Delivery::try_from).transpose()
}

#[derive(FromQueryResult)]
struct ListedRow {
    #[sea_orm(nested)]
    delivery: Row,
    webhook_slug: String,
}

pub(super) async fn page(
    connection: &Connection,
    project: ProjectId,
    filter: &DeliveryFilter,
    after: Option<DeliveryId>,
    size: PageSize,
) -> Result<Page<(Delivery, Slug), DeliveryId>, StoreError> {
    let mut values = Values::default();
    let mut conditions = vec![format!("project_id = {}", values.bind(project.uuid()))];
    if let Some(webhook) = filter.webhook {
        conditions.push(format!("webhook_id = {}", values.bind(webhook.uuid())));
    }
    if let Some(state) = filter.state {
        conditions.push(format!("state = {}", values.bind(state.as_str())));
    }
    if let Some(deployment) = filter.deployment {
        conditions.push(format!(
            "deployment_id = {}",
            values.bind(deployment.uuid())
        ));
    }
    if let Some(after) = after {
        conditions.push(format!("id < {}", values.bind(after.uuid())));
    }
    let sql = format!(
        "SELECT d.*, w.slug AS webhook_slug FROM (SELECT {COLUMNS} FROM delivery WHERE {} ORDER BY id DESC LIMIT {}) d \
         JOIN webhook w ON w.id = d.webhook_id ORDER BY d.id DESC",
        conditions.join(" AND "),
        values.bind(limit(size))
    );
    let rows: Vec<ListedRow> = connection.all(sql, values).await?;
    let listed: Result<Vec<_>, StoreError> = rows.into_iter().map(listed).collect();
    Ok(Page::from_rows(
        listed?,
        size,
        |(delivery, _): &(Delivery, Slug)| delivery.id,
    ))
}

fn listed(row: ListedRow) -> Result<(Delivery, Slug), StoreError> {
    let id = row.delivery.webhook_id;
    let place = Place {
        table: "webhook",
        row: &id,
    };
    let slug = place.parse("slug", row.webhook_slug)?;
    Ok((row.delivery.try_into()?, slug))
}

pub(super) async fn forget(
    connection: &Connection,
    before: Timestamp,
    limit: u32,
) -> Result<u64, StoreError> {
    let sql =
        "DELETE FROM delivery WHERE id IN (SELECT id FROM delivery WHERE due_at < $1 LIMIT $2)";
    let values = [before.micros().into(), i64::from(limit).into()];
    connection.execute(sql, values).await
}
