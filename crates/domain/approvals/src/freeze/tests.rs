use std::{collections::BTreeSet, time::Duration};

use uuid::Uuid;

use super::*;

mod model;

fn moment(text: &str) -> Timestamp {
    Timestamp::parse(text).expect("a moment")
}

fn days(first: &str, last: &str) -> Days {
    let day = |text: &str| (!text.is_empty()).then(|| text.parse().expect("a day"));
    Days::new(day(first), day(last)).expect("in order")
}

/// In a zone, on these days (`MON TUE`), at a time, for so many minutes.
fn recurring(zone: &str, on: &str, start: &str, minutes: i32) -> Recurrence {
    let named = |word: &str| {
        let day = |day: &Weekday| day.as_str().starts_with(word);
        Weekday::ALL.into_iter().find(day).expect("a weekday")
    };
    let weekdays: BTreeSet<_> = on.split(' ').map(named).collect();
    Recurrence {
        zone: zone.parse().expect("a zone"),
        weekdays: weekdays.try_into().expect("not empty"),
        start: start.parse().expect("a time"),
        length: minutes.try_into().expect("a length"),
        days: Days::default(),
    }
}

const EVERY_DAY: &str = "MON TUE WED THU FRI SAT SUN";

fn once(start: &str, end: &str) -> Schedule {
    Schedule::Once(Span::new(moment(start), moment(end)).expect("in order"))
}

fn window(slug: &str, schedule: Schedule) -> FreezeWindow {
    FreezeWindow {
        id: FreezeWindowId::from_uuid(Uuid::from_u128(1)),
        project: ProjectId::from_uuid(Uuid::from_u128(2)),
        slug: slug.parse().expect("a slug"),
        scope: FreezeScope::Project,
        schedule,
        actions: BTreeSet::new(),
        reason: "quiet".parse().expect("a reason"),
        suspended: false,
        created_at: moment("2020-01-01T00:00:00Z"),
        deleted_at: None,
        revision: Revision::FIRST,
    }
}

/// Asserts that a recurrence stands from one moment, inclusive, to another, exclusive, and neither just before nor then.
#[track_caller]
fn stands_from_to(recurrence: &Recurrence, start: &str, end: &str) {
    let window = window("w", Schedule::Recurring(recurrence.clone()));
    let (start, end) = (moment(start), moment(end));
    let micro = Duration::from_micros(1);
    for (now, expected) in [
        (start.minus(micro), false),
        (start, true),
        (end.minus(micro), true),
        (end, false),
    ] {
        let found = standing([window.clone()], FreezeAction::Release, now);
        assert_eq!(!found.is_empty(), expected, "at {now}");
        let outlook = outlook(&window, now);
        assert_eq!(outlook.stands, expected, "at {now}");
        if expected {
            assert_eq!(outlook.next_end, Some(end), "at {now}");
            assert_eq!(found[0].opens_again, Some(end), "at {now}");
        }
    }
    let before = outlook(&window, start.minus(micro));
    assert_eq!(
        (before.next_start, before.next_end),
        (Some(start), Some(end))
    );
}

#[test]
fn a_window_begins_with_its_start_and_is_over_at_its_end() {
    let friday = recurring("Europe/Berlin", "FRI", "16:00", 62 * 60);
    stands_from_to(&friday, "2026-06-12T14:00:00Z", "2026-06-15T04:00:00Z");
    let exact = window("w", once("2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z"));
    let at = |text| !standing([exact.clone()], FreezeAction::Release, moment(text)).is_empty();
    assert!(!at("2025-12-31T23:59:59.999999Z"));
    assert!(at("2026-01-01T00:00:00Z") && at("2026-01-01T00:00:00.999999Z"));
    assert!(!at("2026-01-01T00:00:01Z"));
}

