//! A release that writes workflows waits for its environment, and for an executor.

use slipway_deployments::{Deployment, Problem, State};
use slipway_store::UnitOfWork;

use super::{inline, start::Started};
use crate::{CommandError, error::dangling};

/// Lets a release wait that is [`State::Approved`]. Whoever calls has looked at everything else that may stand against it; the
/// executor looks at all of it again, and at the engine.
pub(super) async fn queue(
    unit: &mut dyn UnitOfWork,
    deployment: &mut Deployment,
) -> Result<Started, CommandError> {
    let target = unit.environments().hold(deployment.target).await?;
    let target = target.ok_or_else(|| dangling("environment", deployment.target))?;
    if target.archived_at.is_some() {
        return Ok(Started::Impossible(Problem {
            reason: "ENVIRONMENT_ARCHIVED".to_owned(),
            message: format!("the environment `{}` is archived", target.slug),
        }));
    }
    if inline::look(unit, deployment).await?.digest()? != deployment.plan_digest {
        return Ok(Started::Changed);
    }
    let from = deployment.state;
    deployment.state = from.to(State::Queued)?;
    deployment.problem = None;
    unit.deployments().update(deployment, from).await?;
    Ok(Started::Done { facts: Vec::new() })
}
