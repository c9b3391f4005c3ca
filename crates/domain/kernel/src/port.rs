//! The error that every port to a database answers with.

use std::error::Error;

/// What can go wrong in a store, whatever the database.
///
/// An adapter MUST use these as their comments say: the use cases decide by them whether trying again can help.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Somebody else changed the same thing at the same time (a serialization failure, a deadlock, a unique key taken
    /// since it was looked up). Nothing was written; the same call may succeed when it is made again.
    #[error("another change got in between")]
    Conflict(#[source] Box<dyn Error + Send + Sync>),
    /// The database can't be reached, or had no connection free in time. Nothing was written, unless it happened in a
    /// commit, whose outcome is then unknown.
    #[error("the database is unavailable")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// A row holds a combination of values that Slipway never writes.
    #[error("inconsistent data in table {table}, column {column}, row {row}: {problem}")]
    Inconsistent {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The row's key, as text.
        row: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Anything else that the database refused: a fault of ours.
    #[error("the database refused a statement")]
    Fault(#[source] Box<dyn Error + Send + Sync>),
}
