//! What is carried out next: the executor as a pure function of what has been written down.
//!
//! A deployment's steps stand in waves. The steps of a wave may run at the same time, and a wave begins when the ones
//! before it are over. Everything that decides is in [`next`]; an executor does what it says, and writes down what came
//! of it, so that another one can go on from there.

use serde::{Deserialize, Serialize};
use slipway_kernel::words;

use crate::{OnFailure, State};

/// What a step does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Work {
    /// Reads both sides again and compares the plan's digest. Nothing has been touched yet.
    Preflight,
    /// Takes the snapshot that a way back needs.
    PreSnapshot,
    /// Makes one item so in the target; the number is its position.
    Apply(u32),
    /// Points an item at others that did not exist when it was applied.
    Connect(u32),
    /// Reads the target again and compares.
    Verify,
    /// Writes down, in one transaction, what became of the items, and what is where now. It fails where chosen versions can't
    /// become current any more, because something else is current by now than when they were chosen.
    Record,
    /// Takes the snapshot that shows what became of the target.
    PostSnapshot,
}

impl Work {
    /// Whether there is a way back: what was applied is undone, and then looked at.
    pub const fn has_undo(self) -> bool {
        matches!(self, Self::Apply(_) | Self::Verify)
    }

    /// Whether it changes the target, or shows whether that was done.
    pub(crate) const fn is_target(self) -> bool {
        matches!(self, Self::Apply(_) | Self::Connect(_) | Self::Verify)
    }
}

/// How far a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Phase {
    /// Not begun.
    Waiting,
    /// The intent is written; whether the effect happened has to be looked up.
    Begun,
    /// It happened.
    Done,
    /// It did not happen, or not all of it.
    Failed,
    /// Nobody can tell.
    Unknown,
}

impl Phase {
    /// Whether it is not over.
    const fn is_open(self) -> bool {
        matches!(self, Self::Waiting | Self::Begun)
    }
}

words! {
    Phase, "phase of a step":
    Waiting = "WAITING",
    Begun = "BEGUN",
    Done = "DONE",
    Failed = "FAILED",
    Unknown = "UNKNOWN",
}

/// Forwards or back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Direction {
    /// Does it.
    Do,
    /// Undoes it.
    Undo,
}

words! { Direction, "direction of a step": Do = "DO", Undo = "UNDO" }

/// A step, and how far it is in both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Its number in the deployment, from 0.
    pub number: u32,
    /// Which steps it waits for: all of lower waves.
    pub wave: u32,
    /// What it does.
    pub work: Work,
    /// How far doing it is.
    pub phase: Phase,
    /// How far undoing it is; always [`Phase::Waiting`] where [`Work::has_undo`] says that there is none. Undoing
    /// [`Work::Apply`] puts the item back as it was before, also where it was applied only in part, and takes back what
    /// [`Work::Connect`] did. An attempt that is known to have touched nothing is `Failed` with its undo `Done`. Undoing
    /// [`Work::Verify`] reads the target again and checks that nothing of what was applied is left.
    pub undo: Phase,
}

/// An item as far as the order of its steps goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ordered {
    /// Its position in the deployment.
    pub position: u32,
    /// When it is written: higher than the ranks of the items that it refers to, from 0. Items of one rank are written at
    /// the same time.
    pub rank: u32,
    /// Whether it refers to an item of its own rank or a higher one, so that it needs a [`Work::Connect`] afterwards.
    pub in_cycle: bool,
}

/// The steps for these items, none begun.
pub fn steps_for(items: &[Ordered]) -> Vec<Step> {
    let last_rank = items.iter().map(|item| item.rank).max().unwrap_or_default();
    let mut works = vec![(0, Work::Preflight), (1, Work::PreSnapshot)];
    works.extend(
        items
            .iter()
            .map(|item| (2 + item.rank, Work::Apply(item.position))),
    );
    let behind = last_rank + 3;
    let cyclic = items.iter().filter(|item| item.in_cycle);
    works.extend(cyclic.map(|item| (behind, Work::Connect(item.position))));
    works.extend([
        (behind + 1, Work::Verify),
        (behind + 2, Work::Record),
        (behind + 3, Work::PostSnapshot),
    ]);
    works.sort_unstable();
    (0..)
        .zip(works)
        .map(|(number, (wave, work))| Step {
            number,
            wave,
            work,
            phase: Phase::Waiting,
            undo: Phase::Waiting,
        })
        .collect()
}

