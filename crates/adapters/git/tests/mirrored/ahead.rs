//! Commits while the upstream can't be reached.

use std::fs;

use slipway_snapshots::contract::{by_ada, environment, files};
use slipway_snapshots::{GitError, GitStore};

use crate::world::{World, commit_by};

#[tokio::test]
async fn commits_wait_and_are_brought_with_the_same_hashes() {
    let world = World::new();
    let dev = environment("dev");
    let first = world.commit(&files(&[("a", "1")]), 0).await;
    world.go_away();
    let second = world.commit(&files(&[("a", "2")]), 1).await;
    let third = world.commit(&files(&[("a", "3"), ("b", "x")]), 2).await;
    assert!(world.store.is_ahead(&dev).await);
    assert_eq!(world.upstream_head().await, Some(first));
    assert!(matches!(
        world.store.publish().await,
        Err(GitError::Unavailable { .. })
    ));
    world.come_back();
    // What is committed before all is brought joins it.
    let fourth = world.commit(&files(&[("b", "y")]), 3).await;
    assert_eq!(world.store.publish().await.expect("brought"), 3);
    assert_eq!(world.upstream_head().await, Some(fourth.clone()));
    assert!(!world.store.is_ahead(&dev).await);
    assert_eq!(world.store.publish().await.expect("nothing"), 0);
    for (commit, content) in [
        (&second, vec![("a", "2")]),
        (&third, vec![("a", "3"), ("b", "x")]),
        (&fourth, vec![("b", "y")]),
    ] {
        let read = world.upstream.read(commit).await.expect("read");
        assert_eq!(read, Some(files(&content)));
    }
    // And the upstream leads again.
    let fifth = commit_by(&world.other_server(), &files(&[("b", "z")]), 4).await;
    assert_eq!(world.store.head(&dev).await.expect("read"), Some(fifth));
    world.fsck();
}

#[tokio::test]
async fn asking_whether_commits_wait_brings_them_where_that_can_be() {
    let world = World::new();
    world.go_away();
    let first = world.commit(&files(&[("a", "1")]), 0).await;
    world.come_back();
    assert!(!world.store.is_ahead(&environment("dev")).await);
    assert_eq!(world.upstream_head().await, Some(first));
}

/// Its answer was lost, the commit was not: the mirror makes the same one.
#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_the_same_one() {
    let world = World::new();
    world.commit(&files(&[("a", "1")]), 0).await;
    world.go_away_after_a_commit();
    let second = world.commit(&files(&[("a", "2")]), 1).await;
    assert_eq!(world.upstream_head().await, Some(second.clone()));
    world.come_back();
    assert_eq!(world.store.publish().await.expect("there"), 0);
    assert!(!world.store.is_ahead(&environment("dev")).await);
    world.commit(&files(&[("a", "3")]), 2).await;
    world.fsck();
}

#[tokio::test]
async fn a_mirror_of_one_server_among_several_does_not_run_ahead() {
    let world = World::new();
    let other = world.other_server();
    let dev = environment("dev");
    let first = commit_by(&other, &files(&[("a", "1")]), 0).await;
    world.go_away();
    let head = other.head(&dev).await;
    assert!(
        matches!(head, Err(GitError::Unavailable { .. })),
        "{head:?}"
    );
    let later = files(&[("a", "2")]);
    let failed = other.commit(&by_ada(&dev, Some(&first), &later, 1)).await;
    assert!(
        matches!(failed, Err(GitError::Unavailable { .. })),
        "{failed:?}"
    );
    world.come_back();
    // Nothing is half done: nothing waits, and the same commit can be made.
    assert_eq!(other.publish().await.expect("nothing"), 0);
    assert_eq!(other.head(&dev).await.expect("read"), Some(first));
    commit_by(&other, &later, 1).await;
}

#[tokio::test]
async fn where_neither_can_be_written_nothing_is_done_and_both_are_told() {
    let world = World::new();
    fs::write(world.mirror(), b"in the way").expect("written");
    world.go_away();
    let dev = environment("dev");
    let new = files(&[("a", "1")]);
    match world.store.commit(&by_ada(&dev, None, &new, 0)).await {
        Err(GitError::Unavailable { problem }) => {
            assert!(problem.contains("nobody answers"), "{problem}");
            assert!(problem.contains("mirror.git"), "{problem}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(world.upstream_head().await, None);
}

/// Somebody pushes by hand while we are away: theirs goes on, ours stays readable, also after Git has cleaned up.
#[tokio::test]
async fn what_can_not_be_brought_stays_readable() {
    let world = World::new();
    let dev = environment("dev");
    world.commit(&files(&[("a", "1")]), 0).await;
    world.go_away();
    let ours = world.commit(&files(&[("a", "ours")]), 1).await;
    world.come_back();
    let theirs = commit_by(&world.other_server(), &files(&[("a", "theirs")]), 2).await;
    assert_eq!(world.store.publish().await.expect("parted"), 0);
    assert!(!world.store.is_ahead(&dev).await);
    assert_eq!(world.store.head(&dev).await.expect("read"), Some(theirs));
    let next = world.commit(&files(&[("a", "next")]), 3).await;
    assert_eq!(world.upstream_head().await, Some(next));
    world.git("mirror.git", &["gc", "--quiet", "--prune=now"]);
    world.go_away();
    let read = world.store.read(&ours).await.expect("read");
    assert_eq!(read, Some(files(&[("a", "ours")])));
    world.fsck();
}

/// A repository that was the only one becomes a mirror: its history is brought.
#[tokio::test]
async fn what_was_local_before_is_brought() {
    let world = World::new();
    let local = slipway_git::LocalRepository::open_or_create(world.mirror()).expect("made");
    for second in 0..5 {
        let content = second.to_string();
        commit_by(&local, &files(&[("a", content.as_str())]), second).await;
    }
    let dev = environment("dev");
    let last = local.head(&dev).await.expect("read");
    assert_eq!(world.store.publish().await.expect("brought"), 5);
    assert_eq!(world.upstream_head().await, last);
    let next = world.commit(&files(&[("a", "next")]), 9).await;
    assert_eq!(world.upstream_head().await, Some(next));
    world.fsck();
}

/// A person committed to the mirror: that can't be made again under its hash, so it is not made under another.
#[tokio::test]
async fn what_a_person_committed_here_is_not_made_again_there() {
    let world = World::new();
    let dev = environment("dev");
    world.go_away();
    let first = world.commit(&files(&[("a", "1")]), 0).await;
    let ours = world.commit(&files(&[("a", "2")]), 1).await;
    let tree = format!("{first}^{{tree}}");
    let identities = ["-c", "user.name=Eve", "-c", "user.email=eve@example.com"];
    let commit = ["commit-tree", "-p", ours.as_str(), "-m", "By hand", &tree];
    let Some(theirs) = world.git("mirror.git", &[&identities[..], &commit[..]].concat()) else {
        return;
    };
    world.git("mirror.git", &["update-ref", "refs/heads/env/dev", &theirs]);
    world.come_back();
    assert_eq!(world.store.publish().await.expect("parted"), 0);
    assert_eq!(world.upstream_head().await, Some(ours));
    assert!(!world.store.is_ahead(&dev).await);
    let theirs = theirs.parse().expect("a hash");
    let read = world.store.read(&theirs).await.expect("read");
    assert_eq!(read, Some(files(&[("a", "1")])));
}
