//! Projects: the unit of isolation.

use async_trait::async_trait;
use slipway_kernel::{
    ProjectId, Requirements, Revision, Slug, StoreError, Timestamp,
    text::{Description, DisplayName},
};

/// The unit of isolation: everything else belongs to one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// Its identifier.
    pub id: ProjectId,
    /// Its name in every request; unique in the installation, and never changed.
    pub slug: Slug,
    /// What people call it.
    pub display_name: DisplayName,
    /// What it is for.
    pub description: Description,
    /// What it requires of versions before they are released.
    pub requirements: Requirements,
    /// When it was made.
    pub created_at: Timestamp,
    /// Since when nothing in it can be changed.
    pub archived_at: Option<Timestamp>,
    /// How often it has been changed.
    pub revision: Revision,
}

/// Changes projects, inside a unit of work.
#[async_trait]
pub trait ProjectRepository: Send {
    /// Adds a project. An adapter MUST answer `false`, and change nothing, where the slug is taken.
    async fn insert(&mut self, project: &Project) -> Result<bool, StoreError>;

    /// The project with this slug, to be changed. An adapter MUST hold it until the unit of work ends: another unit of
    /// work that looks it up here waits, and then finds it as it was left.
    async fn find(&mut self, slug: &Slug) -> Result<Option<Project>, StoreError>;

    /// The project with this identifier.
    async fn get(&mut self, id: ProjectId) -> Result<Option<Project>, StoreError>;

    /// Saves a changed project, whose revision is one above the stored one. An adapter MUST answer
    /// [`StoreError::Conflict`] where the stored revision is another.
    async fn update(&mut self, project: &Project) -> Result<(), StoreError>;
}
