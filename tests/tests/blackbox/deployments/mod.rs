//! Pipelines, what goes through them, and what becomes of that.

pub(crate) mod doubts;
pub(crate) mod pipelines;
pub(crate) mod promotions;
pub(crate) mod rollbacks;
pub(crate) mod watching;
