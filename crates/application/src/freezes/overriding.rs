use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::json;
use slipway_approvals::{FreezeOverride, StandingFreeze};
use slipway_audit::Resource;
use slipway_deployments::{Deployment, DeploymentName, State};
use slipway_identity::Command;
use slipway_kernel::{Sha256, Slug, text::Reason};
use slipway_notifications::{EventKind, NewEvent};

use super::{FreezeError, gate};
use crate::{Call, Context, change::Change, notifications::facts};

/// A deployment to let through a freeze.
#[derive(Debug, Clone, Serialize)]
pub struct OverrideFreeze {
    /// The project.
    pub project: Slug,
    /// The deployment.
    pub deployment: DeploymentName,
    /// The digest of what was looked at.
    pub plan_digest: Sha256,
    /// The windows: all that stand in its way, and no other.
    pub windows: BTreeSet<Slug>,
    /// Why.
    pub reason: Reason,
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct Overridden {
    /// The deployment.
    pub deployment: Deployment,
    /// All that it was ever let through, oldest first.
    pub overrides: Vec<FreezeOverride>,
}

/// Lets a deployment that has not begun through the windows that stand in its way at this moment. The caller names all of
/// them, so that nobody overrides what nobody looked at.
pub async fn override_freeze(
    context: &Context,
    call: &Call<'_>,
    command: OverrideFreeze,
) -> Result<Overridden, FreezeError> {
    let (mut change, project) =
        Change::in_any_project(context, call, Command::OverrideFreeze, &command.project).await?;
    let name = command.deployment;
    let found = change.unit.deployments().find(project, name).await?;
    let mut deployment = found.ok_or(FreezeError::DeploymentNotFound { name })?;
    let resource = deployment.id.to_string();
    if change.made_before(&command, &resource).await?.is_some() {
        let overrides = change.unit.freezes().overrides(deployment.id).await?;
        return Ok(Overridden {
            deployment,
            overrides,
        });
    }
    change.require_open(&command.project).await?;
    let standing = in_the_way(&mut change, &deployment, &command).await?;
    for found in &standing {
        let made = FreezeOverride {
            deployment: deployment.id,
            window: found.window.id,
            slug: found.window.slug.clone(),
            project,
            by: call.caller.principal,
            at: change.now,
            reason: command.reason.clone(),
            digest: command.plan_digest,
        };
        change.unit.freezes().add_override(&made).await?;
    }
    if deployment.is_frozen() {
        deployment.thaw();
        let state = deployment.state;
        change.unit.deployments().update(&deployment, state).await?;
    }
    let told = NewEvent {
        deployment: deployment.id,
        kind: EventKind::FreezeOverridden,
        facts: facts(&deployment, call.caller.principal, &command.reason),
    };
    change.unit.notifications().append_event(&told).await?;
    let overrides = change.unit.freezes().overrides(deployment.id).await?;
    let windows: Vec<_> = standing.iter().map(shown).collect();
    change
        .done(
            Resource::new("deployment", &deployment.id),
            Some(json!({ "state": deployment.state, "risk": deployment.risk })),
            Some(json!({
                "state": deployment.state,
                "risk": deployment.risk,
                "plan_digest": deployment.plan_digest,
                "freeze_windows": windows,
                "reason": command.reason,
            })),
        )
        .await?;
    Ok(Overridden {
        deployment,
        overrides,
    })
}

/// The windows that stand in a deployment's way, where they are those that were named.
async fn in_the_way(
    change: &mut Change<'_>,
    deployment: &Deployment,
    command: &OverrideFreeze,
) -> Result<Vec<StandingFreeze>, FreezeError> {
    let (number, state) = (deployment.number, deployment.state);
    if !matches!(
        state,
        State::PendingApproval | State::Approved | State::Queued
    ) {
        return Err(FreezeError::NotWaiting { number, state });
    }
    let (digest, looked_at) = (deployment.plan_digest, command.plan_digest);
    if digest != looked_at {
        return Err(FreezeError::PlanChanged {
            number,
            digest,
            looked_at,
        });
    }
    let named = &command.windows;
    let standing = gate::standing(&mut *change.unit, deployment, change.now).await?;
    let stand: BTreeSet<_> = standing
        .iter()
        .map(|found| found.window.slug.clone())
        .collect();
    let windows: Vec<_> = named.difference(&stand).cloned().collect();
    if !windows.is_empty() {
        return Err(FreezeError::NotStanding { number, windows });
    }
    let windows: Vec<_> = stand.difference(named).cloned().collect();
    if !windows.is_empty() {
        return Err(FreezeError::NotNamed { number, windows });
    }
    Ok(standing)
}

/// A window that was overridden, as the audit trail shows it.
fn shown(found: &StandingFreeze) -> serde_json::Value {
    json!({
        "freeze_window_id": found.window.id,
        "slug": found.window.slug,
        "revision": found.window.revision.0,
        "reason": found.window.reason,
        "ends": found.ends.map(|at| at.to_string()),
        "opens_again": found.opens_again.map(|at| at.to_string()),
    })
}
