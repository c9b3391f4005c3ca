//! The workflows of a release whose environment has a workflow engine: the documents of the chosen versions, which are
//! written into the engine before anything becomes current.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, TryStreamExt, stream};
use slipway_catalog::{Environment, Version};
use slipway_deployments::{
    Change, Deployment, Gates, Item, OnFailure, Plan, Planned, Problem, plan,
    release::findings::Reason,
};
use slipway_kernel::{ApplicationKind, EnvironmentId, Key, Sha256, digest_of, object::ObjectError};
use slipway_workflows::{
    CredentialTarget, EngineSettings, Workflow,
    inventory::{Inventory, callees},
    references::CredentialReference,
};

use super::create::change_of;
use crate::{
    CommandError, Context,
    deployments::{DeploymentError, PlanningError, items, problem, putting_back},
    engines::{Surveyed, survey},
    error::chain,
};

/// How many documents are read at the same time.
const AT_ONCE: usize = 16;

/// How they are written: as the documents say, and all of them or none.
pub(crate) const GATES: Gates = Gates {
    on_failure: OnFailure::Compensate,
    ..putting_back::GATES
};

/// What becomes of workflows.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    documents: BTreeMap<Key, Workflow>,
    removed: BTreeSet<Key>,
}

/// What that takes, and what was learned on the way.
pub(crate) struct Made {
    pub(crate) plan: Plan,
    pub(crate) target: Surveyed,
}

/// Something that stands against it.
#[derive(Debug)]
pub(crate) struct Objection {
    pub(crate) reason: Reason,
    /// The workflow; `None` where the message names it.
    pub(crate) key: Option<Key>,
    pub(crate) message: String,
}

impl Objection {
    fn about(reason: Reason, key: &Key, message: String) -> Self {
        Self {
            reason,
            key: Some(key.clone()),
            message,
        }
    }

    /// As a deployment tells it.
    pub(crate) fn problem(self) -> Problem {
        problem(self.reason.as_str(), self.message)
    }
}

/// Reads the documents of these versions; `None` for a workflow that is to go. What has no document stands against it.
pub(crate) async fn wanted(
    context: &Context,
    chosen: &BTreeMap<Key, Option<Version>>,
) -> Result<(Wanted, Vec<Objection>), ObjectError> {
    let versions = chosen
        .iter()
        .filter_map(|(key, version)| Some((key, version.as_ref()?)));
    let reads: Vec<_> = versions
        .map(|(key, version)| async move { Ok((key, document(context, key, version).await?)) })
        .collect();
    let read: Vec<_> = stream::iter(reads).buffered(AT_ONCE).try_collect().await?;
    let removed = chosen.iter().filter(|(_, version)| version.is_none());
    let mut wanted = Wanted {
        documents: BTreeMap::new(),
        removed: removed.map(|(key, _)| key.clone()).collect(),
    };
    let mut objections = Vec::new();
    for (key, document) in read {
        match document {
            Ok(document) => drop(wanted.documents.insert(key.clone(), document)),
            Err(objection) => objections.push(objection),
        }
    }
    Ok((wanted, objections))
}

async fn document(
    context: &Context,
    key: &Key,
    version: &Version,
) -> Result<Result<Workflow, Objection>, ObjectError> {
    let named = format!("version `{}` of the workflow `{key}`", version.identifier);
    let (Some(digest), Some(_)) = (version.digest, &version.content) else {
        let message = format!(
            "Slipway keeps no content of {named}, and so can't write it into the engine: promote the workflow, restore a \
             snapshot, or choose a version that has content"
        );
        return Ok(Err(Objection::about(Reason::NoContent, key, message)));
    };
    let Some(bytes) = context.objects.get(digest).await? else {
        let message = format!("the object store has the content of {named} no longer: {digest}");
        return Ok(Err(Objection::about(Reason::NoContent, key, message)));
    };
    Ok(Workflow::from_json(&bytes, key.as_str()).map_err(|error| {
        let message = format!("the content of {named} can't be written into the engine: {error}");
        Objection::about(Reason::NotAWorkflow, key, message)
    }))
}

/// Reads the target's engine, and plans what brings these workflows there. Nothing is written anywhere.
pub(crate) async fn plan_wanted(
    context: &Context,
    target: &Environment,
    wanted: Wanted,
) -> Result<(Made, Vec<Objection>), PlanningError> {
    let Wanted { documents, removed } = wanted;
    let source = Inventory::of_documents(documents);
    let found = survey(context, target, Some(&source)).await?;
    let mapped = context.reader().credentials(target.id).await;
    let mapped = mapped.map_err(CommandError::from)?;
    let credentials = with_own(mapped, &source, &found.inventory);
    let is_there = |key: &&Key| found.inventory.get(key).is_some();
    let gone: BTreeSet<Key> = removed.iter().filter(is_there).cloned().collect();
    let keys = source.iter().map(|entry| &entry.key).chain(&gone);
    let chosen: BTreeSet<Key> = keys.cloned().collect();
    let plan = plan(Planned {
        environment: target.id,
        engine: &found.engine,
        source: &source,
        target: &found.inventory,
        gone: &gone,
        credentials: Some(&credentials),
        gates: &GATES,
        chosen: Some(&chosen),
    })
    .map_err(CommandError::from)?;
    let objections = against(&plan, &removed);
    let made = Made {
        plan,
        target: found,
    };
    Ok((made, objections))
}

