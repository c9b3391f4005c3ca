//! The six testing scenarios of the deployment ledger's requirement, step by step.

use slipway_api::catalog::v1::{
    CreateApplicationRequest, EnvironmentTier, GetApplicationRequest, ListVersionsRequest,
    UpdateEnvironmentRequest,
};
use slipway_api::errors::v1::ErrorReason;
use slipway_api::identity::v1::Role;
use slipway_api::ledger::v1::{
    CurrentState, DeploymentReport, ListCurrentStateRequest, ListDeploymentRecordsRequest,
    RecordDeploymentRequest,
};
use slipway_tests::clock::{DAY, HOUR, ahead, to_micros};
use slipway_tests::world::{report, report_at};
use slipway_tests::{Backend, Granted, Project, Refused, World, ago, now};
use tonic::Code;

use crate::case::cases;

cases![
    scenario_1_record_deployment,
    scenario_2_invalid_version,
    scenario_3_future_date,
    scenario_4_current_state,
    scenario_5_deployment_history,
    scenario_6_environment_view,
];

async fn scenario_1_record_deployment(backend: Backend) {
    let project = World::shared(backend).await.project().await;
    project
        .admin
        .applications()
        .create_application(CreateApplicationRequest {
            project: project.slug.clone(),
            key: "customer-portal".to_owned(),
            display_name: "Customer Portal".to_owned(),
            ..Default::default()
        })
        .await
        .granted();
    project.version("customer-portal", "1.1.0").await;
    project.version("customer-portal", "1.2.0").await;
    project.application("billing").await;
    project.version("billing", "7").await;
    project.environment("prod-eu").await;
    let developer = project.member(Role::Developer).await;
    let name = format!("Developer of {}", project.slug);

    // The version dropdown: versions of that application alone, newest first.
    let choice = developer
        .applications()
        .list_versions(ListVersionsRequest {
            project: project.slug.clone(),
            application: "customer-portal".to_owned(),
            exclude_deprecated: true,
            ..Default::default()
        })
        .await
        .granted();
    let choice: Vec<_> = choice.versions.iter().map(|v| &*v.identifier).collect();
    assert_eq!(choice, ["1.2.0", "1.1.0"]);

    // Time and person are left out: now, and the caller.
    let before = to_micros(now());
    let recorded = developer
        .ledger()
        .record_deployment(RecordDeploymentRequest {
            project: project.slug.clone(),
            report: Some(DeploymentReport {
                notes: "Hotfix for login issue".to_owned(),
                ..report("customer-portal", "1.2.0", "prod-eu")
            }),
            ..Default::default()
        })
        .await
        .granted();
    let after = to_micros(now());
    assert!(!recorded.already_present);
    let record = recorded.record.unwrap();
    assert!((before..=after).contains(&to_micros(record.deployed_time.unwrap())));
    assert_eq!(record.deployed_by, name);
    let reporter = record.reporter.clone().unwrap();
    assert_eq!(reporter.principal_id, developer.principal_id);
    assert_eq!(reporter.display_name, name);
    assert_eq!(record.application_display_name, "Customer Portal");

    let history = project
        .history(ListDeploymentRecordsRequest::default())
        .await;
    assert_eq!(history, [record]);
    assert_eq!(history[0].notes, "Hotfix for login issue");
}

async fn scenario_2_invalid_version(backend: Backend) {
    let project = World::shared(backend).await.project().await;
    for application in ["customer-portal", "billing"] {
        project.application(application).await;
    }
    project.version("billing", "7").await;
    project.environment("prod-eu").await;

    let refused = project
        .admin
        .ledger()
        .record_deployment(RecordDeploymentRequest {
            project: project.slug.clone(),
            report: Some(report("customer-portal", "7", "prod-eu")),
            ..Default::default()
        })
        .await
        .refused(
            Code::FailedPrecondition,
            ErrorReason::VersionNotOfApplication,
        );
    assert!(
        refused
            .message()
            .contains("Version does not belong to selected application"),
        "{refused:?}"
    );
    assert_eq!(
        project
            .history(ListDeploymentRecordsRequest::default())
            .await,
        []
    );
}

