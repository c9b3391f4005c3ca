//! Checks: what tests and scans elsewhere say about a deployment, as a CI system reports it.

use std::{collections::BTreeMap, fmt};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use slipway_kernel::{
    DeploymentId, PrincipalId, Sha256, StoreError, Timestamp,
    text::{CheckName, Reason},
    words,
};

/// How long the address of a check may be, in bytes.
const MAX_URL: usize = 2_000;

/// The most checks of different names that are reported for one deployment.
pub const MAX_CHECKS: usize = 100;
/// The most reports for one deployment.
pub const MAX_REPORTS: u32 = 1_000;

/// How a check stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CheckStatus {
    /// It is not over.
    Running,
    /// All is well.
    Passed,
    /// Something is not.
    Failed,
}

words! {
    CheckStatus, "status of a check":
    Running = "RUNNING",
    Passed = "PASSED",
    Failed = "FAILED",
}

/// Where more can be read about a check: an address that begins with `https://` or `http://`, or nothing. At most 2,000
/// bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CheckUrl(String);

/// A text that is no such address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be empty, or begin with `https://` or `http://`, have at most {MAX_URL} bytes, and no spaces"
)]
pub struct CheckUrlError;

impl CheckUrl {
    /// The address; empty where there is none.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for CheckUrl {
    type Error = CheckUrlError;

    fn try_from(text: String) -> Result<Self, CheckUrlError> {
        let known = ["https://", "http://"];
        let known = known.iter().any(|scheme| text.starts_with(scheme));
        let plain = !text.contains(|c: char| c.is_whitespace() || c.is_control());
        if text.is_empty() || (known && plain && text.len() <= MAX_URL) {
            Ok(Self(text))
        } else {
            Err(CheckUrlError)
        }
    }
}

/// What was reported of a check, at one time, for one plan. It never changes; a later report takes its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckReport {
    /// The deployment that was checked.
    pub deployment: DeploymentId,
    /// Its place among the deployment's reports, from 0, in the order of their arrival.
    pub position: u32,
    /// The check.
    pub name: CheckName,
    /// How it stands.
    pub status: CheckStatus,
    /// The digest of the plan that was checked.
    pub plan_digest: Sha256,
    /// Where more can be read about it; may be empty.
    pub url: CheckUrl,
    /// What it says, in a few words; may be empty.
    pub summary: Reason,
    /// Who reported it.
    pub reported_by: PrincipalId,
    /// When.
    pub reported_at: Timestamp,
}

/// A check that a deployment needs, and that has not passed for its plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The check.
    pub name: String,
    /// Why it does not count.
    pub why: Why,
}

/// Why a check does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Nobody reported it.
    NotReported,
    /// It was reported for another plan than what would happen by now.
    OtherPlan,
    /// It is not over.
    Running,
    /// It failed.
    Failed,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self.why {
            Why::NotReported => "was not reported yet",
            Why::OtherPlan => "was reported for what would have happened before: run it again",
            Why::Running => "is still running",
            Why::Failed => "failed",
        };
        write!(f, "the check `{}` {why}", self.name)
    }
}

/// Of each name the last report for this plan, or, where there is none, the last one for another plan; by name.
pub fn latest(reports: Vec<CheckReport>, plan: Sha256) -> Vec<CheckReport> {
    let mut latest: BTreeMap<CheckName, CheckReport> = BTreeMap::new();
    for report in reports {
        let rank = |report: &CheckReport| (report.plan_digest == plan, report.position);
        match latest.get(&report.name) {
            Some(before) if rank(before) > rank(&report) => {}
            _ => {
                latest.insert(report.name.clone(), report);
            }
        }
    }
    latest.into_values().collect()
}

