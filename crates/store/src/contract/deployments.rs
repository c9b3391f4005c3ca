//! Deployments and their items, and lists of them.

pub(crate) mod given;
mod lists;

pub use lists::{
    pages_equal_a_list_in_memory, projects_are_apart, the_last_success_is_found,
    the_summary_counts_what_succeeded,
};

use futures_util::future::join_all;
use slipway_deployments::{
    Cancel, Change, Deployment, DeploymentFilter, DeploymentKind, DeploymentName, Drift, Gates,
    Item, ItemStatus, OnFailure, Origin, Problem, Publish, Resolution, Secrets, State, Verdict,
};
use slipway_kernel::{DeploymentId, Sha256, SnapshotId};
use slipway_snapshots::{Snapshot, SnapshotKind};
use slipway_workflows::WorkflowId;

use self::given::{World, became, deployment_id, found, item, resolution};
use super::given::{application, at, begin, commit, name, principal_id, size, uuid};
use crate::{Store, StoreError};

fn problem(n: usize) -> Problem {
    Problem {
        reason: "ENGINE_REFUSED".to_owned(),
        message: format!("The engine said \"no\" {n} times; ask it again."),
    }
}

/// Items with all that an item can have, in every change and status.
fn items() -> Vec<Item> {
    let digest = |text: &str| Some(Sha256::of_bytes(text.as_bytes()));
    let statuses = Change::ALL
        .into_iter()
        .flat_map(|change| ItemStatus::ALL.map(|status| (change, status)));
    (0..)
        .zip(statuses)
        .map(|(position, (change, status))| Item {
            name: "Örders \u{1f6d2}".to_owned(),
            change,
            status,
            workflow: (position % 2 == 0).then(|| WorkflowId(format!("wf {position}"))),
            before: (change != Change::Created)
                .then(|| digest("before"))
                .flatten(),
            after: (change != Change::Deleted)
                .then(|| digest("after"))
                .flatten(),
            rank: position / 3,
            in_cycle: position % 4 == 0,
            problem: (status == ItemStatus::Failed).then(|| problem(1)),
            ..item(position)
        })
        .collect()
}

/// All fields come back, of every kind, by every name.
pub async fn what_is_inserted_is_found(store: &dyn Store) {
    let world = World::new(store, 1, 2).await;
    let mut work = begin(store).await;
    let snapshot = world.snapshot(1, 0);
    work.snapshots().insert(&snapshot).await.expect("inserted");
    let orders = application(1, world.project, "orders");
    let added = work
        .applications()
        .insert(std::slice::from_ref(&orders))
        .await;
    assert_eq!(added.expect("inserted").len(), 1);
    commit(work).await;

    let mut full = Deployment {
        state: State::Failed,
        gates: Gates {
            approval_required: true,
            source_unchanged: true,
            drift: Drift::Refuse,
            on_failure: OnFailure::Keep,
            publish: Publish::AsSource,
            secrets: Secrets::Block,
        },
        approved_by: Some(principal_id(1)),
        started_at: Some(at(101)),
        finished_at: Some(at(102)),
        pre_snapshot: Some(snapshot.id),
        post_snapshot: Some(snapshot.id),
        problem: Some(problem(0)),
        cancel: Some(Cancel {
            by: principal_id(1),
            at: at(101),
            reason: name("wrong day"),
        }),
        reason: Some(name("as agreed")),
        resolution: Some(resolution(Verdict::Failed)),
        items: items(),
        ..world.promotion(1, 0)
    };
    full.items[3].application = Some(orders.id);
    let restore = Deployment {
        kind: DeploymentKind::Restore,
        state: State::PendingApproval,
        origin: Origin::Snapshot {
            snapshot: snapshot.id,
        },
        ..world.promotion(2, 0)
    };
    let rollback = Deployment {
        kind: DeploymentKind::Rollback,
        state: State::InDoubt,
        origin: Origin::Undoes {
            deployment: full.id,
        },
        workflows: Some(Sha256::of_bytes(b"in an engine")),
        items: vec![item(0)],
        ..world.promotion(3, 0)
    };
    for (number, deployment) in (1..).zip([full, restore, rollback]) {
        let expected = world.add(deployment).await;
        assert_eq!(expected.number, number);
        let mut work = begin(store).await;
        assert_eq!(found(&mut *work, expected.id).await, expected);
        for by in [
            DeploymentName::Number(number),
            DeploymentName::Id(expected.id),
        ] {
            let inside = work.deployments().find(world.project, by).await;
            assert_eq!(inside.expect("read").as_ref(), Some(&expected));
            let outside = store.reader().deployment(world.project, by).await;
            assert_eq!(outside.expect("read").as_ref(), Some(&expected));
        }
        assert_eq!(
            work.deployments().steps(expected.id).await.expect("read"),
            []
        );
    }
    let mut work = begin(store).await;
    let absent = work.deployments().find_by_id(deployment_id(9)).await;
    assert_eq!(absent.expect("read"), None);
    let absent = DeploymentName::Number(4);
    let absent = work.deployments().find(world.project, absent).await;
    assert_eq!(absent.expect("read"), None);
}

