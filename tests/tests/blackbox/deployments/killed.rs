//! Servers that are killed while releases are carried out.

use futures_util::future::join_all;
use rand::Rng as _;
use slipway_api::approvals::v1::ApproveRequest;
use slipway_api::deployments::v1::{
    CreateReleaseRequest, Deployment, DeploymentState, ExecuteDeploymentRequest,
    GetDeploymentRequest,
};
use slipway_api::identity::v1::Role;
use slipway_api::ledger::v1::{DeploymentRecord, ListDeploymentRecordsRequest};
use slipway_tests::backend::scaled;
use slipway_tests::{Backend, Client, Granted, Project, World};
use tokio::sync::Semaphore;
use tonic::Status;

use super::policies::admins;
use super::releases::{bring, prompt, release};
use crate::audit::{settle, verify};
use crate::case::cases;

cases![a_release_survives_kill_9];

/// How often the server is killed, at scale 1.
const KILLS: usize = 20;
/// Releases that are carried out at the same time.
const RELEASES: usize = 12;
/// How many of them are answered before a kill, less one at most.
const SOME: u32 = 6;

/// Half of them are executed, and half are carried out in the moment in which somebody agrees.
async fn a_release_survives_kill_9(backend: Backend) {
    let mut world = World::own(backend).await;
    let mut project = world.project().await;
    project.environment("prod").await;
    project.set_policy("prod", admins(1)).await;
    let approver = project.member(Role::Admin).await;
    let token = approver.token().map(str::to_owned);
    for n in 0..RELEASES {
        prompt(&project, &own(n), &[]).await;
    }
    let (mut succeeded, mut interrupted) = (0, 0);
    for round in 1..=scaled(KILLS) {
        let approver = world.server.client(token.as_deref()).await;
        let mut made = Vec::new();
        for n in 0..RELEASES {
            made.push(ready(&project, &approver, n, round).await);
        }
        let answered = &Semaphore::new(0);
        let (project_admin, approver) = (&project.admin, &approver);
        let calls = made.iter().enumerate().map(async |(n, made)| {
            let answer = if n % 2 == 0 {
                executed(project_admin, made).await
            } else {
                approved(approver, made).await
            };
            answered.add_permits(1);
            answer
        });
        let kill = async {
            let some = rand::rng().random_range(0..SOME);
            drop(answered.acquire_many(some).await);
            world.server.kill().await;
        };
        let (answers, ()) = futures_util::future::join(join_all(calls), kill).await;
        world.server.restart().await;
        let admin = world.server.admin().await;
        project.admin = admin.known_as(&*project.admin.principal_id);
        for ((n, made), answer) in made.iter().enumerate().zip(answers) {
            let end = end_of(&project, made, &own(n), round).await;
            if end == DeploymentState::Succeeded {
                succeeded += 1;
            } else {
                interrupted += 1;
                answer.expect_err("what was answered is there");
            }
        }
    }
    settle(&project).await;
    let verification = verify(&project, None).await;
    assert!(verification.verified, "{verification:?}");
    println!(
        "{backend}: of releases at a kill, {succeeded} were carried out and {interrupted} not"
    );
    assert!(interrupted > 0, "some kill must come in time");
}

fn own(n: usize) -> String {
    format!("prompt-{n}")
}

/// A release that one more call carries out.
async fn ready(project: &Project, approver: &Client, n: usize, round: usize) -> Deployment {
    let version = round.to_string();
    project.version(&own(n), &version).await;
    let request = CreateReleaseRequest {
        execute_on_approval: n % 2 == 1,
        ..release(project, vec![bring(&own(n), &version)])
    };
    let made = project.admin.deployments().create_release(request).await;
    let made = made.granted().deployment.unwrap();
    if n.is_multiple_of(2) {
        approved(approver, &made).await.unwrap();
    }
    made
}

async fn approved(approver: &Client, made: &Deployment) -> Result<(), Status> {
    let request = ApproveRequest {
        project: made.project.clone(),
        deployment: made.number.to_string(),
        plan_digest: made.plan_digest.clone(),
        ..Default::default()
    };
    approver.approvals().approve(request).await.map(drop)
}

async fn executed(client: &Client, made: &Deployment) -> Result<(), Status> {
    let request = ExecuteDeploymentRequest {
        project: made.project.clone(),
        deployment: made.number.to_string(),
        plan_digest: made.plan_digest.clone(),
        ..Default::default()
    };
    let mut deployments = client.deployments();
    deployments.execute_deployment(request).await.map(drop)
}

/// All of it was done, or nothing.
async fn end_of(project: &Project, made: &Deployment, key: &str, round: usize) -> DeploymentState {
    let request = GetDeploymentRequest {
        project: project.slug.clone(),
        deployment: made.number.to_string(),
    };
    let found = project.admin.deployments().get_deployment(request).await;
    let found = found.granted().deployment.unwrap();
    let filter = ListDeploymentRecordsRequest {
        application: key.to_owned(),
        ..Default::default()
    };
    let records = project.history(filter).await;
    let is_of = |record: &&DeploymentRecord| record.deployment_id == made.deployment_id;
    let count = records.iter().filter(is_of).count();
    let there = project.cell(key, "prod").await.map(|cell| cell.version);
    let is_there = there == Some(round.to_string());
    match found.state() {
        DeploymentState::Succeeded => assert_eq!((count, is_there), (1, true), "{found:?}"),
        DeploymentState::Approved | DeploymentState::PendingApproval => {
            assert_eq!((count, is_there), (0, false), "{found:?}");
        }
        other => panic!("{other:?}: {found:?}"),
    }
    found.state()
}
