//! The store on `SQLite` (the default) and `PostgreSQL`.
//!
//! Statements are SQL text that both databases understand (`docs/decisions/0003-sql-as-text.md`); where they can't,
//! `connection::Dialect` has the words that differ. Rows are parsed into the types of the domain, and a row that no
//! version of Slipway would have written is [`slipway_store::StoreError::Inconsistent`].

mod approvals;
mod audit;
mod catalog;
mod connection;
mod deployments;
mod error;
mod freezes;
mod identity;
mod lanes;
mod ledger;
mod notifications;
mod options;
mod presence;
mod reader;
mod request;
mod row;
mod schema;
mod script;
mod snapshots;
mod unit_of_work;
mod values;
mod workflows;

pub use options::Options;
pub use presence::Presence;
pub use reader::SqlReader;
pub use schema::{SchemaError, SchemaState, grant_application_role, migrate, schema_state};
pub use unit_of_work::SqlUnitOfWork;

use std::sync::Arc;

use async_trait::async_trait;
use sea_orm::{
    AccessMode, DatabaseConnection, IsolationLevel, SqliteTransactionMode, TransactionOptions,
    TransactionTrait,
};
use slipway_audit::ChangeFeed;
use slipway_store::{Reader, Store, StoreError, UnitOfWork};

use crate::{
    audit::SharedHorizon,
    connection::{Connection, Dialect},
    error::store_error,
    lanes::Lanes,
    script::Script,
};

/// A database on `SQLite` or `PostgreSQL`, through pools of connections.
///
/// On `SQLite` one connection writes, one unit of work at a time, and the others read; on `PostgreSQL` one pool is for
/// transactions, and reads and units of work that write one statement have half as many connections each of their own.
#[derive(Debug, Clone)]
pub struct SqlStore {
    dialect: Dialect,
    writer: DatabaseConnection,
    readers: DatabaseConnection,
    reader: SqlReader,
    alone: Arc<Connection>,
    horizon: SharedHorizon,
}

impl SqlStore {
    /// Connects to a database whose schema is up to date (see [`migrate`]). It answers [`StoreError::Unavailable`]
    /// where the database can't be reached, and [`StoreError::Fault`] where the URL is of another kind.
    pub async fn connect(options: &Options) -> Result<Self, StoreError> {
        let dialect = options.dialect()?;
        let (writer, readers) = match dialect {
            Dialect::Sqlite => {
                // The writer first: it makes the file and sets its journal.
                let writer = connection::sqlite_writer(options).await?;
                (writer, connection::sqlite_readers(options).await?)
            }
            Dialect::Postgres => {
                let pool = connection::postgres(options).await?;
                (pool.clone(), pool)
            }
        };
        let (kept_for_reads, kept_for_units) = match dialect {
            Dialect::Sqlite => (None, None),
            Dialect::Postgres => (
                Some(half_as_many(options).await?),
                Some(half_as_many(options).await?),
            ),
        };
        let reader = SqlReader::new(Connection::Pool(readers.clone(), kept_for_reads));
        let alone = Arc::new(Connection::Pool(writer.clone(), kept_for_units));
        Ok(Self {
            dialect,
            writer,
            readers,
            reader,
            alone,
            horizon: SharedHorizon::default(),
        })
    }

    /// What the statements of units of work run on that need no transaction.
    fn alone(&self) -> &Connection {
        &self.alone
    }

    /// Closes all connections, once they are given back.
    pub async fn close(&self) -> Result<(), StoreError> {
        self.pool().let_go().await;
        self.alone.let_go().await;
        self.readers.close_by_ref().await.map_err(store_error)?;
        self.writer.close_by_ref().await.map_err(store_error)
    }

    fn pool(&self) -> &Connection {
        &self.reader.connection
    }

    async fn transaction(&self) -> Result<Connection, StoreError> {
        let options = match self.dialect {
            // A deferred transaction that turns into a writing one fails under concurrency instead of waiting.
            Dialect::Sqlite => TransactionOptions {
                sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
                ..TransactionOptions::default()
            },
            // READ COMMITTED, by the connection's settings.
            Dialect::Postgres => TransactionOptions::default(),
        };
        let transaction = self.writer.begin_with_options(options).await;
        Ok(Connection::Transaction(transaction.map_err(store_error)?))
    }
}

/// Connections that are kept, half as many as there are for transactions.
async fn half_as_many(options: &Options) -> Result<Lanes, StoreError> {
    let options = Options {
        max_connections: options.max_connections.div_ceil(2),
        ..options.clone()
    };
    let pool = connection::postgres(&options).await?;
    Ok(Lanes::of(pool.get_postgres_connection_pool()))
}

#[async_trait]
impl Store for SqlStore {
    async fn begin(&self) -> Result<Box<dyn UnitOfWork>, StoreError> {
        let begun = match self.dialect {
            // The only one that writes.
            Dialect::Sqlite => Some(self.transaction().await?),
            Dialect::Postgres => None,
        };
        let unit = SqlUnitOfWork::new(self.clone(), begun, Script::default());
        Ok(Box::new(unit))
    }

    fn reader(&self) -> &dyn Reader {
        &self.reader
    }

    async fn snapshot(&self) -> Result<Box<dyn Reader>, StoreError> {
        let options = match self.dialect {
            // The snapshot is taken by the first statement.
            Dialect::Sqlite => TransactionOptions {
                sqlite_transaction_mode: Some(SqliteTransactionMode::Deferred),
                ..TransactionOptions::default()
            },
            Dialect::Postgres => TransactionOptions {
                isolation_level: Some(IsolationLevel::RepeatableRead),
                access_mode: Some(AccessMode::ReadOnly),
                ..TransactionOptions::default()
            },
        };
        let transaction = self
            .readers
            .begin_with_options(options)
            .await
            .map_err(store_error)?;
        Ok(Box::new(SqlReader::new(Connection::Transaction(
            transaction,
        ))))
    }

    fn changes(&self) -> &dyn ChangeFeed {
        self
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.readers.ping().await.map_err(store_error)
    }
}
