//! What the workflow engines of environments hold, and which credentials workflows get there.

use slipway_api::catalog::v1 as proto;
use slipway_application::engines::{
    Credentials, CredentialsFault, FoundWorkflow, LinkWorkflow, SetCredentialMapping, check_engine,
    get_credential_mapping, link_workflow, list_workflows, set_credential_mapping,
};
use slipway_kernel::text::DisplayName;
use slipway_kernel::{Key, Slug};
use slipway_workflows::{CredentialTarget, WorkflowId};

use crate::grpc::Api;
use crate::grpc::door::Session;
use crate::grpc::fields::Fields;
use crate::grpc::page::fitting;
use crate::grpc::page_token::List;
use crate::grpc::refusal::Refusal;
use crate::grpc::show;

pub(super) async fn check(
    api: &Api,
    session: &mut Session,
    message: proto::CheckEngineRequest,
) -> Result<proto::CheckEngineResponse, Refusal> {
    session.admit(&message.project).await?;
    let (project, environment) = place(&message.project, &message.environment)?;
    let call = session.call("");
    let checked = check_engine(&api.context, &call, &project, &environment).await?;
    Ok(proto::CheckEngineResponse {
        description: checked.description,
        workflow_count: show::count(checked.workflows as u64),
        unreadable_workflow_count: show::count(checked.unreadable as u64),
    })
}

pub(super) async fn list(
    api: &Api,
    session: &mut Session,
    message: proto::ListWorkflowsRequest,
) -> Result<proto::ListWorkflowsResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    let project: Option<Slug> = fields.required("project", &message.project);
    let environment: Option<Slug> = fields.required("environment", &message.environment);
    let size = fields.page_size(message.page_size);
    let (project, environment) = fields.finish(|| Some((project?, environment?)))?;
    let list = List::of("ListWorkflows", &(&project, &environment))?;
    let after: Option<Key> = list.place(&message.page_token)?;
    let page = list_workflows(
        &api.context,
        &session.call(""),
        &project,
        &environment,
        after.as_ref(),
        size,
    )
    .await?;
    let place = |workflow: &FoundWorkflow| workflow.entry.key.clone();
    let page = fitting(page, api.max_page_bytes, place, shown);
    Ok(proto::ListWorkflowsResponse {
        workflows: page.items,
        next_page_token: list.token(page.next)?,
    })
}

pub(super) async fn link(
    api: &Api,
    session: &mut Session,
    message: proto::LinkWorkflowRequest,
) -> Result<proto::LinkWorkflowResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    fields.request_id(&message.request_id);
    let project = fields.required("project", &message.project);
    let environment = fields.required("environment", &message.environment);
    let key = fields.required("key", &message.key);
    let workflow: DisplayName = fields.required_text("workflow_id", message.workflow_id);
    let command = fields.finish(|| {
        Some(LinkWorkflow {
            project: project?,
            environment: environment?,
            key: key?,
            workflow: WorkflowId(workflow.into()),
        })
    })?;
    let workflow = link_workflow(&api.context, &session.call(&message.request_id), command).await?;
    Ok(proto::LinkWorkflowResponse {
        workflow: Some(shown(workflow)),
    })
}

pub(super) async fn get_credentials(
    api: &Api,
    session: &mut Session,
    message: proto::GetCredentialMappingRequest,
) -> Result<proto::GetCredentialMappingResponse, Refusal> {
    session.admit(&message.project).await?;
    let (project, environment) = place(&message.project, &message.environment)?;
    let call = session.call("");
    let targets = get_credential_mapping(&api.context, &call, &project, &environment).await?;
    Ok(proto::GetCredentialMappingResponse {
        mappings: targets.into_iter().map(shown_target).collect(),
    })
}

pub(super) async fn set_credentials(
    api: &Api,
    session: &mut Session,
    message: proto::SetCredentialMappingRequest,
) -> Result<proto::SetCredentialMappingResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    fields.request_id(&message.request_id);
    let project = fields.required("project", &message.project);
    let environment = fields.required("environment", &message.environment);
    let targets = (0..).zip(message.mappings);
    let targets = targets.map(|(number, mapping)| target(&mut fields, number, mapping));
    let credentials = Credentials::new(targets.collect());
    let credentials = credentials.map_err(|faults| refuse_all(&mut fields, &faults));
    let command = fields.finish(|| {
        Some(SetCredentialMapping {
            project: project?,
            environment: environment?,
            credentials: credentials.ok()?,
        })
    })?;
    let targets =
        set_credential_mapping(&api.context, &session.call(&message.request_id), command).await?;
    Ok(proto::SetCredentialMappingResponse {
        mappings: targets.into_iter().map(shown_target).collect(),
    })
}

/// The environment that a request is about.
fn place(project: &str, environment: &str) -> Result<(Slug, Slug), Refusal> {
    let mut fields = Fields::default();
    let project = fields.required("project", project);
    let environment = fields.required("environment", environment);
    fields.finish(|| Some((project?, environment?)))
}

fn target(
    fields: &mut Fields,
    number: usize,
    mapping: proto::CredentialMapping,
) -> CredentialTarget {
    let mut inner = Fields::within(&format!("mappings[{number}]"));
    let mut text = |field: &str, text: String| -> String {
        let text: DisplayName = inner.required_text(field, text);
        text.into()
    };
    let target = CredentialTarget {
        kind: text("type", mapping.r#type),
        name: text("name", mapping.name),
        target_id: text("target_id", mapping.target_id),
        target_name: text("target_name", mapping.target_name),
    };
    fields.absorb(inner);
    target
}

fn refuse_all(fields: &mut Fields, faults: &[CredentialsFault]) {
    for fault in faults {
        match fault {
            CredentialsFault::TooMany { .. } => fields.refuse("mappings", fault),
            CredentialsFault::Twice { mapping, .. } => {
                fields.refuse(&format!("mappings[{mapping}]"), fault);
            }
        }
    }
}

fn shown(workflow: FoundWorkflow) -> proto::Workflow {
    let FoundWorkflow { entry, fixed } = workflow;
    let (active, nodes, problem) = match &entry.workflow {
        Ok(workflow) => (workflow.active, workflow.nodes.len(), String::new()),
        Err(error) => (false, 0, error.to_string()),
    };
    proto::Workflow {
        key: entry.key.into(),
        key_fixed: fixed,
        workflow_id: entry.id.0,
        name: entry.name,
        active,
        archived: entry.archived,
        node_count: i32::try_from(nodes).unwrap_or(i32::MAX),
        problem,
    }
}

fn shown_target(target: CredentialTarget) -> proto::CredentialMapping {
    proto::CredentialMapping {
        r#type: target.kind,
        name: target.name,
        target_id: target.target_id,
        target_name: target.target_name,
    }
}
