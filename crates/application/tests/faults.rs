//! What can go wrong while a promotion is carried out, on real databases: the executor ends or stands still at any point,
//! any call of an engine fails, whatever was done is done again.
//!
//! The engines remember what was done to them. No effect may be lost or come twice, and every deployment comes to an end
//! or into doubt within three leases. `SLIPWAY_TEST_SCALE` says how many of the points are tried: all of them at 10.

#![expect(clippy::expect_used, reason = "what fails here fails the test")]

mod support;

mod faults {
    pub(crate) mod engine;
    pub(crate) mod gate;
    pub(crate) mod lane;
    pub(crate) mod runs;
    pub(crate) mod store;
    pub(crate) mod tally;
}

use std::sync::LazyLock;

use faults::engine::{Faults, Wrong};
use faults::gate::{Gate, Point, What};
use faults::lane::{Backend, Lane};
use faults::runs::{Course, aborted, failing, overtaken, paused, undisturbed};
use faults::store::Planted;
use faults::tally::{Lanes, Tally, chosen, print};
use slipway_deployments::OnFailure;
use tokio::runtime::Runtime;

/// Runs a test on the runtime that all of them share, since they share connections.
fn run(test: impl Future<Output = ()>) {
    static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));
    RUNTIME.block_on(test);
}

/// The points of an undisturbed promotion, forwards and back.
async fn courses(lanes: &Lanes, backend: Backend) -> Option<[Vec<Point>; 2]> {
    let points = lanes.on_one(backend, async |lane| {
        let (forwards, _) = undisturbed(lane, Course::Forwards).await;
        let (back, _) = undisturbed(lane, Course::Back).await;
        [forwards, back]
    });
    points.await
}

#[test]
fn an_abort_at_any_point_loses_and_duplicates_nothing() {
    run(aborts());
}

async fn aborts() {
    let lanes = Lanes::shared();
    for backend in Backend::ALL {
        let Some([forwards, back]) = courses(&lanes, backend).await else {
            continue;
        };
        let mut jobs = Vec::new();
        for (course, points) in [(Course::Forwards, &forwards), (Course::Back, &back)] {
            jobs.extend(chosen(points.len()).map(|number| (course, number)));
        }
        let ran = lanes.on_all(backend, jobs, async |lane, (course, number)| {
            aborted(lane, course, None, number).await
        });
        let tally: Tally = ran.await.into_iter().collect();
        print(&format!("{backend}: aborts {tally}"));
        tally.check();
    }
}

/// Whoever stands still where the result is lost did everything once; who goes on does it again.
#[test]
fn whatever_is_done_or_undone_again_is_there_once() {
    run(again());
}

async fn again() {
    let lanes = Lanes::shared();
    for backend in Backend::ALL {
        let Some([forwards, back]) = courses(&lanes, backend).await else {
            continue;
        };
        let mut jobs = Vec::new();
        for (course, points) in [(Course::Forwards, &forwards), (Course::Back, &back)] {
            let results: Vec<_> = (0..points.len())
                .filter(|number| is_result(points[*number]))
                .collect();
            jobs.extend(chosen(results.len()).map(|number| (course, results[number])));
        }
        let ran = lanes.on_all(backend, jobs, async |lane, (course, number)| {
            aborted(lane, course, None, number).await
        });
        let tally: Tally = ran.await.into_iter().collect();
        print(&format!("{backend}: actions and undos twice {tally}"));
        tally.check();
    }
}

/// A result that is about to be written.
fn is_result(point: Point) -> bool {
    let result = matches!(point.what, What::Commit("result" | "result of an undo"));
    result && !point.after
}

#[test]
fn an_executor_that_stood_still_changes_nothing_any_more() {
    run(pauses());
}

async fn pauses() {
    let lanes = Lanes::shared();
    for backend in Backend::ALL {
        let Some([forwards, back]) = courses(&lanes, backend).await else {
            continue;
        };
        let mut jobs = Vec::new();
        for (course, points) in [(Course::Forwards, &forwards), (Course::Back, &back)] {
            let can_pause: Vec<_> = (0..points.len())
                .filter(|number| !is_before_commit(points[*number]))
                .collect();
            jobs.extend(chosen(can_pause.len()).map(|number| (course, can_pause[number])));
        }
        let ran = lanes.on_all(backend, jobs, async |lane, (course, number)| {
            let ran = paused(lane, course, None, number).await;
            (ran, lane.watch.take())
        });
        let (mut tally, mut fenced, mut accepted) = (Tally::default(), 0, 0);
        for (ran, [fenced_there, accepted_there]) in ran.await {
            tally.extend([ran]);
            fenced += fenced_there;
            accepted += accepted_there;
        }
        print(&format!(
            "{backend}: pauses {tally}, stale writes fenced off {fenced}, accepted {accepted}"
        ));
        tally.check();
        assert!(fenced > 0, "no stale write was ever tried");
        assert_eq!(accepted, 0, "stale writes changed rows");
    }
}

