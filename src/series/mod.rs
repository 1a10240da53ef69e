//! Series: the points of a run's metrics, and the segments that hold them.
//!
//! Pure, and below `run`: attempts are known here by the text of their ids only. Bytes are `encode`'s business;
//! which record a segment belongs to, and what is kept of its points in the facts, is `run`'s.

pub mod encode;
pub mod number;

use std::collections::BTreeMap;

use indexmap::IndexMap;

use crate::series::number::Number;

/// How many tables a writer has for sets of names; later sets share the table [`TABLE_LONG`].
pub const TABLES_MAX: usize = 16;
/// The number of the table in long form.
pub const TABLE_LONG: u8 = 99;
/// A segment that holds this many bytes takes no further row.
pub const SEGMENT_MAX: usize = 1 << 20;
/// The highest number that four digits hold: that segment takes all that still comes.
const SEGMENT_LAST: u16 = 9999;

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

/// Takes rows as one writer logs them, and lays them out in tables and segments.
#[derive(Debug, Default)]
pub struct Writer {
    /// By the sorted names of a set: its table.
    tables: BTreeMap<Vec<String>, usize>,
    wide: Vec<Table>,
    long: Option<Table>,
}

/// The segments of one table; the last is open.
#[derive(Debug)]
struct Table {
    header: String,
    names: Vec<String>,
    segments: Vec<String>,
}

impl Writer {
    /// A writer that has logged nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes what one call logged; nothing if it names nothing.
    pub fn log(&mut self, step: Option<Number>, time: Option<Number>, values: &IndexMap<String, Number>) {
        if values.is_empty() {
            return;
        }
        match self.table_of(values) {
            Some(index) => {
                let table = &mut self.wide[index];
                // The set is the table's, so every name has its value; its order may be another.
                let values = table.names.iter().filter_map(|name| values.get(name).copied()).collect();
                table.push(&encode::write_row(&Row { step, time, values }));
            }
            None => {
                let long =
                    self.long.get_or_insert_with(|| Table::new(encode::LONG_HEADER.into(), Vec::new()));
                for (name, value) in values {
                    long.push(&encode::write_point(name, &Point { step, time, value: *value }));
                }
            }
        }
    }

    /// The files that hold what was logged, as the record of `attempt` names them.
    pub fn files(&self, attempt: &str, writer: u64) -> BTreeMap<String, Vec<u8>> {
        let wide = self.wide.iter().enumerate().map(|(index, table)| (index as u8, table));
        let tables = wide.chain(self.long.iter().map(|table| (TABLE_LONG, table)));
        let mut files = BTreeMap::new();
        for (number, table) in tables {
            for (index, bytes) in table.segments.iter().enumerate() {
                let segment = index as u16;
                let name = SegmentName { attempt: attempt.to_owned(), writer, table: number, segment };
                files.insert(name.path(), bytes.clone().into_bytes());
            }
        }
        files
    }

    fn table_of(&mut self, values: &IndexMap<String, Number>) -> Option<usize> {
        let mut set: Vec<String> = values.keys().cloned().collect();
        set.sort_unstable();
        if let Some(index) = self.tables.get(&set) {
            return Some(*index);
        }
        if self.wide.len() == TABLES_MAX {
            return None;
        }
        let names: Vec<String> = values.keys().cloned().collect();
        self.wide.push(Table::new(encode::write_header(&names), names));
        self.tables.insert(set, self.wide.len() - 1);
        Some(self.wide.len() - 1)
    }
}

impl Table {
    fn new(header: String, names: Vec<String>) -> Self {
        Self { segments: vec![header.clone()], header, names }
    }

