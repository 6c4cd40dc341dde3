//! Maintenance windows against tables of known clock changes, and against a walk over every minute.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::error::Error as _;

use cairn_contract::Timestamp;
use cairn_domain::window::{Cron, State, Windows, Zone};
use jiff::{civil::DateTime, tz::TimeZone};
use proptest::prelude::*;

fn utc(text: &str) -> Timestamp {
    let at: jiff::Timestamp = text.parse().unwrap();
    Timestamp(at.as_millisecond())
}

/// `open until T`, `closed until T` or `closed`.
fn said(windows: &Windows, now: &str) -> String {
    let text = |t: Timestamp| jiff::Timestamp::from_millisecond(t.0).unwrap().to_string();
    match windows.state(utc(now)) {
        State::Open { until } => format!("open until {}", text(until)),
        State::Closed { next: Some(next) } => format!("closed until {}", text(next)),
        State::Closed { next: None } => "closed".to_owned(),
    }
}

/// Each line of `story`: an instant, `|`, and what is said then.
#[track_caller]
fn check(zone: &str, windows: &[(&str, u32)], story: &str) {
    let windows = Windows::read(zone, windows.iter().copied()).unwrap();
    for line in story.lines().map(str::trim).filter(|l| !l.is_empty()) {
        let (now, expected) = line.split_once('|').unwrap();
        assert_eq!(said(&windows, now.trim()), expected.trim(), "at {now}");
    }
}

#[test]
fn a_nightly_window_opens_and_closes() {
    check(
        "UTC",
        &[("30 2 * * *", 90)],
        "2026-01-01T00:00:00Z     | closed until 2026-01-01T02:30:00Z
         2026-01-01T02:29:59.999Z | closed until 2026-01-01T02:30:00Z
         2026-01-01T02:30:00Z     | open until 2026-01-01T04:00:00Z
         2026-01-01T03:59:59.999Z | open until 2026-01-01T04:00:00Z
         2026-01-01T04:00:00Z     | closed until 2026-01-02T02:30:00Z",
    );
}

#[test]
fn a_window_runs_over_midnight_month_and_year() {
    check(
        "Asia/Kolkata",
        &[("0 22 31 dec *", 240)],
        "2026-12-31T16:29:59Z | closed until 2026-12-31T16:30:00Z
         2026-12-31T16:30:00Z | open until 2026-12-31T20:30:00Z
         2026-12-31T19:00:00Z | open until 2026-12-31T20:30:00Z
         2026-12-31T20:30:00Z | closed until 2027-12-31T16:30:00Z",
    );
    check(
        "UTC",
        &[("0 0 1 * *", 7 * 24 * 60)],
        "2026-02-28T00:00:00Z | closed until 2026-03-01T00:00:00Z
         2026-03-07T23:59:00Z | open until 2026-03-08T00:00:00Z",
    );
}

#[test]
fn the_last_day_of_a_month_and_29_february_are_found() {
    check(
        "UTC",
        &[("0 3 L * *", 60)],
        "2026-02-01T00:00:00Z | closed until 2026-02-28T03:00:00Z
         2026-02-28T04:00:00Z | closed until 2026-03-31T03:00:00Z
         2026-04-01T00:00:00Z | closed until 2026-04-30T03:00:00Z
         2028-02-28T04:00:00Z | closed until 2028-02-29T03:00:00Z",
    );
    check(
        "UTC",
        &[("0 0 29 2 *", 60)],
        "2026-01-01T00:00:00Z | closed until 2028-02-29T00:00:00Z
         2028-02-29T00:59:00Z | open until 2028-02-29T01:00:00Z
         2096-03-01T00:00:00Z | closed until 2104-02-29T00:00:00Z",
    );
    check("UTC", &[("0 0 31 * *", 60)], "2026-04-01T00:00:00Z | closed until 2026-05-31T00:00:00Z");
    check("UTC", &[("0 0 15,L feb *", 60)], "2026-02-15T01:00:00Z | closed until 2026-02-28T00:00:00Z");
}

