//! Segments as tab-separated text and back: one way to write each, so that the same rows are the same bytes.
//!
//! Knows the grammar of one file; how rows are shared out among files is the parent's business. What does not
//! re-encode to the same bytes is refused as damaged.

use std::borrow::Cow;

use crate::series::Malformed;
use crate::series::columns::Columns;
use crate::series::number::Number;
use crate::series::{Point, Row, Segment, TABLE_LONG};

/// The first line of a segment in long form.
pub const LONG_HEADER: &str = "step\ttime\tname\tvalue\n";

/// The bytes of a segment.
pub fn encode(segment: &Segment) -> Vec<u8> {
    let mut text = String::new();
    match segment {
        Segment::Wide { names, rows } => {
            text.push_str(&write_header(names));
            rows.iter().for_each(|row| push_row(&mut text, row.step, row.time, &row.values));
        }
        Segment::Long(points) => {
            text.push_str(LONG_HEADER);
            points.iter().for_each(|(name, point)| push_point(&mut text, name, point));
        }
    }
    text.into_bytes()
}

/// Reads a segment of the table with that number; anything that [`encode`] would not have written is refused.
pub fn decode(table: u8, bytes: &[u8]) -> Result<Segment, Malformed> {
    let (header, rows) = lines(bytes)?;
    match table {
        TABLE_LONG => {
            check_long(header)?;
            rows.map(|(line, number)| read_point(line, number)).collect::<Result<_, _>>().map(Segment::Long)
        }
        _ => {
            let names = read_header(header)?;
            let rows =
                rows.map(|(line, number)| read_row(line, number, names.len())).collect::<Result<_, _>>()?;
            Ok(Segment::Wide { names, rows })
        }
    }
}

/// Reads the points of one metric out of a segment. What is not of that metric is not looked at more closely than it
/// takes to tell the rows apart, so damage elsewhere in the file may go unseen.
pub fn decode_metric(table: u8, bytes: &[u8], metric: &str) -> Result<Vec<Point>, Malformed> {
    let (header, rows) = lines(bytes)?;
    let Some(Place { column, count, name }) = place(table, header, metric)? else { return Ok(Vec::new()) };
    let mut points = Vec::new();
    for (line, number) in rows {
        let bad = || malformed_line(number);
        let mut cells = line.split('\t');
        let (step, time) = (cells.next().ok_or_else(bad)?, cells.next().ok_or_else(bad)?);
        let is_other = name.as_ref().is_some_and(|name| cells.clone().next() != Some(name.as_ref()));
        if is_other {
            continue;
        }
        let value = cells.clone().nth(column);
        if cells.count() != count {
            return Err(bad());
        }
        points.push(Point {
            step: read_optional(step).ok_or_else(bad)?,
            time: read_optional(time).ok_or_else(bad)?,
            value: value.and_then(Number::read).ok_or_else(bad)?,
        });
    }
    Ok(points)
}

/// Reads the points of one metric out of a segment as doubles. How a number is written is not looked at.
pub fn decode_columns(table: u8, bytes: &[u8], metric: &str) -> Result<Columns, Malformed> {
    let (header, rows) = lines(bytes)?;
    let Some(Place { column, count, name }) = place(table, header, metric)? else {
        return Ok(Columns::default());
    };
    let number = |cell: &str| if cell.is_empty() { Some(f64::NAN) } else { cell.parse().ok() };
    let mut columns = Columns::default();
    for (line, row) in rows {
        let bad = || malformed_line(row);
        let mut cells = Cells(Some(line));
        let (step, time) = (cells.next().ok_or_else(bad)?, cells.next().ok_or_else(bad)?);
        let is_other = name.as_ref().is_some_and(|name| cells.clone().next() != Some(name.as_ref()));
        if is_other {
            continue;
        }
        let value: f64 = cells.clone().nth(column).and_then(|cell| cell.parse().ok()).ok_or_else(bad)?;
        if cells.count() != count {
            return Err(bad());
        }
        columns.push(number(step).ok_or_else(bad)?, number(time).ok_or_else(bad)?, value);
    }
    Ok(columns)
}

/// The cells of a line, which are short: a search that is made for long texts takes more time than the numbers do.
#[derive(Clone)]
struct Cells<'a>(Option<&'a str>);

impl<'a> Iterator for Cells<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let line = self.0?;
        let end = line.bytes().position(|byte| byte == b'\t');
        self.0 = end.map(|end| &line[end + 1..]);
        Some(end.map_or(line, |end| &line[..end]))
    }
}

/// Where the values of a metric stand behind step and time.
struct Place<'a> {
    column: usize,
    /// How many cells there are.
    count: usize,
    /// In long form: what stands before the value.
    name: Option<Cow<'a, str>>,
}

