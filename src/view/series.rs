//! The points of one metric: as JSON, CSV and TSV, and as columns for people.
//!
//! A series may be long, so most are written straight as text, a line a point.

use std::fmt::Write as _;

use serde_json::{Value as Json, json};

use crate::render::{Align, Block, Cell, Column, Report, Table};
use crate::run::Run;
use crate::run::attempt::Number;
use crate::run::id::Time;
use crate::series::choose::by_time;
use crate::series::{Point, Series};
use crate::view::value::{called, number_json};

/// How many points of a long series stand at either end of it where it is cut.
const ENDS: usize = 20;
/// The last second of the year 9999.
const SECONDS_MAX: f64 = 253_402_300_799.0;

/// What stands above the columns.
const HEAD: [&str; 5] = ["attempt", "writer", "step", "time", "value"];

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
        push_point(&mut out, series, point, options);
    }
    out.push_str(if out.len() > 1 { "\n]\n" } else { "]\n" });
    out
}

/// As JSON, a line a point.
pub fn lines(series: &[Series], options: Options) -> String {
    let mut out = String::new();
    for (series, point) in points(series, options) {
        push_point(&mut out, series, point, options);
        out.push('\n');
    }
    out
}

/// Each point as an object, whatever is told with it: for templates.
pub fn elements(series: &[Series], options: Options) -> impl Iterator<Item = Json> {
    let number = |number: Option<Number>| number.map_or(Json::Null, number_json);
    points(series, options).into_iter().map(move |(series, point)| {
        let told = json!({ "attempt": series.attempt, "writer": series.writer });
        let mut told = if options.all { told } else { json!({}) };
        told["step"] = number(point.step);
        told["time"] = number(point.time);
        told["value"] = number_json(point.value);
        told
    })
}

fn push_point(out: &mut String, series: &Series, point: &Point, options: Options) {
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
    named(out, "step", point.step);
    named(out, "time", point.time);
    named(out, "value", Some(point.value));
    out.push(if options.all { '}' } else { ']' });
}

/// As CSV with a head; what is missing is empty.
pub fn csv(series: &[Series], options: Options) -> String {
    separated(series, options, ",", "\r\n")
}

/// As TSV with a head; what is missing is empty.
pub fn tsv(series: &[Series], options: Options) -> String {
    separated(series, options, "\t", "\n")
}

/// Numbers and ids need no escapes.
fn separated(series: &[Series], options: Options, separator: &str, line_end: &str) -> String {
    let mut out = HEAD[skipped(options)..].join(separator);
    out.push_str(line_end);
    for (series, point) in points(series, options) {
        if options.all {
            let _ = write!(out, "{}{separator}{}{separator}", series.attempt, series.writer);
        }
        for (number, end) in [(point.step, separator), (point.time, separator), (Some(point.value), line_end)]
        {
            if let Some(number) = number {
                number.push_to(&mut out);
            }
            out.push_str(end);
        }
    }
    out
}

/// As a table of every point, for pages and documents.
pub fn report(run: &Run, metric: &str, series: &[Series], options: Options) -> Report {
    let column = |title: &&str| {
        Column::new(*title).align(if *title == "value" { Align::Decimal } else { Align::Right })
    };
    let mut table = Table::new(HEAD[skipped(options)..].iter().map(column).collect());
    table.rows = points(series, options)
        .iter()
        .map(|point| cells(point)[skipped(options)..].iter().map(|cell| Cell::from(cell.as_str())).collect())
        .collect();
    let mut report = Report::default();
    report.title(format!("{metric} of {}", called(run)));
    report.blocks.push(Block::Table(table));
    report
}

/// As columns with a head, times as people read them.
pub fn columns(series: &[Series], options: Options) -> String {
    let points = points(series, options);
    let is_cut = options.is_cut && points.len() > 2 * ENDS + 1;
    let (first, last) = match is_cut {
        true => (&points[..ENDS], &points[points.len() - ENDS..]),
        false => (points.as_slice(), &points[points.len()..]),
    };
    let mut widths = HEAD.map(str::len);
    for cells in first.iter().chain(last).map(cells) {
        for (width, cell) in widths.iter_mut().zip(&cells) {
            *width = cell.len().max(*width);
        }
    }
    let mut out = String::new();
    let line = |out: &mut String, cells: &[&str; 5]| {
        let cells = cells.iter().zip(widths).skip(skipped(options));
        let cells: Vec<String> = cells.map(|(cell, width)| format!("{cell:>width$}")).collect();
        out.push_str(cells.join("  ").trim_end());
        out.push('\n');
    };
    line(&mut out, &HEAD);
    first.iter().for_each(|point| line(&mut out, &cells(point).each_ref().map(String::as_str)));
    if is_cut {
        let _ = writeln!(out, "… {} points more", points.len() - 2 * ENDS);
    }
    last.iter().for_each(|point| line(&mut out, &cells(point).each_ref().map(String::as_str)));
    out
}

/// How many of the columns are not told.
fn skipped(options: Options) -> usize {
    if options.all { 0 } else { 2 }
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
        assert!(tsv(&sample(), ALL).starts_with("attempt\twriter\tstep\ttime\tvalue\nk7f3q2ab\t0\t1\t"));
    }

    #[test]
    fn points_are_elements_too() {
        assert_eq!(lines(&sample(), ONE).lines().nth(1), Some("[null, null, \"NaN\"]"));
        let last = elements(&sample(), ALL).last().map(|point| point.to_string());
        let expected = r#"{"attempt":"p0x8w4ze","writer":3,"step":0,"time":null,"value":"-Infinity"}"#;
        assert_eq!(last.as_deref(), Some(expected));
        assert_eq!(elements(&sample(), ONE).count(), 4);
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
