//! Delivery figures.

use slipway_api::audit::v1 as proto;
use slipway_application::audit::{DoraQuestion, dora_metrics};
use slipway_audit::dora::Figures;

use super::report::period;
use crate::grpc::Api;
use crate::grpc::door::Session;
use crate::grpc::fields::Fields;
use crate::grpc::refusal::Refusal;
use crate::grpc::show::count;

pub(super) async fn metrics(
    api: &Api,
    session: &mut Session,
    message: proto::GetDoraMetricsRequest,
) -> Result<proto::GetDoraMetricsResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    let project = fields.required("project", &message.project);
    let environment = fields.optional("environment", &message.environment);
    let application = fields.optional("application", &message.application);
    let (from, to) = period(&mut fields, message.from_time, message.to_time);
    let question = fields.finish(|| {
        Some(DoraQuestion {
            project: project?,
            from: from?,
            to: to?,
            environment,
            application,
        })
    })?;
    let figures = dora_metrics(&api.context, &session.call(""), question).await?;
    Ok(proto::GetDoraMetricsResponse {
        metrics: figures.into_iter().map(shown).collect(),
    })
}

fn shown(figures: Figures) -> proto::DoraMetrics {
    proto::DoraMetrics {
        application: figures.application.into(),
        environment: figures.environment.into(),
        delivery_count: count(figures.deliveries),
        deployments_per_day: figures.deliveries_per_day,
        lead_time_median_seconds: figures.lead_time_median,
        lead_time_p90_seconds: figures.lead_time_p90,
        deployment_count: count(figures.deployments),
        failed_deployment_count: count(figures.failed),
        change_failure_rate: figures.change_failure_rate,
        time_to_recover_seconds: figures.time_to_recover,
        rework_rate: figures.rework_rate,
    }
}
