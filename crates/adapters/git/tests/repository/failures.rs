//! Disks that are full, folders that can't be written, locks that are held.

use std::fs;
use std::process::Command;

use bytes::Bytes;
use slipway_git::LocalRepository;
use slipway_snapshots::contract::{by_ada, environment, files};
use slipway_snapshots::{Committed, Files, GitError, GitStore};

use crate::given::{Given, git_is_there, workflows};

const FULL: &str = "SLIPWAY_TEST_FULL_DISK";

fn unavailable(answer: Result<Committed, GitError>) -> String {
    match answer {
        Err(GitError::Unavailable { problem }) => problem,
        other => panic!("not told: {other:?}"),
    }
}

#[tokio::test]
async fn a_folder_that_can_not_be_written_is_named() {
    let given = Given::new();
    let dev = environment("dev");
    let first = given.commit(&workflows(1, "x"), 0).await;
    let pack = given.path().join("objects/pack");
    fs::remove_dir_all(&pack).expect("removed");
    fs::write(&pack, b"").expect("in its place");
    let many = workflows(100, "y");
    let problem = unavailable(
        given
            .repository
            .commit(&by_ada(&dev, Some(&first), &many, 1))
            .await,
    );
    assert!(problem.contains("objects/pack"), "{problem}");
    fs::remove_file(&pack).expect("removed");
    fs::create_dir(&pack).expect("restored");
    assert_eq!(
        given.repository.head(&dev).await.expect("read"),
        Some(first)
    );
}

