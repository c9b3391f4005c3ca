//! Which environments something is about, as requests name them.

use std::fmt;

use serde::Serialize;
use slipway_kernel::{Slug, Tier};

/// Which environments a policy or a freeze window is about, as requests name them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NamedScope {
    /// All of the project.
    Project,
    /// Those of a tier.
    Tier(Tier),
    /// One, by its slug.
    Environment(Slug),
}

impl fmt::Display for NamedScope {
    /// For people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Project => f.write_str("the project"),
            Self::Tier(tier) => write!(f, "the tier {tier}"),
            Self::Environment(slug) => write!(f, "the environment `{slug}`"),
        }
    }
}
