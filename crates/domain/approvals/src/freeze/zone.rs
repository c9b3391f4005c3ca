//! Time zones.

use std::{fmt, str::FromStr};

use jiff::{
    SignedDuration, Timestamp as Instant,
    civil::{Date, DateTime},
    tz::{AmbiguousOffset, AmbiguousTimestamp, TimeZone, TimeZoneDatabase},
};
use serde::{Deserialize, Serialize};
use slipway_kernel::Timestamp;

/// A time zone of the IANA database: `Europe/Berlin`. What it says comes from the copy of the database that is built in, so
/// that every server says the same.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Zone(TimeZone);

/// A name that no time zone has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{given}` is no time zone of the IANA database; use a name like Europe/Berlin, Asia/Kolkata or UTC"
)]
pub struct UnknownZone {
    /// What was given, cut after 64 characters.
    pub given: String,
}

impl Zone {
    /// Its name, as the database spells it.
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or_default()
    }

    /// The day there at a moment.
    pub(super) fn day(&self, moment: Timestamp) -> Date {
        Instant::from_microsecond(moment.micros())
            .map_or(Date::MAX, |instant| self.0.to_datetime(instant).date())
    }

    /// The first moment at which clocks there show this time or a later one. Where it comes twice, that is the first of the
    /// two; where it is skipped, the moment of the skip.
    pub(super) fn first(&self, local: DateTime) -> Option<Timestamp> {
        let ambiguous = self.0.to_ambiguous_timestamp(local);
        match ambiguous.offset() {
            AmbiguousOffset::Gap { .. } => self.skip(ambiguous),
            AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Fold { .. } => {
                moment(ambiguous.earlier().ok()?)
            }
        }
    }

    /// The last moment before which clocks there show an earlier time than this. Where that comes twice, it is behind the
    /// second of the two; where it is skipped, the moment of the skip.
    pub(super) fn last(&self, local: DateTime) -> Option<Timestamp> {
        // What is shown just before tells: the first of the times that come twice may follow one that comes once.
        let tick = SignedDuration::from_micros(1);
        let ambiguous = self.0.to_ambiguous_timestamp(local.checked_sub(tick).ok()?);
        match ambiguous.offset() {
            AmbiguousOffset::Gap { .. } => self.skip(ambiguous),
            AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Fold { .. } => {
                moment(ambiguous.later().ok()?.checked_add(tick).ok()?)
            }
        }
    }

    /// The moment at which clocks skip a time.
    fn skip(&self, skipped: AmbiguousTimestamp) -> Option<Timestamp> {
        // Read with the time after the skip, it lies before it.
        let before = skipped.earlier().ok()?;
        let skip = self.0.following(before).next()?;
        moment(skip.timestamp())
    }
}

fn moment(instant: Instant) -> Option<Timestamp> {
    Timestamp::from_micros(instant.as_microsecond()).ok()
}

impl FromStr for Zone {
    type Err = UnknownZone;

    fn from_str(name: &str) -> Result<Self, UnknownZone> {
        let unknown = || UnknownZone {
            given: name.chars().take(64).collect(),
        };
        let zone = TimeZoneDatabase::bundled()
            .get(name)
            .map_err(|_| unknown())?;
        if zone.is_unknown() || zone.iana_name().is_none() {
            return Err(unknown());
        }
        Ok(Self(zone))
    }
}

impl TryFrom<String> for Zone {
    type Error = UnknownZone;

    fn try_from(name: String) -> Result<Self, UnknownZone> {
        name.parse()
    }
}

impl From<Zone> for String {
    fn from(zone: Zone) -> Self {
        zone.name().to_owned()
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zone({})", self.name())
    }
}
