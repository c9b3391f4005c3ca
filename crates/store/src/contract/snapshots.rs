//! Snapshots.

use slipway_kernel::{SnapshotId, StoreError};
use slipway_snapshots::{Snapshot, SnapshotFilter, SnapshotKind};

use super::{
    deployments::given::World,
    given::{at, begin, commit, size, uuid, walk},
    ledger::world::Dice,
};
use crate::Store;

/// All fields come back, of every kind.
pub async fn what_is_inserted_is_found(store: &dyn Store) {
    let (world, other) = (World::new(store, 1, 2).await, World::new(store, 2, 2).await);
    let deployment = world.add(world.promotion(1, 0)).await;
    for (n, kind) in (1..).zip(SnapshotKind::ALL) {
        let alone = kind == SnapshotKind::AutoBackup;
        let snapshot = Snapshot {
            kind,
            created_by: world.snapshot(n, 0).created_by.filter(|_| !alone),
            deployment: (!alone).then_some(deployment.id),
            ..world.snapshot(n, 0)
        };
        let mut work = begin(store).await;
        work.snapshots().insert(&snapshot).await.expect("inserted");
        commit(work).await;
        let reader = store.reader();
        let elsewhere = reader.snapshot(other.project, snapshot.id).await;
        assert_eq!(elsewhere.expect("read"), None);
        let found = reader.snapshot(world.project, snapshot.id).await;
        assert_eq!(found.expect("read"), Some(snapshot));
    }
    let absent = SnapshotId::from_uuid(uuid(99));
    let absent = store.reader().snapshot(world.project, absent).await;
    assert_eq!(absent.expect("read"), None);
}

/// A snapshot is of an environment of its project, and for a deployment to that environment.
pub async fn things_of_others_are_refused(store: &dyn Store) {
    let (world, other) = (World::new(store, 1, 2).await, World::new(store, 2, 2).await);
    let beside = world.add(world.promotion(1, 1)).await;
    let attempts = [
        Snapshot {
            environment: other.environments[0],
            ..world.snapshot(1, 0)
        },
        Snapshot {
            deployment: Some(beside.id),
            ..world.snapshot(1, 0)
        },
        Snapshot {
            kind: SnapshotKind::PreRestore,
            ..world.snapshot(1, 0)
        },
    ];
    for snapshot in attempts {
        let mut work = begin(store).await;
        let added = work.snapshots().insert(&snapshot).await;
        assert!(matches!(added, Err(StoreError::Fault(_))), "{added:?}");
    }
}

/// Newest first, those of one microsecond by id, highest first; by every filter.
pub async fn pages_equal_a_list_in_memory(store: &dyn Store) {
    let world = &World::new(store, 1, 3).await;
    let other = World::new(store, 2, 2).await;
    let mut dice = Dice(11);
    let kinds = [SnapshotKind::AutoBackup, SnapshotKind::ManualBackup];
    let mut work = begin(store).await;
    let mut all = Vec::new();
    for n in 1..=80 {
        let snapshot = Snapshot {
            kind: *dice.pick(&kinds),
            created_at: at(i64::try_from(dice.below(30)).expect("small")),
            ..world.snapshot(n, dice.below(3))
        };
        work.snapshots().insert(&snapshot).await.expect("inserted");
        all.push(snapshot);
    }
    let elsewhere = other.snapshot(99, 0);
    work.snapshots().insert(&elsewhere).await.expect("inserted");
    commit(work).await;
    all.sort_by_key(|snapshot| std::cmp::Reverse((snapshot.created_at, snapshot.id)));
    let mut selected = 0;
    for round in 0..40 {
        let time = |dice: &mut Dice| at(i64::try_from(dice.below(30)).expect("small"));
        let filter = &SnapshotFilter {
            environment: dice.one_in(2).then(|| *dice.pick(&world.environments)),
            kind: dice.one_in(2).then(|| *dice.pick(&kinds)),
            from: dice.one_in(3).then(|| time(&mut dice)),
            to: dice.one_in(3).then(|| time(&mut dice)),
        };
        let selects = |snapshot: &&Snapshot| {
            filter
                .environment
                .is_none_or(|of| of == snapshot.environment)
                && filter.kind.is_none_or(|kind| kind == snapshot.kind)
                && filter.from.is_none_or(|from| snapshot.created_at >= from)
                && filter.to.is_none_or(|to| snapshot.created_at < to)
        };
        let expected: Vec<_> = all.iter().filter(selects).cloned().collect();
        selected += expected.len();
        let page_size = [1, 3, 20, 100][round % 4];
        let found = walk(|after| async move {
            let reader = store.reader();
            reader
                .snapshots(world.project, filter, after, size(page_size))
                .await
        })
        .await;
        assert_eq!(found, expected, "{filter:?} in pages of {page_size}");
    }
    assert!(selected > 300, "the filters select next to nothing");
    for environment in &world.environments {
        let last = store.reader().last_snapshot(*environment).await;
        let here: Vec<_> = all
            .iter()
            .filter(|snapshot| snapshot.environment == *environment)
            .collect();
        // One by the clock counts only where there is no other.
        let asked_for = here
            .iter()
            .find(|snapshot| snapshot.kind != SnapshotKind::AutoBackup);
        let expected = asked_for.or(here.first()).copied();
        assert_eq!(last.expect("read").as_ref(), expected);
    }
    let none = store.reader().last_snapshot(other.environments[1]).await;
    assert_eq!(none.expect("read"), None);
}
