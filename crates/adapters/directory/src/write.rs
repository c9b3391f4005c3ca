//! Changes files, each as a whole.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use slipway_workflows::{EngineError, WorkflowId};
use tempfile::TempPath;

use crate::place::{Place, is_absent, unavailable};

/// The name of a file that is being written. There is one per folder, because writers take turns, and one that was left
/// behind is replaced.
const ASIDE: &str = ".slipway-new";
/// How long a writer waits for the ones before it, each of which takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(2);
/// How many workflows may have the same name.
const MAX_NAMESAKES: usize = 10_000;
/// The most bytes of a file's name that is made from a workflow's.
const MAX_STEM_BYTES: usize = 100;

/// A writer's turn: it ends when this file is closed, also where the process is killed.
pub(crate) fn turn(place: &Place) -> Result<File, EngineError> {
    let root = place.root();
    let file = File::open(root).map_err(|error| unavailable("open", root, &error))?;
    let began = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(unavailable("lock", root, &error)),
            Err(TryLockError::WouldBlock) if began.elapsed() < PATIENCE => thread::sleep(PAUSE),
            Err(TryLockError::WouldBlock) => {
                return Err(EngineError::Unavailable {
                    problem: format!(
                        "another process has held the lock on {} for {} s",
                        root.display(),
                        PATIENCE.as_secs()
                    ),
                });
            }
        }
    }
}

/// Passes where files can be written.
pub(crate) fn try_out(place: &Place) -> Result<(), EngineError> {
    aside(place.root(), b"").map(drop)
}

/// Puts a document in a file's place.
pub(crate) fn replace(path: &Path, document: &[u8]) -> Result<(), EngineError> {
    let folder = folder(path);
    let aside = aside(folder, document)?;
    // Who may read and write it stays as it is.
    let mode = fs::metadata(path).map(|found| found.permissions());
    if let Ok(mode) = mode {
        fs::set_permissions(&aside, mode).map_err(|error| unavailable("write", path, &error))?;
    }
    aside
        .persist(path)
        .map_err(|error| unavailable("write", path, &error.error))?;
    settle(folder)
}

/// Puts a document in a new file, named after the workflow.
pub(crate) fn add(place: &Place, name: &str, document: &[u8]) -> Result<WorkflowId, EngineError> {
    let folder = place.root();
    let stem = safe(name);
    let mut aside = aside(folder, document)?;
    for number in 1..=MAX_NAMESAKES {
        let id = if number == 1 {
            stem.clone()
        } else {
            format!("{stem}-{number}")
        };
        let path = folder.join(format!("{id}.json"));
        match aside.persist_noclobber(&path) {
            Ok(()) => {
                settle(folder)?;
                return Ok(WorkflowId(id));
            }
            Err(taken) if taken.error.kind() == io::ErrorKind::AlreadyExists => aside = taken.path,
            Err(error) => return Err(unavailable("write", &path, &error.error)),
        }
    }
    Err(EngineError::Refused {
        message: format!("there are {MAX_NAMESAKES} workflows `{stem}` already; name it otherwise"),
    })
}

/// Removes a file; none is fine.
pub(crate) fn remove(path: &Path) -> Result<(), EngineError> {
    match fs::remove_file(path) {
        Ok(()) => settle(folder(path)),
        Err(error) if is_absent(&error) => Ok(()),
        Err(error) => Err(unavailable("remove", path, &error)),
    }
}

/// A durable file beside its final place, gone unless it is put there.
fn aside(folder: &Path, document: &[u8]) -> Result<TempPath, EngineError> {
    let path = folder.join(ASIDE);
    let written = unless_absent(fs::remove_file(&path)).and_then(|()| write_new(&path, document));
    written.map_err(|error| unavailable("write", &path, &error))
}

fn write_new(path: &Path, document: &[u8]) -> io::Result<TempPath> {
    // Never through a link that somebody put there.
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    let kept = TempPath::try_from_path(path)?;
    file.write_all(document)?;
    file.sync_all()?;
    Ok(kept)
}

/// Makes the names in a folder durable. What was done is done, and may be undone by a loss of power.
fn settle(folder: &Path) -> Result<(), EngineError> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| EngineError::Uncertain {
            problem: format!("can't make {} durable: {error}", folder.display()),
        })
}

fn unless_absent(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn folder(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}

/// A workflow's name as a file name: ASCII letters, digits and `. _ -`, with one `-` for anything else in between.
fn safe(name: &str) -> String {
    let mut safe = String::new();
    for c in name.chars() {
        if safe.len() >= MAX_STEM_BYTES {
            break;
        }
        if c.is_ascii_alphanumeric() || matches!(c, '.' | '_') {
            safe.push(c);
        } else if !safe.ends_with('-') {
            safe.push('-');
        }
    }
    let safe = safe.trim_matches(['-', '.']);
    if safe.is_empty() {
        "workflow".to_owned()
    } else {
        safe.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_safe() {
        for (name, expected) in [
            ("Sync orders", "Sync-orders"),
            ("  ../../etc/passwd ", "etc-passwd"),
            (".hidden", "hidden"),
            ("Größe → kg (v1.2)", "Gr-e-kg-v1.2"),
            ("東京", "workflow"),
            ("a--b", "a-b"),
        ] {
            assert_eq!(safe(name), expected);
        }
        assert_eq!(safe(&"x".repeat(500)).len(), MAX_STEM_BYTES);
    }
}
