//! The rows that events vouch for.

use std::collections::HashMap;

use sea_orm::FromQueryResult;
use slipway_audit::{ChainId, FactKind};
use slipway_kernel::{RecordId, Sha256, StoreError, digest::CanonicalError};
use slipway_ledger::{NewRecord, Retraction};

use crate::{
    connection::{Connection, rows_per_statement},
    ledger::record::{PlainRecordRow, RetractionRow},
    values::Values,
};

/// Rebuilds each fact from its row and computes its digest anew, with nothing of what events say about it.
pub(super) async fn digests(
    connection: &Connection,
    facts: &[(FactKind, RecordId)],
) -> Result<Vec<Option<Sha256>>, StoreError> {
    let mut digests = HashMap::with_capacity(facts.len());
    for row in rows::<PlainRecordRow>(
        connection,
        facts,
        FactKind::DeploymentRecord,
        "SELECT * FROM deployment_record WHERE id IN",
    )
    .await?
    {
        let sequence = row.sequence;
        let record = NewRecord::try_from(row)?;
        let digest = record.digest(sequence).map_err(no_digest)?;
        digests.insert((FactKind::DeploymentRecord, record.id), digest);
    }
    for row in rows::<RetractionRow>(
        connection,
        facts,
        FactKind::Retraction,
        "SELECT t.*, d.sequence AS named_sequence, d.project_id AS named_project_id FROM record_retraction t \
         LEFT JOIN deployment_record d ON d.id = t.record_id WHERE t.record_id IN",
    )
    .await?
    {
        let retraction = Retraction::try_from(row)?;
        let digest = retraction.digest().map_err(no_digest)?;
        digests.insert((FactKind::Retraction, retraction.record), digest);
    }
    Ok(facts
        .iter()
        .map(|fact| digests.get(fact).copied())
        .collect())
}

async fn rows<R: FromQueryResult>(
    connection: &Connection,
    facts: &[(FactKind, RecordId)],
    kind: FactKind,
    select: &str,
) -> Result<Vec<R>, StoreError> {
    let ids: Vec<_> = facts
        .iter()
        .filter(|(fact, _)| *fact == kind)
        .map(|(_, record)| record.uuid())
        .collect();
    let mut rows = Vec::with_capacity(ids.len());
    for ids in ids.chunks(rows_per_statement(1)) {
        let mut values = Values::default();
        let ids = values.bind_all(ids.iter().copied());
        rows.extend(
            connection
                .all::<R>(format!("{select} ({ids})"), values)
                .await?,
        );
    }
    Ok(rows)
}

fn no_digest(error: CanonicalError) -> StoreError {
    StoreError::Fault(Box::new(error))
}

#[derive(FromQueryResult)]
struct CountRow {
    records: i64,
    strays: i64,
    retractions: i64,
}

/// The installation's events vouch for no rows.
///
/// A row that shows in a project counts there, whichever project it names: else one that names another project would
/// have an effect here and be missed by nobody.
pub(super) async fn count(connection: &Connection, chain: ChainId) -> Result<u64, StoreError> {
    let ChainId(Some(project)) = chain else {
        return Ok(0);
    };
    let row: Option<CountRow> = connection
        .one(
            "SELECT (SELECT count(*) FROM deployment_record WHERE project_id = $1) AS records, \
             (SELECT count(*) FROM environment e JOIN deployment_record d ON d.environment_id = e.id \
             WHERE e.project_id = $1 AND d.project_id <> $1) \
             + (SELECT count(*) FROM application a JOIN deployment_record d ON d.application_id = a.id \
             WHERE a.project_id = $1 AND d.project_id <> $1) AS strays, \
             (SELECT count(*) FROM record_retraction t LEFT JOIN deployment_record d ON d.sequence = t.record_sequence \
             WHERE t.project_id = $1 OR d.project_id = $1) AS retractions",
            [project.uuid().into()],
        )
        .await?;
    Ok(row.map_or(0, |row| {
        row.records.unsigned_abs() + row.strays.unsigned_abs() + row.retractions.unsigned_abs()
    }))
}
