//! Segments as tab-separated text and back: one way to write each, so that the same rows are the same bytes.
//!
//! Knows the grammar of one file; how rows are shared out among files is the parent's business. What does not
//! re-encode to the same bytes is refused as damaged.

use crate::series::Malformed;
use crate::series::number::Number;
use crate::series::{Point, Row, Segment, TABLE_LONG};

/// The first line of a segment in long form.
pub const LONG_HEADER: &str = "step\ttime\tname\tvalue\n";

/// The bytes of a segment.
pub fn encode(segment: &Segment) -> Vec<u8> {
    match segment {
        Segment::Wide { names, rows } => {
            rows.iter().fold(write_header(names), |text, row| text + &write_row(row)).into_bytes()
        }
        Segment::Long(points) => points
            .iter()
            .fold(LONG_HEADER.to_owned(), |text, (name, point)| text + &write_point(name, point))
            .into_bytes(),
    }
}

/// Reads a segment of the table with that number; anything that [`encode`] would not have written is refused.
pub fn decode(table: u8, bytes: &[u8]) -> Result<Segment, Malformed> {
    let text = std::str::from_utf8(bytes).map_err(|_| Malformed::new("is not UTF-8"))?;
    let text = text.strip_suffix('\n').ok_or_else(|| Malformed::new("does not end with a whole line"))?;
    let mut lines = text.split('\n');
    let header = lines.next().unwrap_or_default();
    let rows = lines.zip(2..);
    match table {
        TABLE_LONG if format!("{header}\n") != LONG_HEADER => Err(bad_header()),
        TABLE_LONG => {
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

/// Writes the first line of a segment with a column for each name.
pub fn write_header(names: &[String]) -> String {
    let mut line = "step\ttime".to_owned();
    for name in names {
        line.push('\t');
        line.push_str(&escape(name));
    }
    line + "\n"
}

/// Writes one row.
pub fn write_row(row: &Row) -> String {
    let mut line = format!("{}\t{}", optional(row.step), optional(row.time));
    for value in &row.values {
        line.push('\t');
        line.push_str(&value.write());
    }
    line + "\n"
}

/// Writes one row in long form.
pub fn write_point(name: &str, point: &Point) -> String {
    format!("{}\t{}\t{}\t{}\n", optional(point.step), optional(point.time), escape(name), point.value.write())
}

fn optional(number: Option<Number>) -> String {
    number.map(Number::write).unwrap_or_default()
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
    let bad = || Malformed::new(format!("has a malformed line {number}"));
    let cells: Vec<&str> = line.split('\t').collect();
    let [step, time, values @ ..] = cells.as_slice() else { return Err(bad()) };
    if values.len() != columns {
        return Err(bad());
    }
    let values = values.iter().map(|cell| Number::read(cell)).collect::<Option<_>>();
    Ok(Row {
        step: read_optional(step).ok_or_else(bad)?,
        time: read_optional(time).ok_or_else(bad)?,
        values: values.ok_or_else(bad)?,
    })
}

fn read_point(line: &str, number: usize) -> Result<(String, Point), Malformed> {
    let bad = || Malformed::new(format!("has a malformed line {number}"));
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

fn bad_header() -> Malformed {
    Malformed::new("has a malformed first line")
}

fn escape(name: &str) -> String {
    name.replace('\\', "\\\\").replace('\t', "\\t").replace('\n', "\\n").replace('\r', "\\r")
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
