//! Recording deployments, and what may not be recorded.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use slipway_api::catalog::v1::{ApplicationKind, DeprecateVersionRequest, GetVersionRequest};
use slipway_api::errors::v1::ErrorReason;
use slipway_api::identity::v1::Role;
use slipway_api::ledger::v1::{
    CreateMissing, DeploymentReport, ListDeploymentRecordsRequest, RecordDeploymentRequest,
    RecordKind, RetractDeploymentRecordRequest, RiskLevel,
};
use slipway_tests::clock::{DAY, HOUR, ahead, plus, to_micros};
use slipway_tests::refusal::violated_fields;
use slipway_tests::world::{everything, removal_at, report, report_at};
use slipway_tests::{Backend, Granted, Refused, ago, now};
use std::time::Duration;
use tonic::Code;

use super::{archive_application, archive_environment, get_record, shared};
use crate::case::cases;

cases![
    a_record_keeps_all_that_was_said,
    a_record_creates_only_what_it_may,
    unknown_names_are_refused_each_with_its_reason,
    a_retraction_is_final_and_for_administrators,
    a_clock_ahead_is_clamped,
    the_same_fact_is_recorded_once,
    many_reports_at_once_create_what_they_name_once,
    an_external_id_names_one_deployment_of_one_reporter,
    a_deprecated_version_can_only_be_removed,
    nothing_is_deployed_to_what_is_archived,
];

async fn a_record_keeps_all_that_was_said(backend: Backend) {
    let project = shared(backend).await;
    let time = ago(DAY * 2);
    let said = DeploymentReport {
        deployed_by: "Zoë Ångström".to_owned(),
        risk_level: RiskLevel::High.into(),
        notes: "first line\nsecond line".to_owned(),
        attributes: BTreeMap::from([("run".to_owned(), "https://ci/7?a=b".to_owned())]),
        external_id: "pipeline/7#1".to_owned(),
        ..report_at("@acme/cart", "1:2.0~rc1+b", "prod-eu", time)
    };
    let record = project.record(said.clone()).await;

    assert_eq!(record.project, project.slug);
    assert_eq!(record.application, said.application);
    assert_eq!(record.version, said.version);
    assert_eq!(record.environment, said.environment);
    assert_eq!(record.kind(), RecordKind::Deployed);
    assert_eq!(record.deployed_time, Some(time));
    assert_eq!(record.deployed_by, said.deployed_by);
    assert_eq!(record.risk_level(), RiskLevel::High);
    assert_eq!(record.notes, said.notes);
    assert_eq!(record.attributes, said.attributes);
    assert_eq!(record.external_id, said.external_id);
    assert_eq!(record.application_kind(), ApplicationKind::Service);
    assert_eq!(record.application_display_name, said.application);
    assert_eq!(
        record.reporter.clone().unwrap().principal_id,
        project.admin.principal_id
    );
    assert_eq!(record.retraction, None);

    let read = get_record(&project, &record.record_id).await;
    assert_eq!(read, record);
    let cell = project.cell("@acme/cart", "prod-eu").await.unwrap();
    assert_eq!(cell.record_id, record.record_id);
    assert_eq!(cell.deployed_by, "Zoë Ångström");
    assert_eq!(cell.deployed_time, Some(time));
}

