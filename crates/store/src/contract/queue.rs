//! Which deployment is carried out next, by whom, and until when.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicI64, Ordering::SeqCst},
    },
    time::Duration,
};

use futures_util::future::join_all;
use slipway_deployments::{Cancel, Claim, Deployment, Direction, Phase, State, Work};
use slipway_kernel::{DeploymentId, Timestamp};

use super::{
    deployments::given::{LONG, World, became, deployment_id, found, item},
    given::{at, begin, commit, name, principal_id},
};
use crate::Store;

/// Long enough for a lease of no length to be over: `SQLite` counts milliseconds.
pub(super) fn wait() {
    std::thread::sleep(Duration::from_millis(5));
}

fn claimed(claim: Option<&Claim>) -> Option<DeploymentId> {
    claim.map(|claim| claim.deployment)
}

/// The oldest one whose environment is free comes first, and of an environment the one with the lowest number.
pub async fn the_oldest_that_can_run_is_claimed(store: &dyn Store) {
    let world = World::new(store, 1, 3).await;
    // Number, environment, time.
    for (n, target, micros) in [(1, 0, 50), (2, 0, 40), (3, 1, 60), (4, 2, 10), (5, 1, 5)] {
        let deployment = Deployment {
            created_at: at(micros),
            ..world.promotion(n, target)
        };
        world.add(deployment).await;
    }
    for n in [4, 1, 3] {
        let claim = world.take(LONG).await;
        assert_eq!(claimed(claim.as_ref()), Some(deployment_id(n)));
    }
    assert_eq!(world.take(LONG).await, None);
    world.go(deployment_id(1), State::InDoubt).await;
    assert_eq!(
        world.take(LONG).await,
        None,
        "one in doubt holds its environment"
    );
    for (over, next) in [(1, 2), (3, 5)] {
        world.go(deployment_id(over), State::Failed).await;
        let claim = world.take(LONG).await;
        assert_eq!(claimed(claim.as_ref()), Some(deployment_id(next)));
        assert_eq!(world.take(LONG).await, None);
    }
}

/// By the database's clock, which is past the epoch and before the year 9999.
pub async fn what_may_not_begin_yet_lets_others_go_first(store: &dyn Store) {
    let world = World::new(store, 1, 2).await;
    for (n, not_before) in [(1, Some(Timestamp::MAX)), (2, None), (3, Some(at(5)))] {
        let deployment = Deployment {
            not_before,
            ..world.promotion(n, 0)
        };
        world.add(deployment).await;
    }
    for n in [2, 3] {
        let claim = world.take(LONG).await;
        assert_eq!(claimed(claim.as_ref()), Some(deployment_id(n)));
        assert_eq!(world.take(LONG).await, None);
        world.go(deployment_id(n), State::Failed).await;
    }
    assert_eq!(world.take(LONG).await, None);
}

/// What waits for people or is over is nobody's.
pub async fn only_what_can_be_carried_out_is_claimed(store: &dyn Store) {
    let world = World::new(store, 1, 2).await;
    let undoing = world
        .add(became(&world.promotion(99, 0), State::Approved))
        .await;
    let cancel = Cancel {
        by: principal_id(1),
        at: at(3),
        reason: name(""),
    };
    for (n, state) in (1..).zip(State::ALL) {
        let deployment = Deployment {
            cancel: (state == State::Canceling).then(|| cancel.clone()),
            rolled_back_by: (state == State::RolledBack).then_some(undoing.id),
            ..became(&world.promotion(n, 0), state)
        };
        let deployment = world.add(deployment).await;
        let mut work = begin(store).await;
        let claim = work.deployments().claim("executor", LONG).await;
        let claim = claim.expect("an answer");
        let can = state == State::Queued || state.is_carried_out();
        let expected = can.then_some(Claim {
            deployment: deployment.id,
            epoch: 1,
            claims: 1,
        });
        assert_eq!(claim, expected, "{state}");
        assert_eq!(found(&mut *work, deployment.id).await, deployment);
        if !state.is_over() {
            let ended = became(&deployment, State::Failed);
            let saved = work.deployments().update(&ended, state).await;
            saved.expect("updated");
        }
        commit(work).await;
    }
}