#[tokio::test]
async fn a_repository_that_went_away_is_named() {
    let given = Given::new();
    fs::remove_dir_all(given.path()).expect("removed");
    match given.repository.head(&environment("dev")).await {
        Err(GitError::NoRepository { location }) => {
            assert_eq!(location, given.path().display().to_string());
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_no_repository_is_not_made_one() {
    let directory = tempfile::tempdir().expect("a directory");
    fs::write(directory.path().join("letter.txt"), b"Dear Ada").expect("written");
    let answer = LocalRepository::open_or_create(directory.path().to_owned());
    assert!(
        matches!(&answer, Err(GitError::Refused { message }) if message.contains("`letter.txt`")),
        "{answer:?}"
    );
    assert_eq!(fs::read_dir(directory.path()).expect("read").count(), 1);
    let answer = LocalRepository::open_or_create(directory.path().join("letter.txt/below"));
    assert!(
        matches!(answer, Err(GitError::Unavailable { .. })),
        "{answer:?}"
    );
}

/// Broken off after each step.
#[test]
fn what_was_half_made_is_made_whole() {
    let steps = [
        "objects/info",
        "objects/pack",
        "refs/heads/env",
        "refs/tags",
    ];
    for count in 0..=steps.len() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("new.git");
        for step in &steps[..count] {
            fs::create_dir_all(path.join(step)).expect("made");
        }
        if count == steps.len() {
            fs::write(path.join("config.slipway-new"), b"[co").expect("written");
        }
        LocalRepository::open_or_create(path.clone()).expect("made");
        LocalRepository::open_or_create(path).expect("there");
    }
}

/// Somebody else's lock is not taken away, and the file is named.
#[tokio::test]
async fn a_lock_that_somebody_holds_is_respected() {
    let given = Given::new();
    let dev = environment("dev");
    let first = given.commit(&workflows(1, "x"), 0).await;
    let lock = given.path().join("refs/heads/env/dev.lock");
    fs::write(&lock, b"").expect("locked");
    let files = workflows(1, "y");
    let commit = by_ada(&dev, Some(&first), &files, 1);
    let problem = unavailable(given.repository.commit(&commit).await);
    assert!(problem.contains("refs/heads/env/dev"), "{problem}");
    assert!(lock.exists());
    // What is left of a commit of ours that failed then must not make it look like ours.
    let problem = unavailable(given.repository.commit(&commit).await);
    assert!(problem.contains("refs/heads/env/dev"), "{problem}");
    assert!(lock.exists());
    fs::remove_file(&lock).expect("released");
    given.commit(&files, 1).await;
}

/// Ours, of a process that is gone, is.
#[tokio::test]
async fn a_lock_that_was_left_behind_is_cleared() {
    let given = Given::new();
    given.commit(&workflows(1, "x"), 0).await;
    let noted = format!("{}\n", "1".repeat(40));
    for held in ["", &noted] {
        fs::write(given.path().join("slipway/env/dev"), &noted).expect("noted");
        fs::write(given.path().join("refs/heads/env/dev.lock"), held).expect("locked");
        given.commit(&workflows(1, &format!("{held} y")), 1).await;
    }
}

/// No file may grow beyond some blocks, which is how a full disk looks: the child does the work, this one looks after.
#[tokio::test]
async fn a_full_disk_is_told_and_nothing_is_committed() {
    if !git_is_there() {
        return;
    }
    let given = Given::new();
    let first = given.commit(&workflows(1, "x"), 0).await;
    for case in ["one", "many"] {
        let child = Command::new("sh")
            .args(["-c", "trap '' XFSZ; ulimit -f 64; exec \"$0\" --exact failures::on_a_full_disk --nocapture"])
            .arg(std::env::current_exe().expect("this test"))
            .env(FULL, format!("{case} {}", given.path().display()))
            .output()
            .expect("run");
        let told = String::from_utf8_lossy(&child.stdout).into_owned();
        assert!(
            child.status.success(),
            "{told}{}",
            String::from_utf8_lossy(&child.stderr)
        );
        assert!(told.contains(&format!("told {case}: ")), "{told}");
    }
    assert_eq!(
        given
            .repository
            .head(&environment("dev"))
            .await
            .expect("read"),
        Some(first)
    );
    given.fsck();
    let left = fs::read_dir(given.path().join("objects")).expect("read");
    let names: Vec<_> = left
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    assert!(
        names
            .iter()
            .all(|name| !name.to_string_lossy().starts_with("tmp")),
        "{names:?}"
    );
}

/// The child's part; by itself it does nothing.
#[tokio::test]
async fn on_a_full_disk() {
    let Ok(asked) = std::env::var(FULL) else {
        return;
    };
    let (case, path) = asked.split_once(' ').expect("two words");
    let repository = LocalRepository::open_or_create(path.into()).expect("a repository");
    // What does not compress, or the limit would not be met.
    let mut state = 1_u32;
    let mut noise = |bytes: usize| -> Bytes {
        (0..bytes)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                state.to_be_bytes()[0]
            })
            .collect()
    };
    let files: Files = match case {
        "one" => Files::from([("large".to_owned(), noise(1_000_000))]),
        _ => (0..100).map(|n| (format!("f{n}"), noise(10_000))).collect(),
    };
    let dev = environment("dev");
    let parent = repository.head(&dev).await.expect("read");
    let problem = unavailable(
        repository
            .commit(&by_ada(&dev, parent.as_ref(), &files, 1))
            .await,
    );
    println!("told {case}: {problem}");
}

#[tokio::test]
async fn what_is_too_large_is_refused() {
    let given = Given::new();
    let dev = environment("dev");
    let large = Files::from([("large".to_owned(), Bytes::from(vec![0; 100_000_001]))]);
    let many: Files = (0..=100_000)
        .map(|n| (n.to_string(), Bytes::new()))
        .collect();
    for (files, told) in [(&large, "100000001 bytes"), (&many, "100001 files")] {
        match given.repository.commit(&by_ada(&dev, None, files, 0)).await {
            Err(GitError::Refused { message }) => assert!(message.contains(told), "{message}"),
            other => panic!("{other:?}"),
        }
    }
    let all: Files = (0..100_000)
        .map(|n| (format!("{}/{n}", n % 100), Bytes::new()))
        .collect();
    let sha = given.commit(&all, 0).await;
    assert_eq!(given.repository.read(&sha).await.expect("read"), Some(all));
    assert_eq!(files(&[]).len(), 0);
}
