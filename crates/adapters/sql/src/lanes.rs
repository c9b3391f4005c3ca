//! Connections that single statements keep for a while, on `PostgreSQL`.
//!
//! Whenever the pool gets a connection back it asks the server a question, in a task of its own. That is as much work as
//! most of our statements are, so those that stand alone have pools of their own, reads one and writes another, and keep
//! their connections instead of giving them back each time.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use sea_orm::{
    ConnAcquireErr, DbErr, QueryResult, RuntimeErr, Statement,
    sqlx::{
        self, AssertSqlSafe, PgConnection, PgPool, Postgres,
        pool::PoolConnection,
        postgres::{PgDatabaseError, PgSeverity},
        query::Query,
    },
};
use sea_query_sqlx::SqlxValues;
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};

/// How long a connection is kept before the pool gets it back, and looks whether it is good and not too old.
const KEPT_FOR: Duration = Duration::from_mins(1);

/// The connections of a pool that nobody else uses.
pub(crate) struct Lanes {
    pool: PgPool,
    permits: Semaphore,
    kept: Mutex<Vec<Kept>>,
    patience: Duration,
}

struct Kept {
    connection: PoolConnection<Postgres>,
    since: Instant,
}

impl Lanes {
    /// As many lanes as the pool has connections.
    pub(crate) fn of(pool: &PgPool) -> Self {
        let options = pool.options();
        Self {
            pool: pool.clone(),
            permits: Semaphore::new(options.get_max_connections() as usize),
            kept: Mutex::default(),
            patience: options.get_acquire_timeout(),
        }
    }

    /// Takes no more statements, and closes its connections.
    pub(crate) async fn close(&self) {
        self.permits.close();
        self.kept().clear();
        self.pool.close().await;
    }

    /// Runs a statement that changes nothing a second run would not leave the same (it may draw numbers), because it may
    /// be run again: a kept connection can have died meanwhile.
    pub(crate) async fn all(&self, statement: &Statement) -> Result<Vec<QueryResult>, DbErr> {
        let _permit = self.permit().await?;
        let fetch = async |connection: &mut PgConnection| {
            let rows = query(statement).fetch_all(connection).await?;
            Ok(rows.into_iter().map(QueryResult::from).collect())
        };
        if let Some(kept) = self.take() {
            match self.run(kept, fetch).await {
                Err(error) if !is_answer(&error) => {}
                result => return result.map_err(failed),
            }
        }
        let fresh = self.fresh().await?;
        self.run(fresh, fetch).await.map_err(failed)
    }

    /// Runs a statement that writes. It is not run again: of a connection that died nobody knows what it still carried.
    pub(crate) async fn execute(&self, statement: &Statement) -> Result<u64, DbErr> {
        let _permit = self.permit().await?;
        let kept = match self.take() {
            Some(kept) => kept,
            None => self.fresh().await?,
        };
        let execute = async |connection: &mut PgConnection| {
            let done = query(statement).execute(connection).await?;
            Ok(done.rows_affected())
        };
        self.run(kept, execute).await.map_err(failed)
    }

    async fn permit(&self) -> Result<SemaphorePermit<'_>, DbErr> {
        timeout(self.patience, self.permits.acquire())
            .await
            .map_err(|_| DbErr::ConnectionAcquire(ConnAcquireErr::Timeout))?
            .map_err(|_| DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed))
    }

    async fn fresh(&self) -> Result<Kept, DbErr> {
        let connection = self.pool.acquire().await.map_err(failed)?;
        let since = Instant::now();
        Ok(Kept { connection, since })
    }

    /// The connection is kept where the server answered. One whose answer nobody waited for goes back to the pool, which
    /// sets it right.
    async fn run<T>(
        &self,
        mut kept: Kept,
        statement: impl AsyncFnOnce(&mut PgConnection) -> Result<T, sqlx::Error>,
    ) -> Result<T, sqlx::Error> {
        let result = statement(&mut kept.connection).await;
        if result.as_ref().err().is_none_or(is_answer) && kept.since.elapsed() < KEPT_FOR {
            self.kept().push(kept);
        }
        result
    }

    /// The connection used last. What nobody has used for as long as connections are kept goes back to the pool.
    fn take(&self) -> Option<Kept> {
        let mut kept = self.kept();
        kept.retain(|kept| kept.since.elapsed() < KEPT_FOR);
        kept.pop()
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Vec<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn query(statement: &Statement) -> Query<'_, Postgres, SqlxValues> {
    let values = statement.values.clone().map(|values| values.0);
    sqlx::query_with(
        AssertSqlSafe(statement.sql.as_str()),
        SqlxValues(sea_orm::sea_query::Values(values.unwrap_or_default())),
    )
}

/// Whether the server said it of the statement, so that the connection is good. A server that ends a connection says why,
/// and the next statement finds that.
fn is_answer(error: &sqlx::Error) -> bool {
    let error = error.as_database_error();
    error
        .and_then(|error| error.try_downcast_ref::<PgDatabaseError>())
        .is_some_and(|error| !matches!(error.severity(), PgSeverity::Fatal | PgSeverity::Panic))
}

fn failed(error: sqlx::Error) -> DbErr {
    match error {
        sqlx::Error::PoolTimedOut => DbErr::ConnectionAcquire(ConnAcquireErr::Timeout),
        sqlx::Error::PoolClosed => DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed),
        error => DbErr::Query(RuntimeErr::SqlxError(error.into())),
    }
}

impl fmt::Debug for Lanes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lanes").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use sea_orm::DbBackend;

    use super::*;
    use crate::{Options, connection::postgres};

    const END: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                       WHERE datname = current_database() AND pid <> pg_backend_pid()";

    async fn lanes(url: &str) -> Lanes {
        let pool = postgres(&Options::new(url)).await.expect("connected");
        Lanes::of(pool.get_postgres_connection_pool())
    }

    fn statement(sql: &str) -> Statement {
        Statement::from_string(DbBackend::Postgres, sql)
    }

    #[tokio::test]
    async fn an_ended_connection_is_not_kept() {
        let Some(database) = slipway_test_support::postgres::database().await else {
            return;
        };
        let (ours, others) = (lanes(database.url()).await, lanes(database.url()).await);
        let create = statement("CREATE TABLE t (id INT)");
        ours.execute(&create).await.expect("created");
        let insert = statement("INSERT INTO t VALUES (1)");
        let count = statement("SELECT id FROM t");

        others.all(&statement(END)).await.expect("ended");
        let lost = ours.execute(&insert).await;
        assert!(lost.is_err(), "a write was sent twice");
        assert_eq!(ours.kept().len(), 0, "a dead connection is kept");
        ours.execute(&insert).await.expect("inserted");

        others.all(&statement(END)).await.expect("ended");
        let rows = ours.all(&count).await.expect("a read is run again");
        assert_eq!(rows.len(), 1);

        // One that nobody used for long is asked before it is used again.
        others.all(&statement(END)).await.expect("ended");
        let mut kept = ours.take().expect("kept");
        kept.since = Instant::now().checked_sub(KEPT_FOR).expect("long ago");
        ours.kept().push(kept);
        ours.execute(&insert).await.expect("inserted");
        assert_eq!(ours.all(&count).await.expect("read").len(), 2);
    }

    #[tokio::test]
    async fn a_connection_whose_statement_failed_is_kept() {
        let Some(database) = slipway_test_support::postgres::database().await else {
            return;
        };
        let lanes = lanes(database.url()).await;
        let failed = lanes.execute(&statement("SELECT 1 / 0")).await;
        assert!(failed.is_err());
        assert_eq!(lanes.kept().len(), 1);
    }
}
