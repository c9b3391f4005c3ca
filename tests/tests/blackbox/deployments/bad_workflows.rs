//! Workflows and engines that are not as they should be: what is wrong is said, with which workflow, and nothing else is
//! kept from going.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use slipway_api::catalog::v1::{
    ApplicationKind, ArchiveApplicationRequest, CreateApplicationRequest, CreateEnvironmentRequest,
    N8nInstance, WorkflowEngine, workflow_engine::Engine,
};
use slipway_api::deployments::v1::{Deployment, DeploymentItem, DeploymentState, ItemStatus};
use slipway_api::errors::v1::ErrorReason;
use slipway_n8n_stand_in::{Options, StandIn};
use slipway_tests::world::workflow;
use slipway_tests::{Backend, Granted, Refused, World};
use tonic::Code;

use super::promotions::Way;
use crate::case::cases;

cases![
    a_workflow_that_cannot_be_is_told_and_keeps_nobody_else,
    an_engine_that_is_away_or_refuses_the_key_is_told,
    an_engine_that_goes_away_is_left_as_it_was,
    a_key_of_another_application_stands_against_the_plan,
];

/// The key that the stand-in takes.
const KEY: &str = "n8n_api_stand_in";

/// A way from a folder to n8n, on a server of its own that may call it.
async fn to_n8n(backend: Backend, n8n: &StandIn, key: &str) -> (World, Way) {
    let settings = [
        ("SLIPWAY__ENGINES__HOSTS", r#"["127.0.0.1"]"#),
        ("SLIPWAY__ENGINES__SECRETS", r#"["env:N8N_*"]"#),
        ("N8N_KEY", KEY),
        ("N8N_WRONG_KEY", "n8n_api_wrong"),
    ];
    let world = World::own_with(backend, &settings).await;
    let project = world.project().await;
    let dev = world.server.workflows(&[]);
    project.environment_on("dev", &dev).await;
    let engine = N8nInstance {
        base_url: n8n.url.clone(),
        api_key_reference: format!("env:{key}"),
    };
    let request = CreateEnvironmentRequest {
        project: project.slug.clone(),
        slug: "prod".to_owned(),
        workflow_engine: Some(WorkflowEngine {
            engine: Some(Engine::N8n(engine)),
        }),
        ..Default::default()
    };
    project
        .admin
        .environments()
        .create_environment(request)
        .await
        .granted();
    project.pipeline("way", "dev", "prod").await;
    let way = Way {
        project,
        dev,
        prod: PathBuf::new(),
    };
    (world, way)
}

async fn stand_in() -> StandIn {
    StandIn::start(Options {
        api_key: KEY.to_owned(),
        ..Options::default()
    })
    .await
}

/// A workflow whose second node has the first one's name.
fn twins() -> Value {
    let mut document = workflow("Twins");
    let mut twin = document["nodes"][0].clone();
    twin["id"] = json!("another");
    document["nodes"].as_array_mut().unwrap().push(twin);
    document
}

/// A workflow with a line to a node that it does not have.
fn dangling() -> Value {
    let mut document = workflow("Dangling");
    let from = document["nodes"][0]["name"].as_str().unwrap().to_owned();
    document["connections"] =
        json!({from: {"main": [[{"node": "Nowhere", "type": "main", "index": 0}]]}});
    document
}

fn told<'a>(deployment: &'a Deployment, application: &str) -> (&'a DeploymentItem, String) {
    let mut items = deployment.items.iter();
    let item = items
        .find(|item| item.application == application)
        .expect("an item");
    let problem = item.problem.as_ref().map(|problem| problem.message.clone());
    (item, problem.unwrap_or_default())
}

async fn a_workflow_that_cannot_be_is_told_and_keeps_nobody_else(backend: Backend) {
    let n8n = stand_in().await;
    let (_world, way) = to_n8n(backend, &n8n, "N8N_KEY").await;
    let mut big = workflow("Big");
    big["nodes"][0]["notes"] = json!("x".repeat(17 * 1024 * 1024));
    for (file, document) in [
        ("good.json", workflow("Good")),
        ("twins.json", twins()),
        ("dangling.json", dangling()),
        ("big.json", big),
    ] {
        way.write(file, &document);
    }
    std::fs::write(way.dev.join("broken.json"), "{\"name\": ").unwrap();
    let plan = way.plan().await;
    assert_eq!(plan.items.len(), 5);
    let done = way.over(&way.start().await).await;
    assert_eq!(done.state(), DeploymentState::Succeeded, "{done:?}");
    assert_eq!(told(&done, "Good").0.status(), ItemStatus::Succeeded);
    for (application, words) in [
        ("big", "16000000"),
        ("broken", "line 1 column 9"),
        ("dangling", "there is no node `Nowhere`"),
        ("twins", "two nodes are called `Start`"),
    ] {
        let (item, message) = told(&done, application);
        assert_eq!(item.status(), ItemStatus::Skipped, "{application}");
        assert!(message.contains(words), "{application}: {message}");
    }
    assert_eq!(n8n.ids().len(), 1);
}

async fn an_engine_that_is_away_or_refuses_the_key_is_told(backend: Backend) {
    let n8n = stand_in().await;
    let (_world, way) = to_n8n(backend, &n8n, "N8N_WRONG_KEY").await;
    way.write("good.json", &workflow("Good"));
    let mut deployments = way.project.admin.deployments();
    let refused = deployments.plan_promotion(way.planning()).await;
    let refused = refused.refused(Code::FailedPrecondition, ErrorReason::EngineRefused);
    assert!(refused.message().contains("key"), "{refused:?}");
    drop(n8n);
    let refused = deployments.start_promotion(way.starting()).await;
    let refused = refused.refused(Code::Unavailable, ErrorReason::EngineUnavailable);
    assert!(refused.message().contains("127.0.0.1"), "{refused:?}");
}

async fn an_engine_that_goes_away_is_left_as_it_was(backend: Backend) {
    let n8n = stand_in().await;
    let (_world, way) = to_n8n(backend, &n8n, "N8N_KEY").await;
    way.write("good.json", &workflow("Good"));
    // Slow enough to be still at its first step.
    n8n.latency(Duration::from_millis(300));
    let started = way.start().await;
    drop(n8n);
    let done = way.over(&started).await;
    assert_eq!(done.state(), DeploymentState::Failed, "{done:?}");
    let problem = done.problem.expect("a problem");
    assert_eq!(problem.reason, "PREFLIGHT_FAILED");
    assert!(
        problem.message.contains("check that n8n runs"),
        "{problem:?}"
    );
    assert_eq!(done.items[0].status(), ItemStatus::Skipped);
}

async fn a_key_of_another_application_stands_against_the_plan(backend: Backend) {
    let way = Way::new(
        backend,
        &[("a", workflow("Orders")), ("b", workflow("Mail"))],
    )
    .await;
    way.project.application("Orders").await;
    let request = CreateApplicationRequest {
        project: way.project.slug.clone(),
        key: "Mail".to_owned(),
        kind: ApplicationKind::Workflow.into(),
        ..Default::default()
    };
    let mut applications = way.project.admin.applications();
    applications.create_application(request).await.granted();
    let request = ArchiveApplicationRequest {
        project: way.project.slug.clone(),
        application: "Mail".to_owned(),
        ..Default::default()
    };
    applications.archive_application(request).await.granted();

    let plan = way.plan().await;
    let mut problems: Vec<_> = plan
        .problems
        .iter()
        .map(|problem| problem.reason.as_str())
        .collect();
    problems.sort_unstable();
    assert_eq!(problems, ["APPLICATION_ARCHIVED", "KEY_TAKEN"], "{plan:?}");
    let mut deployments = way.project.admin.deployments();
    let refused = deployments.start_promotion(way.starting()).await;
    refused.refused(Code::FailedPrecondition, ErrorReason::PlanHasProblems);
}
