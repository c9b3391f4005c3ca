//! Requests that are remembered so that making them again changes nothing: forgetting them in time.

use slipway_store::{StoreError, request::RETENTION};

use crate::Context;

/// How many requests are forgotten in one transaction: few enough that no writer waits for long.
const FORGOTTEN_AT_ONCE: u32 = 1_000;
/// How many transactions one call takes at most; the next call goes on.
const MAX_BATCHES: u32 = 1_000;

/// Forgets requests that are older than the time they are remembered for, and says how many.
pub async fn forget_requests(context: &Context) -> Result<u64, StoreError> {
    let before = context.clock.now().minus(RETENTION);
    let mut forgotten = 0;
    for _ in 0..MAX_BATCHES {
        let mut unit = context.store.begin().await?;
        let batch = unit.requests().forget(before, FORGOTTEN_AT_ONCE).await?;
        if batch > 0 {
            unit.commit().await?;
        }
        forgotten += batch;
        if batch < u64::from(FORGOTTEN_AT_ONCE) {
            break;
        }
    }
    Ok(forgotten)
}
