//! How rows are shared out among tables and segments, as one writer logs them.
//!
//! Text only ever grows: the files of more rows begin with the files of fewer. Knows nothing of where the files go.

use std::collections::BTreeMap;

use indexmap::IndexMap;

use crate::series::number::Number;
use crate::series::{Point, SEGMENT_LAST, SEGMENT_MAX, SegmentName, TABLE_LONG, TABLES_MAX, encode};

/// Takes rows as one writer logs them, and lays them out in tables and segments.
#[derive(Debug, Default)]
pub struct Writer {
    wide: Vec<Table>,
    long: Option<Table>,
    /// The last segment of each table that a record holds already.
    committed: BTreeMap<u8, u16>,
    is_limited: bool,
    /// The values of the row at hand, in the order of its table.
    values: Vec<Number>,
}

/// Where a row went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    /// Its table.
    pub table: u8,
    /// How many of its values, the first ones, went into segments that a record holds already.
    pub committed: usize,
    /// How many bytes the text grew by.
    pub size: usize,
}

/// The segments of one table; the last is open.
#[derive(Debug)]
struct Table {
    header: String,
    names: Vec<String>,
    segments: Vec<String>,
    /// How many bytes all but the last segment hold.
    full_size: usize,
    /// How many segments a record holds already, and whether no others are kept.
    committed: usize,
    is_limited: bool,
}

impl Writer {
    /// A writer that has logged nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// A writer that has logged nothing yet and of whose segments a record holds some already: the last of each table.
    pub fn after(committed: BTreeMap<u8, u16>) -> Self {
        Self { committed, ..Self::default() }
    }

    /// Takes what one call logged, and says where it went; nothing if it names nothing.
    pub fn log(
        &mut self,
        step: Option<Number>,
        time: Option<Number>,
        values: &IndexMap<String, Number>,
    ) -> Option<Placed> {
        if values.is_empty() {
            return None;
        }
        self.values.clear();
        let number = self.table_of(values).unwrap_or(TABLE_LONG);
        let table = match number {
            TABLE_LONG => self.long.as_mut().expect("the long table is there once a set has no other"),
            number => &mut self.wide[usize::from(number)],
        };
        let before = table.size();
        let mut committed = 0;
        if number == TABLE_LONG {
            self.values.extend(values.values());
            for (name, value) in values {
                let point = Point { step, time, value: *value };
                committed += usize::from(table.push(|text| encode::push_point(text, name, &point)));
            }
        } else {
            match table.is_in_order(values) {
                true => self.values.extend(values.values()),
                // The set is the table's, so every name has its value.
                false => self.values.extend(table.names.iter().filter_map(|name| values.get(name))),
            }
            let is_committed = table.push(|text| encode::push_row(text, step, time, &self.values));
            committed = if is_committed { self.values.len() } else { 0 };
        }
        Some(Placed { table: number, committed, size: table.size() - before })
    }

    /// The values of the last call, in the order of its table's names; of the long table, in the order of the call.
    pub fn values(&self) -> &[Number] {
        &self.values
    }

    /// The names of a table, in the order of its columns; the long table has none.
    pub fn names(&self, table: u8) -> &[String] {
        self.wide.get(usize::from(table)).map_or(&[], |table| &table.names)
    }

    /// Drops the text that no record holds yet, and takes none from now on but what fills segments that one holds.
    pub fn limit(&mut self) {
        self.is_limited = true;
        self.wide.iter_mut().chain(&mut self.long).for_each(Table::limit);
    }

    /// The files that hold what was logged, as the record of `attempt` names them.
    pub fn files(self, attempt: &str, writer: u64) -> BTreeMap<String, Vec<u8>> {
        let wide = self.wide.into_iter().zip(0..);
        let tables = wide.chain(self.long.into_iter().map(|table| (table, TABLE_LONG)));
        let mut files = BTreeMap::new();
        for (table, number) in tables {
            for (text, segment) in table.segments.into_iter().zip(0..) {
                let name = SegmentName { attempt: attempt.to_owned(), writer, table: number, segment };
                files.insert(name.path(), text.into_bytes());
            }
        }
        files
    }

    /// The number of the table for that set of names; `None` for the long one.
    fn table_of(&mut self, values: &IndexMap<String, Number>) -> Option<u8> {
        let found = self.wide.iter().position(|table| table.is_in_order(values));
        let found = found.or_else(|| self.wide.iter().position(|table| table.is_of(values)));
        if let Some(index) = found {
            return Some(index as u8);
        }
        if self.wide.len() == TABLES_MAX {
            let new = || Table::new(encode::LONG_HEADER.into(), Vec::new(), self.committed.get(&TABLE_LONG));
            let long = self.long.get_or_insert_with(new);
            if self.is_limited {
                long.limit();
            }
            return None;
        }
        let names: Vec<String> = values.keys().cloned().collect();
        let number = self.wide.len() as u8;
        let mut table = Table::new(encode::write_header(&names), names, self.committed.get(&number));
        if self.is_limited {
            table.limit();
        }
        self.wide.push(table);
        Some(number)
    }
}

impl Table {
    fn new(header: String, names: Vec<String>, committed: Option<&u16>) -> Self {
        let committed = committed.map_or(0, |last| usize::from(*last) + 1);
        Self { header, names, segments: Vec::new(), full_size: 0, committed, is_limited: false }
    }

