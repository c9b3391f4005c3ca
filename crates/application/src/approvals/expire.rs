use serde_json::json;
use slipway_approvals::{RequestState, StateKind};
use slipway_deployments::State;
use slipway_kernel::{DeploymentId, PageSize};

use super::gate;
use crate::{CommandError, Context, deployments::event::event, error::chain};

/// Ends deployments that nobody agreed to in time, at most a page of them, and says how many. Before this has run,
/// they can't be agreed to any more either.
pub async fn expire_approvals(context: &Context) -> Result<usize, CommandError> {
    let now = context.clock.now();
    let overdue = context
        .reader()
        .overdue_approvals(now, PageSize::MAX)
        .await?;
    let mut expired = 0;
    for deployment in overdue {
        // One that can't be ended does not keep the others from it.
        match expire(context, deployment).await {
            Ok(ended) => expired += usize::from(ended),
            Err(error) => {
                tracing::warn!(%deployment, error = chain(&error), "an approval request could not expire");
            }
        }
    }
    Ok(expired)
}

async fn expire(context: &Context, id: DeploymentId) -> Result<bool, CommandError> {
    let now = context.clock.now();
    let mut unit = context.store.begin().await?;
    let Some(mut deployment) = unit.deployments().find_by_id(id).await? else {
        return Ok(false);
    };
    let request = unit.approvals().last_of(id).await?;
    let waits = request
        .is_some_and(|request| request.state == RequestState::Pending && request.is_overdue(now));
    // Somebody else may have been faster.
    if !waits {
        return Ok(false);
    }
    let before = Some(json!({ "state": deployment.state }));
    let request = gate::close(&mut *unit, id, StateKind::Expired, now).await?;
    gate::end(&mut *unit, &mut deployment, State::Expired, now).await?;
    let after = Some(json!({ "state": deployment.state, "approval_request": request }));
    let event = event(context, &deployment, "ExpireApproval", (before, after), now);
    unit.audit().append(&event).await?;
    unit.commit().await?;
    Ok(true)
}
