//! How two workflows differ, for people.

mod connections;
mod fields;
mod nodes;

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use self::nodes::{Matching, Named, Names};
use crate::{Connection, Workflow, secrets, text::cut_around_difference};

pub use fields::FieldChange;
pub use nodes::{NodeChange, NodeName};

/// The most nodes that each list of a difference names, and the most tags.
pub const MAX_NODES_LISTED: usize = 100;
/// The most fields that are listed for one node, and for the settings.
pub const MAX_FIELDS_LISTED: usize = 20;
/// The most connections that each list of a difference names.
pub const MAX_CONNECTIONS_LISTED: usize = 200;
/// The most characters of a value that are shown.
pub const MAX_VALUE_CHARACTERS: usize = 200;

/// How a workflow became another one. It is empty exactly where their state hashes are equal.
///
/// Its size is bounded whatever the workflows are: lists are cut and say how long they were. Secrets in the workflows
/// are not in it: `***` stands in their place.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The names, where they differ.
    pub name: Option<Change<String>>,
    /// Whether it is active, where that differs.
    pub active: Option<Change<bool>>,
    /// The descriptions, where they differ, cut around the first place where they do.
    pub description: Option<Change<String>>,
    /// Tags that only the later one has.
    pub tags_added: Listed<String>,
    /// Tags that only the earlier one has.
    pub tags_removed: Listed<String>,
    /// Nodes that only the later one has, by name.
    pub nodes_added: Listed<NodeName>,
    /// Nodes that only the earlier one has, by name.
    pub nodes_removed: Listed<NodeName>,
    /// Nodes that both have and that differ, by their later name.
    pub nodes_changed: Listed<NodeChange>,
    /// How many of the changed nodes, those that are not listed included, only look different.
    pub nodes_changed_cosmetically: usize,
    /// Connections that only the later one has. One that goes along with a renamed node is the same.
    pub connections_added: Listed<Connection>,
    /// Connections that only the earlier one has.
    pub connections_removed: Listed<Connection>,
    /// Whether the same connections are written differently: in another order, which can be the order they are run in.
    pub connections_rearranged: bool,
    /// Settings that differ (`settings.timezone`).
    pub settings: Listed<FieldChange>,
    /// Whether pinned data differs.
    pub pin_data: bool,
    /// Whether the groups of nodes differ.
    pub node_groups: bool,
}

/// What a value was and what it became.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change<T> {
    /// What it was.
    pub before: T,
    /// What it became.
    pub after: T,
}

/// The first of a list, and how many there were.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listed<T> {
    /// The first.
    pub items: Vec<T>,
    /// How many there were, those that are not listed included.
    pub total: usize,
}

/// How one workflow became another one.
///
/// Nodes are the same where their ids are, or else their names: so a renamed node has changed, and so has one that was
/// made anew under the same name.
pub fn difference(before: &Workflow, after: &Workflow) -> Difference {
    let nodes = Matching::of(before, after);
    let (nodes_changed, nodes_changed_cosmetically) = nodes.changed();
    let connections = connections::Compared::of(before, after, &nodes);
    Difference {
        name: change(&before.name, &after.name),
        active: change(&before.active, &after.active),
        description: description(&before.description, &after.description),
        tags_added: tags(after.tags.difference(&before.tags)),
        tags_removed: tags(before.tags.difference(&after.tags)),
        nodes_added: nodes.added(),
        nodes_removed: nodes.removed(),
        nodes_changed,
        nodes_changed_cosmetically,
        connections_added: connections.added,
        connections_removed: connections.removed,
        connections_rearranged: connections.rearranged,
        settings: fields::changes("settings", &before.settings, &after.settings),
        pin_data: pin_data_differs(before, after, &nodes),
        node_groups: before.node_groups != after.node_groups,
    }
}

impl Difference {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether both do the same and are equally active: only positions and notes of nodes, groups and pinned data
    /// differ, or nothing.
    pub fn is_cosmetic(&self) -> bool {
        let what_they_do = Self {
            nodes_changed: Listed::default(),
            nodes_changed_cosmetically: 0,
            pin_data: false,
            node_groups: false,
            ..self.clone()
        };
        what_they_do.is_empty() && self.nodes_changed_cosmetically == self.nodes_changed.total
    }
}

impl<T> Listed<T> {
    /// Whether there was none.
    pub fn is_empty(&self) -> bool {
        self.total == 0
    }
}

impl<T> Default for Listed<T> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            total: 0,
        }
    }
}

fn change<T: Clone + PartialEq>(before: &T, after: &T) -> Option<Change<T>> {
    (before != after).then(|| Change {
        before: before.clone(),
        after: after.clone(),
    })
}

fn description(before: &str, after: &str) -> Option<Change<String>> {
    if before == after {
        return None;
    }
    let [before, after] = [before, after].map(secrets::mask_text);
    let (before, after) = cut_around_difference(&before, &after, MAX_VALUE_CHARACTERS);
    Some(Change { before, after })
}

