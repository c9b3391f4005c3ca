//! Which documents n8n takes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::json::{items, text};
use crate::refusal::Refusal;

const REQUIRED: [&str; 4] = ["name", "nodes", "connections", "settings"];
const OPTIONAL: [&str; 3] = ["staticData", "pinData", "nodeGroups"];
const READ_ONLY: [&str; 10] = [
    "id",
    "active",
    "tags",
    "meta",
    "versionId",
    "triggerCount",
    "createdAt",
    "updatedAt",
    "isArchived",
    "activeVersion",
];
const NODE: [&str; 18] = [
    "id",
    "name",
    "webhookId",
    "disabled",
    "notesInFlow",
    "notes",
    "type",
    "typeVersion",
    "executeOnce",
    "alwaysOutputData",
    "retryOnFail",
    "maxTries",
    "waitBetweenTries",
    "continueOnFail",
    "onError",
    "position",
    "parameters",
    "credentials",
];

/// Settings that are taken and thrown away.
pub(crate) const DROPPED_SETTINGS: [&str; 2] = ["binaryMode", "redactionPolicy"];

enum Kind {
    Flag,
    Text,
    Number,
    OneOf(&'static [&'static str]),
}

/// What kind of value a setting has; none where n8n does not know it.
fn setting(key: &str) -> Option<Kind> {
    Some(match key {
        "saveExecutionProgress" | "saveManualExecutions" | "availableInMCP" => Kind::Flag,
        "saveDataSuccessExecution" | "saveDataErrorExecution" => Kind::OneOf(&["all", "none"]),
        "callerPolicy" => Kind::OneOf(&[
            "any",
            "none",
            "workflowsFromAList",
            "workflowsFromSameOwner",
        ]),
        "timeSavedMode" => Kind::OneOf(&["fixed", "dynamic"]),
        "executionTimeout" | "timeSavedPerExecution" => Kind::Number,
        "errorWorkflow" | "timezone" | "executionOrder" | "callerIds" | "binaryMode"
        | "redactionPolicy" => Kind::Text,
        _ => return None,
    })
}

/// The body of a POST.
pub(crate) fn check_new(body: &Value) -> Result<&Map<String, Value>, Refusal> {
    check(body, false)
}

/// The body of a PUT.
pub(crate) fn check_changed(body: &Value) -> Result<&Map<String, Value>, Refusal> {
    check(body, true)
}

fn check(body: &Value, put: bool) -> Result<&Map<String, Value>, Refusal> {
    let Some(fields) = body.as_object() else {
        return Err(Refusal::bad("request/body must be object"));
    };
    for key in fields.keys() {
        if READ_ONLY.contains(&key.as_str()) {
            return Err(Refusal::bad(format!("request/body/{key} is read-only")));
        }
    }
    let known = |key: &str| {
        REQUIRED.contains(&key) || OPTIONAL.contains(&key) || (put && key == "description")
    };
    check_keys("request/body", fields, known)?;
    for key in REQUIRED {
        if !fields.contains_key(key) {
            let message = format!("request/body must have required property '{key}'");
            return Err(Refusal::bad(message));
        }
    }
    check_name(&fields["name"])?;
    if let Some(description) = fields.get("description").filter(|it| !it.is_string()) {
        return Err(expected("request/body/description", "string", description));
    }
    if let Some(groups) = fields.get("nodeGroups").filter(|it| !it.is_array()) {
        return Err(expected("request/body/nodeGroups", "array", groups));
    }
    let Some(connections) = fields["connections"].as_object() else {
        return Err(Refusal::bad("request/body/connections must be object"));
    };
    check_settings(&fields["settings"])?;
    check_nodes(&fields["nodes"])?;
    check_structure(items(&fields["nodes"]), connections)?;
    Ok(fields)
}

fn check_keys(
    place: &str,
    fields: &Map<String, Value>,
    known: impl Fn(&str) -> bool,
) -> Result<(), Refusal> {
    let unknown: Vec<_> = fields
        .keys()
        .filter(|key| !known(key))
        .map(|key| format!("'{key}'"))
        .collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let keys = unknown.join(", ");
    Err(Refusal::bad(format!(
        "{place} Unrecognized key(s) in object: {keys}"
    )))
}

fn check_name(name: &Value) -> Result<(), Refusal> {
    let Some(name) = name.as_str() else {
        return Err(expected("request/body/name", "string", name));
    };
    if (1..=128).contains(&name.chars().count()) {
        return Ok(());
    }
    let message = "Workflow name must be 1 to 128 characters long.";
    Err(Refusal::bad(message))
}

