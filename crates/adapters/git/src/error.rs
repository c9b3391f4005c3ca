//! Words for what went wrong below.

use std::error::Error;
use std::io;
use std::path::Path;

use slipway_snapshots::GitError;

/// The disk, the rights to it, or a lock.
pub(crate) fn unavailable(what: &str, error: &dyn Error) -> GitError {
    GitError::Unavailable {
        problem: format!("{what}: {error}"),
    }
}

/// The disk, or the rights to this file or folder.
pub(crate) fn of_file(what: &str, path: &Path, error: &io::Error) -> GitError {
    unavailable(&format!("can't {what} {}", path.display()), error)
}

/// The library's errors say what was tried, and their causes why.
pub(crate) fn of_gix(what: &str, error: &gix::Error) -> GitError {
    GitError::Unavailable {
        problem: told(what, error),
    }
}

/// Whether a repository is of another kind or only out of reach now.
pub(crate) fn of_opening(path: &Path, error: &gix::Error) -> GitError {
    let told = told(&format!("can't open {}", path.display()), error);
    if error.iter_errors().any(is_out_of_reach) {
        GitError::Unavailable { problem: told }
    } else {
        GitError::Refused { message: told }
    }
}

/// Whether an object is damaged or only out of reach now.
pub(crate) fn of_object(id: &gix::oid, error: &gix::Error) -> GitError {
    let problem = told(&format!("object {id}"), error);
    if error.iter_errors().any(is_out_of_reach) {
        GitError::Unavailable { problem }
    } else {
        GitError::Corrupt { problem }
    }
}

pub(crate) fn corrupt(problem: String) -> GitError {
    GitError::Corrupt { problem }
}

/// What the disk or the system refused; a decoder tells of bad bytes by the other kinds.
fn is_out_of_reach(error: &(dyn Error + 'static)) -> bool {
    use io::ErrorKind::{InvalidData, InvalidInput, Other, UnexpectedEof};
    error.downcast_ref::<io::Error>().is_some_and(|error| {
        !matches!(
            error.kind(),
            InvalidData | InvalidInput | Other | UnexpectedEof
        )
    })
}

fn told(what: &str, error: &gix::Error) -> String {
    let mut told = what.to_owned();
    for cause in error.iter_errors() {
        let cause = cause.to_string();
        if !told.contains(&cause) {
            told = format!("{told}: {cause}");
        }
    }
    told.chars().take(1_000).collect()
}
