//! A step under way: intent, effect, result.

use slipway_deployments::{Direction, Phase, Probe, State, Step, Work};

use super::{
    database::Outcome,
    executor::{Goal, Stage, Task},
    plan::{CALL, LEASE, Preflight},
    planted::Planted,
    run::{Call, Event, Run},
    world::{Answer, Change, EffectKey},
};

/// How often a step is tried before it counts as failed.
const ATTEMPTS: u32 = 16;

impl Run {
    pub(super) fn go_on(&mut self, executor: usize, token: u64) {
        let Some(claim) = &mut self.executors[executor].claim else {
            return;
        };
        let epoch = claim.epoch;
        let Some(task) = claim.task(token) else {
            return;
        };
        let task = task.clone();
        match task.stage {
            Stage::Intend => self.intend(executor, epoch, &task),
            Stage::Look => self.look(executor, &task),
            Stage::Send(change) => self.send(executor, epoch, &task, change),
            Stage::Await(call) => self.hear(executor, &task, call),
            Stage::Report(ref outcome) => self.report(executor, epoch, &task, outcome),
        }
    }

    /// The task goes on with this stage, after a while.
    fn stage(&mut self, executor: usize, task: &Task, stage: Stage, (soon, late): (u64, u64)) {
        let life = self.executors[executor].life;
        if let Some(claim) = &mut self.executors[executor].claim
            && let Some(known) = claim.task(task.token)
        {
            let token = task.token;
            *known = Task {
                stage,
                ..task.clone()
            };
            self.after(soon, late, Event::Task(executor, life, token));
        }
    }

    fn drop_task(&mut self, executor: usize, token: u64) {
        if let Some(claim) = &mut self.executors[executor].claim {
            claim.tasks.retain(|task| task.token != token);
            let life = self.executors[executor].life;
            self.after(1, 3, Event::Decide(executor, life));
        }
    }

    fn intend(&mut self, executor: usize, epoch: u64, task: &Task) {
        if self.offline(executor) {
            return self.stage(executor, task, Stage::Intend, (5, 15));
        }
        let step = self.database.step(task.step.0);
        let taken = self
            .database
            .begin(epoch, task.step, task.from, task.decided_at);
        self.note(|| {
            let (work, direction, from) = (step.work, task.step.1, task.from);
            format!("executor {executor} (epoch {epoch}) begins {direction} {work:?} from {from}, taken: {taken}")
        });
        if taken {
            return self.stage(executor, task, Stage::Look, (1, 4));
        }
        self.fenced(executor, epoch, task.token);
    }

    /// A write that changed no row: either the claim is gone, or the step is further than was thought.
    fn fenced(&mut self, executor: usize, epoch: u64, token: u64) {
        if self.database.epoch == epoch {
            self.drop_task(executor, token);
        } else {
            self.lose(executor);
        }
    }

    fn look(&mut self, executor: usize, task: &Task) {
        let work = self.database.step(task.step.0).work;
        let outcome = match work {
            Work::Apply(_) | Work::Connect(_) => return self.look_at_item(executor, task, work),
            Work::Preflight => match self.plan.preflight {
                Preflight::AsPlanned => Outcome::of(Phase::Done),
                Preflight::Fails => Outcome::of(Phase::Failed),
                Preflight::Changed => {
                    let life = self.executors[executor].life;
                    if let Some(claim) = &mut self.executors[executor].claim {
                        claim.becoming = Some(State::PendingApproval);
                    }
                    return self.after(1, 5, Event::Become(executor, life));
                }
            },
            Work::PreSnapshot if self.plan.pre_snapshot_fails => Outcome::of(Phase::Failed),
            Work::PostSnapshot if self.plan.post_snapshot_fails => Outcome::of(Phase::Failed),
            Work::PreSnapshot | Work::PostSnapshot => {
                // A commit names its parent, so that it is repeated without harm.
                self.world.snapshots.insert(task.step.0);
                if self.fault(self.plan.call_fault_one_in) {
                    self.note(|| format!("no answer to {work:?}"));
                    return self.stage(executor, task, Stage::Look, (CALL, CALL));
                }
                Outcome::of(Phase::Done)
            }
            Work::Record => Outcome::of(Phase::Done),
            Work::Verify => match self.verify(task.step.1) {
                Some(outcome) => self.as_looked_at(outcome),
                None if task.attempts < ATTEMPTS => {
                    let attempts = task.attempts + 1;
                    let again = Task {
                        attempts,
                        ..task.clone()
                    };
                    return self.stage(executor, &again, Stage::Look, (15, 25));
                }
                None => Outcome::of(Phase::Unknown),
            },
        };
        self.stage(executor, task, Stage::Report(outcome), (1, 4));
    }

