//! Adding records.

use sea_orm::Value;
use slipway_kernel::{DeploymentId, PersonId, StoreError};
use slipway_ledger::record::Placed;

use crate::{
    SqlUnitOfWork,
    connection::{Dialect, rows_per_statement},
    row::to_json,
};

const TABLE: &str = "deployment_record";

const COLUMNS: [&str; 18] = [
    "sequence",
    "id",
    "project_id",
    "application_id",
    "version_id",
    "environment_id",
    "kind",
    "deployed_at",
    "reported_at",
    "recorded_at",
    "reporter_id",
    "deployed_by_id",
    "risk",
    "notes",
    "attributes",
    "external_id",
    "deployment_id",
    "outside_governance",
];

fn row(placed: &Placed<'_>) -> Result<[Value; COLUMNS.len()], StoreError> {
    let record = placed.record;
    Ok([
        placed.sequence.into(),
        record.id.uuid().into(),
        record.project.uuid().into(),
        record.application.uuid().into(),
        record.version.uuid().into(),
        record.environment.uuid().into(),
        record.kind.as_str().into(),
        record.deployed_at.micros().into(),
        record.reported_at.micros().into(),
        record.recorded_at.micros().into(),
        record.reporter.uuid().into(),
        record.deployed_by.map(PersonId::uuid).into(),
        record.risk.map(|risk| risk.as_str().to_owned()).into(),
        record.notes.as_str().into(),
        to_json(&record.attributes)?.into(),
        record
            .external_id
            .as_ref()
            .map(|id| id.as_str().to_owned())
            .into(),
        record.deployment.map(DeploymentId::uuid).into(),
        record.outside_governance.into(),
    ])
}

/// Later, one write for each 55 records. One whose natural key somebody else has used meanwhile is a conflict.
///
/// On `PostgreSQL` they are added in one order everywhere, so that two batches with the same records wait for each other
/// rather than lock each other out. Their places in the ledger say what came first.
pub(super) async fn insert(
    unit: &mut SqlUnitOfWork,
    placed: &[Placed<'_>],
) -> Result<(), StoreError> {
    let mut placed: Vec<_> = placed.iter().collect();
    if unit.dialect() == Dialect::Postgres {
        placed.sort_unstable_by_key(|placed| placed.record.natural_key());
    }
    for placed in placed.chunks(rows_per_statement(COLUMNS.len())) {
        let script = unit.later(TABLE, placed.len() * COLUMNS.len()).await?;
        let mut rows = Vec::with_capacity(placed.len());
        for placed in placed {
            rows.push(format!("({})", script.values.bind_all(row(placed)?)));
        }
        script.write(
            TABLE,
            format!(
                "INSERT INTO {TABLE} ({}) VALUES {}",
                COLUMNS.join(", "),
                rows.join(", ")
            ),
        );
    }
    Ok(())
}
