//! The steps of deployments.

use futures_util::future::join_all;
use slipway_deployments::{Claim, Deployment, Direction, Ordered, Phase, Step, steps_for};
use slipway_kernel::StoreError;

use super::{
    deployments::given::{LONG, World, deployment_id, found, item},
    given::{begin, commit},
};
use crate::Store;

/// A deployment with as many items, claimed, with its steps.
async fn claimed(world: &World<'_>, items: u32) -> (Claim, Vec<Step>) {
    let deployment = Deployment {
        items: (0..items).map(item).collect(),
        ..world.promotion(1, 0)
    };
    world.add(deployment).await;
    let claim = world.take(LONG).await.expect("a claim");
    let ordered: Vec<_> = (0..items)
        .map(|position| Ordered {
            position,
            rank: position % 3,
            in_cycle: position % 2 == 0,
        })
        .collect();
    let steps = steps_for(&ordered);
    let mut work = begin(world.store).await;
    let added = work.deployments().add_steps(claim.deployment, &steps).await;
    added.expect("added");
    commit(work).await;
    (claim, steps)
}

async fn stored(store: &dyn Store) -> Vec<Step> {
    let mut work = begin(store).await;
    let steps = work.deployments().steps(deployment_id(1)).await;
    steps.expect("read")
}

/// More than fit into one statement come back by number, and are not added again.
pub async fn steps_are_added_once(store: &dyn Store) {
    let world = World::new(store, 1, 2).await;
    let (claim, steps) = claimed(&world, 300).await;
    assert!(steps.len() > 450);
    assert_eq!(stored(store).await, steps);
    let mut work = begin(store).await;
    let again = steps_for(&[]);
    let added = work.deployments().add_steps(claim.deployment, &again).await;
    added.expect("nothing added");
    commit(work).await;
    assert_eq!(stored(store).await, steps);
}

/// Whatever phases the steps that are added are in, none is begun.
pub async fn no_step_is_added_begun(store: &dyn Store) {
    let world = World::new(store, 1, 2).await;
    world.add(world.promotion(1, 0)).await;
    let mut steps = steps_for(&[]);
    for step in &mut steps {
        step.phase = Phase::Done;
    }
    let mut work = begin(store).await;
    let added = work.deployments().add_steps(deployment_id(1), &steps).await;
    added.expect("added");
    commit(work).await;
    assert_eq!(stored(store).await, steps_for(&[]));
}

/// Waiting, begun (again and again), and then one end.
pub async fn a_step_ends_once(store: &dyn Store) {
    let world = World::new(store, 1, 2).await;
    let (claim, steps) = claimed(&world, 4).await;
    let ends = [Phase::Done, Phase::Failed, Phase::Unknown];
    let mut expected = steps.clone();
    for (step, end) in expected.iter_mut().zip(ends.into_iter().cycle()) {
        let mut work = begin(store).await;
        let deployments = work.deployments();
        let early = deployments.end_step(&claim, step.number, Direction::Do, end);
        assert!(!early.await.expect("an answer"), "ended before it began");
        for _ in 0..2 {
            let begun = deployments.begin_step(&claim, step.number, Direction::Do);
            assert!(begun.await.expect("an answer"));
        }
        let ended = deployments.end_step(&claim, step.number, Direction::Do, end);
        assert!(ended.await.expect("an answer"));
        let again = deployments.end_step(&claim, step.number, Direction::Do, end);
        assert!(!again.await.expect("an answer"), "ended twice");
        let again = deployments.begin_step(&claim, step.number, Direction::Do);
        assert!(!again.await.expect("an answer"), "begun after its end");
        commit(work).await;
        step.phase = end;
    }
    assert_eq!(stored(store).await, expected);
}

