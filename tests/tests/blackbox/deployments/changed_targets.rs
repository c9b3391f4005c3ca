//! Environments that become others between asking for a deployment and its end.

use std::path::Path;
use std::time::Duration;

use slipway_api::catalog::v1::{ArchiveEnvironmentRequest, UpdateEnvironmentRequest};
use slipway_api::deployments::v1::{
    Deployment, DeploymentState, ItemStatus, StartPromotionRequest,
};
use slipway_api::errors::v1::ErrorReason;
use slipway_api::identity::v1::Role;
use slipway_api::snapshots::v1::RestoreSnapshotRequest;
use slipway_n8n_stand_in::{Options, StandIn};
use slipway_tests::world::{directory, workflow};
use slipway_tests::{Backend, Granted, Project, Refused, World};
use tonic::Code;

use super::approvals::Gate;
use super::promotions::Way;
use crate::case::cases;

cases![
    an_approval_does_not_reach_another_engine,
    an_engine_is_not_replaced_while_it_is_written_to,
    what_waits_for_an_archived_environment_touches_nothing,
    what_is_made_anew_takes_nobody_elses_place,
];

fn moving(project: &Project, folder: &Path) -> UpdateEnvironmentRequest {
    UpdateEnvironmentRequest {
        project: project.slug.clone(),
        environment: "prod".to_owned(),
        workflow_engine: Some(directory(folder)),
        update_mask: Some(prost_types::FieldMask {
            paths: vec!["workflow_engine".to_owned()],
        }),
        ..Default::default()
    }
}

async fn archive(project: &Project) {
    let request = ArchiveEnvironmentRequest {
        project: project.slug.clone(),
        environment: "prod".to_owned(),
        ..Default::default()
    };
    let mut environments = project.admin.environments();
    environments.archive_environment(request).await.granted();
}

fn is_empty(folder: &Path) -> bool {
    let shown = |entry: std::io::Result<std::fs::DirEntry>| {
        !entry
            .unwrap()
            .file_name()
            .to_string_lossy()
            .starts_with('.')
    };
    !std::fs::read_dir(folder).unwrap().any(shown)
}

fn reason(deployment: &Deployment) -> &str {
    deployment
        .problem
        .as_ref()
        .map_or("", |problem| &problem.reason)
}

async fn an_approval_does_not_reach_another_engine(backend: Backend) {
    let world = World::shared(backend).await;
    let gate = Gate::new(backend).await;
    let asker = gate.project.member(Role::Admin).await;
    let snapshot = gate.project.backup("prod").await;
    let promotion = gate.start_as(&asker).await;
    let restoring = RestoreSnapshotRequest {
        project: gate.project.slug.clone(),
        snapshot_id: snapshot.snapshot_id,
        ..Default::default()
    };
    let answer = asker.snapshots().restore_snapshot(restoring).await;
    let restore = answer.granted().deployment.unwrap();
    let elsewhere = world.server.workflows(&[("extra", workflow("Extra"))]);
    let moved = asker
        .environments()
        .update_environment(moving(&gate.project, &elsewhere))
        .await;
    moved.granted();
    let mut approvals = gate.approver.approvals();
    for deployment in [&promotion, &restore] {
        approvals.approve(gate.approval(deployment)).await.granted();
    }
    // What nobody agreed to is asked again, with the digest of what would happen now.
    let again = gate.until(&promotion, |found| {
        found.state() == DeploymentState::PendingApproval
    });
    assert_ne!(again.await.plan_digest, promotion.plan_digest);
    let restore = gate.over(&restore).await;
    assert_eq!(restore.state(), DeploymentState::Failed, "{restore:?}");
    assert_eq!(reason(&restore), "PLAN_CHANGED");
    let left: Vec<_> = std::fs::read_dir(&elsewhere)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert!(left.contains(&"extra.json".into()), "{left:?}");
    assert!(!left.contains(&"Orders.json".into()), "{left:?}");
}

