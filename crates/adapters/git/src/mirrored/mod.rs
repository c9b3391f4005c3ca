//! A repository elsewhere, with a copy of it here.

mod adding;
mod made;
mod mirror;
mod publish;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use slipway_kernel::Slug;
use slipway_snapshots::{
    CommitSha, Committed, FileChange, Files, GitError, GitStore, NewCommit, Upstream,
};
use tokio::time::{Instant, timeout};

use mirror::{Mirror, Tips};

/// How long the other repository is waited for.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// For an answer about a branch.
    pub look: Duration,
    /// For a commit, where the mirror may run ahead. One that takes longer may yet be made; it is the same one, whoever
    /// makes it.
    pub commit: Duration,
    /// For how long it is not asked again after it could not be reached.
    pub away: Duration,
}

impl Default for Patience {
    /// 10 s, 30 s and 15 s: together less than one step of a deployment may take.
    fn default() -> Self {
        Self {
            look: Duration::from_secs(10),
            commit: Duration::from_secs(30),
            away: Duration::from_secs(15),
        }
    }
}

/// A Git store elsewhere (the *upstream*), every commit of which that Slipway makes or reads is kept in a local
/// repository (the *mirror*) under the same hash.
///
/// - **Commits** go to the upstream first: where its branch points decides who was first. Then they are added to the
///   mirror. Where that fails it is logged, the commit stands, and the next one repairs the mirror.
/// - **While the upstream can't be reached**, and only then, commits are made in the mirror, where that `may_run_ahead`;
///   elsewhere they fail with [`GitError::Unavailable`], nothing done. From then on the mirror leads for that environment,
///   until [`Mirrored::publish`] has brought everything to the upstream, where it has the same hashes. A refusal is no
///   such reason: bad credentials are told.
/// - Where somebody else has moved the upstream's branch meanwhile, its history is the one that goes on. What waited stays
///   in the mirror, readable as before, and the log says how to push it by hand.
/// - **Reads** look into the mirror first, which is fast and always there: a hash proves that a commit is the right one,
///   so there is nothing newer to ask for. What the mirror lacks, or holds damaged, is read from the upstream, and added.
///
/// A mirror may run ahead where all who commit use the same one: one server, or several on a shared directory.
pub struct Mirrored {
    upstream: Arc<dyn Upstream>,
    mirror: Mirror,
    may_run_ahead: bool,
    patience: Patience,
    away_until: Mutex<Option<Instant>>,
    /// So that the mirror's branch is moved in the order of the commits.
    committing: tokio::sync::Mutex<()>,
    publishing: tokio::sync::Mutex<()>,
}

impl Mirrored {
    /// The upstream with a mirror in the bare repository at `path`, which is made when something is first kept.
    pub fn new(
        upstream: Arc<dyn Upstream>,
        path: std::path::PathBuf,
        may_run_ahead: bool,
        patience: Patience,
    ) -> Self {
        Self {
            upstream,
            mirror: Mirror::at(path),
            may_run_ahead,
            patience,
            away_until: Mutex::default(),
            committing: tokio::sync::Mutex::default(),
            publishing: tokio::sync::Mutex::default(),
        }
    }

    /// What the upstream's branch points to, where it answers in time.
    async fn look(&self, environment: &Slug) -> Result<Option<CommitSha>, GitError> {
        self.ask(
            "about a branch",
            self.patience.look,
            self.upstream.head(environment),
        )
        .await
    }

    /// Asks the upstream something, unless it could not be reached a moment ago.
    async fn ask<T>(
        &self,
        what: &str,
        patience: Duration,
        question: impl Future<Output = Result<T, GitError>>,
    ) -> Result<T, GitError> {
        let until = *self
            .away_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if until.is_some_and(|until| Instant::now() < until) {
            let problem = format!(
                "{} could not be reached a moment ago",
                self.upstream.location()
            );
            return Err(GitError::Unavailable { problem });
        }
        let answer = timeout(patience, question).await.unwrap_or_else(|_| {
            let problem = format!(
                "{} gave no answer {what} within {} s",
                self.upstream.location(),
                patience.as_secs_f32()
            );
            Err(GitError::Unavailable { problem })
        });
        if matches!(answer, Err(GitError::Unavailable { .. })) {
            let mut until = self
                .away_until
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            *until = Some(Instant::now() + self.patience.away);
        }
        answer
    }

    /// Where the branch ends; a mirror that can't be read knows of nothing.
    async fn tips(&self, environment: &Slug) -> Tips {
        let tips = self.mirror.tips(environment).await;
        self.said("can't be read", tips).unwrap_or_default()
    }

    /// What came of something that the mirror was asked to do, which fails nothing else.
    fn said<T>(&self, what: &str, result: Result<T, GitError>) -> Option<T> {
        let mirror = self.mirror.repository().location();
        let told = |error: &GitError| {
            tracing::warn!(%error, mirror, "the mirror of a Git store {what}; it is repaired when it can be");
        };
        result.inspect_err(told).ok()
    }

