//! How long a commit of 1,000 documents takes of which 10 have changed, beside `git add -A && git commit` after all 1,000
//! were written to its work tree: by turns, in one run, with everything durable in both.
//!
//! ```text
//! cargo run --release -p slipway-git --example against_git [ROUNDS [DIRECTORY]]
//! ```

#![expect(
    clippy::expect_used,
    reason = "a measurement that fails ends with a failure"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use slipway_git::LocalRepository;
use slipway_kernel::{Slug, Timestamp};
use slipway_snapshots::{CommitSha, Committed, Files, GitStore, NewCommit};

const DOCUMENTS: usize = 1_000;
const CHANGED: usize = 10;

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let rounds = arguments
        .next()
        .map_or(30, |n| n.parse().expect("a number of rounds"));
    let above = arguments
        .next()
        .map_or_else(std::env::temp_dir, PathBuf::from);
    let directory = tempfile::tempdir_in(above).expect("a directory");
    let work = directory.path().join("work");
    fs::create_dir_all(work.join("workflows")).expect("made");
    git(&work, &["init", "-q"]);
    let path = directory.path().join("slipway.git");
    let store = LocalRepository::open_or_create(path).expect("a repository");

    let mut files: Files = (0..DOCUMENTS)
        .map(|n| (path_of(n), document(n, 0)))
        .collect();
    let (first, mut parent) = ours(&store, None, &files, 0).await;
    let first_of_git = gits(&work, &files);
    let (mut our_times, mut git_times, mut all_new) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=rounds {
        for n in 0..CHANGED {
            let n = (round * CHANGED + n * 97) % DOCUMENTS;
            files.insert(path_of(n), document(n, round));
        }
        let (ours, sha) = ours(&store, Some(&parent), &files, round).await;
        parent = sha;
        our_times.push(ours);
        git_times.push(gits(&work, &files));
    }
    for round in rounds + 1..=rounds + 5 {
        files = (0..DOCUMENTS)
            .map(|n| (path_of(n), document(n, round)))
            .collect();
        let (took, sha) = ours(&store, Some(&parent), &files, round).await;
        parent = sha;
        all_new.push(took);
    }
    let bytes: usize = files.values().map(Bytes::len).sum();
    println!(
        "{DOCUMENTS} documents, {bytes} bytes, {rounds} rounds; core.fsync=committed,loose-object,reference"
    );
    println!("first commit, all new:   Slipway {first:?}, Git {first_of_git:?}");
    println!("all changed, Slipway:    {}", spread(&mut all_new));
    println!("{CHANGED} changed, Slipway:     {}", spread(&mut our_times));
    println!("{CHANGED} changed, Git:         {}", spread(&mut git_times));
    let ratio = median(&our_times).as_secs_f64() / median(&git_times).as_secs_f64();
    println!("ratio of the medians:    {ratio:.2} (target: 1 at most)");
}

fn path_of(n: usize) -> String {
    format!("workflows/w{n:04}.json")
}

/// About 10 KB, like a workflow of some twenty nodes.
fn document(n: usize, round: usize) -> Bytes {
    let nodes: Vec<String> = (0..20)
        .map(|node| {
            let id = n * 7_919 + node * 104_729 + round;
            format!(
                "    {{\n      \"id\": \"{id:032x}\",\n      \"name\": \"Step {node} of {n}\",\n      \"parameters\": {{\n        \"url\": \"https://example.com/{id}\",\n        \"text\": \"{}\"\n      }},\n      \"position\": [{id}, {node}],\n      \"type\": \"n8n-nodes-base.httpRequest\"\n    }}",
                format!("{id:x} ").repeat(40)
            )
        })
        .collect();
    format!(
        "{{\n  \"name\": \"Workflow {n}\",\n  \"nodes\": [\n{}\n  ]\n}}\n",
        nodes.join(",\n")
    )
    .into()
}

async fn ours(
    store: &LocalRepository,
    parent: Option<&CommitSha>,
    files: &Files,
    round: usize,
) -> (Duration, CommitSha) {
    let environment: Slug = "dev".parse().expect("a slug");
    let seconds = 1_750_000_000 + i64::try_from(round).expect("a number");
    let commit = NewCommit {
        environment: &environment,
        parent,
        files,
        message: "Back up dev",
        author: ("Ada Lovelace", "ada@example.com"),
        at: Timestamp::from_micros(seconds * 1_000_000).expect("a time"),
    };
    let began = Instant::now();
    let committed = store.commit(&commit).await.expect("committed");
    let took = began.elapsed();
    let sha = match committed {
        Committed::New(sha) | Committed::Unchanged(sha) => sha,
    };
    (took, sha)
}

/// Writing the files is not measured.
fn gits(work: &Path, files: &Files) -> Duration {
    for (path, content) in files {
        fs::write(work.join(path), content).expect("written");
    }
    let began = Instant::now();
    git(work, &["add", "-A"]);
    git(work, &["commit", "-q", "-m", "Back up dev"]);
    began.elapsed()
}

fn git(work: &Path, arguments: &[&str]) {
    let status = Command::new("git")
        .current_dir(work)
        .args([
            "-c",
            "core.fsync=committed,loose-object,reference",
            "-c",
            "gc.auto=0",
        ])
        .args([
            "-c",
            "user.name=Ada Lovelace",
            "-c",
            "user.email=ada@example.com",
        ])
        .args(arguments)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .stdout(Stdio::null())
        .status()
        .expect("git runs");
    assert!(status.success(), "git {arguments:?}");
}

fn median(times: &[Duration]) -> Duration {
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn spread(times: &mut [Duration]) -> String {
    times.sort();
    let (first, last) = (times.first(), times.last());
    format!(
        "median {:?}, from {:?} to {:?}",
        median(times),
        first.copied().unwrap_or_default(),
        last.copied().unwrap_or_default()
    )
}
