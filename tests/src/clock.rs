//! Times as the contract carries them.

use std::time::{Duration, SystemTime};

use prost_types::Timestamp;

/// The time of this machine, which is also the server's.
#[expect(
    clippy::disallowed_methods,
    reason = "a test of a real server lives in real time"
)]
pub fn now() -> Timestamp {
    SystemTime::now().into()
}

/// The time so long before now, cut to microseconds as the ledger keeps it.
pub fn ago(duration: Duration) -> Timestamp {
    plus(now(), -i64::try_from(duration.as_micros()).unwrap())
}

/// The time so long after now, cut to microseconds.
pub fn ahead(duration: Duration) -> Timestamp {
    plus(now(), i64::try_from(duration.as_micros()).unwrap())
}

/// `time` moved by this many microseconds.
pub fn plus(time: Timestamp, micros: i64) -> Timestamp {
    from_micros(to_micros(time) + micros)
}

/// Microseconds since 1970.
pub fn to_micros(time: Timestamp) -> i64 {
    time.seconds * 1_000_000 + i64::from(time.nanos) / 1_000
}

/// A time from microseconds since 1970.
pub fn from_micros(micros: i64) -> Timestamp {
    Timestamp {
        seconds: micros.div_euclid(1_000_000),
        nanos: i32::try_from(micros.rem_euclid(1_000_000)).unwrap() * 1_000,
    }
}

/// How many hours and days the tests speak of.
pub const HOUR: Duration = Duration::from_hours(1);
/// A day of 24 hours.
pub const DAY: Duration = Duration::from_hours(24);
