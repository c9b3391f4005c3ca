//! Releases that begin by themselves: those that nobody has to execute, once nothing holds them up any more.

use serde_json::json;
use slipway_deployments::{Deployment, State};
use slipway_kernel::{DeploymentId, PageSize};

use super::{
    fall,
    start::{Started, start},
};
use crate::{
    CommandError, Context,
    deployments::event::{CARRY_OUT, event},
    error::chain,
};

/// Begins what is due, at most a page of it, and says how many releases were carried out.
pub async fn start_due_releases(context: &Context) -> Result<usize, CommandError> {
    let now = context.clock.now();
    let due = context.reader().due_releases(now, PageSize::MAX).await?;
    let mut carried_out = 0;
    for deployment in due {
        // One that can't be begun does not keep the others from it.
        match start_one(context, deployment).await {
            Ok(done) => carried_out += usize::from(done),
            Err(error) => {
                tracing::warn!(%deployment, error = chain(&error), "a release could not begin");
            }
        }
    }
    Ok(carried_out)
}

async fn start_one(context: &Context, id: DeploymentId) -> Result<bool, CommandError> {
    let now = context.clock.now();
    let mut unit = context.store.begin().await?;
    let Some(mut deployment) = unit.deployments().find_by_id(id).await? else {
        return Ok(false);
    };
    // Somebody else may have been faster.
    if deployment.state != State::Approved || deployment.waits_for_execution() {
        return Ok(false);
    }
    let started = start(context, &mut *unit, &mut deployment, now).await?;
    match started {
        Started::Done { facts } => {
            let before = Some(json!({ "state": State::Approved }));
            let after = json!({ "state": deployment.state, "recorded": facts.len() });
            let event = event(context, &deployment, CARRY_OUT, (before, Some(after)), now);
            unit.audit()
                .append(&slipway_audit::Event { facts, ..event })
                .await?;
            unit.commit().await?;
            Ok(true)
        }
        Started::Held(hold) => {
            let (problem, until) = hold.told(now);
            put_off(context, unit, deployment, problem, until).await
        }
        Started::Impossible(problem) => {
            let until = now.plus(std::time::Duration::from_mins(1));
            put_off(context, unit, deployment, Some(problem), until).await
        }
        Started::Objected(why) => {
            drop(unit);
            fall::fall(context, id, &why).await?;
            Ok(false)
        }
        Started::Changed => {
            drop(unit);
            fall::fall(context, id, fall::CHANGED).await?;
            Ok(false)
        }
    }
}

/// It is looked at again at that moment. Nobody else sees a change where it says the same as before.
async fn put_off(
    context: &Context,
    mut unit: Box<dyn slipway_store::UnitOfWork>,
    mut deployment: Deployment,
    problem: Option<slipway_deployments::Problem>,
    until: slipway_kernel::Timestamp,
) -> Result<bool, CommandError> {
    let told_before = deployment.problem == problem;
    deployment.problem = problem;
    deployment.not_before = Some(until);
    let state = deployment.state;
    unit.deployments().update(&deployment, state).await?;
    if let Some(problem) = deployment.problem.as_ref().filter(|_| !told_before) {
        let before = Some(json!({ "state": state }));
        let after = Some(json!({ "state": state, "reason": problem.reason }));
        let now = context.clock.now();
        let event = event(context, &deployment, CARRY_OUT, (before, after), now);
        unit.audit().append(&event).await?;
    }
    unit.commit().await?;
    Ok(false)
}
