//! What a mirror keeps, and what it knows of the repository that it mirrors.
//!
//! Beside each branch `env/<slug>` stands `refs/remotes/origin/env/<slug>`, as in any clone: what the other repository's
//! branch pointed to when we last knew. Where the two differ, the commits between them wait to be brought there.
//!
//! A mirror need not have the history before a commit: Git's own file `shallow` names those whose parents it has not.
//! Whatever no branch leads to any more is kept by a reference of its own, `refs/slipway/kept/<commit>`.

use std::path::PathBuf;

use bytes::Bytes;
use gix::ObjectId;
use gix::objs::{CommitRef, Kind};
use slipway_kernel::Slug;
use slipway_snapshots::{CommitSha, Files, GitError, GitStore as _, NewCommit};

use super::adding::{add, parents, parents_in, parents_of, proven};
use super::made::{Made, parsed};
use crate::branch::{self, Branch};
use crate::commit::Request;
use crate::error::{corrupt, of_object};
use crate::objects::Objects;
use crate::{LocalRepository, commit, fold, id, refs, sha};

const HASH: gix::hash::Kind = gix::hash::Kind::Sha1;
/// The most commits that wait to be brought to the other repository.
const MAX_WAITING: usize = 10_000;

/// The mirror's own repository. It is made when something is first kept, and again where it was lost.
#[derive(Debug, Clone)]
pub(crate) struct Mirror {
    repository: LocalRepository,
}

/// Where an environment's branch ends.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tips {
    /// Here.
    pub(crate) here: Option<CommitSha>,
    /// In the other repository, when we last knew.
    pub(crate) there: Option<CommitSha>,
}

impl Tips {
    /// Whether commits wait here to be brought there.
    pub(crate) fn is_ahead(&self) -> bool {
        self.here.is_some() && self.here != self.there
    }
}

impl Mirror {
    pub(crate) fn at(path: PathBuf) -> Self {
        Self {
            repository: LocalRepository { path },
        }
    }

    /// The repository, to read in.
    pub(crate) fn repository(&self) -> &LocalRepository {
        &self.repository
    }

    /// The repository, to write in: made where there is none.
    pub(crate) async fn ready(&self) -> Result<&LocalRepository, GitError> {
        let path = self.repository.path.clone();
        let made = tokio::task::spawn_blocking(|| LocalRepository::open_or_create(path));
        made.await
            .map_err(|error| crate::error::unavailable("the work was broken off", &error))??;
        Ok(&self.repository)
    }

    /// Where an environment's branch ends; nowhere where there is no mirror yet.
    pub(crate) async fn tips(&self, environment: &Slug) -> Result<Tips, GitError> {
        let slug = environment.clone();
        let read = self.repository.blocking(move |repository| {
            let here = branch::head(repository, &slug)?.map(sha).transpose()?;
            let there = refs::find(repository, &there(&slug))?;
            let there = there.map(sha).transpose()?;
            Ok(Tips { here, there })
        });
        match read.await {
            Err(GitError::NoRepository { .. }) => Ok(Tips::default()),
            tips => tips,
        }
    }

    /// Whether the commit itself is here.
    pub(crate) async fn has(&self, commit: &CommitSha) -> bool {
        let Ok(commit) = id(commit) else { return false };
        let found = self.repository.blocking(move |repository| {
            let root = Objects::of(repository).root_of(commit)?;
            Ok(root.is_some())
        });
        found.await.unwrap_or(false)
    }

    /// Keeps a commit that was read from the other repository, which proves itself by its hash, with all its files.
    pub(crate) async fn keep(
        &self,
        commit: &CommitSha,
        object: Bytes,
        files: &Files,
    ) -> Result<(), GitError> {
        let (commit, files) = (id(commit)?, files.clone());
        self.ready().await?;
        self.repository
            .blocking(move |repository| {
                add(repository, &files, |_| proven(commit, object))?;
                refs::set(repository, &kept(commit), commit)
            })
            .await
    }

    /// Keeps what the other repository's branch points to now: a commit of these files, by its own object or, where that
    /// is not given, as `new` makes it.
    pub(crate) async fn follow(
        &self,
        new: &NewCommit<'_>,
        commit: &CommitSha,
        object: Option<Bytes>,
    ) -> Result<(), GitError> {
        self.ready().await?;
        let (commit, request) = (id(commit)?, Request::from(new));
        let (slug, files) = (new.environment.clone(), new.files.clone());
        self.repository
            .blocking(move |repository| {
                let branch = Branch::lock(repository, &slug)?;
                let made = add(repository, &files, |root| match object {
                    Some(object) => proven(commit, object),
                    None => commit::object(&request, root),
                })?;
                if made.id != commit {
                    return Err(corrupt(format!("{} was made instead of {commit}", made.id)));
                }
                let before = branch::head(repository, &slug)?;
                if let Some(before) = before.filter(|before| *before != commit) {
                    // Whoever came later was faster here.
                    if parents_of(repository, before).contains(&commit) {
                        return Ok(());
                    }
                    if !parents(&made)?.contains(&before) {
                        refs::set(repository, &kept(before), before)?;
                    }
                }
                refs::set(repository, &here(&slug), commit)?;
                refs::set(repository, &there(&slug), commit)?;
                drop(branch);
                branch::point_head_at(repository, &slug);
                fold::when_due(repository, &commit);
                Ok(())
            })
            .await
    }

    /// Notes what the other repository's branch points to.
    pub(crate) async fn note(
        &self,
        environment: &Slug,
        found: Option<&CommitSha>,
    ) -> Result<(), GitError> {
        let name = there(environment);
        let found = found.map(id).transpose()?;
        self.repository
            .blocking(move |repository| match found {
                Some(found) => refs::set(repository, &name, found),
                None => refs::remove(repository, &name),
            })
            .await
    }

