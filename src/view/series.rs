//! The points of one metric: as JSON, as CSV, and as columns for people.
//!
//! A series may be long, so each is written straight as text, a line a point.

use std::fmt::Write as _;

use crate::run::attempt::Number;
use crate::run::id::Time;
use crate::series::choose::by_time;
use crate::series::{Point, Series};

/// How many points of a long series stand at either end of it where it is cut.
const ENDS: usize = 20;
/// The last second of the year 9999.
const SECONDS_MAX: f64 = 253_402_300_799.0;

/// How a series is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Whether each point comes with its attempt and writer.
    pub all: bool,
    /// Whether the middle of a long series is left out.
    pub is_cut: bool,
}

/// As JSON: `[[step, time, value], …]`, or an object a point where the attempt and writer are told.
pub fn json(series: &[Series], options: Options) -> String {
    let mut out = "[".to_owned();
    for (index, (series, point)) in points(series, options).into_iter().enumerate() {
        out.push_str(if index > 0 { ",\n " } else { "\n " });
        let named = |out: &mut String, key: &str, number: Option<Number>| {
            if options.all {
                let _ = write!(out, ", \"{key}\": ");
            } else if key != "step" {
                out.push_str(", ");
            }
            push_json(out, number);
        };
        match options.all {
            true => {
                let _ = write!(out, "{{\"attempt\": \"{}\", \"writer\": {}", series.attempt, series.writer);
            }
            false => out.push('['),
        }
        named(&mut out, "step", point.step);
        named(&mut out, "time", point.time);
        named(&mut out, "value", Some(point.value));
        out.push(if options.all { '}' } else { ']' });
    }
    out.push_str(if out.len() > 1 { "\n]\n" } else { "]\n" });
    out
}

/// As CSV with a head; what is missing is empty.
pub fn csv(series: &[Series], options: Options) -> String {
    let mut out =
        if options.all { "attempt,writer,step,time,value\r\n" } else { "step,time,value\r\n" }.to_owned();
    for (series, point) in points(series, options) {
        if options.all {
            let _ = write!(out, "{},{},", series.attempt, series.writer);
        }
        for (number, end) in [(point.step, ","), (point.time, ","), (Some(point.value), "\r\n")] {
            if let Some(number) = number {
                number.push_to(&mut out);
            }
            out.push_str(end);
        }
    }
    out
}

/// As columns with a head, times as people read them.
pub fn columns(series: &[Series], options: Options) -> String {
    let points = points(series, options);
    let is_cut = options.is_cut && points.len() > 2 * ENDS + 1;
    let (first, last) = match is_cut {
        true => (&points[..ENDS], &points[points.len() - ENDS..]),
        false => (points.as_slice(), &points[points.len()..]),
    };
    let head = ["attempt", "writer", "step", "time", "value"];
    let skipped = if options.all { 0 } else { 2 };
    let mut widths = head.map(str::len);
    for cells in first.iter().chain(last).map(cells) {
        for (width, cell) in widths.iter_mut().zip(&cells) {
            *width = cell.len().max(*width);
        }
    }
    let mut out = String::new();
    let line = |out: &mut String, cells: &[&str; 5]| {
        let cells = cells.iter().zip(widths).skip(skipped);
        let cells: Vec<String> = cells.map(|(cell, width)| format!("{cell:>width$}")).collect();
        out.push_str(cells.join("  ").trim_end());
        out.push('\n');
    };
    line(&mut out, &head);
    first.iter().for_each(|point| line(&mut out, &cells(point).each_ref().map(String::as_str)));
    if is_cut {
        let _ = writeln!(out, "… {} points more", points.len() - 2 * ENDS);
    }
    last.iter().for_each(|point| line(&mut out, &cells(point).each_ref().map(String::as_str)));
    out
}

/// The points in the order they are told: within an attempt by time, else series by series.
fn points(series: &[Series], options: Options) -> Vec<(&Series, &Point)> {
    match options.all {
        true => by_time(series),
        false => series.iter().flat_map(|one| one.points.iter().map(move |point| (one, point))).collect(),
    }
}

