//! Changes of the ledger at the same time.

use std::sync::Mutex;

use futures_util::future::{join_all, try_join_all};
use slipway_kernel::Timestamp;
use slipway_ledger::{AsOf, NewRecord, record::Placed};

use super::{
    retract,
    world::{Reported, World, at},
};
use crate::{Store, StoreError};

/// Sixteen at once in one cell, adding and taking back: nobody's work is lost.
pub async fn concurrent_changes_of_a_cell_leave_the_right_one(store: &dyn Store) {
    let world = &World::new(store, 1, 1).await;
    let first: Vec<_> = (0..8).map(|n| world.record(0, 0, at(n))).collect();
    world.report(&first).await.expect("reports");
    let task = |n: i64| {
        let before = first[usize::try_from(n / 2).expect("small")].id;
        async move {
            if n % 2 == 0 {
                let own = [world.record(0, 0, at(10 + n * 7 % 16))];
                world.report(&own).await?;
                retract(world, own[0].id).await
            } else {
                // At the same time as others', and yet no repeats.
                let own = (0..3).map(|m| NewRecord {
                    reported_at: at(1_000 + n * 3 + m),
                    ..world.record(0, 0, at(100 + n * 5 % 16 + m))
                });
                let own: Vec<_> = own.collect();
                world.report(&own).await?;
                retract(world, before).await?;
                retract(world, own[2].id).await
            }
        }
    };
    try_join_all((0..16).map(task)).await.expect("no conflict");
    let place = world.place(&first[0]);
    let end_of_time = AsOf {
        at: Timestamp::MAX,
        known_at: None,
    };
    let mut found = Vec::new();
    for as_of in [None, Some(end_of_time)] {
        let reader = world.store.reader();
        let cell = reader.cell(world.project, &place.application, &place.environment, as_of);
        found.push(cell.await.expect("reads"));
    }
    assert!(found[0].is_some());
    assert_eq!(found[0], found[1]);
}

/// Equal batches at once: each record is there once.
pub async fn concurrent_repeats_add_each_record_once(store: &dyn Store) {
    let world = &World::new(store, 3, 3).await;
    let task = |_| async move {
        let mut added = 0;
        for round in 0..10 {
            let records: Vec<_> = (0..9)
                .map(|cell| world.record(cell / 3, cell % 3, at(round)))
                .collect();
            // Whoever loses against another batch starts over, as the use cases do.
            let reported = loop {
                match world.report(&records).await {
                    Err(StoreError::Conflict(_)) => {}
                    other => break other.expect("reports"),
                }
            };
            let is_new = |reported: &&Reported| matches!(reported, Reported::Added(_));
            added += reported.iter().filter(is_new).count();
        }
        added
    };
    let added: usize = join_all((0..8).map(task)).await.into_iter().sum();
    assert_eq!(added, 90);
}

/// Whoever waits for a cell sees what whoever held it has put there, be it another version.
pub async fn what_is_held_is_what_was_committed_last(store: &dyn Store) {
    let world = &World::new(store, 1, 1).await;
    let versions = &world.applications[0].versions;
    world
        .report(&[world.record(0, 0, at(0))])
        .await
        .expect("reports");
    // How many have put a version there: each puts the next one of them.
    let turns = &Mutex::new(0_i64);
    let task = |_| async move {
        let mut unit = world.store.begin().await?;
        let keys = [world.applications[0].key.clone()].into();
        let held = unit.records().hold_versions(world.environments[0].0, &keys);
        let held: Vec<_> = held
            .await?
            .versions
            .into_iter()
            .map(|it| it.version)
            .collect();
        let turn = *turns.lock().expect("no panic");
        let version = |turn: i64| versions[usize::try_from(turn).expect("small") % 3].0;
        assert_eq!(held, [version(turn)], "turn {turn}");
        let record = NewRecord {
            version: version(turn + 1),
            ..world.record(0, 0, at(turn + 1))
        };
        let names = [world.names(&record)];
        let targets = unit.records().targets(world.project, &names).await?;
        let placed = Placed {
            record: &record,
            sequence: targets[0].sequence,
            cell: world.place(&record),
        };
        unit.records().add(&[placed]).await?;
        *turns.lock().expect("no panic") += 1;
        unit.commit().await
    };
    try_join_all((0..16).map(task)).await.expect("no conflict");
    assert_eq!(*turns.lock().expect("no panic"), 16);
}
