//! Moments on the command line and on the wire.

use slipway_kernel::{Timestamp, time::TimestampError};

/// Reads a moment from an argument: RFC 3339, or a day, which means its beginning in UTC.
pub(super) fn parse(text: &str) -> Result<Timestamp, TimestampError> {
    Timestamp::parse(text)
        .or_else(|error| Timestamp::parse(&format!("{text}T00:00:00Z")).map_err(|_| error))
}

/// As messages bear it.
pub(super) fn to_wire(time: Timestamp) -> prost_types::Timestamp {
    let (seconds, nanos) = time.seconds_and_nanos();
    prost_types::Timestamp { seconds, nanos }
}

/// From a message; `None` outside of the years 1 to 9999.
pub(super) fn from_wire(time: prost_types::Timestamp) -> Option<Timestamp> {
    Timestamp::from_seconds_and_nanos(time.seconds, time.nanos).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_its_beginning() {
        let day = parse("2026-03-01").unwrap();
        assert_eq!(day.to_string(), "2026-03-01T00:00:00Z");
        assert_eq!(from_wire(to_wire(day)), Some(day));
        assert_eq!(parse("2026-03-01T01:00:00+01:00").unwrap(), day);
        assert!(parse("March").unwrap_err().to_string().contains("March"));
    }
}
