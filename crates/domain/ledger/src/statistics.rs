//! A project's figures.

use slipway_kernel::Slug;

use crate::Record;

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
    /// Deployments per environment and UTC day, by day, then environment; days without any are left out.
    pub per_day: Vec<DayCount>,
}

/// How many deployments an environment had on one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayCount {
    /// The environment.
    pub environment: Slug,
    /// The UTC day: days since 1970-01-01.
    pub day: i64,
    /// How many.
    pub deployments: u64,
}