async fn scenario_3_future_date(backend: Backend) {
    let project = World::shared(backend).await.project().await;
    let refused = project
        .admin
        .ledger()
        .record_deployment(project.recording(report_at("portal", "1", "prod", ahead(DAY))))
        .await
        .refused(Code::InvalidArgument, ErrorReason::DeploymentTimeInFuture);
    assert!(
        refused
            .message()
            .contains("Deployment date cannot be in future"),
        "{refused:?}"
    );
    assert_eq!(
        project
            .history(ListDeploymentRecordsRequest::default())
            .await,
        []
    );
}

async fn scenario_4_current_state(backend: Backend) {
    let project = World::shared(backend).await.project().await;
    for (version, environment, days) in [
        ("1.0", "dev", 9),
        ("1.1", "dev", 3),
        ("1.0", "staging", 8),
        ("0.9", "prod", 40),
        ("1.0", "prod", 7),
    ] {
        project
            .record(report_at("portal", version, environment, ago(DAY * days)))
            .await;
    }
    assert_eq!(
        cells(&project.matrix(None).await),
        ["portal dev 1.1", "portal prod 1.0", "portal staging 1.0"]
    );

    project
        .record(report_at("portal", "1.1", "prod", ago(HOUR)))
        .await;
    assert_eq!(
        cells(&project.matrix(None).await),
        ["portal dev 1.1", "portal prod 1.1", "portal staging 1.0"]
    );
}

async fn scenario_5_deployment_history(backend: Backend) {
    let project = World::shared(backend).await.project().await;
    for (version, environment, days) in [("1.0", "dev", 9), ("1.0", "prod", 7), ("1.1", "dev", 3)] {
        project
            .record(report_at("portal", version, environment, ago(DAY * days)))
            .await;
    }
    project
        .record(report_at("billing", "7", "prod", ago(DAY * 5)))
        .await;

    let of_application = ListDeploymentRecordsRequest {
        application: "portal".to_owned(),
        ..Default::default()
    };
    let seen = |records: Vec<slipway_api::ledger::v1::DeploymentRecord>| -> Vec<String> {
        records
            .iter()
            .map(|record| format!("{} {}", record.environment, record.version))
            .collect()
    };
    assert_eq!(
        seen(project.history(of_application.clone()).await),
        ["dev 1.1", "prod 1.0", "dev 1.0"]
    );
    let of_environment = ListDeploymentRecordsRequest {
        environment: "dev".to_owned(),
        ..of_application
    };
    assert_eq!(
        seen(project.history(of_environment).await),
        ["dev 1.1", "dev 1.0"]
    );
}

async fn scenario_6_environment_view(backend: Backend) {
    let project = World::shared(backend).await.project().await;
    let at = ago(DAY * 45);
    project.record(report_at("portal", "1.0", "prod", at)).await;
    project
        .record(report_at("billing", "7", "prod", ago(HOUR)))
        .await;
    project
        .record(report_at("search", "3", "dev", ago(HOUR)))
        .await;
    project
        .admin
        .environments()
        .update_environment(UpdateEnvironmentRequest {
            project: project.slug.clone(),
            environment: "prod".to_owned(),
            tier: EnvironmentTier::Production.into(),
            update_mask: Some(prost_types::FieldMask {
                paths: vec!["tier".to_owned()],
            }),
            ..Default::default()
        })
        .await
        .granted();

    let here = in_environment(&project, "prod").await;
    assert_eq!(cells(&here), ["billing prod 7", "portal prod 1.0"]);
    assert_eq!(here[1].deployed_time, Some(at));
    assert_eq!(here[1].environment_tier(), EnvironmentTier::Production);

    // A click on the application.
    let application = project
        .admin
        .applications()
        .get_application(GetApplicationRequest {
            project: project.slug.clone(),
            application: here[1].application.clone(),
        })
        .await
        .granted();
    assert_eq!(application.application.unwrap().key, "portal");
}

async fn in_environment(project: &Project, environment: &str) -> Vec<CurrentState> {
    project
        .admin
        .ledger()
        .list_current_state(ListCurrentStateRequest {
            project: project.slug.clone(),
            environment: environment.to_owned(),
            ..Default::default()
        })
        .await
        .granted()
        .states
}

fn cells(states: &[CurrentState]) -> Vec<String> {
    states
        .iter()
        .map(|cell| format!("{} {} {}", cell.application, cell.environment, cell.version))
        .collect()
}
