//! What webhooks are told, and how well it arrives.

use std::collections::{BTreeMap, BTreeSet};

use slipway_api::deployments::v1::DeploymentState;
use slipway_api::errors::v1::ErrorReason;
use slipway_api::notifications::v1::{
    DeliveryState, ListDeliveriesRequest, RedeliverWebhookRequest, TestWebhookRequest,
    UpdateWebhookRequest, WebhookFilter,
};
use slipway_tests::receiver::{Answer, Received};
use slipway_tests::{Backend, Granted, Mailbox, Receiver, Refused, World};
use tonic::Code;

use super::{Line, deliveries, email, slack, standard, webhook, when};
use crate::case::cases;
use crate::catalog::mask;

cases![
    every_state_is_told_in_order_and_signed,
    a_webhook_is_told_of_what_it_wants,
    a_receiver_that_behaves_badly_gets_everything_in_the_end,
    what_is_given_up_can_be_sent_once_more,
    a_disabled_webhook_is_told_later,
    slack_gets_what_it_shows,
    mails_are_handed_in,
];

fn everything() -> WebhookFilter {
    WebhookFilter::default()
}

fn only(event: &str) -> WebhookFilter {
    WebhookFilter {
        events: vec![event.to_owned()],
        ..Default::default()
    }
}

fn events(posts: &[Received]) -> Vec<String> {
    posts.iter().map(Received::event).collect()
}

const SUCCESS: [&str; 3] = [
    "deployment.queued",
    "deployment.running",
    "deployment.succeeded",
];

async fn every_state_is_told_in_order_and_signed(backend: Backend) {
    let world = World::shared(backend).await;
    let line = Line::new(&world).await;
    let receiver = Receiver::start().await;
    let url = format!("{}/hook", receiver.url);
    webhook(&line.project, "all", standard(&url), everything()).await;
    let deployment = line.promote().await;

    let posts = receiver.wait("/hook", |all| all.len() >= 3).await;
    assert_eq!(events(&posts), SUCCESS);
    for one in &posts {
        one.verify();
        let json = one.json();
        assert_eq!(json["data"]["project"], line.project.slug.as_str());
        assert_eq!(json["data"]["environment"], "prod");
        let told = &json["data"]["deployment"];
        assert_eq!(told["deployment_id"], deployment.deployment_id.as_str());
        assert_eq!(told["number"], deployment.number);
        assert_eq!(told["kind"], "PROMOTION");
        assert_eq!(
            told["requested_by"],
            line.project.admin.principal_id.as_str()
        );
        assert_eq!(one.headers["content-type"], "application/json");
    }
    let ids: BTreeSet<_> = posts.iter().map(|one| one.id.clone()).collect();
    assert_eq!(ids.len(), 3);

    // The log says the same, the newest first, and page by page.
    let all_delivered = |found: &[slipway_api::notifications::v1::Delivery]| {
        found
            .iter()
            .all(|one| one.state() == DeliveryState::Delivered)
    };
    let log = when(&line.project, "all", all_delivered).await;
    let told: Vec<_> = log.iter().rev().map(|one| one.event.as_str()).collect();
    assert_eq!(told, SUCCESS);
    let logged: BTreeSet<_> = log.iter().map(|one| one.delivery_id.clone()).collect();
    assert_eq!(logged, ids);
    for (one, posts) in log.iter().rev().zip(&posts) {
        assert_eq!(one.payload.as_bytes(), posts.body);
        assert_eq!((one.attempts, one.webhook.as_str()), (1, "all"));
        let last = one.last_attempt.as_ref().unwrap();
        assert_eq!((last.status, last.answer.as_str()), (200, "thank you"));
        assert_eq!(one.deployment_id, deployment.deployment_id);
    }
    let mut request = ListDeliveriesRequest {
        project: line.project.slug.clone(),
        deployment: deployment.number.to_string(),
        state: DeliveryState::Delivered.into(),
        page_size: 2,
        ..Default::default()
    };
    let mut webhooks = line.project.admin.webhooks();
    let first = webhooks.list_deliveries(request.clone()).await.granted();
    request.page_token = first.next_page_token;
    let second = webhooks.list_deliveries(request.clone()).await.granted();
    assert_eq!([first.deliveries, second.deliveries].concat(), log);
    assert_eq!(second.next_page_token, "");
    request.page_token = String::new();
    request.state = DeliveryState::Dead.into();
    let none = webhooks.list_deliveries(request).await.granted();
    assert_eq!(none.deliveries, []);
}

