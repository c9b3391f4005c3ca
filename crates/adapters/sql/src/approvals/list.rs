//! Lists of approval requests.

use std::collections::BTreeSet;

use slipway_approvals::{ApprovalFilter, ApprovalPlace, ApprovalRequest};
use slipway_kernel::{Page, PageSize, ProjectId, StoreError};

use super::{COLUMNS, JOINS, Row, decision};
use crate::{
    connection::{Connection, limit},
    values::Values,
};

pub(super) async fn page(
    connection: &Connection,
    project: ProjectId,
    filter: &ApprovalFilter,
    after: Option<ApprovalPlace>,
    size: PageSize,
) -> Result<Page<ApprovalRequest, ApprovalPlace>, StoreError> {
    let mut values = Values::default();
    let conditions = conditions(&mut values, project, filter, after);
    let limit = values.bind(limit(size));
    let newest = |state: &str| {
        format!(
            "SELECT * FROM (SELECT a.* FROM approval_request a WHERE {conditions}{state} \
             ORDER BY a.created_at DESC, a.id DESC LIMIT {limit}) AS n"
        )
    };
    // A page of each state is found by the index in its order, as in the list of deployments.
    let states: BTreeSet<_> = filter.states.iter().collect();
    let parts: Vec<_> = if states.is_empty() {
        vec![newest("")]
    } else {
        let parts = states.iter();
        parts
            .map(|state| newest(&format!(" AND a.state = '{state}'")))
            .collect()
    };
    let sql = format!(
        "SELECT {COLUMNS} FROM ({}) AS r {JOINS} \
         ORDER BY r.created_at DESC, r.id DESC LIMIT {limit}",
        parts.join(" UNION ALL ")
    );
    let rows: Vec<Row> = connection.all(sql, values).await?;
    let requests: Result<Vec<_>, _> = rows.into_iter().map(ApprovalRequest::try_from).collect();
    let mut page = Page::from_rows(requests?, size, |request: &ApprovalRequest| ApprovalPlace {
        created_at: request.created_at,
        id: request.id,
    });
    decision::fill(connection, &mut page.items).await?;
    Ok(page)
}

/// All but the states.
fn conditions(
    values: &mut Values,
    project: ProjectId,
    filter: &ApprovalFilter,
    after: Option<ApprovalPlace>,
) -> String {
    let mut conditions = vec![format!("a.project_id = {}", values.bind(project.uuid()))];
    if let Some(environment) = filter.environment {
        let environment = values.bind(environment.uuid());
        conditions.push(format!("a.environment_id = {environment}"));
    }
    if let Some(from) = filter.from {
        conditions.push(format!("a.created_at >= {}", values.bind(from.micros())));
    }
    // A place that lies before the end says more than the end, as in the list of snapshots.
    if let Some(to) = filter.to
        && after.is_none_or(|place| place.created_at >= to)
    {
        conditions.push(format!("a.created_at < {}", values.bind(to.micros())));
    }
    if let Some(after) = after {
        let created_at = values.bind(after.created_at.micros());
        let id = values.bind(after.id.uuid());
        conditions.push(format!("(a.created_at, a.id) < ({created_at}, {id})"));
    }
    conditions.join(" AND ")
}
