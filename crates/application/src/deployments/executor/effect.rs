//! The effects of steps, and what is written down about them.

use std::sync::Arc;

use slipway_deployments::{Deployment, Direction, Item, Phase, Problem, Work};
use slipway_kernel::Key;
use slipway_snapshots::{Snapshot, SnapshotKind};
use slipway_store::UnitOfWork;
use slipway_workflows::Link;

use super::{
    apply, preflight, record, replanned::Replanned, run::problem, seen::Seen, snapshot, verify,
};
use crate::{CommandError, Context};

/// What came of a step.
pub(super) struct Effect {
    /// How far the step is now.
    pub(super) phase: Phase,
    /// Whether it is certain that nothing was touched, so that there is nothing to undo.
    pub(super) untouched: bool,
    /// What is written down with it.
    pub(super) writes: Vec<Write>,
    /// What it would be instead of what somebody agreed to.
    pub(super) replanned: Option<Box<Replanned>>,
}

/// Something that is written in the same unit of work as a step's result.
pub(super) enum Write {
    /// An item as it is now.
    Item(Box<Item>),
    /// Keys of workflows in the target.
    Links(Vec<Link>),
    /// A key that stands for nothing any more.
    Unlink(Key),
    /// A snapshot that was taken.
    Snapshot(Box<Snapshot>),
    /// What the deployment's own problem is.
    Problem(Problem),
    /// The versions and records of all items that succeeded.
    Records,
}

impl Effect {
    pub(super) fn done() -> Self {
        Self {
            phase: Phase::Done,
            untouched: false,
            writes: Vec::new(),
            replanned: None,
        }
    }

    /// It did not happen; the deployment's own problem is this one.
    pub(super) fn failed(problem: Problem) -> Self {
        Self {
            phase: Phase::Failed,
            writes: vec![Write::Problem(problem)],
            ..Self::done()
        }
    }

    /// Nobody can tell.
    pub(super) fn unknown(message: impl Into<String>) -> Self {
        let problem = problem("OUTCOME_UNKNOWN", message);
        Self {
            phase: Phase::Unknown,
            ..Self::failed(problem)
        }
    }

    pub(super) fn with(mut self, write: Write) -> Self {
        self.writes.push(write);
        self
    }

    /// Writes down what belongs to the result, and changes the deployment in the same way.
    pub(super) async fn write_down(
        self,
        context: &Context,
        deployment: &mut Deployment,
        unit: &mut dyn UnitOfWork,
    ) -> Result<(), CommandError> {
        let before = deployment.clone();
        let mut items = Vec::new();
        for write in self.writes {
            match write {
                Write::Item(item) => {
                    if let Some(held) = deployment.items.get_mut(item.position as usize) {
                        held.clone_from(&item);
                    }
                    items.push(*item);
                }
                Write::Links(links) => unit.engines().set_links(deployment.target, &links).await?,
                Write::Unlink(key) => unit.engines().remove_link(deployment.target, &key).await?,
                Write::Snapshot(taken) => {
                    unit.snapshots().insert(&taken).await?;
                    match taken.kind {
                        SnapshotKind::PrePromotion | SnapshotKind::PreRestore => {
                            deployment.pre_snapshot = Some(taken.id);
                        }
                        _ => deployment.post_snapshot = Some(taken.id),
                    }
                }
                Write::Problem(problem) => drop(deployment.problem.get_or_insert(problem)),
                // Those of chosen versions are written already: see `pointers`.
                Write::Records if deployment.chooses_versions() => {}
                Write::Records => record::write(context, deployment, unit).await?,
            }
        }
        if !items.is_empty() {
            unit.deployments()
                .update_items(deployment.id, &items)
                .await?;
        }
        if *deployment != before {
            let state = deployment.state;
            unit.deployments().update(deployment, state).await?;
        }
        Ok(())
    }
}

/// Carries out one step. `again` says that it was begun before, and that nobody knows what came of it.
pub(super) async fn perform(
    context: Arc<Context>,
    deployment: Arc<Deployment>,
    seen: Arc<Seen>,
    work: Work,
    direction: Direction,
    again: bool,
) -> Effect {
    match work {
        Work::Preflight => preflight::check(&context, &deployment, &seen).await,
        Work::PreSnapshot => snapshot::before(&context, &deployment, &seen).await,
        Work::Apply(position) => {
            seen.forget();
            apply::apply(&context, &deployment, (position, false), direction, again).await
        }
        Work::Connect(position) => {
            seen.forget();
            apply::apply(&context, &deployment, (position, true), direction, again).await
        }
        Work::Verify => verify::verify(&context, &deployment, &seen, direction).await,
        Work::Record => Effect::done().with(Write::Records),
        Work::PostSnapshot => snapshot::after(&context, &deployment, &seen).await,
    }
}