/// Where the values of a metric stand; nowhere if the table does not hold it.
fn place<'a>(table: u8, header: &str, metric: &'a str) -> Result<Option<Place<'a>>, Malformed> {
    if table == TABLE_LONG {
        check_long(header)?;
        return Ok(Some(Place { column: 1, count: 2, name: Some(escape(metric)) }));
    }
    let names = read_header(header)?;
    let column = names.iter().position(|name| name == metric);
    Ok(column.map(|column| Place { column, count: names.len(), name: None }))
}

/// The names of the metrics that a segment's first line tells; none of one in long form.
pub fn names(table: u8, bytes: &[u8]) -> Result<Vec<String>, Malformed> {
    let (header, _) = lines(bytes)?;
    if table == TABLE_LONG { Ok(Vec::new()) } else { read_header(header) }
}

/// Writes the first line of a segment with a column for each name.
pub fn write_header(names: &[String]) -> String {
    let mut line = "step\ttime".to_owned();
    for name in names {
        line.push('\t');
        line.push_str(&escape(name));
    }
    line + "\n"
}

/// Writes one row behind the text of its segment.
pub fn push_row(text: &mut String, step: Option<Number>, time: Option<Number>, values: &[Number]) {
    push_optional(text, step);
    text.push('\t');
    push_optional(text, time);
    for value in values {
        text.push('\t');
        value.push_to(text);
    }
    text.push('\n');
}

/// Writes one row in long form behind the text of its segment.
pub fn push_point(text: &mut String, name: &str, point: &Point) {
    push_optional(text, point.step);
    text.push('\t');
    push_optional(text, point.time);
    text.push('\t');
    text.push_str(&escape(name));
    text.push('\t');
    point.value.push_to(text);
    text.push('\n');
}

fn push_optional(text: &mut String, number: Option<Number>) {
    if let Some(number) = number {
        number.push_to(text);
    }
}

/// The first line, and the others with their numbers.
fn lines(bytes: &[u8]) -> Result<(&str, impl Iterator<Item = (&str, usize)>), Malformed> {
    let text = std::str::from_utf8(bytes).map_err(|_| Malformed::new("is not UTF-8"))?;
    let text = text.strip_suffix('\n').ok_or_else(|| Malformed::new("does not end with a whole line"))?;
    let mut lines = text.split('\n');
    let header = lines.next().unwrap_or_default();
    Ok((header, lines.zip(2..)))
}

fn check_long(header: &str) -> Result<(), Malformed> {
    if LONG_HEADER.strip_suffix('\n') == Some(header) { Ok(()) } else { Err(bad_header()) }
}

fn read_header(header: &str) -> Result<Vec<String>, Malformed> {
    let names = header.strip_prefix("step\ttime\t").ok_or_else(bad_header)?;
    let names: Vec<String> = names.split('\t').map(unescape).collect::<Option<_>>().ok_or_else(bad_header)?;
    let mut sorted: Vec<&String> = names.iter().collect();
    sorted.sort_unstable();
    match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(Malformed::new(format!("has the column {:?} twice", pair[0]))),
        None => Ok(names),
    }
}

fn read_row(line: &str, number: usize, columns: usize) -> Result<Row, Malformed> {
    let bad = || malformed_line(number);
    let mut cells = line.split('\t');
    let (step, time) = (cells.next().ok_or_else(bad)?, cells.next().ok_or_else(bad)?);
    let values: Vec<Number> = cells.map(Number::read).collect::<Option<_>>().ok_or_else(bad)?;
    if values.len() != columns {
        return Err(bad());
    }
    Ok(Row { step: read_optional(step).ok_or_else(bad)?, time: read_optional(time).ok_or_else(bad)?, values })
}

fn read_point(line: &str, number: usize) -> Result<(String, Point), Malformed> {
    let bad = || malformed_line(number);
    let cells: Vec<&str> = line.split('\t').collect();
    let [step, time, name, value] = cells.as_slice() else { return Err(bad()) };
    let point = Point {
        step: read_optional(step).ok_or_else(bad)?,
        time: read_optional(time).ok_or_else(bad)?,
        value: Number::read(value).ok_or_else(bad)?,
    };
    Ok((unescape(name).ok_or_else(bad)?, point))
}

fn read_optional(cell: &str) -> Option<Option<Number>> {
    match cell {
        "" => Some(None),
        cell => Number::read(cell).map(Some),
    }
}

fn malformed_line(number: usize) -> Malformed {
    Malformed::new(format!("has a malformed line {number}"))
}

fn bad_header() -> Malformed {
    Malformed::new("has a malformed first line")
}

fn escape(name: &str) -> Cow<'_, str> {
    if !name.contains(['\\', '\t', '\n', '\r']) {
        return Cow::Borrowed(name);
    }
    let escaped = name.replace('\\', "\\\\").replace('\t', "\\t").replace('\n', "\\n").replace('\r', "\\r");
    Cow::Owned(escaped)
}

