//! Pipelines, and what goes through them.

pub(crate) mod comparisons;
pub(crate) mod pipelines;
pub(crate) mod promotions;
