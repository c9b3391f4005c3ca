//! Which adapter stands behind which port, as the configuration says.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use slipway_application::Context;
use slipway_files::Directory;
use slipway_sql::{Options, SqlStore};

use crate::cli::Failure;
use crate::config::{Config, DatabaseKind, ResolvedUrl};
use crate::operations::Probe;
use crate::serve::Process;
use crate::system::SystemSecrets;

/// Brings the schema up to date, and says which migrations were added.
pub async fn migrate(config: &Config) -> Result<Vec<String>, Failure> {
    Ok(slipway_sql::migrate(&migration_options(config)?).await?)
}

/// The database as migrations use it: with the role that may change the schema, where one is configured.
pub fn migration_options(config: &Config) -> Result<Options, Failure> {
    make_private_directory(&config.state.dir)?;
    match &config.database.migration_url {
        Some(url) => Ok(options(config, &url.resolve()?)),
        None => Ok(options(config, &config.database_url()?)),
    }
}

/// Everything that use cases need, on a database whose schema is up to date.
pub async fn context(config: &Config, process: &Process) -> Result<Arc<Context>, Failure> {
    let store = SqlStore::connect(&options(config, &config.database_url()?)).await?;
    Ok(Arc::new(Context::new(
        Arc::new(store),
        Arc::new(Directory::new(config.objects_directory())),
        Arc::clone(&process.clock),
        Arc::clone(&process.ids),
        Arc::new(SystemSecrets),
    )))
}

/// Keeps a second server off a SQLite file for as long as it lives: each would believe to be the only one.
pub struct OneServer {
    _lock: Option<fs::File>,
}

impl OneServer {
    /// Locks the state directory, where the database is a file.
    pub fn lock(config: &Config) -> Result<Self, Failure> {
        if config.database_url()?.kind() != Some(DatabaseKind::Sqlite) {
            return Ok(Self { _lock: None });
        }
        make_private_directory(&config.state.dir)?;
        let path = config.state.dir.join("server.lock");
        let lock = fs::File::create(&path)?;
        lock.try_lock().map_err(|_| {
            format!(
                "another server runs on `{}`; stop it, or choose another directory with SLIPWAY__STATE__DIR",
                config.state.dir.display()
            )
        })?;
        Ok(Self { _lock: Some(lock) })
    }
}

/// Whether the database answers.
pub struct DatabaseProbe(pub Arc<Context>);

#[async_trait]
impl Probe for DatabaseProbe {
    fn name(&self) -> &'static str {
        "database"
    }

    async fn probe(&self) -> Result<(), String> {
        self.0.store.ping().await.map_err(|error| error.to_string())
    }
}

/// Where the administrator's first token lies.
pub fn token_file(config: &Config) -> PathBuf {
    config.state.dir.join("admin.token")
}

/// Writes a secret to a file that only this user can read, whole or not at all.
pub fn write_private(path: &Path, secret: &str) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().make_in(folder, |path| {
        fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
    })?;
    std::io::Write::write_all(file.as_file_mut(), format!("{secret}\n").as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    fs::File::open(folder)?.sync_all()
}

fn make_private_directory(path: &Path) -> std::io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
}

fn options(config: &Config, url: &ResolvedUrl) -> Options {
    Options {
        max_connections: config.database.max_connections,
        acquire_timeout: config.database.acquire_timeout,
        ..Options::new(sqlite_file_made(url.url.expose()))
    }
}

/// An address of a SQLite file makes that file where there is none, unless it says otherwise.
fn sqlite_file_made(url: &str) -> String {
    match url.strip_prefix("sqlite:") {
        Some(path) if !path.contains('?') => {
            let path = path.strip_prefix("//").unwrap_or(path);
            Options::sqlite_file(Path::new(path)).url
        }
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sqlite_file_is_made_unless_the_address_says_otherwise() {
        assert_eq!(
            sqlite_file_made("sqlite:a b.db"),
            "sqlite://a b.db?mode=rwc"
        );
        assert_eq!(
            sqlite_file_made("sqlite:///var/x.db"),
            "sqlite:///var/x.db?mode=rwc"
        );
        assert_eq!(
            sqlite_file_made("sqlite:x.db?mode=ro"),
            "sqlite:x.db?mode=ro"
        );
        assert_eq!(
            sqlite_file_made("postgres://db/slipway"),
            "postgres://db/slipway"
        );
    }

    #[test]
    fn secrets_are_for_this_user_only() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.token");
        write_private(&path, "old").unwrap();
        write_private(&path, "secret").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "secret\n");
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
}
