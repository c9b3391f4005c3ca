//! The databases under the servers: how they are made, and how a benchmark reaches into them by itself.

use std::path::{Path, PathBuf};

use rusqlite::OpenFlags;
use serde_json::{Value, json};
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, PgConnection, Row, postgres::PgConnectOptions,
};

use crate::Failure;

/// Which database a server runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backend {
    Sqlite,
    Postgres,
}

impl Backend {
    pub(crate) const ALL: [Self; 2] = [Self::Postgres, Self::Sqlite];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }

    /// An identifier made of a number: a byte that says of what, in hexadecimal, then the number.
    pub(crate) fn id(self, prefix: &str, number: &str) -> String {
        match self {
            Self::Sqlite => format!("unhex('{prefix}' || printf('%030x', {number}))"),
            Self::Postgres => {
                format!("('{prefix}' || lpad(to_hex(({number})::bigint), 30, '0'))::uuid")
            }
        }
    }
}

/// One database.
#[derive(Debug, Clone)]
pub(crate) enum Database {
    /// A file.
    Sqlite(PathBuf),
    /// An address.
    Postgres(String),
}

impl Database {
    /// As `database.url` names it.
    pub(crate) fn url(&self) -> String {
        match self {
            Self::Sqlite(path) => format!("sqlite:{}", path.display()),
            Self::Postgres(url) => url.clone(),
        }
    }

    pub(crate) const fn backend(&self) -> Backend {
        match self {
            Self::Sqlite(_) => Backend::Sqlite,
            Self::Postgres(_) => Backend::Postgres,
        }
    }

    /// Runs statements that fill the database: fast, without foreign keys and without waiting for the disk.
    pub(crate) async fn fill(&self, statements: &[String]) -> Result<(), Failure> {
        match self {
            Self::Sqlite(path) => {
                let connection = open(path)?;
                connection.execute_batch("PRAGMA foreign_keys = off; PRAGMA synchronous = off; PRAGMA cache_size = -262144; BEGIN IMMEDIATE")?;
                for statement in statements {
                    connection
                        .execute_batch(statement)
                        .map_err(|error| format!("{error} in {statement}"))?;
                }
                connection.execute_batch("COMMIT; PRAGMA wal_checkpoint(TRUNCATE)")?;
            }
            Self::Postgres(url) => {
                let mut connection = connect(url).await?;
                let settings = "SET session_replication_role = replica; SET synchronous_commit = off; SET work_mem = '256MB'";
                for statement in [settings]
                    .into_iter()
                    .chain(statements.iter().map(String::as_str))
                {
                    sqlx::raw_sql(AssertSqlSafe(statement))
                        .execute(&mut connection)
                        .await
                        .map_err(|error| format!("{error} in {statement}"))?;
                }
                execute(&mut connection, "VACUUM ANALYZE").await?;
                execute(&mut connection, "CHECKPOINT").await?;
                connection.close().await?;
            }
        }
        Ok(())
    }

    /// How durable a commit of the server on this database is.
    pub(crate) async fn durability(&self) -> Result<Value, Failure> {
        Ok(match self {
            Self::Sqlite(path) => {
                let connection = open(path)?;
                let mode: String =
                    connection.query_row("PRAGMA journal_mode", [], |row| row.get(0))?;
                json!({"journal_mode": mode, "synchronous": "full (set by the server on its writing connection)"})
            }
            Self::Postgres(url) => {
                let mut connection = connect(url).await?;
                let mut settings = serde_json::Map::new();
                for name in [
                    "fsync",
                    "synchronous_commit",
                    "full_page_writes",
                    "wal_sync_method",
                ] {
                    let value = text(
                        &mut connection,
                        &format!("SELECT current_setting('{name}')"),
                    )
                    .await?;
                    settings.insert(name.to_owned(), json!(value));
                }
                connection.close().await?;
                Value::Object(settings)
            }
        })
    }
}

/// Opens a SQLite file that is there.
pub(crate) fn open(path: &Path) -> Result<rusqlite::Connection, Failure> {
    let connection = rusqlite::Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(std::time::Duration::from_secs(10))?;
    Ok(connection)
}

/// Connects to a `PostgreSQL` database.
pub(crate) async fn connect(url: &str) -> Result<PgConnection, Failure> {
    let options: PgConnectOptions = url.parse()?;
    Ok(options.disable_statement_logging().connect().await?)
}

/// One number.
pub(crate) async fn number(connection: &mut PgConnection, sql: &str) -> Result<i64, Failure> {
    let row = sqlx::query(AssertSqlSafe(sql))
        .fetch_one(connection)
        .await?;
    Ok(row.try_get(0)?)
}

/// One text.
pub(crate) async fn text(connection: &mut PgConnection, sql: &str) -> Result<String, Failure> {
    let row = sqlx::query(AssertSqlSafe(sql))
        .fetch_one(connection)
        .await?;
    Ok(row.try_get(0)?)
}

/// Runs statements one after the other.
pub(crate) async fn execute(connection: &mut PgConnection, sql: &str) -> Result<(), Failure> {
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(connection)
        .await?;
    Ok(())
}
