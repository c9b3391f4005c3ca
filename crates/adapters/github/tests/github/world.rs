//! A stand-in, a store on it, and what both are asked again and again.

use std::{path::Path, sync::OnceLock, time::Duration};

use slipway_github::{Auth, GitHub, Options};
use slipway_github_stand_in as stand_in;
use slipway_kernel::{Slug, Timestamp};
use slipway_snapshots::{
    CommitSha, GitError, GitStore,
    git::{Committed, Files, NewCommit},
};
use stand_in::{Recorded, StandIn, description::Description};

/// A store and the server behind it.
pub(crate) struct World {
    pub(crate) server: StandIn,
    pub(crate) store: GitHub,
}

impl World {
    /// `None` where Git is missing, which has been said then.
    pub(crate) async fn new() -> Option<Self> {
        Self::with(stand_in::Options::default()).await
    }

    pub(crate) async fn with(options: stand_in::Options) -> Option<Self> {
        if !stand_in::available() {
            return None;
        }
        let server = StandIn::start(options).await;
        let store = GitHub::new(&options_for(&server)).expect("a store");
        Some(Self { server, store })
    }

    /// The store as it is after a restart: it remembers nothing.
    pub(crate) fn restart(&mut self) {
        self.store = GitHub::new(&options_for(&self.server)).expect("a store");
    }

    /// Commits and wants a new commit.
    pub(crate) async fn commit(&self, parent: Option<&CommitSha>, files: &Files) -> CommitSha {
        match self.try_commit(parent, files).await {
            Ok(Committed::New(sha)) => sha,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn try_commit(
        &self,
        parent: Option<&CommitSha>,
        files: &Files,
    ) -> Result<Committed, GitError> {
        commit(&self.store, parent, files).await
    }

    pub(crate) async fn head(&self) -> Option<CommitSha> {
        self.store.head(&production()).await.expect("a head")
    }

    /// What the branch points to by Git's own word; nothing where there is none.
    pub(crate) async fn branch(&self) -> String {
        let format = "--format=%(objectname)";
        self.server
            .git(&["for-each-ref", format, "refs/heads/env/production"])
            .await
    }

    /// Ends a test: every request was one that GitHub describes, every answer too, and Git finds the repository sound
    /// and the branch's history a line of so many commits.
    pub(crate) async fn finish(self, commits: usize) {
        check_requests(&self.server);
        self.server.git(&["fsck", "--strict", "--full"]).await;
        if self.branch().await.is_empty() {
            assert_eq!(commits, 0, "there is no branch");
            return;
        }
        let branch = "refs/heads/env/production";
        let count = self.server.git(&["rev-list", "--count", branch]).await;
        assert_eq!(count, commits.to_string(), "commits on the branch");
        let merges = ["rev-list", "--count", "--min-parents=2", branch];
        assert_eq!(self.server.git(&merges).await, "0");
    }

    /// The branch in a fresh clone: its files.
    pub(crate) async fn cloned(&self) -> Files {
        let folder = tempfile::tempdir().expect("a folder");
        let cloned = tokio::process::Command::new("git")
            .args(["clone", "--quiet", "--branch", "env/production"])
            .arg(self.server.repository())
            .arg(folder.path().join("clone"))
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .status()
            .await
            .expect("git runs");
        assert!(cloned.success());
        let mut files = Files::new();
        gather(&folder.path().join("clone"), "", &mut files);
        files
    }
}

fn gather(folder: &Path, prefix: &str, files: &mut Files) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let entry = entry.expect("an entry");
        let name = entry.file_name().into_string().expect("a name");
        let path = format!("{prefix}{name}");
        if name == ".git" {
            continue;
        }
        if entry.file_type().expect("a type").is_dir() {
            gather(&entry.path(), &format!("{path}/"), files);
        } else {
            let content = std::fs::read(entry.path()).expect("a file");
            files.insert(path, content.into());
        }
    }
}

pub(crate) async fn commit(
    store: &GitHub,
    parent: Option<&CommitSha>,
    files: &Files,
) -> Result<Committed, GitError> {
    store
        .commit(&NewCommit {
            environment: &production(),
            parent,
            files,
            message: "Snapshot of production\n\nMade by a test.",
            author: ("Ada Lovelace", "ada@example.com"),
            at: Timestamp::parse("2026-01-31T12:00:00.5Z").expect("a time"),
        })
        .await
}

pub(crate) fn options_for(server: &StandIn) -> Options {
    Options {
        base_url: server.base_url(),
        owner: "octo-org".to_owned(),
        repository: "snapshots".to_owned(),
        auth: Auth::Token("ghp_write".into()),
        timeout: Duration::from_secs(20),
        max_wait: Duration::from_secs(5),
    }
}

pub(crate) fn production() -> Slug {
    "production".parse().expect("a slug")
}

pub(crate) fn files(pairs: &[(&str, &str)]) -> Files {
    pairs
        .iter()
        .map(|(path, content)| ((*path).to_owned(), content.as_bytes().to_vec().into()))
        .collect()
}

pub(crate) fn sha(text: &str) -> CommitSha {
    text.parse().expect("a commit")
}

/// How many requests there are of a kind.
pub(crate) fn count(recorded: &[Recorded], method: &str, part: &str) -> usize {
    recorded
        .iter()
        .filter(|asked| asked.method == method && asked.path.contains(part))
        .count()
}

/// Those that write.
pub(crate) fn writes(recorded: &[Recorded]) -> usize {
    recorded
        .iter()
        .filter(|asked| asked.method != "GET")
        .count()
}

pub(crate) fn check_requests(server: &StandIn) {
    static DESCRIPTION: OnceLock<Option<Description>> = OnceLock::new();
    let Some(description) = DESCRIPTION.get_or_init(Description::load) else {
        return;
    };
    for asked in server.everything() {
        let what = format!("{} {} {:?}", asked.method, asked.path, asked.body);
        if let Err(problem) = description.check_request(&asked) {
            panic!("{what}: {problem}");
        }
        // Of a repository the stand-in tells a few things only.
        if asked.path.matches('/').count() > 3
            && let Err(problem) = description.check_answer(&asked)
        {
            panic!("the answer to {what}, {:?}: {problem}", asked.status);
        }
    }
}