/// Which of the required checks have not passed for this plan, in the order required, each once.
pub fn missing(reports: Vec<CheckReport>, plan: Sha256, required: &[&str]) -> Vec<Missing> {
    let latest = latest(reports, plan);
    let mut missing: Vec<Missing> = Vec::new();
    for name in required {
        let found = latest.iter().find(|report| report.name.as_str() == *name);
        let why = match found {
            None => Why::NotReported,
            Some(report) if report.plan_digest != plan => Why::OtherPlan,
            Some(report) => match report.status {
                CheckStatus::Passed => continue,
                CheckStatus::Running => Why::Running,
                CheckStatus::Failed => Why::Failed,
            },
        };
        if !missing.iter().any(|missing| missing.name == *name) {
            let name = (*name).to_owned();
            missing.push(Missing { name, why });
        }
    }
    missing
}

/// Keeps reports of checks, inside a unit of work.
#[async_trait]
pub trait CheckRepository: Send {
    /// Adds a report. The caller holds the deployment.
    async fn insert(&mut self, report: &CheckReport) -> Result<(), StoreError>;

    /// How many reports a deployment has.
    async fn count(&mut self, deployment: DeploymentId) -> Result<u32, StoreError>;

    /// Of each name and plan the last report for a deployment, in no order.
    async fn last(&mut self, deployment: DeploymentId) -> Result<Vec<CheckReport>, StoreError>;
}

/// Reads reports of checks.
#[async_trait]
pub trait CheckQueries: Send + Sync {
    /// Of each name and plan the last report for a deployment, in no order. One statement.
    async fn checks(&self, deployment: DeploymentId) -> Result<Vec<CheckReport>, StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(position: u32, name: &str, status: CheckStatus, plan: u8) -> CheckReport {
        let id = "0192f0c1-2345-7abc-8def-0123456789ab";
        CheckReport {
            deployment: id.parse().expect("an id"),
            position,
            name: name.parse().expect("a name"),
            status,
            plan_digest: Sha256::from_bytes([plan; 32]),
            url: CheckUrl::default(),
            summary: Reason::default(),
            reported_by: id.parse().expect("an id"),
            reported_at: Timestamp::from_micros(1).expect("in range"),
        }
    }

    #[test]
    fn the_last_report_for_the_plan_counts() {
        use CheckStatus::{Failed, Passed, Running};
        let reports = vec![
            report(5, "unit", Passed, 2),
            report(0, "unit", Failed, 1),
            report(1, "unit", Passed, 1),
            report(3, "scan", Passed, 2),
            report(2, "slow", Running, 1),
            report(4, "bad", Passed, 1),
            report(6, "bad", Failed, 1),
        ];
        let plan = Sha256::from_bytes([1; 32]);
        let shown: Vec<_> = latest(reports.clone(), plan)
            .into_iter()
            .map(|report| report.position)
            .collect();
        assert_eq!(shown, [6, 3, 2, 1], "by name");
        let required = ["unit", "scan", "slow", "bad", "none", "none", "Unit"];
        let missing: Vec<_> = missing(reports, plan, &required)
            .into_iter()
            .map(|missing| (missing.name, missing.why))
            .collect();
        let expected = [
            ("scan", Why::OtherPlan),
            ("slow", Why::Running),
            ("bad", Why::Failed),
            ("none", Why::NotReported),
            ("Unit", Why::NotReported),
        ];
        assert_eq!(missing, expected.map(|(name, why)| (name.to_owned(), why)));
    }

    #[test]
    fn an_address_is_one_to_follow_or_none() {
        for good in ["", "https://ci.example/1?a=b#c", "http://ci"] {
            assert!(CheckUrl::try_from(good.to_owned()).is_ok(), "{good}");
        }
        let long = format!("https://{}", "x".repeat(2_000));
        for bad in [
            "javascript:alert(1)",
            "ci.example",
            "https://a b",
            "http://a\0",
            &long,
        ] {
            assert!(CheckUrl::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }

    #[test]
    fn nothing_required_is_nothing_missing() {
        let plan = Sha256::from_bytes([1; 32]);
        assert_eq!(missing(Vec::new(), plan, &[]), []);
        let missing = missing(Vec::new(), plan, &["unit"]);
        assert_eq!(
            missing[0].to_string(),
            "the check `unit` was not reported yet"
        );
    }
}
