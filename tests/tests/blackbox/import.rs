//! Imports: batches that are answered one by one, and that may be sent again.

use slipway_api::errors::v1::ErrorReason;
use slipway_api::identity::v1::Role;
use slipway_api::ledger::v1::import_deployments_request::Message;
use slipway_api::ledger::v1::{
    CreateMissing, DeploymentReport, ImportBatch, ImportDeploymentsRequest,
    ImportDeploymentsResponse, ImportHeader, ImportLine, LineError, ListDeploymentRecordsRequest,
    RiskLevel,
};
use slipway_tests::clock::{DAY, ahead, plus};
use slipway_tests::world::{everything, report, report_at};
use slipway_tests::{Backend, Client, Granted, Project, Refused, World, ago};
use tokio_stream::StreamExt as _;
use tonic::{Code, Response, Status};

use crate::case::cases;

cases![
    each_batch_is_answered_in_order,
    an_import_again_adds_nothing,
    answers_come_while_the_caller_still_sends,
    faulty_lines_are_named_and_the_others_committed,
    lines_may_be_the_same_as_each_other,
    numbers_must_rise,
    the_header_comes_first_and_once,
    the_size_of_a_batch_is_bounded,
    an_import_creates_only_what_it_may,
];

/// A header that lets everything be created.
pub(crate) fn header(project: &Project) -> ImportDeploymentsRequest {
    header_with(project, Some(everything()))
}

pub(crate) fn header_with(
    project: &Project,
    create_missing: Option<CreateMissing>,
) -> ImportDeploymentsRequest {
    ImportDeploymentsRequest {
        message: Some(Message::Header(ImportHeader {
            project: project.slug.clone(),
            create_missing,
        })),
    }
}

/// A batch of reports, numbered from `first` on.
pub(crate) fn batch(first: i64, reports: &[DeploymentReport]) -> ImportDeploymentsRequest {
    let lines = reports
        .iter()
        .zip(first..)
        .map(|(report, line)| ImportLine {
            line,
            report: Some(report.clone()),
        });
    ImportDeploymentsRequest {
        message: Some(Message::Batch(ImportBatch {
            lines: lines.collect(),
        })),
    }
}

/// Sends all messages and reads all answers. The outcome is refused where the stream is, even after some answers.
pub(crate) async fn import(
    client: &Client,
    messages: Vec<ImportDeploymentsRequest>,
) -> Result<Response<Vec<ImportDeploymentsResponse>>, Status> {
    let mut ledger = client.ledger();
    let answers = ledger.import_deployments(tokio_stream::iter(messages));
    let mut answers = answers.await?.into_inner();
    let mut read = Vec::new();
    while let Some(answer) = answers.next().await {
        read.push(answer?);
    }
    Ok(Response::new(read))
}

/// `count` deployments, one a minute, which end a day ago.
fn reports(count: i64) -> Vec<DeploymentReport> {
    let end = ago(DAY);
    (0..count)
        .map(|number| {
            let application = format!("app-{}", number % 5);
            let environment = format!("env-{}", number % 2);
            let time = plus(end, (number - count) * 60_000_000);
            report_at(&application, &number.to_string(), &environment, time)
        })
        .collect()
}

async fn shared(backend: Backend) -> Project {
    World::shared(backend).await.project().await
}

async fn each_batch_is_answered_in_order(backend: Backend) {
    let project = shared(backend).await;
    let all = reports(25);
    let messages = vec![
        header(&project),
        batch(1, &all[..10]),
        // Numbers may be skipped.
        batch(101, &all[10..20]),
        batch(500, &all[20..]),
    ];
    let answers = import(&project.admin, messages).await.granted();
    let through: Vec<_> = answers.iter().map(|a| a.committed_through_line).collect();
    assert_eq!(through, [10, 110, 504]);
    let counts: Vec<_> = answers.iter().map(|a| a.recorded_count).collect();
    assert_eq!(counts, [10, 10, 5]);
    assert_eq!(answers[0].created_application_count, 5);
    assert_eq!(answers[0].created_environment_count, 2);
    assert_eq!(answers[0].created_version_count, 10);
    assert_eq!(answers[1].created_application_count, 0);
    assert_eq!(answers[1].created_version_count, 10);
    assert!(answers.iter().all(|answer| answer.errors.is_empty()));

    let history = project
        .history(ListDeploymentRecordsRequest::default())
        .await;
    let found: Vec<_> = history.iter().rev().map(|record| &record.version).collect();
    let sent: Vec<_> = all.iter().map(|report| &report.version).collect();
    assert_eq!(found, sent);
    assert_eq!(project.matrix(None).await.len(), 10);
}

