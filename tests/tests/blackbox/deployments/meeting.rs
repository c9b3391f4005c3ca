//! Deployments of one environment that meet, and deployments that are stopped while they run.

use std::time::Duration;

use slipway_api::deployments::v1::{
    CancelDeploymentRequest, Deployment, DeploymentState, FailurePolicy, Gates, ItemStatus,
};
use slipway_api::snapshots::v1::RestoreSnapshotRequest;
use slipway_n8n_stand_in::{Fault, Injection};
use slipway_tests::clock::to_micros;
use slipway_tests::{Backend, Granted};

use super::floor::{Floor, Target};
use crate::case::cases;

cases![
    a_promotion_of_another_workflow_waits_and_runs,
    a_promotion_of_the_same_workflow_stops_at_preflight,
    a_restore_waits_for_a_promotion_and_runs,
    what_is_canceled_while_it_runs_stops_behind_its_step,
];

/// A promotion that is held while it makes a workflow.
async fn held(floor: &Floor, target: &Target, workflows: &[&str]) -> Deployment {
    let injection = Injection::once("POST /workflows", Fault::HoldBefore);
    target.engine.inject(injection);
    let first = floor.start(target, workflows).await;
    target.engine.held().await;
    assert_eq!(floor.get(&first).await.state(), DeploymentState::Running);
    first
}

/// It stays queued for longer than executors sleep.
async fn stays_queued(floor: &Floor, deployment: &Deployment) {
    for _ in 0..4 {
        let found = floor.get(deployment).await;
        assert_eq!(found.state(), DeploymentState::Queued, "{found:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn began_after(second: &Deployment, first: &Deployment) -> bool {
    to_micros(second.started_time.unwrap()) >= to_micros(first.finished_time.unwrap())
}

async fn a_promotion_of_another_workflow_waits_and_runs(backend: Backend) {
    let floor = Floor::new(backend, &[]).await;
    let target = floor.target(Gates::default()).await;
    let first = held(&floor, &target, &["Mail"]).await;
    let second = floor.start(&target, &["Quiet"]).await;
    stays_queued(&floor, &second).await;
    target.engine.release();
    let (first, second) = (floor.over(&first).await, floor.over(&second).await);
    assert_eq!(first.state(), DeploymentState::Succeeded, "{first:?}");
    assert_eq!(second.state(), DeploymentState::Succeeded, "{second:?}");
    assert!(began_after(&second, &first));
    for name in ["Mail", "Quiet"] {
        assert_eq!(target.picture()[name], floor.source()[name]);
    }
}

async fn a_promotion_of_the_same_workflow_stops_at_preflight(backend: Backend) {
    let floor = Floor::new(backend, &[]).await;
    let target = floor.target(Gates::default()).await;
    let first = held(&floor, &target, &["Mail"]).await;
    let second = floor.start(&target, &["Mail"]).await;
    stays_queued(&floor, &second).await;
    target.engine.release();
    let first = floor.over(&first).await;
    assert_eq!(first.state(), DeploymentState::Succeeded, "{first:?}");
    let second = floor.over(&second).await;
    assert_eq!(second.state(), DeploymentState::Failed, "{second:?}");
    assert_eq!(second.problem.unwrap().reason, "NOTHING_TO_DO");
    assert_eq!(second.items[0].status(), ItemStatus::Skipped);
    assert!(second.pre_snapshot_id.is_empty() && second.post_snapshot_id.is_empty());
    // One made it and one switched it on.
    assert_eq!(
        target.engine.effects().len(),
        2,
        "{:?}",
        target.engine.effects()
    );
}

async fn a_restore_waits_for_a_promotion_and_runs(backend: Backend) {
    let floor = Floor::new(backend, &[]).await;
    let target = floor.target(Gates::default()).await;
    let backup = floor.project.backup(&target.environment).await;
    let first = held(&floor, &target, &[]).await;
    let request = RestoreSnapshotRequest {
        project: floor.project.slug.clone(),
        snapshot_id: backup.snapshot_id,
        ..Default::default()
    };
    let mut snapshots = floor.project.admin.snapshots();
    let restore = snapshots.restore_snapshot(request).await.granted();
    let restore = restore.deployment.unwrap();
    stays_queued(&floor, &restore).await;
    target.engine.release();
    let (first, restore) = (floor.over(&first).await, floor.over(&restore).await);
    assert_eq!(first.state(), DeploymentState::Succeeded, "{first:?}");
    assert_eq!(restore.state(), DeploymentState::Succeeded, "{restore:?}");
    assert!(began_after(&restore, &first));
    assert_eq!(target.picture(), target.before);
}

async fn what_is_canceled_while_it_runs_stops_behind_its_step(backend: Backend) {
    let floor = Floor::new(backend, &[]).await;
    for (on_failure, of_mail) in [
        (FailurePolicy::Compensate, ItemStatus::Compensated),
        (FailurePolicy::Keep, ItemStatus::Succeeded),
    ] {
        let target = floor
            .target(Gates {
                on_failure: on_failure.into(),
                ..Gates::default()
            })
            .await;
        // Orders calls Mail, so that it comes behind it.
        let running = held(&floor, &target, &["Mail", "Orders"]).await;
        let request = CancelDeploymentRequest {
            project: floor.project.slug.clone(),
            deployment: running.deployment_id.clone(),
            reason: "not now".to_owned(),
            ..Default::default()
        };
        let mut deployments = floor.project.admin.deployments();
        deployments.cancel_deployment(request).await.granted();
        target.engine.release();
        let canceled = floor.over(&running).await;
        assert_eq!(canceled.state(), DeploymentState::Canceled, "{canceled:?}");
        let statuses: Vec<_> = canceled
            .items
            .iter()
            .map(|item| (item.application.as_str(), item.status()))
            .collect();
        assert_eq!(
            statuses,
            [("Mail", of_mail), ("Orders", ItemStatus::Skipped)]
        );
        let there = target.picture();
        assert_eq!(there["Orders"], target.before["Orders"]);
        let kept = on_failure == FailurePolicy::Keep;
        assert_eq!(there.contains_key("Mail"), kept);
        if kept {
            let recorded = floor.project.cell("Mail", &target.environment).await;
            assert!(recorded.is_some());
        }
    }
}
