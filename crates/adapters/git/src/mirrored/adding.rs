//! Adds commits, with or without the history before them.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use gix::ObjectId;
use gix::objs::{CommitRef, Kind};
use slipway_snapshots::{Files, GitError};

use crate::branch::wait_for_lock;
use crate::durable::{make_folder, write};
use crate::error::{corrupt, of_file, of_object};
use crate::objects::{Objects, hash};
use crate::tree::NewObject;
use crate::{commit, staging};

const HASH: gix::hash::Kind = gix::hash::Kind::Sha1;
/// How long one who adds to the mirror waits for another.
const PATIENCE: Duration = Duration::from_secs(20);

/// A commit that has its hash.
pub(crate) fn proven(commit: ObjectId, bytes: Bytes) -> Result<NewObject, GitError> {
    let id = hash(Kind::Commit, &bytes)?;
    if id == commit {
        let kind = Kind::Commit;
        Ok(NewObject { id, kind, bytes })
    } else {
        Err(corrupt(format!("commit {commit} has the content of {id}")))
    }
}

/// Adds these files, and the commit of them. Nothing refers to it yet.
pub(crate) fn add(
    repository: &gix::Repository,
    files: &Files,
    commit: impl FnOnce(ObjectId) -> Result<NewObject, GitError>,
) -> Result<NewObject, GitError> {
    let folder = repository.git_dir().join("slipway");
    make_folder(&folder)?;
    let _lock = wait_for_lock(&folder.join("mirror"), PATIENCE)?;
    let (root, mut new) = commit::tree_of(files)?;
    let commit = commit(root)?;
    let read = CommitRef::from_bytes(&commit.bytes, HASH);
    if read.map_err(|error| of_object(&commit.id, &error))?.tree() != root {
        let message = format!("commit {} holds what Slipway does not write", commit.id);
        return Err(GitError::Refused { message });
    }
    new.push(commit.clone());
    staging::keep(repository, "mirror", new)?;
    let objects = Objects::of(repository);
    let known = |parent: &ObjectId| matches!(objects.find(parent), Ok(Some(_)));
    if !parents(&commit)?.iter().all(known) {
        cut_off(repository, commit.id)?;
    }
    Ok(commit)
}

/// The parents that a commit names.
pub(crate) fn parents(commit: &NewObject) -> Result<Vec<ObjectId>, GitError> {
    parents_in(&commit.bytes)
}

/// The parents of a commit of the mirror; none where it can't be read.
pub(crate) fn parents_of(repository: &gix::Repository, commit: ObjectId) -> Vec<ObjectId> {
    match Objects::of(repository).find(&commit) {
        Ok(Some((Kind::Commit, bytes))) => parents_in(&bytes).unwrap_or_default(),
        _ => Vec::new(),
    }
}

/// The parents that a commit with these bytes names.
pub(crate) fn parents_in(bytes: &[u8]) -> Result<Vec<ObjectId>, GitError> {
    let commit = CommitRef::from_bytes(bytes, HASH);
    let commit = commit.map_err(|error| corrupt(format!("a commit can't be read: {error}")))?;
    Ok(commit.parents().collect())
}

/// Tells Git that this repository begins with this commit.
fn cut_off(repository: &gix::Repository, commit: ObjectId) -> Result<(), GitError> {
    let path = repository.git_dir().join("shallow");
    let known = match fs::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        known => known.map_err(|error| of_file("read", &path, &error))?,
    };
    let mut lines: BTreeSet<String> = known.lines().map(str::to_owned).collect();
    if lines.insert(commit.to_string()) {
        let lines: Vec<String> = lines.into_iter().map(|line| line + "\n").collect();
        write(&path, &lines.concat())?;
    }
    Ok(())
}
