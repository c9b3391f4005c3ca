//! What is done to a promotion, and what came of it.

use std::time::{Duration, Instant};

use slipway_application::deployments::executor::Ended;
use slipway_deployments::OnFailure;

use super::engine::Faults;
use super::gate::{Gate, Point};
use super::lane::{LEASE, Lane, Stoppable, Verdict, Way};
use super::store::Planted;

/// How a promotion goes where nobody disturbs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Course {
    /// To its end.
    Forwards,
    /// Its last item is refused, and everything is undone.
    Back,
}

impl Course {
    fn faults(self) -> Faults {
        match self {
            Self::Forwards => Faults::None,
            // It is changed only to be connected, when everything else is done.
            Self::Back => Faults::Always("update", "Pong"),
        }
    }
}

/// A disturbed promotion.
#[derive(Debug)]
pub(crate) struct Ran {
    /// Where it was disturbed.
    pub(crate) at: String,
    pub(crate) verdict: Verdict,
    /// How long it took from there to the end; `None` where it did not come to one.
    pub(crate) took: Option<Took>,
}

/// How long a promotion took to its end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Took {
    pub(crate) all: Duration,
    /// Without the work of the executor that came to the end, which takes longer on a busy machine.
    pub(crate) waited: Duration,
}

impl Ran {
    /// What must not be.
    pub(crate) fn broken(&self) -> Vec<String> {
        let mut broken = self.verdict.lost.clone();
        broken.extend(self.verdict.duplicated.iter().cloned());
        match self.took {
            None => broken.push(format!("no end; it is {}", self.verdict.state)),
            Some(took) if took.waited > 3 * LEASE => {
                broken.push(format!("the end came after {took:?}"));
            }
            Some(_) => {}
        }
        broken
    }
}

/// The points of an undisturbed promotion, and how often it calls engines.
pub(crate) async fn undisturbed(lane: &Lane, course: Course) -> (Vec<Point>, usize) {
    let way = lane.way(OnFailure::Compensate).await;
    let executor = lane.first(Gate::open(), course.faults(), None);
    let ended = executor.executor.carry_out_one(|| false).await;
    assert_eq!(ended.expect("carried out"), Ended::Settled);
    let verdict = way.judge().await;
    assert!(
        verdict.lost.is_empty() && verdict.duplicated.is_empty(),
        "{verdict:#?}\n{:#?}",
        way.deployment().await
    );
    (executor.gate.passed(), executor.calls())
}

/// The executor ends at a point as a process does that is killed there; another one goes on.
pub(crate) async fn aborted(
    lane: &Lane,
    course: Course,
    planted: Option<Planted>,
    number: usize,
) -> Option<Ran> {
    let way = lane.way(OnFailure::Compensate).await;
    let first = lane.first(Gate::at(number), course.faults(), planted);
    {
        let work = first.executor.carry_out_one(|| false);
        tokio::select! {
            _ = work => return None,
            () = first.gate.reached.notified() => {}
        }
    }
    let took = go_on(lane, &way, course, planted).await;
    ran(&way, &first, number, took).await
}

/// The executor stands still at a point until another one has gone on to the end, and then goes on itself, as a process
/// does that was stopped and continued.
pub(crate) async fn paused(
    lane: &Lane,
    course: Course,
    planted: Option<Planted>,
    number: usize,
) -> Option<Ran> {
    let way = lane.way(OnFailure::Compensate).await;
    let first = lane.first(Gate::at(number), course.faults(), planted);
    let mut work = Box::pin(first.executor.carry_out_one(|| false));
    tokio::select! {
        _ = &mut work => return None,
        () = first.gate.reached.notified() => {}
    }
    // Whoever holds rows while standing still holds up everybody: nothing is claimed of that.
    if first.gate.holds_rows() {
        drop(work);
        go_on(lane, &way, course, planted).await;
        return None;
    }
    let took = go_on(lane, &way, course, planted).await;
    first.gate.release();
    drop(tokio::time::timeout(2 * LEASE, work).await);
    ran(&way, &first, number, took).await
}

/// The executor stands still at a gate, and goes on while another one, which has taken over since, stands still at its own.
pub(crate) async fn overtaken(
    lane: &Lane,
    planted: Planted,
    gate: Gate,
    other: Point,
) -> Option<Ran> {
    let (course, planted) = (Course::Forwards, Some(planted));
    let way = lane.way(OnFailure::Compensate).await;
    let first = lane.first(gate, course.faults(), planted);
    let mut work = Box::pin(first.executor.carry_out_one(|| false));
    tokio::select! {
        _ = &mut work => return None,
        () = first.gate.reached.notified() => {}
    }
    let second = lane.second(Gate::first(other), course.faults(), planted);
    let rival = async {
        while second.executor.carry_out_one(|| false).await.ok() == Some(Ended::Idle) {
            tokio::time::sleep(LEASE / 20).await;
        }
    };
    let mut rival = Box::pin(rival);
    tokio::select! {
        () = &mut rival => {}
        () = second.gate.reached.notified() => {
            first.gate.release();
            // An effect that was held is a task of its own: it comes to its end before the executor goes on.
            tokio::time::sleep(LEASE / 10).await;
            drop(tokio::time::timeout(2 * LEASE, work).await);
            second.gate.release();
            rival.await;
        }
    }
    let took = go_on(lane, &way, course, planted).await;
    ran(&way, &first, 0, took).await
}

/// Nobody is stopped, and something goes wrong outside.
pub(crate) async fn failing(lane: &Lane, on_failure: OnFailure, faults: Faults) -> Ran {
    let way = lane.way(on_failure).await;
    let only = lane.first(Gate::open(), faults, None);
    let began = Instant::now();
    // On a busy machine the lease may run out.
    drop(only.executor.carry_out_one(|| false).await);
    let took = if way.is_settled().await {
        Some(Took {
            all: began.elapsed(),
            waited: Duration::ZERO,
        })
    } else {
        go_on(lane, &way, Course::Forwards, None).await
    };
    Ran {
        at: format!("{on_failure:?}, {faults:?}"),
        verdict: way.judge().await,
        took,
    }
}

/// Others go on until the promotion is settled.
async fn go_on(
    lane: &Lane,
    way: &Way<'_>,
    course: Course,
    planted: Option<Planted>,
) -> Option<Took> {
    let began = Instant::now();
    while began.elapsed() < 5 * LEASE {
        let next = lane.second(Gate::open(), course.faults(), planted);
        let waited = began.elapsed();
        // An error is what a server logs before it tries again.
        drop(next.executor.carry_out_one(|| false).await);
        if way.is_settled().await {
            let all = began.elapsed();
            return Some(Took { all, waited });
        }
        tokio::time::sleep(LEASE / 20).await;
    }
    None
}

async fn ran(way: &Way<'_>, first: &Stoppable, number: usize, took: Option<Took>) -> Option<Ran> {
    let at = format!("{:?}", first.gate.passed().get(number)?);
    Some(Ran {
        at,
        verdict: way.judge().await,
        took,
    })
}
