//! Deployments that are let pass without those who were asked, and what is said about that afterwards.

use serde::Serialize;
use serde_json::json;
use slipway_approvals::{ApprovalRequest, Finding, Override, Review};
use slipway_audit::Resource;
use slipway_deployments::DeploymentName;
use slipway_identity::Command;
use slipway_kernel::{Sha256, Slug, text::Reason};
use slipway_notifications::{EventKind, NewEvent};

use super::{
    ApprovalError,
    decide::{Decided, behind, find, go_on},
};
use crate::{
    Call, Context,
    change::{Change, Done},
    error::dangling,
    notifications::facts,
};

/// A deployment to let pass.
#[derive(Debug, Clone, Serialize)]
pub struct OverrideApproval {
    /// The project.
    pub project: Slug,
    /// The deployment.
    pub deployment: DeploymentName,
    /// The digest of what was looked at.
    pub plan_digest: Sha256,
    /// Why.
    pub reason: Reason,
}

/// Lets a deployment pass without those who were asked. It stays marked for ever, and waits for a review.
pub async fn override_approval(
    context: &Context,
    call: &Call<'_>,
    command: OverrideApproval,
) -> Result<Decided, ApprovalError> {
    let (mut change, project) =
        Change::in_any_project(context, call, Command::OverrideApproval, &command.project).await?;
    let name = command.deployment.to_string();
    let repeated = change.made_before(&command, &name).await?;
    let mut found = find(&mut change, project, command.deployment).await?;
    if repeated.is_some() {
        return Ok(found);
    }
    change.require_open(&command.project).await?;
    let principal = call.caller.principal;
    let approvals = change.unit.approvals();
    let voters = approvals.voters(project, Some(&[principal])).await?;
    let voter = voters
        .first()
        .ok_or_else(|| dangling("principal", principal))?;
    let overridden = Override {
        principal,
        person: voter.person.behind(),
        at: change.now,
        reason: command.reason,
        digest: command.plan_digest,
        review: None,
    };
    let from = found.request.state.kind();
    let before = found.deployment.state;
    found.request = found
        .request
        .override_by(overridden.clone(), voter)
        .map_err(|why| {
            let looked_at = overridden.digest;
            let command = Command::OverrideApproval;
            ApprovalError::not_overridden(why, &found.deployment, looked_at, command)
        })?;
    approvals.update(&found.request, from).await?;
    approvals
        .override_request(&found.request, &overridden)
        .await?;
    // Before what comes of it is told.
    let told = NewEvent {
        deployment: found.deployment.id,
        kind: EventKind::ApprovalOverridden,
        facts: facts(&found.deployment, principal, &overridden.reason),
    };
    change.unit.notifications().append_event(&told).await?;
    let records = go_on(context, &mut change, &mut found.deployment, principal).await?;
    let after = json!({
        "state": found.deployment.state,
        "risk": found.deployment.risk,
        "approval_request": found.request.id,
        "overridden": true,
        "plan_digest": overridden.digest,
        "reason": overridden.reason,
    });
    change
        .audit(Done {
            resource: Resource::new("deployment", &found.deployment.id),
            before: Some(json!({ "state": before, "risk": found.deployment.risk })),
            after: Some(after),
            facts: &records,
        })
        .await?;
    change.commit().await?;
    Ok(found)
}

/// What somebody says about an override.
#[derive(Debug, Clone, Serialize)]
pub struct ReviewOverride {
    /// The project.
    pub project: Slug,
    /// The deployment that was let pass.
    pub deployment: DeploymentName,
    /// Whether that was right.
    pub finding: Finding,
    /// Why.
    pub comment: Reason,
}

/// Says whether it was right to let a deployment pass: somebody who neither did that, nor asked for the deployment, nor made
/// what it deploys. Of several overrides of one deployment the last one is reviewed first.
pub async fn review_override(
    context: &Context,
    call: &Call<'_>,
    command: ReviewOverride,
) -> Result<ApprovalRequest, ApprovalError> {
    let (mut change, project) =
        Change::in_any_project(context, call, Command::ReviewOverride, &command.project).await?;
    let name = command.deployment;
    let repeated = change.made_before(&command, &name.to_string()).await?;
    let deployment = change.unit.deployments().find(project, name).await?;
    let deployment = deployment.ok_or(ApprovalError::DeploymentNotFound { name })?;
    let number = deployment.number;
    let approvals = change.unit.approvals();
    let request = approvals.overridden(deployment.id).await?;
    let request = request.ok_or(ApprovalError::NothingToReview { number })?;
    if repeated.is_some() {
        return Ok(request);
    }
    change.require_open(&command.project).await?;
    let principal = call.caller.principal;
    let approvals = change.unit.approvals();
    let voters = approvals.voters(project, Some(&[principal])).await?;
    let review = Review {
        principal,
        person: behind(&voters, principal)?,
        finding: command.finding,
        comment: command.comment,
        at: change.now,
    };
    let excluded = approvals.had_a_part(deployment.id).await?;
    let request = request
        .review(review.clone(), &excluded)
        .map_err(|why| ApprovalError::not_reviewed(why, number))?;
    approvals.review(request.id, &review).await?;
    change
        .done(
            Resource::new("deployment", &deployment.id),
            None,
            Some(json!({
                "approval_request": request.id,
                "finding": review.finding,
                "comment": review.comment,
            })),
        )
        .await?;
    Ok(request)
}
