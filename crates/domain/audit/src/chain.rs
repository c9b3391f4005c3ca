//! The chain: each link holds a hash over the link before it and over one event.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use slipway_kernel::{
    EventId, ProjectId, Sha256, StoreError, Timestamp,
    digest::{CanonicalError, digest_of},
};

use crate::Event;

/// Which chain: a project's, or (`None`) the installation's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChainId(pub Option<ProjectId>);

impl ChainId {
    /// The installation's chain.
    pub const INSTALLATION: Self = Self(None);
}

impl From<ProjectId> for ChainId {
    fn from(project: ProjectId) -> Self {
        Self(Some(project))
    }
}

/// The form that links are hashed in.
pub const FORM: &str = "slipway.audit-link.v1";

/// One link of a chain. It never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// The chain.
    pub chain: ChainId,
    /// Its place in the chain: 1, 2, 3, …
    pub position: i64,
    /// The event.
    pub event: EventId,
    /// The hash over the link before it, its own chain and position, and the event's digest.
    pub hash: Sha256,
    /// When it was added.
    pub chained_at: Timestamp,
}

#[derive(Serialize)]
struct Hashed {
    chain: ChainId,
    position: i64,
    previous: Option<Sha256>,
    event: Sha256,
}

/// The hash of the link that puts `event` behind `previous`.
pub fn link_hash(previous: Option<&Link>, event: &Event) -> Result<Sha256, CanonicalError> {
    digest_of(
        FORM,
        &Hashed {
            chain: event.chain,
            position: previous.map_or(1, |link| link.position + 1),
            previous: previous.map(|link| link.hash),
            event: event.digest()?,
        },
    )
}

/// The link that puts `event` behind `previous`, which is the last of the event's chain.
pub fn next_link(
    previous: Option<&Link>,
    event: &Event,
    chained_at: Timestamp,
) -> Result<Link, CanonicalError> {
    Ok(Link {
        chain: event.chain,
        position: previous.map_or(1, |link| link.position + 1),
        event: event.id,
        hash: link_hash(previous, event)?,
        chained_at,
    })
}

/// Chains events, inside a unit of work.
#[async_trait]
pub trait ChainRepository: Send {
    /// Becomes the only one that chains until this unit of work ends; `false` where somebody else is. An adapter MUST
    /// NOT wait.
    async fn lead(&mut self) -> Result<bool, StoreError>;

    /// The events that wait to be chained, in the order they are to be chained, at most `limit`.
    ///
    /// An adapter MUST leave out every event behind which another may still appear: a transaction that was given an
    /// earlier number may still be open.
    async fn waiting(&mut self, limit: u32) -> Result<Vec<Event>, StoreError>;

    /// The last links of these chains, for those that have any.
    async fn heads(&mut self, chains: &[ChainId]) -> Result<Vec<Link>, StoreError>;

    /// Adds links.
    async fn append(&mut self, links: &[Link]) -> Result<(), StoreError>;
}
