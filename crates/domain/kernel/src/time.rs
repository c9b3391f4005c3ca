//! Moments, in whole microseconds: what both databases can keep and order.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// Tells the time. Decisions take a [`Timestamp`]; only the outermost ring asks a clock.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
}

/// A moment: microseconds since 1970-01-01T00:00:00Z, within the years 1 to 9999 (the range of
/// `google.protobuf.Timestamp`). Finer parts of a second are cut off when it is made, before anything is hashed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Timestamp(i64);

/// A moment outside of the years 1 to 9999, or a text that is no moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimestampError {
    /// Outside of the years 1 to 9999.
    #[error("the time is outside of 0001-01-01T00:00:00Z to 9999-12-31T23:59:59.999999Z")]
    OutOfRange,
    /// Not RFC 3339.
    #[error("`{given}` is not an RFC 3339 time; expected a form like 2026-01-31T12:00:00Z")]
    Malformed {
        /// What was given, cut after 64 characters.
        given: String,
    },
}

/// The length of a day.
pub const DAY: Duration = Duration::from_hours(24);

impl Timestamp {
    /// 0001-01-01T00:00:00Z.
    pub const MIN: Self = Self(-62_135_596_800_000_000);
    /// 9999-12-31T23:59:59.999999Z.
    pub const MAX: Self = Self(253_402_300_799_999_999);

    /// Microseconds since the epoch.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// From microseconds since the epoch.
    pub const fn from_micros(micros: i64) -> Result<Self, TimestampError> {
        if micros < Self::MIN.0 || micros > Self::MAX.0 {
            Err(TimestampError::OutOfRange)
        } else {
            Ok(Self(micros))
        }
    }

    /// From seconds and nanoseconds since the epoch, as `google.protobuf.Timestamp` has them; `nanos` is 0 to 999,999,999.
    pub fn from_seconds_and_nanos(seconds: i64, nanos: i32) -> Result<Self, TimestampError> {
        if !(0..1_000_000_000).contains(&nanos) {
            return Err(TimestampError::OutOfRange);
        }
        seconds
            .checked_mul(1_000_000)
            .and_then(|micros| micros.checked_add(i64::from(nanos / 1_000)))
            .map_or(Err(TimestampError::OutOfRange), Self::from_micros)
    }

    /// Whole seconds since the epoch and the nanoseconds after them, as `google.protobuf.Timestamp` wants them.
    pub fn seconds_and_nanos(self) -> (i64, i32) {
        let nanos = i32::try_from(self.0.rem_euclid(1_000_000) * 1_000).unwrap_or_default();
        (self.0.div_euclid(1_000_000), nanos)
    }

    /// From RFC 3339 text, with any offset.
    pub fn parse(text: &str) -> Result<Self, TimestampError> {
        let moment =
            OffsetDateTime::parse(text, &Rfc3339).map_err(|_| TimestampError::Malformed {
                given: text.chars().take(64).collect(),
            })?;
        moment.try_into()
    }

    /// This much later, or the last moment there is.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(micros).min(Self::MAX.0))
    }

    /// This much earlier, or the first moment there is.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_sub(micros).max(Self::MIN.0))
    }

    /// How long ago `earlier` was; nothing where it lies ahead.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0 - earlier.0).unwrap_or(0))
    }

    /// The UTC day: days since 1970-01-01.
    pub const fn day(self) -> i64 {
        self.0.div_euclid(86_400_000_000)
    }
}

impl TryFrom<i64> for Timestamp {
    type Error = TimestampError;

    fn try_from(micros: i64) -> Result<Self, TimestampError> {
        Self::from_micros(micros)
    }
}

impl From<Timestamp> for i64 {
    fn from(timestamp: Timestamp) -> Self {
        timestamp.0
    }
}

impl TryFrom<OffsetDateTime> for Timestamp {
    type Error = TimestampError;

    fn try_from(moment: OffsetDateTime) -> Result<Self, TimestampError> {
        i64::try_from(moment.unix_timestamp_nanos().div_euclid(1_000))
            .map_err(|_| TimestampError::OutOfRange)
            .and_then(Self::from_micros)
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000)
            .ok()
            .and_then(|moment| moment.format(&Rfc3339).ok())
            .ok_or(fmt::Error)?;
        f.write_str(&text)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn finer_than_a_microsecond_is_cut_off() {
        let cut = Timestamp::from_seconds_and_nanos(1, 999).expect("in range");
        assert_eq!(cut.micros(), 1_000_000);
    }

    #[test]
    fn both_ends_can_be_written() {
        assert_eq!(Timestamp::MIN.to_string(), "0001-01-01T00:00:00Z");
        assert_eq!(Timestamp::MAX.to_string(), "9999-12-31T23:59:59.999999Z");
        assert!(Timestamp::from_micros(Timestamp::MAX.micros() + 1).is_err());
        assert!(Timestamp::from_seconds_and_nanos(i64::MAX, 0).is_err());
        assert!(Timestamp::from_seconds_and_nanos(0, -1).is_err());
    }

    proptest! {
        #[test]
        fn text_and_parts_give_the_same_moment_back(micros in Timestamp::MIN.micros()..=Timestamp::MAX.micros()) {
            let moment = Timestamp::from_micros(micros).expect("in range");
            prop_assert_eq!(Timestamp::parse(&moment.to_string()), Ok(moment));
            let (seconds, nanos) = moment.seconds_and_nanos();
            prop_assert_eq!(Timestamp::from_seconds_and_nanos(seconds, nanos), Ok(moment));
        }
    }
}
