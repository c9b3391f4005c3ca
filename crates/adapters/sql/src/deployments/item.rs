//! The items of deployments.

use std::collections::HashMap;

use sea_orm::{FromQueryResult, Value};
use slipway_deployments::{Deployment, Item, ItemCounts, ListedDeployment};
use slipway_kernel::{ApplicationId, DeploymentId, Sha256, StoreError};
use slipway_workflows::WorkflowId;
use uuid::Uuid;

use super::{
    problem,
    released::{self, ReleasedRow},
};
use crate::{
    connection::{Connection, VALUES_PER_STATEMENT, rows_per_statement},
    row::{Place, changed_all},
    values::Values,
};

const TABLE: &str = "deployment_item";
const COLUMNS: &str = "deployment_id, position, project_id, key, name, application_id, change, status, workflow, \
    before_digest, after_digest, rank, in_cycle, problem_reason, problem_message, application_kind, version_before_id, \
    version_after_id, message, declared_risk, risk, risk_factors, allow_older";
const COLUMN_COUNT: usize = 23;
/// How many values say which item an update means, and what it becomes.
const UPDATED_COUNT: usize = 10;

#[derive(FromQueryResult)]
struct Row {
    deployment_id: Uuid,
    position: i32,
    key: String,
    name: String,
    application_id: Option<Uuid>,
    change: String,
    status: String,
    workflow: Option<String>,
    before_digest: Option<Vec<u8>>,
    after_digest: Option<Vec<u8>>,
    rank: i32,
    in_cycle: bool,
    problem_reason: Option<String>,
    problem_message: Option<String>,
    #[sea_orm(nested)]
    released: ReleasedRow,
}

impl TryFrom<Row> for Item {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let key = format!("({}, {})", row.deployment_id, row.position);
        let place = Place {
            table: TABLE,
            row: &key,
        };
        let digest = |column, bytes: Option<Vec<u8>>| {
            bytes.map(|bytes| place.digest(column, &bytes)).transpose()
        };
        Ok(Self {
            position: place.parse("position", row.position)?,
            key: place.parse("key", row.key)?,
            name: row.name,
            application: row.application_id.map(ApplicationId::from_uuid),
            change: place.word("change", &row.change)?,
            status: place.word("status", &row.status)?,
            workflow: row.workflow.map(WorkflowId),
            before: digest("before_digest", row.before_digest)?,
            after: digest("after_digest", row.after_digest)?,
            rank: place.parse("rank", row.rank)?,
            in_cycle: row.in_cycle,
            problem: problem::parse(&place, row.problem_reason, row.problem_message)?,
            released: row.released.parse(&place)?,
        })
    }
}

/// All columns of the item that a statement calls so.
fn columns_of(item: &str) -> String {
    let columns = COLUMNS
        .split(", ")
        .map(|column| format!("{item}.{}", column.trim()));
    columns.collect::<Vec<_>>().join(", ")
}

fn bytes(digest: Option<Sha256>) -> Value {
    digest.map(|digest| digest.as_bytes().to_vec()).into()
}

pub(super) async fn insert(
    connection: &Connection,
    deployment: &Deployment,
) -> Result<(), StoreError> {
    for items in deployment.items.chunks(rows_per_statement(COLUMN_COUNT)) {
        let mut values = Values::default();
        let mut rows = Vec::with_capacity(items.len());
        for item in items {
            let [reason, message] = problem::values(item.problem.as_ref());
            let row: [Value; 15] = [
                deployment.id.uuid().into(),
                i64::from(item.position).into(),
                deployment.project.uuid().into(),
                item.key.as_str().into(),
                problem::storable(&item.name).into(),
                item.application.map(ApplicationId::uuid).into(),
                item.change.as_str().into(),
                item.status.as_str().into(),
                item.workflow.as_ref().map(|id| id.0.as_str()).into(),
                bytes(item.before),
                bytes(item.after),
                i64::from(item.rank).into(),
                item.in_cycle.into(),
                reason,
                message,
            ];
            let released = released::item_values(item.released.as_ref())?;
            rows.push(format!(
                "({})",
                values.bind_all(row.into_iter().chain(released))
            ));
        }
        let sql = format!(
            "INSERT INTO deployment_item ({COLUMNS}) VALUES {}",
            rows.join(", ")
        );
        connection.execute(sql, values).await?;
    }
    Ok(())
}

