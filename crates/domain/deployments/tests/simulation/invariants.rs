//! What has to hold after a run, whatever went wrong in it.

use slipway_deployments::{Direction, Phase, State, Step, Verdict, Work};

use super::{
    plan::{Item, LEASE, Refusal},
    run::Run,
    world::Moment,
};

/// Every invariant that the run broke, and how.
pub(crate) fn broken(run: &Run) -> Vec<(&'static str, String)> {
    let mut broken = run.database.violations.clone();
    let mut check = |invariant, problem: Option<String>| {
        broken.extend(problem.map(|problem| (invariant, problem)));
    };
    check("ends within three leases of the last fault", endless(run));
    check("nothing is left begun", left_begun(run));
    check("no doubt without a reason", groundless(run));
    check("no effect twice", twice(run));
    check("two copies are named", copies(run));
    check("the record tells what is there", record(run));
    check("what was touched is looked at", unseen(run));
    check("only what was stopped is canceled", canceled(run));
    check("only what went wrong has failed", failed(run));
    for item in &run.plan.items {
        check("effects lost", lost(run, item));
        check("as before", not_as_before(run, item));
    }
    broken
}

fn endless(run: &Run) -> Option<String> {
    let latest = run.last_fault + 3 * LEASE;
    let state = run.database.state;
    match run.ended_at {
        None => Some(format!("still {state}")),
        Some(at) if at > latest => Some(format!("{state} at {at}, later than {latest}")),
        Some(_) => None,
    }
}

fn left_begun(run: &Run) -> Option<String> {
    let begun = |step: &&Step| step.phase == Phase::Begun || step.undo == Phase::Begun;
    let step = run.database.steps.iter().find(begun)?;
    (run.database.state != State::PendingApproval).then(|| format!("{step:?}"))
}

/// Only what nobody could know, and an undo that fails, may ask for a person.
fn groundless(run: &Run) -> Option<String> {
    let undo_fails = |item: &Item| item.refusal == Refusal::Undo;
    let meddled = run.world.history.iter().any(|moment| moment.by.is_none());
    let unread = run.world.unreadable.iter().any(|until| *until > 0);
    let grounds = meddled
        || unread
        || run.database.only_looks
        || !run.very_late.is_empty()
        || run.plan.items.iter().any(undo_fails);
    (run.database.state == State::InDoubt && !grounds).then(|| "IN_DOUBT".to_owned())
}

fn twice(run: &Run) -> Option<String> {
    let mut applied = run.world.applied.iter();
    let (effect, times) = applied.find(|(_, times)| **times > 1)?;
    run.very_late
        .is_empty()
        .then(|| format!("{effect:?} {times} times"))
}

/// Whether something landed that nobody could see any more.
fn landed_unseen(run: &Run) -> bool {
    let looked = run.database.last_look.unwrap_or_default();
    run.very_late.iter().any(|at| *at > looked)
}

fn copies(run: &Run) -> Option<String> {
    (0..run.plan.items.len()).find_map(|item| {
        let copies = run.world.copies(item);
        let ours: Vec<_> = copies.iter().filter(|copy| copy.ours).collect();
        if ours.len() < 2 || landed_unseen(run) {
            return None;
        }
        let state = run.database.state;
        let doubtful = &run.database.doubtful;
        let verify = run.database.steps.iter().find(|s| s.work == Work::Verify)?;
        let seen = verify.phase == Phase::Unknown || verify.undo == Phase::Unknown;
        let named = !seen || ours.iter().all(|copy| doubtful.contains(&copy.id));
        // Whoever gives it up has been told.
        let open = state == State::InDoubt || run.verdict == Some(Verdict::Failed);
        (!open || !named)
            .then(|| format!("{state}: item {item} is there as {ours:?}, named are {doubtful:?}"))
    })
}

fn record(run: &Run) -> Option<String> {
    let database = &run.database;
    let is_item = |step: &Step| matches!(step.work, Work::Apply(_) | Work::Connect(_));
    let began = |step: &Step| is_item(step) && step.phase != Phase::Waiting;
    let touched = database.steps.iter().any(began);
    let expected = match database.state {
        State::InDoubt => database.records.len().min(1),
        State::Succeeded => 1,
        _ => usize::from(touched),
    };
    if database.records.len() != expected {
        let (state, count) = (database.state, database.records.len());
        return Some(format!("{state} with {count} records"));
    }
    let done = database.done_items();
    let told = database.records.iter().find(|told| **told != done)?;
    Some(format!("told {told:?}, done {done:?}"))
}

