//! What a job sees of a release that people have to agree to, and of one from a template.

use std::time::Duration;

use serde_json::Value;
use slipway_api::approvals::v1::RejectRequest;
use slipway_api::deployments::v1::{
    CancelDeploymentRequest, CreateTemplateRequest, TemplateItem, Verdict,
};
use slipway_api::identity::v1::Role;
use slipway_tests::{Backend, Client, Granted};

use super::{Ended, Place, run};
use crate::case::cases;
use crate::deployments::doubts::Doubt;
use crate::deployments::policies::admins;

cases![
    a_release_is_carried_out_when_somebody_agrees,
    a_release_that_is_rejected_fails_the_job,
    a_release_that_is_canceled_fails_the_job,
    a_job_that_waits_too_long_is_told_so,
    a_deployment_that_fails_fails_the_job,
    a_release_is_made_from_a_template,
];

/// A place where one administrator has to agree, who is not the pipeline.
struct Governed {
    place: Place,
    ci: Client,
    approver: Client,
}

const RELEASE: [&str; 8] = [
    "release",
    "--name",
    "Chatbot 2",
    "--environment",
    "prod",
    "--item",
    "greeting=1.0.0",
    "--execute-on-approval",
];

impl Governed {
    async fn new(backend: Backend) -> Self {
        let place = Place::new(backend).await;
        place.project.set_policy("prod", admins(1)).await;
        let ci = place.project.member(Role::Developer).await;
        let approver = place.project.member(Role::Admin).await;
        Self {
            place,
            ci,
            approver,
        }
    }

    /// The pipeline asks for a release: its number and digest.
    async fn asks(&self) -> (String, String) {
        let asked = self.place.json(&self.ci, 0, &RELEASE).await;
        let deployment = &asked["deployment"];
        assert_eq!(
            deployment["state"], "DEPLOYMENT_STATE_PENDING_APPROVAL",
            "{asked}"
        );
        assert_eq!(deployment["release"]["name"], "Chatbot 2", "{asked}");
        let told = |field: &str| deployment[field].as_str().unwrap().to_owned();
        (told("number"), told("plan_digest"))
    }

    /// The pipeline waits for it while somebody does something else.
    async fn waits<T>(&self, number: &str, meanwhile: impl Future<Output = T>) -> Ended {
        let wait = ["wait", number, "--timeout", "1m", "--json"];
        let (ended, _) = tokio::join!(self.place.run(&self.ci, &wait), async {
            tokio::time::sleep(Duration::from_millis(700)).await;
            meanwhile.await
        });
        let first =
            format!("slipway: deployment {number} \"Chatbot 2\" to prod: PENDING_APPROVAL\n");
        assert!(ended.err.starts_with(&first), "{ended:?}");
        ended
    }
}

fn state(answer: &Value) -> &str {
    answer["deployment"]["state"].as_str().unwrap_or_default()
}

async fn a_release_is_carried_out_when_somebody_agrees(backend: Backend) {
    let governed = Governed::new(backend).await;
    let (number, digest) = governed.asks().await;
    let approve = ["approve", &number, "--plan-digest", &digest];
    let agrees = governed.place.json(&governed.approver, 0, &approve);
    let waited = governed.waits(&number, agrees).await;
    assert!(waited.err.contains("to prod: SUCCEEDED"), "{waited:?}");
    let answer = waited.json(0);
    assert_eq!(state(&answer), "DEPLOYMENT_STATE_SUCCEEDED", "{answer}");
    let deployment = &answer["deployment"];
    assert_eq!(
        deployment["approved_by"].as_str(),
        Some(governed.approver.principal_id.as_str())
    );
    assert_eq!(
        deployment["requested_by"].as_str(),
        Some(governed.ci.principal_id.as_str())
    );
    let item = &deployment["items"][0];
    assert_eq!(item["application"], "greeting", "{answer}");
    assert_eq!(item["chosen"]["version_after"], "1.0.0", "{answer}");
    assert_eq!(item["status"], "ITEM_STATUS_SUCCEEDED", "{answer}");
    let states: Vec<_> = deployment["history"].as_array().unwrap().iter().collect();
    assert_eq!(
        states.first().unwrap()["state"],
        "DEPLOYMENT_STATE_PENDING_APPROVAL"
    );
    let cell = governed.place.project.cell("greeting", "prod").await;
    assert_eq!(cell.unwrap().version, "1.0.0");
}

async fn a_release_that_is_rejected_fails_the_job(backend: Backend) {
    let governed = Governed::new(backend).await;
    let (number, plan_digest) = governed.asks().await;
    let rejection = RejectRequest {
        project: governed.place.project.slug.clone(),
        deployment: number.clone(),
        plan_digest,
        comment: "not on a Friday".to_owned(),
        ..Default::default()
    };
    let mut approvals = governed.approver.approvals();
    let waited = governed.waits(&number, approvals.reject(rejection)).await;
    let answer = waited.json(4);
    assert_eq!(state(&answer), "DEPLOYMENT_STATE_REJECTED", "{answer}");
}

