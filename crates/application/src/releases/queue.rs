//! A release that writes workflows waits for its environment, and for an executor.

use slipway_deployments::{Deployment, State};
use slipway_kernel::Timestamp;
use slipway_store::UnitOfWork;

use super::{
    inline::{self, Standing},
    start::Started,
};
use crate::CommandError;

/// Lets a release wait that is [`State::Approved`]. Whoever calls has looked at everything else that may stand against it; the
/// executor looks at all of it again, and at the engine.
pub(super) async fn queue(
    unit: &mut dyn UnitOfWork,
    deployment: &mut Deployment,
    now: Timestamp,
) -> Result<Started, CommandError> {
    match inline::stands(unit, deployment, now).await? {
        Standing::AsAgreed(_) => {}
        Standing::Changed => return Ok(Started::Changed),
        Standing::Impossible(problem) => return Ok(Started::Impossible(problem)),
    }
    let from = deployment.state;
    deployment.state = from.to(State::Queued)?;
    deployment.problem = None;
    unit.deployments().update(deployment, from).await?;
    Ok(Started::Done { facts: Vec::new() })
}