/// In every state that it may be inserted in, and with every state's own fields.
pub async fn every_state_is_kept(store: &dyn Store) {
    let world = World::new(store, 1, 2).await;
    let undoing = world.add(world.promotion(99, 0)).await;
    for (n, state) in (1..).zip(State::ALL) {
        let cancel = Cancel {
            by: principal_id(1),
            at: at(3),
            reason: name(""),
        };
        let deployment = Deployment {
            cancel: (state == State::Canceling).then_some(cancel),
            rolled_back_by: (state == State::RolledBack).then_some(undoing.id),
            ..became(&world.promotion(n, 0), state)
        };
        let expected = world.add(deployment).await;
        let reader = store.reader();
        let name = DeploymentName::Id(expected.id);
        let found = reader.deployment(world.project, name).await;
        assert_eq!(found.expect("read"), Some(expected.clone()));
        if state.holds_environment() {
            let mut work = begin(store).await;
            let ended = became(&expected, State::Failed);
            let updated = work.deployments().update(&ended, state).await;
            updated.expect("updated");
            commit(work).await;
        }
    }
}

/// Each project counts for itself, and a number that was not committed is given again.
pub async fn numbers_count_up_in_each_project(store: &dyn Store) {
    let (one, other) = (World::new(store, 1, 2).await, World::new(store, 2, 2).await);
    for (world, n, expected) in [(&one, 1, 1), (&one, 2, 2), (&other, 3, 1), (&one, 4, 3)] {
        let mut dropped = begin(store).await;
        let number = dropped.deployments().insert(&world.promotion(n, 0)).await;
        assert_eq!(number.expect("inserted"), expected);
        drop(dropped);
        let added = world.add(world.promotion(n, 0)).await;
        assert_eq!(added.number, expected);
    }
}

/// Of many that are added at once, nobody ever sees one without those of lower numbers.
pub async fn numbers_become_visible_in_their_order(store: &dyn Store) {
    let world = &World::new(store, 1, 2).await;
    let add = |n: u128| async move {
        let added = world.add(world.promotion(n, 0)).await;
        let filter = DeploymentFilter::default();
        let reader = store.reader();
        let seen = reader.deployments(world.project, &filter, None, size(99));
        let seen: Vec<_> = seen.await.expect("read").items;
        let numbers: Vec<_> = seen.iter().map(|seen| seen.deployment.number).collect();
        let last = numbers[0];
        assert!(last >= added.number);
        assert_eq!(numbers, (1..=last).rev().collect::<Vec<_>>());
        added.number
    };
    let mut numbers = join_all((1..=16).map(add)).await;
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=16).collect::<Vec<_>>());
}

