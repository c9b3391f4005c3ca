//! Tokens of an identity provider: taken, refused, over; and an identity provider that changes keys and goes down.

use std::time::Duration;

use serde_json::{Value, json};
use slipway_api::errors::v1::ErrorReason;
use slipway_api::identity::v1::{
    AuthenticationMethod, DisablePrincipalRequest, ListPrincipalsRequest, WhoAmIRequest,
};
use slipway_api::ledger::v1::WatchCurrentStateRequest;
use slipway_issuer_stand_in::{Answer, Key, StandIn, by_hand, now};
use slipway_tests::refusal::reason_of;
use slipway_tests::world::unique;
use slipway_tests::{Backend, Client, Granted, Refused, Server, World};
use tempfile::NamedTempFile;
use tonic::Code;

use super::{all_end, me, who};
use crate::case::cases;

cases![
    a_first_sign_in_makes_a_user,
    tokens_that_are_not_good_are_refused,
    a_token_ends_when_it_says,
    a_hundred_first_sign_ins_make_one_principal,
    a_disabled_principal_is_out_on_every_server,
    keys_change_and_an_issuer_goes_down,
    without_an_issuer_no_token_is_taken,
];

/// A server that takes tokens of a stand-in for an identity provider, and a project of its own.
pub(super) struct Federated {
    pub(super) world: World,
    pub(super) stand_in: StandIn,
    pub(super) config: NamedTempFile,
}

impl Federated {
    /// Without any meaning of groups.
    pub(super) async fn new(backend: Backend) -> Self {
        Self::with(backend, "", "").await
    }

    /// With further settings of the issuer, and the meaning of its groups.
    pub(super) async fn with(backend: Backend, settings: &str, grants: &str) -> Self {
        let stand_in = StandIn::start().await;
        let config = NamedTempFile::new().unwrap();
        let section = section(&stand_in, settings);
        std::fs::write(config.path(), format!("{section}\n{grants}")).unwrap();
        let path = config.path().display().to_string();
        let world = World::own_with(backend, &[("SLIPWAY_CONFIG", &path)]).await;
        Self {
            world,
            stand_in,
            config,
        }
    }

    /// A caller with this token.
    pub(super) fn bearing(&self, token: &str) -> Client {
        self.world.admin.with_token(Some(token))
    }

    /// A caller with a token of this subject, which has these claims too.
    pub(super) fn caller(&self, subject: &str, claims: &Value) -> Client {
        self.bearing(&self.stand_in.token(subject, claims))
    }

    async fn principals(&self) -> usize {
        let all = ListPrincipalsRequest {
            page_size: 1_000,
            ..Default::default()
        };
        let mut identity = self.world.admin.identity();
        identity
            .list_principals(all)
            .await
            .granted()
            .principals
            .len()
    }
}

/// The configuration of an issuer with short pauses.
fn section(stand_in: &StandIn, settings: &str) -> String {
    format!(
        "[[oidc]]\nissuer = \"{}\"\naudience = \"slipway\"\nalgorithms = [\"ES256\"]\njwks_url = \"{}\"\n\
         leeway = \"0s\"\nrefresh_pause = \"1s\"\ntimeout = \"1s\"\n{settings}",
        stand_in.issuer,
        stand_in.jwks_url()
    )
}

async fn a_first_sign_in_makes_a_user(backend: Backend) {
    let federated = Federated::new(backend).await;
    let before = federated.principals().await;
    let claims = json!({ "email": "Ada@example.org", "name": "Ada Lovelace" });
    let ada = federated.caller("ada", &claims);
    let first = who(&ada).await;
    assert_eq!(first.authentication_method(), AuthenticationMethod::Oidc);
    assert_eq!(first.token, None);
    assert!(first.expire_time.unwrap().seconds >= now() + 3_500);
    let principal = first.principal.unwrap();
    assert_eq!(principal.display_name, "Ada Lovelace");
    assert_eq!(principal.email, "Ada@example.org");
    assert!(!principal.tenant_admin);
    let identity = first.identity.unwrap();
    assert_eq!(identity.subject, "ada");
    assert_eq!(identity.issuer, federated.stand_in.issuer);
    assert_eq!(identity.principal_id, principal.principal_id);
    assert!(first.memberships.is_empty());

    // Another token of the same person, whatever else it says.
    let again = federated.caller(
        "ada",
        &json!({ "email": "other@example.org", "name": "A. L." }),
    );
    assert_eq!(who(&again).await.principal.unwrap(), principal);
    // Subjects are compared exactly.
    let other = who(&federated.caller("Ada", &json!({}))).await;
    assert_ne!(
        other.principal.unwrap().principal_id,
        principal.principal_id
    );
    assert_eq!(federated.principals().await, before + 2);

    let own = who(&federated.world.admin).await;
    assert_eq!(own.authentication_method(), AuthenticationMethod::Token);
    assert!(own.token.is_some() && own.identity.is_none());
}

