//! One workflow in the target: made, changed, removed, or any of these undone.

use std::collections::BTreeMap;

use slipway_deployments::{
    Deployment, Direction, Item, ItemStatus, Probe, Problem, in_between, probe,
};
use slipway_kernel::Key;
use slipway_workflows::{
    EngineError, Exported, Link, Workflow, WorkflowEngine, WorkflowId,
    inventory::{by_key, callees, for_engine, is_unconnected},
};

use super::{
    effect::{Effect, Write},
    run::problem,
};
use crate::{
    Context,
    deployments::{documents, target_of},
    engines::engine_of,
};

/// Brings the target's workflow to where the item's direction leads, and reads it back. `connects` says that it was made
/// before, and is pointed at others that were not there then; one that failed is left as it is.
pub(super) async fn apply(
    context: &Context,
    deployment: &Deployment,
    (position, connects): (u32, bool),
    direction: Direction,
    again: bool,
) -> Effect {
    let Some(item) = deployment.items.get(position as usize) else {
        let message = format!("the deployment has no item {position}");
        return Effect::failed(problem("INCONSISTENT", message));
    };
    if connects && item.status == ItemStatus::Failed {
        return Effect::done();
    }
    let outcome = match Applied::prepare(context, deployment, item, direction).await {
        Ok(applied) => match applied.missing_callee(connects, direction) {
            Some(missing) => Outcome::Untouched(missing),
            None => applied.carry_out(again).await,
        },
        Err(problem) => Outcome::Untouched(problem),
    };
    let outcome = match outcome {
        // Whoever said that it is there is told what was found instead.
        Outcome::Failed(_, problem) | Outcome::Untouched(problem) if deployment.only_looks() => {
            Outcome::Unknown(problem)
        }
        outcome => outcome,
    };
    // An attempt before this one may have touched it.
    let untouched = matches!(outcome, Outcome::Untouched(_)) && !again;
    Effect {
        untouched,
        ..told(item, direction, outcome)
    }
}

enum Outcome {
    /// The target is as it should be; what its engine calls the workflow, if it has one.
    Done(Option<WorkflowId>),
    /// It is not; what there is of it, if there is anything, is called so.
    Failed(Option<WorkflowId>, Problem),
    /// As failed, before anything was sent.
    Untouched(Problem),
    Unknown(Problem),
}

fn told(item: &Item, direction: Direction, outcome: Outcome) -> Effect {
    let mut item = item.clone();
    match outcome {
        Outcome::Done(id) => {
            item.status = match direction {
                Direction::Do => ItemStatus::Succeeded,
                // What failed may have been done in part; it is as before now, and still has failed.
                Direction::Undo if item.status == ItemStatus::Failed => ItemStatus::Failed,
                Direction::Undo => ItemStatus::Compensated,
            };
            if item.status != ItemStatus::Failed {
                item.problem = None;
            }
            item.workflow.clone_from(&id);
            let link = match id {
                Some(workflow) => Write::Links(vec![Link {
                    key: item.key.clone(),
                    workflow,
                }]),
                None => Write::Unlink(item.key.clone()),
            };
            Effect::done().with(Write::Item(Box::new(item))).with(link)
        }
        Outcome::Failed(_, problem) | Outcome::Untouched(problem) | Outcome::Unknown(problem)
            if direction == Direction::Undo =>
        {
            let message = format!(
                "workflow `{}` could not be put back: {}",
                item.key, problem.message
            );
            let undo = self::problem("UNDO_FAILED", message);
            item.problem = Some(problem);
            Effect::failed(undo).with(Write::Item(Box::new(item)))
        }
        Outcome::Failed(id, failed) => {
            // What was made in part is known by its id, so that it can be undone.
            item.workflow = id.or(item.workflow);
            failed_item(item, failed)
        }
        Outcome::Untouched(failed) => failed_item(item, failed),
        Outcome::Unknown(unknown) => {
            let message = format!("workflow `{}`: {}", item.key, unknown.message);
            item.problem = Some(unknown);
            Effect::unknown(message).with(Write::Item(Box::new(item)))
        }
    }
}

fn failed_item(mut item: Item, failed: Problem) -> Effect {
    item.status = ItemStatus::Failed;
    let message = format!("workflow `{}`: {}", item.key, failed.message);
    item.problem = Some(failed);
    Effect::failed(problem("ITEM_FAILED", message)).with(Write::Item(Box::new(item)))
}

