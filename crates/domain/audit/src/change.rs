//! What changed since: the audit trail as a feed, for whoever keeps something up to date.

use async_trait::async_trait;
use slipway_kernel::StoreError;

use crate::{ChainId, Fact};

/// Tells what changed, in the order of the audit trail; so a server learns of the changes that others made.
#[async_trait]
pub trait ChangeFeed: Send + Sync {
    /// The settled events behind `after` that vouch for rows, or that archived an application or an environment, in the
    /// order of their sequence, at most `limit`; with a limit of 0 only how far the trail has settled.
    ///
    /// An event is settled when no other can appear before it any more. An adapter MUST leave out what is not, so that
    /// whoever goes on from [`Settled::through`] misses nothing; where a writer was open, it may take another call
    /// after that writer has ended until its events count as settled.
    async fn settled_after(&self, after: i64, limit: u32) -> Result<Settled, StoreError>;
}

/// What has settled since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// The changes, in order.
    pub changes: Vec<Change>,
    /// The sequence to go on from: everything up to it was told, here or before. It is never below the `after` asked
    /// with.
    pub through: i64,
}

/// An event as far as a reader of changes needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The event's sequence in the installation: ascending, with gaps.
    pub sequence: i64,
    /// The chain it belongs to.
    pub chain: ChainId,
    /// The rows that it vouches for. Empty where it archived something, which changes what lists show, and no row of
    /// theirs.
    pub facts: Vec<Fact>,
}
