use proptest::{collection::vec, prelude::*, sample::select};

use super::*;
use crate::{Resolved, Unresolvable, Verdict, resolve};

fn ordered() -> impl Strategy<Value = Vec<Ordered>> {
    let item = (0..5_u32, any::<bool>());
    vec(item, 0..8).prop_map(|items| {
        let numbered = (0..).zip(items);
        numbered
            .map(|(position, (rank, in_cycle))| Ordered {
                position,
                rank,
                in_cycle,
            })
            .collect()
    })
}

fn on_failure() -> impl Strategy<Value = OnFailure> {
    select(vec![OnFailure::Compensate, OnFailure::Keep])
}

/// What may have been written down, reachable or not, and which of what was begun is this executor's own.
#[derive(Debug, Clone)]
struct Situation {
    state: State,
    on_failure: OnFailure,
    cancel: bool,
    steps: Vec<Step>,
    under_way: Vec<(u32, Direction)>,
}

impl Situation {
    fn next(&self) -> Next {
        next(Progress {
            state: self.state,
            on_failure: self.on_failure,
            cancel: self.cancel,
            steps: &self.steps,
            under_way: &self.under_way,
        })
    }

    fn new(items: &[Ordered], on_failure: OnFailure) -> Self {
        Self {
            state: State::Running,
            on_failure,
            cancel: false,
            steps: steps_for(items),
            under_way: Vec::new(),
        }
    }

    /// All steps of these works get this phase.
    fn with(mut self, phase: Phase, of: impl Fn(Work) -> bool) -> Self {
        for step in self.steps.iter_mut().filter(|step| of(step.work)) {
            step.phase = phase;
        }
        self
    }

    fn phase(&mut self, (number, direction): (u32, Direction)) -> &mut Phase {
        let step = self.steps.iter_mut().find(|step| step.number == number);
        let step = step.expect("a step of this number");
        match direction {
            Direction::Do => &mut step.phase,
            Direction::Undo => &mut step.undo,
        }
    }

    fn begun(&self) -> Vec<(u32, Direction)> {
        let both = [Direction::Do, Direction::Undo].into_iter();
        both.flat_map(|direction| {
            let begun = move |step: &&Step| step.in_direction(direction) == Phase::Begun;
            let begun = self.steps.iter().filter(begun);
            begun.map(move |step| (step.number, direction))
        })
        .collect()
    }
}

fn situation() -> impl Strategy<Value = Situation> {
    let of_steps = |steps: Vec<Step>| {
        let phases = vec(
            (
                select(Phase::ALL.to_vec()),
                select(Phase::ALL.to_vec()),
                any::<bool>(),
            ),
            steps.len(),
        );
        let state = select(State::ALL.to_vec());
        (Just(steps), phases, state, on_failure(), any::<bool>())
    };
    let steps = ordered().prop_map(|items| steps_for(&items));
    steps
        .prop_flat_map(of_steps)
        .prop_map(|(mut steps, phases, state, on_failure, cancel)| {
            let mut mine = Vec::new();
            for (step, (phase, undo, is_mine)) in steps.iter_mut().zip(phases) {
                step.phase = phase;
                let is_undone = matches!(step.work, Work::Apply(_) | Work::Verify);
                if state == State::Compensating && is_undone && phase != Phase::Waiting {
                    step.undo = undo;
                }
                mine.extend(is_mine.then_some(step.number));
            }
            let mut situation = Situation {
                state,
                on_failure,
                cancel,
                steps,
                under_way: Vec::new(),
            };
            let begun = situation.begun().into_iter();
            situation.under_way = begun.filter(|(number, _)| mine.contains(number)).collect();
            situation
        })
}

fn is_item(work: Work) -> bool {
    matches!(work, Work::Apply(_) | Work::Connect(_))
}

