//! Records and what they add up to: the current state now and in the past.

use std::collections::BTreeMap;

use slipway_api::catalog::v1::{
    ApplicationKind, ArchiveApplicationRequest, ArchiveEnvironmentRequest, DeprecateVersionRequest,
};
use slipway_api::errors::v1::ErrorReason;
use slipway_api::identity::v1::Role;
use slipway_api::ledger::v1::{
    CreateMissing, DeploymentReport, Freshness, GetCurrentStateRequest, GetDeploymentRecordRequest,
    GetStatisticsRequest, ListCurrentStateRequest, ListDeploymentRecordsRequest,
    RecordDeploymentRequest, RecordKind, RetractDeploymentRecordRequest, RiskLevel,
};
use slipway_tests::clock::{DAY, HOUR, ahead, plus, to_micros};
use slipway_tests::refusal::violated_fields;
use slipway_tests::world::{everything, removal_at, report, report_at};
use slipway_tests::{Backend, Granted, Project, Refused, World, ago, now};
use std::time::Duration;
use tonic::Code;

use crate::case::cases;

cases![
    a_record_keeps_all_that_was_said,
    a_record_creates_only_what_it_may,
    unknown_names_are_refused_each_with_its_reason,
    a_removal_empties_the_cell,
    a_retraction_brings_back_what_was_before,
    a_retraction_is_final_and_for_administrators,
    a_late_report_moves_nothing,
    ties_go_to_the_later_record,
    a_clock_ahead_is_clamped,
    the_same_fact_is_recorded_once,
    an_external_id_names_one_deployment_of_one_reporter,
    a_deprecated_version_can_only_be_removed,
    nothing_is_deployed_to_what_is_archived,
    archived_cells_are_listed_on_request,
    the_past_is_seen_as_of_a_time_and_as_known_at_a_time,
    times_ahead_are_refused_in_questions,
    freshness_counts_days,
    the_history_can_be_filtered,
    the_history_can_be_paged,
    the_matrix_is_paged_as_of_its_first_page,
    statistics_count_what_is_not_retracted,
];

async fn shared(backend: Backend) -> Project {
    World::shared(backend).await.project().await
}

async fn version_in(project: &Project, application: &str, environment: &str) -> Option<String> {
    let cell = project.cell(application, environment).await;
    cell.map(|cell| cell.version)
}

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

