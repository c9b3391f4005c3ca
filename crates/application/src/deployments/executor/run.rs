//! One deployment in the hands of one executor.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use futures_util::future::BoxFuture;
use serde_json::json;
use slipway_deployments::{
    Claim, Deployment, Direction, ItemStatus, Next, Origin, Phase, Problem, Progress, State, Step,
    Work, next,
};
use slipway_kernel::StoreError;
use slipway_store::UnitOfWork;
use tokio::{
    task::JoinSet,
    time::{Instant, interval_at},
};

use super::{
    Ended, Executor,
    effect::{Effect, perform},
    lease::Lease,
    pointers,
    prepare::{Prepared, prepare},
    replanned::Asked,
    seen::Seen,
};
use crate::{
    CommandError,
    deployments::event::{CARRY_OUT, event},
};

type Key = (u32, Direction);

/// Works on a claimed deployment; see [`Executor::carry_out_one`].
pub(super) async fn carry_out(
    executor: &Executor,
    claim: Claim,
    lease: Lease,
    draining: impl Fn() -> bool + Send + Sync,
) -> Result<Ended, CommandError> {
    let Some(mut run) = Run::load(executor, claim, lease).await? else {
        return Ok(Ended::Lost);
    };
    if run.steps.is_empty() && !run.claimed_too_often() && !run.prepare().await? {
        return Ok(Ended::Settled);
    }
    let mut renewal = interval_at(Instant::now() + lease.renewal(), lease.renewal());
    // Tasks of their own, which go on while something is written down, and end with this.
    let mut under_way: JoinSet<(Key, Effect)> = JoinSet::new();
    let mut keys: Vec<Key> = Vec::new();
    loop {
        if run.lease.is_over() {
            return Ok(Ended::Expired);
        }
        match run.next(&keys) {
            Next::Become(state) => {
                if !run.become_state(state).await? {
                    return Ok(Ended::Lost);
                }
                if !state.is_carried_out() {
                    return Ok(Ended::Settled);
                }
                continue;
            }
            Next::Begin(ready) if !draining() && run.lease.lasts(2 * executor.limits.effect) => {
                let free = executor.limits.parallel.saturating_sub(keys.len());
                let ready: Vec<_> = ready.into_iter().take(free).collect();
                let until = Instant::now() + executor.limits.effect;
                let Some(effects) = run.begin(&ready, until).await? else {
                    return Ok(Ended::Lost);
                };
                keys.extend(ready);
                for effect in effects {
                    under_way.spawn(effect);
                }
            }
            Next::Begin(_) if keys.is_empty() && draining() => {
                run.give_back().await?;
                return Ok(Ended::GivenBack);
            }
            Next::Begin(_) | Next::Wait => {}
        }
        tokio::select! {
            // What ended is written down first.
            biased;
            Some(ended) = under_way.join_next() => {
                let (key, effect) = ended.map_err(|error| StoreError::Fault(Box::new(error)))?;
                keys.retain(|other| *other != key);
                if !run.end(key, effect).await? {
                    return Ok(Ended::Lost);
                }
                // What would happen has changed: people are asked again.
                if run.deployment.state == State::PendingApproval {
                    return Ok(Ended::Settled);
                }
            }
            _ = renewal.tick() => {
                if !run.renew().await? {
                    return Ok(Ended::Lost);
                }
            }
        }
    }
}

struct Run<'e> {
    executor: &'e Executor,
    claim: Claim,
    lease: Lease,
    deployment: Arc<Deployment>,
    steps: Vec<Step>,
    seen: Arc<Seen>,
}

impl<'e> Run<'e> {
    async fn load(
        executor: &'e Executor,
        claim: Claim,
        lease: Lease,
    ) -> Result<Option<Self>, CommandError> {
        let mut unit = executor.context.store.begin().await?;
        let deployment = unit.deployments().find_by_id(claim.deployment).await?;
        let steps = unit.deployments().steps(claim.deployment).await?;
        let Some(deployment) = deployment else {
            return Ok(None);
        };
        Ok(Some(Self {
            executor,
            claim,
            lease,
            deployment: Arc::new(deployment),
            steps,
            seen: Arc::default(),
        }))
    }

    /// Plans what has no steps yet. `false` where that came to nothing.
    async fn prepare(&mut self) -> Result<bool, CommandError> {
        let mut deployment = Deployment::clone(&self.deployment);
        let context = &self.executor.context;
        let prepared = prepare(context, &self.claim, &mut deployment, &mut self.steps).await?;
        match prepared {
            Prepared::Planned => {
                self.deployment = Arc::new(deployment);
                Ok(true)
            }
            Prepared::Impossible(problem) => {
                deployment.problem = Some(problem);
                self.deployment = Arc::new(deployment);
                self.become_state(State::Failed).await?;
                Ok(false)
            }
            Prepared::Lost => Ok(false),
        }
    }

