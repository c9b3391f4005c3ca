//! What clocks and calendars show: days of the week, times of the day, days.

use std::{fmt, str::FromStr};

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use slipway_kernel::words;

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Weekday {
    /// Monday.
    Monday,
    /// Tuesday.
    Tuesday,
    /// Wednesday.
    Wednesday,
    /// Thursday.
    Thursday,
    /// Friday.
    Friday,
    /// Saturday.
    Saturday,
    /// Sunday.
    Sunday,
}

words! {
    Weekday, "day of the week":
    Monday = "MONDAY",
    Tuesday = "TUESDAY",
    Wednesday = "WEDNESDAY",
    Thursday = "THURSDAY",
    Friday = "FRIDAY",
    Saturday = "SATURDAY",
    Sunday = "SUNDAY",
}

impl From<jiff::civil::Weekday> for Weekday {
    fn from(day: jiff::civil::Weekday) -> Self {
        match day {
            jiff::civil::Weekday::Monday => Self::Monday,
            jiff::civil::Weekday::Tuesday => Self::Tuesday,
            jiff::civil::Weekday::Wednesday => Self::Wednesday,
            jiff::civil::Weekday::Thursday => Self::Thursday,
            jiff::civil::Weekday::Friday => Self::Friday,
            jiff::civil::Weekday::Saturday => Self::Saturday,
            jiff::civil::Weekday::Sunday => Self::Sunday,
        }
    }
}

/// A time of the day, as clocks show it: minutes since midnight, 0 to 1,439.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "i32", into = "i32")]
pub struct LocalTime(i8, i8);

/// What is no time of the day.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is no time of the day; use hours and minutes from 00:00 to 23:59")]
pub struct LocalTimeError {
    /// What was given, cut after 64 characters.
    pub given: String,
}

impl LocalTime {
    /// The hour.
    pub(super) const fn hour(self) -> i8 {
        self.0
    }

    /// The minute of the hour.
    pub(super) const fn minute(self) -> i8 {
        self.1
    }
}

impl TryFrom<i32> for LocalTime {
    type Error = LocalTimeError;

    /// From minutes since midnight.
    fn try_from(minutes: i32) -> Result<Self, LocalTimeError> {
        let error = || LocalTimeError {
            given: format!("minute {minutes}"),
        };
        let hour = i8::try_from(minutes.div_euclid(60)).map_err(|_| error())?;
        let minute = i8::try_from(minutes.rem_euclid(60)).map_err(|_| error())?;
        if (0..24).contains(&hour) {
            Ok(Self(hour, minute))
        } else {
            Err(error())
        }
    }
}

impl From<LocalTime> for i32 {
    /// Minutes since midnight.
    fn from(time: LocalTime) -> Self {
        Self::from(time.0) * 60 + Self::from(time.1)
    }
}

impl FromStr for LocalTime {
    type Err = LocalTimeError;

    /// From `18:30`.
    fn from_str(text: &str) -> Result<Self, LocalTimeError> {
        let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()) && text.len() == 2;
        let parts = text
            .split_once(':')
            .filter(|(hour, minute)| number(hour) && number(minute))
            .and_then(|(hour, minute)| Some((hour.parse().ok()?, minute.parse().ok()?)));
        match parts {
            Some((hour @ 0..24, minute @ 0..60)) => Ok(Self(hour, minute)),
            _ => Err(LocalTimeError {
                given: text.chars().take(64).collect(),
            }),
        }
    }
}

impl fmt::Display for LocalTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0, self.1)
    }
}

/// A day of the calendar, in the years 1 to 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Day(Date);

/// What is no day.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is no day; use a form like 2026-12-24")]
pub struct DayError {
    /// What was given, cut after 64 characters.
    pub given: String,
}

impl Day {
    pub(super) const fn date(self) -> Date {
        self.0
    }
}

impl FromStr for Day {
    type Err = DayError;

    fn from_str(text: &str) -> Result<Self, DayError> {
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let date = match (text.get(..4), text.get(5..7), text.get(8..)) {
            (Some(year), Some(month), Some(day))
                if text.len() == 10
                    && digits(&[year, month, day].concat())
                    && (&text[4..5], &text[7..8]) == ("-", "-") =>
            {
                year.parse()
                    .ok()
                    .zip(month.parse().ok())
                    .zip(day.parse().ok())
                    .filter(|((year, _), _)| *year >= 1)
                    .and_then(|((year, month), day)| Date::new(year, month, day).ok())
            }
            _ => None,
        };
        date.map(Self).ok_or_else(|| DayError {
            given: text.chars().take(64).collect(),
        })
    }
}

impl TryFrom<String> for Day {
    type Error = DayError;

    fn try_from(text: String) -> Result<Self, DayError> {
        text.parse()
    }
}

impl From<Day> for String {
    fn from(day: Day) -> Self {
        day.to_string()
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