/// Sixteen executors at once: each deployment is claimed once, and those of one environment in their order.
pub async fn each_is_claimed_once_by_many_at_once(store: &dyn Store) {
    const EACH: u128 = 5;
    let world = &World::new(store, 1, 8).await;
    for n in 0..EACH {
        for (target, number) in (0..8).zip(0..) {
            world
                .add(world.promotion(100 + n * 8 + number, target))
                .await;
        }
    }
    let all = usize::try_from(EACH * 8).expect("small");
    let taken: &Mutex<Vec<Claim>> = &Mutex::default();
    let executor = |_| async move {
        for _ in 0..2_000 {
            if taken.lock().expect("unpoisoned").len() == all {
                return;
            }
            let Some(claim) = world.take(LONG).await else {
                continue;
            };
            taken.lock().expect("unpoisoned").push(claim.clone());
            world.go(claim.deployment, State::Succeeded).await;
        }
        unreachable!("not all are claimed after 2,000 rounds");
    };
    join_all((0..16).map(executor)).await;
    let taken = taken.lock().expect("unpoisoned").clone();
    let mut numbers: BTreeMap<_, Vec<_>> = BTreeMap::new();
    let mut work = begin(store).await;
    for claim in &taken {
        assert_eq!((claim.epoch, claim.claims), (1, 1), "{claim:?}");
        let done = found(&mut *work, claim.deployment).await;
        numbers.entry(done.target).or_default().push(done.number);
    }
    assert_eq!(numbers.len(), 8);
    for numbers in numbers.values() {
        assert_eq!(numbers.len(), usize::try_from(EACH).expect("small"));
        assert!(numbers.is_sorted(), "{numbers:?}");
    }
}

/// Sixteen executors at once want what others have left: each epoch is one's.
pub async fn what_is_left_is_claimed_once_at_a_time(store: &dyn Store) {
    let world = &World::new(store, 1, 4).await;
    for (target, n) in (0..4).zip(1..) {
        world.add(world.promotion(n, target)).await;
        world.go(deployment_id(n), State::Running).await;
    }
    for round in 1..=3 {
        let take = |_| async move { world.take(Duration::ZERO).await };
        let claims = join_all((0..16).map(take)).await;
        let mut epochs: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for claim in claims.into_iter().flatten() {
            epochs
                .entry(claim.deployment)
                .or_default()
                .push(claim.epoch);
        }
        assert!(!epochs.is_empty(), "nothing was claimed in round {round}");
        for epochs in epochs.values_mut() {
            let claims = epochs.len();
            epochs.sort_unstable();
            epochs.dedup();
            assert_eq!(epochs.len(), claims, "an epoch was given twice");
        }
        wait();
    }
}

/// A lease that was never committed is none. Rolling back what was dropped may take a moment, during which it is passed
/// over.
pub async fn a_claim_rolled_back_never_was(store: &dyn Store) {
    let world = World::new(store, 1, 2).await;
    let queued = world.add(world.promotion(1, 0)).await;
    for _ in 0..3 {
        let mut claimed = None;
        for _ in 0..100 {
            let mut work = begin(store).await;
            let claim = work.deployments().claim("executor", LONG).await;
            claimed = claim.expect("an answer");
            if claimed.is_some() {
                let again = work.deployments().claim("executor", LONG).await;
                assert_eq!(again.expect("an answer"), None);
                break;
            }
            wait();
        }
        let expected = Claim {
            deployment: queued.id,
            epoch: 1,
            claims: 1,
        };
        assert_eq!(claimed, Some(expected));
    }
}

