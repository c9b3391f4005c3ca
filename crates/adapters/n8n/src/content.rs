//! Documents: what is read of a workflow, what is sent for it, and whether the one is the other.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Map, Value, json};
use slipway_workflows::{Exported, Workflow, WorkflowId, workflow::INSTANCE_SETTINGS};

use crate::webhooks::{self, Webhook};

/// A workflow as n8n shows it.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub(crate) struct Row(Map<String, Value>);

impl Row {
    fn text(&self, key: &str) -> &str {
        self.0.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    fn flag(&self, key: &str) -> bool {
        self.0.get(key) == Some(&Value::Bool(true))
    }

    pub(crate) fn id(&self) -> Option<WorkflowId> {
        let id = self.text("id");
        (!id.is_empty()).then(|| WorkflowId(id.to_owned()))
    }

    pub(crate) fn is_archived(&self) -> bool {
        self.flag("isArchived")
    }

    pub(crate) fn name(&self) -> String {
        let name = self.text("name");
        if name.is_empty() {
            self.text("id")
        } else {
            name
        }
        .to_owned()
    }

    /// Whether it runs an older version than the one that is shown. Older instances have one version only, and don't say.
    pub(crate) fn is_behind(&self) -> bool {
        let (draft, running) = (self.text("versionId"), self.text("activeVersionId"));
        self.flag("active") && !running.is_empty() && running != draft
    }

    pub(crate) fn is_active(&self) -> bool {
        self.flag("active")
    }

    /// The webhooks that it would have if it were activated.
    pub(crate) fn drafted(&self) -> Vec<Webhook> {
        of_nodes(&self.0)
    }

    /// The webhooks that it has: none where it is not active.
    pub(crate) fn running(&self) -> Vec<Webhook> {
        if !self.is_active() {
            return Vec::new();
        }
        // Older instances run what they show.
        let version = self.0.get("activeVersion").and_then(Value::as_object);
        version.map_or_else(|| self.drafted(), of_nodes)
    }

    pub(crate) fn tags(&self) -> BTreeSet<String> {
        let tags = self.0.get("tags").and_then(Value::as_array);
        let names = tags.into_iter().flatten().filter_map(|tag| {
            let name = tag.get("name").unwrap_or(tag);
            name.as_str().map(str::to_owned)
        });
        names.collect()
    }

    /// Its settings, without those that belong to the instance.
    fn settings(&self) -> Map<String, Value> {
        let settings = self.0.get("settings").and_then(Value::as_object);
        let mut settings = settings.cloned().unwrap_or_default();
        settings.retain(|key, _| !INSTANCE_SETTINGS.contains(&key.as_str()));
        settings
    }

    fn is_empty(&self, key: &str) -> bool {
        match self.0.get(key) {
            None | Some(Value::Null) => true,
            Some(Value::Object(fields)) => fields.is_empty(),
            Some(Value::Array(items)) => items.is_empty(),
            Some(_) => false,
        }
    }

    /// What it is for others, by the id that it was asked for with.
    pub(crate) fn exported(self, id: WorkflowId) -> Exported {
        let name = self.name();
        let archived = self.is_archived();
        Exported {
            id,
            archived,
            workflow: Workflow::from_value(Value::Object(self.0), &name),
            name,
        }
    }

    /// Whether it has all that the document has, and no more, and runs that if it runs. Tags are left aside.
    pub(crate) fn holds(&self, wanted: &Workflow) -> bool {
        self.has_content(wanted)
            && same_fields(&self.settings(), &kept(&wanted.settings))
            && !self.is_behind()
    }

    /// Whether a change that sent the document arrived, `before` being what was there. Tags and publication are left
    /// aside.
    pub(crate) fn shows(&self, wanted: &Workflow, before: &Self) -> bool {
        let expected = settled(&wanted.settings, &before.settings());
        self.has_content(wanted) && same_fields(&self.settings(), &expected)
    }

    fn has_content(&self, wanted: &Workflow) -> bool {
        let found = Workflow::from_value(Value::Object(self.0.clone()), "");
        found.is_ok_and(|found| {
            found.name == wanted.name
                && found.description == wanted.description
                && same_nodes(&found.nodes, &wanted.nodes)
                && same_fields(&found.connections, &wanted.connections)
                && same_optional(found.pin_data.as_ref(), wanted.pin_data.as_ref())
                && match (&found.node_groups, &wanted.node_groups) {
                    (Some(found), Some(wanted)) => same(found, wanted),
                    (found, wanted) => found.is_none() && wanted.is_none(),
                }
        })
    }

    /// The settings that stayed although the document has none of them.
    pub(crate) fn leftovers(&self, wanted: &Workflow) -> Vec<String> {
        let wanted = kept(&wanted.settings);
        let settings = self.settings().into_iter().map(|(key, _)| key);
        settings.filter(|key| !wanted.contains_key(key)).collect()
    }

    /// The settings that are not as the document has them.
    pub(crate) fn unkept(&self, wanted: &Workflow) -> Vec<String> {
        let found = self.settings();
        let is_kept = |key: &String, value: &Value| {
            let found = found.get(key);
            found.is_some_and(|found| same(found, value))
        };
        let wanted = kept(&wanted.settings).into_iter();
        let unkept = wanted.filter(|(key, value)| !is_kept(key, value));
        unkept.map(|(key, _)| key).collect()
    }
}

fn of_nodes(version: &Map<String, Value>) -> Vec<Webhook> {
    let nodes = version.get("nodes").and_then(Value::as_array);
    webhooks::of(nodes.into_iter().flatten().filter_map(Value::as_object))
}

/// The body that adds a workflow.
pub(crate) fn new(wanted: &Workflow) -> Value {
    let mut body = json!({
        "name": wanted.name,
        "nodes": wanted.nodes,
        "connections": wanted.connections,
        "settings": kept(&wanted.settings),
    });
    if let Some(pin_data) = &wanted.pin_data {
        body["pinData"] = json!(pin_data);
    }
    if let Some(node_groups) = &wanted.node_groups {
        body["nodeGroups"] = node_groups.clone();
    }
    body
}

/// The body that turns one workflow into another. What the API would keep is taken away, as far as it can be.
pub(crate) fn changed(wanted: &Workflow, before: &Row) -> Value {
    let mut body = new(wanted);
    body["nodes"] = json!(with_identities(&wanted.nodes, before));
    for (key, _) in before.settings() {
        if let Some(remove) = removal(&key) {
            let settings = body["settings"].as_object_mut();
            settings.map(|settings| settings.entry(key).or_insert(remove));
        }
    }
    if wanted.pin_data.is_none() && !before.is_empty("pinData") {
        body["pinData"] = json!({});
    }
    if wanted.node_groups.is_none() && !before.is_empty("nodeGroups") {
        body["nodeGroups"] = json!([]);
    }
    if wanted.description != before.text("description") {
        body["description"] = json!(wanted.description);
    }
    body
}

/// The nodes, with the ids that n8n gave those of the same name and type where the document has none: else every change
/// would give them new ones, and with them new addresses.
pub(crate) fn with_identities(
    nodes: &[Map<String, Value>],
    before: &Row,
) -> Vec<Map<String, Value>> {
    let known = before.0.get("nodes").and_then(Value::as_array);
    let known: BTreeMap<_, _> = known
        .into_iter()
        .flatten()
        .filter_map(|node| Some((node.get("name")?.as_str()?, node)))
        .collect();
    let ids = nodes.iter().filter_map(|node| node.get("id")?.as_str());
    let taken: BTreeSet<_> = ids.collect();
    let complete = |node: &Map<String, Value>| {
        let mut node = node.clone();
        let name = node.get("name").and_then(Value::as_str).unwrap_or_default();
        let Some(known) = known.get(name) else {
            return node;
        };
        if known.get("type") != node.get("type") {
            return node;
        }
        for key in MADE_UP {
            let Some(value) = known.get(key).filter(|_| !node.contains_key(key)) else {
                continue;
            };
            if key != "id" || !value.as_str().is_some_and(|id| taken.contains(id)) {
                node.insert(key.to_owned(), value.clone());
            }
        }
        node
    };
    nodes.iter().map(complete).collect()
}

/// What n8n makes up for a node that has none.
const MADE_UP: [&str; 2] = ["id", "webhookId"];

/// The value by which a setting is removed; none where it can't be.
fn removal(key: &str) -> Option<Value> {
    match key {
        "timezone" | "errorWorkflow" => Some(json!("DEFAULT")),
        "executionTimeout" => Some(json!(-1)),
        _ => None,
    }
}

/// A document's settings without those that only say that there are none.
fn kept(settings: &Map<String, Value>) -> Map<String, Value> {
    let mut settings = settings.clone();
    settings.retain(|key, value| removal(key).as_ref() != Some(value));
    settings
}

/// The settings after a change: those of the document, and what can't be removed.
fn settled(wanted: &Map<String, Value>, before: &Map<String, Value>) -> Map<String, Value> {
    let mut settings = before.clone();
    settings.retain(|key, _| removal(key).is_none());
    settings.extend(kept(wanted));
    settings
}

/// What n8n says of a node by its number, with the node's name.
pub(crate) fn name_node(message: &str, workflow: &Workflow) -> String {
    let after = ["body/nodes/", "nodes["].into_iter().find_map(|before| {
        let (_, after) = message.split_once(before)?;
        Some(after)
    });
    let number = after.map(|after| {
        let end = after.find(|next: char| !next.is_ascii_digit());
        &after[..end.unwrap_or(after.len())]
    });
    let node = number.and_then(|number| workflow.nodes.get(number.parse::<usize>().ok()?));
    match node.and_then(|node| node.get("name")?.as_str()) {
        Some(name) => format!("{message} (the node `{name}`)"),
        None => message.to_owned(),
    }
}

fn same_nodes(found: &[Map<String, Value>], wanted: &[Map<String, Value>]) -> bool {
    found.len() == wanted.len()
        && found.iter().zip(wanted).all(|(found, wanted)| {
            let mut found = found.clone();
            found.retain(|key, _| wanted.contains_key(key) || !MADE_UP.contains(&key.as_str()));
            same_fields(&found, wanted)
        })
}

fn same_optional(a: Option<&Map<String, Value>>, b: Option<&Map<String, Value>>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => same_fields(a, b),
        (a, b) => a.is_none() && b.is_none(),
    }
}

