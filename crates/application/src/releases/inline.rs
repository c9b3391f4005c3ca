//! A release is carried out in one unit of work: its versions become current in the moment in which it commits.

use slipway_audit::{Fact, FactKind};
use slipway_deployments::{
    Change, Deployment, DeploymentKind, Item, ItemStatus, Problem, State, VersionRef,
};
use slipway_kernel::{Attributes, PersonId, RecordId, Slug, StoreError, Timestamp, text::Notes};
use slipway_ledger::{
    CellPlace, NewRecord, RecordKind,
    record::{ExternalId, Placed, Target, TargetNames},
};
use slipway_store::UnitOfWork;

use super::base::Base;
use crate::{CommandError, Context, deployments::executor::tell_undone, error::dangling};

/// What became of carrying out.
pub(crate) enum Ran {
    /// The versions are current; the records that say so.
    Done {
        /// What the audit event vouches for.
        facts: Vec<Fact>,
    },
    /// Something else would happen than what was agreed to; nothing was written.
    Changed,
    /// It can't be done; nothing was written.
    Impossible(Problem),
}

/// Carries a release out that is [`State::Approved`]. Whoever calls has looked at everything else that may stand against it.
pub(crate) async fn run(
    context: &Context,
    unit: &mut dyn UnitOfWork,
    deployment: &mut Deployment,
    now: Timestamp,
) -> Result<Ran, CommandError> {
    // Held, so that deployments to one environment look at each other's outcome.
    let target = unit.environments().hold(deployment.target).await?;
    let target = target.ok_or_else(|| dangling("environment", deployment.target))?;
    if target.archived_at.is_some() {
        let message = format!("the environment `{}` is archived", target.slug);
        return Ok(Ran::Impossible(problem("ENVIRONMENT_ARCHIVED", message)));
    }
    let base = Base::hold(unit, deployment).await?;
    let now = base.moment(now);
    if base.digest(deployment)? != deployment.plan_digest {
        return Ok(Ran::Changed);
    }
    if let Some(problem) = base.objection(deployment, target.tier) {
        return Ok(Ran::Impossible(problem));
    }
    let facts = match record(context, unit, deployment, &target.slug, now).await? {
        Ok(facts) => facts,
        Err(problem) => return Ok(Ran::Impossible(problem)),
    };
    let from = deployment.state;
    let succeeded = from
        .to(State::Queued)?
        .to(State::Running)?
        .to(State::Succeeded)?;
    deployment.state = succeeded;
    deployment.started_at = Some(now);
    deployment.finished_at = Some(now);
    deployment.problem = None;
    for item in &mut deployment.items {
        item.status = match item.change {
            Change::Unchanged | Change::Skipped => ItemStatus::Skipped,
            Change::Created | Change::Updated | Change::Deleted => ItemStatus::Succeeded,
        };
    }
    let deployments = unit.deployments();
    deployments
        .update_items(deployment.id, &deployment.items)
        .await?;
    deployments.update(deployment, from).await?;
    tell_undone(deployment, unit).await?;
    Ok(Ran::Done { facts })
}

/// Lets a release say what it would do as things are now, and how risky that is; and answers with what would stand against it.
pub(crate) async fn rebase(
    unit: &mut dyn UnitOfWork,
    deployment: &mut Deployment,
) -> Result<Option<Problem>, CommandError> {
    let target = unit.environments().hold(deployment.target).await?;
    let target = target.ok_or_else(|| dangling("environment", deployment.target))?;
    let base = Base::hold(unit, deployment).await?;
    base.apply(deployment, target.tier)?;
    unit.deployments().replace_plan(deployment, &[]).await?;
    Ok(base.objection(deployment, target.tier))
}

/// What there is to say about carrying a release out at this moment.
pub(crate) enum Standing {
    /// It would do what was agreed to, at this moment.
    AsAgreed(Timestamp),
    /// It would do something else.
    Changed,
    /// It can't be done.
    Impossible(Problem),
}

/// Looks whether a release would do what was agreed to. The environment and what is current are held.
pub(crate) async fn stands(
    unit: &mut dyn UnitOfWork,
    deployment: &Deployment,
    now: Timestamp,
) -> Result<Standing, CommandError> {
    let target = unit.environments().hold(deployment.target).await?;
    let target = target.ok_or_else(|| dangling("environment", deployment.target))?;
    if target.archived_at.is_some() {
        let message = format!("the environment `{}` is archived", target.slug);
        let archived = problem("ENVIRONMENT_ARCHIVED", message);
        return Ok(Standing::Impossible(archived));
    }
    let base = Base::hold(unit, deployment).await?;
    let now = base.moment(now);
    if base.digest(deployment)? != deployment.plan_digest {
        return Ok(Standing::Changed);
    }
    if let Some(problem) = base.objection(deployment, target.tier) {
        return Ok(Standing::Impossible(problem));
    }
    let moved = all_moved(deployment)?;
    let targets = targets(unit, deployment, &moved, &target.slug, now).await?;
    let mut moved = moved.iter().zip(&targets);
    let against = moved.find_map(|(moved, found)| unfit(deployment.kind, moved, found));
    Ok(against.map_or(Standing::AsAgreed(now), Standing::Impossible))
}

/// The moment at which a release is carried out that is carried out now.
pub(crate) async fn moment(
    unit: &mut dyn UnitOfWork,
    deployment: &Deployment,
    now: Timestamp,
) -> Result<Timestamp, StoreError> {
    Ok(Base::hold(unit, deployment).await?.moment(now))
}

