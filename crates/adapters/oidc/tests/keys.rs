//! Keys that change, that can't be had, and about which somebody lies.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use slipway_identity::NotVerified;
use slipway_issuer_stand_in::{Answer, Key, StandIn};
use slipway_oidc::{KeySource, Options};
use support::{options, problem, taking, usual, verify};

/// A little longer than the pause between two questions.
const PAUSE: Duration = Duration::from_millis(1_100);

#[tokio::test]
async fn new_keys_are_found_and_old_ones_forgotten() {
    let stand_in = StandIn::start().await;
    let oidc = taking(options(&stand_in));
    let old = stand_in.token("ada", &usual());
    assert!(verify(&oidc, &old).await.is_ok());
    stand_in.rotate(Key::new("second"));
    let new = stand_in.token("ada", &usual());
    let too_soon = problem(verify(&oidc, &new).await);
    assert!(
        too_soon.contains("try again in a few seconds"),
        "{too_soon}"
    );
    assert_eq!(stand_in.asked(), 1);
    tokio::time::sleep(PAUSE).await;
    assert!(verify(&oidc, &new).await.is_ok());
    assert!(problem(verify(&oidc, &old).await).contains("no key"));
    assert_eq!(stand_in.asked(), 2);
}

#[tokio::test]
async fn many_at_once_ask_once() {
    let stand_in = StandIn::start().await;
    stand_in.answer(Answer::Slow(Duration::from_millis(200)));
    let oidc = Arc::new(taking(options(&stand_in)));
    let token = stand_in.token("ada", &usual());
    let all: Vec<_> = (0..100)
        .map(|_| {
            let (oidc, token) = (Arc::clone(&oidc), token.clone());
            tokio::spawn(async move { verify(&oidc, &token).await })
        })
        .collect();
    for one in all {
        assert!(one.await.unwrap().is_ok());
    }
    assert_eq!(stand_in.asked(), 1);
}

#[tokio::test]
async fn a_storm_of_unknown_keys_asks_once_in_a_pause() {
    let stand_in = StandIn::start().await;
    let oidc = Arc::new(taking(options(&stand_in)));
    let key = stand_in.key();
    let claims = stand_in.claims("ada");
    assert!(verify(&oidc, &key.sign(&claims)).await.is_ok());
    tokio::time::sleep(PAUSE).await;
    let begun = std::time::Instant::now();
    let all: Vec<_> = (0..1_000)
        .map(|n| {
            let (oidc, token) = (Arc::clone(&oidc), key.sign_as(&format!("key-{n}"), &claims));
            tokio::spawn(async move { verify(&oidc, &token).await })
        })
        .collect();
    for one in all {
        assert!(problem(one.await.unwrap()).contains("no key"));
    }
    let pauses = usize::try_from(begun.elapsed().as_secs()).unwrap();
    assert!(
        stand_in.asked() <= 2 + pauses,
        "asked {} times",
        stand_in.asked()
    );
}

/// Who hangs up leaves its question to the next one, rather than have that one ask anew.
#[tokio::test]
async fn a_storm_of_callers_who_hang_up_asks_no_more() {
    let stand_in = StandIn::start().await;
    stand_in.answer(Answer::Slow(Duration::from_millis(400)));
    let oidc = Arc::new(taking(options(&stand_in)));
    let token = stand_in.token("ada", &usual());
    for _ in 0..50 {
        let verifying = verify(&oidc, &token);
        let left = tokio::time::timeout(Duration::from_millis(2), verifying).await;
        assert!(left.is_err());
    }
    assert!(verify(&oidc, &token).await.is_ok());
    assert_eq!(stand_in.asked(), 1);
}

#[tokio::test]
async fn no_lie_brings_keys_and_the_last_ones_go_on() {
    let lies = [
        Answer::Down,
        Answer::Redirect,
        Answer::Html,
        Answer::Huge,
        Answer::Slow(Duration::from_secs(30)),
        Answer::Text(String::new()),
        Answer::Text("{\"keys\":[]}".to_owned()),
        Answer::Text("{\"keys\":{}}".to_owned()),
        Answer::Text("[".repeat(10_000)),
    ];
    for lie in lies {
        let stand_in = StandIn::start().await;
        let token = stand_in.token("ada", &usual());
        stand_in.answer(lie.clone());
        let cold = taking(options(&stand_in));
        let unavailable = NotVerified::Unavailable {
            issuer: stand_in.issuer.clone(),
        };
        assert_eq!(
            verify(&cold, &token).await,
            Err(unavailable.clone()),
            "{lie:?}"
        );
        assert_eq!(verify(&cold, &token).await, Err(unavailable), "{lie:?}");
        assert_eq!(stand_in.asked(), 1, "{lie:?}");

        stand_in.answer(Answer::Keys);
        let warm = taking(Options {
            refresh_interval: Duration::from_secs(1),
            ..options(&stand_in)
        });
        assert!(verify(&warm, &token).await.is_ok(), "{lie:?}");
        stand_in.answer(lie.clone());
        tokio::time::sleep(PAUSE).await;
        // Old keys are asked for anew aside, and nobody waits for that.
        for _ in 0..3 {
            let begun = std::time::Instant::now();
            assert!(verify(&warm, &token).await.is_ok(), "{lie:?}");
            assert!(begun.elapsed() < Duration::from_millis(300), "{lie:?}");
        }
        // A key that is unknown can't be told from one that is new.
        let unknown = stand_in.key().sign_as("second", &stand_in.claims("ada"));
        let answer = verify(&warm, &unknown).await;
        assert!(
            matches!(answer, Err(NotVerified::Unavailable { .. })),
            "{lie:?}: {answer:?}"
        );
    }
}

#[tokio::test]
async fn an_issuer_that_cannot_be_reached_is_unavailable_and_found_again() {
    let stand_in = StandIn::start().await;
    let token = stand_in.token("ada", &usual());
    let file = tempfile::tempdir().unwrap();
    let path = file.path().join("keys.json");
    let oidc = taking(Options {
        keys: KeySource::File(path.clone()),
        ..options(&stand_in)
    });
    let answer = verify(&oidc, &token).await;
    assert!(matches!(answer, Err(NotVerified::Unavailable { .. })));
    let set = serde_json::json!({ "keys": [stand_in.key().jwk()] });
    std::fs::write(&path, set.to_string()).unwrap();
    tokio::time::sleep(PAUSE).await;
    assert!(verify(&oidc, &token).await.is_ok());
}
