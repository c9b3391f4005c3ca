//! The ports to policies.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use slipway_kernel::{
    EnvironmentId, Page, PageSize, PolicyId, ProjectId, StoreError, Tier, Timestamp,
};

use super::{Policy, Scope, Terms};

/// Whether policies govern an environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Governed {
    /// Whether anything has to hold there.
    pub governed: bool,
    /// Whether reports of deployments are refused there.
    pub refuse_reports: bool,
}

/// A policy's place in lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PolicyPlace {
    /// When it was first set.
    pub created_at: Timestamp,
    /// Its identifier.
    pub id: PolicyId,
}

/// Changes policies, inside a unit of work.
#[async_trait]
pub trait PolicyRepository: Send {
    /// The policy of a project about this. An adapter MUST hold it until the unit of work ends.
    async fn find(
        &mut self,
        project: ProjectId,
        scope: Scope,
    ) -> Result<Option<Policy>, StoreError>;

    /// Adds a policy. An adapter MUST answer `false`, and change nothing, where another one is about the same.
    async fn insert(&mut self, policy: &Policy) -> Result<bool, StoreError>;

    /// Saves a policy's terms, whose revision is one above the stored one. An adapter MUST answer
    /// [`StoreError::Conflict`] where the stored revision is another.
    async fn update(&mut self, policy: &Policy) -> Result<(), StoreError>;

    /// Removes a policy. An adapter MUST answer [`StoreError::Conflict`] where its stored revision is another.
    async fn remove(&mut self, policy: &Policy) -> Result<(), StoreError>;

    /// An environment's tier, and the policies that are about it. `None` where there is no such environment.
    async fn about(
        &mut self,
        environment: EnvironmentId,
    ) -> Result<Option<(Tier, Vec<(Scope, Terms)>)>, StoreError>;

    /// Whether policies govern an environment, what is built in for its tier included. Cheap: nothing is parsed.
    async fn governed(&mut self, environment: EnvironmentId) -> Result<Governed, StoreError>;
}

/// Reads policies.
#[async_trait]
pub trait PolicyQueries: Send + Sync {
    /// The policy of a project about this.
    async fn policy(&self, project: ProjectId, scope: Scope) -> Result<Option<Policy>, StoreError>;

    /// The policies of a project, in the order in which they were first set; only those about one environment where that
    /// is given.
    async fn policies(
        &self,
        project: ProjectId,
        about: Option<EnvironmentId>,
        after: Option<PolicyPlace>,
        size: PageSize,
    ) -> Result<Page<Policy, PolicyPlace>, StoreError>;
}
