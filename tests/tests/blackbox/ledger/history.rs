//! The history and the statistics.

use slipway_api::errors::v1::ErrorReason;
use slipway_api::ledger::v1::{
    DeploymentReport, GetStatisticsRequest, ListDeploymentRecordsRequest, RecordKind,
};
use slipway_tests::clock::{DAY, HOUR, plus};
use slipway_tests::refusal::violated_fields;
use slipway_tests::world::{removal_at, report, report_at};
use slipway_tests::{Backend, Granted, Refused, ago};
use tonic::Code;

use super::{archive_application, shared};
use crate::case::cases;

cases![
    the_history_can_be_filtered,
    the_history_can_be_paged,
    statistics_count_what_is_not_retracted,
];

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
