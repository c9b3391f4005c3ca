//! Delivery figures, as DORA defines them, for each application in each environment.
//!
//! Where there is nothing to divide by, there is no figure: no data is not zero.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use slipway_deployments::{DeploymentKind, State};
use slipway_kernel::{DeploymentId, Key, Slug, StoreError, Timestamp};

use crate::report::Bounds;

/// The most rows that figures are made of.
pub const MAX_ROWS: usize = 200_000;

/// A version that was put into an environment, and not taken back since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// The application.
    pub application: Key,
    /// The environment.
    pub environment: Slug,
    /// When it was put there.
    pub at: Timestamp,
    /// When the version was made known to Slipway.
    pub version_created_at: Timestamp,
}

/// A deployment of one application that ended in the period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The application.
    pub application: Key,
    /// The environment.
    pub environment: Slug,
    /// The deployment.
    pub deployment: DeploymentId,
    /// What kind of change it was.
    pub kind: DeploymentKind,
    /// How it ended: [`State::Succeeded`], [`State::Failed`] or [`State::RolledBack`]; others don't count.
    pub state: State,
    /// When. One that was rolled back ended when it had been carried out.
    pub at: Timestamp,
}

/// The figures of one application in one environment.
#[derive(Debug, Clone, PartialEq)]
pub struct Figures {
    /// The application.
    pub application: Key,
    /// The environment.
    pub environment: Slug,
    /// How often a version was put there.
    pub deliveries: u64,
    /// That, for each day of the period.
    pub deliveries_per_day: Option<f64>,
    /// From a version's creation until it was there, in seconds: of half of those whose version was known before, it was
    /// at most this.
    pub lead_time_median: Option<f64>,
    /// Of nine out of ten it was at most this.
    pub lead_time_p90: Option<f64>,
    /// Distinct deployments that succeeded, failed or were rolled back.
    pub deployments: u64,
    /// Of those the ones that failed or were rolled back.
    pub failed: u64,
    /// The share of those.
    pub change_failure_rate: Option<f64>,
    /// From a change that failed until the next deployment that succeeded, in seconds: the median of those that were
    /// recovered from in the period.
    pub time_to_recover: Option<f64>,
    /// The share of deployments that made good another one: rollbacks, and the first one after one that failed.
    pub rework_rate: Option<f64>,
}

/// Reads for figures.
#[async_trait]
pub trait DoraQueries: Send + Sync {
    /// What was put into environments in the period, of one application where one is named, in any order, at most `limit`.
    async fn delivered(
        &self,
        bounds: &Bounds,
        application: Option<&Key>,
        limit: u32,
    ) -> Result<Vec<Delivered>, StoreError>;

    /// The deployments that ended in the period as [`State::Succeeded`], [`State::Failed`] or [`State::RolledBack`], once
    /// for each application whose items they changed or tried to, or for the one that is named, in any order, at most
    /// `limit`.
    async fn ended(
        &self,
        bounds: &Bounds,
        application: Option<&Key>,
        limit: u32,
    ) -> Result<Vec<Ended>, StoreError>;
}

/// What figures of one cell are made of.
#[derive(Default)]
struct Cell {
    deliveries: usize,
    lead_times: Vec<i64>,
    ended: BTreeMap<(Timestamp, DeploymentId), (DeploymentKind, State)>,
}

/// The figures of every application and environment in which something happened between two times, by application, then by
/// environment.
pub fn figures(
    from: Timestamp,
    to: Timestamp,
    delivered: &[Delivered],
    ended: &[Ended],
) -> Vec<Figures> {
    let mut cells: BTreeMap<(&Key, &Slug), Cell> = BTreeMap::new();
    for one in delivered {
        let cell = cells
            .entry((&one.application, &one.environment))
            .or_default();
        cell.deliveries += 1;
        // A version that Slipway learned of no sooner than with the report has no lead time that anybody knows.
        if one.version_created_at < one.at {
            let lead_time = one.at.micros() - one.version_created_at.micros();
            cell.lead_times.push(lead_time);
        }
    }
    for one in ended {
        let cell = cells
            .entry((&one.application, &one.environment))
            .or_default();
        if matches!(
            one.state,
            State::Succeeded | State::Failed | State::RolledBack
        ) {
            let place = (one.at, one.deployment);
            cell.ended.insert(place, (one.kind, one.state));
        }
    }
    let days = seconds(to.micros() - from.micros()) / 86_400.0;
    let cells = cells.into_iter();
    cells
        .map(|((application, environment), cell)| cell.figures(application, environment, days))
        .collect()
}

impl Cell {
    fn figures(mut self, application: &Key, environment: &Slug, days: f64) -> Figures {
        self.lead_times.sort_unstable();
        let deployments: BTreeSet<_> = self.ended.keys().map(|(_, id)| *id).collect();
        let failures = self.ended.iter().filter(|(_, (_, state))| failed(*state));
        let failures: BTreeSet<_> = failures.map(|((_, id), _)| *id).collect();
        let (mut recoveries, rework) = self.recoveries();
        recoveries.sort_unstable();
        let all = deployments.len();
        Figures {
            application: application.clone(),
            environment: environment.clone(),
            deliveries: self.deliveries as u64,
            deliveries_per_day: (days > 0.0 && self.deliveries > 0)
                .then(|| number(self.deliveries) / days),
            lead_time_median: percentile(&self.lead_times, 50),
            lead_time_p90: percentile(&self.lead_times, 90),
            deployments: all as u64,
            failed: failures.len() as u64,
            change_failure_rate: share(failures.len(), all),
            time_to_recover: percentile(&recoveries, 50),
            rework_rate: share(rework.len(), all),
        }
    }

    /// How long each failure lasted that was recovered from, and the deployments that made another one good.
    fn recoveries(&self) -> (Vec<i64>, BTreeSet<DeploymentId>) {
        let mut since = Vec::new();
        let mut recoveries = Vec::new();
        let mut rework = BTreeSet::new();
        let mut after_failure = false;
        for ((at, id), (kind, state)) in &self.ended {
            if after_failure || *kind == DeploymentKind::Rollback {
                rework.insert(*id);
            }
            after_failure = failed(*state);
            if after_failure {
                since.push(*at);
            } else {
                let lasted = |begin: Timestamp| at.micros() - begin.micros();
                recoveries.extend(since.drain(..).map(lasted));
            }
        }
        (recoveries, rework)
    }
}

const fn failed(state: State) -> bool {
    matches!(state, State::Failed | State::RolledBack)
}

fn share(part: usize, all: usize) -> Option<f64> {
    (all > 0).then(|| number(part) / number(all))
}

/// The smallest value, in seconds, that so many per cent of these ascending ones don't exceed.
fn percentile(ascending: &[i64], percent: usize) -> Option<f64> {
    let rank = (ascending.len() * percent).div_ceil(100);
    ascending.get(rank.checked_sub(1)?).copied().map(seconds)
}

#[expect(clippy::cast_precision_loss, reason = "figures are for people")]
fn number(count: usize) -> f64 {
    count as f64
}

#[expect(clippy::cast_precision_loss, reason = "figures are for people")]
fn seconds(micros: i64) -> f64 {
    micros as f64 / 1_000_000.0
}

#[cfg(test)]
mod tests;
