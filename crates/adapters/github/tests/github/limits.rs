//! GitHub's limits on requests.

use std::time::{Duration, Instant};

use slipway_github_stand_in::{Fault, When};
use slipway_snapshots::{GitError, GitStore, git::Committed};

use crate::world::{World, files, production};

fn pause(status: u16, seconds: u64) -> Fault {
    Fault::SecondaryLimit {
        status,
        retry_after: Some(Duration::from_secs(seconds)),
    }
}

#[tokio::test]
async fn a_short_pause_is_waited_for_at_every_call() {
    let Some(world) = World::new().await else {
        return;
    };
    let first = world.commit(None, &files(&[("a", "1"), ("b", "\0")])).await;
    for (method, part, status) in [
        ("GET", "/git/ref/", 403),
        ("POST", "/git/blobs", 429),
        ("POST", "/git/trees", 403),
        ("POST", "/git/commits", 429),
        ("PATCH", "/git/refs/", 403),
    ] {
        let parent = world.head().await.expect("a head");
        let content = format!("\0{method}{part}");
        world
            .server
            .plan(When::first(method, part), pause(status, 1));
        let begun = Instant::now();
        world
            .commit(Some(&parent), &files(&[("a", "1"), ("b", &content)]))
            .await;
        assert!(begun.elapsed() >= Duration::from_secs(1), "{method} {part}");
    }
    assert_ne!(world.head().await, Some(first));
    world.finish(6).await;
}

#[tokio::test]
async fn a_reset_is_waited_for() {
    let Some(world) = World::new().await else {
        return;
    };
    let reset = Fault::PrimaryLimit {
        status: 429,
        reset_in: Duration::from_secs(1),
    };
    world.server.plan(When::next(), reset);
    let begun = Instant::now();
    assert_eq!(world.head().await, None);
    assert!(begun.elapsed() >= Duration::from_secs(1));
    world.finish(0).await;
}

#[tokio::test]
async fn a_long_pause_is_told_with_its_end_and_nobody_asks_before() {
    let Some(world) = World::new().await else {
        return;
    };
    let first = world.commit(None, &files(&[("a", "1")])).await;
    world
        .server
        .plan(When::first("POST", "/git/commits"), pause(403, 3_600));
    let begun = Instant::now();
    let refused = world.try_commit(Some(&first), &files(&[("a", "2")])).await;
    let Err(GitError::Unavailable { problem }) = refused else {
        panic!("{refused:?}");
    };
    assert!(problem.contains("a pause until 20"), "{problem}");
    assert_eq!(world.branch().await, first.as_str());
    world.server.forget();
    let refused = world.store.head(&production()).await;
    assert!(matches!(refused, Err(GitError::Unavailable { .. })));
    assert_eq!(world.server.recorded().len(), 0);
    assert!(begun.elapsed() < Duration::from_secs(4));
    world.finish(1).await;
}

#[tokio::test]
async fn limits_that_do_not_say_for_how_long_are_a_minute() {
    let primary = |status| Fault::PrimaryLimit {
        status,
        reset_in: Duration::from_mins(30),
    };
    let unsaid = |status| Fault::SecondaryLimit {
        status,
        retry_after: None,
    };
    for fault in [primary(403), primary(429), unsaid(403), unsaid(429)] {
        let Some(world) = World::new().await else {
            return;
        };
        world.server.plan(When::next(), fault);
        let refused = world.store.head(&production()).await;
        let Err(GitError::Unavailable { problem }) = refused else {
            panic!("{refused:?}");
        };
        assert!(problem.contains("a pause until 20"), "{problem}");
        world.finish(0).await;
    }
}

#[tokio::test]
async fn pauses_without_end_end() {
    let Some(world) = World::new().await else {
        return;
    };
    world.server.plan(When::next().times(100), pause(429, 1));
    let refused = world.store.head(&production()).await;
    assert!(
        matches!(refused, Err(GitError::Unavailable { .. })),
        "{refused:?}"
    );
    assert!(world.server.recorded().len() <= 10);
    world.server.clear_faults();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let made = world.try_commit(None, &files(&[("a", "1")])).await;
    assert!(matches!(made, Ok(Committed::New(_))), "{made:?}");
    world.finish(1).await;
}
