//! How long an executor may go on by its own clock.

use std::time::Duration;

use tokio::time::Instant;

/// A lease as its holder sees it: it ends no later than the database's, because it is counted from before the database
/// was asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lease {
    length: Duration,
    until: Instant,
}

impl Lease {
    /// A lease that was asked for at this moment, and granted.
    pub(super) fn asked_at(asked: Instant, length: Duration) -> Self {
        Self {
            length,
            until: asked + length,
        }
    }

    /// The same lease, granted anew.
    pub(super) fn renewed(self, asked: Instant) -> Self {
        Self::asked_at(asked, self.length)
    }

    /// How often it is renewed.
    pub(super) fn renewal(self) -> Duration {
        self.length / 3
    }

    /// Whether an effect that takes at most so long may begin.
    pub(super) fn lasts(self, effect: Duration) -> bool {
        Instant::now() + effect < self.until
    }

    /// Whether it is over.
    pub(super) fn is_over(self) -> bool {
        Instant::now() >= self.until
    }
}
