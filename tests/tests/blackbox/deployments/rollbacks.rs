//! Deployments undone, and restores planned.

use slipway_api::deployments::v1::{
    Deployment, DeploymentKind, DeploymentState, ItemChange, RollbackDeploymentRequest,
};
use slipway_api::errors::v1::ErrorReason;
use slipway_api::ledger::v1::{DeploymentRecord, ListDeploymentRecordsRequest, RecordKind};
use slipway_api::snapshots::v1::RestoreSnapshotRequest;
use slipway_n8n_stand_in::{Fault, Injection, Options, StandIn};
use slipway_tests::world::workflow;
use slipway_tests::{Backend, Granted, Refused, World};
use tonic::Code;

use super::promotions::Way;
use crate::case::cases;

cases![
    a_promotion_is_rolled_back_once,
    of_rollbacks_at_once_one_wins,
    what_came_later_stands_against_a_rollback,
    what_was_not_done_is_not_undone,
    a_restore_is_planned_and_can_be_undone,
];

fn rolling_back(way: &Way, deployment: &Deployment) -> RollbackDeploymentRequest {
    RollbackDeploymentRequest {
        project: way.project.slug.clone(),
        deployment: deployment.deployment_id.clone(),
        reason: "orders are lost".to_owned(),
        ..Default::default()
    }
}

async fn a_promotion_is_rolled_back_once(backend: Backend) {
    let way = Way::new(backend, &[("a", workflow("Orders"))]).await;
    let first = way.over(&way.start().await).await;
    way.write("b.json", &workflow("Mail"));
    let second = way.over(&way.start().await).await;
    assert_eq!(way.in_prod(), ["Mail.json", "Orders.json"]);

    let mut deployments = way.project.admin.deployments();
    let look = RollbackDeploymentRequest {
        validate_only: true,
        ..rolling_back(&way, &second)
    };
    let planned = deployments.rollback_deployment(look).await.granted();
    assert_eq!(planned.deployment, None);
    let plan = planned.plan.unwrap();
    let told: Vec<_> = plan
        .items
        .iter()
        .map(|item| (item.application.as_str(), item.change()))
        .collect();
    assert_eq!(told, [("Mail", ItemChange::Deleted)]);
    assert_eq!((plan.source.as_str(), plan.problems.len()), ("prod", 0));
    let removed = &plan.warnings[0];
    assert_eq!(removed.reason, "WORKFLOW_DELETED");
    let because = "because the snapshot does not have it";
    assert!(removed.message.ends_with(because), "{removed:?}");
    assert_eq!(way.in_prod(), ["Mail.json", "Orders.json"]);

    let once = RollbackDeploymentRequest {
        request_id: "back".to_owned(),
        ..rolling_back(&way, &second)
    };
    let asked = deployments
        .rollback_deployment(once.clone())
        .await
        .granted();
    let rollback = way.over(&asked.deployment.unwrap()).await;
    assert_eq!(rollback.state(), DeploymentState::Succeeded, "{rollback:?}");
    assert_eq!(rollback.kind(), DeploymentKind::Rollback);
    assert_eq!(rollback.reason, "orders are lost");
    assert_eq!(way.in_prod(), ["Orders.json"]);
    let undone = way.get(&second.deployment_id).await;
    assert_eq!(undone.state(), DeploymentState::RolledBack);
    assert_eq!(undone.rolled_back_by_id, rollback.deployment_id);
    let again = deployments.rollback_deployment(once).await.granted();
    assert_eq!(again.deployment.unwrap().number, rollback.number);
    let records = way.project.history(ListDeploymentRecordsRequest {
        application: "Mail".to_owned(),
        ..Default::default()
    });
    let kinds: Vec<_> = records.await.iter().map(DeploymentRecord::kind).collect();
    assert_eq!(kinds, [RecordKind::Removed, RecordKind::Deployed]);

    for (deployment, reason, words) in [
        (
            &second,
            ErrorReason::UndoneAlready,
            "#3 undid deployment #2",
        ),
        (
            &rollback,
            ErrorReason::DeploymentNotReversible,
            "it is a rollback itself",
        ),
    ] {
        let refused = deployments.rollback_deployment(rolling_back(&way, deployment));
        let refused = refused.await.refused(Code::FailedPrecondition, reason);
        assert!(refused.message().contains(words), "{refused:?}");
    }
    // What came later is undone, so that nothing stands against this any more.
    let asked = deployments.rollback_deployment(rolling_back(&way, &first));
    let asked = asked.await.granted().deployment.unwrap();
    let rollback = way.over(&asked).await;
    assert_eq!(rollback.state(), DeploymentState::Succeeded, "{rollback:?}");
    assert!(way.in_prod().is_empty());
}

