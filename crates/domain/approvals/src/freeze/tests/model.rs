//! The same, minute by minute: slow, and by nothing but what clocks in the zone show at each minute.

use jiff::{
    Timestamp as Instant,
    civil::{Date, DateTime},
    tz::{TimeZone, TimeZoneDatabase},
};
use proptest::prelude::*;

use super::*;

const MINUTE: i64 = 60_000_000;
const DAY_MINUTES: i64 = 24 * 60;
/// Zones that do everything zones do: set clocks by an hour, two, or half of one, at midnight too, change sides of the date
/// line, change their mind twice a year around a moving month, or nothing at all.
const ZONES: [&str; 14] = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Sao_Paulo",
    "America/Havana",
    "America/St_Johns",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Asia/Beirut",
    "Africa/Casablanca",
    "Australia/Lord_Howe",
    "Pacific/Chatham",
    "Pacific/Apia",
    "Antarctica/Troll",
];

/// What the clocks of a zone show at each minute of some days.
struct Shown {
    first: i64,
    local: Vec<DateTime>,
}

impl Shown {
    /// The days around a minute.
    fn around(zone: &TimeZone, minute: i64) -> Self {
        let first = minute - REACH * DAY_MINUTES;
        let local = (first..=minute + (AHEAD + REACH) * DAY_MINUTES)
            .map(|minute| {
                let instant = Instant::from_microsecond(minute * MINUTE).expect("in range");
                zone.to_datetime(instant)
            })
            .collect();
        Self { first, local }
    }

    /// Marks the minutes in which a recurrence stands.
    fn mark(&self, recurrence: &Recurrence, closed: &mut [bool]) {
        let mut days: Vec<Date> = self.local.iter().map(|local| local.date()).collect();
        days.dedup();
        // A day that no clock shows is a day of the calendar all the same.
        let mut day = days[0];
        let last = *days.last().expect("some");
        while day <= last {
            let weekday: Weekday = day.weekday().into();
            let within = |of: Option<Day>, holds: fn(Date, Date) -> bool| {
                of.is_none_or(|of| holds(day, of.date()))
            };
            let starts = recurrence.weekdays.iter().any(|on| on == weekday)
                && within(recurrence.days.first(), |day, first| day >= first)
                && within(recurrence.days.last(), |day, last| day <= last);
            if starts {
                let minutes = i64::from(i32::from(recurrence.start));
                let midnight = day.at(0, 0, 0, 0);
                let shown = |minutes| midnight + jiff::SignedDuration::from_mins(minutes);
                let start = shown(minutes);
                let end = shown(minutes + i64::from(i32::from(recurrence.length)));
                let begins = self.local.iter().position(|local| *local >= start);
                let ends = self.local.iter().rposition(|local| *local < end);
                if let (Some(begins), Some(ends)) = (begins, ends)
                    && begins <= ends
                {
                    closed[begins..=ends].fill(true);
                }
            }
            day = day.tomorrow().expect("in range");
        }
    }
}

fn recurrence(zone: &'static str) -> impl Strategy<Value = Recurrence> {
    let length = prop_oneof![
        1..=10_080_i32,
        Just(60),
        Just(24 * 60),
        Just(7 * 24 * 60),
        (1..=56_i32).prop_map(|half| half * 30)
    ];
    let start = prop_oneof![
        0..1_440_i32,
        Just(0),
        (0..48_i32).prop_map(|half| half * 30)
    ];
    (1..128_u8, start, length).prop_map(move |(days, start, length)| {
        let weekdays: BTreeSet<_> = Weekday::ALL
            .into_iter()
            .enumerate()
            .filter(|(at, _)| days & (1 << at) != 0)
            .map(|(_, day)| day)
            .collect();
        Recurrence {
            zone: zone.parse().expect("a zone"),
            weekdays: weekdays.try_into().expect("some"),
            start: start.try_into().expect("a time"),
            length: length.try_into().expect("a length"),
            days: Days::default(),
        }
    })
}

#[derive(Debug, Clone)]
struct Case {
    zone: &'static str,
    /// Minutes since 1970.
    now: i64,
    windows: Vec<Recurrence>,
}

/// A moment from 2011 to 2030, near a change of the clocks where the zone has one within the year.
fn moments(zone: &'static str) -> impl Strategy<Value = i64> {
    let years = 41 * 365 * DAY_MINUTES..60 * 365 * DAY_MINUTES;
    (years, -4 * DAY_MINUTES..4 * DAY_MINUTES).prop_map(move |(minute, near)| {
        let database = TimeZoneDatabase::bundled();
        let zone = database.get(zone).expect("a zone");
        let instant = Instant::from_microsecond(minute * MINUTE).expect("in range");
        let change = zone.following(instant).next();
        let change = change.map(|change| change.timestamp().as_second() / 60);
        let change = change.filter(|change| change - minute < 366 * DAY_MINUTES);
        change.unwrap_or(minute) + near
    })
}

