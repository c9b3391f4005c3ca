//! Putting an environment, or a part of it, back to what a snapshot says.

use std::collections::BTreeSet;

use slipway_deployments::{
    Change, Deployment, DeploymentName, Gates, Item, ItemStatus, OnFailure, Origin, Plan, Planned,
    Problem, Publish, plan,
};
use slipway_kernel::{Key, SnapshotId};
use slipway_snapshots::{Snapshot, content};
use slipway_workflows::inventory::Inventory;

use super::{executor::problem, target_of};
use crate::{Context, engines::survey, error::chain, snapshots::open_repository};

/// How a snapshot is put back: workflows run where they ran, and what was done stays where a part fails.
pub(crate) const GATES: Gates = Gates {
    approval_required: false,
    source_unchanged: false,
    drift: slipway_deployments::Drift::Allow,
    on_failure: OnFailure::Keep,
    publish: Publish::AsSource,
    secrets: slipway_deployments::Secrets::Warn,
};

/// What it takes to put the target back to what the deployment's origin says. Nothing is written anywhere.
pub(super) async fn plan_back(context: &Context, deployment: &Deployment) -> Result<Plan, Problem> {
    let failed = |error: &dyn std::error::Error| problem("RESTORE_FAILED", chain(error));
    let (snapshot, chosen) = wanted(context, deployment).await?;
    let source = read(context, deployment, &snapshot).await?;
    let target = target_of(context, deployment)
        .await
        .map_err(|error| failed(&error))?;
    let found = survey(context, &target, Some(&source))
        .await
        .map_err(|error| failed(&error))?;
    let is_extra = |key: &&Key| source.get(key).is_none();
    let gone: BTreeSet<Key> = found
        .inventory
        .iter()
        // What can't be read is in no snapshot, and is left where it is.
        .filter(|entry| !entry.archived && entry.workflow.is_ok())
        .map(|entry| &entry.key)
        .filter(is_extra)
        .cloned()
        .collect();
    plan(Planned {
        environment: target.id,
        source: &source,
        target: &found.inventory,
        gone: &gone,
        credentials: None,
        gates: &deployment.gates,
        chosen: chosen.as_ref(),
    })
    .map_err(|error| failed(&error))
}

/// The snapshot to go back to, and which of its workflows.
async fn wanted(
    context: &Context,
    deployment: &Deployment,
) -> Result<(Snapshot, Option<BTreeSet<Key>>), Problem> {
    let failed = |error: &dyn std::error::Error| problem("RESTORE_FAILED", chain(error));
    let (id, chosen) = match deployment.origin {
        Origin::Snapshot { snapshot } => (Some(snapshot), None),
        Origin::Undoes { deployment: undone } => {
            let name = DeploymentName::Id(undone);
            let undone = context
                .reader()
                .deployment(deployment.project, name)
                .await
                .map_err(|error| failed(&error))?;
            let written = undone.iter().flat_map(|undone| &undone.items);
            let keys = written
                .filter(|item| touched(item))
                .map(|item| item.key.clone());
            let keys: BTreeSet<Key> = keys.collect();
            (undone.and_then(|undone| undone.pre_snapshot), Some(keys))
        }
        Origin::Stage { .. } => (None, None),
    };
    let snapshot = match id {
        Some(id) => snapshot(context, deployment, id).await?,
        None => None,
    };
    let absent = || problem("SNAPSHOT_NOT_FOUND", "there is no snapshot to go back to");
    Ok((snapshot.ok_or_else(absent)?, chosen))
}

/// Whether an item may have changed the target.
fn touched(item: &Item) -> bool {
    let wrote = matches!(
        item.change,
        Change::Created | Change::Updated | Change::Deleted
    );
    wrote && matches!(item.status, ItemStatus::Succeeded | ItemStatus::Failed)
}

async fn snapshot(
    context: &Context,
    deployment: &Deployment,
    id: SnapshotId,
) -> Result<Option<Snapshot>, Problem> {
    context
        .reader()
        .snapshot(deployment.project, id)
        .await
        .map_err(|error| problem("RESTORE_FAILED", chain(&error)))
}

/// What the snapshot holds: every hash from the commit down to the documents is verified on the way.
async fn read(
    context: &Context,
    deployment: &Deployment,
    snapshot: &Snapshot,
) -> Result<Inventory, Problem> {
    let failed = |error: &dyn std::error::Error| problem("SNAPSHOT_UNREADABLE", chain(error));
    let git = open_repository(context, deployment.project)
        .await
        .map_err(|error| failed(&error))?;
    let files = git
        .read(&snapshot.commit)
        .await
        .map_err(|error| failed(&error))?;
    let absent = || {
        let message = format!("the Git store has no commit {} any more", snapshot.commit);
        problem("SNAPSHOT_UNREADABLE", message)
    };
    let inventory =
        content::inventory(&files.ok_or_else(absent)?).map_err(|error| failed(&error))?;
    let hash = content::content_hash(&inventory).map_err(|error| failed(&error))?;
    if hash == snapshot.content_hash {
        return Ok(inventory);
    }
    let message = format!(
        "the commit {} holds {hash}, and the snapshot was {}: it is not what was kept",
        snapshot.commit, snapshot.content_hash
    );
    Err(problem("SNAPSHOT_DAMAGED", message))
}
