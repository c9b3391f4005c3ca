//! Deployments: planned, asked for, looked at, stopped.

use std::collections::BTreeSet;

use slipway_api::deployments::v1 as proto;
use slipway_application::checks::checks;
use slipway_application::deployments::{
    CancelDeployment, ListDeployments, PlanPromotion, StartPromotion, cancel_deployment,
    get_deployment, get_deployment_summary, list_deployments, overrides, plan_promotion,
    start_promotion,
};
use slipway_deployments::{DeploymentName, MAX_ITEMS, State};
use slipway_kernel::{Key, Sha256, Slug};

use super::checks::shown_check;
use super::overrides::overridden;
use super::plans::shown_plan;
use super::shown::{Names, shown, shown_counts, shown_transition};
use super::words::state;
use crate::grpc::Api;
use crate::grpc::door::Session;
use crate::grpc::fields::Fields;
use crate::grpc::page::fitting;
use crate::grpc::page_token::List;
use crate::grpc::refusal::Refusal;
use crate::grpc::show;

pub(super) async fn plan(
    api: &Api,
    session: &mut Session,
    message: proto::PlanPromotionRequest,
) -> Result<proto::PlanPromotionResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    let asked = promotion(
        &mut fields,
        &message.project,
        &message.pipeline,
        &message.target,
        &message.workflows,
    );
    let asked = fields.finish(|| asked)?;
    let planned = plan_promotion(&api.context, &session.call(""), &asked).await?;
    Ok(proto::PlanPromotionResponse {
        plan: Some(shown_plan(api, planned.plan, planned.source.into())),
    })
}

pub(super) async fn start(
    api: &Api,
    session: &mut Session,
    message: proto::StartPromotionRequest,
) -> Result<proto::StartPromotionResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    fields.request_id(&message.request_id);
    let asked = promotion(
        &mut fields,
        &message.project,
        &message.pipeline,
        &message.target,
        &message.workflows,
    );
    let plan_digest: Option<Sha256> = fields.optional("plan_digest", &message.plan_digest);
    let command = fields.finish(|| {
        Some(StartPromotion {
            promotion: asked?,
            plan_digest,
        })
    })?;
    let call = session.call(&message.request_id);
    let deployment = start_promotion(&api.context, &call, command).await?;
    Ok(proto::StartPromotionResponse {
        deployment: Some(shown(&api.context, deployment, &message.project).await?),
    })
}

fn promotion(
    fields: &mut Fields,
    project: &str,
    pipeline: &str,
    target: &str,
    workflows: &[String],
) -> Option<PlanPromotion> {
    let project = fields.required("project", project);
    let pipeline = fields.required("pipeline", pipeline);
    let target = fields.required("target", target);
    if workflows.len() > MAX_ITEMS {
        let what = format!(
            "has {} entries; at most {MAX_ITEMS} are allowed",
            workflows.len()
        );
        fields.refuse("workflows", what);
        return None;
    }
    let mut chosen: BTreeSet<Key> = BTreeSet::new();
    for (at, workflow) in workflows.iter().enumerate() {
        let field = format!("workflows[{at}]");
        if let Some(key) = fields.required(&field, workflow)
            && !chosen.insert(key)
        {
            fields.refuse(&field, format_args!("names `{workflow}` again"));
        }
    }
    Some(PlanPromotion {
        project: project?,
        pipeline: pipeline?,
        target: target?,
        workflows: (!chosen.is_empty()).then_some(chosen),
    })
}

pub(super) async fn get(
    api: &Api,
    session: &mut Session,
    message: proto::GetDeploymentRequest,
) -> Result<proto::GetDeploymentResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    let project: Option<Slug> = fields.required("project", &message.project);
    let name = named(&mut fields, &message.deployment);
    let (project, name) = fields.finish(|| Some((project?, name?)))?;
    let (deployment, history) =
        get_deployment(&api.context, &session.call(""), &project, name).await?;
    let checks = checks(&api.context, &deployment).await?;
    let overrides = overrides(&api.context, &deployment).await?;
    let deployment = shown(&api.context, deployment, &message.project).await?;
    Ok(proto::GetDeploymentResponse {
        deployment: Some(proto::Deployment {
            history: history.into_iter().map(shown_transition).collect(),
            checks: checks.into_iter().map(shown_check).collect(),
            overrides: overridden(overrides),
            ..deployment
        }),
    })
}

