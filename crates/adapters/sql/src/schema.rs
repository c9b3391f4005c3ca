//! The schema: bringing it up to date, and saying how far it is.

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbErr, SqliteTransactionMode, Statement,
    TransactionOptions, TransactionTrait,
};
use slipway_migration::{Migrator, MigratorTrait};
use slipway_store::StoreError;

use crate::{Options, connection, connection::Dialect, error::store_error};

/// The advisory lock that whoever migrates holds on `PostgreSQL`: "slipway" in ASCII.
const LOCK: i64 = 0x0073_6c69_7077_6179;

/// Which migrations a database has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaState {
    /// Those it has, oldest first.
    pub applied: Vec<String>,
    /// Those this version of Slipway would add, oldest first.
    pub pending: Vec<String>,
}

/// Why a schema can't be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// A newer version of Slipway has been here.
    #[error(
        "the database's schema is newer ({found}) than this version of Slipway knows ({known}); run a newer version, \
         or restore the backup made before the upgrade"
    )]
    Newer {
        /// The newest migration that the database has.
        found: String,
        /// The newest migration that this version knows.
        known: String,
    },
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Brings the schema up to date and returns the migrations that were added, oldest first. Several at once wait for one
/// another, and all but the first find nothing to do.
pub async fn migrate(options: &Options) -> Result<Vec<String>, SchemaError> {
    match options.dialect()? {
        Dialect::Sqlite => {
            let database = connection::sqlite_writer(options).await?;
            let added = migrate_sqlite(&database).await;
            close(&database).await?;
            added
        }
        Dialect::Postgres => {
            let database = connection::postgres_patient(options).await?;
            let added = migrate_postgres(&database).await;
            // Ends the session, and with it the lock.
            close(&database).await?;
            added
        }
    }
}

/// Which migrations the database has; it changes nothing. It answers [`SchemaError::Newer`] as [`migrate`] does.
pub async fn schema_state(options: &Options) -> Result<SchemaState, SchemaError> {
    let database = match options.dialect()? {
        Dialect::Sqlite => connection::sqlite_readers(options).await?,
        Dialect::Postgres => connection::postgres_patient(options).await?,
    };
    let state = state(&database).await;
    close(&database).await?;
    state
}

/// Lets a `PostgreSQL` role that does not own the schema do what the server needs, and no more (see
/// [`slipway_migration::grant_application_role`]). `options` are the schema owner's.
pub async fn grant_application_role(options: &Options, role: &str) -> Result<(), StoreError> {
    if options.dialect()? == Dialect::Sqlite {
        return Ok(());
    }
    let database = connection::postgres_patient(options).await?;
    let granted = slipway_migration::grant_application_role(&database, role).await;
    close(&database).await?;
    granted.map_err(store_error)
}

async fn migrate_sqlite(database: &DatabaseConnection) -> Result<Vec<String>, SchemaError> {
    let transaction = database
        .begin_with_options(TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        })
        .await
        .map_err(store_error)?;
    let SchemaState { pending, .. } = state(&transaction).await?;
    if !pending.is_empty() {
        Migrator::up(&transaction, None)
            .await
            .map_err(store_error)?;
        transaction.commit().await.map_err(store_error)?;
    }
    Ok(pending)
}

async fn migrate_postgres(database: &DatabaseConnection) -> Result<Vec<String>, SchemaError> {
    let lock = Statement::from_sql_and_values(
        database.get_database_backend(),
        "SELECT pg_advisory_lock($1)",
        [LOCK.into()],
    );
    database.execute_raw(lock).await.map_err(store_error)?;
    let SchemaState { pending, .. } = state(database).await?;
    if !pending.is_empty() {
        Migrator::up(database, None).await.map_err(store_error)?;
    }
    Ok(pending)
}

/// The library refuses a database with unknown migrations too, but does not say which is the newest.
async fn state<C: ConnectionTrait>(database: &C) -> Result<SchemaState, SchemaError> {
    let known: Vec<String> = Migrator::get_migration_files()
        .iter()
        .map(|migration| migration.name().to_owned())
        .collect();
    let applied = applied(database).await.map_err(store_error)?;
    let newest = applied.iter().filter(|name| !known.contains(name)).max();
    if let Some(found) = newest {
        return Err(SchemaError::Newer {
            found: found.clone(),
            known: known.into_iter().max().unwrap_or_default(),
        });
    }
    let pending = known
        .into_iter()
        .filter(|name| !applied.contains(name))
        .collect();
    Ok(SchemaState { applied, pending })
}

async fn applied<C: ConnectionTrait>(database: &C) -> Result<Vec<String>, DbErr> {
    let backend = database.get_database_backend();
    let exists = match backend {
        sea_orm::DbBackend::Postgres => {
            "SELECT 1 FROM pg_class WHERE oid = to_regclass('seaql_migrations')"
        }
        _ => "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'seaql_migrations'",
    };
    let exists = Statement::from_string(backend, exists);
    if database.query_one_raw(exists).await?.is_none() {
        return Ok(Vec::new());
    }
    let versions = "SELECT version FROM seaql_migrations ORDER BY version";
    database
        .query_all_raw(Statement::from_string(backend, versions))
        .await?
        .iter()
        .map(|row| row.try_get_by_index(0))
        .collect()
}

async fn close(database: &DatabaseConnection) -> Result<(), StoreError> {
    database.close_by_ref().await.map_err(store_error)
}
