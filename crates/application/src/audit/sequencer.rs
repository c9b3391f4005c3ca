use std::collections::HashMap;

use slipway_audit::{ChainId, Link, chain::next_link};

use crate::{CommandError, Context};

/// How many events are chained in one transaction. Where [`chain_events`] answers this, there may be more.
pub const MAX_CHAINED: u32 = 500;

/// Puts events that wait behind the heads of their chains, in one transaction, and says how many. Where somebody else
/// is doing that just now, it does nothing.
pub async fn chain_events(context: &Context) -> Result<usize, CommandError> {
    let mut unit = context.store.begin().await?;
    if !unit.chain().lead().await? {
        return Ok(0);
    }
    let events = unit.chain().waiting(MAX_CHAINED).await?;
    if events.is_empty() {
        return Ok(0);
    }
    let mut chains: Vec<ChainId> = events.iter().map(|event| event.chain).collect();
    chains.sort_unstable();
    chains.dedup();
    let mut heads: HashMap<ChainId, Link> = unit
        .chain()
        .heads(&chains)
        .await?
        .into_iter()
        .map(|head| (head.chain, head))
        .collect();
    let now = context.clock.now();
    let mut links = Vec::with_capacity(events.len());
    for event in &events {
        let link = next_link(heads.get(&event.chain), event, now)?;
        heads.insert(event.chain, link);
        links.push(link);
    }
    unit.chain().append(&links).await?;
    unit.commit().await?;
    Ok(links.len())
}
