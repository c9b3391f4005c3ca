//! What a snapshot holds, read from Git as far as it is needed: its manifest first.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bytes::Bytes;
use slipway_kernel::{Key, StoreError};
use slipway_snapshots::{
    CommitSha, GitError, GitStore, Snapshot,
    content::{DamagedSnapshot, MANIFEST, Manifest, manifest, path_of},
};
use slipway_workflows::{Workflow, WorkflowId, inventory::by_key};

use super::{TakeError, open_repository};
use crate::Context;

/// Where more than one in this many documents is wanted, the whole commit is read at once: reading them one by one takes
/// calls for each.
const FEW: usize = 4;

/// Why a snapshot could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ContentsError {
    /// The Git store did not give it.
    #[error("the Git store did not give the snapshot")]
    Git(#[source] GitError),
    /// It is not what was kept.
    #[error("the snapshot in commit {commit} is damaged: {problem}")]
    Damaged {
        /// The commit.
        commit: CommitSha,
        /// What is wrong with it.
        problem: String,
    },
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A snapshot that can be read.
pub(crate) struct Contents {
    git: Arc<dyn GitStore>,
    commit: CommitSha,
    /// What it says it holds.
    pub(super) manifest: Manifest,
    /// The keys of its workflows by what the engine called them.
    keys: BTreeMap<WorkflowId, Key>,
}

impl Contents {
    /// Reads the manifest, which must be the one that was kept.
    pub(crate) async fn open(context: &Context, kept: &Snapshot) -> Result<Self, ContentsError> {
        let commit = kept.commit.clone();
        let git = match open_repository(context, kept.project).await {
            Ok(git) => git,
            Err(TakeError::Git(error)) => return Err(from_git(&commit, error)),
            Err(TakeError::Store(error)) => return Err(error.into()),
            Err(error) => return Err(StoreError::Fault(Box::new(error)).into()),
        };
        let bytes = file(&*git, &commit, MANIFEST).await?;
        let manifest = manifest(bytes.as_ref()).map_err(|error| damaged(&commit, &error))?;
        if manifest.content_hash == kept.content_hash {
            let listed = manifest.workflows.iter();
            return Ok(Self {
                keys: listed
                    .map(|(key, listed)| (listed.id.clone(), key.clone()))
                    .collect(),
                git,
                commit,
                manifest,
            });
        }
        let problem = format!(
            "it holds {}, and the snapshot was {}",
            manifest.content_hash, kept.content_hash
        );
        Err(ContentsError::Damaged { commit, problem })
    }

    /// Where people find the repository, where that is an address rather than a folder of the server's.
    pub(super) fn address(&self) -> Option<String> {
        Some(self.git.location()).filter(|location| location.contains("://"))
    }

    /// The document of a workflow as it stands in its file, and the file; `None` where it could not be read when the
    /// snapshot was taken.
    pub(super) async fn document(
        &self,
        key: &Key,
    ) -> Result<Option<(Workflow, Bytes)>, ContentsError> {
        let bytes = file(&*self.git, &self.commit, &path_of(key)).await?;
        let document = self.checked(key, bytes.as_ref())?;
        Ok(document.zip(bytes))
    }

    /// The documents of these workflows, with keys in place of ids; those that could not be read when the snapshot was
    /// taken are left out.
    pub(super) async fn documents(
        &self,
        keys: &BTreeSet<Key>,
    ) -> Result<BTreeMap<Key, Workflow>, ContentsError> {
        let all = if keys.len() * FEW > self.manifest.workflows.len() && keys.len() > 1 {
            let files = self.git.read(&self.commit).await;
            files.map_err(|error| from_git(&self.commit, error))?
        } else {
            None
        };
        let mut documents = BTreeMap::new();
        for key in keys {
            let bytes = match &all {
                Some(files) => files.get(&path_of(key)).cloned(),
                None => file(&*self.git, &self.commit, &path_of(key)).await?,
            };
            if let Some(document) = self.checked(key, bytes.as_ref())? {
                documents.insert(key.clone(), self.portable(&document));
            }
        }
        Ok(documents)
    }

    /// A document with keys in place of ids.
    pub(super) fn portable(&self, document: &Workflow) -> Workflow {
        by_key(document, &|id| self.keys.get(id))
    }

    fn checked(&self, key: &Key, bytes: Option<&Bytes>) -> Result<Option<Workflow>, ContentsError> {
        let document = self.manifest.document(key, bytes);
        document.map_err(|error| damaged(&self.commit, &error))
    }
}

async fn file(
    git: &dyn GitStore,
    commit: &CommitSha,
    path: &str,
) -> Result<Option<Bytes>, ContentsError> {
    let read = git.read_file(commit, path).await;
    read.map_err(|error| from_git(commit, error))
}

fn from_git(commit: &CommitSha, error: GitError) -> ContentsError {
    match error {
        GitError::Corrupt { problem } => ContentsError::Damaged {
            commit: commit.clone(),
            problem,
        },
        error => ContentsError::Git(error),
    }
}

fn damaged(commit: &CommitSha, error: &DamagedSnapshot) -> ContentsError {
    ContentsError::Damaged {
        commit: commit.clone(),
        problem: error.to_string(),
    }
}
