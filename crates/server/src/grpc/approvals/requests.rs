//! Approval requests: answered, looked at, listed.

use slipway_api::approvals::v1 as proto;
use slipway_application::approvals::{
    Decide, Decided, ListApprovalRequests, Shown, WithdrawApproval, approve as approve_deployment,
    get_approval_request, list_approval_requests, reject as reject_deployment, show_request,
    withdraw_approval,
};
use slipway_approvals::{ApprovalPlace, StateKind};
use slipway_kernel::{Sha256, Slug};

use super::shown::{message_of, names, scoped, shown};
use super::words::state;
use crate::grpc::Api;
use crate::grpc::deployments::{named, shown as shown_deployment};
use crate::grpc::door::Session;
use crate::grpc::fields::Fields;
use crate::grpc::page::fitting;
use crate::grpc::page_token::List;
use crate::grpc::refusal::Refusal;
use crate::grpc::show::Environments;

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
    let rule = fields.optional("rule", &message.rule);
    let comment = fields.text("comment", message.comment);
    let command = fields.finish(|| {
        Some(Decide {
            project: project?,
            deployment: deployment?,
            plan_digest: plan_digest?,
            rule,
            comment,
        })
    })?;
    let call = session.call(&message.request_id);
    let Decided {
        request,
        deployment,
    } = approve_deployment(&api.context, &call, command).await?;
    let request = show_request(&api.context, &call, request).await?;
    Ok(proto::ApproveResponse {
        approval_request: Some(shown(&api.context, request, &message.project).await?),
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
            rule: None,
            comment,
        })
    })?;
    let call = session.call(&message.request_id);
    let Decided {
        request,
        deployment,
    } = reject_deployment(&api.context, &call, command).await?;
    let request = show_request(&api.context, &call, request).await?;
    Ok(proto::RejectResponse {
        approval_request: Some(shown(&api.context, request, &message.project).await?),
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
        approval_request: Some(shown(&api.context, request, &message.project).await?),
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
    let names = names(&api.context, &page.items).await?;
    let ids = page.items.iter().map(|shown| shown.request.environment);
    let scopes = page.items.iter().flat_map(|shown| scoped(&shown.request));
    let environments = Environments::of(&api.context, ids.chain(scopes)).await?;
    let place = |shown: &Shown| ApprovalPlace {
        created_at: shown.request.created_at,
        id: shown.request.id,
    };
    let page = fitting(page, api.max_page_bytes, place, |shown| {
        message_of(shown, project.as_str(), &environments, &names)
    });
    Ok(proto::ListApprovalRequestsResponse {
        approval_requests: page.items,
        next_page_token: list.token(page.next)?,
    })
}

pub(super) async fn withdraw(
    api: &Api,
    session: &mut Session,
    message: proto::WithdrawApprovalRequest,
) -> Result<proto::WithdrawApprovalResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    fields.request_id(&message.request_id);
    let project = fields.required("project", &message.project);
    let deployment = named(&mut fields, &message.deployment);
    let reason = fields.required_text("reason", message.reason);
    let command = fields.finish(|| {
        Some(WithdrawApproval {
            project: project?,
            deployment: deployment?,
            reason,
        })
    })?;
    let call = session.call(&message.request_id);
    let Decided {
        request,
        deployment,
    } = withdraw_approval(&api.context, &call, command).await?;
    let request = show_request(&api.context, &call, request).await?;
    Ok(proto::WithdrawApprovalResponse {
        approval_request: Some(shown(&api.context, request, &message.project).await?),
        deployment: Some(shown_deployment(&api.context, deployment, &message.project).await?),
    })
}
