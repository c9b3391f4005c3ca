//! The catalog: environments, applications, versions.

mod application;
mod environment;
mod version;

use std::collections::BTreeSet;

use async_trait::async_trait;
use slipway_catalog::{
    Application, CatalogQueries, Environment, Version, version::Place as VersionPlace,
};
use slipway_kernel::{
    ApplicationKind, EnvironmentId, Key, Page, PageSize, ProjectId, Slug, StoreError,
};

use crate::SqlReader;

#[async_trait]
impl CatalogQueries for SqlReader {
    async fn environment(
        &self,
        project: ProjectId,
        slug: &Slug,
    ) -> Result<Option<Environment>, StoreError> {
        environment::by_slug(&self.connection, project, slug).await
    }

    async fn environment_by_id(
        &self,
        id: EnvironmentId,
    ) -> Result<Option<Environment>, StoreError> {
        environment::by_id(&self.connection, id, "").await
    }

    async fn environments(
        &self,
        project: ProjectId,
        include_archived: bool,
        after: Option<&(i32, Slug)>,
        size: PageSize,
    ) -> Result<Page<Environment, (i32, Slug)>, StoreError> {
        environment::page(&self.connection, project, include_archived, after, size).await
    }

    async fn application(
        &self,
        project: ProjectId,
        key: &Key,
    ) -> Result<Option<Application>, StoreError> {
        application::by_key(&self.connection, project, key).await
    }

    async fn applications_with(
        &self,
        project: ProjectId,
        keys: &BTreeSet<Key>,
    ) -> Result<Vec<Application>, StoreError> {
        application::with(&self.connection, project, keys).await
    }

    async fn applications(
        &self,
        project: ProjectId,
        kind: Option<ApplicationKind>,
        include_archived: bool,
        after: Option<&Key>,
        size: PageSize,
    ) -> Result<Page<Application, Key>, StoreError> {
        application::page(
            &self.connection,
            project,
            kind,
            include_archived,
            after,
            size,
        )
        .await
    }

    async fn version(
        &self,
        project: ProjectId,
        application: &Key,
        identifier: &Key,
    ) -> Result<Option<Version>, StoreError> {
        version::by_names(&self.connection, project, application, identifier).await
    }

    async fn versions_with(
        &self,
        project: ProjectId,
        names: &BTreeSet<(Key, Key)>,
    ) -> Result<Vec<Version>, StoreError> {
        version::with_names(&self.connection, project, names).await
    }

    async fn versions(
        &self,
        project: ProjectId,
        application: &Key,
        exclude_deprecated: bool,
        after: Option<VersionPlace>,
        size: PageSize,
    ) -> Result<Page<Version, VersionPlace>, StoreError> {
        version::page(
            &self.connection,
            project,
            application,
            exclude_deprecated,
            after,
            size,
        )
        .await
    }
}
