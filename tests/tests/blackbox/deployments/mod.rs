//! Pipelines, and what goes through them.

pub(crate) mod github;
pub(crate) mod pipelines;
pub(crate) mod promotions;
