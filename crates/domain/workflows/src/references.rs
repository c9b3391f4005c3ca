//! What a workflow refers to outside of itself: credentials and other workflows, by ids that mean nothing in another
//! engine.

mod remap;

use std::{collections::BTreeSet, fmt};

use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    Workflow, WorkflowId,
    workflow::{name_of, type_of},
};

pub use remap::{Credential, Unmapped};

/// The types of nodes that call a workflow, without the package they come from.
const CALLERS: [&str; 3] = ["executeWorkflow", "toolWorkflow", "retrieverWorkflow"];
/// The setting that names the workflow that runs when this one fails.
const ERROR_WORKFLOW: &str = "errorWorkflow";
/// The setting that lists, with commas between them, the workflows that may call this one.
const CALLER_IDS: &str = "callerIds";

/// What a workflow refers to, in the order of its nodes, then of its settings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct References {
    /// The credentials of its nodes.
    pub credentials: Vec<CredentialReference>,
    /// The workflows of its nodes and settings.
    pub workflows: Vec<WorkflowReference>,
}

/// A node uses a credential.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct CredentialReference {
    /// The node's name.
    pub node: String,
    /// The credential's type (`httpBasicAuth`).
    pub kind: String,
    /// What the engine calls it. Documents of old engines have none.
    pub id: Option<String>,
    /// What people call it; may be empty.
    pub name: String,
}

/// A node or a setting names a workflow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkflowReference {
    /// Where.
    pub place: Place,
    /// Which.
    pub target: WorkflowTarget,
}

/// Where a workflow is named.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// A node that calls it.
    Node {
        /// The node's name.
        name: String,
    },
    /// The setting for the workflow that runs when this one fails.
    ErrorWorkflow,
    /// The setting for the workflows that may call this one.
    CallerIds,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node { name } => write!(f, "the node `{name}`"),
            Self::ErrorWorkflow => f.write_str("the setting for the error workflow"),
            Self::CallerIds => f.write_str("the setting for permitted callers"),
        }
    }
}

/// Which workflow is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkflowTarget {
    /// The one with this id, which may be the workflow itself: it does not know its own id.
    Fixed(WorkflowId),
    /// The workflow itself, whatever its id is (`={{ $workflow.id }}`).
    Itself,
    /// Whatever an expression gives when it runs: nobody can tell before.
    Expression,
}

impl Workflow {
    /// What it refers to outside of itself.
    ///
    /// Nodes that use an engine's own API are left out: which instance their ids belong to is the credential's matter.
    pub fn references(&self) -> References {
        References {
            credentials: self.nodes.iter().flat_map(credentials_of).collect(),
            workflows: self
                .nodes
                .iter()
                .filter_map(called_by)
                .chain(self.named_by_settings())
                .collect(),
        }
    }

    fn named_by_settings(&self) -> impl Iterator<Item = WorkflowReference> {
        let error = self.settings.get(ERROR_WORKFLOW).and_then(id_text);
        let error = error.filter(|id| id != "DEFAULT");
        let callers = self.settings.get(CALLER_IDS).and_then(Value::as_str);
        let callers = callers.into_iter().flat_map(|list| list.split(','));
        let callers = callers.filter_map(|id| target(id.trim()));
        let callers = callers.map(|target| WorkflowReference {
            place: Place::CallerIds,
            target,
        });
        error
            .and_then(|id| target(&id))
            .map(|target| WorkflowReference {
                place: Place::ErrorWorkflow,
                target,
            })
            .into_iter()
            .chain(callers)
    }
}

impl References {
    /// The ids that are named and known before it runs, each once.
    pub fn fixed_workflows(&self) -> BTreeSet<&WorkflowId> {
        let targets = self.workflows.iter().map(|reference| &reference.target);
        targets
            .filter_map(|target| match target {
                WorkflowTarget::Fixed(id) => Some(id),
                WorkflowTarget::Itself | WorkflowTarget::Expression => None,
            })
            .collect()
    }
}

impl WorkflowReference {
    /// Whether it names the workflow itself, which has this id.
    pub fn is_to_itself(&self, own_id: &WorkflowId) -> bool {
        match &self.target {
            WorkflowTarget::Fixed(id) => id == own_id,
            WorkflowTarget::Itself => true,
            WorkflowTarget::Expression => false,
        }
    }
}

fn credentials_of(node: &Map<String, Value>) -> impl Iterator<Item = CredentialReference> {
    let credentials = node.get("credentials").and_then(Value::as_object);
    credentials
        .into_iter()
        .flatten()
        .filter_map(|(kind, credential)| credential_reference(name_of(node), kind, credential))
}

/// A credential as a node has it: `{"id", "name"}`, or only its name in documents of old engines.
fn credential_reference(node: &str, kind: &str, value: &Value) -> Option<CredentialReference> {
    let (id, name) = match value {
        Value::String(name) => (None, Some(name.clone())),
        Value::Object(fields) => (
            fields.get("id").and_then(id_text),
            fields
                .get("name")
                .and_then(Value::as_str)
                .map(str::to_owned),
        ),
        _ => return None,
    };
    (id.is_some() || name.is_some()).then(|| CredentialReference {
        node: node.to_owned(),
        kind: kind.to_owned(),
        id,
        name: name.unwrap_or_default(),
    })
}

fn called_by(node: &Map<String, Value>) -> Option<WorkflowReference> {
    let id = id_text(locator_value(called_workflow(node)?))?;
    Some(WorkflowReference {
        place: Place::Node {
            name: name_of(node).to_owned(),
        },
        target: target(&id)?,
    })
}

