//! The port to a Git store.

mod check;

use std::{collections::BTreeMap, fmt, str::FromStr};

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use slipway_kernel::{Slug, Timestamp};

pub use check::{
    MAX_AUTHOR_BYTES, MAX_DEPTH, MAX_FILE_BYTES, MAX_FILES, MAX_MESSAGE_BYTES, MAX_PATH_BYTES,
    is_path,
};

/// A commit's SHA-1, as 40 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CommitSha(String);

/// A text that is not 40 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is not a commit; expected 40 lower-case hexadecimal digits")]
pub struct CommitShaError {
    /// What was given, cut after 64 characters.
    pub given: String,
}

impl CommitSha {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for CommitSha {
    type Err = CommitShaError;

    fn from_str(text: &str) -> Result<Self, CommitShaError> {
        let digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if text.len() == 40 && text.bytes().all(digit) {
            Ok(Self(text.to_owned()))
        } else {
            Err(CommitShaError {
                given: text.chars().take(64).collect(),
            })
        }
    }
}

impl TryFrom<String> for CommitSha {
    type Error = CommitShaError;

    fn try_from(text: String) -> Result<Self, CommitShaError> {
        text.parse()
    }
}

impl From<CommitSha> for String {
    fn from(sha: CommitSha) -> Self {
        sha.0
    }
}

impl fmt::Display for CommitSha {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The files of one environment: by path, `/` between folders. Paths are made by Slipway: each part of ASCII letters,
/// digits and `. _ -`, none `.`, `..` or `.git` in any case.
pub type Files = BTreeMap<String, Bytes>;

/// What is to be committed.
#[derive(Debug, Clone)]
pub struct NewCommit<'a> {
    /// The environment, whose branch is `env/<slug>`.
    pub environment: &'a Slug,
    /// What the branch points to; `None` where it does not exist yet.
    pub parent: Option<&'a CommitSha>,
    /// Everything the branch holds afterwards. A store writes only what has changed since the parent.
    pub files: &'a Files,
    /// The first line is short; what follows an empty line explains.
    pub message: &'a str,
    /// Who asked for it, as Git shows it. Neither has line breaks or angle brackets.
    pub author: (&'a str, &'a str),
    /// When.
    pub at: Timestamp,
}

/// What became of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Committed {
    /// The branch points to this new commit.
    New(CommitSha),
    /// The parent holds exactly these files: nothing was committed.
    Unchanged(CommitSha),
}

/// A file that is not the same in two commits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileChange {
    /// Only the later one has it.
    Added(String),
    /// Only the earlier one has it.
    Removed(String),
    /// Its content differs.
    Changed(String),
}

/// One repository with a branch for each environment.
#[async_trait]
pub trait GitStore: Send + Sync {
    /// Where people find it: a path to clone from, or an address. It holds no secret.
    fn location(&self) -> String;

    /// What an environment's branch points to; `None` where there is none.
    async fn head(&self, environment: &Slug) -> Result<Option<CommitSha>, GitError>;

    /// Commits files to an environment's branch, durably. An adapter MUST answer [`GitError::Moved`] where the branch
    /// does not point to the expected parent, and MUST NOT lose a commit of somebody else's. The same `NewCommit` makes
    /// the same commit in every store: the hash is Git's own, over tree, parent, author (also as the committer, as
    /// [`NewCommit::identity`] has it), time (whole seconds, UTC) and message (as it stands). An adapter MUST ask
    /// [`NewCommit::check`] first, and answer with its refusal.
    async fn commit(&self, commit: &NewCommit<'_>) -> Result<Committed, GitError>;

    /// Every file of a commit; `None` where there is no such commit. An adapter MUST verify the hashes of what it read,
    /// from the commit down to each file, and answer [`GitError::Corrupt`] rather than hand out anything else.
    async fn read(&self, commit: &CommitSha) -> Result<Option<Files>, GitError>;

    /// One file of a commit, verified likewise; `None` where there is no such commit or file.
    async fn read_file(&self, commit: &CommitSha, path: &str) -> Result<Option<Bytes>, GitError>;

    /// The files that differ between two commits, by path; `None` where one of them does not exist.
    async fn compare(
        &self,
        earlier: &CommitSha,
        later: &CommitSha,
    ) -> Result<Option<Vec<FileChange>>, GitError>;

    /// Whether the environment's branch has commits that people don't find at the [location](Self::location) yet: kept
    /// durably, and brought there once it can be reached again. A store that is where it says has none.
    async fn is_ahead(&self, _environment: &Slug) -> bool {
        false
    }
}

/// A Git store elsewhere, of which others keep a copy.
#[async_trait]
pub trait Upstream: GitStore {
    /// A commit itself, as Git writes it: what has the commit's hash. An adapter MUST verify that; `None` where there is no
    /// such commit.
    async fn commit_object(&self, commit: &CommitSha) -> Result<Option<Bytes>, GitError>;
}

/// Why a Git store did not do what it was asked. None of these texts holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// The branch points to another commit than the expected parent. Nothing was committed.
    #[error("the branch has moved on to {}", found.as_ref().map_or("nothing", CommitSha::as_str))]
    Moved {
        /// What it points to.
        found: Option<CommitSha>,
    },
    /// What is stored does not have its hash.
    #[error("the repository is damaged: {problem}")]
    Corrupt {
        /// Which object, and what is wrong with it.
        problem: String,
    },
    /// The store does not take our credentials, or they allow too little.
    #[error(
        "the Git store refused the credentials: {message}; renew them, or correct the server's setting"
    )]
    Unauthenticated {
        /// The store's own words, cut after 1,000 characters.
        message: String,
    },
    /// The repository does not exist, or our credentials don't show it.
    #[error("there is no repository {location}: create it, or correct the setting")]
    NoRepository {
        /// Where it was looked for.
        location: String,
    },
    /// The store said no, and will say no again.
    #[error("the Git store refused: {message}")]
    Refused {
        /// Its own words, cut after 1,000 characters.
        message: String,
    },
    /// The store can't be reached, is full, or asks for a pause longer than the adapter waits. Nothing was committed,
    /// or nobody knows: [`GitStore::head`] tells.
    #[error(
        "the Git store is unavailable: {problem}; see that it can be reached, make room if it is full, and try again"
    )]
    Unavailable {
        /// What happened.
        problem: String,
    },
}