/// Everything that may change about a deployment is saved, and nothing else.
pub async fn an_update_saves_all_but_the_items(store: &dyn Store) {
    let world = World::new(store, 1, 2).await;
    let first = Deployment {
        items: vec![item(0), item(1)],
        ..world.promotion(1, 0)
    };
    let first = world.add(first).await;
    let mut work = begin(store).await;
    let mut snapshots = [SnapshotKind::PrePromotion, SnapshotKind::PostPromotion]
        .into_iter()
        .zip(1..)
        .map(|(kind, n)| Snapshot {
            kind,
            deployment: Some(first.id),
            ..world.snapshot(n, 0)
        });
    for snapshot in snapshots.by_ref() {
        work.snapshots().insert(&snapshot).await.expect("inserted");
    }
    let running = Deployment {
        state: State::Running,
        plan_digest: Sha256::of_bytes(b"another plan"),
        approved_by: Some(principal_id(1)),
        started_at: Some(at(101)),
        pre_snapshot: Some(SnapshotId::from_uuid(uuid(1))),
        cancel: Some(Cancel {
            by: principal_id(1),
            at: at(102),
            reason: name("enough"),
        }),
        resolution: Some(Resolution {
            doubt: None,
            ..resolution(Verdict::Running)
        }),
        ..first.clone()
    };
    let done = Deployment {
        state: State::Succeeded,
        finished_at: Some(at(103)),
        post_snapshot: Some(SnapshotId::from_uuid(uuid(2))),
        problem: Some(problem(0)),
        ..running.clone()
    };
    for (before, after) in [(&first, &running), (&running, &done)] {
        let changed = Deployment {
            items: vec![item(7)],
            ..after.clone()
        };
        let saved = work.deployments().update(&changed, before.state).await;
        saved.expect("updated");
        assert_eq!(found(&mut *work, first.id).await, *after);
    }
    let first_wish = done.cancel.clone();
    // What was true once can stop to be.
    let undone = Deployment {
        state: State::RolledBack,
        approved_by: None,
        started_at: None,
        pre_snapshot: None,
        post_snapshot: None,
        problem: None,
        cancel: None,
        rolled_back_by: Some(deployment_id(2)),
        ..done
    };
    let undoing = world.promotion(2, 0);
    let number = work.deployments().insert(&undoing).await;
    assert_eq!(number.expect("inserted"), 2);
    let saved = work.deployments().update(&undone, State::Succeeded).await;
    saved.expect("updated");
    commit(work).await;
    let reader = store.reader();
    let name = DeploymentName::Id(first.id);
    let read = reader.deployment(world.project, name).await;
    // A wish to stop stays.
    let kept = Deployment {
        cancel: first_wish,
        ..undone
    };
    assert_eq!(read.expect("read"), Some(kept));
}

/// One that is in another state than it was read in, or is not there, is a conflict.
pub async fn an_update_from_another_state_is_a_conflict(store: &dyn Store) {
    let world = World::new(store, 1, 2).await;
    let queued = world.add(world.promotion(1, 0)).await;
    let absent = Deployment {
        id: deployment_id(2),
        ..queued.clone()
    };
    for (deployment, from) in [
        (&queued, State::Approved),
        (&queued, State::Running),
        (&absent, State::Queued),
    ] {
        let mut work = begin(store).await;
        let canceled = became(deployment, State::Canceled);
        let saved = work.deployments().update(&canceled, from).await;
        assert!(matches!(saved, Err(StoreError::Conflict(_))), "{saved:?}");
        assert_eq!(found(&mut *work, queued.id).await, queued);
    }
}

/// In none of the states that hold an environment there is a second one; other environments are free.
pub async fn one_deployment_holds_an_environment(store: &dyn Store) {
    let world = &World::new(store, 1, 3).await;
    let cancel = Some(Cancel {
        by: principal_id(1),
        at: at(3),
        reason: name(""),
    });
    let holding = State::ALL
        .into_iter()
        .filter(|state| state.holds_environment());
    for (n, state) in (1..).zip(holding) {
        let first = Deployment {
            cancel: cancel.clone(),
            ..world.promotion(n * 10, 0)
        };
        let first = world.add(first).await;
        world.go(first.id, state).await;
        for (m, second_state) in [(1, State::Running), (2, State::InDoubt)] {
            let second = world.add(world.promotion(n * 10 + m, 0)).await;
            let mut work = begin(store).await;
            let held = became(&second, second_state);
            let held = work.deployments().update(&held, State::Queued).await;
            assert!(matches!(held, Err(StoreError::Conflict(_))), "{held:?}");
            drop(work);
            // It can't come in from outside either.
            let mut work = begin(store).await;
            let third = became(&world.promotion(n * 10 + 5, 0), second_state);
            let third = work.deployments().insert(&third).await;
            assert!(matches!(third, Err(StoreError::Conflict(_))), "{third:?}");
            drop(work);
            world.go(second.id, State::Canceled).await;
        }
        let elsewhere = world.add(world.promotion(n * 10 + 6, 1)).await;
        world.go(elsewhere.id, State::Running).await;
        world.go(elsewhere.id, State::Succeeded).await;
        world.go(first.id, State::Failed).await;
    }
    let free = world.add(world.promotion(900, 0)).await;
    world.go(free.id, State::Running).await;
}

