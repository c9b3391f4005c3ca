//! The plan of a promotion, made from both engines as they are now.

use std::collections::BTreeSet;

use slipway_catalog::Environment;
use slipway_deployments::{Gates, Plan, Planned, Problem, plan};
use slipway_kernel::Key;
use slipway_workflows::Link;

use super::{executor::problem, gates};
use crate::{
    CommandError, Context,
    engines::{EngineProblem, survey},
};

/// A plan, and what was learned on the way.
pub(super) struct Made {
    pub(super) plan: Plan,
    /// Keys of the source's workflows that were new.
    pub(super) source_links: Vec<Link>,
    /// Keys of the target's.
    pub(super) target_links: Vec<Link>,
}

/// Why a plan could not be made.
#[derive(Debug, thiserror::Error)]
pub(super) enum PlanningError {
    #[error(transparent)]
    Engine(#[from] EngineProblem),
    #[error(transparent)]
    Command(#[from] CommandError),
}

/// Reads both engines, and plans. Nothing is written anywhere.
pub(super) async fn plan_stage(
    context: &Context,
    source: &Environment,
    target: &Environment,
    gates: &Gates,
    chosen: Option<&BTreeSet<Key>>,
) -> Result<Made, PlanningError> {
    let there = survey(context, source, None).await?;
    let here = survey(context, target, Some(&there.inventory)).await?;
    let credentials = context
        .reader()
        .credentials(target.id)
        .await
        .map_err(CommandError::from)?;
    let mut plan = plan(Planned {
        environment: target.id,
        source: &there.inventory,
        target: &here.inventory,
        gone: &there.gone,
        credentials: Some(&credentials),
        gates,
        chosen,
    })
    .map_err(CommandError::from)?;
    plan.problems.extend(unsupported(*gates));
    let stage = gates::Stage {
        gates,
        source: (source, &there.inventory),
        target: (target, &here.inventory),
        chosen,
    };
    gates::check(context, &stage, &mut plan)
        .await
        .map_err(CommandError::from)?;
    Ok(Made {
        plan,
        source_links: there.new_links,
        target_links: here.new_links,
    })
}

/// Gates that can be written down already and can't be kept yet. Nothing passes them.
fn unsupported(gates: Gates) -> Vec<Problem> {
    [
        (gates.approval_required, "approval_required"),
    ]
    .into_iter()
    .filter(|(closed, _)| *closed)
    .map(|(_, gate)| {
        let message = format!(
            "the stage's gate `{gate}` can't be checked by this version, so nothing passes it: change the pipeline to \
             promote without it"
        );
        problem("GATE_UNSUPPORTED", message)
    })
    .collect()
}
