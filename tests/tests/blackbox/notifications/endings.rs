//! Servers that end in the middle of a delivery, and several servers at once.

use std::collections::BTreeSet;

use slipway_api::notifications::v1::{Delivery, DeliveryState, WebhookFilter};
use slipway_tests::receiver::{Answer, Received};
use slipway_tests::{Backend, Receiver};

use super::{Line, QUICK, standard, webhook, when};
use crate::case::cases;

cases![
    a_delivery_survives_kill_9,
    a_server_that_stops_leaves_its_delivery_to_the_next_one,
    several_servers_tell_everything_once,
];

async fn delivered(line: &Line, hook: &str, count: usize) -> Vec<Delivery> {
    let all = |found: &[Delivery]| {
        found.len() == count
            && found
                .iter()
                .all(|one| one.state() == DeliveryState::Delivered)
    };
    when(&line.project, hook, all).await
}

/// A server on which an attempt hangs. It has more time than the case waits for the kill.
async fn hanging(backend: Backend) -> (slipway_tests::World, Line, Receiver) {
    let settings = [("SLIPWAY__NOTIFICATIONS__TIMEOUT", "2s")];
    let (world, line) = Line::quick(backend, &settings).await;
    let receiver = Receiver::start().await;
    receiver.answer("/hook", vec![Answer::Hang, Answer::Status(200, "")]);
    let url = format!("{}/hook", receiver.url);
    let everything = WebhookFilter::default();
    webhook(&line.project, "hook", standard(&url), everything).await;
    line.promote().await;
    receiver.wait("/hook", |all| !all.is_empty()).await;
    (world, line, receiver)
}

/// Everything arrived, what hung a second time by the same id, and in order.
fn check(posts: &[Received]) {
    for one in posts {
        one.verify();
    }
    let events: Vec<_> = posts.iter().map(Received::event).collect();
    let expected = [
        "deployment.queued",
        "deployment.queued",
        "deployment.running",
        "deployment.succeeded",
    ];
    assert_eq!(events, expected);
    assert_eq!(posts[0].id, posts[1].id);
}

async fn a_delivery_survives_kill_9(backend: Backend) {
    let (mut world, mut line, receiver) = hanging(backend).await;
    world.server.restart().await;
    line.project.admin = world.server.admin().await;
    delivered(&line, "hook", 3).await;
    check(&receiver.received("/hook"));
}

async fn a_server_that_stops_leaves_its_delivery_to_the_next_one(backend: Backend) {
    let (mut world, mut line, receiver) = hanging(backend).await;
    let status = world.server.terminate().await;
    assert!(status.success(), "{status}");
    world.server.restart().await;
    line.project.admin = world.server.admin().await;
    let log = delivered(&line, "hook", 3).await;
    check(&receiver.received("/hook"));
    // An attempt that was broken off does not count, unless it was over before the server stopped.
    assert!(log.iter().all(|one| one.attempts <= 2), "{log:?}");
}

async fn several_servers_tell_everything_once(backend: Backend) {
    const PROMOTIONS: usize = 8;
    if backend == Backend::Sqlite {
        // One server runs on a file.
        return;
    }
    let (world, line) = Line::quick(backend, &[]).await;
    let folders = world.server.state().join("workflows");
    let folders = format!("[\"{}\"]", folders.display());
    let directories = ("SLIPWAY__ENGINES__DIRECTORIES", folders.as_str());
    let settings = [&QUICK[..], &[directories]].concat();
    let _others = [
        world.server.replica_with(&settings).await,
        world.server.replica_with(&settings).await,
    ];
    let receiver = Receiver::start().await;
    for path in ["one", "two"] {
        let url = format!("{}/{path}", receiver.url);
        webhook(
            &line.project,
            path,
            standard(&url),
            WebhookFilter::default(),
        )
        .await;
    }
    for _ in 0..PROMOTIONS {
        line.promote().await;
    }
    for path in ["one", "two"] {
        delivered(&line, path, 3 * PROMOTIONS).await;
        let posts = receiver.received(&format!("/{path}"));
        let ids: BTreeSet<_> = posts.iter().map(|one| one.id.clone()).collect();
        assert_eq!((posts.len(), ids.len()), (3 * PROMOTIONS, 3 * PROMOTIONS));
        for number in posts.iter().map(Received::number) {
            let events = posts.iter().filter(|one| one.number() == number);
            let events: Vec<_> = events.map(Received::event).collect();
            let expected = [
                "deployment.queued",
                "deployment.running",
                "deployment.succeeded",
            ];
            assert_eq!(events, expected, "deployment {number}");
        }
    }
}