async fn a_release_that_is_canceled_fails_the_job(backend: Backend) {
    let governed = Governed::new(backend).await;
    let (number, _) = governed.asks().await;
    let cancellation = CancelDeploymentRequest {
        project: governed.place.project.slug.clone(),
        deployment: number.clone(),
        reason: "changed our minds".to_owned(),
        ..Default::default()
    };
    let mut deployments = governed.approver.deployments();
    let cancels = deployments.cancel_deployment(cancellation);
    let waited = governed.waits(&number, cancels).await;
    let answer = waited.json(6);
    assert_eq!(state(&answer), "DEPLOYMENT_STATE_CANCELED", "{answer}");
    let reason = &answer["deployment"]["cancellation"]["reason"];
    assert_eq!(reason, "changed our minds", "{answer}");
}

async fn a_job_that_waits_too_long_is_told_so(backend: Backend) {
    let governed = Governed::new(backend).await;
    let wait = [&RELEASE[..], &["--wait", "--timeout", "1s", "--json"]].concat();
    let waited = governed.place.run(&governed.ci, &wait).await;
    let still = "is still PENDING_APPROVAL after 1s";
    assert!(waited.err.contains(still), "{waited:?}");
    let answer = waited.json(7);
    let pending = "DEPLOYMENT_STATE_PENDING_APPROVAL";
    assert_eq!(state(&answer), pending, "{answer}");
}

async fn a_deployment_that_fails_fails_the_job(backend: Backend) {
    let doubt = Doubt::new(backend).await;
    doubt.resolve(Verdict::Failed).await;
    let project = &doubt.way.project;
    let id = doubt.deployment.deployment_id.as_str();
    let wait = ["wait", id, "--timeout", "1m", "--json"];
    let place = Place::new(backend).await;
    let waited = run(&place.world, &project.slug, &project.admin, &wait).await;
    let answer = waited.json(5);
    assert_eq!(state(&answer), "DEPLOYMENT_STATE_FAILED", "{answer}");
    assert_eq!(answer["deployment"]["deployment_id"], id, "{answer}");
}

async fn a_release_is_made_from_a_template(backend: Backend) {
    let place = Place::new(backend).await;
    let admin = &place.project.admin;
    let item = |application: &str, version: &str| TemplateItem {
        application: application.to_owned(),
        version: version.to_owned(),
        ..Default::default()
    };
    let creation = CreateTemplateRequest {
        project: place.project.slug.clone(),
        slug: "chatbot".to_owned(),
        description: "Because of {{why}}".to_owned(),
        items: vec![item("greeting", "{{version}}"), item("farewell", "2.0.0")],
        ..Default::default()
    };
    let mut templates = admin.templates();
    templates.create_template(creation).await.granted();
    let release = [
        "release",
        "--name",
        "Chatbot 2",
        "--environment",
        "prod",
        "--template",
        "chatbot",
        "--parameter",
    ];
    let lacking = [&release[..], &["version=9.9.9"]].concat();
    let refused = place.run(admin, &lacking).await;
    refused.is(3);
    let told = "error PARAMETER_MISSING release: the parameter `why` has no value";
    assert!(refused.out.contains(told), "{refused:?}");
    let told = "error VERSION_NOT_FOUND items[0]: ";
    assert!(refused.out.contains(told), "{refused:?}");
    let refused = place.json(admin, 3, &lacking).await;
    assert_eq!(refused["error"]["reason"], "RELEASE_HAS_FINDINGS");
    let all = [
        &release[..],
        &["version=1.1.0", "--parameter", "why=a=b"],
        &["--template-version", "1", "--execute-on-approval", "--wait"],
    ]
    .concat();
    let made = place.json(admin, 0, &all).await;
    assert_eq!(state(&made), "DEPLOYMENT_STATE_SUCCEEDED", "{made}");
    let release = &made["deployment"]["release"];
    assert_eq!(release["description"], "Because of a=b", "{made}");
    assert_eq!(release["template"]["template"], "chatbot", "{made}");
    assert_eq!(release["template"]["version"], "1", "{made}");
    let cell = place.project.cell("greeting", "prod").await.unwrap();
    assert_eq!(cell.version, "1.1.0");
    let later = [&all[..], &["--template-version", "2"]].concat();
    place.run(admin, &later).await.is(2);
    let named = |word| match word {
        &"chatbot" => "chats",
        other => *other,
    };
    let absent: Vec<_> = lacking.iter().map(named).collect();
    let absent = place.json(admin, 3, &absent).await;
    assert_eq!(absent["error"]["reason"], "TEMPLATE_NOT_FOUND", "{absent}");
}
