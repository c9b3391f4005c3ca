//! A deployment that puts something back is planned when it is carried out: what it takes depends on what is there then.

use slipway_deployments::{Claim, Deployment, Origin, Problem, Step, steps_for};

use super::{chosen, preflight::closed, run::problem};
use crate::{
    CommandError, Context,
    deployments::{
        items, numbered,
        putting_back::{Bound, later_writers, plan_back},
    },
    error::chain,
};

/// What became of planning.
pub(super) enum Prepared {
    /// The items and the steps are written down.
    Planned,
    /// It can't be done; nothing was touched.
    Impossible(Problem),
    /// Somebody else has claimed the deployment since.
    Lost,
}

/// Plans, and writes down the items and steps.
pub(super) async fn prepare(
    context: &Context,
    claim: &Claim,
    deployment: &mut Deployment,
    steps: &mut Vec<Step>,
) -> Result<Prepared, CommandError> {
    if deployment.chooses_versions() {
        return chosen::prepare(context, claim, deployment, steps).await;
    }
    let stand_against = [
        closed(context, deployment).await?,
        moved(context, deployment).await?,
        overtaken(context, deployment).await?,
    ];
    if let Some(problem) = stand_against.into_iter().flatten().next() {
        return Ok(Prepared::Impossible(problem));
    }
    let plan = match plan_back(context, deployment).await {
        Ok(plan) => plan,
        Err(error) => return Ok(Prepared::Impossible(error.problem())),
    };
    if let Some(first) = plan.problems.into_iter().next() {
        return Ok(Prepared::Impossible(first));
    }
    let plan = slipway_deployments::Plan {
        problems: Vec::new(),
        ..plan
    };
    let kept = match items::keep(context, &plan).await {
        Ok(kept) => kept,
        Err(error) => {
            let message = chain(&error);
            return Ok(Prepared::Impossible(problem(
                "OBJECTS_UNAVAILABLE",
                message,
            )));
        }
    };
    deployment.items = kept;
    let planned = steps_for(&plan.order());
    let mut unit = context.store.begin().await?;
    if !unit.deployments().guard(claim).await? {
        return Ok(Prepared::Lost);
    }
    unit.deployments().add_items(deployment).await?;
    unit.deployments()
        .add_steps(deployment.id, &planned)
        .await?;
    unit.commit().await?;
    *steps = planned;
    Ok(Prepared::Planned)
}

/// Whether the environment has another engine than the one that was agreed to.
async fn moved(
    context: &Context,
    deployment: &Deployment,
) -> Result<Option<Problem>, CommandError> {
    let Some(bound) = Bound::of(context, deployment).await? else {
        return Ok(None);
    };
    let now = bound.digest(context, deployment.target).await?;
    Ok((now != deployment.plan_digest).then(|| {
        let message = "the environment has another workflow engine than when this was asked for; nothing was touched: \
                       ask again";
        problem("PLAN_CHANGED", message)
    }))
}

/// Whether another deployment wrote the same workflows since the rollback was asked for.
pub(super) async fn overtaken(
    context: &Context,
    deployment: &Deployment,
) -> Result<Option<Problem>, CommandError> {
    let Origin::Undoes { deployment: undone } = deployment.origin else {
        return Ok(None);
    };
    let later = later_writers(context, undone).await?;
    Ok((!later.is_empty()).then(|| {
        let message = format!(
            "{} wrote the same workflows since; nothing was touched: roll them back first, the last one first",
            numbered(&later)
        );
        problem("LATER_DEPLOYMENTS", message)
    }))
}
