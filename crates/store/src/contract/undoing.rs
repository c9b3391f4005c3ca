//! What undoes a deployment, what stands in the way of that, and how doubts are resolved.

use slipway_deployments::{
    Claim, Deployment, DeploymentKind, DeploymentPulse, Direction, Item, ItemStatus, Ordered,
    Origin, Phase, State, Verdict, resolve, steps_for,
};
use slipway_kernel::{DeploymentId, StoreError};

use super::{
    deployments::given::{LONG, World, became, deployment_id, item},
    given::{at, begin, commit},
};
use crate::Store;

fn undoes(world: &World<'_>, n: u128, undone: u128) -> Deployment {
    Deployment {
        kind: DeploymentKind::Rollback,
        origin: Origin::Undoes {
            deployment: deployment_id(undone),
        },
        ..world.promotion(n, 0)
    }
}

/// At a time, and for ever where it succeeded; what came to nothing leaves it to another.
pub async fn one_deployment_undoes_another(store: &dyn Store) {
    let world = World::new(store, 1, 2).await;
    world
        .add(became(&world.promotion(1, 0), State::Succeeded))
        .await;
    let undone_by = async || {
        let mut work = begin(store).await;
        let by = work.deployments().undone_by(deployment_id(1)).await;
        by.expect("an answer")
    };
    assert_eq!(undone_by().await, None);
    let in_vain = [
        State::Failed,
        State::Canceled,
        State::Rejected,
        State::Expired,
    ];
    for (n, state) in (2..).zip(in_vain) {
        world.add(became(&undoes(&world, n, 1), state)).await;
        assert_eq!(undone_by().await, None);
    }
    let first = world.add(undoes(&world, 10, 1)).await;
    assert_eq!(undone_by().await, Some(first.number));
    let mut work = begin(store).await;
    let second = work.deployments().insert(&undoes(&world, 11, 1)).await;
    assert!(matches!(second, Err(StoreError::Conflict(_))), "{second:?}");
    drop(work);
    world.go(first.id, State::Canceled).await;
    assert_eq!(undone_by().await, None);
    let last = world.add(undoes(&world, 12, 1)).await;
    world.take(LONG).await.expect("claimed");
    world.go(last.id, State::Succeeded).await;
    assert_eq!(undone_by().await, Some(last.number));
}

/// What is carried out in an environment is found there, in whatever state, and nowhere else; what waits or is in doubt is
/// not under way.
pub async fn what_is_under_way_is_found_by_its_environment(store: &dyn Store) {
    let world = World::new(store, 1, 2).await;
    let deployment = world.add(world.promotion(1, 0)).await;
    let under_way = async |target: usize| {
        let mut work = begin(store).await;
        let deployments = work.deployments();
        let found = deployments.under_way_in(world.environments[target]).await;
        // What is only dropped may be let go a little later.
        commit(work).await;
        found.expect("an answer")
    };
    assert_eq!(under_way(0).await, None);
    world.take(LONG).await.expect("claimed");
    for (state, expected) in [
        (State::Running, true),
        (State::InDoubt, false),
        (State::Compensating, true),
        (State::Failed, false),
    ] {
        world.go(deployment.id, state).await;
        assert_eq!(
            under_way(0).await,
            expected.then_some(deployment.number),
            "{state}"
        );
        assert_eq!(under_way(1).await, None);
    }
}

fn wrote(keys: &[u32], status: ItemStatus) -> Vec<Item> {
    let items = (0..).zip(keys).map(|(position, key)| Item {
        position,
        status,
        ..item(*key)
    });
    items.collect()
}

/// Those that wrote the same workflow later, or are about to, lowest number first.
pub async fn later_writers_are_those_that_count(store: &dyn Store) {
    let world = World::new(store, 1, 2).await;
    let done = |n: u128, target, micros, keys: &[u32]| Deployment {
        started_at: Some(at(micros)),
        items: wrote(keys, ItemStatus::Succeeded),
        ..became(&world.promotion(n, target), State::Succeeded)
    };
    let later = async || {
        let later = store.reader().later_writers(deployment_id(1), 3).await;
        later.expect("an answer")
    };
    world.add(done(1, 0, 500, &[1, 2])).await;
    // Before it, elsewhere, something else, and what was undone or came to nothing.
    world.add(done(2, 0, 400, &[1])).await;
    world.add(done(3, 1, 600, &[1])).await;
    world.add(done(4, 0, 600, &[3])).await;
    let compensated = Deployment {
        items: wrote(&[1], ItemStatus::Compensated),
        ..became(&done(5, 0, 600, &[]), State::Failed)
    };
    world.add(compensated).await;
    let rolled_back = Deployment {
        rolled_back_by: Some(deployment_id(2)),
        ..became(&done(6, 0, 600, &[1]), State::RolledBack)
    };
    world.add(rolled_back).await;
    // Its own rollback that failed, and that of a later one.
    for (n, undone) in [(7, 1), (8, 6)] {
        let rollback = Deployment {
            started_at: Some(at(700)),
            items: wrote(&[1], ItemStatus::Succeeded),
            ..became(&undoes(&world, n, undone), State::Failed)
        };
        world.add(rollback).await;
    }
    assert_eq!(later().await, [] as [i64; 0]);
    let mut expected = Vec::new();
    expected.push(world.add(done(9, 0, 800, &[9, 2])).await.number);
    assert_eq!(later().await, expected);
    let waiting = Deployment {
        items: wrote(&[1], ItemStatus::Pending),
        ..world.promotion(10, 0)
    };
    expected.push(world.add(waiting).await.number);
    assert_eq!(later().await, expected);
    for n in 11..13 {
        expected.push(world.add(done(n, 0, 900, &[1])).await.number);
    }
    assert_eq!(later().await, expected[..3]);
}

