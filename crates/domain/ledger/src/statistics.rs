//! A project's figures.

use slipway_kernel::Slug;

use crate::Record;

/// How many counts per day an answer has at most.
pub const MAX_DAY_COUNTS: u32 = 10_000;

/// A project's figures. Retracted records count nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statistics {
    /// Applications that are not archived.
    pub applications: u64,
    /// Environments that are not archived.
    pub environments: u64,
    /// Deployments in the last 7 × 24 hours (records of the kind DEPLOYED, by deployment time).
    pub recent_deployments: u64,
    /// The ten latest records, newest first.
    pub latest: Vec<Record>,
    /// Records per environment and UTC day, newest day first, then by environment; days without any are left out. At
    /// most [`MAX_DAY_COUNTS`].
    pub per_day: Vec<DayCount>,
    /// Whether the oldest days were left out to keep that limit.
    pub per_day_truncated: bool,
}

/// How many deployments an environment had on one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayCount {
    /// The environment.
    pub environment: Slug,
    /// The UTC day: days since 1970-01-01.
    pub day: i64,
    /// Records of the kind DEPLOYED.
    pub deployed: u64,
    /// Records of the kind REMOVED.
    pub removed: u64,
}