async fn a_webhook_is_told_of_what_it_wants(backend: Backend) {
    let world = World::shared(backend).await;
    let line = Line::new(&world).await;
    let receiver = Receiver::start().await;
    let to = |path: &str| standard(&format!("{}/{path}", receiver.url));
    let project = &line.project;
    webhook(project, "ends", to("ends"), only("deployment.succeeded")).await;
    webhook(
        project,
        "waits",
        to("waits"),
        only("deployment.pending_approval"),
    )
    .await;
    let elsewhere = WebhookFilter {
        environments: vec!["dev".to_owned()],
        ..Default::default()
    };
    webhook(project, "elsewhere", to("elsewhere"), elsewhere).await;
    let higher = WebhookFilter {
        tiers: vec![slipway_api::catalog::v1::EnvironmentTier::Production.into()],
        ..Default::default()
    };
    webhook(project, "higher", to("higher"), higher).await;
    line.promote().await;
    let waiting = line.start("guarded").await;
    assert_eq!(waiting.state(), DeploymentState::PendingApproval);

    let waits = receiver.wait("/waits", |all| !all.is_empty()).await;
    assert_eq!(waits[0].number(), waiting.number);
    let ends = receiver.wait("/ends", |all| !all.is_empty()).await;
    assert_eq!(events(&ends), ["deployment.succeeded"]);
    // By now everything before it was dispatched.
    for webhook in ["elsewhere", "higher"] {
        assert_eq!(deliveries(project, webhook).await, []);
    }
}

/// What must hold of all that came: each event at least once and with one id, whoever misbehaved; and of one deployment
/// each event only after the one before was taken.
fn check(posts: &[Received], numbers: &[i64]) {
    let mut ids: BTreeMap<(i64, String), BTreeSet<String>> = BTreeMap::new();
    for one in posts {
        one.verify();
        let event = (one.number(), one.event());
        ids.entry(event).or_default().insert(one.id.clone());
    }
    for number in numbers {
        for event in SUCCESS {
            let ids = ids.get(&(*number, event.to_owned()));
            assert_eq!(ids.map(BTreeSet::len), Some(1), "{number} {event}: {ids:?}");
        }
        let taken = posts
            .iter()
            .filter(|one| one.number() == *number && one.taken());
        let mut order: Vec<_> = taken.map(Received::event).collect();
        order.dedup();
        assert_eq!(order, SUCCESS, "deployment {number}");
        let mut came: Vec<_> = posts.iter().filter(|one| one.number() == *number).collect();
        came.sort_by_key(|one| one.at);
        let mut came: Vec<_> = came.into_iter().map(Received::event).collect();
        came.dedup();
        assert_eq!(came, SUCCESS, "deployment {number}");
    }
}

async fn a_receiver_that_behaves_badly_gets_everything_in_the_end(backend: Backend) {
    const PROMOTIONS: usize = 6;
    let (_world, line) = Line::quick(backend, &[]).await;
    let receiver = Receiver::start().await;
    let good = Answer::Status(200, "fine");
    for (path, answers) in [
        (
            "/fails",
            vec![
                Answer::Status(500, "no"),
                Answer::Status(503, "not now"),
                good.clone(),
                Answer::Status(400, "what"),
                good.clone(),
            ],
        ),
        (
            "/hangs",
            vec![
                Answer::Hang,
                good.clone(),
                Answer::Hang,
                Answer::Hang,
                good.clone(),
            ],
        ),
        (
            "/leads",
            vec![
                Answer::Redirect(format!("{}/trap", receiver.url)),
                good.clone(),
            ],
        ),
        ("/drips", vec![Answer::Drip(500), Answer::Drip(200)]),
        ("/asks", vec![Answer::Later(429, 1), good.clone()]),
        ("/good", vec![good]),
    ] {
        receiver.answer(path, answers);
        let url = format!("{}{path}", receiver.url);
        webhook(&line.project, &path[1..], standard(&url), everything()).await;
    }
    // Nobody waits for them.
    let mut numbers = Vec::new();
    for _ in 0..PROMOTIONS {
        numbers.push(line.promote().await.number);
    }
    for path in ["/fails", "/hangs", "/leads", "/drips", "/asks", "/good"] {
        let taken = |all: &[Received]| {
            let taken = all.iter().filter(|one| one.taken());
            let ids: BTreeSet<_> = taken.map(|one| one.id.clone()).collect();
            ids.len() == SUCCESS.len() * PROMOTIONS
        };
        let posts = receiver.wait(path, taken).await;
        check(&posts, &numbers);
    }
    assert_eq!(receiver.received("/good").len(), SUCCESS.len() * PROMOTIONS);
    assert_eq!(
        receiver.received("/trap").len(),
        0,
        "a redirect was followed"
    );
    let asked = receiver.received("/asks");
    let pause = asked[1..]
        .iter()
        .find(|one| one.id == asked[0].id)
        .unwrap()
        .at
        - asked[0].at;
    assert!(pause >= std::time::Duration::from_secs(1), "{pause:?}");
}

