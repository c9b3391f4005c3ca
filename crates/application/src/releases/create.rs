use serde::Serialize;
use serde_json::json;
use slipway_audit::Resource;
use slipway_catalog::Environment;
use slipway_deployments::{
    Bound, BoundItem, Change as ItemChange, Deployment, DeploymentKind, Item, ItemStatus,
    NewDeployment, Origin, Release, Released, VersionRef,
};
use slipway_identity::Command;
use slipway_kernel::{
    DeploymentId, Key, RiskLevel, Slug, Timestamp,
    text::{Description, DisplayName, Notes},
};

use super::facts::{self, Facts, Finding, Severity};
use crate::{
    Call, Context,
    approvals::gate,
    change::Change,
    deployments::{DeploymentError, putting_back::GATES, started_before},
};

/// A release to make.
#[derive(Debug, Clone, Serialize)]
pub struct CreateRelease {
    /// The project.
    pub project: Slug,
    /// What people call it.
    pub name: DisplayName,
    /// What it is for.
    pub description: Description,
    /// Where.
    pub environment: Slug,
    /// What becomes current.
    pub items: Vec<Wanted>,
    /// Whether it is carried out as soon as nobody has to agree any more.
    pub execute_on_approval: bool,
    /// When it is to be carried out.
    pub start_at: Option<Timestamp>,
    /// Only says what would be made.
    pub validate_only: bool,
}

/// A version that is to become current.
#[derive(Debug, Clone, Serialize)]
pub struct Wanted {
    /// The application.
    pub application: Key,
    /// Its version; `None` takes it out.
    pub version: Option<Key>,
    /// What changes.
    pub message: Notes,
    /// How risky it is said to be.
    pub declared: RiskLevel,
    /// Whether it may be older than the one that is current.
    pub allow_older: bool,
}

/// A release, and what should be known about it.
#[derive(Debug, Clone)]
pub struct Made {
    /// The deployment.
    pub deployment: Deployment,
    /// What was found.
    pub findings: Vec<Finding>,
}

/// Makes a release.
pub async fn create_release(
    context: &Context,
    call: &Call<'_>,
    command: CreateRelease,
) -> Result<Made, DeploymentError> {
    let project = context
        .authorise_in(call, Command::CreateRelease, &command.project)
        .await?;
    let target = context
        .reader()
        .environment(project, &command.environment)
        .await?;
    let target = target.ok_or_else(|| DeploymentError::EnvironmentNotFound {
        slug: command.environment.clone(),
    })?;
    let facts = facts::read(context, project, &target, &command.items).await?;
    let findings = found(&command.items, &facts);
    let id = DeploymentId::new(&*context.ids);
    let mut change = Change::begin(context, call, Command::CreateRelease, Some(project)).await?;
    if !command.validate_only
        && let Some(earlier) = change.made_before(&command, &id.to_string()).await?
    {
        let deployment = started_before(&mut change, project, &earlier).await?;
        return Ok(Made {
            deployment,
            findings: Vec::new(),
        });
    }
    change.require_open(&command.project).await?;
    if target.archived_at.is_some() {
        return Err(DeploymentError::EnvironmentArchived { slug: target.slug });
    }
    if findings.iter().any(|it| it.severity == Severity::Error) {
        return Err(DeploymentError::ReleaseHasFindings { findings });
    }
    let bound = bound(&command.items, &facts, &target);
    let mut deployment = Deployment {
        release: Some(Release {
            name: command.name.clone(),
            description: command.description.clone(),
            execute_on_approval: command.execute_on_approval,
        }),
        not_before: command.start_at,
        ..Deployment::from(NewDeployment {
            id,
            project,
            kind: DeploymentKind::Release,
            target: target.id,
            origin: Origin::Chosen,
            gates: GATES,
            plan_digest: bound.digest()?,
            requested_by: call.caller.principal,
            created_at: change.now,
            reason: None,
            items: items(&command.items, &facts),
        })
    };
    deployment.risk = riskiest(&deployment);
    let asked_for = gate::add(context, &mut *change.unit, &mut deployment).await?;
    if command.validate_only {
        return Ok(Made {
            deployment,
            findings,
        });
    }
    change
        .done(
            Resource::new("deployment", &id),
            None,
            Some(json!({
                "number": deployment.number,
                "kind": deployment.kind,
                "state": deployment.state,
                "name": command.name,
                "target": command.environment,
                "risk": deployment.risk,
                "plan_digest": deployment.plan_digest,
                "items": deployment.items.len(),
                "approval_request": asked_for,
            })),
        )
        .await?;
    Ok(Made {
        deployment,
        findings,
    })
}

