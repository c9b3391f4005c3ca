//! The snapshots around a deployment.

use slipway_deployments::{Deployment, DeploymentKind};
use slipway_kernel::text::Notes;
use slipway_snapshots::SnapshotKind;

use super::{
    effect::{Effect, Write},
    run::problem,
    seen::Seen,
};
use crate::{
    Context,
    deployments::target_of,
    error::chain,
    snapshots::{Taking, keep, take},
};

/// Takes the snapshot that a way back needs. Without it nothing is touched.
pub(super) async fn before(context: &Context, deployment: &Deployment, seen: &Seen) -> Effect {
    let kind = match deployment.kind {
        DeploymentKind::Restore => SnapshotKind::PreRestore,
        _ => SnapshotKind::PrePromotion,
    };
    match taken(context, deployment, seen, kind).await {
        Ok(effect) => effect,
        Err(message) => {
            let message = format!("no snapshot could be taken, so nothing was touched: {message}");
            Effect::failed(problem("PRE_SNAPSHOT_FAILED", message))
        }
    }
}

/// Takes the snapshot that shows what became of it. Where that fails the deployment says so, and is not undone for it.
pub(super) async fn after(context: &Context, deployment: &Deployment, seen: &Seen) -> Effect {
    let kind = match deployment.kind {
        DeploymentKind::Restore => SnapshotKind::PostRestore,
        _ => SnapshotKind::PostPromotion,
    };
    let mut last = String::new();
    for attempt in 0..3u64 {
        tokio::time::sleep(std::time::Duration::from_millis(200 * attempt)).await;
        match taken(context, deployment, seen, kind).await {
            Ok(effect) => return effect,
            Err(message) => last = message,
        }
    }
    let message = format!("the snapshot afterwards could not be taken: {last}");
    Effect::done().with(Write::Problem(problem("POST_SNAPSHOT_MISSING", message)))
}

async fn taken(
    context: &Context,
    deployment: &Deployment,
    seen: &Seen,
    kind: SnapshotKind,
) -> Result<Effect, String> {
    let environment = target_of(context, deployment)
        .await
        .map_err(|error| chain(&error))?;
    let taking = Taking {
        environment: &environment,
        kind,
        by: Some(deployment.requested_by),
        deployment: Some(deployment.id),
        notes: Notes::default(),
        title: format!("Deployment #{}", deployment.number),
    };
    let taken = match seen.take() {
        Some(surveyed) => keep(context, taking, surveyed).await,
        None => take(context, taking).await,
    };
    let (snapshot, links) = taken.map_err(|error| chain(&error))?;
    let effect = Effect::done().with(Write::Snapshot(Box::new(snapshot)));
    Ok(if links.is_empty() {
        effect
    } else {
        effect.with(Write::Links(links))
    })
}
