//! `kill -9` while an import runs, again and again at random moments, on the same state.
//!
//! It proves what a process's sudden end can do, and nothing about power loss.

use std::collections::BTreeSet;
use std::time::Duration;

use rand::Rng as _;
use slipway_api::audit::v1::VerifyAuditTrailRequest;
use slipway_api::ledger::v1::{DeploymentReport, ListDeploymentRecordsRequest};
use slipway_tests::backend::scaled;
use slipway_tests::clock::{DAY, plus, to_micros};
use slipway_tests::world::{removal_at, report_at};
use slipway_tests::{Backend, Client, Granted, Project, World, ago, now};
use tokio_stream::StreamExt as _;

use crate::case::cases;
use crate::import::{batch, header, import};

cases![an_import_survives_kill_9];

/// How often the server is killed, at scale 1.
const KILLS: usize = 20;
/// Lines of one import, and of one batch. An import takes longer than the latest kill.
const LINES: usize = 2_500;
const BATCH: usize = 50;
/// The latest moment of a kill after the import's begin.
const LATEST: Duration = Duration::from_millis(500);

async fn an_import_survives_kill_9(backend: Backend) {
    let mut world = World::own(backend).await;
    let mut project = world.project().await;
    let mut interrupted = 0;
    let mut expected = 0;
    let kills = scaled(KILLS);
    for round in 0..kills {
        let reports = reports(round);
        let client = project.admin.clone();
        let importing = tokio::spawn(acknowledged(client, project.clone(), reports.clone()));
        let moment = rand::rng().random_range(Duration::ZERO..LATEST);
        tokio::time::sleep(moment).await;
        world.server.kill().await;
        let through = importing.await.unwrap();
        if through < reports.len() {
            interrupted += 1;
        }

        world.server.restart().await;
        project.admin = world
            .server
            .admin()
            .await
            .known_as(&*project.admin.principal_id);
        world.admin = project.admin.clone();
        // Everything acknowledged is there.
        let present = of_round(&project, round).await;
        for report in &reports[..through] {
            assert!(
                present.contains(&report.external_id),
                "round {round}: {} was acknowledged and is gone",
                report.external_id
            );
        }
        // Again from the start: what is missing comes, nothing comes twice.
        let messages = messages(&project, &reports);
        let answers = import(&project.admin, messages).await.granted();
        let recorded: i32 = answers.iter().map(|answer| answer.recorded_count).sum();
        assert!(answers.iter().all(|answer| answer.errors.is_empty()));
        assert_eq!(
            usize::try_from(recorded).unwrap(),
            reports.len() - present.len()
        );
        assert_eq!(of_round(&project, round).await.len(), reports.len());
        expected += reports.len();
        check(&project).await;
    }
    let all = project
        .history(ListDeploymentRecordsRequest::default())
        .await;
    assert_eq!(all.len(), expected);
    println!("{backend}: {kills} kills, {interrupted} of them during the import");
    assert!(interrupted * 2 >= kills, "most kills must come in time");
}

/// Removals among deployments, so that cells also empty.
fn reports(round: usize) -> Vec<DeploymentReport> {
    let begin = ago(DAY);
    (0..LINES)
        .map(|line| {
            let application = format!("app-{}", line % 17);
            let environment = format!("env-{}", line % 5);
            let time = plus(begin, i64::try_from(round * LINES + line / 2).unwrap());
            let version = format!("{}", line % 23);
            let report = if line % 7 == 0 {
                removal_at(&application, &version, &environment, time)
            } else {
                report_at(&application, &version, &environment, time)
            };
            DeploymentReport {
                external_id: format!("{round}-{line}"),
                deployed_by: format!("round {round}"),
                ..report
            }
        })
        .collect()
}

fn messages(
    project: &Project,
    reports: &[DeploymentReport],
) -> Vec<slipway_api::ledger::v1::ImportDeploymentsRequest> {
    let batches = reports.chunks(BATCH).enumerate();
    let batches =
        batches.map(|(number, reports)| batch(i64::try_from(number * BATCH + 1).unwrap(), reports));
    std::iter::once(header(project)).chain(batches).collect()
}

/// Imports until the end of the stream, whichever it is, and says how many lines were acknowledged.
async fn acknowledged(client: Client, project: Project, reports: Vec<DeploymentReport>) -> usize {
    let messages = messages(&project, &reports);
    let mut ledger = client.ledger();
    let answers = ledger
        .import_deployments(tokio_stream::iter(messages))
        .await;
    let Ok(answers) = answers else { return 0 };
    let mut answers = answers.into_inner();
    let mut through = 0;
    while let Some(Ok(answer)) = answers.next().await {
        through = usize::try_from(answer.committed_through_line).unwrap();
    }
    through
}

/// The external ids of a round's records. None may be there twice.
async fn of_round(project: &Project, round: usize) -> BTreeSet<String> {
    let filter = ListDeploymentRecordsRequest {
        deployed_by: format!("round {round}"),
        ..Default::default()
    };
    // Before the first batch nothing is known of that name.
    let records = project.history(filter).await;
    let ids: BTreeSet<_> = records.iter().map(|r| r.external_id.clone()).collect();
    assert_eq!(ids.len(), records.len(), "round {round}: a record twice");
    ids
}

/// The chain verifies, and the matrix that is kept is the one that the records add up to.
async fn check(project: &Project) {
    let verified = project
        .admin
        .audit()
        .verify_audit_trail(VerifyAuditTrailRequest {
            project: project.slug.clone(),
            checkpoint: None,
        })
        .await
        .granted()
        .verification
        .unwrap();
    assert!(verified.verified, "{verified:?}");
    let cells = |states: Vec<slipway_api::ledger::v1::CurrentState>| {
        states
            .into_iter()
            .map(|cell| {
                (
                    cell.application,
                    cell.environment,
                    cell.record_id,
                    cell.version,
                )
            })
            .collect::<Vec<_>>()
    };
    let kept = cells(project.matrix(None).await);
    let recomputed = cells(project.matrix(Some(now())).await);
    assert_eq!(kept, recomputed);
    assert_eq!(kept, by_hand(project).await);
}

/// The matrix, from the history alone.
async fn by_hand(project: &Project) -> Vec<(String, String, String, String)> {
    let mut latest = std::collections::BTreeMap::new();
    for record in project
        .history(ListDeploymentRecordsRequest::default())
        .await
    {
        let cell = (record.application.clone(), record.environment.clone());
        let key = (to_micros(record.deployed_time.unwrap()), record.sequence);
        let found = latest.entry(cell).or_insert_with(|| (key, record.clone()));
        if found.0 < key {
            *found = (key, record);
        }
    }
    latest
        .into_iter()
        .filter(|(_, (_, record))| record.kind() == slipway_api::ledger::v1::RecordKind::Deployed)
        .map(|((application, environment), (_, record))| {
            (application, environment, record.record_id, record.version)
        })
        .collect()
}
