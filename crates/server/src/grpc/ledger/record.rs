//! Reporting a deployment.

use slipway_api::ledger::v1 as proto;
use slipway_application::ledger::{RecordDeployment, record_deployment};
use slipway_kernel::PrincipalId;
use slipway_kernel::RiskLevel;
use slipway_ledger::{Record, RecordKind};

use super::report;
use crate::grpc::Api;
use crate::grpc::catalog::words::shown_application_kind;
use crate::grpc::door::Session;
use crate::grpc::fields::Fields;
use crate::grpc::refusal::Refusal;
use crate::grpc::show::{self, Names};

pub(super) async fn record(
    api: &Api,
    session: &mut Session,
    message: proto::RecordDeploymentRequest,
) -> Result<proto::RecordDeploymentResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    fields.request_id(&message.request_id);
    let project = fields.required("project", &message.project);
    let mut inner = Fields::within("report");
    let report = report::parse(&mut inner, message.report.unwrap_or_default());
    fields.absorb(inner);
    let mut inner = Fields::within("create_missing");
    let create_missing = report::parse_create_missing(&mut inner, message.create_missing);
    fields.absorb(inner);
    let validate_only = message.validate_only;
    let command = fields.finish(|| {
        Some(RecordDeployment {
            project: project?,
            report: report?,
            create_missing,
            validate_only,
        })
    })?;
    let recorded =
        record_deployment(&api.context, &session.call(&message.request_id), command).await?;

    let names = Names(
        api.context
            .display_names(principals(&recorded.record))
            .await?,
    );
    let mut record = shown(recorded.record, &message.project, &names);
    if validate_only && !recorded.already_present {
        record.record_id.clear();
        record.sequence = 0;
        record.recorded_time = None;
    }
    Ok(proto::RecordDeploymentResponse {
        record: Some(record),
        already_present: recorded.already_present,
        application_created: !recorded.created.applications.is_empty(),
        version_created: !recorded.created.versions.is_empty(),
        environment_created: !recorded.created.environments.is_empty(),
    })
}

/// Whom a record mentions.
pub(super) fn principals(record: &Record) -> impl Iterator<Item = PrincipalId> {
    [
        Some(record.reporter),
        record.retraction.as_ref().map(|retraction| retraction.by),
    ]
    .into_iter()
    .flatten()
}

/// A record as a message.
pub(super) fn shown(record: Record, project: &str, names: &Names) -> proto::DeploymentRecord {
    proto::DeploymentRecord {
        record_id: record.id.to_string(),
        sequence: record.sequence,
        project: project.to_owned(),
        application: record.application.into(),
        application_display_name: record.application_name,
        application_kind: shown_application_kind(record.application_kind).into(),
        version: record.version.into(),
        environment: record.environment.into(),
        environment_display_name: record.environment_name,
        kind: match record.kind {
            RecordKind::Deployed => proto::RecordKind::Deployed,
            RecordKind::Removed => proto::RecordKind::Removed,
        }
        .into(),
        deployed_time: Some(show::time(record.deployed_at)),
        recorded_time: Some(show::time(record.recorded_at)),
        reporter: Some(names.principal(record.reporter)),
        deployed_by: record.deployed_by.unwrap_or_default(),
        risk_level: record
            .risk
            .map_or(proto::RiskLevel::Unspecified, shown_risk)
            .into(),
        notes: record.notes,
        attributes: record.attributes.into(),
        external_id: record.external_id.unwrap_or_default(),
        retraction: record.retraction.map(|retraction| proto::Retraction {
            retracted_time: Some(show::time(retraction.at)),
            retracted_by: Some(names.principal(retraction.by)),
            reason: retraction.reason.into(),
        }),
        deployment_id: record
            .deployment
            .map(|id| id.to_string())
            .unwrap_or_default(),
        outside_governance: record.outside_governance,
    }
}

/// A level of risk as a message has it.
pub(in crate::grpc) const fn shown_risk(level: RiskLevel) -> proto::RiskLevel {
    match level {
        RiskLevel::Low => proto::RiskLevel::Low,
        RiskLevel::Medium => proto::RiskLevel::Medium,
        RiskLevel::High => proto::RiskLevel::High,
        RiskLevel::Critical => proto::RiskLevel::Critical,
    }
}
