//! What was agreed to does not count any more, or is not what would happen: the release waits anew, for what it would do now.

use slipway_deployments::{Deployment, State};
use slipway_kernel::DeploymentId;

use super::inline;
use crate::{CommandError, Context, approvals::gate, error::dangling};

/// Why a release waits anew whose digest is another one by now.
pub(crate) const CHANGED: &str = "something else is current by now than when it was agreed to";

/// Lets it fall, in a unit of work of its own, unless somebody else was faster; and says what it is then.
pub(crate) async fn fall(
    context: &Context,
    id: DeploymentId,
    why: &str,
) -> Result<Deployment, CommandError> {
    let now = context.clock.now();
    let mut unit = context.store.begin().await?;
    let found = unit.deployments().find_by_id(id).await?;
    let mut deployment = found.ok_or_else(|| dangling("deployment", id))?;
    if deployment.state == State::Approved {
        let against = inline::rebase(&mut *unit, &mut deployment).await?;
        let why = match against {
            None => why.to_owned(),
            Some(found) => format!(
                "{why}; as things are it can't begin ({}): {}",
                found.reason, found.message
            ),
        };
        gate::fall(context, &mut *unit, &mut deployment, &why, now).await?;
        unit.commit().await?;
    }
    Ok(deployment)
}
