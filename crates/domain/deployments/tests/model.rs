//! Every order of events, for three executors and three steps: what the simulation tries by chance, gone through
//! exhaustively in the small.
//!
//! A lease can end at any moment, an executor can crash at any moment, a call can land, be refused or get lost. What an
//! executor had sent lands before somebody else claims, because a lease is longer than a call and what lands after it;
//! [`Shape::late`] drops that promise for creates.

use std::io::Write as _;
use std::time::Instant;

use slipway_deployments::{
    Direction, Next, OnFailure, Phase, Probe, Progress, State, Step, Verdict, Work, next, probe,
    resolve,
};
use stateright::{Checker, Model, Property};

/// An item as it was, as it should be, with a second copy, and as somebody else made it.
const BEFORE: u8 = 0;
const AFTER: u8 = 1;
const DOUBLE: u8 = 2;
const FOREIGN: u8 = 3;

/// What is gone through.
struct Shape {
    on_failure: OnFailure,
    /// By wave.
    works: Vec<(u32, Work)>,
    /// Whether creates can land after a takeover.
    late: bool,
    /// The most claims; with three, two executors can be left behind.
    claims: u8,
    /// Whether somebody else can change an item, and an item can become unreadable.
    outside: bool,
    /// Whether a write is conditional on the epoch, as it should be.
    fenced: bool,
    /// What a person may say about a doubt, once.
    verdicts: &'static [Verdict],
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts")]
struct Situation {
    state: State,
    epoch: u8,
    /// Whether the lease of that epoch still holds.
    held: bool,
    cancel: bool,
    meddled: bool,
    /// What a person said.
    verdict: Option<Verdict>,
    /// Phases forwards and back, by step.
    phases: Vec<(Phase, Phase)>,
    items: Vec<u8>,
    /// Whether a create landed after the last look, where nobody could see it.
    unseen: bool,
    /// Whether somebody asked to begin what is over, or waited for nothing.
    wrong: bool,
    /// In the order of their epochs; they are alike but for that.
    executors: Vec<Executor>,
    /// Calls of executors that have stopped.
    stray: Vec<(u32, Direction)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Executor {
    epoch: u8,
    tasks: Vec<Task>,
    becoming: Option<State>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Task {
    step: (u32, Direction),
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Stage {
    Intend(Phase),
    Look,
    Send,
    Sent,
    Report(Phase),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Act {
    Cancel,
    Meddle(usize),
    /// A person resolves a doubt.
    Resolve(Verdict),
    Claim,
    /// The owner's lease ends while it stands still.
    Expire,
    /// The owner is gone.
    Crash,
    Decide,
    Become(usize),
    /// The task of an executor goes on.
    Go(usize, usize),
    Land(usize),
    Lose(usize),
    Refuse(usize),
    /// The target can't be read.
    Blind(usize),
    StrayLands(usize),
    StrayIsLost(usize),
}

impl Model for Shape {
    type State = Situation;
    type Action = Act;

    fn init_states(&self) -> Vec<Situation> {
        vec![Situation {
            state: State::Running,
            epoch: 0,
            held: false,
            cancel: false,
            meddled: false,
            verdict: None,
            phases: vec![(Phase::Waiting, Phase::Waiting); self.works.len()],
            items: self.works.iter().map(|_| BEFORE).collect(),
            unseen: false,
            wrong: false,
            executors: Vec::new(),
            stray: Vec::new(),
        }]
    }

    fn actions(&self, at: &Situation, actions: &mut Vec<Act>) {
        let strays = 0..at.stray.len();
        actions.extend(strays.flat_map(|n| [Act::StrayLands(n), Act::StrayIsLost(n)]));
        for (n, executor) in at.executors.iter().enumerate() {
            actions.extend(executor.becoming.map(|_| Act::Become(n)));
            let sent = |task: &Task| task.stage == Stage::Sent;
            let going = (0..executor.tasks.len()).filter(|t| !sent(&executor.tasks[*t]));
            actions.extend(going.map(|t| Act::Go(n, t)));
        }
        if at.state == State::InDoubt && at.verdict.is_none() {
            actions.extend(self.verdicts.iter().map(|verdict| Act::Resolve(*verdict)));
        }
        if !at.state.is_carried_out() {
            return;
        }
        if !at.cancel {
            actions.push(Act::Cancel);
        }
        if self.outside && !at.meddled {
            actions.push(Act::Meddle(0));
        }
        let promised = at.stray.is_empty() || self.late;
        if !at.held && at.epoch < self.claims && promised {
            actions.push(Act::Claim);
        }
        let Some(owner) = at.owner() else {
            return;
        };
        if at.epoch < self.claims {
            actions.extend([Act::Expire, Act::Crash]);
        }
        if owner.becoming.is_none() {
            actions.push(Act::Decide);
        }
        for (t, task) in owner.tasks.iter().enumerate() {
            if task.stage == Stage::Sent {
                actions.extend([Act::Land(t), Act::Lose(t), Act::Refuse(t)]);
            } else if self.outside && task.stage == Stage::Look && self.is_item(task.step.0) {
                actions.push(Act::Blind(t));
            }
        }
    }

    fn next_state(&self, last: &Situation, act: Act) -> Option<Situation> {
        let mut at = last.clone();
        match act {
            Act::Cancel => at.cancel = true,
            Act::Meddle(item) => {
                at.meddled = true;
                at.items[item] = FOREIGN;
            }
            Act::Resolve(verdict) => {
                let resolved = resolve(&self.steps(&at), verdict).ok()?;
                let phases = resolved.steps.iter().map(|step| (step.phase, step.undo));
                at.phases = phases.collect();
                at.verdict = Some(verdict);
                at.state = verdict.state();
                at.epoch += 1;
            }
            Act::Claim => {
                at.epoch += 1;
                at.held = true;
                at.executors.push(Executor {
                    epoch: at.epoch,
                    tasks: Vec::new(),
                    becoming: None,
                });
            }
            Act::Expire => at.stop(true),
            Act::Crash => at.stop(false),
            Act::Decide => self.decide(&mut at),
            Act::Become(n) => at.write_state(n),
            Act::Go(n, task) => self.go(&mut at, n, task),
            Act::Land(task) => {
                let step = at.executors.last()?.tasks[task].step;
                self.land(&mut at, step);
                at.set(task, Stage::Look);
            }
            Act::Lose(task) => at.set(task, Stage::Look),
            Act::Blind(task) => at.set(task, Stage::Report(Phase::Unknown)),
            Act::Refuse(task) => at.set(task, Stage::Report(Phase::Failed)),
            Act::StrayLands(n) => {
                let step = at.stray.remove(n);
                self.land(&mut at, step);
                at.unseen |= self.late;
            }
            Act::StrayIsLost(n) => drop(at.stray.remove(n)),
        }
        at.tidy();
        (at != *last).then_some(at)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("no effect twice, or it is in doubt", Self::single),
            Property::always("what succeeded is there", Self::nothing_lost),
            Property::always("what was undone is not there", Self::undone),
            Property::always("in order", Self::in_order),
            Property::always(
                "waits for something, begins what is open",
                |_, at: &Situation| !at.wrong,
            ),
            Property::always("nothing is left begun", |_, at: &Situation| {
                at.nothing_is_left_begun()
            }),
            Property::sometimes("succeeds", |_, at: &Situation| at.state == State::Succeeded),
            Property::sometimes("is canceled", |_, at: &Situation| {
                at.state == State::Canceled
            }),
            Property::sometimes("a stale write is tried", |_, at: &Situation| {
                at.executors.iter().any(|it| it.epoch < at.epoch)
            }),
            Property::sometimes("fails", |_, at: &Situation| at.state == State::Failed),
            Property::sometimes("is in doubt, where there is reason", Self::doubts),
        ]
    }
}

impl Shape {
    fn is_item(&self, number: u32) -> bool {
        matches!(self.works[place(number)].1, Work::Apply(_))
    }

    fn steps(&self, at: &Situation) -> Vec<Step> {
        let works = (0..).zip(self.works.iter().zip(&at.phases));
        works
            .map(|(number, ((wave, work), (phase, undo)))| Step {
                number,
                wave: *wave,
                work: *work,
                phase: *phase,
                undo: *undo,
            })
            .collect()
    }

    fn decide(&self, at: &mut Situation) {
        let steps = self.steps(at);
        let given_up = at.verdict == Some(Verdict::Failed);
        let on_failure = if given_up {
            OnFailure::Keep
        } else {
            self.on_failure
        };
        let (state, cancel) = (at.state, at.cancel);
        let Some(owner) = at.executors.last_mut() else {
            return;
        };
        let under_way: Vec<_> = owner.tasks.iter().map(|task| task.step).collect();
        let progress = Progress {
            state,
            on_failure,
            cancel,
            steps: &steps,
            under_way: &under_way,
        };
        match next(progress) {
            Next::Begin(begin) => {
                for (number, direction) in begin {
                    let step = steps.iter().find(|step| step.number == number);
                    let phase = step.map(|step| step.in_direction(direction));
                    let open = phase.filter(|it| [Phase::Waiting, Phase::Begun].contains(it));
                    at.wrong |= open.is_none();
                    owner.tasks.extend(open.map(|phase| Task {
                        step: (number, direction),
                        stage: Stage::Intend(phase),
                    }));
                }
            }
            Next::Wait => at.wrong |= under_way.is_empty(),
            Next::Become(to) => owner.becoming = Some(to),
        }
    }

    fn go(&self, at: &mut Situation, n: usize, t: usize) {
        let Executor { epoch, .. } = at.executors[n];
        let Task { step, stage } = at.executors[n].tasks[t];
        let owns = at.held && epoch == at.epoch;
        let taken = epoch == at.epoch || !self.fenced;
        match stage {
            Stage::Intend(expected) if taken => {
                let phase = at.phase(step);
                if *phase == expected {
                    *phase = Phase::Begun;
                    at.executors[n].tasks[t].stage = Stage::Look;
                } else {
                    at.executors[n].tasks.remove(t);
                }
            }
            Stage::Report(phase) if taken => {
                let known = at.phase(step);
                if *known == Phase::Begun {
                    *known = phase;
                }
                at.executors[n].tasks.remove(t);
            }
            // A stale write changes no row, and no effect starts after the lease: whoever sees that lets go.
            Stage::Intend(_) | Stage::Report(_) => drop(at.executors.remove(n)),
            _ if !owns => drop(at.executors.remove(n)),
            Stage::Look => {
                let stage = self.look(at, step);
                at.executors[n].tasks[t].stage = stage;
            }
            Stage::Send => at.executors[n].tasks[t].stage = Stage::Sent,
            Stage::Sent => {}
        }
    }

    /// Reads the target, and says what is to be done about it.
    fn look(&self, at: &mut Situation, (number, direction): (u32, Direction)) -> Stage {
        let work = self.works[place(number)].1;
        let Work::Apply(item) = work else {
            at.unseen &= work != Work::Verify;
            return Stage::Report(match work {
                Work::Verify => self.verify(at, direction),
                _ => Phase::Done,
            });
        };
        let found = at.items[place(item)];
        if found == DOUBLE {
            return Stage::Report(Phase::Unknown);
        }
        let (from, to) = match direction {
            Direction::Do => (BEFORE, AFTER),
            Direction::Undo => (AFTER, BEFORE),
        };
        match probe(Some(&from), Some(&to), Some(&found), || false) {
            Probe::Happened => Stage::Report(Phase::Done),
            Probe::Open => Stage::Send,
            Probe::Conflict => Stage::Report(Phase::Failed),
        }
    }

    fn verify(&self, at: &Situation, direction: Direction) -> Phase {
        let items = || {
            let works = self.works.iter().zip(&at.phases);
            works.filter_map(|((_, work), (phase, _))| match work {
                Work::Apply(item) => Some((at.items[place(*item)], *phase)),
                _ => None,
            })
        };
        let wrong = |(item, phase): (u8, Phase)| match direction {
            Direction::Do => phase == Phase::Done && item != AFTER,
            Direction::Undo => item == AFTER,
        };
        if items().any(|(item, _)| item == DOUBLE) {
            Phase::Unknown
        } else if items().any(wrong) {
            Phase::Failed
        } else {
            Phase::Done
        }
    }

    /// Creates add, whatever is there; removals take one away. Item 1 is there already, and is written
    /// over, as is what somebody else made.
    fn land(&self, at: &mut Situation, (number, direction): (u32, Direction)) {
        let Work::Apply(item) = self.works[place(number)].1 else {
            return;
        };
        let found = &mut at.items[place(item)];
        *found = match (direction, *found) {
            (Direction::Do, AFTER | DOUBLE) if item != 1 => DOUBLE,
            (Direction::Do, _) | (Direction::Undo, DOUBLE) => AFTER,
            (Direction::Undo, _) => BEFORE,
        };
    }

    fn single(&self, at: &Situation) -> bool {
        let double = at.items.contains(&DOUBLE);
        if !self.late {
            return !double;
        }
        !double || at.unseen || !at.state.is_over()
    }

    fn doubts(&self, at: &Situation) -> bool {
        at.state == State::InDoubt || !self.outside && !self.late
    }

    fn nothing_lost(&self, at: &Situation) -> bool {
        let there = |item: u8| item == AFTER || at.meddled && item == FOREIGN || at.unseen;
        at.state != State::Succeeded || self.items(at).all(there)
    }

    fn undone(&self, at: &Situation) -> bool {
        let ended = matches!(at.state, State::Failed | State::Canceled);
        let gone = |item: u8| item == BEFORE || at.meddled && item == FOREIGN || at.unseen;
        let undoes = match at.verdict {
            Some(Verdict::Failed) => false,
            Some(Verdict::Compensating) => true,
            _ => self.on_failure == OnFailure::Compensate,
        };
        !ended || !undoes || self.items(at).all(gone)
    }

    fn items<'a>(&'a self, at: &'a Situation) -> impl Iterator<Item = u8> + 'a {
        self.works.iter().filter_map(|(_, work)| match work {
            Work::Apply(item) => Some(at.items[place(*item)]),
            _ => None,
        })
    }

    /// While something of a wave is under way, forwards, nothing of the waves before it is open.
    fn in_order(&self, at: &Situation) -> bool {
        let steps = self.steps(at);
        let closes = |step: &Step| matches!(step.work, Work::Record | Work::PostSnapshot);
        let begun = || steps.iter().filter(|step| step.phase == Phase::Begun);
        begun().filter(|step| !closes(step)).all(|step| {
            let mut before = steps.iter().filter(|other| other.wave < step.wave);
            before.all(|other| !matches!(other.phase, Phase::Waiting | Phase::Begun))
                || at.state == State::Canceling
        })
    }
}

impl Situation {
    fn nothing_is_left_begun(&self) -> bool {
        let begun = |(phase, undo): &(Phase, Phase)| [phase, undo].contains(&&Phase::Begun);
        self.state.is_carried_out() || !self.phases.iter().any(begun)
    }

    /// Who works, if the lease holds.
    fn owner(&self) -> Option<&Executor> {
        let last = self.executors.last()?;
        (self.held && last.epoch == self.epoch).then_some(last)
    }

    fn phase(&mut self, (number, direction): (u32, Direction)) -> &mut Phase {
        let (phase, undo) = &mut self.phases[place(number)];
        match direction {
            Direction::Do => phase,
            Direction::Undo => undo,
        }
    }

    fn set(&mut self, task: usize, stage: Stage) {
        if let Some(owner) = self.executors.last_mut() {
            owner.tasks[task].stage = stage;
        }
    }

    /// The owner stops. What it sent is on its way; no effect starts any more, but its writes may still come.
    fn stop(&mut self, writes_later: bool) {
        self.held = false;
        let Some(mut owner) = self.executors.pop() else {
            return;
        };
        let sent = |task: &Task| task.stage == Stage::Sent;
        let strays = owner.tasks.iter().filter(|task| sent(task));
        self.stray.extend(strays.map(|task| task.step));
        owner
            .tasks
            .retain(|task| matches!(task.stage, Stage::Intend(_) | Stage::Report(_)));
        let idle = owner.tasks.is_empty() && owner.becoming.is_none();
        if writes_later && !idle {
            self.executors.push(owner);
        }
    }

    fn write_state(&mut self, n: usize) {
        let executor = &mut self.executors[n];
        let to = executor.becoming.take();
        if executor.epoch != self.epoch {
            self.executors.remove(n);
        } else if let Some(to) = to
            && self.state.may_become(to)
        {
            self.state = to;
            if !to.is_carried_out() {
                self.held = false;
                self.executors.remove(n);
            }
        }
    }

    /// Makes situations alike that differ in nothing that matters.
    fn tidy(&mut self) {
        for executor in &mut self.executors {
            executor.tasks.sort_unstable();
        }
        self.stray.sort_unstable();
    }
}

fn place(number: u32) -> usize {
    usize::try_from(number).unwrap_or_default()
}

/// A line for whoever reads the tests' output: not `println!`, which is kept from them as long as the tests pass.
fn print(line: &str) {
    drop(std::io::stderr().write_all(format!("{line}\n").as_bytes()));
}

fn go_through(name: &str, shape: Shape) {
    let began = Instant::now();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let checker = shape.checker().threads(threads).spawn_bfs().join();
    let seconds = began.elapsed().as_secs_f64();
    print(&format!(
        "model: {name}: {} situations, {} of them different, in {seconds:.1} s",
        checker.state_count(),
        checker.unique_state_count()
    ));
    checker.assert_properties();
}

fn three_items(on_failure: OnFailure, claims: u8, outside: bool) -> Shape {
    Shape {
        on_failure,
        works: vec![
            (0, Work::Apply(0)),
            (0, Work::Apply(1)),
            (1, Work::Apply(2)),
        ],
        late: false,
        claims,
        outside,
        fenced: true,
        verdicts: &[],
    }
}

#[test]
fn three_items_on_three_executors() {
    go_through(
        "undone on failure",
        three_items(OnFailure::Compensate, 3, false),
    );
    go_through("kept on failure", three_items(OnFailure::Keep, 3, false));
}

#[test]
fn three_items_and_somebody_else() {
    go_through(
        "meddled with, undone",
        three_items(OnFailure::Compensate, 2, true),
    );
    go_through("meddled with, kept", three_items(OnFailure::Keep, 2, true));
}

#[test]
fn a_person_resolves_a_doubt() {
    for on_failure in [OnFailure::Compensate, OnFailure::Keep] {
        let shape = Shape {
            on_failure,
            works: vec![
                (0, Work::Apply(0)),
                (1, Work::Apply(1)),
                (2, Work::Verify),
                (3, Work::Record),
            ],
            late: false,
            // The verdict takes an epoch too.
            claims: 3,
            outside: true,
            fenced: true,
            verdicts: &[Verdict::Failed, Verdict::Running, Verdict::Compensating],
        };
        go_through("resolved", shape);
    }
}

#[test]
fn a_create_that_lands_later_than_promised_is_found() {
    for on_failure in [OnFailure::Compensate, OnFailure::Keep] {
        let works = vec![(0, Work::Apply(0)), (1, Work::Verify), (2, Work::Record)];
        let shape = Shape {
            on_failure,
            works,
            late: true,
            claims: 3,
            outside: false,
            fenced: true,
            verdicts: &[],
        };
        go_through("late creates", shape);
    }
}

#[test]
fn without_the_epoch_it_is_refuted() {
    let mut shape = three_items(OnFailure::Compensate, 2, false);
    shape.fenced = false;
    let checker = shape.checker().spawn_bfs().join();
    let found = checker.discoveries();
    let found: Vec<_> = found.keys().collect();
    print(&format!("model: without the epoch: {found:?}"));
    assert!(found.contains(&&"nothing is left begun"), "{found:?}");
}
