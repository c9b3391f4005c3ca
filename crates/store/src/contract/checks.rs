//! What tests and scans elsewhere say about deployments.

use slipway_deployments::{CheckReport, CheckStatus, Deployment};
use slipway_kernel::Sha256;

use super::{
    deployments::given::World,
    given::{at, begin, commit, name, principal_id},
};
use crate::Store;

fn report(
    deployment: &Deployment,
    position: u32,
    check: &str,
    status: CheckStatus,
    plan: &[u8],
) -> CheckReport {
    CheckReport {
        deployment: deployment.id,
        position,
        name: name(check),
        status,
        plan_digest: Sha256::of_bytes(plan),
        url: "https://ci.example/1?a=\"b\""
            .to_owned()
            .try_into()
            .expect("an address"),
        summary: name("3 of 4 — ünd"),
        reported_by: principal_id(1),
        reported_at: at(i64::from(position) + 100),
    }
}

/// Of each name and plan the last one, inside and outside, of this deployment alone. All of them are counted.
pub async fn the_last_of_each_name_and_plan_is_found(store: &dyn Store) {
    let world = World::new(store, 1, 3).await;
    let deployment = world.add(world.promotion(1, 0)).await;
    let other = world.add(world.promotion(2, 1)).await;
    let reports = [
        report(&deployment, 0, "unit", CheckStatus::Running, b"plan"),
        report(&deployment, 1, "scan", CheckStatus::Passed, b"plan"),
        report(&deployment, 2, "unit", CheckStatus::Failed, b"plan"),
        report(&deployment, 3, "unit", CheckStatus::Passed, b"other plan"),
        report(&deployment, 4, "Unit", CheckStatus::Running, b"plan"),
        report(&other, 0, "unit", CheckStatus::Passed, b"plan"),
    ];
    let mut work = begin(store).await;
    for report in &reports {
        work.checks().insert(report).await.expect("inserted");
    }
    let mut inside = work.checks().last(deployment.id).await.expect("read");
    assert_eq!(work.checks().count(deployment.id).await.expect("read"), 5);
    commit(work).await;
    let mut outside = store.reader().checks(deployment.id).await.expect("read");
    for found in [&mut inside, &mut outside] {
        found.sort_by_key(|report| report.position);
        assert_eq!(found, &reports[1..5]);
    }
    let of_other = store.reader().checks(other.id).await.expect("read");
    assert_eq!(of_other, &reports[5..]);
}

/// Two reports have no place in common.
pub async fn a_place_is_taken_once(store: &dyn Store) {
    let world = World::new(store, 1, 3).await;
    let deployment = world.add(world.promotion(1, 0)).await;
    let first = report(&deployment, 0, "unit", CheckStatus::Failed, b"plan");
    let mut work = begin(store).await;
    work.checks().insert(&first).await.expect("inserted");
    commit(work).await;
    let mut work = begin(store).await;
    let second = report(&deployment, 0, "unit", CheckStatus::Passed, b"plan");
    assert!(work.checks().insert(&second).await.is_err());
    drop(work);
    let found = store.reader().checks(deployment.id).await.expect("read");
    assert_eq!(found, [first]);
}
