//! Versions.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use slipway_catalog::{Content, Dependency, Deprecation, Version};
use slipway_kernel::{ApplicationId, ProjectId, Sha256};

use super::given::{application, at, begin, commit, name, principal_id, shop, size, version, walk};
use crate::Store;

/// The project `shop` with the applications `cart` and `list`.
async fn cart_and_list(store: &dyn Store) -> (ProjectId, ApplicationId, ApplicationId) {
    let shop = shop(store).await;
    let (cart, list) = (application(1, shop, "cart"), application(2, shop, "list"));
    let ids = (shop, cart.id, list.id);
    let mut work = begin(store).await;
    let added = work.applications().insert(&[cart, list]).await;
    assert_eq!(added.expect("inserted").len(), 2);
    commit(work).await;
    ids
}

fn deprecation(micros: i64) -> Deprecation {
    Deprecation {
        at: at(micros),
        by: principal_id(1),
        reason: name("leaks memory"),
    }
}

/// All fields come back, also of versions that have none of the optional ones.
pub async fn what_is_inserted_is_found(store: &dyn Store) {
    let (shop, cart, _) = cart_and_list(store).await;
    let attributes = BTreeMap::from([("commit".to_owned(), "2be20d5 \"x\" ü".to_owned())]);
    let full = Version {
        digest: Some(Sha256::of_bytes(b"content")),
        content: Some(Content {
            size: slipway_catalog::version::MAX_CONTENT as u64,
            media_type: name("application/json"),
        }),
        dependencies: vec![Dependency {
            application: name("@acme/list"),
            requirement: name("^1.2"),
        }],
        attributes: attributes.try_into().expect("valid"),
        notes: name("What's new:\n- everything"),
        deprecated: Some(deprecation(7)),
        ..version(1, cart, "1.0.0")
    };
    let digest_only = Version {
        digest: Some(Sha256::of_bytes(b"elsewhere")),
        ..version(2, cart, "1:2.0~rc1-1+b2")
    };
    let versions = [full, digest_only, version(3, cart, "v3")];
    let mut work = begin(store).await;
    let added = work.versions().insert(&versions).await.expect("inserted");
    assert_eq!(added.len(), 3);
    for version in &versions {
        let inside = work.versions().find(cart, &version.identifier).await;
        assert_eq!(inside.expect("read").as_ref(), Some(version));
    }
    commit(work).await;
    for version in versions {
        let reader = store.reader();
        let outside = reader
            .version(shop, &name("cart"), &version.identifier)
            .await;
        assert_eq!(outside.expect("read"), Some(version));
    }
    let reader = store.reader();
    let elsewhere = reader.version(shop, &name("list"), &name("v3")).await;
    assert_eq!(elsewhere.expect("read"), None);
}

/// Identifiers that their application has, in the database or earlier in the call, are not among those added.
pub async fn taken_identifiers_are_left_out(store: &dyn Store) {
    let (_, cart, list) = cart_and_list(store).await;
    let mut work = begin(store).await;
    let first = version(1, cart, "1.0.0");
    let added = work.versions().insert(std::slice::from_ref(&first)).await;
    assert_eq!(added.expect("inserted"), [first.id]);
    let more = [
        version(2, cart, "1.0.0"),
        version(3, cart, "2.0.0"),
        version(4, list, "1.0.0"),
        version(5, list, "1.0.0"),
    ];
    let added = work.versions().insert(&more).await.expect("inserted");
    assert_eq!(added.len(), 2);
    assert!(added.contains(&more[1].id));
    let kept = work.versions().find(cart, &first.identifier).await;
    assert_eq!(kept.expect("read"), Some(first));
    commit(work).await;
}

/// Of many that add the same versions at once, in different orders, each goes to one, and nobody fails.
pub async fn an_identifier_is_taken_once_by_many_at_once(store: &dyn Store) {
    let (_, cart, _) = cart_and_list(store).await;
    let claim = |n: u128| async move {
        let mut versions: Vec<_> = (0..5)
            .map(|v| version(n * 10 + v, cart, &format!("{v}")))
            .collect();
        if n.is_multiple_of(2) {
            versions.reverse();
        }
        let mut work = begin(store).await;
        let added = work.versions().insert(&versions).await;
        commit(work).await;
        added.expect("inserted or left out").len()
    };
    let added = join_all((1..=8).map(claim)).await;
    assert_eq!(added.into_iter().sum::<usize>(), 5);
}

