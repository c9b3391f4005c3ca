//! The database: a deployment's row, its steps, and nothing but conditional writes.

use std::collections::BTreeSet;

use slipway_deployments::{Direction, Phase, State, Step, Verdict, Work, resolve};

use super::{plan::LEASE, planted::Planted};

/// What became of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) phase: Phase,
    /// It is known to have touched nothing, so that there is nothing to undo.
    pub(crate) untouched: bool,
    /// The workflows that can't be told apart.
    pub(crate) doubtful: Vec<u32>,
    /// At which event the target was read.
    pub(crate) looked_at: u64,
}

pub(crate) struct Database {
    pub(crate) state: State,
    pub(crate) epoch: u64,
    pub(crate) claimed_at: u64,
    lease_until: u64,
    pub(crate) canceled_at: Option<u64>,
    pub(crate) steps: Vec<Step>,
    /// The last look of a `Verify` whose result was taken.
    pub(crate) last_look: Option<u64>,
    /// Which workflows somebody has to look at.
    pub(crate) doubtful: BTreeSet<u32>,
    /// How often the ledger records were written, and which items they held.
    pub(crate) records: Vec<Vec<u32>>,
    /// Writes that changed no row because of their epoch, and because of the step's phase.
    pub(crate) fenced: u64,
    pub(crate) repeated: u64,
    /// Whether a person said that everything is there, so that nothing is written in the engine any more.
    pub(crate) only_looks: bool,
    planted: Option<Planted>,
    pub(crate) violations: Vec<(&'static str, String)>,
}

impl Database {
    pub(crate) fn new(steps: Vec<Step>, planted: Option<Planted>) -> Self {
        Self {
            state: State::Queued,
            epoch: 0,
            claimed_at: 0,
            lease_until: 0,
            canceled_at: None,
            steps,
            last_look: None,
            doubtful: BTreeSet::new(),
            records: Vec::new(),
            fenced: 0,
            repeated: 0,
            only_looks: false,
            planted,
            violations: Vec::new(),
        }
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.state != State::Queued && !self.state.is_carried_out()
    }

    /// Takes the deployment where its lease is free or over.
    pub(crate) fn claim(&mut self, now: u64) -> Option<u64> {
        if self.has_ended() || self.lease_until > now {
            return None;
        }
        if self.state == State::Queued {
            self.state = State::Running;
        }
        self.epoch += 1;
        self.claimed_at = now;
        self.lease_until = now + LEASE;
        Some(self.epoch)
    }

    pub(crate) fn renew(&mut self, now: u64, epoch: u64) -> bool {
        let current = self.is_current(epoch, None);
        if current {
            self.lease_until = now + LEASE;
        }
        current
    }

    /// Writes an intent, where the step is as the decision of `decided_at` saw it.
    pub(crate) fn begin(
        &mut self,
        epoch: u64,
        step: (u32, Direction),
        expected: Phase,
        decided_at: u64,
    ) -> bool {
        if !self.is_current(epoch, Some(Planted::NoEpochOnIntents)) {
            return false;
        }
        if *self.phase(step) != expected {
            self.repeated += 1;
            return false;
        }
        self.check_order(step, expected, decided_at);
        *self.phase(step) = Phase::Begun;
        true
    }

    /// Writes a result, and what belongs into the same transaction.
    pub(crate) fn end(&mut self, epoch: u64, step: (u32, Direction), outcome: &Outcome) -> bool {
        if !self.is_current(epoch, Some(Planted::NoEpochOnResults)) {
            return false;
        }
        if *self.phase(step) != Phase::Begun {
            self.repeated += 1;
            return false;
        }
        *self.phase(step) = outcome.phase;
        if outcome.untouched {
            *self.phase((step.0, Direction::Undo)) = Phase::Done;
        }
        self.doubtful.extend(&outcome.doubtful);
        match self.step(step.0).work {
            Work::Verify => self.last_look = Some(outcome.looked_at),
            Work::Record => self.records.push(self.done_items()),
            _ => {}
        }
        true
    }

    /// Writes what a person says about a doubt: as what it was taken. Nothing that was sent before counts any more.
    pub(crate) fn resolve(&mut self, verdict: Verdict) -> Verdict {
        let (verdict, resolved) = match resolve(&self.steps, verdict) {
            Ok(resolved) => (verdict, Some(resolved)),
            Err(_) => (Verdict::Failed, resolve(&self.steps, Verdict::Failed).ok()),
        };
        if let Some(resolved) = resolved {
            self.steps = resolved.steps;
            self.state = verdict.state();
            self.epoch += 1;
            self.only_looks = verdict == Verdict::Succeeded;
        }
        verdict
    }

