//! Request ids: the same request again is the same deed.

use slipway_api::catalog::v1::{
    CreateApplicationRequest, CreateVersionRequest, UpdateApplicationRequest,
};
use slipway_api::errors::v1::ErrorReason;
use slipway_api::identity::v1::Role;
use slipway_api::ledger::v1::{
    DeploymentReport, RecordDeploymentRequest, RetractDeploymentRecordRequest,
};
use slipway_tests::refusal::violated_fields;
use slipway_tests::world::report;
use slipway_tests::{Backend, Granted, Project, Refused};
use tonic::Code;

use super::{count, shared};
use crate::case::cases;

cases![
    a_request_id_makes_one_record,
    a_request_id_belongs_to_its_caller_method_and_project,
    a_request_id_returns_the_resource_as_it_is_now,
    a_request_id_is_authorised_again,
    a_refused_request_does_not_use_its_id_up,
    the_same_request_at_once_is_done_once,
    malformed_request_ids_are_refused,
];

fn identified(
    project: &Project,
    report: DeploymentReport,
    request_id: &str,
) -> RecordDeploymentRequest {
    RecordDeploymentRequest {
        request_id: request_id.to_owned(),
        ..project.recording(report)
    }
}

async fn a_request_id_makes_one_record(backend: Backend) {
    let project = shared(backend).await;
    let mut ledger = project.admin.ledger();
    // Without a time: twice without an id would be two records.
    let request = identified(&project, report("app", "1", "prod"), "one");
    let first = ledger.record_deployment(request.clone()).await.granted();
    let again = ledger.record_deployment(request.clone()).await.granted();
    assert_eq!(
        again.record.unwrap().record_id,
        first.record.unwrap().record_id
    );
    assert_eq!(count(&project).await, 1);
    ledger
        .record_deployment(identified(&project, report("app", "2", "prod"), "one"))
        .await
        .refused(Code::InvalidArgument, ErrorReason::RequestIdReused);
    let other = RecordDeploymentRequest {
        request_id: "two".to_owned(),
        ..request
    };
    ledger.record_deployment(other).await.granted();
    assert_eq!(count(&project).await, 2);
}

async fn a_request_id_belongs_to_its_caller_method_and_project(backend: Backend) {
    let project = shared(backend).await;
    let other_project = shared(backend).await;
    project.environment("prod").await;
    let developer = project.member(Role::Developer).await;
    let mut application = CreateApplicationRequest {
        project: project.slug.clone(),
        key: "one".to_owned(),
        request_id: "same".to_owned(),
        ..Default::default()
    };
    let create = async |client: &slipway_tests::Client, request: &CreateApplicationRequest| {
        client
            .applications()
            .create_application(request.clone())
            .await
    };
    create(&project.admin, &application).await.granted();
    // The same caller and method elsewhere, another caller, another method: all new.
    application.project.clone_from(&other_project.slug);
    "two".clone_into(&mut application.key);
    create(&project.admin, &application).await.granted();
    application.project.clone_from(&project.slug);
    create(&developer, &application).await.granted();
    project
        .admin
        .applications()
        .create_version(CreateVersionRequest {
            project: project.slug.clone(),
            application: "one".to_owned(),
            identifier: "1".to_owned(),
            request_id: "same".to_owned(),
            ..Default::default()
        })
        .await
        .granted();
    create(&project.admin, &application)
        .await
        .refused(Code::InvalidArgument, ErrorReason::RequestIdReused);
}

async fn a_request_id_returns_the_resource_as_it_is_now(backend: Backend) {
    let project = shared(backend).await;
    let mut applications = project.admin.applications();
    let create = CreateApplicationRequest {
        project: project.slug.clone(),
        key: "app".to_owned(),
        request_id: "create".to_owned(),
        ..Default::default()
    };
    applications
        .create_application(create.clone())
        .await
        .granted();
    let update = UpdateApplicationRequest {
        project: project.slug.clone(),
        application: "app".to_owned(),
        description: "changed".to_owned(),
        update_mask: Some(prost_types::FieldMask {
            paths: vec!["description".to_owned()],
        }),
        request_id: "update".to_owned(),
        ..Default::default()
    };
    let updated = applications
        .update_application(update.clone())
        .await
        .granted();
    let again = applications.create_application(create).await.granted();
    assert_eq!(again.application, updated.application);
    let again = applications.update_application(update).await.granted();
    assert_eq!(again.application, updated.application);

    let record = project.record(report("app", "1", "prod")).await;
    let retract = RetractDeploymentRecordRequest {
        project: project.slug.clone(),
        record_id: record.record_id,
        reason: "wrong".to_owned(),
        request_id: "retract".to_owned(),
    };
    let mut ledger = project.admin.ledger();
    let first = ledger
        .retract_deployment_record(retract.clone())
        .await
        .granted();
    let again = ledger.retract_deployment_record(retract).await.granted();
    assert_eq!(first, again);
}

async fn a_request_id_is_authorised_again(backend: Backend) {
    let project = shared(backend).await;
    let developer = project.member(Role::Developer).await;
    let request = CreateApplicationRequest {
        project: project.slug.clone(),
        key: "app".to_owned(),
        request_id: "mine".to_owned(),
        ..Default::default()
    };
    let mut applications = developer.applications();
    applications
        .create_application(request.clone())
        .await
        .granted();
    project
        .set_roles(&developer.principal_id, &[Role::Viewer])
        .await;
    applications
        .create_application(request)
        .await
        .refused(Code::PermissionDenied, ErrorReason::PermissionMissing);
}

async fn a_refused_request_does_not_use_its_id_up(backend: Backend) {
    let project = shared(backend).await;
    let mut ledger = project.admin.ledger();
    let request = RecordDeploymentRequest {
        create_missing: None,
        ..identified(&project, report("app", "1", "prod"), "later")
    };
    ledger
        .record_deployment(request.clone())
        .await
        .refused(Code::NotFound, ErrorReason::EnvironmentNotFound);
    project.environment("prod").await;
    project.application("app").await;
    project.version("app", "1").await;
    ledger.record_deployment(request).await.granted();
}

async fn the_same_request_at_once_is_done_once(backend: Backend) {
    let project = shared(backend).await;
    project.record(report("app", "1", "dev")).await;
    let request = identified(&project, report("app", "1", "dev"), "at once");
    let calls = (0..8).map(|_| {
        let (mut ledger, request) = (project.admin.ledger(), request.clone());
        tokio::spawn(async move { ledger.record_deployment(request).await })
    });
    let mut ids = std::collections::BTreeSet::new();
    for call in calls.collect::<Vec<_>>() {
        match call.await.unwrap() {
            Ok(answer) => drop(ids.insert(answer.into_inner().record.unwrap().record_id)),
            // One that got in another's way may be told to try again.
            refused => drop(refused.refused(Code::Aborted, ErrorReason::StoreConflict)),
        }
    }
    assert_eq!(ids.len(), 1);
    assert_eq!(count(&project).await, 2);
}

async fn malformed_request_ids_are_refused(backend: Backend) {
    let project = shared(backend).await;
    for request_id in ["ä", "a\tb", "\0", &"x".repeat(129)] {
        let refused = project
            .admin
            .ledger()
            .record_deployment(identified(&project, report("app", "1", "prod"), request_id))
            .await
            .refused(Code::InvalidArgument, ErrorReason::InvalidField);
        assert_eq!(violated_fields(&refused), ["request_id"]);
    }
    let longest = "~".repeat(128);
    project
        .admin
        .ledger()
        .record_deployment(identified(&project, report("app", "1", "prod"), &longest))
        .await
        .granted();
}