proptest! {
    #[test]
    fn every_item_has_its_steps_in_order(items in ordered()) {
        let steps = steps_for(&items);
        for (number, step) in (0..).zip(&steps) {
            prop_assert_eq!(step.number, number);
            prop_assert_eq!((step.phase, step.undo), (Phase::Waiting, Phase::Waiting));
        }
        prop_assert!(steps.is_sorted_by_key(|step| step.wave));
        let waves = |of: Work| {
            let steps = steps.iter().filter(move |step| step.work == of);
            steps.map(|step| step.wave).collect::<Vec<_>>()
        };
        let last_item = steps.iter().filter(|step| is_item(step.work)).map(|step| step.wave).max();
        let frame = [Work::Preflight, Work::PreSnapshot, Work::Verify, Work::Record, Work::PostSnapshot];
        let frame: Vec<_> = frame.into_iter().flat_map(waves).collect();
        prop_assert_eq!(frame.len(), 5);
        prop_assert!(frame.is_sorted_by(|one, two| one < two));
        prop_assert!(last_item.is_none_or(|wave| frame[1] < wave && wave < frame[2]));
        let mut count = frame.len();
        for item in &items {
            let applied = waves(Work::Apply(item.position));
            prop_assert_eq!(&applied, &vec![2 + item.rank]);
            let connected = waves(Work::Connect(item.position));
            prop_assert_eq!(connected.len(), usize::from(item.in_cycle));
            let behind = |wave: &u32| items.iter().all(|other| 2 + other.rank < *wave);
            prop_assert!(connected.iter().all(behind));
            count += 1 + connected.len();
        }
        prop_assert_eq!(count, steps.len());
    }

    #[test]
    fn an_answer_is_sound_whatever_is_written_down(at in situation()) {
        match at.next() {
            Next::Wait => prop_assert!(!at.under_way.is_empty() || !at.state.is_carried_out()),
            Next::Become(to) => {
                prop_assert!(at.state.may_become(to), "{} to {to}", at.state);
                prop_assert_eq!(at.begun(), vec![]);
            }
            Next::Begin(begin) => {
                prop_assert!(at.state.is_carried_out() && !begin.is_empty());
                for (index, (number, direction)) in begin.iter().enumerate() {
                    let known = at.steps.iter().find(|step| step.number == *number);
                    let step = known.expect("a step of this number");
                    let phase = step.in_direction(*direction);
                    prop_assert!(phase.is_open(), "{step:?} is over");
                    prop_assert!(!at.under_way.contains(&(*number, *direction)));
                    prop_assert!(!begin[..index].contains(&(*number, *direction)), "twice");
                    if *direction == Direction::Undo {
                        prop_assert_eq!(at.state, State::Compensating);
                        prop_assert!(matches!(step.work, Work::Apply(_) | Work::Verify));
                        prop_assert!(step.phase != Phase::Waiting || step.work == Work::Verify);
                    }
                    if phase == Phase::Waiting {
                        check_new(&at, step, *direction)?;
                    }
                }
            }
        }
    }

    #[test]
    fn every_course_comes_to_an_end(
        items in ordered(),
        on_failure in on_failure(),
        cancel_at in proptest::option::of(0..40_usize),
        room in 1..4_usize,
        fates in vec(0..30_u8, 64),
    ) {
        let mut at = Situation::new(&items, on_failure);
        let mut fates = fates.into_iter().cycle();
        let mut times = std::collections::BTreeMap::new();
        for turn in 0..200 {
            at.cancel |= cancel_at.is_some_and(|cancel_at| cancel_at <= turn);
            match at.next() {
                Next::Become(to) => at.state = at.state.to(to)?,
                Next::Begin(begin) => {
                    let free = room.saturating_sub(at.under_way.len());
                    for step in begin.into_iter().take(free) {
                        *at.phase(step) = Phase::Begun;
                        at.under_way.push(step);
                        *times.entry(step).or_insert(0) += 1;
                    }
                }
                Next::Wait => prop_assert!(!at.under_way.is_empty()),
            }
            if !at.state.is_carried_out() {
                break;
            }
            if let Some(step) = at.under_way.pop() {
                *at.phase(step) = match fates.next() {
                    Some(0) => Phase::Failed,
                    Some(1) => Phase::Unknown,
                    _ => Phase::Done,
                };
            }
        }
        prop_assert!(at.state.is_over() || at.state == State::InDoubt, "still {}", at.state);
        prop_assert!(times.values().all(|times| *times == 1), "{times:?}");
        prop_assert_eq!(at.begun(), vec![]);
        prop_assert!(at.state != State::Canceled || at.cancel);
    }
}

fn verdict() -> impl Strategy<Value = Verdict> {
    select(Verdict::ALL.to_vec())
}

