//! Several writes in one statement.

use crate::{connection::Dialect, values::Values};

/// Writes to different tables whose answers nobody needs, with the values of all of them. None sees what another one does.
#[derive(Debug, Default)]
pub(crate) struct Script {
    pub(crate) values: Values,
    writes: Vec<(&'static str, String)>,
}

impl Script {
    /// Adds an INSERT, UPDATE or DELETE whose placeholders were bound in [`Self::values`].
    pub(crate) fn write(&mut self, table: &'static str, sql: String) {
        self.writes.push((table, sql));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    /// Whether there is a write to this table.
    pub(crate) fn writes_to(&self, table: &str) -> bool {
        self.writes.iter().any(|(written, _)| *written == table)
    }

    /// All writes so far as one statement, if there are any; the script is empty afterwards.
    ///
    /// On `PostgreSQL` all but the first are common table expressions, which run whether or not somebody reads them, in any
    /// order (<https://www.postgresql.org/docs/current/queries-with.html#QUERIES-WITH-MODIFYING>); foreign keys are checked
    /// at the end. What it does in fact is to run the main statement, then the expressions, the last first: so it locks in
    /// the order in which the writes were added, as it does where they are sent one by one. `SQLite` runs several statements
    /// after each other, so a write comes behind what it refers to.
    pub(crate) fn take(&mut self, dialect: Dialect) -> Option<(String, Values)> {
        let Self { values, writes } = std::mem::take(self);
        let writes: Vec<_> = writes.into_iter().map(|(_, sql)| sql).collect();
        let (first, others) = writes.split_first()?;
        let sql = if dialect == Dialect::Sqlite || others.is_empty() {
            writes.join("; ")
        } else {
            let named = others.iter().rev().enumerate();
            let named: Vec<_> = named.map(|(n, sql)| format!("w{n} AS ({sql})")).collect();
            format!("WITH {} {first}", named.join(", "))
        };
        Some((sql, values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_become_one_statement() {
        for (dialect, expected) in [
            (Dialect::Sqlite, "a $1; b $2; c $3"),
            (Dialect::Postgres, "WITH w0 AS (c $3), w1 AS (b $2) a $1"),
        ] {
            let mut script = Script::default();
            for name in ["a", "b", "c"] {
                let value = script.values.bind(name);
                script.write(name, format!("{name} {value}"));
            }
            let (sql, values) = script.take(dialect).expect("writes");
            assert_eq!((sql.as_str(), values.len()), (expected, 3));
            assert!(script.take(dialect).is_none());
        }
    }
}
