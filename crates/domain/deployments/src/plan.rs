//! Plans: what a deployment of workflows would do, item by item, before anything is touched.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use slipway_kernel::{EnvironmentId, Key, Sha256, digest::CanonicalError, digest_of};
use slipway_workflows::{
    CredentialTarget, EngineSettings, Spellings, Workflow, WorkflowId,
    difference::{Difference, difference},
    inventory::{Entry, Inventory, callees, stand_in},
    order::callees_first,
    references::{Credential, CredentialReference, Unmapped},
    secrets::Secret,
};

use crate::{Change, Gates, Ordered, Problem, Publish, Secrets};

/// What a plan is made from.
#[derive(Debug, Clone, Copy)]
pub struct Planned<'a> {
    /// The environment that is changed.
    pub environment: EnvironmentId,
    /// Where its workflows run.
    pub engine: &'a EngineSettings,
    /// Where workflows come from.
    pub source: &'a Inventory,
    /// Where they go.
    pub target: &'a Inventory,
    /// The keys that the source had, and has no longer: they are deleted in the target.
    pub gone: &'a BTreeSet<Key>,
    /// Which credentials the target uses; `None` where the source is an earlier state of the target itself: credentials and
    /// references to workflows that have no key stay then.
    pub credentials: Option<&'a [CredentialTarget]>,
    /// How it is done.
    pub gates: &'a Gates,
    /// The workflows chosen; `None` for all.
    pub chosen: Option<&'a BTreeSet<Key>>,
}

impl Planned<'_> {
    /// Whether workflows come from another environment, rather than from an earlier state of the target itself.
    const fn is_promotion(&self) -> bool {
        self.credentials.is_some()
    }
}

/// What a deployment would do.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Its items, by key.
    pub items: Vec<PlannedItem>,
    /// Why it can't be started; empty where it can.
    pub problems: Vec<Problem>,
    /// The credentials among the problems.
    pub unmapped: BTreeSet<UnmappedCredential>,
    /// What people should know before they start it.
    pub warnings: Vec<Problem>,
    /// What an approval binds: plans with equal digests do the same to the same (`slipway.plan.v1`).
    pub digest: Sha256,
}

/// A credential that workflows use and that the target has nothing for, as mappings name it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnmappedCredential {
    /// Its type.
    pub kind: String,
    /// What people call it.
    pub name: String,
}

/// What would be done to one workflow.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedItem {
    /// Its key.
    pub key: Key,
    /// What people call it.
    pub name: String,
    /// What is done to it.
    pub change: Change,
    /// Why it is skipped.
    pub reason: Option<Problem>,
    /// What the target's engine calls it.
    pub workflow: Option<WorkflowId>,
    /// The document in the target, with keys in place of ids.
    pub before: Option<Workflow>,
    /// The document that is to be there, with keys in place of ids.
    pub after: Option<Workflow>,
    /// How the two differ, where there are two.
    pub difference: Option<Difference>,
    /// Secrets in the document's parameters, where it is written.
    pub secrets: Vec<Secret>,
    /// When it is written: higher than the ranks of the items that it refers to, from 0; 0 for one that is not written.
    pub rank: u32,
    /// Whether it refers to an item that gets its id no sooner than itself, so that it is written again when all have one.
    pub in_cycle: bool,
}

impl PlannedItem {
    /// Whether the target has to be changed for it.
    pub const fn writes(&self) -> bool {
        matches!(
            self.change,
            Change::Created | Change::Updated | Change::Deleted
        )
    }
}

impl Plan {
    /// The order of the items that are written; positions are those in [`Self::items`].
    pub fn order(&self) -> Vec<Ordered> {
        (0..)
            .zip(&self.items)
            .filter(|(_, item)| item.writes())
            .map(|(position, item)| Ordered {
                position,
                rank: item.rank,
                in_cycle: item.in_cycle,
            })
            .collect()
    }
}

