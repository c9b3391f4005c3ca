//! The server as a process: what stays after a restart, how it stops, what others may ask of it.

use std::time::Duration;

use slipway_api::catalog::v1::{CreateVersionRequest, GetVersionRequest};
use slipway_api::errors::v1::ErrorReason;
use slipway_api::identity::v1::WhoAmIRequest;
use slipway_api::ledger::v1::{ListDeploymentRecordsRequest, WatchCurrentStateRequest};
use slipway_tests::contract::methods;
use slipway_tests::raw::Bare;
use slipway_tests::world::report;
use slipway_tests::{Backend, Granted, Refused, Server, World};
use tonic::{Code, Request};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::case::cases;

cases![
    all_is_there_after_a_restart,
    sigterm_ends_watches_and_then_the_process,
    a_server_that_believes_to_be_alone_is,
    health_needs_no_token,
    strangers_are_refused_before_their_messages_arrive,
];

async fn all_is_there_after_a_restart(backend: Backend) {
    let mut world = World::own(backend).await;
    let mut project = world.project().await;
    project.application("app").await;
    project
        .admin
        .applications()
        .create_version(CreateVersionRequest {
            project: project.slug.clone(),
            application: "app".to_owned(),
            identifier: "1".to_owned(),
            content: Some("kept".into()),
            ..Default::default()
        })
        .await
        .granted();
    let record = project.record(report("app", "1", "prod")).await;
    world.server.kill().await;
    world.server.restart().await;
    project.admin = world.server.admin().await;
    let history = project
        .history(ListDeploymentRecordsRequest::default())
        .await;
    assert_eq!(history, [record]);
    let version = project
        .admin
        .applications()
        .get_version(GetVersionRequest {
            project: project.slug.clone(),
            application: "app".to_owned(),
            version: "1".to_owned(),
            include_content: true,
        })
        .await
        .granted();
    assert_eq!(version.version.unwrap().content, "kept");
}

async fn sigterm_ends_watches_and_then_the_process(backend: Backend) {
    let mut world = World::own(backend).await;
    let project = world.project().await;
    project.record(report("app", "1", "prod")).await;
    let mut stream = project
        .admin
        .ledger()
        .watch_current_state(WatchCurrentStateRequest {
            project: project.slug.clone(),
            ..Default::default()
        })
        .await
        .granted();
    for _ in 0..2 {
        stream.message().await.unwrap().unwrap();
    }
    let (status, end) = tokio::join!(world.server.terminate(), stream.message());
    assert!(status.success(), "{status}");
    end.map(tonic::Response::new)
        .refused(Code::Unavailable, ErrorReason::ShuttingDown);
}

async fn a_server_that_believes_to_be_alone_is(backend: Backend) {
    let server = Server::start(backend).await;
    let elsewhere = tempfile::tempdir().unwrap();
    let state = elsewhere.path().display().to_string();
    let (settings, words) = match backend {
        Backend::Sqlite => (vec![], "another server runs on"),
        Backend::Postgres => (
            vec![
                ("SLIPWAY__CLUSTER", "false"),
                ("SLIPWAY__STATE__DIR", &*state),
            ],
            "cluster = true",
        ),
    };
    let output = server.neighbour(&settings).await;
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{told}");
    assert!(told.contains(words), "{told}");
    server
        .admin()
        .await
        .identity()
        .who_am_i(WhoAmIRequest {})
        .await
        .granted();
}

async fn health_needs_no_token(backend: Backend) {
    let world = World::shared(backend).await;
    let mut health = HealthClient::new(world.server.channel().await);
    for service in ["", "slipway.ledger.v1.LedgerService"] {
        let request = HealthCheckRequest {
            service: service.to_owned(),
        };
        let answer = tokio::time::timeout(Duration::from_secs(5), health.check(request))
            .await
            .unwrap()
            .granted();
        assert_eq!(answer.status(), ServingStatus::Serving);
    }
}

/// Else anybody could hold all places for calls, and have the server keep a message for each.
async fn strangers_are_refused_before_their_messages_arrive(backend: Backend) {
    let world = World::shared(backend).await;
    let stranger = world.server.client(None).await;
    for method in methods() {
        let mut grpc = tonic::client::Grpc::new(stranger.wire());
        grpc.ready().await.unwrap();
        let path = format!("/{}", method.path).parse().unwrap();
        let unending = Request::new(tokio_stream::pending());
        let call = grpc.streaming(unending, path, Bare);
        let answer = tokio::time::timeout(Duration::from_secs(10), call).await;
        let answer = answer.unwrap_or_else(|_| panic!("{} waits for a message", method.path));
        assert_eq!(answer.unwrap_err().code(), Code::Unauthenticated);
    }
}
