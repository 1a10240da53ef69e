//! The points of a metric as columns of doubles: for what is drawn, a quarter of the room that points take, and read
//! in a third of the time.
//!
//! What is absent is NaN. Integers beyond 2^53 lose their last digits, and a number that is not written as we write it
//! is read all the same.

use std::collections::BTreeMap;
use std::thread;

use crate::series::choose::Strand;
use crate::series::number::Number;
use crate::series::{Found, Malformed, Series, encode, pieces};

/// The points of one metric that one writer logged, in order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Columns {
    /// The attempt that logged it.
    pub attempt: String,
    /// The writer within the attempt.
    pub writer: u64,
    /// The steps; NaN where there is none.
    pub steps: Vec<f64>,
    /// Unix seconds; NaN where there are none.
    pub times: Vec<f64>,
    /// The values.
    pub values: Vec<f64>,
}

impl Columns {
    /// Adds a point.
    pub fn push(&mut self, step: f64, time: f64, value: f64) {
        self.steps.push(step);
        self.times.push(time);
        self.values.push(value);
    }

    fn append(&mut self, mut other: Columns) {
        if self.values.is_empty() {
            (self.steps, self.times, self.values) = (other.steps, other.times, other.values);
            return;
        }
        self.steps.append(&mut other.steps);
        self.times.append(&mut other.times);
        self.values.append(&mut other.values);
    }

    /// The points of several tables by their times, each table's in its own order.
    fn in_order(tables: Vec<Columns>) -> Columns {
        let mut all = Columns::default();
        let is_one = tables.len() == 1;
        let mut ticks: Vec<f64> = Vec::new();
        for table in tables {
            let mut clock = f64::NEG_INFINITY;
            let tick = |time: &f64| {
                clock = if time.is_nan() { clock } else { clock.max(*time) };
                clock
            };
            if !is_one {
                ticks.extend(table.times.iter().map(tick));
            }
            all.append(table);
        }
        // Of one table the order is that of its rows.
        if is_one {
            return all;
        }
        let mut order: Vec<usize> = (0..ticks.len()).collect();
        order.sort_by(|one, other| ticks[*one].total_cmp(&ticks[*other]));
        let by_order = |column: &[f64]| order.iter().map(|place| column[*place]).collect();
        Columns {
            steps: by_order(&all.steps),
            times: by_order(&all.times),
            values: by_order(&all.values),
            ..all
        }
    }
}

impl From<Series> for Columns {
    fn from(series: Series) -> Self {
        let mut columns = Columns { attempt: series.attempt, writer: series.writer, ..Columns::default() };
        for point in series.points {
            let or_nan = |number: Option<Number>| number.map_or(f64::NAN, Number::as_f64);
            columns.push(or_nan(point.step), or_nan(point.time), point.value.as_f64());
        }
        columns
    }
}

impl Strand for Columns {
    fn attempt(&self) -> &str {
        &self.attempt
    }

    fn writer(&self) -> u64 {
        self.writer
    }

    fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    fn first_step(&self) -> Option<Number> {
        let steps = self.steps.iter().copied().filter(|step| !step.is_nan());
        steps.reduce(f64::min).map(Number::Float)
    }

    fn keep(&mut self, keeps: &dyn Fn(Option<Number>) -> bool) {
        let kept: Vec<bool> =
            self.steps.iter().map(|step| keeps((!step.is_nan()).then_some(Number::Float(*step)))).collect();
        for column in [&mut self.steps, &mut self.times, &mut self.values] {
            let mut kept = kept.iter();
            column.retain(|_| kept.next() == Some(&true));
        }
    }
}

