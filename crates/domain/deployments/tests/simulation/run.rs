//! One run: three executors, one deployment, and everything that can go wrong.

use std::{cmp::Reverse, collections::BinaryHeap};

use slipway_deployments::{
    Direction, Next, OnFailure, Phase, Progress, State, Verdict, Work, next, steps_for,
};

use super::{
    database::{Database, Outcome},
    dice::Dice,
    executor::{Claim, Executor, Stage, Task},
    plan::{CALL, LEASE, Plan},
    planted::Planted,
    world::{Answer, Change, EffectKey, World},
};

/// Longer than any run takes; one that is still going is stuck.
const LIMIT: u64 = 100 * LEASE;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Event {
    /// An executor looks after its claim. With its life.
    Tick(usize, u64),
    /// An executor decides what comes next. With its life.
    Decide(usize, u64),
    /// A step goes on. With the life and the task.
    Task(usize, u64, u64),
    /// The state that was decided on is written. With the life.
    Become(usize, u64),
    /// A call's effect reaches the engine.
    Land(usize),
    /// A result is written once more, by a request that went astray.
    Again(u64, u32, Direction, Phase),
    Restart(usize),
    /// A person has looked, and decides.
    Resolve(Verdict),
}

/// A call that writes, on its way.
pub(super) struct Call {
    pub(super) executor: usize,
    pub(super) epoch: u64,
    pub(super) item: usize,
    pub(super) key: EffectKey,
    pub(super) change: Change,
    pub(super) sent_at: u64,
    pub(super) lands_at: Option<u64>,
    /// When the answer is there; without one the caller gives up after [`CALL`].
    pub(super) answered_at: Option<u64>,
    pub(super) answer: Option<Answer>,
    /// Lands whenever it likes.
    pub(super) unbound: bool,
}

pub(crate) struct Run {
    pub(crate) plan: Plan,
    pub(crate) database: Database,
    pub(crate) world: World,
    /// When the deployment ended, by itself or in doubt.
    pub(crate) ended_at: Option<u64>,
    /// At which events a create landed that no lease can wait for.
    pub(crate) very_late: Vec<u64>,
    pub(crate) last_fault: u64,
    /// What a person said last, and how often anybody did.
    pub(crate) verdict: Option<Verdict>,
    pub(crate) resolved: u64,
    resolving: bool,
    pub(crate) trace: Option<Vec<String>>,
    pub(super) planted: Option<Planted>,
    pub(super) dice: Dice,
    pub(super) now: u64,
    pub(super) events: u64,
    faults_left: u32,
    queue: BinaryHeap<Reverse<(u64, u64, Event)>>,
    pub(super) executors: [Executor; 3],
    pub(super) calls: Vec<Call>,
    tokens: u64,
}

impl Run {
    pub(crate) fn new(seed: u64, planted: Option<Planted>, traced: bool) -> Self {
        let mut dice = Dice::new(seed);
        let plan = Plan::draw(&mut dice);
        let ordered: Vec<_> = plan.items.iter().map(|item| item.ordered).collect();
        let steps = steps_for(&ordered);
        Self {
            world: World::new(&plan.items, &steps),
            database: Database::new(steps, planted),
            ended_at: None,
            very_late: Vec::new(),
            last_fault: 0,
            verdict: None,
            resolved: 0,
            resolving: false,
            trace: traced.then(Vec::new),
            planted,
            dice,
            now: 0,
            events: 0,
            faults_left: plan.faults,
            queue: BinaryHeap::new(),
            executors: Default::default(),
            calls: Vec::new(),
            tokens: 0,
            plan,
        }
    }

    /// Runs until the deployment has ended and whatever was still on its way has arrived.
    pub(crate) fn finish(&mut self) {
        for executor in 0..self.executors.len() {
            self.after(0, 30, Event::Tick(executor, 0));
        }
        while let Some(Reverse((at, _, event))) = self.queue.pop() {
            if self.ended_at.is_some_and(|ended| at > ended + 3 * LEASE) || at > LIMIT {
                break;
            }
            self.now = at;
            self.events += 1;
            self.outsiders();
            self.handle(event);
            self.call_a_person();
            if self.resolving {
                continue;
            }
            if self.ended_at.is_none() && self.database.has_ended() {
                self.ended_at = Some(self.now);
                let state = self.database.state;
                self.note(|| format!("ended {state}"));
            }
        }
    }