fn all_moved(deployment: &Deployment) -> Result<Vec<Moved<'_>>, StoreError> {
    let mut moved = Vec::with_capacity(deployment.items.len());
    for item in &deployment.items {
        moved.extend(moved_by(deployment, item)?);
    }
    Ok(moved)
}

/// What the records would be about.
async fn targets(
    unit: &mut dyn UnitOfWork,
    deployment: &Deployment,
    moved: &[Moved<'_>],
    target: &Slug,
    now: Timestamp,
) -> Result<Vec<Target>, StoreError> {
    let names: Vec<_> = moved
        .iter()
        .map(|moved| TargetNames {
            application: &moved.item.key,
            version: &moved.version.identifier,
            environment: target,
            deployed_by: None,
            reporter: deployment.requested_by,
            external_id: Some(&moved.external_id),
            reported_at: now,
            kind: moved.kind,
        })
        .collect();
    unit.records().targets(deployment.project, &names).await
}

/// Adds the ledger's records of everything that changes.
pub(crate) async fn record(
    context: &Context,
    unit: &mut dyn UnitOfWork,
    deployment: &Deployment,
    target: &Slug,
    now: Timestamp,
) -> Result<Result<Vec<Fact>, Problem>, CommandError> {
    let moved = all_moved(deployment)?;
    let targets = targets(unit, deployment, &moved, target, now).await?;
    let stands_against = moved
        .iter()
        .zip(&targets)
        .find_map(|(moved, found)| unfit(deployment.kind, moved, found));
    if let Some(problem) = stands_against {
        return Ok(Err(problem));
    }
    let mut records = Vec::with_capacity(moved.len());
    for (moved, found) in moved.iter().zip(&targets) {
        records.push((moved.record(context, deployment, now)?, found.sequence));
    }
    let mut facts = Vec::with_capacity(records.len());
    let mut placed = Vec::with_capacity(records.len());
    for ((record, sequence), moved) in records.iter().zip(&moved) {
        facts.push(Fact {
            kind: FactKind::DeploymentRecord,
            record: record.id,
            digest: record.digest(*sequence)?,
        });
        placed.push(Placed {
            record,
            sequence: *sequence,
            cell: CellPlace {
                application: moved.item.key.clone(),
                environment: target.clone(),
            },
        });
    }
    if !placed.is_empty() {
        unit.records().add(&placed).await?;
    }
    Ok(Ok(facts))
}

/// A version that an item brings or takes away.
struct Moved<'a> {
    item: &'a Item,
    kind: RecordKind,
    version: &'a VersionRef,
    external_id: ExternalId,
}

fn moved_by<'d>(deployment: &Deployment, item: &'d Item) -> Result<Option<Moved<'d>>, StoreError> {
    let Some(released) = &item.released else {
        return Ok(None);
    };
    let (kind, version) = match item.change {
        Change::Created | Change::Updated => (RecordKind::Deployed, released.after.as_ref()),
        Change::Deleted => (RecordKind::Removed, released.before.as_ref()),
        Change::Unchanged | Change::Skipped => return Ok(None),
    };
    let id = format!("slipway:deployment:{}:{}", deployment.id, item.position);
    let external_id = id
        .parse()
        .map_err(|error| StoreError::Fault(Box::new(error)))?;
    Ok(version.map(|version| Moved {
        item,
        kind,
        version,
        external_id,
    }))
}

/// Why a version can't become current any more. What is deprecated can be gone back to: what took its place may be worse.
fn unfit(kind: DeploymentKind, moved: &Moved<'_>, found: &Target) -> Option<Problem> {
    if found.project_archived {
        let message = "the project is archived".to_owned();
        return Some(problem("PROJECT_ARCHIVED", message));
    }
    if moved.kind == RecordKind::Removed {
        return None;
    }
    let key = &moved.item.key;
    if found.application.as_ref().is_none_or(|it| it.archived) {
        let message = format!("the application `{key}` is archived");
        return Some(problem("APPLICATION_ARCHIVED", message));
    }
    let deprecated = found.version.is_some_and(|version| version.deprecated);
    (deprecated && kind != DeploymentKind::Rollback).then(|| {
        let message = format!(
            "version `{}` of `{key}` is deprecated",
            moved.version.identifier
        );
        problem("VERSION_DEPRECATED", message)
    })
}

impl Moved<'_> {
    fn record(
        &self,
        context: &Context,
        deployment: &Deployment,
        now: Timestamp,
    ) -> Result<NewRecord, StoreError> {
        let application = self.item.application;
        Ok(NewRecord {
            id: RecordId::new(&*context.ids),
            project: deployment.project,
            application: application.ok_or_else(|| dangling("application", &self.item.key))?,
            version: self.version.id,
            environment: deployment.target,
            kind: self.kind,
            deployed_at: now,
            reported_at: now,
            recorded_at: now,
            reporter: deployment.requested_by,
            deployed_by: Some(PersonId::from_uuid(deployment.requested_by.uuid())),
            risk: self.item.released.as_ref().map(|released| released.risk),
            notes: Notes::default(),
            attributes: Attributes::default(),
            external_id: Some(self.external_id.clone()),
            deployment: Some(deployment.id),
            outside_governance: false,
        })
    }
}

fn problem(reason: &str, message: String) -> Problem {
    Problem {
        reason: reason.to_owned(),
        message,
    }
}
