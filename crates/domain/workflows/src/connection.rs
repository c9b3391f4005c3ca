//! Connections: what a node's outputs lead to.

use serde::Serialize;
use serde_json::{Map, Value};

/// One connection, by the names of the nodes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Connection {
    /// The node it starts at.
    pub from: String,
    /// The sort of output: `main`, `ai_tool`, …
    pub output: String,
    /// Which of these outputs, from 0.
    pub output_index: usize,
    /// The node it ends at.
    pub to: String,
    /// The sort of input.
    pub input: String,
    /// Which of these inputs, from 0.
    pub input_index: u64,
}

/// One connection, borrowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Edge<'a> {
    pub(crate) from: &'a str,
    pub(crate) output: &'a str,
    pub(crate) output_index: usize,
    pub(crate) to: &'a str,
    pub(crate) input: &'a str,
    pub(crate) input_index: u64,
}

/// The connections of a document: by node name and sort of output a list of outputs, each a list of ends
/// (`{"node", "type", "index"}`). What has another shape leads nowhere.
pub(crate) fn edges(connections: &Map<String, Value>) -> impl Iterator<Item = Edge<'_>> {
    connections.iter().flat_map(|(from, outputs)| {
        let sorts = outputs.as_object().into_iter().flatten();
        sorts.flat_map(move |(output, list)| {
            items(list)
                .enumerate()
                .flat_map(move |(output_index, ends)| {
                    items(ends).filter_map(move |end| {
                        Some(Edge {
                            from,
                            output,
                            output_index,
                            to: end.get("node")?.as_str()?,
                            input: end.get("type").and_then(Value::as_str).unwrap_or("main"),
                            input_index: end.get("index").and_then(Value::as_u64).unwrap_or(0),
                        })
                    })
                })
        })
    })
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn outputs_without_ends_are_passed_over() {
        let connections = json!({
            "A": {"main": [null, [{"node": "B", "type": "main", "index": 1}]], "ai_tool": [[{"node": "C"}]]},
            "B": {"main": "broken"}, "C": 7,
        });
        let found: Vec<_> = edges(connections.as_object().expect("an object"))
            .map(|edge| {
                (
                    edge.from,
                    edge.output,
                    edge.output_index,
                    edge.to,
                    edge.input,
                    edge.input_index,
                )
            })
            .collect();
        assert_eq!(
            found,
            [
                ("A", "ai_tool", 0, "C", "main", 0),
                ("A", "main", 1, "B", "main", 1)
            ]
        );
    }
}
