//! Reads about pipelines and deployments.

use async_trait::async_trait;
use serde::Serialize;
use slipway_kernel::{
    DeploymentId, EnvironmentId, Page, PageSize, PipelineId, ProjectId, Slug, SnapshotId,
    StoreError, Timestamp,
};

use crate::{Change, Deployment, DeploymentName, Item, ItemStatus, Pipeline, State};

/// How far a deployment is, in a few numbers. Whatever changes about a deployment that is carried out changes one of them,
/// so that whoever follows it reads the deployment itself only then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeploymentPulse {
    /// The deployment.
    pub id: DeploymentId,
    /// Where it is.
    pub state: State,
    /// Which claim works on it.
    pub epoch: i64,
    /// Whether somebody asked to stop it.
    pub canceled: bool,
    /// How many steps it takes, forwards; none before it was planned.
    pub steps: u32,
    /// How many of them are over.
    pub over: u32,
    /// How many steps are under way, in either direction.
    pub under_way: u32,
    /// How many items were undone.
    pub undone: u32,
}

/// Which deployments a reader wants; what is `None` or empty selects all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct DeploymentFilter {
    /// In one of these states.
    pub states: Vec<State>,
    /// Through this pipeline.
    pub pipeline: Option<PipelineId>,
    /// To this environment.
    pub target: Option<EnvironmentId>,
    /// Asked for at this time or later.
    pub from: Option<Timestamp>,
    /// Asked for before this time.
    pub to: Option<Timestamp>,
}

/// A deployment as a list has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedDeployment {
    /// The deployment without its items.
    pub deployment: Deployment,
    /// How many items it has.
    pub counts: ItemCounts,
}

/// How many items a deployment has: all, by what is done to them, and of all of them those that failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ItemCounts {
    /// All.
    pub total: u32,
    /// See [`Change::Created`].
    pub created: u32,
    /// See [`Change::Updated`].
    pub updated: u32,
    /// See [`Change::Deleted`].
    pub deleted: u32,
    /// See [`Change::Unchanged`].
    pub unchanged: u32,
    /// See [`Change::Skipped`].
    pub skipped: u32,
    /// See [`ItemStatus::Failed`].
    pub failed: u32,
}

impl ItemCounts {
    /// Of these items.
    pub fn of(items: &[Item]) -> Self {
        let mut counts = Self::default();
        for item in items {
            counts.add(item.change, item.status, 1);
        }
        counts
    }

    /// Counts so many more.
    pub const fn add(&mut self, change: Change, status: ItemStatus, count: u32) {
        self.total += count;
        *match change {
            Change::Created => &mut self.created,
            Change::Updated => &mut self.updated,
            Change::Deleted => &mut self.deleted,
            Change::Unchanged => &mut self.unchanged,
            Change::Skipped => &mut self.skipped,
        } += count;
        if matches!(status, ItemStatus::Failed) {
            self.failed += count;
        }
    }
}

/// A state that a deployment came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transition {
    /// Which.
    pub state: State,
    /// When, by the database's clock.
    pub at: Timestamp,
}

/// The deployment to an environment that succeeded last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastSuccess {
    /// What people call it.
    pub number: i64,
    /// The environment afterwards; `None` where that snapshot could not be taken.
    pub post_snapshot: Option<SnapshotId>,
}

/// A project's figures about deployments.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DeploymentSummary {
    /// How many succeeded since the time asked for, those undone since included.
    pub succeeded: u64,
    /// How many wait for approval now.
    pub pending_approval: u64,
}

/// Reads pipelines and deployments. Each is one statement, unless its comment says more.
#[async_trait]
pub trait DeploymentQueries: Send + Sync {
    /// The pipeline with this slug.
    async fn pipeline(
        &self,
        project: ProjectId,
        slug: &Slug,
    ) -> Result<Option<Pipeline>, StoreError>;

    /// One pipeline, whatever its project.
    async fn pipeline_by_id(&self, id: PipelineId) -> Result<Option<Pipeline>, StoreError>;

    /// A project's pipelines, by slug.
    async fn pipelines(
        &self,
        project: ProjectId,
        include_archived: bool,
        after: Option<&Slug>,
        size: PageSize,
    ) -> Result<Page<Pipeline, Slug>, StoreError>;

    /// One deployment with its items: two statements.
    async fn deployment(
        &self,
        project: ProjectId,
        name: DeploymentName,
    ) -> Result<Option<Deployment>, StoreError>;

    /// The releases and their rollbacks that begin by themselves and may at this moment, those that wait for longest first; as
    /// many as a page has.
    async fn due_releases(
        &self,
        now: Timestamp,
        size: PageSize,
    ) -> Result<Vec<DeploymentId>, StoreError>;

    /// Every state that a deployment has had, oldest first.
    async fn transitions(&self, id: DeploymentId) -> Result<Vec<Transition>, StoreError>;

    /// The deployments that a filter selects, highest number first: two statements.
    async fn deployments(
        &self,
        project: ProjectId,
        filter: &DeploymentFilter,
        after: Option<i64>,
        size: PageSize,
    ) -> Result<Page<ListedDeployment, i64>, StoreError>;

    /// The deployment that changed an environment's workflows last, succeeded, and was not rolled back since.
    async fn last_success(&self, target: EnvironmentId) -> Result<Option<LastSuccess>, StoreError>;

    /// How far these deployments are, in any order; those that don't exist are left out.
    async fn deployment_pulses(
        &self,
        ids: &[DeploymentId],
    ) -> Result<Vec<DeploymentPulse>, StoreError>;

    /// The numbers of later deployments to the same environment that wrote, or are about to write, one of the workflows
    /// that this one wrote, lowest first and at most `limit`. One that was undone since, and the one that undid it, don't
    /// count.
    async fn later_writers(&self, id: DeploymentId, limit: u32) -> Result<Vec<i64>, StoreError>;

    /// A project's figures.
    async fn deployment_summary(
        &self,
        project: ProjectId,
        since: Timestamp,
    ) -> Result<DeploymentSummary, StoreError>;
}