fn cases() -> impl Strategy<Value = Case> {
    proptest::sample::select(&ZONES[..]).prop_flat_map(|zone| {
        let limited = (recurrence(zone), -3..3_i64, 0..3_i64, any::<bool>());
        (moments(zone), proptest::collection::vec(limited, 1..4)).prop_map(move |(now, windows)| {
            let windows = windows.into_iter().map(|(window, first, more, limit)| {
                let today = window.zone.day(at(now));
                let day = |days: i64| {
                    let day = today.saturating_add(jiff::SignedDuration::from_hours(24 * days));
                    day.to_string().parse().expect("a day")
                };
                let days = if limit {
                    Days::new(Some(day(first)), Some(day(first + more))).expect("in order")
                } else {
                    Days::default()
                };
                Recurrence { days, ..window }
            });
            Case {
                zone,
                now,
                windows: windows.collect(),
            }
        })
    })
}

fn at(minute: i64) -> Timestamp {
    Timestamp::from_micros(minute * MINUTE).expect("in range")
}

/// How far the model looks ahead, in days.
const AHEAD: i64 = 9;
/// What it knows on either side of that and of what it looks at before, so that occurrences at the edges are whole.
const REACH: i64 = 11;

proptest! {
    // Each case is thousands of minutes long.
    #![proptest_config(ProptestConfig {
        cases: ProptestConfig::default().cases.div_ceil(4),
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_minute_is_as_in_the_model(case in cases()) {
        let zone = TimeZoneDatabase::bundled().get(case.zone).expect("a zone");
        let shown = Shown::around(&zone, case.now);
        let mut union = vec![false; shown.local.len()];
        for window in &case.windows {
            let mut closed = vec![false; shown.local.len()];
            shown.mark(window, &mut closed);
            for (union, closed) in union.iter_mut().zip(&closed) {
                *union |= closed;
            }
            let here = usize::try_from(case.now - shown.first).expect("inside");
            let ahead = usize::try_from(AHEAD * DAY_MINUTES).expect("small");
            let known = &closed[here..here + ahead];
            check_outlook(window, case.now, known)?;
        }
        let windows: Vec<_> = case
            .windows
            .iter()
            .map(|recurrence| window("w", Schedule::Recurring(recurrence.clone())))
            .collect();
        // Where something begins or ends in the days around, and now and then.
        for minute in case.now - 2 * DAY_MINUTES..case.now + 2 * DAY_MINUTES {
            let here = usize::try_from(minute - shown.first).expect("inside");
            if minute % 97 != 0 && union[here - 1] == union[here] && union[here] == union[here + 1] {
                continue;
            }
            let found = standing(windows.clone(), FreezeAction::Release, at(minute));
            prop_assert_eq!(!found.is_empty(), union[here], "at {}", at(minute));
            let known = &union[here..here + usize::try_from((AHEAD - 2) * DAY_MINUTES).expect("small")];
            if let (Some(found), Some(open)) = (found.first(), known.iter().position(|closed| !closed)) {
                let open = at(minute + i64::try_from(open).expect("small"));
                prop_assert_eq!(found.opens_again, Some(open), "at {}", at(minute));
            } else if let Some(found) = found.first() {
                let later = at(minute + (AHEAD - 2) * DAY_MINUTES);
                prop_assert!(found.opens_again.is_none_or(|open| open >= later));
            }
        }
    }
}

/// The next start and the next end, as far as the minutes from `now` on tell of them.
fn check_outlook(window: &Recurrence, now: i64, closed: &[bool]) -> Result<(), TestCaseError> {
    let found = outlook(
        &super::window("w", Schedule::Recurring(window.clone())),
        at(now),
    );
    prop_assert_eq!(found.stands, closed[0]);
    let turns = |to: bool| {
        let turn = closed
            .windows(2)
            .position(|pair| pair[0] != to && pair[1] == to);
        turn.map(|turn| at(now + i64::try_from(turn).expect("small") + 1))
    };
    let end = turns(false);
    let horizon = at(now + i64::try_from(closed.len()).expect("small"));
    match turns(true) {
        Some(start) => prop_assert_eq!(found.next_start, Some(start)),
        None => prop_assert!(found.next_start.is_none_or(|start| start >= horizon)),
    }
    match end {
        Some(end) => prop_assert_eq!(found.next_end, Some(end)),
        None => prop_assert!(found.next_end.is_none_or(|end| end >= horizon)),
    }
    Ok(())
}