    fn handle(&mut self, event: Event) {
        let (executor, life) = match event {
            Event::Tick(executor, life)
            | Event::Decide(executor, life)
            | Event::Task(executor, life, _)
            | Event::Become(executor, life) => (executor, life),
            Event::Land(call) => return self.land(call),
            Event::Resolve(verdict) => {
                let verdict = self.database.resolve(verdict);
                self.verdict = Some(verdict);
                self.resolved += 1;
                self.resolving = false;
                self.last_fault = self.now;
                return self.note(|| format!("a person says {verdict}"));
            }
            Event::Restart(executor) => {
                self.executors[executor].down = false;
                let life = self.executors[executor].life;
                return self.after(1, 10, Event::Tick(executor, life));
            }
            Event::Again(epoch, step, direction, phase) => {
                let outcome = Outcome::of(phase);
                let taken = self.database.end(epoch, (step, direction), &outcome);
                return self.note(|| format!("result of {step} once more, taken: {taken}"));
            }
        };
        if self.executors[executor].life != life || self.executors[executor].down {
            return;
        }
        self.go_wrong(executor);
        if self.executors[executor].down {
            return;
        }
        let paused_until = self.executors[executor].paused_until;
        if paused_until > self.now {
            return self.at(paused_until + 1, event);
        }
        match event {
            Event::Tick(..) => self.tick(executor),
            Event::Task(_, _, token) => self.go_on(executor, token),
            Event::Become(..) => self.write_state(executor),
            Event::Decide(..) if !self.offline(executor) => self.decide(executor),
            _ => {}
        }
    }

    /// Somebody looks at a doubt, and takes their time.
    fn call_a_person(&mut self) {
        if self.database.state != State::InDoubt || self.resolving {
            return;
        }
        if let Some(verdict) = self.plan.verdicts.pop() {
            self.resolving = true;
            self.after(1, 3 * LEASE, Event::Resolve(verdict));
        }
    }

    /// What people do meanwhile.
    fn outsiders(&mut self) {
        if self.ended_at.is_some() {
            return;
        }
        if self.plan.cancel.is_some_and(|at| at <= self.events)
            && self.database.canceled_at.is_none()
        {
            self.database.canceled_at = Some(self.now);
            self.last_fault = self.now;
            self.note(|| "cancel".to_owned());
        }
        while let Some(found) = self
            .plan
            .foreign
            .iter()
            .position(|(at, _)| *at <= self.events)
        {
            let (_, item) = self.plan.foreign.remove(found);
            let chance = self.dice.roll();
            self.world.meddle(self.events, item, chance);
            self.last_fault = self.now;
            self.note(|| format!("somebody else changes item {item}"));
        }
    }

    /// Crashes, pauses or cuts off an executor, or makes an item unreadable, if it is time for a fault.
    fn go_wrong(&mut self, executor: usize) {
        let idle = self.executors[executor].claim.is_none();
        let cut_off = self.plan.cut_off && self.executors.iter().any(|it| it.offline_until > 0);
        if idle || cut_off || !self.fault(self.plan.fault_one_in) {
            return;
        }
        let long = self.dice.one_in(2);
        let pause = self
            .dice
            .between(1, if long { 5 * LEASE / 2 } else { CALL });
        let kind = if self.plan.cut_off {
            6
        } else {
            self.dice.place(8)
        };
        match kind {
            0..=2 => {
                self.note(|| format!("executor {executor} crashes, back in {pause}"));
                self.stop_calls(executor);
                let broken = &mut self.executors[executor];
                broken.claim = None;
                broken.life += 1;
                broken.down = true;
                self.at(self.now + pause, Event::Restart(executor));
            }
            3..=5 => {
                self.note(|| format!("executor {executor} stands still for {pause}"));
                self.stop_calls(executor);
                self.executors[executor].paused_until = self.now + pause;
                self.last_fault = self.now + pause;
            }
            6 => {
                self.note(|| format!("executor {executor} has no database for {pause}"));
                self.executors[executor].offline_until = self.now + pause;
                self.last_fault = self.now + pause;
            }
            _ => {
                let item = self.dice.place(self.plan.items.len());
                if let Some(until) = self.world.unreadable.get_mut(item) {
                    *until = self.now + pause;
                    self.last_fault = self.now + pause;
                    self.note(|| format!("item {item} can't be read for {pause}"));
                }
            }
        }
    }

