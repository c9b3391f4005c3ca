//! Deployments that are not to begin yet: they wait for the end of a freeze, or for a time.

use std::time::Duration;

use slipway_approvals::FreezeWindow;
use slipway_deployments::{Claim, Deployment, FROZEN, Problem, State};
use slipway_kernel::{Revision, Timestamp};

use super::{
    deployments::given::{LONG, World, deployment_id, found},
    freezes::{add, window},
    given::{at, begin, commit},
};
use crate::Store;

fn frozen(deployment: &Deployment, until: Timestamp) -> Deployment {
    Deployment {
        problem: Some(Problem {
            reason: FROZEN.to_owned(),
            message: "wait".to_owned(),
        }),
        not_before: Some(until),
        ..deployment.clone()
    }
}

/// What is not to begin yet is not claimed, and no other waits for it; its claims don't count.
pub async fn what_is_put_off_is_claimed_later(store: &dyn Store) {
    let world = World::new(store, 1, 2).await;
    let first = world.add(world.promotion(1, 0)).await;
    world.add(world.promotion(2, 0)).await;
    let far = Timestamp::MAX;
    let mut work = begin(store).await;
    let claim = work.deployments().claim("executor", LONG).await;
    let claim = claim.expect("an answer").expect("a claim");
    assert_eq!((claim.deployment, claim.claims), (first.id, 1));
    let put_off = work.deployments().put_off(&claim, far, Duration::ZERO);
    assert!(put_off.await.expect("an answer"));
    let waits = found(&mut *work, first.id).await;
    assert_eq!(waits.not_before, Some(far));
    commit(work).await;
    // The second one goes ahead.
    let taken = world.take(LONG).await.expect("a claim");
    assert_eq!(taken.deployment, deployment_id(2));
    world.go(taken.deployment, State::Succeeded).await;
    assert_eq!(world.take(LONG).await, None);
    // An old claim puts nothing off.
    let mut work = begin(store).await;
    let old = Claim { epoch: 0, ..claim };
    let put_off = work.deployments().put_off(&old, at(0), Duration::ZERO);
    assert!(!put_off.await.expect("an answer"));
    drop(work);

    // A moment that has passed waits for the pause.
    let mut work = begin(store).await;
    let soon = Deployment {
        not_before: Some(at(0)),
        ..waits
    };
    let saved = work.deployments().update(&soon, State::Queued).await;
    saved.expect("saved");
    let claim = work.deployments().claim("executor", LONG).await;
    let claim = claim.expect("an answer").expect("a claim");
    assert_eq!((claim.epoch, claim.claims), (2, 1), "it counts from there");
    let pause = Duration::from_millis(300);
    let put_off = work.deployments().put_off(&claim, at(0), pause).await;
    assert!(put_off.expect("an answer"));
    commit(work).await;
    assert_eq!(world.take(LONG).await, None);
    std::thread::sleep(pause + Duration::from_millis(20));
    let claim = world.take(LONG).await.expect("a claim");
    assert_eq!((claim.epoch, claim.claims), (3, 1));
}

/// What waits for a freeze is let go, and nothing else.
pub async fn a_thaw_lets_go_of_what_is_frozen(store: &dyn Store) {
    let world = World::new(store, 1, 3).await;
    let other = World::new(store, 2, 2).await;
    let far = Timestamp::MAX;
    let scheduled = Deployment {
        not_before: Some(far),
        ..world.promotion(1, 0)
    };
    let waits = frozen(&world.promotion(2, 1), far);
    let elsewhere = frozen(&other.promotion(3, 0), far);
    let over = Deployment {
        state: State::PendingApproval,
        ..frozen(&world.promotion(4, 2), far)
    };
    for (world, deployment) in [
        (&world, &scheduled),
        (&world, &waits),
        (&other, &elsewhere),
        (&world, &over),
    ] {
        world.add(deployment.clone()).await;
    }
    assert_eq!(world.take(LONG).await, None);
    let mut work = begin(store).await;
    work.deployments()
        .thaw(world.project)
        .await
        .expect("thawed");
    for (deployment, kept) in [
        (&scheduled, true),
        (&waits, false),
        (&elsewhere, true),
        (&over, true),
    ] {
        let found = found(&mut *work, deployment.id).await;
        let expected = if kept {
            (deployment.not_before, deployment.problem.clone())
        } else {
            (None, None)
        };
        assert_eq!((found.not_before, found.problem), expected);
    }
    commit(work).await;
    let claim = world.take(LONG).await.expect("a claim");
    assert_eq!(claim.deployment, waits.id);
    assert_eq!(world.take(LONG).await, None);
}

/// An executor that is about to let a deployment wait for a window, and somebody who removes the window: none is left
/// waiting for what is gone.
pub async fn no_thaw_is_missed(store: &dyn Store) {
    let world = &World::new(store, 1, 2).await;
    world.add(world.promotion(1, 0)).await;
    for round in 0..20 {
        let mut work = begin(store).await;
        let before = found(&mut *work, deployment_id(1)).await;
        let fresh = Deployment {
            problem: None,
            not_before: None,
            ..before
        };
        let saved = work.deployments().update(&fresh, State::Queued).await;
        saved.expect("saved");
        let window = window(100 + round, world.project, &format!("w-{round}"));
        add(&mut *work, &window).await;
        commit(work).await;
        let target = fresh.target;
        let executor = async {
            let mut work = begin(store).await;
            let claim = work.deployments().claim("executor", LONG).await;
            let Some(claim) = claim.expect("an answer") else {
                return;
            };
            let deployment = found(&mut *work, claim.deployment).await;
            let covering = work.freezes().covering(target).await.expect("read");
            if !covering.is_empty() {
                // Time for the other one.
                store.ping().await.expect("an answer");
                let waits = frozen(&deployment, Timestamp::MAX);
                let saved = work.deployments().update(&waits, State::Queued).await;
                saved.expect("saved");
            }
            let until = if covering.is_empty() {
                at(0)
            } else {
                Timestamp::MAX
            };
            let put_off = work.deployments().put_off(&claim, until, Duration::ZERO);
            assert!(put_off.await.expect("an answer"));
            commit(work).await;
        };
        let remover = async {
            let mut work = begin(store).await;
            let deleted = FreezeWindow {
                deleted_at: Some(at(60)),
                revision: Revision(2),
                ..window.clone()
            };
            work.freezes().update(&deleted).await.expect("deleted");
            store.ping().await.expect("an answer");
            work.deployments()
                .thaw(world.project)
                .await
                .expect("thawed");
            commit(work).await;
        };
        futures_util::future::join(executor, remover).await;
        let mut work = begin(store).await;
        let after = found(&mut *work, deployment_id(1)).await;
        assert_ne!(
            after.not_before,
            Some(Timestamp::MAX),
            "it waits for a window that is gone, in round {round}"
        );
        drop(work);
    }
}