/// Carries a situation on for as long as something happens by itself. The fates say what becomes of each step in turn;
/// whoever only looks does not fail, but can't tell. Answers with the steps that were begun.
fn carried_on(
    at: &mut Situation,
    room: usize,
    only_looks: bool,
    fates: &mut impl Iterator<Item = u8>,
) -> Result<Vec<(u32, Direction)>, TestCaseError> {
    let mut times = Vec::new();
    for _ in 0..400 {
        match at.next() {
            Next::Become(to) => at.state = at.state.to(to)?,
            Next::Begin(begin) => {
                let free = room.saturating_sub(at.under_way.len());
                for step in begin.into_iter().take(free) {
                    *at.phase(step) = Phase::Begun;
                    at.under_way.push(step);
                    prop_assert!(!times.contains(&step), "{step:?} twice");
                    times.push(step);
                }
            }
            Next::Wait => prop_assert!(!at.under_way.is_empty()),
        }
        if !at.state.is_carried_out() {
            prop_assert_eq!(at.begun(), vec![]);
            return Ok(times);
        }
        if let Some(step) = at.under_way.pop() {
            *at.phase(step) = match fates.next() {
                Some(0) if !only_looks => Phase::Failed,
                Some(0 | 1) => Phase::Unknown,
                _ => Phase::Done,
            };
        }
    }
    Err(TestCaseError::fail(format!("still {}", at.state)))
}

proptest! {
    #[test]
    fn whoever_resolves_a_doubt_gets_what_they_said_or_another_doubt(
        items in ordered(),
        on_failure in on_failure(),
        cancel in any::<bool>(),
        poisoned in proptest::option::of(0..30_usize),
        room in 1..4_usize,
        fates in vec(0..6_u8, 200),
        verdicts in vec(verdict(), 6),
    ) {
        let mut at = Situation::new(&items, on_failure);
        let mut fates = fates.into_iter();
        carried_on(&mut at, room, false, &mut fates)?;
        at.cancel |= cancel;
        // Also where it was taken up too often, whatever it was doing then.
        if let Some(step) = poisoned.and_then(|step| at.steps.get_mut(step)) {
            at.state = State::InDoubt;
            if step.phase == Phase::Waiting {
                step.phase = Phase::Begun;
            }
        }
        for verdict in verdicts {
            if at.state != State::InDoubt {
                break;
            }
            let resolved = resolve(&at.steps, verdict);
            // Nobody is ever without a way out.
            prop_assert!(resolved.is_ok() || verdict != Verdict::Failed);
            let Ok(Resolved { steps, .. }) = resolved else { continue };
            let before = std::mem::replace(&mut at.steps, steps);
            at.state = at.state.to(verdict.state())?;
            at.on_failure = if verdict == Verdict::Failed { OnFailure::Keep } else { on_failure };
            let only_looks = verdict == Verdict::Succeeded;
            let asked = at.cancel;
            at.cancel &= !only_looks;
            let begun = carried_on(&mut at, room, only_looks, &mut fates)?;
            at.cancel = asked;
            let item = |number: u32| is_item(at.steps[number as usize].work);
            let done = |step: &&Step| step.phase == Phase::Done;
            match (verdict, at.state) {
                (_, State::InDoubt) => prop_assert!(verdict != Verdict::Failed),
                (Verdict::Failed, state) => {
                    prop_assert_eq!(state, State::Failed);
                    prop_assert!(!begun.iter().any(|(number, _)| item(*number)), "{begun:?}");
                }
                (Verdict::Succeeded, State::Succeeded) => {
                    prop_assert!(at.steps.iter().filter(|step| is_item(step.work)).all(|step| done(&step)));
                }
                (Verdict::Compensating, state) => {
                    prop_assert!(matches!(state, State::Failed | State::Canceled));
                    let touched = |step: &&Step| matches!(step.work, Work::Apply(_)) && step.phase != Phase::Waiting;
                    prop_assert!(at.steps.iter().filter(touched).all(|step| step.undo == Phase::Done));
                    let forwards = |(number, direction): &(u32, Direction)| *direction == Direction::Do && item(*number);
                    prop_assert!(!begun.iter().any(forwards), "{begun:?}");
                }
                (Verdict::Running | Verdict::Succeeded, state) => {
                    prop_assert!(state.is_over(), "{state}: {before:?}");
                }
            }
        }
    }
}

