//! Delivery figures.

use std::time::Duration;

use slipway_api::audit::v1::{DoraMetrics, GetDoraMetricsRequest};
use slipway_api::deployments::v1::RollbackDeploymentRequest;
use slipway_api::errors::v1::ErrorReason;
use slipway_tests::clock::ahead;
use slipway_tests::world::report;
use slipway_tests::{Backend, Granted, Project, Refused, ago};
use tonic::Code;

use super::shared;
use crate::case::cases;
use crate::deployments::releases::{bring, execute, prompt, release};

cases![
    what_was_delivered_is_counted,
    figures_of_nothing_that_exists_are_refused,
];

const HOUR: Duration = Duration::from_hours(1);

fn question(project: &Project) -> GetDoraMetricsRequest {
    GetDoraMetricsRequest {
        project: project.slug.clone(),
        from_time: Some(ago(HOUR)),
        to_time: Some(ahead(HOUR)),
        ..Default::default()
    }
}

async fn asked(project: &Project, question: GetDoraMetricsRequest) -> Vec<DoraMetrics> {
    let mut audit = project.admin.audit();
    audit.get_dora_metrics(question).await.granted().metrics
}

async fn what_was_delivered_is_counted(backend: Backend) {
    let project = shared(backend).await;
    assert_eq!(asked(&project, question(&project)).await, []);
    project.environment("prod").await;
    prompt(&project, "greeting", &["1.0.0", "1.1.0"]).await;
    let mut last = None;
    for version in ["1.0.0", "1.1.0"] {
        let asked = release(&project, vec![bring("greeting", version)]);
        let made = project.admin.deployments().create_release(asked).await;
        let made = made.granted().deployment.unwrap();
        last = Some(execute(&project.admin, &made).await);
    }
    let last = last.unwrap();
    let undoing = RollbackDeploymentRequest {
        project: project.slug.clone(),
        deployment: last.deployment_id.clone(),
        reason: "it is rude".to_owned(),
        ..Default::default()
    };
    let undone = project
        .admin
        .deployments()
        .rollback_deployment(undoing)
        .await;
    let undone = undone.granted().deployment.unwrap();
    if undone.finished_time.is_none() {
        execute(&project.admin, &undone).await;
    }
    project.record(report("cart", "1", "dev")).await;

    let found = asked(&project, question(&project)).await;
    let cells: Vec<_> = found
        .iter()
        .map(|one| (one.application.as_str(), one.environment.as_str()))
        .collect();
    assert_eq!(cells, [("cart", "dev"), ("greeting", "prod")]);
    let [reported, released] = found.as_slice() else {
        panic!("{found:?}");
    };
    assert_eq!((reported.delivery_count, reported.deployment_count), (1, 0));
    assert_eq!(reported.change_failure_rate, None, "no data");
    assert_eq!(reported.time_to_recover_seconds, None);
    assert_eq!(reported.lead_time_median_seconds, None);
    assert_eq!(released.delivery_count, 3);
    assert_eq!(released.deployment_count, 3);
    assert_eq!(released.failed_deployment_count, 1);
    let third = |figure: Option<f64>| figure.is_some_and(|found| (found - 1.0 / 3.0).abs() < 1e-9);
    assert!(third(released.change_failure_rate), "{released:?}");
    assert!(third(released.rework_rate), "{released:?}");
    assert!(released.time_to_recover_seconds.unwrap() > 0.0);
    assert!(released.lead_time_median_seconds.unwrap() > 0.0);
    assert!(released.lead_time_p90_seconds >= released.lead_time_median_seconds);

    let only = GetDoraMetricsRequest {
        environment: "dev".to_owned(),
        application: "cart".to_owned(),
        ..question(&project)
    };
    assert_eq!(asked(&project, only).await.len(), 1);
}

async fn figures_of_nothing_that_exists_are_refused(backend: Backend) {
    let project = shared(backend).await;
    let ask = async |question: GetDoraMetricsRequest| {
        project.admin.audit().get_dora_metrics(question).await
    };
    let whole = question(&project);
    let environment = GetDoraMetricsRequest {
        environment: "nowhere".to_owned(),
        ..whole.clone()
    };
    ask(environment)
        .await
        .refused(Code::NotFound, ErrorReason::EnvironmentNotFound);
    let application = GetDoraMetricsRequest {
        application: "nothing".to_owned(),
        ..whole.clone()
    };
    ask(application)
        .await
        .refused(Code::NotFound, ErrorReason::ApplicationNotFound);
    let endless = GetDoraMetricsRequest {
        to_time: None,
        ..whole
    };
    ask(endless)
        .await
        .refused(Code::InvalidArgument, ErrorReason::InvalidField);
}