fn tags<'a>(tags: impl Iterator<Item = &'a String> + Clone) -> Listed<String> {
    Listed {
        items: tags.clone().take(MAX_NODES_LISTED).cloned().collect(),
        total: tags.count(),
    }
}

/// Pinned data that goes along with a renamed node is the same.
fn pin_data_differs(before: &Workflow, after: &Workflow, nodes: &Matching) -> bool {
    pinned(before, &nodes.earlier()) != pinned(after, &nodes.later())
}

fn pinned<'a>(workflow: &'a Workflow, names: &Names<'a>) -> Option<BTreeMap<Named<'a>, &'a Value>> {
    let data = workflow.pin_data.as_ref()?.iter();
    Some(data.map(|(name, value)| (names.of(name), value)).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::arbitrary;

    fn workflow(document: Value) -> Workflow {
        Workflow::from_value(document, "W").expect("a workflow")
    }

    fn node(id: &str, name: &str, url: &str) -> Value {
        json!({"id": id, "name": name, "type": "t", "position": [0, 0], "parameters": {"url": url}})
    }

    fn leads(ends: &[&str]) -> Value {
        let ends = ends
            .iter()
            .map(|end| json!({"node": end, "type": "main", "index": 0}));
        json!({"main": [ends.collect::<Value>()]})
    }

    fn connection(from: &str, to: &str) -> Connection {
        Connection {
            from: from.to_owned(),
            output: "main".to_owned(),
            output_index: 0,
            to: to.to_owned(),
            input: "main".to_owned(),
            input_index: 0,
        }
    }

    #[test]
    fn every_part_is_compared() {
        let before = workflow(json!({
            "name": "Before", "active": true, "tags": ["a", "b"], "description": "same, one",
            "nodes": [node("1", "Get", "u"), node("2", "Old", "u"), node("3", "Keep", "u")],
            "connections": {"Get": leads(&["Old", "Keep"])},
            "settings": {"timezone": "UTC", "x": 1}, "pinData": {"Get": [{}]},
        }));
        let after = workflow(json!({
            "name": "After", "tags": ["b", "c"], "description": "same, other",
            "nodes": [node("3", "Keep", "u"), node("9", "New", "u"), node("1", "Get", "v")],
            "connections": {"Get": leads(&["Keep", "New"])},
            "settings": {"timezone": "CET"}, "nodeGroups": [{"id": "g"}],
        }));
        let named = |name: &str| Listed {
            items: vec![NodeName {
                name: name.to_owned(),
                kind: "t".to_owned(),
            }],
            total: 1,
        };
        let one = |tag: &str| Listed {
            items: vec![tag.to_owned()],
            total: 1,
        };
        let text = |before: &str, after: &str| {
            Some(Change {
                before: before.to_owned(),
                after: after.to_owned(),
            })
        };
        let field = |path: &str, before: &str, after: Option<&str>| FieldChange {
            path: path.to_owned(),
            before: Some(before.to_owned()),
            after: after.map(str::to_owned),
        };
        let found = difference(&before, &after);
        assert_eq!(
            found,
            Difference {
                name: text("Before", "After"),
                active: Some(Change {
                    before: true,
                    after: false
                }),
                description: text("same, one", "same, other"),
                tags_added: one("c"),
                tags_removed: one("a"),
                nodes_added: named("New"),
                nodes_removed: named("Old"),
                nodes_changed: Listed {
                    items: vec![NodeChange {
                        name: "Get".to_owned(),
                        renamed_from: None,
                        kind: "t".to_owned(),
                        cosmetic: false,
                        fields: Listed {
                            items: vec![field("parameters.url", "\"u\"", Some("\"v\""))],
                            total: 1,
                        },
                    }],
                    total: 1,
                },
                nodes_changed_cosmetically: 0,
                connections_added: Listed {
                    items: vec![connection("Get", "New")],
                    total: 1
                },
                connections_removed: Listed {
                    items: vec![connection("Get", "Old")],
                    total: 1
                },
                connections_rearranged: false,
                settings: Listed {
                    items: vec![
                        field("settings.timezone", "\"UTC\"", Some("\"CET\"")),
                        field("settings.x", "1", None),
                    ],
                    total: 2,
                },
                pin_data: true,
                node_groups: true,
            }
        );
        assert!(!found.is_cosmetic());
    }

    #[test]
    fn a_rename_is_one_change() {
        let before = workflow(json!({
            "nodes": [node("1", "A", "u"), node("2", "B", "u")],
            "connections": {"A": leads(&["B"]), "B": leads(&["A"])}, "pinData": {"A": [{}]},
        }));
        // The second takes the first one's name.
        let after = workflow(json!({
            "nodes": [node("1", "C", "u"), node("2", "A", "u")],
            "connections": {"C": leads(&["A"]), "A": leads(&["C"])}, "pinData": {"C": [{}]},
        }));
        let found = difference(&before, &after);
        let renamed: Vec<_> = found
            .nodes_changed
            .items
            .iter()
            .map(|node| {
                (
                    node.renamed_from.as_deref(),
                    node.name.as_str(),
                    node.fields.items[0].path.as_str(),
                )
            })
            .collect();
        assert_eq!(
            renamed,
            [(Some("B"), "A", "name"), (Some("A"), "C", "name")]
        );
        let nothing_else = Difference {
            nodes_changed: found.nodes_changed.clone(),
            ..Difference::default()
        };
        assert_eq!(found, nothing_else);
    }

    #[test]
    fn a_node_made_anew_under_its_name_is_the_same() {
        let before = workflow(json!({"nodes": [node("1", "A", "u")], "connections": {}}));
        let after = workflow(json!({"nodes": [node("7", "A", "u")], "connections": {}}));
        let found = difference(&before, &after);
        assert_eq!(found.nodes_changed.items[0].fields.items[0].path, "id");
        assert!(found.nodes_added.is_empty() && found.nodes_removed.is_empty());
    }

    #[test]
    fn a_node_that_was_moved_looks_different() {
        let before = workflow(json!({"nodes": [node("1", "A", "u")], "connections": {}}));
        let mut after = before.clone();
        after.nodes[0]["position"] = json!([100, 0]);
        after.nodes[0].insert("notes".to_owned(), json!("moved"));
        let found = difference(&before, &after);
        assert!(found.is_cosmetic() && !found.is_empty());
        assert!(found.nodes_changed.items[0].cosmetic);
        after.nodes[0].insert("disabled".to_owned(), json!(true));
        assert!(!difference(&before, &after).is_cosmetic());
    }

    #[test]
    fn the_order_of_connections_is_told() {
        let nodes = json!([
            node("1", "A", "u"),
            node("2", "B", "u"),
            node("3", "C", "u")
        ]);
        let with =
            |ends: &[&str]| workflow(json!({"nodes": nodes, "connections": {"A": leads(ends)}}));
        let found = difference(&with(&["B", "C"]), &with(&["C", "B"]));
        assert_eq!(
            found,
            Difference {
                connections_rearranged: true,
                ..Difference::default()
            }
        );
        let twice = difference(&with(&["B"]), &with(&["B", "B"]));
        assert_eq!(twice.connections_added.items, [connection("A", "B")]);
        assert!(twice.connections_removed.is_empty() && !twice.connections_rearranged);
    }

    #[test]
    fn its_size_has_an_end() {
        let large = |letter: &str| {
            let nodes: Vec<_> = (0..1_000)
                .map(|n| {
                    let fields = (0..22).map(|field| (format!("{field:0250}"), json!(letter.repeat(250))));
                    json!({"name": format!("{letter}{n:0200}"), "id": format!("{n}"), "type": letter.repeat(300),
                        "parameters": fields.collect::<serde_json::Map<_, _>>()})
                })
                .collect();
            let names: Vec<_> = nodes
                .iter()
                .filter_map(|node| node["name"].as_str())
                .collect();
            let connections = json!({names[0]: leads(&names)});
            workflow(
                json!({"nodes": nodes, "connections": connections, "description": letter.repeat(5_000)}),
            )
        };
        let found = difference(&large("a"), &large("b"));
        assert_eq!(found.nodes_changed.total, 1_000);
        assert_eq!(found.nodes_changed.items.len(), MAX_NODES_LISTED);
        assert_eq!(found.nodes_changed.items[0].fields.total, 24);
        let bytes = serde_json::to_vec(&found).expect("JSON").len();
        assert!(bytes < 2_000_000, "{bytes}");

        let nothing = workflow(json!({"nodes": [], "connections": {}}));
        let found = difference(&nothing, &large("a"));
        assert_eq!(
            (found.nodes_added.total, found.connections_added.total),
            (1_000, 1_000)
        );
        assert_eq!(found.connections_added.items.len(), MAX_CONNECTIONS_LISTED);
    }

    proptest! {
        #[test]
        fn nothing_differs_from_itself(workflow in arbitrary::workflow()) {
            prop_assert_eq!(difference(&workflow, &workflow), Difference::default());
        }

        #[test]
        fn what_it_tells_agrees_with_the_hashes((before, after) in arbitrary::pair()) {
            let found = difference(&before, &after);
            prop_assert_eq!(found.is_empty(), before.state_hash() == after.state_hash());

            let same_structure = before.structure_hash() == after.structure_hash();
            prop_assert_eq!(found.is_cosmetic(), same_structure && before.active == after.active);

            let only_active = Difference { active: None, ..found };
            prop_assert_eq!(only_active.is_empty(), before.document_hash() == after.document_hash());
        }

        #[test]
        fn what_is_added_one_way_is_removed_the_other((before, after) in arbitrary::pair()) {
            let (there, back) = (difference(&before, &after), difference(&after, &before));
            prop_assert_eq!(there.nodes_added, back.nodes_removed);
            prop_assert_eq!(there.tags_removed, back.tags_added);
            prop_assert_eq!(there.nodes_changed.total, back.nodes_changed.total);
            prop_assert_eq!(there.connections_added, back.connections_removed);
            prop_assert_eq!(there.connections_rearranged, back.connections_rearranged);
        }
    }
}
