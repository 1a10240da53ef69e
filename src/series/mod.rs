//! Series: the points of a run's metrics, and the segments that hold them.
//!
//! Pure, and below `run`: attempts are known here by the text of their ids only, and files that are too large for memory
//! come in as something to write to or read from. Text is `encode`'s business, how rows are shared out among files
//! `tables`', what is kept of too many points `sample`'s and `whole`'s, and which of them a reader shows `choose`'s;
//! which record a segment belongs to, and what is kept of its points in the facts, is `run`'s.

pub mod choose;
pub mod columns;
pub mod downsample;
pub mod encode;
pub mod number;
mod panic;
pub mod sample;
mod tables;
pub mod whole;

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;

use crate::series::number::Number;
pub use crate::series::tables::{Placed, Writer};

/// How many tables a writer has for sets of names; later sets share the table [`TABLE_LONG`].
pub const TABLES_MAX: usize = 16;
/// The number of the table in long form.
pub const TABLE_LONG: u8 = 99;
/// A segment that holds this many bytes takes no further row.
pub const SEGMENT_MAX: usize = 1 << 20;
/// The highest number that four digits hold: that segment takes all that still comes.
const SEGMENT_LAST: u16 = 9999;
/// How much text the segments of one attempt may come to: beyond it the whole goes to a Parquet file.
pub const TEXT_MAX: usize = 64 << 20;

/// Why bytes are no segment: what is wrong with them, to be said after the name of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed(pub String);

impl Malformed {
    fn new(what: impl Into<String>) -> Self {
        Malformed(what.into())
    }
}

impl std::fmt::Display for Malformed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Malformed {}

/// One value of one metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// The step, if the source has one.
    pub step: Option<Number>,
    /// Unix seconds, if the source has them.
    pub time: Option<Number>,
    /// The value.
    pub value: Number,
}

/// The points of one metric that one writer logged, in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// The metric.
    pub name: String,
    /// The attempt that logged it.
    pub attempt: String,
    /// The writer within the attempt.
    pub writer: u64,
    /// Its points: by time, then table and row.
    pub points: Vec<Point>,
}

/// One row: what one call logged.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The step, if the source has one.
    pub step: Option<Number>,
    /// Unix seconds, if the source has them.
    pub time: Option<Number>,
    /// A value for each column.
    pub values: Vec<Number>,
}

/// The rows of one file.
#[derive(Debug, Clone, PartialEq)]
pub enum Segment {
    /// One column for each name of a set that is logged together.
    Wide {
        /// The names, in the order of the columns.
        names: Vec<String>,
        /// The rows, each with as many values as there are names.
        rows: Vec<Row>,
    },
    /// A name and a point to each row.
    Long(Vec<(String, Point)>),
}

impl Segment {
    /// Its points with their names, row by row.
    pub fn points(&self) -> Vec<(&str, Point)> {
        match self {
            Segment::Long(points) => points.iter().map(|(name, point)| (name.as_str(), *point)).collect(),
            Segment::Wide { names, rows } => rows.iter().flat_map(|row| row.points(names)).collect(),
        }
    }
}

impl Row {
    fn points<'a>(&self, names: &'a [String]) -> impl Iterator<Item = (&'a str, Point)> {
        let (step, time) = (self.step, self.time);
        let point =
            move |(name, value): (&'a String, &Number)| (name.as_str(), Point { step, time, value: *value });
        names.iter().zip(&self.values).map(point).collect::<Vec<_>>().into_iter()
    }
}

/// Where a segment lies: `metrics/<attempt>-<writer>-<table>-<segment>.tsv`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SegmentName {
    /// The attempt.
    pub attempt: String,
    /// The writer within the attempt.
    pub writer: u64,
    /// The table within the writer.
    pub table: u8,
    /// The segment within the table.
    pub segment: u16,
}

impl SegmentName {
    /// Its path in the record.
    pub fn path(&self) -> String {
        let Self { attempt, writer, table, segment } = self;
        format!("metrics/{attempt}-{writer}-{table:02}-{segment:04}.tsv")
    }

    /// Reads a path; `None` for any other file, and for series that were thinned out.
    pub fn parse(path: &str) -> Option<Self> {
        let name = path.strip_prefix("metrics/")?.strip_suffix(".tsv")?;
        let parts: Vec<&str> = name.split('-').collect();
        let [attempt, writer, table, segment] = parts.as_slice() else { return None };
        let name = Self {
            attempt: (*attempt).to_owned(),
            writer: writer.parse().ok()?,
            table: table.parse().ok()?,
            segment: segment.parse().ok()?,
        };
        (name.path() == path).then_some(name)
    }
}

/// Where the sample of a table lies: `metrics/<attempt>-<writer>-<table>-sampled-<revision>.tsv`. It is in long form,
/// whatever the table's own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SampleName {
    /// The attempt.
    pub attempt: String,
    /// The writer within the attempt.
    pub writer: u64,
    /// The table within the writer.
    pub table: u8,
    /// The attempt's revision that brought it: the highest counts.
    pub revision: u64,
}

