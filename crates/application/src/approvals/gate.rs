//! What every deployment passes before it is carried out.

use serde_json::json;
use slipway_approvals::{
    ApprovalRequest, RequestState, StateKind, enough,
    request::{EXPIRE_AFTER, IllegalStep},
};
use slipway_deployments::{Deployment, ItemStatus, Origin, Problem, State};
use slipway_kernel::{ApprovalRequestId, DeploymentId, StoreError, Timestamp};
use slipway_store::UnitOfWork;

use super::people::{excluded, voter};
use crate::{
    CommandError, Context,
    deployments::event::{CARRY_OUT, event},
};

/// Adds a new deployment without steps. Where somebody has to agree first, it waits in `PENDING_APPROVAL` for the request
/// that is answered; else in `QUEUED` for its environment.
pub(crate) async fn add(
    context: &Context,
    unit: &mut dyn UnitOfWork,
    deployment: &mut Deployment,
) -> Result<Option<ApprovalRequestId>, StoreError> {
    let required = is_required(unit, deployment).await?;
    deployment.state = match required {
        true => State::PendingApproval,
        false if deployment.runs_inline() || deployment.waits_for_execution() => State::Approved,
        false => State::Queued,
    };
    deployment.number = unit.deployments().insert(deployment).await?;
    if !required {
        return Ok(None);
    }
    let now = deployment.created_at;
    open(context, unit, deployment, now).await.map(Some)
}

/// Whether somebody has to agree: by the stage as it was when a promotion was asked for or as it is now, and to whatever
/// else changes an environment by any stage into it.
async fn is_required(
    unit: &mut dyn UnitOfWork,
    deployment: &Deployment,
) -> Result<bool, StoreError> {
    if deployment.gates.approval_required {
        return Ok(true);
    }
    let guarding = unit.pipelines().guarding(deployment.target).await?;
    Ok(match deployment.origin {
        Origin::Stage { pipeline, .. } => guarding.contains(&pipeline),
        Origin::Chosen | Origin::Snapshot { .. } | Origin::Undoes { .. } => !guarding.is_empty(),
    })
}

async fn open(
    context: &Context,
    unit: &mut dyn UnitOfWork,
    deployment: &Deployment,
    now: Timestamp,
) -> Result<ApprovalRequestId, StoreError> {
    let request = ApprovalRequest {
        id: ApprovalRequestId::new(&*context.ids),
        project: deployment.project,
        deployment: deployment.id,
        deployment_number: deployment.number,
        environment: deployment.target,
        digest: deployment.plan_digest,
        requester: deployment.requested_by,
        created_at: now,
        expires_at: now.plus(EXPIRE_AFTER),
        state: RequestState::Pending,
        decisions: Vec::new(),
    };
    unit.approvals().open(&request).await?;
    Ok(request.id)
}

/// Why a queued deployment may not begin, where it may not: nobody was asked who has to be by now, or what was answered
/// does not count any more.
pub(crate) async fn objection(
    unit: &mut dyn UnitOfWork,
    deployment: &Deployment,
    now: Timestamp,
) -> Result<Option<String>, StoreError> {
    let Some(request) = unit.approvals().last_of(deployment.id).await? else {
        let required = is_required(unit, deployment).await?;
        return Ok(required.then(|| "the stage requires approval now".to_owned()));
    };
    let mut voters = Vec::with_capacity(request.decisions.len());
    for decision in &request.decisions {
        voters.push(voter(unit, deployment.project, decision.principal).await?);
    }
    let excluded = excluded(unit, deployment).await?;
    let enough = enough(&request, deployment.plan_digest, &voters, &excluded, now);
    Ok(enough.err().map(|error| error.to_string()))
}

/// Lets a deployment of which nothing was touched wait for approval again, of what it would do now: another request takes
/// the place of the last one. Until it begins, its problem says why. Nobody has its lease afterwards.
pub(crate) async fn ask_again(
    context: &Context,
    unit: &mut dyn UnitOfWork,
    deployment: &mut Deployment,
    why: &str,
    now: Timestamp,
) -> Result<(), CommandError> {
    let from = deployment.state;
    deployment.state = from.to(State::PendingApproval)?;
    deployment.approved_by = None;
    deployment.started_at = None;
    deployment.problem = Some(Problem {
        reason: "APPROVAL_NEEDED".to_owned(),
        message: why.to_owned(),
    });
    unit.deployments().update(deployment, from).await?;
    let fell = close(unit, deployment.id, StateKind::Superseded, now).await?;
    let opened = open(context, unit, deployment, now).await?;
    let before = Some(json!({ "state": from, "approval_request": fell }));
    let after = Some(json!({
        "state": deployment.state,
        "plan_digest": deployment.plan_digest,
        "approval_request": opened,
        "reason": why,
    }));
    let event = event(context, deployment, CARRY_OUT, (before, after), now);
    Ok(unit.audit().append(&event).await?)
}

/// What was agreed to is not what a release would do any more, and it has been planned anew: it waits for approval again
/// where somebody has to agree, and else for whoever executes what it does now.
pub(crate) async fn fall(
    context: &Context,
    unit: &mut dyn UnitOfWork,
    deployment: &mut Deployment,
    why: &str,
    now: Timestamp,
) -> Result<(), CommandError> {
    if is_required(unit, deployment).await? || deployment.approved_by.is_some() {
        return ask_again(context, unit, deployment, why, now).await;
    }
    Ok(unit
        .deployments()
        .update(deployment, deployment.state)
        .await?)
}

/// Ends the request that a deployment has waited for, where it still is open.
pub(crate) async fn close(
    unit: &mut dyn UnitOfWork,
    deployment: DeploymentId,
    to: StateKind,
    now: Timestamp,
) -> Result<Option<ApprovalRequestId>, CommandError> {
    let request = unit.approvals().last_of(deployment).await?;
    let Some(request) = request.filter(|request| request.state.kind().may_become(to)) else {
        return Ok(None);
    };
    let from = request.state.kind();
    let closed = request.become_state(to, now)?;
    unit.approvals().update(&closed, from).await?;
    Ok(Some(closed.id))
}

/// Ends a deployment of which nothing was done: its items are skipped.
pub(crate) async fn end(
    unit: &mut dyn UnitOfWork,
    deployment: &mut Deployment,
    to: State,
    now: Timestamp,
) -> Result<(), CommandError> {
    let from = deployment.state;
    deployment.state = from.to(to)?;
    deployment.finished_at = Some(now);
    for item in &mut deployment.items {
        item.status = ItemStatus::Skipped;
    }
    let deployments = unit.deployments();
    deployments
        .update_items(deployment.id, &deployment.items)
        .await?;
    Ok(deployments.update(deployment, from).await?)
}

impl From<IllegalStep> for CommandError {
    fn from(error: IllegalStep) -> Self {
        StoreError::Fault(Box::new(error)).into()
    }
}
