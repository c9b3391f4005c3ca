//! What people answered.

use std::collections::HashMap;

use sea_orm::{FromQueryResult, Value};
use slipway_approvals::{ApprovalRequest, Decision, Verdict, Withdrawal};
use slipway_kernel::{ApprovalRequestId, PrincipalId, Slug, StoreError};
use uuid::Uuid;

use crate::{
    connection::{Connection, VALUES_PER_STATEMENT, placeholders},
    row::{Place, changed_one},
    values::Values,
};

const TABLE: &str = "approval_decision";
const COLUMNS: &str =
    "request_id, principal_id, verdict, comment, decided_at, plan_digest, person_id, rule";
const COLUMN_COUNT: usize = 8;

#[derive(FromQueryResult)]
struct Row {
    request_id: Uuid,
    principal_id: Uuid,
    verdict: String,
    comment: String,
    decided_at: i64,
    plan_digest: Vec<u8>,
    person_id: Uuid,
    rule: Option<String>,
    withdrawn_by: Option<Uuid>,
    withdrawn_at: Option<i64>,
    reason: Option<String>,
}

impl Row {
    fn withdrawal(
        &self,
        place: &Place<'_>,
        verdict: Verdict,
    ) -> Result<Option<Withdrawal>, StoreError> {
        match (self.withdrawn_by, self.withdrawn_at, &self.reason) {
            (None, None, None) => Ok(None),
            (Some(_), ..) if verdict == Verdict::Reject => {
                Err(place.inconsistent("verdict", "a rejection that was withdrawn"))
            }
            (Some(by), Some(at), Some(reason)) => Ok(Some(Withdrawal {
                principal: PrincipalId::from_uuid(by),
                at: place.parse("withdrawn_at", at)?,
                reason: place.parse("reason", reason.clone())?,
            })),
            _ => Err(place.inconsistent("withdrawn_at", "a part of a withdrawal")),
        }
    }
}

impl TryFrom<Row> for Decision {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let key = format!("({}, {})", row.request_id, row.person_id);
        let place = Place {
            table: TABLE,
            row: &key,
        };
        let verdict = place.word("verdict", &row.verdict)?;
        let withdrawn = row.withdrawal(&place, verdict)?;
        Ok(Self {
            principal: PrincipalId::from_uuid(row.principal_id),
            person: PrincipalId::from_uuid(row.person_id),
            verdict,
            rule: row.rule.map(|rule| place.word("rule", &rule)).transpose()?,
            comment: place.parse("comment", row.comment)?,
            at: place.parse("decided_at", row.decided_at)?,
            digest: place.digest("plan_digest", &row.plan_digest)?,
            withdrawn,
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
        decision.person.uuid().into(),
        decision.rule.as_ref().map(Slug::as_str).into(),
    ];
    let sql = format!(
        "INSERT INTO approval_decision ({COLUMNS}) VALUES {} ON CONFLICT (request_id, person_id) DO NOTHING",
        placeholders(1, COLUMN_COUNT)
    );
    let added = connection.execute(sql, values).await?;
    let key = format!("({request}, {})", decision.person);
    changed_one(added, TABLE, key)
}

pub(super) async fn withdraw(
    connection: &Connection,
    request: ApprovalRequestId,
    person: PrincipalId,
    withdrawal: &Withdrawal,
) -> Result<(), StoreError> {
    let values: [Value; 5] = [
        request.uuid().into(),
        person.uuid().into(),
        withdrawal.principal.uuid().into(),
        withdrawal.at.micros().into(),
        withdrawal.reason.as_str().into(),
    ];
    let sql = "INSERT INTO approval_withdrawal (request_id, person_id, principal_id, withdrawn_at, reason) \
               VALUES ($1, $2, $3, $4, $5) ON CONFLICT (request_id, person_id) DO NOTHING";
    let added = connection.execute(sql, values).await?;
    changed_one(
        added,
        "approval_withdrawal",
        format!("({request}, {person})"),
    )
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
            "SELECT d.request_id, d.principal_id, d.verdict, d.comment, d.decided_at, d.plan_digest, d.person_id, \
             d.rule, w.principal_id AS withdrawn_by, w.withdrawn_at, w.reason \
             FROM approval_decision d LEFT JOIN approval_withdrawal w \
             ON w.request_id = d.request_id AND w.person_id = d.person_id \
             WHERE d.request_id IN ({}) ORDER BY d.request_id, d.decided_at, d.person_id",
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
