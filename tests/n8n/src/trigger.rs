//! What starts a workflow, and whether it may be activated.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::json::{items, text};

/// Triggers that never make a workflow run by itself.
const NOT_STARTING: [&str; 2] = [
    "n8n-nodes-base.manualTrigger",
    "@n8n/n8n-nodes-langchain.manualChatTrigger",
];

/// Nodes that have an address of their own, and get a `webhookId` where they have none.
const WITH_ADDRESS: [&str; 4] = [
    "n8n-nodes-base.webhook",
    "n8n-nodes-base.formTrigger",
    "n8n-nodes-base.wait",
    "@n8n/n8n-nodes-langchain.chatTrigger",
];

pub(crate) const NO_TRIGGER: &str = "Workflow cannot be activated because it has no trigger node. At least one trigger, \
     webhook, or polling node is required.";

/// Whether there is a node that starts the workflow.
pub(crate) fn has_trigger(nodes: &Value) -> bool {
    enabled(nodes).any(|node| {
        let kind = text(node, "type");
        !NOT_STARTING.contains(&kind)
            && (kind.ends_with("Trigger")
                || matches!(
                    kind,
                    "n8n-nodes-base.webhook" | "n8n-nodes-base.cron" | "n8n-nodes-base.interval"
                ))
    })
}

/// Whether nodes of this type have an address.
pub(crate) fn has_address(kind: &str) -> bool {
    WITH_ADDRESS.contains(&kind)
}

/// The first type that the instance does not know.
pub(crate) fn unknown_type<'a>(nodes: &'a Value, known: &[String]) -> Option<&'a str> {
    let mut types = items(nodes).iter().map(|node| text(node, "type"));
    types.find(|kind| {
        let ours = kind.starts_with("n8n-nodes-base.") || kind.starts_with("@n8n/");
        !ours && !known.iter().any(|known| known == kind)
    })
}

/// The method and path of each webhook.
pub(crate) fn webhooks(nodes: &Value) -> BTreeSet<(String, String)> {
    let addresses = enabled(nodes).flat_map(|node| {
        let (methods, path) = address(node);
        let path = normal(&path, text(node, "webhookId"));
        methods
            .into_iter()
            .map(move |method| (method.to_owned(), path.clone()))
    });
    addresses.collect()
}

/// Whether two nodes have the same webhook.
pub(crate) fn has_webhook_twice(nodes: &Value) -> bool {
    let all = enabled(nodes).map(|node| address(node).0.len());
    all.sum::<usize>() > webhooks(nodes).len()
}

fn address(node: &Value) -> (Vec<&str>, String) {
    let parameters = &node["parameters"];
    let own = text(node, "webhookId");
    let path = match text(parameters, "path") {
        "" => own,
        path => path,
    };
    match text(node, "type") {
        "n8n-nodes-base.webhook" => (methods(parameters), path.to_owned()),
        "n8n-nodes-base.formTrigger" => (vec!["GET", "POST"], form(node, path)),
        "@n8n/n8n-nodes-langchain.chatTrigger" => (vec!["GET", "POST"], format!("{own}/chat")),
        _ => (Vec::new(), String::new()),
    }
}

fn form(node: &Value, path: &str) -> String {
    let version = node["typeVersion"].as_f64().unwrap_or(1.0);
    if version < 2.0 {
        return format!("{path}/n8n-form");
    }
    match text(&node["parameters"]["options"], "path") {
        _ if version < 2.2 => path.to_owned(),
        "" => text(node, "webhookId").to_owned(),
        path => path.to_owned(),
    }
}

fn methods(parameters: &Value) -> Vec<&str> {
    match &parameters["httpMethod"] {
        Value::Array(methods) => methods.iter().filter_map(Value::as_str).collect(),
        Value::String(method) => vec![method],
        _ if parameters["multipleMethods"] == Value::Bool(true) => vec!["GET", "POST"],
        _ => vec!["GET"],
    }
}

/// Slashes at the ends don't count, nor do the names of parts to fill in; with such parts, the node's own id comes first.
fn normal(path: &str, own: &str) -> String {
    let path = path.trim_matches('/');
    let open = |part: &str| part.starts_with(':');
    if !path.split('/').any(open) {
        return path.to_owned();
    }
    let parts = path.split('/');
    let parts = parts.map(|part| if open(part) { ":" } else { part });
    format!("{own}/{}", parts.collect::<Vec<_>>().join("/"))
}

fn enabled(nodes: &Value) -> impl Iterator<Item = &Value> {
    items(nodes)
        .iter()
        .filter(|node| node.get("disabled") != Some(&Value::Bool(true)))
}