/// The points of one metric that a record's text holds, as [`crate::series::read_metric`] finds them; so many files are
/// read at once.
pub fn read(files: &BTreeMap<String, Vec<u8>>, metric: &str, workers: usize) -> Found<Columns> {
    let tables = pieces(files);
    let tasks: Vec<(u8, &[u8])> = tables
        .iter()
        .flat_map(|((.., table), pieces)| pieces.iter().map(move |piece| (piece.form(*table), piece.bytes)))
        .collect();
    let mut decoded = decode_all(&tasks, metric, workers).into_iter();
    let mut found = Found::default();
    let mut by_writer: BTreeMap<(String, u64), Vec<Columns>> = BTreeMap::new();
    for ((attempt, writer, table), pieces) in &tables {
        let mut whole = Columns::default();
        for piece in pieces {
            match decoded.next() {
                Some(Ok(columns)) => {
                    found.names.extend(encode::names(piece.form(*table), piece.bytes).unwrap_or_default());
                    if piece.is_sample && !columns.is_empty() {
                        found.sampled.insert(attempt.clone());
                    }
                    whole.append(columns);
                }
                Some(Err(problem)) => found.damaged.push(Malformed(format!("'{}' {problem}", piece.path))),
                None => {}
            }
        }
        if !whole.is_empty() {
            by_writer.entry((attempt.clone(), *writer)).or_default().push(whole);
        }
    }
    let series = by_writer.into_iter().map(|((attempt, writer), tables)| Columns {
        attempt,
        writer,
        ..Columns::in_order(tables)
    });
    found.series = series.collect();
    found
}

fn decode_all(tasks: &[(u8, &[u8])], metric: &str, workers: usize) -> Vec<Result<Columns, Malformed>> {
    let decode = |tasks: &[(u8, &[u8])]| -> Vec<_> {
        tasks.iter().map(|(form, bytes)| encode::decode_columns(*form, bytes, metric)).collect()
    };
    if workers < 2 || tasks.len() < 2 {
        return decode(tasks);
    }
    thread::scope(|scope| {
        let decode = &decode;
        let parts = tasks.chunks(tasks.len().div_ceil(workers));
        let started: Vec<_> = parts.map(|part| scope.spawn(move || decode(part))).collect();
        started.into_iter().flat_map(|part| part.join().expect("a reader does not panic")).collect()
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::series::{self, Writer};
    use indexmap::IndexMap;
    use proptest::prelude::*;

    /// As text: NaN is not equal to itself.
    fn text(columns: &[Columns]) -> Vec<String> {
        columns.iter().map(|columns| format!("{columns:?}")).collect()
    }

    #[test]
    fn what_others_write_otherwise_is_read() {
        let columns = encode::decode_columns(0, b"step\ttime\ta\n01\t\t0.50\n\t2\tnan\n", "a").unwrap();
        assert_eq!((columns.steps[0], columns.values[0], columns.times[1]), (1.0, 0.5, 2.0));
        assert!(columns.steps[1].is_nan() && columns.values[1].is_nan());
        assert!(encode::decode_columns(0, b"step\ttime\ta\n1\t\tx\n", "a").is_err());
        assert!(encode::decode_columns(0, b"step\ttime\ta\n1\t\t1\t1\n", "a").is_err());
        assert!(encode::decode_columns(0, b"step\ttime\ta\n1\t\n", "a").is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

        #[test]
        fn columns_are_the_points(
            calls in prop::collection::vec(
                (0_u64..2, prop::option::of(-5_i8..20), prop::option::of(0_i8..9), prop::collection::btree_set(0_usize..22, 1..4), any::<i16>()),
                0..60
            ),
            workers in 1_usize..4
        ) {
            let name = |index: usize| format!("m{index}");
            let mut writers = [Writer::new(), Writer::new()];
            for (writer, step, time, names, value) in calls {
                let values: IndexMap<String, Number> =
                    names.into_iter().map(|index| (name(index), Number::Float(f64::from(value) + index as f64))).collect();
                let number = |int: Option<i8>| int.map(|int| Number::Int(int.into()));
                writers[writer as usize].log(number(step), number(time), &values);
            }
            let files: BTreeMap<String, Vec<u8>> =
                writers.into_iter().zip(0..).flat_map(|(writer, number)| writer.files("k7f3q2ab", number)).collect();
            for index in 0..22 {
                let points = series::read_metric(&files, &name(index));
                let columns = read(&files, &name(index), workers);
                let expected: Vec<Columns> = points.series.into_iter().map(Columns::from).collect();
                prop_assert_eq!(text(&columns.series), text(&expected));
                prop_assert_eq!((columns.names, columns.sampled, columns.damaged), (points.names, points.sampled, points.damaged));
            }
        }
    }
}
