//! Git's objects: their bytes, and the hashes over these.

use std::{collections::BTreeMap, fmt, fmt::Write as _, str::FromStr};

use serde::{Deserialize, Serialize};
use sha1::{Digest, Sha1};
use slipway_snapshots::CommitSha;

/// The SHA-1 of an object.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Id([u8; 20]);

impl Id {
    fn of(kind: &str, body: &[u8]) -> Self {
        let mut hash = Sha1::new();
        hash.update(format!("{kind} {}\0", body.len()));
        hash.update(body);
        Self(hash.finalize().into())
    }

    /// Of a file's content.
    pub(crate) fn of_blob(content: &[u8]) -> Self {
        Self::of("blob", content)
    }

    /// Of a tree with these files, and of the trees within it.
    pub(crate) fn of_tree(entries: &BTreeMap<String, Entry>) -> Self {
        let entries: Vec<_> = entries
            .iter()
            .map(|(path, entry)| (path.as_str(), *entry))
            .collect();
        folder(&entries, 0)
    }

    /// Of a commit, from its bytes.
    pub(crate) fn of_commit(body: &[u8]) -> Self {
        Self::of("commit", body)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is not 40 hexadecimal digits.
#[derive(Debug, thiserror::Error)]
#[error("`{given}` is not an object's hash")]
pub(crate) struct IdError {
    given: String,
}

impl FromStr for Id {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let mut bytes = [0; 20];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| IdError {
            given: text.chars().take(64).collect(),
        })?;
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for Id {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<Id> for String {
    fn from(id: Id) -> Self {
        id.to_string()
    }
}

impl PartialEq<CommitSha> for Id {
    fn eq(&self, other: &CommitSha) -> bool {
        self.to_string() == other.as_str()
    }
}

/// What a tree says of one path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Git's file mode.
    pub(crate) mode: u32,
    /// Of its content; of a commit elsewhere where the mode is [`Entry::SUBMODULE`].
    pub(crate) id: Id,
}

impl Entry {
    /// A regular file: the only mode that Slipway writes.
    pub(crate) const FILE: u32 = 0o100_644;
    /// A folder.
    pub(crate) const TREE: u32 = 0o040_000;
    /// A reference to a commit of another repository.
    pub(crate) const SUBMODULE: u32 = 0o160_000;
}

/// The hash of the folder that these entries share, whose name takes `skip` bytes of each path. They are in the order
/// of their paths; Git sorts a folder as if its name ended in `/`, which is the same order.
fn folder(entries: &[(&str, Entry)], skip: usize) -> Id {
    let mut body = Vec::new();
    let mut rest = entries;
    while let Some((path, entry)) = rest.first() {
        let name = &path[skip..];
        let Some(end) = name.find('/') else {
            write_entry(&mut body, entry.mode, name, entry.id);
            rest = &rest[1..];
            continue;
        };
        let prefix = &path[..=skip + end];
        let count = rest
            .iter()
            .take_while(|(path, _)| path.starts_with(prefix))
            .count();
        let id = folder(&rest[..count], prefix.len());
        write_entry(&mut body, Entry::TREE, &name[..end], id);
        rest = &rest[count..];
    }
    Id::of("tree", &body)
}

fn write_entry(body: &mut Vec<u8>, mode: u32, name: &str, id: Id) {
    body.extend_from_slice(format!("{mode:o} {name}\0").as_bytes());
    body.extend_from_slice(&id.0);
}

/// Who did something, and when: seconds since 1970 and minutes east of Greenwich.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Person<'a> {
    pub(crate) name: &'a str,
    pub(crate) email: &'a str,
    pub(crate) seconds: i64,
    pub(crate) zone: i32,
}

impl fmt::Display for Person<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.zone < 0 { '-' } else { '+' };
        let (hours, minutes) = (self.zone.abs() / 60, self.zone.abs() % 60);
        write!(
            f,
            "{} <{}> {} {sign}{hours:02}{minutes:02}",
            self.name, self.email, self.seconds
        )
    }
}

/// A commit's headers up to the author, which say what it holds and what it follows.
pub(crate) fn commit_head(tree: Id, parents: &[Id]) -> String {
    let mut head = format!("tree {tree}\n");
    for parent in parents {
        // Writing to a String can't fail.
        let _ = writeln!(head, "parent {parent}");
    }
    head
}

/// The bytes of a commit.
pub(crate) fn commit(
    tree: Id,
    parents: &[Id],
    author: &Person<'_>,
    committer: &Person<'_>,
    message: &str,
) -> String {
    let head = commit_head(tree, parents);
    format!("{head}author {author}\ncommitter {committer}\n\n{message}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_empty_objects_have_their_well_known_hashes() {
        assert_eq!(
            Id::of_blob(b"").to_string(),
            "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
        );
        assert_eq!(
            Id::of_tree(&BTreeMap::new()).to_string(),
            "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
        );
    }

    #[test]
    fn west_of_greenwich_is_negative() {
        let person = Person {
            name: "Ada",
            email: "ada@example.com",
            seconds: 1,
            zone: -(3 * 60 + 30),
        };
        assert_eq!(person.to_string(), "Ada <ada@example.com> 1 -0330");
    }
}
