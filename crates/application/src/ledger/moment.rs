use serde::{Deserialize, Serialize};
use slipway_kernel::Timestamp;
use slipway_ledger::{AsOf, CLOCK_SKEW};

/// Which moment a question is about, as asked; what is `None` is now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Moment {
    /// The time whose state is wanted.
    pub as_of: Option<Timestamp>,
    /// What was learned after this time is left out.
    pub known_at: Option<Timestamp>,
}

/// A time further ahead than a reporter's clock may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is {given}, ahead of the server's {now} by more than 60 s; send a time that has been")]
pub struct TimeAhead {
    /// Which time, by the name of the request's field.
    pub field: &'static str,
    /// The time given.
    pub given: Timestamp,
    /// The server's time.
    pub now: Timestamp,
}

/// All times of a question that are too far ahead: at least one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.0.iter().map(|ahead| format!("{} {ahead}", ahead.field)).collect::<Vec<_>>().join("; "))]
pub struct TimesAhead(pub Vec<TimeAhead>);

/// The moment that an answer is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Seen {
    pub(super) at: Timestamp,
    pub(super) known_at: Option<Timestamp>,
}

impl Moment {
    /// The moment that is meant at `now`. Up to 60 s ahead counts as now; further ahead is refused.
    pub(super) fn at(self, now: Timestamp) -> Result<Seen, TimesAhead> {
        let named = [("as_of_time", self.as_of), ("known_at_time", self.known_at)];
        let ahead: Vec<_> = named
            .into_iter()
            .filter_map(|(field, given)| Some((field, given?)))
            .filter(|(_, given)| *given > now.plus(CLOCK_SKEW))
            .map(|(field, given)| TimeAhead { field, given, now })
            .collect();
        if ahead.is_empty() {
            Ok(Seen {
                at: self.as_of.map_or(now, |time| time.min(now)),
                known_at: self.known_at.map(|time| time.min(now)),
            })
        } else {
            Err(TimesAhead(ahead))
        }
    }
}

impl Seen {
    /// As a store is asked at `now`: `None`, the current state, where that is meant. It is kept ready; any other moment
    /// is computed.
    pub(super) fn as_of(self, now: Timestamp) -> Option<AsOf> {
        (self.known_at.is_some() || self.at < now).then_some(AsOf {
            at: self.at,
            known_at: self.known_at,
        })
    }

    /// The same moment, but not before what was seen: a deployment may be recorded between looking at the clock and
    /// looking at the ledger.
    pub(super) fn not_before(self, deployed: impl Iterator<Item = Timestamp>) -> Self {
        Self {
            at: deployed.fold(self.at, Timestamp::max),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000).expect("in range")
    }

    #[test]
    fn a_little_ahead_is_now_and_more_is_refused() {
        let now = at(1_000);
        let asked = |seconds| Moment {
            as_of: Some(at(seconds)),
            known_at: None,
        };
        let seen = asked(1_060).at(now).expect("clamped");
        assert_eq!((seen.at, seen.as_of(now)), (now, None));
        let both = Moment {
            as_of: Some(at(1_061)),
            known_at: Some(at(1_062)),
        };
        for (moment, expected) in [
            (asked(1_061), vec!["as_of_time"]),
            (both, vec!["as_of_time", "known_at_time"]),
        ] {
            let TimesAhead(ahead) = moment.at(now).expect_err("too far ahead");
            let fields: Vec<_> = ahead.iter().map(|ahead| ahead.field).collect();
            assert_eq!(fields, expected);
        }
    }

    #[test]
    fn the_past_and_past_knowledge_are_computed() {
        let now = at(1_000);
        let past = Moment {
            as_of: Some(at(999)),
            known_at: None,
        };
        assert!(past.at(now).expect("past").as_of(now).is_some());
        let known = Moment {
            as_of: None,
            known_at: Some(at(5)),
        };
        let as_of = known.at(now).expect("past").as_of(now).expect("computed");
        assert_eq!((as_of.at, as_of.known_at), (now, Some(at(5))));
    }
}