#[test]
fn either_day_is_enough_where_both_are_restricted() {
    // 2026-06-13 is a Saturday, 2026-06-12 a Friday.
    let story = "2026-06-08T00:00:00Z | closed until 2026-06-12T00:00:00Z
                 2026-06-12T01:00:00Z | closed until 2026-06-13T00:00:00Z";
    check("UTC", &[("0 0 13 * fri", 60)], story);
    // A field that begins with `*` does not restrict: both must hold. The odd Fridays of June 2026 are the 5th and 19th.
    let story = "2026-06-01T00:00:00Z | closed until 2026-06-05T00:00:00Z
                 2026-06-05T01:00:00Z | closed until 2026-06-19T00:00:00Z";
    check("UTC", &[("0 0 */2 * fri", 60)], story);
}

#[test]
fn sunday_is_0_and_7_and_a_name() {
    for sunday in ["0", "7", "sun", "SUN", "7-7", "sun-sun", "0,7"] {
        let start = format!("0 0 * * {sunday}");
        check("UTC", &[(&start, 60)], "2026-11-23T00:00:00Z | closed until 2026-11-29T00:00:00Z");
    }
    for weekend in ["sat-sun", "6-7", "sat,sun", "0,6", "6-0"] {
        let story = "2026-11-23T00:00:00Z | closed until 2026-11-28T00:00:00Z
                     2026-11-28T02:00:00Z | closed until 2026-11-29T00:00:00Z
                     2026-11-29T02:00:00Z | closed until 2026-12-05T00:00:00Z";
        check("UTC", &[(&format!("0 0 * * {weekend}"), 60)], story);
    }
}

/// 2026-03-29 01:00 UTC: 02:00 to 03:00 is skipped. 2026-10-25 01:00 UTC: 02:00 to 03:00 comes twice.
#[test]
fn berlin_in_spring_and_autumn() {
    check(
        "Europe/Berlin",
        &[("30 2 * * *", 60)],
        "2026-03-28T01:30:00Z | open until 2026-03-28T02:30:00Z
         2026-03-29T00:59:59Z | closed until 2026-03-29T01:00:00Z
         2026-03-29T01:00:00Z | open until 2026-03-29T02:00:00Z
         2026-03-29T02:00:00Z | closed until 2026-03-30T00:30:00Z
         2026-10-24T23:59:00Z | closed until 2026-10-25T00:30:00Z
         2026-10-25T00:30:00Z | open until 2026-10-25T01:30:00Z
         2026-10-25T01:30:00Z | closed until 2026-10-26T01:30:00Z",
    );
    // Two hours are two hours; the clock on the wall shows 04:00 and 02:00 at their end.
    check(
        "Europe/Berlin",
        &[("0 1 29 mar *", 120)],
        "2026-03-29T00:30:00Z | open until 2026-03-29T02:00:00Z",
    );
    check(
        "Europe/Berlin",
        &[("0 1 25 oct *", 120)],
        "2026-10-25T00:30:00Z | open until 2026-10-25T01:00:00Z",
    );
    // All starts of the skipped hour, and that of 03:00, are one.
    check(
        "Europe/Berlin",
        &[("*/20 2-3 29 mar *", 5)],
        "2026-03-29T00:00:00Z | closed until 2026-03-29T01:00:00Z
         2026-03-29T01:00:00Z | open until 2026-03-29T01:05:00Z
         2026-03-29T01:05:00Z | closed until 2026-03-29T01:20:00Z",
    );
}

/// 2026-03-08 07:00 UTC and 2026-11-01 06:00 UTC.
#[test]
fn new_york_in_spring_and_autumn() {
    check(
        "America/New_York",
        &[("15 2 * * sun", 30), ("45 1 * * sun", 20)],
        "2026-03-08T06:00:00Z | closed until 2026-03-08T06:45:00Z
         2026-03-08T06:45:00Z | open until 2026-03-08T07:30:00Z
         2026-03-08T07:30:00Z | closed until 2026-03-15T05:45:00Z
         2026-11-01T05:00:00Z | closed until 2026-11-01T05:45:00Z
         2026-11-01T06:05:00Z | closed until 2026-11-01T07:15:00Z
         2026-11-01T07:15:00Z | open until 2026-11-01T07:45:00Z",
    );
}