fn check_settings(settings: &Value) -> Result<(), Refusal> {
    let Some(settings) = settings.as_object() else {
        return Err(Refusal::bad("request/body/settings must be object"));
    };
    check_keys("request/body/settings", settings, |key| {
        setting(key).is_some()
    })?;
    for (key, value) in settings {
        let place = format!("request/body/settings/{key}");
        return Err(match setting(key) {
            Some(Kind::Flag) if !value.is_boolean() => expected(&place, "boolean", value),
            Some(Kind::Text) if !value.is_string() => expected(&place, "string", value),
            Some(Kind::Number) if !value.is_number() => expected(&place, "number", value),
            Some(Kind::OneOf(values)) if !value.as_str().is_some_and(|it| values.contains(&it)) => {
                let values: Vec<_> = values.iter().map(|value| format!("'{value}'")).collect();
                let received = value.as_str().unwrap_or_else(|| kind(value));
                Refusal::bad(format!(
                    "{place} Invalid enum value. Expected {}, received '{received}'",
                    values.join(" | ")
                ))
            }
            _ => continue,
        });
    }
    Ok(())
}

fn check_nodes(nodes: &Value) -> Result<(), Refusal> {
    let Some(nodes) = nodes.as_array() else {
        return Err(expected("request/body/nodes", "array", nodes));
    };
    for (index, node) in nodes.iter().enumerate() {
        let place = format!("request/body/nodes/{index}");
        let Some(fields) = node.as_object() else {
            return Err(Refusal::bad(format!("{place} must be object")));
        };
        check_keys(&place, fields, |key| NODE.contains(&key))?;
    }
    Ok(())
}

fn check_structure(nodes: &[Value], connections: &Map<String, Value>) -> Result<(), Refusal> {
    let invalid = |place: String, problem: String| {
        let message = format!("Workflow structure is invalid. {place} {problem}");
        Err(Refusal::bad(message))
    };
    let mut names = BTreeSet::new();
    let mut ids: BTreeMap<&str, &str> = BTreeMap::new();
    for (index, node) in nodes.iter().enumerate() {
        for key in ["name", "type", "position"] {
            if node.get(key).is_none() {
                let place = format!("nodes[{index}].{key}");
                return invalid(place, "(invalid_type): Required".to_owned());
            }
        }
        let (name, id) = (text(node, "name"), text(node, "id"));
        if !names.insert(name) {
            let problem = format!("(duplicate_node_name): Duplicate node name \"{name}\"");
            return invalid(format!("nodes[{index}].name"), problem);
        }
        if let Some(first) = ids.insert(id, name).filter(|_| !id.is_empty()) {
            let problem = format!(
                "(duplicate_node_id): Nodes \"{first}\" and \"{name}\" share the node ID \"{id}\""
            );
            return invalid(format!("nodes[{index}].id"), problem);
        }
    }
    for (from, outputs) in connections {
        if !names.contains(from.as_str()) {
            let problem = format!(
                "(unknown_connection_source): Connection source \"{from}\" does not reference an existing node"
            );
            return invalid(format!("connections.{from}"), problem);
        }
        for (place, to) in ends(outputs) {
            if !names.contains(to) {
                let problem = format!(
                    "(unknown_connection_target): Connection target \"{to}\" does not reference an existing node"
                );
                return invalid(format!("connections.{from}.{place}.node"), problem);
            }
        }
    }
    Ok(())
}

/// Where the connections of one node end, each with its place.
fn ends(outputs: &Value) -> Vec<(String, &str)> {
    let mut ends = Vec::new();
    for (kind, outputs) in outputs.as_object().into_iter().flatten() {
        for (output, targets) in items(outputs).iter().enumerate() {
            for (index, target) in items(targets).iter().enumerate() {
                ends.push((format!("{kind}[{output}][{index}]"), text(target, "node")));
            }
        }
    }
    ends
}

fn expected(place: &str, expected: &str, found: &Value) -> Refusal {
    let received = kind(found);
    Refusal::bad(format!("{place} Expected {expected}, received {received}"))
}

/// What kind of value it is, in n8n's words.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Whether a PUT with this value removes the setting.
pub(crate) fn removes(key: &str, value: &Value) -> bool {
    match key {
        "timezone" | "errorWorkflow" => value == "DEFAULT",
        "executionTimeout" => value == -1,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn with(key: &str, value: Value) -> Value {
        let mut body = json!({"name": "x", "nodes": [], "connections": {}, "settings": {}});
        body[key] = value;
        body
    }

    #[test]
    fn only_what_the_table_lists_is_taken() {
        for (key, value) in OPTIONAL.into_iter().zip([json!({}), json!({}), json!([])]) {
            assert!(check_new(&with(key, value)).is_ok(), "{key}");
        }
        assert!(check_new(&with("nodeGroups", Value::Null)).is_err());
        assert!(check_new(&with("description", json!("x"))).is_err());
        assert!(check_changed(&with("description", json!(""))).is_ok());
        assert!(check_changed(&with("description", Value::Null)).is_err());
        for key in READ_ONLY {
            assert!(check_changed(&with(key, Value::Null)).is_err(), "{key}");
        }
        for key in REQUIRED {
            let mut body = with("name", json!("x"));
            body.as_object_mut().expect("an object").remove(key);
            assert!(check_new(&body).is_err(), "{key}");
        }
        let name = |length| with("name", json!("ü".repeat(length)));
        assert!(check_new(&name(128)).is_ok());
        assert!(check_new(&name(129)).is_err());
        assert!(check_new(&name(0)).is_err());
    }
}
