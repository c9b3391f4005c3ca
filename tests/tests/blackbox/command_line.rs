//! The commands for pipelines on the real server: what they do, what they print, and the status they end with.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use slipway_api::approvals::v1::RejectRequest;
use slipway_api::deployments::v1::{CancelDeploymentRequest, Verdict};
use slipway_api::identity::v1::Role;
use slipway_api::ledger::v1::ListDeploymentRecordsRequest;
use slipway_tests::{Backend, Client, Granted, Project, World};

use crate::case::cases;
use crate::deployments::doubts::Doubt;
use crate::deployments::policies::admins;
use crate::deployments::releases::prompt;

pub(crate) mod governed;

cases![
    a_deployment_is_recorded_once,
    a_release_goes_from_request_to_success,
    what_stands_against_a_release_is_told_line_by_line,
    a_release_that_nobody_has_to_approve_is_waited_for,
    every_ending_has_its_status,
    a_release_is_rolled_back,
    what_can_not_be_reached_has_its_status,
    a_wait_goes_on_when_the_server_is_back,
];

/// A project whose `prod` has two prompts to release, and its server.
struct Place {
    world: Arc<World>,
    project: Project,
}

/// How a command ended, and what it wrote.
#[derive(Debug)]
struct Ended {
    status: Option<i32>,
    out: String,
    err: String,
}

impl Ended {
    /// The document on standard output, after this status.
    fn json(&self, status: i32) -> Value {
        self.is(status);
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    fn is(&self, status: i32) {
        assert_eq!(self.status, Some(status), "{self:?}");
    }
}

impl Place {
    async fn new(backend: Backend) -> Self {
        let world = World::shared(backend).await;
        let project = world.project().await;
        project.environment("prod").await;
        prompt(&project, "greeting", &["1.0.0", "1.1.0"]).await;
        prompt(&project, "farewell", &["2.0.0"]).await;
        Self { world, project }
    }

    async fn run(&self, who: &Client, arguments: &[&str]) -> Ended {
        run(&self.world, &self.project.slug, who, arguments).await
    }

    /// The same with `--json`: the document.
    async fn json(&self, who: &Client, status: i32, arguments: &[&str]) -> Value {
        let arguments = [arguments, &["--json"]].concat();
        self.run(who, &arguments).await.json(status)
    }

