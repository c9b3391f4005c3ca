//! Processes that are killed while they commit.

use std::io::Read as _;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use slipway_git::LocalRepository;
use slipway_snapshots::contract::{by_ada, environment};
use slipway_snapshots::{Committed, GitError, GitStore};

use crate::given::{Given, git_is_there, workflows};

const REPOSITORY: &str = "SLIPWAY_TEST_REPOSITORY";

fn scale() -> u64 {
    let scale = std::env::var("SLIPWAY_TEST_SCALE").ok();
    scale.and_then(|scale| scale.parse().ok()).unwrap_or(1)
}

/// Two processes commit to one branch until both are killed, again and again: what they were told is there, and nothing
/// stands in the way of the next.
#[tokio::test]
async fn nothing_acknowledged_is_lost_and_nothing_blocks() {
    if !git_is_there() {
        return;
    }
    let given = Given::new();
    let mut acknowledged = Vec::new();
    for round in 0..10 * scale() {
        let start = || {
            Command::new(std::env::current_exe().expect("this test"))
                .args(["--exact", "killed::commits_until_killed", "--nocapture"])
                .env(REPOSITORY, given.path())
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .expect("started")
        };
        let mut children = [start(), start()];
        thread::sleep(Duration::from_millis(150 + round * 37 % 200));
        for child in &mut children {
            child.kill().expect("killed");
        }
        for mut child in children {
            let mut told = String::new();
            child
                .stdout
                .take()
                .expect("its output")
                .read_to_string(&mut told)
                .expect("text");
            child.wait().expect("gone");
            acknowledged.extend(
                told.lines()
                    .filter_map(|line| line.strip_prefix("committed ").map(str::to_owned)),
            );
        }
        given
            .commit(&workflows(2, &format!("after round {round}")), 0)
            .await;
    }
    let history = given.git(&["rev-list", "refs/heads/env/dev"]);
    assert!(acknowledged.len() > 10, "{}", acknowledged.len());
    for sha in &acknowledged {
        // The last line may have been cut off.
        assert!(sha.len() < 40 || history.contains(sha), "{sha} was lost");
    }
    given.fsck();
    println!("{} commits were acknowledged", acknowledged.len());
}

/// The child's part; by itself it does nothing.
#[tokio::test]
async fn commits_until_killed() {
    let Ok(path) = std::env::var(REPOSITORY) else {
        return;
    };
    let repository = LocalRepository::open_or_create(path.into()).expect("a repository");
    let dev = environment("dev");
    for n in 0..100_000 {
        let parent = repository.head(&dev).await.expect("read");
        // Now a few objects, now a pack.
        let count = if n % 3 == 0 { 80 } else { 3 };
        let files = workflows(count, &format!("{} {n}", std::process::id()));
        match repository
            .commit(&by_ada(&dev, parent.as_ref(), &files, n))
            .await
        {
            Ok(Committed::New(sha)) => println!("committed {sha}"),
            Ok(Committed::Unchanged(_)) | Err(GitError::Moved { .. }) => {}
            Err(other) => panic!("{other}"),
        }
    }
}
