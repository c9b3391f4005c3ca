//! Tokens: made, listed, used, revoked.

use std::time::Duration;

use slipway_api::errors::v1::ErrorReason;
use slipway_api::identity::v1::create_token_request::Expiry;
use slipway_api::identity::v1::{
    CreatePrincipalRequest, CreateTokenRequest, GetPrincipalRequest, ListTokensRequest,
    PrincipalKind, RevokeTokenRequest, Token, WhoAmIRequest,
};
use slipway_tests::clock::{HOUR, ahead};
use slipway_tests::refusal::violated_fields;
use slipway_tests::world::{token, unique};
use slipway_tests::{Backend, Client, Granted, Refused, World, ago};
use tonic::Code;

use super::{all_end, me, on_every_server};
use crate::case::cases;

cases![
    a_secret_is_shown_once,
    tokens_are_listed_and_end,
    tokens_of_others_are_out_of_sight,
    the_last_use_of_a_token_is_known,
    a_revoked_token_ends_on_every_server,
];

async fn a_secret_is_shown_once(backend: Backend) {
    let world = World::shared(backend).await;
    let request = CreateTokenRequest {
        name: "pipeline".to_owned(),
        request_id: format!("token-{}", unique()),
        ..Default::default()
    };
    let user = world.user("Somebody").await;
    let mut identity = user.identity();
    let first = identity.create_token(request.clone()).await.granted();
    assert!(!first.secret.is_empty());
    assert_eq!(
        me(&user.with_token(Some(&first.secret))).await.unwrap(),
        user.principal_id
    );
    let again = identity.create_token(request).await.granted();
    assert_eq!(again.secret, "");
    let (first, again) = (first.token.unwrap(), again.token.unwrap());
    assert_eq!(again.token_id, first.token_id);
    assert_eq!(again.name, "pipeline");
}

async fn list_tokens(client: &Client, include_inactive: bool) -> Vec<Token> {
    client
        .identity()
        .list_tokens(ListTokensRequest {
            include_inactive,
            ..Default::default()
        })
        .await
        .granted()
        .tokens
}

async fn tokens_are_listed_and_end(backend: Backend) {
    let world = World::shared(backend).await;
    let user = world.user("Somebody").await;
    let mut identity = user.identity();
    let short = token(&user, "", Some(Duration::from_secs(1))).await;
    let revoked = token(&user, "", None).await;
    let later = ahead(HOUR);
    let dated = identity
        .create_token(CreateTokenRequest {
            name: "dated".to_owned(),
            expiry: Some(Expiry::ExpireTime(later)),
            ..Default::default()
        })
        .await
        .granted();
    assert_eq!(dated.token.as_ref().unwrap().expire_time, Some(later));
    let revoked_id = revoked.token.unwrap().token_id;
    for _ in 0..2 {
        // The second time changes nothing.
        let answer = identity
            .revoke_token(RevokeTokenRequest {
                token_id: revoked_id.clone(),
                ..Default::default()
            })
            .await
            .granted();
        assert!(answer.token.unwrap().revoked_time.is_some());
    }
    user.with_token(Some(&revoked.secret))
        .identity()
        .who_am_i(WhoAmIRequest {})
        .await
        .refused(Code::Unauthenticated, ErrorReason::TokenRevoked);
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    user.with_token(Some(&short.secret))
        .identity()
        .who_am_i(WhoAmIRequest {})
        .await
        .refused(Code::Unauthenticated, ErrorReason::TokenExpired);

    let active = list_tokens(&user, false).await;
    assert_eq!(active.len(), 2, "{active:?}");
    let all = list_tokens(&user, true).await;
    assert_eq!(all.len(), 4);
    let ids: Vec<_> = all.iter().map(|token| &token.token_id).collect();
    assert!(ids.is_sorted(), "oldest first: {ids:?}");

    for (name, expiry, field) in [
        ("", None, "name"),
        ("x", Some(Expiry::ExpireTime(ago(HOUR))), "expire_time"),
        (
            "x",
            Some(Expiry::Ttl(prost_types::Duration::default())),
            "ttl",
        ),
    ] {
        let refused = identity
            .create_token(CreateTokenRequest {
                name: name.to_owned(),
                expiry,
                ..Default::default()
            })
            .await
            .refused(Code::InvalidArgument, ErrorReason::InvalidField);
        assert_eq!(violated_fields(&refused), [field]);
    }
}

async fn tokens_of_others_are_out_of_sight(backend: Backend) {
    let world = World::shared(backend).await;
    let (owner, other) = (world.user("Owner").await, world.user("Other").await);
    let account = world
        .admin
        .identity()
        .create_principal(CreatePrincipalRequest {
            kind: PrincipalKind::ServiceAccount.into(),
            display_name: "pipeline".to_owned(),
            owner_principal_id: owner.principal_id.clone(),
            ..Default::default()
        })
        .await
        .granted()
        .principal
        .unwrap();
    let made = token(&owner, &account.principal_id, None).await;
    let as_account = owner.with_token(Some(&made.secret));
    assert_eq!(me(&as_account).await.unwrap(), account.principal_id);
    let seen = owner
        .identity()
        .get_principal(GetPrincipalRequest {
            principal_id: account.principal_id.clone(),
        })
        .await
        .granted();
    assert_eq!(seen.principal.unwrap(), account);
    let mut stranger = other.identity();
    stranger
        .create_token(CreateTokenRequest {
            principal_id: account.principal_id.clone(),
            name: "stolen".to_owned(),
            ..Default::default()
        })
        .await
        .refused(Code::NotFound, ErrorReason::PrincipalNotFound);
    stranger
        .revoke_token(RevokeTokenRequest {
            token_id: made.token.unwrap().token_id,
            ..Default::default()
        })
        .await
        .refused(Code::NotFound, ErrorReason::TokenNotFound);
    // The account is no owner of its owner.
    as_account
        .identity()
        .list_tokens(ListTokensRequest {
            principal_id: owner.principal_id.clone(),
            ..Default::default()
        })
        .await
        .refused(Code::NotFound, ErrorReason::PrincipalNotFound);
}

async fn the_last_use_of_a_token_is_known(backend: Backend) {
    let mut world = World::own(backend).await;
    let user = world.user("Somebody").await;
    let unused = token(&user, "", None).await.token.unwrap();
    assert_eq!(unused.last_used_time, None);
    // Uses are written once a minute, and when the server stops.
    let ended = world.server.terminate().await;
    assert!(ended.success(), "{ended}");
    world.server.restart().await;
    let admin = world.server.admin().await;
    let tokens = admin
        .identity()
        .list_tokens(ListTokensRequest {
            principal_id: user.principal_id.clone(),
            ..Default::default()
        })
        .await
        .granted()
        .tokens;
    let known: Vec<_> = tokens.iter().map(|t| t.last_used_time.is_some()).collect();
    assert_eq!(known, [true, false], "{tokens:?}");
}

async fn a_revoked_token_ends_on_every_server(backend: Backend) {
    let world = World::own(backend).await;
    let user = world.user("Somebody").await;
    let made = token(&user, "", None).await;
    let callers = on_every_server(&world, &user, &made.secret).await;
    for (_, caller) in &callers {
        me(caller).await.unwrap();
    }
    user.identity()
        .revoke_token(RevokeTokenRequest {
            token_id: made.token.unwrap().token_id,
            ..Default::default()
        })
        .await
        .granted();
    all_end(&callers, ErrorReason::TokenRevoked).await;
}
