//! Changes become visible as a whole, or not at all.

use futures_util::future::join_all;

use super::given::{begin, commit, name, project, size};
use crate::Store;

/// Dropping rolls back, and leaves the store usable.
pub async fn what_is_dropped_never_happened(store: &dyn Store) {
    for _ in 0..20 {
        let mut work = begin(store).await;
        let added = work.projects().insert(&project(1, "shop")).await;
        assert!(added.expect("inserted"), "what was dropped is still there");
        drop(work);
    }
    let found = store.reader().project(&name("shop")).await;
    assert_eq!(found.expect("read"), None);
}

/// Others see nothing of a change before its commit; the change itself does.
pub async fn nothing_is_visible_before_the_commit(store: &dyn Store) {
    let mut work = begin(store).await;
    let shop = project(1, "shop");
    assert!(work.projects().insert(&shop).await.expect("inserted"));
    let inside = work.projects().find(&shop.slug).await.expect("read");
    assert_eq!(inside.as_ref(), Some(&shop));
    let outside = store.reader().project(&shop.slug).await.expect("read");
    assert_eq!(outside, None);
    commit(work).await;
    let outside = store.reader().project(&shop.slug).await.expect("read");
    assert_eq!(outside, Some(shop));
}

/// A snapshot does not see what is committed after its first read.
pub async fn a_snapshot_sees_one_moment(store: &dyn Store) {
    let snapshot = store.snapshot().await.expect("a snapshot");
    let none = snapshot.projects(None, true, None, size(9)).await;
    assert!(none.expect("read").items.is_empty());

    let mut work = begin(store).await;
    let shop = project(1, "shop");
    assert!(work.projects().insert(&shop).await.expect("inserted"));
    commit(work).await;

    let still_none = snapshot.project(&shop.slug).await.expect("read");
    assert_eq!(still_none, None);
    drop(snapshot);
    let now = store.reader().project(&shop.slug).await.expect("read");
    assert_eq!(now, Some(shop));
}

/// A store that works answers.
pub async fn a_store_answers_a_ping(store: &dyn Store) {
    store.ping().await.expect("an answer");
}

/// Units of work at the same time, which read before they write, all succeed.
pub async fn writers_wait_for_each_other(store: &dyn Store) {
    let write = |n: u128| async move {
        let mut work = begin(store).await;
        let slug = format!("p-{n}");
        let before = work.projects().find(&name(&slug)).await.expect("read");
        assert_eq!(before, None);
        let added = work.projects().insert(&project(n, &slug)).await;
        assert!(added.expect("inserted"));
        commit(work).await;
    };
    join_all((1..=20).map(write)).await;
    let all = store.reader().projects(None, false, None, size(99)).await;
    assert_eq!(all.expect("read").items.len(), 20);
}
