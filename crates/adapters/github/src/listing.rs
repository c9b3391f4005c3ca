//! What a commit holds: read from GitHub, and verified.

use std::collections::{BTreeMap, VecDeque};

use http::StatusCode;
use slipway_kernel::Timestamp;
use slipway_snapshots::{
    CommitSha, GitError,
    git::{FileChange, Files},
};

use crate::{
    api::{Session, unavailable},
    object::{self, Entry, Id, Person},
    wire,
};

/// The most paths of a commit that are read; those that Slipway makes have fewer.
const MAX_ENTRIES: usize = 200_000;
/// The most folders that are read one by one, where GitHub does not list all at once.
const MAX_FOLDERS: usize = 10_000;
const MAX_PATH_BYTES: usize = 4_096;

/// Every path of a commit. Its hash has been verified.
#[derive(Debug)]
pub(crate) struct Listing {
    /// Of the whole tree.
    pub(crate) tree: Id,
    /// By path.
    pub(crate) entries: BTreeMap<String, Entry>,
}

impl Listing {
    fn new(entries: BTreeMap<String, Entry>) -> Self {
        Self {
            tree: Id::of_tree(&entries),
            entries,
        }
    }

    /// Of what is to be committed.
    pub(crate) fn of_files(files: &Files) -> Self {
        Self::new(
            files
                .iter()
                .map(|(path, content)| {
                    let id = Id::of_blob(content);
                    let mode = Entry::FILE;
                    (path.clone(), Entry { mode, id })
                })
                .collect(),
        )
    }

    /// The paths with content of their own, executables and links included.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&str, Id)> {
        self.entries
            .iter()
            .filter(|(_, entry)| entry.mode != Entry::SUBMODULE)
            .map(|(path, entry)| (path.as_str(), entry.id))
    }

    /// The files that differ, by path.
    pub(crate) fn changes_to(&self, later: &Self) -> Vec<FileChange> {
        let before: BTreeMap<_, _> = self.files().collect();
        let after: BTreeMap<_, _> = later.files().collect();
        let mut changes = BTreeMap::new();
        for (path, id) in &after {
            let path = (*path).to_owned();
            match before.get(path.as_str()) {
                None => changes.insert(path.clone(), FileChange::Added(path)),
                Some(earlier) if earlier != id => {
                    changes.insert(path.clone(), FileChange::Changed(path))
                }
                Some(_) => None,
            };
        }
        for path in before.keys().filter(|path| !after.contains_key(*path)) {
            let path = (*path).to_owned();
            changes.insert(path.clone(), FileChange::Removed(path));
        }
        changes.into_values().collect()
    }
}

impl Session<'_> {
    /// What a commit holds; `None` where there is no such commit.
    pub(crate) async fn listing(self, commit: &CommitSha) -> Result<Option<Listing>, GitError> {
        let Some(found) = self.commit(commit).await? else {
            return Ok(None);
        };
        let wanted = found.tree.sha;
        let entries = self.tree(wanted).await?;
        // Computed over every name and hash, off the threads that serve others.
        let listing = blocking(move || Listing::new(entries)).await?;
        if listing.tree == wanted {
            Ok(Some(listing))
        } else {
            Err(corrupt(format!(
                "the files listed for the tree {wanted} have the hash {}",
                listing.tree
            )))
        }
    }

    /// A commit, its hash verified; `None` where there is none.
    pub(crate) async fn commit(self, sha: &CommitSha) -> Result<Option<wire::Commit>, GitError> {
        let found = self.commit_and_bytes(sha).await?;
        Ok(found.map(|(commit, _)| commit))
    }

    /// A commit, and the bytes that have its hash; `None` where there is none.
    pub(crate) async fn commit_and_bytes(
        self,
        sha: &CommitSha,
    ) -> Result<Option<(wire::Commit, String)>, GitError> {
        let answer = self.get(&format!("/git/commits/{sha}")).await?;
        match answer.status {
            StatusCode::OK => {
                let commit: wire::Commit = answer.parse()?;
                let sha = sha.clone();
                blocking(move || match bytes_with_hash(&commit, &sha) {
                    Some(bytes) => Ok(Some((commit, bytes))),
                    None => Err(corrupt(format!("the commit {sha} has another hash"))),
                })
                .await?
            }
            StatusCode::NOT_FOUND => {
                self.repository_is_there().await?;
                Ok(None)
            }
            _ if answer.is_of_empty_repository() => Ok(None),
            _ => Err(answer.refusal()),
        }
    }

    /// Every path of a tree. Nothing is verified yet but that a walk ends.
    async fn tree(self, id: Id) -> Result<BTreeMap<String, Entry>, GitError> {
        let whole = self.one_tree(id, "?recursive=1").await?;
        let mut entries = BTreeMap::new();
        if !whole.truncated {
            add(&mut entries, "", whole.entries, &mut VecDeque::new())?;
            return Ok(entries);
        }
        let mut folders = VecDeque::from([(String::new(), id)]);
        let mut count = 0;
        while let Some((prefix, id)) = folders.pop_front() {
            count += 1;
            if count > MAX_FOLDERS {
                return Err(refused(format!(
                    "the commit has more than {MAX_FOLDERS} folders; so many are not read"
                )));
            }
            let one = self.one_tree(id, "").await?;
            if one.truncated {
                return Err(refused(format!(
                    "the folder `{prefix}` has more entries than GitHub lists"
                )));
            }
            add(&mut entries, &prefix, one.entries, &mut folders)?;
        }
        Ok(entries)
    }

    async fn one_tree(self, id: Id, query: &str) -> Result<wire::Tree, GitError> {
        let answer = self.get(&format!("/git/trees/{id}{query}")).await?;
        match answer.status {
            StatusCode::OK => {
                let tree: wire::Tree = answer.parse()?;
                if tree.sha == id {
                    Ok(tree)
                } else {
                    Err(corrupt(format!(
                        "GitHub answered the tree {} where {id} was asked for",
                        tree.sha
                    )))
                }
            }
            StatusCode::NOT_FOUND => Err(corrupt(format!("the tree {id} is missing"))),
            _ => Err(answer.refusal()),
        }
    }
}

