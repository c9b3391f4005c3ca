//! Which connections two workflows have in common.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::{
    Listed, MAX_CONNECTIONS_LISTED,
    nodes::{Matching, Named, Names},
};
use crate::{
    Connection, Workflow,
    connection::{Edge, edges},
    text::cut,
    workflow::name_of,
};

/// The most characters of the sort of an output or input that are shown.
const MAX_SORT_CHARACTERS: usize = 64;

/// The connections of two workflows.
pub(super) struct Compared {
    pub(super) added: Listed<Connection>,
    pub(super) removed: Listed<Connection>,
    pub(super) rearranged: bool,
}

impl Compared {
    /// Compares them. A connection that goes along with a renamed node is the same.
    pub(super) fn of(before: &Workflow, after: &Workflow, nodes: &Matching) -> Self {
        let (earlier, later) = (nodes.earlier(), nodes.later());
        let mut places: BTreeMap<Place, Edges> = BTreeMap::new();
        for edge in edges(&before.connections) {
            let place = Place::of(&edge, &earlier);
            places.entry(place).or_default().before.push(edge);
        }
        for edge in edges(&after.connections) {
            let place = Place::of(&edge, &later);
            places.entry(place).or_default().after.push(edge);
        }
        let added = places.values().flat_map(Edges::more_after);
        let removed = places.values().flat_map(Edges::more_before);
        let (added, removed) = (listed(added.collect()), listed(removed.collect()));
        let rearranged = added.is_empty()
            && removed.is_empty()
            && outputs(&before.connections, &earlier, &nodes.only_before)
                != outputs(&after.connections, &later, &nodes.only_after);
        Self {
            added,
            removed,
            rearranged,
        }
    }
}

/// Where a connection starts and ends, comparable between the two workflows.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Place<'a> {
    from: Named<'a>,
    output: (&'a str, usize),
    to: Named<'a>,
    input: (&'a str, u64),
}

impl<'a> Place<'a> {
    fn of(edge: &Edge<'a>, names: &Names<'a>) -> Self {
        Self {
            from: names.of(edge.from),
            output: (edge.output, edge.output_index),
            to: names.of(edge.to),
            input: (edge.input, edge.input_index),
        }
    }
}

/// The connections between the same two places, earlier and later: usually one or none.
#[derive(Default)]
struct Edges<'a> {
    before: Vec<Edge<'a>>,
    after: Vec<Edge<'a>>,
}

impl<'a> Edges<'a> {
    fn more_after(&self) -> impl Iterator<Item = Edge<'a>> {
        self.after.iter().skip(self.before.len()).copied()
    }

    fn more_before(&self) -> impl Iterator<Item = Edge<'a>> {
        self.before.iter().skip(self.after.len()).copied()
    }
}

fn listed(mut edges: Vec<Edge>) -> Listed<Connection> {
    edges.sort_unstable();
    let first = edges.iter().take(MAX_CONNECTIONS_LISTED);
    Listed {
        items: first.map(connection).collect(),
        total: edges.len(),
    }
}

fn connection(edge: &Edge) -> Connection {
    Connection {
        from: edge.from.to_owned(),
        output: cut(edge.output, MAX_SORT_CHARACTERS),
        output_index: edge.output_index,
        to: edge.to.to_owned(),
        input: cut(edge.input, MAX_SORT_CHARACTERS),
        input_index: edge.input_index,
    }
}

/// The outputs as they are written, comparable between the two workflows; without those of nodes that only one has.
fn outputs<'a>(
    connections: &'a Map<String, Value>,
    names: &Names<'a>,
    without: &[&Map<String, Value>],
) -> BTreeMap<Named<'a>, Value> {
    let without: BTreeSet<_> = without.iter().map(|node| name_of(node)).collect();
    let connections = connections.iter();
    let connections = connections.filter(|(from, _)| !without.contains(from.as_str()));
    connections
        .map(|(from, outputs)| (names.of(from), with_later_names(outputs, names)))
        .collect()
}

fn with_later_names(outputs: &Value, names: &Names) -> Value {
    let mut written = outputs.clone();
    let sorts = written.as_object_mut().into_iter();
    let sorts = sorts.flat_map(Map::values_mut);
    for end in sorts.flat_map(items).flat_map(items) {
        if let Some(Value::String(to)) = end.get_mut("node")
            && let Named::Both(later) = names.of(to)
        {
            *to = later.to_owned();
        }
    }
    written
}

fn items(value: &mut Value) -> impl Iterator<Item = &mut Value> {
    value.as_array_mut().into_iter().flatten()
}
