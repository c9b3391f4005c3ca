//! Who took a wrong step is told the right one.

use slipway_api::approvals::v1::ApproveRequest;
use slipway_api::audit::v1::{AuditEventFilter, AuditOutcome};
use slipway_api::catalog::v1::LinkWorkflowRequest;
use slipway_api::deployments::v1::{
    CancelDeploymentRequest, Deployment, DeploymentState, ItemChange, PlanPromotionRequest,
};
use slipway_api::errors::v1::ErrorReason;
use slipway_api::snapshots::v1::GetSnapshotWorkflowRequest;
use slipway_tests::world::workflow;
use slipway_tests::{Backend, Granted, Refused};
use tonic::Code;

use super::promotions::Way;
use crate::audit::{events, of};
use crate::case::cases;

cases![
    a_deployment_has_one_name_in_the_audit_trail,
    a_renamed_file_can_be_linked,
    a_name_in_place_of_a_key_is_recognised,
    what_cannot_be_done_names_what_can,
];

/// A way with a promotion that succeeded.
async fn promoted(backend: Backend) -> (Way, Deployment) {
    let way = Way::new(backend, &[("a", workflow("Orders"))]).await;
    let done = way.over(&way.start().await).await;
    assert_eq!(done.state(), DeploymentState::Succeeded, "{done:?}");
    (way, done)
}

fn canceling(way: &Way, deployment: &Deployment) -> CancelDeploymentRequest {
    CancelDeploymentRequest {
        project: way.project.slug.clone(),
        deployment: deployment.number.to_string(),
        reason: "the wrong one".to_owned(),
        ..Default::default()
    }
}

async fn a_deployment_has_one_name_in_the_audit_trail(backend: Backend) {
    let (way, done) = promoted(backend).await;
    let mut deployments = way.project.admin.deployments();
    let refused = deployments.cancel_deployment(canceling(&way, &done)).await;
    refused.refused(
        Code::FailedPrecondition,
        ErrorReason::DeploymentNotCancelable,
    );
    let about = async |name: &str| {
        let filter = AuditEventFilter {
            resource_type: "deployment".to_owned(),
            resource_name: name.to_owned(),
            ..of(&way.project)
        };
        events(&way.project.admin, filter, 0).await
    };
    let all = about(&done.deployment_id).await;
    let outcomes: Vec<_> = all
        .iter()
        .map(|event| (event.command.as_str(), event.outcome()))
        .collect();
    let refused = ("CancelDeployment", AuditOutcome::Refused);
    assert_eq!(outcomes.first(), Some(&refused), "{all:#?}");
    let asked = ("StartPromotion", AuditOutcome::Allowed);
    assert_eq!(outcomes.last(), Some(&asked), "{all:#?}");
    assert_eq!(about(&done.number.to_string()).await, all);
    assert!(about("7").await.is_empty());
}

async fn a_renamed_file_can_be_linked(backend: Backend) {
    let (way, _) = promoted(backend).await;
    std::fs::rename(way.dev.join("a.json"), way.dev.join("b.json")).unwrap();
    let plan = way.plan().await;
    let deleted = plan.warnings.iter();
    let deleted: Vec<_> = deleted
        .filter(|told| told.reason == "WORKFLOW_DELETED")
        .collect();
    assert_eq!(deleted.len(), 1, "{plan:?}");
    let way_on = "give that one its key by LinkWorkflow";
    assert!(deleted[0].message.contains(way_on), "{deleted:?}");
    let link = LinkWorkflowRequest {
        project: way.project.slug.clone(),
        environment: "dev".to_owned(),
        key: "Orders".to_owned(),
        workflow_id: "b".to_owned(),
        ..Default::default()
    };
    let mut environments = way.project.admin.environments();
    environments.link_workflow(link).await.granted();
    let linked = way.plan().await;
    assert_eq!(linked.items.len(), 1, "{linked:?}");
    assert_eq!(linked.items[0].change(), ItemChange::Unchanged);
}

async fn a_name_in_place_of_a_key_is_recognised(backend: Backend) {
    let way = Way::new(backend, &[("Take_orders", workflow("Take orders"))]).await;
    let mut deployments = way.project.admin.deployments();
    let by_file = PlanPromotionRequest {
        workflows: vec!["Take_orders".to_owned()],
        ..way.planning()
    };
    let plan = deployments.plan_promotion(by_file).await.granted();
    let problem = &plan.plan.unwrap().problems[0];
    assert_eq!(problem.reason, "WORKFLOW_NOT_FOUND");
    let question = "did you mean `Take-orders`?";
    assert!(problem.message.ends_with(question), "{problem:?}");

    let kept = way.project.backup("dev").await;
    let mut snapshots = way.project.admin.snapshots();
    let absent = snapshots.get_snapshot_workflow(GetSnapshotWorkflowRequest {
        project: way.project.slug.clone(),
        snapshot_id: kept.snapshot_id,
        application: "take-ORDERS".to_owned(),
    });
    let absent = absent.await;
    let absent = absent.refused(Code::NotFound, ErrorReason::WorkflowNotInSnapshot);
    assert!(absent.message().ends_with(question), "{absent:?}");
}

async fn what_cannot_be_done_names_what_can(backend: Backend) {
    let (way, done) = promoted(backend).await;
    let mut deployments = way.project.admin.deployments();
    let late = deployments.cancel_deployment(canceling(&way, &done)).await;
    let late = late.refused(
        Code::FailedPrecondition,
        ErrorReason::DeploymentNotCancelable,
    );
    assert!(
        late.message().ends_with("RollbackDeployment undoes it"),
        "{late:?}"
    );
    let to_source = PlanPromotionRequest {
        target: "dev".to_owned(),
        ..way.planning()
    };
    let no_stage = deployments.plan_promotion(to_source).await;
    let no_stage = no_stage.refused(Code::NotFound, ErrorReason::StageNotFound);
    assert!(
        no_stage.message().ends_with("it leads to `prod`"),
        "{no_stage:?}"
    );
    let blind = ApproveRequest {
        project: way.project.slug.clone(),
        deployment: done.number.to_string(),
        ..Default::default()
    };
    let blind = way.project.admin.approvals().approve(blind).await;
    let blind = blind.refused(Code::InvalidArgument, ErrorReason::InvalidField);
    assert!(blind.message().contains("GetDeployment"), "{blind:?}");
}
