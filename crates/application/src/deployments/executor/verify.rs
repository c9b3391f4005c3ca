//! Reading the target again when all items are done, or undone.

use slipway_deployments::{Deployment, DeploymentKind, Direction, Item, ItemStatus};

use super::{effect::Effect, run::problem, seen::Seen};
use crate::{
    Context,
    deployments::{documents, putting_back::remaining, target_of},
    engines::survey,
    error::chain,
};

/// How many workflows that were not put back are named.
const REMAINING_TOLD: usize = 50;

/// Compares every item that succeeded with what is in the target, and looks for a second workflow that a lost call may
/// have made. What does not fit is left to people.
pub(super) async fn verify(
    context: &Context,
    deployment: &Deployment,
    seen: &Seen,
    direction: Direction,
) -> Effect {
    match differences(context, deployment, seen, direction).await {
        Ok(Found { doubtful, .. }) if !doubtful.is_empty() => Effect::unknown(doubtful.join("; ")),
        Ok(Found { remaining, .. }) if !remaining.is_empty() => incomplete(&remaining),
        Ok(_) => Effect::done(),
        // A person said that it is there: that it can't be seen is no failure.
        Err(message) if deployment.only_looks() => Effect::unknown(message),
        Err(message) => Effect::failed(problem("VERIFY_FAILED", message)),
    }
}

/// What was seen in the target that should not be.
#[derive(Default)]
struct Found {
    /// What only people can tell about.
    doubtful: Vec<String>,
    /// What was not put back, and why.
    remaining: Vec<String>,
}

fn incomplete(remaining: &[String]) -> Effect {
    let told = remaining.iter().take(REMAINING_TOLD).cloned();
    let told = told.collect::<Vec<_>>().join("; ");
    let more = remaining.len().saturating_sub(REMAINING_TOLD);
    let more = if more == 0 {
        String::new()
    } else {
        format!("; and {more} more")
    };
    let message = format!(
        "the environment is not what it was: of its workflows {} differ: {told}{more}",
        remaining.len()
    );
    Effect::failed(problem("RESTORE_INCOMPLETE", message))
}

async fn differences(
    context: &Context,
    deployment: &Deployment,
    seen: &Seen,
    direction: Direction,
) -> Result<Found, String> {
    let looked_at = match direction {
        Direction::Do => ItemStatus::Succeeded,
        Direction::Undo => ItemStatus::Compensated,
    };
    let of_interest = |item: &&Item| item.status == looked_at;
    let puts_back = direction == Direction::Do
        && deployment.kind != DeploymentKind::Promotion
        && !deployment.chooses_versions();
    // Otherwise there is nothing to read the target for, which may be out of reach.
    if !puts_back && !deployment.items.iter().any(|item| of_interest(&item)) {
        return Ok(Found::default());
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
    let remaining = if puts_back {
        let remaining = remaining(context, deployment, &found.inventory).await;
        remaining.map_err(|error| chain(&error))?
    } else {
        Vec::new()
    };
    seen.keep(Some(found));
    Ok(Found {
        doubtful: differences,
        remaining,
    })
}