/// Plans what brings the target to what the source holds.
pub fn plan(planned: Planned<'_>) -> Result<Plan, CanonicalError> {
    let mut drafts = Vec::new();
    let chosen = |key: &Key| planned.chosen.is_none_or(|chosen| chosen.contains(key));
    let mut unmapped = Vec::new();
    for entry in planned.source.iter().filter(|entry| chosen(&entry.key)) {
        drafts.push(draft(planned, entry, &mut unmapped));
    }
    let problems = unmapped.iter();
    let mut problems: Vec<_> = problems
        .map(|(key, unmapped)| stands_against(key, unmapped))
        .collect();
    for key in planned.gone.iter().filter(|key| chosen(key)) {
        if let Some(there) = planned.target.get(key) {
            drafts.push(deletion(planned, there));
        }
    }
    problems.extend(unknown(planned, &drafts));
    drafts.sort_by(|a, b| a.key.cmp(&b.key));
    problems.extend(missing_callees(planned, &drafts));
    arrange(&mut drafts, planned.target);
    if let Some(empty) = emptied(planned, &drafts) {
        problems.push(empty);
    }
    let warnings = drafts.iter().filter_map(|item| told(planned, item));
    let mut warnings: Vec<_> = warnings.collect();
    match planned.gates.secrets {
        Secrets::Warn => warnings.extend(embedded_secrets(&drafts)),
        Secrets::Block => problems.extend(embedded_secrets(&drafts)),
    }
    let digest = digest(planned, &drafts)?;
    Ok(Plan {
        items: drafts,
        problems,
        unmapped: credentials(unmapped),
        warnings,
        digest,
    })
}

/// A source without any workflow is rather one that was not found than one that everything was taken out of. Who means
/// it chooses the workflows.
fn emptied(planned: Planned<'_>, items: &[PlannedItem]) -> Option<Problem> {
    let is_promotion = planned.is_promotion();
    let deletes = items.iter().any(|item| item.change == Change::Deleted);
    let empty = planned.source.iter().next().is_none();
    (is_promotion && deletes && empty && planned.chosen.is_none()).then(|| {
        let message = "the source holds no workflow at all, and the target's would be removed: check that its engine is \
                       the right one, or choose the workflows to remove";
        problem("SOURCE_EMPTY", message)
    })
}

/// What people should know of an item before it is carried out.
fn told(planned: Planned<'_>, item: &PlannedItem) -> Option<Problem> {
    if item.change == Change::Deleted {
        let why = if planned.is_promotion() {
            "the source does not have it any more; if its file was only renamed there, give that one its key by LinkWorkflow"
        } else {
            "the snapshot does not have it"
        };
        let message = format!(
            "the workflow `{}` will be removed from the target, because {why}",
            item.key
        );
        return Some(problem("WORKFLOW_DELETED", message));
    }
    let reason = item.reason.as_ref()?;
    let unreadable = ["SOURCE_UNREADABLE", "TARGET_UNREADABLE"].contains(&reason.reason.as_str());
    unreadable.then(|| {
        let message = format!("the workflow `{}` is skipped: {}", item.key, reason.message);
        problem(&reason.reason, message)
    })
}

fn problem(reason: &str, message: impl Into<String>) -> Problem {
    Problem {
        reason: reason.to_owned(),
        message: message.into(),
    }
}

/// Keys that were chosen and stand for nothing.
fn unknown(planned: Planned<'_>, items: &[PlannedItem]) -> Vec<Problem> {
    let is_unknown = |key: &&Key| items.iter().all(|item| item.key != **key);
    let unknown: Vec<_> = planned
        .chosen
        .into_iter()
        .flatten()
        .filter(is_unknown)
        .collect();
    if unknown.is_empty() {
        return Vec::new();
    }
    let known = planned.source.iter();
    let spellings = Spellings::new(known.map(|entry| (&entry.key, [&*entry.id.0, &*entry.name])));
    let told = unknown.into_iter().map(|key| {
        let hint = spellings.hint(key);
        let message = format!("there is no workflow with the key `{key}` in the source{hint}");
        problem("WORKFLOW_NOT_FOUND", message)
    });
    told.collect()
}

/// Why a workflow that uses something without a counterpart can't be written.
fn stands_against(key: &Key, unmapped: &Unmapped) -> Problem {
    let reason = match unmapped {
        Unmapped::Credential { .. } => "CREDENTIAL_UNMAPPED",
        Unmapped::Workflow { .. } => "WORKFLOW_UNMAPPED",
    };
    problem(reason, format!("workflow `{key}`: {unmapped}"))
}

