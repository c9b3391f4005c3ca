//! Makes an empty bare repository. It may be broken off anywhere and begun again: `HEAD` comes last, and without it there
//! is no repository.

use std::fs;
use std::io;
use std::path::Path;

use slipway_snapshots::GitError;

use crate::durable::{make_folder, sync, write};
use crate::error::of_file;

/// What [`unless_there`] makes, and may find from an attempt that was broken off.
const OURS: [&str; 5] = [
    "config",
    "config.slipway-new",
    "HEAD.slipway-new",
    "objects",
    "refs",
];
const CONFIG: &str = "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n";
/// Until there is a branch, and `HEAD` is moved to it.
const HEAD: &str = "ref: refs/heads/main\n";

/// Makes a repository where the directory does not exist or is empty.
pub(crate) fn unless_there(path: &Path) -> Result<(), GitError> {
    if path.join("HEAD").exists() {
        return Ok(());
    }
    make_folder(path)?;
    if let Some(other) = first_of_others(path).map_err(|error| of_file("read", path, &error))? {
        return Err(GitError::Refused {
            message: format!(
                "{} is no Git repository, and not empty: it holds `{other}`; name another directory",
                path.display()
            ),
        });
    }
    for folder in [
        "objects/info",
        "objects/pack",
        "refs/heads/env",
        "refs/tags",
    ] {
        make_folder(&path.join(folder))?;
    }
    write(&path.join("config"), CONFIG)?;
    for folder in ["objects", "refs/heads", "refs", ""] {
        sync(&path.join(folder))?;
    }
    write(&path.join("HEAD"), HEAD)?;
    sync(path)?;
    path.parent()
        .filter(|above| !above.as_os_str().is_empty())
        .map_or(Ok(()), sync)
}

fn first_of_others(path: &Path) -> io::Result<Option<String>> {
    for entry in fs::read_dir(path)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !OURS.contains(&name.as_str()) {
            return Ok(Some(name));
        }
    }
    Ok(None)
}
