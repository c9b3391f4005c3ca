//! The port to the object store, which keeps content under its own digest.

use async_trait::async_trait;
use bytes::Bytes;

use crate::Sha256;

/// Keeps bytes under their SHA-256. What is kept never changes.
#[async_trait]
pub trait ObjectStore: Send + Sync {
    /// Keeps `bytes` and returns their digest once they are durable. Keeping the same bytes again MUST succeed.
    async fn put(&self, bytes: Bytes) -> Result<Sha256, ObjectError>;

    /// The bytes kept under `digest`; `None` where there are none. An adapter MUST verify what it read and answer
    /// [`ObjectError::Corrupt`] rather than hand out anything else.
    async fn get(&self, digest: Sha256) -> Result<Option<Bytes>, ObjectError>;
}

/// What can go wrong in an object store.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// What is stored under a digest does not have that digest.
    #[error("the object {digest} is corrupt: its content has the digest {found}")]
    Corrupt {
        /// The digest asked for.
        digest: Sha256,
        /// The digest found.
        found: Sha256,
    },
    /// The object store can't be reached, is full or refuses.
    #[error("the object store is unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}
