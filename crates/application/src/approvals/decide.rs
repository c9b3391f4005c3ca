use serde::Serialize;
use serde_json::json;
use slipway_approvals::{ApprovalRequest, Decision, StateKind, Verdict, Voter};
use slipway_audit::{Fact, Resource};
use slipway_deployments::{Deployment, DeploymentName, State};
use slipway_identity::Command;
use slipway_kernel::{PrincipalId, ProjectId, Sha256, Slug, StoreError, text::Reason};

use super::{ApprovalError, gate};
use crate::{
    Call, Context,
    change::{Change, Done},
    error::dangling,
    releases::start::{Started, start_new},
};

/// An answer to an approval request.
#[derive(Debug, Clone, Serialize)]
pub struct Decide {
    /// The project.
    pub project: Slug,
    /// The deployment that asks.
    pub deployment: DeploymentName,
    /// The digest of what was looked at.
    pub plan_digest: Sha256,
    /// The rule that an approval is for; `None` where it counts for whichever needs it.
    pub rule: Option<Slug>,
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

/// Agrees to a deployment. As soon as every rule is met, it waits for its environment, and is carried out.
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
    let principal = call.caller.principal;
    let mut deciders: Vec<_> = request
        .decisions
        .iter()
        .map(|made| made.principal)
        .collect();
    deciders.push(principal);
    let approvals = change.unit.approvals();
    let voters = approvals.voters(project, Some(&deciders)).await?;
    let excluded = approvals.had_a_part(deployment.id).await?;
    let decision = Decision {
        principal,
        person: behind(&voters, principal)?,
        verdict,
        rule: answer.rule,
        comment: answer.comment,
        at: change.now,
        digest: answer.plan_digest,
        withdrawn: None,
    };
    let from = request.state.kind();
    let request = request
        .decide(decision.clone(), &voters, &excluded)
        .map_err(|why| ApprovalError::new(why, &deployment, decision.digest))?;
    let before = deployment.state;
    let approvals = change.unit.approvals();
    approvals.decide(request.id, &decision).await?;
    if request.state.kind() != from {
        approvals.update(&request, from).await?;
    }
    let mut facts = Vec::new();
    match request.state.kind() {
        StateKind::Approved => {
            facts = go_on(context, &mut change, &mut deployment, principal).await?;
        }
        StateKind::Rejected => {
            let rejected = State::Rejected;
            gate::end(&mut *change.unit, &mut deployment, rejected, change.now).await?;
        }
        // Others have to agree too.
        _ => {}
    }
    let after = json!({
        "state": deployment.state,
        "risk": deployment.risk,
        "approval_request": request.id,
        "approval_state": request.state.kind(),
        "verdict": verdict,
        "rule": decision.rule,
        "plan_digest": decision.digest,
        "comment": decision.comment,
    });
    change
        .audit(Done {
            resource: Resource::new("deployment", &deployment.id),
            before: Some(json!({ "state": before, "risk": deployment.risk })),
            after: Some(after),
            facts: &facts,
        })
        .await?;
    change.commit().await?;
    Ok(Decided {
        request,
        deployment,
    })
}

/// The person behind one of these voters.
pub(super) fn behind(voters: &[Voter], principal: PrincipalId) -> Result<PrincipalId, StoreError> {
    let found = voters
        .iter()
        .find(|voter| voter.person.principal == principal);
    let voter = found.ok_or_else(|| dangling("principal", principal))?;
    Ok(voter.person.behind())
}

/// The deployment and its last request, both held: the deployment first.
pub(super) async fn find(
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

/// All agreed who had to: it waits for whoever executes it, is carried out in this moment where nobody has to, or as soon as
/// its environment is free. The facts are those of what was carried out.
pub(super) async fn go_on(
    context: &Context,
    change: &mut Change<'_>,
    deployment: &mut Deployment,
    by: PrincipalId,
) -> Result<Vec<Fact>, ApprovalError> {
    let from = deployment.state;
    let mut next = from.to(State::Approved);
    if !deployment.runs_inline() && !deployment.waits_for_execution() {
        next = next.and_then(|approved| approved.to(State::Queued));
    }
    deployment.state = next.map_err(|error| StoreError::Fault(Box::new(error)))?;
    deployment.approved_by = Some(by);
    deployment.problem = None;
    change.unit.deployments().update(deployment, from).await?;
    let now = change.now;
    let started = start_new(context, &mut *change.unit, deployment, now).await?;
    Ok(started.map_or_else(Vec::new, Started::facts))
}