/// A deployment with 300 items in doubt about the first of them, and the claim under which it came to that.
async fn in_doubt(world: &World<'_>) -> Claim {
    let deployment = Deployment {
        items: (0..300).map(item).collect(),
        ..world.promotion(1, 0)
    };
    world.add(deployment).await;
    let claim = world.take(LONG).await.expect("a claim");
    let ordered = (0..300).map(|position| Ordered {
        position,
        rank: 0,
        in_cycle: false,
    });
    let steps = steps_for(&ordered.collect::<Vec<_>>());
    let mut work = begin(world.store).await;
    let deployments = work.deployments();
    let added = deployments.add_steps(claim.deployment, &steps).await;
    added.expect("added");
    assert!(
        deployments
            .begin_step(&claim, 2, Direction::Do)
            .await
            .expect("an answer")
    );
    let ended = deployments
        .end_step(&claim, 2, Direction::Do, Phase::Unknown)
        .await;
    assert!(ended.expect("an answer"));
    commit(work).await;
    world.go(claim.deployment, State::InDoubt).await;
    claim
}

/// Every phase is written, and nothing that was sent before counts any more; out of doubt nothing is.
pub async fn steps_in_doubt_are_rewritten(store: &dyn Store) {
    let world = World::new(store, 1, 2).await;
    let old = in_doubt(&world).await;
    let mut work = begin(store).await;
    let deployments = work.deployments();
    let before = deployments.steps(old.deployment).await.expect("read");
    for verdict in [Verdict::Compensating, Verdict::Failed, Verdict::Running] {
        let steps = resolve(&before, verdict).expect("fits").steps;
        let written = deployments.rewrite_steps(old.deployment, &steps).await;
        written.expect("rewritten");
        assert_eq!(
            deployments.steps(old.deployment).await.expect("read"),
            steps
        );
    }
    let begun = deployments.begin_step(&old, 2, Direction::Do).await;
    assert!(!begun.expect("an answer"), "an old claim");
    commit(work).await;
    world.go(old.deployment, State::Running).await;
    let claim = world.take(LONG).await.expect("claimed at once");
    assert!(claim.epoch > old.epoch + 1, "{claim:?}");
    assert_eq!(claim.claims, 1, "counted anew");
    for id in [old.deployment, deployment_id(99)] {
        let mut work = begin(store).await;
        let refused = work.deployments().rewrite_steps(id, &before).await;
        assert!(
            matches!(refused, Err(StoreError::Conflict(_))),
            "{refused:?}"
        );
    }
}

/// Every step that begins or ends, every claim and every state changes what is told.
pub async fn a_pulse_tells_every_change(store: &dyn Store) {
    let world = World::new(store, 1, 2).await;
    let mut told: Vec<DeploymentPulse> = Vec::new();
    let mut changed = async |id: DeploymentId| {
        let ids = [id, deployment_id(99)];
        let pulses = store.reader().deployment_pulses(&ids).await;
        let pulses = pulses.expect("read");
        assert_eq!(pulses.len(), 1, "{pulses:?}");
        assert!(!told.contains(&pulses[0]), "{pulses:?} told before");
        told.extend(&pulses);
        pulses[0]
    };
    let id = deployment_id(1);
    let deployment = Deployment {
        items: vec![item(0)],
        ..world.promotion(1, 0)
    };
    world.add(deployment).await;
    let pulse = changed(id).await;
    assert_eq!((pulse.steps, pulse.over), (0, 0));
    let claim = world.take(LONG).await.expect("a claim");
    changed(id).await;
    let mut work = begin(store).await;
    let ordered = Ordered {
        position: 0,
        rank: 0,
        in_cycle: false,
    };
    let steps = steps_for(&[ordered]);
    let added = work.deployments().add_steps(id, &steps).await;
    added.expect("added");
    commit(work).await;
    assert_eq!(changed(id).await.steps, 6);
    for direction in [Direction::Do, Direction::Undo] {
        for step in steps
            .iter()
            .filter(|s| direction == Direction::Do || s.work.has_undo())
        {
            for end in [false, true] {
                let mut work = begin(store).await;
                let deployments = work.deployments();
                let written = if end {
                    deployments
                        .end_step(&claim, step.number, direction, Phase::Done)
                        .await
                } else {
                    deployments.begin_step(&claim, step.number, direction).await
                };
                assert!(written.expect("an answer"));
                commit(work).await;
                changed(id).await;
            }
        }
    }
    world.go(id, State::Succeeded).await;
    let pulse = changed(id).await;
    assert_eq!((pulse.over, pulse.under_way, pulse.undone), (6, 0, 2));
    let none = store.reader().deployment_pulses(&[]).await;
    assert_eq!(none.expect("read"), []);
}
