//! Requests that only check.

use slipway_api::catalog::v1::{CreateVersionRequest, GetVersionRequest, ListApplicationsRequest};
use slipway_api::errors::v1::ErrorReason;
use slipway_api::identity::v1::Role;
use slipway_api::ledger::v1::RecordDeploymentRequest;
use slipway_tests::clock::{DAY, HOUR, ahead};
use slipway_tests::world::{report, report_at};
use slipway_tests::{Backend, Granted, Refused, ago};
use tonic::Code;

use super::{count, shared};
use crate::case::cases;

cases![
    checking_only_writes_nothing,
    checking_only_refuses_like_the_real_thing,
];

async fn checking_only_writes_nothing(backend: Backend) {
    let project = shared(backend).await;
    let mut ledger = project.admin.ledger();
    let time = ago(HOUR);
    let check = RecordDeploymentRequest {
        validate_only: true,
        ..project.recording(report_at("app", "1", "prod", time))
    };
    let checked = ledger.record_deployment(check.clone()).await.granted();
    let record = checked.record.unwrap();
    assert_eq!((&*record.record_id, record.sequence), ("", 0));
    assert_eq!(record.recorded_time, None);
    assert_eq!(record.version, "1");
    assert!(!checked.already_present);
    assert_eq!(count(&project).await, 0);
    let applications = project
        .admin
        .applications()
        .list_applications(ListApplicationsRequest {
            project: project.slug.clone(),
            ..Default::default()
        })
        .await
        .granted();
    assert_eq!(applications.applications, []);

    let written = project.record(report_at("app", "1", "prod", time)).await;
    let checked = ledger.record_deployment(check).await.granted();
    assert!(checked.already_present);
    assert_eq!(checked.record.unwrap(), written);

    let check = CreateVersionRequest {
        project: project.slug.clone(),
        application: "app".to_owned(),
        identifier: "2".to_owned(),
        content: Some("x".into()),
        validate_only: true,
        ..Default::default()
    };
    let checked = project
        .admin
        .applications()
        .create_version(check)
        .await
        .granted();
    let checked = checked.version.unwrap();
    assert_eq!((&*checked.version_id, checked.created_time), ("", None));
    project
        .admin
        .applications()
        .get_version(GetVersionRequest {
            project: project.slug.clone(),
            application: "app".to_owned(),
            version: "2".to_owned(),
            include_content: false,
        })
        .await
        .refused(Code::NotFound, ErrorReason::VersionNotFound);
}

async fn checking_only_refuses_like_the_real_thing(backend: Backend) {
    let project = shared(backend).await;
    let check = |report| RecordDeploymentRequest {
        validate_only: true,
        ..project.recording(report)
    };
    let mut ledger = project.admin.ledger();
    ledger
        .record_deployment(check(report_at("app", "1", "prod", ahead(DAY))))
        .await
        .refused(Code::InvalidArgument, ErrorReason::DeploymentTimeInFuture);
    ledger
        .record_deployment(RecordDeploymentRequest {
            create_missing: None,
            ..check(report("app", "1", "prod"))
        })
        .await
        .refused(Code::NotFound, ErrorReason::EnvironmentNotFound);
    let viewer = project.member(Role::Viewer).await;
    viewer
        .ledger()
        .record_deployment(check(report("app", "1", "prod")))
        .await
        .refused(Code::PermissionDenied, ErrorReason::PermissionMissing);
    project.application("app").await;
    project.version("app", "1").await;
    project
        .admin
        .applications()
        .create_version(CreateVersionRequest {
            project: project.slug.clone(),
            application: "app".to_owned(),
            identifier: "1".to_owned(),
            validate_only: true,
            ..Default::default()
        })
        .await
        .refused(Code::AlreadyExists, ErrorReason::VersionAlreadyExists);
}
