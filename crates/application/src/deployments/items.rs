//! The items of a deployment, made from a plan.

use futures_util::{StreamExt, TryStreamExt, stream};
use slipway_deployments::{Item, ItemStatus, Plan, PlannedItem};

use super::{DeploymentError, documents};
use crate::Context;

/// How many items' documents are kept at the same time: each is made durable, and waits for the disk.
const AT_ONCE: usize = 16;

/// The items of a plan, with their documents kept.
pub(crate) async fn keep(context: &Context, plan: &Plan) -> Result<Vec<Item>, DeploymentError> {
    let items: Vec<_> = (0..)
        .zip(&plan.items)
        .map(|(position, planned)| item(context, position, planned))
        .collect();
    stream::iter(items).buffered(AT_ONCE).try_collect().await
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
        released: None,
    })
}
