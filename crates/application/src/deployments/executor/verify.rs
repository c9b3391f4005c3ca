//! Reading the target again when all items are done, or undone.

use slipway_deployments::{Deployment, Direction, Item, ItemStatus};

use super::{effect::Effect, run::problem, seen::Seen};
use crate::{
    Context,
    deployments::{documents, target_of},
    engines::survey,
    error::chain,
};

/// Compares every item that succeeded with what is in the target, and looks for a second workflow that a lost call may
/// have made. What does not fit is left to people.
pub(super) async fn verify(
    context: &Context,
    deployment: &Deployment,
    seen: &Seen,
    direction: Direction,
) -> Effect {
    match differences(context, deployment, seen, direction).await {
        Ok(found) if found.is_empty() => Effect::done(),
        Ok(found) => Effect::unknown(found.join("; ")),
        Err(message) => Effect::failed(problem("VERIFY_FAILED", message)),
    }
}

async fn differences(
    context: &Context,
    deployment: &Deployment,
    seen: &Seen,
    direction: Direction,
) -> Result<Vec<String>, String> {
    let looked_at = match direction {
        Direction::Do => ItemStatus::Succeeded,
        Direction::Undo => ItemStatus::Compensated,
    };
    let of_interest = |item: &&Item| item.status == looked_at;
    // Without one there is nothing to read the target for, which may be out of reach.
    if !deployment.items.iter().any(|item| of_interest(&item)) {
        return Ok(Vec::new());
    }
    let target = target_of(context, deployment)
        .await
        .map_err(|error| chain(&error))?;
    let found = survey(context, &target, None)
        .await
        .map_err(|error| chain(&error))?;
    let mut differences = Vec::new();
    for item in deployment.items.iter().filter(of_interest) {
        let document = match direction {
            Direction::Do => item.after,
            Direction::Undo => item.before,
        };
        let expected = documents::read(context, document)
            .await
            .map_err(|problem| problem.message)?;
        let standing = found.inventory.get(&item.key);
        let standing = standing.and_then(|entry| entry.workflow.as_ref().ok());
        let unconnected = standing.is_some_and(|workflow| found.inventory.is_unconnected(workflow));
        let portable = standing.map(|workflow| found.inventory.portable(workflow));
        let (expected, portable) = (
            expected.map(|workflow| workflow.state_hash()),
            portable.map(|workflow| workflow.state_hash()),
        );
        if expected != portable || unconnected {
            differences.push(format!(
                "workflow `{}` is not as it was written a moment ago: somebody else changed it",
                item.key
            ));
        }
        let twins = found.new_links.iter().filter(|link| {
            let entry = found.inventory.get(&link.key);
            entry.is_some_and(|entry| entry.name == item.name)
        });
        differences.extend(twins.map(|twin| {
            format!(
                "the target has a second workflow called `{}` ({}): remove it, or link it",
                item.name, twin.workflow.0
            )
        }));
    }
    seen.keep(found);
    Ok(differences)
}
