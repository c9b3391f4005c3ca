use serde::Serialize;
use serde_json::json;
use slipway_audit::Resource;
use slipway_deployments::{Deployment, DeploymentKind, NewDeployment, Origin, Plan};
use slipway_identity::Command;
use slipway_kernel::{DeploymentId, ProjectId, Slug, SnapshotId, Timestamp};
use slipway_snapshots::Snapshot;

use super::SnapshotError;
use crate::{
    Call, Context,
    approvals::gate,
    change::Change,
    deployments::{
        environment,
        putting_back::{Bound, GATES, plan_back},
        started_before,
    },
};

/// A snapshot to put back.
#[derive(Debug, Clone, Serialize)]
pub struct RestoreSnapshot {
    /// The project.
    pub project: Slug,
    /// The snapshot.
    pub snapshot: SnapshotId,
}

/// Says what a restore would do in which environment, and changes nothing. It reads the target's engine and the snapshot.
pub async fn plan_restore(
    context: &Context,
    call: &Call<'_>,
    command: &RestoreSnapshot,
) -> Result<(Slug, Plan), SnapshotError> {
    let (mut change, project) =
        Change::in_any_project(context, call, Command::RestoreSnapshot, &command.project).await?;
    change.require_open(&command.project).await?;
    let now = change.now;
    // Engines are not waited for while anything is held.
    drop(change);
    let (restore, _) = restore(context, call, project, now, command).await?;
    let target = context.environment_slug(restore.target).await?;
    Ok((target, plan_back(context, &restore).await?))
}

/// Asks for an environment to be put back to what a snapshot says, as a deployment of its own, which waits for approval
/// where a stage into the environment requires that. What it takes is planned when it is carried out.
pub async fn restore_snapshot(
    context: &Context,
    call: &Call<'_>,
    command: RestoreSnapshot,
) -> Result<Deployment, SnapshotError> {
    let (mut change, project) =
        Change::in_any_project(context, call, Command::RestoreSnapshot, &command.project).await?;
    let id = DeploymentId::new(&*context.ids);
    if let Some(earlier) = change.made_before(&command, &id.to_string()).await? {
        return Ok(started_before(&mut change, project, &earlier).await?);
    }
    change.require_open(&command.project).await?;
    let (restore, snapshot) = restore(context, call, project, change.now, &command).await?;
    let mut deployment = Deployment { id, ..restore };
    let asked_for = gate::add(context, &mut *change.unit, &mut deployment).await?;
    change
        .done(
            Resource::new("deployment", &id),
            None,
            Some(json!({
                "number": deployment.number,
                "kind": deployment.kind,
                "state": deployment.state,
                "snapshot": snapshot.id,
                "commit": snapshot.commit,
                "approval_request": asked_for,
            })),
        )
        .await?;
    Ok(deployment)
}

/// The restore that is asked for, where nothing stands against it, and its snapshot.
async fn restore(
    context: &Context,
    call: &Call<'_>,
    project: ProjectId,
    now: Timestamp,
    command: &RestoreSnapshot,
) -> Result<(Deployment, Snapshot), SnapshotError> {
    let snapshot = context.reader().snapshot(project, command.snapshot).await?;
    let snapshot = snapshot.ok_or(SnapshotError::NotFound {
        id: command.snapshot,
    })?;
    let target = environment(context, snapshot.environment).await?;
    if target.archived_at.is_some() {
        return Err(SnapshotError::EnvironmentArchived { slug: target.slug });
    }
    let restore = NewDeployment {
        id: DeploymentId::new(&*context.ids),
        project,
        kind: DeploymentKind::Restore,
        target: snapshot.environment,
        origin: Origin::Snapshot {
            snapshot: snapshot.id,
        },
        gates: GATES,
        plan_digest: Bound::Restore(snapshot.content_hash)
            .digest(context, snapshot.environment)
            .await?,
        requested_by: call.caller.principal,
        created_at: now,
        reason: None,
        items: Vec::new(),
    };
    Ok((restore.into(), snapshot))
}
