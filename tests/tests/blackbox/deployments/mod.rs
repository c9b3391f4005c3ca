//! Pipelines, and what goes through them.

pub(crate) mod bad_workflows;
pub(crate) mod pipelines;
pub(crate) mod promotions;
pub(crate) mod real;
