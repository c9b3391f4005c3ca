//! Which servers are on a `PostgreSQL` database: one that believes to be alone, or several that know of each other.

use std::time::Duration;

use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};
use slipway_store::StoreError;

use crate::{
    Options,
    connection::{self, Dialect},
    error::store_error,
};

/// The advisory lock that every server holds: alone, or shared with others. "presence" in ASCII.
const LOCK: i64 = 0x7072_6573_656e_6365;
/// How often, and how long apart, the lock is tried: the database may not have noticed yet that a server has ended.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(250);

/// The mark of one server on its database. It lasts until it is dropped or the process ends.
#[derive(Debug)]
pub struct Presence {
    _connection: Option<DatabaseConnection>,
}

impl Presence {
    /// Marks that a server is here: one of several where `shared`, else the only one. `None` where a server is here
    /// that does not allow it. On `SQLite`, where a file's own lock serves, there is nothing to mark.
    pub async fn mark(options: &Options, shared: bool) -> Result<Option<Self>, StoreError> {
        if options.dialect()? == Dialect::Sqlite {
            return Ok(Some(Self { _connection: None }));
        }
        let connection = connection::postgres_patient(options).await?;
        let suffix = if shared { "_shared" } else { "" };
        for attempt in 1..=TRIES {
            if locked(&connection, suffix).await? {
                return Ok(Some(Self {
                    _connection: Some(connection),
                }));
            }
            if attempt < TRIES {
                tokio::time::sleep(PAUSE).await;
            }
        }
        Ok(None)
    }
}

async fn locked(connection: &DatabaseConnection, suffix: &str) -> Result<bool, StoreError> {
    let statement = Statement::from_string(
        connection.get_database_backend(),
        format!("SELECT pg_try_advisory_lock{suffix}({LOCK}) AS locked"),
    );
    let row = connection
        .query_one_raw(statement)
        .await
        .map_err(store_error)?;
    match row {
        Some(row) => row.try_get("", "locked").map_err(store_error),
        None => Ok(false),
    }
}
