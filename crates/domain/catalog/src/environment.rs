//! Environments: where versions are deployed to.

use async_trait::async_trait;
use slipway_kernel::{
    EnvironmentId, ProjectId, Revision, Slug, StoreError, Tier, Timestamp,
    text::{Description, DisplayName},
};

/// A place that versions are deployed to: `dev`, `staging`, `prod-eu`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// Its identifier.
    pub id: EnvironmentId,
    /// The project it belongs to.
    pub project: ProjectId,
    /// Its name in every request; unique in its project, and never changed.
    pub slug: Slug,
    /// What people call it.
    pub display_name: DisplayName,
    /// What it is for.
    pub description: Description,
    /// How much depends on it.
    pub tier: Tier,
    /// Where it stands in lists: ascending, equal ones by slug.
    pub position: i32,
    /// When it was made.
    pub created_at: Timestamp,
    /// Since when nothing can be deployed to it.
    pub archived_at: Option<Timestamp>,
    /// How often it has been changed.
    pub revision: Revision,
}

/// Changes environments, inside a unit of work.
#[async_trait]
pub trait EnvironmentRepository: Send {
    /// Adds an environment. An adapter MUST answer `false`, and change nothing, where the slug is taken.
    async fn insert(&mut self, environment: &Environment) -> Result<bool, StoreError>;

    /// The environment with this slug, to be changed or to decide by. An adapter MUST hold it until the unit of work
    /// ends: another unit of work that looks it up here waits, and then finds it as it was left.
    async fn find(
        &mut self,
        project: ProjectId,
        slug: &Slug,
    ) -> Result<Option<Environment>, StoreError>;

    /// Saves a changed environment, whose revision is one above the stored one. An adapter MUST answer
    /// [`StoreError::Conflict`] where the stored revision is another.
    async fn update(&mut self, environment: &Environment) -> Result<(), StoreError>;
}
