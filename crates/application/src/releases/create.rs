use std::time::Duration;

use serde::Serialize;
use serde_json::json;
use slipway_audit::Resource;
use slipway_catalog::Environment;
use slipway_deployments::{
    Bound, BoundItem, Change as ItemChange, Deployment, DeploymentKind, Item, ItemStatus,
    NewDeployment, Origin, Release, Released, Template, VersionRef,
    release::{Draft, DraftItem, Findings, assess, circumstances},
};
use slipway_kernel::{
    ApprovalRequestId, DeploymentId, ProjectId, Sha256, Slug, Timestamp,
    text::{Description, DisplayName},
};

use super::{
    ReleaseError,
    base::riskiest,
    drafted,
    facts::{self, Known},
    source::{Drawn, Source},
    start::{Started, start_new},
    workflows,
};
use crate::{
    Call, CommandError, Context,
    approvals::gate,
    change::{Change, Done},
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
    pub source: Source,
    /// Whether it is carried out as soon as nobody has to agree any more.
    pub execute_on_approval: bool,
    /// When it is to be carried out.
    pub start_at: Option<Timestamp>,
    /// Only says what would be made.
    pub validate_only: bool,
}

/// How far ahead a release may be to begin.
const MAX_AHEAD: Duration = Duration::from_hours(90 * 24);

/// A release, and what should be known about it.
#[derive(Debug, Clone)]
pub struct Made {
    /// The deployment.
    pub deployment: Deployment,
    /// What was found.
    pub findings: Findings,
}

/// Makes a release.
pub async fn create_release(
    context: &Context,
    call: &Call<'_>,
    command: CreateRelease,
) -> Result<Made, DeploymentError> {
    let asked = command.source.command();
    let project = context.authorise_in(call, asked, &command.project).await?;
    let looked_at = look(context, project, &command).await;
    let id = DeploymentId::new(&*context.ids);
    let mut change = Change::begin(context, call, asked, Some(project)).await?;
    if !command.validate_only
        && let Some(earlier) = change.made_before(&command, &id.to_string()).await?
    {
        let deployment = started_before(&mut change, project, &earlier).await?;
        return Ok(Made {
            deployment,
            findings: Findings::default(),
        });
    }
    change.require_open(&command.project).await?;
    // Not before: a request that was carried out answers again, also where its template is gone.
    let LookedAt {
        target,
        drawn,
        known,
        findings,
        items,
        written,
    } = looked_at?;
    if let Some(at) = command.start_at
        && !(change.now..=change.now.plus(MAX_AHEAD)).contains(&at)
    {
        return Err(ReleaseError::StartTime { at }.into());
    }
    if target.archived_at.is_some() {
        return Err(DeploymentError::EnvironmentArchived { slug: target.slug });
    }
    if findings.refuse() {
        return Err(ReleaseError::HasFindings { findings }.into());
    }
    let workflows = written.as_ref().map(|made| made.plan.digest);
    let bound = bound(&drawn.draft.items, &known, &target, workflows);
    let mut deployment = Deployment {
        release: Some(Release {
            name: command.name.clone(),
            description: drawn.description.clone(),
            // What has a time begins by itself then.
            execute_on_approval: command.execute_on_approval || command.start_at.is_some(),
            template: drawn.template_version(),
        }),
        not_before: command.start_at,
        workflows,
        ..Deployment::from(NewDeployment {
            id,
            project,
            kind: DeploymentKind::Release,
            target: target.id,
            origin: Origin::Chosen,
            gates: match written {
                Some(_) => workflows::GATES,
                None => GATES,
            },
            plan_digest: bound.digest()?,
            requested_by: call.caller.principal,
            created_at: change.now,
            reason: None,
            items,
        })
    };
    deployment.risk = riskiest(&deployment.items);
    let asked_for = gate::add(context, &mut *change.unit, &mut deployment).await?;
    if command.validate_only {
        return Ok(Made {
            deployment,
            findings,
        });
    }
    if let Some(made) = &written {
        let engines = change.unit.engines();
        engines.set_links(target.id, &made.target.new_links).await?;
    }
    let now = change.now;
    let started = start_new(context, &mut *change.unit, &mut deployment, now).await?;
    let facts = started.map_or_else(Vec::new, Started::facts);
    let after = shown(&deployment, &command, drawn.template.as_ref(), asked_for);
    change
        .audit(Done {
            resource: Resource::new("deployment", &id),
            before: None,
            after: Some(after),
            facts: &facts,
        })
        .await?;
    change.commit().await?;
    Ok(Made {
        deployment,
        findings,
    })
}

