//! Opening hours on the days when clocks change, over midnight, over holidays.

mod config_support;

use config_support::{config, sentences};
use jiff::{SignedDuration, Timestamp};
use router::config::{Because, Hours, Opening, Wall};

fn hours(lines: &str) -> Hours {
    let config = config(&format!("[hours.desk]\nzone = \"Europe/Berlin\"\n{lines}\n"));
    config.all_hours().next().unwrap().1.clone()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// Every change of state from `from` on, as the wall clock shows it: `+` opens, `-` closes.
fn changes(hours: &Hours, from: &str, count: usize) -> Vec<String> {
    let mut now = at(from);
    let mut changes = Vec::new();
    while changes.len() < count {
        let (sign, until) = match hours.at(now) {
            Opening::Open { until } => ('-', until),
            Opening::Closed { until, .. } => ('+', until),
        };
        let Some(until) = until else { break };
        assert!(until > now, "time goes on");
        assert!(hours.at(until).is_open() != hours.at(until - SignedDuration::from_secs(1)).is_open());
        changes
            .push(until.to_zoned(hours.zone.clone()).strftime(&format!("{sign}%m-%dT%H:%M%:z")).to_string());
        now = until;
    }
    changes
}

fn problems(lines: &str) -> Vec<String> {
    let mut told = sentences(&format!("[hours.desk]\nzone = \"UTC\"\n{lines}\n"));
    told.retain(|line| line.contains("hours.desk") && !line.contains("nobody asks"));
    told
}

#[test]
fn an_ordinary_week_opens_and_closes_as_written() {
    let desk = hours("mon = [\"09:00-12:00\", \"13:00-17:00\"]\nfri = \"9:00-15:00\"");
    // 2026-03-02 is a Monday.
    assert_eq!(
        changes(&desk, "2026-03-01T00:00Z", 6),
        [
            "+03-02T09:00+01:00",
            "-03-02T12:00+01:00",
            "+03-02T13:00+01:00",
            "-03-02T17:00+01:00",
            "+03-06T09:00+01:00",
            "-03-06T15:00+01:00"
        ]
    );
    assert!(desk.at(at("2026-03-02T08:00Z")).is_open(), "the first minute is inside");
    assert!(!desk.at(at("2026-03-02T11:00Z")).is_open(), "the last one is outside");
}

#[test]
fn an_opening_in_the_hour_that_does_not_exist_happens_at_the_jump() {
    // 2026-03-29, 02:00 becomes 03:00 in Berlin.
    let desk = hours("sun = \"02:30-05:00\"");
    assert_eq!(changes(&desk, "2026-03-29T00:00Z", 2), ["+03-29T03:00+02:00", "-03-29T05:00+02:00"]);
    let desk = hours("sun = \"01:00-02:30\"");
    assert_eq!(changes(&desk, "2026-03-28T23:00Z", 2), ["+03-29T01:00+01:00", "-03-29T03:00+02:00"]);
    assert!(desk.at(at("2026-03-29T00:59:59Z")).is_open());
    assert!(!desk.at(at("2026-03-29T01:00Z")).is_open());
}

#[test]
fn a_span_that_lies_wholly_in_the_missing_hour_never_opens() {
    let desk = hours("special = { \"2026-03-29\" = \"02:10-02:50\" }");
    assert!(matches!(desk.at(at("2026-03-29T00:30Z")), Opening::Closed { until: None, .. }));
    assert!(!desk.at(at("2026-03-29T01:00Z")).is_open());
}

#[test]
fn an_hour_that_comes_twice_is_open_both_times_and_opens_once() {
    // 2026-10-25, 03:00 becomes 02:00 in Berlin.
    let desk = hours("sun = \"01:00-02:30\"");
    assert_eq!(changes(&desk, "2026-10-24T22:00Z", 2), ["+10-25T01:00+02:00", "-10-25T02:30+01:00"]);
    let desk = hours("sun = \"02:30-04:00\"");
    assert_eq!(changes(&desk, "2026-10-24T22:00Z", 2), ["+10-25T02:30+02:00", "-10-25T04:00+01:00"]);
    assert!(desk.at(at("2026-10-25T00:45Z")).is_open(), "02:45 the first time");
    assert!(desk.at(at("2026-10-25T01:15Z")).is_open(), "02:15 the second time: it has not closed since");
}

#[test]
fn a_day_with_a_change_of_clocks_is_an_hour_shorter_or_longer() {
    let desk = hours("sun = \"00:00-24:00\"");
    let length = |day: &str| {
        let Opening::Open { until: Some(until) } = desk.at(at(day)) else { panic!("closed") };
        let from = at(day);
        assert!(!desk.at(from - SignedDuration::from_secs(1)).is_open());
        until.duration_since(from).as_hours()
    };
    assert_eq!(length("2026-03-28T23:00Z"), 23);
    assert_eq!(length("2026-10-24T22:00Z"), 25);
    assert_eq!(length("2026-11-07T23:00Z"), 24);
}

#[test]
fn hours_over_midnight_are_one_opening() {
    let desk = hours("fri = \"22:00-24:00\"\nsat = \"00:00-06:00\"");
    // Friday 2026-03-06.
    assert_eq!(changes(&desk, "2026-03-06T12:00Z", 2), ["+03-06T22:00+01:00", "-03-07T06:00+01:00"]);
}

#[test]
fn closed_over_midnight_and_over_the_weekend_until_the_next_opening() {
    let desk = hours("mon-fri = \"09:00-17:00\"");
    let Opening::Closed { until: Some(until), because } = desk.at(at("2026-03-06T20:00Z")) else { panic!() };
    assert_eq!((until, because), (at("2026-03-09T08:00Z"), Because::Weekday));
    let Opening::Closed { until: Some(until), .. } = desk.at(at("2026-03-04T23:30Z")) else { panic!() };
    assert_eq!(until, at("2026-03-05T08:00Z"));
}

#[test]
fn a_range_of_days_may_run_over_the_weekend() {
    let desk = hours("sat-mon = \"10:00-11:00\"");
    let days: Vec<usize> = (0..7).filter(|&day| !desk.week[day].is_empty()).collect();
    assert_eq!(days, [0, 5, 6]);
}

#[test]
fn holidays_close_and_special_days_have_times_of_their_own() {
    let desk = hours(
        "mon-sun = \"09:00-17:00\"\nholidays = [\"12-25\", \"2026-12-26\", 2026-12-28]\nspecial = { \"2026-12-24\" = \"09:00-13:00\", \"12-31\" = [] }",
    );
    let state = |time: &str| desk.at(at(time));
    assert!(state("2026-12-24T11:59Z").is_open());
    let Opening::Closed { until, because } = state("2026-12-24T12:00Z") else { panic!() };
    assert_eq!((until, because), (Some(at("2026-12-27T08:00Z")), Because::SpecialDay));
    let because = |time: &str| match state(time) {
        Opening::Closed { because, .. } => because,
        Opening::Open { .. } => panic!("open at {time}"),
    };
    assert_eq!(because("2027-12-25T12:00Z"), Because::Holiday);
    assert_eq!(because("2026-12-28T12:00Z"), Because::Holiday);
    assert_eq!(because("2031-12-31T12:00Z"), Because::SpecialDay);
    assert!(state("2027-12-26T12:00Z").is_open(), "that holiday was of 2026");
    assert!(state("2027-12-24T15:00Z").is_open(), "that special day was of 2026");
}

#[test]
fn a_special_day_with_its_year_beats_the_yearly_one_and_the_holiday() {
    let desk = hours(
        "holidays = [\"12-24\"]\nspecial = { \"12-31\" = \"10:00-11:00\", \"2026-12-31\" = \"12:00-13:00\", \"2026-12-24\" = \"10:00-11:00\" }",
    );
    assert!(desk.at(at("2026-12-31T11:30Z")).is_open());
    assert!(!desk.at(at("2026-12-31T09:30Z")).is_open());
    assert!(desk.at(at("2027-12-31T09:30Z")).is_open());
    assert!(desk.at(at("2026-12-24T09:30Z")).is_open());
    assert!(!desk.at(at("2027-12-24T09:30Z")).is_open());
}

#[test]
fn what_never_changes_says_so() {
    assert_eq!(hours("mon-sun = \"00:00-24:00\"").at(at("2026-03-01T00:00Z")), Opening::Open { until: None });
    let never = Opening::Closed { until: None, because: Because::Weekday };
    assert_eq!(hours("").at(at("2026-03-01T00:00Z")), never);
    let once = hours("special = { \"2026-03-02\" = \"09:00-10:00\" }");
    assert_eq!(once.at(at("2026-03-02T08:30Z")), Opening::Open { until: Some(at("2026-03-02T09:00Z")) });
    assert_eq!(
        once.at(at("2026-03-02T09:00Z")),
        Opening::Closed { until: None, because: Because::SpecialDay }
    );
}

#[test]
fn the_wall_clock_knows_hours_that_never_come_and_hours_that_come_twice() {
    let desk = hours("");
    let wall = |text: &str| desk.wall_clock(text.parse().unwrap()).unwrap();
    assert_eq!(wall("2026-03-29T02:30"), (at("2026-03-29T01:00Z"), Wall::Never));
    assert_eq!(wall("2026-10-25T02:30"), (at("2026-10-25T00:30Z"), Wall::Twice));
    assert_eq!(wall("2026-10-25T03:30"), (at("2026-10-25T02:30Z"), Wall::Once));
}

#[test]
fn every_minute_of_the_days_with_a_change_agrees_with_the_clock_on_the_wall() {
    // Where the clock on the wall shows each minute once, open is what is written, no more and no less.
    let desk = hours("mon-sun = [\"00:30-02:15\", \"02:45-04:00\", \"22:00-24:00\"]");
    for start in ["2026-03-28T12:00Z", "2026-10-24T12:00Z"] {
        for minute in 0..48 * 60 {
            let now = at(start) + SignedDuration::from_mins(minute);
            let wall = now.to_zoned(desk.zone.clone()).datetime();
            if desk.wall_clock(wall).unwrap().1 != Wall::Once {
                continue;
            }
            let of_day = i32::from(wall.hour()) * 60 + i32::from(wall.minute());
            let written = [30..135, 165..240, 1_320..1_440].iter().any(|span| span.contains(&of_day));
            assert_eq!(desk.at(now).is_open(), written, "{wall}");
        }
    }
}

#[test]
fn times_that_cannot_be_are_told_with_the_cure() {
    let key = "hours.desk.mon";
    assert_eq!(
        problems("mon = [\"09:00-12:00\", \"11:00-13:00\"]"),
        [format!("{key}[2]: 11:00-13:00 overlaps 09:00-12:00; write them as one")]
    );
    assert_eq!(
        problems("mon = \"22:00-06:00\""),
        [format!(
            "{key}: \"22:00-06:00\" runs backwards; write \"22:00-24:00\" here and \"00:00-06:00\" on the day after"
        )]
    );
    assert_eq!(
        problems("mon = \"09:00-09:00\""),
        [format!(
            "{key}: \"09:00-09:00\" lasts no time; write \"00:00-24:00\" for the whole day, [] for none"
        )]
    );
    for text in ["9-17", "09:00", "09:60-10:00", "24:01-24:02", "09:00-25:00", "+9:00-10:00", "9:0-10:0", ""]
    {
        let expected = format!(
            "{key}: \"{text}\" is no span of a day; write it such as \"09:00-17:00\", at most to 24:00"
        );
        assert_eq!(problems(&format!("mon = \"{text}\"")), [expected]);
    }
    assert_eq!(
        problems("mon = [\"09:00-12:00\", \"12:00-13:00\"]"),
        [""; 0],
        "one may begin where another ends"
    );
    assert_eq!(
        problems("mon-fri = \"09:00-12:00\"\nfri = \"10:00-11:00\""),
        ["hours.desk.fri: fri has its times from \"mon-fri\" already; name each day once"]
    );
    assert_eq!(
        problems("mon-fry = \"09:00-12:00\""),
        [
            "hours.desk.mon-fry: there is no such key; take it out, or write one of zone, mon, tue, wed, thu, fri, sat, sun, holidays, special, closed_prompt, closed"
        ]
    );
}

#[test]
fn dates_and_zones_that_do_not_exist_are_told_with_the_cure() {
    let cure = "write \"2026-12-24\", or \"12-24\" for every year";
    for text in ["02-30", "2026-02-29", "24.12.", "13-01", "2026-1-1", ""] {
        assert_eq!(
            problems(&format!("holidays = [\"{text}\"]")),
            [format!("hours.desk.holidays[1]: \"{text}\" is no date; {cure}")]
        );
    }
    assert_eq!(problems("holidays = [\"02-29\", \"2028-02-29\"]"), [""; 0]);
    assert_eq!(
        problems("holidays = [\"12-24\", \"12-24\"]"),
        ["hours.desk.holidays[2]: \"12-24\" stands in the list already; take one out"]
    );
    assert_eq!(
        problems("holidays = [\"12-24\"]\nspecial = { \"12-24\" = \"09:00-10:00\" }"),
        ["hours.desk.special.12-24: \"12-24\" is also a holiday; keep one of them ([] here means closed)"]
    );
    let zone = |name: &str| {
        let told = sentences(&format!("[hours.desk]\nzone = \"{name}\"\n"));
        told.into_iter().filter(|line| line.contains("zone")).collect::<Vec<_>>()
    };
    assert_eq!(
        zone("Europe/Berln"),
        [
            "hours.desk.zone: \"Europe/Berln\" is no time zone of the IANA data; did you mean \"Europe/Berlin\"?"
        ]
    );
    assert_eq!(
        zone("Winterfell"),
        [
            "hours.desk.zone: \"Winterfell\" is no time zone of the IANA data; write one such as \"Europe/Berlin\" or \"UTC\""
        ]
    );
    let missing = sentences("[hours.desk]\n");
    assert_eq!(missing, ["hours.desk.zone: is missing; write zone = \"Europe/Berlin\""]);
}
