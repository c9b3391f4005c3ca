use serde::Serialize;
use slipway_approvals::{ApprovalFilter, ApprovalPlace, ApprovalRequest, StateKind};
use slipway_deployments::DeploymentName;
use slipway_identity::Command;
use slipway_kernel::{Page, PageSize, Slug, Timestamp};

use super::ApprovalError;
use crate::{Call, Context};

/// The last approval request of a deployment.
pub async fn get_approval_request(
    context: &Context,
    call: &Call<'_>,
    project: &Slug,
    name: DeploymentName,
) -> Result<ApprovalRequest, ApprovalError> {
    let project = context
        .authorise_in(call, Command::GetApprovalRequest, project)
        .await?;
    let reader = context.reader();
    let deployment = reader.deployment(project, name).await?;
    let deployment = deployment.ok_or(ApprovalError::DeploymentNotFound { name })?;
    let found = reader.approval_request(project, deployment.id).await?;
    let number = deployment.number;
    found.ok_or(ApprovalError::NotFound { number })
}

/// Which approval requests a caller wants; what is `None` or empty selects all.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ListApprovalRequests {
    /// In one of these states.
    pub states: Vec<StateKind>,
    /// For deployments to this environment.
    pub environment: Option<Slug>,
    /// Opened at this time or later.
    pub from: Option<Timestamp>,
    /// Opened before this time.
    pub to: Option<Timestamp>,
}

/// The approval requests that a filter selects, newest first.
pub async fn list_approval_requests(
    context: &Context,
    call: &Call<'_>,
    project: &Slug,
    wanted: ListApprovalRequests,
    after: Option<ApprovalPlace>,
    size: PageSize,
) -> Result<Page<ApprovalRequest, ApprovalPlace>, ApprovalError> {
    let project = context
        .authorise_in(call, Command::ListApprovalRequests, project)
        .await?;
    let reader = context.reader();
    let environment = match wanted.environment {
        Some(slug) => match reader.environment(project, &slug).await? {
            Some(environment) => Some(environment.id),
            None => return Err(ApprovalError::EnvironmentNotFound { slug }),
        },
        None => None,
    };
    let filter = ApprovalFilter {
        states: wanted.states,
        environment,
        from: wanted.from,
        to: wanted.to,
    };
    Ok(reader
        .approval_requests(project, &filter, after, size)
        .await?)
}
