//! The port, on GitHub.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use http::StatusCode;
use moka::{policy::EvictionPolicy, sync::Cache};
use slipway_kernel::Slug;
use slipway_snapshots::{
    CommitSha, GitError, GitStore, Upstream,
    git::{Committed, FileChange, Files, NewCommit},
};

use crate::{
    api::{Api, Session},
    listing::{Listing, blocking, corrupt},
    object::Id,
    options::{Options, OptionsError},
    upload::Head,
    wire,
};

/// How many files are read at a time. GitHub wants few requests at once.
const PARALLEL_READS: usize = 8;
/// The most paths that the listings kept in memory have together: some 50 MB.
const MAX_KEPT_PATHS: u64 = 250_000;

/// A repository on GitHub, with a branch `env/<slug>` for each environment.
pub struct GitHub {
    api: Api,
    /// What commits hold, the latest used ones. A commit never changes.
    listings: Cache<CommitSha, Arc<Listing>>,
}

impl fmt::Debug for GitHub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GitHub")
            .field("location", &self.api.location())
            .finish_non_exhaustive()
    }
}

impl GitHub {
    /// The store in this repository, which nobody is asked about yet. It must be made within a Tokio runtime.
    pub fn new(options: &Options) -> Result<Self, OptionsError> {
        Ok(Self {
            api: Api::new(options)?,
            listings: Cache::builder()
                .eviction_policy(EvictionPolicy::lru())
                .weigher(|_, listing: &Arc<Listing>| {
                    u32::try_from(listing.entries.len().max(1)).unwrap_or(u32::MAX)
                })
                .max_capacity(MAX_KEPT_PATHS)
                .build(),
        })
    }

    /// What a commit holds: kept, or read once.
    async fn listing(
        &self,
        session: Session<'_>,
        commit: &CommitSha,
    ) -> Result<Option<Arc<Listing>>, GitError> {
        if let Some(kept) = self.listings.get(commit) {
            return Ok(Some(kept));
        }
        let Some(read) = session.listing(commit).await? else {
            return Ok(None);
        };
        let read = Arc::new(read);
        self.listings.insert(commit.clone(), Arc::clone(&read));
        Ok(Some(read))
    }

    async fn base(
        &self,
        session: Session<'_>,
        parent: Option<&CommitSha>,
    ) -> Result<Option<Arc<Listing>>, GitError> {
        let Some(parent) = parent else {
            return Ok(None);
        };
        match self.listing(session, parent).await? {
            Some(listing) => Ok(Some(listing)),
            None => Err(corrupt(format!(
                "the branch points to {parent}, which is missing"
            ))),
        }
    }
}

#[async_trait]
impl GitStore for GitHub {
    fn location(&self) -> String {
        self.api.location().to_owned()
    }

    async fn head(&self, environment: &Slug) -> Result<Option<CommitSha>, GitError> {
        Ok(self.api.session().head(environment).await?.into_commit())
    }

    async fn commit(&self, new: &NewCommit<'_>) -> Result<Committed, GitError> {
        new.check()?;
        let session = self.api.session();
        let head = session.head(new.environment).await?;
        let is_empty = matches!(head, Head::EmptyRepository);
        let found = head.into_commit();
        if found.as_ref() != new.parent {
            return Err(GitError::Moved { found });
        }
        let base = self.base(session, new.parent).await?;
        let files = new.files.clone();
        let wanted = blocking(move || Listing::of_files(&files)).await?;
        if let (Some(parent), Some(base)) = (new.parent, &base)
            && base.tree == wanted.tree
        {
            return Ok(Committed::Unchanged(parent.clone()));
        }
        if is_empty {
            session.begin_repository(new).await?;
        }
        session.upload(new.files, base.as_deref(), &wanted).await?;
        let sha = session.make_commit(new, wanted.tree).await?;
        session.point(new, &sha).await?;
        self.listings.insert(sha.clone(), Arc::new(wanted));
        Ok(Committed::New(sha))
    }

    async fn read(&self, commit: &CommitSha) -> Result<Option<Files>, GitError> {
        let session = self.api.session();
        let Some(listing) = self.listing(session, commit).await? else {
            return Ok(None);
        };
        let reads: Vec<_> = listing
            .files()
            .map(|(path, id)| async move {
                let content = session.blob(path, id).await?;
                Ok::<_, GitError>((path.to_owned(), content))
            })
            .collect();
        let files = stream::iter(reads)
            .buffer_unordered(PARALLEL_READS)
            .try_collect()
            .await?;
        Ok(Some(files))
    }

    async fn read_file(&self, commit: &CommitSha, path: &str) -> Result<Option<Bytes>, GitError> {
        let session = self.api.session();
        let Some(listing) = self.listing(session, commit).await? else {
            return Ok(None);
        };
        let Some((path, id)) = listing.files().find(|(known, _)| *known == path) else {
            return Ok(None);
        };
        session.blob(path, id).await.map(Some)
    }

    async fn compare(
        &self,
        earlier: &CommitSha,
        later: &CommitSha,
    ) -> Result<Option<Vec<FileChange>>, GitError> {
        let session = self.api.session();
        let earlier = self.listing(session, earlier).await?;
        let later = self.listing(session, later).await?;
        Ok(match (earlier, later) {
            (Some(earlier), Some(later)) => Some(earlier.changes_to(&later)),
            _ => None,
        })
    }
}

#[async_trait]
impl Upstream for GitHub {
    async fn commit_object(&self, commit: &CommitSha) -> Result<Option<Bytes>, GitError> {
        let found = self.api.session().commit_and_bytes(commit).await?;
        Ok(found.map(|(_, bytes)| bytes.into()))
    }
}

impl Session<'_> {
    /// A file's content, verified.
    async fn blob(self, path: &str, id: Id) -> Result<Bytes, GitError> {
        let answer = self.get(&format!("/git/blobs/{id}")).await?;
        match answer.status {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => {
                self.repository_is_there().await?;
                return Err(corrupt(format!(
                    "`{path}` is missing: there is no blob {id}"
                )));
            }
            _ => return Err(answer.refusal()),
        }
        let blob: wire::Blob = answer.parse()?;
        let path = path.to_owned();
        blocking(move || {
            let content = decode(&blob)
                .ok_or_else(|| corrupt(format!("`{path}` comes in an encoding that is none")))?;
            let found = Id::of_blob(&content);
            if found == id {
                Ok(content)
            } else {
                Err(corrupt(format!(
                    "`{path}` has the hash {found} instead of {id}"
                )))
            }
        })
        .await?
    }
}

/// GitHub breaks base64 into lines.
fn decode(blob: &wire::Blob) -> Option<Bytes> {
    if blob.encoding == "utf-8" {
        return Some(blob.content.clone().into());
    }
    let digits: Vec<u8> = blob
        .content
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    (blob.encoding == "base64")
        .then(|| STANDARD.decode(digits).ok())?
        .map(Bytes::from)
}