async fn a_record_creates_only_what_it_may(backend: Backend) {
    let project = shared(backend).await;
    let developer = project.member(Role::Developer).await;
    // Environments are the administrators' to create.
    let refused = developer
        .ledger()
        .record_deployment(project.recording(report("portal", "1", "prod")))
        .await
        .refused(Code::PermissionDenied, ErrorReason::PermissionMissing);
    assert!(
        refused.message().contains("CreateEnvironment"),
        "{refused:?}"
    );
    assert_eq!(
        project
            .history(ListDeploymentRecordsRequest::default())
            .await,
        []
    );

    project.environment("prod").await;
    let request = RecordDeploymentRequest {
        create_missing: Some(CreateMissing {
            applications: true,
            versions: true,
            application_kind: ApplicationKind::Prompt.into(),
            ..Default::default()
        }),
        ..project.recording(report("portal", "1", "prod"))
    };
    let recorded = developer.ledger().record_deployment(request.clone()).await;
    let recorded = recorded.granted();
    assert!(recorded.application_created && recorded.version_created);
    assert!(!recorded.environment_created);
    assert_eq!(
        recorded.record.unwrap().application_kind(),
        ApplicationKind::Prompt
    );
    let again = developer
        .ledger()
        .record_deployment(RecordDeploymentRequest {
            report: Some(report("portal", "1", "prod")),
            ..request
        })
        .await
        .granted();
    assert!(!again.application_created && !again.version_created);
}

async fn unknown_names_are_refused_each_with_its_reason(backend: Backend) {
    let project = shared(backend).await;
    project.record(report("portal", "1", "prod")).await;
    let record = async |application, version, environment| {
        let request = RecordDeploymentRequest {
            create_missing: None,
            ..project.recording(report(application, version, environment))
        };
        project.admin.ledger().record_deployment(request).await
    };
    record("other", "1", "prod")
        .await
        .refused(Code::NotFound, ErrorReason::ApplicationNotFound);
    record("portal", "2", "prod")
        .await
        .refused(Code::NotFound, ErrorReason::VersionNotFound);
    record("portal", "1", "dev")
        .await
        .refused(Code::NotFound, ErrorReason::EnvironmentNotFound);
    project
        .admin
        .ledger()
        .record_deployment(RecordDeploymentRequest {
            project: "no-such-project".to_owned(),
            ..project.recording(report("portal", "1", "prod"))
        })
        .await
        .refused(Code::NotFound, ErrorReason::ProjectNotFound);

    // A filter that names what does not exist is a mistake, not an empty list.
    let list = async |application: &str, version: &str, environment: &str| {
        project
            .admin
            .ledger()
            .list_deployment_records(ListDeploymentRecordsRequest {
                project: project.slug.clone(),
                application: application.to_owned(),
                version: version.to_owned(),
                environment: environment.to_owned(),
                ..Default::default()
            })
            .await
    };
    list("other", "", "")
        .await
        .refused(Code::NotFound, ErrorReason::ApplicationNotFound);
    list("portal", "2", "")
        .await
        .refused(Code::NotFound, ErrorReason::VersionNotFound);
    list("", "", "dev")
        .await
        .refused(Code::NotFound, ErrorReason::EnvironmentNotFound);
    let refused = list("", "1", "")
        .await
        .refused(Code::InvalidArgument, ErrorReason::InvalidField);
    assert_eq!(violated_fields(&refused), ["version"]);
}

async fn a_retraction_is_final_and_for_administrators(backend: Backend) {
    let project = shared(backend).await;
    let time = ago(HOUR);
    let record = project.record(report_at("portal", "1", "prod", time)).await;
    let request = RetractDeploymentRecordRequest {
        project: project.slug.clone(),
        record_id: record.record_id.clone(),
        reason: "wrong".to_owned(),
        ..Default::default()
    };
    for role in [Role::Viewer, Role::Developer, Role::Approver] {
        let member = project.member(role).await;
        member
            .ledger()
            .retract_deployment_record(request.clone())
            .await
            .refused(Code::PermissionDenied, ErrorReason::PermissionMissing);
    }
    let administrator = project.member(Role::Admin).await;
    let mut ledger = administrator.ledger();
    let refused = ledger
        .retract_deployment_record(RetractDeploymentRecordRequest {
            reason: String::new(),
            ..request.clone()
        })
        .await
        .refused(Code::InvalidArgument, ErrorReason::InvalidField);
    assert_eq!(violated_fields(&refused), ["reason"]);
    ledger
        .retract_deployment_record(request.clone())
        .await
        .granted();
    ledger
        .retract_deployment_record(request.clone())
        .await
        .refused(
            Code::FailedPrecondition,
            ErrorReason::RecordAlreadyRetracted,
        );
    ledger
        .retract_deployment_record(RetractDeploymentRecordRequest {
            record_id: "0192aaaa-bbbb-7ccc-8ddd-eeeeffff0000".to_owned(),
            ..request
        })
        .await
        .refused(Code::NotFound, ErrorReason::RecordNotFound);

    // Reporting it again doesn't bring it back.
    let again = ledger
        .record_deployment(project.recording(report_at("portal", "1", "prod", time)))
        .await
        .granted();
    assert!(again.already_present);
    assert!(again.record.unwrap().retraction.is_some());
    assert_eq!(project.cell("portal", "prod").await, None);
}