/// A lease lasts as long as it was said to, and longer where it is renewed; given back, it is over at once.
pub async fn a_lease_is_over_in_time(store: &dyn Store) {
    let world = World::new(store, 1, 2).await;
    world.add(world.promotion(1, 0)).await;
    let first = world.take(Duration::ZERO).await.expect("a claim");
    let mut work = begin(store).await;
    assert!(
        work.deployments()
            .renew(&first, LONG)
            .await
            .expect("renewed")
    );
    commit(work).await;
    wait();
    assert_eq!(world.take(LONG).await, None, "the lease was renewed");

    let mut work = begin(store).await;
    let given_back = work.deployments().give_back(&first).await;
    assert!(given_back.expect("given back"));
    let renewed = work.deployments().renew(&first, LONG).await;
    assert!(!renewed.expect("an answer"), "nobody has a lease");
    commit(work).await;
    let second = world.take(Duration::ZERO).await.expect("a claim");
    assert_eq!((second.epoch, second.claims), (2, 2));

    wait();
    let third = world.take(LONG).await.expect("a claim");
    assert_eq!((third.epoch, third.claims), (3, 3));
    assert_eq!(world.take(LONG).await, None);
}

/// One that a person has decided about is claimed anew, and its claims count from there.
pub async fn what_comes_to_an_end_gives_its_lease_back(store: &dyn Store) {
    let world = World::new(store, 1, 2).await;
    world.add(world.promotion(1, 0)).await;
    let first = world.take(LONG).await.expect("a claim");
    world.go(first.deployment, State::InDoubt).await;
    assert_eq!(world.take(LONG).await, None);
    let mut work = begin(store).await;
    let renewed = work.deployments().renew(&first, LONG).await;
    assert!(!renewed.expect("an answer"), "nobody has a lease");
    assert!(work.deployments().guard(&first).await.expect("an answer"));
    assert!(
        work.deployments()
            .give_back(&first)
            .await
            .expect("an answer")
    );
    commit(work).await;
    world.go(first.deployment, State::Running).await;
    let second = world.take(LONG).await.expect("a claim");
    assert_eq!((second.epoch, second.claims), (2, 1));
    world.go(second.deployment, State::PendingApproval).await;
    assert_eq!(world.take(LONG).await, None);
}

/// Somebody else's wish to stop takes no lease away.
pub async fn a_change_by_others_leaves_the_lease(store: &dyn Store) {
    let world = World::new(store, 1, 2).await;
    world.add(world.promotion(1, 0)).await;
    let claim = world.take(LONG).await.expect("a claim");
    let mut work = begin(store).await;
    let running = found(&mut *work, claim.deployment).await;
    let canceling = Deployment {
        state: State::Canceling,
        cancel: Some(Cancel {
            by: principal_id(1),
            at: at(3),
            reason: name("stop"),
        }),
        ..running
    };
    let saved = work.deployments().update(&canceling, State::Running).await;
    saved.expect("updated");
    commit(work).await;
    assert_eq!(world.take(LONG).await, None);
    let mut work = begin(store).await;
    assert!(work.deployments().guard(&claim).await.expect("an answer"));
    assert!(
        work.deployments()
            .renew(&claim, LONG)
            .await
            .expect("an answer")
    );
}

