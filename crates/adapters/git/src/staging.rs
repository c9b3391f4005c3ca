//! Writes new objects so that none is seen before it is durable.

use std::collections::BTreeSet;
use std::fs::{self, File, Permissions};
use std::io::{BufReader, BufWriter, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use gix::ObjectId;
use gix::objs::{Data, Write as _};
use gix::odb::loose;
use gix::progress::Discard;
use gix::zlib::Compression;
use gix_pack::Bundle;
use gix_pack::data::{Version, output};
use slipway_snapshots::GitError;

use crate::durable::{each, make_folder, remove_folder, sync};
use crate::error::{of_file, of_gix};
use crate::objects::Objects;
use crate::tree::NewObject;

const HASH: gix::hash::Kind = gix::hash::Kind::Sha1;
/// More new objects than these become one pack: two files to make durable rather than hundreds.
const MOST_ONE_BY_ONE: usize = 64;
/// How many objects are compressed before they are written to the pack.
const AT_ONCE: usize = 256;

/// Keeps objects, durably, that are not there yet. The caller has a lock of this name, as which the folder is named.
pub(crate) fn keep(
    repository: &gix::Repository,
    name: &str,
    new: Vec<NewObject>,
) -> Result<(), GitError> {
    let folder = repository.objects.store_ref().path().to_owned();
    let (there, missing) = split(&Objects::of(repository), new);
    let loose = loose::Store::at(&folder, HASH);
    // Whoever wrote them may not have waited until they were durable.
    let there: Vec<PathBuf> = there
        .iter()
        .map(|id| loose.object_path(id))
        .filter(|path| path.exists())
        .collect();
    each(&there, |path| sync(path))?;
    let staging = Staging::begin(&folder, name)?;
    let mut touched: BTreeSet<PathBuf> = there.iter().filter_map(|path| above(path)).collect();
    if missing.len() > MOST_ONE_BY_ONE {
        staging.pack(&missing)?;
    } else {
        touched.extend(staging.one_by_one(&missing)?);
    }
    let touched: Vec<PathBuf> = touched.into_iter().collect();
    each(&touched, |folder| sync(folder)).map(drop)
}

/// The ones that are there already, and whole; and the others, once each.
fn split(objects: &Objects<'_>, new: Vec<NewObject>) -> (Vec<ObjectId>, Vec<NewObject>) {
    let (mut there, mut missing) = (BTreeSet::new(), Vec::new());
    let mut seen = BTreeSet::new();
    for object in new {
        if !seen.insert(object.id) {
            continue;
        }
        // What is damaged is written anew.
        if matches!(objects.find(&object.id), Ok(Some(_))) {
            there.insert(object.id);
        } else {
            missing.push(object);
        }
    }
    (there.into_iter().collect(), missing)
}

/// A folder among the objects that nobody looks into, gone when this value is.
pub(crate) struct Staging<'f> {
    objects: &'f Path,
    folder: PathBuf,
}

impl<'f> Staging<'f> {
    /// Git removes folders of such names that are left for weeks; the next commit to the branch does so at once.
    pub(crate) fn begin(objects: &'f Path, name: &str) -> Result<Self, GitError> {
        let folder = objects.join(format!("tmp_objdir-slipway-{name}"));
        remove_folder(&folder)?;
        make_folder(&folder)?;
        Ok(Self { objects, folder })
    }

    /// Keeps each as a file of its own, and answers with the folders whose names are to be made durable.
    fn one_by_one(&self, new: &[NewObject]) -> Result<BTreeSet<PathBuf>, GitError> {
        let store = loose::Store::at(&self.folder, HASH);
        each(new, |object| {
            let id = store
                .write_buf(object.kind, &object.bytes)
                .map_err(|error| of_gix("can't write an object", &error))?;
            sync(&store.object_path(&id))
        })?;
        let final_store = loose::Store::at(self.objects, HASH);
        let mut touched = BTreeSet::new();
        for object in new {
            let to = final_store.object_path(&object.id);
            if let Some(folder) = above(&to) {
                if !folder.exists() {
                    make_folder(&folder)?;
                    touched.insert(self.objects.to_owned());
                }
                touched.insert(folder);
            }
            rename(&store.object_path(&object.id), &to)?;
        }
        Ok(touched)
    }

    /// Keeps all in one pack, durably.
    pub(crate) fn pack(&self, new: &[NewObject]) -> Result<(), GitError> {
        let stream = self.folder.join("stream");
        write_stream(&stream, new)?;
        let read = File::open(&stream).map_err(|error| of_file("read", &stream, &error))?;
        let written = Bundle::write_to_directory(
            &mut BufReader::new(read),
            Some(&self.folder),
            &mut Discard,
            &AtomicBool::new(false),
            None::<gix::objs::find::Never>,
            HASH,
            gix_pack::bundle::write::Options::default(),
        )
        .map_err(|error| of_gix("can't write a pack", &error))?;
        let folder = self.objects.join("pack");
        make_folder(&folder)?;
        // The index comes last: a pack without one is not looked into.
        for from in [written.data_path, written.index_path]
            .into_iter()
            .flatten()
        {
            fs::set_permissions(&from, Permissions::from_mode(0o444))
                .map_err(|error| of_file("protect", &from, &error))?;
            sync(&from)?;
            rename(&from, &folder.join(from.file_name().unwrap_or_default()))?;
        }
        sync(&folder)?;
        sync(self.objects)
    }
}

impl Drop for Staging<'_> {
    fn drop(&mut self) {
        if let Err(error) = remove_folder(&self.folder) {
            tracing::warn!(%error, "a folder was left behind");
        }
    }
}

/// Writes objects in the form in which packs travel.
fn write_stream(path: &Path, new: &[NewObject]) -> Result<(), GitError> {
    let file = File::create(path).map_err(|error| of_file("write", path, &error))?;
    let count = u32::try_from(new.len()).unwrap_or(u32::MAX);
    let mut failed = None;
    let chunks = new
        .chunks(AT_ONCE)
        .map_while(|chunk| match each(chunk, compress) {
            Ok(entries) => Some(Ok(entries)),
            Err(error) => {
                failed = Some(error);
                None
            }
        });
    let mut writer =
        output::bytes::FromEntriesIter::new(chunks, BufWriter::new(file), count, Version::V2, HASH);
    let written = writer
        .by_ref()
        .try_for_each(|bytes| bytes.map(drop))
        .map_err(|error| of_gix("can't write a pack", &error));
    let flushed = writer.into_write().flush();
    failed.map_or(written, Err)?;
    flushed.map_err(|error| of_file("write", path, &error))
}

fn compress(object: &NewObject) -> Result<output::Entry, GitError> {
    let data = Data::new(&object.bytes, object.kind, HASH);
    let count = output::Count::from_data(object.id, None);
    output::Entry::from_data(&count, &data, Compression::BEST_SPEED)
        .map_err(|error| of_gix("can't compress an object", &error))
}

fn rename(from: &Path, to: &Path) -> Result<(), GitError> {
    fs::rename(from, to).map_err(|error| of_file("write", to, &error))
}

fn above(path: &Path) -> Option<PathBuf> {
    path.parent().map(Path::to_owned)
}
