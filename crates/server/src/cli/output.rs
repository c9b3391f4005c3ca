//! Where commands write to: a file, or standard output.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use indicatif::HumanCount;

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
    if !replace && path != Path::new(STANDARD_STREAM) && path.is_file() {
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

/// A number of things, such as `1 line` and `1,204 lines`.
pub(super) fn counted(count: u64, thing: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {thing}{plural}", HumanCount(count))
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
    fn one_is_no_plural() {
        let told = [0, 1, 1204].map(|count| counted(count, "line"));
        assert_eq!(told, ["0 lines", "1 line", "1,204 lines"]);
    }

    #[test]
    fn a_file_is_replaced_only_where_that_is_wanted() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let refused = refuse_existing(file.path(), false).unwrap_err();
        assert!(refused.to_string().contains("--force"), "{refused}");
        assert!(refuse_existing(file.path(), true).is_ok());
        for fine in ["-", "/dev/null", "no/such/file"] {
            assert!(refuse_existing(Path::new(fine), false).is_ok(), "{fine}");
        }
    }

    #[test]
    fn a_file_that_can_not_be_made_is_named() {
        let Err(error) = open(Path::new("no/such/directory/file")) else {
            panic!("there is no such directory");
        };
        assert!(error.to_string().contains("no/such/directory/file"));
    }
}
