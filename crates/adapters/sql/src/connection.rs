//! Connections: how they are set up, and how statements run on them, be it on a pool or in a transaction.

use std::time::Duration;

use sea_orm::{
    ConnectOptions, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend,
    FromQueryResult, SqlxPostgresConnector, SqlxSqliteConnector, Statement, Value,
    sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};
use slipway_kernel::PageSize;
use slipway_store::StoreError;

use crate::{
    Options,
    error::{is_busy, row_error, store_error},
    lanes::Lanes,
};

/// How long `SQLite` waits for a lock that another process holds (a backup, the command line).
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How often and after which pause the journal of a new `SQLite` file is set again where somebody else does the same.
const JOURNAL_ATTEMPTS: u32 = 50;
const JOURNAL_PAUSE: Duration = Duration::from_millis(100);
/// How long a statement may run on `PostgreSQL`: longer than any of ours should, shorter than a caller waits.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(30);
/// After how long a connection nobody needs is closed.
const IDLE_TIMEOUT: Duration = Duration::from_mins(1);
/// A pinged connection costs a round trip, so only those are pinged that a firewall may have dropped.
const PING_AFTER_IDLE: Duration = Duration::from_secs(30);

/// Which database it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

impl Dialect {
    /// `postgres` on `PostgreSQL` and nothing on `SQLite`: for row locks, which a database with one writer has no need
    /// of.
    pub(crate) const fn postgres_only(self, postgres: &'static str) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => postgres,
        }
    }

    /// Now by the database's own clock, in microseconds since the epoch: the moment of the statement rather than that of
    /// the transaction's beginning.
    pub(crate) const fn now(self) -> &'static str {
        match self {
            Self::Sqlite => "CAST(unixepoch('subsec') * 1000000 AS INTEGER)",
            Self::Postgres => "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)",
        }
    }
}

/// What statements run on.
#[derive(Debug)]
pub(crate) enum Connection {
    /// Any free connection of a pool, each statement for itself; by lanes, where there are any.
    Pool(DatabaseConnection, Option<Lanes>),
    /// One transaction.
    Transaction(DatabaseTransaction),
}

impl Connection {
    pub(crate) fn dialect(&self) -> Dialect {
        match self.backend() {
            DbBackend::Postgres => Dialect::Postgres,
            _ => Dialect::Sqlite,
        }
    }

    /// Closes what reads keep.
    pub(crate) async fn let_go(&self) {
        if let Self::Pool(_, Some(lanes)) = self {
            lanes.close().await;
        }
    }

    fn backend(&self) -> DbBackend {
        match self {
            Self::Pool(pool, _) => pool.get_database_backend(),
            Self::Transaction(transaction) => transaction.get_database_backend(),
        }
    }

