use std::time::Duration;

use serde::Serialize;
use serde_json::json;
use slipway_audit::Resource;
use slipway_catalog::Environment;
use slipway_deployments::{
    Bound, BoundItem, Change as ItemChange, Deployment, DeploymentKind, Item, ItemStatus,
    NewDeployment, Origin, Release, Released, VersionRef,
    release::{Draft, DraftItem, Findings, assess, circumstances, findings},
};
use slipway_identity::Command;
use slipway_kernel::{
    DeploymentId, ProjectId, Sha256, Slug, Timestamp,
    text::{Description, DisplayName},
};

use super::{
    ReleaseError,
    base::riskiest,
    drafted,
    facts::{self, Known},
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
    pub draft: Draft,
    /// Whether it is carried out as soon as nobody has to agree any more.
    pub execute_on_approval: bool,
    /// When it is to be carried out.
    pub start_at: Option<Timestamp>,
    /// Only says what would be made.
    pub validate_only: bool,
}

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
    let project = context
        .authorise_in(call, Command::CreateRelease, &command.project)
        .await?;
    let (target, known) = look(context, project, &command).await?;
    let mut findings = findings(&command.draft, &known.facts);
    let mut written = None;
    if target.archived_at.is_none() && drafted::writes(context, &target, &known).await? {
        // A request that was carried out answers when it is repeated, whatever the engine says now.
        if let Some(deployment) = made_before(context, call, project, &command).await? {
            return Ok(repeated(deployment));
        }
        let draft = &command.draft;
        written = drafted::plan(context, &target, draft, &known, &mut findings).await?;
    }
    let id = DeploymentId::new(&*context.ids);
    let mut chosen = chosen(&command.draft, &known);
    if let Some(made) = &written
        && !findings.refuse()
    {
        let keep = !command.validate_only;
        workflows::fill(context, &mut chosen, &made.plan, keep).await?;
    }
    let mut change = Change::begin(context, call, Command::CreateRelease, Some(project)).await?;
    if !command.validate_only
        && let Some(earlier) = change.made_before(&command, &id.to_string()).await?
    {
        let deployment = started_before(&mut change, project, &earlier).await?;
        return Ok(repeated(deployment));
    }
    change.require_open(&command.project).await?;
    if target.archived_at.is_some() {
        return Err(DeploymentError::EnvironmentArchived { slug: target.slug });
    }
    if findings.refuse() {
        return Err(ReleaseError::HasFindings { findings }.into());
    }
    check_start(command.start_at, change.now)?;
    let workflows = written.as_ref().map(|made| made.plan.digest);
    let bound = bound(&command.draft.items, &known, &target, workflows);
    let mut deployment = Deployment {
        release: Some(described(&command)),
        not_before: command.start_at,
        workflows: bound.workflows,
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
            items: chosen,
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
    let after = json!({
        "number": deployment.number,
        "kind": deployment.kind,
        "state": deployment.state,
        "name": command.name,
        "target": command.environment,
        "risk": deployment.risk,
        "plan_digest": deployment.plan_digest,
        "items": deployment.items.len(),
        "approval_request": asked_for,
    });
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

/// How far ahead the start of a release may be.
const MOST_AHEAD: Duration = Duration::from_hours(90 * 24);

fn check_start(start_at: Option<Timestamp>, now: Timestamp) -> Result<(), ReleaseError> {
    match start_at {
        Some(at) if at < now || at > now.plus(MOST_AHEAD) => Err(ReleaseError::StartTime {
            at,
            days: MOST_AHEAD.as_secs() / 86_400,
        }),
        _ => Ok(()),
    }
}

fn described(command: &CreateRelease) -> Release {
    Release {
        name: command.name.clone(),
        description: command.description.clone(),
        // What has a time begins by itself then.
        execute_on_approval: command.execute_on_approval || command.start_at.is_some(),
    }
}

/// Where the release goes, and what is known about what it names.
async fn look(
    context: &Context,
    project: ProjectId,
    command: &CreateRelease,
) -> Result<(Environment, Known), DeploymentError> {
    let reader = context.reader();
    let slug = &command.project;
    let described = reader.project(slug).await?;
    let described =
        described.ok_or_else(|| CommandError::ProjectNotFound { slug: slug.clone() })?;
    let target = reader.environment(project, &command.environment).await?;
    let target = target.ok_or_else(|| DeploymentError::EnvironmentNotFound {
        slug: command.environment.clone(),
    })?;
    let known = facts::read(context, &described, &target, &command.draft.items).await?;
    Ok((target, known))
}

/// The release that this request made when it was made before, as it is now.
async fn made_before(
    context: &Context,
    call: &Call<'_>,
    project: ProjectId,
    command: &CreateRelease,
) -> Result<Option<Deployment>, DeploymentError> {
    if call.request_id.is_none() || command.validate_only {
        return Ok(None);
    }
    let mut change = Change::begin(context, call, Command::CreateRelease, Some(project)).await?;
    Ok(match change.made_before(command, "").await? {
        Some(earlier) => Some(started_before(&mut change, project, &earlier).await?),
        None => None,
    })
}

const fn repeated(deployment: Deployment) -> Made {
    Made {
        deployment,
        findings: Findings {
            listed: Vec::new(),
            left_out: 0,
        },
    }
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
