//! What a commit may hold, the same in every store.

use super::{Files, GitError, NewCommit};

/// The most files of a commit.
pub const MAX_FILES: usize = 100_000;
/// The most bytes of a file. Hosts refuse larger ones.
pub const MAX_FILE_BYTES: usize = 100_000_000;
/// The most bytes of a path; a part of it has 255 at most, as file systems want it.
pub const MAX_PATH_BYTES: usize = 1_024;
/// The most folders around a file.
pub const MAX_DEPTH: usize = 32;
/// The most bytes of a message.
pub const MAX_MESSAGE_BYTES: usize = 65_536;
/// The most bytes of an author's name or address.
pub const MAX_AUTHOR_BYTES: usize = 1_024;

const MAX_PART_BYTES: usize = 255;

impl<'a> NewCommit<'a> {
    /// Passes where every store can keep this commit; otherwise [`GitError::Refused`] says what is wrong with which
    /// value. A store asks this before it does anything.
    pub fn check(&self) -> Result<(), GitError> {
        check_files(self.files)?;
        for (what, text) in [("name", self.author.0), ("address", self.author.1)] {
            check_author(what, text)?;
        }
        if self.identity().0.is_empty() {
            return refuse("the author has no name; Git wants one".to_owned());
        }
        if self.message.len() > MAX_MESSAGE_BYTES {
            return refuse(format!(
                "the message has {} bytes; shorten it to {MAX_MESSAGE_BYTES}",
                self.message.len()
            ));
        }
        if self.message.contains('\0') {
            return refuse("the message has a NUL character; remove it".to_owned());
        }
        if self.at.micros() < 0 {
            return refuse(format!("Git has no time before 1970; {} is one", self.at));
        }
        Ok(())
    }

    /// The author's name and address as Git writes them: what it takes for crumbs at either end is cut off, as in
    /// `git commit --author`. Every store writes these, or the same commit would have two hashes.
    pub fn identity(&self) -> (&'a str, &'a str) {
        let (name, address) = self.author;
        (without_crumbs(name), without_crumbs(address))
    }
}

/// Whether a path has the shape of [`Files`].
pub fn is_path(path: &str) -> bool {
    let part = |part: &str| {
        (1..=MAX_PART_BYTES).contains(&part.len())
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
            && part != "."
            && part != ".."
            && !part.eq_ignore_ascii_case(".git")
    };
    path.len() <= MAX_PATH_BYTES
        && path.split('/').count() <= MAX_DEPTH + 1
        && path.split('/').all(part)
}

fn check_files(files: &Files) -> Result<(), GitError> {
    if files.len() > MAX_FILES {
        return refuse(format!(
            "the commit has {} files; a branch holds {MAX_FILES} at most",
            files.len()
        ));
    }
    for (path, content) in files {
        if !is_path(path) {
            let path: String = path.chars().take(100).collect();
            return refuse(format!(
                "`{path}` is no path; use folders and names of ASCII letters, digits and `. _ -`, none `.`, `..` or `.git`, {MAX_DEPTH} folders and {MAX_PATH_BYTES} bytes at most"
            ));
        }
        if content.len() > MAX_FILE_BYTES {
            return refuse(format!(
                "`{path}` has {} bytes; a file has {MAX_FILE_BYTES} at most",
                content.len()
            ));
        }
        if let Some(file) = folders(path).find(|folder| files.contains_key(*folder)) {
            return refuse(format!(
                "`{file}` is a file, and a folder for `{path}`; rename one of them"
            ));
        }
    }
    Ok(())
}

/// The folders that a path leads through, from the outermost in.
fn folders(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(end, _)| &path[..end])
}

fn check_author(what: &str, text: &str) -> Result<(), GitError> {
    if text.len() > MAX_AUTHOR_BYTES {
        return refuse(format!(
            "the author's {what} has {} bytes; shorten it to {MAX_AUTHOR_BYTES}",
            text.len()
        ));
    }
    match text
        .chars()
        .find(|c| matches!(c, '\n' | '\r' | '\0' | '<' | '>'))
    {
        None => Ok(()),
        Some(found) => refuse(format!(
            "the author's {what} has a {found:?}, which Git can't keep; remove it"
        )),
    }
}

fn without_crumbs(text: &str) -> &str {
    text.trim_matches(|c: char| c <= ' ' || matches!(c, ',' | ':' | ';' | '"' | '\\' | '\''))
}

fn refuse(message: String) -> Result<(), GitError> {
    Err(GitError::Refused { message })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        for good in ["a", "workflows/a-b_c.json", ".gitignore", "a/.b/c..d"] {
            assert!(is_path(good), "{good}");
        }
        let long = "a/".repeat(MAX_DEPTH + 1) + "a";
        for bad in [
            "", "/a", "a/", "a//b", ".", "..", "a/../b", ".git", "a/.GIT/b", "a b", "ä", "a\0",
            "a\\b", &long,
        ] {
            assert!(!is_path(bad), "{bad}");
        }
        assert!(!is_path(&"a".repeat(MAX_PART_BYTES + 1)));
    }

    #[test]
    fn crumbs_are_cut_off_at_the_ends_only() {
        assert_eq!(
            without_crumbs(" \"J. R. Hartley, Jr.\" "),
            "J. R. Hartley, Jr."
        );
        assert_eq!(without_crumbs(", '"), "");
    }
}