/// A new release, as the audit trail shows it.
fn shown(
    deployment: &Deployment,
    command: &CreateRelease,
    template: Option<&Template>,
    asked_for: Option<ApprovalRequestId>,
) -> serde_json::Value {
    json!({
        "number": deployment.number,
        "kind": deployment.kind,
        "state": deployment.state,
        "name": command.name,
        "template": template.map(named),
        "target": command.environment,
        "risk": deployment.risk,
        "plan_digest": deployment.plan_digest,
        "items": deployment.items.len(),
        "approval_request": asked_for,
    })
}

/// What there is to decide by, as it is before the unit of work.
struct LookedAt {
    target: Environment,
    drawn: Drawn,
    known: Known,
    findings: Findings,
    /// As far as nothing stands against them.
    items: Vec<Item>,
    /// What the workflows take, where an engine is changed.
    written: Option<workflows::Made>,
}

async fn look(
    context: &Context,
    project: ProjectId,
    command: &CreateRelease,
) -> Result<LookedAt, DeploymentError> {
    let reader = context.reader();
    let slug = &command.project;
    let described = reader.project(slug).await?;
    let described =
        described.ok_or_else(|| CommandError::ProjectNotFound { slug: slug.clone() })?;
    let target = reader.environment(project, &command.environment).await?;
    let target = target.ok_or_else(|| DeploymentError::EnvironmentNotFound {
        slug: command.environment.clone(),
    })?;
    let drawn = command.source.draw(context, project, &command.description);
    let drawn = drawn.await?;
    let items = &drawn.draft.items;
    let known = facts::read(context, &described, &target, items).await?;
    let part = drafted::plan(context, &target, &drawn.draft, &known).await?;
    let findings = drawn.findings(&known.facts, part.findings, &part.written);
    let mut items = chosen(&drawn.draft, &known);
    if let Some(made) = part.made.as_ref().filter(|_| !findings.refuse()) {
        let keep = !command.validate_only;
        workflows::fill(context, &mut items, &made.plan, keep).await?;
    }
    Ok(LookedAt {
        target,
        drawn,
        known,
        findings,
        items,
        written: part.made,
    })
}

/// The version of a template, as the audit trail shows it.
fn named(template: &Template) -> serde_json::Value {
    json!({
        "template_id": template.id,
        "slug": template.slug,
        "version": template.version.0,
    })
}

/// What people agree to.
fn bound(
    items: &[DraftItem],
    known: &Known,
    target: &Environment,
    workflows: Option<Sha256>,
) -> Bound {
    let bound = items.iter().filter_map(|item| {
        let application = known.applications.get(&item.application)?;
        let version = known.version(item);
        let bound = BoundItem {
            application: application.id,
            version: version.map(|version| version.id),
            content: version.and_then(|version| version.digest),
        };
        Some((application.key.clone(), bound))
    });
    let base = known.current.iter();
    Bound {
        target: target.id,
        items: bound.collect(),
        base: base.map(|(key, it)| (key.clone(), it.version)).collect(),
        workflows,
    }
}

fn chosen(draft: &Draft, known: &Known) -> Vec<Item> {
    let chosen = (0..).zip(&draft.items).filter_map(|(position, item)| {
        let application = known.applications.get(&item.application)?;
        let before = known.current.get(&item.application);
        let after = known.version(item);
        let assessment = assess(item.declared, circumstances(draft, item, &known.facts)?);
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
            message: item.message.clone(),
            declared: item.declared,
            risk: assessment.level,
            factors: assessment.factors,
            allow_older: item.allow_older,
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
    chosen.collect()
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