/// Half an hour: 2026-10-03 15:30 UTC 02:00 becomes 02:30, 2026-04-04 15:00 UTC 02:00 becomes 01:30.
#[test]
fn lord_howe_changes_by_half_an_hour() {
    check(
        "Australia/Lord_Howe",
        &[("15 2 * * *", 10)],
        "2026-10-03T15:29:00Z | closed until 2026-10-03T15:30:00Z
         2026-10-03T15:30:00Z | open until 2026-10-03T15:40:00Z
         2026-10-03T15:40:00Z | closed until 2026-10-04T15:15:00Z",
    );
    check(
        "Australia/Lord_Howe",
        &[("45 1 * * *", 10)],
        "2026-04-04T14:00:00Z | closed until 2026-04-04T14:45:00Z
         2026-04-04T14:55:00Z | closed until 2026-04-05T15:15:00Z",
    );
}

/// Samoa left out 30 December 2011.
#[test]
fn a_skipped_day_starts_when_the_next_begins() {
    check(
        "Pacific/Apia",
        &[("0 12 30 12 *", 60)],
        "2011-12-30T09:59:00Z | closed until 2011-12-30T10:00:00Z
         2011-12-30T10:30:00Z | open until 2011-12-30T11:00:00Z
         2011-12-30T11:00:00Z | closed until 2012-12-29T22:00:00Z",
    );
}

#[test]
fn overlapping_and_touching_windows_are_one() {
    check(
        "UTC",
        &[("0 2 * * *", 60), ("30 2 * * *", 60), ("30 3 * * *", 30)],
        "2026-01-01T02:00:00Z | open until 2026-01-01T04:00:00Z
         2026-01-01T04:00:00Z | closed until 2026-01-02T02:00:00Z",
    );
    // Never closed: the answer is bounded.
    check("UTC", &[("* * * * *", 1)], "2026-01-01T00:00:00Z | open until 2026-01-01T01:41:00Z");
    check("UTC", &[], "2026-01-01T00:00:00Z | closed");
}

#[test]
fn instants_outside_the_calendar_are_closed() {
    let windows = Windows::read("Europe/Berlin", [("0 2 * * *", 60)]).unwrap();
    for now in [i64::MIN, i64::MAX, 253_402_300_799_999, -377_705_116_800_000] {
        assert!(matches!(windows.state(Timestamp(now)), State::Closed { .. }), "{now}");
    }
}

#[test]
fn a_wrong_start_is_refused_with_its_reason() {
    for (text, error) in [
        (
            "",
            "a cron expression has five fields (minute hour day month weekday), such as `0 2 * * sun`, not 0",
        ),
        (
            "@daily",
            "a cron expression has five fields (minute hour day month weekday), such as `0 2 * * sun`, not 1",
        ),
        ("60 * * * *", "minute field: \"60\" is no value of this field"),
        ("* 24 * * *", "hour field: \"24\" is no value of this field"),
        ("* * 0 * *", "day field: \"0\" is no value of this field"),
        ("* * * 13 *", "month field: \"13\" is no value of this field"),
        ("* * * * 8", "weekday field: \"8\" is no value of this field"),
        ("* * * * monday", "weekday field: \"monday\" is no value of this field"),
        ("* * * mon *", "month field: \"mon\" is no value of this field"),
        ("+1 * * * *", "minute field: \"+1\" is no value of this field"),
        ("1,,2 * * * *", "minute field: \"\" is no value of this field"),
        ("9-5 * * * *", "minute field: \"9-5\" is a range that ends before it begins"),
        ("* * * * fri-mon", "weekday field: \"fri-mon\" is a range that ends before it begins"),
        (
            "5/10 * * * *",
            "minute field: \"5/10\" has a step after a single value; a step stands after * or a range",
        ),
        ("*/0 * * * *", "minute field: \"*/0\" has a step that is not a number from 1"),
        ("*/x * * * *", "minute field: \"*/x\" has a step that is not a number from 1"),
        ("? * * * *", "minute field: \"?\" is no value of this field"),
        ("* * L-1 * *", "day field: \"L-1\" is no value of this field"),
        ("L * * * *", "minute field: \"L\" is no value of this field"),
        ("0 0 30 2 *", "`0 0 30 2 *` never happens: no such month has such a day"),
        ("0 0 31 2,4,6,9,11 *", "`0 0 31 2,4,6,9,11 *` never happens: no such month has such a day"),
        ("0 0 29 2 */2", "`0 0 29 2 */2` does not happen for more than five years at a time"),
    ] {
        assert_eq!(text.parse::<Cron>().unwrap_err().to_string(), error, "{text:?}");
    }
    assert!(" ".repeat(600).parse::<Cron>().is_err());
    for good in ["0 0 31 * *", "0 0 29 2 *", "0 0 30 2 mon", "0-59/7 */5 1-31/2 JAN-mar,12 1-5"] {
        assert_eq!(good.parse::<Cron>().unwrap().to_string(), good);
    }
}