    fn claimed_too_often(&self) -> bool {
        self.claim.claims > self.executor.limits.max_claims
    }

    fn next(&self, under_way: &[Key]) -> Next {
        if self.claimed_too_often() {
            return Next::Become(State::InDoubt);
        }
        next(Progress {
            state: self.deployment.state,
            on_failure: self.deployment.on_failure(),
            cancel: self.deployment.cancel.is_some() && !self.deployment.only_looks(),
            steps: &self.steps,
            under_way,
        })
    }

    /// Writes down the intents, in one unit of work; an effect happens when its answer is polled, and is cut off at the
    /// moment `until`. `None` where the claim is lost.
    async fn begin(
        &mut self,
        keys: &[Key],
        until: Instant,
    ) -> Result<Option<Vec<BoxFuture<'static, (Key, Effect)>>>, CommandError> {
        if keys.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let mut unit = self.begin_unit().await?;
        for (number, direction) in keys {
            let deployments = unit.deployments();
            if !deployments
                .begin_step(&self.claim, *number, *direction)
                .await?
            {
                self.too_late("beginning a step");
                return Ok(None);
            }
        }
        unit.commit().await?;
        Ok(Some(
            keys.iter().map(|key| self.effect(*key, until)).collect(),
        ))
    }

    /// The effect of a step whose intent is written.
    fn effect(
        &mut self,
        (number, direction): Key,
        until: Instant,
    ) -> BoxFuture<'static, (Key, Effect)> {
        let step = &mut self.steps[number as usize];
        let seen_before = step.in_direction(direction) == Phase::Begun;
        set(step, direction, Phase::Begun);
        let effect = perform(
            Arc::clone(&self.executor.context),
            Arc::clone(&self.deployment),
            Arc::clone(&self.seen),
            step.work,
            direction,
            seen_before,
        );
        let limit = self.executor.limits.effect;
        Box::pin(async move {
            let effect = cut_off(until, effect).await;
            let effect = effect.unwrap_or_else(|| {
                Effect::unknown(format!(
                    "no answer within {} s; whether it was done is not known",
                    limit.as_secs()
                ))
            });
            ((number, direction), effect)
        })
    }

    /// Writes down what came of a step. `false` where the claim is lost: then nothing was written.
    async fn end(
        &mut self,
        (number, direction): Key,
        mut effect: Effect,
    ) -> Result<bool, CommandError> {
        if let Some(replanned) = effect.replanned.take() {
            let asked = replanned.ask(&self.executor.context, &self.claim, &self.deployment);
            match asked.await? {
                Asked::Again(deployment) => self.deployment = Arc::from(deployment),
                Asked::Lost => return Ok(false),
                Asked::Stopping => {}
            }
            if self.deployment.state == State::PendingApproval {
                return Ok(true);
            }
        }
        let mut deployment = Deployment::clone(&self.deployment);
        let mut unit = self.begin_unit().await?;
        let work = self.steps[number as usize].work;
        let is_record = work == Work::Record && effect.phase == Phase::Done;
        if is_record && deployment.chooses_versions() {
            // Held first, as by everybody else.
            if !unit.deployments().guard(&self.claim).await? {
                self.too_late("the records");
                return Ok(false);
            }
            let context = &self.executor.context;
            let refused = pointers::write(context, &mut deployment, &mut *unit).await?;
            effect = refused.map_or(effect, Effect::failed);
        }
        let ended = unit
            .deployments()
            .end_step(&self.claim, number, direction, effect.phase)
            .await?;
        if !ended {
            self.too_late("the result of a step");
            return Ok(false);
        }
        // What an item's step did not touch is not undone: what stands there is somebody else's.
        let nothing_to_undo =
            effect.untouched && direction == Direction::Do && matches!(work, Work::Apply(_));
        if nothing_to_undo {
            let deployments = unit.deployments();
            let begun = deployments
                .begin_step(&self.claim, number, Direction::Undo)
                .await?;
            if !begun
                || !deployments
                    .end_step(&self.claim, number, Direction::Undo, Phase::Done)
                    .await?
            {
                return Ok(false);
            }
        }
        let phase = effect.phase;
        effect
            .write_down(&self.executor.context, &mut deployment, &mut *unit)
            .await?;
        deployment.cancel = unit.deployments().cancel(deployment.id).await?;
        unit.commit().await?;
        self.deployment = Arc::new(deployment);
        let step = &mut self.steps[number as usize];
        set(step, direction, phase);
        if nothing_to_undo {
            step.undo = Phase::Done;
        }
        Ok(true)
    }

    /// Writes down a new state, with its event. `false` where the claim is lost.
    async fn become_state(&mut self, state: State) -> Result<bool, CommandError> {
        let context = &self.executor.context;
        let mut deployment = Deployment::clone(&self.deployment);
        let from = deployment.state;
        deployment.state = from.to(state)?;
        if state == State::InDoubt && self.claimed_too_often() {
            let message = format!(
                "it was taken up {} times without coming to an end: look at the target and at the server's log",
                self.claim.claims
            );
            let told = problem("CLAIMED_TOO_OFTEN", message);
            deployment.problem.get_or_insert(told);
        }
        if let Some(resolution) = deployment.resolution.as_ref()
            && state == State::Failed
            && deployment.problem.is_none()
        {
            deployment.problem.clone_from(&resolution.doubt);
        }
        let now = context.clock.now();
        if state.is_over() {
            deployment.finished_at = Some(now);
            for item in &mut deployment.items {
                if item.status == ItemStatus::Pending {
                    item.status = ItemStatus::Skipped;
                }
            }
        }
        let mut unit = self.begin_unit().await?;
        if !unit.deployments().guard(&self.claim).await? {
            self.too_late("a new state");
            return Ok(false);
        }
        unit.deployments().update(&deployment, from).await?;
        if state.is_over() {
            unit.deployments()
                .update_items(deployment.id, &deployment.items)
                .await?;
        }
        if state == State::Succeeded {
            tell_undone(&deployment, &mut *unit).await?;
        }
        let before = Some(json!({ "state": from }));
        let after = Some(json!({ "state": state, "problem": deployment.problem }));
        let event = event(context, &deployment, CARRY_OUT, (before, after), now);
        unit.audit().append(&event).await?;
        unit.commit().await?;
        self.deployment = Arc::new(deployment);
        Ok(true)
    }

    /// Makes the lease longer, and learns whether somebody asked to stop.
    async fn renew(&mut self) -> Result<bool, CommandError> {
        let asked = Instant::now();
        let mut unit = self.begin_unit().await?;
        let length = self.executor.limits.lease;
        if !unit.deployments().renew(&self.claim, length).await? {
            self.too_late("renewing the lease");
            return Ok(false);
        }
        let cancel = unit.deployments().cancel(self.claim.deployment).await?;
        unit.commit().await?;
        self.lease = self.lease.renewed(asked);
        if cancel != self.deployment.cancel {
            let mut deployment = Deployment::clone(&self.deployment);
            deployment.cancel = cancel;
            self.deployment = Arc::new(deployment);
        }
        Ok(true)
    }

    /// Tells that a write changed nothing.
    fn too_late(&self, what: &str) {
        tracing::warn!(
            deployment = %self.deployment.id, epoch = self.claim.epoch,
            "{what} came too late: somebody else goes on with the deployment"
        );
    }

    async fn give_back(&self) -> Result<bool, CommandError> {
        let mut unit = self.begin_unit().await?;
        let given = unit.deployments().give_back(&self.claim).await?;
        unit.commit().await?;
        Ok(given)
    }

    async fn begin_unit(&self) -> Result<Box<dyn UnitOfWork>, CommandError> {
        Ok(self.executor.context.store.begin().await?)
    }
}

