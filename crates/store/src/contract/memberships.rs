//! Memberships.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use slipway_identity::{Given, Membership, Role};

use super::given::name;
use super::given::{
    at, begin, commit, membership, principal_id, project, project_id, shop, size, user, walk,
};
use crate::Store;

/// Setting replaces roles and groups, and keeps when it began.
pub async fn setting_again_keeps_the_beginning(store: &dyn Store) {
    let shop = shop(store).await;
    let first = membership(shop, principal_id(1));
    let second = Membership {
        roles: BTreeSet::from([Role::Admin, Role::Approver]),
        groups: BTreeSet::from([name("lead"), name("tech-lead")]),
        created_at: at(50),
        updated_at: at(50),
        ..first.clone()
    };
    let mut work = begin(store).await;
    work.memberships().set(&first).await.expect("set");
    let found = work.memberships().get(shop, principal_id(1)).await;
    assert_eq!(found.expect("read"), Some(first.clone()));
    work.memberships().set(&second).await.expect("set");
    let found = work.memberships().get(shop, principal_id(1)).await;
    let expected = Membership {
        created_at: first.created_at,
        ..second
    };
    assert_eq!(found.expect("read"), Some(expected));
    commit(work).await;
}

/// What is removed is gone; what is not there can be removed.
pub async fn removing_ends_it(store: &dyn Store) {
    let shop = shop(store).await;
    let mut work = begin(store).await;
    let member = membership(shop, principal_id(1));
    work.memberships().set(&member).await.expect("set");
    for _ in 0..2 {
        let removed = work.memberships().remove(shop, principal_id(1)).await;
        removed.expect("removed");
    }
    let found = work.memberships().get(shop, principal_id(1)).await;
    assert_eq!(found.expect("read"), None);
    commit(work).await;
}

/// Of one project, by principal, each once.
pub async fn pages_are_complete_and_in_order(store: &dyn Store) {
    let shop = shop(store).await;
    let mut work = begin(store).await;
    let other = project(2, "other");
    assert!(work.projects().insert(&other).await.expect("inserted"));
    for n in 2..=7 {
        assert!(work.principals().insert(&user(n)).await.expect("inserted"));
        for project in [shop, other.id] {
            let member = membership(project, principal_id(n));
            work.memberships().set(&member).await.expect("set");
        }
    }
    commit(work).await;
    for page_size in [1, 4, 6] {
        let all =
            walk(|after| async move { store.reader().members(shop, after, size(page_size)).await })
                .await;
        let expected: Vec<_> = (2..=7).map(|n| membership(shop, principal_id(n))).collect();
        assert_eq!(all, expected, "in pages of {page_size}");
    }
}

/// With the slugs of the projects, in their order.
pub async fn of_one_principal_by_slug(store: &dyn Store) {
    let mut work = begin(store).await;
    assert!(work.principals().insert(&user(1)).await.expect("inserted"));
    for (n, slug) in [(1, "zoo"), (2, "shop"), (3, "none")] {
        let project = project(n, slug);
        assert!(work.projects().insert(&project).await.expect("inserted"));
    }
    for n in [1, 2] {
        let member = membership(project_id(n), principal_id(1));
        work.memberships().set(&member).await.expect("set");
    }
    commit(work).await;
    let found = store.reader().memberships(principal_id(1)).await;
    let expected = [("shop", 2), ("zoo", 1)]
        .map(|(slug, n)| (name(slug), membership(project_id(n), principal_id(1))));
    assert_eq!(found.expect("read"), expected);
}

/// What is set by hand and what each issuer gives is the membership, together; each takes back its own.
pub async fn what_issuers_give_adds_up_and_is_taken_back(store: &dyn Store) {
    let shop = shop(store).await;
    let id = principal_id(1);
    let by_hand = membership(shop, id);
    let given = |issuer: &str, role, group: &str, micros| Given {
        issuer: name(issuer),
        membership: Membership {
            roles: BTreeSet::from([role]),
            groups: BTreeSet::from([name(group)]),
            created_at: at(micros),
            updated_at: at(micros),
            ..membership(shop, id)
        },
    };
    let first = given("https://a.example", Role::Admin, "lead", 50);
    let second = given("https://b.example", Role::Viewer, "tech-lead", 2);
    let mut work = begin(store).await;
    for one in [&first, &second] {
        work.memberships().give(one).await.expect("given");
    }
    let nothing = work.memberships().remove(shop, id).await;
    assert!(!nothing.expect("answered"), "nothing was set by hand");
    work.memberships().set(&by_hand).await.expect("set");
    let all = work.memberships().get(shop, id).await.expect("read");
    let together = Membership {
        roles: BTreeSet::from([Role::Viewer, Role::Admin]),
        groups: BTreeSet::from([name("lead"), name("tech-lead")]),
        created_at: at(2),
        updated_at: at(50),
        ..by_hand.clone()
    };
    assert_eq!(all, Some(together));
    let of_first = work.memberships().given(&first.issuer, id).await;
    assert_eq!(
        of_first.expect("read"),
        std::slice::from_ref(&first.membership)
    );
    commit(work).await;
    let parts = store.reader().given(&[id, principal_id(9)]).await;
    assert_eq!(parts.expect("read"), [first.clone(), second.clone()]);

    let mut work = begin(store).await;
    for _ in 0..2 {
        let taken = work.memberships().take_back(&first.issuer, shop, id).await;
        taken.expect("taken back");
    }
    let removed = work.memberships().remove(shop, id).await;
    assert!(removed.expect("answered"));
    let left = work.memberships().get(shop, id).await.expect("read");
    assert_eq!(left, Some(second.membership.clone()));
    let taken = work.memberships().take_back(&second.issuer, shop, id).await;
    taken.expect("taken back");
    let none = work.memberships().get(shop, id).await.expect("read");
    assert_eq!(none, None);
    commit(work).await;
}

/// None of several who give at once is left out of the sum.
pub async fn givers_at_once_leave_what_all_give(store: &dyn Store) {
    let shop = shop(store).await;
    let give = |n: usize| async move {
        let given = Given {
            issuer: name(&format!("https://{n}.example")),
            membership: Membership {
                groups: BTreeSet::from([name(&format!("group-{n}"))]),
                ..membership(shop, principal_id(1))
            },
        };
        let mut work = begin(store).await;
        work.memberships().give(&given).await.expect("given");
        commit(work).await;
    };
    join_all((0..8).map(give)).await;
    let found = store.reader().memberships(principal_id(1)).await;
    let groups = found.expect("read").remove(0).1.groups;
    assert_eq!(groups.len(), 8, "{groups:?}");
}
