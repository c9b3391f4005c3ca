use std::collections::HashSet;

use proptest::prelude::*;
use slipway_kernel::DeploymentId;
use uuid::Uuid;

use super::*;

const DAY: i64 = 86_400;

fn at(second: i64) -> Timestamp {
    Timestamp::from_micros(second * 1_000_000).expect("a moment")
}

fn cart() -> Key {
    "cart".parse().expect("a key")
}

fn delivered(second: i64, lead: i64) -> Delivered {
    Delivered {
        application: cart(),
        environment: Slug::known("prod"),
        at: at(second),
        version_created_at: at(second - lead),
    }
}

fn ended(n: u128, kind: DeploymentKind, state: State, second: i64) -> Ended {
    Ended {
        application: cart(),
        environment: Slug::known("prod"),
        deployment: DeploymentId::from_uuid(Uuid::from_u128(n)),
        kind,
        state,
        at: at(second),
    }
}

fn one(delivered: &[Delivered], ended: &[Ended]) -> Figures {
    let mut all = figures(at(0), at(10 * DAY), delivered, ended);
    assert_eq!(all.len(), 1);
    all.remove(0)
}

fn close(found: Option<f64>, expected: f64) -> bool {
    found.is_some_and(|found| (found - expected).abs() < 1e-9)
}

#[test]
fn nothing_is_no_data() {
    assert_eq!(figures(at(0), at(DAY), &[], &[]), []);
    let reported = one(&[delivered(5, 1)], &[]);
    assert_eq!((reported.deployments, reported.failed), (0, 0));
    assert_eq!(reported.change_failure_rate, None);
    let unknown = one(&[delivered(5, 0), delivered(6, -1)], &[]);
    assert_eq!((unknown.deliveries, unknown.lead_time_median), (2, None));
    assert_eq!(reported.time_to_recover, None);
    assert_eq!(reported.rework_rate, None);
    let failed = one(&[], &[ended(1, DeploymentKind::Release, State::Failed, 5)]);
    assert_eq!(failed.deliveries_per_day, None);
    assert_eq!(failed.lead_time_median, None);
    assert!(close(failed.change_failure_rate, 1.0));
    assert_eq!(failed.time_to_recover, None, "not yet");
    let canceled = one(
        &[],
        &[ended(1, DeploymentKind::Release, State::Canceled, 5)],
    );
    assert_eq!(
        (canceled.deployments, canceled.change_failure_rate),
        (0, None)
    );
    let good = one(
        &[],
        &[ended(1, DeploymentKind::Release, State::Succeeded, 5)],
    );
    assert!(
        close(good.change_failure_rate, 0.0),
        "a figure, and it is zero"
    );
}

#[test]
fn figures_are_as_defined() {
    let leads: Vec<_> = (1..=10).map(|n| delivered(n * 100, n)).collect();
    let found = one(
        &leads,
        &[
            ended(1, DeploymentKind::Release, State::Succeeded, 100),
            ended(2, DeploymentKind::Release, State::RolledBack, 200),
            ended(3, DeploymentKind::Rollback, State::Succeeded, 260),
            ended(4, DeploymentKind::Release, State::Failed, 300),
            ended(4, DeploymentKind::Release, State::Failed, 300),
            ended(5, DeploymentKind::Release, State::Rejected, 310),
            ended(6, DeploymentKind::Release, State::Succeeded, 320),
        ],
    );
    assert_eq!((found.deployments, found.failed), (5, 2));
    assert!(close(found.change_failure_rate, 0.4));
    assert!(close(found.time_to_recover, 20.0), "{found:?}");
    assert!(close(found.rework_rate, 0.4));
    assert!(close(found.deliveries_per_day, 1.0));
    assert!(close(found.lead_time_median, 5.0));
    assert!(close(found.lead_time_p90, 9.0));
}

proptest! {
    /// Against what is obvious: rates count each deployment once, and lie between none and all.
    #[test]
    fn rates_equal_a_slow_count(
        all in prop::collection::vec((0_u128..8, 0_usize..6, 0_i64..50), 0..30),
    ) {
        let states = [
            State::Succeeded,
            State::Failed,
            State::RolledBack,
            State::Canceled,
            State::Rejected,
            State::Expired,
        ];
        // A deployment ends once.
        let mut once = HashSet::new();
        let all: Vec<_> = all.into_iter().filter(|(id, ..)| once.insert(*id)).collect();
        let rows = all.iter().map(|(id, state, second)| {
            ended(*id, DeploymentKind::Release, states[*state], *second)
        });
        let rows: Vec<_> = rows.collect();
        let counted = all.iter().filter(|(_, state, _)| *state < 3).count();
        let bad = all.iter().filter(|(_, state, _)| matches!(*state, 1 | 2)).count();
        for found in figures(at(0), at(DAY), &[], &rows) {
            prop_assert_eq!(found.deployments, counted as u64);
            prop_assert_eq!(found.failed, bad as u64);
            prop_assert_eq!(found.change_failure_rate.is_none(), counted == 0);
            if counted > 0 {
                prop_assert!(close(found.change_failure_rate, number(bad) / number(counted)));
            }
            prop_assert!(found.time_to_recover.is_none_or(|time| time >= 0.0));
            prop_assert!(found.rework_rate.is_none_or(|rate| (0.0..=1.0).contains(&rate)));
        }
    }
}
