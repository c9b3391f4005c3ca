//! The workflows that are promoted: 200 in a source, some of which call others, and of which some are in the target.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};
use slipway_n8n_stand_in::StandIn;

use crate::Failure;

/// Workflows in the source.
pub(super) const WORKFLOWS: usize = 200;
/// How long every call of an engine waits before it is looked at.
pub(super) const LATENCY: Duration = Duration::from_millis(20);
/// These call one another in chains of this length: the first of each is called by the second, and so on.
const CHAINED: usize = 160;
const CHAIN: usize = 5;
/// The members of the cycle, each of which calls the one before it, and the first the last.
const CYCLE: std::ops::Range<usize> = 160..164;
/// The target has these already, as they were before.
pub(super) const KNOWN: std::ops::Range<usize> = 180..WORKFLOWS;

/// A source and a target.
pub(super) struct Landscape {
    pub(super) source: StandIn,
    pub(super) target: StandIn,
}

impl Landscape {
    /// Starts both and fills them; from then on every call waits. Documents differ from one `edition` to another, so that
    /// nothing is known of them from a promotion before.
    pub(super) async fn start(edition: usize) -> Result<Self, Failure> {
        let options = slipway_n8n_stand_in::Options::default;
        let (source, target) = (
            StandIn::start(options()).await,
            StandIn::start(options()).await,
        );
        let mut ids: Vec<String> = Vec::new();
        for number in 0..WORKFLOWS {
            let callee = callee(number).and_then(|callee| ids.get(callee));
            let id = source.seed(document(
                number,
                2 * edition + 1,
                callee.map(String::as_str),
            ));
            ids.push(id);
        }
        let closing = calls(&ids[CYCLE.end - 1]);
        let closed = source.edit(&ids[CYCLE.start], |document| {
            let nodes = document.get_mut("nodes").and_then(Value::as_array_mut);
            if let Some(nodes) = nodes {
                nodes.push(closing);
            }
        });
        if !closed {
            return Err("the source has lost a workflow".into());
        }
        for number in KNOWN {
            target.seed(document(number, 2 * edition, None));
        }
        for side in [&source, &target] {
            side.forget_calls();
            side.latency(LATENCY);
        }
        Ok(Self { source, target })
    }

    /// Checks that the target has what the source has, and that whoever calls another was made after it, but for the
    /// cycle.
    pub(super) fn check(&self) -> Result<(), Failure> {
        let (wanted, found) = (picture(&self.source), picture(&self.target));
        for (name, wanted) in &wanted {
            let Some(found) = found.get(name) else {
                return Err(format!("`{name}` is not in the target").into());
            };
            if let Some((field, wanted)) = wanted.iter().find(|(field, it)| found[*field] != **it) {
                let found = &found[field];
                return Err(format!(
                    "the {field} of `{name}` are not in the target as in the source: {found}, not {wanted}"
                )
                .into());
            }
        }
        if found.len() != WORKFLOWS {
            return Err(format!("the target has {} workflows", found.len()).into());
        }
        let in_cycle: BTreeSet<_> = CYCLE.map(name).collect();
        let mut made = BTreeSet::new();
        for id in self.target.ids() {
            let row = self.target.workflow(&id).ok_or("a workflow vanished")?;
            let called_too_soon = called(&row).is_some_and(|callee| !made.contains(&callee));
            let name = row["name"].as_str().unwrap_or_default();
            if called_too_soon && !in_cycle.contains(name) {
                return Err(format!("`{name}` was made before what it calls").into());
            }
            made.insert(id);
        }
        Ok(())
    }
}

/// Which workflow this one calls.
fn callee(number: usize) -> Option<usize> {
    if number < CHAINED {
        return (!number.is_multiple_of(CHAIN)).then(|| number - 1);
    }
    if number == CYCLE.start {
        return Some(CYCLE.end - 1);
    }
    CYCLE.contains(&number).then(|| number - 1)
}

/// A name, in whose order callers come before what they call.
fn name(number: usize) -> String {
    format!("Workflow {:03}", WORKFLOWS - number)
}

