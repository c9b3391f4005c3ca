//! Releases: made, carried out.

use std::collections::BTreeSet;

use slipway_api::deployments::v1 as proto;
use slipway_application::releases::{
    CreateRelease, ExecuteDeployment, create_release, execute_deployment,
};
use slipway_deployments::release::{Draft, DraftItem, Finding, RiskFactor, Wanted};
use slipway_deployments::{Release, Released};
use slipway_kernel::requirements::Severity;
use slipway_kernel::{Key, RiskLevel};

use super::promotions::named;
use super::shown::shown;
use crate::grpc::Api;
use crate::grpc::catalog::words::shown_application_kind;
use crate::grpc::door::Session;
use crate::grpc::fields::Fields;
use crate::grpc::ledger::{risk_level, shown_risk};
use crate::grpc::refusal::Refusal;

/// How many items a release has at most.
const MAX_ITEMS: usize = 500;

pub(super) async fn create(
    api: &Api,
    session: &mut Session,
    message: proto::CreateReleaseRequest,
) -> Result<proto::CreateReleaseResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    if !message.validate_only {
        fields.request_id(&message.request_id);
    }
    let project = fields.required("project", &message.project);
    let name = fields.required_text("name", message.name);
    let description = fields.text("description", message.description);
    let environment = fields.required("environment", &message.environment);
    let items = wanted(&mut fields, message.items);
    let start_at = fields.time("start_time", message.start_time);
    let command = fields.finish(|| {
        Some(CreateRelease {
            project: project?,
            name,
            description,
            environment: environment?,
            draft: Draft { items },
            execute_on_approval: message.execute_on_approval,
            start_at,
            validate_only: message.validate_only,
        })
    })?;
    let call = session.call(&message.request_id);
    let made = create_release(&api.context, &call, command).await?;
    let mut deployment = shown(&api.context, made.deployment, &message.project).await?;
    if message.validate_only {
        // What was not made has no name to find it by.
        deployment.deployment_id.clear();
        deployment.number = 0;
    }
    Ok(proto::CreateReleaseResponse {
        deployment: Some(deployment),
        findings: made
            .findings
            .listed
            .into_iter()
            .map(shown_finding)
            .collect(),
    })
}

fn wanted(fields: &mut Fields, items: Vec<proto::ReleaseItem>) -> Vec<DraftItem> {
    if items.is_empty() || items.len() > MAX_ITEMS {
        let what = format!("has {} entries; 1 to {MAX_ITEMS} are allowed", items.len());
        fields.refuse("items", what);
        return Vec::new();
    }
    let mut seen: BTreeSet<Key> = BTreeSet::new();
    let mut wanted = Vec::with_capacity(items.len());
    for (at, item) in items.into_iter().enumerate() {
        let mut inner = Fields::within(&format!("items[{at}]"));
        let application: Option<Key> = inner.required("application", &item.application);
        if let Some(key) = &application
            && !seen.insert(key.clone())
        {
            inner.refuse("application", format_args!("names `{key}` again"));
        }
        let outcome = match item.change {
            Some(proto::release_item::Change::Version(version)) => {
                inner.required("version", &version).map(Wanted::Version)
            }
            Some(proto::release_item::Change::Remove(true)) => Some(Wanted::Removal),
            Some(proto::release_item::Change::Remove(false)) => {
                inner.refuse("remove", "must be true where it is given");
                None
            }
            None => {
                inner.refuse("change", "is required: give a version, or remove");
                None
            }
        };
        let message = inner.text("change_message", item.change_message);
        let declared = inner.choice("risk_level", item.risk_level, risk_level);
        fields.absorb(inner);
        if let (Some(application), Some(outcome)) = (application, outcome) {
            wanted.push(DraftItem {
                application,
                wanted: outcome,
                message,
                declared: declared.unwrap_or(RiskLevel::Low),
                allow_older: item.allow_older,
            });
        }
    }
    wanted
}

pub(super) async fn execute(
    api: &Api,
    session: &mut Session,
    message: proto::ExecuteDeploymentRequest,
) -> Result<proto::ExecuteDeploymentResponse, Refusal> {
    session.admit(&message.project).await?;
    let mut fields = Fields::default();
    fields.request_id(&message.request_id);
    let project = fields.required("project", &message.project);
    let deployment = named(&mut fields, &message.deployment);
    let plan_digest = fields.required("plan_digest", &message.plan_digest);
    let command = fields.finish(|| {
        Some(ExecuteDeployment {
            project: project?,
            deployment: deployment?,
            plan_digest: plan_digest?,
        })
    })?;
    let call = session.call(&message.request_id);
    let deployment = execute_deployment(&api.context, &call, command).await?;
    Ok(proto::ExecuteDeploymentResponse {
        deployment: Some(shown(&api.context, deployment, &message.project).await?),
    })
}

fn shown_finding(finding: Finding) -> proto::Finding {
    let severity = match finding.severity {
        Severity::Warning => proto::FindingSeverity::Warning,
        Severity::Error => proto::FindingSeverity::Error,
    };
    proto::Finding {
        severity: severity.into(),
        reason: finding.reason.to_string(),
        item: finding.item.and_then(|item| i32::try_from(item).ok()),
        message: finding.message,
    }
}

pub(super) fn shown_release(release: Release) -> proto::Release {
    proto::Release {
        name: release.name.into(),
        description: release.description.into(),
        execute_on_approval: release.execute_on_approval,
    }
}

pub(super) fn shown_chosen(released: Released) -> proto::ChosenVersion {
    let identifier = |version: Option<slipway_deployments::VersionRef>| {
        version
            .map(|version| version.identifier.into())
            .unwrap_or_default()
    };
    proto::ChosenVersion {
        application_kind: shown_application_kind(released.kind).into(),
        version_before: identifier(released.before),
        version_after: identifier(released.after),
        change_message: released.message.into(),
        declared_risk_level: shown_risk(released.declared).into(),
        risk_level: shown_risk(released.risk).into(),
        risk_factors: released.factors.into_iter().map(shown_factor).collect(),
    }
}

pub(in crate::grpc) fn shown_factor(factor: RiskFactor) -> proto::RiskFactor {
    proto::RiskFactor {
        reason: factor.factor.to_string(),
        risk_level: shown_risk(factor.at_least).into(),
        message: factor.message,
    }
}
