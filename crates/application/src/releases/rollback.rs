//! Releases are rolled back to what was current right after an earlier deployment had succeeded.

use std::collections::{BTreeMap, BTreeSet};

use slipway_deployments::{
    Change, Deployment, DeploymentKind, DeploymentName, Item, ItemStatus, NewDeployment, Origin,
    Released, State, VersionRef,
};
use slipway_kernel::{
    ApplicationKind, DeploymentId, Key, PrincipalId, Sha256, Tier, Timestamp,
    text::{Notes, Reason},
};
use slipway_ledger::{AsOf, CurrentVersion};
use slipway_store::UnitOfWork;

use super::{ReleaseError, base::Base, create::change_of, facts, workflows};
use crate::{
    Context,
    deployments::{DeploymentError, putting_back::GATES},
};

/// Who wants a release rolled back, and why.
pub(crate) struct Wish {
    pub(crate) tier: Tier,
    pub(crate) by: PrincipalId,
    pub(crate) at: Timestamp,
    pub(crate) reason: Reason,
    /// The earlier deployment to go back to; `None`: the last one that succeeded before.
    pub(crate) back_to: Option<DeploymentName>,
}

/// The deployment that rolls a release back, not added yet.
pub(crate) async fn rollback(
    context: &Context,
    unit: &mut dyn UnitOfWork,
    undone: &Deployment,
    wish: Wish,
) -> Result<Deployment, DeploymentError> {
    let back_to = match wish.back_to {
        None => unit.deployments().success_before(undone.id).await?,
        Some(name) => Some(chosen(unit, undone, name).await?),
    };
    // All of them, also what was current already: another deployment may have changed that since the one to go back to.
    let keys: BTreeSet<Key> = undone.items.iter().map(|item| item.key.clone()).collect();
    let then = match back_to.as_ref().and_then(|it| it.finished_at) {
        Some(at) => {
            let as_of = AsOf {
                at,
                known_at: Some(at),
            };
            let then = unit
                .records()
                .versions_at(undone.target, &keys, as_of)
                .await?;
            facts::by_key(then)
        }
        None => BTreeMap::default(),
    };
    let held = unit.records().hold_versions(undone.target, &keys).await?;
    let now = facts::by_key(held.versions);
    let mut items = Vec::with_capacity(keys.len());
    for (position, item) in (0..).zip(&undone.items) {
        let Some(was) = &item.released else { continue };
        let released = Released {
            kind: was.kind,
            before: now.get(&item.key).map(named),
            // Without an earlier deployment, what the release took the place of.
            after: match &back_to {
                Some(_) => then.get(&item.key).map(named),
                None => was.before.clone(),
            },
            message: Notes::default(),
            // What was risky to do is as risky to undo.
            declared: was.risk,
            risk: was.risk,
            factors: Vec::new(),
            // Going back is what it is for.
            allow_older: true,
        };
        items.push(Item {
            position,
            key: item.key.clone(),
            name: item.name.clone(),
            application: item.application,
            change: change_of(&released),
            status: ItemStatus::Pending,
            workflow: None,
            before: None,
            after: None,
            rank: 0,
            in_cycle: false,
            problem: None,
            released: Some(released),
        });
    }
    if items.iter().all(|item| item.change == Change::Unchanged) {
        return Err(DeploymentError::NothingToDo);
    }
    let workflows = engine_part(context, unit, undone, &items).await?;
    let mut deployment = Deployment {
        back_to: back_to.map(|it| it.id),
        workflows,
        ..Deployment::from(NewDeployment {
            id: DeploymentId::new(&*context.ids),
            project: undone.project,
            kind: DeploymentKind::Rollback,
            target: undone.target,
            origin: Origin::Undoes {
                deployment: undone.id,
            },
            gates: match workflows {
                Some(_) => workflows::GATES,
                None => GATES,
            },
            plan_digest: undone.plan_digest,
            requested_by: wish.by,
            created_at: wish.at,
            reason: Some(wish.reason),
            items,
        })
    };
    let base = Base::hold(unit, &deployment).await?;
    base.apply(&mut deployment, wish.tier)
        .map_err(crate::CommandError::from)?;
    Ok(deployment)
}

/// What is bound of the workflows that are put back; `None` where there are none, or no engine to write them into. Every
/// version of them has to have content: what it takes is planned when it is carried out.
async fn engine_part(
    context: &Context,
    unit: &mut dyn UnitOfWork,
    undone: &Deployment,
    items: &[Item],
) -> Result<Option<Sha256>, DeploymentError> {
    let workflows = items.iter().filter_map(|item| {
        let released = item.released.as_ref()?;
        (released.kind == ApplicationKind::Workflow).then_some((&item.key, released))
    });
    let workflows: Vec<_> = workflows.collect();
    if workflows.is_empty() {
        return Ok(None);
    }
    let Some(engine) = context.reader().engine(undone.target).await? else {
        return Ok(None);
    };
    let after = workflows
        .iter()
        .filter_map(|(key, released)| Some((*key, released.after.as_ref()?)));
    let after: BTreeMap<_, _> = after.map(|(key, version)| (version.id, key)).collect();
    let versions = unit
        .versions()
        .with_ids(&after.keys().copied().collect())
        .await?;
    if let Some(bare) = versions.iter().find(|version| version.content.is_none()) {
        return Err(ReleaseError::NoContent {
            undone: undone.number,
            application: after[&bare.id].clone(),
            version: bare.identifier.clone(),
        }
        .into());
    }
    Ok(Some(workflows::bound_engine(undone.target, &engine)?))
}

fn named(current: &CurrentVersion) -> VersionRef {
    VersionRef {
        id: current.version,
        identifier: current.identifier.clone(),
    }
}

/// The deployment that somebody chose to go back to: it succeeded in the same environment, earlier.
async fn chosen(
    unit: &mut dyn UnitOfWork,
    undone: &Deployment,
    name: DeploymentName,
) -> Result<Deployment, DeploymentError> {
    let found = unit.deployments().find(undone.project, name).await?;
    let found = found.ok_or(DeploymentError::NotFound { name })?;
    let why = if found.target != undone.target {
        "it went to another environment"
    } else if found.state != State::Succeeded {
        "it did not succeed there, or was rolled back since"
    } else if (found.finished_at, found.number) >= (undone.finished_at, undone.number) {
        "it is not earlier"
    } else {
        return Ok(found);
    };
    Err(ReleaseError::NotATarget {
        number: found.number,
        undone: undone.number,
        why,
    }
    .into())
}
