use slipway_kernel::StoreError;
use slipway_notifications::RETENTION;

use crate::Context;

/// How many deliveries are forgotten in one transaction: few enough that no writer waits for long.
const FORGOTTEN_AT_ONCE: u32 = 1_000;
/// How many transactions one call takes at most; the next call goes on.
const MAX_BATCHES: u32 = 1_000;

/// Forgets deliveries, and what of the outbox was dispatched, that are older than the time they are kept for.
pub async fn forget_deliveries(context: &Context) -> Result<(), StoreError> {
    let before = context.clock.now().minus(RETENTION);
    for _ in 0..MAX_BATCHES {
        let mut unit = context.store.begin().await?;
        let notifications = unit.notifications();
        let batch = notifications
            .forget_deliveries(before, FORGOTTEN_AT_ONCE)
            .await?;
        if batch > 0 {
            unit.commit().await?;
        }
        if batch < u64::from(FORGOTTEN_AT_ONCE) {
            break;
        }
    }
    Ok(())
}
