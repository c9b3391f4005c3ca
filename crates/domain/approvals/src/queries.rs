//! Reads about approvals.

use std::collections::HashMap;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use slipway_kernel::{
    ApprovalRequestId, DeploymentId, EnvironmentId, Page, PageSize, ProjectId, StoreError,
    Timestamp,
};

use crate::{ApprovalRequest, Person, StateKind, Voter};

/// Which requests a reader wants; what is `None` or empty selects all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ApprovalFilter {
    /// In one of these states.
    pub states: Vec<StateKind>,
    /// For deployments to this environment.
    pub environment: Option<EnvironmentId>,
    /// Opened at this time or later.
    pub from: Option<Timestamp>,
    /// Opened before this time.
    pub to: Option<Timestamp>,
}

/// A request's place in lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ApprovalPlace {
    /// When it was opened.
    pub created_at: Timestamp,
    /// Its identifier.
    pub id: ApprovalRequestId,
}

/// Reads approval requests with their decisions: two statements each.
#[async_trait]
pub trait ApprovalQueries: Send + Sync {
    /// The last request of a deployment.
    async fn approval_request(
        &self,
        project: ProjectId,
        deployment: DeploymentId,
    ) -> Result<Option<ApprovalRequest>, StoreError>;

    /// The requests that a filter selects, newest first, those of one moment by id, highest first.
    async fn approval_requests(
        &self,
        project: ProjectId,
        filter: &ApprovalFilter,
        after: Option<ApprovalPlace>,
        size: PageSize,
    ) -> Result<Page<ApprovalRequest, ApprovalPlace>, StoreError>;

    /// Everybody who may have a say in a project, as they are now.
    async fn project_voters(&self, project: ProjectId) -> Result<Vec<Voter>, StoreError>;

    /// Everybody who had a part in these deployments, each once for each.
    async fn parts_in(
        &self,
        deployments: &[DeploymentId],
    ) -> Result<HashMap<DeploymentId, Vec<Person>>, StoreError>;

    /// The deployments whose requests are pending and overdue at this moment, those that are so for longest first; as
    /// many as a page has.
    async fn overdue_approvals(
        &self,
        now: Timestamp,
        size: PageSize,
    ) -> Result<Vec<DeploymentId>, StoreError>;
}
