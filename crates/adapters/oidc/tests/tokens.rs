//! Which tokens are taken, and which are not.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod support;

use std::time::Duration;

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rsa::pkcs8::{EncodePrivateKey, EncodePublicKey, LineEnding};
use rsa::traits::PublicKeyParts;
use serde_json::{Value, json};
use slipway_identity::NotVerified;
use slipway_issuer_stand_in::{Key, StandIn, by_hand, now};
use slipway_oidc::{KeySource, Oidc, Options};
use support::{options, parts, problem, taking, usual, verify};

#[tokio::test]
async fn a_good_token_says_who_bears_it() {
    let stand_in = StandIn::start().await;
    let oidc = taking(options(&stand_in));
    let claims = json!({
        "email": " Ada@example.org ", "name": "Ada Lovelace", "email_verified": false, "nbf": now() - 1,
        "aud": ["another", "slipway"],
    });
    let said = verify(&oidc, &stand_in.token("ada", &claims))
        .await
        .unwrap();
    assert_eq!(said.key.subject.as_str(), "ada");
    assert_eq!(said.key.issuer.as_str(), stand_in.issuer);
    assert_eq!(said.email.unwrap().as_str(), "Ada@example.org");
    assert!(said.email_unverified);
    assert_eq!(said.name.as_str(), "Ada Lovelace");
    let lasts = said.expires_at.since(said.issued_at);
    assert_eq!(lasts, Duration::from_hours(1) + Duration::from_secs(5));

    let bare = verify(&oidc, &stand_in.token("bob", &usual()))
        .await
        .unwrap();
    assert_eq!((bare.name.as_str(), bare.email), ("bob", None));
    assert!(!bare.email_unverified);

    stand_in.rotate(Key::of("ed", Algorithm::EdDSA));
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert!(
        verify(&oidc, &stand_in.token("ada", &usual()))
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn claims_that_are_missing_or_wrong_are_refused_by_name() {
    let stand_in = StandIn::start().await;
    let oidc = taking(options(&stand_in));
    for (claims, told) in [
        (json!({ "exp": null }), "no claim `exp`"),
        (json!({ "sub": null }), "no claim `sub`"),
        (json!({ "aud": null }), "no claim `aud`"),
        (json!({ "iat": null }), "no claim `iat`"),
        (json!({ "exp": "9999999999" }), "`exp`"),
        (json!({ "exp": 1e300 }), "`exp`"),
        (json!({ "iat": true }), "`iat`"),
        (json!({ "nbf": "soon" }), "`nbf`"),
        (json!({ "sub": "" }), "`sub` is no text"),
        (json!({ "sub": 7 }), "`sub`"),
        (json!({ "sub": "x".repeat(256) }), "`sub` is no text"),
        (json!({ "aud": "another" }), "another audience"),
        (json!({ "aud": ["another", "Slipway"] }), "another audience"),
        (json!({ "aud": [] }), "another audience"),
        (json!({ "aud": "slipway " }), "another audience"),
    ] {
        let answer = verify(&oidc, &stand_in.token("ada", &claims)).await;
        let problem = problem(answer);
        assert!(problem.contains(told), "{claims}: {problem}");
    }
    for (claims, expected) in [
        (json!({ "exp": now() - 6 }), "Expired"),
        (json!({ "exp": 0 }), "Expired"),
        (json!({ "nbf": now() + 60 }), "NotYetValid"),
        (json!({ "iat": now() + 60 }), "NotYetValid"),
        (json!({ "iss": "https://another.example" }), "UnknownIssuer"),
        (json!({ "iss": [stand_in.issuer] }), "Malformed"),
        (json!({ "iss": null }), "Malformed"),
        (
            json!({ "iss": format!("{}/", stand_in.issuer) }),
            "UnknownIssuer",
        ),
    ] {
        let answer = verify(&oidc, &stand_in.token("ada", &claims)).await;
        let found = format!("{:?}", answer.unwrap_err());
        assert!(found.starts_with(expected), "{claims}: {found}");
    }
    // Within what clocks may differ.
    for claims in [
        json!({ "exp": now() - 2 }),
        json!({ "nbf": now() + 2, "iat": now() + 2 }),
    ] {
        let answer = verify(&oidc, &stand_in.token("ada", &claims)).await;
        assert!(answer.is_ok(), "{claims}: {answer:?}");
    }
}

#[expect(
    clippy::too_many_lines,
    reason = "a list of attacks, each beside its name"
)]
#[tokio::test]
async fn signatures_by_anything_but_the_issuers_key_are_refused() {
    let stand_in = StandIn::start().await;
    let another = StandIn::start().await;
    stand_in.publish(Key::of("wide", Algorithm::ES384));
    let oidc = Oidc::new([options(&stand_in), options(&another)]).unwrap();
    let key = stand_in.key();
    let claims = stand_in.claims("ada");
    let good = key.sign(&claims);
    assert!(verify(&oidc, &good).await.is_ok());
    let [header, body, signature] = parts(&good);
    let [_, others_body, _] = parts(&stand_in.token("root", &usual())).map(str::to_owned);

    let stranger = Key::new("first");
    let hmac = |secret: &[u8], algorithm| {
        let mut header = Header::new(algorithm);
        header.kid = Some("first".to_owned());
        encode(&header, &claims, &EncodingKey::from_secret(secret)).unwrap()
    };
    let mut with_key = Header::new(Algorithm::ES256);
    with_key.kid = Some("first".to_owned());
    with_key.jwk = serde_json::from_value(stranger.jwk()).unwrap();
    with_key.jku = Some(another.jwks_url());
    let alone = |algorithm: &str, more: Value| {
        let mut header = json!({ "alg": algorithm, "kid": "first" });
        for (name, value) in more.as_object().unwrap() {
            header[name] = value.clone();
        }
        by_hand(&header, &claims, &[7; 64])
    };
    let mut flipped = signature.to_owned();
    let first = if flipped.starts_with('A') { "B" } else { "A" };
    flipped.replace_range(..1, first);

    let attacks = [
        ("another key by the same name", stranger.sign(&claims)),
        ("another issuer's key", another.key().sign(&claims)),
        (
            "another issuer's key by its name",
            another.key().sign_as("first", &claims),
        ),
        (
            "no algorithm",
            by_hand(&json!({ "alg": "none", "kid": "first" }), &claims, &[]),
        ),
        (
            "no algorithm, in capitals",
            by_hand(&json!({ "alg": "NONE", "kid": "first" }), &claims, &[]),
        ),
        (
            "no algorithm, the signature left",
            format!("{}.{body}.{signature}", parts(&alone("none", json!({})))[0]),
        ),
        ("an empty signature", format!("{header}.{body}.")),
        ("a flipped signature", format!("{header}.{body}.{flipped}")),
        (
            "other claims",
            format!("{header}.{others_body}.{signature}"),
        ),
        (
            "the public key as a secret",
            hmac(key.public_bytes(), Algorithm::HS256),
        ),
        (
            "the published key as a secret",
            hmac(key.jwk().to_string().as_bytes(), Algorithm::HS512),
        ),
        ("an empty secret", hmac(b"", Algorithm::HS256)),
        (
            "a key in the header",
            encode(&with_key, &claims, stranger.signing()).unwrap(),
        ),
        ("an algorithm of another family", alone("RS256", json!({}))),
        (
            "an algorithm that is not allowed",
            alone("ES384", json!({})),
        ),
        ("an unknown algorithm", alone("ES999", json!({}))),
        (
            "a published key of an algorithm that is not allowed",
            Key::of("wide", Algorithm::ES384).sign(&claims),
        ),
        ("an extension", alone("ES256", json!({ "crit": ["exp"] }))),
        (
            "no key's name",
            by_hand(&json!({ "alg": "ES256" }), &claims, &[7; 64]),
        ),
        ("an unknown key", key.sign_as("second", &claims)),
    ];
    let mut refused = 0;
    for (attack, token) in attacks {
        let answer = verify(&oidc, &token).await;
        assert!(
            matches!(answer, Err(NotVerified::Refused { .. })),
            "{attack}: {answer:?}"
        );
        refused += 1;
    }
    assert_eq!(refused, 20);

    for malformed in [
        format!("{header}.{body}"),
        format!("{good}.{signature}"),
        format!("{header}.{body}!.{signature}"),
        format!("{good}{}", "x".repeat(16 * 1024)),
        "..".to_owned(),
        by_hand(&json!({ "kid": "first" }), &claims, &[]),
        by_hand(&json!({ "alg": "ES256" }), &json!("claims"), &[]),
    ] {
        let answer = verify(&oidc, &malformed).await;
        assert_eq!(answer, Err(NotVerified::Malformed), "{malformed:.80}");
    }
    assert!(verify(&oidc, &good).await.is_ok());
}