/// Whether a unit of work is open there.
fn is_before_commit(point: Point) -> bool {
    matches!(point.what, What::Commit(_)) && !point.after
}

#[test]
fn a_call_that_fails_is_undone_or_told() {
    run(failures());
}

async fn failures() {
    let lanes = Lanes::shared();
    for backend in Backend::ALL {
        let calls = lanes.on_one(backend, async |lane| {
            undisturbed(lane, Course::Forwards).await
        });
        let Some((_, calls)) = calls.await else {
            continue;
        };
        let mut all = Vec::new();
        for wrong in Wrong::ALL {
            for on_failure in [OnFailure::Compensate, OnFailure::Keep] {
                all.extend((0..calls).map(|call| (on_failure, call, wrong)));
            }
        }
        let jobs: Vec<_> = chosen(all.len()).map(|number| all[number]).collect();
        let ran = lanes.on_all(backend, jobs, async |lane, (on_failure, call, wrong)| {
            Some(failing(lane, on_failure, Faults::Once(call, wrong)).await)
        });
        let tally: Tally = ran.await.into_iter().collect();
        print(&format!(
            "{backend}: failing calls ({calls} calls, {} ways to fail, 2 modes) {tally}",
            Wrong::ALL.len()
        ));
        tally.check();
    }
}

#[test]
fn every_planted_fault_is_caught() {
    run(planted_faults());
}

async fn planted_faults() {
    for backend in Backend::ALL {
        let Some(mut lane) = Lane::new(backend).await else {
            continue;
        };
        lane.parallel = 1;
        let (points, _) = undisturbed(&lane, Course::Forwards).await;
        let mut told = Vec::new();
        for planted in Planted::ALL {
            let found = find(backend, planted, &points).await;
            told.push((planted, found));
        }
        let caught = told.iter().filter(|(_, found)| found.is_some()).count();
        let all = Planted::ALL.len();
        print(&format!(
            "{backend}: planted faults caught {caught} of {all}"
        ));
        for (planted, found) in &told {
            let found = found.as_deref().unwrap_or("not caught");
            print(&format!("{backend}: {planted:?}: {found}"));
        }
        assert_eq!(caught, all);
    }
}

/// How a planted fault shows first, if it does, at the points where it could.
async fn find(backend: Backend, planted: Planted, points: &[Point]) -> Option<String> {
    // An installation of its own, since a fault may leave anything behind.
    let mut lane = Lane::new(backend).await?;
    lane.parallel = 1;
    let numbers = |what: What, after: bool| {
        let same = move |number: &usize| points[*number] == Point { what, after };
        (0..points.len()).filter(same)
    };
    let at = |what: What| Point { what, after: true };
    let course = Course::Forwards;
    let create = What::Call("create");
    let places: Vec<_> = match planted {
        Planted::IntentAfterEffect | Planted::ResumeWithoutLook => numbers(create, true).collect(),
        Planted::ClaimIgnoresLease | Planted::ResultIgnoresEpoch => {
            numbers(create, false).collect()
        }
        // What begins behind the last result is the unit of work of the last state, or a renewal.
        Planted::StateIgnoresEpoch => vec![numbers(What::Commit("result"), true).count(); 5],
    };
    for number in places {
        let ran = match planted {
            Planted::IntentAfterEffect | Planted::ResumeWithoutLook => {
                aborted(&lane, course, Some(planted), number).await
            }
            Planted::ClaimIgnoresLease => {
                overtaken(&lane, planted, Gate::at(number), at(create)).await
            }
            Planted::ResultIgnoresEpoch => {
                let other = at(What::Commit("intent"));
                overtaken(&lane, planted, Gate::at(number), other).await
            }
            Planted::StateIgnoresEpoch => {
                let other = at(What::Commit("claim"));
                overtaken(&lane, planted, Gate::behind_results(number), other).await
            }
        };
        let [_, accepted] = lane.watch.take();
        if accepted > 0 {
            return Some("a stale write changed a row".to_owned());
        }
        if let Some(broken) = ran.and_then(|ran| ran.broken().into_iter().next()) {
            return Some(broken);
        }
    }
    None
}
