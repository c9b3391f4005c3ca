//! Deployments that are let pass without those who were asked.

use slipway_api::approvals::v1 as proto;
use slipway_application::approvals::{
    Decided, OverrideApproval, ReviewOverride, override_approval as override_deployment,
    review_override, show_request,
};

use super::shown::shown;
use super::words::finding;
use crate::grpc::Api;
use crate::grpc::deployments::{named, shown as shown_deployment};
use crate::grpc::door::Session;
use crate::grpc::fields::Fields;
use crate::grpc::refusal::Refusal;

pub(super) async fn override_approval(
    api: &Api,
    session: &mut Session,
    message: proto::OverrideApprovalRequest,
) -> Result<proto::OverrideApprovalResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    fields.request_id(&message.request_id);
    let project = fields.required("project", &message.project);
    let deployment = named(&mut fields, &message.deployment);
    let plan_digest = fields.required("plan_digest", &message.plan_digest);
    let reason = fields.required_text("reason", message.reason);
    let command = fields.finish(|| {
        Some(OverrideApproval {
            project: project?,
            deployment: deployment?,
            plan_digest: plan_digest?,
            reason,
        })
    })?;
    let call = session.call(&message.request_id);
    let Decided {
        request,
        deployment,
    } = override_deployment(&api.context, &call, command).await?;
    let request = show_request(&api.context, &call, request).await?;
    Ok(proto::OverrideApprovalResponse {
        approval_request: Some(shown(&api.context, request, &message.project).await?),
        deployment: Some(shown_deployment(&api.context, deployment, &message.project).await?),
    })
}

pub(super) async fn review(
    api: &Api,
    session: &mut Session,
    message: proto::ReviewOverrideRequest,
) -> Result<proto::ReviewOverrideResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    fields.request_id(&message.request_id);
    let project = fields.required("project", &message.project);
    let deployment = named(&mut fields, &message.deployment);
    let finding = fields.required_choice("finding", message.finding, finding);
    let comment = fields.required_text("comment", message.comment);
    let command = fields.finish(|| {
        Some(ReviewOverride {
            project: project?,
            deployment: deployment?,
            finding: finding?,
            comment,
        })
    })?;
    let call = session.call(&message.request_id);
    let request = review_override(&api.context, &call, command).await?;
    let request = show_request(&api.context, &call, request).await?;
    Ok(proto::ReviewOverrideResponse {
        approval_request: Some(shown(&api.context, request, &message.project).await?),
    })
}
