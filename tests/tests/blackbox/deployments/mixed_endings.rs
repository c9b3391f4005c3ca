//! Releases that write workflows, when the server ends meanwhile, when somebody stops them, and when nobody can tell.

use std::collections::BTreeMap;
use std::time::Duration;

use slipway_api::deployments::v1::{
    CancelDeploymentRequest, Deployment, DeploymentItem, DeploymentState, Gates, ItemStatus,
    ResolveInDoubtRequest, Verdict,
};
use slipway_n8n_stand_in::{Fault, Injection};
use slipway_tests::backend::scaled;
use slipway_tests::{Backend, Granted};

use super::floor::{Floor, Target};
use super::mixed::{content, document, workflow_application};
use super::releases::{bring, execute, prompt, release};
use crate::case::cases;

cases![
    a_mixed_release_survives_kill_9,
    a_mixed_release_is_stopped_and_undone,
    a_doubt_about_a_mixed_release_is_resolved,
];

/// At scale 1: how many calls of the engine a server is killed at, each before and after it is done.
const CALLS: usize = 4;
const EXECUTOR: [(&str, &str); 2] = [
    ("SLIPWAY__EXECUTOR__LEASE", "1s"),
    ("SLIPWAY__EXECUTOR__STEP_TIMEOUT", "333ms"),
];
/// What the releases bring: a workflow that is there already, a new one that it calls, another that calls it, and a prompt.
const ITEMS: [(&str, &str); 4] = [
    ("greeting", "1.0.0"),
    ("Mail", "1"),
    ("Orders", "1"),
    ("News", "1"),
];

async fn floor(backend: Backend) -> Floor {
    let floor = Floor::new(backend, &EXECUTOR).await;
    prompt(&floor.project, "greeting", &["1.0.0"]).await;
    for (key, calls) in [
        ("Mail", None),
        ("Orders", Some("Mail")),
        ("News", Some("Orders")),
    ] {
        workflow_application(&floor.project, key).await;
        let document = document(key, "released", calls).to_string();
        content(&floor.project, key, "1", document.as_bytes()).await;
    }
    floor
}

/// A release to a target, asked for and not executed.
async fn created(floor: &Floor, target: &Target) -> Deployment {
    let items = ITEMS.map(|(key, version)| bring(key, version));
    let mut request = release(&floor.project, items.to_vec());
    request.environment.clone_from(&target.environment);
    let mut deployments = floor.project.admin.deployments();
    let made = deployments.create_release(request).await.granted();
    made.deployment.unwrap()
}

async fn current(floor: &Floor, target: &Target) -> BTreeMap<String, String> {
    let mut current = BTreeMap::new();
    for (key, _) in ITEMS {
        let cell = floor.project.cell(key, &target.environment).await;
        current.extend(cell.map(|cell| (key.to_owned(), cell.version)));
    }
    current
}

fn everything() -> BTreeMap<String, String> {
    ITEMS
        .map(|(key, version)| (key.to_owned(), version.to_owned()))
        .into()
}

/// All of it is there and current, or nothing.
async fn check(floor: &Floor, target: &Target, over: &Deployment) {
    let there = target.picture();
    match over.state() {
        DeploymentState::Succeeded => {
            assert_eq!(current(floor, target).await, everything());
            assert_eq!(target.duplicated(), [] as [String; 0], "{over:?}");
            assert!(there["Orders"].1.contains("of Mail"), "{there:?}");
            assert!(there.contains_key("Mail"), "{there:?}");
        }
        DeploymentState::Failed | DeploymentState::Canceled => {
            assert_eq!(current(floor, target).await, BTreeMap::new());
            assert_eq!(there, target.before, "{over:?}");
        }
        // Nobody is told that anything of it is current.
        DeploymentState::InDoubt => assert_eq!(current(floor, target).await, BTreeMap::new()),
        state => panic!("{state:?}: {over:?}"),
    }
}

/// Everything is undone where a workflow that is there can't be changed.
fn breaks(target: &Target) {
    let injection = Injection::always("PUT /workflows/{id}", Fault::FailBefore);
    target.engine.inject(injection);
}