#[test]
fn windows_are_refused_by_number() {
    let refused = |zone: &str, windows: &[(&str, u32)]| {
        let error = Windows::read(zone, windows.iter().copied()).unwrap_err();
        error.source().map_or(error.to_string(), |cause| format!("{error}: {cause}"))
    };
    assert_eq!(
        refused("Europe/Berlim", &[]),
        "there is no time zone \"Europe/Berlim\"; write an IANA name, such as Europe/Berlin"
    );
    assert!(refused(&"x".repeat(1 << 16), &[]).len() < 200);
    for zone in ["", "../../etc/passwd", "/etc/localtime", "Etc/Unknown", "CET-1CEST"] {
        assert!(Zone::named(zone).is_err(), "{zone}");
    }
    assert_eq!(Zone::named("europe/berlin").unwrap().name(), "Europe/Berlin");
    assert_eq!(
        refused("UTC", &[("0 0 * * *", 1), ("0 0 30 2 *", 1)]),
        "start of maintenance window 2: `0 0 30 2 *` never happens: no such month has such a day"
    );
    for minutes in [0, 10_081, u32::MAX] {
        assert!(refused("UTC", &[("0 0 * * *", minutes)]).contains("1 to 10080 are possible"));
    }
    assert_eq!(refused("UTC", &[("0 0 * * *", 1); 17]), "at most 16 maintenance windows, not 17");
}

const MINUTE: i64 = 60_000;

/// Starts of a window among local times, by walking them: each local minute of the calendar once, as the rules say.
fn starts(zone: &TimeZone, cron: &str, from: DateTime, days: i64) -> Vec<i64> {
    let fields: Vec<&str> = cron.split(' ').collect();
    let is = |field: &str, value: i8| {
        field == "*"
            || field.split(',').any(|part| {
                let (low, high) = part.split_once('-').unwrap_or((part, part));
                (low.parse::<i8>().unwrap()..=high.parse().unwrap()).contains(&value)
            })
    };
    let mut out = Vec::new();
    let mut local = from;
    for _ in 0..days * 1440 {
        let weekday = local.date().weekday().to_sunday_zero_offset();
        let (by_day, by_weekday) = (is(fields[2], local.day()), is(fields[4], weekday));
        let day =
            if fields[2] != "*" && fields[4] != "*" { by_day || by_weekday } else { by_day && by_weekday };
        if is(fields[0], local.minute()) && is(fields[1], local.hour()) && is(fields[3], local.month()) && day
        {
            out.push(first_instant(zone, local));
        }
        local = local.checked_add(jiff::SignedDuration::from_mins(1)).unwrap();
    }
    out
}

/// The first minute of the world at which the local clock shows `local` or, having jumped over it, more.
fn first_instant(zone: &TimeZone, local: DateTime) -> i64 {
    let guess = jiff::tz::Offset::UTC.to_timestamp(local).unwrap().as_millisecond();
    (-15 * 60..=15 * 60)
        .map(|minutes| guess + minutes * MINUTE)
        .find(|at| zone.to_datetime(jiff::Timestamp::from_millisecond(*at).unwrap()) >= local)
        .unwrap()
}

fn any_cron() -> impl Strategy<Value = String> {
    let minute = prop_oneof!["[0-9]", "[1-5][0-9]", Just("0,30".to_owned()), Just("15-17".to_owned())];
    let hour = prop_oneof!["[0-9]", Just("1-3".to_owned()), Just("2".to_owned()), Just("0,23".to_owned())];
    let day = prop_oneof![3 => Just("*".to_owned()), 1 => "[1-9]", 1 => Just("24-29".to_owned())];
    let weekday = prop_oneof![2 => Just("*".to_owned()), 1 => "[0-6]", 1 => Just("1-5".to_owned())];
    (minute, hour, day, weekday).prop_map(|(m, h, d, w)| format!("{m} {h} {d} * {w}"))
}

