//! The workflows of one environment, by the keys that they have in every environment.

use std::collections::{BTreeMap, BTreeSet};

use slipway_kernel::Key;

use crate::{Credential, CredentialReference, Workflow, WorkflowError, WorkflowId, WorkflowTarget};

/// A workflow of an environment.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Its key, the same in every environment.
    pub key: Key,
    /// What this environment's engine calls it.
    pub id: WorkflowId,
    /// What people call it.
    pub name: String,
    /// Whether it was put away.
    pub archived: bool,
    /// The document, or why it is none.
    pub workflow: Result<Workflow, WorkflowError>,
}

/// The workflows of one environment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Inventory {
    by_key: BTreeMap<Key, Entry>,
    keys: BTreeMap<WorkflowId, Key>,
}

impl Inventory {
    /// The environment with these workflows, whose keys and ids are unique.
    pub fn new(workflows: impl IntoIterator<Item = Entry>) -> Self {
        let by_key: BTreeMap<_, _> = workflows
            .into_iter()
            .map(|entry| (entry.key.clone(), entry))
            .collect();
        let keys = by_key
            .values()
            .map(|entry| (entry.id.clone(), entry.key.clone()))
            .collect();
        Self { by_key, keys }
    }

    /// Documents that belong to no engine, with keys in place of ids. What they refer to may be somewhere else.
    pub fn of_documents(documents: impl IntoIterator<Item = (Key, Workflow)>) -> Self {
        let entries = documents.into_iter().map(|(key, workflow)| Entry {
            id: stand_in(&key),
            key,
            name: workflow.name.clone(),
            archived: false,
            workflow: Ok(workflow),
        });
        let mut inventory = Self::new(entries);
        let workflows = inventory.by_key.values();
        let documents = workflows.filter_map(|entry| entry.workflow.as_ref().ok());
        let referred: BTreeSet<Key> = documents.flat_map(callees).collect();
        let referred = referred.into_iter().map(|key| (stand_in(&key), key));
        inventory.keys.extend(referred);
        inventory
    }

    /// The workflow with this key.
    pub fn get(&self, key: &Key) -> Option<&Entry> {
        self.by_key.get(key)
    }

    /// All workflows, by key.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.by_key.values()
    }

    /// The key of a workflow of this environment's engine.
    pub fn key_of(&self, id: &WorkflowId) -> Option<&Key> {
        self.keys.get(id)
    }

    /// A document of this environment with the keys of workflows in place of their ids, so that it can be compared with
    /// one of another environment. References to workflows that have no key stay.
    pub fn portable(&self, workflow: &Workflow) -> Workflow {
        by_key(workflow, &|id| self.key_of(id))
    }

    /// Whether a document of this environment names a workflow that is here by what stands for it: it was written before
    /// that one was there, and still has to be pointed at it. Its portable form does not show that.
    pub fn is_unconnected(&self, workflow: &Workflow) -> bool {
        is_unconnected(workflow, &|key| self.by_key.contains_key(key))
    }
}

/// As [`Inventory::is_unconnected`], likewise.
pub fn is_unconnected(workflow: &Workflow, is_here: &dyn Fn(&Key) -> bool) -> bool {
    callees(workflow).iter().any(is_here)
}

/// A document with the keys of workflows in place of their ids. Ids that have no key stay.
pub fn by_key<'k>(
    workflow: &Workflow,
    key_of: &dyn Fn(&WorkflowId) -> Option<&'k Key>,
) -> Workflow {
    let keep = |credential: &CredentialReference| Some(kept(credential));
    let named = |id: &WorkflowId| Some(key_of(id).map_or_else(|| id.clone(), stand_in));
    // Everything has a counterpart, so nothing is missing.
    workflow
        .remap(&keep, &named)
        .unwrap_or_else(|_| workflow.clone())
}

fn kept(credential: &CredentialReference) -> Credential {
    Credential {
        id: credential.id.clone().unwrap_or_default(),
        name: credential.name.clone(),
    }
}

/// What the id of a stand-in begins with.
const STAND_IN: &str = "slipway:";

/// The id that stands for the workflow with this key in a document that belongs to no engine.
pub fn stand_in(key: &Key) -> WorkflowId {
    WorkflowId(format!("{STAND_IN}{key}"))
}

/// The document for an engine: with its ids in place of keys. A key that `ids` does not know stays, and is named in the
/// second part.
pub fn for_engine(
    portable: &Workflow,
    ids: &dyn Fn(&Key) -> Option<WorkflowId>,
) -> (Workflow, BTreeSet<Key>) {
    let unknown = std::cell::RefCell::new(BTreeSet::new());
    let keep = |credential: &CredentialReference| Some(kept(credential));
    let here = |id: &WorkflowId| {
        let key = id.0.strip_prefix(STAND_IN).and_then(|key| key.parse().ok());
        let Some(key) = key else {
            return Some(id.clone());
        };
        Some(ids(&key).unwrap_or_else(|| {
            unknown.borrow_mut().insert(key);
            id.clone()
        }))
    };
    let workflow = portable
        .remap(&keep, &here)
        .unwrap_or_else(|_| portable.clone());
    (workflow, unknown.into_inner())
}

/// The keys that a document with keys in place of ids refers to, its own among them where it refers to itself by id.
pub fn callees(workflow: &Workflow) -> BTreeSet<Key> {
    let references = workflow.references();
    let fixed = references
        .workflows
        .iter()
        .filter_map(|reference| match &reference.target {
            WorkflowTarget::Fixed(id) => id.0.strip_prefix(STAND_IN)?.parse().ok(),
            WorkflowTarget::Itself | WorkflowTarget::Expression => None,
        });
    fixed.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn key(text: &str) -> Key {
        text.parse().expect("a key")
    }

    #[test]
    fn documents_refer_to_each_other_and_to_others_by_key() {
        let call = |id: &str| json!({"type": "n8n-nodes-base.executeWorkflow", "name": id, "parameters": {"workflowId": id}});
        let nodes = ["slipway:Mail", "slipway:Elsewhere", "17"].map(call);
        let orders = json!({"name": "Orders", "nodes": nodes, "connections": {}});
        let mail = json!({"name": "Mail", "nodes": [], "connections": {}});
        let documents = [("Orders", orders), ("Mail", mail)].map(|(name, document)| {
            let workflow = Workflow::from_value(document, "").expect("a workflow");
            (key(name), workflow)
        });
        let inventory = Inventory::of_documents(documents);
        assert_eq!(inventory.iter().count(), 2);
        for known in ["Mail", "Orders", "Elsewhere"] {
            let id = stand_in(&key(known));
            assert_eq!(inventory.key_of(&id), Some(&key(known)));
        }
        assert!(inventory.get(&key("Elsewhere")).is_none());
        assert_eq!(inventory.key_of(&WorkflowId("17".to_owned())), None);
    }
}