/// The classic confusion: an RSA key that everybody knows, taken for the secret of a symmetric signature.
#[tokio::test]
async fn an_rsa_key_from_a_file_signs_and_is_no_secret() {
    let stand_in = StandIn::start().await;
    let private = rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2048).unwrap();
    let public = private.to_public_key();
    let text = |number: &rsa::BigUint| {
        use base64::Engine as _;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(number.to_bytes_be())
    };
    let set = json!({ "keys": [
        { "kty": "RSA", "kid": "rsa", "alg": "RS256", "n": text(public.n()), "e": text(public.e()) },
    ]});
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), set.to_string()).unwrap();
    let oidc = taking(Options {
        keys: KeySource::File(file.path().to_owned()),
        algorithms: ["RS256", "PS256"]
            .map(|name| name.parse().unwrap())
            .to_vec(),
        ..options(&stand_in)
    });
    let pem = private.to_pkcs8_pem(LineEnding::LF).unwrap();
    let signing = EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap();
    let sign = |algorithm, key: &EncodingKey| {
        let mut header = Header::new(algorithm);
        header.kid = Some("rsa".to_owned());
        encode(&header, &stand_in.claims("ada"), key).unwrap()
    };
    assert!(
        verify(&oidc, &sign(Algorithm::RS256, &signing))
            .await
            .is_ok()
    );
    // The set says that this key signs otherwise.
    let other = problem(verify(&oidc, &sign(Algorithm::PS256, &signing)).await);
    assert!(other.contains("no key for this algorithm"), "{other}");
    let public = public.to_public_key_pem(LineEnding::LF).unwrap();
    for secret in [public.as_str(), public.trim()] {
        let secret = EncodingKey::from_secret(secret.as_bytes());
        let confused = problem(verify(&oidc, &sign(Algorithm::HS256, &secret)).await);
        assert!(confused.contains("algorithm is not allowed"), "{confused}");
    }
    assert_eq!(stand_in.asked(), 0);
}
