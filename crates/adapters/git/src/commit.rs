//! Commits.

use bytes::Bytes;
use gix::ObjectId;
use gix::actor::Signature;
use gix::objs::{Kind, WriteTo as _};
use slipway_kernel::Slug;
use slipway_snapshots::{CommitSha, Committed, Files, GitError, NewCommit};

use crate::branch::{self, Branch};
use crate::error::{corrupt, unavailable};
use crate::objects::{Objects, hash};
use crate::tree::{self, NewObject};
use crate::{durable, fold, sha, staging};

/// A commit that was asked for, with its own copy of everything: the work outlives a caller that gave up.
pub(crate) struct Request {
    environment: Slug,
    parent: Option<CommitSha>,
    files: Files,
    message: String,
    author: Signature,
}

impl From<&NewCommit<'_>> for Request {
    fn from(commit: &NewCommit<'_>) -> Self {
        let (name, email) = commit.identity();
        let (seconds, _) = commit.at.seconds_and_nanos();
        Self {
            environment: commit.environment.clone(),
            parent: commit.parent.cloned(),
            files: commit.files.clone(),
            message: commit.message.to_owned(),
            author: Signature {
                name: name.into(),
                email: email.into(),
                time: gix::date::Time { seconds, offset: 0 },
            },
        }
    }
}

/// Commits unless the branch has moved or nothing has changed.
pub(crate) fn commit(
    repository: &gix::Repository,
    request: &Request,
) -> Result<Committed, GitError> {
    let parent = request.parent.as_ref().map(crate::id).transpose()?;
    let mut branch = Branch::lock(repository, &request.environment)?;
    branch.expect(parent)?;
    let objects = Objects::of(repository);
    let before = match parent {
        None => None,
        Some(parent) => {
            let root = objects.root_of(parent)?;
            Some(root.ok_or_else(|| corrupt(format!("commit {parent} is missing")))?)
        }
    };
    let (root, mut new) = tree_of(&request.files)?;
    if let (true, Some(parent)) = (before == Some(root), &request.parent) {
        return Ok(Committed::Unchanged(parent.clone()));
    }
    if let Some(before) = before {
        let members = tree::members(&objects, before)?;
        new.retain(|object| !members.contains(&object.id));
    }
    let commit = object(request, root)?;
    let id = commit.id;
    new.push(commit);
    staging::keep(repository, &format!("env-{}", request.environment), new)?;
    branch.move_to(parent, id, &request.author)?;
    branch::point_head_at(repository, &request.environment);
    fold::when_due(repository, &id);
    sha(id).map(Committed::New)
}

/// The tree that holds these files: its hash, and all its objects.
pub(crate) fn tree_of(files: &Files) -> Result<(ObjectId, Vec<NewObject>), GitError> {
    let mut new = contents(files)?;
    let by_path: Vec<_> = files
        .keys()
        .map(String::as_str)
        .zip(new.iter().map(|blob| blob.id))
        .collect();
    new.extend(tree::build(&by_path)?);
    let empty = ObjectId::empty_tree(gix::hash::Kind::Sha1);
    Ok((new.last().map_or(empty, |root| root.id), new))
}

fn contents(files: &Files) -> Result<Vec<NewObject>, GitError> {
    let contents: Vec<&Bytes> = files.values().collect();
    durable::each(&contents, |bytes| {
        Ok(NewObject {
            id: hash(Kind::Blob, bytes)?,
            kind: Kind::Blob,
            bytes: Bytes::clone(bytes),
        })
    })
}

/// The commit's own object, where this is its tree.
pub(crate) fn object(request: &Request, tree: ObjectId) -> Result<NewObject, GitError> {
    let parent = request.parent.as_ref().map(crate::id).transpose()?;
    let commit = gix::objs::Commit {
        tree,
        parents: parent.into_iter().collect(),
        author: request.author.clone(),
        committer: request.author.clone(),
        encoding: None,
        message: request.message.as_str().into(),
        extra_headers: Vec::new(),
    };
    let mut bytes = Vec::new();
    commit
        .write_to(&mut bytes)
        .map_err(|error| unavailable("can't encode the commit", &error))?;
    Ok(NewObject {
        id: hash(Kind::Commit, &bytes)?,
        kind: Kind::Commit,
        bytes: bytes.into(),
    })
}