/// A zone, and the local day about which weeks are walked.
fn any_weeks() -> impl Strategy<Value = (&'static str, DateTime)> {
    prop::sample::select(vec![
        ("Europe/Berlin", "2026-03-20T00:00"),
        ("Europe/Berlin", "2026-10-16T00:00"),
        ("America/New_York", "2026-03-01T00:00"),
        ("America/New_York", "2026-10-23T00:00"),
        ("Australia/Lord_Howe", "2026-03-27T00:00"),
        ("Australia/Lord_Howe", "2026-09-24T00:00"),
        ("Asia/Kolkata", "2028-02-20T00:00"),
        ("UTC", "2026-12-24T00:00"),
        // The clock goes back over midnight.
        ("America/Havana", "2026-10-24T00:00"),
        ("Asia/Beirut", "2026-10-17T00:00"),
    ])
    .prop_map(|(zone, day)| (zone, day.parse().unwrap()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10))]
    #[test]
    fn open_is_what_a_walk_over_all_minutes_says(
        cron in any_cron(),
        minutes in prop_oneof![1_u32..200, 1_u32..4000],
        (name, from) in any_weeks(),
    ) {
        let windows = Windows::read(name, [(cron.as_str(), minutes)]).unwrap();
        let zone = jiff::tz::TimeZoneDatabase::bundled().get(name).unwrap();
        let starts = starts(&zone, &cron, from, 21);
        let length = i64::from(minutes) * MINUTE;
        let at = |local: DateTime| first_instant(&zone, local);
        let week_two = at(from.checked_add(jiff::SignedDuration::from_hours(24 * 4)).unwrap());
        let week_three = at(from.checked_add(jiff::SignedDuration::from_hours(24 * 17)).unwrap());
        for now in (week_two..week_three).step_by(60_000) {
            // A start is only known here if it is at most four days back or ahead.
            let open = starts.iter().any(|s| *s <= now && now < s + length);
            match windows.state(Timestamp(now)) {
                State::Open { until } => {
                    prop_assert!(open, "{cron} {name} is closed at {now}");
                    prop_assert!(starts.iter().any(|s| s + length == until.0) || until.0 > week_three);
                }
                State::Closed { next } => {
                    prop_assert!(!open, "{cron} {name} is open at {now}");
                    let known = starts.iter().copied().find(|s| *s > now);
                    prop_assert!(known.is_none_or(|k| next == Some(Timestamp(k))));
                }
            }
        }
    }

    #[test]
    fn any_text_is_a_start_or_refused(text in "[0-9*/,LJANmonsu -]{0,24}", wild: String, now: i64) {
        for text in [text, wild] {
            let Ok(windows) = Windows::read("Europe/Berlin", [(text.as_str(), 60)]) else { continue };
            let later = match windows.state(Timestamp(now)) {
                State::Open { until } => until.0 > now,
                State::Closed { next } => next.is_none_or(|n| n.0 > now),
            };
            prop_assert!(later);
        }
    }

    #[test]
    fn the_stretch_is_open_to_its_end(a in any_cron(), b in any_cron(), (name, from) in any_weeks(), ahead in 0_i64..20_000) {
        let windows = Windows::read(name, [(a.as_str(), 90), (b.as_str(), 45)]).unwrap();
        let zone = jiff::tz::TimeZoneDatabase::bundled().get(name).unwrap();
        let now = first_instant(&zone, from) + ahead * MINUTE;
        let (end, open) = match windows.state(Timestamp(now)) {
            State::Open { until } => (until.0, true),
            State::Closed { next } => (next.map_or(now, |n| n.0), false),
        };
        for at in (now..end.min(now + 20_000 * MINUTE)).step_by(60_000) {
            prop_assert_eq!(matches!(windows.state(Timestamp(at)), State::Open { .. }), open);
        }
        let at_end = matches!(windows.state(Timestamp(end)), State::Open { .. });
        prop_assert!(at_end != open || end == now);
    }
}