pub(super) async fn remove(
    connection: &Connection,
    deployment: DeploymentId,
) -> Result<(), StoreError> {
    let sql = "DELETE FROM deployment_item WHERE deployment_id = $1";
    connection.execute(sql, [deployment.uuid().into()]).await?;
    Ok(())
}

/// One statement for each 99 items.
pub(super) async fn update(
    connection: &Connection,
    deployment: DeploymentId,
    items: &[Item],
) -> Result<(), StoreError> {
    for items in items.chunks(rows_per_statement(UPDATED_COUNT) - 1) {
        let mut values = Values::default();
        let rows: Vec<_> = items
            .iter()
            .map(|item| {
                let [reason, message] = problem::values(item.problem.as_ref());
                let row: [Value; UPDATED_COUNT] = [
                    i64::from(item.position).into(),
                    item.application.map(ApplicationId::uuid).into(),
                    item.status.as_str().into(),
                    item.workflow.as_ref().map(|id| id.0.as_str()).into(),
                    bytes(item.before),
                    bytes(item.after),
                    i64::from(item.rank).into(),
                    item.in_cycle.into(),
                    reason,
                    message,
                ];
                format!("({})", values.bind_all(row))
            })
            .collect();
        let deployment_id = values.bind(deployment.uuid());
        // Both databases call the columns of VALUES column1, column2, …
        let sql = format!(
            "UPDATE deployment_item SET application_id = n.column2, status = n.column3, workflow = n.column4, \
             before_digest = n.column5, after_digest = n.column6, rank = n.column7, in_cycle = n.column8, \
             problem_reason = n.column9, problem_message = n.column10 FROM (VALUES {}) AS n \
             WHERE deployment_item.deployment_id = {deployment_id} AND deployment_item.position = n.column1",
            rows.join(", ")
        );
        let changed = connection.execute(sql, values).await?;
        changed_all(changed, items.len(), TABLE, deployment)?;
    }
    Ok(())
}

/// Gives deployments their items: one statement for each 1,000 deployments.
pub(super) async fn fill(
    connection: &Connection,
    deployments: &mut [Deployment],
) -> Result<(), StoreError> {
    for deployments in deployments.chunks_mut(VALUES_PER_STATEMENT) {
        let mut values = Values::default();
        let ids = deployments.iter().map(|deployment| deployment.id.uuid());
        let sql = format!(
            "SELECT {}, b.identifier AS version_before, n.identifier AS version_after FROM deployment_item i \
             LEFT JOIN version b ON b.id = i.version_before_id LEFT JOIN version n ON n.id = i.version_after_id \
             WHERE i.deployment_id IN ({}) ORDER BY i.deployment_id, i.position",
            columns_of("i"),
            values.bind_all(ids)
        );
        let rows: Vec<Row> = connection.all(sql, values).await?;
        let mut items: HashMap<Uuid, Vec<Item>> = HashMap::with_capacity(deployments.len());
        for row in rows {
            let of = items.entry(row.deployment_id).or_default();
            of.push(row.try_into()?);
        }
        for deployment in deployments {
            deployment.items = items.remove(&deployment.id.uuid()).unwrap_or_default();
        }
    }
    Ok(())
}

#[derive(FromQueryResult)]
struct CountRow {
    deployment_id: Uuid,
    change: String,
    status: String,
    items: i64,
}

/// Gives deployments of a list the numbers of their items, of which there may be thousands each: one statement for each
/// 1,000 deployments.
pub(super) async fn count(
    connection: &Connection,
    listed: &mut [ListedDeployment],
) -> Result<(), StoreError> {
    for listed in listed.chunks_mut(VALUES_PER_STATEMENT) {
        let mut values = Values::default();
        let ids = listed.iter().map(|listed| listed.deployment.id.uuid());
        let sql = format!(
            "SELECT deployment_id, change, status, count(*) AS items FROM deployment_item \
             WHERE deployment_id IN ({}) GROUP BY deployment_id, change, status",
            values.bind_all(ids)
        );
        let rows: Vec<CountRow> = connection.all(sql, values).await?;
        let mut counts: HashMap<Uuid, ItemCounts> = HashMap::with_capacity(listed.len());
        for row in rows {
            let place = Place {
                table: TABLE,
                row: &row.deployment_id,
            };
            counts.entry(row.deployment_id).or_default().add(
                place.word("change", &row.change)?,
                place.word("status", &row.status)?,
                place.parse("position", row.items)?,
            );
        }
        for listed in listed {
            let of = counts.remove(&listed.deployment.id.uuid());
            listed.counts = of.unwrap_or_default();
        }
    }
    Ok(())
}
