//! Which workflow was given which address lately, by us.
//!
//! n8n registers webhooks some time after it has said that a workflow is active: 0.1 to 0.6 s when idle, 5 s were seen
//! under load. Until then it lets another workflow with the same address pass, and both count as active while only one is
//! called. And while it takes a webhook away (up to 2 s), an activation that asks for its address makes it hold the address
//! back from everybody for long. So we remember, and let one call at a time change what belongs to an address.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use slipway_workflows::{EngineError, WorkflowId};
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::webhooks::{Address, Webhook};

/// How long n8n may take to register what it activated. Remembering longer costs a read, and refuses nothing.
const REMEMBERED: Duration = Duration::from_mins(10);
/// How long n8n may take to let go of an address.
const LETTING_GO: Duration = Duration::from_secs(3);

/// What became of an address last.
#[derive(Debug)]
struct Use {
    workflow: WorkflowId,
    at: Instant,
    /// Whether it was given to the workflow, or taken from it.
    given: bool,
}

type Place = Arc<AsyncMutex<Option<Use>>>;

/// What we remember of an instance's addresses.
#[derive(Debug, Default)]
pub(crate) struct Addresses(Mutex<BTreeMap<Address, Place>>);

/// Addresses that nobody else of us changes meanwhile.
#[derive(Debug)]
pub(crate) struct Held(BTreeMap<Address, OwnedMutexGuard<Option<Use>>>);

impl Addresses {
    /// Waits for these addresses. All callers take theirs in the same order, so that none waits for ever.
    pub(crate) async fn hold(
        &self,
        webhooks: impl IntoIterator<Item = &Webhook>,
        deadline: Instant,
    ) -> Result<Held, EngineError> {
        let addresses: BTreeSet<_> = webhooks.into_iter().map(|it| &it.address).collect();
        let mut held = BTreeMap::new();
        for address in addresses {
            let place = self.place(address);
            let guard = timeout_at(deadline, place.lock_owned()).await;
            let guard = guard.map_err(|_| EngineError::Unavailable {
                problem:
                    "the time was over while another workflow with the same webhook was switched"
                        .to_owned(),
            })?;
            held.insert(address.clone(), guard);
        }
        Ok(Held(held))
    }

    fn place(&self, address: &Address) -> Place {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        places.retain(|_, place| Arc::strong_count(place) > 1 || is_remembered(place));
        Arc::clone(places.entry(address.clone()).or_default())
    }
}

fn is_remembered(place: &Place) -> bool {
    let last = place.try_lock();
    last.is_ok_and(|last| last.as_ref().is_some_and(|it| it.at.elapsed() < REMEMBERED))
}

impl Held {
    /// The workflow, other than this one, that was given the address lately.
    pub(crate) fn given_to(&self, webhook: &Webhook, own: &WorkflowId) -> Option<&WorkflowId> {
        let last = self.0.get(&webhook.address)?.as_ref()?;
        (last.given && last.workflow != *own).then_some(&last.workflow)
    }

    /// Waits until n8n has let go of what was taken from other workflows.
    pub(crate) async fn settle(
        &self,
        own: &WorkflowId,
        deadline: Instant,
    ) -> Result<(), EngineError> {
        let last = self.0.values().filter_map(|last| last.as_ref());
        let taken = last.filter(|last| !last.given && last.workflow != *own);
        let Some(settled) = taken.map(|last| last.at + LETTING_GO).max() else {
            return Ok(());
        };
        if settled >= deadline {
            return Err(EngineError::Busy {
                retry_after: LETTING_GO,
            });
        }
        sleep_until(settled).await;
        Ok(())
    }

    /// Remembers that the workflow was given these.
    pub(crate) fn give(&mut self, webhooks: &[Webhook], workflow: &WorkflowId) {
        self.note(webhooks, workflow, true);
    }

    /// Remembers that these were taken from the workflow.
    pub(crate) fn take(&mut self, webhooks: &[Webhook], workflow: &WorkflowId) {
        self.note(webhooks, workflow, false);
    }

    fn note(&mut self, webhooks: &[Webhook], workflow: &WorkflowId, given: bool) {
        for webhook in webhooks {
            if let Some(last) = self.0.get_mut(&webhook.address) {
                **last = Some(Use {
                    workflow: workflow.clone(),
                    at: Instant::now(),
                    given,
                });
            }
        }
    }
}
