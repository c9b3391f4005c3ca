//! Checkpoints: the head of a chain, kept where nobody who can change the chain can change it too.

use slipway_kernel::{Sha256, Timestamp};

use crate::{ChainId, Link};

/// The head of a chain at one moment. It alone can convict somebody who rewrote the whole chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checkpoint {
    /// The chain.
    pub chain: ChainId,
    /// The position of its last link.
    pub position: i64,
    /// The hash of its last link.
    pub hash: Sha256,
    /// When it was taken.
    pub taken_at: Timestamp,
}

impl Checkpoint {
    /// Takes a checkpoint of a chain that ends with `head`.
    pub const fn of(head: &Link, now: Timestamp) -> Self {
        Self {
            chain: head.chain,
            position: head.position,
            hash: head.hash,
            taken_at: now,
        }
    }
}
