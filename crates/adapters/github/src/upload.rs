//! The steps of a commit.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use http::{Method, StatusCode};
use slipway_kernel::{Slug, Timestamp};
use slipway_snapshots::{
    CommitSha, GitError,
    git::{Files, NewCommit},
};

use crate::{
    api::{ATTEMPTS, Outcome, Session, pause_before, unavailable},
    listing::{Listing, corrupt},
    object::{self, Entry, Id, Person},
    wire::{self, NewEntry, What},
};

/// Text up to this size goes along with the tree instead of in a request of its own. GitHub allows some 80 requests a
/// minute that make content, and 500 an hour: a first snapshot of 1,000 files would take two hours.
const MAX_INLINE_BYTES: usize = 1 << 20;
/// The most text, and the most files of it, in one request for a tree.
const MAX_BATCH_BYTES: usize = 4 << 20;
const MAX_BATCH_TEXTS: usize = 100;
/// The most paths in one request for a tree, whatever they hold.
const MAX_BATCH_PATHS: usize = 1_000;
/// How many files are uploaded at a time.
const PARALLEL_UPLOADS: usize = 4;
/// How many commits somebody may have added to ours before we look whether it is there.
const MAX_STEPS_BACK: usize = 20;

/// What GitHub says of a branch.
#[derive(Debug)]
pub(crate) enum Head {
    Commit(CommitSha),
    Nothing,
    /// There is nothing at all yet, and GitHub takes no objects.
    EmptyRepository,
}

impl Head {
    pub(crate) fn into_commit(self) -> Option<CommitSha> {
        match self {
            Self::Commit(sha) => Some(sha),
            Self::Nothing | Self::EmptyRepository => None,
        }
    }
}

/// A slug has nothing in it that an address or a ref gives a meaning to.
fn branch(environment: &Slug) -> String {
    format!("heads/env/{environment}")
}