/// The deployment that a rollback undid is rolled back with it.
pub(crate) async fn tell_undone(
    rollback: &Deployment,
    unit: &mut dyn UnitOfWork,
) -> Result<(), CommandError> {
    let Origin::Undoes { deployment } = rollback.origin else {
        return Ok(());
    };
    let found = unit.deployments().find_by_id(deployment).await?;
    if let Some(mut undone) = found {
        let from = undone.state;
        undone.state = from.to(State::RolledBack)?;
        undone.rolled_back_by = Some(rollback.id);
        unit.deployments().update(&undone, from).await?;
    }
    Ok(())
}

/// Carries an effect out until this moment at the latest. The clock is looked at before each part of it, so that a process
/// that stood still meanwhile does nothing more to the outside.
async fn cut_off(until: Instant, effect: impl Future<Output = Effect>) -> Option<Effect> {
    let mut effect = pin!(tokio::time::timeout_at(until, effect));
    poll_fn(|context| {
        if Instant::now() >= until {
            return Poll::Ready(None);
        }
        effect.as_mut().poll(context).map(Result::ok)
    })
    .await
}

fn set(step: &mut Step, direction: Direction, phase: Phase) {
    match direction {
        Direction::Do => step.phase = phase,
        Direction::Undo => step.undo = phase,
    }
}

impl From<slipway_deployments::IllegalTransition> for CommandError {
    fn from(error: slipway_deployments::IllegalTransition) -> Self {
        StoreError::Fault(Box::new(error)).into()
    }
}

/// A problem in words that never change, and words for people.
pub(crate) fn problem(reason: &str, message: impl Into<String>) -> Problem {
    Problem {
        reason: reason.to_owned(),
        message: message.into(),
    }
}