#[test]
fn what_clocks_skip_is_read_so_that_the_window_is_longer() {
    // 02:00 to 03:00 is skipped in Berlin on the last Sunday of March, at 01:00 UTC.
    let skipped_start = recurring("Europe/Berlin", "SUN", "02:30", 60);
    stands_from_to(
        &skipped_start,
        "2026-03-29T01:00:00Z",
        "2026-03-29T01:30:00Z",
    );
    let skipped_end = recurring("Europe/Berlin", "SUN", "01:00", 90);
    stands_from_to(&skipped_end, "2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z");
    // Nothing of this is shown by any clock: the next one is a week later.
    let nothing = recurring("Europe/Berlin", "SUN", "02:10", 20);
    let nothing = window("w", Schedule::Recurring(nothing));
    let next = outlook(&nothing, moment("2026-03-28T00:00:00Z"));
    assert_eq!(next.next_start, Some(moment("2026-04-05T00:10:00Z")));
    assert_eq!(next.next_end, Some(moment("2026-04-05T00:30:00Z")));
}

#[test]
fn what_clocks_show_twice_is_read_so_that_the_window_is_longer() {
    // 02:00 to 03:00 comes twice in Berlin on the last Sunday of October, from 00:00 UTC on.
    let start_twice = recurring("Europe/Berlin", "SUN", "02:30", 60);
    stands_from_to(&start_twice, "2026-10-25T00:30:00Z", "2026-10-25T02:30:00Z");
    let end_twice = recurring("Europe/Berlin", "SUN", "01:00", 90);
    stands_from_to(&end_twice, "2026-10-24T23:00:00Z", "2026-10-25T01:30:00Z");
    // No clock shows less than 02:00 once it was 02:00, nor less than midnight in Havana, where that comes twice.
    let up_to = recurring("Europe/Berlin", "SUN", "01:00", 60);
    stands_from_to(&up_to, "2026-10-24T23:00:00Z", "2026-10-25T00:00:00Z");
    let saturday = recurring("America/Havana", "SAT", "00:00", 24 * 60);
    stands_from_to(&saturday, "2026-10-31T04:00:00Z", "2026-11-01T04:00:00Z");
    let both_twice = recurring("Europe/Berlin", "SUN", "02:10", 20);
    stands_from_to(&both_twice, "2026-10-25T00:10:00Z", "2026-10-25T01:30:00Z");
}

#[test]
fn a_day_lasts_from_midnight_to_midnight_whatever_the_clocks_do() {
    let day = 24 * 60;
    let sunday = recurring("America/New_York", "SUN", "00:00", day);
    stands_from_to(&sunday, "2026-03-08T05:00:00Z", "2026-03-09T04:00:00Z");
    stands_from_to(&sunday, "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z");
    // Midnight itself was skipped in São Paulo, and comes twice in Havana.
    let skipped = recurring("America/Sao_Paulo", "SUN", "00:00", day);
    stands_from_to(&skipped, "2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z");
    let twice = recurring("America/Havana", "SUN", "00:00", day);
    stands_from_to(&twice, "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z");
    // Samoa had no 30th of December, a Friday, in 2011.
    let friday = recurring("Pacific/Apia", "FRI", "09:00", 60);
    let friday = window("w", Schedule::Recurring(friday));
    let next = outlook(&friday, moment("2011-12-24T00:00:00Z"));
    assert_eq!(next.next_start, Some(moment("2012-01-05T19:00:00Z")));
}

#[test]
fn windows_go_past_midnight_month_year_and_leap_day() {
    let night = recurring("UTC", EVERY_DAY, "22:00", 8 * 60);
    stands_from_to(&night, "2027-12-31T22:00:00Z", "2028-01-01T06:00:00Z");
    stands_from_to(&night, "2028-02-28T22:00:00Z", "2028-02-29T06:00:00Z");
    stands_from_to(&night, "2028-02-29T22:00:00Z", "2028-03-01T06:00:00Z");
    stands_from_to(&night, "2027-02-28T22:00:00Z", "2027-03-01T06:00:00Z");
    let week = recurring("UTC", "TUE", "12:00", 7 * 24 * 60 - 1);
    stands_from_to(&week, "2028-02-22T12:00:00Z", "2028-02-29T11:59:00Z");
}