impl Session<'_> {
    /// What the environment's branch points to.
    pub(crate) async fn head(self, environment: &Slug) -> Result<Head, GitError> {
        let branch = branch(environment);
        let answer = self.get(&format!("/git/ref/{branch}")).await?;
        match answer.status {
            StatusCode::OK => {
                let target = answer.parse::<wire::Ref>()?.object;
                if target.kind != "commit" {
                    return Err(corrupt(format!(
                        "{branch} points to a {} instead of a commit",
                        target.kind
                    )));
                }
                Ok(Head::Commit(commit_sha(target.sha)?))
            }
            StatusCode::NOT_FOUND => {
                self.repository_is_there().await?;
                Ok(Head::Nothing)
            }
            _ if answer.is_of_empty_repository() => Ok(Head::EmptyRepository),
            _ => Err(answer.refusal()),
        }
    }

    /// Gives an empty repository a first commit, on its default branch: GitHub takes objects only afterwards. Where
    /// somebody else was faster, that does as well.
    pub(crate) async fn begin_repository(self, new: &NewCommit<'_>) -> Result<(), GitError> {
        const README: &str = "# Snapshots\n\nSlipway keeps what each environment looks like here, on a branch for each: \
            `env/production`, for instance. This branch is not used.\n";
        let date = date(new.at)?;
        let who = signed(new, &date);
        let body = wire::NewContent {
            message: "Begin the repository",
            content: STANDARD.encode(README),
            author: who,
            committer: who,
        };
        let mut said = None;
        for attempt in 0..ATTEMPTS {
            pause_before(attempt).await;
            match self
                .once(&Method::PUT, "/contents/README.md", Some(&body))
                .await?
            {
                Outcome::Answered(answer) if answer.status.is_success() => return Ok(()),
                Outcome::Answered(answer) => said = Some(answer),
                Outcome::Lost(problem) => {
                    if attempt + 1 == ATTEMPTS {
                        return Err(unavailable(problem));
                    }
                }
            }
            if !matches!(self.head(new.environment).await?, Head::EmptyRepository) {
                return Ok(());
            }
            if let Some(answer) = said.take() {
                return Err(self.refusal_of_write(&answer).await);
            }
        }
        Ok(())
    }

    /// Makes the wanted tree upon the parent's, and whatever it holds that is not there yet.
    pub(crate) async fn upload(
        self,
        files: &Files,
        base: Option<&Listing>,
        wanted: &Listing,
    ) -> Result<(), GitError> {
        // Everybody has the empty tree, and GitHub makes none.
        if wanted.entries.is_empty() {
            return Ok(());
        }
        let plan = Plan::new(files, base, wanted);
        let uploads: Vec<_> = plan
            .blobs
            .iter()
            .map(|(id, content)| self.blob_of(*id, content))
            .collect();
        stream::iter(uploads)
            .buffer_unordered(PARALLEL_UPLOADS)
            .try_collect::<()>()
            .await?;
        let mut tree = plan.base_tree;
        for batch in batches(&plan.entries) {
            let body = wire::NewTree {
                base_tree: tree,
                tree: batch,
            };
            let made: wire::Made = self.make("/git/trees", &body).await?.parse()?;
            tree = Some(made.sha);
        }
        if tree == Some(wanted.tree) {
            Ok(())
        } else {
            let made = tree.map_or("nothing".to_owned(), |tree| tree.to_string());
            Err(corrupt(format!(
                "GitHub made the tree {made} of what has the hash {}",
                wanted.tree
            )))
        }
    }

    async fn blob_of(self, id: Id, content: &Bytes) -> Result<(), GitError> {
        let body = wire::NewBlob {
            content: STANDARD.encode(content),
            encoding: "base64",
        };
        let made: wire::Made = self.make("/git/blobs", &body).await?.parse()?;
        if made.sha == id {
            Ok(())
        } else {
            Err(corrupt(format!(
                "GitHub made the blob {} of what has the hash {id}",
                made.sha
            )))
        }
    }

    /// Makes the commit, which nobody sees yet.
    pub(crate) async fn make_commit(
        self,
        new: &NewCommit<'_>,
        tree: Id,
    ) -> Result<CommitSha, GitError> {
        let parents: Vec<Id> = new.parent.map(id_of).transpose()?.into_iter().collect();
        let (name, email) = new.identity();
        let person = Person {
            name,
            email,
            seconds: new.at.seconds_and_nanos().0,
            zone: 0,
        };
        let bytes = object::commit(tree, &parents, &person, &person, new.message);
        let expected = Id::of_commit(bytes.as_bytes());
        let date = date(new.at)?;
        let who = signed(new, &date);
        let body = wire::NewCommit {
            message: new.message,
            tree,
            parents: &parents,
            author: who,
            committer: who,
        };
        let made: wire::Made = self.make("/git/commits", &body).await?.parse()?;
        if made.sha == expected {
            commit_sha(expected)
        } else {
            Err(corrupt(format!(
                "GitHub made the commit {} of what has the hash {expected}",
                made.sha
            )))
        }
    }

    /// Lets the branch point to the new commit. Nothing but GitHub's word that it does counts as success; after
    /// anything else the branch itself is asked.
    pub(crate) async fn point(self, new: &NewCommit<'_>, sha: &CommitSha) -> Result<(), GitError> {
        let mut problem = String::new();
        for attempt in 0..ATTEMPTS {
            pause_before(attempt).await;
            let outcome = self.try_to_point(new, sha).await?;
            if let Outcome::Answered(answer) = &outcome
                && answer.status.is_success()
                && answer
                    .parse::<wire::Ref>()
                    .is_ok_and(|moved| moved.object.sha == *sha)
            {
                return Ok(());
            }
            let found = self.head(new.environment).await?.into_commit();
            match (&found, outcome) {
                (found, Outcome::Answered(answer)) if found.as_ref() == new.parent => {
                    return Err(self.refusal_of_write(&answer).await);
                }
                (found, Outcome::Lost(why)) if found.as_ref() == new.parent => problem = why,
                (Some(at), _) if self.leads_to(at, sha, new.parent).await? => return Ok(()),
                _ => return Err(GitError::Moved { found }),
            }
        }
        Err(unavailable(format!(
            "{problem} ({ATTEMPTS} times); whether {sha} was committed, the branch tells"
        )))
    }

    async fn try_to_point(self, new: &NewCommit<'_>, sha: &CommitSha) -> Result<Outcome, GitError> {
        let branch = branch(new.environment);
        let sha = id_of(sha)?;
        if new.parent.is_some() {
            let body = wire::RefUpdate { sha, force: false };
            let path = format!("/git/refs/{branch}");
            self.once(&Method::PATCH, &path, Some(&body)).await
        } else {
            let name = format!("refs/{branch}");
            let body = wire::NewRef { name, sha };
            self.once(&Method::POST, "/git/refs", Some(&body)).await
        }
    }

    /// Whether ours is what the branch points to, or in its history: somebody has built upon it since.
    async fn leads_to(
        self,
        from: &CommitSha,
        ours: &CommitSha,
        parent: Option<&CommitSha>,
    ) -> Result<bool, GitError> {
        let mut at = from.clone();
        for _ in 0..MAX_STEPS_BACK {
            if at == *ours {
                return Ok(true);
            }
            if Some(&at) == parent {
                return Ok(false);
            }
            let Some(commit) = self.commit(&at).await? else {
                return Ok(false);
            };
            let Some(before) = commit.parents.first() else {
                return Ok(false);
            };
            at = commit_sha(before.sha)?;
        }
        Err(unavailable(format!(
            "the branch has moved on to {from} by more than {MAX_STEPS_BACK} commits; whether {ours} is among them, nobody knows"
        )))
    }
}

