//! Reads objects, each only as its hash says.

use bytes::Bytes;
use gix::objs::{CommitRef, Find as _, FindHeader as _, Kind, Tree, TreeRef};
use gix::{ObjectId, oid};
use slipway_snapshots::GitError;
use slipway_snapshots::git::{MAX_FILE_BYTES, MAX_FILES};

use crate::error::{corrupt, of_object};

const HASH: gix::hash::Kind = gix::hash::Kind::Sha1;
/// The most bytes of a commit or a tree: a tree of as many files as a branch may hold, with the longest names.
const MAX_OTHER_BYTES: usize = MAX_FILES * 300;

/// The objects of a repository.
pub(crate) struct Objects<'r> {
    database: &'r gix::OdbHandle,
}

impl<'r> Objects<'r> {
    pub(crate) fn of(repository: &'r gix::Repository) -> Self {
        Self {
            database: &repository.objects,
        }
    }

    /// An object's kind and bytes; `None` where it does not exist.
    pub(crate) fn find(&self, id: &oid) -> Result<Option<(Kind, Vec<u8>)>, GitError> {
        let header = self.database.try_header(id);
        let Some(header) = header.map_err(|error| of_object(id, &error))? else {
            return Ok(None);
        };
        let limit = match header.kind {
            Kind::Blob => MAX_FILE_BYTES,
            Kind::Tree | Kind::Commit | Kind::Tag => MAX_OTHER_BYTES,
        };
        if header.size > limit as u64 {
            return Err(GitError::Refused {
                message: format!(
                    "object {id} has {} bytes; Slipway reads {limit} at most",
                    header.size
                ),
            });
        }
        let mut bytes = Vec::new();
        let found = self.database.try_find(id, &mut bytes);
        let Some(found) = found.map_err(|error| of_object(id, &error))? else {
            return Ok(None);
        };
        let kind = found.kind;
        let actual = hash(kind, found.data)?;
        if *actual == *id {
            Ok(Some((kind, bytes)))
        } else {
            Err(corrupt(format!("object {id} has the content of {actual}")))
        }
    }

    /// The root tree of a commit; `None` where there is no such commit.
    pub(crate) fn root_of(&self, commit: ObjectId) -> Result<Option<ObjectId>, GitError> {
        match self.find(&commit)? {
            Some((Kind::Commit, bytes)) => CommitRef::from_bytes(&bytes, HASH)
                .map(|commit| Some(commit.tree()))
                .map_err(|error| of_object(&commit, &error)),
            _ => Ok(None),
        }
    }

    /// A tree that something refers to.
    pub(crate) fn tree(&self, id: &oid) -> Result<Tree, GitError> {
        let bytes = self.expect(id, Kind::Tree)?;
        TreeRef::from_bytes(&bytes, HASH)
            .map(TreeRef::into_owned)
            .map_err(|error| of_object(id, &error))
    }

    /// A file's content that something refers to.
    pub(crate) fn blob(&self, id: &oid) -> Result<Bytes, GitError> {
        self.expect(id, Kind::Blob).map(Bytes::from)
    }

    fn expect(&self, id: &oid, expected: Kind) -> Result<Vec<u8>, GitError> {
        match self.find(id)? {
            Some((kind, bytes)) if kind == expected => Ok(bytes),
            Some((kind, _)) => Err(corrupt(format!(
                "object {id} is a {kind}, not a {expected}"
            ))),
            None => Err(corrupt(format!("object {id}, a {expected}, is missing"))),
        }
    }
}

/// An object's hash.
pub(crate) fn hash(kind: Kind, bytes: &[u8]) -> Result<ObjectId, GitError> {
    gix::objs::compute_hash(HASH, kind, bytes)
        .map_err(|error| crate::error::of_gix("can't compute a hash", &error))
}
