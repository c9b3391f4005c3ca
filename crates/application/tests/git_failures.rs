//! Snapshots where the Git store is away, full, or refuses: before a deployment, after it, and by hand.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "what fails here fails the test"
)]

mod support;

use std::error::Error;
use std::fs;
use std::sync::Arc;

use slipway_application::outside::Repositories;
use slipway_application::snapshots::{ListSnapshots, SnapshotError, TakeError, list_snapshots};
use slipway_deployments::{Deployment, ItemStatus, State};
use slipway_kernel::PageSize;
use slipway_snapshots::{GitError, GitStore};
use support::failing_git::{FailingGit, Fault, Same, mirrored};
use support::outside::{Bare, Folders};
use support::promotion::{World, as_source, callee, caller};
use support::{by, slug};

/// How a store fails, and what is told of it.
const FAULTS: [(Fault, &str, &str); 4] = [
    (unreachable, "connection refused", "try again"),
    (revoked, "Bad credentials", "renew them"),
    (full, "No space left on device", "make room"),
    (missing, "slipway-default", "create it"),
];

fn unreachable() -> GitError {
    GitError::Unavailable {
        problem: "GET /repos/acme/slipway-default: connection refused".to_owned(),
    }
}

fn revoked() -> GitError {
    GitError::Unauthenticated {
        message: "GET /repos/acme/slipway-default answered 401: Bad credentials".to_owned(),
    }
}

fn full() -> GitError {
    GitError::Unavailable {
        problem: "can't write objects/pack/x: No space left on device".to_owned(),
    }
}

fn missing() -> GitError {
    GitError::NoRepository {
        location: "https://git.example/acme/slipway-default".to_owned(),
    }
}

/// A world on a store that can fail, with two workflows to promote.
async fn failing() -> (World, Arc<FailingGit>) {
    let mut made = None;
    let world = World::on(as_source(), Folders::default(), |directory| {
        let git = FailingGit::new(directory);
        made = Some(Arc::clone(&git));
        Arc::new(Same(git))
    })
    .await;
    world.write("dev", "mail.json", &callee());
    world.write("dev", "orders.json", &caller("mail"));
    (world, made.expect("made"))
}

fn in_prod(world: &World) -> usize {
    let files = fs::read_dir(world.folder("prod")).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    names.filter(|name| !name.starts_with('.')).count()
}

async fn snapshots(world: &World) -> usize {
    let listed = list_snapshots(
        &world.context,
        &by(&world.admin),
        &slug("default"),
        ListSnapshots::default(),
        None,
        PageSize::MAX,
    )
    .await;
    listed.expect("listed").items.len()
}

/// It failed before anything was touched, and says so, with the store's words and what to do.
fn assert_untouched(world: &World, failed: &Deployment, told: &[&str]) {
    assert_eq!(failed.state, State::Failed, "{failed:#?}");
    let problem = failed.problem.as_ref().expect("told");
    assert_eq!(problem.reason, "PRE_SNAPSHOT_FAILED");
    for part in told.iter().chain(&["nothing was touched"]) {
        assert!(problem.message.contains(part), "{part}: {problem:?}");
    }
    let skipped = |item: &slipway_deployments::Item| item.status == ItemStatus::Skipped;
    assert!(failed.items.iter().all(skipped), "{failed:#?}");
    assert_eq!(
        (&failed.pre_snapshot, &failed.post_snapshot),
        (&None, &None)
    );
    assert_eq!(in_prod(world), 0);
}

#[tokio::test]
async fn nothing_is_touched_where_the_snapshot_before_fails() {
    for (fault, words, advice) in FAULTS {
        let (world, git) = failing().await;
        git.fail_after(0, fault);
        let failed = world.promote().await;
        assert_untouched(&world, &failed, &[words, advice]);
        assert_eq!(snapshots(&world).await, 0);
        git.mend();
        let done = world.promote().await;
        assert_eq!(done.state, State::Succeeded, "{done:#?}");
        assert_eq!(in_prod(&world), 2);
    }
}

#[tokio::test]
async fn a_missing_snapshot_afterwards_is_told_and_undoes_nothing() {
    for (fault, words, advice) in FAULTS {
        let (world, git) = failing().await;
        git.fail_after(1, fault);
        let done = world.promote().await;
        assert_eq!(done.state, State::Succeeded, "{done:#?}");
        let problem = done.problem.as_ref().expect("flagged");
        assert_eq!(problem.reason, "POST_SNAPSHOT_MISSING");
        for part in [words, advice] {
            assert!(problem.message.contains(part), "{part}: {problem:?}");
        }
        assert_eq!(done.post_snapshot, None);
        assert_eq!(in_prod(&world), 2);
        assert_eq!(snapshots(&world).await, 1);
        // The one before is a way back.
        git.mend();
        let restored = world.restore(done.pre_snapshot.expect("taken")).await;
        assert_eq!(restored.state, State::Succeeded, "{restored:#?}");
        assert_eq!(in_prod(&world), 0);
    }
}

