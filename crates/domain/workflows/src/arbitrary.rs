//! Workflows for property tests: of few different parts, so that two of them are often alike.

use proptest::{
    collection::{btree_map, btree_set, vec},
    option,
    prelude::*,
    sample::{select, subsequence},
};
use serde_json::{Map, Value, json};

use crate::Workflow;

/// Any workflow.
pub(crate) fn workflow() -> impl Strategy<Value = Workflow> {
    let content = (
        select(vec!["Backup", "Sync", "日報"]),
        any::<bool>(),
        btree_set(select(vec!["etl", "prod"]), 0..3),
        select(vec!["", "what it is for"]),
        nodes(),
        settings(),
        option::of(Just(json!([{"id": "g", "nodes": ["1"]}]))),
    );
    content.prop_flat_map(
        |(name, active, tags, description, nodes, settings, node_groups)| {
            let names: Vec<_> = nodes.iter().map(|node| node["name"].clone()).collect();
            (connections(&names), pin_data(&names)).prop_map(move |(connections, pin_data)| {
                let document = json!({
                    "name": name, "active": active, "tags": tags, "description": description,
                    "nodes": nodes, "connections": connections, "settings": settings,
                    "pinData": pin_data, "nodeGroups": node_groups,
                });
                Workflow::from_value(document, "").expect("a workflow")
            })
        },
    )
}

/// A workflow and what may have become of it: often the same, or little changed.
pub(crate) fn pair() -> impl Strategy<Value = (Workflow, Workflow)> {
    (workflow(), workflow(), vec(0..PARTS, 0..3)).prop_map(|(before, other, parts)| {
        let mut after = before.clone();
        for part in parts {
            take(part, &mut after, &other);
        }
        // Other nodes may be without what leads to them.
        let document = serde_json::to_value(&after).expect("JSON");
        match Workflow::from_value(document, "") {
            Ok(after) => (before, after),
            Err(_) => (before, other),
        }
    })
}

const PARTS: usize = 12;

/// Changes one part of a workflow, many of them after the model of another one.
fn take(part: usize, workflow: &mut Workflow, other: &Workflow) {
    match part {
        0 => workflow.name.clone_from(&other.name),
        1 => workflow.active = other.active,
        2 => workflow.tags.clone_from(&other.tags),
        3 => workflow.description.clone_from(&other.description),
        4 => workflow.nodes.clone_from(&other.nodes),
        5 => workflow.connections.clone_from(&other.connections),
        6 => workflow.settings.clone_from(&other.settings),
        7 => workflow.pin_data.clone_from(&other.pin_data),
        8 => workflow.node_groups.clone_from(&other.node_groups),
        9 => workflow.nodes.reverse(),
        10 => {
            if let (Some(node), Some(model)) = (workflow.nodes.first_mut(), other.nodes.first()) {
                node.insert("position".to_owned(), model["position"].clone());
            }
        }
        _ => rename_first(workflow),
    }
}

/// What an editor does when a node is renamed, here to a name that outputs can be left over of.
fn rename_first(workflow: &mut Workflow) {
    let Some(node) = workflow.nodes.first_mut() else {
        return;
    };
    let new = json!("Gone");
    let old = node
        .insert("name".to_owned(), new.clone())
        .unwrap_or_default();
    let renamed = |fields: &Map<String, Value>| -> Map<String, Value> {
        let text = serde_json::to_string(fields).expect("JSON");
        let text = text.replace(&old.to_string(), &new.to_string());
        serde_json::from_str(&text).expect("JSON")
    };
    workflow.pin_data = workflow.pin_data.as_ref().map(renamed);
    workflow.connections = renamed(&workflow.connections);
}

fn nodes() -> impl Strategy<Value = Vec<Value>> {
    let names = subsequence(vec!["A", "B", "C", "a \"quoted\" one"], 0..=4).prop_shuffle();
    names.prop_flat_map(|names| {
        let ids = Just(vec!["1", "2", "3", "4"]).prop_shuffle();
        (ids, vec(node(), names.len())).prop_map(move |(ids, nodes)| {
            let parts = nodes.into_iter().zip(&names).zip(ids);
            let nodes = parts.map(|(((mut node, has_id), name), id)| {
                node["name"] = json!(name);
                if has_id {
                    node["id"] = json!(id);
                }
                node
            });
            nodes.collect()
        })
    })
}

