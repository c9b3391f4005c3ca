//! The first step: is what was agreed on still what would happen?

use std::collections::BTreeSet;

use slipway_deployments::{Change, Deployment, Origin};
use slipway_kernel::Key;

use super::{effect::Effect, replanned::Replanned, run::problem, seen::Seen};
use crate::{
    Context,
    deployments::{environment, planning::plan_stage, target_of},
    error::chain,
};

/// Plans again, and compares the digests. Nothing has been touched yet.
pub(super) async fn check(context: &Context, deployment: &Deployment, seen: &Seen) -> Effect {
    let Origin::Stage { source, .. } = deployment.origin else {
        return Effect::done();
    };
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
        seen.keep(std::mem::take(&mut made.target));
        Ok::<_, String>(made)
    };
    match planned.await {
        Ok(made) if made.plan.digest == deployment.plan_digest => {
            // The gates look at snapshots too, which the digest does not bind.
            match made.plan.problems.into_iter().next() {
                None => Effect::done(),
                Some(found) => Effect::failed(found),
            }
        }
        Ok(made) => {
            let writes = made
                .plan
                .items
                .iter()
                .filter(|item| item.change != Change::Unchanged);
            let message = format!(
                "source or target changed since the plan was made ({} items would be written now); nothing was \
                 touched: plan again",
                writes.count()
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