/// What holds for a step that nobody has begun.
fn check_new(at: &Situation, step: &Step, direction: Direction) -> Result<(), TestCaseError> {
    let items = || at.steps.iter().filter(|step| is_item(step.work));
    if direction == Direction::Undo {
        let behind = items().filter(|other| other.wave > step.wave);
        let mut behind = behind.filter(|other| matches!(other.work, Work::Apply(_)));
        prop_assert!(
            step.work == Work::Verify
                || behind.all(|other| other.phase == Phase::Waiting || !other.undo.is_open())
        );
        return Ok(());
    }
    prop_assert!(
        at.state == State::Running
            || matches!(step.work, Work::Verify | Work::Record | Work::PostSnapshot)
    );
    if at.state == State::Running {
        let mut before = at.steps.iter().filter(|other| other.wave < step.wave);
        prop_assert!(before.all(|other| !other.phase.is_open()));
        prop_assert!(!is_item(step.work) || !at.cancel, "begun after a cancel");
    }
    prop_assert!(
        step.work != Work::Record || items().all(|item| item.phase != Phase::Begun),
        "recorded while an item is under way"
    );
    Ok(())
}

fn three() -> [Ordered; 3] {
    [(0, 0), (1, 0), (2, 1)].map(|(position, rank)| Ordered {
        position,
        rank,
        in_cycle: position == 0,
    })
}

const fn opens(work: Work) -> bool {
    matches!(work, Work::Preflight | Work::PreSnapshot)
}

fn begins(works: &[Work], direction: Direction) -> Next {
    let steps = steps_for(&three());
    let numbers = works.iter().filter_map(|work| {
        let step = steps.iter().find(|step| step.work == *work)?;
        Some((step.number, direction))
    });
    Next::Begin(numbers.collect())
}

#[test]
fn items_of_a_rank_begin_together_and_the_next_rank_behind_them() {
    let at = Situation::new(&three(), OnFailure::Compensate);
    assert_eq!(at.next(), begins(&[Work::Preflight], Direction::Do));
    let at = at.with(Phase::Done, opens);
    let both = begins(&[Work::Apply(0), Work::Apply(1)], Direction::Do);
    assert_eq!(at.next(), both);
    let at = at.with(Phase::Done, |work| work == Work::Apply(0));
    assert_eq!(at.next(), begins(&[Work::Apply(1)], Direction::Do));
    let at = at.with(Phase::Done, |work| work == Work::Apply(1));
    assert_eq!(at.next(), begins(&[Work::Apply(2)], Direction::Do));
    let at = at.with(Phase::Done, |work| work == Work::Apply(2));
    assert_eq!(at.next(), begins(&[Work::Connect(0)], Direction::Do));
    // Somebody else's, which has to be looked up.
    let at = at.with(Phase::Begun, |work| work == Work::Connect(0));
    assert_eq!(at.next(), begins(&[Work::Connect(0)], Direction::Do));
}

#[test]
fn a_snapshot_that_fails_costs_no_success() {
    for phase in [Phase::Failed, Phase::Unknown] {
        let at = Situation::new(&three(), OnFailure::Compensate)
            .with(Phase::Done, |_| true)
            .with(phase, |work| work == Work::PostSnapshot);
        assert_eq!(at.next(), Next::Become(State::Succeeded));
    }
}

#[test]
fn before_anything_is_touched_what_fails_or_is_unknown_ends_it() {
    for phase in [Phase::Failed, Phase::Unknown] {
        let at = Situation::new(&three(), OnFailure::Compensate)
            .with(Phase::Done, |work| work == Work::Preflight)
            .with(phase, |work| work == Work::PreSnapshot);
        assert_eq!(at.next(), Next::Become(State::Failed));
    }
}

#[test]
fn what_is_wrong_when_looked_at_is_undone_or_told() {
    let wrong = |on_failure| {
        Situation::new(&three(), on_failure)
            .with(Phase::Done, |work| is_item(work) || opens(work))
            .with(Phase::Failed, |work| work == Work::Verify)
    };
    let at = wrong(OnFailure::Compensate);
    assert_eq!(at.next(), Next::Become(State::Compensating));
    let at = wrong(OnFailure::Keep);
    assert_eq!(at.next(), begins(&[Work::Record], Direction::Do));
    let at = at.with(Phase::Done, |work| !is_item(work) && work != Work::Verify);
    assert_eq!(at.next(), Next::Become(State::Failed));
}

