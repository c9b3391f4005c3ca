//! Applications.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use slipway_catalog::Application;
use slipway_kernel::{ApplicationKind, Key, ProjectId, Revision, StoreError};
use uuid::Uuid;

use super::given::{application, at, begin, commit, name, shop, size, walk};
use crate::Store;

/// All fields come back, of every kind.
pub async fn what_is_inserted_is_found(store: &dyn Store) {
    let shop = shop(store).await;
    let applications: Vec<_> = (1..)
        .zip(ApplicationKind::ALL)
        .map(|(n, kind)| Application {
            kind,
            archived_at: (n == 1).then(|| at(9)),
            ..application(n, shop, &format!("@acme/a-{n}"))
        })
        .collect();
    let mut work = begin(store).await;
    let added = work.applications().insert(&applications).await;
    assert_eq!(added.expect("inserted").len(), applications.len());
    let none = work.applications().insert(&[]).await.expect("inserted");
    assert_eq!(none, Vec::<Key>::new());
    for application in &applications {
        let inside = work.applications().find(shop, &application.key).await;
        assert_eq!(inside.expect("read").as_ref(), Some(application));
    }
    commit(work).await;
    for application in applications {
        let outside = store.reader().application(shop, &application.key).await;
        assert_eq!(outside.expect("read"), Some(application));
    }
    let absent = store.reader().application(shop, &name("none")).await;
    assert_eq!(absent.expect("read"), None);
}

/// Of many keys those that the project has are found, and nobody else's.
pub async fn many_keys_are_looked_up_at_once(store: &dyn Store) {
    let shop = shop(store).await;
    let archived = Application {
        archived_at: Some(at(9)),
        ..application(1, shop, "b")
    };
    let applications = [application(2, shop, "a"), archived];
    let mut work = begin(store).await;
    let added = work.applications().insert(&applications).await;
    assert_eq!(added.expect("inserted").len(), 2);
    commit(work).await;
    let keys = (0..40_000).map(|n| name(&format!("k{n}")));
    let keys: BTreeSet<Key> = keys.chain(["a", "b", "B"].map(name)).collect();
    let found = store.reader().applications_with(shop, &keys).await;
    let mut found = found.expect("read");
    found.sort_by(|a, b| a.key.cmp(&b.key));
    assert_eq!(found, applications);
    for (project, keys) in [
        (shop, BTreeSet::new()),
        (ProjectId::from_uuid(Uuid::nil()), keys),
    ] {
        let none = store.reader().applications_with(project, &keys).await;
        assert_eq!(none.expect("read"), []);
    }
}

/// Keys that are taken, in the database or earlier in the call, are not among those added; keys differ by case.
pub async fn taken_keys_are_left_out(store: &dyn Store) {
    let shop = shop(store).await;
    let mut work = begin(store).await;
    let first = application(1, shop, "cart");
    let added = work
        .applications()
        .insert(std::slice::from_ref(&first))
        .await;
    assert_eq!(added.expect("inserted"), vec![first.key.clone()]);
    let more = [
        application(2, shop, "cart"),
        application(3, shop, "Cart"),
        application(4, shop, "list"),
        application(5, shop, "list"),
    ];
    let mut added = work.applications().insert(&more).await.expect("inserted");
    added.sort();
    assert_eq!(added, [name::<Key>("Cart"), name("list")]);
    let kept = work.applications().find(shop, &first.key).await;
    assert_eq!(kept.expect("read"), Some(first));
    commit(work).await;
}

/// Of many that want the same keys at once, in different orders, each key goes to one, and nobody fails.
pub async fn a_key_is_taken_once_by_many_at_once(store: &dyn Store) {
    let shop = shop(store).await;
    let claim = |n: u128| async move {
        let mut applications: Vec<_> = (0..5)
            .map(|k| application(n * 10 + k, shop, &format!("k-{k}")))
            .collect();
        if n.is_multiple_of(2) {
            applications.reverse();
        }
        let mut work = begin(store).await;
        let added = work.applications().insert(&applications).await;
        commit(work).await;
        added.expect("inserted or left out").len()
    };
    let added = join_all((1..=8).map(claim)).await;
    assert_eq!(added.into_iter().sum::<usize>(), 5);
}

