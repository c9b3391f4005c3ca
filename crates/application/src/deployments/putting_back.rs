//! Putting an environment, or a part of it, back to what a snapshot says.

use std::collections::BTreeSet;

use serde::Serialize;
use slipway_deployments::{
    Change, Deployment, DeploymentName, Gates, Item, ItemStatus, OnFailure, Origin, Phase, Plan,
    Planned, Problem, Publish, Step, Work, plan,
};
use slipway_kernel::{DeploymentId, EnvironmentId, Key, Sha256, SnapshotId, StoreError, digest_of};
use slipway_snapshots::{Snapshot, content};
use slipway_workflows::inventory::Inventory;

use super::{executor::problem, target_of};
use crate::{
    CommandError, Context,
    engines::survey,
    error::chain,
    snapshots::{TakeError, open_repository},
};

/// How many later deployments are told at most.
const LATER_TOLD: u32 = 20;

/// How a snapshot is put back: workflows run where they ran, and what was done stays where a part fails.
pub(crate) const GATES: Gates = Gates {
    approval_required: false,
    source_unchanged: false,
    drift: slipway_deployments::Drift::Allow,
    on_failure: OnFailure::Keep,
    publish: Publish::AsSource,
    secrets: slipway_deployments::Secrets::Warn,
};

/// Why it can't be said what putting something back takes.
#[derive(Debug, thiserror::Error)]
pub enum PuttingBackError {
    /// An engine or the Git store.
    #[error(transparent)]
    Outside(#[from] TakeError),
    /// What was kept is not there any more, or not as it was.
    #[error("{}", .0.message)]
    Impossible(Problem),
}

impl PuttingBackError {
    /// As a deployment tells it.
    pub(super) fn problem(self) -> Problem {
        match self {
            // Git is asked for nothing but the snapshot.
            Self::Outside(error @ TakeError::Git(_)) => {
                problem("SNAPSHOT_UNREADABLE", chain(&error))
            }
            Self::Outside(error) => problem("RESTORE_FAILED", chain(&error)),
            Self::Impossible(problem) => problem,
        }
    }
}

/// What an approval of putting something back binds: where it goes, and what goes there.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) enum Bound {
    /// All that a snapshot holds.
    Restore(Sha256),
    /// What a deployment changed, as a snapshot holds it.
    Rollback(DeploymentId, SnapshotId),
}

impl Bound {
    /// Its digest, with the engine that the environment has now.
    pub(crate) async fn digest(
        self,
        context: &Context,
        target: EnvironmentId,
    ) -> Result<Sha256, CommandError> {
        let engine = context.reader().engine(target).await?;
        let form = match self {
            Self::Restore(_) => "slipway.restore.v1",
            Self::Rollback(..) => "slipway.rollback.v1",
        };
        Ok(digest_of(form, &(target, engine, self))?)
    }

    /// What a deployment that puts something back was agreed to; `None` for one that does not, or where that is gone.
    pub(super) async fn of(
        context: &Context,
        deployment: &Deployment,
    ) -> Result<Option<Self>, StoreError> {
        let (reader, project) = (context.reader(), deployment.project);
        Ok(match deployment.origin {
            Origin::Chosen | Origin::Stage { .. } => None,
            Origin::Snapshot { snapshot } => {
                let found = reader.snapshot(project, snapshot).await?;
                found.map(|snapshot| Self::Restore(snapshot.content_hash))
            }
            Origin::Undoes { deployment: id } => {
                let found = reader.deployment(project, DeploymentName::Id(id)).await?;
                let snapshot = found.and_then(|undone| undone.pre_snapshot);
                snapshot.map(|snapshot| Self::Rollback(id, snapshot))
            }
        })
    }
}

impl From<StoreError> for PuttingBackError {
    fn from(error: StoreError) -> Self {
        Self::Outside(error.into())
    }
}

fn impossible(reason: &str, message: impl Into<String>) -> PuttingBackError {
    PuttingBackError::Impossible(problem(reason, message))
}

/// What a deployment's origin says: the state to go back to, and which of its workflows; `None` for all.
struct Wanted {
    source: Inventory,
    chosen: Option<BTreeSet<Key>>,
}

/// What it takes to put the target back to what the deployment's origin says. Nothing is written anywhere.
pub(crate) async fn plan_back(
    context: &Context,
    deployment: &Deployment,
) -> Result<Plan, PuttingBackError> {
    let Wanted { source, chosen } = wanted(context, deployment).await?;
    let target = target_of(context, deployment).await?;
    let found = survey(context, &target, Some(&source)).await;
    let found = found.map_err(TakeError::from)?;
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
    // What is in neither needs nothing.
    let chosen = chosen.map(|mut chosen| {
        chosen.retain(|key| source.get(key).is_some() || gone.contains(key));
        chosen
    });
    let plan = plan(Planned {
        environment: target.id,
        engine: &found.engine,
        source: &source,
        target: &found.inventory,
        gone: &gone,
        credentials: None,
        gates: &deployment.gates,
        chosen: chosen.as_ref(),
    });
    Ok(plan.map_err(TakeError::from)?)
}