fn cells((series, point): &(&Series, &Point)) -> [String; 5] {
    let optional = |number: Option<Number>| number.map_or_else(|| "-".to_owned(), Number::write);
    [
        series.attempt.clone(),
        series.writer.to_string(),
        optional(point.step),
        point.time.map_or_else(|| "-".to_owned(), moment),
        point.value.write(),
    ]
}

/// Unix seconds as a date and time of day, in UTC; what is none as the number it is.
fn moment(time: Number) -> String {
    let seconds = time.as_f64();
    match (0.0..SECONDS_MAX).contains(&seconds) {
        true => {
            let text = Time((seconds * 1e6).round() as i64).to_string();
            format!("{} {}", &text[..10], &text[11..23])
        }
        false => time.write(),
    }
}

fn push_json(out: &mut String, number: Option<Number>) {
    match number {
        None => out.push_str("null"),
        Some(Number::Float(float)) if float.is_nan() => out.push_str("\"NaN\""),
        Some(Number::Float(f64::INFINITY)) => out.push_str("\"Infinity\""),
        Some(Number::Float(f64::NEG_INFINITY)) => out.push_str("\"-Infinity\""),
        // As the record has it, which JSON readers take.
        Some(number) => number.push_to(out),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const ONE: Options = Options { all: false, is_cut: false };
    const ALL: Options = Options { all: true, is_cut: false };

    fn sample() -> Vec<Series> {
        let point = |step: Option<i128>, time: Option<f64>, value: f64| Point {
            step: step.map(Number::Int),
            time: time.map(Number::Float),
            value: Number::Float(value),
        };
        let points = vec![
            point(Some(1), Some(1_767_261_600.5), 0.1),
            point(None, None, f64::NAN),
            point(Some(i128::from(u64::MAX)), Some(-1.0), 1e300),
        ];
        let other = vec![point(Some(0), None, f64::NEG_INFINITY)];
        let series = |attempt: &str, writer, points| Series {
            name: "loss".into(),
            attempt: attempt.into(),
            writer,
            points,
        };
        vec![series("k7f3q2ab", 0, points), series("p0x8w4ze", 3, other)]
    }

    #[test]
    fn json_is_a_line_a_point() {
        let json = json(&sample(), ONE);
        assert_eq!(
            json,
            "[\n [1, 1767261600.5, 0.1],\n [null, null, \"NaN\"],\n [18446744073709551615, -1.0, 1e300],\n [0, null, \"-Infinity\"]\n]\n"
        );
        let read: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(read[2][0], serde_json::json!(u64::MAX));
        assert_eq!(super::json(&[], ONE), "[]\n");
        let all: serde_json::Value = serde_json::from_str(&super::json(&sample(), ALL)).unwrap();
        assert_eq!(
            all[3],
            serde_json::json!({"attempt": "p0x8w4ze", "writer": 3, "step": 0, "time": null, "value": "-Infinity"})
        );
    }

    #[test]
    fn csv_leaves_what_is_missing_empty() {
        assert_eq!(
            csv(&sample(), ONE),
            "step,time,value\r\n1,1767261600.5,0.1\r\n,,nan\r\n18446744073709551615,-1.0,1e300\r\n0,,-inf\r\n"
        );
        assert!(csv(&sample(), ALL).ends_with("p0x8w4ze,3,0,,-inf\r\n"));
    }

    #[test]
    fn columns_are_aligned_and_cut_where_asked() {
        assert_eq!(
            columns(&sample(), ONE),
            "                step                     time  value\n\
             \u{20}                  1  2026-01-01 10:00:00.500    0.1\n\
             \u{20}                  -                        -    nan\n\
             18446744073709551615                     -1.0  1e300\n\
             \u{20}                  0                        -   -inf\n"
        );
        let mut long = sample();
        long[0].points =
            (0..100).map(|step| Point { step: Some(Number::Int(step)), ..long[0].points[0] }).collect();
        let cut = columns(&long, Options { all: true, is_cut: true });
        assert_eq!(cut.lines().count(), 1 + 20 + 1 + 20);
        assert!(cut.contains("\n… 61 points more\n"), "{cut}");
        assert_eq!(columns(&long, ALL).lines().count(), 102);
    }
}