async fn a_mixed_release_survives_kill_9(backend: Backend) {
    let mut floor = floor(backend).await;
    let mut states = Vec::new();
    for back in [false, true] {
        // How it goes undisturbed: so many calls.
        let target = floor.target(Gates::default()).await;
        if back {
            breaks(&target);
        }
        let made = created(&floor, &target).await;
        target.engine.forget_calls();
        let over = floor
            .over(&execute(&floor.project.admin, &made).await)
            .await;
        let expected = if back {
            DeploymentState::Failed
        } else {
            DeploymentState::Succeeded
        };
        assert_eq!(over.state(), expected, "{over:?}");
        check(&floor, &target, &over).await;
        let calls = target.engine.calls().len();
        let chosen = scaled(CALLS).min(calls);
        for number in 0..chosen {
            let skip = (2 * number + 1) * calls / (2 * chosen);
            for fault in [Fault::HoldBefore, Fault::HoldAfter] {
                let target = floor.target(Gates::default()).await;
                let made = created(&floor, &target).await;
                target
                    .engine
                    .inject(Injection::once("*", fault).after(skip));
                if back {
                    breaks(&target);
                }
                let started = execute(&floor.project.admin, &made).await;
                tokio::select! {
                    () = target.engine.held() => {},
                    _ = floor.over(&started) => {},
                };
                floor.world.server.kill().await;
                floor.restart().await;
                let over = floor.over(&started).await;
                check(&floor, &target, &over).await;
                states.push(over.state());
            }
        }
    }
    println!(
        "{backend}: mixed releases killed {}: {states:?}",
        states.len()
    );
}

async fn a_mixed_release_is_stopped_and_undone(backend: Backend) {
    let floor = floor(backend).await;
    let target = floor.target(Gates::default()).await;
    let made = created(&floor, &target).await;
    // Mail is made, and the answer takes its time.
    let slow = Fault::SlowAnswer(Duration::from_millis(200));
    target
        .engine
        .inject(Injection::once("POST /workflows", slow));
    let started = execute(&floor.project.admin, &made).await;
    while target.engine.count("POST /workflows") == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let request = CancelDeploymentRequest {
        project: floor.project.slug.clone(),
        deployment: started.deployment_id.clone(),
        reason: "wrong day".to_owned(),
        ..Default::default()
    };
    let mut deployments = floor.project.admin.deployments();
    deployments.cancel_deployment(request).await.granted();
    let over = floor.over(&started).await;
    assert_eq!(over.state(), DeploymentState::Canceled, "{over:?}");
    check(&floor, &target, &over).await;
}

async fn a_doubt_about_a_mixed_release_is_resolved(backend: Backend) {
    let floor = floor(backend).await;
    for (verdict, state) in [
        (Verdict::Running, DeploymentState::Succeeded),
        (Verdict::Compensating, DeploymentState::Failed),
        (Verdict::Failed, DeploymentState::Failed),
    ] {
        let target = floor.target(Gates::default()).await;
        let made = created(&floor, &target).await;
        // The last one may have been made, or not.
        let lost = Injection::always("POST /workflows", Fault::DropBefore).after(1);
        target.engine.inject(lost);
        let started = execute(&floor.project.admin, &made).await;
        let doubt = floor.over(&started).await;
        assert_eq!(doubt.state(), DeploymentState::InDoubt, "{doubt:?}");
        assert_eq!(current(&floor, &target).await, BTreeMap::new());
        target.engine.behave();
        let request = ResolveInDoubtRequest {
            project: floor.project.slug.clone(),
            deployment: doubt.deployment_id.clone(),
            verdict: verdict.into(),
            reason: "I looked at it".to_owned(),
            ..Default::default()
        };
        let mut deployments = floor.project.admin.deployments();
        let resolved = deployments.resolve_in_doubt(request).await.granted();
        let over = floor.over(&resolved.deployment.unwrap()).await;
        assert_eq!(over.state(), state, "{verdict:?}: {over:?}");
        if verdict != Verdict::Failed {
            check(&floor, &target, &over).await;
            continue;
        }
        // It ends as it stands: what is certain to be in the engine has a record, and no other version moves.
        let statuses: Vec<_> = over.items.iter().map(DeploymentItem::status).collect();
        let expected = [
            ItemStatus::Skipped,
            ItemStatus::Succeeded,
            ItemStatus::Succeeded,
            ItemStatus::Failed,
        ];
        assert_eq!(statuses, expected, "{over:?}");
        let written = ["Mail", "Orders"].map(|key| (key.to_owned(), "1".to_owned()));
        assert_eq!(current(&floor, &target).await, written.into());
    }
}
