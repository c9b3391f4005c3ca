//! Rollbacks: what a deployment changed, back to what it was before.

use serde::Serialize;
use serde_json::json;
use slipway_audit::{Fact, Resource};
use slipway_deployments::{
    Deployment, DeploymentKind, DeploymentName, NewDeployment, Origin, Plan, State,
};
use slipway_identity::Command;
use slipway_kernel::{DeploymentId, ProjectId, Slug, SnapshotId, Tier, text::Reason};

use super::{
    DeploymentError, PuttingBackError, environment,
    executor::plan_now,
    putting_back::{Bound, GATES, later_writers, plan_back, touched},
    started_before,
};
use crate::{
    Call, Context,
    approvals::gate,
    change::{Change, Done},
    releases::{
        self,
        rollback::Wish,
        start::{Started, start_new},
        workflows,
    },
};

/// A deployment to undo.
#[derive(Debug, Clone, Serialize)]
pub struct RollbackDeployment {
    /// The project.
    pub project: Slug,
    /// The deployment.
    pub deployment: DeploymentName,
    /// Why.
    pub reason: Reason,
    /// Of a release: the earlier deployment whose outcome to go back to.
    pub back_to: Option<DeploymentName>,
}

/// What a rollback would be.
#[derive(Debug, Clone)]
pub enum PlannedRollback {
    /// Workflows in an engine.
    Workflows {
        /// The environment's slug.
        target: Slug,
        /// What it takes.
        plan: Plan,
    },
    /// Versions in the ledger: the deployment that it would be.
    Release(Box<Deployment>),
}

/// Says what a rollback would do in which environment, and changes nothing. It reads the target's engine and the snapshot.
pub async fn plan_rollback(
    context: &Context,
    call: &Call<'_>,
    command: &RollbackDeployment,
) -> Result<PlannedRollback, DeploymentError> {
    let (mut change, project) =
        Change::in_any_project(context, call, Command::RollbackDeployment, &command.project)
            .await?;
    let mut rollback = rollback(context, call, &mut change, project, command).await?;
    gate::add(context, &mut *change.unit, &mut rollback).await?;
    started(context, &mut change, &mut rollback.clone()).await?;
    // Engines are not waited for while anything is held.
    drop(change);
    if rollback.chooses_versions() {
        return Ok(PlannedRollback::Release(Box::new(
            with_workflows(context, rollback).await?,
        )));
    }
    let target = context.environment_slug(rollback.target).await?;
    let plan = plan_back(context, &rollback).await?;
    Ok(PlannedRollback::Workflows { target, plan })
}

/// With what its workflows would take at this moment.
async fn with_workflows(
    context: &Context,
    mut rollback: Deployment,
) -> Result<Deployment, DeploymentError> {
    if rollback.workflows.is_some() {
        let planned = plan_now(context, &rollback).await;
        let made = planned.map_err(PuttingBackError::Impossible)?;
        workflows::fill(context, &mut rollback.items, &made.plan, false).await?;
    }
    Ok(rollback)
}

