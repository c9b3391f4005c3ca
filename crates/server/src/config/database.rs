//! `[database]`: where facts are kept.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;

use super::State;
use crate::secret::{Secret, SecretError, SecretReference};

/// The `[database]` section.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Database {
    /// `sqlite:PATH`, `postgres://…`, or a reference to such an address. Default: `slipway.db` in the state directory.
    pub url: Option<DatabaseUrl>,
    /// The address for migrations, for a role that may change the schema while `url`'s may not. Default: `url`.
    pub migration_url: Option<DatabaseUrl>,
    /// How many connections this server opens at most for transactions; on PostgreSQL half as many more for reads, and as
    /// many again for changes of a single statement. On SQLite those are readers; there is one writer. Default: 16.
    pub max_connections: u32,
    /// How long a request waits for a connection. Default: 5 s.
    #[serde(with = "humantime_serde")]
    pub acquire_timeout: Duration,
}

/// A database's address as configured: itself, or a reference (`env:NAME`, `file:/path`). `Debug` prints no more of
/// it than its scheme, since an address may carry a password.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub enum DatabaseUrl {
    /// The address itself.
    Literal(Secret),
    /// Where the address lies.
    Reference(SecretReference),
}

/// The database systems there are adapters for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatabaseKind {
    /// A file beside the server, for one server.
    Sqlite,
    /// PostgreSQL, for any number of servers.
    Postgres,
}

/// A database's address, ready to connect to.
#[derive(Debug, Clone)]
pub struct ResolvedUrl {
    /// The address, which may carry a password.
    pub url: Secret,
    /// The system it names; `None` where its scheme is unknown.
    kind: Option<DatabaseKind>,
}

impl ResolvedUrl {
    /// The system that the address names. A configuration that was loaded has no address of another kind, but a
    /// reference may have changed since: then this is `None`.
    pub fn kind(&self) -> Option<DatabaseKind> {
        self.kind
    }

    fn new(url: Secret) -> Self {
        let kind = match url.expose().split_once(':') {
            Some(("sqlite", _)) => Some(DatabaseKind::Sqlite),
            Some(("postgres" | "postgresql", _)) => Some(DatabaseKind::Postgres),
            _ => None,
        };
        Self { url, kind }
    }
}

impl Default for Database {
    fn default() -> Self {
        Self {
            url: None,
            migration_url: None,
            max_connections: 16,
            acquire_timeout: Duration::from_secs(5),
        }
    }
}

impl Database {
    /// The address that requests use.
    pub(super) fn resolve_url(&self, state: &State) -> Result<ResolvedUrl, SecretError> {
        match &self.url {
            Some(url) => url.resolve(),
            None => Ok(ResolvedUrl::new(Secret::new(format!(
                "sqlite:{}",
                state.dir.join("slipway.db").display()
            )))),
        }
    }

    /// The environment variables that the addresses lie in.
    pub(super) fn variables(&self) -> Vec<&str> {
        let urls = [&self.url, &self.migration_url].into_iter().flatten();
        urls.filter_map(|url| match url {
            DatabaseUrl::Reference(SecretReference::Environment(name)) => Some(name.as_str()),
            _ => None,
        })
        .collect()
    }

    pub(super) fn check(&self, state: &State, problems: &mut Vec<String>) {
        check_url("database.url", self.resolve_url(state), problems);
        if let Some(url) = &self.migration_url {
            check_url("database.migration_url", url.resolve(), problems);
        }
        if !(1..=1000).contains(&self.max_connections) {
            problems.push(format!(
                "database.max_connections = {} is out of range; choose from 1 to 1000",
                self.max_connections
            ));
        }
        super::limits::check_duration(
            "database.acquire_timeout",
            self.acquire_timeout,
            Duration::from_millis(1)..=Duration::from_mins(1),
            problems,
        );
    }

    pub(super) fn check_shared(&self, state: &State, problems: &mut Vec<String>) {
        // An address that can't be resolved is already reported.
        if let Ok(resolved) = self.resolve_url(state)
            && resolved.kind() == Some(DatabaseKind::Sqlite)
        {
            problems.push(
                "cluster = true needs a database that several servers can share, and SQLite is a file for one; set \
                 database.url to a PostgreSQL address"
                    .to_owned(),
            );
        }
    }
}

impl DatabaseUrl {
    /// Reads the reference, if it is one.
    pub fn resolve(&self) -> Result<ResolvedUrl, SecretError> {
        match self {
            Self::Literal(url) => Ok(ResolvedUrl::new(url.clone())),
            Self::Reference(reference) => reference.resolve().map(ResolvedUrl::new),
        }
    }
}

impl From<String> for DatabaseUrl {
    fn from(text: String) -> Self {
        match text.parse() {
            Ok(reference) => Self::Reference(reference),
            Err(_) => Self::Literal(Secret::new(text)),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reference(reference) => fmt::Debug::fmt(reference, f),
            Self::Literal(url) => match url.expose().split_once(':') {
                Some((scheme, _)) => write!(f, "{scheme}:…"),
                None => f.write_str("…"),
            },
        }
    }
}

fn check_url(key: &str, resolved: Result<ResolvedUrl, SecretError>, problems: &mut Vec<String>) {
    match resolved {
        Ok(resolved) if resolved.kind().is_some() => {}
        Ok(_) => problems.push(format!(
            "{key} names no known database; write `sqlite:PATH`, `postgres://USER@HOST/NAME`, or a reference to such \
             an address (`env:NAME`, `file:/path`)"
        )),
        Err(error) => problems.push(format!("{key}: {error}")),
    }
}
