//! A workflow for another engine: the same, with the other engine's ids.

use std::{collections::BTreeMap, fmt};

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{
    CALLER_IDS, CredentialReference, ERROR_WORKFLOW, Place, WorkflowTarget, credential_reference,
    id_text, is_caller, locator_value, names_by_id, target,
};
use crate::{Workflow, WorkflowId, workflow::name_of};

/// How many nodes a text names before it counts the rest.
const MAX_NAMED: usize = 5;

/// A credential of an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// What the engine calls it.
    pub id: String,
    /// What people call it.
    pub name: String,
}

/// Something that the other engine has no counterpart of, and where it is used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unmapped {
    /// A credential.
    Credential {
        /// Its type.
        kind: String,
        /// What the engine calls it, where the document says so.
        id: Option<String>,
        /// What people call it; may be empty.
        name: String,
        /// The names of the nodes that use it, in their order.
        nodes: Vec<String>,
    },
    /// A workflow.
    Workflow {
        /// What the engine calls it.
        id: String,
        /// Where it is named.
        places: Vec<Place>,
    },
}

impl fmt::Display for Unmapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Credential {
                kind,
                id,
                name,
                nodes,
            } => {
                write!(f, "the credential `{name}` of type `{kind}` ")?;
                if let Some(id) = id {
                    write!(f, "(`{id}`) ")?;
                }
                let nodes = nodes.iter().map(|node| format!("the node `{node}`"));
                write!(
                    f,
                    "has no counterpart in the target environment, but is used by {}: say which one stands for it there \
                     with SetCredentialMapping",
                    listed(nodes.collect())
                )
            }
            Self::Workflow { id, places } => {
                let places = places.iter().map(Place::to_string).collect();
                write!(
                    f,
                    "the workflow `{id}` has no counterpart in the target environment, but is named by {}: \
                     promote it too, or link it to the one that stands for it there",
                    listed(places)
                )
            }
        }
    }
}

impl Workflow {
    /// The same workflow for another engine: `credentials` and `workflows` say what stands there for a credential and a
    /// workflow of this one. Expressions stay as they are.
    ///
    /// Fails with everything that has no counterpart, each once: credentials by type and id, then workflows by id.
    pub fn remap(
        &self,
        credentials: &dyn Fn(&CredentialReference) -> Option<Credential>,
        workflows: &dyn Fn(&WorkflowId) -> Option<WorkflowId>,
    ) -> Result<Self, Vec<Unmapped>> {
        let mut remapping = Remapping {
            credentials,
            workflows,
            missing_credentials: BTreeMap::new(),
            missing_workflows: BTreeMap::new(),
        };
        let mut workflow = self.clone();
        for node in &mut workflow.nodes {
            remapping.credentials_of(node);
            remapping.workflow_of(node);
        }
        remapping.settings(&mut workflow.settings);
        remapping.finish(workflow)
    }
}

struct Remapping<'a> {
    credentials: &'a dyn Fn(&CredentialReference) -> Option<Credential>,
    workflows: &'a dyn Fn(&WorkflowId) -> Option<WorkflowId>,
    /// By type, id and name, the nodes.
    missing_credentials: BTreeMap<(String, Option<String>, String), Vec<String>>,
    missing_workflows: BTreeMap<WorkflowId, Vec<Place>>,
}

