//! Turns pages that come newest first into lines that are written oldest first, in the memory of one page.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

use serde::Serialize;

/// Pages on disk, in a file without a name that vanishes with the process.
pub(super) struct Spool {
    file: File,
    /// The length of each page, in bytes.
    pages: Vec<u64>,
}

impl Spool {
    /// An empty spool in the directory for temporary files.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            file: tempfile::tempfile()?,
            pages: Vec::new(),
        })
    }

    /// Adds a page, one JSON object a line, that precedes all pages so far. Its lines are given newest first.
    pub(super) fn push(&mut self, newest_first: &[impl Serialize]) -> io::Result<()> {
        let mut page = Vec::new();
        for line in newest_first.iter().rev() {
            serde_json::to_writer(&mut page, line)?;
            page.push(b'\n');
        }
        self.file.write_all(&page)?;
        self.pages.push(page.len() as u64);
        Ok(())
    }

    /// Writes all lines, oldest first.
    pub(super) fn write_to(mut self, out: &mut impl Write) -> io::Result<()> {
        let mut end = self.file.stream_position()?;
        for length in self.pages.iter().rev() {
            end -= length;
            self.file.seek(SeekFrom::Start(end))?;
            let copied = io::copy(&mut (&self.file).take(*length), out)?;
            if copied != *length {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_comes_last() {
        let mut spool = Spool::new().unwrap();
        spool.push(&["nine", "eight", "seven"]).unwrap();
        spool.push(&[] as &[&str]).unwrap();
        spool.push(&["six"]).unwrap();
        spool.push(&["five", "four"]).unwrap();
        let mut written = Vec::new();
        spool.write_to(&mut written).unwrap();
        let expected = "\"four\"\n\"five\"\n\"six\"\n\"seven\"\n\"eight\"\n\"nine\"\n";
        assert_eq!(String::from_utf8(written).unwrap(), expected);
    }

    #[test]
    fn nothing_is_nothing() {
        let mut written = Vec::new();
        Spool::new().unwrap().write_to(&mut written).unwrap();
        assert!(written.is_empty());
    }
}
