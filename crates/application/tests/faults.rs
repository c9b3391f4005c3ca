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

use faults::engine::{Faults, Wrong};
use faults::gate::{Point, What};
use faults::lane::{Backend, Lane};
use faults::runs::{Course, aborted, failing, overtaken, paused, undisturbed};
use faults::store::Planted;
use faults::tally::{Tally, chosen, on_lanes, print};
use slipway_deployments::OnFailure;

const COURSES: [Course; 2] = [Course::Forwards, Course::Back];

#[tokio::test(flavor = "multi_thread")]
async fn an_abort_at_any_point_loses_and_duplicates_nothing() {
    for backend in Backend::ALL {
        let Some(lane) = Lane::new(backend).await else {
            continue;
        };
        let mut jobs = Vec::new();
        for course in COURSES {
            let (points, _) = undisturbed(&lane, course).await;
            jobs.extend(chosen(points.len()).map(|number| (course, number)));
        }
        let ran = on_lanes(backend, jobs, async |lane, (course, number)| {
            aborted(lane, course, None, number).await
        });
        let tally: Tally = ran.await.into_iter().collect();
        print(&format!("{backend}: aborts {tally}"));
        tally.check();
    }
}

/// Whoever stands still where the result is lost did everything once; who goes on does it again.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_done_or_undone_again_is_there_once() {
    for backend in Backend::ALL {
        let Some(lane) = Lane::new(backend).await else {
            continue;
        };
        let mut jobs = Vec::new();
        for course in COURSES {
            let (points, _) = undisturbed(&lane, course).await;
            let results: Vec<_> = (0..points.len())
                .filter(|number| is_result(points[*number]))
                .collect();
            jobs.extend(chosen(results.len()).map(|number| (course, results[number])));
        }
        let ran = on_lanes(backend, jobs, async |lane, (course, number)| {
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

#[tokio::test(flavor = "multi_thread")]
async fn an_executor_that_stood_still_changes_nothing_any_more() {
    for backend in Backend::ALL {
        let Some(lane) = Lane::new(backend).await else {
            continue;
        };
        let mut jobs = Vec::new();
        for course in COURSES {
            let (points, _) = undisturbed(&lane, course).await;
            let can_pause: Vec<_> = (0..points.len())
                .filter(|number| !is_before_commit(points[*number]))
                .collect();
            jobs.extend(chosen(can_pause.len()).map(|number| (course, can_pause[number])));
        }
        let ran = on_lanes(backend, jobs, async |lane, (course, number)| {
            let ran = paused(lane, course, None, number).await;
            (ran, lane.watch.fenced(), lane.watch.accepted())
        });
        let (mut tally, mut fenced, mut accepted) = (Tally::default(), 0, 0);
        for (ran, fenced_there, accepted_there) in ran.await {
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

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_fails_is_undone_or_told() {
    for backend in Backend::ALL {
        let Some(lane) = Lane::new(backend).await else {
            continue;
        };
        let (_, calls) = undisturbed(&lane, Course::Forwards).await;
        let mut all = Vec::new();
        for wrong in Wrong::ALL {
            for on_failure in [OnFailure::Compensate, OnFailure::Keep] {
                all.extend((0..calls).map(|call| (on_failure, call, wrong)));
            }
        }
        let jobs: Vec<_> = chosen(all.len()).map(|number| all[number]).collect();
        let ran = on_lanes(backend, jobs, async |lane, (on_failure, call, wrong)| {
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

#[tokio::test(flavor = "multi_thread")]
async fn every_planted_fault_is_caught() {
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
    let mut lane = Lane::new(backend).await?;
    lane.parallel = 1;
    let numbers = |what: What, after: bool| {
        let same = move |number: &usize| points[*number] == Point { what, after };
        (0..points.len()).filter(same)
    };
    let at = |what: What| Point { what, after: true };
    let (course, planted_here) = (Course::Forwards, Some(planted));
    let create = What::Call("create");
    let places: Vec<_> = match planted {
        Planted::IntentAfterEffect | Planted::ResumeWithoutLook => numbers(create, true).collect(),
        Planted::ClaimIgnoresLease | Planted::ResultIgnoresEpoch => {
            numbers(create, false).collect()
        }
        // The unit of work in which a new state is written has begun.
        Planted::StateIgnoresEpoch => numbers(What::Commit("state"), false)
            // A renewal before it, which a busy machine makes time for, is three points.
            .flat_map(|number| [0, 3, 6].map(|behind| number - 1 + behind))
            .collect(),
    };
    for number in places {
        let ran = match planted {
            Planted::IntentAfterEffect | Planted::ResumeWithoutLook => {
                aborted(&lane, course, planted_here, number).await
            }
            Planted::ClaimIgnoresLease => paused(&lane, course, planted_here, number).await,
            Planted::ResultIgnoresEpoch => {
                let other = at(What::Commit("intent"));
                overtaken(&lane, course, planted_here, number, other).await
            }
            Planted::StateIgnoresEpoch => {
                let other = at(What::Commit("claim"));
                overtaken(&lane, course, planted_here, number, other).await
            }
        };
        if lane.watch.accepted() > 0 {
            return Some("a stale write changed a row".to_owned());
        }
        if let Some(broken) = ran.and_then(|ran| ran.broken().into_iter().next()) {
            return Some(broken);
        }
    }
    None
}