fn riskiest(deployment: &Deployment) -> RiskLevel {
    let risks = deployment.items.iter().filter_map(|item| {
        let released = item.released.as_ref()?;
        Some(released.risk)
    });
    risks.max().unwrap_or(RiskLevel::Low)
}

/// What people agree to.
fn bound(wanted: &[Wanted], facts: &Facts, target: &Environment) -> Bound {
    let items = wanted.iter().filter_map(|item| {
        let application = facts.applications.get(&item.application)?;
        let version = item.version.as_ref();
        let version = version.and_then(|_| facts.versions.get(&item.application));
        let item = BoundItem {
            application: application.id,
            version: version.map(|version| version.id),
            content: version.and_then(|version| version.digest),
        };
        Some((application.key.clone(), item))
    });
    let base = facts.current.iter();
    Bound {
        target: target.id,
        items: items.collect(),
        base: base.map(|(key, it)| (key.clone(), it.version)).collect(),
    }
}

fn items(wanted: &[Wanted], facts: &Facts) -> Vec<Item> {
    let items = (0..).zip(wanted).filter_map(|(position, wanted)| {
        let application = facts.applications.get(&wanted.application)?;
        let before = facts.current.get(&wanted.application);
        let after = wanted.version.as_ref();
        let after = after.and_then(|_| facts.versions.get(&wanted.application));
        let released = Released {
            kind: application.kind,
            before: before.map(|it| VersionRef {
                id: it.version,
                identifier: it.identifier.clone(),
            }),
            after: after.map(|it| VersionRef {
                id: it.id,
                identifier: it.identifier.clone(),
            }),
            message: wanted.message.clone(),
            declared: wanted.declared,
            risk: wanted.declared,
            factors: Vec::new(),
        };
        Some(Item {
            position,
            key: application.key.clone(),
            name: application.display_name.to_string(),
            application: Some(application.id),
            change: change_of(&released),
            status: ItemStatus::Pending,
            workflow: None,
            before: None,
            after: None,
            rank: 0,
            in_cycle: false,
            problem: None,
            released: Some(released),
        })
    });
    items.collect()
}

/// What a chosen version does to its application.
pub(super) fn change_of(released: &Released) -> ItemChange {
    let (before, after) = (released.before.as_ref(), released.after.as_ref());
    match (before, after) {
        (None, Some(_)) => ItemChange::Created,
        (Some(before), Some(after)) if before.id != after.id => ItemChange::Updated,
        (Some(_), None) => ItemChange::Deleted,
        (Some(_), Some(_)) | (None, None) => ItemChange::Unchanged,
    }
}

fn found(wanted: &[Wanted], facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, item) in wanted.iter().enumerate() {
        let key = &item.application;
        let mut error = |reason, message| {
            findings.push(Finding {
                severity: Severity::Error,
                reason,
                item: Some(at),
                message,
            });
        };
        if !facts.applications.contains_key(key) {
            error(
                "APPLICATION_NOT_FOUND",
                format!("there is no application `{key}` in this project"),
            );
        } else if let Some(version) = &item.version
            && !facts.versions.contains_key(key)
        {
            error(
                "VERSION_NOT_FOUND",
                format!("`{key}` has no version `{version}`"),
            );
        }
    }
    findings
}
