//! What somebody wants to release, as it was asked for.

use serde::Serialize;
use slipway_kernel::{Key, RiskLevel, text::Notes};

/// What somebody wants to release to one environment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Draft {
    /// One by one, in the order given.
    pub items: Vec<DraftItem>,
}

/// One application that somebody wants in another version, or gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DraftItem {
    /// The application.
    pub application: Key,
    /// What becomes of it.
    pub wanted: Wanted,
    /// Why.
    pub message: Notes,
    /// How risky that is, as whoever asks says.
    pub declared: RiskLevel,
    /// Whether the version may be an older one than the current one.
    pub allow_older: bool,
}

/// What somebody wants to become of an application in an environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    /// This version becomes current.
    Version(Key),
    /// No version is current any more.
    Removal,
}

impl DraftItem {
    /// The version wanted; `None` where the application is to go.
    pub const fn version(&self) -> Option<&Key> {
        match &self.wanted {
            Wanted::Version(identifier) => Some(identifier),
            Wanted::Removal => None,
        }
    }
}
