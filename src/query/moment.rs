//! Moments and lengths of time as people write them: `2 days ago`, `yesterday`, `2026-01-02 13:00`, `1h30m`.
//!
//! Days begin at midnight UTC, as everywhere in this program; the moment it is comes in as an argument.

use chrono::{DateTime, Days, Months, NaiveDate, NaiveDateTime, NaiveTime, Utc};

use crate::run::id::Time;

/// A stretch of time, from its first microsecond to before its last: as long as what was written leaves open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// Its beginning.
    pub from: Time,
    /// Its end.
    pub to: Time,
    /// Whether it is a day, which in a comparison stands for its beginning.
    pub is_day: bool,
}

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

/// Whether `next` goes on what `so_far` began: `2` `days` `ago`, `1h` `30m`, `2026-01-02` `13:00`.
pub fn continues(so_far: &str, next: &str) -> bool {
    let last = so_far.rsplit(' ').next().unwrap_or_default();
    let is_count = |text: &str| text.parse::<f64>().is_ok_and(f64::is_finite) && text.len() <= 20;
    let starts_with_count = so_far.starts_with(|first: char| first.is_ascii_digit() || first == '.');
    match () {
        () if !starts_with_count => false,
        () if date(last).is_some() => next.contains(':') && clock(next).is_some(),
        () if is_count(last) => unit(next).is_some(),
        () if unit(last).is_none() && spans(last).is_none() => false,
        () => next.eq_ignore_ascii_case("ago") || spans(next).is_some() || (is_count(next)),
    }
}

/// The stretch that the text means; ages count back from `now`.
pub fn read(text: &str, now: Time) -> Option<Stretch> {
    let lower = text.trim().to_ascii_lowercase();
    let today = now.0.div_euclid(DAY).saturating_mul(DAY);
    match lower.as_str() {
        "now" => return Some(instant(now)),
        "today" => return day(today),
        "yesterday" => return day(today.checked_sub(DAY)?),
        _ => {}
    }
    if let Some(age) = lower.strip_suffix(" ago") {
        return before(age, now).map(instant);
    }
    if let Some(milliseconds) = crate::query::written::number(&lower) {
        return since_1970(milliseconds.as_number()?);
    }
    match date(&lower) {
        Some(date) => day(micros(date.and_time(NaiveTime::MIN))),
        None => dated(&lower),
    }
}

/// The seconds that a length of time has: `90`, `1.5h`, `1h30m`, `2 days 3 h`.
pub fn seconds(text: &str) -> Option<f64> {
    if let Ok(plain) = text.trim().parse::<f64>() {
        return (!plain.is_nan()).then_some(plain);
    }
    let seconds =
        spans(text)?.into_iter().map(|(count, unit)| Some(count * unit.seconds()?)).sum::<Option<f64>>()?;
    seconds.is_finite().then_some(seconds)
}

/// A unit of time; months and years are as long as the calendar says.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Unit {
    Seconds(f64),
    Months(u32),
}

impl Unit {
    fn seconds(self) -> Option<f64> {
        match self {
            Unit::Seconds(seconds) => Some(seconds),
            Unit::Months(_) => None,
        }
    }
}

fn unit(text: &str) -> Option<Unit> {
    Some(match text.to_ascii_lowercase().as_str() {
        "ms" => Unit::Seconds(0.001),
        "s" | "sec" | "secs" | "second" | "seconds" => Unit::Seconds(1.0),
        "m" | "min" | "mins" | "minute" | "minutes" => Unit::Seconds(60.0),
        "h" | "hr" | "hrs" | "hour" | "hours" => Unit::Seconds(3600.0),
        "d" | "day" | "days" => Unit::Seconds(86_400.0),
        "w" | "week" | "weeks" => Unit::Seconds(604_800.0),
        "mo" | "month" | "months" => Unit::Months(1),
        "y" | "yr" | "year" | "years" => Unit::Months(12),
        _ => return None,
    })
}

