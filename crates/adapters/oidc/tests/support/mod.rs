//! What the tests of tokens and of keys have in common.

#![allow(
    dead_code,
    clippy::allow_attributes,
    reason = "each test binary uses a part of it"
)]

use std::time::Duration;

use serde_json::Value;
use slipway_identity::{Assertion, Issuers, NotVerified, issuer::Mappings};
use slipway_issuer_stand_in::{StandIn, now};
use slipway_kernel::Timestamp;
use slipway_oidc::{ClaimNames, KeySource, Oidc, Options};

/// How a stand-in is trusted: for ES256 and `EdDSA`, with clocks that differ by at most 5 s.
pub(crate) fn options(stand_in: &StandIn) -> Options {
    Options {
        issuer: stand_in.issuer.parse().unwrap(),
        audience: "slipway".to_owned(),
        algorithms: ["ES256", "EdDSA"]
            .map(|name| name.parse().unwrap())
            .to_vec(),
        keys: KeySource::Url(stand_in.jwks_url()),
        claims: ClaimNames::default(),
        mappings: Mappings::default(),
        leeway: Duration::from_secs(5),
        provision: true,
        refresh_interval: Duration::from_hours(1),
        refresh_pause: Duration::from_secs(1),
        timeout: Duration::from_millis(500),
    }
}

pub(crate) fn taking(options: Options) -> Oidc {
    Oidc::new([options]).unwrap()
}

/// What comes of a token now.
pub(crate) async fn verify(oidc: &Oidc, token: &str) -> Result<Assertion, NotVerified> {
    let now = Timestamp::from_seconds_and_nanos(now(), 0).unwrap();
    oidc.verify(token, now).await
}

/// Its header, claims and signature.
pub(crate) fn parts(token: &str) -> [&str; 3] {
    token.split('.').collect::<Vec<_>>().try_into().unwrap()
}

/// The words of a refusal.
pub(crate) fn problem(answer: Result<Assertion, NotVerified>) -> String {
    match answer {
        Err(NotVerified::Refused { problem, .. }) => problem,
        other => format!("{other:?}"),
    }
}

/// Nothing beside the usual claims.
pub(crate) fn usual() -> Value {
    serde_json::json!({})
}
