//! Which adapter stands behind which port, as the configuration says.

use std::error::Error;
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use slipway_application::Context;
use slipway_application::outside::Repositories;
use slipway_files::Directory;
use slipway_identity::Issuers;
use slipway_identity::issuer::NoIssuers;
use slipway_sql::{Options, Presence, SqlStore};
use tokio::net::TcpStream;

use crate::cli::Failure;
use crate::config::{Config, ConfigError, DatabaseKind, Oidc, ResolvedUrl};
use crate::operations::Probe;
use crate::outside::{AllowedCourier, AllowedEngines, GitHubRepositories, LocalRepositories};
use crate::secret::SecretError;
use crate::serve::Process;
use crate::system::SystemSecrets;

/// How long a PostgreSQL server may take to accept a first connection.
const REACH_TIMEOUT: Duration = Duration::from_secs(5);

/// Brings the schema up to date, and says which migrations were added. Makes the database where it is a file.
pub async fn migrate(config: &Config) -> Result<Vec<String>, Failure> {
    let url = migration_url(config)?;
    match url.kind() {
        Some(DatabaseKind::Postgres) => reach(url.url.expose()).await?,
        _ => make_sqlite_file(config, url.url.expose())?,
    }
    Ok(slipway_sql::migrate(&options(config, &url)).await?)
}

/// The database as migrations use it: with the role that may change the schema, where one is configured.
pub fn migration_options(config: &Config) -> Result<Options, Failure> {
    Ok(options(config, &migration_url(config)?))
}

/// Fails where the database is a file that does not exist, so that a command in a wrong directory makes nothing there.
pub fn require_database(config: &Config) -> Result<(), Failure> {
    for url in [migration_url(config)?, config.database_url()?] {
        if let Some(path) = sqlite_path(url.url.expose())
            && !path.exists()
        {
            return Err(format!(
                "there is no database at `{}`; is this the right directory? set SLIPWAY__STATE__DIR, or name the \
                 server's configuration with --config",
                path.display()
            )
            .into());
        }
    }
    Ok(())
}

fn migration_url(config: &Config) -> Result<ResolvedUrl, SecretError> {
    match &config.database.migration_url {
        Some(url) => url.resolve(),
        None => config.database_url(),
    }
}

/// Everything that use cases need, on a database whose schema is up to date.
pub async fn context(config: &Config, process: &Process) -> Result<Arc<Context>, Failure> {
    let store = SqlStore::connect(&options(config, &config.database_url()?)).await?;
    let context = Context::new(
        Arc::new(store),
        Arc::new(Directory::new(config.objects_directory())),
        Arc::clone(&process.clock),
        Arc::clone(&process.ids),
        Arc::new(SystemSecrets),
    );
    let engines = AllowedEngines::new(config.engines.clone(), &config.engine_directories())?;
    let courier = AllowedCourier::new(
        config.notifications.clone(),
        config.smtp.clone(),
        Arc::clone(&process.clock),
    )?;
    Ok(Arc::new(
        context
            .with_outside(Arc::new(engines), repositories(config))
            .with_courier(Arc::new(courier))
            .with_issuers(issuers(config)?),
    ))
}

fn issuers(config: &Config) -> Result<Arc<dyn Issuers>, Failure> {
    if config.oidc.is_empty() {
        return Ok(Arc::new(NoIssuers));
    }
    let options: Result<Vec<_>, _> = config.oidc.iter().map(Oidc::options).collect();
    // The configuration was checked when it was loaded.
    let options = options.map_err(ConfigError::Invalid)?;
    Ok(Arc::new(slipway_oidc::Oidc::new(options)?))
}

