//! Which documents n8n takes.

use std::collections::BTreeSet;

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
    if fields.get("description").is_some_and(|it| !it.is_string()) {
        return Err(Refusal::bad("request/body/description must be string"));
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
    let problem = match name.as_str().map(|name| name.chars().count()) {
        None => "must be string",
        Some(0) => "must NOT have fewer than 1 characters",
        Some(1..=128) => return Ok(()),
        Some(_) => "must NOT have more than 128 characters",
    };
    Err(Refusal::bad(format!("request/body/name {problem}")))
}

fn check_settings(settings: &Value) -> Result<(), Refusal> {
    let Some(settings) = settings.as_object() else {
        return Err(Refusal::bad("request/body/settings must be object"));
    };
    check_keys("request/body/settings", settings, |key| {
        setting(key).is_some()
    })?;
    for (key, value) in settings {
        let problem = match setting(key) {
            Some(Kind::Flag) if !value.is_boolean() => "must be boolean".to_owned(),
            Some(Kind::Text) if !value.is_string() => "must be string".to_owned(),
            Some(Kind::Number) if !value.is_number() => "must be number".to_owned(),
            Some(Kind::OneOf(values)) if !value.as_str().is_some_and(|it| values.contains(&it)) => {
                let values = values.join(", ");
                format!("must be equal to one of the allowed values: {values}")
            }
            _ => continue,
        };
        let message = format!("request/body/settings/{key} {problem}");
        return Err(Refusal::bad(message));
    }
    Ok(())
}

fn check_nodes(nodes: &Value) -> Result<(), Refusal> {
    let Some(nodes) = nodes.as_array() else {
        return Err(Refusal::bad("request/body/nodes must be array"));
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
    let invalid = |problem: String| {
        Err(Refusal::bad(format!(
            "Workflow structure is invalid: {problem}"
        )))
    };
    let mut names = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for node in nodes {
        let name = text(node, "name");
        if node.get("position").is_none() {
            return invalid(format!("node \"{name}\" has no position"));
        }
        if !names.insert(name) {
            return invalid(format!("duplicate node name \"{name}\""));
        }
        let id = text(node, "id");
        if !id.is_empty() && !ids.insert(id) {
            return invalid(format!("duplicate node id \"{id}\""));
        }
    }
    for (from, outputs) in connections {
        let outputs = outputs.as_object().into_iter().flat_map(Map::values);
        let ends = outputs.flat_map(items).flat_map(items);
        let mut all = std::iter::once(from.as_str()).chain(ends.map(|end| text(end, "node")));
        if let Some(missing) = all.find(|name| !names.contains(name)) {
            return invalid(format!(
                "a connection refers to the node \"{missing}\", which does not exist"
            ));
        }
    }
    Ok(())
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
        for key in OPTIONAL {
            assert!(check_new(&with(key, json!({}))).is_ok(), "{key}");
        }
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
