use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::json;
use slipway_audit::Resource;
use slipway_deployments::{
    Deployment, DeploymentName, Item, ItemStatus, Resolution, State, Verdict, resolve,
};
use slipway_identity::Command;
use slipway_kernel::{Slug, text::Reason};

use super::{DeploymentError, executor::problem};
use crate::{Call, Context, change::Change};

/// A doubt to resolve.
#[derive(Debug, Clone, Serialize)]
pub struct ResolveInDoubt {
    /// The project.
    pub project: Slug,
    /// The deployment.
    pub deployment: DeploymentName,
    /// What the person decided.
    pub verdict: Verdict,
    /// Why.
    pub reason: Reason,
}

/// Resolves a doubt by a person's verdict; see [`resolve`] for what follows from it. An executor goes on from there, so
/// that the deployment looks, records and takes its last snapshot as every other one before it ends. One that had not
/// begun any item has nothing to close: as `FAILED` it is over at once.
pub async fn resolve_in_doubt(
    context: &Context,
    call: &Call<'_>,
    command: ResolveInDoubt,
) -> Result<Deployment, DeploymentError> {
    let (mut change, project) =
        Change::in_any_project(context, call, Command::ResolveInDoubt, &command.project).await?;
    let name = command.deployment;
    let found = change.unit.deployments().find(project, name).await?;
    let before = found.ok_or(DeploymentError::NotFound { name })?;
    let resource = before.id.to_string();
    if change.made_before(&command, &resource).await?.is_some() {
        return Ok(before);
    }
    let (number, verdict) = (before.number, command.verdict);
    if before.state != State::InDoubt {
        let state = before.state;
        return Err(DeploymentError::NotInDoubt { number, state });
    }
    let deployments = change.unit.deployments();
    let steps = deployments.steps(before.id).await?;
    let resolved = resolve(&steps, verdict).map_err(|why| DeploymentError::Unresolvable {
        number,
        verdict,
        why,
    })?;
    deployments
        .rewrite_steps(before.id, &resolved.steps)
        .await?;
    let over = steps.is_empty() && verdict == Verdict::Failed;
    let mut after = Deployment {
        state: if over { State::Failed } else { verdict.state() },
        finished_at: over.then_some(change.now),
        // What is wrong from now on is told anew. Where it ends without having succeeded, this is why.
        problem: before.problem.clone().filter(|_| over),
        resolution: Some(Resolution {
            by: call.caller.principal,
            at: change.now,
            verdict,
            reason: command.reason.clone(),
            doubt: before.problem.clone(),
        }),
        ..before.clone()
    };
    deployments.update(&after, before.state).await?;
    if verdict == Verdict::Failed {
        let given_up = given_up(&mut after.items, &resolved.doubtful);
        deployments.update_items(after.id, &given_up).await?;
    }
    change
        .done(
            Resource::new("deployment", &after.id),
            Some(json!({ "state": before.state, "problem": before.problem })),
            Some(json!({
                "state": after.state,
                "verdict": verdict,
                "reason": command.reason,
                "in_doubt": resolved.doubtful,
            })),
        )
        .await?;
    Ok(after)
}

/// Items that nobody could tell about count as failed: the ledger gets no record of them.
fn given_up(items: &mut [Item], doubtful: &BTreeSet<u32>) -> Vec<Item> {
    let items = items
        .iter_mut()
        .filter(|item| doubtful.contains(&item.position));
    items
        .map(|item| {
            item.status = ItemStatus::Failed;
            let message =
                "nobody could tell whether it was done, and the deployment was ended as it stood";
            let told = || problem("LEFT_IN_DOUBT", message);
            item.problem.get_or_insert_with(told);
            item.clone()
        })
        .collect()
}