    pub(super) fn fault(&mut self, one_in: u64) -> bool {
        let over = self.faults_left == 0 || self.ended_at.is_some();
        if over || !self.dice.one_in(one_in) {
            return false;
        }
        self.faults_left -= 1;
        self.last_fault = self.last_fault.max(self.now);
        true
    }

    /// What an executor had sent lands at most one call after it stopped.
    fn stop_calls(&mut self, executor: usize) {
        let latest = self.now + CALL;
        let mut earlier = Vec::new();
        for (number, call) in self.calls.iter_mut().enumerate() {
            let late = call.lands_at.is_some_and(|at| at > latest);
            if call.executor == executor && late && !call.unbound {
                call.lands_at = Some(latest);
                earlier.push(number);
            }
        }
        for call in earlier {
            self.at(latest, Event::Land(call));
        }
    }

    pub(super) fn lose(&mut self, executor: usize) {
        self.note(|| format!("executor {executor} gives up its claim"));
        self.stop_calls(executor);
        self.executors[executor].claim = None;
    }

    pub(super) fn offline(&self, executor: usize) -> bool {
        self.executors[executor].offline_until > self.now
    }

    fn tick(&mut self, executor: usize) {
        let life = self.executors[executor].life;
        let owns = self.executors[executor].claim.is_some();
        let (soon, late) = if owns { (3, 12) } else { (10, 40) };
        self.after(soon, late, Event::Tick(executor, life));
        let now = self.now;
        let Some(claim) = &self.executors[executor].claim else {
            return self.claim(executor);
        };
        let (epoch, deadline) = (claim.epoch, claim.deadline);
        if now >= deadline && self.planted != Some(Planted::NoDeadline) {
            return self.lose(executor);
        }
        if self.offline(executor) {
            return;
        }
        if now + 2 * LEASE / 3 >= deadline {
            if !self.database.renew(now, epoch) {
                return self.lose(executor);
            }
            if let Some(claim) = &mut self.executors[executor].claim {
                claim.deadline = now + LEASE;
            }
        }
        self.decide(executor);
    }

    fn claim(&mut self, executor: usize) {
        if self.offline(executor) {
            return;
        }
        if let Some(epoch) = self.database.claim(self.now) {
            self.note(|| format!("executor {executor} claims with epoch {epoch}"));
            self.executors[executor].claim = Some(Claim {
                epoch,
                deadline: self.now + LEASE,
                tasks: Vec::new(),
                becoming: None,
            });
            self.decide(executor);
        }
    }

    fn decide(&mut self, executor: usize) {
        let Some(claim) = &self.executors[executor].claim else {
            return;
        };
        if claim.becoming.is_some() || self.database.has_ended() {
            return;
        }
        let under_way: Vec<_> = claim.tasks.iter().map(|task| task.step).collect();
        let canceled = self.database.canceled_at.is_some();
        let decision = next(Progress {
            state: self.database.state,
            on_failure: if self.verdict == Some(Verdict::Failed) {
                OnFailure::Keep
            } else {
                self.plan.on_failure
            },
            cancel: canceled
                && !self.database.only_looks
                && self.planted != Some(Planted::NoCancel),
            steps: &self.database.steps,
            under_way: &under_way,
        });
        match self.spoiled(decision) {
            Next::Begin(steps) => {
                let room = self.plan.parallel.saturating_sub(under_way.len());
                for step in steps.into_iter().take(room) {
                    self.start(executor, step);
                }
            }
            Next::Wait if under_way.is_empty() => {
                let what = format!("in {} nothing is under way", self.database.state);
                self.database.violate("waits for something", what);
            }
            Next::Wait => {}
            Next::Become(to) => {
                let life = self.executors[executor].life;
                if let Some(claim) = &mut self.executors[executor].claim {
                    claim.becoming = Some(to);
                }
                self.after(1, 5, Event::Become(executor, life));
            }
        }
    }