#[tokio::test]
async fn a_snapshot_by_hand_is_refused_and_not_listed() {
    for (fault, words, advice) in FAULTS {
        let (world, git) = failing().await;
        git.fail_after(0, fault);
        match world.try_backup("dev").await {
            Err(SnapshotError::Take(error @ TakeError::Git(_))) => {
                let source = error.source().expect("why").to_string();
                for part in [words, advice] {
                    assert!(source.contains(part), "{part}: {source}");
                }
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(snapshots(&world).await, 0);
        git.mend();
        world.backup("dev").await;
    }
}

/// Without a mirror there is nothing to read: the restore fails before it touches anything.
#[tokio::test]
async fn what_can_not_be_read_is_not_restored() {
    for (fault, words, advice) in FAULTS {
        let (world, git) = failing().await;
        let done = world.promote().await;
        git.fail_after(0, fault);
        let failed = world.restore(done.pre_snapshot.expect("taken")).await;
        assert_eq!(failed.state, State::Failed, "{failed:#?}");
        let problem = failed.problem.as_ref().expect("told");
        assert_eq!(problem.reason, "SNAPSHOT_UNREADABLE");
        for part in [words, advice] {
            assert!(problem.message.contains(part), "{part}: {problem:?}");
        }
        assert_eq!(in_prod(&world), 2);
    }
}

/// The local store where its folder is none.
#[tokio::test]
async fn a_folder_that_can_not_be_written_is_named() {
    let world = World::on(as_source(), Folders::default(), |directory| {
        let path = directory.join("git");
        fs::write(&path, "in the way").unwrap();
        Arc::new(Bare(path))
    })
    .await;
    world.write("dev", "mail.json", &callee());
    let path = world.directory.path().join("git");
    let shown = path.display().to_string();
    let failed = world.promote().await;
    assert_untouched(&world, &failed, &[&shown, "try again"]);
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    let done = world.promote().await;
    assert_eq!(done.state, State::Succeeded, "{done:#?}");
}

/// With a mirror a promotion and its way back do without the store, and say that they did.
#[tokio::test]
async fn a_mirror_takes_and_restores_snapshots_while_the_store_is_away() {
    let mut made = None;
    let world = World::on(as_source(), Folders::default(), |directory| {
        let git = FailingGit::new(directory);
        let store = mirrored(&git, directory);
        made = Some((git, Arc::clone(&store)));
        Arc::new(Same(store)) as Arc<dyn Repositories>
    })
    .await;
    let (git, store) = made.expect("made");
    world.write("dev", "mail.json", &callee());
    let first = world.promote().await;
    assert_eq!((first.state, &first.problem), (State::Succeeded, &None));
    git.fail_after(0, unreachable);
    world.write("dev", "orders.json", &caller("mail"));
    let second = world.promote().await;
    let restored = world.restore(first.pre_snapshot.expect("taken")).await;
    assert_eq!(in_prod(&world), 0);
    for deployment in [&second, &restored] {
        assert_eq!(deployment.state, State::Succeeded, "{deployment:#?}");
        let problem = deployment.problem.as_ref().expect("flagged");
        assert_eq!(problem.reason, "SNAPSHOTS_NOT_PUBLISHED");
        assert!(problem.message.contains("git.example"), "{problem:?}");
    }
    // Back again, everything is brought, and a snapshot of then is where people look for it.
    git.mend();
    assert_eq!(store.publish().await.expect("brought"), 2);
    let heads = (
        git.repository().head(&slug("prod")).await.unwrap(),
        store.head(&slug("prod")).await.unwrap(),
    );
    assert!(heads.0.is_some() && heads.0 == heads.1, "{heads:?}");
    let again = world.restore(second.post_snapshot.expect("taken")).await;
    assert_eq!((again.state, &again.problem), (State::Succeeded, &None));
    assert_eq!(in_prod(&world), 2);
    // Bad credentials are told, whatever the mirror could do.
    git.fail_after(0, revoked);
    let failed = world.restore(first.pre_snapshot.expect("taken")).await;
    assert_eq!(failed.state, State::Failed, "{failed:#?}");
    let problem = failed.problem.expect("told");
    assert_eq!(problem.reason, "PRE_SNAPSHOT_FAILED");
    assert_eq!(in_prod(&world), 2);
}
