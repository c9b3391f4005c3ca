//! An upstream that can go away, and mirrors of it.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use slipway_git::{LocalRepository, Mirrored, Patience};
use slipway_kernel::Slug;
use slipway_snapshots::contract::{by_ada, commit, environment};
use slipway_snapshots::{
    CommitSha, Committed, FileChange, Files, GitError, GitStore, NewCommit, Upstream,
};
use tempfile::TempDir;

/// A repository that answers while it is not away. Before a commit's answer it may go away: the commit is made, and
/// nobody learns of it.
pub(crate) struct Distant {
    repository: LocalRepository,
    away: AtomicBool,
    goes_after_commit: AtomicBool,
}

impl Distant {
    fn reach(&self) -> Result<&LocalRepository, GitError> {
        if self.away.load(Ordering::Relaxed) {
            let problem = "nobody answers".to_owned();
            return Err(GitError::Unavailable { problem });
        }
        Ok(&self.repository)
    }
}

#[async_trait]
impl GitStore for Distant {
    fn location(&self) -> String {
        "https://git.example/acme/snapshots".to_owned()
    }

    async fn head(&self, environment: &Slug) -> Result<Option<CommitSha>, GitError> {
        self.reach()?.head(environment).await
    }

    async fn commit(&self, commit: &NewCommit<'_>) -> Result<Committed, GitError> {
        let committed = self.reach()?.commit(commit).await;
        if self.goes_after_commit.swap(false, Ordering::Relaxed) {
            self.away.store(true, Ordering::Relaxed);
            self.reach()?;
        }
        committed
    }

    async fn read(&self, commit: &CommitSha) -> Result<Option<Files>, GitError> {
        self.reach()?.read(commit).await
    }

    async fn read_file(&self, commit: &CommitSha, path: &str) -> Result<Option<Bytes>, GitError> {
        self.reach()?.read_file(commit, path).await
    }

    async fn compare(
        &self,
        earlier: &CommitSha,
        later: &CommitSha,
    ) -> Result<Option<Vec<FileChange>>, GitError> {
        self.reach()?.compare(earlier, later).await
    }
}

#[async_trait]
impl Upstream for Distant {
    async fn commit_object(&self, commit: &CommitSha) -> Result<Option<Bytes>, GitError> {
        self.reach()?.commit_object(commit).await
    }
}

/// An upstream, and a mirror of it that may run ahead.
pub(crate) struct World {
    pub(crate) upstream: Arc<Distant>,
    pub(crate) store: Mirrored,
    directory: TempDir,
}

/// Away means away: nothing is assumed of a moment ago.
const IMPATIENT: Patience = Patience {
    look: Duration::from_secs(20),
    commit: Duration::from_secs(20),
    away: Duration::ZERO,
};

impl World {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("upstream.git");
        let upstream = Arc::new(Distant {
            repository: LocalRepository::open_or_create(path).expect("a repository"),
            away: AtomicBool::new(false),
            goes_after_commit: AtomicBool::new(false),
        });
        let path = directory.path().join("mirror.git");
        let store = Mirrored::new(upstream.clone(), path, true, IMPATIENT);
        Self {
            upstream,
            store,
            directory,
        }
    }

    /// Another server, with a mirror of its own that may not run ahead.
    pub(crate) fn other_server(&self) -> Mirrored {
        let path = self.directory.path().join("other.git");
        Mirrored::new(self.upstream.clone(), path, false, IMPATIENT)
    }

    pub(crate) fn mirror(&self) -> PathBuf {
        self.directory.path().join("mirror.git")
    }

    pub(crate) fn go_away(&self) {
        self.upstream.away.store(true, Ordering::Relaxed);
    }

    pub(crate) fn go_away_after_a_commit(&self) {
        self.upstream
            .goes_after_commit
            .store(true, Ordering::Relaxed);
    }

    pub(crate) fn come_back(&self) {
        self.upstream.away.store(false, Ordering::Relaxed);
    }

    /// What the upstream's branch `env/dev` points to, whoever can reach it.
    pub(crate) async fn upstream_head(&self) -> Option<CommitSha> {
        let dev = environment("dev");
        self.upstream.repository.head(&dev).await.expect("read")
    }

    /// Commits to `dev`, on top of what is there.
    pub(crate) async fn commit(&self, files: &Files, second: i64) -> CommitSha {
        commit_by(&self.store, files, second).await
    }

    /// Git finds both repositories sound; a mirror is made when something is kept in it.
    pub(crate) fn fsck(&self) {
        let mirror = self.mirror().exists().then_some("mirror.git");
        for name in ["upstream.git"].into_iter().chain(mirror) {
            let arguments = ["fsck", "--strict", "--full", "--no-dangling"];
            if let Some(told) = self.git(name, &arguments) {
                assert_eq!(told, "", "{name}");
            }
        }
    }

    /// What Git says in one of the repositories; `None` where there is no Git, which has been said then.
    pub(crate) fn git(&self, name: &str, arguments: &[&str]) -> Option<String> {
        if Command::new("git").arg("--version").output().is_err() {
            slipway_test_support::skip("no git: what it makes of a mirror is not looked at");
            return None;
        }
        let output = Command::new("git")
            .arg("--git-dir")
            .arg(self.directory.path().join(name))
            .args(arguments)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_AUTHOR_DATE", "1750000000 +0530")
            .output()
            .expect("git runs");
        assert!(output.status.success(), "{name} {arguments:?}: {output:?}");
        Some(
            String::from_utf8_lossy(&output.stdout)
                .trim_end()
                .to_owned(),
        )
    }
}

/// Commits to `dev`, on top of what is there.
pub(crate) async fn commit_by(store: &dyn GitStore, files: &Files, second: i64) -> CommitSha {
    let dev = environment("dev");
    let parent = store.head(&dev).await.expect("read");
    commit(store, &by_ada(&dev, parent.as_ref(), files, second)).await
}
