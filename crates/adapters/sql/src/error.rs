//! What a database's error means to a use case: the one place where codes are told apart.

use std::error::Error;

use sea_orm::{DbErr, RuntimeErr, SqlxError, sqlx::error::DatabaseError};
use slipway_store::StoreError;

/// The error of the port for an error of the database.
pub(crate) fn store_error(error: DbErr) -> StoreError {
    match error {
        DbErr::Conn(RuntimeErr::SqlxError(source)) => StoreError::Unavailable(Box::new(source)),
        DbErr::Exec(RuntimeErr::SqlxError(source))
        | DbErr::Query(RuntimeErr::SqlxError(source)) => {
            let meaning = meaning_of(&source);
            meaning.of(Box::new(source))
        }
        DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => StoreError::Unavailable(Box::new(error)),
        other => StoreError::Fault(Box::new(other)),
    }
}

/// The error of the port for a row that came, and whose values are not of the types they should be.
pub(crate) fn row_error(error: &DbErr) -> StoreError {
    StoreError::Inconsistent {
        table: "(of the statement)",
        column: "(see below)",
        row: "(not known)".to_owned(),
        problem: error.to_string(),
    }
}

/// Whether somebody else holds a lock on the `SQLite` database.
pub(crate) fn is_busy(error: &DbErr) -> bool {
    let (DbErr::Conn(RuntimeErr::SqlxError(source))
    | DbErr::Exec(RuntimeErr::SqlxError(source))
    | DbErr::Query(RuntimeErr::SqlxError(source))) = error
    else {
        return false;
    };
    let code = source
        .as_database_error()
        .filter(|error| is_sqlite(*error))
        .and_then(|error| error.code()?.parse::<u32>().ok());
    code.is_some_and(|code| code & 0xff == 5)
}

fn is_sqlite(error: &dyn DatabaseError) -> bool {
    error
        .try_downcast_ref::<sea_orm::SqlxSqliteError>()
        .is_some()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Conflict,
    Unavailable,
    Fault,
}

impl Meaning {
    fn of(self, source: Box<dyn Error + Send + Sync>) -> StoreError {
        match self {
            Self::Conflict => StoreError::Conflict(source),
            Self::Unavailable => StoreError::Unavailable(source),
            Self::Fault => StoreError::Fault(source),
        }
    }
}

fn meaning_of(error: &SqlxError) -> Meaning {
    match error {
        SqlxError::Database(error) => meaning_of_code(error.as_ref()),
        SqlxError::Io(_)
        | SqlxError::Tls(_)
        | SqlxError::Protocol(_)
        | SqlxError::PoolTimedOut
        | SqlxError::PoolClosed
        | SqlxError::WorkerCrashed
        | SqlxError::BeginFailed => Meaning::Unavailable,
        _ => Meaning::Fault,
    }
}

fn meaning_of_code(error: &dyn DatabaseError) -> Meaning {
    let code = error.code().unwrap_or_default();
    if is_sqlite(error) {
        sqlite(code.parse().unwrap_or_default())
    } else {
        postgres(&code)
    }
}

/// By extended result code (<https://www.sqlite.org/rescode.html>).
const fn sqlite(code: u32) -> Meaning {
    match code {
        // BUSY_SNAPSHOT, CONSTRAINT_PRIMARYKEY, CONSTRAINT_UNIQUE, CONSTRAINT_ROWID.
        517 | 1555 | 2067 | 2579 => Meaning::Conflict,
        // PERM, BUSY, LOCKED, READONLY, IOERR, FULL, CANTOPEN, PROTOCOL, in all their forms.
        _ if matches!(code & 0xff, 3 | 5 | 6 | 8 | 10 | 13 | 14 | 15) => Meaning::Unavailable,
        _ => Meaning::Fault,
    }
}

/// By SQLSTATE (PostgreSQL's appendix A).
fn postgres(code: &str) -> Meaning {
    match code {
        // Serialization failure, deadlock, unique violation, lock not available.
        "40001" | "40P01" | "23505" | "55P03" => Meaning::Conflict,
        // The statement took too long, the transaction idled, the server has become a standby.
        "57014" | "25P03" | "25006" => Meaning::Unavailable,
        // Connection, resources, operator intervention, system.
        _ if ["08", "53", "57", "58"]
            .iter()
            .any(|class| code.starts_with(class)) =>
        {
            Meaning::Unavailable
        }
        _ => Meaning::Fault,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_mean_what_a_use_case_decides_by() {
        assert_eq!(sqlite(5), Meaning::Unavailable);
        assert_eq!(sqlite(261), Meaning::Unavailable, "BUSY_RECOVERY");
        assert_eq!(sqlite(2067), Meaning::Conflict);
        assert_eq!(sqlite(787), Meaning::Fault, "CONSTRAINT_FOREIGNKEY");
        assert_eq!(sqlite(1811), Meaning::Fault, "CONSTRAINT_TRIGGER");
        assert_eq!(sqlite(11), Meaning::Fault, "CORRUPT");
        assert_eq!(postgres("40001"), Meaning::Conflict);
        assert_eq!(postgres("23505"), Meaning::Conflict);
        assert_eq!(postgres("23503"), Meaning::Fault);
        assert_eq!(postgres("57P01"), Meaning::Unavailable);
        assert_eq!(postgres("P0001"), Meaning::Fault);
    }
}