    /// Takes the branch off its commits, which are kept: the other repository went another way. Where the branch does not
    /// end here any more, nothing happens.
    pub(crate) async fn let_go(&self, environment: &Slug, tip: &CommitSha) -> Result<(), GitError> {
        let (slug, tip) = (environment.clone(), id(tip)?);
        self.repository
            .blocking(move |repository| {
                let _branch = Branch::lock(repository, &slug)?;
                if branch::head(repository, &slug)? != Some(tip) {
                    return Ok(());
                }
                refs::set(repository, &kept(tip), tip)?;
                refs::remove(repository, &here(&slug))?;
                refs::remove(repository, &there(&slug))
            })
            .await
    }

    /// The commits from after `since` to the branch's end, oldest first; `None` where they don't follow it in one line,
    /// or can't be made again elsewhere.
    pub(crate) async fn waiting(
        &self,
        tip: &CommitSha,
        since: Option<&CommitSha>,
    ) -> Result<Option<Vec<CommitSha>>, GitError> {
        let (tip, since) = (id(tip)?, since.map(id).transpose()?);
        self.repository
            .blocking(move |repository| {
                let objects = Objects::of(repository);
                let (mut at, mut waiting) = (Some(tip), Vec::new());
                while at != since {
                    let Some((Kind::Commit, bytes)) =
                        at.map(|at| objects.find(&at)).transpose()?.flatten()
                    else {
                        return Ok(None);
                    };
                    let parents = parents_in(&bytes)?;
                    if parents.len() > 1 || waiting.len() >= MAX_WAITING {
                        return Ok(None);
                    }
                    waiting.extend(at.map(sha).transpose()?);
                    at = parents.first().copied();
                }
                waiting.reverse();
                Ok(Some(waiting))
            })
            .await
    }

    /// What a commit was made of; `None` where Slipway did not make it, so that it can't be made again.
    pub(crate) async fn made_of(
        &self,
        environment: &Slug,
        commit: &CommitSha,
    ) -> Result<Option<Made>, GitError> {
        let (slug, wanted) = (environment.clone(), id(commit)?);
        let Some(files) = self.repository.read(commit).await? else {
            return Ok(None);
        };
        self.repository
            .blocking(move |repository| {
                let objects = Objects::of(repository);
                let Some((Kind::Commit, bytes)) = objects.find(&wanted)? else {
                    return Ok(None);
                };
                let read = CommitRef::from_bytes(&bytes, HASH);
                let read = read.map_err(|error| of_object(&wanted, &error))?;
                let Some(made) = parsed(&read, slug, files)? else {
                    return Ok(None);
                };
                let again = commit::object(&Request::from(&made.as_new()), read.tree())?;
                Ok((again.id == wanted).then_some(made))
            })
            .await
    }

    /// The environments whose branches have commits that wait.
    pub(crate) async fn ahead(&self) -> Result<Vec<Slug>, GitError> {
        let listed = self.repository.blocking(|repository| {
            let told = |error: &gix::Error| crate::error::of_gix("can't list branches", error);
            let platform = repository.references().map_err(|error| told(&error))?;
            let branches = platform
                .prefixed("refs/heads/env/")
                .map_err(|error| told(&error))?;
            let names =
                branches.filter_map(|branch| Some(branch.ok()?.name().as_bstr().to_string()));
            let slugs = names.filter_map(|name| name.strip_prefix("refs/heads/env/")?.parse().ok());
            Ok(slugs.collect::<Vec<Slug>>())
        });
        let environments = match listed.await {
            Err(GitError::NoRepository { .. }) => return Ok(Vec::new()),
            listed => listed?,
        };
        let mut ahead = Vec::new();
        for environment in environments {
            if self.tips(&environment).await?.is_ahead() {
                ahead.push(environment);
            }
        }
        Ok(ahead)
    }
}

fn here(environment: &Slug) -> String {
    format!("refs/heads/env/{environment}")
}

fn there(environment: &Slug) -> String {
    format!("refs/remotes/origin/env/{environment}")
}

fn kept(commit: ObjectId) -> String {
    format!("refs/slipway/kept/{commit}")
}

#[cfg(test)]
mod tests {
    use slipway_snapshots::contract::{by_ada, environment, files};
    use slipway_snapshots::{Committed, GitStore as _};

    use super::*;

    /// Two servers share a mirror, and the one that committed first comes to it last.
    #[tokio::test]
    async fn who_comes_late_does_not_move_the_branch_back() {
        let directory = tempfile::tempdir().expect("a directory");
        let upstream = directory.path().join("upstream.git");
        let upstream = LocalRepository::open_or_create(upstream).expect("made");
        let mirror = Mirror::at(directory.path().join("mirror.git"));
        let dev = environment("dev");
        let (one, two) = (files(&[("a", "1")]), files(&[("a", "2")]));
        let earlier = by_ada(&dev, None, &one, 0);
        let Committed::New(first) = upstream.commit(&earlier).await.expect("committed") else {
            unreachable!("it is new");
        };
        let later = by_ada(&dev, Some(&first), &two, 1);
        let Committed::New(second) = upstream.commit(&later).await.expect("committed") else {
            unreachable!("it is new");
        };
        mirror.follow(&later, &second, None).await.expect("kept");
        mirror.follow(&earlier, &first, None).await.expect("kept");
        let tips = mirror.tips(&dev).await.expect("read");
        let end = Some(second);
        assert_eq!((&tips.here, &tips.there), (&end, &end));
        assert!(mirror.has(&first).await);
    }
}
