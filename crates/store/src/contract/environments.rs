//! Environments.

use futures_util::future::join_all;
use slipway_catalog::{BackupInterval, Environment};
use slipway_kernel::{Revision, StoreError, Tier};

use super::given::{at, begin, commit, environment, name, project, shop, size, walk};
use crate::Store;

fn backups(seconds: i64) -> BackupInterval {
    seconds.try_into().expect("an interval")
}

/// All fields come back, of every tier.
pub async fn what_is_inserted_is_found(store: &dyn Store) {
    let shop = shop(store).await;
    for (n, tier) in (1..).zip(Tier::ALL) {
        let environment = Environment {
            tier,
            backup_interval: (n < 3).then(|| backups(if n == 1 { 60 } else { 2_592_000 })),
            archived_at: (n == 1).then(|| at(9)),
            ..environment(n, shop, &format!("e-{n}"), -3)
        };
        let mut work = begin(store).await;
        let added = work.environments().insert(&environment).await;
        assert!(added.expect("inserted"));
        let inside = work.environments().find(shop, &environment.slug).await;
        assert_eq!(inside.expect("read").as_ref(), Some(&environment));
        commit(work).await;
        let outside = store.reader().environment(shop, &environment.slug).await;
        let by_id = store.reader().environment_by_id(environment.id).await;
        assert_eq!(by_id.expect("read").as_ref(), Some(&environment));
        assert_eq!(outside.expect("read"), Some(environment));
    }
    let absent = store.reader().environment(shop, &name("prod")).await;
    assert_eq!(absent.expect("read"), None);
}

/// The same slug in another project is another environment.
pub async fn a_slug_is_taken_once_per_project(store: &dyn Store) {
    let shop = shop(store).await;
    let mut work = begin(store).await;
    let other = project(2, "other");
    assert!(work.projects().insert(&other).await.expect("inserted"));
    for (n, project, expected) in [(1, shop, true), (2, shop, false), (3, other.id, true)] {
        let added = work
            .environments()
            .insert(&environment(n, project, "prod", 0))
            .await;
        assert_eq!(added.expect("an answer"), expected);
    }
    commit(work).await;
    let found = store.reader().environment(shop, &name("prod")).await;
    assert_eq!(found.expect("read"), Some(environment(1, shop, "prod", 0)));
}

/// Whoever looks one up to change it waits for others who do, and then changes what they left.
pub async fn changes_at_once_come_one_after_the_other(store: &dyn Store) {
    let shop = shop(store).await;
    let mut work = begin(store).await;
    let first = environment(1, shop, "prod", 0);
    assert!(work.environments().insert(&first).await.expect("inserted"));
    commit(work).await;
    let change = |_| async move {
        let mut work = begin(store).await;
        let found = work.environments().find(shop, &name("prod")).await;
        let found = found.expect("read").expect("found");
        let changed = Environment {
            revision: found.revision.next(),
            ..found
        };
        work.environments().update(&changed).await.expect("updated");
        commit(work).await;
    };
    join_all((0..8).map(change)).await;
    let mut work = begin(store).await;
    let found = work.environments().find(shop, &name("prod")).await;
    assert_eq!(found.expect("read").expect("found").revision, Revision(9));
}

/// An update names the revision after the stored one, or is a conflict.
pub async fn a_stale_update_is_a_conflict(store: &dyn Store) {
    let shop = shop(store).await;
    let first = environment(1, shop, "prod", 0);
    let changed = Environment {
        display_name: name("Production"),
        description: name("The real one"),
        tier: Tier::Production,
        position: 7,
        backup_interval: Some(backups(3_600)),
        archived_at: Some(at(8)),
        revision: Revision(2),
        ..first.clone()
    };
    let mut work = begin(store).await;
    assert!(work.environments().insert(&first).await.expect("inserted"));
    work.environments().update(&changed).await.expect("updated");
    let found = work.environments().find(shop, &first.slug).await;
    assert_eq!(found.expect("read").as_ref(), Some(&changed));
    let again = work.environments().update(&changed).await;
    assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
}

/// By position, equal ones by slug, each once.
pub async fn pages_go_by_position_then_slug(store: &dyn Store) {
    let shop = shop(store).await;
    let mut work = begin(store).await;
    for (n, slug, position) in [
        (1, "prod-us", 30),
        (2, "dev", -1),
        (3, "prod-eu", 30),
        (4, "old", 30),
        (5, "test", 10),
    ] {
        let environment = Environment {
            archived_at: (slug == "old").then(|| at(9)),
            ..environment(n, shop, slug, position)
        };
        let added = work.environments().insert(&environment).await;
        assert!(added.expect("inserted"));
    }
    commit(work).await;
    for (include_archived, expected) in [
        (true, vec!["dev", "test", "old", "prod-eu", "prod-us"]),
        (false, vec!["dev", "test", "prod-eu", "prod-us"]),
    ] {
        for page_size in [1, 2, 5] {
            let all = walk(|after| async move {
                let reader = store.reader();
                reader
                    .environments(shop, include_archived, after.as_ref(), size(page_size))
                    .await
            })
            .await;
            let found: Vec<_> = all.iter().map(|found| found.slug.as_str()).collect();
            assert_eq!(found, expected, "in pages of {page_size}");
        }
    }
}