/// Who was too slow writes nothing any more, and nobody who never claimed does.
pub async fn an_old_claim_changes_nothing(store: &dyn Store) {
    let world = World::new(store, 1, 2).await;
    let deployment = Deployment {
        items: vec![item(0)],
        ..world.promotion(1, 0)
    };
    world.add(deployment).await;
    let old = world.take(Duration::ZERO).await.expect("a claim");
    let steps = slipway_deployments::steps_for(&[slipway_deployments::Ordered {
        position: 0,
        rank: 0,
        in_cycle: false,
    }]);
    let apply = steps.iter().find(|step| step.work == Work::Apply(0));
    let apply = apply.expect("a step").number;
    let mut work = begin(store).await;
    let deployments = work.deployments();
    deployments
        .add_steps(old.deployment, &steps)
        .await
        .expect("added");
    for number in [0, apply] {
        let begun = deployments.begin_step(&old, number, Direction::Do).await;
        assert!(begun.expect("an answer"));
    }
    commit(work).await;
    wait();
    let new = world.take(Duration::ZERO).await.expect("a claim");
    wait();

    let invented = Claim {
        epoch: 9,
        ..new.clone()
    };
    let absent = Claim {
        deployment: deployment_id(9),
        ..new.clone()
    };
    let mut work = begin(store).await;
    let before = work
        .deployments()
        .steps(new.deployment)
        .await
        .expect("read");
    for claim in [&old, &invented, &absent] {
        let deployments = work.deployments();
        for (number, direction) in [
            (0, Direction::Do),
            (1, Direction::Do),
            (apply, Direction::Undo),
        ] {
            let begun = deployments.begin_step(claim, number, direction).await;
            assert!(!begun.expect("an answer"), "{claim:?} began {number}");
            let ended = deployments
                .end_step(claim, number, direction, Phase::Done)
                .await;
            assert!(!ended.expect("an answer"), "{claim:?} ended {number}");
        }
        assert!(!deployments.renew(claim, LONG).await.expect("an answer"));
        assert!(!deployments.give_back(claim).await.expect("an answer"));
        assert!(!deployments.guard(claim).await.expect("an answer"));
    }
    let after = work
        .deployments()
        .steps(new.deployment)
        .await
        .expect("read");
    assert_eq!(after, before);
    assert!(work.deployments().guard(&new).await.expect("an answer"));
    let ended = work
        .deployments()
        .end_step(&new, 0, Direction::Do, Phase::Done)
        .await;
    assert!(ended.expect("an answer"));
    commit(work).await;
    // The lease of no length was neither made longer nor given back.
    let third = world.take(LONG).await.expect("a claim");
    assert_eq!((third.epoch, third.claims), (3, 3));
}

/// While some claim and others write steps: what is begun is begun under the last claim, and nobody claims before that is
/// committed.
pub async fn claims_and_steps_at_once_keep_their_order(store: &dyn Store) {
    let world = &World::new(store, 1, 2).await;
    world.add(world.promotion(1, 0)).await;
    let first = world.take(Duration::ZERO).await.expect("a claim");
    let mut work = begin(store).await;
    let steps = slipway_deployments::steps_for(&[]);
    let added = work.deployments().add_steps(first.deployment, &steps).await;
    added.expect("added");
    commit(work).await;
    // The last epoch known to be committed, and the one under which a step is being begun.
    let (newest, writing) = (&AtomicI64::new(1), &AtomicI64::new(i64::MAX));
    let executor = |_| async move {
        let (mut begun, mut late) = (0, 0);
        for _ in 0..30 {
            let mut work = begin(store).await;
            let claim = work.deployments().claim("executor", Duration::ZERO).await;
            let Some(claim) = claim.expect("an answer") else {
                drop(work);
                store.ping().await.expect("an answer");
                continue;
            };
            commit(work).await;
            assert!(writing.load(SeqCst) >= claim.epoch, "claimed in between");
            newest.fetch_max(claim.epoch, SeqCst);
            // Time for others to claim it.
            wait();
            store.ping().await.expect("an answer");
            let mut work = begin(store).await;
            let seen = newest.load(SeqCst);
            let deployments = work.deployments();
            let written = deployments.begin_step(&claim, 0, Direction::Do).await;
            if written.expect("an answer") {
                assert_eq!(claim.epoch, seen, "begun under an old claim");
                writing.store(claim.epoch, SeqCst);
                store.ping().await.expect("an answer");
                writing.store(i64::MAX, SeqCst);
                begun += 1;
            } else {
                late += 1;
            }
            commit(work).await;
        }
        (begun, late)
    };
    let counts = join_all((0..6).map(executor)).await;
    let begun: usize = counts.iter().map(|(begun, _)| begun).sum();
    let late: usize = counts.iter().map(|(_, late)| late).sum();
    assert!(begun > 0 && late > 0, "{begun} begun, {late} too late");
}
