//! The audit trail: who did, or was refused, what, when and on what; chained by hashes, so that changing it later shows.
//!
//! Each project has a chain, and the installation one of its own. Events are written with the change they tell of and
//! chained afterwards, in an order of the chain's own, so that writers never wait for one another.

pub mod chain;
pub mod change;
pub mod checkpoint;
pub mod dora;
pub mod event;
pub mod report;
pub mod verification;

pub use chain::{ChainId, ChainRepository, Link};
pub use change::{Change, ChangeFeed, Settled};
pub use checkpoint::Checkpoint;
pub use event::{
    AuditLog, Event, EventFilter, EventPlace, Fact, FactKind, ListedEvent, Outcome, Resource,
};
pub use verification::{Break, BreakKind, Verification, Verifier};

use async_trait::async_trait;
use slipway_kernel::{Page, PageSize, RecordId, Sha256, StoreError};

/// Reads about the audit trail. Lookups answer `Ok(None)` where there is nothing.
#[async_trait]
pub trait AuditQueries: Send + Sync {
    /// The events of one chain that a filter selects, by time, newest first, then by event id, highest first.
    async fn events(
        &self,
        chain: ChainId,
        filter: &EventFilter,
        after: Option<EventPlace>,
        size: PageSize,
    ) -> Result<Page<ListedEvent, EventPlace>, StoreError>;

    /// The links of a chain behind `after`, in the chain's order, with the events they name; the event is `None` where
    /// it does not exist. At most `limit`.
    async fn links(
        &self,
        chain: ChainId,
        after: i64,
        limit: u32,
    ) -> Result<Vec<(Link, Option<Event>)>, StoreError>;

    /// The last link of a chain.
    async fn head(&self, chain: ChainId) -> Result<Option<Link>, StoreError>;

    /// Events of a chain that have no link: how many stand before the last event that was chained in the installation
    /// (there should be none), the first of those, and the events behind it, which wait to be chained.
    async fn unchained(&self, chain: ChainId) -> Result<Unchained, StoreError>;

    /// The digests, computed from the rows as they are, of the facts named; `None` for a row that does not exist.
    async fn fact_digests(
        &self,
        facts: &[(FactKind, RecordId)],
    ) -> Result<Vec<Option<Sha256>>, StoreError>;

    /// How many rows there are that events of this chain vouch for.
    async fn count_facts(&self, chain: ChainId) -> Result<u64, StoreError>;
}

/// Events that have no link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unchained {
    /// An event that the sequencer passed: it was put in afterwards.
    pub passed: Option<slipway_kernel::EventId>,
    /// The events that wait, in their order.
    pub waiting: Vec<Event>,
}
