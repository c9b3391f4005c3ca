//! Pipelines, and what goes through them.

pub(crate) mod endings;
mod floor;
pub(crate) mod meeting;
pub(crate) mod pipelines;
pub(crate) mod promotions;