/// Only applications of the same project count.
pub async fn all_applications_of_the_project_are_asked(store: &dyn Store) {
    let (shop, cart, list) = cart_and_list(store).await;
    let mut work = begin(store).await;
    let versions = [version(1, cart, "1.0.0"), version(2, list, "2.0.0")];
    let added = work.versions().insert(&versions).await;
    assert_eq!(added.expect("inserted").len(), 2);
    let asked = BTreeSet::from(["1.0.0", "2.0.0", "3.0.0"].map(name));
    let existing = work.versions().existing(shop, &asked).await;
    assert_eq!(
        existing.expect("read"),
        BTreeSet::from(["1.0.0", "2.0.0"].map(name))
    );
    let other_project = super::given::project_id(9);
    let existing = work.versions().existing(other_project, &asked).await;
    assert!(existing.expect("read").is_empty());
}

/// The first time and reason stay.
pub async fn deprecating_again_changes_nothing(store: &dyn Store) {
    let (_, cart, _) = cart_and_list(store).await;
    let mut work = begin(store).await;
    let version = version(1, cart, "1.0.0");
    let added = work.versions().insert(std::slice::from_ref(&version)).await;
    assert_eq!(added.expect("inserted").len(), 1);
    for (micros, first) in [(8, true), (9, false)] {
        let done = work
            .versions()
            .deprecate(version.id, &deprecation(micros))
            .await;
        assert_eq!(done.expect("answered"), first);
    }
    let found = work.versions().find(cart, &version.identifier).await;
    let deprecated = found.expect("read").and_then(|found| found.deprecated);
    assert_eq!(deprecated, Some(deprecation(8)));
    commit(work).await;
}

/// Newest first, versions of one microsecond by id, highest first; each once.
pub async fn pages_go_from_new_to_old(store: &dyn Store) {
    let (shop, cart, list) = cart_and_list(store).await;
    let mut versions: Vec<_> = [(1, 30), (2, 10), (3, 20), (4, 20), (5, 20), (6, 40)]
        .into_iter()
        .map(|(n, micros)| Version {
            created_at: at(micros),
            deprecated: (n == 4).then(|| deprecation(50)),
            ..version(n, cart, &format!("v{n}"))
        })
        .collect();
    versions.push(version(7, list, "v7"));
    let mut work = begin(store).await;
    let added = work.versions().insert(&versions).await;
    assert_eq!(added.expect("inserted").len(), 7);
    commit(work).await;
    for (exclude_deprecated, expected) in [
        (false, vec!["v6", "v1", "v5", "v4", "v3", "v2"]),
        (true, vec!["v6", "v1", "v5", "v3", "v2"]),
    ] {
        for page_size in [1, 2, 6] {
            let all = walk(|after| async move {
                let reader = store.reader();
                let cart = name("cart");
                reader
                    .versions(shop, &cart, exclude_deprecated, after, size(page_size))
                    .await
            })
            .await;
            let found: Vec<_> = all.iter().map(|found| found.identifier.as_str()).collect();
            assert_eq!(found, expected, "in pages of {page_size}");
        }
    }
    let reader = store.reader();
    let unknown = name("none");
    let none = reader.versions(shop, &unknown, false, None, size(9)).await;
    assert!(none.expect("read").items.is_empty());
}

/// More than fit into one statement.
pub async fn many_are_inserted_at_once(store: &dyn Store) {
    let (_, cart, _) = cart_and_list(store).await;
    let versions: Vec<_> = (0..2_500)
        .map(|n| version(n, cart, &format!("{n}")))
        .collect();
    let mut work = begin(store).await;
    let added = work.versions().insert(&versions).await.expect("inserted");
    assert_eq!(added.len(), versions.len());
    commit(work).await;
}
