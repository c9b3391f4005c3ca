//! The states that deployments have had. Triggers write most of them.

use sea_orm::{FromQueryResult, Value};
use slipway_deployments::{State, Transition};
use slipway_kernel::{DeploymentId, StoreError};

use crate::{connection::Connection, row::Place, values::Values};

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

/// The states between two that are written at once: what nobody has to execute is approved before it is queued, and what is
/// carried out in the unit of work that begins it is queued and running in between.
pub(super) const fn passed_through(from: State, to: State) -> &'static [State] {
    match (from, to) {
        (State::PendingApproval, State::Queued) => &[State::Approved],
        (State::Approved, State::Succeeded) => &[State::Queued, State::Running],
        _ => &[],
    }
}

/// Writes down states that a deployment had for no time at all.
pub(super) async fn write(
    connection: &Connection,
    id: DeploymentId,
    states: &[State],
) -> Result<(), StoreError> {
    if states.is_empty() {
        return Ok(());
    }
    let now = connection.dialect().now();
    let mut values = Values::default();
    let id = values.bind(id.uuid());
    let rows: Vec<_> = (0_i64..)
        .zip(states)
        .map(|(position, state)| {
            let row: [Value; 2] = [position.into(), state.as_str().into()];
            format!("({})", values.bind_all(row))
        })
        .collect();
    let sql = format!(
        "INSERT INTO deployment_transition (deployment_id, position, state, at) \
         SELECT {id}, t.taken + n.column1, n.column2, {now} FROM (VALUES {}) AS n, \
         (SELECT count(*) AS taken FROM deployment_transition WHERE deployment_id = {id}) AS t",
        rows.join(", ")
    );
    connection.execute(sql, values).await?;
    Ok(())
}
