//! The databases that every case runs on.

use std::fmt;
use std::path::Path;

use slipway_test_support::postgres::{self, TestDatabase};

/// A database system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Backend {
    /// The embedded default: a file in the state directory.
    Sqlite,
    /// A database of its own on a real PostgreSQL.
    Postgres,
}

impl Backend {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Sqlite, Self::Postgres];

    /// Whether cases can run on this database here. Where they can't, one line says why; with
    /// `SLIPWAY_TEST_REQUIRE=all` that is a failure.
    pub async fn is_here(self) -> bool {
        match self {
            Self::Sqlite => true,
            Self::Postgres => postgres::database().await.is_some(),
        }
    }

    /// A new and empty database.
    pub(crate) async fn new_database(self, state: &Path) -> Database {
        match self {
            Self::Sqlite => {
                Database::File(format!("sqlite:{}", state.join("slipway.db").display()))
            }
            Self::Postgres => {
                Database::Own(postgres::database().await.expect("PostgreSQL is here"))
            }
        }
    }
}

/// A database of a test's own, gone with this value.
#[derive(Debug)]
pub(crate) enum Database {
    File(String),
    Own(TestDatabase),
}

impl Database {
    pub(crate) fn url(&self) -> &str {
        match self {
            Self::File(url) => url,
            Self::Own(database) => database.url(),
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        })
    }
}

/// How large the tests of endurance are, as a factor: `SLIPWAY_TEST_SCALE`, by default 1.
pub fn scale() -> f64 {
    std::env::var("SLIPWAY_TEST_SCALE")
        .ok()
        .and_then(|value| value.parse().ok())
        .unwrap_or(1.0)
}

/// `count` at the scale of this run, at least 1.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a size chosen by people"
)]
pub fn scaled(count: usize) -> usize {
    ((count as f64 * scale()) as usize).max(1)
}