impl Remapping<'_> {
    fn credentials_of(&mut self, node: &mut Map<String, Value>) {
        let name = name_of(node).to_owned();
        let credentials = node.get_mut("credentials").and_then(Value::as_object_mut);
        for (kind, value) in credentials.into_iter().flatten() {
            let Some(reference) = credential_reference(&name, kind, value) else {
                continue;
            };
            match (self.credentials)(&reference) {
                Some(there) => point_at(value, &reference, &there),
                None => self
                    .missing_credentials
                    .entry((reference.kind, reference.id, reference.name))
                    .or_default()
                    .push(reference.node),
            }
        }
    }

    fn workflow_of(&mut self, node: &mut Map<String, Value>) {
        if !is_caller(node) {
            return;
        }
        let name = name_of(node).to_owned();
        let parameters = node.get_mut("parameters").and_then(Value::as_object_mut);
        let Some(parameter) = parameters
            .filter(|parameters| names_by_id(parameters))
            .and_then(|parameters| parameters.get_mut("workflowId"))
        else {
            return;
        };
        let Some(id) = id_text(locator_value(parameter)) else {
            return;
        };
        if let Some(there) = self.counterpart(&id, || Place::Node { name }) {
            name_workflow(parameter, &id, there);
        }
    }

    fn settings(&mut self, settings: &mut Map<String, Value>) {
        if let Some(value) = settings.get_mut(ERROR_WORKFLOW)
            && let Some(id) = id_text(value)
            && id != "DEFAULT"
            && let Some(there) = self.counterpart(&id, || Place::ErrorWorkflow)
        {
            *value = Value::String(there);
        }
        if let Some(Value::String(list)) = settings.get_mut(CALLER_IDS) {
            let ids = list.split(',').map(|part| {
                let id = part.trim();
                match self.counterpart(id, || Place::CallerIds) {
                    Some(there) => part.replacen(id, &there, 1),
                    None => part.to_owned(),
                }
            });
            *list = ids.collect::<Vec<_>>().join(",");
        }
    }

    /// What stands for a workflow, where that is another id.
    fn counterpart(&mut self, id: &str, place: impl FnOnce() -> Place) -> Option<String> {
        let Some(WorkflowTarget::Fixed(id)) = target(id) else {
            return None;
        };
        let Some(there) = (self.workflows)(&id) else {
            self.missing_workflows.entry(id).or_default().push(place());
            return None;
        };
        (there != id).then_some(there.0)
    }

    fn finish(self, workflow: Workflow) -> Result<Workflow, Vec<Unmapped>> {
        let credentials = self.missing_credentials.into_iter();
        let credentials = credentials.map(|((kind, id, name), nodes)| Unmapped::Credential {
            kind,
            id,
            name,
            nodes,
        });
        let workflows = self.missing_workflows.into_iter();
        let workflows = workflows.map(|(id, places)| Unmapped::Workflow { id: id.0, places });
        let unmapped: Vec<_> = credentials.chain(workflows).collect();
        if unmapped.is_empty() {
            Ok(workflow)
        } else {
            Err(unmapped)
        }
    }
}

fn point_at(value: &mut Value, reference: &CredentialReference, there: &Credential) {
    if reference.id.as_ref() == Some(&there.id) && reference.name == there.name {
        return;
    }
    if let Value::Object(fields) = value {
        fields.insert("id".to_owned(), json!(there.id));
        fields.insert("name".to_owned(), json!(there.name));
    } else {
        *value = json!({"id": there.id, "name": there.name});
    }
}

fn name_workflow(parameter: &mut Value, id: &str, there: String) {
    let Value::Object(locator) = parameter else {
        *parameter = Value::String(there);
        return;
    };
    // What an editor keeps to show: the name stays right, a link within the engine follows, another one would lead back.
    if let Some(link) = locator.remove("cachedResultUrl")
        && link == format!("/workflow/{id}")
    {
        let link = Value::String(format!("/workflow/{there}"));
        locator.insert("cachedResultUrl".to_owned(), link);
    }
    locator.insert("value".to_owned(), Value::String(there));
}

