//! GitHub with a mirror: the contract, and commits while GitHub is away.

use std::{sync::Arc, time::Duration};

use slipway_git::{Mirrored, Patience};
use slipway_github::GitHub;
use slipway_github_stand_in::{self as stand_in, Fault, StandIn, When};
use slipway_snapshots::{
    CommitSha, GitStore,
    git::{Committed, Files, NewCommit},
};
use tempfile::TempDir;

use crate::world::{check_requests, count, files, options_for, production};

struct Both {
    server: StandIn,
    mirrored: Mirrored,
    _directory: TempDir,
}

impl Both {
    fn store(&self) -> &dyn GitStore {
        &self.mirrored
    }

    async fn commit(&self, files: &Files) -> CommitSha {
        let production = production();
        let parent = self.mirrored.head(&production).await.expect("a head");
        let new = NewCommit {
            environment: &production,
            parent: parent.as_ref(),
            files,
            message: "Snapshot of production",
            author: ("Ada Lovelace", "ada@example.com"),
            at: slipway_kernel::Timestamp::parse("2026-01-31T12:00:00.5Z").expect("a time"),
        };
        let (Committed::New(sha) | Committed::Unchanged(sha)) =
            self.mirrored.commit(&new).await.expect("committed");
        sha
    }
}

impl Drop for Both {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            check_requests(&self.server);
        }
    }
}

async fn both() -> Option<Both> {
    if !stand_in::available() {
        return None;
    }
    let server = StandIn::start(stand_in::Options::default()).await;
    let github = GitHub::new(&options_for(&server)).expect("a store");
    let directory = tempfile::tempdir().expect("a directory");
    let patience = Patience {
        away: Duration::ZERO,
        ..Patience::default()
    };
    let path = directory.path().join("mirror.git");
    Some(Both {
        server,
        mirrored: Mirrored::new(Arc::new(github), path, true, patience),
        _directory: directory,
    })
}

slipway_snapshots::git_store_contract!(both);

#[tokio::test]
async fn snapshots_taken_while_github_is_away_are_brought_with_their_hashes() {
    let Some(both) = both().await else { return };
    both.commit(&files(&[("a", "1")])).await;
    both.server
        .plan(When::next().times(1_000), Fault::DropBefore);
    let second = both.commit(&files(&[("a", "2")])).await;
    let third = both.commit(&files(&[("a", "3"), ("b/c", "ü")])).await;
    let read = both.mirrored.read(&second).await.expect("read");
    assert_eq!(read, Some(files(&[("a", "2")])));
    both.server.clear_faults();
    assert_eq!(both.mirrored.publish().await.expect("brought"), 2);
    let branch = ["rev-parse", "refs/heads/env/production"];
    assert_eq!(both.server.git(&branch).await, third.as_str());
    both.server.git(&["fsck", "--strict", "--full"]).await;
    assert!(!both.mirrored.is_ahead(&production()).await);
}

#[tokio::test]
async fn what_somebody_else_committed_is_kept_under_its_hash_and_read_once() {
    let Some(both) = both().await else { return };
    both.commit(&files(&[("a", "1")])).await;
    // In another time zone, with a line break at the end of the message.
    let theirs = both
        .server
        .somebody_commits("env/production", "b", "theirs")
        .await;
    let theirs: CommitSha = theirs.parse().expect("a hash");
    let expected = files(&[("a", "1"), ("b", "theirs")]);
    for _ in 0..2 {
        let read = both.mirrored.read(&theirs).await.expect("read");
        assert_eq!(read.as_ref(), Some(&expected));
    }
    let recorded = both.server.recorded();
    assert_eq!(count(&recorded, "GET", "/git/blobs/"), 2);
    both.server
        .plan(When::next().times(1_000), Fault::DropBefore);
    let read = both.mirrored.read(&theirs).await.expect("read");
    assert_eq!(read, Some(expected));
}

/// A refusal is told, and no reason to go on without GitHub.
#[tokio::test]
async fn a_revoked_token_is_told() {
    let Some(both) = both().await else { return };
    let first = both.commit(&files(&[("a", "1")])).await;
    both.server.revoke_all();
    let head = both.mirrored.head(&production()).await;
    assert!(
        matches!(
            head,
            Err(slipway_snapshots::GitError::Unauthenticated { .. })
        ),
        "{head:?}"
    );
    let read = both.mirrored.read(&first).await.expect("read");
    assert_eq!(read, Some(files(&[("a", "1")])));
}
