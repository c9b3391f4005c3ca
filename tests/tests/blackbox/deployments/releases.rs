//! Chosen versions become current, all of them at one moment or none.

use slipway_api::catalog::v1 as catalog;
use slipway_api::deployments::v1::{
    CreateReleaseRequest, Deployment, DeploymentKind, DeploymentState, ExecuteDeploymentRequest,
    GetDeploymentRequest, ItemChange, ItemStatus, ReleaseItem, Transition, release_item,
};
use slipway_api::errors::v1::ErrorReason;
use slipway_api::ledger::v1::ListDeploymentRecordsRequest;
use slipway_tests::{Backend, Client, Granted, Project, Refused, World};
use tonic::Code;
use tonic_types::StatusExt;

use crate::case::cases;

cases![
    versions_become_current_at_once,
    everything_that_stands_against_a_release_is_told,
    what_else_becomes_current_meanwhile_is_noticed,
];

/// An item that brings this version.
pub(crate) fn bring(application: &str, version: &str) -> ReleaseItem {
    ReleaseItem {
        application: application.to_owned(),
        change: Some(release_item::Change::Version(version.to_owned())),
        ..Default::default()
    }
}

/// A release of these to `prod`.
pub(crate) fn release(project: &Project, items: Vec<ReleaseItem>) -> CreateReleaseRequest {
    CreateReleaseRequest {
        project: project.slug.clone(),
        name: "Chatbot 2".to_owned(),
        environment: "prod".to_owned(),
        items,
        ..Default::default()
    }
}

/// A prompt with these versions.
pub(crate) async fn prompt(project: &Project, key: &str, versions: &[&str]) {
    let request = catalog::CreateApplicationRequest {
        project: project.slug.clone(),
        key: key.to_owned(),
        kind: catalog::ApplicationKind::Prompt.into(),
        ..Default::default()
    };
    let made = project
        .admin
        .applications()
        .create_application(request)
        .await;
    made.granted();
    for version in versions {
        project.version(key, version).await;
    }
}

/// Carries a release out, with the digest that it has.
pub(crate) async fn execute(client: &Client, deployment: &Deployment) -> Deployment {
    let executed = client
        .deployments()
        .execute_deployment(executing(deployment))
        .await;
    executed.granted().deployment.unwrap()
}

/// A request that carries a release out.
pub(crate) fn executing(deployment: &Deployment) -> ExecuteDeploymentRequest {
    ExecuteDeploymentRequest {
        project: deployment.project.clone(),
        deployment: deployment.number.to_string(),
        plan_digest: deployment.plan_digest.clone(),
        ..Default::default()
    }
}

async fn project(backend: Backend) -> Project {
    let world = World::shared(backend).await;
    let project = world.project().await;
    project.environment("prod").await;
    prompt(&project, "greeting", &["1.0.0", "1.1.0"]).await;
    prompt(&project, "farewell", &["2.0.0"]).await;
    project
}

async fn versions_become_current_at_once(backend: Backend) {
    let project = project(backend).await;
    let items = vec![bring("greeting", "1.0.0"), bring("farewell", "2.0.0")];
    let mut deployments = project.admin.deployments();
    let asked = release(&project, items);
    let looked_at = deployments
        .create_release(CreateReleaseRequest {
            validate_only: true,
            ..asked.clone()
        })
        .await;
    let looked_at = looked_at.granted().deployment.unwrap();
    assert_eq!(
        (looked_at.number, looked_at.deployment_id.as_str()),
        (0, "")
    );
    let made = deployments.create_release(asked).await;
    let made = made.granted().deployment.unwrap();
    assert_eq!(looked_at.plan_digest, made.plan_digest);
    assert_eq!(made.kind(), DeploymentKind::Release);
    assert_eq!(made.state(), DeploymentState::Approved);
    assert_eq!(made.release.as_ref().unwrap().name, "Chatbot 2");
    assert_eq!(project.cell("greeting", "prod").await, None);

    let executed = execute(&project.admin, &made).await;
    assert_eq!(executed.state(), DeploymentState::Succeeded);
    for item in &executed.items {
        assert_eq!(item.change(), ItemChange::Created, "{item:?}");
        assert_eq!(item.status(), ItemStatus::Succeeded, "{item:?}");
    }
    let cell = project.cell("greeting", "prod").await.unwrap();
    assert_eq!(cell.version, "1.0.0");
    let records = project
        .history(ListDeploymentRecordsRequest::default())
        .await;
    assert_eq!(records.len(), 2);
    for record in records {
        assert_eq!(record.deployment_id, executed.deployment_id);
    }

    let request = GetDeploymentRequest {
        project: project.slug.clone(),
        deployment: executed.number.to_string(),
    };
    let found = deployments.get_deployment(request).await.granted();
    let history: Vec<_> = found
        .deployment
        .unwrap()
        .history
        .iter()
        .map(Transition::state)
        .collect();
    let expected = [
        DeploymentState::Approved,
        DeploymentState::Queued,
        DeploymentState::Running,
        DeploymentState::Succeeded,
    ];
    assert_eq!(history, expected);
    deployments
        .execute_deployment(executing(&executed))
        .await
        .refused(
            Code::FailedPrecondition,
            ErrorReason::DeploymentNotExecutable,
        );
}

async fn everything_that_stands_against_a_release_is_told(backend: Backend) {
    let project = project(backend).await;
    let items = vec![bring("greeting", "9.9.9"), bring("nobody", "1.0.0")];
    let mut deployments = project.admin.deployments();
    let refused = deployments
        .create_release(release(&project, items))
        .await
        .refused(Code::FailedPrecondition, ErrorReason::ReleaseHasFindings);
    let details = refused.get_details_precondition_failure().unwrap();
    let told: Vec<_> = details
        .violations
        .iter()
        .map(|it| (it.r#type.as_str(), it.subject.as_str()))
        .collect();
    let expected = [
        ("VERSION_NOT_FOUND", "items[0]"),
        ("APPLICATION_NOT_FOUND", "items[1]"),
    ];
    assert_eq!(told, expected);
}

async fn what_else_becomes_current_meanwhile_is_noticed(backend: Backend) {
    let project = project(backend).await;
    let mut deployments = project.admin.deployments();
    let first = release(&project, vec![bring("greeting", "1.0.0")]);
    let second = release(&project, vec![bring("greeting", "1.1.0")]);
    let first = deployments.create_release(first).await.granted();
    let second = deployments.create_release(second).await.granted();
    let second = second.deployment.unwrap();
    execute(&project.admin, &first.deployment.unwrap()).await;
    deployments
        .execute_deployment(executing(&second))
        .await
        .refused(Code::Aborted, ErrorReason::PlanChanged);
    let request = GetDeploymentRequest {
        project: project.slug.clone(),
        deployment: second.number.to_string(),
    };
    let anew = deployments.get_deployment(request).await.granted();
    let anew = anew.deployment.unwrap();
    assert_eq!(anew.state(), DeploymentState::Approved);
    assert_ne!(anew.plan_digest, second.plan_digest);
    let chosen = anew.items[0].chosen.as_ref().unwrap();
    assert_eq!(chosen.version_before, "1.0.0");
    execute(&project.admin, &anew).await;
    let cell = project.cell("greeting", "prod").await.unwrap();
    assert_eq!(cell.version, "1.1.0");
}
