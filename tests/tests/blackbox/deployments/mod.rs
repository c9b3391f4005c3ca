//! Pipelines, what goes through them, and what becomes of that.

pub(crate) mod approvals;
pub(crate) mod bad_workflows;
pub(crate) mod changed_targets;
pub(crate) mod checks;
pub(crate) mod comparisons;
pub(crate) mod doubts;
pub(crate) mod endings;
mod floor;
pub(crate) mod four_eyes;
pub(crate) mod four_eyes_by_policy;
pub(crate) mod freeze_windows;
pub(crate) mod freezes;
pub(crate) mod github;
pub(crate) mod governance;
pub(crate) mod meeting;
pub(crate) mod mixed;
pub(crate) mod mixed_endings;
pub(crate) mod pipelines;
pub(crate) mod policies;
pub(crate) mod promotions;
pub(crate) mod races;
pub(crate) mod real;
pub(crate) mod releases;
pub(crate) mod rollbacks;
pub(crate) mod templates;
pub(crate) mod watching;
pub(crate) mod ways_on;
