//! Adding records.

use std::collections::HashMap;

use sea_orm::{FromQueryResult, Value, prelude::Uuid};
use slipway_kernel::{ApplicationId, EnvironmentId, PersonId, RecordId, StoreError, VersionId};
use slipway_ledger::{
    NaturalKey, NewRecord,
    record::{Inserted, Known},
};

use crate::{
    connection::{Connection, placeholders, rows_per_statement},
    row::{Place, to_json},
    values::Values,
};

const COLUMNS: [&str; 15] = [
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
];

fn row(record: &NewRecord) -> Result<[Value; COLUMNS.len()], StoreError> {
    Ok([
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
    ])
}

#[derive(FromQueryResult)]
struct AddedRow {
    id: Uuid,
    sequence: i64,
}

#[derive(FromQueryResult)]
struct PresentRow {
    number: i32,
    id: Uuid,
    application_id: Uuid,
    version_id: Uuid,
    environment_id: Uuid,
    kind: String,
}

impl PresentRow {
    fn known(&self) -> Result<Known, StoreError> {
        let place = Place {
            table: "deployment_record",
            row: &self.id,
        };
        Ok(Known {
            id: RecordId::from_uuid(self.id),
            application: ApplicationId::from_uuid(self.application_id),
            version: VersionId::from_uuid(self.version_id),
            environment: EnvironmentId::from_uuid(self.environment_id),
            kind: place.word("kind", &self.kind)?,
        })
    }
}

const PRESENT: &str =
    "SELECT n.column1 AS number, d.id, d.application_id, d.version_id, d.environment_id, d.kind";

/// For each 66 records one statement where all are new, and one more for each sort of natural key where some are not.
/// Both databases add the rows in the order given, so the ledger's order is the batch's.
pub(super) async fn insert(
    connection: &Connection,
    records: &[NewRecord],
) -> Result<Vec<Inserted>, StoreError> {
    let mut inserted = Vec::with_capacity(records.len());
    for records in records.chunks(rows_per_statement(COLUMNS.len())) {
        inserted.extend(insert_chunk(connection, records).await?);
    }
    Ok(inserted)
}

async fn insert_chunk(
    connection: &Connection,
    records: &[NewRecord],
) -> Result<Vec<Inserted>, StoreError> {
    // Without a target, DO NOTHING covers both natural keys, and rows of the same statement too. It waits for a unit of
    // work that is about to add the same record.
    let sql = format!(
        "INSERT INTO deployment_record ({}) VALUES {} ON CONFLICT DO NOTHING RETURNING id, sequence",
        COLUMNS.join(", "),
        placeholders(records.len(), COLUMNS.len())
    );
    let mut values = Vec::with_capacity(records.len() * COLUMNS.len());
    for record in records {
        values.extend(row(record)?);
    }
    let added: Vec<AddedRow> = connection.all(sql, values).await?;
    let added: HashMap<Uuid, i64> = added
        .into_iter()
        .map(|row| (row.id, row.sequence))
        .collect();
    let known = |record: &NewRecord| added.get(&record.id.uuid()).copied();
    let keys: Vec<_> = records
        .iter()
        .filter(|record| known(record).is_none())
        .map(NewRecord::natural_key)
        .collect();
    let mut present = present(connection, &keys).await?.into_iter();
    records
        .iter()
        .map(|record| {
            if let Some(sequence) = known(record) {
                return Ok(Inserted::Added { sequence });
            }
            let known = present.next().flatten().ok_or_else(|| {
                let problem = format!("record {} is neither new nor known", record.id);
                StoreError::Conflict(problem.into())
            })?;
            Ok(Inserted::Present(known))
        })
        .collect()
}

/// The records that have these natural keys, in the keys' order. One statement for each sort of key that there is.
pub(super) async fn present(
    connection: &Connection,
    keys: &[NaturalKey<'_>],
) -> Result<Vec<Option<Known>>, StoreError> {
    let mut external = (Values::default(), Vec::new());
    let mut content = (Values::default(), Vec::new());
    for (number, key) in keys.iter().enumerate() {
        let (values, rows, key) = match *key {
            NaturalKey::External {
                project,
                reporter,
                external_id,
            } => (
                &mut external.0,
                &mut external.1,
                vec![
                    Value::from(project.uuid()),
                    reporter.uuid().into(),
                    external_id.as_str().into(),
                ],
            ),
            NaturalKey::Content {
                application,
                version,
                environment,
                reported_at,
                kind,
            } => (
                &mut content.0,
                &mut content.1,
                vec![
                    Value::from(application.uuid()),
                    version.uuid().into(),
                    environment.uuid().into(),
                    reported_at.micros().into(),
                    kind.as_str().into(),
                ],
            ),
        };
        rows.push(format!("({number}, {})", values.bind_all(key)));
    }
    let mut found: Vec<PresentRow> = Vec::new();
    if !external.1.is_empty() {
        let sql = format!(
            "{PRESENT} FROM (VALUES {}) AS n JOIN deployment_record d \
             ON d.project_id = n.column2 AND d.reporter_id = n.column3 AND d.external_id = n.column4",
            external.1.join(", ")
        );
        found.extend(connection.all::<PresentRow>(sql, external.0).await?);
    }
    if !content.1.is_empty() {
        let sql = format!(
            "{PRESENT} FROM (VALUES {}) AS n JOIN deployment_record d \
             ON d.application_id = n.column2 AND d.version_id = n.column3 AND d.environment_id = n.column4 \
             AND d.reported_at = n.column5 AND d.kind = n.column6 AND d.external_id IS NULL",
            content.1.join(", ")
        );
        found.extend(connection.all::<PresentRow>(sql, content.0).await?);
    }
    let mut present = vec![None; keys.len()];
    for row in found {
        if let Some(place) = usize::try_from(row.number)
            .ok()
            .and_then(|at| present.get_mut(at))
        {
            *place = Some(row.known()?);
        }
    }
    Ok(present)
}