/// Only what applies an item is undone, and that apart from its being done.
pub async fn what_applies_an_item_is_undone(store: &dyn Store) {
    let world = World::new(store, 1, 2).await;
    let (claim, mut expected) = claimed(&world, 2).await;
    for step in &mut expected {
        let mut work = begin(store).await;
        let deployments = work.deployments();
        let begun = deployments.begin_step(&claim, step.number, Direction::Undo);
        let applies = step.work.has_undo();
        assert_eq!(begun.await.expect("an answer"), applies, "{step:?}");
        let ended = deployments.end_step(&claim, step.number, Direction::Undo, Phase::Failed);
        assert_eq!(ended.await.expect("an answer"), applies, "{step:?}");
        commit(work).await;
        if applies {
            step.undo = Phase::Failed;
        }
    }
    assert_eq!(stored(store).await, expected);
    let mut work = begin(store).await;
    let absent = work
        .deployments()
        .begin_step(&claim, 99, Direction::Do)
        .await;
    assert!(!absent.expect("an answer"), "there is no such step");
}

/// Steps of one deployment that begin and end at the same time don't stand in each other's way, and of many that say how
/// a step ended, one is heard.
pub async fn steps_at_once_end_once_each(store: &dyn Store) {
    let world = World::new(store, 1, 2).await;
    let (claim, steps) = claimed(&world, 4).await;
    let claim = &claim;
    let write = |number: u32| async move {
        let mut work = begin(store).await;
        let begun = work
            .deployments()
            .begin_step(claim, number, Direction::Do)
            .await;
        begun.expect("an answer");
        commit(work).await;
        let mut work = begin(store).await;
        let ended = work
            .deployments()
            .end_step(claim, number, Direction::Do, Phase::Done)
            .await;
        commit(work).await;
        usize::from(ended.expect("an answer"))
    };
    let each_four_times = steps.iter().flat_map(|step| [step.number; 4]);
    let ended: usize = join_all(each_four_times.map(write)).await.into_iter().sum();
    assert_eq!(ended, steps.len());
    let stored = stored(store).await;
    assert!(
        stored.iter().all(|step| step.phase == Phase::Done),
        "{stored:?}"
    );
}

/// Other items and steps take the place of those of a plan of which no more than the preflight was begun.
pub async fn a_plan_takes_anothers_place_before_it_is_begun(store: &dyn Store) {
    let world = World::new(store, 1, 2).await;
    let (claim, _) = claimed(&world, 5).await;
    let mut work = begin(store).await;
    let begun = work
        .deployments()
        .begin_step(&claim, 0, Direction::Do)
        .await;
    assert!(begun.expect("begun"));
    commit(work).await;
    let ordered = |items: u32| -> Vec<_> {
        let order = |position| Ordered {
            position,
            rank: 0,
            in_cycle: false,
        };
        (0..items).map(order).collect()
    };
    let mut work = begin(store).await;
    let before = found(&mut *work, claim.deployment).await;
    let mut items: Vec<_> = (0..3).map(item).collect();
    items[1].key = super::given::name("another");
    let after = Deployment { items, ..before };
    let steps = steps_for(&ordered(3));
    let replaced = work.deployments().replace_plan(&after, &steps).await;
    replaced.expect("replaced");
    commit(work).await;
    assert_eq!(stored(store).await, steps);
    let mut work = begin(store).await;
    assert_eq!(found(&mut *work, claim.deployment).await, after);
    drop(work);

    // What was begun stays.
    let mut work = begin(store).await;
    for number in [0, 1] {
        let begun = work.deployments().begin_step(&claim, number, Direction::Do);
        assert!(begun.await.expect("begun"));
    }
    commit(work).await;
    let kept = stored(store).await;
    let mut work = begin(store).await;
    let other = steps_for(&ordered(1));
    let replaced = work.deployments().replace_plan(&after, &other).await;
    assert!(
        matches!(replaced, Err(StoreError::Conflict(_))),
        "{replaced:?}"
    );
    drop(work);
    assert_eq!(stored(store).await, kept);
}
