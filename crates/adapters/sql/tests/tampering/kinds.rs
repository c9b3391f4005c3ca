//! What is done to the database, and what verification has to say to it.

mod chains;
mod events;
mod records;
mod values;

use slipway_audit::BreakKind;

use Afterwards::Nothing;

/// What is done on either database.
pub(crate) const KINDS: [&[Kind]; 6] = [
    records::RECORDS,
    records::RETRACTIONS,
    events::EVENTS,
    chains::LINKS,
    values::VALUES,
    chains::CHAINED_ANEW,
];
pub(crate) const SQLITE_KINDS: &[Kind] = values::SQLITE;
pub(crate) const POSTGRES_KINDS: &[Kind] = values::POSTGRES;

/// One kind of tampering.
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    /// Statements, with names in braces for what [`Given::spelled`](crate::given::Given::spelled) knows.
    pub(crate) sql: &'static [&'static str],
    pub(crate) afterwards: Afterwards,
    pub(crate) expected: BreakKind,
}

/// What is done to cover it up.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Afterwards {
    Nothing,
    /// The chains are thrown away and made anew.
    Rechain,
    /// The same, after the events were made to vouch for the rows as they are now.
    ForgeDigestsAndRechain,
}

const fn kind(name: &'static str, sql: &'static [&'static str], expected: BreakKind) -> Kind {
    covered_up(name, sql, Nothing, expected)
}

const fn covered_up(
    name: &'static str,
    sql: &'static [&'static str],
    afterwards: Afterwards,
    expected: BreakKind,
) -> Kind {
    Kind {
        name,
        sql,
        afterwards,
        expected,
    }
}
