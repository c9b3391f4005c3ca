//! Releases that write workflows, and their rollbacks: their steps, and whether what was agreed on is still what would happen.

use slipway_deployments::{Claim, Deployment, DeploymentKind, Item, Problem, Step, steps_for};

use super::{
    effect::Effect,
    preflight::{closed, nothing_stands_for_new},
    prepare::{Prepared, overtaken},
    replanned::Replanned,
    run::problem,
    seen::Seen,
};
use crate::{
    CommandError, Context,
    deployments::target_of,
    error::chain,
    releases::{
        inline::{self, Standing},
        workflows::{self, Made},
    },
};

/// Writes down the steps. What a rollback takes is planned now, because it depends on what is in the engine.
pub(super) async fn prepare(
    context: &Context,
    claim: &Claim,
    deployment: &mut Deployment,
    steps: &mut Vec<Step>,
) -> Result<Prepared, CommandError> {
    let mut links = Vec::new();
    if deployment.kind == DeploymentKind::Rollback {
        let stand_against = [
            closed(context, deployment).await?,
            overtaken(context, deployment).await?,
        ];
        if let Some(problem) = stand_against.into_iter().flatten().next() {
            return Ok(Prepared::Impossible(problem));
        }
        match planned(context, deployment).await {
            Ok(made) => links = made.target.new_links,
            Err(problem) => return Ok(Prepared::Impossible(problem)),
        }
    }
    let written = deployment.items.iter().filter(|item| item.is_written());
    let planned = steps_for(&written.map(Item::ordered).collect::<Vec<_>>());
    let mut unit = context.store.begin().await?;
    if !unit.deployments().guard(claim).await? {
        return Ok(Prepared::Lost);
    }
    if deployment.kind == DeploymentKind::Rollback {
        let now = context.clock.now();
        match inline::stands(&mut *unit, deployment, now).await? {
            Standing::AsAgreed(_) => {}
            Standing::Changed => return Ok(Prepared::Impossible(changed())),
            Standing::Impossible(problem) => return Ok(Prepared::Impossible(problem)),
        }
        let deployments = unit.deployments();
        deployments.replace_plan(deployment, &planned).await?;
        let engines = unit.engines();
        engines.set_links(deployment.target, &links).await?;
    } else {
        let deployments = unit.deployments();
        deployments.add_steps(deployment.id, &planned).await?;
    }
    unit.commit().await?;
    *steps = planned;
    Ok(Prepared::Planned)
}

/// Gives the items of a rollback the documents that it takes.
async fn planned(context: &Context, deployment: &mut Deployment) -> Result<Made, Problem> {
    let made = plan_now(context, deployment).await?;
    let bound = workflows::bound_engine(deployment.target, &made.target.engine);
    if deployment.workflows
        != Some(bound.map_err(|error| problem("PREFLIGHT_FAILED", chain(&error)))?)
    {
        let message = "the environment has another workflow engine than when this was asked for; nothing was touched: \
                       ask again";
        return Err(problem("PLAN_CHANGED", message));
    }
    workflows::fill(context, &mut deployment.items, &made.plan, true)
        .await
        .map_err(|error| problem("OBJECTS_UNAVAILABLE", chain(&error)))?;
    Ok(made)
}

/// What the workflows of a deployment take as things are now, where nothing stands against that.
pub(in crate::deployments) async fn plan_now(
    context: &Context,
    deployment: &Deployment,
) -> Result<Made, Problem> {
    let failed = |error: &dyn std::error::Error| problem("PREFLIGHT_FAILED", chain(error));
    let target = target_of(context, deployment)
        .await
        .map_err(|error| failed(&error))?;
    let wanted = workflows::of_deployment(context, deployment)
        .await
        .map_err(|error| failed(&error))??;
    let planned = workflows::plan_wanted(context, &target, wanted).await;
    let (made, objections) = planned.map_err(|error| failed(&error))?;
    match objections.into_iter().next() {
        None => Ok(made),
        Some(first) => Err(first.problem()),
    }
}

fn changed() -> Problem {
    let message = "something else is current, or in the engine, than when this was agreed to; nothing was touched: look at \
                   it, and ask again";
    problem("PLAN_CHANGED", message)
}

/// Looks at what is current and at the engine again, and compares the digests. Nothing has been touched yet.
pub(super) async fn check(context: &Context, deployment: &Deployment, seen: &Seen) -> Effect {
    if deployment.kind == DeploymentKind::Rollback {
        return nothing_stands_for_new(context, deployment).await;
    }
    match closed(context, deployment).await {
        Ok(None) => {}
        Ok(Some(archived)) => return Effect::failed(archived),
        Err(error) => return Effect::failed(problem("PREFLIGHT_FAILED", chain(&error))),
    }
    let mut made = match plan_now(context, deployment).await {
        Ok(made) => made,
        Err(Problem { reason, message }) => {
            let message = format!("{message}; nothing was touched");
            return Effect::failed(problem(&reason, message));
        }
    };
    match stands(context, deployment, &made).await {
        Ok(Standing::AsAgreed(_)) => {
            seen.keep(Some(made.target));
            nothing_stands_for_new(context, deployment).await
        }
        Ok(Standing::Changed) => {
            let changed = Effect::failed(changed());
            // What nobody had to agree to, nobody is asked about again.
            if deployment.approved_by.is_none() {
                return changed;
            }
            let links = std::mem::take(&mut made.target.new_links);
            match Replanned::of_release(context, deployment, &made.plan, links).await {
                Ok(replanned) => Effect {
                    replanned: Some(replanned),
                    ..changed
                },
                Err(message) => Effect::failed(problem("PREFLIGHT_FAILED", message)),
            }
        }
        Ok(Standing::Impossible(found)) => Effect::failed(found),
        Err(error) => Effect::failed(problem("PREFLIGHT_FAILED", chain(&error))),
    }
}

/// What there is to say about it, as the engine and what is current are now.
async fn stands(
    context: &Context,
    deployment: &Deployment,
    made: &Made,
) -> Result<Standing, CommandError> {
    let mut unit = context.store.begin().await?;
    let now = Deployment {
        workflows: Some(made.plan.digest),
        ..deployment.clone()
    };
    inline::stands(&mut *unit, &now, context.clock.now()).await
}
