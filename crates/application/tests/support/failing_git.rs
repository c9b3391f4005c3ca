//! A Git store that fails when it is told to.

use std::path::Path;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use slipway_application::outside::Repositories;
use slipway_git::{LocalRepository, Mirrored, Patience};
use slipway_kernel::Slug;
use slipway_snapshots::{
    CommitSha, Committed, FileChange, Files, GitError, GitStore, NewCommit, Upstream,
};

/// How it fails.
pub(crate) type Fault = fn() -> GitError;

/// A repository on a machine that fails.
pub(crate) struct FailingGit {
    repository: LocalRepository,
    /// How many commits it makes yet, and how it fails afterwards, whatever it is asked.
    fault: Mutex<Option<(usize, Fault)>>,
}

impl FailingGit {
    pub(crate) fn new(directory: &Path) -> Arc<Self> {
        let path = directory.join("failing.git");
        Arc::new(Self {
            repository: LocalRepository::open_or_create(path).expect("a repository"),
            fault: Mutex::default(),
        })
    }

    /// Makes so many commits yet, and then fails.
    pub(crate) fn fail_after(&self, commits: usize, fault: Fault) {
        *self.fault.lock().expect("not poisoned") = Some((commits, fault));
    }

    pub(crate) fn mend(&self) {
        *self.fault.lock().expect("not poisoned") = None;
    }

    pub(crate) fn repository(&self) -> &LocalRepository {
        &self.repository
    }

    fn working(&self) -> Result<&LocalRepository, GitError> {
        match *self.fault.lock().expect("not poisoned") {
            Some((0, fault)) => Err(fault()),
            _ => Ok(&self.repository),
        }
    }
}

#[async_trait]
impl GitStore for FailingGit {
    fn location(&self) -> String {
        "https://git.example/acme/slipway-default".to_owned()
    }

    async fn head(&self, environment: &Slug) -> Result<Option<CommitSha>, GitError> {
        self.working()?.head(environment).await
    }

    async fn commit(&self, commit: &NewCommit<'_>) -> Result<Committed, GitError> {
        let committed = self.working()?.commit(commit).await;
        if let Some((left, _)) = &mut *self.fault.lock().expect("not poisoned") {
            *left = left.saturating_sub(1);
        }
        committed
    }

    async fn read(&self, commit: &CommitSha) -> Result<Option<Files>, GitError> {
        self.working()?.read(commit).await
    }

    async fn read_file(&self, commit: &CommitSha, path: &str) -> Result<Option<Bytes>, GitError> {
        self.working()?.read_file(commit, path).await
    }

    async fn compare(
        &self,
        earlier: &CommitSha,
        later: &CommitSha,
    ) -> Result<Option<Vec<FileChange>>, GitError> {
        self.working()?.compare(earlier, later).await
    }
}

#[async_trait]
impl Upstream for FailingGit {
    async fn commit_object(&self, commit: &CommitSha) -> Result<Option<Bytes>, GitError> {
        self.working()?.commit_object(commit).await
    }
}

/// The same store for every project.
pub(crate) struct Same(pub(crate) Arc<dyn GitStore>);

#[async_trait]
impl Repositories for Same {
    async fn open(&self, _: &Slug) -> Result<Arc<dyn GitStore>, GitError> {
        Ok(Arc::clone(&self.0))
    }
}

/// A mirror of it that is never patient.
pub(crate) fn mirrored(upstream: &Arc<FailingGit>, directory: &Path) -> Arc<Mirrored> {
    let patience = Patience {
        away: std::time::Duration::ZERO,
        ..Patience::default()
    };
    let upstream: Arc<dyn Upstream> = upstream.clone();
    let path = directory.join("mirror.git");
    Arc::new(Mirrored::new(upstream, path, true, patience))
}
