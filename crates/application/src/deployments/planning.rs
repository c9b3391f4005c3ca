//! The plan of a promotion, made from both engines as they are now.

use std::collections::BTreeSet;

use slipway_catalog::Environment;
use slipway_deployments::{Drift, Gates, Plan, Planned, Problem, plan};
use slipway_kernel::Key;
use slipway_workflows::Link;

use super::executor::problem;
use crate::{
    CommandError, Context,
    engines::{EngineProblem, Surveyed, survey_both},
};

/// A plan, and what was learned on the way.
pub(super) struct Made {
    pub(super) plan: Plan,
    /// Keys of the source's workflows that were new.
    pub(super) source_links: Vec<Link>,
    /// Keys of the target's.
    pub(super) target_links: Vec<Link>,
    /// All that the target held.
    pub(super) target: Surveyed,
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
    let (there, here) = survey_both(context, source, target).await?;
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
    Ok(Made {
        plan,
        source_links: there.new_links,
        target_links: here.new_links.clone(),
        target: here,
    })
}

/// Gates that can be written down already and can't be kept yet. Nothing passes them.
fn unsupported(gates: Gates) -> Vec<Problem> {
    [
        (gates.approval_required, "approval_required"),
        (gates.source_unchanged, "source_unchanged"),
        (gates.drift == Drift::Refuse, "drift"),
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
