//! The databases that every case runs on.

use std::fmt;
use std::path::Path;

/// A database system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Backend {
    /// The embedded default: a file in the state directory.
    Sqlite,
    /// A database of its own on a real PostgreSQL.
    Postgres,
}

impl Backend {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Sqlite, Self::Postgres];

    /// Why cases can't run on this database here, if they can't.
    pub async fn missing(self) -> Option<String> {
        match self {
            Self::Sqlite => None,
            Self::Postgres => slipway_test_support::postgres::database()
                .await
                .err()
                .map(|reason| reason.to_string()),
        }
    }

    /// An address of a new and empty database.
    pub(crate) async fn new_database(self, state: &Path) -> String {
        match self {
            Self::Sqlite => format!("sqlite:{}", state.join("slipway.db").display()),
            Self::Postgres => slipway_test_support::postgres::database()
                .await
                .unwrap_or_else(|reason| panic!("no database: {reason}"))
                .url,
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

/// Whether a missing part fails the run instead of skipping its cases: `SLIPWAY_TEST_REQUIRE=all`.
pub fn required() -> bool {
    std::env::var("SLIPWAY_TEST_REQUIRE").is_ok_and(|value| value == "all")
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
