//! What people answered.

use std::collections::HashMap;

use sea_orm::{FromQueryResult, Value};
use slipway_approvals::{ApprovalRequest, Decision};
use slipway_kernel::{ApprovalRequestId, PrincipalId, StoreError};
use uuid::Uuid;

use crate::{
    connection::{Connection, VALUES_PER_STATEMENT, placeholders},
    row::{Place, changed_one},
    values::Values,
};

const TABLE: &str = "approval_decision";
const COLUMNS: &str = "request_id, principal_id, verdict, comment, decided_at, plan_digest";
const COLUMN_COUNT: usize = 6;

#[derive(FromQueryResult)]
struct Row {
    request_id: Uuid,
    principal_id: Uuid,
    verdict: String,
    comment: String,
    decided_at: i64,
    plan_digest: Vec<u8>,
}

impl TryFrom<Row> for Decision {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let key = format!("({}, {})", row.request_id, row.principal_id);
        let place = Place {
            table: TABLE,
            row: &key,
        };
        Ok(Self {
            principal: PrincipalId::from_uuid(row.principal_id),
            verdict: place.word("verdict", &row.verdict)?,
            comment: place.parse("comment", row.comment)?,
            at: place.parse("decided_at", row.decided_at)?,
            digest: place.digest("plan_digest", &row.plan_digest)?,
        })
    }
}

pub(super) async fn insert(
    connection: &Connection,
    request: ApprovalRequestId,
    decision: &Decision,
) -> Result<(), StoreError> {
    let values: [Value; COLUMN_COUNT] = [
        request.uuid().into(),
        decision.principal.uuid().into(),
        decision.verdict.as_str().into(),
        decision.comment.as_str().into(),
        decision.at.micros().into(),
        decision.digest.as_bytes().to_vec().into(),
    ];
    let sql = format!(
        "INSERT INTO approval_decision ({COLUMNS}) VALUES {} ON CONFLICT (request_id, principal_id) DO NOTHING",
        placeholders(1, COLUMN_COUNT)
    );
    let added = connection.execute(sql, values).await?;
    let key = format!("({request}, {})", decision.principal);
    changed_one(added, TABLE, key)
}

/// Gives requests their decisions: one statement for each 1,000 requests.
pub(super) async fn fill(
    connection: &Connection,
    requests: &mut [ApprovalRequest],
) -> Result<(), StoreError> {
    for requests in requests.chunks_mut(VALUES_PER_STATEMENT) {
        let mut values = Values::default();
        let ids = requests.iter().map(|request| request.id.uuid());
        let sql = format!(
            "SELECT {COLUMNS} FROM approval_decision WHERE request_id IN ({}) \
             ORDER BY request_id, decided_at, principal_id",
            values.bind_all(ids)
        );
        let rows: Vec<Row> = connection.all(sql, values).await?;
        let mut decisions: HashMap<Uuid, Vec<Decision>> = HashMap::with_capacity(requests.len());
        for row in rows {
            let of = decisions.entry(row.request_id).or_default();
            of.push(row.try_into()?);
        }
        for request in requests {
            request.decisions = decisions.remove(&request.id.uuid()).unwrap_or_default();
        }
    }
    Ok(())
}