/// Of many that want an environment at once, one gets it.
pub async fn one_of_many_at_once_gets_the_environment(store: &dyn Store) {
    let world = &World::new(store, 1, 2).await;
    for n in 1..=8 {
        world.add(world.promotion(n, 0)).await;
    }
    let run = |n: u128| async move {
        let mut work = begin(store).await;
        let queued = found(&mut *work, deployment_id(n)).await;
        let running = became(&queued, State::Running);
        match work.deployments().update(&running, State::Queued).await {
            Ok(()) => match work.commit().await {
                Ok(()) => 1,
                Err(error) => unreachable!("{error}"),
            },
            Err(StoreError::Conflict(_)) => 0,
            Err(other) => unreachable!("{other}"),
        }
    };
    let running: usize = join_all((1..=8).map(run)).await.into_iter().sum();
    assert_eq!(running, 1);
}

/// All that changes about items is saved, also of more of them than fit into one statement.
pub async fn items_are_saved(store: &dyn Store) {
    let world = World::new(store, 1, 2).await;
    let mut work = begin(store).await;
    let orders = application(1, world.project, "orders");
    let added = work
        .applications()
        .insert(std::slice::from_ref(&orders))
        .await;
    assert_eq!(added.expect("inserted").len(), 1);
    commit(work).await;
    let first = Deployment {
        items: (0..250).map(item).collect(),
        ..world.promotion(1, 0)
    };
    let neighbour = Deployment {
        items: (0..3).map(item).collect(),
        ..world.promotion(2, 0)
    };
    let mut first = world.add(first).await;
    let neighbour = world.add(neighbour).await;
    for (n, item) in first
        .items
        .iter_mut()
        .enumerate()
        .filter(|(n, _)| n % 10 != 7)
    {
        item.application = (n % 2 == 0).then_some(orders.id);
        item.status = ItemStatus::ALL[n % ItemStatus::ALL.len()];
        item.workflow = (n % 3 == 0).then(|| WorkflowId(format!("wf-{n}")));
        item.after = (n % 5 != 0).then(|| Sha256::of_bytes(b"after"));
        item.rank = u32::try_from(n).expect("small");
        item.in_cycle = n % 4 == 0;
        item.problem = (item.status == ItemStatus::Failed || n % 6 == 0).then(|| problem(n));
    }
    let mut changed = first.items.clone();
    changed.retain(|item| item.position % 10 != 7);
    changed.reverse();
    // These never change.
    changed[0].name.push_str(" again");
    changed[0].change = Change::Skipped;
    let mut work = begin(store).await;
    let saved = work.deployments().update_items(first.id, &changed).await;
    saved.expect("saved");
    commit(work).await;
    for expected in [&first, &neighbour] {
        let mut work = begin(store).await;
        assert_eq!(found(&mut *work, expected.id).await, *expected);
    }
    let mut work = begin(store).await;
    let absent = [item(0), item(250)];
    let saved = work.deployments().update_items(first.id, &absent).await;
    assert!(matches!(saved, Err(StoreError::Conflict(_))), "{saved:?}");
}

/// What engines say may hold a NUL character, which is shown as a replacement character on both databases.
pub async fn a_problem_is_kept_whatever_its_text(store: &dyn Store) {
    let world = World::new(store, 1, 2).await;
    let told = Problem {
        reason: "ENGINE_REFUSED".to_owned(),
        message: "a\0b".to_owned(),
    };
    let kept = Some(Problem {
        message: "a\u{fffd}b".to_owned(),
        ..told.clone()
    });
    let failed = Deployment {
        problem: Some(told.clone()),
        items: vec![Item {
            name: "N\0L".to_owned(),
            problem: Some(told),
            ..item(0)
        }],
        ..became(&world.promotion(1, 0), State::Failed)
    };
    let failed = world.add(failed).await;
    let mut work = begin(store).await;
    let found = found(&mut *work, failed.id).await;
    assert_eq!((&found.problem, &found.items[0].problem), (&kept, &kept));
    assert_eq!(found.items[0].name, "N\u{fffd}L");
}

