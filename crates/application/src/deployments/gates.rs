//! The gates of a stage that compare an environment with a snapshot: whether the source is as its last deployment left
//! it, and whether somebody changed the target by hand.

use std::collections::BTreeSet;

use slipway_catalog::Environment;
use slipway_deployments::{Drift, Gates, Plan, PlannedItem, Problem};
use slipway_kernel::{Key, StoreError};
use slipway_snapshots::{Became, Snapshot};
use slipway_workflows::inventory::Inventory;

use super::executor::problem;
use crate::{
    Context,
    error::chain,
    snapshots::{Comparison, Contents, Side, compare},
};

/// A stage, and what both of its engines hold.
pub(super) struct Stage<'a> {
    pub(super) gates: &'a Gates,
    pub(super) source: (&'a Environment, &'a Inventory),
    pub(super) target: (&'a Environment, &'a Inventory),
    /// The workflows chosen; `None` for all.
    pub(super) chosen: Option<&'a BTreeSet<Key>>,
}

/// Adds to a plan what the gates say.
pub(super) async fn check(
    context: &Context,
    stage: &Stage<'_>,
    plan: &mut Plan,
) -> Result<(), StoreError> {
    if stage.gates.source_unchanged {
        plan.problems.extend(source_changed(context, stage).await?);
    }
    let drifted = target_drifted(context, stage, plan).await?;
    match stage.gates.drift {
        Drift::Allow => plan.warnings.extend(drifted),
        Drift::Refuse => plan.problems.extend(drifted),
    }
    Ok(())
}

/// Whatever is not in the source as the last successful deployment to it left it.
async fn source_changed(context: &Context, stage: &Stage<'_>) -> Result<Vec<Problem>, StoreError> {
    let (source, inventory) = stage.source;
    let slug = &source.slug;
    let Some(last) = context.reader().last_success(source.id).await? else {
        let message = format!(
            "no deployment to `{slug}` has succeeded yet, so that nothing says how its workflows should be: the gate \
             source_unchanged lets nothing pass before"
        );
        return Ok(vec![problem("SOURCE_NEVER_DEPLOYED", message)]);
    };
    let kept = match last.post_snapshot {
        Some(id) => context.reader().snapshot(source.project, id).await?,
        None => None,
    };
    let Some(kept) = kept else {
        let message = format!(
            "the snapshot of `{slug}` after deployment #{} is missing, so that nothing says how its workflows should \
             be: deploy to `{slug}` again",
            last.number
        );
        return Ok(vec![problem("SOURCE_SNAPSHOT_MISSING", message)]);
    };
    Ok(since(context, &kept, inventory, stage.chosen)
        .await
        .map_or_else(
            |unreadable| vec![unreadable],
            |found| {
                let told = found.changes.iter().map(|change| {
                    let message = format!(
                        "workflow `{}` {} in `{slug}` since deployment #{}, which was the last to succeed there: \
                         deploy it to `{slug}`, or put it back by RestoreSnapshot",
                        change.key,
                        became(change.became),
                        last.number
                    );
                    problem("SOURCE_CHANGED", message)
                });
                told.collect()
            },
        ))
}

/// The workflows that the plan would write and that are not in the target as its last snapshot says. Where there is none,
/// nothing can have drifted. It is cheap enough for every plan: one file of the snapshot, a hash for each workflow written,
/// and the documents that differ.
async fn target_drifted(
    context: &Context,
    stage: &Stage<'_>,
    plan: &Plan,
) -> Result<Vec<Problem>, StoreError> {
    let (target, inventory) = stage.target;
    let written = plan.items.iter().filter(|item| PlannedItem::writes(item));
    let written: BTreeSet<Key> = written.map(|item| item.key.clone()).collect();
    if written.is_empty() {
        return Ok(Vec::new());
    }
    let Some(last) = context.reader().last_snapshot(target.id).await? else {
        return Ok(Vec::new());
    };
    Ok(since(context, &last, inventory, Some(&written))
        .await
        .map_or_else(
            |unreadable| vec![unreadable],
            |found| {
                let told = found.changes.iter().map(|change| {
                    let message = format!(
                        "workflow `{}` {} in `{}` since the snapshot {}: look at it with DetectDrift, and keep what it \
                         is by CreateSnapshot, or put it back by RestoreSnapshot",
                        change.key,
                        became(change.became),
                        target.slug,
                        last.id
                    );
                    problem("TARGET_DRIFTED", message)
                });
                told.collect()
            },
        ))
}

/// What became of these workflows since a snapshot; a snapshot that can't be read is a problem to tell.
async fn since(
    context: &Context,
    kept: &Snapshot,
    inventory: &Inventory,
    only: Option<&BTreeSet<Key>>,
) -> Result<Comparison, Problem> {
    let found = async {
        let contents = Contents::open(context, kept).await?;
        compare(&Side::Kept(&contents), &Side::live(inventory, only), only).await
    };
    found.await.map_err(|error| {
        let message = format!(
            "the snapshot {} can't be compared with: {}",
            kept.id,
            chain(&error)
        );
        problem("SNAPSHOT_UNREADABLE", message)
    })
}

const fn became(became: Became) -> &'static str {
    match became {
        Became::Added => "was added",
        Became::Removed => "was removed or archived",
        Became::Changed => "was changed",
    }
}
