//! The chain over the audit events.

use sea_orm::{DbErr, FromQueryResult, QueryResult, prelude::Uuid};
use slipway_audit::{ChainId, Event, Link, Unchained};
use slipway_kernel::{EventId, StoreError};

use super::{
    chain_key, chain_of,
    event::{EVENT, EventRow},
};
use crate::{
    connection::{Connection, Dialect, rows_per_statement},
    row::Place,
    values::Values,
};

/// A link `c`.
pub(super) const LINK: &str = "c.chain_id AS link_chain_id, c.position AS link_position, c.event_id AS link_event_id, \
    c.hash AS link_hash, c.chained_at AS link_chained_at";
const LINK_PREFIX: &str = "link_";
/// The lock that the sequencer of an installation holds, on `PostgreSQL`: "slip" and "way" in ASCII.
const LEADER_LOCK: i64 = 0x0073_6c69_7077_6179;
/// The last event that is chained.
const LAST_CHAINED: &str = "(SELECT coalesce(max(event_sequence), 0) FROM audit_chain)";

#[derive(FromQueryResult)]
pub(super) struct LinkRow {
    chain_id: Uuid,
    position: i64,
    event_id: Uuid,
    hash: Vec<u8>,
    chained_at: i64,
}

impl LinkRow {
    /// The link of a row that may have none, after an outer join.
    pub(super) fn from_outer_join(row: &QueryResult) -> Result<Option<Self>, DbErr> {
        match row.try_get::<Option<Uuid>>(LINK_PREFIX, "event_id")? {
            None => Ok(None),
            Some(_) => Self::from_query_result(row, LINK_PREFIX).map(Some),
        }
    }
}

impl TryFrom<LinkRow> for Link {
    type Error = StoreError;

    fn try_from(row: LinkRow) -> Result<Self, StoreError> {
        let key = format!("{} of {}", row.position, row.chain_id);
        let place = Place {
            table: "audit_chain",
            row: &key,
        };
        Ok(Self {
            chain: chain_of(row.chain_id),
            position: row.position,
            event: EventId::from_uuid(row.event_id),
            hash: place.digest("hash", &row.hash)?,
            chained_at: place.parse("chained_at", row.chained_at)?,
        })
    }
}

#[derive(FromQueryResult)]
struct LeadRow {
    lead: bool,
}

/// `SQLite` has one writer: whoever has a unit of work leads.
pub(super) async fn lead(connection: &Connection) -> Result<bool, StoreError> {
    match connection.dialect() {
        Dialect::Sqlite => Ok(true),
        Dialect::Postgres => {
            let row: Option<LeadRow> = connection
                .one(
                    "SELECT pg_try_advisory_xact_lock($1) AS lead",
                    [LEADER_LOCK.into()],
                )
                .await?;
            Ok(row.is_some_and(|row| row.lead))
        }
    }
}

pub(super) async fn waiting(
    connection: &Connection,
    settled: i64,
    limit: u32,
) -> Result<Vec<Event>, StoreError> {
    let sql = format!(
        "SELECT {EVENT} FROM audit_event e WHERE e.sequence > {LAST_CHAINED} AND e.sequence <= $1 \
         ORDER BY e.sequence LIMIT $2"
    );
    let rows: Vec<EventRow> = connection
        .all(sql, [settled.into(), i64::from(limit).into()])
        .await?;
    rows.into_iter().map(Event::try_from).collect()
}

pub(super) async fn heads(
    connection: &Connection,
    chains: &[ChainId],
) -> Result<Vec<Link>, StoreError> {
    let mut heads = Vec::with_capacity(chains.len());
    for chains in chains.chunks(rows_per_statement(1)) {
        let mut values = Values::default();
        let keys: Vec<_> = chains
            .iter()
            .map(|chain| format!("({})", values.bind(chain_key(*chain))))
            .collect();
        // Each head is looked up at the end of its chain; grouping would read the chains.
        let sql = format!(
            "SELECT {LINK} FROM (VALUES {}) AS n JOIN audit_chain c ON c.chain_id = n.column1 \
             AND c.position = (SELECT max(m.position) FROM audit_chain m WHERE m.chain_id = n.column1)",
            keys.join(", ")
        );
        let rows: Vec<OnlyLink> = connection.all(sql, values).await?;
        for OnlyLink(row) in rows {
            heads.push(row.try_into()?);
        }
    }
    Ok(heads)
}

struct OnlyLink(LinkRow);

