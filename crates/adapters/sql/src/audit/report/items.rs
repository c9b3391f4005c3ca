//! What deployments change, for reports.

use std::collections::HashMap;

use sea_orm::FromQueryResult;
use slipway_audit::report::{MESSAGE_CHARACTERS, ReportedChoice, ReportedItem};
use slipway_kernel::{DeploymentId, StoreError};
use uuid::Uuid;

use crate::{
    connection::{Connection, VALUES_PER_STATEMENT},
    row::Place,
    values::Values,
};

#[derive(FromQueryResult)]
struct Row {
    deployment_id: Uuid,
    position: i32,
    key: String,
    change: String,
    status: String,
    version_before: Option<String>,
    version_after: Option<String>,
    message: Option<String>,
    declared_risk: Option<String>,
    risk: Option<String>,
    risk_factors: Option<String>,
}

impl TryFrom<Row> for ReportedItem {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let name = format!("({}, {})", row.deployment_id, row.position);
        let place = Place {
            table: "deployment_item",
            row: &name,
        };
        let said = (row.message, row.declared_risk, row.risk, row.risk_factors);
        let chosen = match said {
            (None, None, None, None) => None,
            (Some(message), Some(declared), Some(risk), Some(factors)) => Some(ReportedChoice {
                before: place.parse_option("version_before_id", row.version_before)?,
                after: place.parse_option("version_after_id", row.version_after)?,
                message,
                declared: place.word("declared_risk", &declared)?,
                risk: place.word("risk", &risk)?,
                factors: place.json("risk_factors", &factors)?,
            }),
            _ => return Err(place.inconsistent("message", "only a part of a chosen version")),
        };
        Ok(Self {
            application: place.parse("key", row.key)?,
            change: place.word("change", &row.change)?,
            status: place.word("status", &row.status)?,
            chosen,
        })
    }
}

/// One statement for each 1,000 deployments.
pub(super) async fn of(
    connection: &Connection,
    deployments: &[DeploymentId],
    limit: usize,
) -> Result<HashMap<DeploymentId, Vec<ReportedItem>>, StoreError> {
    let mut found: HashMap<_, Vec<_>> = HashMap::with_capacity(deployments.len());
    let mut left = limit;
    for deployments in deployments.chunks(VALUES_PER_STATEMENT) {
        let mut values = Values::default();
        let ids = values.bind_all(deployments.iter().map(|id| id.uuid()));
        let sql = format!(
            "SELECT i.deployment_id, i.position, i.key, i.change, i.status, b.identifier AS version_before, \
             n.identifier AS version_after, substr(i.message, 1, {MESSAGE_CHARACTERS}) AS message, i.declared_risk, \
             i.risk, i.risk_factors FROM deployment_item i LEFT JOIN version b ON b.id = i.version_before_id \
             LEFT JOIN version n ON n.id = i.version_after_id WHERE i.deployment_id IN ({ids}) \
             AND i.change NOT IN ('UNCHANGED', 'SKIPPED') ORDER BY i.deployment_id, i.position LIMIT {left}"
        );
        let rows: Vec<Row> = connection.all(sql, values).await?;
        left = left.saturating_sub(rows.len());
        for row in rows {
            let of = DeploymentId::from_uuid(row.deployment_id);
            found.entry(of).or_default().push(row.try_into()?);
        }
    }
    Ok(found)
}
