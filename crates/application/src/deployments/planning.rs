//! The plan of a promotion, made from both engines as they are now.

use std::collections::BTreeSet;

use slipway_catalog::Environment;
use slipway_deployments::{Gates, Plan, Planned, Problem, plan};
use slipway_kernel::{ApplicationKind, Key};
use slipway_workflows::Link;

use super::{executor::problem, gates};
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
    /// All that the target held, until somebody takes it.
    pub(super) target: Option<Surveyed>,
}

/// Why a plan could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlanningError {
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
        engine: &here.engine,
        source: &there.inventory,
        target: &here.inventory,
        gone: &there.gone,
        credentials: Some(&credentials),
        gates,
        chosen,
    })
    .map_err(CommandError::from)?;
    plan.problems.extend(taken(context, target, &plan).await?);
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
        target_links: here.new_links.clone(),
        target: Some(here),
    })
}

/// Workflows whose keys can get no version: they stand for something else in the catalog, or for nothing any more.
async fn taken(
    context: &Context,
    target: &Environment,
    plan: &Plan,
) -> Result<Vec<Problem>, CommandError> {
    let written = plan.items.iter().filter(|item| item.writes());
    let keys = written.map(|item| item.key.clone()).collect();
    let reader = context.reader();
    let found = reader.applications_with(target.project, &keys).await?;
    let told = found.into_iter().filter_map(|application| {
        let (key, kind) = (application.key, application.kind);
        if kind != ApplicationKind::Workflow {
            let message = format!(
                "the application `{key}` is a {kind}: give the workflow another key with LinkWorkflow"
            );
            return Some(problem("KEY_TAKEN", message));
        }
        let is_needed = plan.items.iter().any(|item| item.key == key && item.after.is_some());
        let archived = application.archived_at.filter(|_| is_needed);
        archived.map(|_| {
            let message = format!("the application `{key}` is archived, and gets no new versions");
            problem("APPLICATION_ARCHIVED", message)
        })
    });
    Ok(told.collect())
}