    /// Writes a state, and gives the lease back where nothing is left to do.
    pub(crate) fn become_state(&mut self, epoch: u64, to: State) -> bool {
        if !self.is_current(epoch, Some(Planted::NoEpochOnStates)) {
            return false;
        }
        if !self.state.may_become(to) {
            self.violate("legal transitions", format!("{} to {to}", self.state));
            return false;
        }
        self.state = to;
        if self.has_ended() {
            self.lease_until = 0;
        }
        true
    }

    pub(crate) fn step(&self, number: u32) -> Step {
        self.steps[usize::try_from(number).unwrap_or_default()]
    }

    /// The items whose steps are all done and not undone.
    pub(crate) fn done_items(&self) -> Vec<u32> {
        let of = |position: u32| {
            self.steps.iter().filter(move |step| {
                [Work::Apply(position), Work::Connect(position)].contains(&step.work)
            })
        };
        let done = |step: &Step| step.phase == Phase::Done && step.undo != Phase::Done;
        let positions = self.steps.iter().filter_map(|step| match step.work {
            Work::Apply(position) => Some(position),
            _ => None,
        });
        positions
            .filter(|position| of(*position).all(done))
            .collect()
    }

    pub(crate) fn violate(&mut self, invariant: &'static str, what: String) {
        self.violations.push((invariant, what));
    }

    fn phase(&mut self, (number, direction): (u32, Direction)) -> &mut Phase {
        let step = &mut self.steps[usize::try_from(number).unwrap_or_default()];
        match direction {
            Direction::Do => &mut step.phase,
            Direction::Undo => &mut step.undo,
        }
    }

    /// The epoch's condition, which a planted fault leaves out.
    fn is_current(&mut self, epoch: u64, without: Option<Planted>) -> bool {
        if epoch == self.epoch {
            return true;
        }
        if without.is_some() && self.planted == without {
            let current = self.epoch;
            self.violate(
                "no accepted write with an old epoch",
                format!("{epoch} under {current}"),
            );
            return true;
        }
        self.fenced += 1;
        false
    }

    /// What has to hold wherever a step begins.
    fn check_order(&mut self, (number, direction): (u32, Direction), from: Phase, decided_at: u64) {
        let step = self.step(number);
        let open = |phase: Phase| matches!(phase, Phase::Waiting | Phase::Begun);
        let is_item = |work| matches!(work, Work::Apply(_) | Work::Connect(_));
        let of = |work: Work| self.steps.iter().find(|step| step.work == work);
        let mut wrong = Vec::new();
        match direction {
            Direction::Do => {
                let closes = matches!(step.work, Work::Verify | Work::Record | Work::PostSnapshot);
                let before = |other: &&Step| other.wave < step.wave;
                let mut before = self.steps.iter().filter(before);
                // One that is stopped or undone leaves steps out, and closes what was begun.
                let blocks = |other: &Step| match self.state {
                    State::Running => open(other.phase),
                    _ => other.phase == Phase::Begun,
                };
                if before.any(blocks) {
                    wrong.push("a wave begins when those before it are over");
                }
                let snapshot = of(Work::PreSnapshot).map(|step| step.phase);
                if is_item(step.work) && snapshot != Some(Phase::Done) {
                    wrong.push("PreSnapshot before any Apply");
                }
                let record = of(Work::Record).map(|step| step.phase);
                if step.work == Work::PostSnapshot && record != Some(Phase::Done) {
                    wrong.push("Record before PostSnapshot");
                }
                let late = self
                    .canceled_at
                    .is_some_and(|at| at < decided_at && !self.only_looks);
                if late && !closes && from == Phase::Waiting && self.items_are_open() {
                    wrong.push("nothing new after a cancel");
                }
            }
            Direction::Undo => {
                let behind = |other: &&Step| other.wave > step.wave && is_item(other.work);
                let mut behind = self.steps.iter().filter(behind);
                let undoes_item = matches!(step.work, Work::Apply(_));
                let blocks = |other: &Step| {
                    let applied = matches!(other.work, Work::Apply(_));
                    other.phase == Phase::Begun
                        || applied && other.phase != Phase::Waiting && open(other.undo)
                };
                if undoes_item && behind.any(blocks) {
                    wrong.push("what was done last is undone first");
                }
            }
        }
        for invariant in wrong {
            self.violate(invariant, format!("{direction} of {:?}", step.work));
        }
    }

    fn items_are_open(&self) -> bool {
        let open = |step: &Step| {
            matches!(step.work, Work::Apply(_) | Work::Connect(_))
                && matches!(step.phase, Phase::Waiting | Phase::Begun)
        };
        self.steps.iter().any(open)
    }
}