/// How what was found in the target differs from what the deployment's origin says, workflow by workflow. Nothing for a
/// deployment that puts nothing back.
pub(super) async fn remaining(
    context: &Context,
    deployment: &Deployment,
    found: &Inventory,
) -> Result<Vec<String>, PuttingBackError> {
    if matches!(deployment.origin, Origin::Chosen | Origin::Stage { .. }) {
        return Ok(Vec::new());
    }
    let Wanted { source, chosen } = wanted(context, deployment).await?;
    let keys: BTreeSet<&Key> = source
        .iter()
        .chain(found.iter())
        .map(|it| &it.key)
        .collect();
    let keys = keys
        .into_iter()
        .filter(|key| chosen.as_ref().is_none_or(|chosen| chosen.contains(*key)));
    let told = keys.filter_map(|key| {
        let why = difference(&source, found, key)?;
        let item = deployment.items.iter().find(|item| item.key == *key);
        let reason = item.and_then(|item| item.problem.as_ref());
        Some(match reason {
            Some(problem) => format!("`{key}` {why}: {}", problem.message),
            None => format!("`{key}` {why}"),
        })
    });
    Ok(told.collect())
}

/// How a workflow differs, by the rules of a snapshot's content hash: what is archived is not there.
fn difference(source: &Inventory, found: &Inventory, key: &Key) -> Option<&'static str> {
    let live = |inventory: &'_ Inventory| {
        let entry = inventory.get(key).filter(|entry| !entry.archived)?;
        let document = entry.workflow.as_ref().ok();
        Some(document.map(|workflow| inventory.portable(workflow).state_hash()))
    };
    match (live(source), live(found)) {
        (None, Some(Some(_))) => Some("is there, and was not then"),
        (Some(_), Some(None)) => Some("can't be read"),
        (Some(Some(_)), None) => Some("is not there"),
        (Some(Some(then)), Some(Some(now))) if then != now => Some("is not as it was then"),
        _ => None,
    }
}

async fn wanted(context: &Context, deployment: &Deployment) -> Result<Wanted, PuttingBackError> {
    let (id, chosen) = match deployment.origin {
        Origin::Snapshot { snapshot } => (Some(snapshot), None),
        Origin::Undoes { deployment: undone } => {
            let mut unit = context.store.begin().await?;
            let found = unit.deployments().find_by_id(undone).await?;
            let steps = unit.deployments().steps(undone).await?;
            drop(unit);
            let chosen = found.as_ref().map(|undone| touched(undone, &steps));
            (found.and_then(|undone| undone.pre_snapshot), chosen)
        }
        Origin::Chosen | Origin::Stage { .. } => (None, None),
    };
    let snapshot = match id {
        Some(id) => context.reader().snapshot(deployment.project, id).await?,
        None => None,
    };
    let absent = || impossible("SNAPSHOT_NOT_FOUND", "there is no snapshot to go back to");
    let source = read(context, deployment, &snapshot.ok_or_else(absent)?).await?;
    Ok(Wanted { source, chosen })
}

/// The workflows that a deployment may have changed, and not put back itself.
pub(super) fn touched(deployment: &Deployment, steps: &[Step]) -> BTreeSet<Key> {
    let stands = |item: &&Item| {
        let wrote = matches!(
            item.change,
            Change::Created | Change::Updated | Change::Deleted
        );
        // What failed without touching anything has its undo done.
        let failed_midway = || {
            let mut steps = steps
                .iter()
                .filter(|step| step.work == Work::Apply(item.position));
            steps.any(|step| step.phase != Phase::Waiting && step.undo != Phase::Done)
        };
        wrote
            && match item.status {
                ItemStatus::Succeeded => true,
                ItemStatus::Failed => failed_midway(),
                _ => false,
            }
    };
    let items = deployment.items.iter().filter(stands);
    items.map(|item| item.key.clone()).collect()
}

/// The numbers of later deployments that wrote the same workflows: undoing this one would undo them too.
pub(super) async fn later_writers(
    context: &Context,
    undone: DeploymentId,
) -> Result<Vec<i64>, StoreError> {
    context.reader().later_writers(undone, LATER_TOLD).await
}

/// What the snapshot holds: every hash from the commit down to the documents is verified on the way.
async fn read(
    context: &Context,
    deployment: &Deployment,
    snapshot: &Snapshot,
) -> Result<Inventory, PuttingBackError> {
    let git = open_repository(context, deployment.project).await?;
    let files = git.read(&snapshot.commit).await.map_err(TakeError::from)?;
    let absent = || {
        let message = format!("the Git store has no commit {} any more", snapshot.commit);
        impossible("SNAPSHOT_UNREADABLE", message)
    };
    let inventory = content::inventory(&files.ok_or_else(absent)?)
        .map_err(|error| impossible("SNAPSHOT_UNREADABLE", chain(&error)))?;
    let hash = content::content_hash(&inventory).map_err(TakeError::from)?;
    if hash == snapshot.content_hash {
        return Ok(inventory);
    }
    let message = format!(
        "the commit {} holds {hash}, and the snapshot was {}: it is not what was kept",
        snapshot.commit, snapshot.content_hash
    );
    Err(impossible("SNAPSHOT_DAMAGED", message))
}
