use serde::Serialize;
use serde_json::json;
use slipway_approvals::StateKind;
use slipway_audit::Resource;
use slipway_deployments::{Cancel, Deployment, DeploymentName, State};
use slipway_identity::Command;
use slipway_kernel::{Slug, text::Reason};

use super::DeploymentError;
use crate::{Call, Context, approvals::gate, change::Change};

/// A deployment to stop.
#[derive(Debug, Clone, Serialize)]
pub struct CancelDeployment {
    /// The project.
    pub project: Slug,
    /// The deployment.
    pub deployment: DeploymentName,
    /// Why.
    pub reason: Reason,
}

/// Stops a deployment. One that has not begun is canceled at once. In a running one the step under way ends first, and its
/// stage says whether what was done is undone. One that was asked to stop before is returned as it is.
pub async fn cancel_deployment(
    context: &Context,
    call: &Call<'_>,
    command: CancelDeployment,
) -> Result<Deployment, DeploymentError> {
    let (mut change, project) =
        Change::in_any_project(context, call, Command::CancelDeployment, &command.project).await?;
    let name = command.deployment;
    let found = change.unit.deployments().find(project, name).await?;
    let before = found.ok_or(DeploymentError::NotFound { name })?;
    let resource = before.id.to_string();
    let made_before = change.made_before(&command, &resource).await?.is_some();
    if made_before || before.cancel.is_some() {
        return Ok(before);
    }
    let mut after = before.clone();
    after.thaw();
    after.cancel = Some(Cancel {
        by: call.caller.principal,
        at: change.now,
        reason: command.reason.clone(),
    });
    let now = change.now;
    let unit = &mut *change.unit;
    match before.state {
        State::PendingApproval | State::Approved | State::Queued => {
            gate::close(unit, before.id, StateKind::Canceled, now).await?;
            gate::end(unit, &mut after, State::Canceled, now).await?;
        }
        State::Running => unit.deployments().update(&after, before.state).await?,
        // Not COMPENSATING either, though it may become CANCELED: the executor has to undo all of it first.
        state => {
            let number = before.number;
            return Err(DeploymentError::NotCancelable { number, state });
        }
    }
    change
        .done(
            Resource::new("deployment", &after.id),
            Some(json!({ "state": before.state, "risk": before.risk })),
            Some(json!({ "state": after.state, "risk": after.risk, "reason": command.reason })),
        )
        .await?;
    Ok(after)
}
