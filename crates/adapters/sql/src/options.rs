//! Where the database is and how it is talked to.

use std::{fmt, path::Path, time::Duration};

use slipway_store::StoreError;

use crate::connection::Dialect;

/// Where the database is and how it is talked to. Debug output hides the URL's password.
#[derive(Clone)]
pub struct Options {
    /// `sqlite://PATH?mode=rwc`, `postgres://USER:PASSWORD@HOST/DATABASE` or `postgresql://…`.
    pub url: String,
    /// On `PostgreSQL` how many connections for transactions there are at most; half as many more are for reads, and as
    /// many again for single writes. On `SQLite` how many readers there are beside the writer. At least 1.
    pub max_connections: u32,
    /// How long a call waits for a connection before it answers [`StoreError::Unavailable`].
    pub acquire_timeout: Duration,
    /// How long rows are held on `PostgreSQL` by somebody who does nothing, such as a process that stands still.
    pub idle_timeout: Duration,
}

/// A URL of another kind than those that Slipway knows.
#[derive(Debug, thiserror::Error)]
#[error(
    "the database URL starts with `{scheme}`; expected sqlite://PATH or postgres://USER@HOST/DATABASE"
)]
struct UnknownScheme {
    scheme: String,
}

impl Options {
    /// For a URL, with 10 connections, 5 s to wait for one, and 1 min to do nothing.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            max_connections: 10,
            acquire_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_mins(1),
        }
    }

    /// For a `SQLite` database in a file, which is made where there is none, with 4 readers.
    pub fn sqlite_file(path: &Path) -> Self {
        let path = path.to_string_lossy();
        let path = path
            .replace('%', "%25")
            .replace('?', "%3F")
            .replace('#', "%23");
        Self {
            max_connections: 4,
            ..Self::new(format!("sqlite://{path}?mode=rwc"))
        }
    }

    pub(crate) fn dialect(&self) -> Result<Dialect, StoreError> {
        let scheme = self.url.split(':').next().unwrap_or_default();
        match scheme {
            "sqlite" => Ok(Dialect::Sqlite),
            "postgres" | "postgresql" => Ok(Dialect::Postgres),
            _ => Err(StoreError::Fault(Box::new(UnknownScheme {
                scheme: scheme.chars().take(16).collect(),
            }))),
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("url", &redacted(&self.url))
            .field("max_connections", &self.max_connections)
            .field("acquire_timeout", &self.acquire_timeout)
            .field("idle_timeout", &self.idle_timeout)
            .finish()
    }
}

/// The URL's scheme, host and database: neither the user's part nor the parameters, which can hold passwords too.
fn redacted(url: &str) -> String {
    let url = url.split('?').next().unwrap_or_default();
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, rest))) => format!("{scheme}://…@{rest}"),
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_hides_passwords() {
        for url in [
            "postgres://slipway:hunter2@db/slipway?sslmode=require",
            "postgres://slipway:hunter@2@db/slipway",
            "postgres://db/slipway?user=slipway&password=hunter2",
        ] {
            let shown = format!("{:?}", Options::new(url));
            assert!(!shown.contains("hunter"), "{shown}");
            assert!(shown.contains("db/slipway"), "{shown}");
        }
    }

    #[test]
    fn an_unknown_url_is_named_without_its_secrets() {
        let error = Options::new("mysql://root:hunter2@db/x")
            .dialect()
            .expect_err("unknown");
        let StoreError::Fault(source) = error else {
            panic!("{error}");
        };
        assert!(source.to_string().contains("`mysql`"), "{source}");
        assert!(!source.to_string().contains("hunter2"), "{source}");
    }
}
