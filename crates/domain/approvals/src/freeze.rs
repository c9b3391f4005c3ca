//! Freezes: times in which deployments don't begin.
//!
//! A window covers a project, a tier or one environment, and some actions or all that can be frozen. Putting back is never
//! frozen: who is in trouble in a freeze goes back by a rollback. One deployment may be let through by an
//! [override](FreezeOverride), which is kept for ever.

mod clock;
mod repository;
mod schedule;
mod standing;
mod zone;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use slipway_kernel::{
    DeploymentId, EnvironmentId, FreezeWindowId, PrincipalId, ProjectId, Revision, Sha256, Slug,
    Tier, Timestamp, text::Reason, words,
};

pub use clock::{Day, DayError, LocalTime, LocalTimeError, Weekday};
pub use repository::{FreezeFilter, FreezePlace, FreezeQueries, FreezeRepository};
pub use schedule::{
    Days, DaysError, NoWeekdays, Recurrence, Schedule, Span, SpanError, Weekdays, WindowLength,
    WindowLengthError,
};
pub use standing::{Outlook, StandingFreeze, outlook, standing};
pub use zone::{UnknownZone, Zone};

/// The most windows of a project that are not deleted. Each start of a deployment looks at all that cover it.
pub const MAX_WINDOWS: u64 = 100;

/// A time in which deployments don't begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FreezeWindow {
    /// Its identifier.
    pub id: FreezeWindowId,
    /// The project it belongs to.
    pub project: ProjectId,
    /// Its name in every request; unique among those of its project that are not deleted.
    pub slug: Slug,
    /// Which environments it covers.
    pub scope: FreezeScope,
    /// When.
    pub schedule: Schedule,
    /// Which actions it covers; empty where it covers all.
    pub actions: BTreeSet<FreezeAction>,
    /// Why.
    pub reason: Reason,
    /// Whether it stands in nobody's way for now.
    pub suspended: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// Since when it is gone. What was decided about it can still name it.
    pub deleted_at: Option<Timestamp>,
    /// How often it has been changed.
    pub revision: Revision,
}

impl FreezeWindow {
    /// Whether it counts at all, and for this action.
    pub fn covers(&self, action: FreezeAction) -> bool {
        self.counts() && (self.actions.is_empty() || self.actions.contains(&action))
    }

    /// Whether it is neither suspended nor deleted.
    pub const fn counts(&self) -> bool {
        !self.suspended && self.deleted_at.is_none()
    }
}

/// Which environments of its project a window covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FreezeScope {
    /// All.
    Project,
    /// Those of a tier.
    Tier(Tier),
    /// One.
    Environment(EnvironmentId),
}

/// What can be frozen. Rollbacks can't.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum FreezeAction {
    /// Chosen versions become current.
    Release,
    /// Workflows go through a stage of a pipeline.
    Promotion,
    /// An environment goes back to a snapshot.
    Restore,
    /// A function's version or traffic changes.
    Function,
}

words! {
    FreezeAction, "action that can be frozen":
    Release = "RELEASE",
    Promotion = "PROMOTION",
    Restore = "RESTORE",
    Function = "FUNCTION",
}

/// That one deployment may begin though a window stands. It never changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FreezeOverride {
    /// The deployment.
    pub deployment: DeploymentId,
    /// The window.
    pub window: FreezeWindowId,
    /// What the window is called, be it deleted by now.
    pub slug: Slug,
    /// The project of both.
    pub project: ProjectId,
    /// Who said so.
    pub by: PrincipalId,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: Reason,
    /// The digest of what was looked at: the override counts as long as the deployment has it.
    pub digest: Sha256,
}

#[cfg(test)]
mod tests;
