//! The clock, the identifiers and the secrets of the machine: the one place that reads any of them.

use std::time::{SystemTime, UNIX_EPOCH};

use slipway_identity::SecretSource;
use slipway_kernel::{Clock, IdGenerator, Timestamp};
use uuid::Uuid;

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    /// Now; the first moment of 1970 where the machine's clock stands before it.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the adapter that provides the clock"
    )]
    fn now(&self) -> Timestamp {
        let elapsed = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let micros = i64::try_from(elapsed.as_micros()).unwrap_or(i64::MAX);
        Timestamp::from_micros(micros).unwrap_or(Timestamp::MAX)
    }
}

/// `UUIDv7` from the machine's clock and its source of randomness. Those made in one process ascend.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemIds;

impl IdGenerator for SystemIds {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the adapter that provides identifiers"
    )]
    fn uuid(&self) -> Uuid {
        Uuid::now_v7()
    }
}

/// Secrets from a cryptographic generator that the operating system seeds.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemSecrets;

impl SecretSource for SystemSecrets {
    fn secret(&self) -> [u8; 20] {
        rand::random()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_ascend_and_carry_the_time() {
        let first = SystemIds.uuid();
        let second = SystemIds.uuid();
        assert!(first < second);
        assert_eq!(first.get_version_num(), 7);

        let (seconds, _) = first.get_timestamp().unwrap().to_unix();
        let (now, _) = SystemClock.now().seconds_and_nanos();
        assert!(now.abs_diff(i64::try_from(seconds).unwrap()) <= 1);
    }
}