    /// Where a person said that it is there, what is not is no failure, but a doubt.
    fn as_looked_at(&self, mut outcome: Outcome) -> Outcome {
        if self.database.only_looks && outcome.phase == Phase::Failed {
            outcome.phase = Phase::Unknown;
        }
        outcome
    }

    /// Reads the whole target: done forwards, whether what was applied is there; undone, whether nothing of it is left.
    fn verify(&self, direction: Direction) -> Option<Outcome> {
        if self.world.unreadable.iter().any(|until| *until > self.now) {
            return None;
        }
        let done = self.database.done_items();
        let mut outcome = Outcome::of(Phase::Done);
        outcome.looked_at = self.events;
        for (at, item) in self.plan.items.iter().enumerate() {
            let copies = self.world.copies(at);
            if copies.len() > 1 {
                outcome.phase = Phase::Unknown;
                outcome.doubtful.extend(copies.iter().map(|copy| copy.id));
            }
            let found = copies.first().map(|copy| copy.doc);
            let wrong = match direction {
                Direction::Do => done.contains(&item.ordered.position) && found != item.after,
                Direction::Undo => Goal::of(
                    &self.plan.items,
                    Work::Apply(item.ordered.position),
                    direction,
                )
                .is_some_and(|goal| goal.probe(found.as_ref()) == Probe::Open),
            };
            if wrong && outcome.phase == Phase::Done {
                outcome.phase = Phase::Failed;
            }
        }
        Some(outcome)
    }

    fn look_at_item(&mut self, executor: usize, task: &Task, work: Work) {
        let Some(goal) = Goal::of(&self.plan.items, work, task.step.1) else {
            return;
        };
        let report = |outcome| Stage::Report(outcome);
        if let (Work::Connect(position), true) = (work, task.step.1 == Direction::Do) {
            let apply = |step: &&Step| step.work == Work::Apply(position);
            let applied = self.database.steps.iter().find(apply);
            if applied.is_some_and(|step| step.phase != Phase::Done) {
                let outcome = self.as_looked_at(Outcome::of(Phase::Failed));
                return self.stage(executor, task, report(outcome), (1, 4));
            }
        }
        let attempts = task.attempts + 1;
        let task = &Task {
            attempts,
            ..task.clone()
        };
        if self.world.unreadable[goal.item] > self.now {
            let stage = if attempts < ATTEMPTS {
                Stage::Look
            } else {
                report(Outcome::of(Phase::Unknown))
            };
            return self.stage(executor, task, stage, (15, 25));
        }
        let copies = self.world.copies(goal.item);
        let first_look = !task.sent;
        if self.planted == Some(Planted::NoProbe) && first_look && task.from == Phase::Begun {
            let stage = match goal.blind_change(copies) {
                Some(change) => Stage::Send(change),
                None => report(Outcome::of(Phase::Done)),
            };
            return self.stage(executor, task, stage, (1, 4));
        }
        let found = copies.first();
        let doc = found.map(|copy| copy.doc);
        let mut outcome = Outcome::of(Phase::Done);
        if copies.len() > 1 {
            outcome.phase = Phase::Unknown;
            outcome.doubtful = copies.iter().map(|copy| copy.id).collect();
            return self.stage(executor, task, report(outcome), (1, 4));
        }
        let stage = match goal.probe(doc.as_ref()) {
            Probe::Happened => report(outcome),
            Probe::Open | Probe::Conflict if self.database.only_looks => {
                outcome.phase = Phase::Unknown;
                report(outcome)
            }
            Probe::Open if !task.refused && attempts < ATTEMPTS => match goal.change(found) {
                Some(change) => Stage::Send(change),
                None => report(outcome),
            },
            Probe::Open | Probe::Conflict => {
                outcome.phase = Phase::Failed;
                let forwards = task.step.1 == Direction::Do && matches!(work, Work::Apply(_));
                outcome.untouched = forwards && task.from == Phase::Waiting && first_look;
                report(outcome)
            }
        };
        self.stage(executor, task, stage, (1, 4));
    }

