//! Requests that were made before, so that making one again changes nothing.

use std::time::Duration;

use async_trait::async_trait;
use slipway_kernel::{PrincipalId, ProjectId, Sha256, StoreError, Timestamp};

/// How long a request is remembered.
pub const RETENTION: Duration = Duration::from_hours(7 * 24);

/// Which request: one row per key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestKey {
    /// Who made it.
    pub principal: PrincipalId,
    /// In which project; `None` for requests about the installation.
    pub project: Option<ProjectId>,
    /// The command, by name.
    pub method: &'static str,
    /// The caller's own identifier: 1 to 128 printable ASCII characters.
    pub request_id: String,
}

/// What is remembered of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestRecord {
    /// The digest of what was asked, in the form `slipway.command.v1`.
    pub digest: Sha256,
    /// What it made or changed: an id, a slug or a key, as the command understands it.
    pub resource: String,
    /// When it was made.
    pub at: Timestamp,
}

/// Remembers requests, inside the unit of work of the change.
#[async_trait]
pub trait RequestRepository: Send {
    /// Remembers a request. Where one with this key was made since `forget_before`, it answers with that one and
    /// changes nothing; an older one is replaced. An adapter MUST make a second unit of work with the same key wait for
    /// the first, or answer [`StoreError::Conflict`].
    async fn remember(
        &mut self,
        key: &RequestKey,
        record: &RequestRecord,
        forget_before: Timestamp,
    ) -> Result<Option<RequestRecord>, StoreError>;

    /// Forgets requests made before a time, at most `limit`, and says how many.
    async fn forget(&mut self, before: Timestamp, limit: u32) -> Result<u64, StoreError>;
}
