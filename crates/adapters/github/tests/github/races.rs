//! Several writers.

use std::sync::Arc;

use slipway_github::GitHub;
use slipway_github_stand_in::{Fault, When};
use slipway_snapshots::{
    GitError, GitStore,
    git::{Committed, Files},
};

use crate::world::{World, commit, files, options_for, production};

#[tokio::test]
async fn a_lost_race_is_told_and_loses_nothing() {
    let Some(world) = World::new().await else {
        return;
    };
    let first = world.commit(None, &files(&[("ours", "1")])).await;
    // After the branch was read, and before it is moved.
    let theirs = Fault::SomebodyCommits {
        branch: "env/production".to_owned(),
        path: "theirs".to_owned(),
        content: "2".to_owned(),
    };
    world
        .server
        .plan(When::first("PATCH", "/git/refs/"), theirs);
    let lost = world
        .try_commit(Some(&first), &files(&[("ours", "3")]))
        .await;
    let Err(GitError::Moved { found: Some(found) }) = lost else {
        panic!("{lost:?}");
    };
    assert_eq!(world.branch().await, found.as_str());
    // As the caller does then: upon theirs.
    let mut all = world
        .store
        .read(&found)
        .await
        .expect("read")
        .expect("a commit");
    assert_eq!(all, files(&[("ours", "1"), ("theirs", "2")]));
    all.insert("ours".to_owned(), "3".into());
    world.commit(Some(&found), &all).await;
    assert_eq!(
        world.cloned().await,
        files(&[("ours", "3"), ("theirs", "2")])
    );
    world.finish(3).await;
}

#[tokio::test]
async fn who_makes_a_branch_second_is_told() {
    let Some(world) = World::new().await else {
        return;
    };
    let theirs = Fault::SomebodyCommits {
        branch: "env/production".to_owned(),
        path: "theirs".to_owned(),
        content: "2".to_owned(),
    };
    world.server.plan(When::first("POST", "/git/refs"), theirs);
    let lost = world.try_commit(None, &files(&[("ours", "1")])).await;
    assert!(
        matches!(lost, Err(GitError::Moved { found: Some(_) })),
        "{lost:?}"
    );
    assert_eq!(world.cloned().await, files(&[("theirs", "2")]));
    world.finish(1).await;
}

#[tokio::test]
async fn who_is_built_upon_before_the_answer_is_lost_has_committed() {
    let Some(world) = World::new().await else {
        return;
    };
    let first = world.commit(None, &files(&[("ours", "1")])).await;
    world
        .server
        .plan(When::first("PATCH", "/git/refs/"), Fault::DropAfter);
    // The next question is what the branch points to.
    let theirs = Fault::SomebodyCommits {
        branch: "env/production".to_owned(),
        path: "theirs".to_owned(),
        content: "2".to_owned(),
    };
    world
        .server
        .plan(When::first("GET", "/git/ref/").after(1), theirs);
    let second = world.commit(Some(&first), &files(&[("ours", "3")])).await;
    let parent = world.server.git(&["rev-parse", "env/production~1"]).await;
    assert_eq!(parent, second.as_str());
    assert_eq!(
        world.cloned().await,
        files(&[("ours", "3"), ("theirs", "2")])
    );
    world.finish(3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_that_try_again_all_get_in_one_after_the_other() {
    const WRITERS: usize = 8;
    let Some(world) = World::new().await else {
        return;
    };
    world.commit(None, &files(&[("begin", "")])).await;
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        // Each a server of its own.
        let store = Arc::new(GitHub::new(&options_for(&world.server)).expect("a store"));
        writers.spawn(async move { add(&store, format!("writer-{writer}")).await });
    }
    while let Some(done) = writers.join_next().await {
        done.expect("a writer got in");
    }
    let expected: Files = (0..WRITERS)
        .map(|writer| format!("writer-{writer}"))
        .chain(["begin".to_owned()])
        .map(|path| (path, "".into()))
        .collect();
    assert_eq!(world.cloned().await, expected);
    world.finish(WRITERS + 1).await;
}

/// Adds a file to whatever the branch holds.
async fn add(store: &GitHub, path: String) {
    let mut head = store.head(&production()).await.expect("a head");
    for _ in 0..100 {
        let parent = head.clone().expect("a branch");
        let mut all = store.read(&parent).await.expect("read").expect("a commit");
        all.insert(path.clone(), "".into());
        match commit(store, Some(&parent), &all).await {
            Ok(Committed::New(_)) => return,
            Err(GitError::Moved { found }) => head = found,
            other => panic!("{other:?}"),
        }
    }
    panic!("{path} never got in");
}