fn listed(mut names: Vec<String>) -> String {
    let more = names.len().saturating_sub(MAX_NAMED);
    names.truncate(MAX_NAMED);
    let list = names.join(", ");
    if more == 0 {
        list
    } else {
        format!("{list} and {more} more")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::arbitrary;

    fn workflow(nodes: &Value, settings: &Value) -> Workflow {
        let document =
            json!({"name": "W", "connections": {}, "nodes": nodes, "settings": settings});
        Workflow::from_value(document, "").expect("a workflow")
    }

    fn in_production(workflow: &Workflow) -> Result<Workflow, Vec<Unmapped>> {
        workflow.remap(
            &|credential| {
                let name = credential.name.strip_prefix("dev ")?;
                Some(Credential {
                    id: format!("p-{}", credential.id.as_deref().unwrap_or("new")),
                    name: format!("prod {name}"),
                })
            },
            &|id| Some(WorkflowId(id.0.strip_prefix("dev")?.to_owned())),
        )
    }

    #[test]
    fn every_reference_follows_and_the_rest_stays() {
        let tool = "@n8n/n8n-nodes-langchain.toolWorkflow";
        let execute = "n8n-nodes-base.executeWorkflow";
        let before = workflow(
            &json!([
                {"name": "A", "type": tool, "credentials": {"x": {"id": "c", "name": "dev X"}, "y": "dev Y"},
                    "parameters": {"text": "dev1", "workflowId": {"__rl": true, "mode": "list", "value": "dev1",
                        "cachedResultName": "Sub", "cachedResultUrl": "/workflow/dev1"}}},
                {"name": "B", "type": execute, "parameters": {"workflowId": "dev2"}},
                {"name": "C", "type": execute, "parameters": {"workflowId": "={{ $json.id }}"}},
                {"name": "D", "type": execute, "parameters": {"source": "url", "workflowId": "other"}},
                {"name": "E", "type": execute, "parameters": {"workflowId": {"mode": "url", "value": "dev3",
                    "cachedResultUrl": "https://dev.example/workflow/dev3"}}},
            ]),
            &json!({"errorWorkflow": "dev4", "callerIds": "dev5, dev6"}),
        );
        let after = workflow(
            &json!([
                {"name": "A", "type": tool,
                    "credentials": {"x": {"id": "p-c", "name": "prod X"}, "y": {"id": "p-new", "name": "prod Y"}},
                    "parameters": {"text": "dev1", "workflowId": {"__rl": true, "mode": "list", "value": "1",
                        "cachedResultName": "Sub", "cachedResultUrl": "/workflow/1"}}},
                {"name": "B", "type": execute, "parameters": {"workflowId": "2"}},
                {"name": "C", "type": execute, "parameters": {"workflowId": "={{ $json.id }}"}},
                {"name": "D", "type": execute, "parameters": {"source": "url", "workflowId": "other"}},
                {"name": "E", "type": execute, "parameters": {"workflowId": {"mode": "url", "value": "3"}}},
            ]),
            &json!({"errorWorkflow": "4", "callerIds": "5, 6"}),
        );
        assert_eq!(in_production(&before), Ok(after));
        let none = workflow(
            &json!([]),
            &json!({"errorWorkflow": "DEFAULT", "callerIds": ""}),
        );
        assert_eq!(in_production(&none), Ok(none));
    }

    #[test]
    fn what_is_missing_is_told_once_with_its_places() {
        let node = |name: &str| {
            json!({"name": name, "type": "n8n-nodes-base.executeWorkflow",
                "credentials": {"slackApi": {"id": "c1", "name": "Slack"}}, "parameters": {"workflowId": "w1"}})
        };
        let names = ["A", "B", "C", "D", "E", "F", "G"];
        let nodes = Value::from_iter(names.map(node));
        let settings = json!({"errorWorkflow": "w2", "callerIds": "w1"});
        let unmapped = in_production(&workflow(&nodes, &settings)).expect_err("nothing is mapped");
        let texts: Vec<_> = unmapped.iter().map(Unmapped::to_string).collect();
        let nodes_named = "the node `A`, the node `B`, the node `C`, the node `D`, the node `E`";
        assert_eq!(
            texts,
            [
                format!(
                    "the credential `Slack` of type `slackApi` (`c1`) has no counterpart in the target environment, but \
                     is used by {nodes_named} and 2 more: say which one stands for it there with SetCredentialMapping"
                ),
                format!(
                    "the workflow `w1` has no counterpart in the target environment, but is named by {nodes_named} and 3 \
                     more: promote it too, or link it to the one that stands for it there"
                ),
                "the workflow `w2` has no counterpart in the target environment, but is named by the setting for the \
                 error workflow: promote it too, or link it to the one that stands for it there"
                    .to_owned(),
            ]
        );
    }

    fn same(credential: &CredentialReference) -> Option<Credential> {
        Some(Credential {
            id: credential.id.clone()?,
            name: credential.name.clone(),
        })
    }

    proptest! {
        #[test]
        fn to_the_same_ids_is_to_the_same_workflow(workflow in arbitrary::workflow()) {
            prop_assert_eq!(workflow.remap(&same, &|id| Some(id.clone())), Ok(workflow));
        }

        #[test]
        fn there_and_back_is_where_one_was(workflow in arbitrary::workflow()) {
            let there = workflow.remap(
                &|credential| {
                    let Credential { id, name } = same(credential)?;
                    Some(Credential { id: format!("x{id}"), name })
                },
                &|id| Some(WorkflowId(format!("x{}", id.0))),
            );
            let there = there.expect("everything is mapped");
            let fixed = |workflow: &Workflow| workflow.references().fixed_workflows().len();
            prop_assert_eq!(fixed(&there), fixed(&workflow));

            let back = there.remap(
                &|credential| {
                    let Credential { id, name } = same(credential)?;
                    Some(Credential { id: id.strip_prefix('x')?.to_owned(), name })
                },
                &|id| Some(WorkflowId(id.0.strip_prefix('x')?.to_owned())),
            );
            prop_assert_eq!(back, Ok(workflow));
        }

        #[test]
        fn without_counterparts_everything_that_is_referred_to_is_missing(workflow in arbitrary::workflow()) {
            let references = workflow.references();
            let unmapped = workflow.remap(&|_| None, &|_| None).err().unwrap_or_default();
            let workflows = unmapped.iter().filter(|missing| matches!(missing, Unmapped::Workflow { .. }));
            prop_assert_eq!(workflows.count(), references.fixed_workflows().len());
            let nodes = unmapped.iter().map(|missing| match missing {
                Unmapped::Credential { nodes, .. } => nodes.len(),
                Unmapped::Workflow { .. } => 0,
            });
            prop_assert_eq!(nodes.sum::<usize>(), references.credentials.len());
        }
    }
}
