//! What compliance reports read.

use slipway_approvals::Verdict;
use slipway_audit::report::{Bounds, ReportedDeployment};
use slipway_deployments::{Deployment, State};
use slipway_kernel::{ApplicationKind, DeploymentId};

use super::{
    approvals::{decision, overriding, request},
    deployments::given::{World, became, item},
    given::{at, begin, commit, name, principal_id, user},
};
use crate::Store;

async fn read(world: &World<'_>, from: i64, to: i64, at_place: Option<usize>) -> Vec<i64> {
    numbers(&found(world, from, to, at_place, 100).await)
}

async fn found(
    world: &World<'_>,
    from: i64,
    to: i64,
    at_place: Option<usize>,
    limit: u32,
) -> Vec<ReportedDeployment> {
    let bounds = Bounds {
        project: world.project,
        from: at(from),
        to: at(to),
        environment: at_place.map(|place| (world.environments[place], name(&format!("e-{place}")))),
    };
    let reader = world.store.reader();
    let read = reader.reported_deployments(&bounds, limit).await;
    read.expect("read")
}

fn numbers(found: &[ReportedDeployment]) -> Vec<i64> {
    found.iter().map(|deployment| deployment.number).collect()
}

/// Whatever lived in a part of the period is found, by number, and nothing of another project.
pub async fn a_period_is_read(store: &dyn Store) {
    let world = World::new(store, 1, 3).await;
    let other = World::new(store, 2, 2).await;
    other.add(other.promotion(50, 0)).await;
    let with_items = Deployment {
        items: vec![item(0), item(1)],
        ..world.promotion(1, 0)
    };
    let over = world.add(became(&with_items, State::Canceled)).await;
    let waits = world
        .add(became(&world.promotion(2, 1), State::PendingApproval))
        .await;
    let later = Deployment {
        created_at: at(500),
        ..world.promotion(3, 0)
    };
    let later = world.add(later).await;
    let all = [over.number, waits.number, later.number];
    assert_eq!(read(&world, 0, 1_000, None).await, all);
    assert_eq!(read(&world, 0, 100, None).await, [0; 0]);
    assert_eq!(read(&world, 0, 101, None).await, all[..2]);
    // One was over a second after it was created, and the others wait still.
    assert_eq!(read(&world, 1_000_100, 2_000_000, None).await, all);
    let after = read(&world, 1_000_101, 2_000_000, None).await;
    assert_eq!(after, all[1..]);
    assert_eq!(read(&world, 0, 1_000, Some(0)).await, [all[0], all[2]]);
    let some = found(&world, 0, 1_000, None, 2).await;
    assert_eq!(numbers(&some), all[..2]);
    let first = &some[0];
    assert_eq!((first.id, first.state), (over.id, State::Canceled));
    assert_eq!(first.items, 2);
    assert_eq!(first.kinds, [ApplicationKind::Workflow].into());
    assert_eq!(first.environment.as_str(), "e-0");
    assert_eq!(first.finished_at, over.finished_at);
    assert_eq!((some[1].items, some[1].undoes), (0, None));
}

/// Histories, requests and people are those that are found one by one.
pub async fn what_belongs_to_deployments_is_read(store: &dyn Store) {
    let world = World::new(store, 1, 3).await;
    let mut work = begin(store).await;
    for n in 2..5 {
        assert!(work.principals().insert(&user(n)).await.expect("inserted"));
    }
    commit(work).await;
    let waiting = |n| became(&world.promotion(n, 0), State::PendingApproval);
    let first = world.add(waiting(1)).await;
    let second = world.add(waiting(2)).await;
    world.go(second.id, State::Canceled).await;
    let mut asked = request(1, &first);
    asked.decisions = vec![decision(2, Verdict::Approve)];
    let overridden = overriding(4);
    let mut work = begin(store).await;
    work.approvals().open(&asked).await.expect("opened");
    let made = work.approvals().decide(asked.id, &asked.decisions[0]).await;
    made.expect("decided");
    let made = work.approvals().override_request(&asked, &overridden).await;
    made.expect("overridden");
    commit(work).await;
    asked.overridden = Some(overridden);

    let reader = store.reader();
    let ids: [DeploymentId; 2] = [first.id, second.id];
    let requests = reader.requests_of(&ids).await.expect("read");
    assert_eq!(requests.get(&first.id), Some(&vec![asked]));
    assert_eq!(requests.get(&second.id), None);
    let histories = reader.histories(&ids).await.expect("read");
    for id in ids {
        let alone = reader.transitions(id).await.expect("read");
        assert_eq!(histories.get(&id), Some(&alone));
    }
    let states = histories[&second.id].iter().map(|one| one.state);
    let states: Vec<_> = states.collect();
    assert_eq!(states, [State::PendingApproval, State::Canceled]);
    let whom = [principal_id(2), principal_id(3), principal_id(77)];
    let people = reader.people(&whom).await.expect("read");
    assert_eq!(people.len(), 2);
    assert_eq!(people[&principal_id(2)].behind(), principal_id(2));
    assert!(reader.people(&[]).await.expect("read").is_empty());
    assert!(reader.histories(&[]).await.expect("read").is_empty());
}

/// Figures are made of what ended well or badly in the period, once for each application that was to be changed.
pub async fn what_ended_is_read(store: &dyn Store) {
    let world = World::new(store, 1, 3).await;
    let bounds = |from: i64, to: i64| Bounds {
        project: world.project,
        from: at(from),
        to: at(to),
        environment: None,
    };
    let with_items = |n| Deployment {
        items: vec![item(0), item(1)],
        ..world.promotion(n, 0)
    };
    world.add(became(&with_items(1), State::Canceled)).await;
    let failed = world.add(became(&with_items(2), State::Failed)).await;
    let reader = store.reader();
    // It was over a second after it was created.
    let found = reader
        .ended(&bounds(1_000_100, 1_000_101), None, 10)
        .await
        .expect("read");
    assert_eq!(found.len(), 2);
    for one in &found {
        assert_eq!((one.deployment, one.state), (failed.id, State::Failed));
        assert_eq!(one.environment.as_str(), "e-0");
        assert_eq!(Some(one.at), failed.finished_at);
    }
    assert_ne!(found[0].application, found[1].application);
    for (from, to) in [(0, 1_000_100), (1_000_101, 2_000_000)] {
        let found = reader
            .ended(&bounds(from, to), None, 10)
            .await
            .expect("read");
        assert_eq!(found, []);
    }
    let found = reader
        .ended(&bounds(0, 2_000_000), None, 1)
        .await
        .expect("read");
    assert_eq!(found.len(), 1);
    // The limit counts what is asked for alone.
    for application in [&found[0].application, &with_items(3).items[1].key] {
        let bounds = bounds(0, 2_000_000);
        let found = reader
            .ended(&bounds, Some(application), 1)
            .await
            .expect("read");
        let found: Vec<_> = found.iter().map(|one| &one.application).collect();
        assert_eq!(found, [application]);
        let delivered = reader.delivered(&bounds, Some(application), 1).await;
        assert_eq!(delivered.expect("read"), []);
    }
    let delivered = reader.delivered(&bounds(0, 1_000), None, 10).await;
    assert_eq!(delivered.expect("read"), []);
}
