use serde::Serialize;
use serde_json::json;
use slipway_audit::Resource;
use slipway_deployments::{Deployment, DeploymentName, State};
use slipway_identity::Command;
use slipway_kernel::{Sha256, Slug};

use super::inline::{self, Ran};
use crate::{
    Call, Context,
    approvals::gate,
    change::{Change, Done},
    deployments::DeploymentError,
};

/// A release to carry out.
#[derive(Debug, Clone, Serialize)]
pub struct ExecuteDeployment {
    /// The project.
    pub project: Slug,
    /// Which one.
    pub deployment: DeploymentName,
    /// The digest of what was looked at.
    pub plan_digest: Sha256,
}

/// Carries a release out that nobody has to agree to any more.
pub async fn execute_deployment(
    context: &Context,
    call: &Call<'_>,
    command: ExecuteDeployment,
) -> Result<Deployment, DeploymentError> {
    let (mut change, project) =
        Change::in_any_project(context, call, Command::ExecuteDeployment, &command.project).await?;
    let name = command.deployment;
    let found = change.unit.deployments().find(project, name).await?;
    let mut deployment = found.ok_or(DeploymentError::NotFound { name })?;
    let resource = deployment.id.to_string();
    if change.made_before(&command, &resource).await?.is_some() {
        return Ok(deployment);
    }
    change.require_open(&command.project).await?;
    if deployment.state != State::Approved {
        return Err(DeploymentError::NotExecutable {
            number: deployment.number,
            kind: deployment.kind,
            state: deployment.state,
        });
    }
    if deployment.plan_digest != command.plan_digest {
        return Err(changed(&deployment, &command));
    }
    let now = change.now;
    let until = gate::earliest_start(&mut *change.unit, &deployment).await?;
    if let Some(until) = until.filter(|until| *until > now) {
        let number = deployment.number;
        return Err(DeploymentError::TooEarly { number, until });
    }
    if let Some(why) = gate::objection(&mut *change.unit, &deployment, now).await? {
        drop(change);
        let deployment = fall(context, call, &command, &why).await?;
        return Err(DeploymentError::ApprovalFell {
            number: deployment.number,
            why,
        });
    }
    deployment.executed_by = Some(call.caller.principal);
    match inline::run(context, &mut *change.unit, &mut deployment, now).await? {
        Ran::Done { facts } => {
            let after = json!({
                "state": deployment.state,
                "plan_digest": deployment.plan_digest,
                "recorded": facts.len(),
            });
            let done = Done {
                resource: Resource::new("deployment", &deployment.id),
                before: Some(json!({ "state": State::Approved })),
                after: Some(after),
                facts: &facts,
            };
            change.audit(done).await?;
            change.commit().await?;
            Ok(deployment)
        }
        Ran::Changed => {
            drop(change);
            let why = "something else is current by now than when it was agreed to";
            let deployment = fall(context, call, &command, why).await?;
            Err(changed(&deployment, &command))
        }
        Ran::Impossible(problem) => Err(DeploymentError::PlanHasProblems {
            problems: vec![problem],
        }),
    }
}

/// What was agreed to does not count any more: the release waits anew, for what it would do now.
async fn fall(
    context: &Context,
    call: &Call<'_>,
    command: &ExecuteDeployment,
    why: &str,
) -> Result<Deployment, DeploymentError> {
    let (mut change, project) =
        Change::in_any_project(context, call, Command::ExecuteDeployment, &command.project).await?;
    let name = command.deployment;
    let found = change.unit.deployments().find(project, name).await?;
    let mut deployment = found.ok_or(DeploymentError::NotFound { name })?;
    // Somebody else may have been faster.
    if deployment.state == State::Approved {
        let now = change.now;
        inline::rebase(&mut *change.unit, &mut deployment).await?;
        gate::fall(context, &mut *change.unit, &mut deployment, why, now).await?;
        change.commit().await?;
    }
    Ok(deployment)
}

fn changed(deployment: &Deployment, command: &ExecuteDeployment) -> DeploymentError {
    DeploymentError::ReleaseChanged {
        number: deployment.number,
        digest: deployment.plan_digest,
        looked_at: command.plan_digest,
    }
}