/// A deployment by its number or its id.
pub(in crate::grpc) fn named(fields: &mut Fields, text: &str) -> Option<DeploymentName> {
    named_by(fields, "deployment", text)
}

/// A deployment that a field names so.
pub(super) fn named_by(fields: &mut Fields, field: &str, text: &str) -> Option<DeploymentName> {
    // People write `#7`, and so do messages.
    match text.strip_prefix('#').unwrap_or(text).parse::<i64>() {
        Ok(number) => Some(DeploymentName::Number(number)),
        Err(_) => fields.required(field, text).map(DeploymentName::Id),
    }
}

pub(super) async fn list(
    api: &Api,
    session: &mut Session,
    message: proto::ListDeploymentsRequest,
) -> Result<proto::ListDeploymentsResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    let project: Option<Slug> = fields.required("project", &message.project);
    let size = fields.page_size(message.page_size);
    let mut states: Vec<State> = Vec::new();
    for (at, number) in message.states.iter().enumerate() {
        let chosen = fields.required_choice(&format!("states[{at}]"), *number, state);
        states.extend(chosen);
    }
    states.sort_unstable();
    states.dedup();
    let wanted = ListDeployments {
        states,
        pipeline: fields.optional("pipeline", &message.pipeline),
        target: fields.optional("environment", &message.environment),
        from: fields.time("from_time", message.from_time),
        to: fields.time("to_time", message.to_time),
    };
    let project = fields.finish(|| project)?;
    let list = List::of("ListDeployments", &(&project, &wanted))?;
    let after: Option<i64> = list.place(&message.page_token)?;
    let call = session.call("");
    let page = list_deployments(&api.context, &call, &project, wanted, after, size).await?;
    let deployments: Vec<_> = page.items.iter().map(|listed| &listed.deployment).collect();
    let names = Names::of(&api.context, &deployments).await?;
    let page = fitting(
        page,
        api.max_page_bytes,
        |listed| listed.deployment.number,
        |listed| proto::Deployment {
            counts: Some(shown_counts(listed.counts)),
            ..names.shown(listed.deployment, project.as_str())
        },
    );
    Ok(proto::ListDeploymentsResponse {
        deployments: page.items,
        next_page_token: list.token(page.next)?,
    })
}

pub(super) async fn cancel(
    api: &Api,
    session: &mut Session,
    message: proto::CancelDeploymentRequest,
) -> Result<proto::CancelDeploymentResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    fields.request_id(&message.request_id);
    let project = fields.required("project", &message.project);
    let deployment = named(&mut fields, &message.deployment);
    let reason = fields.required_text("reason", message.reason);
    let command = fields.finish(|| {
        Some(CancelDeployment {
            project: project?,
            deployment: deployment?,
            reason,
        })
    })?;
    let call = session.call(&message.request_id);
    let deployment = cancel_deployment(&api.context, &call, command).await?;
    Ok(proto::CancelDeploymentResponse {
        deployment: Some(shown(&api.context, deployment, &message.project).await?),
    })
}

pub(super) async fn summary(
    api: &Api,
    session: &mut Session,
    message: proto::GetDeploymentSummaryRequest,
) -> Result<proto::GetDeploymentSummaryResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    let project: Option<Slug> = fields.required("project", &message.project);
    let project = fields.finish(|| project)?;
    let summary = get_deployment_summary(&api.context, &session.call(""), &project).await?;
    Ok(proto::GetDeploymentSummaryResponse {
        succeeded_last_7_days: show::count(summary.succeeded),
        pending_approval_count: show::count(summary.pending_approval),
        promotion_mode: "MANUAL".to_owned(),
    })
}