async fn tokens_that_are_not_good_are_refused(backend: Backend) {
    let federated = Federated::new(backend).await;
    let stand_in = &federated.stand_in;
    let another = StandIn::start().await;
    let key = stand_in.key();
    let claims = stand_in.claims("ada");
    let with = |claims| stand_in.token("ada", &claims);
    let symmetric = key.sign_by_public(&claims);
    let before = federated.principals().await;
    for (token, reason) in [
        (with(json!({ "exp": now() - 1 })), ErrorReason::TokenExpired),
        (
            with(json!({ "nbf": now() + 60 })),
            ErrorReason::TokenNotYetValid,
        ),
        (
            with(json!({ "iat": now() + 60 })),
            ErrorReason::TokenNotYetValid,
        ),
        (with(json!({ "aud": "another" })), ErrorReason::TokenRefused),
        (with(json!({ "exp": null })), ErrorReason::TokenRefused),
        (with(json!({ "sub": null })), ErrorReason::TokenRefused),
        (
            another.token("ada", &json!({})),
            ErrorReason::TokenIssuerUnknown,
        ),
        (another.key().sign(&claims), ErrorReason::TokenRefused),
        (key.sign_as("unknown", &claims), ErrorReason::TokenRefused),
        (
            by_hand(&json!({ "alg": "none", "kid": key.kid }), &claims, &[]),
            ErrorReason::TokenRefused,
        ),
        (symmetric, ErrorReason::TokenRefused),
        ("a.b.c".to_owned(), ErrorReason::TokenInvalid),
        ("...".to_owned(), ErrorReason::TokenInvalid),
        (with(json!({ "iss": null })), ErrorReason::TokenInvalid),
    ] {
        let caller = federated.bearing(&token);
        let answer = caller.identity().who_am_i(WhoAmIRequest {}).await;
        answer.refused(Code::Unauthenticated, reason);
    }
    assert_eq!(federated.principals().await, before, "nobody became one");
    assert!(me(&federated.bearing(&key.sign(&claims))).await.is_ok());
}

async fn a_token_ends_when_it_says(backend: Backend) {
    let grants = "[[oidc.grants]]\ngroup = \"team\"\nproject = \"team\"\nroles = [\"VIEWER\"]";
    let federated = Federated::with(backend, "", grants).await;
    let project = slipway_tests::Project::named(&federated.world.admin, "team".to_owned()).await;
    project.environment("prod").await;
    let claims = json!({ "exp": now() + 3, "groups": ["team"] });
    let ada = federated.caller("ada", &claims);
    me(&ada).await.unwrap();
    let request = WatchCurrentStateRequest {
        project: project.slug.clone(),
        ..Default::default()
    };
    let mut watch = ada.ledger().watch_current_state(request).await.granted();
    let ended = tokio::time::timeout(Duration::from_secs(12), async {
        loop {
            if let Err(status) = watch.message().await {
                return status;
            }
        }
    });
    let status = ended.await.expect("the watch ends with its token");
    assert_eq!(
        reason_of(&status).as_deref(),
        Some("TOKEN_EXPIRED"),
        "{status:?}"
    );
    let answer = ada.identity().who_am_i(WhoAmIRequest {}).await;
    answer.refused(Code::Unauthenticated, ErrorReason::TokenExpired);
}