/// A workflow of ten nodes. Every second one is active, and every tenth has a description, and another tenth a tag.
fn document(number: usize, edition: usize, callee: Option<&str>) -> Value {
    let mut nodes = vec![json!({
        "id": format!("{number}-start"), "name": "Every hour", "type": "n8n-nodes-base.scheduleTrigger",
        "typeVersion": 1.2, "position": [0, 0], "parameters": {"rule": {"interval": [{"field": "hours"}]}},
    })];
    nodes.extend((1..9).map(|node| {
        json!({
            "id": format!("{number}-{node}"), "name": format!("Step {node}"), "type": "n8n-nodes-base.httpRequest",
            "typeVersion": 4.2, "position": [200 * node, 0],
            "parameters": {
                "url": format!("https://example.com/{number}/{node}/{edition}"),
                "jsonBody": "{{ $json }} and some more words that stand for what a request says ".repeat(5),
            },
        })
    }));
    nodes.extend(callee.map(calls));
    let connections: serde_json::Map<_, _> = (1..9)
        .map(|node| {
            let from = match node {
                1 => "Every hour".to_owned(),
                node => format!("Step {}", node - 1),
            };
            let to = json!({"node": format!("Step {node}"), "type": "main", "index": 0});
            (from, json!({"main": [[to]]}))
        })
        .collect();
    let mut document = json!({
        "name": name(number), "nodes": nodes, "connections": connections, "active": number.is_multiple_of(2),
        "settings": {"executionOrder": "v1"},
    });
    if number % 10 == 1 {
        document["description"] = format!("What workflow {number} is for").into();
    }
    if number % 10 == 3 {
        document["tags"] = json!([if number < 100 {
            "billing"
        } else {
            "operations"
        }]);
    }
    document
}

/// A node that calls a workflow.
fn calls(id: &str) -> Value {
    json!({
        "id": "the-call", "name": "Call", "type": "n8n-nodes-base.executeWorkflow", "typeVersion": 1.2,
        "position": [2_000, 0],
        "parameters": {"workflowId": {"__rl": true, "mode": "list", "value": id}, "options": {}},
    })
}

/// Which workflow a row calls, by the engine's id.
pub(super) fn called(row: &Value) -> Option<String> {
    let nodes = row["nodes"].as_array()?;
    let call = nodes.iter().find(|node| node["name"] == "Call")?;
    Some(
        call["parameters"]["workflowId"]["value"]
            .as_str()?
            .to_owned(),
    )
}

/// The row with what it calls in place of what it called.
pub(super) fn with_callee(mut row: Value, callee: &str) -> Value {
    for node in row["nodes"].as_array_mut().into_iter().flatten() {
        if node["name"] == "Call" {
            node["parameters"]["workflowId"]["value"] = callee.into();
        }
    }
    row
}

/// What an engine holds by name, with names in place of ids.
fn picture(engine: &StandIn) -> BTreeMap<String, BTreeMap<&'static str, Value>> {
    let rows = engine.ids().into_iter();
    let rows: BTreeMap<_, _> = rows
        .filter_map(|id| engine.workflow(&id).map(|row| (id, row)))
        .collect();
    let name = |row: &Value| row["name"].as_str().unwrap_or_default().to_owned();
    rows.values()
        .map(|row| {
            let callee = called(row).and_then(|id| rows.get(&id)).map(name);
            let named = with_callee(row.clone(), &callee.unwrap_or_default());
            let tags = row["tags"].as_array().into_iter().flatten();
            let tags: Vec<_> = tags.map(|tag| tag["name"].clone()).collect();
            let description = row["description"].as_str().unwrap_or_default();
            let shown = [
                ("nodes", named["nodes"].clone()),
                ("connections", row["connections"].clone()),
                ("settings", row["settings"].clone()),
                ("active", row["active"].clone()),
                ("description", description.into()),
                ("tags", tags.into()),
            ];
            (name(row), shown.into_iter().collect())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_target_that_lacks_something_is_found_out() {
        let landscape = Landscape::start(0).await.unwrap();
        assert_eq!(landscape.source.ids().len(), WORKFLOWS);
        assert_eq!(landscape.target.ids().len(), KNOWN.len());
        let failure = landscape.check().unwrap_err().to_string();
        assert!(failure.contains("not in the target"), "{failure}");
    }

    #[tokio::test]
    async fn callers_that_were_made_first_are_found_out() {
        let Landscape { source, target } = Landscape::start(0).await.unwrap();
        for id in target.ids() {
            target.remove(&id);
        }
        // Callees last, which their callers can only be told of afterwards.
        let mut made = BTreeMap::new();
        for id in source.ids().into_iter().rev() {
            made.insert(id.clone(), target.seed(source.workflow(&id).unwrap()));
        }
        for id in made.values() {
            target.edit(id, |document| {
                let row = Value::Object(document.clone());
                let callee = called(&row).map(|callee| made[&callee].clone());
                document["nodes"] = with_callee(row, &callee.unwrap_or_default())["nodes"].take();
            });
        }
        let landscape = Landscape { source, target };
        let failure = landscape.check().unwrap_err().to_string();
        assert!(
            failure.contains("was made before what it calls"),
            "{failure}"
        );
    }
}