async fn get_record(
    project: &Project,
    record_id: &str,
) -> slipway_api::ledger::v1::DeploymentRecord {
    project
        .admin
        .ledger()
        .get_deployment_record(GetDeploymentRecordRequest {
            project: project.slug.clone(),
            record_id: record_id.to_owned(),
        })
        .await
        .granted()
        .record
        .unwrap()
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

async fn a_removal_empties_the_cell(backend: Backend) {
    let project = shared(backend).await;
    project
        .record(report_at("portal", "1", "prod", ago(HOUR * 3)))
        .await;
    project
        .record(report_at("portal", "1", "dev", ago(HOUR * 3)))
        .await;
    let removal = project
        .record(removal_at("portal", "1", "prod", ago(HOUR * 2)))
        .await;
    assert_eq!(removal.kind(), RecordKind::Removed);
    assert_eq!(project.cell("portal", "prod").await, None);
    assert_eq!(project.matrix(None).await.len(), 1);
    assert!(
        project
            .cell_at("portal", "prod", Some(ago(HOUR * 5 / 2)), None)
            .await
            .is_some()
    );
    assert_eq!(
        project
            .cell_at("portal", "prod", Some(ago(HOUR)), None)
            .await,
        None
    );

    project
        .record(report_at("portal", "1", "prod", ago(HOUR)))
        .await;
    assert_eq!(
        version_in(&project, "portal", "prod").await.as_deref(),
        Some("1")
    );
}

async fn a_retraction_brings_back_what_was_before(backend: Backend) {
    let project = shared(backend).await;
    let first = project
        .record(report_at("portal", "1", "prod", ago(HOUR * 3)))
        .await;
    let second = project
        .record(report_at("portal", "2", "prod", ago(HOUR * 2)))
        .await;
    let removal = project
        .record(removal_at("portal", "2", "prod", ago(HOUR)))
        .await;

    let retracted = project.retract(&removal.record_id).await;
    let retraction = retracted.retraction.clone().unwrap();
    assert_eq!(retraction.reason, "it was never deployed");
    assert_eq!(
        retraction.retracted_by.unwrap().principal_id,
        project.admin.principal_id
    );
    assert_eq!(
        version_in(&project, "portal", "prod").await.as_deref(),
        Some("2")
    );
    project.retract(&second.record_id).await;
    assert_eq!(
        version_in(&project, "portal", "prod").await.as_deref(),
        Some("1")
    );
    project.retract(&first.record_id).await;
    assert_eq!(project.cell("portal", "prod").await, None);
    // The past is seen with today's knowledge.
    assert_eq!(
        project
            .cell_at("portal", "prod", Some(ago(HOUR / 2)), None)
            .await,
        None
    );

    assert_eq!(
        project
            .history(ListDeploymentRecordsRequest::default())
            .await,
        []
    );
    let all = project
        .history(ListDeploymentRecordsRequest {
            include_retracted: true,
            ..Default::default()
        })
        .await;
    assert_eq!(all.len(), 3);
    assert_eq!(all[0], retracted);
    assert_eq!(get_record(&project, &removal.record_id).await, retracted);
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

async fn a_late_report_moves_nothing(backend: Backend) {
    let project = shared(backend).await;
    project
        .record(report_at("portal", "2", "prod", ago(HOUR)))
        .await;
    let late = project
        .record(report_at("portal", "1", "prod", ago(HOUR * 2)))
        .await;
    assert_eq!(
        version_in(&project, "portal", "prod").await.as_deref(),
        Some("2")
    );
    let history = project
        .history(ListDeploymentRecordsRequest::default())
        .await;
    assert_eq!(history[1].record_id, late.record_id);
    // A late removal between the two takes nothing away today.
    project
        .record(removal_at("portal", "1", "prod", ago(HOUR * 3 / 2)))
        .await;
    assert_eq!(
        version_in(&project, "portal", "prod").await.as_deref(),
        Some("2")
    );
    assert_eq!(
        project
            .cell_at("portal", "prod", Some(ago(HOUR * 5 / 4)), None)
            .await,
        None
    );
}

async fn ties_go_to_the_later_record(backend: Backend) {
    let project = shared(backend).await;
    let time = ago(HOUR);
    let first = project.record(report_at("portal", "2", "prod", time)).await;
    let second = project.record(report_at("portal", "1", "prod", time)).await;
    assert!(first.sequence < second.sequence);
    assert_eq!(
        version_in(&project, "portal", "prod").await.as_deref(),
        Some("1")
    );
    let as_of = project.cell_at("portal", "prod", Some(time), None).await;
    assert_eq!(as_of.unwrap().record_id, second.record_id);
    assert_eq!(
        project
            .cell_at("portal", "prod", Some(plus(time, -1)), None)
            .await,
        None
    );
    let history = project
        .history(ListDeploymentRecordsRequest::default())
        .await;
    assert_eq!(history, [second.clone(), first]);
    project.retract(&second.record_id).await;
    assert_eq!(
        version_in(&project, "portal", "prod").await.as_deref(),
        Some("2")
    );
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
        .record_deployment(project.recording(bearing("2")))
        .await
        .granted();
    assert!(again.already_present);
    assert_eq!(again.record.unwrap(), record);

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

async fn archive_environment(project: &Project, slug: &str) {
    project
        .admin
        .environments()
        .archive_environment(ArchiveEnvironmentRequest {
            project: project.slug.clone(),
            environment: slug.to_owned(),
            ..Default::default()
        })
        .await
        .granted();
}

async fn archive_application(project: &Project, key: &str) {
    project
        .admin
        .applications()
        .archive_application(ArchiveApplicationRequest {
            project: project.slug.clone(),
            application: key.to_owned(),
            ..Default::default()
        })
        .await
        .granted();
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

async fn archived_cells_are_listed_on_request(backend: Backend) {
    let project = shared(backend).await;
    for (application, environment) in [("a", "one"), ("a", "two"), ("b", "one"), ("b", "two")] {
        project
            .record(report_at(application, "1", environment, ago(HOUR)))
            .await;
    }
    archive_environment(&project, "two").await;
    archive_application(&project, "b").await;
    let list = async |include_archived, as_of_time| -> Vec<(String, String)> {
        project
            .admin
            .ledger()
            .list_current_state(ListCurrentStateRequest {
                project: project.slug.clone(),
                include_archived,
                as_of_time,
                ..Default::default()
            })
            .await
            .granted()
            .states
            .into_iter()
            .map(|cell| (cell.application, cell.environment))
            .collect()
    };
    let cell = |a: &str, e: &str| (a.to_owned(), e.to_owned());
    for as_of_time in [None, Some(ago(HOUR / 2))] {
        assert_eq!(list(false, as_of_time).await, [cell("a", "one")]);
        assert_eq!(
            list(true, as_of_time).await,
            [
                cell("a", "one"),
                cell("a", "two"),
                cell("b", "one"),
                cell("b", "two")
            ]
        );
    }
    // One cell is returned in any case.
    assert!(project.cell("b", "two").await.is_some());
}

async fn the_past_is_seen_as_of_a_time_and_as_known_at_a_time(backend: Backend) {
    let project = shared(backend).await;
    let wrong = project
        .record(report_at("portal", "1", "prod", ago(DAY * 10)))
        .await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    let known_then = now();
    tokio::time::sleep(Duration::from_millis(20)).await;
    project
        .record(report_at("portal", "2", "prod", ago(DAY * 5)))
        .await;
    project.retract(&wrong.record_id).await;

    let version = async |as_of, known_at| {
        project
            .cell_at("portal", "prod", as_of, known_at)
            .await
            .map(|cell| cell.version)
    };
    assert_eq!(version(None, None).await.as_deref(), Some("2"));
    // Today we know that nothing was there a week ago; then we thought it was the first version.
    assert_eq!(version(Some(ago(DAY * 7)), None).await, None);
    assert_eq!(
        version(Some(ago(DAY * 7)), Some(known_then))
            .await
            .as_deref(),
        Some("1")
    );
    assert_eq!(version(None, Some(known_then)).await.as_deref(), Some("1"));
    assert_eq!(version(None, Some(ago(HOUR))).await, None);
    assert_eq!(
        version(Some(ago(DAY * 4)), None).await.as_deref(),
        Some("2")
    );

    let matrix = project
        .admin
        .ledger()
        .list_current_state(ListCurrentStateRequest {
            project: project.slug.clone(),
            as_of_time: Some(ago(DAY * 7)),
            known_at_time: Some(known_then),
            ..Default::default()
        })
        .await
        .granted();
    assert_eq!(matrix.states.len(), 1);
    assert_eq!(matrix.states[0].record_id, wrong.record_id);
    assert!(project.matrix(Some(ago(DAY * 7))).await.is_empty());
}

async fn times_ahead_are_refused_in_questions(backend: Backend) {
    let project = shared(backend).await;
    project.record(report("portal", "1", "prod")).await;
    let ask = async |as_of_time, known_at_time| {
        project
            .admin
            .ledger()
            .get_current_state(GetCurrentStateRequest {
                project: project.slug.clone(),
                application: "portal".to_owned(),
                environment: "prod".to_owned(),
                as_of_time,
                known_at_time,
            })
            .await
    };
    let soon = Some(ahead(Duration::from_secs(40)));
    let answer = ask(soon, soon).await.granted();
    assert!(answer.state.is_some());
    assert!(to_micros(answer.as_of_time.unwrap()) <= to_micros(now()));
    let later = Some(ahead(Duration::from_secs(80)));
    let refused = ask(later, later)
        .await
        .refused(Code::InvalidArgument, ErrorReason::InvalidField);
    assert_eq!(violated_fields(&refused), ["as_of_time", "known_at_time"]);
}

async fn freshness_counts_days(backend: Backend) {
    let project = shared(backend).await;
    for (application, days) in [("a", 1), ("b", 29), ("c", 31), ("d", 89), ("e", 91)] {
        project
            .record(report_at(application, "1", "prod", ago(DAY * days)))
            .await;
    }
    let freshness: Vec<_> = project
        .matrix(None)
        .await
        .iter()
        .map(slipway_api::ledger::v1::CurrentState::freshness)
        .collect();
    use Freshness::{Aging, Fresh, Stale};
    assert_eq!(freshness, [Fresh, Fresh, Aging, Aging, Stale]);
    // Seen from the time that is asked about.
    let then = project
        .cell_at("e", "prod", Some(ago(DAY * 70)), None)
        .await;
    assert_eq!(then.unwrap().freshness(), Fresh);
}

async fn the_history_can_be_filtered(backend: Backend) {
    let project = shared(backend).await;
    let times = [ago(DAY * 4), ago(DAY * 3), ago(DAY * 2), ago(DAY)];
    let by = |name: &str, report| DeploymentReport {
        deployed_by: name.to_owned(),
        ..report
    };
    for report in [
        by("ann", report_at("portal", "1", "dev", times[0])),
        by("bob", report_at("portal", "2", "prod", times[1])),
        by("ann", report_at("cart", "1", "prod", times[2])),
        by("bob", removal_at("portal", "2", "prod", times[3])),
    ] {
        project.record(report).await;
    }
    let all = project
        .history(ListDeploymentRecordsRequest::default())
        .await;
    let found = async |filter| {
        let found = project.history(filter).await;
        found
            .iter()
            .map(|record| 3 - all.iter().position(|known| known == record).unwrap())
            .collect::<Vec<_>>()
    };
    let none = ListDeploymentRecordsRequest::default;
    let filters = [
        (
            ListDeploymentRecordsRequest {
                application: "portal".to_owned(),
                ..none()
            },
            vec![3, 1, 0],
        ),
        (
            ListDeploymentRecordsRequest {
                application: "portal".to_owned(),
                version: "2".to_owned(),
                ..none()
            },
            vec![3, 1],
        ),
        (
            ListDeploymentRecordsRequest {
                environment: "prod".to_owned(),
                deployed_by: "ann".to_owned(),
                ..none()
            },
            vec![2],
        ),
        (
            ListDeploymentRecordsRequest {
                deployed_by: "an".to_owned(),
                ..none()
            },
            vec![],
        ),
        (
            ListDeploymentRecordsRequest {
                kind: RecordKind::Removed.into(),
                ..none()
            },
            vec![3],
        ),
        // From is included, to is not.
        (
            ListDeploymentRecordsRequest {
                from_time: Some(times[1]),
                to_time: Some(times[3]),
                ..none()
            },
            vec![2, 1],
        ),
    ];
    for (filter, expected) in filters {
        assert_eq!(found(filter.clone()).await, expected, "{filter:?}");
    }
}

async fn the_history_can_be_paged(backend: Backend) {
    let project = shared(backend).await;
    let time = ago(DAY);
    for number in 0..7 {
        // Pairs at the same time: a page may end between them.
        project
            .record(report_at(
                "portal",
                &number.to_string(),
                "prod",
                plus(time, number / 2),
            ))
            .await;
    }
    let whole = project
        .history(ListDeploymentRecordsRequest::default())
        .await;
    let versions: Vec<_> = whole.iter().map(|record| &*record.version).collect();
    assert_eq!(versions, ["6", "5", "4", "3", "2", "1", "0"]);
    for page_size in [1, 2, 3, 7] {
        let paged = project
            .history(ListDeploymentRecordsRequest {
                page_size,
                ..Default::default()
            })
            .await;
        assert_eq!(paged, whole);
    }
}

async fn the_matrix_is_paged_as_of_its_first_page(backend: Backend) {
    let project = shared(backend).await;
    for application in ["A", "a", "b", "c"] {
        project
            .record(report_at(application, "1", "prod", ago(HOUR)))
            .await;
    }
    let mut request = ListCurrentStateRequest {
        project: project.slug.clone(),
        page_size: 2,
        ..Default::default()
    };
    let mut ledger = project.admin.ledger();
    let first = ledger.list_current_state(request.clone()).await.granted();
    // What happens now belongs to a later picture.
    project.record(report("b", "2", "prod")).await;
    project.record(removal_at("c", "1", "prod", now())).await;
    request.page_token.clone_from(&first.next_page_token);
    let second = ledger.list_current_state(request).await.granted();
    assert_eq!(first.as_of_time, second.as_of_time);
    let seen: Vec<_> = first
        .states
        .iter()
        .chain(&second.states)
        .map(|cell| (&*cell.application, &*cell.version))
        .collect();
    // Bytewise: capitals first.
    assert_eq!(seen, [("A", "1"), ("a", "1"), ("b", "1"), ("c", "1")]);
    assert_eq!(second.next_page_token, "");
}

async fn statistics_count_what_is_not_retracted(backend: Backend) {
    let project = shared(backend).await;
    for number in 0..12u32 {
        project
            .record(report_at(
                "portal",
                &number.to_string(),
                "prod",
                ago(HOUR * (number + 1) / 60),
            ))
            .await;
    }
    project
        .record(removal_at("portal", "0", "dev", ago(HOUR)))
        .await;
    project
        .record(report_at("cart", "1", "dev", ago(DAY * 8)))
        .await;
    let wrong = project.record(report("cart", "2", "prod")).await;
    project.retract(&wrong.record_id).await;
    project.application("gone").await;
    archive_application(&project, "gone").await;

    let ask = async |environment: &str, window_days| {
        let answer = project
            .admin
            .ledger()
            .get_statistics(GetStatisticsRequest {
                project: project.slug.clone(),
                environment: environment.to_owned(),
                window_days,
            })
            .await;
        answer.granted().statistics.unwrap()
    };
    let all = ask("", 0).await;
    assert_eq!(all.application_count, 2);
    assert_eq!(all.environment_count, 2);
    assert_eq!(all.deployments_last_7_days, 12);
    let newest = project
        .history(ListDeploymentRecordsRequest::default())
        .await;
    assert_eq!(all.recent_records, newest[..10]);
    let sum = |environment: &str| {
        let of_environment = all
            .daily_counts
            .iter()
            .filter(|count| count.environment == environment);
        of_environment.fold((0, 0), |(deployed, removed), count| {
            (
                deployed + count.deployed_count,
                removed + count.removed_count,
            )
        })
    };
    assert_eq!(sum("prod"), (12, 0));
    assert_eq!(sum("dev"), (1, 1));
    let ordered = all
        .daily_counts
        .windows(2)
        .all(|pair| (&pair[1].day, &pair[0].environment) < (&pair[0].day, &pair[1].environment));
    assert!(ordered, "{:?}", all.daily_counts);
    assert!(!all.daily_counts_truncated);

    let dev = ask("dev", 5).await;
    assert_eq!(dev.deployments_last_7_days, 12);
    assert!(
        dev.daily_counts
            .iter()
            .all(|count| count.environment == "dev"
                && count.deployed_count == 0
                && count.removed_count == 1)
    );
    for window_days in [-1, 367] {
        let refused = project
            .admin
            .ledger()
            .get_statistics(GetStatisticsRequest {
                project: project.slug.clone(),
                window_days,
                ..Default::default()
            })
            .await
            .refused(Code::InvalidArgument, ErrorReason::InvalidField);
        assert_eq!(violated_fields(&refused), ["window_days"]);
    }
    project
        .admin
        .ledger()
        .get_statistics(GetStatisticsRequest {
            project: project.slug.clone(),
            environment: "nowhere".to_owned(),
            ..Default::default()
        })
        .await
        .refused(Code::NotFound, ErrorReason::EnvironmentNotFound);
}
