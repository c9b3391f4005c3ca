//! Files and folders that outlive a loss of power, and work that is done by several threads.

use std::fs::{self, File};
use std::io::{self, Write};
use std::num::NonZero;
use std::path::Path;
use std::thread;

use slipway_snapshots::GitError;

use crate::error::{of_file, unavailable};

/// How many threads work on one commit at most. Disks make several files durable in little more time than one.
const MAX_THREADS: usize = 8;

/// Makes a file's content, or the names in a folder, durable.
pub(crate) fn sync(path: &Path) -> Result<(), GitError> {
    File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(|error| of_file("make durable", path, &error))
}

/// Makes a folder, with the ones above it.
pub(crate) fn make_folder(path: &Path) -> Result<(), GitError> {
    fs::create_dir_all(path).map_err(|error| of_file("make", path, &error))
}

/// Writes a small file that is never seen half written. Its name is durable once its folder is.
pub(crate) fn write(path: &Path, content: &str) -> Result<(), GitError> {
    let aside = path.with_extension("slipway-new");
    let written = File::create(&aside).and_then(|mut file| {
        file.write_all(content.as_bytes())?;
        file.sync_all()?;
        fs::rename(&aside, path)
    });
    written.map_err(|error| of_file("write", path, &error))
}

/// Removes a folder and what is in it; none is fine.
pub(crate) fn remove_folder(path: &Path) -> Result<(), GitError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(of_file("remove", path, &error))
        }
        _ => Ok(()),
    }
}

/// Does the same to each, several at a time, and answers in their order; the first error ends it.
pub(crate) fn each<T: Sync, R: Send>(
    items: &[T],
    work: impl Fn(&T) -> Result<R, GitError> + Sync,
) -> Result<Vec<R>, GitError> {
    let threads = thread::available_parallelism()
        .map_or(1, NonZero::get)
        .clamp(4, MAX_THREADS);
    let share = items.len().div_ceil(threads).max(1);
    if items.len() <= 1 {
        return items.iter().map(work).collect();
    }
    let work = &work;
    let shares = thread::scope(|scope| {
        let started: Vec<_> = items
            .chunks(share)
            .map(|share| {
                scope.spawn(move || share.iter().map(work).collect::<Result<Vec<R>, GitError>>())
            })
            .collect();
        started
            .into_iter()
            .map(|thread| match thread.join() {
                Ok(done) => done,
                Err(_) => Err(unavailable(
                    "the work was broken off",
                    &io::Error::other("a thread of it panicked"),
                )),
            })
            .collect::<Result<Vec<_>, GitError>>()
    })?;
    Ok(shares.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_shared_out_comes_back_in_order() {
        for count in [0_u32, 1, 2, 7, 8, 9, 100] {
            let items: Vec<u32> = (0..count).collect();
            let doubled = each(&items, |n| Ok(n * 2)).expect("done");
            assert_eq!(doubled, items.iter().map(|n| n * 2).collect::<Vec<_>>());
        }
        let fails = each(&[1, 2, 3], |n| {
            if *n == 2 {
                Err(crate::error::corrupt(n.to_string()))
            } else {
                Ok(())
            }
        });
        assert!(matches!(fails, Err(GitError::Corrupt { problem }) if problem == "2"));
    }
}