async fn an_engine_is_not_replaced_while_it_is_written_to(backend: Backend) {
    let world = World::shared(backend).await;
    let n8n = StandIn::start(Options::default()).await;
    let names: Vec<_> = (0..20).map(|number| format!("Workflow {number}")).collect();
    let documents: Vec<_> = names
        .iter()
        .map(|name| (name.as_str(), workflow(name)))
        .collect();
    let way = Way::to_n8n(&world, &documents, &n8n.url).await;
    n8n.latency(Duration::from_millis(100));
    let started = way.start().await;
    let begun = |found: &Deployment| {
        let mut items = found.items.iter();
        items.any(|item| item.status() == ItemStatus::Succeeded)
    };
    while !begun(&way.get(&started.deployment_id).await) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let elsewhere = world.server.workflows(&[]);
    let mut environments = way.project.admin.environments();
    let refused = environments
        .update_environment(moving(&way.project, &elsewhere))
        .await;
    refused.refused(Code::FailedPrecondition, ErrorReason::EnvironmentInUse);
    n8n.behave();
    let over = way.over(&started).await;
    assert_eq!(over.state(), DeploymentState::Succeeded, "{over:?}");
    assert_eq!(n8n.ids().len(), names.len());
    let moved = environments
        .update_environment(moving(&way.project, &elsewhere))
        .await;
    moved.granted();
    assert!(is_empty(&elsewhere));
}

async fn what_waits_for_an_archived_environment_touches_nothing(backend: Backend) {
    let gate = Gate::new(backend).await;
    let promotion = gate.start().await;
    let snapshot = gate.project.backup("prod").await;
    let restoring = RestoreSnapshotRequest {
        project: gate.project.slug.clone(),
        snapshot_id: snapshot.snapshot_id,
        ..Default::default()
    };
    let mut snapshots = gate.project.admin.snapshots();
    let asked = snapshots.restore_snapshot(restoring).await.granted();
    archive(&gate.project).await;
    let mut approvals = gate.approver.approvals();
    for deployment in [promotion, asked.deployment.unwrap()] {
        let approval = gate.approval(&deployment);
        approvals.approve(approval).await.granted();
        let over = gate.over(&deployment).await;
        assert_eq!(over.state(), DeploymentState::Failed, "{over:?}");
        assert_eq!(reason(&over), "ENVIRONMENT_ARCHIVED");
        assert_eq!(gate.in_prod(), 0);
    }

    let world = World::shared(backend).await;
    let n8n = StandIn::start(Options::default()).await;
    let documents = [("a", workflow("Orders")), ("b", workflow("Mail"))];
    let way = Way::to_n8n(&world, &documents, &n8n.url).await;
    n8n.latency(Duration::from_millis(300));
    let mut deployments = way.project.admin.deployments();
    let mut waiting = Vec::new();
    for key in ["Orders", "Mail"] {
        let chosen = StartPromotionRequest {
            workflows: vec![key.to_owned()],
            ..way.starting()
        };
        let started = deployments.start_promotion(chosen).await.granted();
        waiting.extend(started.deployment);
    }
    archive(&way.project).await;
    n8n.behave();
    way.over(&waiting[0]).await;
    let second = way.over(&waiting[1]).await;
    assert_eq!(second.state(), DeploymentState::Failed, "{second:?}");
    assert_eq!(reason(&second), "ENVIRONMENT_ARCHIVED");
}

/// Names that become the same file: whichever is made first gets it.
async fn what_is_made_anew_takes_nobody_elses_place(backend: Backend) {
    let names: Vec<_> = (0..16).map(|number| "?".repeat(number + 1)).collect();
    let files: Vec<_> = (0..names.len())
        .map(|number| format!("f{number}"))
        .collect();
    let documents: Vec<_> = files
        .iter()
        .zip(&names)
        .map(|(file, name)| (file.as_str(), workflow(name)))
        .collect();
    let way = Way::new(backend, &documents).await;
    let done = way.over(&way.start().await).await;
    assert_eq!(done.state(), DeploymentState::Succeeded, "{done:?}");
    let then = way.project.backup("prod").await;
    for round in 0..4 {
        for file in way.in_prod() {
            std::fs::remove_file(way.prod.join(file)).unwrap();
        }
        let restoring = RestoreSnapshotRequest {
            project: way.project.slug.clone(),
            snapshot_id: then.snapshot_id.clone(),
            ..Default::default()
        };
        let mut snapshots = way.project.admin.snapshots();
        let asked = snapshots.restore_snapshot(restoring).await.granted();
        let restored = way.over(&asked.deployment.unwrap()).await;
        assert_eq!(
            restored.state(),
            DeploymentState::Succeeded,
            "{round}: {restored:?}"
        );
        let now = way.project.backup("prod").await;
        assert_eq!(now.content_hash, then.content_hash);
    }
}