#[test]
fn zones_may_be_off_by_less_than_an_hour() {
    for (zone, start, end) in [
        (
            "Asia/Kolkata",
            "2026-06-12T12:30:00Z",
            "2026-06-12T13:30:00Z",
        ),
        (
            "Asia/Kathmandu",
            "2026-06-12T12:15:00Z",
            "2026-06-12T13:15:00Z",
        ),
        (
            "America/St_Johns",
            "2026-06-12T20:30:00Z",
            "2026-06-12T21:30:00Z",
        ),
    ] {
        stands_from_to(&recurring(zone, "FRI", "18:00", 60), start, end);
    }
    // Lord Howe's clocks are set by half an hour: 01:30 to 02:00 comes twice.
    let howe = recurring("Australia/Lord_Howe", "SUN", "01:30", 60);
    stands_from_to(&howe, "2026-04-04T14:30:00Z", "2026-04-04T16:00:00Z");
}

#[test]
fn first_and_last_day_are_those_of_starts() {
    let december = Recurrence {
        days: days("2026-12-18", "2026-12-25"),
        ..recurring("Europe/Berlin", "FRI", "16:00", 62 * 60)
    };
    stands_from_to(&december, "2026-12-18T15:00:00Z", "2026-12-21T05:00:00Z");
    stands_from_to(&december, "2026-12-25T15:00:00Z", "2026-12-28T05:00:00Z");
    let december = window("w", Schedule::Recurring(december));
    let long_before = outlook(&december, moment("2020-01-01T00:00:00Z"));
    assert_eq!(long_before.next_start, Some(moment("2026-12-18T15:00:00Z")));
    for (now, stands) in [
        ("2026-12-11T16:00:00Z", false),
        ("2027-01-01T16:00:00Z", false),
        ("2026-12-27T00:00:00Z", true),
    ] {
        assert_eq!(outlook(&december, moment(now)).stands, stands, "{now}");
    }
    let after = outlook(&december, moment("2026-12-28T05:00:00Z"));
    assert_eq!(after, Outlook::default());
}

#[test]
fn windows_that_meet_open_when_the_last_of_them_ends() {
    let at = |text| moment(text);
    let now = at("2026-06-13T00:00:00Z");
    let windows = [
        // Touches the next one, which overlaps the third.
        window("a", once("2026-06-12T00:00:00Z", "2026-06-14T00:00:00Z")),
        window("b", once("2026-06-14T00:00:00Z", "2026-06-16T00:00:00Z")),
        window("c", once("2026-06-15T00:00:00Z", "2026-06-18T00:00:00Z")),
        // One microsecond is open in between.
        window(
            "d",
            once("2026-06-18T00:00:00.000001Z", "2026-07-01T00:00:00Z"),
        ),
    ];
    let found = standing(windows.clone(), FreezeAction::Promotion, now);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].window.slug.as_str(), "a");
    assert_eq!(found[0].ends, Some(at("2026-06-14T00:00:00Z")));
    assert_eq!(found[0].opens_again, Some(at("2026-06-18T00:00:00Z")));

    let both = standing(windows, FreezeAction::Promotion, at("2026-06-15T12:00:00Z"));
    let slugs: Vec<_> = both
        .iter()
        .map(|found| found.window.slug.as_str())
        .collect();
    assert_eq!(slugs, ["b", "c"]);
    for found in both {
        assert_eq!(found.opens_again, Some(at("2026-06-18T00:00:00Z")));
    }
}

#[test]
fn what_never_opens_has_no_end_and_what_opens_late_has_one() {
    let now = moment("2026-06-13T00:00:00Z");
    let always = recurring("Europe/Berlin", EVERY_DAY, "00:00", 24 * 60);
    let always = window("w", Schedule::Recurring(always));
    let found = standing([always.clone()], FreezeAction::Restore, now);
    assert_eq!((found[0].ends, found[0].opens_again), (None, None));
    let outlook = outlook(&always, now);
    assert_eq!(
        (outlook.stands, outlook.next_start, outlook.next_end),
        (true, None, None)
    );
    // Days that touch count as one time, also where there are many; and one window may be as long as it likes.
    let summer = Recurrence {
        days: days("", "2026-09-30"),
        ..recurring("Europe/Berlin", EVERY_DAY, "00:00", 24 * 60)
    };
    let summer = window("w", Schedule::Recurring(summer));
    let found = standing([summer], FreezeAction::Restore, now);
    assert_eq!(found[0].opens_again, Some(moment("2026-09-30T22:00:00Z")));
    let years = window("w", once("2020-01-01T00:00:00Z", "2040-01-01T00:00:00Z"));
    let found = standing([years], FreezeAction::Restore, now);
    assert_eq!(found[0].opens_again, Some(moment("2040-01-01T00:00:00Z")));
}

