//! GitHub's messages: of each, what we send or need.

use serde::{Deserialize, Serialize};

use crate::object::Id;

/// `POST …/git/blobs`.
#[derive(Debug, Serialize)]
pub(crate) struct NewBlob {
    pub(crate) content: String,
    pub(crate) encoding: &'static str,
}

/// Any answer that names the object that was made.
#[derive(Debug, Deserialize)]
pub(crate) struct Made {
    pub(crate) sha: Id,
}

/// `GET …/git/blobs/{sha}`.
#[derive(Debug, Deserialize)]
pub(crate) struct Blob {
    pub(crate) content: String,
    pub(crate) encoding: String,
}

/// `POST …/git/trees`.
#[derive(Debug, Serialize)]
pub(crate) struct NewTree<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) base_tree: Option<Id>,
    pub(crate) tree: &'a [NewEntry<'a>],
}

/// One path of a new tree.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct NewEntry<'a> {
    pub(crate) path: &'a str,
    pub(crate) mode: &'static str,
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    #[serde(flatten)]
    pub(crate) what: What<'a>,
}

/// What the path holds.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub(crate) enum What<'a> {
    /// This text: GitHub makes the blob.
    Content { content: &'a str },
    /// This blob; nothing where it is `None`, which must be sent as `null`.
    Blob { sha: Option<Id> },
}

/// `GET …/git/trees/{sha}`.
#[derive(Debug, Deserialize)]
pub(crate) struct Tree {
    pub(crate) sha: Id,
    #[serde(rename = "tree")]
    pub(crate) entries: Vec<TreeEntry>,
    #[serde(default)]
    pub(crate) truncated: bool,
}

/// One path of a tree.
#[derive(Debug, Deserialize)]
pub(crate) struct TreeEntry {
    pub(crate) path: String,
    /// Octal digits.
    pub(crate) mode: String,
    pub(crate) sha: Id,
}

/// `POST …/git/commits`.
#[derive(Debug, Serialize)]
pub(crate) struct NewCommit<'a> {
    pub(crate) message: &'a str,
    pub(crate) tree: Id,
    pub(crate) parents: &'a [Id],
    pub(crate) author: Signed<'a>,
    pub(crate) committer: Signed<'a>,
}

/// Who and when.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Signed<'a> {
    pub(crate) name: &'a str,
    pub(crate) email: &'a str,
    pub(crate) date: &'a str,
}

/// `GET …/git/commits/{sha}`.
#[derive(Debug, Deserialize)]
pub(crate) struct Commit {
    pub(crate) tree: Made,
    pub(crate) parents: Vec<Made>,
    pub(crate) author: Who,
    pub(crate) committer: Who,
    pub(crate) message: String,
    pub(crate) verification: Option<Verification>,
}

/// Who and when, the time zone lost.
#[derive(Debug, Deserialize)]
pub(crate) struct Who {
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) date: String,
}

/// A commit's signature, and the bytes that it signs.
#[derive(Debug, Deserialize)]
pub(crate) struct Verification {
    pub(crate) signature: Option<String>,
    pub(crate) payload: Option<String>,
}

/// `POST …/git/refs`.
#[derive(Debug, Serialize)]
pub(crate) struct NewRef {
    #[serde(rename = "ref")]
    pub(crate) name: String,
    pub(crate) sha: Id,
}

/// `PATCH …/git/refs/{ref}`.
#[derive(Debug, Serialize)]
pub(crate) struct RefUpdate {
    pub(crate) sha: Id,
    pub(crate) force: bool,
}

/// A ref, as every call about refs answers it.
#[derive(Debug, Deserialize)]
pub(crate) struct Ref {
    pub(crate) object: RefObject,
}

/// What a ref points to.
#[derive(Debug, Deserialize)]
pub(crate) struct RefObject {
    pub(crate) sha: Id,
    #[serde(rename = "type")]
    pub(crate) kind: String,
}

/// `PUT …/contents/{path}`.
#[derive(Debug, Serialize)]
pub(crate) struct NewContent<'a> {
    pub(crate) message: &'a str,
    pub(crate) content: String,
    pub(crate) author: Signed<'a>,
    pub(crate) committer: Signed<'a>,
}

/// What GitHub says where it says no.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Refusal {
    #[serde(default)]
    pub(crate) message: String,
    #[serde(default)]
    pub(crate) errors: Vec<serde_json::Value>,
}