    /// Runs a statement and says how many rows it changed.
    pub(crate) async fn execute(
        &self,
        sql: impl Into<String>,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<u64, StoreError> {
        let statement = Statement::from_sql_and_values(self.backend(), sql, values);
        let result = match self {
            Self::Pool(_, Some(lanes)) => lanes.execute(&statement).await,
            Self::Pool(pool, None) => pool
                .execute_raw(statement)
                .await
                .map(|done| done.rows_affected()),
            Self::Transaction(transaction) => transaction
                .execute_raw(statement)
                .await
                .map(|done| done.rows_affected()),
        };
        result.map_err(store_error)
    }

    /// Runs a statement and reads the rows it answers with.
    pub(crate) async fn all<R: FromQueryResult>(
        &self,
        sql: impl Into<String>,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<Vec<R>, StoreError> {
        let statement = Statement::from_sql_and_values(self.backend(), sql, values);
        let rows = match self {
            Self::Pool(_, Some(lanes)) => lanes.all(&statement).await,
            Self::Pool(pool, None) => pool.query_all_raw(statement).await,
            Self::Transaction(transaction) => transaction.query_all_raw(statement).await,
        };
        rows.map_err(store_error)?
            .iter()
            .map(|row| R::from_query_result(row, "").map_err(|error| row_error(&error)))
            .collect()
    }

    /// Runs a statement that answers with one row or none.
    pub(crate) async fn one<R: FromQueryResult>(
        &self,
        sql: impl Into<String>,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<Option<R>, StoreError> {
        let statement = Statement::from_sql_and_values(self.backend(), sql, values);
        let row = match self {
            Self::Pool(_, Some(lanes)) => lanes
                .all(&statement)
                .await
                .map(|rows| rows.into_iter().next()),
            Self::Pool(pool, None) => pool.query_one_raw(statement).await,
            Self::Transaction(transaction) => transaction.query_one_raw(statement).await,
        };
        row.map_err(store_error)?
            .map(|row| R::from_query_result(&row, "").map_err(|error| row_error(&error)))
            .transpose()
    }
}

/// `($1, $2), ($3, $4)`: the rows of an insert.
pub(crate) fn placeholders(rows: usize, columns: usize) -> String {
    let row = |row: usize| {
        let values: Vec<_> = (1..=columns)
            .map(|column| format!("${}", row * columns + column))
            .collect();
        format!("({})", values.join(", "))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}

/// `$1, $2, $3`: the values of an `IN`.
pub(crate) fn list(values: usize) -> String {
    let values: Vec<_> = (1..=values).map(|value| format!("${value}")).collect();
    values.join(", ")
}

/// The limit of a page: one row more than it has, which says whether another page follows.
pub(crate) fn limit(size: PageSize) -> Value {
    (i64::from(size.get()) + 1).into()
}

/// How many values a statement has at most. `SQLite` takes 32,766, but it finds the name of each by a walk over all
/// (`sqlite3_bind_parameter_name`), so that binding costs the square of their number: at 15,000 it takes most of an
/// import's time. At 1,000 that is lost in the noise, and so are the round trips that smaller statements cost.
pub(crate) const VALUES_PER_STATEMENT: usize = 1_000;

/// How many rows of `columns` values go into one statement, on both databases.
pub(crate) const fn rows_per_statement(columns: usize) -> usize {
    VALUES_PER_STATEMENT / columns
}

/// The one connection that writes to a `SQLite` database.
pub(crate) async fn sqlite_writer(options: &Options) -> Result<DatabaseConnection, StoreError> {
    let mut connect = common(options);
    connect
        .min_connections(1)
        .max_connections(1)
        .idle_timeout(None)
        .map_sqlx_sqlite_opts(|sqlite| {
            sqlite_settings(sqlite)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Full)
                // Without it, INSERT OR REPLACE would pass by the triggers that keep facts.
                .pragma("recursive_triggers", "on")
                .pragma("cache_size", "-4096")
                // What a long import leaves behind is given back.
                .pragma("journal_size_limit", "67108864")
        });
    // Where several open a new file at once, setting the journal fails at once instead of waiting as other locks do.
    for _ in 0..JOURNAL_ATTEMPTS {
        match SqlxSqliteConnector::connect(connect.clone()).await {
            Err(error) if is_busy(&error) => tokio::time::sleep(JOURNAL_PAUSE).await,
            connected => return connected.map_err(store_error),
        }
    }
    SqlxSqliteConnector::connect(connect)
        .await
        .map_err(store_error)
}

/// The connections that read from a `SQLite` database.
pub(crate) async fn sqlite_readers(options: &Options) -> Result<DatabaseConnection, StoreError> {
    let mut connect = common(options);
    connect
        .max_connections(options.max_connections.max(1))
        .map_sqlx_sqlite_opts(|sqlite| {
            sqlite_settings(sqlite)
                .create_if_missing(false)
                .pragma("query_only", "on")
                .pragma("cache_size", "-2048")
        });
    SqlxSqliteConnector::connect(connect)
        .await
        .map_err(store_error)
}

fn sqlite_settings(sqlite: SqliteConnectOptions) -> SqliteConnectOptions {
    sqlite
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        .pragma("temp_store", "memory")
        // Pages come from the operating system's cache; mapped ones would count as ours.
        .pragma("mmap_size", "0")
}

/// The connections to a `PostgreSQL` database.
pub(crate) async fn postgres(options: &Options) -> Result<DatabaseConnection, StoreError> {
    let mut connect = common(options);
    let idle = options.idle_timeout.as_millis().to_string();
    connect
        .max_connections(options.max_connections.max(1))
        .test_before_acquire_if_idle_for(PING_AFTER_IDLE)
        .statement_timeout(STATEMENT_TIMEOUT)
        .map_sqlx_postgres_opts(move |postgres| {
            postgres.options([
                ("idle_in_transaction_session_timeout", idle.as_str()),
                ("default_transaction_isolation", "read committed"),
                // Compiling a statement takes longer than any of ours should run.
                ("jit", "off"),
                ("plan_cache_mode", "force_generic_plan"),
            ])
        });
    SqlxPostgresConnector::connect(connect)
        .await
        .map_err(store_error)
}

/// One connection to a `PostgreSQL` database whose statements may take as long as they need.
pub(crate) async fn postgres_patient(options: &Options) -> Result<DatabaseConnection, StoreError> {
    let mut connect = common(options);
    connect
        .max_connections(1)
        .idle_timeout(None)
        .max_lifetime(None);
    SqlxPostgresConnector::connect(connect)
        .await
        .map_err(store_error)
}

fn common(options: &Options) -> ConnectOptions {
    let mut connect = ConnectOptions::new(options.url.clone());
    connect
        .acquire_timeout(options.acquire_timeout)
        .idle_timeout(IDLE_TIMEOUT)
        .test_before_acquire(false)
        .set_application_name("slipway")
        .sqlx_logging(false)
        .record_stmt_in_spans(false);
    connect
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_count_on() {
        assert_eq!(placeholders(2, 3), "($1, $2, $3), ($4, $5, $6)");
    }

    async fn asked(connection: &DatabaseConnection, question: &str) -> String {
        let statement = Statement::from_string(connection.get_database_backend(), question);
        let row = connection.query_one_raw(statement).await;
        let row = row.expect(question).expect("a row");
        row.try_get_by_index::<i64>(0)
            .map(|number| number.to_string())
            .or_else(|_| row.try_get_by_index(0))
            .expect("a number or a text")
    }

    #[tokio::test]
    async fn sqlite_is_durable_strict_and_modest() {
        let directory = tempfile::tempdir().expect("a directory");
        let options = Options::sqlite_file(&directory.path().join("slipway.db"));
        let writer = sqlite_writer(&options).await.expect("connected");
        for (pragma, expected) in [
            ("journal_mode", "wal"),
            ("synchronous", "2"),
            ("foreign_keys", "1"),
            ("recursive_triggers", "1"),
            ("busy_timeout", "5000"),
            ("mmap_size", "0"),
            ("cache_size", "-4096"),
        ] {
            let set = asked(&writer, &format!("PRAGMA {pragma}")).await;
            assert_eq!(set, expected, "{pragma}");
        }
        let readers = sqlite_readers(&options).await.expect("connected");
        let written = readers.execute_unprepared("CREATE TABLE t (id INT)").await;
        assert!(written.is_err(), "a reader wrote");
    }

    #[tokio::test]
    async fn postgres_has_limits() {
        let Some(database) = slipway_test_support::postgres::database().await else {
            return;
        };
        let pool = postgres(&Options::new(database.url()))
            .await
            .expect("connected");
        for (setting, expected) in [
            ("statement_timeout", "30s"),
            ("idle_in_transaction_session_timeout", "1min"),
            ("transaction_isolation", "read committed"),
            ("jit", "off"),
            ("application_name", "slipway"),
        ] {
            let set = asked(&pool, &format!("SHOW {setting}")).await;
            assert_eq!(set, expected, "{setting}");
        }
    }
}
