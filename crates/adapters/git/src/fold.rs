//! Puts objects that were kept one by one into a pack, once there are thousands: file systems and clones are slow with
//! very many small files. Every object is kept, also one that nothing refers to: a commit may just be about to.

use std::fs;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use gix::ObjectId;
use gix::odb::loose;
use slipway_snapshots::GitError;

use crate::branch::wait_for_lock;
use crate::durable::make_folder;
use crate::error::of_file;
use crate::objects::hash;
use crate::staging::Staging;
use crate::tree::NewObject;

/// Objects are spread over 256 folders by hash: so many in one of them are about 4,096 in all.
const DUE_IN_ONE_FOLDER: usize = 16;
/// How many objects and bytes are put into a pack at once; what is beyond waits for the next time.
const MAX_OBJECTS: usize = 20_000;
const MAX_BYTES: usize = 64_000_000;
/// Larger ones stay as they are.
const MAX_OBJECT_BYTES: u64 = 4_000_000;

/// Packs where it is due, judging by the folder that this object is in. What fails makes no commit undone: it is told in
/// the log, and tried again.
pub(crate) fn when_due(repository: &gix::Repository, id: &ObjectId) {
    let objects = repository.objects.store_ref().path();
    let is_due = loose::Store::at(objects, id.kind())
        .object_path(id)
        .parent()
        .and_then(|folder| fs::read_dir(folder).ok())
        .is_some_and(|entries| entries.count() >= DUE_IN_ONE_FOLDER);
    if is_due && let Err(error) = fold(repository.git_dir(), objects) {
        tracing::warn!(%error, "single objects can't be put into a pack");
    }
}

/// Packs what is there now. Where another process is at it, that one does.
pub(crate) fn fold(git_dir: &Path, objects: &Path) -> Result<(), GitError> {
    let folder = git_dir.join("slipway");
    make_folder(&folder)?;
    let Ok(_lock) = wait_for_lock(&folder.join("fold"), Duration::ZERO) else {
        return Ok(());
    };
    let store = loose::Store::at(objects, gix::hash::Kind::Sha1);
    let single = read(&store);
    if single.is_empty() {
        return Ok(());
    }
    Staging::begin(objects, "fold")?.pack(&single)?;
    for object in &single {
        let path = store.object_path(&object.id);
        fs::remove_file(&path).map_err(|error| of_file("remove", &path, &error))?;
    }
    Ok(())
}

/// The objects that are whole and not too large. A damaged one stays where it is.
fn read(store: &loose::Store) -> Vec<NewObject> {
    let (mut single, mut bytes) = (Vec::new(), 0);
    for id in store.iter().flatten() {
        let is_small = store
            .try_header(&id)
            .is_ok_and(|header| header.is_some_and(|(size, _)| size <= MAX_OBJECT_BYTES));
        if !is_small {
            continue;
        }
        let mut buffer = Vec::new();
        let Ok(Some(found)) = store.try_find(&id, &mut buffer) else {
            continue;
        };
        let kind = found.kind;
        if hash(kind, found.data).is_ok_and(|actual| actual == id) {
            bytes += buffer.len();
            single.push(NewObject {
                id,
                kind,
                bytes: Bytes::from(buffer),
            });
        }
        if single.len() >= MAX_OBJECTS || bytes >= MAX_BYTES {
            break;
        }
    }
    single
}