/// A node without name and id, and whether it shall have an id.
fn node() -> impl Strategy<Value = (Value, bool)> {
    let types = vec![
        "n8n-nodes-base.set",
        "n8n-nodes-base.executeWorkflow",
        "@n8n/n8n-nodes-langchain.toolWorkflow",
    ];
    let rest = (option::of(credential()), option::of("n{1,2}"), 0..3);
    (select(types), parameters(), rest, any::<bool>()).prop_map(
        |(node_type, parameters, (credential, notes, x), has_id)| {
            let mut node = json!({"type": node_type, "parameters": parameters, "position": [x, 0]});
            if let Some(credential) = credential {
                node["credentials"] = json!({"httpBasicAuth": credential});
            }
            if let Some(notes) = notes {
                node["notes"] = json!(notes);
            }
            (node, has_id)
        },
    )
}

fn credential() -> impl Strategy<Value = Value> {
    select(vec![
        json!({"id": "c1", "name": "One"}),
        json!({"id": "c2", "name": "Two"}),
        json!({"id": "c2", "name": ""}),
    ])
}

fn parameters() -> impl Strategy<Value = Value> {
    let workflow = select(vec![
        Value::Null,
        json!("w1"),
        json!("={{ $json.id }}"),
        json!({"__rl": true, "mode": "list", "value": "w2", "cachedResultName": "Sub"}),
        json!({"__rl": true, "mode": "id", "value": "w1", "cachedResultUrl": "/workflow/w1"}),
    ]);
    (workflow, json()).prop_map(|(workflow, other)| json!({"workflowId": workflow, "other": other}))
}

fn settings() -> impl Strategy<Value = Value> {
    let settings = (
        select(vec!["", "DEFAULT", "w1", "w3"]),
        select(vec!["", "w1", "w1, w2", " w3 ,w1"]),
        option::of(select(vec!["UTC", "Europe/Berlin"])),
    );
    settings.prop_map(|(error, callers, zone)| {
        let mut settings = json!({"errorWorkflow": error, "callerIds": callers});
        if let Some(zone) = zone {
            settings["timezone"] = json!(zone);
        }
        settings
    })
}

/// Connections between these nodes, with outputs that lead nowhere, also of a node that is gone.
fn connections(names: &[Value]) -> BoxedStrategy<Value> {
    if names.is_empty() {
        return Just(json!({})).boxed();
    }
    let text = |name: &Value| name.as_str().unwrap_or_default().to_owned();
    let from: Vec<_> = names.iter().map(text).collect();
    let end = (select(names.to_vec()), 0..2)
        .prop_map(|(node, index)| json!({"node": node, "type": "main", "index": index}));
    let ends = prop_oneof![Just(Value::Null), vec(end, 0..3).prop_map(Value::from)];
    let outputs = vec(ends, 0..3).prop_map(Value::from);
    let sorts = btree_map(select(vec!["main", "ai_tool"]), outputs, 0..2);
    (btree_map(select(from), sorts, 0..4), any::<bool>())
        .prop_map(|(connections, stale)| {
            let mut connections = json!(connections);
            if stale {
                connections["Gone"] = json!({"main": [[]]});
            }
            connections
        })
        .boxed()
}

fn pin_data(names: &[Value]) -> BoxedStrategy<Value> {
    let Some(first) = names.first().and_then(Value::as_str).map(str::to_owned) else {
        return Just(Value::Null).boxed();
    };
    option::of(json())
        .prop_map(move |data| {
            data.map_or(Value::Null, |data| json!({first.clone(): [{"json": data}]}))
        })
        .boxed()
}

/// Any small JSON value.
fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0..3).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        "[a-c]{0,2}".prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Value::from),
            btree_map("[ab]|a\\.b", inner, 0..3).prop_map(|fields| json!(fields)),
        ]
    })
}