#[test]
fn what_may_not_become_current_is_undone_and_not_recorded() {
    for phase in [Phase::Failed, Phase::Unknown] {
        let refused = |on_failure| {
            Situation::new(&three(), on_failure)
                .with(Phase::Done, |work| {
                    is_item(work) || opens(work) || work == Work::Verify
                })
                .with(phase, |work| work == Work::Record)
        };
        let mut at = refused(OnFailure::Compensate);
        assert_eq!(at.next(), Next::Become(State::Compensating));
        at.state = State::Compensating;
        for step in at.steps.iter_mut().filter(|step| step.work.has_undo()) {
            step.undo = Phase::Done;
        }
        assert_eq!(at.next(), begins(&[Work::PostSnapshot], Direction::Do));
        let at = at.with(Phase::Done, |work| work == Work::PostSnapshot);
        assert_eq!(at.next(), Next::Become(State::Failed));
        // What a person said to be left as it stands is.
        let at = refused(OnFailure::Keep);
        assert_eq!(at.next(), begins(&[Work::PostSnapshot], Direction::Do));
    }
}

#[test]
fn what_was_done_last_is_undone_first_then_looked_at_then_recorded() {
    let mut at = Situation::new(&three(), OnFailure::Compensate)
        .with(Phase::Done, |work| is_item(work) || opens(work))
        .with(Phase::Failed, |work| work == Work::Connect(0));
    at.state = State::Compensating;
    let order: [&[Work]; 3] = [
        &[Work::Apply(2)],
        &[Work::Apply(0), Work::Apply(1)],
        &[Work::Verify],
    ];
    for works in order {
        assert_eq!(at.next(), begins(works, Direction::Undo));
        for step in at.steps.iter_mut().filter(|s| works.contains(&s.work)) {
            step.undo = Phase::Done;
        }
    }
    for work in [Work::Record, Work::PostSnapshot] {
        assert_eq!(at.next(), begins(&[work], Direction::Do));
        at = at.with(Phase::Done, |other| other == work);
    }
    assert_eq!(at.next(), Next::Become(State::Failed));
}

#[test]
fn an_attempt_that_touched_nothing_is_not_undone_and_one_in_part_is() {
    let mut at = Situation::new(&three(), OnFailure::Compensate)
        .with(Phase::Done, opens)
        .with(Phase::Failed, |work| {
            work == Work::Apply(0) || work == Work::Apply(1)
        });
    at.state = State::Compensating;
    for step in at.steps.iter_mut().filter(|s| s.work == Work::Apply(1)) {
        step.undo = Phase::Done;
    }
    assert_eq!(at.next(), begins(&[Work::Apply(0)], Direction::Undo));
}

#[test]
fn an_undo_that_somebody_began_is_looked_up_before_the_doubt_is_told() {
    let mut at = Situation::new(&three(), OnFailure::Compensate)
        .with(Phase::Done, |work| is_item(work) || opens(work));
    at.state = State::Compensating;
    for step in &mut at.steps {
        step.undo = match step.work {
            Work::Apply(0) => Phase::Unknown,
            Work::Apply(1) => Phase::Begun,
            Work::Apply(2) => Phase::Done,
            _ => Phase::Waiting,
        };
    }
    assert_eq!(at.next(), begins(&[Work::Apply(1)], Direction::Undo));
    for step in at.steps.iter_mut().filter(|s| s.work == Work::Apply(1)) {
        step.undo = Phase::Failed;
    }
    assert_eq!(at.next(), Next::Become(State::InDoubt));
}

