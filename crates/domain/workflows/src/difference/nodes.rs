//! Which nodes two workflows have in common.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use super::{FieldChange, Listed, MAX_NODES_LISTED, fields};
use crate::{
    Workflow,
    hash::COSMETIC_FIELDS,
    text::cut,
    workflow::{id_of, name_of, type_of},
};

/// The most characters of a node's type that are shown.
const MAX_TYPE_CHARACTERS: usize = 128;

/// A node by its name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct NodeName {
    /// What it is called.
    pub name: String,
    /// Its type; cut after 128 characters.
    pub kind: String,
}

/// A node that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NodeChange {
    /// What the later one is called.
    pub name: String,
    /// What the earlier one is called, where that is something else.
    pub renamed_from: Option<String>,
    /// The type of the later one; cut after 128 characters.
    pub kind: String,
    /// Whether it only looks different: nothing but its position and its notes differ.
    pub cosmetic: bool,
    /// Its fields that differ.
    pub fields: Listed<FieldChange>,
}

type Node = Map<String, Value>;

/// What the names in one of two workflows stand for: the later name of each node that both have.
pub(super) struct Names<'a>(BTreeMap<&'a str, &'a str>);

/// What a name stands for, comparable between the two workflows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Named<'a> {
    /// A node that both have, by its later name.
    Both(&'a str),
    /// A node that only one of them has, or none.
    Other(&'a str),
}

impl<'a> Names<'a> {
    pub(super) fn of(&self, name: &'a str) -> Named<'a> {
        let both = self.0.get(name).copied();
        both.map_or(Named::Other(name), Named::Both)
    }
}

/// The nodes of two workflows.
pub(super) struct Matching<'a> {
    /// The same node, earlier and later.
    pub(super) both: Vec<(&'a Node, &'a Node)>,
    pub(super) only_before: Vec<&'a Node>,
    pub(super) only_after: Vec<&'a Node>,
}

impl<'a> Matching<'a> {
    /// Finds the same nodes: by id, then the rest by name.
    pub(super) fn of(before: &'a Workflow, after: &'a Workflow) -> Self {
        let (both, before, after) = matched(before.nodes.iter(), after.nodes.iter(), id_of);
        let (more, before, after) = matched(before, after, |node| Some(name_of(node)));
        let mut matching = Self {
            both: both.into_iter().chain(more).collect(),
            only_before: before.into_iter().collect(),
            only_after: after.into_iter().collect(),
        };
        matching.both.sort_by_key(|(_, after)| name_of(after));
        matching.only_before.sort_by_key(|node| name_of(node));
        matching.only_after.sort_by_key(|node| name_of(node));
        matching
    }

    /// What the earlier workflow's names stand for.
    pub(super) fn earlier(&self) -> Names<'a> {
        let names = self.both.iter();
        Names(
            names
                .map(|(before, after)| (name_of(before), name_of(after)))
                .collect(),
        )
    }

    /// What the later workflow's names stand for.
    pub(super) fn later(&self) -> Names<'a> {
        let names = self.both.iter();
        Names(
            names
                .map(|(_, after)| (name_of(after), name_of(after)))
                .collect(),
        )
    }

    pub(super) fn added(&self) -> Listed<NodeName> {
        named(&self.only_after)
    }

    pub(super) fn removed(&self) -> Listed<NodeName> {
        named(&self.only_before)
    }

    /// The nodes that both have and that differ, and how many of them only look different.
    pub(super) fn changed(&self) -> (Listed<NodeChange>, usize) {
        let pairs = self.both.iter().filter(|(before, after)| before != after);
        let pairs: Vec<_> = pairs.collect();
        let cosmetic = pairs.iter().filter(|(old, new)| is_cosmetic(old, new));
        let listed = pairs.iter().take(MAX_NODES_LISTED);
        let listed = Listed {
            items: listed.map(|(old, new)| change(old, new)).collect(),
            total: pairs.len(),
        };
        (listed, cosmetic.count())
    }
}

/// Pairs nodes that have the same key, of those that have one; then what is left of the earlier and the later ones.
fn matched<'a>(
    before: impl IntoIterator<Item = &'a Node>,
    after: impl IntoIterator<Item = &'a Node>,
    key: impl Fn(&'a Node) -> Option<&'a str>,
) -> (Vec<(&'a Node, &'a Node)>, Vec<&'a Node>, Vec<&'a Node>) {
    let (mut keyed, mut left_before) = (BTreeMap::new(), Vec::new());
    for node in before {
        match key(node) {
            Some(key) => left_before.extend(keyed.insert(key, node)),
            None => left_before.push(node),
        }
    }
    let (mut both, mut left_after) = (Vec::new(), Vec::new());
    for node in after {
        match key(node).and_then(|key| keyed.remove(key)) {
            Some(before) => both.push((before, node)),
            None => left_after.push(node),
        }
    }
    left_before.extend(keyed.into_values());
    (both, left_before, left_after)
}

fn named(nodes: &[&Node]) -> Listed<NodeName> {
    let name = |node: &&Node| NodeName {
        name: name_of(node).to_owned(),
        kind: cut(type_of(node), MAX_TYPE_CHARACTERS),
    };
    Listed {
        items: nodes.iter().take(MAX_NODES_LISTED).map(name).collect(),
        total: nodes.len(),
    }
}

fn change(before: &Node, after: &Node) -> NodeChange {
    let (old, new) = (name_of(before), name_of(after));
    NodeChange {
        name: new.to_owned(),
        renamed_from: (old != new).then(|| old.to_owned()),
        kind: cut(type_of(after), MAX_TYPE_CHARACTERS),
        cosmetic: is_cosmetic(before, after),
        fields: fields::changes("", before, after),
    }
}

fn is_cosmetic(before: &Node, after: &Node) -> bool {
    let mut names = before.keys().chain(after.keys());
    names
        .all(|name| COSMETIC_FIELDS.contains(&name.as_str()) || before.get(name) == after.get(name))
}
