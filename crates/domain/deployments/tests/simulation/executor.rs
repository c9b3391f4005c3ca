//! An executor: what it knows by itself, and how it reads what it finds.

use slipway_deployments::{Direction, Phase, Probe, State, Work, probe};

use super::{
    database::Outcome,
    plan::{Doc, Item},
    world::{Change, Copy},
};

#[derive(Default)]
pub(crate) struct Executor {
    /// Raised by every crash: what an earlier life had under way is gone.
    pub(crate) life: u64,
    pub(crate) down: bool,
    pub(crate) paused_until: u64,
    /// Until when it can't reach the database.
    pub(crate) offline_until: u64,
    pub(crate) claim: Option<Claim>,
}

/// A deployment that it carries out.
pub(crate) struct Claim {
    pub(crate) epoch: u64,
    /// Counted from sending the last renewal that succeeded.
    pub(crate) deadline: u64,
    pub(crate) tasks: Vec<Task>,
    /// The state that it is about to write.
    pub(crate) becoming: Option<State>,
}

/// A step under way.
#[derive(Debug, Clone)]
pub(crate) struct Task {
    pub(crate) token: u64,
    pub(crate) step: (u32, Direction),
    /// The phase that the decision saw.
    pub(crate) from: Phase,
    pub(crate) decided_at: u64,
    pub(crate) stage: Stage,
    /// Whether this attempt sent anything that writes.
    pub(crate) sent: bool,
    /// Whether the engine said no.
    pub(crate) refused: bool,
    pub(crate) attempts: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Write the intent.
    Intend,
    /// Read the target, and decide.
    Look,
    /// Send this, if there is time.
    Send(Change),
    /// Wait for the answer to a call.
    Await(usize),
    /// Write the result.
    Report(Outcome),
}

/// What a step is to make of an item: from one of `from` to `to`.
pub(crate) struct Goal {
    pub(crate) item: usize,
    from: Vec<Option<Doc>>,
    pub(crate) to: Option<Doc>,
}

impl Goal {
    pub(crate) fn of(items: &[Item], work: Work, direction: Direction) -> Option<Self> {
        let (Work::Apply(position) | Work::Connect(position)) = work else {
            return None;
        };
        let at = usize::try_from(position).ok()?;
        let Item {
            before,
            applied,
            after,
            ..
        } = items[at];
        let (from, to) = match (direction, work) {
            (Direction::Undo, _) => (vec![after, applied], before),
            (Direction::Do, Work::Connect(_)) => (vec![applied], after),
            (Direction::Do, _) => (vec![before], applied),
        };
        Some(Self { item: at, from, to })
    }

    /// Compares what is found with what was there and what should be.
    pub(crate) fn probe(&self, found: Option<&Doc>) -> Probe {
        probe(self.from[0].as_ref(), self.to.as_ref(), found, || {
            self.in_between(found)
        })
    }

    /// Whether each part is an old or a new one. What is created is inactive at first, and what is removed at last.
    fn in_between(&self, found: Option<&Doc>) -> bool {
        let mut known = self.from.iter().chain([&self.to]);
        let Some(found) = found else {
            return known.any(Option::is_none);
        };
        let inactive = known.clone().any(Option::is_none) && !found.active;
        let docs: Vec<_> = known.flatten().collect();
        docs.iter().any(|doc| doc.content == found.content)
            && (inactive || docs.iter().any(|doc| doc.active == found.active))
    }

    /// The next call towards the goal.
    pub(crate) fn change(&self, found: Option<&Copy>) -> Option<Change> {
        match (self.to, found) {
            (None, None) => None,
            (Some(to), None) => Some(Change::Create(to.content)),
            (None, Some(copy)) if copy.doc.active => Some(Change::Activate(copy.id, false)),
            (None, Some(copy)) => Some(Change::Delete(copy.id)),
            (Some(to), Some(copy)) if copy.doc.content != to.content => {
                Some(Change::Write(copy.id, to.content))
            }
            (Some(to), Some(copy)) => Some(Change::Activate(copy.id, to.active)),
        }
    }

    /// The first call of somebody who takes it for granted that nothing has happened yet.
    pub(crate) fn blind_change(&self, copies: &[Copy]) -> Option<Change> {
        match (self.from[0], self.to, copies.first()) {
            (None, Some(to), _) => Some(Change::Create(to.content)),
            (Some(_), Some(to), Some(copy)) => Some(Change::Write(copy.id, to.content)),
            (_, _, found) => self.change(found),
        }
    }
}

impl Claim {
    pub(crate) fn task(&mut self, token: u64) -> Option<&mut Task> {
        self.tasks.iter_mut().find(|task| task.token == token)
    }
}

impl Outcome {
    pub(crate) fn of(phase: Phase) -> Self {
        Self {
            phase,
            untouched: false,
            doubtful: Vec::new(),
            looked_at: 0,
        }
    }
}
