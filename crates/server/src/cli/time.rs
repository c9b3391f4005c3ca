//! Moments on the command line and on the wire.

use slipway_kernel::Timestamp;

/// Reads a moment from an argument: RFC 3339, or a day, which means its beginning in UTC.
pub(super) fn parse(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text).or_else(|error| {
        Timestamp::parse(&format!("{text}T00:00:00Z"))
            .map_err(|_| format!("{error}; a day such as 2026-03-01 means its beginning in UTC"))
    })
}

/// Fails where a period ends before it begins.
pub(super) fn check_order(from: Option<Timestamp>, to: Option<Timestamp>) -> Result<(), String> {
    match (from, to) {
        (Some(from), Some(to)) if from > to => Err(format!(
            "--from {from} is later than --to {to}: nothing lies between them; exchange the two"
        )),
        _ => Ok(()),
    }
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
        assert!(parse("March").unwrap_err().contains("March"));
        assert!(parse("March").unwrap_err().contains("UTC"));
        let later = parse("2026-03-02").ok();
        assert!(check_order(Some(day), later).is_ok());
        assert!(check_order(later, Some(day)).is_err());
        assert!(check_order(later, None).is_ok());
    }
}