    /// Commits in the mirror, because the upstream can't be reached.
    async fn run_ahead(&self, new: &NewCommit<'_>, problem: &str) -> Result<Committed, GitError> {
        let unavailable = |why: String| {
            let problem = format!("{problem}; {why}");
            Err(GitError::Unavailable { problem })
        };
        let mirror = self.mirror.repository().location();
        let made = match self.mirror.ready().await {
            Ok(repository) => repository.commit(new).await,
            Err(error) => Err(error),
        };
        match made {
            Ok(committed) => {
                tracing::warn!(
                    environment = %new.environment, problem, mirror,
                    "a snapshot is kept on this server alone until the Git store can be reached"
                );
                Ok(committed)
            }
            Err(GitError::Moved { found: None }) => unavailable(format!(
                "and the mirror {mirror} does not have what is there"
            )),
            Err(GitError::Moved { found }) => Err(GitError::Moved { found }),
            Err(error) => unavailable(format!("nor can the mirror {mirror} keep it: {error}")),
        }
    }

    /// Adds to the mirror what the upstream's branch points to now.
    async fn follow(&self, new: &NewCommit<'_>, committed: &Committed) {
        let followed = async {
            let (sha, object) = match committed {
                Committed::New(sha) => (sha, None),
                Committed::Unchanged(sha) => (sha, self.upstream.commit_object(sha).await?),
            };
            self.mirror.follow(new, sha, object).await
        };
        self.said("can't keep a commit", followed.await);
    }

    /// Reads a commit from the upstream, and adds it to the mirror.
    async fn fetch(&self, commit: &CommitSha) -> Result<Option<Files>, GitError> {
        let files = self
            .upstream
            .read(commit)
            .await
            .map_err(|error| match error {
                GitError::Unavailable { problem } => GitError::Unavailable {
                    problem: format!(
                        "{problem}; and its mirror {} does not have commit {commit}",
                        self.mirror.repository().location()
                    ),
                },
                other => other,
            })?;
        let Some(files) = files else { return Ok(None) };
        let kept = async {
            match self.upstream.commit_object(commit).await? {
                Some(object) => self.mirror.keep(commit, object, &files).await,
                None => Ok(()),
            }
        };
        self.said("can't keep a commit", kept.await);
        Ok(Some(files))
    }

    /// What the mirror has, where it has the commit, and whole.
    async fn here<T>(
        &self,
        commit: &CommitSha,
        answer: impl Future<Output = Result<T, GitError>>,
    ) -> Option<T> {
        if !self.mirror.has(commit).await {
            return None;
        }
        self.said("can't be read", answer.await)
    }
}

#[async_trait]
impl GitStore for Mirrored {
    fn location(&self) -> String {
        self.upstream.location()
    }

    async fn head(&self, environment: &Slug) -> Result<Option<CommitSha>, GitError> {
        let tips = self.tips(environment).await;
        if self.may_run_ahead && tips.is_ahead() {
            return Ok(tips.here);
        }
        match self.look(environment).await {
            Err(GitError::Unavailable { .. }) if self.may_run_ahead => Ok(tips.here),
            found => found,
        }
    }

    async fn commit(&self, new: &NewCommit<'_>) -> Result<Committed, GitError> {
        new.check()?;
        let _in_order = self.committing.lock().await;
        let tips = self.tips(new.environment).await;
        if self.may_run_ahead && tips.is_ahead() {
            return self
                .run_ahead(new, "earlier snapshots wait to be brought to the Git store")
                .await;
        }
        let patience = if self.may_run_ahead {
            self.patience.commit
        } else {
            Duration::MAX
        };
        let asked = self.ask("to a commit", patience, self.upstream.commit(new));
        match asked.await {
            Ok(committed) => {
                let sha = match &committed {
                    Committed::New(sha) | Committed::Unchanged(sha) => sha,
                };
                if tips.here.as_ref() != Some(sha) || tips.is_ahead() {
                    self.follow(new, &committed).await;
                }
                Ok(committed)
            }
            Err(GitError::Unavailable { problem }) if self.may_run_ahead => {
                self.run_ahead(new, &problem).await
            }
            Err(error) => Err(error),
        }
    }

    async fn read(&self, commit: &CommitSha) -> Result<Option<Files>, GitError> {
        let mirror = self.mirror.repository();
        match self.here(commit, mirror.read(commit)).await.flatten() {
            Some(files) => Ok(Some(files)),
            None => self.fetch(commit).await,
        }
    }

    async fn read_file(&self, commit: &CommitSha, path: &str) -> Result<Option<Bytes>, GitError> {
        let mirror = self.mirror.repository();
        if let Some(file) = self.here(commit, mirror.read_file(commit, path)).await {
            return Ok(file);
        }
        let files = self.fetch(commit).await?;
        Ok(files.and_then(|mut files| files.remove(path)))
    }

    async fn compare(
        &self,
        earlier: &CommitSha,
        later: &CommitSha,
    ) -> Result<Option<Vec<FileChange>>, GitError> {
        for commit in [earlier, later] {
            if !self.mirror.has(commit).await && self.fetch(commit).await?.is_none() {
                return Ok(None);
            }
        }
        let compared = self.mirror.repository().compare(earlier, later);
        if let Some(changes) = self.here(earlier, compared).await.flatten() {
            return Ok(Some(changes));
        }
        self.upstream.compare(earlier, later).await
    }

    async fn is_ahead(&self, environment: &Slug) -> bool {
        if !self.tips(environment).await.is_ahead() {
            return false;
        }
        // Perhaps it can be reached again by now.
        let published = timeout(self.patience.look, self.publish_branch(environment)).await;
        drop(published);
        self.tips(environment).await.is_ahead()
    }
}