async fn a_hundred_first_sign_ins_make_one_principal(backend: Backend) {
    let federated = Federated::new(backend).await;
    let before = federated.principals().await;
    let claims = json!({ "email": "ada@example.org", "name": "Ada" });
    let mut callers = Vec::new();
    for n in 0..100 {
        // Each by a token of its own, so that none is remembered.
        let mut claims = claims.clone();
        claims["jti"] = json!(n);
        callers.push(federated.caller("ada", &claims));
    }
    let mut found = std::collections::BTreeSet::new();
    let all = callers.iter().map(me);
    for id in futures_util::future::join_all(all).await {
        found.insert(id.unwrap());
    }
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(federated.principals().await, before + 1);
}

async fn a_disabled_principal_is_out_on_every_server(backend: Backend) {
    let federated = Federated::new(backend).await;
    let token = federated.stand_in.token("ada", &json!({}));
    let ada = federated.bearing(&token);
    let id = me(&ada).await.unwrap();
    let mut callers: Vec<(Option<Server>, Client)> = vec![(None, ada)];
    if backend == Backend::Postgres {
        let path = federated.config.path().display().to_string();
        let settings = [("SLIPWAY_CONFIG", path.as_str())];
        let replica = federated.world.server.replica_with(&settings).await;
        let there = replica.client(Some(&token)).await;
        assert_eq!(me(&there).await.unwrap(), id);
        callers.push((Some(replica), there));
    }
    let left = DisablePrincipalRequest {
        principal_id: id,
        reason: "left".to_owned(),
        request_id: format!("left-{}", unique()),
    };
    let mut identity = federated.world.admin.identity();
    identity.disable_principal(left).await.granted();
    all_end(&callers, ErrorReason::PrincipalDisabled).await;
    // A new token changes nothing about that.
    let again = federated.caller("ada", &json!({ "jti": "new" }));
    let answer = again.identity().who_am_i(WhoAmIRequest {}).await;
    answer.refused(Code::Unauthenticated, ErrorReason::PrincipalDisabled);
}

async fn keys_change_and_an_issuer_goes_down(backend: Backend) {
    let federated = Federated::new(backend).await;
    let stand_in = &federated.stand_in;
    stand_in.answer(Answer::Down);
    let ada = federated.caller("ada", &json!({}));
    let answer = ada.identity().who_am_i(WhoAmIRequest {}).await;
    answer.refused(Code::Unavailable, ErrorReason::TokenIssuerUnavailable);
    stand_in.answer(Answer::Keys);
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let id = me(&ada).await.unwrap();
    // While it is down, its last keys go on, for tokens never seen before too.
    stand_in.answer(Answer::Down);
    let other = federated.caller("ada", &json!({ "jti": "2" }));
    assert_eq!(me(&other).await.unwrap(), id);
    stand_in.answer(Answer::Keys);
    stand_in.rotate(Key::new("second"));
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert_eq!(me(&federated.caller("ada", &json!({}))).await.unwrap(), id);

    // Many keys that nobody has ask the issuer no more often than one would.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let (asked, begun) = (stand_in.asked(), std::time::Instant::now());
    let claims = stand_in.claims("ada");
    let strangers: Vec<_> = (0..300)
        .map(|n| federated.bearing(&stand_in.key().sign_as(&format!("key-{n}"), &claims)))
        .collect();
    for answer in futures_util::future::join_all(strangers.iter().map(me)).await {
        assert_eq!(
            reason_of(&answer.unwrap_err()).as_deref(),
            Some("TOKEN_REFUSED")
        );
    }
    let pauses = usize::try_from(begun.elapsed().as_secs()).unwrap();
    let asked = stand_in.asked() - asked;
    assert!(asked <= 1 + pauses, "asked {asked} times");
}

async fn without_an_issuer_no_token_is_taken(backend: Backend) {
    let world = World::shared(backend).await;
    let stand_in = StandIn::start().await;
    let token = stand_in.token("ada", &json!({}));
    let stranger = world.admin.with_token(Some(&token));
    let answer = stranger.identity().who_am_i(WhoAmIRequest {}).await;
    answer.refused(Code::Unauthenticated, ErrorReason::TokenInvalid);
    assert_eq!(stand_in.asked(), 0);
}
