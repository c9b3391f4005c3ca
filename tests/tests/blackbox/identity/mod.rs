//! Principals, tokens, projects and memberships.

pub(crate) mod certificates;
pub(crate) mod issued;
pub(crate) mod linking;
pub(crate) mod oidc;
pub(crate) mod principals;
pub(crate) mod projects;
pub(crate) mod tokens;

use std::time::{Duration, Instant};

use slipway_api::errors::v1::ErrorReason;
use slipway_api::identity::v1::{WhoAmIRequest, WhoAmIResponse};
use slipway_tests::refusal::reason_of;
use slipway_tests::{Backend, Client, Granted, World};
use tonic::{Code, Status};

/// Who a caller is, in full.
pub(super) async fn who(client: &Client) -> WhoAmIResponse {
    client.identity().who_am_i(WhoAmIRequest {}).await.granted()
}

pub(super) async fn me(client: &Client) -> Result<String, Status> {
    let answer = client.identity().who_am_i(WhoAmIRequest {}).await?;
    Ok(answer
        .into_inner()
        .principal
        .unwrap_or_default()
        .principal_id)
}

/// The two servers of a cluster, and a caller on each with the same token. On SQLite there is one server.
pub(super) async fn on_every_server(
    world: &World,
    user: &Client,
    secret: &str,
) -> Vec<(Option<slipway_tests::Server>, Client)> {
    let mut callers = vec![(None, user.with_token(Some(secret)))];
    if world.server.backend == Backend::Postgres {
        let replica = world.server.replica().await;
        let client = replica.client(Some(secret)).await;
        callers.push((Some(replica), client));
    }
    callers
}

/// Asserts that within 5 seconds no caller gets in any more, each for this reason.
pub(super) async fn all_end(
    callers: &[(Option<slipway_tests::Server>, Client)],
    reason: ErrorReason,
) {
    let begun = Instant::now();
    for (_, caller) in callers {
        loop {
            match me(caller).await {
                Ok(_) => assert!(begun.elapsed() < Duration::from_secs(5), "still let in"),
                Err(status) => {
                    assert_eq!(status.code(), Code::Unauthenticated, "{status:?}");
                    let expected = slipway_tests::refusal::name(reason);
                    assert_eq!(reason_of(&status).as_deref(), Some(expected));
                    break;
                }
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}
