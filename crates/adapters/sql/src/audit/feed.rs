//! What changed since.

use sea_orm::{FromQueryResult, prelude::Uuid};
use slipway_audit::{Change, Settled};
use slipway_kernel::StoreError;

use super::chain_of;
use crate::{connection::Connection, row::Place};

#[derive(FromQueryResult)]
struct ChangeRow {
    sequence: i64,
    chain_id: Uuid,
    facts: String,
}

pub(super) async fn settled_after(
    connection: &Connection,
    settled: i64,
    after: i64,
    limit: u32,
) -> Result<Settled, StoreError> {
    let mut rows: Vec<ChangeRow> = Vec::new();
    if settled > after && limit > 0 {
        rows = connection
            .all(
                "SELECT sequence, chain_id, facts FROM audit_event \
                 WHERE sequence > $1 AND sequence <= $2 AND outcome = 'ALLOWED' \
                 AND (facts <> '[]' OR command IN ('ArchiveApplication', 'ArchiveEnvironment')) \
                 ORDER BY sequence LIMIT $3",
                [after.into(), settled.into(), i64::from(limit).into()],
            )
            .await?;
    }
    let cut = limit > 0 && rows.len() >= limit as usize;
    let last = rows.last().map(|row| row.sequence).filter(|_| cut);
    let changes: Result<Vec<_>, StoreError> = rows
        .into_iter()
        .map(|row| {
            let place = Place {
                table: "audit_event",
                row: &row.sequence,
            };
            Ok(Change {
                sequence: row.sequence,
                chain: chain_of(row.chain_id),
                facts: place.json("facts", &row.facts)?,
            })
        })
        .collect();
    Ok(Settled {
        changes: changes?,
        through: last.unwrap_or(settled).max(after),
    })
}
