//! The current state: per application and environment the record that counts.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use slipway_kernel::{ApplicationKind, Key, RecordId, Slug, Tier, Timestamp, VersionId, time::DAY};

/// What is deployed in one place: the record with the latest deployment time, then the highest ledger sequence. A cell
/// that was never filled, or whose latest record is a removal, is empty and has no such value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// The application.
    pub application: Key,
    /// What people call the application.
    pub application_name: String,
    /// The application's kind.
    pub application_kind: ApplicationKind,
    /// The environment.
    pub environment: Slug,
    /// What people call the environment.
    pub environment_name: String,
    /// The environment's tier.
    pub environment_tier: Tier,
    /// The version's name.
    pub version: Key,
    /// The version's identifier in the installation.
    pub version_id: VersionId,
    /// When the version was added to the catalog.
    pub version_created_at: Timestamp,
    /// The record that put it there.
    pub record: RecordId,
    /// When it was put there.
    pub deployed_at: Timestamp,
    /// By whom, as the reporter claims.
    pub deployed_by: Option<String>,
}

impl Cell {
    /// Its place in lists.
    pub fn place(&self) -> CellPlace {
        CellPlace {
            application: self.application.clone(),
            environment: self.environment.clone(),
        }
    }

    /// How long ago it was filled, at `now`.
    pub fn freshness(&self, now: Timestamp) -> Freshness {
        Freshness::of(now.since(self.deployed_at))
    }
}

/// How long ago something was deployed, in three steps, as green, yellow and red on a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Less than 30 days ago.
    Fresh,
    /// 30 to 90 days ago.
    Aging,
    /// More than 90 days ago.
    Stale,
}

impl Freshness {
    /// The step that an age belongs to.
    pub fn of(age: Duration) -> Self {
        if age < DAY * 30 {
            Self::Fresh
        } else if age <= DAY * 90 {
            Self::Aging
        } else {
            Self::Stale
        }
    }
}

/// Which moment of the ledger a reader wants to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AsOf {
    /// Deployments up to and including this time.
    pub at: Timestamp,
    /// As it was known at this time: records learned of later, and retractions made later, are left out. `None` is
    /// today's knowledge.
    pub known_at: Option<Timestamp>,
}

/// Which cells a reader wants; what is `None` selects all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CellFilter {
    /// Of this application.
    pub application: Option<Key>,
    /// In this environment.
    pub environment: Option<Slug>,
    /// Whether cells of applications and environments that are archived today are wanted too.
    pub include_archived: bool,
}

/// A cell's place in lists: by application, then by environment, both bytewise.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CellPlace {
    /// The application.
    pub application: Key,
    /// The environment.
    pub environment: Slug,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn freshness_has_the_requirements_bounds() {
        let second = Duration::from_secs(1);
        assert_eq!(Freshness::of(DAY * 29 + second), Freshness::Fresh);
        assert_eq!(Freshness::of(DAY * 30), Freshness::Aging);
        assert_eq!(Freshness::of(DAY * 90), Freshness::Aging);
        assert_eq!(Freshness::of(DAY * 90 + second), Freshness::Stale);
    }
}