struct Applied<'a> {
    item: &'a Item,
    direction: Direction,
    /// A person said that it is there: it is looked at, and not written.
    only_looks: bool,
    engine: std::sync::Arc<dyn WorkflowEngine>,
    ids: BTreeMap<Key, WorkflowId>,
    keys: BTreeMap<WorkflowId, Key>,
    /// The workflow with keys in place of ids: as it should be, and as it may still be.
    goal: Option<Workflow>,
    origin: Option<Workflow>,
}

impl<'a> Applied<'a> {
    async fn prepare(
        context: &Context,
        deployment: &Deployment,
        item: &'a Item,
        direction: Direction,
    ) -> Result<Self, Problem> {
        let unavailable =
            |error: &dyn std::error::Error| problem("UNAVAILABLE", crate::error::chain(error));
        let target = target_of(context, deployment)
            .await
            .map_err(|error| unavailable(&error))?;
        let engine = engine_of(context, &target)
            .await
            .map_err(|error| unavailable(&error))?;
        let links = context
            .reader()
            .workflow_links(target.id)
            .await
            .map_err(|error| unavailable(&error))?;
        let before = documents::read(context, item.before).await?;
        let after = documents::read(context, item.after).await?;
        let (goal, origin) = match direction {
            Direction::Do => (after, before),
            Direction::Undo => (before, after),
        };
        Ok(Self {
            item,
            direction,
            only_looks: deployment.only_looks(),
            engine,
            keys: links
                .iter()
                .map(|link| (link.workflow.clone(), link.key.clone()))
                .collect(),
            ids: links
                .into_iter()
                .map(|link| (link.key, link.workflow))
                .collect(),
            goal,
            origin,
        })
    }

    async fn carry_out(&self, again: bool) -> Outcome {
        let found = match self.find(again || self.only_looks).await {
            Ok(found) => found,
            Err(error) => return Outcome::Untouched(engine_problem(&error)),
        };
        let standing = found.as_ref().and_then(|found| self.portable(found));
        if found.is_some() && standing.is_none() {
            let message = "what stands in the target can't be read".to_owned();
            return Outcome::Untouched(problem("TARGET_UNREADABLE", message));
        }
        let (goal, origin) = (self.goal.as_ref(), self.origin.as_ref());
        let halfway = || {
            standing
                .as_ref()
                .is_some_and(|standing| in_between(standing, origin, goal))
        };
        match probe(origin, goal, standing.as_ref(), halfway) {
            Probe::Happened if !self.is_unconnected(found.as_ref()) => {
                Outcome::Done(found.map(|found| found.id))
            }
            Probe::Conflict => Outcome::Untouched(problem(
                "CONFLICT",
                "somebody else changed it in the target meanwhile; nothing was overwritten: plan again",
            )),
            Probe::Happened | Probe::Open if self.only_looks => Outcome::Untouched(problem(
                "NOT_AS_RESOLVED",
                "it is not as it should be, though the doubt was resolved as SUCCEEDED",
            )),
            Probe::Happened | Probe::Open => {
                let id = found.map(|found| found.id);
                match self.change(id.as_ref(), standing.as_ref()).await {
                    Ok(id) => self.read_back(id, None).await,
                    Err((id, error)) => self.read_back(id, Some(error)).await,
                }
            }
        }
    }

    /// Why it can't be done, where it calls a workflow that failed to be made.
    fn missing_callee(&self, connects: bool, direction: Direction) -> Option<Problem> {
        if direction == Direction::Undo || (self.item.in_cycle && !connects) {
            return None;
        }
        let called = self.goal.as_ref().map(callees).unwrap_or_default();
        let missing = |key: &&Key| **key != self.item.key && !self.ids.contains_key(*key);
        let missing = called.iter().find(missing)?;
        let message = format!("it calls the workflow `{missing}`, which is not in the target");
        Some(problem("CALLEE_MISSING", message))
    }

    /// The workflow in the target. One that a lost attempt may have made is known by its name and content.
    async fn find(&self, again: bool) -> Result<Option<Exported>, EngineError> {
        let id = self
            .item
            .workflow
            .as_ref()
            .or_else(|| self.ids.get(&self.item.key));
        if let Some(id) = id {
            return self.engine.get(id).await;
        }
        // What is undone was made by an attempt that was lost, or not at all; what is made again, by an earlier attempt.
        let made_again = self.goal.as_ref().filter(|_| again);
        let made = match self.direction {
            Direction::Do => made_again,
            Direction::Undo => self.origin.as_ref().or(made_again),
        };
        let Some(made) = made else {
            return Ok(None);
        };
        let mut exported = self.engine.export().await?;
        exported.retain(|found| {
            found.name == made.name && !self.ids.values().any(|known| *known == found.id)
        });
        exported.retain(|found| {
            let portable = self.portable(found);
            portable.is_some_and(|standing| in_between(&standing, None, Some(made)))
        });
        Ok(exported.pop())
    }