/// Adds what a tree answers. Folders are walked later where they were not listed with all within them.
fn add(
    entries: &mut BTreeMap<String, Entry>,
    prefix: &str,
    tree: Vec<wire::TreeEntry>,
    folders: &mut VecDeque<(String, Id)>,
) -> Result<(), GitError> {
    for entry in tree {
        let path = format!("{prefix}{}", entry.path);
        if !is_safe(&path) {
            let path: String = path.chars().take(100).collect();
            return Err(corrupt(format!("`{path}` is no path that Git writes")));
        }
        let mode = u32::from_str_radix(&entry.mode, 8)
            .map_err(|_| corrupt(format!("`{path}` has no mode that Git knows")))?;
        if mode == Entry::TREE {
            folders.push_back((path + "/", entry.sha));
            continue;
        }
        let id = entry.sha;
        if entries.insert(path, Entry { mode, id }).is_some() {
            return Err(corrupt("a tree names the same path twice".to_owned()));
        }
        if entries.len() > MAX_ENTRIES {
            return Err(refused(format!(
                "the commit has more than {MAX_ENTRIES} files; so many are not read"
            )));
        }
    }
    Ok(())
}

/// Whether a path stays below the folder in which somebody may write it. People push what they like.
fn is_safe(path: &str) -> bool {
    path.len() <= MAX_PATH_BYTES
        && !path.contains('\0')
        && path
            .split('/')
            .all(|part| !matches!(part, "" | "." | "..") && !part.eq_ignore_ascii_case(".git"))
}

/// The bytes of a commit that have this hash. GitHub tells everything but the time zones of author and committer and a
/// line break at the message's end, so those that give the hash are looked for; of a signed commit it tells the bytes.
fn bytes_with_hash(commit: &wire::Commit, sha: &CommitSha) -> Option<String> {
    let tree = commit.tree.sha;
    let parents: Vec<Id> = commit.parents.iter().map(|parent| parent.sha).collect();
    if let Some(wire::Verification {
        signature: Some(signature),
        payload: Some(payload),
    }) = &commit.verification
    {
        let head = object::commit_head(tree, &parents) + "author ";
        let is_of_it = payload.starts_with(&head);
        return is_of_it.then(|| signed_with_hash(payload, signature, sha))?;
    }
    let written_at = Timestamp::parse(&commit.author.date).ok()?;
    let committed_at = Timestamp::parse(&commit.committer.date).ok()?;
    let with = |author_zone, committer_zone, end| {
        let author = person(&commit.author, written_at, author_zone);
        let committer = person(&commit.committer, committed_at, committer_zone);
        let message = format!("{}{end}", commit.message);
        let body = object::commit(tree, &parents, &author, &committer, &message);
        (Id::of_commit(body.as_bytes()) == *sha).then_some(body)
    };
    // Ours first, then one zone for both, then any two.
    let ours = ["", "\n"].into_iter().find_map(|end| with(0, 0, end));
    ours.or_else(|| {
        ["\n", ""].into_iter().find_map(|end| {
            let one = zones().find_map(|zone| with(zone, zone, end));
            let two = |author| zones().find_map(move |committer| with(author, committer, end));
            one.or_else(|| zones().find_map(two))
        })
    })
}

fn person(who: &wire::Who, at: Timestamp, zone: i32) -> Person<'_> {
    Person {
        name: &who.name,
        email: &who.email,
        seconds: at.seconds_and_nanos().0,
        zone,
    }
}

/// Every zone there is, in minutes east of Greenwich.
fn zones() -> impl Iterator<Item = i32> {
    (-12 * 60..=14 * 60).step_by(15)
}

/// The bytes of a signed commit that have this hash: the signature stands between the headers and the message. Programs
/// differ in the line breaks at its end.
fn signed_with_hash(payload: &str, signature: &str, sha: &CommitSha) -> Option<String> {
    let (headers, message) = payload.split_once("\n\n")?;
    let trimmed = signature.trim_end_matches('\n');
    ["", "\n", "\n\n"].into_iter().find_map(|end| {
        let signature = format!("{trimmed}{end}").replace('\n', "\n ");
        let body = format!("{headers}\ngpgsig {signature}\n\n{message}");
        (Id::of_commit(body.as_bytes()) == *sha).then_some(body)
    })
}

/// Hashes many bytes on a thread for such work.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, GitError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| unavailable(format!("hashing ended early: {error}")))
}

pub(crate) fn corrupt(problem: String) -> GitError {
    GitError::Corrupt { problem }
}

fn refused(message: String) -> GitError {
    GitError::Refused { message }
}
