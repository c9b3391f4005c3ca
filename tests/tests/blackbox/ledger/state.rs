//! What records add up to: the current state now and in the past.

use slipway_api::errors::v1::ErrorReason;
use slipway_api::ledger::v1::{
    Freshness, GetCurrentStateRequest, ListCurrentStateRequest, ListDeploymentRecordsRequest,
    RecordKind,
};
use slipway_tests::clock::{DAY, HOUR, ahead, plus, to_micros};
use slipway_tests::refusal::violated_fields;
use slipway_tests::world::{removal_at, report, report_at};
use slipway_tests::{Backend, Granted, Refused, ago, now};
use std::time::Duration;
use tonic::Code;

use super::{archive_application, archive_environment, get_record, shared, version_in};
use crate::case::cases;

cases![
    a_removal_empties_the_cell,
    a_retraction_brings_back_what_was_before,
    a_late_report_moves_nothing,
    ties_go_to_the_later_record,
    archived_cells_are_listed_on_request,
    the_past_is_seen_as_of_a_time_and_as_known_at_a_time,
    times_ahead_are_refused_in_questions,
    freshness_counts_days,
    the_matrix_is_paged_as_of_its_first_page,
];

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
    let expected = [
        Freshness::Fresh,
        Freshness::Fresh,
        Freshness::Aging,
        Freshness::Aging,
        Freshness::Stale,
    ];
    assert_eq!(freshness, expected);
    // Seen from the time that is asked about.
    let then = project
        .cell_at("e", "prod", Some(ago(DAY * 70)), None)
        .await;
    assert_eq!(then.unwrap().freshness(), Freshness::Fresh);
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
