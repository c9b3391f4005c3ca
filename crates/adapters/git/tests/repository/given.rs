//! What the tests start from.

use std::path::{Path, PathBuf};
use std::process::Command;

use bytes::Bytes;
use slipway_git::LocalRepository;
use slipway_snapshots::contract::{by_ada, commit, environment};
use slipway_snapshots::{CommitSha, Files, GitStore};
use tempfile::TempDir;

/// A repository of its own.
pub(crate) struct Given {
    pub(crate) repository: LocalRepository,
    pub(crate) directory: TempDir,
}

impl Given {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("snapshots.git");
        let repository = LocalRepository::open_or_create(path).expect("a repository");
        Self {
            repository,
            directory,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.repository.path()
    }

    /// Commits to `dev`, on top of what is there.
    pub(crate) async fn commit(&self, files: &Files, second: i64) -> CommitSha {
        let dev = environment("dev");
        let parent = self.repository.head(&dev).await.expect("read");
        commit(
            &self.repository,
            &by_ada(&dev, parent.as_ref(), files, second),
        )
        .await
    }

    /// What Git says in the repository, without the line end.
    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        git(self.path(), arguments)
    }

    /// Every object is whole and well formed, every reference leads to one.
    pub(crate) fn fsck(&self) {
        let told = self.git(&["fsck", "--strict", "--full"]);
        let bad: Vec<_> = told
            .lines()
            .filter(|line| !line.starts_with("dangling"))
            .collect();
        assert!(bad.is_empty(), "{bad:?}");
    }

    pub(crate) fn object(&self, id: &str) -> PathBuf {
        self.path().join("objects").join(&id[..2]).join(&id[2..])
    }

    /// The files of objects that are kept one by one.
    pub(crate) fn single_objects(&self) -> usize {
        let told = self.git(&["count-objects"]);
        let count = told.split_once(' ').expect("a count").0;
        count.parse().expect("a number")
    }
}

/// Whether there is a Git; a line that says there is none.
pub(crate) fn git_is_there() -> bool {
    let there = Command::new("git").arg("--version").output().is_ok();
    if !there {
        slipway_test_support::skip("no git");
    }
    there
}

/// What Git says there, without the line end. It must succeed.
pub(crate) fn git(path: &Path, arguments: &[&str]) -> String {
    let (succeeded, told) = try_git(path, arguments);
    assert!(succeeded, "git {arguments:?}: {told}");
    told
}

/// Whether Git succeeded, and what it said.
pub(crate) fn try_git(path: &Path, arguments: &[&str]) -> (bool, String) {
    let output = Command::new("git")
        .current_dir(path)
        .args(arguments)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .envs([
            ("GIT_AUTHOR_NAME", "Ada Lovelace"),
            ("GIT_AUTHOR_EMAIL", "ada@example.com"),
            ("GIT_AUTHOR_DATE", "1750000000 +0000"),
            ("GIT_COMMITTER_NAME", "Ada Lovelace"),
            ("GIT_COMMITTER_EMAIL", "ada@example.com"),
            ("GIT_COMMITTER_DATE", "1750000000 +0000"),
        ])
        .output()
        .expect("git runs");
    let mut told = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        told += &String::from_utf8_lossy(&output.stderr);
    }
    (output.status.success(), told.trim_end().to_owned())
}

/// So many workflows, with a word in each.
pub(crate) fn workflows(count: usize, word: &str) -> Files {
    (0..count)
        .map(|n| {
            let content =
                format!("{{\n  \"name\": \"Workflow {n}\",\n  \"word\": \"{word}\"\n}}\n");
            (format!("workflows/w{n:04}.json"), Bytes::from(content))
        })
        .collect()
}
