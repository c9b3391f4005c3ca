//! Policies: what has to hold before anything changes an environment.

mod effective;
mod repository;
mod terms;

pub use effective::{Asked, Effective, Source, stage_rule};
pub use repository::{Governed, PolicyPlace, PolicyQueries, PolicyRepository};
pub use terms::{
    DEFAULT_EXPIRY, MAX_CHECKS, MAX_EXPIRY, MAX_RULES, MAX_WAIT, MIN_EXPIRY, RequiredCheck,
    SoundTerms, Terms, TermsFault,
};

use serde::{Deserialize, Serialize};
use slipway_kernel::{EnvironmentId, PolicyId, PrincipalId, ProjectId, Revision, Tier, Timestamp};

/// What a policy is about. Those that are about an environment apply together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Every environment of the project.
    Project,
    /// Those of a tier. It takes the place of what is built in for that tier.
    Tier(Tier),
    /// One environment.
    Environment(EnvironmentId),
}

impl Scope {
    /// Whether it is about this environment.
    pub fn covers(self, environment: EnvironmentId, tier: Tier) -> bool {
        match self {
            Self::Project => true,
            Self::Tier(of) => of == tier,
            Self::Environment(of) => of == environment,
        }
    }
}

/// Who has to agree to deployments in a part of a project, and what else has to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Its identifier.
    pub id: PolicyId,
    /// The project it belongs to.
    pub project: ProjectId,
    /// What it is about; no two of a project are about the same.
    pub scope: Scope,
    /// What has to hold.
    pub terms: Terms,
    /// When it was first set.
    pub created_at: Timestamp,
    /// When it was set last.
    pub updated_at: Timestamp,
    /// Who set it last.
    pub updated_by: PrincipalId,
    /// How often it has been set.
    pub revision: Revision,
}
