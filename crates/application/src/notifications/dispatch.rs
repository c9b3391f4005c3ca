use std::collections::{BTreeMap, btree_map::Entry};

use slipway_kernel::{DeliveryId, ProjectId, StoreError, Timestamp};
use slipway_notifications::{Delivery, DeliveryState, Message, Occurrence, Webhook};

use super::AT_ONCE_PER_WEBHOOK;
use crate::Context;

/// How many events one transaction dispatches.
const AT_ONCE: u32 = 100;

/// Turns what waits in the outbox into deliveries, one for each webhook that wants it, and says how many events there were.
/// Several servers may do so at the same time.
pub async fn dispatch_events(context: &Context) -> Result<usize, StoreError> {
    let now = context.clock.now();
    let pending = context.reader().pending_work(now, AT_ONCE_PER_WEBHOOK);
    if !pending.await?.events {
        return Ok(0);
    }
    let mut unit = context.store.begin().await?;
    let events = unit.notifications().take_events(AT_ONCE).await?;
    let mut webhooks: BTreeMap<ProjectId, Vec<Webhook>> = BTreeMap::new();
    let mut deliveries = Vec::new();
    for event in &events {
        let enabled = match webhooks.entry(event.project) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => {
                let enabled = unit.notifications().enabled_webhooks(event.project);
                unknown.insert(enabled.await?)
            }
        };
        let wanted = enabled
            .iter()
            .filter(|webhook| webhook.filter.passes(event));
        deliveries.extend(wanted.map(|webhook| delivery(context, event, webhook, now)));
    }
    unit.notifications().insert_deliveries(&deliveries).await?;
    unit.commit().await?;
    Ok(events.len())
}

fn delivery(context: &Context, event: &Occurrence, webhook: &Webhook, now: Timestamp) -> Delivery {
    Delivery {
        id: DeliveryId::new(&*context.ids),
        project: event.project,
        webhook: webhook.id,
        sequence: Some(event.sequence),
        deployment: Some(event.subject.deployment),
        kind: event.kind,
        message: Message::of(event),
        state: DeliveryState::Pending,
        attempts: 0,
        last: None,
        created_at: now,
        due_at: now,
    }
}
