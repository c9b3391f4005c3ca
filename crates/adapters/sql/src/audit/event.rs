//! Audit events.

use sea_orm::{DbErr, FromQueryResult, QueryResult, Value, prelude::Uuid};
use slipway_audit::{ChainId, Event, EventFilter, EventPlace, ListedEvent, Outcome, Resource};
use slipway_kernel::{EventId, Page, PageSize, PrincipalId, StoreError};

use super::{
    chain::{LINK, LinkRow},
    chain_key, chain_of,
};
use crate::{
    SqlUnitOfWork,
    connection::Connection,
    row::{Place, to_json},
    values::Values,
};

const TABLE: &str = "audit_event";

/// An event `e`.
pub(super) const EVENT: &str = "e.sequence, e.id, e.chain_id, e.at, e.principal_id, e.command, e.outcome, \
    e.refusal_reason, e.resource_kind, e.resource_name, e.before_json, e.after_json, e.facts, e.correlation_id, \
    e.repeat_count";

#[derive(FromQueryResult)]
pub(super) struct EventRow {
    id: Uuid,
    chain_id: Uuid,
    at: i64,
    principal_id: Uuid,
    command: String,
    outcome: String,
    refusal_reason: Option<String>,
    resource_kind: String,
    resource_name: String,
    before_json: Option<String>,
    after_json: Option<String>,
    facts: String,
    correlation_id: String,
    repeat_count: i64,
}

impl EventRow {
    /// The event of a row that may have none, after an outer join.
    pub(super) fn from_outer_join(row: &QueryResult) -> Result<Option<Self>, DbErr> {
        match row.try_get::<Option<Uuid>>("", "id")? {
            None => Ok(None),
            Some(_) => Self::from_query_result(row, "").map(Some),
        }
    }
}

impl TryFrom<EventRow> for Event {
    type Error = StoreError;

    fn try_from(row: EventRow) -> Result<Self, StoreError> {
        let place = Place {
            table: "audit_event",
            row: &row.id,
        };
        let outcome = match (row.outcome.as_str(), row.refusal_reason) {
            ("ALLOWED", None) => Outcome::Allowed,
            ("REFUSED", Some(reason)) => Outcome::Refused { reason },
            (outcome, reason) => {
                let problem = format!("`{outcome}` with the reason {reason:?}");
                return Err(place.inconsistent("outcome", problem));
            }
        };
        let json =
            |column, text: Option<String>| text.map(|text| place.json(column, &text)).transpose();
        Ok(Self {
            id: EventId::from_uuid(row.id),
            chain: chain_of(row.chain_id),
            at: place.parse("at", row.at)?,
            principal: PrincipalId::from_uuid(row.principal_id),
            command: row.command,
            outcome,
            resource: Resource {
                kind: row.resource_kind,
                name: row.resource_name,
            },
            before: json("before_json", row.before_json)?,
            after: json("after_json", row.after_json)?,
            facts: place.json("facts", &row.facts)?,
            correlation_id: row.correlation_id,
            repeat_count: row.repeat_count,
        })
    }
}

/// Later.
pub(super) async fn append(unit: &mut SqlUnitOfWork, event: &Event) -> Result<(), StoreError> {
    let (outcome, reason) = match &event.outcome {
        Outcome::Allowed => ("ALLOWED", None),
        Outcome::Refused { reason } => ("REFUSED", Some(reason.as_str())),
    };
    let values: [Value; 14] = [
        event.id.uuid().into(),
        chain_key(event.chain).into(),
        event.at.micros().into(),
        event.principal.uuid().into(),
        event.command.as_str().into(),
        outcome.into(),
        reason.into(),
        event.resource.kind.as_str().into(),
        event.resource.name.as_str().into(),
        event.before.as_ref().map(to_json).transpose()?.into(),
        event.after.as_ref().map(to_json).transpose()?.into(),
        to_json(&event.facts)?.into(),
        event.correlation_id.as_str().into(),
        event.repeat_count.into(),
    ];
    let script = unit.later(TABLE, values.len()).await?;
    let row = script.values.bind_all(values);
    script.write(TABLE, format!(
        "INSERT INTO {TABLE} (id, chain_id, at, principal_id, command, outcome, refusal_reason, \
         resource_kind, resource_name, before_json, after_json, facts, correlation_id, repeat_count) \
         VALUES ({row})"
    ));
    Ok(())
}

struct ListedRow {
    event: EventRow,
    link: Option<LinkRow>,
}

impl FromQueryResult for ListedRow {
    fn from_query_result(row: &QueryResult, _: &str) -> Result<Self, DbErr> {
        Ok(Self {
            event: EventRow::from_query_result(row, "")?,
            link: LinkRow::from_outer_join(row)?,
        })
    }
}

pub(super) async fn events(
    connection: &Connection,
    chain: ChainId,
    filter: &EventFilter,
    after: Option<EventPlace>,
    size: PageSize,
) -> Result<Page<ListedEvent, EventPlace>, StoreError> {
    let mut values = Values::default();
    let conditions = conditions(&mut values, chain, filter, after);
    let limit = values.bind(i64::from(size.get()) + 1);
    let sql = format!(
        "SELECT {EVENT}, {LINK} FROM (SELECT * FROM audit_event WHERE {conditions} \
         ORDER BY at DESC, id DESC LIMIT {limit}) e LEFT JOIN audit_chain c ON c.event_id = e.id \
         ORDER BY e.at DESC, e.id DESC"
    );
    let rows: Vec<ListedRow> = connection.all(sql, values).await?;
    let events: Result<Vec<_>, StoreError> = rows
        .into_iter()
        .map(|row| {
            Ok(ListedEvent {
                event: row.event.try_into()?,
                link: row.link.map(TryInto::try_into).transpose()?,
            })
        })
        .collect();
    Ok(Page::from_rows(events?, size, |listed| {
        listed.event.place()
    }))
}

fn conditions(
    values: &mut Values,
    chain: ChainId,
    filter: &EventFilter,
    after: Option<EventPlace>,
) -> String {
    let mut conditions = vec![format!("chain_id = {}", values.bind(chain_key(chain)))];
    let mut compare = |comparison: &str, value: Option<Value>| {
        if let Some(value) = value {
            conditions.push(format!("{comparison} {}", values.bind(value)));
        }
    };
    compare("command =", filter.command.as_deref().map(Value::from));
    compare(
        "principal_id =",
        filter.principal.map(|id| id.uuid().into()),
    );
    compare(
        "resource_kind =",
        filter.resource_kind.as_deref().map(Value::from),
    );
    compare(
        "resource_name =",
        filter.resource_name.as_deref().map(Value::from),
    );
    compare("at >=", filter.from.map(|from| from.micros().into()));
    // A place that lies before the end says more than the end, and of two upper bounds SQLite may start at the wrong one.
    let end = filter
        .to
        .filter(|to| after.is_none_or(|place| place.at >= *to));
    compare("at <", end.map(|to| to.micros().into()));
    if let Some(refused) = filter.refused {
        let outcome = if refused { "REFUSED" } else { "ALLOWED" };
        conditions.push(format!("outcome = '{outcome}'"));
    }
    if let Some(place) = after {
        let at = values.bind(place.at.micros());
        let id = values.bind(place.id.uuid());
        conditions.push(format!("(at, id) < ({at}, {id})"));
    }
    conditions.join(" AND ")
}