    fn send(&mut self, executor: usize, epoch: u64, task: &Task, change: Change) {
        let deadline = match &self.executors[executor].claim {
            Some(claim) => claim.deadline,
            None => return,
        };
        let needed = match self.planted {
            Some(Planted::NoDeadline) => 0,
            Some(Planted::ShortDeadline) => CALL,
            // The call, and what can land after it.
            _ => 2 * CALL,
        };
        if self.now + needed > deadline && needed > 0 {
            // After a renewal there is time, or the claim is gone. Either way what was read is old by then.
            return self.stage(executor, task, Stage::Look, (5, 15));
        }
        let work = self.database.step(task.step.0).work;
        let Some(goal) = Goal::of(&self.plan.items, work, task.step.1) else {
            return;
        };
        if epoch != self.database.epoch {
            let what = format!("{change:?} with epoch {epoch}");
            self.database.violate("no effect after its lease", what);
        }
        let call = self.draw_call((executor, epoch), task, goal.item, change);
        let (lands_at, answered_at) = (call.lands_at, call.answered_at);
        let number = self.calls.len();
        self.calls.push(call);
        self.note(|| {
            format!("executor {executor} (epoch {epoch}) sends {change:?} for item {}, to land at {lands_at:?}, answered at {answered_at:?}", goal.item)
        });
        if let Some(at) = lands_at {
            self.at(at, Event::Land(number));
        }
        let task = Task {
            sent: true,
            ..task.clone()
        };
        let wait = answered_at.map_or(CALL, |at| at - self.now);
        self.stage(executor, &task, Stage::Await(number), (wait, wait));
    }

    fn draw_call(
        &mut self,
        (executor, epoch): (usize, u64),
        task: &Task,
        item: usize,
        change: Change,
    ) -> Call {
        let now = self.now;
        let mut lands_at = Some(now + self.dice.between(1, 3));
        let mut answered_at = Some(now + self.dice.between(4, 7));
        let mut unbound = false;
        // Who has no database has no good way to the engine either.
        let rate = if self.offline(executor) {
            1
        } else {
            self.plan.call_fault_one_in
        };
        if self.fault(rate) {
            answered_at = None;
            let creates = matches!(change, Change::Create(_));
            lands_at = match self.dice.place(6) {
                _ if self.plan.very_late && creates => {
                    unbound = true;
                    Some(now + self.dice.between(2 * CALL, 2 * LEASE))
                }
                0 => None,
                5 => {
                    // Slow, but answered in time.
                    answered_at = Some(now + CALL - 1);
                    Some(now + self.dice.between(1, CALL - 2))
                }
                1 => Some(now + self.dice.between(1, CALL)),
                2 | 3 => Some(now + self.dice.between(CALL, 2 * CALL)),
                _ => Some(now + 2 * CALL),
            };
            let until = lands_at.unwrap_or(now).max(now + 2 * CALL);
            self.last_fault = self.last_fault.max(until);
        }
        let (step, direction) = task.step;
        Call {
            executor,
            epoch,
            item,
            key: EffectKey { step, direction },
            change,
            sent_at: now,
            lands_at,
            answered_at,
            answer: None,
            unbound,
        }
    }

    fn hear(&mut self, executor: usize, task: &Task, call: usize) {
        let call = &self.calls[call];
        let refused = match (call.answered_at, call.answer) {
            (Some(at), Some(answer)) if at <= self.now => answer == Answer::Refused,
            _ if call.sent_at + CALL > self.now => return,
            _ => {
                // No answer: it may still land, so that a look shows nothing before that time is over.
                let grace = match self.planted {
                    Some(Planted::NoGrace) => 1,
                    _ => CALL + 1,
                };
                return self.stage(executor, task, Stage::Look, (grace, grace));
            }
        };
        let task = Task {
            refused,
            ..task.clone()
        };
        self.stage(executor, &task, Stage::Look, (1, 4));
    }

    fn report(&mut self, executor: usize, epoch: u64, task: &Task, outcome: &Outcome) {
        let stage = Stage::Report(outcome.clone());
        if self.offline(executor) {
            return self.stage(executor, task, stage, (5, 15));
        }
        let taken = self.database.end(epoch, task.step, outcome);
        let work = self.database.step(task.step.0).work;
        self.note(|| {
            let (direction, phase) = (task.step.1, outcome.phase);
            format!("executor {executor} (epoch {epoch}) ends {direction} {work:?} as {phase}, taken: {taken}")
        });
        if !taken {
            return self.fenced(executor, epoch, task.token);
        }
        if self.fault(self.plan.call_fault_one_in) {
            let (step, direction) = task.step;
            let again = Event::Again(epoch, step, direction, outcome.phase);
            self.after(1, 2 * LEASE, again);
            if self.dice.one_in(2) {
                // The answer is lost: it is written again, and finds that it was.
                return self.stage(executor, task, stage, (5, 15));
            }
        }
        self.drop_task(executor, task.token);
    }
}