async fn an_import_again_adds_nothing(backend: Backend) {
    let project = shared(backend).await;
    let mut all = reports(20);
    "named".clone_into(&mut all[3].external_id);
    import(&project.admin, vec![header(&project), batch(1, &all)])
        .await
        .granted();
    let before = project
        .history(ListDeploymentRecordsRequest::default())
        .await;
    // In another order and other batches.
    all.reverse();
    let messages = vec![header(&project), batch(1, &all[..7]), batch(8, &all[7..])];
    let answers = import(&project.admin, messages).await.granted();
    assert_eq!(answers.iter().map(|a| a.recorded_count).sum::<i32>(), 0);
    let present = answers.iter().map(|a| a.already_present_count).sum::<i32>();
    assert_eq!(present, 20);
    assert_eq!(
        project
            .history(ListDeploymentRecordsRequest::default())
            .await,
        before
    );
}

async fn answers_come_while_the_caller_still_sends(backend: Backend) {
    let project = shared(backend).await;
    let all = reports(3);
    let (send, receive) = tokio::sync::mpsc::channel(1);
    let mut ledger = project.admin.ledger();
    let requests = tokio_stream::wrappers::ReceiverStream::new(receive);
    send.send(header(&project)).await.unwrap();
    let mut answers = ledger.import_deployments(requests).await.granted();
    for (report, line) in all.iter().zip(1..) {
        send.send(batch(line, std::slice::from_ref(report)))
            .await
            .unwrap();
        let answer = answers.message().await.unwrap().unwrap();
        assert_eq!(answer.committed_through_line, line);
        // What is answered is there.
        let there = project
            .history(ListDeploymentRecordsRequest::default())
            .await;
        assert_eq!(there.len(), usize::try_from(line).unwrap());
    }
    drop(send);
    assert_eq!(answers.message().await.unwrap(), None);
}

async fn faulty_lines_are_named_and_the_others_committed(backend: Backend) {
    let project = shared(backend).await;
    let good = reports(2);
    let time = ago(DAY);
    let faulty = [
        (report("app", "1", "prod"), ErrorReason::InvalidField),
        (report_at("", "1", "prod", time), ErrorReason::InvalidField),
        (
            report_at("app", "1", "Prod", time),
            ErrorReason::InvalidField,
        ),
        (
            report_at("app", "1 2", "prod", time),
            ErrorReason::InvalidField,
        ),
        (
            report_at("app", "1", "prod", ahead(DAY)),
            ErrorReason::DeploymentTimeInFuture,
        ),
        (
            DeploymentReport {
                risk_level: 17,
                ..report_at("app", "1", "prod", time)
            },
            ErrorReason::InvalidField,
        ),
        (
            DeploymentReport {
                notes: "\0".to_owned(),
                ..report_at("app", "1", "prod", time)
            },
            ErrorReason::InvalidField,
        ),
    ];
    let mut lines = vec![good[0].clone()];
    lines.extend(faulty.iter().map(|(report, _)| report.clone()));
    lines.push(DeploymentReport {
        risk_level: RiskLevel::Critical.into(),
        ..good[1].clone()
    });
    let answers = import(&project.admin, vec![header(&project), batch(1, &lines)])
        .await
        .granted();
    assert_eq!(answers.len(), 1);
    let answer = &answers[0];
    assert_eq!(answer.recorded_count, 2);
    assert_eq!(
        answer.committed_through_line,
        i64::try_from(lines.len()).unwrap()
    );
    let found: Vec<_> = answer.errors.iter().map(|e| (e.line, e.reason())).collect();
    let expected: Vec<_> = (2..)
        .zip(faulty.iter().map(|(_, reason)| *reason))
        .collect();
    assert_eq!(found, expected, "{answer:?}");
    assert!(answer.errors.iter().all(|error| !error.message.is_empty()));
    // The application of refused lines alone was not created.
    let history = project
        .history(ListDeploymentRecordsRequest::default())
        .await;
    assert_eq!(history.len(), 2);
    assert_eq!(history[0].risk_level(), RiskLevel::Critical);
}

