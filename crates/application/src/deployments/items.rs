//! The items of a deployment, made from a plan.

use slipway_deployments::{Item, ItemStatus, Plan, PlannedItem};

use super::{DeploymentError, documents};
use crate::Context;

/// The items of a plan, with their documents kept.
pub(super) async fn keep(context: &Context, plan: &Plan) -> Result<Vec<Item>, DeploymentError> {
    let mut items = Vec::with_capacity(plan.items.len());
    for (position, planned) in (0..).zip(&plan.items) {
        items.push(item(context, position, planned).await?);
    }
    Ok(items)
}

async fn item(
    context: &Context,
    position: u32,
    planned: &PlannedItem,
) -> Result<Item, DeploymentError> {
    let mut kept = [None, None];
    if planned.writes() {
        for (digest, document) in kept.iter_mut().zip([&planned.before, &planned.after]) {
            if let Some(document) = document {
                *digest = Some(documents::keep(context, document).await?);
            }
        }
    }
    let [before, after] = kept;
    Ok(Item {
        position,
        key: planned.key.clone(),
        name: planned.name.clone(),
        application: None,
        change: planned.change,
        status: if planned.writes() {
            ItemStatus::Pending
        } else {
            ItemStatus::Skipped
        },
        workflow: planned.workflow.clone(),
        before,
        after,
        rank: planned.rank,
        in_cycle: planned.in_cycle,
        problem: planned.reason.clone(),
    })
}