impl SampleName {
    /// Its path in the record.
    pub fn path(&self) -> String {
        let Self { attempt, writer, table, revision } = self;
        format!("metrics/{attempt}-{writer}-{table:02}-sampled-{revision}.tsv")
    }

    /// Reads a path; `None` for any other file.
    pub fn parse(path: &str) -> Option<Self> {
        let name = path.strip_prefix("metrics/")?.strip_suffix(".tsv")?;
        let parts: Vec<&str> = name.split('-').collect();
        let [attempt, writer, table, "sampled", revision] = parts.as_slice() else { return None };
        let name = Self {
            attempt: (*attempt).to_owned(),
            writer: writer.parse().ok()?,
            table: table.parse().ok()?,
            revision: revision.parse().ok()?,
        };
        (name.path() == path).then_some(name)
    }
}

/// What a record's text says of one metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Found<S = Series> {
    /// Its points, one series for each attempt and writer that logged it.
    pub series: Vec<S>,
    /// The attempts of whose points some are only a sample.
    pub sampled: BTreeSet<String>,
    /// All names that the tables' first lines tell.
    pub names: BTreeSet<String>,
    /// What could not be read; its points are missing.
    pub damaged: Vec<Malformed>,
}

impl<S> Default for Found<S> {
    fn default() -> Self {
        let (names, sampled) = (BTreeSet::new(), BTreeSet::new());
        Self { series: Vec::new(), sampled, names, damaged: Vec::new() }
    }
}

/// The points of one metric that a record's text holds, samples included where the whole is elsewhere.
pub fn read_metric(files: &BTreeMap<String, Vec<u8>>, metric: &str) -> Found {
    let mut found = Found::default();
    let mut timed: BTreeMap<(String, u64), Vec<(f64, Point)>> = BTreeMap::new();
    for ((attempt, writer, table), pieces) in pieces(files) {
        let mut clock = f64::NEG_INFINITY;
        for piece in pieces {
            let form = piece.form(table);
            let points = match encode::decode_metric(form, piece.bytes, metric) {
                Ok(points) => points,
                Err(problem) => {
                    found.damaged.push(Malformed(format!("'{}' {problem}", piece.path)));
                    continue;
                }
            };
            found.names.extend(encode::names(form, piece.bytes).unwrap_or_default());
            if points.is_empty() {
                continue;
            }
            if piece.is_sample {
                found.sampled.insert(attempt.clone());
            }
            let series = timed.entry((attempt.clone(), writer)).or_default();
            series.extend(points.into_iter().map(|point| (tick(&mut clock, &point), point)));
        }
    }
    found.series = timed
        .into_iter()
        .map(|((attempt, writer), points)| in_order((attempt, writer, metric.to_owned()), points))
        .collect();
    found
}

/// One file of a table.
struct Piece<'a> {
    path: &'a str,
    bytes: &'a [u8],
    is_sample: bool,
}

impl Piece<'_> {
    /// The number of a table of its form.
    fn form(&self, table: u8) -> u8 {
        if self.is_sample { TABLE_LONG } else { table }
    }
}

/// The files of each table by attempt, writer and table: its segments, then the newest sample of what they lack.
fn pieces(files: &BTreeMap<String, Vec<u8>>) -> BTreeMap<(String, u64, u8), Vec<Piece<'_>>> {
    let mut pieces: BTreeMap<_, Vec<Piece<'_>>> = BTreeMap::new();
    let mut samples: BTreeMap<_, (u64, Piece<'_>)> = BTreeMap::new();
    // In the order of the paths, which is that of the segments.
    for (path, bytes) in files {
        if let Some(name) = SegmentName::parse(path) {
            let piece = Piece { path, bytes, is_sample: false };
            pieces.entry((name.attempt, name.writer, name.table)).or_default().push(piece);
        } else if let Some(name) = SampleName::parse(path) {
            let piece = Piece { path, bytes, is_sample: true };
            let newest = samples.entry((name.attempt, name.writer, name.table));
            let newest = newest.or_insert((name.revision, Piece { path, bytes, is_sample: true }));
            if name.revision > newest.0 {
                *newest = (name.revision, piece);
            }
        }
    }
    for (table, (_, piece)) in samples {
        pieces.entry(table).or_default().push(piece);
    }
    pieces
}

/// The series of one writer whose points come in the order logged.
pub fn ordered(name: &str, attempt: &str, writer: u64, points: Vec<Point>) -> Series {
    let mut clock = f64::NEG_INFINITY;
    let timed = points.into_iter().map(|point| (tick(&mut clock, &point), point)).collect();
    in_order((attempt.to_owned(), writer, name.to_owned()), timed)
}

/// Where a point stands in time: never before the one that was logged before it, whose clock may have been put back.
fn tick(clock: &mut f64, point: &Point) -> f64 {
    *clock = point.time.map_or(*clock, |time| clock.max(time.as_f64()));
    *clock
}