/// What has been written down of a deployment that is carried out.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// Its state.
    pub state: State,
    /// What its stage says about failures.
    pub on_failure: OnFailure,
    /// Whether somebody asked to stop it.
    pub cancel: bool,
    /// Its steps, by number.
    pub steps: &'a [Step],
    /// The steps that this executor has under way.
    pub under_way: &'a [(u32, Direction)],
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Begin these steps. One whose phase is [`Phase::Begun`] was begun by somebody else: look up what came of it first.
    Begin(Vec<(u32, Direction)>),
    /// Wait for what is under way.
    Wait,
    /// Write down this state. Where it is over, so is the work.
    Become(State),
}

/// What an executor does next.
///
/// An answer holds for what was read; the writes that follow from it are conditional on the epoch and on the phase that
/// was read, so that an answer that has been overtaken does nothing. Whoever resolves a doubt writes every phase that is
/// in doubt anew, as [`resolve`](crate::resolve) says.
pub fn next(progress: Progress<'_>) -> Next {
    match progress.state {
        State::Running => running(progress),
        State::Canceling => canceling(progress),
        State::Compensating => compensating(progress),
        // Nothing is carried out in any other state.
        _ => Next::Wait,
    }
}

fn running(progress: Progress<'_>) -> Next {
    let to = if progress.in_doubt() {
        Some(State::InDoubt)
    } else if progress.opening().any(has_failed) {
        Some(State::Failed)
    } else if progress.on_failure == OnFailure::Compensate
        && (progress.target().any(has_failed) || progress.was_refused())
    {
        Some(State::Compensating)
    } else if progress.cancel && !progress.items_are_over() {
        Some(State::Canceling)
    } else {
        None
    };
    if let Some(to) = to {
        return progress.after_begun(Next::Become(to));
    }
    let open = |step: &&Step| step.phase.is_open();
    let Some(wave) = progress
        .steps
        .iter()
        .filter(open)
        .map(|step| step.wave)
        .min()
    else {
        // A snapshot afterwards that failed changes nothing about the outcome: the deployment's problem tells it.
        let mut matters = progress
            .steps
            .iter()
            .filter(|step| step.work != Work::PostSnapshot);
        return Next::Become(if matters.all(|step| step.phase == Phase::Done) {
            State::Succeeded
        } else {
            State::Failed
        });
    };
    let ready = progress
        .steps
        .iter()
        .filter(open)
        .filter(|step| step.wave == wave);
    progress.begin(ready.map(|step| (step.number, Direction::Do)))
}

fn canceling(progress: Progress<'_>) -> Next {
    if progress.in_doubt() {
        return progress.after_begun(Next::Become(State::InDoubt));
    }
    if progress.touched() && progress.on_failure == OnFailure::Compensate {
        return progress.after_begun(Next::Become(State::Compensating));
    }
    // What stays is looked at before it is written down, as at the end of one that was not stopped.
    progress.close(
        &[Work::Verify, Work::Record, Work::PostSnapshot],
        State::Canceled,
    )
}

fn compensating(progress: Progress<'_>) -> Next {
    if progress.in_doubt() {
        return progress.after_begun(Next::Become(State::InDoubt));
    }
    if progress.goes_forwards() {
        return progress.after_begun(Next::Wait);
    }
    // In reverse: the last wave that is not undone. Only then does it show whether anything is left.
    let to_undo = |step: &&Step| step.phase != Phase::Waiting && step.undo.is_open();
    let applied = || {
        progress
            .items()
            .filter(|step| matches!(step.work, Work::Apply(_)))
    };
    if let Some(wave) = applied().filter(to_undo).map(|step| step.wave).max() {
        let ready = applied().filter(to_undo).filter(|step| step.wave == wave);
        return progress.begin(ready.map(|step| (step.number, Direction::Undo)));
    }
    let unseen = |step: &&Step| step.work == Work::Verify && step.undo.is_open();
    if let Some(verify) = progress.steps.iter().find(unseen)
        && progress.touched()
    {
        return progress.begin([(verify.number, Direction::Undo)]);
    }
    let to = if progress.cancel {
        State::Canceled
    } else {
        State::Failed
    };
    progress.close(&[Work::Record, Work::PostSnapshot], to)
}