fn credentials(unmapped: Vec<(Key, Unmapped)>) -> BTreeSet<UnmappedCredential> {
    let unmapped = unmapped.into_iter();
    unmapped
        .filter_map(|(_, unmapped)| match unmapped {
            Unmapped::Credential { kind, name, .. } => Some(UnmappedCredential { kind, name }),
            Unmapped::Workflow { .. } => None,
        })
        .collect()
}

fn draft(planned: Planned<'_>, entry: &Entry, missing: &mut Vec<(Key, Unmapped)>) -> PlannedItem {
    let there = planned.target.get(&entry.key);
    let mut item = PlannedItem {
        key: entry.key.clone(),
        name: entry.name.clone(),
        change: Change::Skipped,
        reason: None,
        workflow: there.map(|there| there.id.clone()),
        before: None,
        after: None,
        difference: None,
        secrets: Vec::new(),
        rank: 0,
        in_cycle: false,
    };
    let skipped = |item: PlannedItem, reason: &str, message: String| PlannedItem {
        reason: Some(problem(reason, message)),
        ..item
    };
    let workflow = match &entry.workflow {
        Err(error) => return skipped(item, "SOURCE_UNREADABLE", error.to_string()),
        Ok(_) if entry.archived => {
            let message = "it is archived in the source".to_owned();
            return skipped(item, "SOURCE_ARCHIVED", message);
        }
        Ok(workflow) => workflow,
    };
    item.before = match there.map(|there| (there.archived, &there.workflow)) {
        Some((true, _)) => {
            let message = "it is archived in the target: unarchive it there first".to_owned();
            return skipped(item, "TARGET_ARCHIVED", message);
        }
        Some((_, Err(error))) => {
            let message = format!("what stands in the target can't be read: {error}");
            return skipped(item, "TARGET_UNREADABLE", message);
        }
        Some((_, Ok(before))) => Some(planned.target.portable(before)),
        None => None,
    };
    let mut after = match translated(planned, workflow) {
        Ok(after) => after,
        Err(unmapped) => {
            let unmapped = unmapped.into_iter();
            missing.extend(unmapped.map(|unmapped| (entry.key.clone(), unmapped)));
            return skipped(item, "UNMAPPED", "see the plan's problems".to_owned());
        }
    };
    let active_there = item.before.as_ref().map(|before| before.active);
    after.active = planned.gates.publish.active(workflow.active, active_there);
    let unconnected = there
        .and_then(|there| there.workflow.as_ref().ok())
        .is_some_and(|there| planned.target.is_unconnected(there));
    item.change = match &item.before {
        None => Change::Created,
        Some(before) if is_same(before, &after) && !unconnected => Change::Unchanged,
        Some(before) => {
            item.difference = Some(difference(before, &after));
            Change::Updated
        }
    };
    if item.writes() {
        item.secrets = after.secrets();
    }
    item.after = Some(after);
    item
}

/// Whether both have one hash; what is equal needs none.
fn is_same(before: &Workflow, after: &Workflow) -> bool {
    before == after || before.state_hash() == after.state_hash()
}

/// The document with the target's credentials, and with keys in place of the source's ids.
fn translated(planned: Planned<'_>, workflow: &Workflow) -> Result<Workflow, Vec<Unmapped>> {
    let Some(credentials) = planned.credentials else {
        return Ok(planned.source.portable(workflow));
    };
    let credential = |used: &CredentialReference| {
        credentials
            .iter()
            .find(|target| target.kind == used.kind && target.name == used.name)
            .map(|target| Credential {
                id: target.target_id.clone(),
                name: target.target_name.clone(),
            })
    };
    workflow.remap(&credential, &|id| planned.source.key_of(id).map(stand_in))
}

fn deletion(planned: Planned<'_>, there: &Entry) -> PlannedItem {
    PlannedItem {
        key: there.key.clone(),
        name: there.name.clone(),
        change: Change::Deleted,
        reason: None,
        workflow: Some(there.id.clone()),
        before: there
            .workflow
            .as_ref()
            .ok()
            .map(|before| planned.target.portable(before)),
        after: None,
        difference: None,
        secrets: Vec::new(),
        rank: 0,
        in_cycle: false,
    }
}

