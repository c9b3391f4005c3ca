//! Pipelines, and what goes through them.

pub(crate) mod approvals;
pub(crate) mod bad_workflows;
pub(crate) mod comparisons;
pub(crate) mod four_eyes;
pub(crate) mod pipelines;
pub(crate) mod promotions;
pub(crate) mod real;
