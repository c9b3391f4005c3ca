//! Which adapter stands behind which port, as the configuration says.

use std::sync::Arc;

use slipway_application::Context;
use slipway_files::Directory;
use slipway_kernel::StoreError;
use slipway_sql::{Options, SchemaError, SqlStore};

use crate::cli::Failure;
use crate::config::{Config, DatabaseUrl};
use crate::secret::SecretError;
use crate::serve::Process;
use crate::system::SystemSecrets;

/// The database that requests use.
pub fn database(config: &Config) -> Result<Options, SecretError> {
    let url = config.database_url()?;
    Ok(options(config, url.url.expose()))
}

/// The database as migrations use it: with the role that may change the schema, where one is configured.
pub fn migration_database(config: &Config) -> Result<Options, SecretError> {
    let url = config.database.migration_url.as_ref().map(DatabaseUrl::resolve);
    match url {
        Some(url) => Ok(options(config, url?.url.expose())),
        None => database(config),
    }
}

fn options(config: &Config, url: &str) -> Options {
    Options {
        max_connections: config.database.max_connections,
        acquire_timeout: config.database.acquire_timeout,
        ..Options::new(with_file_mode(url))
    }
}

/// A SQLite file is made where there is none, unless the address says otherwise.
fn with_file_mode(url: &str) -> String {
    match url.strip_prefix("sqlite:") {
        Some(path) if !path.contains('?') => {
            let path = path.strip_prefix("//").unwrap_or(path);
            format!("sqlite://{path}?mode=rwc")
        }
        _ => url.to_owned(),
    }
}

/// Brings the schema up to date, and says which migrations were added.
pub async fn migrate(config: &Config) -> Result<Vec<String>, Failure> {
    make_state_directory(config)?;
    let options = migration_database(config)?;
    Ok(slipway_sql::migrate(&options).await.map_err(|error| match error {
        SchemaError::Newer { .. } => error,
        SchemaError::Store(source) => SchemaError::Store(source),
    })?)
}

/// Everything that use cases need, on a database whose schema is up to date.
pub async fn context(config: &Config, process: &Process) -> Result<Arc<Context>, Failure> {
    let store = SqlStore::connect(&database(config)?).await?;
    Ok(Arc::new(Context::new(
        Arc::new(store),
        Arc::new(Directory::new(config.objects_directory())),
        Arc::clone(&process.clock),
        Arc::clone(&process.ids),
        Arc::new(SystemSecrets),
    )))
}
