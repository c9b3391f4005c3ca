//! How far deployments are, in a few numbers.

use sea_orm::FromQueryResult;
use slipway_deployments::DeploymentPulse;
use slipway_kernel::{DeploymentId, StoreError};
use uuid::Uuid;

use super::deployment::TABLE;
use crate::{
    connection::{Connection, VALUES_PER_STATEMENT},
    row::Place,
    values::Values,
};

#[derive(FromQueryResult)]
struct Row {
    id: Uuid,
    state: String,
    epoch: i64,
    cancel_at: Option<i64>,
    steps: i64,
    over: i64,
    under_way: i64,
    undone: i64,
}

impl TryFrom<Row> for DeploymentPulse {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let place = Place {
            table: TABLE,
            row: &row.id,
        };
        Ok(Self {
            id: DeploymentId::from_uuid(row.id),
            state: place.word("state", &row.state)?,
            epoch: row.epoch,
            canceled: row.cancel_at.is_some(),
            steps: place.parse("id", row.steps)?,
            over: place.parse("id", row.over)?,
            under_way: place.parse("id", row.under_way)?,
            undone: place.parse("id", row.undone)?,
        })
    }
}

/// One statement for each 1,000 deployments.
pub(super) async fn all(
    connection: &Connection,
    ids: &[DeploymentId],
) -> Result<Vec<DeploymentPulse>, StoreError> {
    let mut pulses = Vec::with_capacity(ids.len());
    for ids in ids.chunks(VALUES_PER_STATEMENT) {
        let mut values = Values::default();
        let ids = values.bind_all(ids.iter().map(|id| id.uuid()));
        let sql = format!(
            "SELECT d.id, d.state, d.epoch, d.cancel_at, count(*) FILTER (WHERE s.direction = 'DO') AS steps, \
             count(*) FILTER (WHERE s.direction = 'DO' AND s.phase IN ('DONE', 'FAILED', 'UNKNOWN')) AS over, \
             count(*) FILTER (WHERE s.phase = 'BEGUN') AS under_way, \
             count(*) FILTER (WHERE s.direction = 'UNDO' AND s.phase IN ('DONE', 'FAILED', 'UNKNOWN')) AS undone \
             FROM deployment d LEFT JOIN deployment_step s ON s.deployment_id = d.id WHERE d.id IN ({ids}) \
             GROUP BY d.id, d.state, d.epoch, d.cancel_at"
        );
        let rows: Vec<Row> = connection.all(sql, values).await?;
        for row in rows {
            pulses.push(row.try_into()?);
        }
    }
    Ok(pulses)
}