impl FromQueryResult for OnlyLink {
    fn from_query_result(row: &QueryResult, _: &str) -> Result<Self, DbErr> {
        LinkRow::from_query_result(row, LINK_PREFIX).map(Self)
    }
}

pub(super) async fn append(connection: &Connection, links: &[Link]) -> Result<(), StoreError> {
    for links in links.chunks(rows_per_statement(5)) {
        let mut values = Values::default();
        let rows: Vec<_> = links
            .iter()
            .map(|link| {
                let chain = values.bind(chain_key(link.chain));
                let position = values.bind(link.position);
                let event = values.bind(link.event.uuid());
                let hash = values.bind(link.hash.as_bytes().to_vec());
                let chained_at = values.bind(link.chained_at.micros());
                format!(
                    "({chain}, {position}, {event}, (SELECT sequence FROM audit_event WHERE id = {event}), {hash}, \
                     {chained_at})"
                )
            })
            .collect();
        let sql = format!(
            "INSERT INTO audit_chain (chain_id, position, event_id, event_sequence, hash, chained_at) VALUES {}",
            rows.join(", ")
        );
        connection.execute(sql, values).await?;
    }
    Ok(())
}

struct LinkAndEvent {
    link: LinkRow,
    event: Option<EventRow>,
    /// What the link says of the event's sequence, and what the event does.
    sequences: (i64, Option<i64>),
}

impl FromQueryResult for LinkAndEvent {
    fn from_query_result(row: &QueryResult, _: &str) -> Result<Self, DbErr> {
        Ok(Self {
            link: LinkRow::from_query_result(row, LINK_PREFIX)?,
            event: EventRow::from_outer_join(row)?,
            sequences: (
                row.try_get(LINK_PREFIX, "event_sequence")?,
                row.try_get("", "sequence")?,
            ),
        })
    }
}

impl TryFrom<LinkAndEvent> for (Link, Option<Event>) {
    type Error = StoreError;

    fn try_from(row: LinkAndEvent) -> Result<Self, StoreError> {
        let link = Link::try_from(row.link)?;
        // What waits to be chained is told by the sequences, so these must not stray from the events.
        if let (linked, Some(own)) = row.sequences
            && linked != own
        {
            let place = Place {
                table: "audit_chain",
                row: &link.event,
            };
            let problem = format!("{linked} is not the event's, {own}");
            return Err(place.inconsistent("event_sequence", problem));
        }
        Ok((link, row.event.map(Event::try_from).transpose()?))
    }
}

pub(super) async fn links(
    connection: &Connection,
    chain: ChainId,
    after: i64,
    limit: u32,
) -> Result<Vec<(Link, Option<Event>)>, StoreError> {
    let sql = format!(
        "SELECT {LINK}, c.event_sequence AS link_event_sequence, {EVENT} FROM audit_chain c LEFT JOIN audit_event e ON e.id = c.event_id \
         WHERE c.chain_id = $1 AND c.position > $2 ORDER BY c.position LIMIT $3"
    );
    let values = [
        chain_key(chain).into(),
        after.into(),
        i64::from(limit).into(),
    ];
    let rows: Vec<LinkAndEvent> = connection.all(sql, values).await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

#[derive(FromQueryResult)]
struct PassedRow {
    id: Uuid,
}

pub(super) async fn unchained(
    connection: &Connection,
    chain: ChainId,
) -> Result<Unchained, StoreError> {
    let key = chain_key(chain);
    // A link in another chain, or before the beginning of its own, is one that no verification comes by.
    let sql = format!(
        "SELECT e.id FROM audit_event e WHERE e.chain_id = $1 AND e.sequence <= {LAST_CHAINED} \
         AND NOT EXISTS (SELECT 1 FROM audit_chain c WHERE c.event_id = e.id AND c.chain_id = e.chain_id \
         AND c.position > 0) ORDER BY e.sequence LIMIT 1"
    );
    let passed: Option<PassedRow> = connection.one(sql, [key.into()]).await?;
    let sql = format!(
        "SELECT {EVENT} FROM audit_event e WHERE e.chain_id = $1 AND e.sequence > {LAST_CHAINED} ORDER BY e.sequence"
    );
    let waiting: Vec<EventRow> = connection.all(sql, [key.into()]).await?;
    let waiting: Result<Vec<_>, _> = waiting.into_iter().map(Event::try_from).collect();
    Ok(Unchained {
        passed: passed.map(|row| EventId::from_uuid(row.id)),
        waiting: waiting?,
    })
}
