//! The commit of a snapshot to the local Git store, beside Git itself in a work tree.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use bytes::Bytes;
use serde_json::json;
use slipway_git::LocalRepository;
use slipway_kernel::{Slug, Timestamp};
use slipway_snapshots::{CommitSha, Committed, Files, GitStore, NewCommit};

use super::Bench;
use crate::Failure;
use crate::report::{Better, Metric};
use crate::stats::Spread;

const DOCUMENTS: usize = 1_000;
const CHANGED: usize = 10;
/// A commit is short: this many for each round of the others.
const COMMITS_PER_ROUND: usize = 6;
/// What Git syncs: what the store syncs.
const FSYNC: &str = "core.fsync=committed,loose-object,reference";

pub(super) async fn measure(bench: &mut Bench<'_>) -> Result<(), Failure> {
    let directory = match &bench.options.directory {
        Some(above) => tempfile::tempdir_in(above)?,
        None => tempfile::tempdir()?,
    };
    let work = directory.path().join("work");
    fs::create_dir_all(work.join("workflows"))?;
    git(&work, &["init", "-q"])?;
    let store = LocalRepository::open_or_create(directory.path().join("slipway.git"))?;
    let mut files: Files = (0..DOCUMENTS)
        .map(|n| (path_of(n), document(n, 0)))
        .collect();
    let (_, mut parent) = ours(&store, None, &files, 0).await?;
    gits(&work, &files)?;
    let (mut ratios, mut our_times, mut git_times) = (vec![], vec![], vec![]);
    for round in 1..=bench.options.rounds * COMMITS_PER_ROUND {
        for n in 0..CHANGED {
            let n = (round * CHANGED + n * 97) % DOCUMENTS;
            files.insert(path_of(n), document(n, round));
        }
        let (ours, sha) = ours(&store, Some(&parent), &files, round).await?;
        let gits = gits(&work, &files)?;
        parent = sha;
        ratios.push(ours / gits);
        our_times.push(ours * 1e3);
        git_times.push(gits * 1e3);
    }
    let bytes: usize = files.values().map(Bytes::len).sum();
    bench.report.add(
        Metric::new("commit", "10 of 1,000 changed", &ratios, Some(1.0), Better::Lower).with_all(json!({
            "store_milliseconds": Spread::of(&our_times).json(),
            "git_milliseconds": Spread::of(&git_times).json(),
            "documents": DOCUMENTS,
            "changed": CHANGED,
            "bytes": bytes,
            "store": "the commit of 1,000 documents given as bytes to the local Git store",
            "git": "`git add -A` and `git commit`, after all 1,000 files were written anew, which is not measured",
            "durability": format!("{FSYNC} on both sides"),
        })),
    );
    Ok(())
}

fn path_of(n: usize) -> String {
    format!("workflows/w{n:04}.json")
}

/// About 10 KB, like a workflow of some twenty nodes.
fn document(n: usize, round: usize) -> Bytes {
    let nodes: Vec<_> = (0..20)
        .map(|node| {
            let id = n * 7_919 + node * 104_729 + round;
            json!({
                "id": format!("{id:032x}"),
                "name": format!("Step {node} of {n}"),
                "parameters": {"url": format!("https://example.com/{id}"), "text": format!("{id:x} ").repeat(40)},
                "position": [id, node],
                "type": "n8n-nodes-base.httpRequest",
            })
        })
        .collect();
    let document = json!({"name": format!("Workflow {n}"), "nodes": nodes});
    format!("{document:#}\n").into()
}

/// Seconds, and the commit.
async fn ours(
    store: &LocalRepository,
    parent: Option<&CommitSha>,
    files: &Files,
    round: usize,
) -> Result<(f64, CommitSha), Failure> {
    let environment: Slug = "dev".parse()?;
    let seconds = 1_750_000_000 + i64::try_from(round)?;
    let commit = NewCommit {
        environment: &environment,
        parent,
        files,
        message: "Back up dev",
        author: ("Ada Lovelace", "ada@example.com"),
        at: Timestamp::from_micros(seconds * 1_000_000)?,
    };
    let began = Instant::now();
    let committed = store.commit(&commit).await?;
    let took = began.elapsed().as_secs_f64();
    match committed {
        Committed::New(sha) => Ok((took, sha)),
        Committed::Unchanged(sha) => Err(format!("nothing was committed after {sha}").into()),
    }
}

/// Seconds. Writing the files is not measured.
fn gits(work: &Path, files: &Files) -> Result<f64, Failure> {
    for (path, content) in files {
        fs::write(work.join(path), content)?;
    }
    let began = Instant::now();
    git(work, &["add", "-A"])?;
    git(work, &["commit", "-q", "-m", "Back up dev"])?;
    Ok(began.elapsed().as_secs_f64())
}

fn git(work: &Path, arguments: &[&str]) -> Result<(), Failure> {
    let settings = [
        "gc.auto=0",
        "user.name=Ada Lovelace",
        "user.email=ada@example.com",
        FSYNC,
    ];
    let status = Command::new("git")
        .current_dir(work)
        .args(settings.iter().flat_map(|setting| ["-c", setting]))
        .args(arguments)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .stdout(Stdio::null())
        .status()
        .map_err(|error| format!("git can't be run, is it installed? {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("git {arguments:?} ended with {status}").into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_differ_by_number_and_round() {
        assert_ne!(document(1, 0), document(2, 0));
        assert_ne!(document(1, 0), document(1, 1));
        assert_eq!(document(1, 1), document(1, 1));
        let size = document(999, 30).len();
        assert!((5_000..20_000).contains(&size), "{size}");
    }
}
