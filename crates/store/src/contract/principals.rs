//! Principals.

use futures_util::future::join_all;
use slipway_identity::{Principal, PrincipalKind, principal::Disabled};

use super::given::{at, begin, commit, name, principal_id, size, user, walk};
use crate::Store;

/// All fields come back, of users and of service accounts.
pub async fn what_is_inserted_is_found(store: &dyn Store) {
    let owner = Principal {
        email: Some(name("Grace@example.org")),
        tenant_admin: true,
        ..user(1)
    };
    let robot = Principal {
        kind: PrincipalKind::ServiceAccount { owner: owner.id },
        disabled: Some(Disabled {
            at: at(8),
            reason: name("replaced"),
        }),
        ..user(2)
    };
    let mut work = begin(store).await;
    for principal in [&owner, &robot] {
        assert!(work.principals().insert(principal).await.expect("inserted"));
        let inside = work.principals().get(principal.id).await.expect("read");
        assert_eq!(inside.as_ref(), Some(principal));
    }
    let absent = work.principals().get(principal_id(3)).await;
    assert_eq!(absent.expect("read"), None);
    commit(work).await;
    for principal in [owner, robot] {
        let outside = store.reader().principal(principal.id).await;
        assert_eq!(outside.expect("read"), Some(principal));
    }
}

/// An e-mail address is one principal's; to have none is everybody's.
pub async fn an_email_is_taken_without_regard_to_case(store: &dyn Store) {
    let with_email = |n, email: &str| Principal {
        email: Some(name(email)),
        ..user(n)
    };
    let mut work = begin(store).await;
    let principals = work.principals();
    for (principal, expected) in [
        (with_email(1, "Grace@Example.org"), true),
        (with_email(2, "grace@example.ORG"), false),
        (with_email(3, "alan@example.org"), true),
        (user(4), true),
        (user(5), true),
    ] {
        let added = principals.insert(&principal).await.expect("an answer");
        assert_eq!(added, expected, "{principal:?}");
    }
    let refused = principals.get(principal_id(2)).await.expect("read");
    assert_eq!(refused, None);
    commit(work).await;
}

/// The first time and reason stay.
pub async fn disabling_again_changes_nothing(store: &dyn Store) {
    let mut work = begin(store).await;
    assert!(work.principals().insert(&user(1)).await.expect("inserted"));
    for (micros, reason, first) in [(5, "left", true), (6, "again", false)] {
        let disabled = Disabled {
            at: at(micros),
            reason: name(reason),
        };
        let done = work.principals().disable(principal_id(1), &disabled).await;
        assert_eq!(done.expect("answered"), first);
    }
    commit(work).await;
    let found = store.reader().principal(principal_id(1)).await;
    let disabled = found.expect("read").and_then(|found| found.disabled);
    let first = Disabled {
        at: at(5),
        reason: name("left"),
    };
    assert_eq!(disabled, Some(first));
}

/// Two units of work that each count the administrators before they disable one leave one.
pub async fn two_admins_cannot_shut_each_other_out(store: &dyn Store) {
    let mut work = begin(store).await;
    for n in 1..=2 {
        let admin = Principal {
            tenant_admin: true,
            ..user(n)
        };
        assert!(work.principals().insert(&admin).await.expect("inserted"));
    }
    assert!(work.principals().insert(&user(3)).await.expect("inserted"));
    commit(work).await;

    let shut_out = |n| async move {
        let mut work = begin(store).await;
        let admins = work.principals().count_tenant_admins().await;
        if admins.expect("counted") < 2 {
            return false;
        }
        let disabled = Disabled {
            at: at(5),
            reason: name("mine now"),
        };
        let done = work.principals().disable(principal_id(n), &disabled).await;
        assert!(done.expect("answered"));
        commit(work).await;
        true
    };
    let done = join_all([shut_out(1), shut_out(2)]).await;
    assert_eq!(done.into_iter().filter(|done| *done).count(), 1);
    let mut work = begin(store).await;
    let admins = work.principals().count_tenant_admins().await;
    assert_eq!(admins.expect("counted"), 1);
}

/// Oldest first, users or service accounts, with or without those that are disabled.
pub async fn pages_select_kinds_and_disabled_ones(store: &dyn Store) {
    let mut work = begin(store).await;
    for n in 1..=9 {
        let kind = if n % 3 == 0 {
            PrincipalKind::ServiceAccount {
                owner: principal_id(1),
            }
        } else {
            PrincipalKind::User
        };
        let disabled = (n % 4 == 0).then(|| Disabled {
            at: at(1),
            reason: name(""),
        });
        let principal = Principal {
            kind,
            disabled,
            ..user(n)
        };
        assert!(
            work.principals()
                .insert(&principal)
                .await
                .expect("inserted")
        );
    }
    commit(work).await;
    for (users, include_disabled, expected) in [
        (None, true, vec![1, 2, 3, 4, 5, 6, 7, 8, 9]),
        (None, false, vec![1, 2, 3, 5, 6, 7, 9]),
        (Some(true), true, vec![1, 2, 4, 5, 7, 8]),
        (Some(false), false, vec![3, 6, 9]),
    ] {
        let all = walk(|after| async move {
            let reader = store.reader();
            reader
                .principals(users, include_disabled, after, size(2))
                .await
        })
        .await;
        let found: Vec<_> = all.into_iter().map(|principal| principal.id).collect();
        let expected: Vec<_> = expected.into_iter().map(principal_id).collect();
        assert_eq!(found, expected, "{users:?} {include_disabled}");
    }
}

/// Known ones are in the answer, others are not.
pub async fn names_are_found_by_id(store: &dyn Store) {
    let mut work = begin(store).await;
    for n in 1..=3 {
        assert!(work.principals().insert(&user(n)).await.expect("inserted"));
    }
    commit(work).await;
    let ids = [principal_id(1), principal_id(3), principal_id(9)];
    let names = store.reader().display_names(&ids).await.expect("read");
    assert_eq!(names.len(), 2);
    assert_eq!(names.get(&principal_id(3)), Some(&user(3).display_name));
    let none = store.reader().display_names(&[]).await.expect("read");
    assert!(none.is_empty());
}

/// Who administers the installation can change, and an e-mail address is found without regard to case.
pub async fn administrators_come_and_go(store: &dyn Store) {
    let mut work = begin(store).await;
    let ada = Principal {
        email: Some(name("Ada@example.org")),
        ..user(1)
    };
    assert!(work.principals().insert(&ada).await.expect("inserted"));
    for (email, expected) in [("ADA@example.org", true), ("ada@example.com", false)] {
        let found = work.principals().has_email(&name(email)).await;
        assert_eq!(found.expect("read"), expected, "{email}");
    }
    for is in [true, false] {
        let done = work.principals().set_tenant_admin(ada.id, is).await;
        done.expect("saved");
        let found = work.principals().get(ada.id).await.expect("read");
        assert_eq!(found.map(|found| found.tenant_admin), Some(is));
    }
    commit(work).await;
}