/// Counts and their units, one after the other, white space between them or none.
fn spans(text: &str) -> Option<Vec<(f64, Unit)>> {
    let mut found = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let end = rest.find(|character: char| !character.is_ascii_digit() && character != '.')?;
        let count = rest[..end].parse().ok()?;
        rest = rest[end..].trim_start();
        let end = rest.find(|character: char| !character.is_ascii_alphabetic()).unwrap_or(rest.len());
        found.push((count, unit(&rest[..end])?));
        rest = rest[end..].trim_start();
    }
    (!found.is_empty()).then_some(found)
}

fn before(age: &str, now: Time) -> Option<Time> {
    let mut moment = DateTime::<Utc>::from_timestamp_micros(now.0)?;
    for (count, unit) in spans(age)? {
        moment = match unit {
            Unit::Months(months) if count.fract() == 0.0 && (0.0..100_000.0).contains(&count) => {
                moment.checked_sub_months(Months::new(count as u32 * months))?
            }
            Unit::Months(_) => return None,
            Unit::Seconds(seconds) => {
                let micros = count * seconds * 1e6;
                let micros = (micros.abs() < 9e18).then_some(micros as i64)?;
                DateTime::from_timestamp_micros(moment.timestamp_micros().checked_sub(micros)?)?
            }
        };
    }
    Some(Time(moment.timestamp_micros()))
}

/// As MLflow writes moments: a whole number of milliseconds is the whole of that millisecond.
fn since_1970(milliseconds: f64) -> Option<Stretch> {
    let micros = (milliseconds * 1000.0).round();
    let from = (micros.abs() < 9e18).then_some(micros as i64)?;
    Some(Stretch { from: Time(from), to: Time(from.checked_add(1000)?), is_day: false })
}

fn date(text: &str) -> Option<NaiveDate> {
    // Years of four digits only: what is longer is no date that a run could have.
    let is_date = text.len() == 10 && text.as_bytes()[4] == b'-';
    is_date.then(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()).flatten()
}

/// A time of day without its offset, and how long it leaves open.
fn clock(text: &str) -> Option<(NaiveTime, i64, Option<i64>)> {
    let (time, offset) = offset(text)?;
    let parsed = |format: &str| NaiveTime::parse_from_str(time, format).ok();
    match time.len() {
        5 => parsed("%H:%M").map(|parsed| (parsed, 60 * SECOND, offset)),
        8 => parsed("%H:%M:%S").map(|parsed| (parsed, SECOND, offset)),
        9..=18 => {
            let digits = time.len().checked_sub(9)?.min(6) as u32;
            parsed("%H:%M:%S%.f").map(|parsed| (parsed, 10_i64.pow(6 - digits), offset))
        }
        _ => None,
    }
}

/// Splits `13:00+02:00` into the time and the offset in microseconds; `z` is none.
fn offset(text: &str) -> Option<(&str, Option<i64>)> {
    if let Some(time) = text.strip_suffix(['z', 'Z']) {
        return Some((time, Some(0)));
    }
    let Some(at) = text.find(['+', '-']) else { return Some((text, None)) };
    let (hours, minutes) = text[at + 1..].split_once(':').unwrap_or((&text[at + 1..], "0"));
    let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
    if !(0..24).contains(&hours) || !(0..60).contains(&minutes) {
        return None;
    }
    let micros = (hours * 60 + minutes) * 60 * SECOND;
    Some((&text[..at], Some(if text[at..].starts_with('-') { -micros } else { micros })))
}

fn dated(text: &str) -> Option<Stretch> {
    let (day, time) = text.split_once(['t', ' '])?;
    let (time, length, offset) = clock(time.trim())?;
    let from = micros(date(day)?.and_time(time)).checked_sub(offset.unwrap_or_default())?;
    Some(Stretch { from: Time(from), to: Time(from.checked_add(length)?), is_day: false })
}

fn micros(time: NaiveDateTime) -> i64 {
    time.and_utc().timestamp_micros()
}

fn instant(moment: Time) -> Stretch {
    Stretch { from: moment, to: Time(moment.0.saturating_add(1)), is_day: false }
}

