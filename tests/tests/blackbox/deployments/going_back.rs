//! Releases go back one after the other, and only to what was there; and reports don't take their place.

use std::time::Duration;

use slipway_api::catalog::v1::ApplicationKind;
use slipway_api::deployments::v1::{
    CancelDeploymentRequest, CreateReleaseRequest, Deployment, DeploymentState,
    RollbackDeploymentRequest,
};
use slipway_api::errors::v1::ErrorReason;
use slipway_api::ledger::v1::{CreateMissing, DeploymentReport, ListDeploymentRecordsRequest};
use slipway_tests::clock::ago;
use slipway_tests::world::report;
use slipway_tests::{Backend, Granted, Refused};
use tonic::Code;

use super::governance::{Team, undoing};
use super::releases::{bring, prompt, release};
use crate::case::cases;
use crate::import::{batch, header_with, import};

cases![
    releases_go_back_one_after_the_other,
    what_was_current_already_goes_back_too,
    what_was_not_there_is_not_gone_back_to,
    imports_do_not_go_around_policies,
];

async fn back(team: &Team, deployment: &Deployment) -> Deployment {
    let mut deployments = team.lead.deployments();
    let undone = deployments.rollback_deployment(undoing(deployment)).await;
    let undone = undone.granted().deployment.unwrap();
    assert_eq!(undone.state(), DeploymentState::Succeeded, "{undone:?}");
    undone
}

/// Not to and fro: the second goes to what was before itself, and not to what the first one took back.
async fn releases_go_back_one_after_the_other(backend: Backend) {
    let team = Team::new(backend).await;
    prompt(&team.project, "greeting", &["1", "2", "3"]).await;
    let first = team.released(vec![bring("greeting", "1")]).await;
    let second = team.released(vec![bring("greeting", "2")]).await;
    let third = team.released(vec![bring("greeting", "3")]).await;
    let undone = back(&team, &third).await;
    assert_eq!(undone.back_to_deployment_id, second.deployment_id);
    assert_eq!(team.current("greeting").await.unwrap(), "2");
    let undone = back(&team, &second).await;
    assert_eq!(undone.back_to_deployment_id, first.deployment_id);
    assert_eq!(team.current("greeting").await.unwrap(), "1");
    for (deployment, state) in [
        (&first, DeploymentState::Succeeded),
        (&second, DeploymentState::RolledBack),
        (&third, DeploymentState::RolledBack),
    ] {
        assert_eq!(team.get(deployment).await.state(), state);
    }
}

/// Every item is as it was after the one gone back to, also one that the release had left as it was.
async fn what_was_current_already_goes_back_too(backend: Backend) {
    let team = Team::new(backend).await;
    prompt(&team.project, "greeting", &["1", "2"]).await;
    prompt(&team.project, "farewell", &["1"]).await;
    let first = team.released(vec![bring("greeting", "1")]).await;
    team.released(vec![bring("greeting", "2")]).await;
    let items = vec![bring("greeting", "2"), bring("farewell", "1")];
    let third = team.released(items).await;
    let request = RollbackDeploymentRequest {
        back_to: first.number.to_string(),
        ..undoing(&third)
    };
    let mut deployments = team.lead.deployments();
    let undone = deployments.rollback_deployment(request).await.granted();
    let undone = undone.deployment.unwrap();
    assert_eq!(undone.state(), DeploymentState::Succeeded, "{undone:?}");
    assert_eq!(team.current("greeting").await.unwrap(), "1");
    assert_eq!(team.current("farewell").await, None);
}

async fn what_was_not_there_is_not_gone_back_to(backend: Backend) {
    let team = Team::new(backend).await;
    let project = &team.project;
    prompt(project, "greeting", &["1", "2", "3", "4"]).await;
    project.environment("other").await;
    let mut deployments = team.lead.deployments();
    let elsewhere = CreateReleaseRequest {
        environment: "other".to_owned(),
        ..release(project, vec![bring("greeting", "1")])
    };
    let elsewhere = team.asks(elsewhere).await;
    team.released(vec![bring("greeting", "1")]).await;
    let canceled = team
        .asks(release(project, vec![bring("greeting", "2")]))
        .await;
    let canceling = CancelDeploymentRequest {
        project: canceled.project.clone(),
        deployment: canceled.deployment_id.clone(),
        reason: "never mind".to_owned(),
        ..Default::default()
    };
    deployments.cancel_deployment(canceling).await.granted();
    let taken_back = team.released(vec![bring("greeting", "3")]).await;
    back(&team, &taken_back).await;
    let last = team.released(vec![bring("greeting", "4")]).await;
    for (target, why) in [
        (&elsewhere, "another environment"),
        (&canceled, "did not succeed"),
        (&taken_back, "was rolled back"),
    ] {
        let request = RollbackDeploymentRequest {
            back_to: target.number.to_string(),
            ..undoing(&last)
        };
        let refused = deployments.rollback_deployment(request).await;
        let refused = refused.refused(Code::FailedPrecondition, ErrorReason::NotARollbackTarget);
        assert!(refused.message().contains(why), "{refused:?}");
    }
    assert_eq!(team.current("greeting").await.unwrap(), "4");
}

/// Neither line by line, nor by making what they report.
async fn imports_do_not_go_around_policies(backend: Backend) {
    let team = Team::new(backend).await;
    let project = &team.project;
    prompt(project, "greeting", &["1", "2"]).await;
    team.released(vec![bring("greeting", "1")]).await;
    let create_missing = CreateMissing {
        applications: true,
        versions: true,
        application_kind: ApplicationKind::Prompt.into(),
        ..Default::default()
    };
    let lines = [("greeting", "2"), ("farewell", "1")];
    let lines = lines.map(|(application, version)| DeploymentReport {
        deployed_time: Some(ago(Duration::from_mins(1))),
        ..report(application, version, "prod")
    });
    let header = header_with(project, Some(create_missing));
    let answers = import(&team.lead, vec![header, batch(1, &lines)]).await;
    let answers = answers.granted();
    let errors = answers.iter().flat_map(|answer| &answer.errors);
    let errors: Vec<_> = errors.map(|error| (error.line, error.reason())).collect();
    let governed = ErrorReason::EnvironmentGoverned;
    assert_eq!(errors, [(1, governed), (2, governed)]);
    let mut recording = project.recording(report("farewell", "1", "prod"));
    recording.create_missing = Some(create_missing);
    let mut ledger = team.lead.ledger();
    let recorded = ledger.record_deployment(recording).await;
    recorded.refused(Code::FailedPrecondition, governed);
    assert_eq!(team.current("greeting").await.unwrap(), "1");
    let records = ListDeploymentRecordsRequest::default();
    assert_eq!(project.history(records).await.len(), 1);
}
