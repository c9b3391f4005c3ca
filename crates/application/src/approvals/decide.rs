use serde::Serialize;
use serde_json::json;
use slipway_approvals::{ApprovalRequest, Decision, Verdict};
use slipway_audit::Resource;
use slipway_deployments::{Deployment, DeploymentName, State};
use slipway_identity::Command;
use slipway_kernel::{ProjectId, Sha256, Slug, StoreError, text::Reason};

use super::{ApprovalError, gate, people};
use crate::{Call, Context, change::Change};

/// An answer to an approval request.
#[derive(Debug, Clone, Serialize)]
pub struct Decide {
    /// The project.
    pub project: Slug,
    /// The deployment that asks.
    pub deployment: DeploymentName,
    /// The digest of what was looked at.
    pub plan_digest: Sha256,
    /// Why.
    pub comment: Reason,
}

/// What came of an answer.
#[derive(Debug, Clone)]
pub struct Decided {
    /// The request.
    pub request: ApprovalRequest,
    /// The deployment.
    pub deployment: Deployment,
}

/// Agrees to a deployment: it waits for its environment then, and is carried out.
pub async fn approve(
    context: &Context,
    call: &Call<'_>,
    command: Decide,
) -> Result<Decided, ApprovalError> {
    decide(context, call, command, Verdict::Approve).await
}

/// Disagrees with a deployment, which ends it.
pub async fn reject(
    context: &Context,
    call: &Call<'_>,
    command: Decide,
) -> Result<Decided, ApprovalError> {
    decide(context, call, command, Verdict::Reject).await
}

async fn decide(
    context: &Context,
    call: &Call<'_>,
    answer: Decide,
    verdict: Verdict,
) -> Result<Decided, ApprovalError> {
    let command = match verdict {
        Verdict::Approve => Command::Approve,
        Verdict::Reject => Command::Reject,
    };
    let (mut change, project) =
        Change::in_any_project(context, call, command, &answer.project).await?;
    // The name given stays the same when the request is repeated.
    let name = answer.deployment.to_string();
    let repeated = change.made_before(&answer, &name).await?;
    let Decided {
        request,
        mut deployment,
    } = find(&mut change, project, answer.deployment).await?;
    if repeated.is_some() {
        return Ok(Decided {
            request,
            deployment,
        });
    }
    change.require_open(&answer.project).await?;
    let voter = people::voter(&mut *change.unit, project, call.caller.principal).await?;
    let excluded = people::excluded(&mut *change.unit, &deployment).await?;
    let decision = Decision {
        principal: call.caller.principal,
        verdict,
        comment: answer.comment,
        at: change.now,
        digest: answer.plan_digest,
    };
    let from = request.state.kind();
    let request = request
        .decide(decision.clone(), voter, &excluded)
        .map_err(|why| ApprovalError::new(why, &deployment, decision.digest, command))?;
    let before = deployment.state;
    change.unit.approvals().update(&request, from).await?;
    change
        .unit
        .approvals()
        .decide(request.id, &decision)
        .await?;
    match verdict {
        Verdict::Approve => queue(&mut change, &mut deployment, &decision).await?,
        Verdict::Reject => {
            gate::end(
                &mut *change.unit,
                &mut deployment,
                State::Rejected,
                change.now,
            )
            .await?;
        }
    }
    change
        .done(
            Resource::new("deployment", &deployment.id),
            Some(json!({ "state": before })),
            Some(json!({
                "state": deployment.state,
                "approval_request": request.id,
                "verdict": verdict,
                "plan_digest": decision.digest,
                "comment": decision.comment,
            })),
        )
        .await?;
    Ok(Decided {
        request,
        deployment,
    })
}

/// The deployment and its last request, both held: the deployment first.
async fn find(
    change: &mut Change<'_>,
    project: ProjectId,
    name: DeploymentName,
) -> Result<Decided, ApprovalError> {
    let deployment = change.unit.deployments().find(project, name).await?;
    let deployment = deployment.ok_or(ApprovalError::DeploymentNotFound { name })?;
    let request = change.unit.approvals().last_of(deployment.id).await?;
    let number = deployment.number;
    Ok(Decided {
        request: request.ok_or(ApprovalError::NotFound { number })?,
        deployment,
    })
}

/// All agreed who had to: it is carried out as soon as its environment is free.
async fn queue(
    change: &mut Change<'_>,
    deployment: &mut Deployment,
    decision: &Decision,
) -> Result<(), ApprovalError> {
    let from = deployment.state;
    let next = from
        .to(State::Approved)
        .and_then(|approved| approved.to(State::Queued));
    deployment.state = next.map_err(|error| StoreError::Fault(Box::new(error)))?;
    deployment.approved_by = Some(decision.principal);
    Ok(change.unit.deployments().update(deployment, from).await?)
}
