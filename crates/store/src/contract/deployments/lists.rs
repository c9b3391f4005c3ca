//! Lists of deployments.

use slipway_deployments::{
    Deployment, DeploymentFilter, DeploymentKind, DeploymentName, DeploymentSummary, ItemCounts,
    LastSuccess, ListedDeployment, Origin, State,
};
use slipway_kernel::PipelineId;

use super::given::{World, became, deployment_id, item};
use crate::{
    Store,
    contract::{
        given::{at, begin, commit, size, uuid, walk},
        ledger::world::Dice,
    },
};

/// Many deployments of all sorts. Times are not in the order of the numbers.
async fn many(world: &World<'_>, dice: &mut Dice) -> Vec<Deployment> {
    let second = PipelineId::from_uuid(uuid(77));
    let mut work = begin(world.store).await;
    let pipeline = world.pipeline(second, "second");
    assert!(work.pipelines().insert(&pipeline).await.expect("inserted"));
    let mut all: Vec<Deployment> = Vec::new();
    for n in 1..=120 {
        let target = dice.below(world.environments.len());
        let mut deployment = world.promotion(1_000 + n, target);
        if dice.one_in(3) {
            deployment.origin = Origin::Stage {
                pipeline: second,
                stage: 1,
                source: world.environments[(target + 1) % world.environments.len()],
            };
        }
        // One undoes another at most.
        let undone = |id| {
            let undoes = Origin::Undoes { deployment: id };
            all.iter().any(|other| other.origin == undoes)
        };
        let earlier = all
            .iter()
            .find(|earlier| earlier.target == deployment.target && !undone(earlier.id));
        if let Some(earlier) = earlier.filter(|_| dice.one_in(5)) {
            deployment.kind = DeploymentKind::Rollback;
            deployment.origin = Origin::Undoes {
                deployment: earlier.id,
            };
        }
        deployment.created_at = at(i64::try_from(dice.below(60)).expect("small"));
        deployment.items = (0..).take(dice.below(4)).map(item).collect();
        let states = [
            State::PendingApproval,
            State::Approved,
            State::Queued,
            State::Succeeded,
            State::Failed,
            State::Rejected,
        ];
        deployment = became(&deployment, *dice.pick(&states));
        deployment.number = work
            .deployments()
            .insert(&deployment)
            .await
            .expect("inserted");
        all.push(deployment);
    }
    commit(work).await;
    all.reverse();
    all
}

fn selects(filter: &DeploymentFilter, deployment: &Deployment) -> bool {
    let pipeline = match deployment.origin {
        Origin::Stage { pipeline, .. } => Some(pipeline),
        _ => None,
    };
    (filter.states.is_empty() || filter.states.contains(&deployment.state))
        && (filter.pipeline.is_none() || filter.pipeline == pipeline)
        && filter
            .target
            .is_none_or(|target| target == deployment.target)
        && filter.from.is_none_or(|from| deployment.created_at >= from)
        && filter.to.is_none_or(|to| deployment.created_at < to)
}

/// Highest number first, each once with the numbers of its items, by every filter.
pub async fn pages_equal_a_list_in_memory(store: &dyn Store) {
    let world = &World::new(store, 1, 3).await;
    let mut dice = Dice(7);
    let all = many(world, &mut dice).await;
    let mut selected = 0;
    for round in 0..60 {
        let mut states = State::ALL.to_vec();
        states.retain(|_| dice.one_in(3));
        if let Some(twice) = states.first().copied().filter(|_| dice.one_in(2)) {
            states.push(twice);
        }
        let states = if dice.one_in(2) { states } else { Vec::new() };
        let second = PipelineId::from_uuid(uuid(77));
        let filter = &DeploymentFilter {
            states,
            pipeline: dice
                .one_in(3)
                .then(|| *dice.pick(&[world.pipeline, second])),
            target: dice.one_in(3).then(|| *dice.pick(&world.environments)),
            from: dice
                .one_in(3)
                .then(|| at(i64::try_from(dice.below(60)).expect("small"))),
            to: dice
                .one_in(3)
                .then(|| at(i64::try_from(dice.below(60)).expect("small"))),
        };
        let expected: Vec<_> = all
            .iter()
            .filter(|one| selects(filter, one))
            .map(|one| ListedDeployment {
                counts: ItemCounts::of(&one.items),
                deployment: Deployment {
                    items: Vec::new(),
                    ..one.clone()
                },
            })
            .collect();
        selected += expected.len();
        let page_size = [1, 7, 50, 200][round % 4];
        let found = walk(|after| async move {
            let reader = store.reader();
            reader
                .deployments(world.project, filter, after, size(page_size))
                .await
        })
        .await;
        assert_eq!(found, expected, "{filter:?} in pages of {page_size}");
    }
    assert!(selected > 500, "the filters select next to nothing");
}

