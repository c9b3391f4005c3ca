//! When a window stands.

use std::collections::BTreeSet;

use jiff::{ToSpan, civil::Date};
use serde::{Deserialize, Serialize};
use slipway_kernel::Timestamp;

use super::{Day, LocalTime, Weekday, Zone};

/// How many days before a moment an occurrence that reaches it may have begun: as long as one lasts at most, and what the
/// clocks may be set by meanwhile.
const REACH: i64 = 9;

/// When a window stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// Once.
    Once(Span),
    /// Again and again.
    Recurring(Recurrence),
}

/// From a moment, inclusive, to a later one, exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Span {
    start: Timestamp,
    end: Timestamp,
}

/// An end that is not behind its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("ends at {end}, which is not after its start at {start}")]
pub struct SpanError {
    /// The start given.
    pub start: Timestamp,
    /// The end given.
    pub end: Timestamp,
}

impl Span {
    /// From a moment to a later one.
    pub fn new(start: Timestamp, end: Timestamp) -> Result<Self, SpanError> {
        if start < end {
            Ok(Self { start, end })
        } else {
            Err(SpanError { start, end })
        }
    }

    /// The first moment in it.
    pub const fn start(self) -> Timestamp {
        self.start
    }

    /// The first moment behind it.
    pub const fn end(self) -> Timestamp {
        self.end
    }

    /// Whether any of it lies between two moments, both inclusive.
    fn meets(self, from: Timestamp, to: Timestamp) -> bool {
        self.start <= to && self.end > from
    }
}

/// On some days of each week, for some time.
///
/// Start and end are what clocks in the zone show: 24 hours from midnight on are a whole day there, also where that has 23
/// hours or 25. What the clocks show twice or not at all is read so that the window is the longer one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Recurrence {
    /// Whose clocks and calendars count.
    pub zone: Zone,
    /// On which days it starts.
    pub weekdays: Weekdays,
    /// When, on such a day.
    pub start: LocalTime,
    /// How long it lasts.
    pub length: WindowLength,
    /// From which day to which.
    pub days: Days,
}

/// Days of the week: at least one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "BTreeSet<Weekday>", into = "BTreeSet<Weekday>")]
pub struct Weekdays(BTreeSet<Weekday>);

/// Days of the week without any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is empty; name at least one day of the week")]
pub struct NoWeekdays;

impl Weekdays {
    /// The days, Monday first.
    pub fn iter(&self) -> impl Iterator<Item = Weekday> {
        self.0.iter().copied()
    }
}

impl TryFrom<BTreeSet<Weekday>> for Weekdays {
    type Error = NoWeekdays;

    fn try_from(days: BTreeSet<Weekday>) -> Result<Self, NoWeekdays> {
        if days.is_empty() {
            Err(NoWeekdays)
        } else {
            Ok(Self(days))
        }
    }
}

impl From<Weekdays> for BTreeSet<Weekday> {
    fn from(days: Weekdays) -> Self {
        days.0
    }
}

/// How long an occurrence lasts, as clocks show it: whole minutes, 1 to 10,080 (7 days).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "i32", into = "i32")]
pub struct WindowLength(i32);

/// A length that no occurrence has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is {given} minutes; use 1 to 10080 (7 days)")]
pub struct WindowLengthError {
    /// The minutes given.
    pub given: i32,
}

impl TryFrom<i32> for WindowLength {
    type Error = WindowLengthError;

    fn try_from(given: i32) -> Result<Self, WindowLengthError> {
        if (1..=7 * 24 * 60).contains(&given) {
            Ok(Self(given))
        } else {
            Err(WindowLengthError { given })
        }
    }
}

impl From<WindowLength> for i32 {
    fn from(length: WindowLength) -> Self {
        length.0
    }
}

/// From which day on, and up to which, an occurrence may start; `None` where there is no such limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Days {
    first: Option<Day>,
    last: Option<Day>,
}

/// A last day before the first one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("ends on {last}, before its first day, {first}")]
pub struct DaysError {
    /// The first day given.
    pub first: Day,
    /// The last day given.
    pub last: Day,
}

impl Days {
    /// From the first day to the last one, both inclusive.
    pub fn new(first: Option<Day>, last: Option<Day>) -> Result<Self, DaysError> {
        match (first, last) {
            (Some(first), Some(last)) if last < first => Err(DaysError { first, last }),
            _ => Ok(Self { first, last }),
        }
    }

    /// The first day.
    pub const fn first(self) -> Option<Day> {
        self.first
    }

    /// The last day.
    pub const fn last(self) -> Option<Day> {
        self.last
    }
}

impl Schedule {
    /// When it stands, as far as that meets the time between two moments, both inclusive; in the order of the starts.
    pub(super) fn spans(&self, from: Timestamp, to: Timestamp) -> Vec<Span> {
        match self {
            Self::Once(span) => Some(*span)
                .filter(|span| span.meets(from, to))
                .into_iter()
                .collect(),
            Self::Recurring(recurrence) => recurrence.spans(from, to),
        }
    }

    /// The first start behind a moment.
    pub(super) fn next_start(&self, after: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Once(span) => Some(span.start).filter(|start| *start > after),
            Self::Recurring(recurrence) => recurrence.next_start(after),
        }
    }
}

impl Recurrence {
    fn spans(&self, from: Timestamp, to: Timestamp) -> Vec<Span> {
        let first = earlier(self.zone.day(from), REACH);
        let last = later(self.zone.day(to), 1);
        let mut spans: Vec<_> = self
            .starting(first, last)
            .filter(|span| span.meets(from, to))
            .collect();
        spans.sort_unstable();
        spans
    }

    fn next_start(&self, after: Timestamp) -> Option<Timestamp> {
        let first = earlier(self.zone.day(after), 1);
        let first = first.max(self.days.first.map_or(Date::MIN, Day::date));
        // A zone that changes sides of the date line skips a day, which may be the only one of its week.
        let starts = self.starting(first, later(first, 16)).map(Span::start);
        starts.filter(|start| *start > after).min()
    }

    /// The occurrences that start on the days between two, both inclusive.
    fn starting(&self, first: Date, last: Date) -> impl Iterator<Item = Span> {
        let first = first.max(self.days.first.map_or(Date::MIN, Day::date));
        let last = last.min(self.days.last.map_or(Date::MAX, Day::date));
        std::iter::successors(Some(first), |day| day.tomorrow().ok())
            .take_while(move |day| *day <= last)
            .filter(|day| self.weekdays.0.contains(&day.weekday().into()))
            .filter_map(|day| self.on(day))
    }

    /// The occurrence that starts on a day; `None` where clocks show nothing of it.
    fn on(&self, day: Date) -> Option<Span> {
        let start = day.at(self.start.hour(), self.start.minute(), 0, 0);
        let end = start.checked_add(i64::from(self.length.0).minutes()).ok()?;
        Span::new(self.zone.first(start)?, self.zone.last(end)?).ok()
    }
}

fn earlier(day: Date, days: i64) -> Date {
    day.checked_sub(days.days()).unwrap_or(Date::MIN)
}

fn later(day: Date, days: i64) -> Date {
    day.checked_add(days.days()).unwrap_or(Date::MAX)
}
