//! Pipelines and deployments.

mod check;
mod deployment;
mod gates;
mod item;
mod lease;
mod list;
mod pipeline;
mod problem;
mod pulse;
mod released;
mod resolution;
mod step;
mod template;
mod transition;
mod undoing;

use async_trait::async_trait;
use slipway_deployments::{
    Deployment, DeploymentFilter, DeploymentName, DeploymentPulse, DeploymentQueries,
    DeploymentSummary, LastSuccess, ListedDeployment, Pipeline, Transition,
};
use slipway_kernel::{
    DeploymentId, EnvironmentId, Page, PageSize, PipelineId, ProjectId, Slug, StoreError, Timestamp,
};

use crate::SqlReader;

#[async_trait]
impl DeploymentQueries for SqlReader {
    async fn pipeline(
        &self,
        project: ProjectId,
        slug: &Slug,
    ) -> Result<Option<Pipeline>, StoreError> {
        pipeline::by_slug(&self.connection, project, slug).await
    }

    async fn pipeline_by_id(&self, id: PipelineId) -> Result<Option<Pipeline>, StoreError> {
        pipeline::by_id(&self.connection, id).await
    }

    async fn pipelines(
        &self,
        project: ProjectId,
        include_archived: bool,
        after: Option<&Slug>,
        size: PageSize,
    ) -> Result<Page<Pipeline, Slug>, StoreError> {
        pipeline::page(&self.connection, project, include_archived, after, size).await
    }

    async fn deployment(
        &self,
        project: ProjectId,
        name: DeploymentName,
    ) -> Result<Option<Deployment>, StoreError> {
        deployment::by_name(&self.connection, project, name, "").await
    }

    async fn due_releases(
        &self,
        now: Timestamp,
        size: PageSize,
    ) -> Result<Vec<DeploymentId>, StoreError> {
        released::due(&self.connection, now, size).await
    }

    async fn transitions(&self, id: DeploymentId) -> Result<Vec<Transition>, StoreError> {
        transition::all(&self.connection, id).await
    }

    async fn deployments(
        &self,
        project: ProjectId,
        filter: &DeploymentFilter,
        after: Option<i64>,
        size: PageSize,
    ) -> Result<Page<ListedDeployment, i64>, StoreError> {
        list::page(&self.connection, project, filter, after, size).await
    }

    async fn last_success(&self, target: EnvironmentId) -> Result<Option<LastSuccess>, StoreError> {
        list::last_success(&self.connection, target).await
    }

    async fn deployment_pulses(
        &self,
        ids: &[DeploymentId],
    ) -> Result<Vec<DeploymentPulse>, StoreError> {
        pulse::all(&self.connection, ids).await
    }

    async fn later_writers(&self, id: DeploymentId, limit: u32) -> Result<Vec<i64>, StoreError> {
        undoing::later_writers(&self.connection, id, limit).await
    }

    async fn deployment_summary(
        &self,
        project: ProjectId,
        since: Timestamp,
    ) -> Result<DeploymentSummary, StoreError> {
        list::summary(&self.connection, project, since).await
    }
}