#[test]
fn a_cancel_lets_what_was_begun_end_and_begins_nothing() {
    let mut at = Situation::new(&three(), OnFailure::Compensate)
        .with(Phase::Done, opens)
        .with(Phase::Begun, |work| work == Work::Apply(0));
    at.cancel = true;
    assert_eq!(at.next(), begins(&[Work::Apply(0)], Direction::Do));
    let at = at.with(Phase::Done, |work| work == Work::Apply(0));
    assert_eq!(at.next(), Next::Become(State::Canceling));
    let canceling = |at: &Situation, on_failure| Situation {
        state: State::Canceling,
        on_failure,
        ..at.clone()
    };
    let undone = canceling(&at, OnFailure::Compensate);
    assert_eq!(undone.next(), Next::Become(State::Compensating));
    let mut kept = canceling(&at, OnFailure::Keep);
    for work in [Work::Verify, Work::Record, Work::PostSnapshot] {
        assert_eq!(kept.next(), begins(&[work], Direction::Do));
        kept = kept.with(Phase::Done, |other| other == work);
    }
    assert_eq!(kept.next(), Next::Become(State::Canceled));
    let untouched = canceling(&at.with(Phase::Waiting, is_item), OnFailure::Compensate);
    assert_eq!(untouched.next(), Next::Become(State::Canceled));
}

#[test]
fn a_cancel_during_the_last_wave_comes_too_late() {
    let mut at = Situation::new(&three(), OnFailure::Compensate)
        .with(Phase::Done, |work| is_item(work) || opens(work));
    at.cancel = true;
    assert_eq!(at.next(), begins(&[Work::Verify], Direction::Do));
    let at = at.with(Phase::Done, |_| true);
    assert_eq!(at.next(), Next::Become(State::Succeeded));
}

#[test]
fn where_what_was_done_is_kept_the_others_go_on() {
    let at = Situation::new(&three(), OnFailure::Keep)
        .with(Phase::Done, opens)
        .with(Phase::Failed, |work| work == Work::Apply(0))
        .with(Phase::Done, |work| work == Work::Apply(1));
    assert_eq!(at.next(), begins(&[Work::Apply(2)], Direction::Do));
    let at = at
        .with(Phase::Done, |work| work != Work::Apply(0))
        .with(Phase::Failed, |work| work == Work::Connect(0));
    assert_eq!(at.next(), Next::Become(State::Failed));
    let unknown = at.with(Phase::Unknown, |work| work == Work::Apply(2));
    assert_eq!(unknown.next(), Next::Become(State::InDoubt));
}

#[test]
fn a_verdict_that_does_not_fit_is_refused() {
    let fresh = || Situation::new(&three(), OnFailure::Compensate);
    let refused = |at: &Situation, verdict| resolve(&at.steps, verdict).err();
    let early = fresh().with(Phase::Begun, |work| work == Work::Preflight);
    let nothing = Some(Unresolvable::NothingBegun);
    assert_eq!(refused(&early, Verdict::Succeeded), nothing);
    assert_eq!(refused(&early, Verdict::Running), None);
    let mut undone = fresh().with(Phase::Done, |work| is_item(work) || opens(work));
    undone.steps[2].undo = Phase::Failed;
    let going_back = Some(Unresolvable::BeingUndone);
    assert_eq!(refused(&undone, Verdict::Running), going_back);
    assert_eq!(refused(&undone, Verdict::Succeeded), going_back);
    assert_eq!(refused(&undone, Verdict::Compensating), None);
    let closing = fresh().with(Phase::Done, |work| work != Work::PostSnapshot);
    let recorded = Some(Unresolvable::Recorded);
    assert_eq!(refused(&closing, Verdict::Compensating), recorded);
    assert_eq!(refused(&closing, Verdict::Succeeded), recorded);
    assert_eq!(refused(&closing, Verdict::Running), None);
    for verdict in [Verdict::Running, Verdict::Failed, Verdict::Compensating] {
        assert!(resolve(&[], verdict).is_ok(), "nothing was planned yet");
    }
}

#[test]
fn what_is_given_up_is_recorded_as_far_as_it_is_certain() {
    let mut at = Situation::new(&three(), OnFailure::Compensate)
        .with(Phase::Done, |work| opens(work) || work == Work::Apply(0))
        .with(Phase::Unknown, |work| work == Work::Apply(1));
    let resolved = resolve(&at.steps, Verdict::Failed).expect("always");
    assert_eq!(resolved.doubtful, [1].into());
    (at.steps, at.on_failure) = (resolved.steps, OnFailure::Keep);
    for work in [Work::Record, Work::PostSnapshot] {
        assert_eq!(at.next(), begins(&[work], Direction::Do));
        at = at.with(Phase::Done, |other| other == work);
    }
    assert_eq!(at.next(), Next::Become(State::Failed));
}
