//! A deployment that puts something back is planned when it is carried out: what it takes depends on what is there then.

use slipway_deployments::{Claim, Deployment, Problem, Step, steps_for};

use super::run::problem;
use crate::{
    CommandError, Context,
    deployments::{items, putting_back::plan_back},
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
    let plan = match plan_back(context, deployment).await {
        Ok(plan) => plan,
        Err(problem) => return Ok(Prepared::Impossible(problem)),
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