    /// Whether these are its names, in its order.
    fn is_in_order(&self, values: &IndexMap<String, Number>) -> bool {
        self.names.len() == values.len() && self.names.iter().eq(values.keys())
    }

    /// Whether these are its names, in whatever order.
    fn is_of(&self, values: &IndexMap<String, Number>) -> bool {
        self.names.len() == values.len() && self.names.iter().all(|name| values.contains_key(name))
    }

    /// Writes a row, unless it is not to be kept as text; whether it stands in a segment that a record holds already.
    fn push(&mut self, write: impl FnOnce(&mut String)) -> bool {
        let is_full = self.segments.last().is_none_or(|open| open.len() >= SEGMENT_MAX);
        let is_last = self.segments.len() > SEGMENT_LAST.into();
        if is_full && !is_last {
            if self.is_limited && self.segments.len() >= self.committed {
                return false;
            }
            self.begin_segment();
        }
        if let Some(open) = self.segments.last_mut() {
            write(open);
        }
        self.segments.len() <= self.committed
    }

    fn begin_segment(&mut self) {
        if let Some(full) = self.segments.last_mut() {
            full.shrink_to_fit();
            self.full_size += full.len();
        }
        self.segments.push(self.header.clone());
    }

    fn limit(&mut self) {
        self.is_limited = true;
        self.segments.truncate(self.committed);
        self.full_size = self.segments.iter().rev().skip(1).map(String::len).sum();
    }

    fn size(&self) -> usize {
        self.full_size + self.segments.last().map_or(0, String::len)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::series::read;
    use proptest::prelude::*;

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
    fn past_the_limit_only_segments_that_a_record_holds_are_filled() {
        let log = |writer: &mut Writer, steps: std::ops::Range<i128>| -> usize {
            let row = values(&[("x", 0.1)]);
            steps.filter(|step| writer.log(int(*step), None, &row).unwrap().committed == 1).count()
        };
        let mut whole = Writer::new();
        log(&mut whole, 0..300_000);
        let whole = whole.files("k7f3q2ab", 0);
        let mut writer = Writer::after([(0, 1)].into());
        let mut committed = log(&mut writer, 0..50_000);
        writer.limit();
        committed += log(&mut writer, 50_000..300_000);
        let files = writer.files("k7f3q2ab", 0);
        let paths = ["metrics/k7f3q2ab-0-00-0000.tsv", "metrics/k7f3q2ab-0-00-0001.tsv"];
        assert!(files.keys().eq(paths));
        assert!(paths.into_iter().all(|path| files[path] == whole[path]));
        assert_eq!(read(&files).unwrap()[0].points.len(), committed);

        let mut writer = Writer::new();
        log(&mut writer, 0..300_000);
        writer.limit();
        assert_eq!(log(&mut writer, 0..10), 0);
        assert!(writer.files("k7f3q2ab", 0).is_empty());
    }

    fn calls() -> impl Strategy<Value = Vec<IndexMap<String, Number>>> {
        let name = prop::sample::select(vec!["a", "b", "c", "d", "e\t"]).prop_map(str::to_owned);
        let value = any::<u64>().prop_map(|bits| Number::Float(f64::from_bits(bits)));
        let call = prop::collection::vec((name, value), 0..5).prop_map(|pairs| pairs.into_iter().collect());
        prop::collection::vec(call, 0..60)
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

        #[test]
        fn files_of_more_rows_begin_with_those_of_fewer(calls in calls(), cut in 0_usize..60) {
            let files = |calls: &[IndexMap<String, Number>]| {
                let mut writer = Writer::new();
                let mut size = 0;
                for (call, step) in calls.iter().zip(0..) {
                    size += writer.log(int(step), None, call).map_or(0, |placed| placed.size);
                }
                let files = writer.files("k7f3q2ab", 0);
                assert_eq!(files.values().map(Vec::len).sum::<usize>(), size);
                files
            };
            let (longer, shorter) = (files(&calls), files(&calls[..cut.min(calls.len())]));
            for (path, bytes) in shorter {
                prop_assert!(longer[&path].starts_with(&bytes), "{}", path);
            }
        }

        #[test]
        fn every_value_is_read_back(calls in calls()) {
            let mut writer = Writer::new();
            let mut logged: BTreeMap<String, Vec<String>> = BTreeMap::new();
            for (call, step) in calls.iter().zip(0..) {
                writer.log(int(step), int(step), call);
                for (name, value) in call {
                    logged.entry(name.clone()).or_default().push(format!("{step} {}", value.write()));
                }
            }
            let files = writer.files("k7f3q2ab", 0);
            let text = |series: &crate::series::Series| -> Vec<String> {
                series.points.iter().map(|point| format!("{} {}", point.step.unwrap().write(), point.value.write())).collect()
            };
            let read: BTreeMap<String, Vec<String>> =
                read(&files).unwrap().iter().map(|series| (series.name.clone(), text(series))).collect();
            prop_assert_eq!(&read, &logged);
            for (name, points) in logged {
                prop_assert_eq!(text(&crate::series::read_metric(&files, &name).series[0]), points);
            }
        }
    }
}
