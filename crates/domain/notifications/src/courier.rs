//! The port to those who are told.

use async_trait::async_trait;
use slipway_kernel::DeliveryId;

use crate::{Message, Outcome, Target};

/// What is brought to a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parcel {
    /// The delivery's id, which stays the same over all attempts.
    pub id: DeliveryId,
    /// What is told.
    pub message: Message,
}

/// A target that the operator's configuration does not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct NotAllowed {
    /// Which part of the target: `url`, `secret` or `recipients`.
    pub field: &'static str,
    /// What is wrong with it, and which setting of the operator's would allow it.
    pub problem: String,
}

/// Brings messages to targets.
#[async_trait]
pub trait Courier: Send + Sync {
    /// Passes where the operator's configuration allows the target, as far as that can be told without asking anybody. An
    /// adapter MUST NOT call anybody here, and MUST NOT block the thread while it reads a file.
    async fn check(&self, target: &Target) -> Result<(), NotAllowed>;

    /// Makes one attempt. An adapter MUST come back within a bounded time, MUST NOT follow redirects, MUST refuse what
    /// [`Self::check`] refuses, MUST look at the addresses that it really connects to, and MUST put no secret into the
    /// outcome.
    async fn deliver(&self, target: &Target, parcel: &Parcel) -> Outcome;
}
