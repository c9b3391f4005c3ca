use serde::Serialize;
use serde_json::json;
use slipway_audit::Resource;
use slipway_deployments::{Deployment, DeploymentKind, DeploymentName, Origin, State};
use slipway_identity::Command;
use slipway_kernel::{DeploymentId, Slug, SnapshotId, digest_of};

use super::SnapshotError;
use crate::{
    Call, Context,
    approvals::gate,
    change::{Change, Done},
    deployments::{environment, putting_back::GATES},
};

/// A snapshot to put back.
#[derive(Debug, Clone, Serialize)]
pub struct RestoreSnapshot {
    /// The project.
    pub project: Slug,
    /// The snapshot.
    pub snapshot: SnapshotId,
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
        let id = earlier.parse().unwrap_or(id);
        let found = change
            .unit
            .deployments()
            .find(project, DeploymentName::Id(id));
        let found = found.await?;
        return found.ok_or(SnapshotError::NotFound {
            id: command.snapshot,
        });
    }
    change.require_open(&command.project).await?;
    let snapshot = context.reader().snapshot(project, command.snapshot).await?;
    let snapshot = snapshot.ok_or(SnapshotError::NotFound {
        id: command.snapshot,
    })?;
    let target = environment(context, snapshot.environment).await?;
    if target.archived_at.is_some() {
        return Err(SnapshotError::EnvironmentArchived { slug: target.slug });
    }
    let mut deployment = Deployment {
        id,
        project,
        number: 0,
        kind: DeploymentKind::Restore,
        state: State::Queued,
        target: snapshot.environment,
        origin: Origin::Snapshot {
            snapshot: snapshot.id,
        },
        gates: GATES,
        plan_digest: digest_of(
            "slipway.restore.v1",
            &(snapshot.environment, snapshot.content_hash),
        )?,
        requested_by: call.caller.principal,
        created_at: change.now,
        approved_by: None,
        started_at: None,
        finished_at: None,
        pre_snapshot: None,
        post_snapshot: None,
        problem: None,
        cancel: None,
        rolled_back_by: None,
        items: Vec::new(),
    };
    let asked_for = gate::add(context, &mut *change.unit, &mut deployment).await?;
    change
        .audit(Done {
            resource: Resource::new("deployment", &id),
            before: None,
            after: Some(json!({
                "number": deployment.number,
                "kind": deployment.kind,
                "state": deployment.state,
                "snapshot": snapshot.id,
                "commit": snapshot.commit,
                "approval_request": asked_for,
            })),
            facts: &[],
        })
        .await?;
    change.commit().await?;
    Ok(deployment)
}