    fn portable(&self, found: &Exported) -> Option<Workflow> {
        let workflow = found.workflow.as_ref().ok()?;
        let known = |id: &WorkflowId| self.keys.get(id);
        let own = |id: &WorkflowId| (*id == found.id).then_some(&self.item.key);
        Some(by_key(workflow, &|id| own(id).or_else(|| known(id))))
    }

    /// Whether it has to be pointed at a workflow that was not there when it was written.
    fn is_unconnected(&self, found: Option<&Exported>) -> bool {
        let workflow = found.and_then(|found| found.workflow.as_ref().ok());
        let is_here = |key: &Key| *key == self.item.key || self.ids.contains_key(key);
        workflow.is_some_and(|workflow| is_unconnected(workflow, &is_here))
    }

    /// Makes it so. An error comes with the id of what there is by then.
    async fn change(
        &self,
        id: Option<&WorkflowId>,
        standing: Option<&Workflow>,
    ) -> Result<Option<WorkflowId>, (Option<WorkflowId>, EngineError)> {
        let Some(goal) = &self.goal else {
            if let Some(id) = id {
                self.engine
                    .delete(id)
                    .await
                    .map_err(|error| (Some(id.clone()), error))?;
            }
            return Ok(None);
        };
        let own = |key: &Key| id.filter(|_| *key == self.item.key).cloned();
        let (document, unknown) =
            for_engine(goal, &|key| own(key).or_else(|| self.ids.get(key).cloned()));
        let id = if let Some(id) = id {
            let update = self.engine.update(id, &document).await;
            update.map_err(|error| (Some(id.clone()), error))?;
            id.clone()
        } else {
            let created = self.engine.create(&document).await;
            let created = created.map_err(|error| (None, error))?;
            // It refers to itself: now it has an id to refer to.
            if unknown.contains(&self.item.key) {
                let (document, _) = for_engine(goal, &|key| {
                    let own = (*key == self.item.key).then(|| created.clone());
                    own.or_else(|| self.ids.get(key).cloned())
                });
                let update = self.engine.update(&created, &document).await;
                update.map_err(|error| (Some(created.clone()), error))?;
            }
            created
        };
        let active = standing.is_some_and(|standing| standing.active);
        let switched = match (active, goal.active) {
            (false, true) => self.engine.activate(&id).await,
            (true, false) => self.engine.deactivate(&id).await,
            _ => Ok(()),
        };
        switched.map_err(|error| (Some(id.clone()), error))?;
        Ok(Some(id))
    }

    /// Compares what is there now with what should be; the engine's own words tell why it is not.
    async fn read_back(&self, id: Option<WorkflowId>, error: Option<EngineError>) -> Outcome {
        let found = match &id {
            Some(id) => self.engine.get(id).await,
            None if self.goal.is_some() => match self.find(true).await {
                Ok(None) => {
                    // Nothing was made, unless it is still on its way.
                    return match error {
                        Some(error @ EngineError::Uncertain { .. }) => {
                            Outcome::Unknown(engine_problem(&error))
                        }
                        Some(error) => Outcome::Failed(None, engine_problem(&error)),
                        None => {
                            Outcome::Failed(None, problem("LOST", "the engine does not have it"))
                        }
                    };
                }
                found => found,
            },
            None => Ok(None),
        };
        let found = match found {
            Ok(found) => found,
            Err(unread) => return Outcome::Unknown(engine_problem(&unread)),
        };
        let standing = found.as_ref().and_then(|found| self.portable(found));
        let is_goal = standing == self.goal && !self.is_unconnected(found.as_ref());
        let id = found.map(|found| found.id);
        if is_goal {
            return Outcome::Done(id);
        }
        let problem = error.as_ref().map_or_else(
            || {
                let message = "the engine took it, and holds something else: read the workflow there and compare";
                problem("NOT_AS_SENT", message)
            },
            engine_problem,
        );
        Outcome::Failed(id, problem)
    }
}

fn engine_problem(error: &EngineError) -> Problem {
    let reason = match error {
        EngineError::Refused { .. } => "ENGINE_REFUSED",
        EngineError::NotFound { .. } => "WORKFLOW_NOT_FOUND",
        EngineError::Unauthenticated => "ENGINE_UNAUTHENTICATED",
        EngineError::Busy { .. } => "ENGINE_BUSY",
        EngineError::Unavailable { .. } => "ENGINE_UNAVAILABLE",
        EngineError::Uncertain { .. } => "OUTCOME_UNKNOWN",
        EngineError::Failed { .. } => "ENGINE_FAILED",
    };
    problem(reason, error.to_string())
}
