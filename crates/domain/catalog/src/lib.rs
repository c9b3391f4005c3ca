//! What can be deployed, and where to: environments, applications and their versions.

pub mod application;
pub mod environment;
pub mod version;

pub use application::{Application, ApplicationRepository};
pub use environment::{BackupInterval, Environment, EnvironmentRepository};
pub use version::{Content, Dependency, Deprecation, Version, VersionRepository};

use std::collections::BTreeSet;

use async_trait::async_trait;
use slipway_kernel::{
    ApplicationKind, EnvironmentId, Key, Page, PageSize, ProjectId, Slug, StoreError,
};

/// Reads about the catalog. Lookups answer `Ok(None)` where there is nothing.
#[async_trait]
pub trait CatalogQueries: Send + Sync {
    /// The environment with this slug, archived or not.
    async fn environment(
        &self,
        project: ProjectId,
        slug: &Slug,
    ) -> Result<Option<Environment>, StoreError>;

    /// One environment, whatever its project.
    async fn environment_by_id(&self, id: EnvironmentId)
    -> Result<Option<Environment>, StoreError>;

    /// A project's environments by position, then slug.
    async fn environments(
        &self,
        project: ProjectId,
        include_archived: bool,
        after: Option<&(i32, Slug)>,
        size: PageSize,
    ) -> Result<Page<Environment, (i32, Slug)>, StoreError>;

    /// The application with this key, archived or not.
    async fn application(
        &self,
        project: ProjectId,
        key: &Key,
    ) -> Result<Option<Application>, StoreError>;

    /// Those of the applications with these keys that the project has, archived ones too, in no order. A statement for
    /// each 10,000 keys or so.
    async fn applications_with(
        &self,
        project: ProjectId,
        keys: &BTreeSet<Key>,
    ) -> Result<Vec<Application>, StoreError>;

    /// A project's applications by key, of one kind where one is named.
    async fn applications(
        &self,
        project: ProjectId,
        kind: Option<ApplicationKind>,
        include_archived: bool,
        after: Option<&Key>,
        size: PageSize,
    ) -> Result<Page<Application, Key>, StoreError>;

    /// One version of an application.
    async fn version(
        &self,
        project: ProjectId,
        application: &Key,
        identifier: &Key,
    ) -> Result<Option<Version>, StoreError>;

    /// Those of these pairs of an application's key and a version's identifier that the project has, in no order. A
    /// statement for each 499 pairs.
    async fn versions_with(
        &self,
        project: ProjectId,
        names: &BTreeSet<(Key, Key)>,
    ) -> Result<Vec<Version>, StoreError>;

    /// An application's versions, newest first, without the deprecated ones where `exclude_deprecated` says so.
    async fn versions(
        &self,
        project: ProjectId,
        application: &Key,
        exclude_deprecated: bool,
        after: Option<version::Place>,
        size: PageSize,
    ) -> Result<Page<Version, version::Place>, StoreError>;
}