    fn push(&mut self, row: &str) {
        let is_last = self.segments.len() > SEGMENT_LAST.into();
        let is_full = self.segments.last().is_none_or(|open| open.len() >= SEGMENT_MAX);
        if is_full && !is_last {
            self.segments.push(self.header.clone());
        }
        if let Some(open) = self.segments.last_mut() {
            open.push_str(row);
        }
    }
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
            // A point without a time stays behind the one that its table holds before it.
            *clock = point.time.map_or(*clock, Number::as_f64);
            found
                .entry((name.attempt.clone(), name.writer, metric.to_owned()))
                .or_default()
                .push((*clock, point));
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
    fn one_set_of_names_is_one_table_in_whatever_order() {
        let mut writer = Writer::new();
        writer.log(int(0), None, &values(&[("a", 1.0), ("b", 2.0)]));
        writer.log(int(1), None, &values(&[("b", 4.0), ("a", 3.0)]));
        writer.log(int(1), None, &values(&[("b", 5.0)]));
        let files = writer.files("k7f3q2ab", 0);
        let text = |path: &str| String::from_utf8(files[path].clone()).unwrap();
        assert_eq!(
            text("metrics/k7f3q2ab-0-00-0000.tsv"),
            "step\ttime\ta\tb\n0\t\t1.0\t2.0\n1\t\t3.0\t4.0\n"
        );
        assert_eq!(text("metrics/k7f3q2ab-0-01-0000.tsv"), "step\ttime\tb\n1\t\t5.0\n");
        let series = read(&files).unwrap();
        let found: Vec<_> = series.iter().map(|series| (series.name.as_str(), series.points.len())).collect();
        assert_eq!(found, [("a", 2), ("b", 3)]);
    }

    #[test]
    fn the_seventeenth_set_goes_to_the_long_table() {
        let mut writer = Writer::new();
        for index in 0..18 {
            writer.log(int(index), None, &values(&[(&format!("m{index}"), 0.5)]));
        }
        writer.log(int(99), None, &values(&[("m3", 0.25)]));
        let files = writer.files("k7f3q2ab", 2);
        assert_eq!(files.len(), 17);
        assert_eq!(
            files["metrics/k7f3q2ab-2-99-0000.tsv"],
            b"step\ttime\tname\tvalue\n16\t\tm16\t0.5\n17\t\tm17\t0.5\n"
        );
        assert_eq!(read(&files).unwrap().iter().map(|series| series.points.len()).sum::<usize>(), 19);
    }

    #[test]
    fn a_full_segment_takes_no_further_row() {
        let mut writer = Writer::new();
        let row = values(&[(&"n".repeat(1000), 0.1)]);
        let long = values(&[("x", 0.1)]);
        for step in 0..200_000 {
            writer.log(int(step), None, if step == 0 { &row } else { &long });
        }
        let files = writer.files("k7f3q2ab", 0);
        let first = &files["metrics/k7f3q2ab-0-01-0000.tsv"];
        let second = &files["metrics/k7f3q2ab-0-01-0001.tsv"];
        assert!(first.len() >= SEGMENT_MAX && first.len() < SEGMENT_MAX + 32, "{}", first.len());
        assert!(second.starts_with(b"step\ttime\tx\n"));
        let series = read(&files).unwrap();
        assert_eq!(series[1].points.len(), 199_999);
        assert!(series[1].points.iter().zip(1..).all(|(point, step)| point.step == int(step)));
    }

    #[test]
    fn points_are_in_the_order_of_their_times_and_untimed_ones_stay_behind_their_predecessors() {
        let mut writer = Writer::new();
        writer.log(int(2), Some(Number::Float(20.0)), &values(&[("a", 2.0)]));
        writer.log(int(3), None, &values(&[("a", 3.0)]));
        writer.log(int(1), Some(Number::Int(10)), &values(&[("a", 1.0), ("b", 0.0)]));
        let series = read(&writer.files("k7f3q2ab", 0)).unwrap();
        let steps: Vec<_> = series[0].points.iter().map(|point| point.step.unwrap().as_f64()).collect();
        assert_eq!(steps, [1.0, 2.0, 3.0]);
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
    }
}
