//! The first step: is what was agreed on still what would happen?

use std::collections::BTreeSet;

use slipway_deployments::{Change, Deployment, Origin, Problem};
use slipway_kernel::{Key, StoreError};

use super::{
    chosen,
    effect::{Effect, Write},
    replanned::Replanned,
    run::problem,
    seen::Seen,
};
use crate::{
    Context,
    deployments::{environment, planning::plan_stage, target_of},
    error::chain,
};

/// Whether the project, the environment, or where workflows come from, was archived meanwhile.
pub(super) async fn closed(
    context: &Context,
    deployment: &Deployment,
) -> Result<Option<Problem>, StoreError> {
    let project = context.reader().project_by_id(deployment.project).await?;
    if project.is_none_or(|project| project.archived_at.is_some()) {
        let message = "the project was archived meanwhile; nothing was touched".to_owned();
        return Ok(Some(problem("PROJECT_ARCHIVED", message)));
    }
    let source = match deployment.origin {
        Origin::Stage { source, .. } => Some(source),
        Origin::Chosen | Origin::Snapshot { .. } | Origin::Undoes { .. } => None,
    };
    for id in source.into_iter().chain([deployment.target]) {
        let found = environment(context, id).await?;
        if found.archived_at.is_some() {
            let message = format!(
                "the environment `{}` was archived meanwhile; nothing was touched",
                found.slug
            );
            return Ok(Some(problem("ENVIRONMENT_ARCHIVED", message)));
        }
    }
    Ok(None)
}

/// Plans again, and compares the digests. Nothing has been touched yet.
pub(super) async fn check(context: &Context, deployment: &Deployment, seen: &Seen) -> Effect {
    if deployment.chooses_versions() {
        return chosen::check(context, deployment, seen).await;
    }
    let Origin::Stage { source, .. } = deployment.origin else {
        return nothing_stands_for_new(context, deployment).await;
    };
    match closed(context, deployment).await {
        Ok(None) => {}
        Ok(Some(archived)) => return Effect::failed(archived),
        Err(error) => return Effect::failed(problem("PREFLIGHT_FAILED", chain(&error))),
    }
    let chosen: BTreeSet<Key> = deployment
        .items
        .iter()
        .map(|item| item.key.clone())
        .collect();
    let planned = async {
        let source = environment(context, source)
            .await
            .map_err(|error| chain(&error))?;
        let target = target_of(context, deployment)
            .await
            .map_err(|error| chain(&error))?;
        let mut made = plan_stage(context, &source, &target, &deployment.gates, Some(&chosen))
            .await
            .map_err(|error| chain(&error))?;
        seen.keep(made.target.take());
        Ok::<_, String>(made)
    };
    match planned.await {
        Ok(made) if made.plan.digest == deployment.plan_digest => {
            // The gates look at snapshots too, which the digest does not bind.
            match made.plan.problems.into_iter().next() {
                None => nothing_stands_for_new(context, deployment).await,
                Some(found) => Effect::failed(found),
            }
        }
        Ok(made) if !made.plan.problems.is_empty() => {
            let first = &made.plan.problems[0];
            let message = format!(
                "source or target changed since the plan was made, and {} problems stand against it now, first {}: {}; \
                 nothing was touched",
                made.plan.problems.len(),
                first.reason,
                first.message
            );
            Effect::failed(problem("PLAN_CHANGED", message))
        }
        Ok(made) => {
            let writes = made.plan.items.iter().filter(|item| item.writes()).count();
            if writes == 0 {
                let message = "source or target changed since the plan was made, and the target is as the source says \
                               already; nothing was touched";
                return Effect::failed(problem("NOTHING_TO_DO", message));
            }
            let message = format!(
                "source or target changed since the plan was made ({writes} items would be written now); nothing was \
                 touched: plan again"
            );
            let changed = Effect::failed(problem("PLAN_CHANGED", message));
            // What nobody had to agree to, nobody is asked about again.
            if deployment.approved_by.is_none() {
                return changed;
            }
            match Replanned::new(context, source, made).await {
                Ok(replanned) => Effect {
                    replanned,
                    ..changed
                },
                Err(message) => Effect::failed(problem("PREFLIGHT_FAILED", message)),
            }
        }
        Err(message) => {
            let message = format!("{message}; nothing was touched: mend that and start again");
            Effect::failed(problem("PREFLIGHT_FAILED", message))
        }
    }
}

/// What is to be made is not there: a key that stood for something before stands for nothing until then. An engine may
/// give that one's id to another workflow that is made at the same time, as a directory does.
pub(super) async fn nothing_stands_for_new(context: &Context, deployment: &Deployment) -> Effect {
    let links = context.reader().workflow_links(deployment.target).await;
    let links = match links {
        Ok(links) => links,
        Err(error) => return Effect::failed(problem("PREFLIGHT_FAILED", chain(&error))),
    };
    let items = deployment.items.iter();
    let made = items.filter(|item| item.change == Change::Created);
    let made: BTreeSet<&Key> = made.map(|item| &item.key).collect();
    let gone = links.into_iter().filter(|link| made.contains(&link.key));
    gone.fold(Effect::done(), |effect, link| {
        effect.with(Write::Unlink(link.key))
    })
}
