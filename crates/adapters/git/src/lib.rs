//! A Git store in a local bare repository: the embedded default.
//!
//! Any Git client can clone it, and may push to it or run `git gc` in it while Slipway does its work.
//!
//! A commit becomes visible in three steps, each durable before the next: its objects are written to a folder of their
//! own beside the others (as Git does with what is pushed), moved among them, and the branch is moved last. A crash in
//! between leaves at most objects that nobody refers to.
//!
//! A few objects are kept one by one; many come as one pack, and what has gathered one by one is put into a pack now and
//! then. Nothing is ever pruned.
//!
//! Beside it, [`Mirrored`] keeps a copy of a repository elsewhere in a local one, and goes on in that while the other can't
//! be reached.

mod branch;
mod commit;
mod create;
mod durable;
mod error;
mod fold;
mod mirrored;
mod objects;
mod refs;
mod staging;
mod tree;

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;
use slipway_kernel::Slug;
use slipway_snapshots::git::is_path;
use slipway_snapshots::{
    CommitSha, Committed, FileChange, Files, GitError, GitStore, NewCommit, Upstream,
};

pub use mirrored::{Mirrored, Patience};

use crate::error::unavailable;
use crate::objects::Objects;

/// A bare repository in a directory of this machine. Several processes may use one.
#[derive(Debug, Clone)]
pub struct LocalRepository {
    path: PathBuf,
}

impl LocalRepository {
    /// The repository in this directory. Where there is nothing yet, one is made: bare, with SHA-1, and its `HEAD` on the
    /// branch that is committed first, so that a clone shows something.
    ///
    /// Fails with [`GitError::Refused`] where the directory holds something else, or a repository that is not bare or
    /// has another object format, and with [`GitError::Unavailable`] where it can't be read or written.
    pub fn open_or_create(path: PathBuf) -> Result<Self, GitError> {
        create::unless_there(&path)?;
        open(&path)?;
        Ok(Self { path })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Runs what reads or writes files where it may take its time. The repository is opened each time: whatever another
    /// process did to it meanwhile is seen, and no list of its packs grows old.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&gix::Repository) -> Result<T, GitError> + Send + 'static,
    ) -> Result<T, GitError> {
        let path = self.path.clone();
        let work = move || work(&open(&path)?);
        match tokio::task::spawn_blocking(work).await {
            Ok(result) => result,
            Err(error) => Err(unavailable("the work was broken off", &error)),
        }
    }
}

#[async_trait]
impl GitStore for LocalRepository {
    fn location(&self) -> String {
        self.path.display().to_string()
    }

    async fn head(&self, environment: &Slug) -> Result<Option<CommitSha>, GitError> {
        let environment = environment.clone();
        let head = self.blocking(move |repository| branch::head(repository, &environment));
        head.await?.map(sha).transpose()
    }

    async fn commit(&self, commit: &NewCommit<'_>) -> Result<Committed, GitError> {
        commit.check()?;
        let request = commit::Request::from(commit);
        self.blocking(move |repository| commit::commit(repository, &request))
            .await
    }

    async fn read(&self, commit: &CommitSha) -> Result<Option<Files>, GitError> {
        let commit = id(commit)?;
        self.blocking(move |repository| {
            let objects = Objects::of(repository);
            let Some(root) = objects.root_of(commit)? else {
                return Ok(None);
            };
            tree::files(&objects, root).map(Some)
        })
        .await
    }

    async fn read_file(&self, commit: &CommitSha, path: &str) -> Result<Option<Bytes>, GitError> {
        if !is_path(path) {
            return Ok(None);
        }
        let (commit, path) = (id(commit)?, path.to_owned());
        self.blocking(move |repository| {
            let objects = Objects::of(repository);
            let Some(root) = objects.root_of(commit)? else {
                return Ok(None);
            };
            tree::file(&objects, root, &path)
        })
        .await
    }

    async fn compare(
        &self,
        earlier: &CommitSha,
        later: &CommitSha,
    ) -> Result<Option<Vec<FileChange>>, GitError> {
        let (earlier, later) = (id(earlier)?, id(later)?);
        self.blocking(move |repository| {
            let objects = Objects::of(repository);
            let roots = (objects.root_of(earlier)?, objects.root_of(later)?);
            let (Some(earlier), Some(later)) = roots else {
                return Ok(None);
            };
            tree::compare(&objects, earlier, later).map(Some)
        })
        .await
    }
}

#[async_trait]
impl Upstream for LocalRepository {
    async fn commit_object(&self, commit: &CommitSha) -> Result<Option<Bytes>, GitError> {
        let commit = id(commit)?;
        self.blocking(move |repository| {
            Ok(match Objects::of(repository).find(&commit)? {
                Some((gix::objs::Kind::Commit, bytes)) => Some(Bytes::from(bytes)),
                _ => None,
            })
        })
        .await
    }
}

/// Opens a repository as it stands, whatever this machine's or user's Git settings say.
fn open(path: &Path) -> Result<gix::Repository, GitError> {
    if !path.join("HEAD").is_file() {
        return Err(GitError::NoRepository {
            location: path.display().to_string(),
        });
    }
    let options = gix::open::Options::isolated()
        .open_path_as_is(true)
        .with(gix::sec::Trust::Full);
    let mut repository =
        gix::open_opts(path, options).map_err(|error| error::of_opening(path, &error))?;
    if !repository.is_bare() || repository.object_hash() != gix::hash::Kind::Sha1 {
        return Err(GitError::Refused {
            message: format!(
                "{} is not a bare repository with SHA-1; name another directory",
                path.display()
            ),
        });
    }
    // A commit is what its hash says, whatever `refs/replace` would have instead.
    repository.objects.ignore_replacements = true;
    Ok(repository)
}

fn sha(id: gix::ObjectId) -> Result<CommitSha, GitError> {
    id.to_string()
        .parse()
        .map_err(|error| unavailable("the hash is no SHA-1", &error))
}

fn id(sha: &CommitSha) -> Result<gix::ObjectId, GitError> {
    gix::ObjectId::from_hex(sha.as_str().as_bytes())
        .map_err(|error| error::of_gix("the hash is no SHA-1", &error))
}
