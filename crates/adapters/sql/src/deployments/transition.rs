//! The states that deployments have had. Triggers write most of them.

use sea_orm::FromQueryResult;
use slipway_deployments::Transition;
use slipway_kernel::{DeploymentId, StoreError};

use crate::{connection::Connection, row::Place};

#[derive(FromQueryResult)]
struct Row {
    state: String,
    at: i64,
}

pub(super) async fn all(
    connection: &Connection,
    id: DeploymentId,
) -> Result<Vec<Transition>, StoreError> {
    let sql =
        "SELECT state, at FROM deployment_transition WHERE deployment_id = $1 ORDER BY position";
    let rows: Vec<Row> = connection.all(sql, [id.uuid().into()]).await?;
    let place = Place {
        table: "deployment_transition",
        row: &id,
    };
    rows.into_iter()
        .map(|row| {
            Ok(Transition {
                state: place.word("state", &row.state)?,
                at: place.parse("at", row.at)?,
            })
        })
        .collect()
}

/// One that is carried out in the unit of work that begins it was queued and running for that long.
pub(super) async fn ran_inline(
    connection: &Connection,
    id: DeploymentId,
) -> Result<(), StoreError> {
    let now = connection.dialect().now();
    let sql = format!(
        "INSERT INTO deployment_transition (deployment_id, position, state, at) \
         SELECT $1, t.taken + n.column1, n.column2, {now} FROM (VALUES (0, 'QUEUED'), (1, 'RUNNING')) AS n, \
         (SELECT count(*) AS taken FROM deployment_transition WHERE deployment_id = $1) AS t"
    );
    connection.execute(sql, [id.uuid().into()]).await?;
    Ok(())
}
