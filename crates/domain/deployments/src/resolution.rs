//! What a person says about a deployment in doubt, and what follows from it for its steps.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use slipway_kernel::{PrincipalId, Timestamp, text::Reason, words};

use crate::{Phase, Problem, State, Step, Work};

/// What a person decided after a look at the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Verdict {
    /// Everything is there. It is looked at, and nothing is written any more; what does not fit is a doubt again.
    Succeeded,
    /// It ends as it stands: nothing is written in the target any more.
    Failed,
    /// What is in doubt is looked at again, and the deployment goes on from there.
    Running,
    /// What was done is undone.
    Compensating,
}

words! {
    Verdict, "verdict":
    Succeeded = "SUCCEEDED",
    Failed = "FAILED",
    Running = "RUNNING",
    Compensating = "COMPENSATING",
}

impl Verdict {
    /// The deployment's state after the verdict. One that is to end is carried on too: it takes its last steps (looks at the
    /// target, writes its records, takes its snapshot) and is over after them.
    pub const fn state(self) -> State {
        match self {
            Self::Compensating => State::Compensating,
            Self::Succeeded | Self::Failed | Self::Running => State::Running,
        }
    }
}

/// A doubt that a person resolved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolution {
    /// Who.
    pub by: PrincipalId,
    /// When.
    pub at: Timestamp,
    /// What they decided.
    pub verdict: Verdict,
    /// Why.
    pub reason: Reason,
    /// What the doubt was.
    pub doubt: Option<Problem>,
}

/// Why a verdict does not fit what has been written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unresolvable {
    /// The first item has not begun.
    #[error("no item has begun, so nothing can be there yet: choose RUNNING or FAILED")]
    NothingBegun,
    /// Some of it has been undone, or is in doubt because it could not be.
    #[error("what was done is being undone already: choose COMPENSATING or FAILED")]
    BeingUndone,
    /// The ledger has records of what it did.
    #[error(
        "the ledger has its records already: choose RUNNING to let it end, and roll it back then"
    )]
    Recorded,
}

/// The steps as an executor goes on with them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// All steps, by number.
    pub steps: Vec<Step>,
    /// The positions of the items that were in doubt.
    pub doubtful: BTreeSet<u32>,
}

/// Writes every phase that is in doubt anew, so that [`next`](crate::next) has an answer again.
///
/// | verdict | in doubt | not begun, failed | what closes it |
/// | --- | --- | --- | --- |
/// | `RUNNING` | looked at again, and done where it is open | as before | as before |
/// | `SUCCEEDED` | looked at again | looked at, in turn | all of it, from the look at the target on |
/// | `COMPENSATING` | undone, as what was done | – | as after every compensation |
/// | `FAILED` | counts as failed | left out | the record of what is certain, and the snapshot |
///
/// `SUCCEEDED` and `FAILED` end by the usual last steps, so that the ledger never holds more than was seen.
pub fn resolve(steps: &[Step], verdict: Verdict) -> Result<Resolved, Unresolvable> {
    check(steps, verdict)?;
    let steps_after = steps.iter().map(|step| {
        let mut step = *step;
        match verdict {
            Verdict::Running => look_again(&mut step),
            Verdict::Succeeded => look_at_all(&mut step),
            Verdict::Compensating => undo(&mut step),
            Verdict::Failed => give_up(&mut step),
        }
        step
    });
    Ok(Resolved {
        steps: steps_after.collect(),
        doubtful: steps.iter().filter_map(doubtful).collect(),
    })
}

/// The item that nobody can tell about.
fn doubtful(step: &Step) -> Option<u32> {
    let (Work::Apply(position) | Work::Connect(position)) = step.work else {
        return None;
    };
    let in_doubt = matches!(step.phase, Phase::Begun | Phase::Unknown)
        || matches!(step.undo, Phase::Begun | Phase::Failed | Phase::Unknown);
    in_doubt.then_some(position)
}

fn check(steps: &[Step], verdict: Verdict) -> Result<(), Unresolvable> {
    let is_done = |work| {
        let mut of_work = steps.iter().filter(|step| step.work == work);
        of_work.all(|step| step.phase == Phase::Done)
    };
    // An attempt that touched nothing is `Failed` with its undo `Done`: see `Step::undo`.
    let went_back = |step: &Step| {
        step.undo != Phase::Waiting && (step.phase, step.undo) != (Phase::Failed, Phase::Done)
    };
    let goes_on = matches!(verdict, Verdict::Running | Verdict::Succeeded);
    if goes_on && steps.iter().any(went_back) {
        return Err(Unresolvable::BeingUndone);
    }
    if verdict == Verdict::Succeeded && (steps.is_empty() || !is_done(Work::PreSnapshot)) {
        return Err(Unresolvable::NothingBegun);
    }
    let recorded = !steps.is_empty() && is_done(Work::Record);
    let stands = |step: &Step| {
        matches!(step.work, Work::Apply(_))
            && step.phase != Phase::Waiting
            && step.undo != Phase::Done
    };
    let would_untell = match verdict {
        Verdict::Succeeded => true,
        Verdict::Compensating => steps.iter().any(stands),
        Verdict::Running | Verdict::Failed => false,
    };
    if recorded && would_untell {
        return Err(Unresolvable::Recorded);
    }
    Ok(())
}

fn look_again(step: &mut Step) {
    if step.phase == Phase::Unknown && step.work.is_target() {
        // A look at the target is no effect that somebody may have begun: it comes when its turn comes.
        let is_look = step.work == Work::Verify;
        step.phase = if is_look {
            Phase::Waiting
        } else {
            Phase::Begun
        };
    }
}

fn look_at_all(step: &mut Step) {
    match step.work {
        Work::Apply(_) | Work::Connect(_) if step.phase != Phase::Done => {
            (step.phase, step.undo) = (Phase::Waiting, Phase::Waiting);
        }
        Work::Verify => step.phase = Phase::Waiting,
        _ => {}
    }
}

fn undo(step: &mut Step) {
    let forwards = !matches!(step.work, Work::Record | Work::PostSnapshot);
    if forwards && matches!(step.phase, Phase::Begun | Phase::Unknown) {
        step.phase = Phase::Failed;
    }
    if matches!(step.undo, Phase::Failed | Phase::Unknown) {
        step.undo = Phase::Begun;
    }
}

fn give_up(step: &mut Step) {
    let undone_in_vain = matches!(step.undo, Phase::Begun | Phase::Failed | Phase::Unknown);
    if undone_in_vain {
        step.undo = Phase::Waiting;
    }
    let given_up = match step.work {
        Work::Verify => true,
        Work::Record => false,
        // A snapshot that was begun may be what brought the server down: it is not tried again for ever.
        Work::PostSnapshot => step.phase == Phase::Begun,
        _ => step.phase != Phase::Done || undone_in_vain,
    };
    if given_up {
        step.phase = Phase::Failed;
    }
}
