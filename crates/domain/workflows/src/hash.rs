//! Hashes: whether two workflows are the same, and in what sense.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Map, Value};
use slipway_kernel::{Sha256, digest_of};

use crate::{Workflow, workflow::name_of};

/// The fields of a node that say how it looks and nothing about what it does.
pub(crate) const COSMETIC_FIELDS: [&str; 3] = ["notes", "notesInFlow", "position"];

/// No hash depends on the order of keys, nodes or tags, nor on how a number is written.
impl Workflow {
    /// The hash of its content, in the form `slipway.workflow.v1`: of everything but whether it is active. The ids of
    /// nodes and webhooks count.
    pub fn document_hash(&self) -> Sha256 {
        digest("slipway.workflow.v1", &Content::of(self))
    }

    /// The hash of its content and of whether it is active, in the form `slipway.workflow-state.v1`. Where document
    /// hashes are equal and these are not, only the activation differs.
    pub fn state_hash(&self) -> Sha256 {
        let state = State {
            active: self.active,
            content: Content::of(self),
        };
        digest("slipway.workflow-state.v1", &state)
    }

    /// The hash of what it does, in the form `slipway.workflow-structure.v1`: of its content without the positions and
    /// notes of nodes, without groups and pinned data.
    pub fn structure_hash(&self) -> Sha256 {
        let mut content = Content::of(self);
        for node in &mut content.nodes {
            node.retain(|field, _| !COSMETIC_FIELDS.contains(field));
        }
        content.pin_data = None;
        content.node_groups = None;
        digest("slipway.workflow-structure.v1", &content)
    }
}

#[derive(Serialize)]
struct State<'a> {
    active: bool,
    content: Content<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Content<'a> {
    name: &'a str,
    tags: &'a BTreeSet<String>,
    description: &'a str,
    /// By name.
    nodes: Vec<BTreeMap<&'a str, &'a Value>>,
    connections: &'a Map<String, Value>,
    settings: &'a Map<String, Value>,
    pin_data: Option<&'a Map<String, Value>>,
    node_groups: Option<&'a Value>,
}

impl<'a> Content<'a> {
    fn of(workflow: &'a Workflow) -> Self {
        let mut nodes: Vec<_> = workflow.nodes.iter().collect();
        nodes.sort_by_key(|node| name_of(node));
        let fields = |node: &'a Map<String, Value>| {
            let fields = node.iter();
            fields.map(|(name, value)| (name.as_str(), value)).collect()
        };
        Self {
            name: &workflow.name,
            tags: &workflow.tags,
            description: &workflow.description,
            nodes: nodes.into_iter().map(fields).collect(),
            connections: &workflow.connections,
            settings: &workflow.settings,
            pin_data: workflow.pin_data.as_ref(),
            node_groups: workflow.node_groups.as_ref(),
        }
    }
}

#[expect(
    clippy::expect_used,
    reason = "JSON values have text keys and finite numbers, hence a canonical form"
)]
fn digest<T: Serialize>(form: &str, value: &T) -> Sha256 {
    digest_of(form, value).expect("JSON has a canonical form")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::arbitrary;

    fn workflow() -> Workflow {
        let document = json!({
            "name": "Backup", "active": true, "tags": ["etl"], "description": "d",
            "nodes": [
                {"name": "A", "id": "1", "position": [0, 0], "notes": "n", "notesInFlow": true, "parameters": {"n": 1}},
                {"name": "B", "id": "2", "position": [9, 9], "parameters": {"position": 1}},
            ],
            "connections": {"A": {"main": [[{"node": "B", "type": "main", "index": 0}]]}},
            "settings": {"timezone": "UTC"}, "pinData": {"A": [{"json": {}}]}, "nodeGroups": [{"id": "g"}],
        });
        Workflow::from_value(document, "").expect("a workflow")
    }

    /// Which of the hashes a change leaves as they are: document, state, structure.
    fn same(change: impl FnOnce(&mut Workflow)) -> [bool; 3] {
        let (before, mut after) = (workflow(), workflow());
        change(&mut after);
        [
            before.document_hash() == after.document_hash(),
            before.state_hash() == after.state_hash(),
            before.structure_hash() == after.structure_hash(),
        ]
    }

    #[test]
    fn each_hash_sees_what_it_is_for() {
        assert_eq!(same(|_| ()), [true, true, true]);
        assert_eq!(same(|w| w.nodes.reverse()), [true, true, true]);
        assert_eq!(same(|w| w.active = false), [true, false, true]);

        let cosmetic = [false, false, true];
        assert_eq!(same(|w| w.pin_data = None), cosmetic);
        assert_eq!(same(|w| w.node_groups = None), cosmetic);
        for field in COSMETIC_FIELDS {
            assert_eq!(
                same(|w| drop(w.nodes[0].remove(field))),
                cosmetic,
                "{field}"
            );
        }

        let real = [false, false, false];
        assert_eq!(same(|w| w.name.push('!')), real);
        assert_eq!(same(|w| w.tags.clear()), real);
        assert_eq!(same(|w| w.description.clear()), real);
        assert_eq!(same(|w| w.settings.clear()), real);
        assert_eq!(same(|w| w.connections.clear()), real);
        assert_eq!(same(|w| drop(w.nodes[0].remove("id"))), real);
        assert_eq!(same(|w| w.nodes[1]["parameters"] = json!({})), real);
    }

    #[test]
    fn the_form_stays_what_it_is() {
        // Version identifiers and approvals are made of these: a change of the form needs a new name.
        let document = json!({"name": "W", "nodes": [{"name": "B"}, {"name": "A", "n": 1.0}], "connections": {}});
        let workflow = Workflow::from_value(document, "").expect("a workflow");
        let content = concat!(
            "slipway.workflow.v1\n",
            r#"{"connections":{},"description":"","name":"W","nodeGroups":null,"#,
            r#""nodes":[{"n":1,"name":"A"},{"name":"B"}],"pinData":null,"settings":{},"tags":[]}"#,
        );
        assert_eq!(
            workflow.document_hash(),
            Sha256::of_bytes(content.as_bytes())
        );
    }

    proptest! {
        #[test]
        fn what_is_written_and_read_again_has_the_same_hashes(workflow in arbitrary::workflow()) {
            let again = Workflow::from_json(&workflow.to_pretty_json(), "").expect("a workflow");
            prop_assert_eq!(again.state_hash(), workflow.state_hash());
            prop_assert_eq!(again.structure_hash(), workflow.structure_hash());
            prop_assert_eq!(again, workflow);
        }
    }
}
