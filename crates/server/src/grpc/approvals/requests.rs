//! Approval requests: answered, looked at, listed.

use slipway_api::approvals::v1 as proto;
use slipway_application::approvals::{
    Decide, Decided, ListApprovalRequests, approve as approve_deployment, get_approval_request,
    list_approval_requests, reject as reject_deployment,
};
use slipway_approvals::{ApprovalPlace, ApprovalRequest, StateKind};
use slipway_kernel::{Sha256, Slug, StoreError};

use super::words::{shown_state, shown_verdict, state};
use crate::grpc::Api;
use crate::grpc::deployments::{named, shown as shown_deployment};
use crate::grpc::door::Session;
use crate::grpc::fields::Fields;
use crate::grpc::page::fitting;
use crate::grpc::page_token::List;
use crate::grpc::refusal::Refusal;
use crate::grpc::show::{self, Environments, Names};

pub(super) async fn approve(
    api: &Api,
    session: &mut Session,
    message: proto::ApproveRequest,
) -> Result<proto::ApproveResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    fields.request_id(&message.request_id);
    let project = fields.required("project", &message.project);
    let deployment = named(&mut fields, &message.deployment);
    let plan_digest = looked_at(&mut fields, &message.plan_digest);
    let comment = fields.text("comment", message.comment);
    let command = fields.finish(|| {
        Some(Decide {
            project: project?,
            deployment: deployment?,
            plan_digest: plan_digest?,
            comment,
        })
    })?;
    let call = session.call(&message.request_id);
    let Decided {
        request,
        deployment,
    } = approve_deployment(&api.context, &call, command).await?;
    Ok(proto::ApproveResponse {
        approval_request: Some(shown(api, request, &message.project).await?),
        deployment: Some(shown_deployment(&api.context, deployment, &message.project).await?),
    })
}

pub(super) async fn reject(
    api: &Api,
    session: &mut Session,
    message: proto::RejectRequest,
) -> Result<proto::RejectResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    fields.request_id(&message.request_id);
    let project = fields.required("project", &message.project);
    let deployment = named(&mut fields, &message.deployment);
    let plan_digest = looked_at(&mut fields, &message.plan_digest);
    let comment = fields.required_text("comment", message.comment);
    let command = fields.finish(|| {
        Some(Decide {
            project: project?,
            deployment: deployment?,
            plan_digest: plan_digest?,
            comment,
        })
    })?;
    let call = session.call(&message.request_id);
    let Decided {
        request,
        deployment,
    } = reject_deployment(&api.context, &call, command).await?;
    Ok(proto::RejectResponse {
        approval_request: Some(shown(api, request, &message.project).await?),
        deployment: Some(shown_deployment(&api.context, deployment, &message.project).await?),
    })
}

/// The digest of what was looked at.
fn looked_at(fields: &mut Fields, digest: &str) -> Option<Sha256> {
    if digest.is_empty() {
        let where_from = "is required: it is the deployment's `plan_digest`, which GetDeployment and GetApprovalRequest tell";
        fields.refuse("plan_digest", where_from);
        return None;
    }
    fields.required("plan_digest", digest)
}

pub(super) async fn get(
    api: &Api,
    session: &mut Session,
    message: proto::GetApprovalRequestRequest,
) -> Result<proto::GetApprovalRequestResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    let project: Option<Slug> = fields.required("project", &message.project);
    let name = named(&mut fields, &message.deployment);
    let (project, name) = fields.finish(|| Some((project?, name?)))?;
    let request = get_approval_request(&api.context, &session.call(""), &project, name).await?;
    Ok(proto::GetApprovalRequestResponse {
        approval_request: Some(shown(api, request, &message.project).await?),
    })
}

pub(super) async fn list(
    api: &Api,
    session: &mut Session,
    message: proto::ListApprovalRequestsRequest,
) -> Result<proto::ListApprovalRequestsResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    let project: Option<Slug> = fields.required("project", &message.project);
    let size = fields.page_size(message.page_size);
    let mut states: Vec<StateKind> = Vec::new();
    for (at, number) in message.states.iter().enumerate() {
        let chosen = fields.required_choice(&format!("states[{at}]"), *number, state);
        states.extend(chosen);
    }
    states.sort_unstable();
    states.dedup();
    let wanted = ListApprovalRequests {
        states,
        environment: fields.optional("environment", &message.environment),
        from: fields.time("from_time", message.from_time),
        to: fields.time("to_time", message.to_time),
    };
    let project = fields.finish(|| project)?;
    let list = List::of("ListApprovalRequests", &(&project, &wanted))?;
    let after: Option<ApprovalPlace> = list.place(&message.page_token)?;
    let call = session.call("");
    let page = list_approval_requests(&api.context, &call, &project, wanted, after, size).await?;
    let names = names(api, &page.items).await?;
    let ids = page.items.iter().map(|request| request.environment);
    let environments = Environments::of(&api.context, ids).await?;
    let place = |request: &ApprovalRequest| ApprovalPlace {
        created_at: request.created_at,
        id: request.id,
    };
    let page = fitting(page, api.max_page_bytes, place, |request| {
        let environment = environments.slug(request.environment);
        message_of(request, project.as_str(), environment, &names)
    });
    Ok(proto::ListApprovalRequestsResponse {
        approval_requests: page.items,
        next_page_token: list.token(page.next)?,
    })
}

async fn names(api: &Api, requests: &[ApprovalRequest]) -> Result<Names, StoreError> {
    let deciders = requests.iter().flat_map(|request| &request.decisions);
    let ids: Vec<_> = requests
        .iter()
        .map(|request| request.requester)
        .chain(deciders.map(|decision| decision.principal))
        .collect();
    Ok(Names(api.context.display_names(ids).await?))
}

async fn shown(
    api: &Api,
    request: ApprovalRequest,
    project: &str,
) -> Result<proto::ApprovalRequest, StoreError> {
    let names = names(api, std::slice::from_ref(&request)).await?;
    let environment = api.context.environment_slug(request.environment).await?;
    Ok(message_of(request, project, environment.into(), &names))
}

fn message_of(
    request: ApprovalRequest,
    project: &str,
    environment: String,
    names: &Names,
) -> proto::ApprovalRequest {
    let decisions = request.decisions.into_iter().map(|made| proto::Decision {
        principal: Some(names.principal(made.principal)),
        verdict: shown_verdict(made.verdict).into(),
        comment: made.comment.into(),
        decided_time: Some(show::time(made.at)),
        plan_digest: made.digest.to_string(),
    });
    proto::ApprovalRequest {
        approval_request_id: request.id.to_string(),
        project: project.to_owned(),
        deployment_id: request.deployment.to_string(),
        deployment_number: request.deployment_number,
        environment,
        plan_digest: request.digest.to_string(),
        state: shown_state(request.state.kind()).into(),
        requested_by: Some(names.principal(request.requester)),
        created_time: Some(show::time(request.created_at)),
        expire_time: Some(show::time(request.expires_at)),
        closed_time: request.state.since().map(show::time),
        decisions: decisions.collect(),
    }
}