    /// The decision, with the planted fault.
    fn spoiled(&self, decision: Next) -> Next {
        let Next::Begin(mut steps) = decision else {
            return decision;
        };
        let step = |number| self.database.step(number);
        let all = self.database.steps.iter();
        let is_snapshot = |(number, _): &(u32, _)| step(*number).work == Work::PreSnapshot;
        if self.planted == Some(Planted::NoSnapshotWait) && steps.iter().any(is_snapshot) {
            let first = all.filter(|step| step.wave == 2 && matches!(step.work, Work::Apply(_)));
            steps.extend(first.map(|step| (step.number, Direction::Do)));
        } else if self.planted == Some(Planted::ForwardUndo)
            && steps.iter().any(|(number, direction)| {
                *direction == Direction::Undo && matches!(step(*number).work, Work::Apply(_))
            })
        {
            let to_undo = |step: &&slipway_deployments::Step| {
                matches!(step.work, Work::Apply(_))
                    && step.phase != Phase::Waiting
                    && step.undo == Phase::Waiting
            };
            if let Some(first) = all.filter(to_undo).min_by_key(|step| step.wave) {
                steps = vec![(first.number, Direction::Undo)];
            }
        }
        Next::Begin(steps)
    }

    fn start(&mut self, executor: usize, step: (u32, Direction)) {
        self.tokens += 1;
        let (token, life) = (self.tokens, self.executors[executor].life);
        let task = Task {
            token,
            step,
            from: self.database.step(step.0).in_direction(step.1),
            decided_at: self.now,
            stage: Stage::Intend,
            sent: false,
            refused: false,
            attempts: 0,
        };
        if let Some(claim) = &mut self.executors[executor].claim
            && claim.tasks.iter().all(|task| task.step != step)
        {
            claim.tasks.push(task);
            self.after(1, 4, Event::Task(executor, life, token));
        }
    }

    fn write_state(&mut self, executor: usize) {
        let life = self.executors[executor].life;
        if self.offline(executor) {
            return self.after(5, 15, Event::Become(executor, life));
        }
        let Some(claim) = &mut self.executors[executor].claim else {
            return;
        };
        let (epoch, Some(to)) = (claim.epoch, claim.becoming.take()) else {
            return;
        };
        let taken = self.database.become_state(epoch, to);
        self.note(|| format!("executor {executor} (epoch {epoch}) writes {to}, taken: {taken}"));
        if !taken || self.database.has_ended() {
            self.lose(executor);
        }
    }

    fn land(&mut self, number: usize) {
        let call = &mut self.calls[number];
        if call.lands_at != Some(self.now) || call.answer.is_some() {
            return;
        }
        let (item, key, change, epoch) = (call.item, call.key, call.change, call.epoch);
        let answer = self.world.land(self.events, item, key, change);
        call.answer = Some(answer);
        if call.unbound {
            self.very_late.push(self.events);
        } else if epoch < self.database.epoch && self.now > self.database.claimed_at {
            let what = format!("{change:?} of epoch {epoch}");
            self.database
                .violate("no effect lands after a takeover", what);
        }
        self.note(|| format!("{change:?} lands on item {item}: {answer:?}"));
    }

    pub(super) fn after(&mut self, soon: u64, late: u64, event: Event) {
        let at = self.now + self.dice.between(soon, late);
        self.at(at, event);
    }

    pub(super) fn at(&mut self, at: u64, event: Event) {
        let nonce = self.dice.roll();
        self.queue.push(Reverse((at, nonce, event)));
    }

    pub(crate) fn note(&mut self, what: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{:>6} {}", self.now, what()));
        }
    }

    pub(crate) fn compensates(&self) -> bool {
        match self.verdict {
            Some(Verdict::Failed) => false,
            Some(Verdict::Compensating) => true,
            _ => self.plan.on_failure == OnFailure::Compensate,
        }
    }
}
