//! Repositories of other kinds.

use futures_util::future::join_all;
use slipway_github_stand_in::{self as stand_in, Fault, When};
use slipway_snapshots::{GitError, GitStore, git::Committed};

use crate::world::{World, count, files, production};

fn empty() -> stand_in::Options {
    stand_in::Options {
        empty: true,
        ..stand_in::Options::default()
    }
}

#[tokio::test]
async fn an_empty_repository_is_begun() {
    let (Some(empty), Some(other)) = (World::with(empty()).await, World::new().await) else {
        return;
    };
    let content = files(&[("a", "1")]);
    assert_eq!(empty.head().await, None);
    let missing = crate::world::sha("0123456789012345678901234567890123456789");
    assert_eq!(empty.store.read(&missing).await.expect("read"), None);
    let made = empty.commit(None, &content).await;
    assert_eq!(empty.cloned().await, content);
    let readme = empty.server.git(&["show", "main:README.md"]).await;
    assert!(readme.contains("env/production"), "{readme}");
    // It is the commit that it is everywhere.
    assert_eq!(other.commit(None, &content).await, made);
    assert_eq!(count(&other.server.everything(), "PUT", "/contents/"), 0);
    empty.finish(1).await;
    other.finish(1).await;
}

#[tokio::test]
async fn an_empty_repository_is_begun_whatever_fails() {
    for fault in [
        Fault::DropBefore,
        Fault::DropAfter,
        Fault::Status(500),
        Fault::StatusAfter(502),
        Fault::SomebodyCommits {
            branch: "main".to_owned(),
            path: "README.md".to_owned(),
            content: "Theirs".to_owned(),
        },
    ] {
        let Some(world) = World::with(empty()).await else {
            return;
        };
        world.server.plan(When::first("PUT", "/contents/"), fault);
        world.commit(None, &files(&[("a", "1")])).await;
        let count = world.server.git(&["rev-list", "--count", "main"]).await;
        assert_eq!(count, "1");
        world.finish(1).await;
    }
    let Some(world) = World::with(empty()).await else {
        return;
    };
    world
        .server
        .plan(When::first("PUT", "/contents/"), Fault::Status(403));
    let refused = world.try_commit(None, &files(&[("a", "1")])).await;
    assert!(
        matches!(refused, Err(GitError::Unauthenticated { .. })),
        "{refused:?}"
    );
    world.finish(0).await;
}

#[tokio::test]
async fn several_may_begin_an_empty_repository_at_once() {
    let Some(world) = World::with(empty()).await else {
        return;
    };
    let content = files(&[("a", "1")]);
    let made = join_all((0..4).map(|_| world.try_commit(None, &content))).await;
    let head = world.head().await.expect("a head");
    for made in made {
        // All make the same commit, so whoever comes second finds it.
        match made {
            Ok(Committed::New(sha)) => assert_eq!(sha, head),
            Err(GitError::Moved { found }) => assert_eq!(found.as_ref(), Some(&head)),
            other => panic!("{other:?}"),
        }
    }
    world.finish(1).await;
}

#[tokio::test]
async fn an_enterprise_server_has_its_api_elsewhere() {
    let options = stand_in::Options {
        enterprise: true,
        ..stand_in::Options::default()
    };
    let Some(world) = World::with(options).await else {
        return;
    };
    let content = files(&[("a", "1")]);
    let made = world.commit(None, &content).await;
    assert_eq!(world.store.read(&made).await.expect("read"), Some(content));
    let site = world.server.base_url();
    let site = site
        .strip_suffix("/api/v3")
        .expect("an Enterprise Server's API");
    assert_eq!(world.store.location(), format!("{site}/octo-org/snapshots"));
    world.finish(1).await;
}

#[tokio::test]
async fn a_repository_that_has_moved_is_told_and_nothing_is_sent_after_it() {
    let Some(world) = World::new().await else {
        return;
    };
    for status in [301, 307] {
        world.server.plan(When::next(), Fault::Status(status));
        let refused = world.store.head(&production()).await;
        let Err(GitError::Refused { message }) = refused else {
            panic!("{refused:?}");
        };
        assert!(message.contains("has moved"), "{message}");
    }
    assert_eq!(world.server.everything().len(), 2);
    world.finish(0).await;
}
