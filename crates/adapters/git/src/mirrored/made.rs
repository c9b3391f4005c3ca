//! What a commit was made of.

use gix::objs::CommitRef;
use slipway_kernel::{Slug, Timestamp};
use slipway_snapshots::{CommitSha, Files, GitError, NewCommit};

use crate::error::corrupt;
use crate::sha;

/// What a commit was made of, so that it can be made again.
pub(crate) struct Made {
    environment: Slug,
    parent: Option<CommitSha>,
    files: Files,
    message: String,
    author: (String, String),
    at: Timestamp,
}

impl Made {
    /// What makes it again.
    pub(crate) fn as_new(&self) -> NewCommit<'_> {
        NewCommit {
            environment: &self.environment,
            parent: self.parent.as_ref(),
            files: &self.files,
            message: &self.message,
            author: (&self.author.0, &self.author.1),
            at: self.at,
        }
    }
}

/// What this commit of these files was made of; `None` where it has what Slipway does not write.
pub(crate) fn parsed(
    commit: &CommitRef<'_>,
    environment: Slug,
    files: Files,
) -> Result<Option<Made>, GitError> {
    let damaged = |what: &str| corrupt(format!("a commit's {what} can't be read"));
    let author = commit.author().map_err(|_| damaged("author"))?;
    let time = author.time().map_err(|_| damaged("time"))?;
    let text = |bytes: &gix::bstr::BStr| std::str::from_utf8(bytes).map(str::to_owned).ok();
    let parent = commit.parents().next().map(sha).transpose()?;
    let at = Timestamp::from_seconds_and_nanos(time.seconds, 0).ok();
    let parts = (
        text(commit.message),
        text(author.name),
        text(author.email),
        at,
    );
    let (Some(message), Some(name), Some(email), Some(at)) = parts else {
        return Ok(None);
    };
    Ok(Some(Made {
        environment,
        parent,
        files,
        message,
        author: (name, email),
        at,
    }))
}
