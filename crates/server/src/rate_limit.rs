//! How many calls one principal may make. It is keyed by who calls, not by address: many callers share one address, and
//! one caller may have many.

use governor::clock::{Clock as _, MonotonicClock};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use slipway_api::errors::v1::ErrorReason;
use tonic::{Code, Status};
use uuid::Uuid;

use crate::config::Limits;
use crate::transport::refusal_after;

type Limiter = RateLimiter<
    Uuid,
    HashMapStateStore<Uuid>,
    MonotonicClock,
    NoOpMiddleware<<MonotonicClock as governor::clock::Clock>::Instant>,
>;

/// Limits the calls per second of each principal, as `limits.requests_per_second_per_principal` says; a burst of one
/// second's calls is let through. Authentication asks it once it knows who calls.
pub struct RateLimit(Option<Limiter>);

impl RateLimit {
    /// The configured limit; none where nothing is configured.
    pub fn new(limits: &Limits) -> Self {
        Self(limits.requests_per_second_per_principal.map(|rate| {
            RateLimiter::new(
                Quota::per_second(rate),
                HashMapStateStore::default(),
                MonotonicClock,
            )
        }))
    }

    /// Counts one call of this principal, or refuses it with `RESOURCE_EXHAUSTED`, reason `RATE_LIMITED`, and the pause
    /// after which a call is let through.
    pub fn check(&self, principal: Uuid) -> Result<(), Box<Status>> {
        let Some(limiter) = &self.0 else {
            return Ok(());
        };
        limiter.check_key(&principal).map_err(|early| {
            let pause = early.wait_time_from(MonotonicClock.now());
            let message = format!(
                "this principal calls more often than this server allows; try again in {} ms",
                pause.as_millis() + 1
            );
            Box::new(refusal_after(
                pause,
                Code::ResourceExhausted,
                ErrorReason::RateLimited,
                message,
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::time::Duration;

    use tonic_types::StatusExt;

    use super::*;

    #[test]
    fn one_principal_is_limited_and_others_are_not() {
        let limit = RateLimit::new(&Limits {
            requests_per_second_per_principal: NonZeroU32::new(2),
            ..Limits::default()
        });
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        limit.check(one).unwrap();
        limit.check(one).unwrap();

        let refused = limit.check(one).unwrap_err();
        assert_eq!(refused.code(), Code::ResourceExhausted);
        let details = refused.get_error_details();
        assert_eq!(details.error_info().unwrap().reason, "RATE_LIMITED");
        let pause = details.retry_info().unwrap().retry_delay.unwrap();
        assert!(
            pause > Duration::ZERO && pause <= Duration::from_millis(500),
            "{pause:?}"
        );
        limit.check(other).unwrap();
    }

    #[test]
    fn nothing_is_limited_unless_configured() {
        let limit = RateLimit::new(&Limits::default());
        assert!((0..10_000).all(|_| limit.check(Uuid::nil()).is_ok()));
    }
}
