use serde::Serialize;
use serde_json::json;
use slipway_approvals::{StateKind, Withdrawal};
use slipway_audit::Resource;
use slipway_deployments::{DeploymentName, State};
use slipway_identity::Command;
use slipway_kernel::{Slug, StoreError, text::Reason};

use super::{
    ApprovalError,
    decide::{Decided, behind, find},
};
use crate::{Call, Context, change::Change};

/// An approval to take back.
#[derive(Debug, Clone, Serialize)]
pub struct WithdrawApproval {
    /// The project.
    pub project: Slug,
    /// The deployment that was agreed to.
    pub deployment: DeploymentName,
    /// Why.
    pub reason: Reason,
}

/// Takes an approval back, by whichever account of the person who gave it. Where too few are left, the deployment waits for
/// others; once it has begun, it goes on.
pub async fn withdraw_approval(
    context: &Context,
    call: &Call<'_>,
    command: WithdrawApproval,
) -> Result<Decided, ApprovalError> {
    let (mut change, project) =
        Change::in_any_project(context, call, Command::WithdrawApproval, &command.project).await?;
    let name = command.deployment.to_string();
    let repeated = change.made_before(&command, &name).await?;
    let mut found = find(&mut change, project, command.deployment).await?;
    if repeated.is_some() {
        return Ok(found);
    }
    change.require_open(&command.project).await?;
    let number = found.deployment.number;
    let before = found.deployment.state;
    // What never began was ended by another answer, by time, or by who stopped it.
    let ended = match before {
        State::Rejected => Some(StateKind::Rejected),
        State::Expired => Some(StateKind::Expired),
        State::Canceled if found.deployment.started_at.is_none() => Some(StateKind::Canceled),
        _ => None,
    };
    if let Some(state) = ended {
        return Err(ApprovalError::NotPending { number, state });
    }
    if !matches!(
        before,
        State::PendingApproval | State::Approved | State::Queued
    ) {
        return Err(ApprovalError::Begun {
            number,
            state: before,
        });
    }
    let principal = call.caller.principal;
    let mut people: Vec<_> = found
        .request
        .decisions
        .iter()
        .map(|made| made.principal)
        .collect();
    people.push(principal);
    let approvals = change.unit.approvals();
    let voters = approvals.voters(project, Some(&people)).await?;
    let excluded = approvals.had_a_part(found.deployment.id).await?;
    let person = behind(&voters, principal)?;
    let withdrawal = Withdrawal {
        principal,
        at: change.now,
        reason: command.reason,
    };
    let from = found.request.state.kind();
    let request = found
        .request
        .withdraw(person, withdrawal.clone(), &voters, &excluded)
        .map_err(|why| ApprovalError::not_withdrawn(why, number))?;
    approvals.withdraw(request.id, person, &withdrawal).await?;
    let falls = from == StateKind::Approved && request.state.kind() == StateKind::Pending;
    if falls {
        approvals.update(&request, from).await?;
        let waits = before.to(State::PendingApproval);
        found.deployment.state = waits.map_err(|error| StoreError::Fault(Box::new(error)))?;
        found.deployment.approved_by = None;
        let deployments = change.unit.deployments();
        deployments.update(&found.deployment, before).await?;
    }
    found.request = request;
    change
        .done(
            Resource::new("deployment", &found.deployment.id),
            Some(json!({ "state": before, "approval_state": from })),
            Some(json!({
                "state": found.deployment.state,
                "approval_request": found.request.id,
                "approval_state": found.request.state.kind(),
                "reason": withdrawal.reason,
            })),
        )
        .await?;
    Ok(found)
}
