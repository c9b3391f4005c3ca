//! Parsing rows: a value that no version of Slipway would have written is named with its table, column and row.

use std::{fmt::Display, time::Duration};

use sea_orm::Value;
use slipway_kernel::{Revision, Sha256, StoreError, Timestamp};

/// Which row is being parsed: its table, and its key as text.
pub(crate) struct Place<'a> {
    pub(crate) table: &'static str,
    pub(crate) row: &'a dyn Display,
}

impl Place<'_> {
    /// The error for a value, or a combination of values, that should not be there.
    pub(crate) fn inconsistent(&self, column: &'static str, problem: impl Display) -> StoreError {
        StoreError::Inconsistent {
            table: self.table,
            column,
            row: self.row.to_string(),
            problem: problem.to_string(),
        }
    }

    /// A value in the domain's type.
    pub(crate) fn parse<V, T>(&self, column: &'static str, value: V) -> Result<T, StoreError>
    where
        V: TryInto<T>,
        V::Error: Display,
    {
        value
            .try_into()
            .map_err(|problem| self.inconsistent(column, problem))
    }

    /// A value in the domain's type, where there is one.
    pub(crate) fn parse_option<V, T>(
        &self,
        column: &'static str,
        value: Option<V>,
    ) -> Result<Option<T>, StoreError>
    where
        V: TryInto<T>,
        V::Error: Display,
    {
        value.map(|value| self.parse(column, value)).transpose()
    }

    /// A word in the domain's type.
    pub(crate) fn word<T>(&self, column: &'static str, value: &str) -> Result<T, StoreError>
    where
        T: std::str::FromStr,
        T::Err: Display,
    {
        value
            .parse()
            .map_err(|problem| self.inconsistent(column, problem))
    }

    /// A value kept as JSON text.
    pub(crate) fn json<T: serde::de::DeserializeOwned>(
        &self,
        column: &'static str,
        text: &str,
    ) -> Result<T, StoreError> {
        serde_json::from_str(text).map_err(|problem| self.inconsistent(column, problem))
    }

    /// A digest.
    pub(crate) fn digest(&self, column: &'static str, bytes: &[u8]) -> Result<Sha256, StoreError> {
        bytes
            .try_into()
            .map(Sha256::from_bytes)
            .map_err(|_| self.inconsistent(column, format!("{} bytes instead of 32", bytes.len())))
    }

    /// How often a row has been changed.
    pub(crate) fn revision(&self, value: i64) -> Result<Revision, StoreError> {
        if value < Revision::FIRST.0 {
            Err(self.inconsistent("revision", format!("{value} is below 1")))
        } else {
            Ok(Revision(value))
        }
    }
}

/// A value as JSON text, to be kept.
pub(crate) fn to_json<T: serde::Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Fault(Box::new(error)))
}

/// Microseconds, where there is a time.
pub(crate) fn micros(time: Option<Timestamp>) -> Option<i64> {
    time.map(Timestamp::micros)
}

/// A length of time, in microseconds.
pub(crate) fn length(duration: Duration) -> Value {
    i64::try_from(duration.as_micros())
        .unwrap_or(i64::MAX / 2)
        .into()
}

/// A change that met a row which is no longer as it was read.
#[derive(Debug, thiserror::Error)]
#[error("the row in {table} has been changed since it was read, or is gone: {row}")]
struct Changed {
    table: &'static str,
    row: String,
}

/// Passes where exactly the row meant was changed.
pub(crate) fn changed_one(
    changed: u64,
    table: &'static str,
    row: impl Display,
) -> Result<(), StoreError> {
    changed_all(changed, 1, table, row)
}

/// Passes where exactly the rows meant were changed, which belong to `row`.
pub(crate) fn changed_all(
    changed: u64,
    meant: usize,
    table: &'static str,
    row: impl Display,
) -> Result<(), StoreError> {
    if usize::try_from(changed) == Ok(meant) {
        Ok(())
    } else {
        Err(StoreError::Conflict(Box::new(Changed {
            table,
            row: row.to_string(),
        })))
    }
}