fn day(from: i64) -> Option<Stretch> {
    let midnight = DateTime::<Utc>::from_timestamp_micros(from)?;
    let next = midnight.checked_add_days(Days::new(1))?;
    Some(Stretch { from: Time(from), to: Time(next.timestamp_micros()), is_day: true })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::tests::cases;
    use proptest::prelude::*;

    /// 2026-03-31 12:00:00 UTC.
    const NOW: Time = Time(1_774_958_400_000_000);

    #[test]
    fn moments_are_read_as_people_write_them() {
        let table = [
            ("now", "2026-03-31T12:00:00.000000Z"),
            ("Today", "2026-03-31T00:00:00.000000Z"),
            ("yesterday", "2026-03-30T00:00:00.000000Z"),
            ("90 s ago", "2026-03-31T11:58:30.000000Z"),
            ("2 Days Ago", "2026-03-29T12:00:00.000000Z"),
            ("1d 12h ago", "2026-03-30T00:00:00.000000Z"),
            ("1d12h ago", "2026-03-30T00:00:00.000000Z"),
            ("1.5 hours ago", "2026-03-31T10:30:00.000000Z"),
            ("1 month ago", "2026-02-28T12:00:00.000000Z"),
            ("2y ago", "2024-03-31T12:00:00.000000Z"),
            ("2026-01-02", "2026-01-02T00:00:00.000000Z"),
            ("2026-01-02 13:00", "2026-01-02T13:00:00.000000Z"),
            ("2026-01-02t13:00:01", "2026-01-02T13:00:01.000000Z"),
            ("2026-01-02T13:00:01.5Z", "2026-01-02T13:00:01.500000Z"),
            ("2026-01-02T13:00+02:00", "2026-01-02T11:00:00.000000Z"),
            ("2026-01-02T13:00:00-0:30", "2026-01-02T13:30:00.000000Z"),
            ("1767351600000", "2026-01-02T11:00:00.000000Z"),
            ("1.7673516e12", "2026-01-02T11:00:00.000000Z"),
        ];
        for (text, wanted) in table {
            assert_eq!(
                read(text, NOW).map(|stretch| stretch.from.to_string()).as_deref(),
                Some(wanted),
                "{text}"
            );
        }
        for text in [
            "",
            "tomorrow",
            "2 ago",
            "ago",
            "2 parsecs ago",
            "2026-13-01",
            "2026-02-30",
            "26-01-02",
            "nan",
            "inf",
            "2026-01-02 25:00",
            "1e30",
            "99999999999999 y ago",
            "1.5 months ago",
            "2026-01-02T",
            "2026-01-02T13:00+99:00",
            "2026-01-02T13:00+999999999999999999:00",
        ] {
            assert_eq!(read(text, NOW), None, "{text}");
        }
    }

    #[test]
    fn a_stretch_is_as_long_as_the_text_leaves_open() {
        let length = |text| read(text, NOW).map(|stretch| stretch.to.0 - stretch.from.0);
        assert_eq!(length("2026-01-02"), Some(86_400_000_000));
        assert_eq!(length("2026-01-02 13:00"), Some(60_000_000));
        assert_eq!(length("2026-01-02 13:00:00"), Some(1_000_000));
        assert_eq!(length("2026-01-02 13:00:00.25"), Some(10_000));
        assert_eq!(length("1767351600000"), Some(1_000));
        assert_eq!(length("2 days ago"), Some(1));
    }

    #[test]
    fn lengths_of_time_are_read() {
        let table = [
            ("90", Some(90.0)),
            ("1.5", Some(1.5)),
            ("90s", Some(90.0)),
            ("250ms", Some(0.25)),
            ("1h30m", Some(5400.0)),
            ("1 h 30 min", Some(5400.0)),
            ("2 weeks", Some(1_209_600.0)),
            ("inf", Some(f64::INFINITY)),
            ("1 month", None),
            ("nan", None),
            ("h", None),
            ("", None),
            ("1h30", None),
        ];
        for (text, wanted) in table {
            assert_eq!(seconds(text), wanted, "{text}");
        }
    }

    proptest! {
        #![proptest_config(cases(512))]

        #[test]
        fn nothing_panics(text in "[0-9a-z:+. T-]{0,24}", any in any::<String>(), now in any::<i64>()) {
            for text in [&text, &any] {
                read(text, Time(now));
                seconds(text);
                continues(text, &any);
            }
        }
    }
}
