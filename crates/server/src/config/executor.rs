//! `[executor]`: how deployments with effects outside of the database are carried out.

use std::time::Duration;

use serde::Deserialize;
use slipway_application::deployments::executor::Limits;

/// The `[executor]` section. Every server of a cluster should have the same.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Executor {
    /// How long a deployment is left to a server that gives no sign of life; then another one goes on with it, or the same
    /// one after its restart. Default: 3 min.
    #[serde(with = "humantime_serde")]
    pub lease: Duration,
    /// How long one step may take, a workflow or a snapshot; at most a third of the lease. Default: 1 min.
    #[serde(with = "humantime_serde")]
    pub step_timeout: Duration,
}

impl Default for Executor {
    fn default() -> Self {
        let limits = Limits::default();
        Self {
            lease: limits.lease,
            step_timeout: limits.effect,
        }
    }
}

impl Executor {
    /// As the executor takes it.
    pub fn limits(&self) -> Limits {
        Limits {
            lease: self.lease,
            effect: self.step_timeout,
            ..Limits::default()
        }
    }

    pub(super) fn check(&self, problems: &mut Vec<String>) {
        let shortest = Duration::from_millis(100);
        super::limits::check_duration(
            "executor.lease",
            self.lease,
            3 * shortest..=Duration::from_hours(1),
            problems,
        );
        super::limits::check_duration(
            "executor.step_timeout",
            self.step_timeout,
            shortest..=Duration::from_mins(20),
            problems,
        );
        if self.step_timeout > self.lease / 3 {
            problems.push(format!(
                "executor.step_timeout = \"{}\" is more than a third of executor.lease = \"{}\"; what a stopped server sent \
                 last could then land after another one looked: make the lease longer",
                humantime::format_duration(self.step_timeout),
                humantime::format_duration(self.lease),
            ));
        }
    }
}
