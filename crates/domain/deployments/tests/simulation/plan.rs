//! What a run is to do and what will go wrong, drawn by its seed.

use slipway_deployments::{OnFailure, Ordered, Verdict};

use super::dice::Dice;

/// The longest that the engine's answer is waited for; after another time as long, nothing lands any more.
pub(crate) const CALL: u64 = 100;
/// How long a claim holds.
pub(crate) const LEASE: u64 = 4 * CALL;

/// A workflow, as two parts that are written by calls of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Doc {
    pub(crate) content: u32,
    pub(crate) active: bool,
}

/// How the engine refuses an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    Never,
    Content,
    /// It says no, and saves the content all the same.
    ContentButSaves,
    Activation,
    /// Whatever undoes it.
    Undo,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Item {
    pub(crate) ordered: Ordered,
    pub(crate) before: Option<Doc>,
    /// After its `Apply`.
    pub(crate) applied: Option<Doc>,
    /// After its `Connect`, where it has one.
    pub(crate) after: Option<Doc>,
    pub(crate) refusal: Refusal,
}

/// What the preflight will find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Preflight {
    AsPlanned,
    Changed,
    Fails,
}

#[expect(clippy::struct_excessive_bools, reason = "independent misfortunes")]
pub(crate) struct Plan {
    pub(crate) items: Vec<Item>,
    pub(crate) on_failure: OnFailure,
    /// How many steps an executor has under way at most.
    pub(crate) parallel: usize,
    pub(crate) preflight: Preflight,
    pub(crate) pre_snapshot_fails: bool,
    pub(crate) post_snapshot_fails: bool,
    /// At which event somebody asks to stop.
    pub(crate) cancel: Option<u64>,
    /// At which events somebody else changes which item.
    pub(crate) foreign: Vec<(u64, usize)>,
    /// How many faults of executors and calls there may be, and how often one happens.
    pub(crate) faults: u32,
    pub(crate) fault_one_in: u64,
    pub(crate) call_fault_one_in: u64,
    /// Whether all that befalls executors is that one of them loses the database.
    pub(crate) cut_off: bool,
    /// Whether creates may land later than the engine promises.
    pub(crate) very_late: bool,
    /// What people say about one doubt after the other, before they let it rest.
    pub(crate) verdicts: Vec<Verdict>,
}

impl Plan {
    pub(crate) fn draw(dice: &mut Dice) -> Self {
        let count = dice.place(9);
        let refusals = dice.one_in(3);
        let items: Vec<_> = (0..count).map(|_| item(dice, refusals)).collect();
        let items: Vec<_> = (0..).zip(items).map(numbered).collect();
        let foreign = match items.len() {
            0 => 0,
            _ if dice.one_in(3) => dice.between(1, 3),
            _ => 0,
        };
        Self {
            foreign: (0..foreign)
                .map(|_| (dice.between(1, 300), dice.place(items.len())))
                .collect(),
            items,
            on_failure: if dice.one_in(3) {
                OnFailure::Keep
            } else {
                OnFailure::Compensate
            },
            parallel: dice.place(8) + 1,
            preflight: match dice.between(1, 60) {
                1 => Preflight::Changed,
                2 => Preflight::Fails,
                _ => Preflight::AsPlanned,
            },
            pre_snapshot_fails: dice.one_in(50),
            post_snapshot_fails: dice.one_in(20),
            cancel: dice.one_in(4).then(|| dice.between(1, 300)),
            faults: if dice.one_in(5) {
                0
            } else {
                u32::try_from(dice.between(1, 10)).unwrap_or_default()
            },
            fault_one_in: [4, 12, 40][dice.place(3)],
            call_fault_one_in: [2, 6, 20][dice.place(3)],
            cut_off: dice.one_in(4),
            very_late: dice.one_in(8),
            verdicts: (0..dice.place(4))
                .map(|_| Verdict::ALL[dice.place(Verdict::ALL.len())])
                .collect(),
        }
    }
}

fn item(dice: &mut Dice, refusals: bool) -> Item {
    let active = dice.one_in(2);
    let before = Doc { content: 1, active };
    let after = Doc {
        content: 3,
        active: active ^ dice.one_in(3),
    };
    let (before, after) = match dice.place(8) {
        0..=2 => (None, Some(after)),
        3..=5 => (Some(before), Some(after)),
        6 => (Some(before), None),
        _ => (Some(before), Some(before)),
    };
    let in_cycle = after.is_some() && before != after && dice.one_in(4);
    let refusal = match dice.place(12) {
        0 if refusals => Refusal::Content,
        1 if refusals => Refusal::ContentButSaves,
        2 if refusals => Refusal::Activation,
        3 if refusals => Refusal::Undo,
        _ => Refusal::Never,
    };
    Item {
        ordered: Ordered {
            position: 0,
            rank: u32::try_from(dice.place(4)).unwrap_or_default(),
            in_cycle,
        },
        before,
        applied: after.map(|after| Doc {
            content: if in_cycle { 2 } else { after.content },
            ..after
        }),
        after,
        refusal,
    }
}

/// Gives each item its position, and contents that no other item has.
fn numbered((position, mut item): (u32, Item)) -> Item {
    item.ordered.position = position;
    let docs = [&mut item.before, &mut item.applied, &mut item.after];
    for doc in docs.into_iter().flatten() {
        doc.content += 10 * (position + 1);
    }
    item
}
