//! Where workflows lie: ids and paths, what is listed and what is read.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use slipway_workflows::workflow::MAX_BYTES;
use slipway_workflows::{EngineError, WorkflowId};

use crate::{MAX_DEPTH, MAX_WORKFLOWS};

const EXTENSION: &str = ".json";
/// The most bytes of a file's or folder's name, as file systems have it.
const MAX_NAME_BYTES: usize = 255;

/// A directory that is there.
pub(crate) struct Place {
    /// Without links.
    root: PathBuf,
}

/// What a workflow's file holds.
pub(crate) enum Read {
    Document(Vec<u8>),
    /// More than a workflow may have; so many bytes.
    TooLarge(usize),
}

impl Place {
    pub(crate) fn open(root: &Path) -> Result<Self, EngineError> {
        let mend = "create it, or name another one with UpdateEnvironment";
        let found = root
            .canonicalize()
            .map_err(|error| EngineError::Unavailable {
                problem: format!(
                    "can't find the directory {}: {error}; {mend}",
                    root.display()
                ),
            })?;
        if found.is_dir() {
            Ok(Self { root: found })
        } else {
            Err(EngineError::Unavailable {
                problem: format!("{} is not a directory; {mend}", root.display()),
            })
        }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The file that an id stands for, whether it is there or not. Links among its folders are refused.
    pub(crate) fn path(&self, id: &WorkflowId) -> Result<PathBuf, EngineError> {
        let parts: Vec<&str> = id.0.split('/').collect();
        let is_ours = parts.len() <= MAX_DEPTH + 1
            && parts.iter().all(|part| is_name(part))
            && file_name(id).len() + EXTENSION.len() <= MAX_NAME_BYTES;
        if !is_ours {
            return Err(EngineError::Refused {
                message: format!(
                    "`{}` is no workflow of a directory; expected a file's path in it without `{EXTENSION}`",
                    shortened(&id.0)
                ),
            });
        }
        let (name, folders) = parts.split_last().unwrap_or((&"", &[]));
        let mut path = self.root.clone();
        for folder in folders {
            path.push(folder);
            if path.is_symlink() {
                return Err(EngineError::Refused {
                    message: format!(
                        "{} is a link; folders are not entered by links",
                        path.display()
                    ),
                });
            }
        }
        path.push(format!("{name}{EXTENSION}"));
        Ok(path)
    }

    /// The ids of all workflows, in order.
    pub(crate) fn ids(&self) -> Result<Vec<WorkflowId>, EngineError> {
        let mut ids = Vec::new();
        let mut waiting = vec![(String::new(), self.root.clone(), 0)];
        while let Some((prefix, folder, depth)) = waiting.pop() {
            for entry in list(&folder)? {
                let path = entry.path();
                let name = entry.file_name();
                let Some(name) = name.to_str().filter(|name| !has_control(name)) else {
                    return Err(rename(&path));
                };
                if name.starts_with('.') {
                    continue;
                }
                let kind = entry
                    .file_type()
                    .map_err(|error| unavailable("read", &path, &error))?;
                if kind.is_dir() {
                    if depth == MAX_DEPTH {
                        return Err(EngineError::Refused {
                            message: format!(
                                "{} is more than {MAX_DEPTH} folders deep; move it up",
                                path.display()
                            ),
                        });
                    }
                    waiting.push((format!("{prefix}{name}/"), path, depth + 1));
                } else if let Some(stem) = name.strip_suffix(EXTENSION)
                    && (kind.is_file() || self.resolve(&path)?.is_some())
                {
                    ids.push(WorkflowId(format!("{prefix}{stem}")));
                }
            }
            if ids.len() > MAX_WORKFLOWS {
                return Err(EngineError::Refused {
                    message: format!(
                        "{} has more than {MAX_WORKFLOWS} workflows",
                        self.root.display()
                    ),
                });
            }
        }
        ids.sort();
        Ok(ids)
    }

    /// What a workflow's file holds; `None` where there is none, or none inside of the directory.
    pub(crate) fn read(&self, id: &WorkflowId) -> Result<Option<Read>, EngineError> {
        let path = self.path(id)?;
        let Some(file) = self.resolve(&path)? else {
            return Ok(None);
        };
        let read = File::open(&file).and_then(|file| {
            let mut bytes = Vec::new();
            let length = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
            file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
            if bytes.len() > MAX_BYTES {
                Ok(Read::TooLarge(length.max(bytes.len())))
            } else {
                Ok(Read::Document(bytes))
            }
        });
        match read {
            Ok(read) => Ok(Some(read)),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(unavailable("read", &path, &error)),
        }
    }

    /// The regular file inside of the directory that a path leads to.
    fn resolve(&self, path: &Path) -> Result<Option<PathBuf>, EngineError> {
        let found = path
            .canonicalize()
            .and_then(|found| Ok((fs::metadata(&found)?.is_file(), found)));
        match found {
            Ok((is_file, found)) => Ok((is_file && found.starts_with(&self.root)).then_some(found)),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(unavailable("read", path, &error)),
        }
    }
}

/// A workflow's file name without `.json`.
pub(crate) fn file_name(id: &WorkflowId) -> &str {
    id.0.rsplit('/').next().unwrap_or(&id.0)
}

/// Whether a path leads nowhere, be it in a circle.
pub(crate) fn is_absent(error: &io::Error) -> bool {
    // A circle of links has a kind of its own, which has no stable name yet; `ELOOP` is what systems say.
    const ELOOP: [i32; 2] = [40, 62];
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::InvalidFilename
    ) || error
        .raw_os_error()
        .is_some_and(|code| ELOOP.contains(&code))
}

pub(crate) fn unavailable(what: &str, path: &Path, error: &io::Error) -> EngineError {
    EngineError::Unavailable {
        problem: format!("can't {what} {}: {error}", path.display()),
    }
}

fn list(folder: &Path) -> Result<Vec<fs::DirEntry>, EngineError> {
    let listed = fs::read_dir(folder).and_then(|entries| {
        // One more than fits shows that there are too many.
        entries.take(MAX_WORKFLOWS * 2).collect()
    });
    match listed {
        Ok(entries) => Ok(entries),
        Err(error) => Err(unavailable("list", folder, &error)),
    }
}

fn is_name(name: &str) -> bool {
    (1..=MAX_NAME_BYTES).contains(&name.len()) && !name.starts_with('.') && !has_control(name)
}

fn has_control(name: &str) -> bool {
    name.contains(char::is_control)
}

fn rename(path: &Path) -> EngineError {
    EngineError::Refused {
        message: format!(
            "the name {:?} is not UTF-8, or has control characters; rename it",
            shortened(&path.to_string_lossy())
        ),
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(200).collect()
}