/// The series that a record's files hold, one for each metric, attempt and writer; other files are passed over.
pub fn read(files: &BTreeMap<String, Vec<u8>>) -> Result<Vec<Series>, Malformed> {
    let mut named: Vec<(SegmentName, &[u8])> = files
        .iter()
        .filter_map(|(path, bytes)| Some((SegmentName::parse(path)?, bytes.as_slice())))
        .collect();
    named.sort();
    let mut found: IndexMap<(String, u64, String), Vec<(f64, Point)>> = IndexMap::new();
    let mut clocks: BTreeMap<(String, u64, u8, String), f64> = BTreeMap::new();
    for (name, bytes) in named {
        let segment = encode::decode(name.table, bytes).map_err(|problem| inside(&name, problem))?;
        for (metric, point) in segment.points() {
            let clock = clocks
                .entry((name.attempt.clone(), name.writer, name.table, metric.to_owned()))
                .or_insert(f64::NEG_INFINITY);
            let at = tick(clock, &point);
            found
                .entry((name.attempt.clone(), name.writer, metric.to_owned()))
                .or_default()
                .push((at, point));
        }
    }
    Ok(found.into_iter().map(|(key, points)| in_order(key, points)).collect())
}

fn in_order((attempt, writer, name): (String, u64, String), mut points: Vec<(f64, Point)>) -> Series {
    points.sort_by(|one, other| one.0.total_cmp(&other.0));
    let points = points.into_iter().map(|(_, point)| point).collect();
    Series { name, attempt, writer, points }
}

fn inside(name: &SegmentName, problem: Malformed) -> Malformed {
    Malformed(format!("'{}' {}", name.path(), problem.0))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn int(int: i128) -> Option<Number> {
        Some(Number::Int(int))
    }

    fn values(pairs: &[(&str, f64)]) -> IndexMap<String, Number> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), Number::Float(*value))).collect()
    }

    #[test]
    fn points_are_in_the_order_logged_whatever_the_clock_says() {
        let steps = |last: &[(&str, f64)]| -> Vec<f64> {
            let mut writer = Writer::new();
            writer.log(int(2), Some(Number::Float(20.0)), &values(&[("a", 2.0)]));
            writer.log(int(3), None, &values(&[("a", 3.0)]));
            writer.log(int(1), Some(Number::Int(10)), &values(last));
            let series = read(&writer.files("k7f3q2ab", 0)).unwrap();
            series[0].points.iter().map(|point| point.step.unwrap().as_f64()).collect()
        };
        assert_eq!(steps(&[("a", 1.0)]), [2.0, 3.0, 1.0]);
        // In another table: nothing but its time says when it was logged.
        assert_eq!(steps(&[("a", 1.0), ("b", 0.0)]), [1.0, 2.0, 3.0]);
    }

    #[test]
    fn names_of_segments_are_read_back_and_no_other() {
        let name = SegmentName { attempt: "k7f3q2ab".into(), writer: 12, table: 3, segment: 45 };
        assert_eq!(name.path(), "metrics/k7f3q2ab-12-03-0045.tsv");
        assert_eq!(SegmentName::parse(&name.path()), Some(name));
        for path in
            ["metrics/k7f3q2ab-01-03-0045.tsv", "metrics/k7f3q2ab-1-03-sampled-1.tsv", "metrics/a.tsv"]
        {
            assert_eq!(SegmentName::parse(path), None, "{path}");
        }
        let name = SampleName { attempt: "k7f3q2ab".into(), writer: 12, table: 99, revision: 3 };
        assert_eq!(name.path(), "metrics/k7f3q2ab-12-99-sampled-3.tsv");
        assert_eq!(SampleName::parse(&name.path()), Some(name));
        for path in ["metrics/k7f3q2ab-1-03-0045.tsv", "metrics/k7f3q2ab-1-03-sampled-01.tsv"] {
            assert_eq!(SampleName::parse(path), None, "{path}");
        }
    }

    #[test]
    fn samples_stand_behind_the_text_and_the_newest_counts() {
        let mut writer = Writer::new();
        writer.log(int(0), None, &values(&[("a", 0.5), ("b", 1.5)]));
        let mut files = writer.files("k7f3q2ab", 0);
        let sample = |rows: &str| format!("{}{rows}", encode::LONG_HEADER).into_bytes();
        files.insert("metrics/k7f3q2ab-0-00-sampled-2.tsv".into(), sample("1\t\ta\t9.0\n"));
        files.insert("metrics/k7f3q2ab-0-00-sampled-10.tsv".into(), sample("1\t\ta\t1.0\n2\t\ta\t2.0\n"));
        files.insert("metrics/k7f3q2ab-0-01-0000.tsv".into(), b"torn".to_vec());
        let found = read_metric(&files, "a");
        let steps: Vec<_> = found.series[0].points.iter().map(|point| point.value.as_f64()).collect();
        assert_eq!(steps, [0.5, 1.0, 2.0]);
        assert_eq!(found.sampled, BTreeSet::from(["k7f3q2ab".to_owned()]));
        assert_eq!(found.names, BTreeSet::from(["a".to_owned(), "b".to_owned()]));
        assert_eq!(
            found.damaged,
            [Malformed("'metrics/k7f3q2ab-0-01-0000.tsv' does not end with a whole line".into())]
        );
        assert!(read_metric(&files, "b").sampled.is_empty());
    }
}
