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
        self, AssertSqlSafe, PgConnection, PgPool, Postgres, pool::PoolConnection, query::Query,
    },
};
use sea_query_sqlx::SqlxValues;
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};

/// How long a connection is kept before the pool gets it back, and looks whether it is too old.
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

    /// Runs a statement that only reads, and may be run again: a kept connection can have died meanwhile.
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
    pub(crate) async fn execute(&self, statement: &Statement) -> Result<(), DbErr> {
        let _permit = self.permit().await?;
        let kept = match self.take() {
            Some(kept) => kept,
            None => self.fresh().await?,
        };
        let execute = async |connection: &mut PgConnection| {
            query(statement).execute(connection).await.map(drop)
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

    fn take(&self) -> Option<Kept> {
        self.kept().pop()
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

/// Whether the server said it, so that the connection is good.
fn is_answer(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(_))
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
