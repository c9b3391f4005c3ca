//! The same deployments, reported by many callers at once.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use rand::seq::SliceRandom as _;
use slipway_api::ledger::v1::{DeploymentReport, ListDeploymentRecordsRequest};
use slipway_tests::clock::{DAY, plus};
use slipway_tests::world::report_at;
use slipway_tests::{Backend, Client, Granted, Project, World, ago};

use crate::case::cases;
use crate::import::{batch, header, import};

cases![
    the_same_reports_are_recorded_once,
    imports_that_overlap_record_each_line_once,
];

/// How many callers there are, each on a connection of its own.
const CALLERS: usize = 16;

/// `count` deployments, nine at each microsecond, every other one with an external id.
fn reports(count: i64) -> Vec<DeploymentReport> {
    let time = ago(DAY);
    (0..count)
        .map(|number| {
            let application = format!("app-{}", number % 3);
            let version = number.to_string();
            let mut report = report_at(&application, &version, "prod", plus(time, number / 9));
            if number % 2 == 0 {
                report.external_id = format!("run-{number}");
            }
            report
        })
        .collect()
}

fn shuffled(reports: &[DeploymentReport]) -> Vec<DeploymentReport> {
    let mut reports = reports.to_vec();
    reports.shuffle(&mut rand::rng());
    reports
}

/// Creates all that the reports name, so that they don't wait for each other there.
async fn catalog(project: &Project, reports: &[DeploymentReport]) {
    let elsewhere: Vec<_> = reports
        .iter()
        .map(|report| DeploymentReport {
            environment: "dev".to_owned(),
            external_id: String::new(),
            ..report.clone()
        })
        .collect();
    imported(&project.admin, project, &elsewhere, elsewhere.len()).await;
    project.environment("prod").await;
}

/// Some report one by one and others import, each in an order of its own.
async fn the_same_reports_are_recorded_once(backend: Backend) {
    let world = World::shared(backend).await;
    let project = world.project().await;
    let all = reports(40);
    catalog(&project, &all).await;
    let callers = (0..CALLERS).map(async |caller| {
        let client = world.server.admin().await;
        if caller % 2 == 1 {
            return imported(&client, &project, &shuffled(&all), all.len()).await;
        }
        let mut added = 0;
        for report in shuffled(&all) {
            let recording = project.recording(report);
            let answer = client.ledger().record_deployment(recording).await.granted();
            added += i32::from(!answer.already_present);
        }
        added
    });
    check(&project, &all, join_all(callers).await).await;
}

async fn imports_that_overlap_record_each_line_once(backend: Backend) {
    let world = World::shared(backend).await;
    let project = world.project().await;
    let all = reports(600);
    catalog(&project, &all).await;
    let callers = (0..CALLERS).map(async |_| {
        let client = world.server.admin().await;
        imported(&client, &project, &shuffled(&all), 200).await
    });
    check(&project, &all, join_all(callers).await).await;
}

/// Imports in batches of this size, and says how many lines became records.
async fn imported(
    client: &Client,
    project: &Project,
    reports: &[DeploymentReport],
    size: usize,
) -> i32 {
    let batches = reports.chunks(size).zip((1..).step_by(size));
    let batches = batches.map(|(reports, first)| batch(first, reports));
    let messages = std::iter::once(header(project)).chain(batches);
    let answers = import(client, messages.collect()).await.granted();
    assert!(answers.iter().all(|answer| answer.errors.is_empty()));
    answers.iter().map(|answer| answer.recorded_count).sum()
}

/// Each report is one record, which one caller was told of, and the cells hold the latest.
async fn check(project: &Project, all: &[DeploymentReport], added: Vec<i32>) {
    let history = project
        .history(ListDeploymentRecordsRequest {
            environment: "prod".to_owned(),
            ..Default::default()
        })
        .await;
    let found: BTreeSet<_> = history.iter().map(|record| &*record.version).collect();
    let expected: BTreeSet<_> = all.iter().map(|report| &*report.version).collect();
    assert_eq!(found, expected);
    assert_eq!(history.len(), all.len());
    assert_eq!(
        usize::try_from(added.iter().sum::<i32>()).unwrap(),
        all.len()
    );
    for application in ["app-0", "app-1", "app-2"] {
        let mut of_cell = history.iter().filter(|r| r.application == application);
        let cell = project.cell(application, "prod").await.unwrap();
        assert_eq!(cell.record_id, of_cell.next().unwrap().record_id);
    }
}