async fn a_clock_ahead_is_clamped(backend: Backend) {
    let project = shared(backend).await;
    let said = ahead(Duration::from_secs(40));
    let report = report_at("portal", "1", "prod", said);
    let record = project.record(report.clone()).await;
    let kept = to_micros(record.deployed_time.unwrap());
    assert!(kept <= to_micros(now()), "not in the future: {kept}");
    assert_eq!(record.deployed_time, record.recorded_time);
    // The time as reported is what makes it the same fact, not the time it was clamped to.
    let again = project
        .admin
        .ledger()
        .record_deployment(project.recording(report))
        .await
        .granted();
    assert!(again.already_present);
    assert_eq!(again.record.unwrap().record_id, record.record_id);
    project
        .admin
        .ledger()
        .record_deployment(project.recording(report_at(
            "portal",
            "2",
            "prod",
            ahead(Duration::from_secs(75)),
        )))
        .await
        .refused(Code::InvalidArgument, ErrorReason::DeploymentTimeInFuture);
}

async fn many_reports_at_once_create_what_they_name_once(backend: Backend) {
    let project = shared(backend).await;
    // First all of them name the same version, then each another one of an application that none of them finds.
    for versions in [1, 20] {
        let application = format!("new-{versions}");
        let reporting = (0..20).map(|n| {
            let version = format!("v{}", n % versions);
            let environment = format!("new-{versions}");
            let time = ago(HOUR * (n + 1));
            let recording =
                project.recording(report_at(&application, &version, &environment, time));
            let mut ledger = project.admin.ledger();
            async move { ledger.record_deployment(recording).await.granted() }
        });
        let answers = join_all(reporting).await;
        let created = answers.iter().filter(|answer| answer.application_created);
        assert_eq!(created.count(), 1);
        let created = answers.iter().filter(|answer| answer.version_created);
        assert_eq!(created.count(), versions as usize);
        assert!(answers.iter().all(|answer| !answer.already_present));
    }
}

async fn the_same_fact_is_recorded_once(backend: Backend) {
    let project = shared(backend).await;
    let time = ago(HOUR);
    let record = project.record(report_at("portal", "1", "prod", time)).await;
    let again = project
        .admin
        .ledger()
        .record_deployment(project.recording(DeploymentReport {
            notes: "told differently".to_owned(),
            ..report_at("portal", "1", "prod", time)
        }))
        .await
        .granted();
    assert!(again.already_present);
    assert_eq!(again.record.unwrap(), record);
    // Each part of the fact makes another one.
    project
        .record(report_at("portal", "1", "prod", plus(time, 1)))
        .await;
    project.record(report_at("portal", "2", "prod", time)).await;
    project.record(report_at("portal", "1", "dev", time)).await;
    project.record(report_at("cart", "1", "prod", time)).await;
    project
        .record(removal_at("portal", "1", "prod", time))
        .await;
    // Times are cut to microseconds.
    let finer = prost_types::Timestamp {
        nanos: time.nanos + 999,
        ..time
    };
    let finer = project
        .admin
        .ledger()
        .record_deployment(project.recording(report_at("portal", "1", "prod", finer)))
        .await
        .granted();
    assert!(finer.already_present);
}