/// The name that [`escape`] wrote so; `None` for any other text.
fn unescape(cell: &str) -> Option<String> {
    let mut name = String::with_capacity(cell.len());
    let mut characters = cell.chars();
    while let Some(character) = characters.next() {
        name.push(match character {
            '\r' => return None,
            '\\' => match characters.next()? {
                't' => '\t',
                'n' => '\n',
                'r' => '\r',
                '\\' => '\\',
                _ => return None,
            },
            plain => plain,
        });
    }
    Some(name)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cases(default: u32) -> ProptestConfig {
        let asked = std::env::var("XTRACK_PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
        ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(asked.unwrap_or(default)) }
    }

    fn number() -> impl Strategy<Value = Number> {
        prop_oneof![
            any::<i128>().prop_map(Number::Int),
            any::<i16>().prop_map(|int| Number::Int(int.into())),
            any::<u64>().prop_map(|bits| Number::Float(f64::from_bits(bits))),
            prop::sample::select(vec![0.0, -0.0, 1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 5e-324])
                .prop_map(Number::Float),
        ]
    }

    fn name() -> impl Strategy<Value = String> {
        prop_oneof!["[a-z/\\\\\t\n\r]{0,6}", any::<String>()]
    }

    fn point() -> impl Strategy<Value = Point> {
        (prop::option::of(number()), prop::option::of(number()), number())
            .prop_map(|(step, time, value)| Point { step, time, value })
    }

    fn wide() -> impl Strategy<Value = Segment> {
        let names = prop::collection::btree_set(name(), 1..5)
            .prop_map(|names| names.into_iter().collect::<Vec<_>>())
            .prop_shuffle();
        names.prop_flat_map(|names| {
            let row = (
                prop::option::of(number()),
                prop::option::of(number()),
                prop::collection::vec(number(), names.len()),
            );
            let row = row.prop_map(|(step, time, values)| Row { step, time, values });
            prop::collection::vec(row, 0..6)
                .prop_map(move |rows| Segment::Wide { names: names.clone(), rows })
        })
    }

    fn long() -> impl Strategy<Value = Segment> {
        prop::collection::vec((name(), point()), 0..6).prop_map(Segment::Long)
    }

    proptest! {
        #![proptest_config(cases(500))]

        #[test]
        fn what_is_written_is_read_back(segment in prop_oneof![wide(), long()]) {
            let table = if matches!(segment, Segment::Long(_)) { TABLE_LONG } else { 0 };
            let bytes = encode(&segment);
            let read = decode(table, &bytes).unwrap();
            // As text, since NaN is not equal to itself.
            prop_assert_eq!(format!("{:?}", &read), format!("{:?}", &segment).replace("-NaN", "NaN"));
            prop_assert_eq!(encode(&read), bytes);
        }

        #[test]
        fn one_metric_is_read_as_all_are(segment in prop_oneof![wide(), long()]) {
            let table = if matches!(segment, Segment::Long(_)) { TABLE_LONG } else { 0 };
            let bytes = encode(&segment);
            let all = decode(table, &bytes).unwrap();
            for (name, _) in all.points().into_iter().chain([("no such", Point { step: None, time: None, value: Number::Int(0) })]) {
                let expected: Vec<_> =
                    all.points().into_iter().filter(|(other, _)| *other == name).map(|(_, point)| point).collect();
                prop_assert_eq!(
                    format!("{:?}", decode_metric(table, &bytes, name).unwrap()),
                    format!("{:?}", expected)
                );
            }
        }

        #[test]
        fn what_is_read_is_written_back(text in "(step\ttime\ta\\\\?[tn]?\n)?([0-9.e-]{0,3}\t[0-9.]{0,3}\t[0-9.e+-]{0,4}\n){0,3}") {
            if let Ok(segment) = decode(0, text.as_bytes()) {
                prop_assert_eq!(encode(&segment), text.as_bytes());
            }
        }
    }

    #[test]
    fn another_way_to_write_the_same_is_damage() {
        for text in [
            "",
            "step\ttime\ta",
            "step\ttime\n",
            "step\tt\ta\n",
            "step\ttime\ta\ta\n",
            "step\ttime\ta\\x\n",
            "step\ttime\ta\n1\t\n",
            "step\ttime\ta\n1\t\t\n",
            "step\ttime\ta\n1\t\t1\t2\n",
            "step\ttime\ta\n01\t\t1\n",
            "step\ttime\ta\n1\t\t+1\n",
            "step\ttime\ta\n1\t\t1e3\n",
            "step\ttime\ta\n1\t\tNaN\n",
            "step\ttime\ta\n1\t\t-0\n",
            "step\ttime\ta\r\n1\t\t1\r\n",
            "step\ttime\ta\n\n",
            "step\ttime\ta\n1\t\t0.10\n",
            "step\ttime\ta\n1\t\tinfinity\n",
        ] {
            assert!(decode(0, text.as_bytes()).is_err(), "{text:?}");
        }
        assert!(decode(TABLE_LONG, b"step\ttime\ta\n").is_err());
        assert!(decode(TABLE_LONG, b"step\ttime\tname\tvalue\n\t\tloss\t1.0\n").is_ok());
        assert!(decode(0, b"step\ttime\ta\n\xff\n").is_err());
    }
}