    /// A release to `prod` that brings these: its number and digest.
    async fn release(&self, who: &Client, items: &[&str]) -> (String, String) {
        let mut arguments = vec!["release", "--name", "Chatbot 2", "--environment", "prod"];
        for item in items {
            arguments.extend(["--item", item]);
        }
        let answer = self.json(who, 0, &arguments).await;
        let told = |field: &str| answer["deployment"][field].as_str().unwrap().to_owned();
        (told("number"), told("plan_digest"))
    }
}

async fn run(world: &World, project: &str, who: &Client, arguments: &[&str]) -> Ended {
    let token = who.token().expect("a token");
    let mut command = world.server.command(token, arguments);
    command.env("SLIPWAY_PROJECT", project);
    ended(command.output().await.unwrap())
}

fn ended(output: std::process::Output) -> Ended {
    Ended {
        status: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

async fn a_deployment_is_recorded_once(backend: Backend) {
    let place = Place::new(backend).await;
    let ci = place.project.member(Role::Developer).await;
    let record = [
        "record",
        "--application",
        "greeting",
        "--version",
        "1.0.0",
        "--environment",
        "prod",
        "--no-create-missing",
        "--external-id",
        "run-17",
        "--attribute",
        "commit=4f2a",
    ];
    let first = place.json(&ci, 0, &record).await;
    assert_eq!(first["record"]["attributes"]["commit"], "4f2a", "{first}");
    assert_eq!(first["record"]["kind"], "RECORD_KIND_DEPLOYED");
    let again = place.run(&ci, &record).await;
    again.is(0);
    assert_eq!(again.out, "already recorded: greeting 1.0.0 in prod\n");
    assert_eq!(
        place
            .project
            .history(ListDeploymentRecordsRequest::default())
            .await
            .len(),
        1
    );

    let unknown = record.map(|word| if word == "1.0.0" { "9.9.9" } else { word });
    let unknown = unknown.map(|word| if word == "run-17" { "run-18" } else { word });
    let refused = place.json(&ci, 3, &unknown).await;
    assert_eq!(refused["error"]["reason"], "VERSION_NOT_FOUND", "{refused}");
    assert_eq!(refused["error"]["code"], "NOT_FOUND");
    let viewer = place.project.member(Role::Viewer).await;
    let refused = place.run(&viewer, &unknown).await;
    refused.is(3);
    assert!(refused.err.contains("PERMISSION_MISSING"), "{refused:?}");
    place
        .run(&ci, &["record", "--application", "a"])
        .await
        .is(2);
}

async fn a_release_goes_from_request_to_success(backend: Backend) {
    let place = Place::new(backend).await;
    place.project.set_policy("prod", admins(1)).await;
    let ci = place.project.member(Role::Developer).await;
    let approver = place.project.member(Role::Admin).await;
    let (first, digest) = place
        .release(&ci, &["greeting=1.0.0", "farewell=2.0.0"])
        .await;
    let first = first.as_str();

    // Nobody approves what they asked for, and nothing else than what is there.
    let own = place
        .run(&ci, &["approve", first, "--plan-digest", &digest])
        .await;
    own.is(3);
    assert!(own.err.contains("SELF_APPROVAL"), "{own:?}");
    let elsewhere = "00".repeat(32);
    let check = [
        "report-check",
        first,
        "--name",
        "unit",
        "--status",
        "passed",
    ];
    let check_of = |digest| [&check[..], &["--plan-digest", digest]].concat();
    let elsewhere = place.json(&ci, 3, &check_of(&elsewhere)).await;
    assert_eq!(elsewhere["error"]["reason"], "PLAN_CHANGED", "{elsewhere}");
    let reported = place.run(&ci, &check_of(&digest)).await;
    reported.is(0);
    assert_eq!(reported.out, "unit PASSED\n");
    let early = ["execute", first, "--plan-digest", &digest];
    let refused = place.json(&approver, 3, &early).await;
    assert_eq!(refused["error"]["reason"], "DEPLOYMENT_NOT_EXECUTABLE");

    let waiting = place.run(&ci, &["wait", first, "--timeout", "1s"]).await;
    waiting.is(7);
    assert!(waiting.err.contains("PENDING_APPROVAL"), "{waiting:?}");
    let agreed = place
        .run(
            &approver,
            &["approve", first, "--current", "--comment", "tried"],
        )
        .await;
    agreed.is(0);
    let took =
        format!("taking the plan digest {digest} of deployment {first} \"Chatbot 2\" to prod");
    assert!(agreed.err.contains(&took), "{agreed:?}");
    assert!(agreed.out.contains("to prod: APPROVED"), "{agreed:?}");
    let executed = place
        .json(
            &approver,
            0,
            &["execute", first, "--plan-digest", &digest, "--wait"],
        )
        .await;
    let state = &executed["deployment"]["state"];
    assert_eq!(state, "DEPLOYMENT_STATE_SUCCEEDED", "{executed}");
    let over = place.json(&ci, 0, &["wait", first]).await;
    assert_eq!(
        over["deployment"]["history"].as_array().unwrap().len(),
        5,
        "{over}"
    );
}

async fn what_stands_against_a_release_is_told_line_by_line(backend: Backend) {
    let place = Place::new(backend).await;
    let admin = &place.project.admin;
    let release = [
        "release",
        "--name",
        "n",
        "--environment",
        "prod",
        "--item",
        "greeting=9.9.9",
        "--item",
        "nobody=1",
        "--validate-only",
    ];
    let refused = place.run(admin, &release).await;
    refused.is(3);
    let lines: Vec<_> = refused.out.lines().collect();
    assert_eq!(lines.len(), 2, "{refused:?}");
    assert!(
        lines[0].starts_with("error VERSION_NOT_FOUND greeting: "),
        "{refused:?}"
    );
    assert!(
        lines[1].starts_with("error APPLICATION_NOT_FOUND nobody: "),
        "{refused:?}"
    );
    assert!(refused.err.contains("RELEASE_HAS_FINDINGS"), "{refused:?}");
    let refused = place.json(admin, 3, &release).await;
    let violations = &refused["error"]["violations"];
    assert_eq!(violations[0]["reason"], "VERSION_NOT_FOUND", "{refused}");
    assert_eq!(violations[1]["subject"], "items[1]", "{refused}");

    let fine = release.map(|word| match word {
        "greeting=9.9.9" => "greeting=1.0.0",
        "nobody=1" => "farewell=2.0.0",
        other => other,
    });
    let fine = place.run(admin, &fine).await;
    fine.is(0);
    assert!(
        fine.out
            .contains("would be made: a new deployment \"n\" to prod"),
        "{fine:?}"
    );
    assert!(fine.out.contains("\n  greeting 1.0.0, new\n"), "{fine:?}");
}

async fn a_release_that_nobody_has_to_approve_is_waited_for(backend: Backend) {
    let place = Place::new(backend).await;
    let admin = &place.project.admin;
    let release = [
        "release",
        "--name",
        "n",
        "--environment",
        "prod",
        "--item",
        "greeting=1.1.0",
        "--message",
        "why",
        "--risk",
        "low",
        "--execute-on-approval",
        "--wait",
        "--request-id",
        "run-7",
    ];
    let made = place.json(admin, 0, &release).await;
    let deployment = &made["deployment"];
    assert_eq!(deployment["state"], "DEPLOYMENT_STATE_SUCCEEDED", "{made}");
    assert_eq!(
        deployment["items"][0]["chosen"]["change_message"], "why",
        "{made}"
    );
    assert_eq!(
        place
            .project
            .cell("greeting", "prod")
            .await
            .unwrap()
            .version,
        "1.1.0"
    );
    // A job that runs again makes no second release.
    let again = place.json(admin, 0, &release).await;
    assert_eq!(again["deployment"]["number"], deployment["number"]);
    let other = release.map(|word| if word == "why" { "because" } else { word });
    let reused = place.json(admin, 3, &other).await;
    assert_eq!(reused["error"]["reason"], "REQUEST_ID_REUSED", "{reused}");
}

async fn every_ending_has_its_status(backend: Backend) {
    let place = Place::new(backend).await;
    place.project.set_policy("prod", admins(1)).await;
    let ci = place.project.member(Role::Developer).await;
    let approver = place.project.member(Role::Admin).await;
    let (number, digest) = place.release(&ci, &["greeting=1.0.0"]).await;
    let rejection = RejectRequest {
        project: place.project.slug.clone(),
        deployment: number.clone(),
        plan_digest: digest,
        comment: "not on a Friday".to_owned(),
        ..Default::default()
    };
    approver.approvals().reject(rejection).await.granted();
    place.run(&ci, &["wait", &number]).await.is(4);

    let (number, _) = place.release(&ci, &["greeting=1.0.0"]).await;
    let cancellation = CancelDeploymentRequest {
        project: place.project.slug.clone(),
        deployment: number.clone(),
        reason: "changed our minds".to_owned(),
        ..Default::default()
    };
    let mut deployments = ci.deployments();
    deployments.cancel_deployment(cancellation).await.granted();
    place.run(&ci, &["wait", &number]).await.is(6);
    place.run(&ci, &["wait", "99"]).await.is(3);

    let doubt = Doubt::new(backend).await;
    let project = &doubt.way.project;
    let wait = ["wait", &doubt.deployment.deployment_id, "--timeout", "1m"];
    let stuck = run(&place.world, &project.slug, &project.admin, &wait).await;
    stuck.is(8);
    assert!(
        stuck.err.contains("IN_DOUBT (OUTCOME_UNKNOWN)"),
        "{stuck:?}"
    );
    doubt.resolve(Verdict::Failed).await;
    let failed = run(&place.world, &project.slug, &project.admin, &wait).await;
    failed.is(5);
}

async fn a_release_is_rolled_back(backend: Backend) {
    let place = Place::new(backend).await;
    let admin = &place.project.admin;
    for version in ["greeting=1.0.0", "greeting=1.1.0"] {
        let (number, digest) = place.release(admin, &[version]).await;
        let execute = ["execute", &number, "--plan-digest", &digest];
        place.run(admin, &execute).await.is(0);
    }
    let nowhere = ["rollback", "99", "--reason", "none"];
    let refused = place.json(admin, 3, &nowhere).await;
    assert_eq!(refused["error"]["reason"], "DEPLOYMENT_NOT_FOUND");

    let rolling = ["rollback", "2", "--reason", "orders are lost"];
    let tried = [&rolling[..], &["--validate-only"]].concat();
    let tried = place.run(admin, &tried).await;
    tried.is(0);
    let told = "would be done: a new deployment to prod";
    assert!(tried.out.starts_with(told), "{tried:?}");
    assert!(tried.out.contains("greeting 1.1.0 -> 1.0.0"), "{tried:?}");
    let back = [&rolling[..], &["--back-to", "1", "--wait"]].concat();
    let done = place.json(admin, 0, &back).await;
    let state = &done["deployment"]["state"];
    assert_eq!(state, "DEPLOYMENT_STATE_SUCCEEDED", "{done}");
    let cell = place.project.cell("greeting", "prod").await.unwrap();
    assert_eq!(cell.version, "1.0.0");
    // What was undone did not last.
    let undone = place.json(admin, 5, &["wait", "2"]).await;
    let state = &undone["deployment"]["state"];
    assert_eq!(state, "DEPLOYMENT_STATE_ROLLED_BACK", "{undone}");
}

/// An address of this machine that nobody listens at.
fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

async fn what_can_not_be_reached_has_its_status(backend: Backend) {
    let place = Place::new(backend).await;
    let nowhere = format!("http://{}", free_address());
    let wait = ["wait", "1", "--server", &nowhere];
    let absent = place.run(&place.project.admin, &wait).await;
    absent.is(9);
    assert!(absent.err.contains("is it running?"), "{absent:?}");
    assert_eq!(absent.out, "");
    let told = place.json(&place.project.admin, 9, &wait).await;
    let message = told["error"]["message"].as_str().unwrap();
    assert!(message.contains("is it running?"), "{told}");
    let stranger = place.project.admin.with_token(Some("wrong"));
    place.run(&stranger, &["wait", "1"]).await.is(3);
    let absent = ["wait", "1", "--token-file", "no/such/file"];
    place.run(&place.project.admin, &absent).await.is(1);
}

async fn a_wait_goes_on_when_the_server_is_back(backend: Backend) {
    let address = free_address();
    let mut world = World::own_with(backend, &[("SLIPWAY__SERVER__LISTEN", &address)]).await;
    let project = world.project().await;
    project.environment("prod").await;
    prompt(&project, "greeting", &["1.0.0"]).await;
    let admin = project.admin.clone();
    let token = admin.token().unwrap().to_owned();
    let release = [
        "release",
        "--name",
        "n",
        "--environment",
        "prod",
        "--item",
        "greeting=1.0.0",
    ];
    run(&world, &project.slug, &admin, &release).await.is(0);

    let mut waiting = world
        .server
        .command(&token, &["wait", "1", "--timeout", "2m"]);
    waiting.env("SLIPWAY_PROJECT", &project.slug);
    let waiting = tokio::spawn(async move { waiting.output().await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    // Longer than a call alone is tried again.
    world.server.kill().await;
    tokio::time::sleep(Duration::from_secs(18)).await;
    world.server.restart().await;
    let executed = run(
        &world,
        &project.slug,
        &admin,
        &["execute", "1", "--current"],
    )
    .await;
    executed.is(0);
    let waited = ended(waiting.await.unwrap().unwrap());
    waited.is(0);
    assert!(waited.err.contains("trying again in"), "{waited:?}");
    assert!(waited.out.contains("to prod: SUCCEEDED"), "{waited:?}");
}