/// Asks for what a deployment changed to be put back to what it was before, as a deployment of its own. What it takes is
/// planned when it is carried out; when it has succeeded, the deployment undone is `ROLLED_BACK`.
pub async fn rollback_deployment(
    context: &Context,
    call: &Call<'_>,
    command: RollbackDeployment,
) -> Result<Deployment, DeploymentError> {
    let (mut change, project) =
        Change::in_any_project(context, call, Command::RollbackDeployment, &command.project)
            .await?;
    let id = DeploymentId::new(&*context.ids);
    if let Some(earlier) = change.made_before(&command, &id.to_string()).await? {
        return Ok(started_before(&mut change, project, &earlier).await?);
    }
    let mut deployment = Deployment {
        id,
        ..rollback(context, call, &mut change, project, &command).await?
    };
    let asked_for = gate::add(context, &mut *change.unit, &mut deployment).await?;
    let facts = started(context, &mut change, &mut deployment).await?;
    let after = json!({
        "number": deployment.number,
        "kind": deployment.kind,
        "state": deployment.state,
        "risk": deployment.risk,
        "undoes": deployment.origin,
        "back_to": deployment.back_to,
        "reason": command.reason,
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
    Ok(deployment)
}

/// Carries it out at once where nothing holds it up; refused where it can't be done at all.
async fn started(
    context: &Context,
    change: &mut Change<'_>,
    deployment: &mut Deployment,
) -> Result<Vec<Fact>, DeploymentError> {
    let now = change.now;
    match start_new(context, &mut *change.unit, deployment, now).await? {
        Some(Started::Impossible(problem)) => Err(DeploymentError::PlanHasProblems {
            problems: vec![problem],
        }),
        started => Ok(started.map_or_else(Vec::new, Started::facts)),
    }
}

/// The rollback that is asked for, where nothing stands against it. The deployment to undo is held, so that of several
/// rollbacks one wins.
async fn rollback(
    context: &Context,
    call: &Call<'_>,
    change: &mut Change<'_>,
    project: ProjectId,
    command: &RollbackDeployment,
) -> Result<Deployment, DeploymentError> {
    change.require_open(&command.project).await?;
    let name = command.deployment;
    let found = change.unit.deployments().find(project, name).await?;
    let undone = found.ok_or(DeploymentError::NotFound { name })?;
    let number = undone.number;
    if let Some(by) = change.unit.deployments().undone_by(undone.id).await? {
        let state = undone.state;
        return Err(DeploymentError::UndoneAlready { number, by, state });
    }
    let target = environment(context, undone.target).await?;
    if target.archived_at.is_some() {
        return Err(DeploymentError::EnvironmentArchived { slug: target.slug });
    }
    // One that failed moved no version: what it left in the engine goes back to the snapshot from before it.
    let failed = undone.state == State::Failed && undone.workflows.is_some();
    if undone.chooses_versions() && !failed {
        return of_release(context, call, change, (&undone, target.tier), command).await;
    }
    if command.back_to.is_some() {
        return Err(DeploymentError::NotReversible {
            number,
            kind: undone.kind,
            state: undone.state,
            why: "it goes back to the snapshot from before it, and to no other deployment",
        });
    }
    let steps = change.unit.deployments().steps(undone.id).await?;
    let nothing_stands = touched(&undone, &steps).is_empty();
    let pre_snapshot = reversible(&undone, nothing_stands)?;
    let later = later_writers(context, undone.id).await?;
    if !later.is_empty() {
        return Err(DeploymentError::LaterDeployments { number, later });
    }
    let rollback = NewDeployment {
        id: DeploymentId::new(&*context.ids),
        project,
        kind: DeploymentKind::Rollback,
        target: undone.target,
        origin: Origin::Undoes {
            deployment: undone.id,
        },
        gates: GATES,
        plan_digest: Bound::Rollback(undone.id, pre_snapshot)
            .digest(context, undone.target)
            .await?,
        requested_by: call.caller.principal,
        created_at: change.now,
        reason: Some(command.reason.clone()),
        items: Vec::new(),
    };
    Ok(rollback.into())
}

/// The rollback of a release, not added yet.
async fn of_release(
    context: &Context,
    call: &Call<'_>,
    change: &mut Change<'_>,
    (undone, tier): (&Deployment, Tier),
    command: &RollbackDeployment,
) -> Result<Deployment, DeploymentError> {
    let number = undone.number;
    // Held, so that no other release begins there between these looks.
    change.unit.environments().hold(undone.target).await?;
    let why = match (undone.kind, undone.state) {
        (DeploymentKind::Rollback, _) => "it is a rollback itself: release again",
        (_, State::Succeeded) => "",
        (_, State::RolledBack) => "it was rolled back already",
        (_, State::PendingApproval | State::Approved) => "it was not carried out: cancel it",
        (_, State::InDoubt) => "nobody can tell what it did: resolve that first",
        (_, state) if !state.is_over() => "it is not over: cancel it, or wait",
        _ => "it was never carried out",
    };
    if !why.is_empty() {
        return Err(DeploymentError::NotReversible {
            number,
            kind: undone.kind,
            state: undone.state,
            why,
        });
    }
    let later = later_writers(context, undone.id).await?;
    if !later.is_empty() {
        return Err(DeploymentError::LaterDeployments { number, later });
    }
    let wish = Wish {
        tier,
        by: call.caller.principal,
        at: change.now,
        reason: command.reason.clone(),
        back_to: command.back_to,
    };
    releases::rollback::rollback(context, &mut *change.unit, undone, wish).await
}

/// The snapshot that a rollback goes back to.
fn reversible(undone: &Deployment, nothing_stands: bool) -> Result<SnapshotId, DeploymentError> {
    let why = match (undone.kind, undone.state, undone.pre_snapshot) {
        (DeploymentKind::Rollback, ..) => {
            "it is a rollback itself: promote again, or restore a snapshot"
        }
        (_, State::Succeeded | State::Failed, _) if nothing_stands => {
            "nothing that it wrote is in the environment"
        }
        (_, State::Succeeded | State::Failed, Some(snapshot)) => return Ok(snapshot),
        (_, State::Succeeded | State::Failed, None) => "it has no snapshot from before",
        (_, State::Canceled, _) => "it was canceled: restore the snapshot from before it",
        (_, State::InDoubt, _) => "nobody can tell what it did: resolve that first",
        (_, State::Rejected | State::Expired, _) => "it never began",
        (_, State::RolledBack, _) => "it was rolled back already",
        _ => "it is not over: cancel it, or wait",
    };
    Err(DeploymentError::NotReversible {
        number: undone.number,
        kind: undone.kind,
        state: undone.state,
        why,
    })
}
