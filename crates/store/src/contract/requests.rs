//! Requests that were made before.

use futures_util::future::join_all;
use slipway_kernel::{Sha256, StoreError};

use super::given::{at, begin, commit, principal_id, project, shop, user};
use crate::{RequestKey, RequestRecord, Store};

fn key(request_id: &str) -> RequestKey {
    RequestKey {
        principal: principal_id(1),
        project: None,
        method: "CreateProject",
        request_id: request_id.to_owned(),
    }
}

fn record(resource: &str, micros: i64) -> RequestRecord {
    RequestRecord {
        digest: Sha256::of_bytes(resource.as_bytes()),
        resource: resource.to_owned(),
        at: at(micros),
    }
}

/// Made again, be it with the same or another payload, it answers with the first and changes nothing.
pub async fn the_first_is_remembered(store: &dyn Store) {
    shop(store).await;
    for (next, expected) in [
        (record("one", 100), None),
        (record("one", 110), Some(record("one", 100))),
        (record("two", 120), Some(record("one", 100))),
    ] {
        let mut work = begin(store).await;
        let earlier = work.requests().remember(&key("r"), &next, at(50)).await;
        assert_eq!(earlier.expect("an answer"), expected);
        commit(work).await;
    }
}

/// One made before the time to forget by makes way, once.
pub async fn an_old_one_is_replaced(store: &dyn Store) {
    shop(store).await;
    for (next, forget_before, expected) in [
        (record("one", 100), 0, None),
        (record("two", 200), 100, Some(record("one", 100))),
        (record("two", 200), 101, None),
        (record("three", 300), 101, Some(record("two", 200))),
    ] {
        let mut work = begin(store).await;
        let earlier = work
            .requests()
            .remember(&key("r"), &next, at(forget_before))
            .await;
        assert_eq!(earlier.expect("an answer"), expected);
        commit(work).await;
    }
}

/// Each part of the key counts.
pub async fn keys_are_told_apart(store: &dyn Store) {
    let shop = shop(store).await;
    let mut work = begin(store).await;
    assert!(work.principals().insert(&user(2)).await.expect("inserted"));
    let keys = [
        key("r"),
        key("R"),
        RequestKey {
            principal: principal_id(2),
            ..key("r")
        },
        RequestKey {
            project: Some(shop),
            ..key("r")
        },
        RequestKey {
            method: "ArchiveProject",
            ..key("r")
        },
    ];
    for key in &keys {
        let earlier = work
            .requests()
            .remember(key, &record("x", 100), at(0))
            .await;
        assert_eq!(earlier.expect("an answer"), None, "{key:?}");
    }
    commit(work).await;
}

/// Of many made at once, one is the first; the others get it as the answer, or a conflict.
pub async fn one_of_many_at_once_is_first(store: &dyn Store) {
    shop(store).await;
    let ask = |n: u32| async move {
        let mut work = begin(store).await;
        let next = record(&n.to_string(), 100);
        let earlier = work.requests().remember(&key("r"), &next, at(0)).await;
        match earlier {
            Ok(None) => {
                commit(work).await;
                Some(next)
            }
            Ok(Some(_)) | Err(StoreError::Conflict(_)) => None,
            Err(other) => unreachable!("{other}"),
        }
    };
    let answers = join_all((0..8).map(ask)).await;
    let first: Vec<_> = answers.into_iter().flatten().collect();
    assert_eq!(first.len(), 1);
    let mut work = begin(store).await;
    let again = work
        .requests()
        .remember(&key("r"), &record("late", 101), at(0))
        .await;
    assert_eq!(again.expect("an answer").as_ref(), first.first());
}

/// The oldest first, at most as many as asked for.
pub async fn old_ones_are_forgotten_up_to_the_limit(store: &dyn Store) {
    shop(store).await;
    let mut work = begin(store).await;
    for n in 0..10_i32 {
        let next = record("x", 100 + i64::from(n));
        let key = key(&n.to_string());
        let earlier = work.requests().remember(&key, &next, at(0)).await;
        assert_eq!(earlier.expect("an answer"), None);
    }
    for (limit, expected) in [(4, 4), (4, 3), (4, 0)] {
        let forgotten = work.requests().forget(at(107), limit).await;
        assert_eq!(forgotten.expect("forgotten"), expected);
    }
    commit(work).await;
}

/// What is remembered goes with the change it belongs to.
pub async fn a_change_rolled_back_is_not_remembered(store: &dyn Store) {
    shop(store).await;
    for _ in 0..2 {
        let mut work = begin(store).await;
        let earlier = work
            .requests()
            .remember(&key("r"), &record("one", 100), at(0))
            .await;
        assert_eq!(earlier.expect("an answer"), None);
        let added = work.projects().insert(&project(2, "other")).await;
        assert!(added.expect("inserted"));
        drop(work);
    }
}
