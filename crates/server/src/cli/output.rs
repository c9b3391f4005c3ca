//! Where commands write to: a file, or standard output.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// The name that stands for standard input or output.
pub(super) const STANDARD_STREAM: &str = "-";

/// A file that can't be read or written.
#[derive(Debug, thiserror::Error)]
#[error("`{path}` can't be {done}")]
pub(super) struct FileFailure {
    path: PathBuf,
    done: &'static str,
    source: io::Error,
}

/// Tells which file an error is about, and what could not be `done` to it.
pub(super) fn file_failure(
    done: &'static str,
    path: &Path,
) -> impl FnOnce(io::Error) -> FileFailure {
    let path = path.to_owned();
    move |source| FileFailure { path, done, source }
}

/// A file that would be overwritten.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` exists; name another file, or replace it with --force")]
pub(super) struct Exists(PathBuf);

/// Fails where the file exists, unless it may be replaced.
pub(super) fn refuse_existing(path: &Path, replace: bool) -> Result<(), Exists> {
    // A device or a pipe is written to, not replaced.
    if !replace && path.is_file() {
        return Err(Exists(path.to_owned()));
    }
    Ok(())
}

/// Opens the file, which is emptied, or standard output for `-`.
pub(super) fn open(path: &Path) -> Result<Box<dyn Write + Send>, FileFailure> {
    if path == Path::new(STANDARD_STREAM) {
        return Ok(Box::new(BufWriter::new(io::stdout())));
    }
    let file = File::create(path).map_err(file_failure("written", path))?;
    Ok(Box::new(BufWriter::new(file)))
}

/// Whether a failure is that nobody reads what is written any more, as with `slipway … | head`.
pub(super) fn is_broken_pipe(failure: &(dyn std::error::Error + 'static)) -> bool {
    failure.downcast_ref::<FileFailure>().is_some_and(|file| {
        file.path == Path::new(STANDARD_STREAM) && file.source.kind() == io::ErrorKind::BrokenPipe
    })
}

/// Text from elsewhere on one line of a terminal: what could move the cursor or change colours is replaced.
pub(super) fn printable(text: &str) -> String {
    text.chars()
        .map(|character| match character {
            '\n' | '\r' | '\t' => ' ',
            control if control.is_control() => char::REPLACEMENT_CHARACTER,
            other => other,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_elsewhere_stays_on_its_line() {
        assert_eq!(printable("a\nb\u{1b}[2J é"), "a b\u{fffd}[2J é");
    }

    #[test]
    fn a_file_that_can_not_be_made_is_named() {
        let Err(error) = open(Path::new("no/such/directory/file")) else {
            panic!("there is no such directory");
        };
        assert!(error.to_string().contains("no/such/directory/file"));
    }
}
