//! The current state, kept in the transaction that changes the ledger.

use std::collections::BTreeMap;

use sea_orm::{FromQueryResult, Value, prelude::Uuid};
use slipway_kernel::{ApplicationId, EnvironmentId, PersonId, ProjectId, StoreError};
use slipway_ledger::{Retraction, record::Placed};

use super::NOT_RETRACTED;
use crate::{
    SqlUnitOfWork,
    connection::{Connection, rows_per_statement},
    row::changed_one,
};

const TABLE: &str = "current_state";

const COLUMNS: [&str; 11] = [
    "environment_id",
    "application_id",
    "project_id",
    "application_key",
    "environment_slug",
    "record_sequence",
    "kind",
    "deployed_at",
    "version_id",
    "record_id",
    "deployed_by_id",
];

fn row(placed: &Placed<'_>) -> [Value; COLUMNS.len()] {
    let record = placed.record;
    [
        record.environment.uuid().into(),
        record.application.uuid().into(),
        record.project.uuid().into(),
        placed.cell.application.as_str().into(),
        placed.cell.environment.as_str().into(),
        placed.sequence.into(),
        record.kind.as_str().into(),
        record.deployed_at.micros().into(),
        record.version.uuid().into(),
        record.id.uuid().into(),
        record.deployed_by.map(PersonId::uuid).into(),
    ]
}

/// Later, in one write for each 90 cells. Of each cell only the best record is sent, and the cells are sent in one order
/// everywhere, so that two batches wait for each other rather than lock each other out.
///
/// On `PostgreSQL`, ON CONFLICT DO UPDATE locks the row that is there *before* it looks at its WHERE, and keeps the
/// lock where that is false; so the port's demand to lock every cell holds, and the WHERE sees what another unit of
/// work has just committed.
pub(super) async fn advance(
    unit: &mut SqlUnitOfWork,
    placed: &[Placed<'_>],
) -> Result<(), StoreError> {
    let mut best: BTreeMap<(EnvironmentId, ApplicationId), &Placed<'_>> = BTreeMap::new();
    for placed in placed {
        let cell = (placed.record.environment, placed.record.application);
        let place = |placed: &Placed<'_>| (placed.record.deployed_at, placed.sequence);
        let held = best.entry(cell).or_insert(placed);
        if place(placed) > place(held) {
            *held = placed;
        }
    }
    let best: Vec<_> = best.into_values().collect();
    for chunk in best.chunks(rows_per_statement(COLUMNS.len())) {
        let script = unit.later(TABLE, chunk.len() * COLUMNS.len()).await?;
        let cells: Vec<_> = chunk
            .iter()
            .map(|placed| format!("({})", script.values.bind_all(row(placed))))
            .collect();
        script.write(TABLE, format!(
            "INSERT INTO {TABLE} ({}) VALUES {} ON CONFLICT (environment_id, application_id) DO UPDATE SET \
             record_sequence = excluded.record_sequence, kind = excluded.kind, deployed_at = excluded.deployed_at, \
             version_id = excluded.version_id, record_id = excluded.record_id, \
             deployed_by_id = excluded.deployed_by_id \
             WHERE current_state.record_sequence IS NULL OR (excluded.deployed_at, excluded.record_sequence) \
             > (current_state.deployed_at, current_state.record_sequence)",
            COLUMNS.join(", "),
            cells.join(", ")
        ));
    }
    Ok(())
}

#[derive(FromQueryResult)]
struct LockedRow {
    sequence: i64,
    environment_id: Uuid,
    application_id: Uuid,
}

/// Locks the cell first, then adds the retraction, then recomputes the cell.
///
/// Whoever adds a record to the cell at the same time locks it too, until the record is committed (see [`advance`]):
/// either that unit of work has the lock first, and its record is seen here once it has committed, because each statement
/// sees what was committed before it; or the lock is ours, and the record is weighed against what is left in the cell
/// here.
///
/// `false` also where the project has no such record.
pub(super) async fn retract(
    connection: &Connection,
    project: ProjectId,
    retraction: &Retraction,
) -> Result<bool, StoreError> {
    let lock = format!(
        "SELECT d.sequence, c.environment_id, c.application_id FROM deployment_record d \
         JOIN current_state c ON c.environment_id = d.environment_id AND c.application_id = d.application_id \
         WHERE d.project_id = $1 AND d.id = $2{}",
        connection.dialect().postgres_only(" FOR UPDATE OF c")
    );
    let record = retraction.record.uuid();
    let Some(cell) = connection
        .one::<LockedRow>(lock, [project.uuid().into(), record.into()])
        .await?
    else {
        return Ok(false);
    };
    let added = connection
        .execute(
            "INSERT INTO record_retraction \
             (record_sequence, record_id, project_id, retracted_at, retracted_by, reason) \
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
            [
                cell.sequence.into(),
                record.into(),
                project.uuid().into(),
                retraction.at.micros().into(),
                retraction.by.uuid().into(),
                retraction.reason.as_str().into(),
            ],
        )
        .await?;
    if added == 0 {
        return Ok(false);
    }
    // Where no record is left, the select has no row, and all columns become NULL.
    let recompute = format!(
        "UPDATE current_state SET \
         (record_sequence, kind, deployed_at, version_id, record_id, deployed_by_id) = (\
         SELECT d.sequence, d.kind, d.deployed_at, d.version_id, d.id, d.deployed_by_id FROM deployment_record d \
         WHERE d.environment_id = $1 AND d.application_id = $2 AND {NOT_RETRACTED} \
         ORDER BY d.deployed_at DESC, d.sequence DESC LIMIT 1) \
         WHERE environment_id = $1 AND application_id = $2"
    );
    let recomputed = connection
        .execute(
            recompute,
            [cell.environment_id.into(), cell.application_id.into()],
        )
        .await?;
    changed_one(recomputed, "current_state", retraction.record)?;
    Ok(true)
}
