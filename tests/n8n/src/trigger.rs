//! What starts a workflow, and whether it may be activated.

use serde_json::Value;

use crate::json::{items, text};

/// Triggers that never make a workflow run by itself.
const NOT_STARTING: [&str; 4] = [
    "n8n-nodes-base.manualTrigger",
    "n8n-nodes-base.errorTrigger",
    "n8n-nodes-base.executeWorkflowTrigger",
    "@n8n/n8n-nodes-langchain.manualChatTrigger",
];

/// Nodes that have an address of their own, and get a `webhookId` where they have none.
const WITH_ADDRESS: [&str; 4] = [
    "n8n-nodes-base.webhook",
    "n8n-nodes-base.formTrigger",
    "n8n-nodes-base.wait",
    "@n8n/n8n-nodes-langchain.chatTrigger",
];

pub(crate) const NO_TRIGGER: &str = "has no node to start the workflow - at least one trigger, poller or webhook node \
     is required";

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

/// Each webhook's node, method and path.
pub(crate) fn webhooks(nodes: &Value) -> impl Iterator<Item = (&str, &str, &str)> {
    let webhooks = enabled(nodes).filter(|node| text(node, "type") == "n8n-nodes-base.webhook");
    webhooks.map(|node| {
        let parameters = &node["parameters"];
        let method = match text(parameters, "httpMethod") {
            "" => "GET",
            method => method,
        };
        let path = match text(parameters, "path") {
            "" => text(node, "webhookId"),
            path => path,
        };
        (text(node, "name"), method, path)
    })
}

fn enabled(nodes: &Value) -> impl Iterator<Item = &Value> {
    items(nodes)
        .iter()
        .filter(|node| node.get("disabled") != Some(&Value::Bool(true)))
}
