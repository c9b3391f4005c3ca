use serde::Serialize;
use serde_json::json;
use slipway_audit::Resource;
use slipway_deployments::{Deployment, DeploymentName, State};
use slipway_identity::Command;
use slipway_kernel::{Sha256, Slug};

use super::{
    ReleaseError,
    fall::{CHANGED, fall},
    start::{Hold, Started, pass},
};
use crate::{
    Call, Context,
    approvals::passage::Passage,
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
    let (now, executor) = (change.now, call.caller.principal);
    let unit = &mut *change.unit;
    let passage = Passage::look(unit, &deployment).await?;
    passage
        .lets_execute(context, unit, &deployment, executor)
        .await?;
    if deployment.state != State::Approved {
        return Err(ReleaseError::NotExecutable {
            number: deployment.number,
            kind: deployment.kind,
            state: deployment.state,
        }
        .into());
    }
    if deployment.plan_digest != command.plan_digest {
        return Err(changed(&deployment, &command));
    }
    deployment.executed_by = Some(executor);
    let (id, number) = (deployment.id, deployment.number);
    match pass(context, &mut *change.unit, &mut deployment, &passage, now).await? {
        Started::Done { facts } => {
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
        Started::Held(Hold::Early(until)) => Err(ReleaseError::TooEarly { number, until }.into()),
        Started::Held(Hold::Frozen(frozen)) => Err(ReleaseError::Frozen(frozen).into()),
        Started::Held(Hold::Checks(missing)) => {
            Err(ReleaseError::ChecksMissing { number, missing }.into())
        }
        Started::Objected(why) => {
            drop(change);
            fall(context, id, &why).await?;
            Err(ReleaseError::ApprovalFell { number, why }.into())
        }
        Started::Changed => {
            drop(change);
            let deployment = fall(context, id, CHANGED).await?;
            Err(changed(&deployment, &command))
        }
        Started::Impossible(problem) => Err(DeploymentError::PlanHasProblems {
            problems: vec![problem],
        }),
    }
}

fn changed(deployment: &Deployment, command: &ExecuteDeployment) -> DeploymentError {
    ReleaseError::Changed {
        number: deployment.number,
        digest: deployment.plan_digest,
        looked_at: command.plan_digest,
    }
    .into()
}