#[test]
fn only_what_counts_and_covers_stands() {
    let now = moment("2026-06-13T00:00:00Z");
    let stands = window("w", once("2026-06-12T00:00:00Z", "2026-06-14T00:00:00Z"));
    let suspended = FreezeWindow {
        suspended: true,
        ..stands.clone()
    };
    let deleted = FreezeWindow {
        deleted_at: Some(now),
        ..stands.clone()
    };
    let releases = FreezeWindow {
        actions: BTreeSet::from([FreezeAction::Release]),
        ..stands.clone()
    };
    for action in FreezeAction::ALL {
        for (window, expected) in [
            (&stands, true),
            (&suspended, false),
            (&deleted, false),
            (&releases, action == FreezeAction::Release),
        ] {
            let found = standing([window.clone()], action, now);
            assert_eq!(!found.is_empty(), expected, "{action} in {window:?}");
        }
    }
    assert_eq!(outlook(&suspended, now), Outlook::default());
    assert_eq!(outlook(&deleted, now), Outlook::default());
    assert!(outlook(&releases, now).stands);
}

#[test]
fn nothing_breaks_at_the_ends_of_time() {
    let window = window(
        "w",
        Schedule::Recurring(recurring("Pacific/Apia", EVERY_DAY, "23:59", 10_080)),
    );
    for now in [Timestamp::MIN, Timestamp::MAX] {
        let found = standing([window.clone()], FreezeAction::Release, now);
        assert!(found.len() <= 1);
        outlook(&window, now);
    }
}

#[test]
fn values_are_parsed_strictly_and_come_back() {
    assert_eq!(
        "europe/berlin".parse::<Zone>().expect("a zone").name(),
        "Europe/Berlin"
    );
    for wrong in [
        "",
        "Berlin",
        "CEST",
        "+02:00",
        "Etc/Unknown",
        "../UTC",
        "Europe/Berlin\0",
    ] {
        let error = wrong.parse::<Zone>().expect_err(wrong);
        assert!(error.to_string().contains("is no time zone"), "{error}");
    }
    for right in ["00:00", "09:05", "23:59"] {
        let time: LocalTime = right.parse().expect(right);
        assert_eq!(time.to_string(), right);
        assert_eq!(LocalTime::try_from(i32::from(time)), Ok(time));
    }
    for wrong in [
        "",
        "24:00",
        "12:60",
        "1:00",
        "01:0",
        "+1:00",
        "12-00",
        "12:00:00",
        "１２:00",
    ] {
        assert!(wrong.parse::<LocalTime>().is_err(), "{wrong}");
    }
    for wrong in [-1, 1_440, i32::MIN, i32::MAX] {
        assert!(LocalTime::try_from(wrong).is_err(), "{wrong}");
    }
    for right in ["0001-01-01", "2028-02-29", "9999-12-31"] {
        assert_eq!(right.parse::<Day>().expect(right).to_string(), right);
    }
    for wrong in [
        "",
        "2027-02-29",
        "0000-01-01",
        "2026-1-1",
        "20260101",
        "2026-01-01T00",
        "2026/01/01",
        "+026-01-01",
        "äää-01-01",
    ] {
        assert!(wrong.parse::<Day>().is_err(), "{wrong}");
    }
    for (minutes, right) in [(0, false), (1, true), (10_080, true), (10_081, false)] {
        assert_eq!(WindowLength::try_from(minutes).is_ok(), right, "{minutes}");
    }
    assert!(Weekdays::try_from(BTreeSet::new()).is_err());
    let day = |text: &str| Some(text.parse().expect("a day"));
    assert!(Days::new(day("2026-01-02"), day("2026-01-01")).is_err());
    assert!(Days::new(day("2026-01-01"), day("2026-01-01")).is_ok());
    let now = moment("2026-06-13T00:00:00Z");
    assert!(Span::new(now, now).is_err());
}