fn repositories(config: &Config) -> Arc<dyn Repositories> {
    let folder = config.git_directory();
    match &config.git.github {
        Some(github) => {
            let may_run_ahead = !config.cluster || config.git.shared;
            Arc::new(GitHubRepositories::new(
                github.clone(),
                folder,
                may_run_ahead,
            ))
        }
        None => Arc::new(LocalRepositories::new(folder)),
    }
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
        let lock = private_file().open(&path).map_err(not_made(&path))?;
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

/// Tells other servers on the same database that this one is there. Without `cluster = true` it must be alone: servers
/// that don't know of each other may keep contents where the others can't find them.
pub async fn mark_presence(config: &Config) -> Result<Presence, Failure> {
    let options = options(config, &config.database_url()?);
    let presence = Presence::mark(&options, config.cluster).await?;
    presence.ok_or_else(|| {
        "another server runs on this database, and one of the two does not know that it is one of several; set \
         cluster = true on all of them, with an objects.directory and a git.directory that all of them see, and \
         objects.shared = true and git.shared = true"
            .into()
    })
}

/// Where the administrator's first token lies.
pub fn token_file(config: &Config) -> PathBuf {
    config.state.dir.join("admin.token")
}

/// Writes a secret to a file that only this user can read, whole or not at all, in place of one that is there. Errors
/// name the file.
pub fn write_private(path: &Path, secret: &str) -> io::Result<()> {
    keep_private(path, secret, true)
}

/// As [`write_private`], but fails with [`io::ErrorKind::AlreadyExists`] where the file is there already.
pub fn write_new_private(path: &Path, secret: &str) -> io::Result<()> {
    keep_private(path, secret, false)
}

fn keep_private(path: &Path, secret: &str, replace: bool) -> io::Result<()> {
    let keep = || {
        // The parent of a bare name is empty.
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let mut file = tempfile::Builder::new()
            .make_in(folder, |path| private_file().create_new(true).open(path))?;
        io::Write::write_all(file.as_file_mut(), format!("{secret}\n").as_bytes())?;
        file.as_file().sync_all()?;
        if replace {
            file.persist(path)?;
        } else {
            file.persist_noclobber(path)?;
        }
        fs::File::open(folder)?.sync_all()
    };
    keep().map_err(|error: io::Error| {
        // The system's own words: what is around them names a temporary file.
        let cause = error.source().map(ToString::to_string);
        let cause = cause.unwrap_or_else(|| error.to_string());
        let words = format!("`{}` can't be written: {cause}", path.display());
        io::Error::new(error.kind(), words)
    })
}

/// Opens, or makes for this user only.
fn private_file() -> fs::OpenOptions {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    options
}

fn make_private_directory(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(not_made(path))
}

/// Makes an empty database for this user only: SQLite gives its other files the same mode.
fn make_sqlite_file(config: &Config, url: &str) -> io::Result<()> {
    make_private_directory(&config.state.dir)?;
    // An address with parameters says itself whether a file is made.
    if let Some(path) = sqlite_path(url)
        && !url.contains('?')
    {
        private_file().open(&path).map_err(not_made(&path))?;
    }
    Ok(())
}

fn not_made(path: &Path) -> impl FnOnce(io::Error) -> io::Error {
    let path = path.display().to_string();
    move |error| {
        let words = format!("`{path}` can't be made or written: {error}");
        io::Error::new(error.kind(), words)
    }
}

/// Fails at once, and with the cause, where nobody answers at a PostgreSQL address: the pool tries on for
/// `database.acquire_timeout`, and then knows only that time ran out. Addresses other than a plain host are left to it.
async fn reach(url: &str) -> Result<(), Failure> {
    let Ok(uri) = url.parse::<http::Uri>() else {
        return Ok(());
    };
    let query = uri.query().unwrap_or_default();
    let Some(host) = uri.host().filter(|host| !host.contains('%')) else {
        return Ok(());
    };
    if ["host", "port"].iter().any(|name| query.contains(name)) || host.is_empty() {
        return Ok(());
    }
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let set = || std::env::var("PGPORT").ok()?.parse().ok();
    let port = uri.port_u16().or_else(set).unwrap_or(5432);
    let connected = tokio::time::timeout(REACH_TIMEOUT, TcpStream::connect((host, port))).await;
    let cause = match connected {
        Ok(Ok(_)) => return Ok(()),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer within {} s", REACH_TIMEOUT.as_secs()),
    };
    Err(format!(
        "PostgreSQL can't be reached at {host}:{port} ({cause}); is it running, and is database.url right?"
    )
    .into())
}

fn options(config: &Config, url: &ResolvedUrl) -> Options {
    let options = Options::new(sqlite_file_made(url.url.expose()));
    Options {
        max_connections: config.database.max_connections,
        acquire_timeout: config.database.acquire_timeout,
        // A server that stands still must not keep others from its deployments for longer than their leases do.
        idle_timeout: options.idle_timeout.min(config.executor.lease),
        ..options
    }
}

/// The file of an address of SQLite; `None` for another database, and where the address is too special to tell.
fn sqlite_path(url: &str) -> Option<PathBuf> {
    let path = url.strip_prefix("sqlite:")?;
    let path = path.strip_prefix("//").unwrap_or(path);
    let (path, parameters) = match path.split_once('?') {
        Some((path, parameters)) => (path, parameters),
        None => (path, ""),
    };
    // With parameters, what is special in a path is escaped.
    let special = path == ":memory:" || parameters.contains("memory");
    let escaped = !parameters.is_empty() && path.contains('%');
    (!special && !escaped).then(|| PathBuf::from(path))
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

    #[test]
    fn a_token_is_kept_under_a_bare_name_and_over_no_other_file() {
        let name = Path::new("a-token-that-no-other-test-writes");
        write_new_private(name, "first").unwrap();
        let kept = fs::read_to_string(name);
        let again = write_new_private(name, "second").unwrap_err();
        fs::remove_file(name).unwrap();
        assert_eq!(kept.unwrap(), "first\n");
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
        let nowhere = write_private(Path::new("no/such/folder/token"), "x").unwrap_err();
        assert!(
            nowhere
                .to_string()
                .starts_with("`no/such/folder/token` can't be written: No such file"),
            "{nowhere}"
        );
    }

    #[tokio::test]
    async fn nothing_is_made_where_no_database_is_and_all_of_it_is_private() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.state.dir = folder.path().join("state");
        let absent = require_database(&config).unwrap_err().to_string();
        assert!(absent.contains("there is no database at `"), "{absent}");
        assert!(!config.state.dir.exists());

        let _lock = OneServer::lock(&config).unwrap();
        migrate(&config).await.unwrap();
        require_database(&config).unwrap();
        for file in fs::read_dir(&config.state.dir).unwrap() {
            let file = file.unwrap();
            let mode = file.metadata().unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, 0o600, "{file:?}");
        }
    }

    #[tokio::test]
    async fn an_absent_postgres_is_told_by_host_and_port() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        let url = format!("postgres://me:hunter2@127.0.0.1:{port}/slipway");
        reach(&url).await.unwrap();
        drop(free);
        let refused = reach(&url).await.unwrap_err().to_string();
        assert!(
            refused.contains(&format!("127.0.0.1:{port} (")),
            "{refused}"
        );
        assert!(!refused.contains("hunter2"), "{refused}");
        reach("postgres:///slipway?host=/tmp").await.unwrap();
    }
}