async fn what_is_given_up_can_be_sent_once_more(backend: Backend) {
    let (_world, line) = Line::quick(
        backend,
        &[(
            "SLIPWAY__NOTIFICATIONS__RETRY_AFTER",
            "[\"20ms\", \"20ms\"]",
        )],
    )
    .await;
    let receiver = Receiver::start().await;
    let project = &line.project;
    let url = format!("{}/hook", receiver.url);
    webhook(project, "hook", standard(&url), everything()).await;
    receiver.answer("/hook", vec![Answer::Status(500, "no")]);
    line.promote().await;
    let dead = |found: &[slipway_api::notifications::v1::Delivery]| {
        found.len() == 3 && found.iter().all(|one| one.state() == DeliveryState::Dead)
    };
    let log = when(project, "hook", dead).await;
    let attempts: Vec<_> = log.iter().map(|one| one.attempts).collect();
    assert_eq!(attempts, [3, 3, 3]);
    let last = log[0].last_attempt.clone().unwrap();
    assert_eq!((last.status, last.answer.as_str()), (500, "no"));
    assert!(last.problem.contains("500"), "{last:?}");
    assert_eq!(log[0].next_attempt_time, None);
    let before = receiver.received("/hook");
    assert_eq!(before.len(), 9);

    receiver.answer("/hook", vec![Answer::Status(204, "")]);
    let request = RedeliverWebhookRequest {
        project: project.slug.clone(),
        delivery_id: log[1].delivery_id.clone(),
        request_id: "once".to_owned(),
    };
    let mut webhooks = project.admin.webhooks();
    let again = webhooks.redeliver_webhook(request.clone()).await.granted();
    let again = again.delivery.unwrap();
    assert_eq!((again.state(), again.attempts), (DeliveryState::Pending, 0));
    let delivered = |found: &[slipway_api::notifications::v1::Delivery]| {
        found[1].state() == DeliveryState::Delivered
    };
    let log = when(project, "hook", delivered).await;
    webhooks.redeliver_webhook(request).await.granted();
    let after = receiver.received("/hook");
    assert_eq!(after.len(), 10, "once more, and once only");
    assert_eq!(after[9].id, log[1].delivery_id);
    assert_eq!(after[9].event(), "deployment.running");
    after[9].verify();

    // Who is gone is not asked again.
    receiver.answer("/hook", vec![Answer::Status(410, "gone")]);
    let test = webhooks
        .test_webhook(TestWebhookRequest {
            project: project.slug.clone(),
            webhook: "hook".to_owned(),
            ..Default::default()
        })
        .await
        .granted();
    let id = test.delivery.unwrap().delivery_id;
    let gone = |found: &[slipway_api::notifications::v1::Delivery]| {
        found[0].delivery_id == id && found[0].state() == DeliveryState::Dead
    };
    let log = when(project, "hook", gone).await;
    assert_eq!(
        (log[0].attempts, log[0].event.as_str()),
        (1, "webhook.test")
    );
}

async fn a_disabled_webhook_is_told_later(backend: Backend) {
    let (_world, line) = Line::quick(backend, &[]).await;
    let receiver = Receiver::start().await;
    let project = &line.project;
    let url = format!("{}/hook", receiver.url);
    webhook(
        project,
        "hook",
        standard(&url),
        only("deployment.succeeded"),
    )
    .await;
    receiver.answer(
        "/hook",
        vec![Answer::Status(500, "no"), Answer::Status(200, "")],
    );
    let switched = |enabled| UpdateWebhookRequest {
        project: project.slug.clone(),
        webhook: "hook".to_owned(),
        enabled,
        update_mask: Some(mask(&["enabled"])),
        ..Default::default()
    };
    line.promote().await;
    receiver.wait("/hook", |all| !all.is_empty()).await;
    let mut webhooks = project.admin.webhooks();
    webhooks.update_webhook(switched(false)).await.granted();
    let test = || TestWebhookRequest {
        project: project.slug.clone(),
        webhook: "hook".to_owned(),
        ..Default::default()
    };
    webhooks
        .test_webhook(test())
        .await
        .refused(Code::FailedPrecondition, ErrorReason::WebhookDisabled);
    let log = deliveries(project, "hook").await;
    let once_more = RedeliverWebhookRequest {
        project: project.slug.clone(),
        delivery_id: log[0].delivery_id.clone(),
        ..Default::default()
    };
    webhooks
        .redeliver_webhook(once_more)
        .await
        .refused(Code::FailedPrecondition, ErrorReason::WebhookDisabled);
    // What happens meanwhile is told to nobody.
    let unheard = line.promote().await;
    webhooks.update_webhook(switched(true)).await.granted();
    let heard = line.promote().await;
    let posts = receiver
        .wait("/hook", |all| {
            all.iter().any(|one| one.number() == heard.number)
        })
        .await;
    assert!(posts.iter().all(|one| one.number() != unheard.number));
    let first: Vec<_> = posts
        .iter()
        .filter(|one| one.number() == posts[0].number())
        .collect();
    assert!(first.iter().any(|one| one.taken()), "what waited was told");
}

