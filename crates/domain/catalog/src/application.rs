//! Applications: whatever has versions and is deployed.

use async_trait::async_trait;
use slipway_kernel::{
    ApplicationId, ApplicationKind, Key, ProjectId, Revision, StoreError, Timestamp,
    text::{Description, DisplayName},
};

/// Something that has versions and is deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Application {
    /// Its identifier.
    pub id: ApplicationId,
    /// The project it belongs to.
    pub project: ProjectId,
    /// Its name in every request; unique in its project, and never changed.
    pub key: Key,
    /// What kind of thing it is; never changed.
    pub kind: ApplicationKind,
    /// What people call it.
    pub display_name: DisplayName,
    /// What it is for.
    pub description: Description,
    /// When it was made.
    pub created_at: Timestamp,
    /// Since when it gets no new versions and no new deployments.
    pub archived_at: Option<Timestamp>,
    /// How often it has been changed.
    pub revision: Revision,
}

/// Changes applications, inside a unit of work.
#[async_trait]
pub trait ApplicationRepository: Send {
    /// Adds applications and returns the keys of those that were added; a key that is taken changes nothing.
    async fn insert(&mut self, applications: &[Application]) -> Result<Vec<Key>, StoreError>;

    /// The application with this key, to be changed or to decide by. An adapter MUST hold it until the unit of work
    /// ends: another unit of work that looks it up here waits, and then finds it as it was left.
    async fn find(
        &mut self,
        project: ProjectId,
        key: &Key,
    ) -> Result<Option<Application>, StoreError>;

    /// Saves a changed application, whose revision is one above the stored one. An adapter MUST answer
    /// [`StoreError::Conflict`] where the stored revision is another.
    async fn update(&mut self, application: &Application) -> Result<(), StoreError>;
}
