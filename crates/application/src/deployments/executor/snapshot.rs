//! The snapshots around a deployment.

use std::fmt::Write as _;

use slipway_deployments::{Change, Deployment, DeploymentKind, ItemStatus};
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
    snapshots::{Taking, keep, open_repository, take},
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
            Ok(effect) => return flagged(context, deployment, effect).await,
            Err(message) => last = message,
        }
    }
    let message = format!("the snapshot afterwards could not be taken: {last}");
    Effect::done().with(Write::Problem(problem("POST_SNAPSHOT_MISSING", message)))
}

/// Says so where the snapshots are kept on this server alone, because the Git store can't be reached.
async fn flagged(context: &Context, deployment: &Deployment, effect: Effect) -> Effect {
    let Ok(environment) = target_of(context, deployment).await else {
        return effect;
    };
    let Ok(git) = open_repository(context, deployment.project).await else {
        return effect;
    };
    if !git.is_ahead(&environment.slug).await {
        return effect;
    }
    let message = format!(
        "{} could not be reached: the snapshots are kept on this server alone until it can; they can be restored, and are \
         brought there without anybody's doing",
        git.location()
    );
    effect.with(Write::Problem(problem("SNAPSHOTS_NOT_PUBLISHED", message)))
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
        message: message(deployment, kind),
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

/// How many items a commit's message names.
const MAX_NAMED: usize = 50;

/// What Git says of the snapshot: of one before, which deployment it is before; of one afterwards, what that did too.
fn message(deployment: &Deployment, kind: SnapshotKind) -> String {
    let noun = match deployment.kind {
        DeploymentKind::Release => "release",
        DeploymentKind::Promotion => "promotion",
        DeploymentKind::Restore => "restore",
        DeploymentKind::Rollback => "rollback",
    };
    let number = deployment.number;
    if matches!(kind, SnapshotKind::PrePromotion | SnapshotKind::PreRestore) {
        return format!("before {noun} #{number}");
    }
    let mut message = format!("after {noun} #{number}");
    let changes = [
        (Change::Created, "created"),
        (Change::Updated, "updated"),
        (Change::Deleted, "removed"),
    ];
    let done = |change: Change| {
        let items = deployment.items.iter();
        items.filter(move |item| item.change == change && item.status == ItemStatus::Succeeded)
    };
    for (change, word) in changes {
        let count = done(change).count();
        if count > 0 {
            let _ = write!(message, ", {count} {word}");
        }
    }
    let named = changes
        .into_iter()
        .flat_map(|(change, word)| done(change).map(move |item| format!("\n{word} {}", item.key)));
    let named: Vec<_> = named.collect();
    if !named.is_empty() {
        message.push('\n');
        message.extend(named.iter().take(MAX_NAMED).map(String::as_str));
        if let Some(more) = named.len().checked_sub(MAX_NAMED).filter(|more| *more > 0) {
            let _ = write!(message, "\nand {more} more");
        }
    }
    message
}
