//! Optimistic locking of what can be changed.

use std::fmt;

use serde::Serialize;

/// How often a resource has been changed, from 1; its `etag` is this number as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Revision(pub i64);

impl Revision {
    /// A resource that has just been made.
    pub const FIRST: Self = Self(1);

    /// After one more change.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The `etag` sent is not the resource's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the etag `{given}` is out of date: the resource has changed since; read it again and repeat the change"
)]
pub struct EtagMismatch {
    /// The etag sent, cut after 64 characters.
    pub given: String,
}

impl Revision {
    /// Passes where no etag was sent or it is this revision's.
    pub fn check(self, etag: Option<&str>) -> Result<(), EtagMismatch> {
        match etag {
            Some(given) if given != self.to_string() => Err(EtagMismatch {
                given: given.chars().take(64).collect(),
            }),
            _ => Ok(()),
        }
    }
}