async fn of_rollbacks_at_once_one_wins(backend: Backend) {
    let way = Way::new(backend, &[("a", workflow("Orders"))]).await;
    let done = way.over(&way.start().await).await;
    let attempts = (0..6).map(|_| async {
        let mut deployments = way.project.admin.deployments();
        deployments
            .rollback_deployment(rolling_back(&way, &done))
            .await
    });
    let mut won = Vec::new();
    for answer in futures_util::future::join_all(attempts).await {
        match answer {
            Ok(answer) => won.extend(answer.into_inner().deployment),
            refused => drop(refused.refused(Code::FailedPrecondition, ErrorReason::UndoneAlready)),
        }
    }
    assert_eq!(won.len(), 1);
    way.over(&won[0]).await;
    assert!(way.in_prod().is_empty());
}

async fn what_came_later_stands_against_a_rollback(backend: Backend) {
    let way = Way::new(backend, &[("a", workflow("Orders"))]).await;
    let first = way.over(&way.start().await).await;
    let mut changed = workflow("Orders");
    changed["nodes"][0]["position"] = serde_json::json!([7, 7]);
    way.write("a.json", &changed);
    let second = way.over(&way.start().await).await;
    assert_eq!(second.state(), DeploymentState::Succeeded, "{second:?}");
    let mut deployments = way.project.admin.deployments();
    for validate_only in [false, true] {
        let refused = deployments.rollback_deployment(RollbackDeploymentRequest {
            validate_only,
            ..rolling_back(&way, &first)
        });
        let refused = refused
            .await
            .refused(Code::FailedPrecondition, ErrorReason::LaterDeployments);
        let named = format!("#{} wrote", second.number);
        assert!(refused.message().contains(&named), "{refused:?}");
    }
}

async fn what_was_not_done_is_not_undone(backend: Backend) {
    let world = World::shared(backend).await;
    let n8n = StandIn::start(Options::default()).await;
    let way = Way::to_n8n(&world, &[("a", workflow("Orders"))], &n8n.url).await;
    n8n.inject(Injection::always("POST /workflows", Fault::Html(403)));
    let over = way.over(&way.start().await).await;
    assert_eq!(over.state(), DeploymentState::Failed, "{over:?}");
    let mut deployments = way.project.admin.deployments();
    let refused = deployments.rollback_deployment(rolling_back(&way, &over));
    refused.await.refused(
        Code::FailedPrecondition,
        ErrorReason::DeploymentNotReversible,
    );
    let absent = deployments.rollback_deployment(RollbackDeploymentRequest {
        deployment: "99".to_owned(),
        ..rolling_back(&way, &over)
    });
    absent
        .await
        .refused(Code::NotFound, ErrorReason::DeploymentNotFound);
}

async fn a_restore_is_planned_and_can_be_undone(backend: Backend) {
    let way = Way::new(backend, &[("a", workflow("Orders"))]).await;
    let empty = way.backup("nothing yet").await;
    let done = way.over(&way.start().await).await;
    assert_eq!(done.state(), DeploymentState::Succeeded, "{done:?}");
    let restoring = |validate_only| RestoreSnapshotRequest {
        project: way.project.slug.clone(),
        snapshot_id: empty.snapshot_id.clone(),
        validate_only,
        ..Default::default()
    };
    let mut snapshots = way.project.admin.snapshots();
    let planned = snapshots.restore_snapshot(restoring(true)).await.granted();
    assert_eq!(planned.deployment, None);
    let items = planned.plan.unwrap().items;
    assert_eq!(items[0].change(), ItemChange::Deleted);
    assert_eq!(way.in_prod(), ["Orders.json"]);
    let asked = snapshots.restore_snapshot(restoring(false)).await.granted();
    assert_eq!(asked.plan, None);
    let restored = way.over(&asked.deployment.unwrap()).await;
    assert_eq!(restored.state(), DeploymentState::Succeeded, "{restored:?}");
    assert!(way.in_prod().is_empty());
    let mut deployments = way.project.admin.deployments();
    let asked = deployments.rollback_deployment(rolling_back(&way, &restored));
    let rollback = way.over(&asked.await.granted().deployment.unwrap()).await;
    assert_eq!(rollback.state(), DeploymentState::Succeeded, "{rollback:?}");
    assert_eq!(way.in_prod(), ["Orders.json"]);
}