/// The parameter of a calling node that names the workflow. A node that has the workflow in itself, in a file or at a
/// URL names none, whatever the parameter says.
fn called_workflow(node: &Map<String, Value>) -> Option<&Value> {
    let parameters = node.get("parameters")?.as_object()?;
    (is_caller(node) && names_by_id(parameters)).then(|| parameters.get("workflowId"))?
}

fn is_caller(node: &Map<String, Value>) -> bool {
    let kind = type_of(node).rsplit('.').next();
    kind.is_some_and(|kind| CALLERS.contains(&kind))
}

fn names_by_id(parameters: &Map<String, Value>) -> bool {
    matches!(
        parameters.get("source").and_then(Value::as_str),
        None | Some("database")
    )
}

/// What a parameter says: `{"__rl": true, "mode", "value"}`, or the value itself in documents of older nodes.
fn locator_value(parameter: &Value) -> &Value {
    parameter.get("value").unwrap_or(parameter)
}

/// An id as text. Old engines counted.
fn id_text(value: &Value) -> Option<String> {
    match value {
        Value::String(id) if !id.trim().is_empty() => Some(id.trim().to_owned()),
        Value::Number(id) => Some(id.to_string()),
        _ => None,
    }
}

fn target(id: &str) -> Option<WorkflowTarget> {
    if id.is_empty() {
        return None;
    }
    let Some(expression) = id.strip_prefix('=') else {
        return Some(WorkflowTarget::Fixed(WorkflowId(id.to_owned())));
    };
    let expression: String = expression.split_whitespace().collect();
    Some(if expression == "{{$workflow.id}}" {
        WorkflowTarget::Itself
    } else {
        WorkflowTarget::Expression
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fixed(id: &str) -> WorkflowTarget {
        WorkflowTarget::Fixed(WorkflowId(id.to_owned()))
    }

    fn called(node_type: &str, parameters: &Value) -> Option<WorkflowTarget> {
        let document = json!({"name": "W", "connections": {},
            "nodes": [{"name": "Call", "type": node_type, "parameters": parameters}]});
        let workflow = Workflow::from_value(document, "").expect("a workflow");
        let mut found = workflow.references().workflows;
        assert!(found.len() <= 1);
        let found = found.pop()?;
        let name = "Call".to_owned();
        assert_eq!(found.place, Place::Node { name });
        Some(found.target)
    }

    #[test]
    fn nodes_name_workflows_in_several_ways() {
        let execute = "n8n-nodes-base.executeWorkflow";
        let tool = "@n8n/n8n-nodes-langchain.toolWorkflow";
        for (node_type, parameters, target) in [
            (execute, json!({"workflowId": "w7"}), Some(fixed("w7"))),
            (execute, json!({"workflowId": 7}), Some(fixed("7"))),
            (
                tool,
                json!({"source": "database", "workflowId": {"__rl": true, "mode": "list", "value": "w7"}}),
                Some(fixed("w7")),
            ),
            (
                tool,
                json!({"workflowId": {"__rl": true, "mode": "id", "value": "={{ $workflow.id }}"}}),
                Some(WorkflowTarget::Itself),
            ),
            (
                execute,
                json!({"workflowId": "={{ $json.id }}"}),
                Some(WorkflowTarget::Expression),
            ),
            (execute, json!({"workflowId": ""}), None),
            (
                execute,
                json!({"workflowId": {"__rl": true, "mode": "list", "value": ""}}),
                None,
            ),
            (
                execute,
                json!({"source": "parameter", "workflowId": "w7"}),
                None,
            ),
            (execute, json!({}), None),
            ("n8n-nodes-base.set", json!({"workflowId": "w7"}), None),
        ] {
            assert_eq!(called(node_type, &parameters), target, "{parameters}");
        }
    }

    #[test]
    fn settings_name_workflows_too() {
        let read = |settings: Value| {
            let document =
                json!({"name": "W", "nodes": [], "connections": {}, "settings": settings});
            let workflow = Workflow::from_value(document, "").expect("a workflow");
            let found = workflow.references().workflows;
            found
                .into_iter()
                .map(|found| (found.place, found.target))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            read(json!({"errorWorkflow": "DEFAULT", "callerIds": " , "})),
            []
        );
        assert_eq!(
            read(json!({"errorWorkflow": "w1", "callerIds": "w2, w3"})),
            [
                (Place::ErrorWorkflow, fixed("w1")),
                (Place::CallerIds, fixed("w2")),
                (Place::CallerIds, fixed("w3")),
            ]
        );
    }

    #[test]
    fn credentials_have_an_id_or_in_old_documents_only_a_name() {
        let document = json!({"name": "W", "connections": {}, "nodes": [{"name": "A", "credentials": {
            "a": {"id": "c1", "name": "One"}, "b": "Two", "c": {"id": null, "name": "Three"}, "d": {"id": 4}, "e": {}, "f": null,
        }}]});
        let found = Workflow::from_value(document, "")
            .expect("a workflow")
            .references();
        let found: Vec<_> = found
            .credentials
            .iter()
            .map(|found| {
                (
                    found.kind.as_str(),
                    found.id.as_deref(),
                    found.name.as_str(),
                )
            })
            .collect();
        assert_eq!(
            found,
            [
                ("a", Some("c1"), "One"),
                ("b", None, "Two"),
                ("c", None, "Three"),
                ("d", Some("4"), "")
            ]
        );
    }

    #[test]
    fn a_reference_to_itself_is_known() {
        let own = WorkflowId("w1".to_owned());
        let to = |target| WorkflowReference {
            place: Place::ErrorWorkflow,
            target,
        };
        assert!(to(fixed("w1")).is_to_itself(&own));
        assert!(to(WorkflowTarget::Itself).is_to_itself(&own));
        assert!(!to(fixed("w2")).is_to_itself(&own));
        assert!(!to(WorkflowTarget::Expression).is_to_itself(&own));
    }
}
