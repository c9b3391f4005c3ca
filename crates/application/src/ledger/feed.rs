//! Tells the watchers of this process which records changed, whoever changed them: one reader of the audit trail for all
//! of them.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, atomic::AtomicBool, atomic::Ordering},
    time::Duration,
};

use slipway_kernel::{ProjectId, RecordId, StoreError};
use tokio::sync::{Mutex, Notify, broadcast};

use crate::Context;

/// How often the audit trail is read while anybody watches.
const POLL_INTERVAL: Duration = Duration::from_millis(150);
/// How many events one look at the audit trail takes.
const EVENTS_PER_POLL: u32 = 100;
/// From how many records on watchers are told to look at everything: that is cheaper, and bounds what waits for them.
const MAX_TOLD_RECORDS: usize = 5_000;
/// How many messages wait for a slow watcher; one that is further behind looks at everything.
const WAITING_MESSAGES: usize = 64;

/// What watchers are told.
#[derive(Debug, Clone)]
pub(super) enum Told {
    /// These records were added or retracted.
    Records(Arc<HashMap<ProjectId, Vec<RecordId>>>),
    /// So much changed, or something was archived, that looking at everything is better.
    Much,
}

/// The records that changed, for all watchers of this process.
#[derive(Debug)]
pub(crate) struct Feed {
    told: broadcast::Sender<Told>,
    /// How far the audit trail was read; `None` while nobody watches.
    position: Mutex<Option<i64>>,
    joined: Notify,
    failing: AtomicBool,
}

impl Default for Feed {
    fn default() -> Self {
        Self {
            told: broadcast::channel(WAITING_MESSAGES).0,
            position: Mutex::new(None),
            joined: Notify::new(),
            failing: AtomicBool::new(false),
        }
    }
}

impl Feed {
    /// From now on: whatever is not visible yet to a read that begins when this returns will be told.
    pub(super) async fn join(
        &self,
        context: &Context,
    ) -> Result<broadcast::Receiver<Told>, StoreError> {
        let mut position = self.position.lock().await;
        if position.is_none() {
            let settled = context.store.changes().settled_after(0, 0).await?;
            *position = Some(settled.through);
        }
        let receiver = self.told.subscribe();
        self.joined.notify_one();
        Ok(receiver)
    }

    /// Reads on, and tells. Answers whether there may be more at once.
    async fn poll(&self, context: &Context) -> Result<bool, StoreError> {
        let mut position = self.position.lock().await;
        if self.told.receiver_count() == 0 {
            *position = None;
        }
        let Some(after) = *position else {
            return Ok(false);
        };
        let settled = context
            .store
            .changes()
            .settled_after(after, EVENTS_PER_POLL)
            .await?;
        *position = Some(settled.through);
        let full = settled.changes.len() >= EVENTS_PER_POLL as usize;
        let mut records: HashMap<ProjectId, Vec<RecordId>> = HashMap::new();
        let mut count = 0;
        let mut archived = false;
        for change in settled.changes {
            if let Some(project) = change.chain.0 {
                archived |= change.facts.is_empty();
                count += change.facts.len();
                records
                    .entry(project)
                    .or_default()
                    .extend(change.facts.iter().map(|fact| fact.record));
            }
        }
        if count > 0 || archived {
            let told = if archived || count > MAX_TOLD_RECORDS {
                Told::Much
            } else {
                Told::Records(Arc::new(records))
            };
            // The last watcher may have left meanwhile: then nobody needs to know.
            let _ = self.told.send(told);
        }
        Ok(full)
    }
}

/// Tells the watchers of this process what changed, for ever. While nobody watches it does nothing. While the database
/// can't be reached, watchers wait, and miss nothing.
pub async fn feed_watchers(context: &Context) -> Infallible {
    let feed = &context.feed;
    loop {
        if feed.told.receiver_count() == 0 {
            // One more look, so that the position is forgotten.
            let _ = feed.poll(context).await;
            feed.joined.notified().await;
        }
        let more = match feed.poll(context).await {
            Ok(more) => {
                feed.failing.store(false, Ordering::Relaxed);
                more
            }
            Err(error) => {
                if !feed.failing.swap(true, Ordering::Relaxed) {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "watchers wait: what changed can't be read"
                    );
                }
                false
            }
        };
        if !more {
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }
}