/// Another project's deployments are neither listed nor found nor counted.
pub async fn projects_are_apart(store: &dyn Store) {
    let (one, other) = (World::new(store, 1, 2).await, World::new(store, 2, 2).await);
    let deployment = one
        .add(became(&one.promotion(1, 0), State::PendingApproval))
        .await;
    let reader = store.reader();
    for (world, expected) in [(&one, 1), (&other, 0)] {
        let filter = DeploymentFilter::default();
        let page = reader
            .deployments(world.project, &filter, None, size(9))
            .await;
        assert_eq!(page.expect("read").items.len(), expected);
        let name = DeploymentName::Id(deployment.id);
        let found = reader.deployment(world.project, name).await.expect("read");
        assert_eq!(found.is_some(), expected == 1);
        let mut work = begin(store).await;
        let found = work.deployments().find(world.project, name).await;
        assert_eq!(found.expect("read").is_some(), expected == 1);
        let summary = reader.deployment_summary(world.project, at(0)).await;
        let pending = summary.expect("read").pending_approval;
        assert_eq!(usize::try_from(pending).expect("small"), expected);
    }
}

/// Those that succeeded count from then on, also once they were undone; those that failed and were undone don't.
pub async fn the_summary_counts_what_succeeded(store: &dyn Store) {
    let world = World::new(store, 1, 2).await;
    let undoing = world.add(world.promotion(99, 1)).await;
    for (n, end, undone) in [
        (1, Some(State::Succeeded), false),
        (2, Some(State::Succeeded), true),
        (3, Some(State::Failed), false),
        (4, Some(State::Failed), true),
        (5, None, false),
    ] {
        let deployment = Deployment {
            created_at: at(10_000_000 * n),
            ..world.promotion(u128::from(n.unsigned_abs()), 1)
        };
        let deployment = world.add(deployment).await;
        let Some(end) = end else {
            world.go(deployment.id, State::PendingApproval).await;
            continue;
        };
        world.go(deployment.id, State::Running).await;
        world.go(deployment.id, end).await;
        if undone {
            let ended = became(&deployment, end);
            let rolled_back = Deployment {
                state: State::RolledBack,
                rolled_back_by: Some(undoing.id),
                ..ended
            };
            let mut work = begin(store).await;
            let saved = work.deployments().update(&rolled_back, end).await;
            saved.expect("updated");
            commit(work).await;
        }
    }
    // They ended one second after they were asked for.
    for (since, succeeded) in [
        (0, 2),
        (11_000_000, 2),
        (11_000_001, 1),
        (21_000_000, 1),
        (21_000_001, 0),
    ] {
        let reader = store.reader();
        let summary = reader.deployment_summary(world.project, at(since)).await;
        let expected = DeploymentSummary {
            succeeded,
            pending_approval: 1,
        };
        assert_eq!(summary.expect("read"), expected, "since {since}");
    }
    let mut work = begin(store).await;
    let still = work.deployments().find_by_id(deployment_id(2)).await;
    assert_eq!(
        still.expect("read").expect("found").state,
        State::RolledBack
    );
}

/// The one that was over last, whatever their numbers are; one that failed or was undone is none.
pub async fn the_last_success_is_found(store: &dyn Store) {
    let world = World::new(store, 1, 2).await;
    let [target, beside] = [world.environments[0], world.environments[1]];
    let last = async |of| store.reader().last_success(of).await.expect("read");
    assert_eq!(last(target).await, None);
    let mut work = begin(store).await;
    let snapshot = world.snapshot(5, 0);
    work.snapshots().insert(&snapshot).await.expect("inserted");
    commit(work).await;
    let undoing = deployment_id(99);
    world.add(world.promotion(99, 1)).await;
    // Which one, when it was asked for, how it ended.
    for (n, micros, end) in [
        (1, 30, State::Succeeded),
        (2, 20, State::Succeeded),
        (3, 90, State::Failed),
        (4, 80, State::RolledBack),
    ] {
        let deployment = Deployment {
            created_at: at(micros),
            post_snapshot: (n == 1).then_some(snapshot.id),
            rolled_back_by: (end == State::RolledBack).then_some(undoing),
            ..world.promotion(n, usize::from(n == 4))
        };
        world.add(became(&deployment, end)).await;
    }
    let first = LastSuccess {
        number: 2,
        post_snapshot: Some(snapshot.id),
    };
    assert_eq!(last(target).await, Some(first));
    assert_eq!(last(beside).await, None);
}