fn missing_callees(planned: Planned<'_>, items: &[PlannedItem]) -> Vec<Problem> {
    let mut problems = Vec::new();
    let comes = |key: &Key| {
        let item = items.iter().find(|item| item.key == *key);
        item.is_some_and(|item| item.after.is_some())
    };
    for item in items.iter().filter(|item| item.writes()) {
        for callee in item.after.iter().flat_map(callees) {
            if planned.target.get(&callee).is_none() && !comes(&callee) {
                let message = format!(
                    "workflow `{}` refers to `{callee}`, which the target does not have: take it along",
                    item.key
                );
                problems.push(problem("WORKFLOW_UNMAPPED", message));
            }
        }
    }
    problems
}

fn embedded_secrets(items: &[PlannedItem]) -> impl Iterator<Item = Problem> {
    let written = items.iter().filter(|item| item.writes());
    written.flat_map(|item| {
        item.secrets.iter().map(|secret| {
            let message = format!(
                "the workflow `{}` holds what looks like a secret ({:?}) in the node `{}` at {}: keep it in a \
                 credential",
                item.key, secret.kind, secret.node, secret.path
            );
            problem("EMBEDDED_SECRET", message)
        })
    })
}

/// Gives the items that are written their ranks: callees first. Items that are deleted come last, when nothing refers to
/// them any more.
fn arrange(items: &mut [PlannedItem], target: &Inventory) {
    let written: BTreeSet<Key> = items
        .iter()
        .filter(|item| item.after.is_some() && item.writes())
        .map(|item| item.key.clone())
        .collect();
    let references: BTreeMap<Key, BTreeSet<Key>> = items
        .iter()
        .filter(|item| written.contains(&item.key))
        .map(|item| {
            let callees = item.after.iter().flat_map(callees);
            (
                item.key.clone(),
                callees.filter(|key| written.contains(key)).collect(),
            )
        })
        .collect();
    let mut ranks: BTreeMap<Key, (u32, bool)> = BTreeMap::new();
    for group in callees_first(&references) {
        let before = group
            .workflows
            .iter()
            .flat_map(|key| &references[key])
            .filter_map(|callee| ranks.get(callee))
            .map(|(rank, _)| rank + 1)
            .max();
        for key in &group.workflows {
            // A workflow that the target has already has its id, so that references to it can be written at once.
            let unborn = |callee: &&Key| target.get(callee).is_none();
            let ring = group.workflows.iter();
            let points_back = ring
                .filter(unborn)
                .any(|callee| references[key].contains(callee))
                && group.cyclic;
            ranks.insert(key.clone(), (before.unwrap_or_default(), points_back));
        }
    }
    let last = ranks.values().map(|(rank, _)| rank + 1).max();
    for item in items {
        if let Some((rank, in_cycle)) = ranks.get(&item.key) {
            (item.rank, item.in_cycle) = (*rank, *in_cycle);
        } else if item.change == Change::Deleted {
            item.rank = last.unwrap_or_default();
        }
    }
}

fn digest(planned: Planned<'_>, items: &[PlannedItem]) -> Result<Sha256, CanonicalError> {
    #[derive(Serialize)]
    struct Hashed<'a> {
        environment: EnvironmentId,
        engine: &'a EngineSettings,
        publish: Publish,
        items: Vec<HashedItem<'a>>,
    }
    #[derive(Serialize)]
    struct HashedItem<'a> {
        key: &'a Key,
        change: Change,
        workflow: Option<&'a WorkflowId>,
        before: Option<Sha256>,
        after: Option<Sha256>,
    }
    let items = items.iter().map(|item| {
        let before = item.before.as_ref().map(Workflow::state_hash);
        HashedItem {
            key: &item.key,
            change: item.change,
            workflow: item.workflow.as_ref(),
            before,
            // What is unchanged has the same.
            after: match item.change {
                Change::Unchanged => before,
                _ => item.after.as_ref().map(Workflow::state_hash),
            },
        }
    });
    digest_of(
        "slipway.plan.v1",
        &Hashed {
            environment: planned.environment,
            engine: planned.engine,
            publish: planned.gates.publish,
            items: items.collect(),
        },
    )
}
