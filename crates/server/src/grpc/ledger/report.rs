//! Deployment reports: the same message in `RecordDeployment` and in imports.

use slipway_api::ledger::v1 as proto;
use slipway_application::ledger::{CreateMissing, Report};
use slipway_kernel::RiskLevel;
use slipway_kernel::{ApplicationKind, Tier};
use slipway_ledger::RecordKind;

use crate::grpc::catalog::words::{application_kind, tier};
use crate::grpc::fields::Fields;

/// What the external ids of records begin with that deployments write: nobody can take them first.
const OWN_IDS: &str = "slipway:";

/// A report, with all its faults noted in `fields`.
pub(super) fn parse(fields: &mut Fields, message: proto::DeploymentReport) -> Option<Report> {
    let application = fields.required("application", &message.application);
    let version = fields.required("version", &message.version);
    let environment = fields.required("environment", &message.environment);
    let deployed_at = fields.time("deployed_time", message.deployed_time);
    let kind = fields.choice("kind", message.kind, record_kind);
    let deployed_by = fields.optional_text("deployed_by", message.deployed_by);
    let risk = fields.choice("risk_level", message.risk_level, risk_level);
    let notes = fields.text("notes", message.notes);
    let attributes = fields.attributes("attributes", message.attributes);
    if message.external_id.starts_with(OWN_IDS) {
        fields.refuse(
            "external_id",
            format_args!("begins with `{OWN_IDS}`, which deployments use"),
        );
    }
    let external_id = fields.optional_text("external_id", message.external_id);
    Some(Report {
        application: application?,
        version: version?,
        environment: environment?,
        deployed_at,
        kind: kind.unwrap_or(RecordKind::Deployed),
        deployed_by,
        risk,
        notes,
        attributes,
        external_id,
    })
}

/// What may be created on the way.
pub(super) fn parse_create_missing(
    fields: &mut Fields,
    message: Option<proto::CreateMissing>,
) -> CreateMissing {
    let message = message.unwrap_or_default();
    let kind = fields.choice(
        "application_kind",
        message.application_kind,
        application_kind,
    );
    let tier = fields.choice("environment_tier", message.environment_tier, tier);
    CreateMissing {
        applications: message
            .applications
            .then_some(kind.unwrap_or(ApplicationKind::Service)),
        versions: message.versions,
        environments: message
            .environments
            .then_some(tier.unwrap_or(Tier::Development)),
    }
}

/// A kind of record; `None` where it is unspecified.
pub(super) fn record_kind(kind: proto::RecordKind) -> Option<RecordKind> {
    match kind {
        proto::RecordKind::Unspecified => None,
        proto::RecordKind::Deployed => Some(RecordKind::Deployed),
        proto::RecordKind::Removed => Some(RecordKind::Removed),
    }
}

/// A level of risk that a message names.
pub(in crate::grpc) fn risk_level(level: proto::RiskLevel) -> Option<RiskLevel> {
    match level {
        proto::RiskLevel::Unspecified => None,
        proto::RiskLevel::Low => Some(RiskLevel::Low),
        proto::RiskLevel::Medium => Some(RiskLevel::Medium),
        proto::RiskLevel::High => Some(RiskLevel::High),
        proto::RiskLevel::Critical => Some(RiskLevel::Critical),
    }
}