/// Whoever looks one up to change it waits for others who do, and then changes what they left.
pub async fn changes_at_once_come_one_after_the_other(store: &dyn Store) {
    let shop = shop(store).await;
    let mut work = begin(store).await;
    let first = application(1, shop, "api");
    let added = work.applications().insert(&[first]).await;
    assert_eq!(added.expect("inserted").len(), 1);
    commit(work).await;
    let change = |_| async move {
        let mut work = begin(store).await;
        let found = work.applications().find(shop, &name("api")).await;
        let found = found.expect("read").expect("found");
        let changed = Application {
            revision: found.revision.next(),
            ..found
        };
        work.applications().update(&changed).await.expect("updated");
        commit(work).await;
    };
    join_all((0..8).map(change)).await;
    let mut work = begin(store).await;
    let found = work.applications().find(shop, &name("api")).await;
    assert_eq!(found.expect("read").expect("found").revision, Revision(9));
}

/// An update names the revision after the stored one, or is a conflict.
pub async fn a_stale_update_is_a_conflict(store: &dyn Store) {
    let shop = shop(store).await;
    let first = application(1, shop, "cart");
    let changed = Application {
        display_name: name("Cart"),
        description: name("Holds things"),
        archived_at: Some(at(8)),
        revision: Revision(2),
        ..first.clone()
    };
    let mut work = begin(store).await;
    let added = work
        .applications()
        .insert(std::slice::from_ref(&first))
        .await;
    assert_eq!(added.expect("inserted").len(), 1);
    work.applications().update(&changed).await.expect("updated");
    let found = work.applications().find(shop, &first.key).await;
    assert_eq!(found.expect("read").as_ref(), Some(&changed));
    let again = work.applications().update(&changed).await;
    assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
}

/// Lists are ordered by the keys' bytes, whatever the database's language says.
pub async fn keys_are_ordered_by_bytes(store: &dyn Store) {
    let shop = shop(store).await;
    let mut keys = vec![
        "~", "a", "A", "b", "B", "a-b", "a_b", "ab", "@a/b", "10", "9", ":", "a.b", "Ab", "/",
    ];
    let applications: Vec<_> = (1..)
        .zip(&keys)
        .map(|(n, key)| application(n, shop, key))
        .collect();
    let mut work = begin(store).await;
    let added = work.applications().insert(&applications).await;
    assert_eq!(added.expect("inserted").len(), keys.len());
    commit(work).await;
    keys.sort_unstable();
    for page_size in [1, 4, 15] {
        let all = walk(|after| async move {
            let reader = store.reader();
            reader
                .applications(shop, None, false, after.as_ref(), size(page_size))
                .await
        })
        .await;
        let found: Vec<_> = all.iter().map(|found| found.key.as_str()).collect();
        assert_eq!(found, keys, "in pages of {page_size}");
    }
}

/// Of one kind, with or without those that are archived.
pub async fn pages_select_kinds_and_archived_ones(store: &dyn Store) {
    let shop = shop(store).await;
    let prompt = ApplicationKind::Prompt;
    let applications = [
        application(1, shop, "service"),
        Application {
            kind: prompt,
            ..application(2, shop, "prompt")
        },
        Application {
            kind: prompt,
            archived_at: Some(at(9)),
            ..application(3, shop, "old-prompt")
        },
    ];
    let mut work = begin(store).await;
    let added = work.applications().insert(&applications).await;
    assert_eq!(added.expect("inserted").len(), 3);
    commit(work).await;
    for (kind, include_archived, expected) in [
        (None, true, vec!["old-prompt", "prompt", "service"]),
        (None, false, vec!["prompt", "service"]),
        (Some(prompt), true, vec!["old-prompt", "prompt"]),
        (Some(prompt), false, vec!["prompt"]),
        (Some(ApplicationKind::Function), true, vec![]),
    ] {
        let reader = store.reader();
        let page = reader
            .applications(shop, kind, include_archived, None, size(9))
            .await;
        let items = page.expect("read").items;
        let found: Vec<_> = items.iter().map(|found| found.key.as_str()).collect();
        assert_eq!(found, expected, "{kind:?} {include_archived}");
    }
}