fn same_fields(a: &Map<String, Value>, b: &Map<String, Value>) -> bool {
    a.len() == b.len()
        && a.iter()
            .all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
}

/// Whether n8n could have made one of the other: to JavaScript, 1 and 1.0 are the same number.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(x), Value::Number(y)) => a == b || x.as_f64() == y.as_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => same_fields(a, b),
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workflow(document: Value) -> Workflow {
        Workflow::from_value(document, "x").expect("a workflow")
    }

    fn row(document: Value) -> Row {
        serde_json::from_value(document).expect("a row")
    }

    #[test]
    fn a_change_removes_what_the_document_leaves_out() {
        let wanted = workflow(json!({
            "nodes": [], "connections": {}, "settings": {"executionOrder": "v1", "executionTimeout": -1}
        }));
        let before = row(json!({
            "description": "old", "pinData": {"A": []}, "nodeGroups": [1],
            "settings": {"timezone": "UTC", "executionTimeout": 5, "callerPolicy": "any", "binaryMode": "x"},
        }));
        assert_eq!(
            changed(&wanted, &before),
            json!({
                "name": "x", "nodes": [], "connections": {}, "description": "", "pinData": {}, "nodeGroups": [],
                "settings": {"executionOrder": "v1", "timezone": "DEFAULT", "executionTimeout": -1},
            })
        );
        assert_eq!(
            new(&wanted),
            json!({"name": "x", "nodes": [], "connections": {}, "settings": {"executionOrder": "v1"}})
        );
    }

    #[test]
    fn a_node_keeps_what_was_made_up_for_it() {
        let before = row(json!({"nodes": [
            {"name": "A", "type": "t", "id": "1", "webhookId": "w"},
            {"name": "B", "type": "t", "id": "2"},
            {"name": "C", "type": "other", "id": "3"},
        ]}));
        let wanted = workflow(json!({"connections": {}, "nodes": [
            {"name": "A", "type": "t"},
            {"name": "B", "type": "t"},
            {"name": "C", "type": "t"},
            {"name": "D", "type": "t", "id": "2"},
        ]}));
        assert_eq!(
            json!(with_identities(&wanted.nodes, &before)),
            json!([
                {"name": "A", "type": "t", "id": "1", "webhookId": "w"},
                {"name": "B", "type": "t"},
                {"name": "C", "type": "t"},
                {"name": "D", "type": "t", "id": "2"},
            ])
        );
    }

    #[test]
    fn numbers_are_the_same_as_in_javascript() {
        assert!(same(&json!({"a": [1, 2.5]}), &json!({"a": [1.0, 2.5]})));
        assert!(!same(&json!({"a": [1]}), &json!({"a": [1, 2]})));
        assert!(!same(&json!(1), &json!("1")));
    }

    #[test]
    fn a_node_is_named() {
        let workflow =
            workflow(json!({"nodes": [{"name": "A"}, {"name": "B"}], "connections": {}}));
        let named = |message| name_node(message, &workflow);
        assert_eq!(
            named("request/body/nodes/1 Unrecognized key(s) in object: 'x'"),
            "request/body/nodes/1 Unrecognized key(s) in object: 'x' (the node `B`)"
        );
        for message in ["request/body/nodes/2 is odd", "request/body/nodes/ x", "no"] {
            assert_eq!(named(message), message);
        }
    }
}
