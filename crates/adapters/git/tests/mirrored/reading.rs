//! Reading, whatever is away or damaged.

use std::fs;

use slipway_snapshots::contract::{environment, files};
use slipway_snapshots::{CommitSha, FileChange, GitError, GitStore};

use crate::world::{World, commit_by};

/// All three ways of reading, in that order.
async fn assert_readable(store: &dyn GitStore, commits: &[CommitSha; 2]) {
    let read = store.read(&commits[0]).await.expect("read");
    assert_eq!(read, Some(files(&[("a", "1"), ("b/c", "2")])));
    let file = store.read_file(&commits[1], "b/c").await.expect("read");
    assert_eq!(file.as_deref(), Some(&b"3"[..]));
    let none = store.read_file(&commits[1], "nothing").await;
    assert_eq!(none.expect("read"), None);
    let changes = store.compare(&commits[0], &commits[1]).await;
    let expected = vec![FileChange::Changed("b/c".to_owned())];
    assert_eq!(changes.expect("compared"), Some(expected));
}

async fn two_commits(world: &World) -> [CommitSha; 2] {
    let first = world.commit(&files(&[("a", "1"), ("b/c", "2")]), 0).await;
    let second = world.commit(&files(&[("a", "1"), ("b/c", "3")]), 1).await;
    [first, second]
}

#[tokio::test]
async fn what_was_committed_is_readable_without_the_upstream() {
    let world = World::new();
    let commits = two_commits(&world).await;
    world.go_away();
    assert_readable(&world.store, &commits).await;
    let dev = environment("dev");
    let head = world.store.head(&dev).await.expect("known");
    assert_eq!(head.as_ref(), Some(&commits[1]));
    assert!(!world.store.is_ahead(&dev).await);
    world.fsck();
}

#[tokio::test]
async fn what_was_read_once_is_readable_without_the_upstream() {
    let world = World::new();
    let commits = two_commits(&world).await;
    let other = world.other_server();
    assert_readable(&other, &commits).await;
    world.go_away();
    assert_readable(&other, &commits).await;
    // Git does not remove what no branch leads to, and finds nothing missing where the history begins in the middle.
    let arguments = ["gc", "--quiet", "--prune=now"];
    if world.git("other.git", &arguments).is_some() {
        let told = world.git("other.git", &["fsck", "--strict", "--full"]);
        assert_eq!(told.as_deref(), Some(""));
    }
    assert_readable(&other, &commits).await;
}

#[tokio::test]
async fn a_mirror_that_was_lost_is_filled_again() {
    let world = World::new();
    let commits = two_commits(&world).await;
    fs::remove_dir_all(world.mirror()).expect("removed");
    assert_readable(&world.store, &commits).await;
    world.go_away();
    assert_readable(&world.store, &commits).await;
    world.come_back();
    world.fsck();
}

/// Each object in turn, and then what Git knows a repository by.
#[tokio::test]
async fn a_mirror_that_is_damaged_is_not_believed_and_repaired() {
    let world = World::new();
    let commits = two_commits(&world).await;
    let mut count = 0;
    for folder in fs::read_dir(world.mirror().join("objects")).expect("read") {
        let folder = folder.expect("an entry").path();
        if folder.file_name().is_none_or(|name| name.len() != 2) {
            continue;
        }
        for object in fs::read_dir(folder).expect("read") {
            let object = object.expect("an entry").path();
            fs::remove_file(&object).expect("removed");
            fs::write(&object, b"no object").expect("damaged");
            assert_readable(&world.store, &commits).await;
            world.store.read(&commits[1]).await.expect("read");
            count += 1;
        }
    }
    assert!(count >= 8, "{count}");
    world.go_away();
    assert_readable(&world.store, &commits).await;
    world.fsck();
    fs::write(world.mirror().join("HEAD"), b"nonsense").expect("damaged");
    world.come_back();
    assert_readable(&world.store, &commits).await;
    // And goes on, without the mirror.
    let third = world.commit(&files(&[("a", "4")]), 2).await;
    assert_eq!(world.upstream_head().await, Some(third));
}

#[tokio::test]
async fn a_mirror_that_is_behind_is_told_and_catches_up() {
    let world = World::new();
    let other = world.other_server();
    let first = commit_by(&other, &files(&[("a", "1"), ("b/c", "2")]), 0).await;
    let second = world.commit(&files(&[("a", "1"), ("b/c", "3")]), 1).await;
    let commits = [first.clone(), second];
    world.go_away();
    // The other server has not seen the second commit, nor this one the first.
    match world.store.read(&first).await {
        Err(GitError::Unavailable { problem }) => {
            assert!(problem.contains("mirror.git"), "{problem}");
            assert!(problem.contains(first.as_str()), "{problem}");
        }
        other => panic!("{other:?}"),
    }
    world.come_back();
    assert_readable(&world.store, &commits).await;
    assert_readable(&other, &commits).await;
    world.go_away();
    assert_readable(&world.store, &commits).await;
    assert_readable(&other, &commits).await;
    world.fsck();
}

/// The mirror's disk may be full or its folder unwritable: the commit stands where it counts.
#[tokio::test]
async fn a_mirror_that_can_not_be_written_fails_no_commit() {
    let world = World::new();
    fs::write(world.mirror(), b"in the way").expect("written");
    let commits = two_commits(&world).await;
    assert_eq!(world.upstream_head().await.as_ref(), Some(&commits[1]));
    assert_readable(&world.store, &commits).await;
    fs::remove_file(world.mirror()).expect("out of the way");
    let third = world.commit(&files(&[("a", "4")]), 2).await;
    world.go_away();
    let read = world.store.read(&third).await.expect("read");
    assert_eq!(read, Some(files(&[("a", "4")])));
}

/// What the mirror's branch was taken off, because others committed between, is kept, also when Git has cleaned up.
#[tokio::test]
async fn what_the_branch_no_longer_leads_to_stays_readable() {
    let world = World::new();
    let commits = two_commits(&world).await;
    let other = world.other_server();
    for second in 2..4 {
        let content = second.to_string();
        commit_by(&other, &files(&[("a", content.as_str())]), second).await;
    }
    world.commit(&files(&[("a", "again ours")]), 4).await;
    world.git("mirror.git", &["gc", "--quiet", "--prune=now"]);
    world.go_away();
    assert_readable(&world.store, &commits).await;
    world.fsck();
}