/// The target's mapping, and itself for each credential that documents use as the target's own workflows do: content may
/// come from the target itself.
fn with_own(
    mut mapped: Vec<CredentialTarget>,
    source: &Inventory,
    target: &Inventory,
) -> Vec<CredentialTarget> {
    let mut own: BTreeSet<(String, String, String)> = used(target).collect();
    let targets = mapped.iter();
    own.extend(targets.map(|it| {
        let (id, name) = (it.target_id.clone(), it.target_name.clone());
        (it.kind.clone(), name, id)
    }));
    // By type and name, as mappings are: what several documents mean by a name has to be the same.
    let mut ids: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for (kind, name, id) in used(source) {
        ids.entry((kind, name)).or_default().insert(id);
    }
    for ((kind, name), ids) in ids {
        let is_mapped = mapped.iter().any(|it| it.kind == kind && it.name == name);
        let only = ids.first().filter(|_| ids.len() == 1 && !is_mapped);
        let credential = only.map(|id| (kind, name, id.clone()));
        mapped.extend(
            credential
                .filter(|it| own.contains(it))
                .map(|(kind, name, id)| CredentialTarget {
                    kind,
                    name: name.clone(),
                    target_id: id,
                    target_name: name,
                }),
        );
    }
    mapped
}

/// The credentials that documents use: type, name and id.
fn used(inventory: &Inventory) -> impl Iterator<Item = (String, String, String)> {
    let documents = inventory.iter().filter_map(|it| it.workflow.as_ref().ok());
    let credentials = documents.flat_map(|document| document.references().credentials);
    credentials.map(|it: CredentialReference| (it.kind, it.name, it.id.unwrap_or_default()))
}

/// What stands against a plan: its problems, and what it would leave out or break.
fn against(plan: &Plan, removed: &BTreeSet<Key>) -> Vec<Objection> {
    let problems = plan.problems.iter().map(|found| Objection {
        reason: found.reason.parse().unwrap_or(Reason::WorkflowUnmapped),
        key: None,
        message: found.message.clone(),
    });
    let mut objections: Vec<_> = problems.collect();
    for item in &plan.items {
        let about = |reason, why: &str| {
            let message = format!("the workflow `{}`: {why}", item.key);
            Objection::about(reason, &item.key, message)
        };
        let left_out = item
            .reason
            .as_ref()
            .filter(|found| found.reason != "UNMAPPED");
        objections.extend(left_out.map(|found| {
            let reason = found.reason.parse().unwrap_or(Reason::TargetUnreadable);
            about(reason, &found.message)
        }));
        if item.change == Change::Deleted && item.before.is_none() {
            let why = "what stands in the engine can't be read, and so could not be put back: remove it there";
            objections.push(about(Reason::TargetUnreadable, why));
        }
        let called: BTreeSet<Key> = item.after.iter().flat_map(callees).collect();
        objections.extend(called.intersection(removed).map(|callee| {
            let why = format!("it refers to `{callee}`, which the release removes");
            about(Reason::WorkflowUnmapped, &why)
        }));
    }
    objections
}

/// Gives items what the plan says about their workflows. Where `keep` says so, their documents are kept, without which they
/// can't be written.
pub(crate) async fn fill(
    context: &Context,
    items: &mut [Item],
    plan: &Plan,
    keep: bool,
) -> Result<(), DeploymentError> {
    let kept = if keep {
        items::keep(context, plan).await?
    } else {
        Vec::new()
    };
    for item in items {
        let at = plan.items.binary_search_by(|it| it.key.cmp(&item.key));
        let planned = at.ok().map(|at| (&plan.items[at], kept.get(at)));
        let kept = planned.and_then(|(_, kept)| kept);
        (item.before, item.after) = kept.map_or((None, None), |kept| (kept.before, kept.after));
        if let Some(released) = &item.released {
            item.change = change_of(released);
        }
        let Some((planned, _)) = planned else {
            continue;
        };
        item.name.clone_from(&planned.name);
        item.workflow.clone_from(&planned.workflow);
        (item.rank, item.in_cycle) = (planned.rank, planned.in_cycle);
        if planned.writes() {
            item.change = planned.change;
        }
    }
    Ok(())
}

/// The workflows of a deployment that chose versions, with their documents; what stands against them as problems.
pub(crate) async fn of_deployment(
    context: &Context,
    deployment: &Deployment,
) -> Result<Result<Wanted, Problem>, CommandError> {
    let workflows = || {
        let items = deployment.items.iter();
        items.filter_map(|item| {
            let released = item.released.as_ref()?;
            (released.kind == ApplicationKind::Workflow).then_some((&item.key, released))
        })
    };
    let ids = workflows().filter_map(|(_, released)| Some(released.after.as_ref()?.id));
    let mut unit = context.store.begin().await?;
    let versions = unit.versions().with_ids(&ids.collect()).await?;
    drop(unit);
    let mut versions: BTreeMap<_, _> = versions.into_iter().map(|it| (it.id, it)).collect();
    let chosen = workflows().map(|(key, released)| {
        let version = released.after.as_ref();
        (key.clone(), version.and_then(|it| versions.remove(&it.id)))
    });
    let read = wanted(context, &chosen.collect()).await;
    Ok(match read {
        Ok((wanted, objections)) => match objections.into_iter().next() {
            None => Ok(wanted),
            Some(first) => Err(first.problem()),
        },
        Err(error) => Err(problem("OBJECTS_UNAVAILABLE", chain(&error))),
    })
}

/// What an approval of a rollback binds besides its versions: what it takes is planned when it is carried out, in this engine.
pub(crate) fn bound_engine(
    target: EnvironmentId,
    engine: &EngineSettings,
) -> Result<Sha256, CommandError> {
    Ok(digest_of("slipway.release-rollback.v1", &(target, engine))?)
}