async fn lines_may_be_the_same_as_each_other(backend: Backend) {
    let project = shared(backend).await;
    let one = reports(1).remove(0);
    let answers = import(
        &project.admin,
        vec![header(&project), batch(1, &[one.clone(), one.clone()])],
    )
    .await
    .granted();
    assert_eq!(answers[0].recorded_count, 1);
    assert_eq!(answers[0].already_present_count, 1);
}

async fn numbers_must_rise(backend: Backend) {
    let project = shared(backend).await;
    let all = reports(4);
    for (first, second) in [(1, 1), (5, 4), (5, 6), (0, 10), (-3, 10)] {
        // (5, 6): the first batch ends with line 6.
        import(
            &project.admin,
            vec![
                header(&project),
                batch(first, &all[..2]),
                batch(second, &all[2..]),
            ],
        )
        .await
        .refused(Code::InvalidArgument, ErrorReason::StreamOutOfOrder);
    }
    // What was answered before the fault stays.
    let history = project
        .history(ListDeploymentRecordsRequest::default())
        .await;
    assert_eq!(history.len(), 2);
}

async fn the_header_comes_first_and_once(backend: Backend) {
    let project = shared(backend).await;
    let all = reports(2);
    for messages in [
        vec![batch(1, &all)],
        vec![header(&project), batch(1, &all[..1]), header(&project)],
        vec![header(&project), header(&project)],
    ] {
        import(&project.admin, messages)
            .await
            .refused(Code::InvalidArgument, ErrorReason::StreamOutOfOrder);
    }
    let unknown = Project {
        slug: "no-such-project".to_owned(),
        admin: project.admin.clone(),
    };
    import(&project.admin, vec![header(&unknown)])
        .await
        .refused(Code::NotFound, ErrorReason::ProjectNotFound);
    let malformed = Project {
        slug: "No Slug".to_owned(),
        admin: project.admin.clone(),
    };
    import(&project.admin, vec![header(&malformed)])
        .await
        .refused(Code::InvalidArgument, ErrorReason::InvalidField);
    // A header alone imports nothing, and that is no fault.
    let answers = import(&project.admin, vec![header(&project)])
        .await
        .granted();
    assert_eq!(answers, []);
}

async fn the_size_of_a_batch_is_bounded(backend: Backend) {
    let project = shared(backend).await;
    for lines in [vec![], reports(1_001)] {
        import(&project.admin, vec![header(&project), batch(1, &lines)])
            .await
            .refused(Code::InvalidArgument, ErrorReason::InvalidField);
    }
    let answers = import(
        &project.admin,
        vec![header(&project), batch(1, &reports(1_000))],
    )
    .await
    .granted();
    assert_eq!(answers[0].recorded_count, 1_000);
}

async fn an_import_creates_only_what_it_may(backend: Backend) {
    let project = shared(backend).await;
    let developer = project.member(Role::Developer).await;
    let all = reports(2);
    let answers = import(&developer, vec![header(&project), batch(1, &all)]).await;
    // Environments are the administrators' to create: refused as a whole or line by line, but nothing is created.
    match answers {
        Err(status) => {
            Err::<Response<()>, _>(status)
                .refused(Code::PermissionDenied, ErrorReason::PermissionMissing);
        }
        Ok(answers) => {
            let errors = &answers.get_ref()[0].errors;
            let reasons: Vec<_> = errors.iter().map(LineError::reason).collect();
            assert_eq!(reasons, [ErrorReason::PermissionMissing; 2]);
        }
    }
    let messages = vec![header_with(&project, None), batch(1, &all)];
    let answers = import(&project.admin, messages).await.granted();
    let reasons: Vec<_> = answers[0].errors.iter().map(LineError::reason).collect();
    assert!(
        reasons.iter().all(|reason| matches!(
            reason,
            ErrorReason::ApplicationNotFound | ErrorReason::EnvironmentNotFound
        )),
        "{reasons:?}"
    );
    assert_eq!(
        project
            .history(ListDeploymentRecordsRequest::default())
            .await,
        []
    );
}