async fn slack_gets_what_it_shows(backend: Backend) {
    let receiver = Receiver::start().await;
    let url = format!("{}/services/T0/B0/hunter2", receiver.url);
    let (world, line) = Line::quick(backend, &[("WEBHOOK_SLACK", &url)]).await;
    let project = &line.project;
    let filter = only("deployment.succeeded");
    let made = webhook(project, "chat", slack("env:WEBHOOK_SLACK"), filter).await;
    assert!(!format!("{made:?}").contains("hunter2"));
    let number = line.promote().await.number;
    let posts = receiver
        .wait("/services/T0/B0/hunter2", |all| !all.is_empty())
        .await;
    let json: serde_json::Value = serde_json::from_slice(&posts[0].body).unwrap();
    let text = format!("{}: deployment {number} to prod succeeded", project.slug);
    assert_eq!(json["text"], text.as_str());
    assert_eq!(json["blocks"][0]["type"], "section");
    assert!(!posts[0].headers.contains_key("webhook-signature"));
    assert!(!world.server.log().contains("hunter2"));
}

async fn mails_are_handed_in(backend: Backend) {
    let mailbox = Mailbox::start().await;
    let port = mailbox.port.to_string();
    let (_world, line) = Line::quick(
        backend,
        &[
            ("SLIPWAY__SMTP__HOST", "127.0.0.1"),
            ("SLIPWAY__SMTP__PORT", &port),
            ("SLIPWAY__SMTP__ENCRYPTION", "none"),
            ("SLIPWAY__SMTP__FROM", "Slipway <slipway@example.com>"),
        ],
    )
    .await;
    let project = &line.project;
    let people = ["ops@example.com", "dev@example.org"];
    webhook(
        project,
        "people",
        email(&people),
        only("deployment.succeeded"),
    )
    .await;
    let number = line.promote().await.number;
    // The host wanted to be asked twice.
    let mails = mailbox.wait(1).await;
    assert_eq!(mails[0].recipients, people);
    let subject = format!(
        "[slipway] {}: deployment {number} to prod succeeded",
        project.slug
    );
    assert_eq!(mails[0].header("Subject"), subject);
    assert_eq!(mails[0].header("From"), "Slipway <slipway@example.com>");
    let delivered = |found: &[slipway_api::notifications::v1::Delivery]| {
        found
            .iter()
            .all(|one| one.state() == DeliveryState::Delivered)
    };
    let log = when(project, "people", delivered).await;
    assert_eq!((log.len(), log[0].attempts), (1, 2));
    let id = format!("<{}@example.com>", log[0].delivery_id);
    assert_eq!(mails[0].header("Message-ID"), id);
    assert!(mails[0].content.contains("Event: deployment.succeeded"));

    // Whom the host does not know it does not know the next time either.
    webhook(
        project,
        "nobody",
        email(&["nobody@example.com"]),
        everything(),
    )
    .await;
    let mut webhooks = project.admin.webhooks();
    let test = TestWebhookRequest {
        project: project.slug.clone(),
        webhook: "nobody".to_owned(),
        ..Default::default()
    };
    webhooks.test_webhook(test).await.granted();
    let dead = |found: &[slipway_api::notifications::v1::Delivery]| {
        found.iter().all(|one| one.state() == DeliveryState::Dead)
    };
    let log = when(project, "nobody", dead).await;
    assert_eq!(log[0].attempts, 1);
    assert_eq!(log[0].last_attempt.as_ref().unwrap().status, 550);
}