/// Whether it did not do what it was to do, for all that is known.
const fn has_failed(step: &Step) -> bool {
    matches!(step.phase, Phase::Failed | Phase::Unknown)
}

impl<'a> Progress<'a> {
    fn items(self) -> impl Iterator<Item = &'a Step> {
        let is_item = |step: &&Step| matches!(step.work, Work::Apply(_) | Work::Connect(_));
        self.steps.iter().filter(is_item)
    }

    /// What comes before anything is touched.
    fn opening(self) -> impl Iterator<Item = &'a Step> {
        let opens = |step: &&Step| matches!(step.work, Work::Preflight | Work::PreSnapshot);
        self.steps.iter().filter(opens)
    }

    /// What changes the target, and what shows whether it did.
    fn target(self) -> impl Iterator<Item = &'a Step> {
        self.steps.iter().filter(|step| step.work.is_target())
    }

    /// Whether it may not be, or could not be, written down what is where now: then nothing of it is to stay.
    fn was_refused(self) -> bool {
        let mut records = self.steps.iter().filter(|step| step.work == Work::Record);
        records.any(has_failed)
    }

    fn items_are_over(self) -> bool {
        let over = |step: &Step| !step.phase.is_open();
        self.opening().all(over) && self.items().all(over)
    }

    /// Whether the target may have been changed.
    fn touched(self) -> bool {
        self.items().any(|step| step.phase != Phase::Waiting)
    }

    /// Whether only a person can tell what is in the target. What comes before it was touched leaves no such question,
    /// and neither do the record, which is a transaction, and the snapshot after it.
    fn in_doubt(self) -> bool {
        let undone_in_vain = |step: &Step| matches!(step.undo, Phase::Failed | Phase::Unknown);
        self.target().any(|step| step.phase == Phase::Unknown)
            || self.steps.iter().any(undone_in_vain)
    }

    /// Whether something is still being done, rather than undone.
    fn goes_forwards(self) -> bool {
        let closes = |step: &Step| matches!(step.work, Work::Record | Work::PostSnapshot);
        let mut forwards = self.steps.iter().filter(|step| !closes(step));
        forwards.any(|step| {
            step.phase == Phase::Begun || self.under_way.contains(&(step.number, Direction::Do))
        })
    }

    /// What was begun comes first, be it ours or somebody else's: it is not left behind half done.
    fn after_begun(self, then: Next) -> Next {
        if !self.under_way.is_empty() {
            return Next::Wait;
        }
        let begun = [Direction::Do, Direction::Undo].map(|direction| {
            let begun = move |step: &&Step| step.in_direction(direction) == Phase::Begun;
            let steps = self.steps.iter().filter(begun);
            steps.map(move |step| (step.number, direction))
        });
        let begun: Vec<_> = begun.into_iter().flatten().collect();
        if begun.is_empty() {
            then
        } else {
            Next::Begin(begun)
        }
    }

    /// The steps that close a deployment which did not run to its end, one after the other.
    fn close(self, works: &[Work], to: State) -> Next {
        let closes = |step: &&Step| works.contains(&step.work) && step.phase.is_open();
        self.after_begun(match self.steps.iter().find(closes) {
            Some(step) if self.touched() => Next::Begin(vec![(step.number, Direction::Do)]),
            _ => Next::Become(to),
        })
    }

    fn begin(self, steps: impl IntoIterator<Item = (u32, Direction)>) -> Next {
        let idle = |step: &(u32, Direction)| !self.under_way.contains(step);
        let ready: Vec<_> = steps.into_iter().filter(idle).collect();
        if ready.is_empty() {
            Next::Wait
        } else {
            Next::Begin(ready)
        }
    }
}

impl Step {
    /// How far it is in a direction.
    pub const fn in_direction(&self, direction: Direction) -> Phase {
        match direction {
            Direction::Do => self.phase,
            Direction::Undo => self.undo,
        }
    }
}

#[cfg(test)]
mod tests;
