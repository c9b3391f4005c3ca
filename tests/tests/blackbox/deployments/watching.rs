//! Following a deployment.

use std::collections::BTreeMap;
use std::time::Duration;

use slipway_api::deployments::v1::{
    CancelDeploymentRequest, DeploymentState, ItemStatus, WatchDeploymentRequest,
};
use slipway_api::errors::v1::ErrorReason;
use slipway_api::identity::v1::{RemoveMemberRequest, Role};
use slipway_n8n_stand_in::{Fault, Injection, Options, StandIn};
use slipway_tests::world::workflow;
use slipway_tests::{Backend, Granted, Refused, World};
use tonic::Code;

use super::promotions::Way;
use crate::case::cases;

cases![
    a_watch_tells_what_changes_and_ends,
    a_doubt_ends_no_watch_and_a_lost_membership_does,
    a_repeated_cancel_changes_nothing,
];

fn watching(way: &Way, deployment: &str) -> WatchDeploymentRequest {
    WatchDeploymentRequest {
        project: way.project.slug.clone(),
        deployment: deployment.to_owned(),
    }
}

async fn a_watch_tells_what_changes_and_ends(backend: Backend) {
    let names: Vec<_> = (0..30).map(|n| format!("Flow {n}")).collect();
    let files: Vec<_> = names
        .iter()
        .map(|name| (name.as_str(), workflow(name)))
        .collect();
    let way = Way::new(backend, &files).await;
    let started = way.start().await;
    let mut deployments = way.project.admin.deployments();
    let request = watching(&way, &started.number.to_string());
    let mut watch = deployments
        .watch_deployment(request.clone())
        .await
        .granted();
    let mut items = BTreeMap::new();
    let mut last = None;
    let mut progress = Vec::new();
    while let Some(message) = watch.message().await.expect("goes on") {
        let deployment = message.deployment.expect("always there");
        assert!(deployment.items.is_empty());
        assert_eq!(deployment.counts.unwrap().total, 30);
        if items.is_empty() {
            assert_eq!(message.changed_items.len(), 30);
        }
        items.extend(
            message
                .changed_items
                .into_iter()
                .map(|item| (item.position, item)),
        );
        let told = message.progress.expect("always there");
        assert_eq!(told.step_count, 35);
        progress.push(told.over_count);
        last = Some(deployment);
    }
    let last = last.expect("at least one");
    assert_eq!(last.state(), DeploymentState::Succeeded, "{last:?}");
    assert!(
        progress.is_sorted() && progress.last() == Some(&35),
        "{progress:?}"
    );
    // What was told adds up to what is there.
    let over = way.get(&started.deployment_id).await;
    assert!(items.values().eq(&over.items), "{items:?}");
    assert!(
        over.items
            .iter()
            .all(|item| item.status() == ItemStatus::Succeeded)
    );

    // Of one that is over there is one message.
    let mut late = deployments.watch_deployment(request).await.granted();
    let only = late.message().await.expect("an answer").expect("one");
    assert_eq!(only.changed_items.len(), 30);
    assert_eq!(late.message().await.expect("an end"), None);
    let refused = deployments.watch_deployment(watching(&way, "99")).await;
    refused.refused(Code::NotFound, ErrorReason::DeploymentNotFound);
}

async fn a_doubt_ends_no_watch_and_a_lost_membership_does(backend: Backend) {
    let world = World::shared(backend).await;
    let n8n = StandIn::start(Options::default()).await;
    let way = Way::to_n8n(&world, &[("a", workflow("Orders"))], &n8n.url).await;
    n8n.inject(Injection::always("POST /workflows", Fault::DropBefore));
    let member = way.project.member(Role::Viewer).await;
    let started = way.start().await;
    let mut deployments = member.deployments();
    let request = watching(&way, &started.deployment_id);
    let mut watch = deployments.watch_deployment(request).await.granted();
    loop {
        let message = watch.message().await.expect("goes on").expect("not over");
        if message.deployment.unwrap().state() == DeploymentState::InDoubt {
            break;
        }
    }
    let more = tokio::time::timeout(Duration::from_millis(1_500), watch.message()).await;
    assert!(more.is_err(), "{more:?}");
    let remove = RemoveMemberRequest {
        project: way.project.slug.clone(),
        principal_id: member.principal_id.clone(),
        ..Default::default()
    };
    let mut identity = way.project.admin.identity();
    identity.remove_member(remove).await.granted();
    let end = tokio::time::timeout(Duration::from_secs(10), watch.message()).await;
    let refused = end.expect("in time").expect_err("not visible any more");
    assert_eq!(refused.code(), Code::NotFound, "{refused:?}");
}

async fn a_repeated_cancel_changes_nothing(backend: Backend) {
    let world = World::shared(backend).await;
    let n8n = StandIn::start(Options::default()).await;
    let way = Way::to_n8n(&world, &[("a", workflow("Orders"))], &n8n.url).await;
    // Slow enough to be stopped before it is over.
    n8n.latency(Duration::from_secs(1));
    let started = way.start().await;
    let cancel = CancelDeploymentRequest {
        project: way.project.slug.clone(),
        deployment: started.deployment_id.clone(),
        reason: "the wrong one".to_owned(),
        request_id: "stop".to_owned(),
    };
    let mut deployments = way.project.admin.deployments();
    let first = deployments.cancel_deployment(cancel.clone()).await;
    first.granted();
    n8n.behave();
    let over = way.over(&started).await;
    assert_eq!(over.state(), DeploymentState::Canceled, "{over:?}");
    let again = deployments.cancel_deployment(cancel.clone()).await;
    // The history is GetDeployment's alone.
    let over = slipway_api::deployments::v1::Deployment {
        history: Vec::new(),
        ..over
    };
    assert_eq!(again.granted().deployment.unwrap(), over);
    let other = CancelDeploymentRequest {
        reason: "another one".to_owned(),
        ..cancel
    };
    let refused = deployments.cancel_deployment(other).await;
    refused.refused(Code::InvalidArgument, ErrorReason::RequestIdReused);
}
