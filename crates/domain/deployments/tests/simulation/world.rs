//! The target: an engine that knows no conditional writes, and a store of snapshots that does.

use std::collections::{BTreeMap, BTreeSet};

use slipway_deployments::{Direction, Step, Work};

use super::plan::{Doc, Item, Refusal};

/// A workflow in the engine. Several may stand for one item, because names need not be unique.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Copy {
    pub(crate) id: u32,
    pub(crate) doc: Doc,
    pub(crate) ours: bool,
}

/// One call that writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Change {
    Create(u32),
    Write(u32, u32),
    Activate(u32, bool),
    Delete(u32),
}

/// What an effect belongs to; the same on every attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct EffectKey {
    pub(crate) step: u32,
    pub(crate) direction: Direction,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Ok,
    Refused,
    NotFound,
}

/// What an item looked like from an event on, and who made it so: `None` is somebody else.
pub(crate) struct Moment {
    pub(crate) at: u64,
    pub(crate) item: usize,
    pub(crate) by: Option<EffectKey>,
    pub(crate) copies: Vec<Copy>,
}

pub(crate) struct World {
    items: Vec<Vec<Copy>>,
    refusals: Vec<Refusal>,
    /// Which steps write an item.
    steps_of: Vec<Vec<u32>>,
    next_id: u32,
    pub(crate) history: Vec<Moment>,
    /// How often each effect was applied on top of itself, with nobody else in between: at the recording fake.
    pub(crate) applied: BTreeMap<(EffectKey, Change), u32>,
    pub(crate) snapshots: BTreeSet<u32>,
    /// Until when reads of an item get no answer.
    pub(crate) unreadable: Vec<u64>,
}

impl World {
    pub(crate) fn new(items: &[Item], steps: &[Step]) -> Self {
        let copies = |(id, item): (u32, &Item)| {
            let ours = false;
            item.before.map(|doc| Copy { id, doc, ours })
        };
        let copies: Vec<Vec<_>> = (0..)
            .zip(items)
            .map(|entry| copies(entry).into_iter().collect())
            .collect();
        let writes = |position| {
            let of = move |step: &&Step| {
                [Work::Apply(position), Work::Connect(position)].contains(&step.work)
            };
            steps.iter().filter(of).map(|step| step.number).collect()
        };
        Self {
            steps_of: items
                .iter()
                .map(|item| writes(item.ordered.position))
                .collect(),
            refusals: items.iter().map(|item| item.refusal).collect(),
            unreadable: vec![0; items.len()],
            items: copies,
            next_id: 100,
            history: Vec::new(),
            applied: BTreeMap::new(),
            snapshots: BTreeSet::new(),
        }
    }

    pub(crate) fn copies(&self, item: usize) -> &[Copy] {
        &self.items[item]
    }

    /// What an item looked like at an event.
    pub(crate) fn copies_at(&self, item: usize, at: u64, first: &Item) -> Vec<Doc> {
        let of_item = |moment: &&Moment| moment.item == item && moment.at <= at;
        match self.history.iter().rfind(of_item) {
            Some(moment) => moment.copies.iter().map(|copy| copy.doc).collect(),
            None => first.before.into_iter().collect(),
        }
    }

    /// An effect of ours lands.
    pub(crate) fn land(&mut self, at: u64, item: usize, key: EffectKey, change: Change) -> Answer {
        let refused = self.refuses(item, key.direction, change);
        if refused && self.refusals[item] != Refusal::ContentButSaves {
            return Answer::Refused;
        }
        let copy = |copies: &mut Vec<Copy>, id| copies.iter().position(|copy| copy.id == id);
        let copies = &mut self.items[item];
        match change {
            Change::Create(content) => {
                let active = false;
                let doc = Doc { content, active };
                let (id, ours) = (self.next_id, true);
                copies.push(Copy { id, doc, ours });
                self.next_id += 1;
            }
            Change::Write(id, content) => match copy(copies, id) {
                Some(at) => copies[at].doc.content = content,
                None => return Answer::NotFound,
            },
            Change::Activate(id, active) => match copy(copies, id) {
                Some(at) => copies[at].doc.active = active,
                None => return Answer::NotFound,
            },
            Change::Delete(id) => match copy(copies, id) {
                Some(at) => drop(copies.remove(at)),
                None => return Answer::NotFound,
            },
        }
        *self.applied.entry((key, change)).or_default() += 1;
        self.remember(at, item, Some(key));
        if refused { Answer::Refused } else { Answer::Ok }
    }

    /// Somebody else changes, removes or adds a workflow of that name.
    pub(crate) fn meddle(&mut self, at: u64, item: usize, chance: u64) {
        let (id, content) = (self.next_id, 1_000 + self.next_id);
        self.next_id += 1;
        let theirs = |(key, _): &(EffectKey, Change)| self.steps_of[item].contains(&key.step);
        self.applied.retain(|effect, _| !theirs(effect));
        let active = chance.is_multiple_of(2);
        let copies = &mut self.items[item];
        match copies.first_mut() {
            Some(_) if chance.is_multiple_of(5) => drop(copies.remove(0)),
            Some(copy) if !chance.is_multiple_of(7) => copy.doc.content = content,
            _ => copies.push(Copy {
                id,
                doc: Doc { content, active },
                ours: false,
            }),
        }
        self.remember(at, item, None);
    }

    fn refuses(&self, item: usize, direction: Direction, change: Change) -> bool {
        let content = matches!(change, Change::Create(_) | Change::Write(..));
        let forwards = direction == Direction::Do;
        match self.refusals[item] {
            Refusal::Never => false,
            Refusal::Content | Refusal::ContentButSaves => content && forwards,
            Refusal::Activation => matches!(change, Change::Activate(..)) && forwards,
            Refusal::Undo => !forwards,
        }
    }

    fn remember(&mut self, at: u64, item: usize, by: Option<EffectKey>) {
        self.history.push(Moment {
            at,
            item,
            by,
            copies: self.items[item].clone(),
        });
    }
}
