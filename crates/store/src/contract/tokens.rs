//! Tokens.

use slipway_identity::Token;
use slipway_kernel::{Sha256, StoreError, TokenId};

use super::given::{
    at, begin, commit, membership, name, principal_id, shop, size, user, uuid, walk,
};
use crate::Store;

fn token(n: u128) -> Token {
    Token {
        id: TokenId::from_uuid(uuid(n)),
        principal: principal_id(1),
        name: name("laptop"),
        digest: Sha256::of_bytes(&n.to_be_bytes()),
        created_at: at(10),
        expires_at: None,
        revoked_at: None,
        last_used_at: None,
    }
}

/// All fields come back.
pub async fn what_is_inserted_is_found(store: &dyn Store) {
    shop(store).await;
    let full = Token {
        expires_at: Some(at(20)),
        revoked_at: Some(at(15)),
        last_used_at: Some(at(14)),
        ..token(1)
    };
    let mut work = begin(store).await;
    for token in [full, token(2)] {
        work.tokens().insert(&token).await.expect("inserted");
        let found = work.tokens().get(token.id).await.expect("read");
        assert_eq!(found, Some(token));
    }
    let absent = work.tokens().get(token(3).id).await.expect("read");
    assert_eq!(absent, None);
    let again = work.tokens().insert(&token(2)).await;
    assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
}

/// The first time stays.
pub async fn revoking_again_changes_nothing(store: &dyn Store) {
    shop(store).await;
    let mut work = begin(store).await;
    work.tokens().insert(&token(1)).await.expect("inserted");
    for (micros, first) in [(30, true), (40, false)] {
        let revoked = work.tokens().revoke(token(1).id, at(micros)).await;
        assert_eq!(revoked.expect("answered"), first);
    }
    let found = work.tokens().get(token(1).id).await.expect("read");
    assert_eq!(found.and_then(|token| token.revoked_at), Some(at(30)));
    commit(work).await;
}

/// Only later uses are noted, also among those of one call; unknown tokens are passed over.
pub async fn the_last_use_never_goes_back(store: &dyn Store) {
    shop(store).await;
    let mut work = begin(store).await;
    for n in 1..=3 {
        work.tokens().insert(&token(n)).await.expect("inserted");
    }
    let id = |n| token(n).id;
    let uses = [
        (id(1), at(50)),
        (id(2), at(51)),
        (id(1), at(40)),
        (id(9), at(52)),
    ];
    work.tokens().used(&uses).await.expect("noted");
    let uses = [(id(1), at(49)), (id(2), at(60))];
    work.tokens().used(&uses).await.expect("noted");
    work.tokens().used(&[]).await.expect("noted");
    for (n, expected) in [(1, Some(at(50))), (2, Some(at(60))), (3, None)] {
        let found = work.tokens().get(id(n)).await.expect("read");
        assert_eq!(found.and_then(|token| token.last_used_at), expected, "{n}");
    }
    commit(work).await;
}

/// Oldest first; where a time is given, those that are good then.
pub async fn pages_select_active_ones(store: &dyn Store) {
    shop(store).await;
    let mut work = begin(store).await;
    assert!(work.principals().insert(&user(2)).await.expect("inserted"));
    for token in [
        token(1),
        Token {
            expires_at: Some(at(20)),
            ..token(2)
        },
        Token {
            expires_at: Some(at(21)),
            ..token(3)
        },
        Token {
            revoked_at: Some(at(11)),
            ..token(4)
        },
        token(5),
        Token {
            principal: principal_id(2),
            ..token(6)
        },
    ] {
        work.tokens().insert(&token).await.expect("inserted");
    }
    commit(work).await;
    for (active_at, expected) in [(None, vec![1, 2, 3, 4, 5]), (Some(at(20)), vec![1, 3, 5])] {
        let all = walk(|after| async move {
            let reader = store.reader();
            reader
                .tokens(principal_id(1), active_at, after, size(2))
                .await
        })
        .await;
        let found: Vec<_> = all.into_iter().map(|token| token.id).collect();
        let expected: Vec<_> = expected.into_iter().map(|n| token(n).id).collect();
        assert_eq!(found, expected, "{active_at:?}");
    }
}

/// The token, its principal, and the principal's memberships.
pub async fn a_bearer_comes_with_everything(store: &dyn Store) {
    let shop = shop(store).await;
    let mut work = begin(store).await;
    assert!(work.principals().insert(&user(2)).await.expect("inserted"));
    for n in 1..=2 {
        let member = membership(shop, principal_id(n));
        work.memberships().set(&member).await.expect("set");
    }
    work.tokens().insert(&token(1)).await.expect("inserted");
    commit(work).await;
    let bearer = store.reader().bearer(token(1).id).await.expect("read");
    let bearer = bearer.expect("a bearer");
    assert_eq!(bearer.token, token(1));
    assert_eq!(bearer.principal, user(1));
    assert_eq!(bearer.memberships, [membership(shop, principal_id(1))]);
    let nobody = store.reader().bearer(token(2).id).await.expect("read");
    assert!(nobody.is_none());
}
