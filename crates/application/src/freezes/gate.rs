//! Whether a freeze stands in a deployment's way at the moment in which it is about to begin.

use std::time::Duration;

use serde_json::json;
use slipway_approvals::{FreezeAction, StandingFreeze, freeze};
use slipway_deployments::{Claim, Deployment, DeploymentKind, FROZEN, Problem};
use slipway_kernel::{DeploymentId, EnvironmentId, Slug, StoreError, Timestamp};
use slipway_store::UnitOfWork;

use super::listed;
use crate::{
    CommandError, Context,
    deployments::event::{CARRY_OUT, event},
};

/// For how long a deployment waits at least before it is looked at again, by the database's clock: that may be ahead of
/// ours, by which the freeze is not over yet.
pub(crate) const PAUSE: Duration = Duration::from_millis(500);
/// When a deployment is looked at again whose freeze is not over within a year.
const LOOK_AGAIN: Duration = Duration::from_hours(30 * 24);

/// What stands in a deployment's way: at least one window.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.told())]
pub struct Frozen {
    /// The windows, by slug.
    pub standing: Vec<StandingFreeze>,
}

impl Frozen {
    /// What they are called.
    pub fn windows(&self) -> Vec<Slug> {
        let slugs = self.standing.iter().map(|found| found.window.slug.clone());
        slugs.collect()
    }

    /// When nothing of them stands in the way any more; `None` where not within a year.
    pub fn opens_again(&self) -> Option<Timestamp> {
        self.standing.first().and_then(|found| found.opens_again)
    }

    fn told(&self) -> String {
        let until = self.opens_again().map_or_else(
            || "which do not end within a year".to_owned(),
            |at| format!("it opens again at {at}"),
        );
        format!(
            "frozen by {}; {until}, and an administrator can override them",
            listed(&self.windows())
        )
    }
}

/// The windows that stand in the way of a deployment at this moment, by slug, without those that were overridden for it.
pub async fn standing(
    unit: &mut dyn UnitOfWork,
    environment: EnvironmentId,
    action: FreezeAction,
    deployment: DeploymentId,
    now: Timestamp,
) -> Result<Vec<StandingFreeze>, StoreError> {
    let mut windows = unit.freezes().covering(environment).await?;
    if windows.is_empty() {
        return Ok(Vec::new());
    }
    let overrides = unit.freezes().overrides(deployment).await?;
    windows.retain(|window| !overrides.iter().any(|made| made.window == window.id));
    Ok(freeze::standing(windows, action, now))
}

/// What a deployment is as freezes see it; `None` where it is never frozen.
pub const fn action(kind: DeploymentKind) -> Option<FreezeAction> {
    match kind {
        DeploymentKind::Release => Some(FreezeAction::Release),
        DeploymentKind::Promotion => Some(FreezeAction::Promotion),
        DeploymentKind::Restore => Some(FreezeAction::Restore),
        DeploymentKind::Rollback => None,
    }
}

/// Lets a queued deployment that was claimed wait for the end of the freeze that stands in its way, where one does: it
/// stays queued, and the lease is given back. Else what it says of an earlier freeze is taken from it, to be saved with its
/// beginning.
pub(crate) async fn hold_back(
    context: &Context,
    unit: &mut dyn UnitOfWork,
    claim: &Claim,
    deployment: &mut Deployment,
    now: Timestamp,
) -> Result<bool, CommandError> {
    let standing = match action(deployment.kind) {
        Some(action) => standing(unit, deployment.target, action, deployment.id, now).await?,
        None => Vec::new(),
    };
    if standing.is_empty() {
        deployment.thaw();
        return Ok(false);
    }
    let frozen = Frozen { standing };
    let until = frozen.opens_again().unwrap_or_else(|| now.plus(LOOK_AGAIN));
    let problem = Problem {
        reason: FROZEN.to_owned(),
        message: frozen.to_string(),
    };
    let told_before = deployment.problem.as_ref() == Some(&problem);
    deployment.problem = Some(problem);
    deployment.not_before = Some(until);
    unit.deployments()
        .update(deployment, deployment.state)
        .await?;
    unit.deployments().put_off(claim, until, PAUSE).await?;
    if !told_before {
        let before = Some(json!({ "state": deployment.state }));
        let after = Some(json!({
            "state": deployment.state,
            "reason": FROZEN,
            "freeze_windows": frozen.windows(),
            "opens_again": frozen.opens_again().map(|at| at.to_string()),
        }));
        let event = event(context, deployment, CARRY_OUT, (before, after), now);
        unit.audit().append(&event).await?;
    }
    Ok(true)
}
