//! Trees as lists of files, and files as trees.

use std::collections::{BTreeMap, HashSet};

use bytes::Bytes;
use gix::ObjectId;
use gix::objs::tree::{Entry, EntryKind};
use gix::objs::{Kind, Tree, WriteTo as _};
use slipway_snapshots::git::{MAX_DEPTH, MAX_FILES, is_path};
use slipway_snapshots::{FileChange, Files, GitError};

use crate::error::unavailable;
use crate::objects::{Objects, hash};

/// An object that is to be written.
#[derive(Clone)]
pub(crate) struct NewObject {
    pub(crate) id: ObjectId,
    pub(crate) kind: Kind,
    pub(crate) bytes: Bytes,
}

/// The hashes of files' contents, by path.
type Listing = BTreeMap<String, ObjectId>;

/// Every file below a tree.
pub(crate) fn files(objects: &Objects<'_>, root: ObjectId) -> Result<Files, GitError> {
    let read = |(path, id): (String, ObjectId)| Ok((path, objects.blob(&id)?));
    list(objects, root)?.into_iter().map(read).collect()
}

/// One file below a tree.
pub(crate) fn file(
    objects: &Objects<'_>,
    root: ObjectId,
    path: &str,
) -> Result<Option<Bytes>, GitError> {
    let mut at = root;
    let mut parts = path.split('/').peekable();
    while let Some(part) = parts.next() {
        let tree = objects.tree(&at)?;
        let Some(entry) = tree.entries.iter().find(|entry| entry.filename == part) else {
            return Ok(None);
        };
        match (parts.peek(), entry.mode.kind()) {
            (Some(_), EntryKind::Tree) => at = entry.oid,
            (None, EntryKind::Blob | EntryKind::BlobExecutable) => {
                return objects.blob(&entry.oid).map(Some);
            }
            _ => return Ok(None),
        }
    }
    Ok(None)
}

/// The files that differ below two trees.
pub(crate) fn compare(
    objects: &Objects<'_>,
    earlier: ObjectId,
    later: ObjectId,
) -> Result<Vec<FileChange>, GitError> {
    let earlier_files = list(objects, earlier)?;
    let later_files = list(objects, later)?;
    let mut changes = BTreeMap::new();
    for (path, id) in &later_files {
        match earlier_files.get(path) {
            None => changes.insert(path, FileChange::Added(path.clone())),
            Some(before) if before != id => changes.insert(path, FileChange::Changed(path.clone())),
            Some(_) => None,
        };
    }
    for path in earlier_files.keys() {
        if !later_files.contains_key(path) {
            changes.insert(path, FileChange::Removed(path.clone()));
        }
    }
    Ok(changes.into_values().collect())
}

/// The hashes of all that a commit's tree holds, trees and files, whoever made it.
pub(crate) fn members(
    objects: &Objects<'_>,
    root: ObjectId,
) -> Result<HashSet<ObjectId>, GitError> {
    let mut members = HashSet::new();
    let mut waiting = vec![root];
    while let Some(id) = waiting.pop() {
        if !members.insert(id) {
            continue;
        }
        for entry in objects.tree(&id)?.entries {
            match entry.mode.kind() {
                EntryKind::Tree => waiting.push(entry.oid),
                EntryKind::Blob | EntryKind::BlobExecutable => {
                    members.insert(entry.oid);
                }
                EntryKind::Link | EntryKind::Commit => {}
            }
        }
    }
    Ok(members)
}

/// The trees that hold these files, by hash of content, the root last. Paths and contents were checked before.
pub(crate) fn build(files: &[(&str, ObjectId)]) -> Result<Vec<NewObject>, GitError> {
    let mut root = Folder::default();
    for (path, id) in files {
        let mut folder = &mut root;
        let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
        for part in folders.split('/').filter(|part| !part.is_empty()) {
            folder = folder.folders.entry(part).or_default();
        }
        folder.files.push((name, *id));
    }
    let mut trees = Vec::new();
    root.write(&mut trees)?;
    Ok(trees)
}

#[derive(Default)]
struct Folder<'a> {
    files: Vec<(&'a str, ObjectId)>,
    folders: BTreeMap<&'a str, Folder<'a>>,
}

impl Folder<'_> {
    /// As deep as paths are, which is limited.
    fn write(&self, trees: &mut Vec<NewObject>) -> Result<ObjectId, GitError> {
        let entry = |kind: EntryKind, name: &str, oid| Entry {
            mode: kind.into(),
            filename: name.into(),
            oid,
        };
        let mut entries: Vec<Entry> = Vec::with_capacity(self.files.len() + self.folders.len());
        for (name, id) in &self.files {
            entries.push(entry(EntryKind::Blob, name, *id));
        }
        for (name, folder) in &self.folders {
            entries.push(entry(EntryKind::Tree, name, folder.write(trees)?));
        }
        entries.sort();
        let mut bytes = Vec::new();
        Tree { entries }
            .write_to(&mut bytes)
            .map_err(|error| unavailable("can't encode a tree", &error))?;
        let id = hash(Kind::Tree, &bytes)?;
        trees.push(NewObject {
            id,
            kind: Kind::Tree,
            bytes: bytes.into(),
        });
        Ok(id)
    }
}

/// The files below a tree that Slipway wrote, or somebody who keeps to the same shape.
fn list(objects: &Objects<'_>, root: ObjectId) -> Result<Listing, GitError> {
    let mut files = Listing::new();
    let mut waiting = vec![(String::new(), root, 0)];
    while let Some((folder, id, depth)) = waiting.pop() {
        for entry in objects.tree(&id)?.entries {
            let path = format!("{folder}{}", entry.filename);
            match entry.mode.kind() {
                _ if !is_path(&path) => {
                    return Err(odd(&path, "a name that Slipway does not write"));
                }
                EntryKind::Tree if depth < MAX_DEPTH => {
                    waiting.push((format!("{path}/"), entry.oid, depth + 1));
                }
                EntryKind::Tree => {
                    return Err(odd(&path, "more folders around it than Slipway makes"));
                }
                EntryKind::Blob | EntryKind::BlobExecutable => {
                    files.insert(path, entry.oid);
                }
                EntryKind::Link => return Err(odd(&path, "a symbolic link in its place")),
                EntryKind::Commit => return Err(odd(&path, "a submodule in its place")),
            }
        }
        if files.len() + waiting.len() > MAX_FILES {
            return Err(GitError::Refused {
                message: format!("the commit has more than {MAX_FILES} files"),
            });
        }
    }
    Ok(files)
}

fn odd(path: &str, what: &str) -> GitError {
    let path: String = path.chars().take(100).collect();
    GitError::Refused {
        message: format!("`{path}` in the commit has {what}: somebody else committed it"),
    }
}
