//! Deployments undone, and doubts resolved.

use slipway_api::deployments::v1 as proto;
use slipway_application::deployments::{
    PlannedRollback, ResolveInDoubt, RollbackDeployment, plan_rollback, resolve_in_doubt,
    rollback_deployment,
};

use super::plans::shown_plan;
use super::promotions::{named, named_by};
use super::shown::shown;
use super::words::verdict;
use crate::grpc::Api;
use crate::grpc::door::Session;
use crate::grpc::fields::Fields;
use crate::grpc::refusal::Refusal;

pub(super) async fn roll_back(
    api: &Api,
    session: &mut Session,
    message: proto::RollbackDeploymentRequest,
) -> Result<proto::RollbackDeploymentResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    fields.request_id(&message.request_id);
    let project = fields.required("project", &message.project);
    let deployment = named(&mut fields, &message.deployment);
    let reason = fields.required_text("reason", message.reason);
    let back_to = match message.back_to.as_str() {
        "" => Some(None),
        name => named_by(&mut fields, "back_to", name).map(Some),
    };
    let command = fields.finish(|| {
        Some(RollbackDeployment {
            project: project?,
            deployment: deployment?,
            reason,
            back_to: back_to?,
        })
    })?;
    let call = session.call(&message.request_id);
    if message.validate_only {
        let planned = plan_rollback(&api.context, &call, &command).await?;
        return Ok(match planned {
            PlannedRollback::Workflows { target, plan } => proto::RollbackDeploymentResponse {
                deployment: None,
                plan: Some(shown_plan(api, plan, target.into())),
            },
            PlannedRollback::Release(rollback) => {
                let mut deployment = shown(&api.context, *rollback, &message.project).await?;
                deployment.deployment_id.clear();
                deployment.number = 0;
                proto::RollbackDeploymentResponse {
                    deployment: Some(deployment),
                    plan: None,
                }
            }
        });
    }
    let deployment = rollback_deployment(&api.context, &call, command).await?;
    Ok(proto::RollbackDeploymentResponse {
        deployment: Some(shown(&api.context, deployment, &message.project).await?),
        plan: None,
    })
}

pub(super) async fn resolve(
    api: &Api,
    session: &mut Session,
    message: proto::ResolveInDoubtRequest,
) -> Result<proto::ResolveInDoubtResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    fields.request_id(&message.request_id);
    let project = fields.required("project", &message.project);
    let deployment = named(&mut fields, &message.deployment);
    let verdict = fields.required_choice("verdict", message.verdict, verdict);
    let reason = fields.required_text("reason", message.reason);
    let command = fields.finish(|| {
        Some(ResolveInDoubt {
            project: project?,
            deployment: deployment?,
            verdict: verdict?,
            reason,
        })
    })?;
    let call = session.call(&message.request_id);
    let deployment = resolve_in_doubt(&api.context, &call, command).await?;
    Ok(proto::ResolveInDoubtResponse {
        deployment: Some(shown(&api.context, deployment, &message.project).await?),
    })
}
