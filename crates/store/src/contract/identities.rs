//! Identities of principals.

use futures_util::future::join_all;
use slipway_identity::{
    Identity, IdentityKey, Principal, PrincipalKind, identity::CERTIFICATE, principal::Disabled,
};

use super::given::{at, begin, commit, membership, name, principal_id, shop, user};
use crate::Store;

const ISSUER: &str = "https://login.example.org";

fn key(issuer: &str, subject: &str) -> IdentityKey {
    IdentityKey {
        issuer: name(issuer),
        subject: name(subject),
    }
}

fn identity(issuer: &str, subject: &str, principal: u128) -> Identity {
    Identity {
        key: key(issuer, subject),
        principal: principal_id(principal),
        tenant_admin: false,
        asserted_at: None,
        created_at: at(7),
    }
}

async fn users(store: &dyn Store, count: u128) {
    let mut work = begin(store).await;
    for n in 1..=count {
        assert!(work.principals().insert(&user(n)).await.expect("inserted"));
    }
    commit(work).await;
}

/// All fields come back, after they were asserted too; what is removed is gone.
pub async fn what_is_inserted_is_found(store: &dyn Store) {
    users(store, 1).await;
    let first = identity(ISSUER, "Ünï \"1\"", 1);
    let mut work = begin(store).await;
    let absent = work.identities().get(&first.key).await;
    assert_eq!(absent.expect("read"), None);
    assert!(work.identities().insert(&first).await.expect("inserted"));
    let asserted = Identity {
        tenant_admin: true,
        asserted_at: Some(at(9)),
        ..first.clone()
    };
    work.identities().assert(&asserted).await.expect("saved");
    let inside = work.identities().get(&first.key).await;
    assert_eq!(inside.expect("read"), Some(asserted.clone()));
    let all = work.identities().of_principal(principal_id(1)).await;
    assert_eq!(all.expect("read"), std::slice::from_ref(&asserted));
    commit(work).await;
    let outside = store.reader().identities(principal_id(1)).await;
    assert_eq!(outside.expect("read"), [asserted]);

    let mut work = begin(store).await;
    for _ in 0..2 {
        work.identities().remove(&first.key).await.expect("removed");
    }
    commit(work).await;
    let none = store.reader().identities(principal_id(1)).await;
    assert!(none.expect("read").is_empty());
}

/// Many who want the same one get it once.
pub async fn a_key_is_taken_once_by_many_at_once(store: &dyn Store) {
    users(store, 8).await;
    let taken = (1..=8).map(|n| async move {
        let mut work = begin(store).await;
        let wanted = identity(ISSUER, "ada", n);
        let added = work.identities().insert(&wanted).await.expect("an answer");
        commit(work).await;
        added
    });
    let taken = join_all(taken).await;
    assert_eq!(taken.into_iter().filter(|added| *added).count(), 1);
}

/// A principal has one identity of each identity provider, and names in certificates without end. Keys are compared
/// exactly.
pub async fn one_of_each_provider_and_many_certificates(store: &dyn Store) {
    users(store, 2).await;
    let mut work = begin(store).await;
    for (issuer, subject, principal, expected) in [
        (ISSUER, "ada", 1, true),
        (ISSUER, "second", 1, false),
        (ISSUER, "ada", 2, false),
        (ISSUER, "Ada", 2, true),
        ("https://login.example.org/", "ada", 1, true),
        (CERTIFICATE, "dns:a", 1, true),
        (CERTIFICATE, "dns:b", 1, true),
        (CERTIFICATE, "dns:b", 2, false),
    ] {
        let wanted = identity(issuer, subject, principal);
        let added = work.identities().insert(&wanted).await;
        assert_eq!(added.expect("an answer"), expected, "{wanted:?}");
    }
    let all = work.identities().of_principal(principal_id(1)).await;
    let subjects: Vec<_> = all
        .expect("read")
        .into_iter()
        .map(|one| one.key.subject.to_string())
        .collect();
    assert_eq!(subjects, ["dns:a", "dns:b", "ada", "ada"]);
    commit(work).await;
}

/// The principal, its memberships, and whether its owner is disabled.
pub async fn accounts_come_with_everything(store: &dyn Store) {
    let shop = shop(store).await;
    let robot = Principal {
        kind: PrincipalKind::ServiceAccount {
            owner: principal_id(1),
        },
        ..user(2)
    };
    let mut work = begin(store).await;
    assert!(work.principals().insert(&robot).await.expect("inserted"));
    let member = membership(shop, robot.id);
    work.memberships().set(&member).await.expect("set");
    let (of_robot, of_user) = (identity(ISSUER, "robot", 2), identity(ISSUER, "user", 1));
    for one in [&of_robot, &of_user] {
        assert!(work.identities().insert(one).await.expect("inserted"));
    }
    let disabled = Disabled {
        at: at(8),
        reason: name("left"),
    };
    let done = work.principals().disable(principal_id(1), &disabled).await;
    assert!(done.expect("disabled"));
    commit(work).await;

    let reader = store.reader();
    let issuer = name(ISSUER);
    let asked = ["robot", "user", "nobody"].map(name);
    let found = reader.accounts(&issuer, &asked).await.expect("read");
    assert_eq!(found.len(), 2, "{found:?}");
    let (first, second) = (&found[0], &found[1]);
    assert_eq!(first.identity, of_robot);
    assert_eq!(first.principal, robot);
    assert!(first.owner_disabled);
    assert_eq!(first.memberships, [member]);
    assert_eq!(second.identity, of_user);
    assert!(!second.owner_disabled && second.principal.disabled.is_some());
    for (issuer, subjects) in [(ISSUER, vec![]), (CERTIFICATE, asked.to_vec())] {
        let none = reader.accounts(&name(issuer), &subjects).await;
        assert!(none.expect("read").is_empty());
    }
}