/// What is to be sent.
struct Plan<'a> {
    base_tree: Option<Id>,
    /// Content that does not go along with the tree.
    blobs: BTreeMap<Id, &'a Bytes>,
    /// The tree's paths: what is added or changed first, so that no tree on the way is empty.
    entries: Vec<NewEntry<'a>>,
}

impl<'a> Plan<'a> {
    fn new(files: &'a Files, base: Option<&'a Listing>, wanted: &'a Listing) -> Self {
        static NOTHING: BTreeMap<String, Entry> = BTreeMap::new();
        let before = base.map_or(&NOTHING, |base| &base.entries);
        let known: BTreeSet<Id> = before.values().map(|entry| entry.id).collect();
        // Where a file takes a folder's place, or a folder a file's, the tree is made from nothing: a list of changes
        // would depend on the order in which GitHub makes them.
        let anew = before.is_empty() || files.keys().any(|path| changes_kind(path, before));
        let mut plan = Self {
            base_tree: base.filter(|_| !anew).map(|base| base.tree),
            blobs: BTreeMap::new(),
            entries: Vec::new(),
        };
        for (path, content) in files {
            let Some(entry) = wanted.entries.get(path) else {
                continue;
            };
            if !anew && before.get(path) == Some(entry) {
                continue;
            }
            let what = match inline(content) {
                _ if known.contains(&entry.id) => What::Blob {
                    sha: Some(entry.id),
                },
                Some(content) => What::Content { content },
                None => {
                    plan.blobs.insert(entry.id, content);
                    What::Blob {
                        sha: Some(entry.id),
                    }
                }
            };
            plan.entries.push(NewEntry {
                path,
                mode: "100644",
                kind: "blob",
                what,
            });
        }
        if !anew {
            let gone = before
                .iter()
                .filter(|(path, _)| !wanted.entries.contains_key(*path));
            plan.entries.extend(gone.map(|(path, entry)| {
                let (mode, kind) = described(entry.mode);
                let what = What::Blob { sha: None };
                NewEntry {
                    path,
                    mode,
                    kind,
                    what,
                }
            }));
        }
        plan
    }
}

/// A mode as GitHub wants it told, and the kind of object that goes with it.
fn described(mode: u32) -> (&'static str, &'static str) {
    match mode {
        Entry::SUBMODULE => ("160000", "commit"),
        0o120_000 => ("120000", "blob"),
        0o100_755 => ("100755", "blob"),
        _ => ("100644", "blob"),
    }
}

/// The folders that a path leads through, from the outermost in.
fn folders(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(end, _)| &path[..end])
}

/// Whether a path is a file that was a folder, or leads through a folder that was a file.
fn changes_kind(path: &str, before: &BTreeMap<String, Entry>) -> bool {
    let within = format!("{path}/");
    folders(path).any(|folder| before.contains_key(folder))
        || before
            .range(within.clone()..)
            .next()
            .is_some_and(|(next, _)| next.starts_with(&within))
}

/// The content as text, where it may go along with the tree.
fn inline(content: &Bytes) -> Option<&str> {
    let text = std::str::from_utf8(content).ok()?;
    (content.len() <= MAX_INLINE_BYTES && !text.contains('\0')).then_some(text)
}

/// Parts of the entries that fit into one request each.
fn batches<'a, 'b>(entries: &'b [NewEntry<'a>]) -> impl Iterator<Item = &'b [NewEntry<'a>]> {
    let mut rest = entries;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (mut bytes, mut texts) = (0, 0);
        let count = rest
            .iter()
            .take(MAX_BATCH_PATHS)
            .take_while(|entry| {
                if let What::Content { content } = entry.what {
                    bytes += content.len();
                    texts += 1;
                }
                bytes <= MAX_BATCH_BYTES && texts <= MAX_BATCH_TEXTS
            })
            .count()
            .max(1);
        let (batch, others) = rest.split_at(count);
        rest = others;
        Some(batch)
    })
}

fn signed<'a>(new: &NewCommit<'a>, date: &'a str) -> wire::Signed<'a> {
    let (name, email) = new.identity();
    wire::Signed { name, email, date }
}

/// The second in which it happened, in UTC.
fn date(at: Timestamp) -> Result<String, GitError> {
    let (seconds, _) = at.seconds_and_nanos();
    Timestamp::from_seconds_and_nanos(seconds, 0)
        .map(|second| second.to_string())
        .map_err(|error| GitError::Refused {
            message: error.to_string(),
        })
}

fn commit_sha(id: Id) -> Result<CommitSha, GitError> {
    id.to_string()
        .parse()
        .map_err(|error| corrupt(format!("{error}")))
}

fn id_of(sha: &CommitSha) -> Result<Id, GitError> {
    sha.as_str()
        .parse()
        .map_err(|error| corrupt(format!("{error}")))
}
