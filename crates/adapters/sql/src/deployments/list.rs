//! Lists of deployments, and what they add up to.

use std::collections::BTreeSet;

use sea_orm::FromQueryResult;
use slipway_deployments::{
    DeploymentFilter, DeploymentSummary, ItemCounts, LastSuccess, ListedDeployment,
};
use slipway_kernel::{EnvironmentId, Page, PageSize, ProjectId, SnapshotId, StoreError, Timestamp};
use uuid::Uuid;

use super::{
    deployment::{COLUMNS, Row},
    item,
};
use crate::{connection::Connection, row::Place, values::Values};

pub(super) async fn page(
    connection: &Connection,
    project: ProjectId,
    filter: &DeploymentFilter,
    after: Option<i64>,
    size: PageSize,
) -> Result<Page<ListedDeployment, i64>, StoreError> {
    let mut values = Values::default();
    let conditions = conditions(&mut values, project, filter, after);
    let limit = values.bind(i64::from(size.get()) + 1);
    let newest = |state: &str| {
        format!(
            "SELECT * FROM (SELECT d.* FROM deployment d WHERE {conditions}{state} \
             ORDER BY d.number DESC LIMIT {limit}) AS n"
        )
    };
    // A page of each state is found by the index in its order; the pages together hold the one asked for. Neither
    // database would find several states in the order of the numbers without reading them all.
    let states: BTreeSet<_> = filter.states.iter().collect();
    let parts: Vec<_> = if states.is_empty() {
        vec![newest("")]
    } else {
        let parts = states.iter();
        parts
            .map(|state| newest(&format!(" AND d.state = '{state}'")))
            .collect()
    };
    let sql = format!(
        "SELECT {COLUMNS} FROM ({}) AS a ORDER BY number DESC LIMIT {limit}",
        parts.join(" UNION ALL ")
    );
    let rows: Vec<Row> = connection.all(sql, values).await?;
    let listed = |row: Row| {
        row.parse().map(|deployment| ListedDeployment {
            deployment,
            counts: ItemCounts::default(),
        })
    };
    let listed: Result<Vec<_>, _> = rows.into_iter().map(listed).collect();
    let mut page = Page::from_rows(listed?, size, |listed: &ListedDeployment| {
        listed.deployment.number
    });
    item::count(connection, &mut page.items).await?;
    Ok(page)
}

/// All but the states.
fn conditions(
    values: &mut Values,
    project: ProjectId,
    filter: &DeploymentFilter,
    after: Option<i64>,
) -> String {
    let mut conditions = vec![format!("d.project_id = {}", values.bind(project.uuid()))];
    if let Some(pipeline) = filter.pipeline {
        conditions.push(format!("d.pipeline_id = {}", values.bind(pipeline.uuid())));
    }
    if let Some(target) = filter.target {
        conditions.push(format!("d.target_id = {}", values.bind(target.uuid())));
    }
    if let Some(from) = filter.from {
        conditions.push(format!("d.created_at >= {}", values.bind(from.micros())));
    }
    if let Some(to) = filter.to {
        conditions.push(format!("d.created_at < {}", values.bind(to.micros())));
    }
    if let Some(after) = after {
        conditions.push(format!("d.number < {}", values.bind(after)));
    }
    conditions.join(" AND ")
}

#[derive(FromQueryResult)]
struct SuccessRow {
    number: i64,
    post_snapshot_id: Option<Uuid>,
}

pub(super) async fn last_success(
    connection: &Connection,
    target: EnvironmentId,
) -> Result<Option<LastSuccess>, StoreError> {
    // One runs at a time, so that they are over in the order in which they changed the environment. Releases change no
    // workflow.
    let row: Option<SuccessRow> = connection
        .one(
            "SELECT number, post_snapshot_id FROM deployment d WHERE target_id = $1 AND state = 'SUCCEEDED' \
             AND NOT EXISTS (SELECT 1 FROM deployment_item i WHERE i.deployment_id = d.id AND i.application_kind IS NOT NULL) \
             ORDER BY finished_at DESC, number DESC LIMIT 1",
            [target.uuid().into()],
        )
        .await?;
    Ok(row.map(|row| LastSuccess {
        number: row.number,
        post_snapshot: row.post_snapshot_id.map(SnapshotId::from_uuid),
    }))
}

#[derive(FromQueryResult)]
struct SummaryRow {
    succeeded: i64,
    pending_approval: i64,
}

pub(super) async fn summary(
    connection: &Connection,
    project: ProjectId,
    since: Timestamp,
) -> Result<DeploymentSummary, StoreError> {
    let row: Option<SummaryRow> = connection
        .one(
            "SELECT (SELECT count(*) FROM deployment WHERE project_id = $1 AND succeeded_at >= $2) AS succeeded, \
             (SELECT count(*) FROM deployment WHERE project_id = $1 AND state = 'PENDING_APPROVAL') \
             AS pending_approval",
            [project.uuid().into(), since.micros().into()],
        )
        .await?;
    let place = Place {
        table: "project",
        row: &project,
    };
    let row = row.ok_or_else(|| place.inconsistent("id", "counts nothing"))?;
    Ok(DeploymentSummary {
        succeeded: place.parse("id", row.succeeded)?,
        pending_approval: place.parse("id", row.pending_approval)?,
    })
}
