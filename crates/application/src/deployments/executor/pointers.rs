//! Chosen versions become current, those of workflows and all others at one moment, when the workflows are written.

use serde_json::json;
use slipway_audit::Event;
use slipway_deployments::{Change, Deployment, ItemStatus, OnFailure, Problem, State};
use slipway_store::UnitOfWork;

use super::run::problem;
use crate::{
    CommandError, Context,
    deployments::event::{CARRY_OUT, event},
    error::dangling,
    releases::inline::{self, Standing},
};

/// Writes the records, unless something stands against that: then nothing is written, and the problem says what.
///
/// Where a person said that the deployment ends as it stands, the workflows that are written get their records, and nothing
/// else becomes current.
pub(super) async fn write(
    context: &Context,
    deployment: &mut Deployment,
    unit: &mut dyn UnitOfWork,
) -> Result<Option<Problem>, CommandError> {
    let target = unit.environments().hold(deployment.target).await?;
    let target = target.ok_or_else(|| dangling("environment", deployment.target))?;
    let is_whole =
        deployment.state == State::Running && deployment.on_failure() == OnFailure::Compensate;
    let now = context.clock.now();
    let refused = |why: &str| {
        let message = format!("{why}: nothing of it becomes current");
        Ok(Some(problem("PLAN_CHANGED", message)))
    };
    let now = if is_whole {
        match inline::stands(unit, deployment, now).await? {
            Standing::AsAgreed(now) => now,
            Standing::Changed => {
                return refused("something else became current while the workflows were written");
            }
            Standing::Impossible(found) => return refused(&found.message),
        }
    } else {
        inline::moment(unit, deployment, now).await?
    };
    let mut recorded = deployment.clone();
    recorded
        .items
        .retain(|item| is_whole || item.status == ItemStatus::Succeeded);
    let facts = match inline::record(context, unit, &recorded, &target.slug, now).await? {
        Ok(facts) => facts,
        Err(found) => return refused(&found.message),
    };
    if !facts.is_empty() {
        let after = Some(json!({ "recorded": facts.len() }));
        let event = event(context, deployment, CARRY_OUT, (None, after), now);
        unit.audit().append(&Event { facts, ..event }).await?;
    }
    if is_whole {
        for item in deployment.items.iter_mut().filter(|it| !it.is_written()) {
            item.status = match item.change {
                Change::Unchanged | Change::Skipped => ItemStatus::Skipped,
                Change::Created | Change::Updated | Change::Deleted => ItemStatus::Succeeded,
            };
        }
        let deployments = unit.deployments();
        deployments
            .update_items(deployment.id, &deployment.items)
            .await?;
    }
    Ok(None)
}