/// Whoever looks one up waits for others who did, and then sees what they left, items included.
pub async fn changes_at_once_come_one_after_the_other(store: &dyn Store) {
    let world = &World::new(store, 1, 2).await;
    let first = Deployment {
        items: vec![item(0)],
        ..world.promotion(1, 0)
    };
    let first = world.add(first).await;
    let change = |n: u32| async move {
        let mut work = begin(store).await;
        let name = DeploymentName::Number(1);
        let mut found: Deployment = if n.is_multiple_of(2) {
            let found = work.deployments().find(world.project, name).await;
            found.expect("read").expect("found")
        } else {
            found(&mut *work, deployment_id(1)).await
        };
        found.items[0].rank += 1;
        let saved = work
            .deployments()
            .update_items(found.id, &found.items)
            .await;
        saved.expect("saved");
        commit(work).await;
    };
    join_all((0..8).map(change)).await;
    let mut work = begin(store).await;
    assert_eq!(found(&mut *work, first.id).await.items[0].rank, 8);
}

async fn is_refused(store: &dyn Store, what: &str, deployment: Deployment) {
    let mut work = begin(store).await;
    let added = work.deployments().insert(&deployment).await;
    assert!(
        matches!(added, Err(StoreError::Fault(_))),
        "{what}: {added:?}"
    );
}

/// A deployment belongs to the project of its environments, its pipeline and its applications.
pub async fn things_of_other_projects_are_refused(store: &dyn Store) {
    let (one, other) = (World::new(store, 1, 2).await, World::new(store, 2, 2).await);
    let mut work = begin(store).await;
    let foreign = application(1, other.project, "orders");
    let added = work
        .applications()
        .insert(std::slice::from_ref(&foreign))
        .await;
    assert_eq!(added.expect("inserted").len(), 1);
    commit(work).await;
    let promotion = one.promotion(1, 0);
    let from = |pipeline, source| Deployment {
        origin: Origin::Stage {
            pipeline,
            stage: 0,
            source,
        },
        ..promotion.clone()
    };
    let target = Deployment {
        target: other.environments[0],
        ..promotion.clone()
    };
    let application = Deployment {
        items: vec![Item {
            application: Some(foreign.id),
            ..item(0)
        }],
        ..promotion.clone()
    };
    for (what, astray) in [
        ("target", target),
        ("pipeline", from(other.pipeline, one.environments[1])),
        ("source", from(one.pipeline, other.environments[1])),
        ("application", application),
    ] {
        is_refused(store, what, astray).await;
    }
    assert_eq!(one.add(promotion).await.number, 1);
}

/// What is restored was of the target, and what is undone was done to it; and each kind comes from where its name says.
pub async fn origins_of_other_environments_are_refused(store: &dyn Store) {
    let (one, other) = (World::new(store, 1, 2).await, World::new(store, 2, 2).await);
    let mut work = begin(store).await;
    for (n, world, environment) in [(1, &other, 0), (2, &one, 1), (3, &one, 0)] {
        let snapshot = world.snapshot(n, environment);
        work.snapshots().insert(&snapshot).await.expect("inserted");
    }
    commit(work).await;
    let elsewhere = other.add(other.promotion(50, 0)).await;
    let beside = one.add(one.promotion(51, 1)).await;
    let promotion = one.promotion(1, 0);
    let of = |kind, origin| Deployment {
        kind,
        origin,
        ..promotion.clone()
    };
    let restored = |n: u128| Origin::Snapshot {
        snapshot: SnapshotId::from_uuid(uuid(n)),
    };
    let undone = |deployment: DeploymentId| Origin::Undoes { deployment };
    for (kind, origin) in [
        (DeploymentKind::Restore, restored(1)),
        (DeploymentKind::Restore, restored(2)),
        (DeploymentKind::Restore, promotion.origin),
        (DeploymentKind::Rollback, undone(elsewhere.id)),
        (DeploymentKind::Rollback, undone(beside.id)),
        (DeploymentKind::Rollback, restored(3)),
        (DeploymentKind::Promotion, restored(3)),
    ] {
        is_refused(store, &format!("{kind} {origin:?}"), of(kind, origin)).await;
    }
    let restore = of(DeploymentKind::Restore, restored(3));
    assert_eq!(one.add(restore).await.number, 2);
}
