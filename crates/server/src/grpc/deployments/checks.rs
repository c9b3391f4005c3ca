//! Checks of deployments.

use slipway_api::deployments::v1 as proto;
use slipway_api::errors::v1::ErrorReason;
use slipway_application::checks::{CheckError, ReportCheck, report_check};
use slipway_deployments::check::{CheckReport, CheckStatus, CheckUrl};
use tonic::Code;

use super::promotions::named;
use crate::grpc::Api;
use crate::grpc::door::Session;
use crate::grpc::fields::Fields;
use crate::grpc::refusal::Refusal;
use crate::grpc::show;

pub(super) async fn report(
    api: &Api,
    session: &mut Session,
    message: proto::ReportCheckRequest,
) -> Result<proto::ReportCheckResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    fields.request_id(&message.request_id);
    let project = fields.required("project", &message.project);
    let deployment = named(&mut fields, &message.deployment);
    let name = fields.required_text("name", message.name);
    let status = fields.required_choice("status", message.status, status);
    let plan_digest = fields.required("plan_digest", &message.plan_digest);
    let url = CheckUrl::try_from(message.url);
    let url = url.map_err(|error| fields.refuse("url", error)).ok();
    let summary = fields.text("summary", message.summary);
    let command = fields.finish(|| {
        Some(ReportCheck {
            project: project?,
            deployment: deployment?,
            name,
            status: status?,
            plan_digest: plan_digest?,
            url: url?,
            summary,
        })
    })?;
    let call = session.call(&message.request_id);
    let checks = report_check(&api.context, &call, command).await?;
    Ok(proto::ReportCheckResponse {
        checks: checks.into_iter().map(shown_check).collect(),
    })
}

/// A check as a message has it.
pub(super) fn shown_check(report: CheckReport) -> proto::DeploymentCheck {
    proto::DeploymentCheck {
        name: report.name.into(),
        status: match report.status {
            CheckStatus::Running => proto::CheckStatus::Running,
            CheckStatus::Passed => proto::CheckStatus::Passed,
            CheckStatus::Failed => proto::CheckStatus::Failed,
        }
        .into(),
        plan_digest: report.plan_digest.to_string(),
        url: report.url.as_str().to_owned(),
        summary: report.summary.into(),
        reported_by: report.reported_by.to_string(),
        reported_time: Some(show::time(report.reported_at)),
    }
}

fn status(word: proto::CheckStatus) -> Option<CheckStatus> {
    match word {
        proto::CheckStatus::Unspecified => None,
        proto::CheckStatus::Running => Some(CheckStatus::Running),
        proto::CheckStatus::Passed => Some(CheckStatus::Passed),
        proto::CheckStatus::Failed => Some(CheckStatus::Failed),
    }
}

impl From<CheckError> for Refusal {
    fn from(error: CheckError) -> Self {
        let message = error.to_string();
        let unfit = |reason| Self::new(Code::FailedPrecondition, reason, message.clone());
        match error {
            CheckError::DeploymentNotFound { name } => {
                Self::new(Code::NotFound, ErrorReason::DeploymentNotFound, message)
                    .about("deployment", name)
            }
            CheckError::PlanChanged { number } => {
                Self::new(Code::Aborted, ErrorReason::PlanChanged, message)
                    .about("deployment", number)
            }
            CheckError::TooLate { number, state } => unfit(ErrorReason::CheckTooLate)
                .about("deployment", number)
                .with("state", state.as_str()),
            CheckError::TooMany { number } => {
                unfit(ErrorReason::TooManyChecks).about("deployment", number)
            }
            CheckError::Command(error) => error.into(),
        }
    }
}
