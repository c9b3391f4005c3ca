//! Releases: made, carried out.

use std::collections::{BTreeMap, BTreeSet};

use slipway_api::deployments::v1 as proto;
use slipway_application::releases::{
    CreateRelease, ExecuteDeployment, Source, create_release, execute_deployment,
};
use slipway_deployments::release::{Draft, DraftItem, Finding, RiskFactor, Wanted};
use slipway_deployments::{Release, Released};
use slipway_kernel::requirements::Severity;
use slipway_kernel::{Key, Revision, RiskLevel, Slug};

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
/// How many values for parameters of a template a request has at most.
const MAX_PARAMETERS: usize = 1_000;
/// How long a value may be, in bytes: no text of a release is longer.
const MAX_VALUE: usize = 16_384;

/// What every request for a release says.
struct Terms {
    project: String,
    name: String,
    description: String,
    environment: String,
    execute_on_approval: bool,
    start_time: Option<prost_types::Timestamp>,
    validate_only: bool,
    request_id: String,
}

pub(super) async fn create(
    api: &Api,
    session: &mut Session,
    message: proto::CreateReleaseRequest,
) -> Result<proto::CreateReleaseResponse, Refusal> {
    let terms = Terms {
        project: message.project,
        name: message.name,
        description: message.description,
        environment: message.environment,
        execute_on_approval: message.execute_on_approval,
        start_time: message.start_time,
        validate_only: message.validate_only,
        request_id: message.request_id,
    };
    let items = message.items;
    let source = |fields: &mut Fields| {
        let items = wanted(fields, items);
        Some(Source::Items(Draft { items }))
    };
    let (deployment, findings) = make(api, session, terms, source).await?;
    Ok(proto::CreateReleaseResponse {
        deployment: Some(deployment),
        findings,
    })
}

pub(super) async fn create_from_template(
    api: &Api,
    session: &mut Session,
    message: proto::CreateReleaseFromTemplateRequest,
) -> Result<proto::CreateReleaseFromTemplateResponse, Refusal> {
    let terms = Terms {
        project: message.project,
        name: message.name,
        description: message.description,
        environment: message.environment,
        execute_on_approval: message.execute_on_approval,
        start_time: message.start_time,
        validate_only: message.validate_only,
        request_id: message.request_id,
    };
    let source = |fields: &mut Fields| {
        let slug = fields.required("template", &message.template);
        let version = revision(fields, "template_version", message.template_version);
        let parameters = values(fields, message.parameters);
        Some(Source::Template {
            slug: slug?,
            version,
            parameters,
        })
    };
    let (deployment, findings) = make(api, session, terms, source).await?;
    Ok(proto::CreateReleaseFromTemplateResponse {
        deployment: Some(deployment),
        findings,
    })
}

/// Makes a release of what `source` reads.
async fn make(
    api: &Api,
    session: &mut Session,
    terms: Terms,
    source: impl FnOnce(&mut Fields) -> Option<Source>,
) -> Result<(proto::Deployment, Vec<proto::Finding>), Refusal> {
    session.admit(&terms.project).await?;
    let mut fields = Fields::default();
    if !terms.validate_only {
        fields.request_id(&terms.request_id);
    }
    let project = fields.required("project", &terms.project);
    let name = fields.required_text("name", terms.name);
    let description = fields.text("description", terms.description);
    let environment = fields.required("environment", &terms.environment);
    let source = source(&mut fields);
    let start_at = fields.time("start_time", terms.start_time);
    let command = fields.finish(|| {
        Some(CreateRelease {
            project: project?,
            name,
            description,
            environment: environment?,
            source: source?,
            execute_on_approval: terms.execute_on_approval,
            start_at,
            validate_only: terms.validate_only,
        })
    })?;
    let call = session.call(&terms.request_id);
    let made = create_release(&api.context, &call, command).await?;
    let mut deployment = shown(&api.context, made.deployment, &terms.project).await?;
    if terms.validate_only {
        // What was not made has no name to find it by.
        deployment.deployment_id.clear();
        deployment.number = 0;
    }
    let findings = made.findings.listed.into_iter().map(shown_finding);
    Ok((deployment, findings.collect()))
}

/// The version of a template; `None` for the last one.
pub(super) fn revision(fields: &mut Fields, field: &str, version: i64) -> Option<Revision> {
    if version < 0 {
        fields.refuse(field, "is negative; versions count from 1");
    }
    Some(version).filter(|version| *version != 0).map(Revision)
}

/// The values of a template's parameters.
fn values(fields: &mut Fields, values: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let count = values.len();
    if count > MAX_PARAMETERS {
        let what = format!("has {count} entries; at most {MAX_PARAMETERS} are allowed");
        fields.refuse("parameters", what);
    } else if values
        .iter()
        .any(|(name, value)| name.len().max(value.len()) > MAX_VALUE)
    {
        let what = format!("has an entry that is longer than {MAX_VALUE} bytes");
        fields.refuse("parameters", what);
    }
    values
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

/// A release as a message has it. `template` is the slug of what it was made from.
pub(super) fn shown_release(release: Release, template: Option<&Slug>) -> proto::Release {
    proto::Release {
        name: release.name.into(),
        description: release.description.into(),
        execute_on_approval: release.execute_on_approval,
        template: release.template.map(|made_from| proto::ReleaseTemplate {
            template: template.map(Slug::to_string).unwrap_or_default(),
            version: made_from.version.0,
            template_id: made_from.id.to_string(),
        }),
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

fn shown_factor(factor: RiskFactor) -> proto::RiskFactor {
    proto::RiskFactor {
        reason: factor.factor.to_string(),
        risk_level: shown_risk(factor.at_least).into(),
        message: factor.message,
    }
}
