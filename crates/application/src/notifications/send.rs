use std::{future::Future, sync::Arc, time::Duration};

use slipway_kernel::{Slug, StoreError};
use slipway_notifications::{Claimed, DeliveryState, Outcome, Parcel, Schedule};

use crate::Context;

/// How many attempts are under way to one webhook, however many servers there are: one that hangs takes no more.
pub const AT_ONCE_PER_WEBHOOK: u32 = 2;

/// Attempts deliveries.
pub struct Sender {
    context: Arc<Context>,
    schedule: Schedule,
    lease: Duration,
}

/// What came of looking for something to deliver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// Nothing was due.
    Idle,
    /// An attempt was made.
    Attempted {
        /// To this webhook.
        webhook: Slug,
        /// How far the delivery is now.
        state: DeliveryState,
        /// What went wrong; empty where nothing did.
        problem: String,
    },
    /// The server stops: the delivery is left to another one.
    Stopped,
    /// Another server took over, because this one took too long.
    Lost,
}

impl Sender {
    /// A sender that gives an attempt up after `timeout` at the latest.
    pub fn new(context: Arc<Context>, schedule: Schedule, timeout: Duration) -> Self {
        Self {
            context,
            schedule,
            // Longer than an attempt, its commit included; then another server goes on.
            lease: timeout * 2 + Duration::from_secs(5),
        }
    }

    /// Makes one attempt of one delivery that is due, if any is. Where `stop` comes first, the delivery is given back: the
    /// receiver may have got it already, and gets it again by the same id.
    pub async fn send_one(&self, stop: impl Future<Output = ()>) -> Result<Sent, StoreError> {
        let Some(claimed) = self.claim().await? else {
            return Ok(Sent::Idle);
        };
        let parcel = Parcel {
            id: claimed.delivery.id,
            message: claimed.delivery.message.clone(),
        };
        let attempt = self
            .context
            .courier
            .deliver(&claimed.webhook.target, &parcel);
        let outcome = tokio::select! {
            outcome = tokio::time::timeout(self.lease, attempt) => outcome.unwrap_or_else(|_| {
                Outcome::problem("the attempt did not end in time")
            }),
            () = stop => return self.give_back(claimed).await,
        };
        self.end(claimed, outcome).await
    }

    async fn claim(&self) -> Result<Option<Claimed>, StoreError> {
        let now = self.context.clock.now();
        let reader = self.context.reader();
        if !reader
            .pending_work(now, AT_ONCE_PER_WEBHOOK)
            .await?
            .deliveries
        {
            return Ok(None);
        }
        let mut unit = self.context.store.begin().await?;
        let claimed = unit
            .notifications()
            .claim_delivery(now, self.lease, AT_ONCE_PER_WEBHOOK)
            .await?;
        unit.commit().await?;
        Ok(claimed)
    }

    async fn end(&self, claimed: Claimed, outcome: Outcome) -> Result<Sent, StoreError> {
        let now = self.context.clock.now();
        let problem = outcome.problem.clone();
        let delivery = claimed.delivery.attempted(outcome, now, &self.schedule);
        let mut unit = self.context.store.begin().await?;
        let kept = unit.notifications().end_attempt(&delivery, claimed.epoch);
        if !kept.await? {
            return Ok(Sent::Lost);
        }
        unit.commit().await?;
        Ok(Sent::Attempted {
            webhook: claimed.webhook.slug,
            state: delivery.state,
            problem,
        })
    }

    /// The attempt does not count.
    async fn give_back(&self, claimed: Claimed) -> Result<Sent, StoreError> {
        let mut delivery = claimed.delivery;
        delivery.attempts = delivery.attempts.saturating_sub(1);
        let mut unit = self.context.store.begin().await?;
        unit.notifications()
            .end_attempt(&delivery, claimed.epoch)
            .await?;
        unit.commit().await?;
        Ok(Sent::Stopped)
    }
}
