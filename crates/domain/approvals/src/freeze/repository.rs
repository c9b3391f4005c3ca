//! How freezes are kept.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use slipway_kernel::{
    DeploymentId, EnvironmentId, FreezeWindowId, Page, PageSize, ProjectId, Slug, StoreError,
};

use super::{FreezeOverride, FreezeWindow};

/// Changes freezes, inside a unit of work.
///
/// Whoever changes a window so that it stands in fewer ways also lets go of the deployments that wait for it
/// (`DeploymentRepository::thaw`): those look at it again.
#[async_trait]
pub trait FreezeRepository: Send {
    /// Adds a window. An adapter MUST answer `false`, and change nothing, where one that is not deleted has its slug.
    async fn insert(&mut self, window: &FreezeWindow) -> Result<bool, StoreError>;

    /// The window with this slug, unless it is deleted. An adapter MUST hold it until the unit of work ends: another unit
    /// of work that looks it up here waits, and then finds it as it was left.
    async fn find(
        &mut self,
        project: ProjectId,
        slug: &Slug,
    ) -> Result<Option<FreezeWindow>, StoreError>;

    /// The window with this id, also one that is deleted.
    async fn get(&mut self, id: FreezeWindowId) -> Result<Option<FreezeWindow>, StoreError>;

    /// Saves a changed window, whose revision is one above the stored one. An adapter MUST answer
    /// [`StoreError::Conflict`] where the stored revision is another.
    async fn update(&mut self, window: &FreezeWindow) -> Result<(), StoreError>;

    /// How many windows a project has that are not deleted. An adapter MUST let units of work that ask for one project
    /// come one after the other, so that a limit on the number holds.
    async fn count(&mut self, project: ProjectId) -> Result<u64, StoreError>;

    /// The windows whose scope covers an environment as it is now, by slug; without those that are suspended or deleted.
    async fn covering(
        &mut self,
        environment: EnvironmentId,
    ) -> Result<Vec<FreezeWindow>, StoreError>;

    /// Lets a deployment through. An adapter MUST answer [`StoreError::Conflict`] where it was let through this window
    /// before.
    async fn add_override(&mut self, made: &FreezeOverride) -> Result<(), StoreError>;

    /// What a deployment was let through, oldest first, of one moment by slug.
    async fn overrides(
        &mut self,
        deployment: DeploymentId,
    ) -> Result<Vec<FreezeOverride>, StoreError>;
}

/// Which windows a reader wants.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct FreezeFilter {
    /// Those whose scope covers this environment; `None` for all.
    pub environment: Option<EnvironmentId>,
    /// Also those that are deleted.
    pub include_deleted: bool,
}

/// A window's place in lists.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FreezePlace {
    /// Its slug.
    pub slug: Slug,
    /// Its identifier: of those with one slug, all but one are deleted.
    pub id: FreezeWindowId,
}

/// Reads freezes: one statement each.
#[async_trait]
pub trait FreezeQueries: Send + Sync {
    /// The window with this slug, unless it is deleted.
    async fn freeze_window(
        &self,
        project: ProjectId,
        slug: &Slug,
    ) -> Result<Option<FreezeWindow>, StoreError>;

    /// The windows that a filter selects, by slug, then by id.
    async fn freeze_windows(
        &self,
        project: ProjectId,
        filter: &FreezeFilter,
        after: Option<&FreezePlace>,
        size: PageSize,
    ) -> Result<Page<FreezeWindow, FreezePlace>, StoreError>;

    /// What these deployments were let through, by deployment, then oldest first, of one moment by slug. One statement for
    /// each 1,000 deployments.
    async fn freeze_overrides(
        &self,
        deployments: &[DeploymentId],
    ) -> Result<Vec<FreezeOverride>, StoreError>;
}