async fn an_external_id_names_one_deployment_of_one_reporter(backend: Backend) {
    let project = shared(backend).await;
    project.environment("prod").await;
    let bearing = |version: &str| DeploymentReport {
        external_id: "run-1".to_owned(),
        ..report("portal", version, "prod")
    };
    let record = project.record(bearing("1")).await;
    let again = project
        .admin
        .ledger()
        .record_deployment(project.recording(bearing("1")))
        .await
        .granted();
    assert!(again.already_present);
    assert_eq!(again.record.unwrap(), record);
    // What is refused creates nothing.
    project
        .admin
        .ledger()
        .record_deployment(project.recording(bearing("2")))
        .await
        .refused(Code::AlreadyExists, ErrorReason::ExternalIdReused);
    project
        .admin
        .applications()
        .get_version(GetVersionRequest {
            project: project.slug.clone(),
            application: "portal".to_owned(),
            version: "2".to_owned(),
            include_content: false,
        })
        .await
        .refused(Code::NotFound, ErrorReason::VersionNotFound);

    // Another reporter has ids of its own.
    let developer = project.member(Role::Developer).await;
    let other = developer
        .ledger()
        .record_deployment(RecordDeploymentRequest {
            create_missing: Some(CreateMissing {
                environments: false,
                ..everything()
            }),
            ..project.recording(bearing("2"))
        })
        .await
        .granted();
    assert!(!other.already_present);
    // And another project too.
    shared(backend).await.record(bearing("1")).await;
}

async fn a_deprecated_version_can_only_be_removed(backend: Backend) {
    let project = shared(backend).await;
    let time = ago(HOUR);
    let record = project.record(report_at("portal", "1", "prod", time)).await;
    project
        .admin
        .applications()
        .deprecate_version(DeprecateVersionRequest {
            project: project.slug.clone(),
            application: "portal".to_owned(),
            version: "1".to_owned(),
            reason: "has a hole".to_owned(),
            ..Default::default()
        })
        .await
        .granted();
    let mut ledger = project.admin.ledger();
    ledger
        .record_deployment(project.recording(report("portal", "1", "dev")))
        .await
        .refused(Code::FailedPrecondition, ErrorReason::VersionDeprecated);
    // Where it is deployed it stays, and what is present is present.
    assert!(project.cell("portal", "prod").await.is_some());
    let again = ledger
        .record_deployment(project.recording(report_at("portal", "1", "prod", time)))
        .await
        .granted();
    assert_eq!(again.record.unwrap().record_id, record.record_id);
    project
        .record(removal_at("portal", "1", "prod", now()))
        .await;
    assert_eq!(project.cell("portal", "prod").await, None);
}

async fn nothing_is_deployed_to_what_is_archived(backend: Backend) {
    let project = shared(backend).await;
    let time = ago(HOUR);
    project.record(report_at("portal", "1", "old", time)).await;
    project.record(report_at("legacy", "1", "new", time)).await;
    archive_environment(&project, "old").await;
    archive_application(&project, "legacy").await;
    let mut ledger = project.admin.ledger();
    ledger
        .record_deployment(project.recording(report("portal", "1", "old")))
        .await
        .refused(Code::FailedPrecondition, ErrorReason::EnvironmentArchived);
    ledger
        .record_deployment(project.recording(report("legacy", "1", "new")))
        .await
        .refused(Code::FailedPrecondition, ErrorReason::ApplicationArchived);
    for present in [
        report_at("portal", "1", "old", time),
        report_at("legacy", "1", "new", time),
    ] {
        let again = ledger
            .record_deployment(project.recording(present))
            .await
            .granted();
        assert!(again.already_present);
    }
}