/// Whoever ends by itself has looked at the target after it was last written, but for what landed too late for that.
fn unseen(run: &Run) -> Option<String> {
    // Whoever gives it up does not want another look.
    let over = run.database.state.is_over() && run.verdict != Some(Verdict::Failed);
    let ours = |moment: &&Moment| moment.by.is_some() && !run.very_late.contains(&moment.at);
    let written = run.world.history.iter().rfind(ours)?.at;
    let looked = run.database.last_look;
    (over && looked.is_none_or(|at| at < written))
        .then(|| format!("written at {written}, looked at {looked:?}"))
}

fn canceled(run: &Run) -> Option<String> {
    let unasked = run.database.canceled_at.is_none() && run.database.state == State::Canceled;
    unasked.then(|| "nobody asked".to_owned())
}

/// A picture that could not be taken is no failure.
fn failed(run: &Run) -> Option<String> {
    let failed = |step: &Step| step.phase == Phase::Failed && step.work != Work::PostSnapshot;
    let groundless = run.database.state == State::Failed && !run.database.steps.iter().any(failed);
    groundless.then(|| "FAILED, but nothing did".to_owned())
}

/// What counts as done was there when it was last looked at, and nothing of ours changed it since.
fn lost(run: &Run, item: &Item) -> Option<String> {
    let database = &run.database;
    let position = item.ordered.position;
    let done = database.done_items().contains(&position);
    let state = database.state;
    if state == State::Succeeded && !done {
        return Some(format!("SUCCEEDED without item {position}"));
    }
    let verified = database
        .steps
        .iter()
        .any(|step| step.work == Work::Verify && step.phase == Phase::Done);
    if !matches!(state, State::Succeeded | State::Failed | State::Canceled) || !done || !verified {
        return None;
    }
    let at = usize::try_from(position).unwrap_or_default();
    let looked = database.last_look.unwrap_or_default();
    let wanted: Vec<_> = item.after.into_iter().collect();
    let found = run.world.copies_at(at, looked, item);
    let since = |by_us| {
        let mut history = run.world.history.iter();
        history.any(|m| m.item == at && m.at > looked && m.by.is_some() == by_us)
    };
    let wrong = found != wanted || since(true) && run.very_late.is_empty();
    wrong.then(|| {
        format!(
            "{state}: item {position} was {found:?} when looked at, changed by us since: {}",
            since(true)
        )
    })
}

/// After a compensation an item is as before, or was, after what we did last, until somebody else changed it again.
fn not_as_before(run: &Run, item: &Item) -> Option<String> {
    let state = run.database.state;
    let undone = matches!(state, State::Failed | State::Canceled) && run.compensates();
    if !undone && state != State::PendingApproval {
        return None;
    }
    let position = item.ordered.position;
    let at = usize::try_from(position).unwrap_or_default();
    let of_item = |moment: &&Moment| moment.item == at;
    let last = run
        .world
        .history
        .iter()
        .filter(of_item)
        .rfind(|moment| moment.by.is_some())?;
    let was = |moment: &Moment| {
        let docs = moment.copies.iter().map(|copy| copy.doc);
        docs.eq(item.before)
    };
    let mut since = run.world.history.iter().filter(of_item);
    let restored = since.any(|moment| moment.at >= last.at && was(moment));
    let undid = last.by.is_some_and(|key| key.direction == Direction::Undo);
    let theirs = (undid || run.very_late.contains(&last.at)) && meddled_after(run, at, last.at);
    let good = restored || theirs;
    (!good && !landed_unseen(run)).then(|| {
        let copies = run.world.copies(at);
        format!(
            "{state}: item {position} is {copies:?}, was {:?}",
            item.before
        )
    })
}

fn meddled_after(run: &Run, item: usize, at: u64) -> bool {
    let mut history = run.world.history.iter();
    history.any(|moment| moment.item == item && moment.by.is_none() && moment.at >= at)
}
