//! The pauses that GitHub asks for.

use std::time::{Duration, UNIX_EPOCH};

use http::{HeaderMap, StatusCode, header};
use slipway_kernel::Timestamp;

/// Where GitHub limits us without saying for how long: its documentation asks for a minute at least.
const UNSAID: Duration = Duration::from_mins(1);
/// A pause is never shorter, so that a server that asks for none can't be asked in a busy loop.
const SHORTEST: Duration = Duration::from_secs(1);
/// Nor is it longer: what a server says beyond that is a mistake.
const LONGEST: Duration = Duration::from_hours(24);

/// A pause that GitHub asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pause {
    /// How long, from now.
    pub(crate) length: Duration,
    /// When it ends by GitHub's clock, where the answer told the time.
    pub(crate) until: Option<Timestamp>,
}

impl Pause {
    /// The pause that an answer asks for; `None` where it is about something else.
    pub(crate) fn asked_by(status: StatusCode, headers: &HeaderMap, message: &str) -> Option<Self> {
        if !matches!(
            status,
            StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS
        ) {
            return None;
        }
        let now = number_of_seconds_at_answer(headers);
        let length = match (
            number(headers, header::RETRY_AFTER.as_str()),
            number(headers, "x-ratelimit-remaining"),
            number(headers, "x-ratelimit-reset"),
        ) {
            (Some(seconds), ..) => Duration::from_secs(seconds),
            (None, Some(0), Some(reset)) => now.map_or(UNSAID, |now| {
                // The reset is a whole second that still has to pass.
                Duration::from_secs(reset.saturating_sub(now).saturating_add(1))
            }),
            _ if status == StatusCode::TOO_MANY_REQUESTS || is_about_rates(message) => UNSAID,
            _ => return None,
        };
        let length = length.clamp(SHORTEST, LONGEST);
        let until = now
            .and_then(|now| i64::try_from(now).ok())
            .and_then(|now| Timestamp::from_seconds_and_nanos(now, 0).ok())
            .map(|now| now.plus(length));
        Some(Self { length, until })
    }
}

impl std::fmt::Display for Pause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.until {
            Some(until) => write!(f, "until {until}"),
            None => write!(f, "of {} s", self.length.as_secs()),
        }
    }
}

fn is_about_rates(message: &str) -> bool {
    message.to_ascii_lowercase().contains("rate limit")
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

/// GitHub's own clock: ours may be wrong.
fn number_of_seconds_at_answer(headers: &HeaderMap) -> Option<u64> {
    let date = headers.get(header::DATE)?.to_str().ok()?;
    let since = httpdate::parse_http_date(date)
        .ok()?
        .duration_since(UNIX_EPOCH)
        .ok()?;
    Some(since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(
        status: u16,
        headers: &[(&'static str, &'static str)],
        message: &str,
    ) -> Option<Pause> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().expect("a value"));
        }
        Pause::asked_by(
            StatusCode::from_u16(status).expect("a status"),
            &map,
            message,
        )
    }

    const DATE: (&str, &str) = ("date", "Sat, 31 Jan 2026 12:00:00 GMT");

    #[test]
    fn what_the_answer_says_is_obeyed() {
        let pause = asked(403, &[DATE, ("retry-after", "30")], "").expect("a pause");
        assert_eq!(pause.length, Duration::from_secs(30));
        assert_eq!(pause.to_string(), "until 2026-01-31T12:00:30Z");
        // 2026-01-31T12:10:00Z.
        let reset = [
            DATE,
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", "1769861400"),
        ];
        let pause = asked(429, &reset, "").expect("a pause");
        assert_eq!(pause.length, Duration::from_secs(601));
        assert_eq!(
            asked(403, &[("retry-after", "9")], "")
                .expect("a pause")
                .to_string(),
            "of 9 s"
        );
    }

    #[test]
    fn a_limit_without_a_time_is_a_minute() {
        for (status, message) in [
            (429, ""),
            (403, "You have exceeded a secondary rate limit."),
        ] {
            let pause = asked(status, &[DATE], message).expect("a pause");
            assert_eq!(pause.length, UNSAID);
        }
    }

    #[test]
    fn other_refusals_are_no_pause() {
        let left = [
            DATE,
            ("x-ratelimit-remaining", "4999"),
            ("x-ratelimit-reset", "1769861400"),
        ];
        assert_eq!(
            asked(403, &left, "Resource not accessible by integration"),
            None
        );
        assert_eq!(asked(422, &[("retry-after", "1")], ""), None);
    }

    #[test]
    fn a_pause_is_neither_nothing_nor_for_ever() {
        let length = |seconds| {
            asked(429, &[("retry-after", seconds)], "")
                .expect("a pause")
                .length
        };
        assert_eq!(length("0"), SHORTEST);
        assert_eq!(length("99999999999"), LONGEST);
    }
}
