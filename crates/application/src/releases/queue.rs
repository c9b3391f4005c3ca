//! A release that writes workflows waits for its environment, and for an executor.

use slipway_deployments::{Deployment, Item, PLAN_CHANGED, Problem, State};
use slipway_kernel::{ApplicationKind, StoreError, Timestamp};
use slipway_store::UnitOfWork;

use super::{
    inline::{self, Standing},
    start::Started,
};
use crate::{CommandError, Context};

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

/// Why workflows can't become current in the ledger alone: there was no engine to write them into when that was planned, and
/// there is one now.
pub(super) async fn engine_since(
    context: &Context,
    deployment: &Deployment,
) -> Result<Option<Problem>, StoreError> {
    let is_workflow = |item: &Item| {
        let released = item.released.as_ref();
        released.is_some_and(|it| it.kind == ApplicationKind::Workflow)
    };
    if !deployment.items.iter().any(is_workflow) {
        return Ok(None);
    }
    let engine = context.reader().engine(deployment.target).await?;
    Ok(engine.map(|_| Problem {
        reason: PLAN_CHANGED.to_owned(),
        message: "the environment has a workflow engine by now, into which the workflows would have to be written: cancel this, \
                  and ask again"
            .to_owned(),
    }))
}
