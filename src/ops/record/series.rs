//! From the journals of one attempt to its series and events in the record, in one pass and bounded memory.
//!
//! Every point is written as text and kept aside for a Parquet file at once: which of the two it will be is known only
//! when the text passes its limit or does not. The same journals come to the same bytes. What else the journals say is
//! `replay`'s; what is made of it, the caller's.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use indexmap::IndexMap;

use crate::artifact::Artifacts;
use crate::human;
use crate::journal::event::Thing;
use crate::journal::replay::{self, Replay, Sink};
use crate::ops::record::events::Events;
use crate::run::attempt::Number;
use crate::run::id::AttemptId;
use crate::run::pointer::Pointer;
use crate::run::record::Files;
use crate::series::sample::Samples;
use crate::series::{Point, SampleName, SegmentName, TABLE_LONG, TEXT_MAX, Writer, encode, whole};
use crate::tracker::Tracker;

/// The media type of the file that holds whole series.
pub const PARQUET: &str = "application/vnd.apache.parquet";

/// What an attempt's journals come to.
#[derive(Debug)]
pub struct Laid {
    /// All that they say but points and events.
    pub replay: Replay,
    /// Series and events, as files of the record.
    pub files: Files,
    /// The file of whole series, where they are too long for text.
    pub artifacts: Vec<Pointer>,
    /// What is worth saying of it.
    pub notes: Vec<String>,
}

/// The path of the artifact that holds an attempt's whole series.
pub fn whole_path(attempt: &str) -> String {
    format!("series/{attempt}.parquet")
}

/// Makes the series and events of an attempt out of its live folder. Writers that are `known` keep their numbers, and
/// segments that are `committed` already only ever grow, whatever the limit.
pub fn lay_down(
    tracker: &Tracker,
    folder: &Path,
    known: &[(String, u64)],
    attempt: &AttemptId,
    committed: &[String],
    revision: u64,
) -> Result<Laid> {
    let temporary = tracker.state_dir().join("objects").join("tmp");
    let mut collector = Collector::new(attempt.as_str(), committed, &temporary, TEXT_MAX);
    let replay = replay::replay(folder, known, &mut collector)?;
    collector.conclude(replay, &tracker.artifacts, revision)
}

/// Takes the points and things of one attempt.
struct Collector<'a> {
    attempt: &'a str,
    /// By writer and table: the last segment that the record holds.
    committed: BTreeMap<u64, BTreeMap<u8, u16>>,
    writers: BTreeMap<u64, OneWriter>,
    text_size: usize,
    text_max: usize,
    /// Whether the text passed its limit.
    is_over: bool,
    whole: Whole,
    samples: Samples,
    events: Events,
}

/// What one writer logged.
struct OneWriter {
    text: Writer,
    /// By table, in the order of its columns; those of the long table as they come.
    columns: BTreeMap<u8, IndexMap<String, Column>>,
}

/// The numbers by which a column's points are given on.
#[derive(Clone, Copy)]
struct Column {
    whole: usize,
    sample: usize,
}

impl<'a> Collector<'a> {
    fn new(attempt: &'a str, committed: &[String], temporary: &Path, text_max: usize) -> Self {
        let mut by_writer: BTreeMap<u64, BTreeMap<u8, u16>> = BTreeMap::new();
        let names = committed.iter().filter_map(|path| SegmentName::parse(path));
        for name in names.filter(|name| name.attempt == attempt) {
            let last = by_writer.entry(name.writer).or_default().entry(name.table).or_default();
            *last = name.segment.max(*last);
        }
        Self {
            attempt,
            committed: by_writer,
            writers: BTreeMap::new(),
            text_size: 0,
            text_max,
            is_over: false,
            whole: Whole::new(temporary.join(format!("{}-series-{attempt}", std::process::id()))),
            samples: Samples::default(),
            events: Events::default(),
        }
    }

    fn conclude(mut self, replay: Replay, artifacts: &Artifacts, revision: u64) -> Result<Laid> {
        let (mut files, mut pointers, mut notes) = (Files::new(), Vec::new(), Vec::new());
        if self.is_over {
            files.extend(self.sampled(revision));
            let stored = self.whole.store(artifacts).context("cannot keep the whole series")?;
            notes.push(format!(
                "the series would be more than {} of text: they are in the artifact '{}' ({}), and a sample of them in the record",
                human::size(self.text_max as u64),
                whole_path(self.attempt),
                human::size(stored.1),
            ));
            pointers.push(pointer(self.attempt, stored));
        }
        for (number, writer) in self.writers {
            files.extend(writer.text.files(self.attempt, number));
        }
        if self.events.left_out() > 0 {
            let count = human::count(self.events.left_out() as usize, "event");
            notes.push(format!("{count} left out: they are too many or too large"));
        }
        files.extend(self.events.files(self.attempt));
        Ok(Laid { replay, files, artifacts: pointers, notes })
    }

    /// The samples of what is not in the text.
    fn sampled(&self, revision: u64) -> Files {
        let mut files = Files::new();
        for (number, writer) in &self.writers {
            for (table, columns) in &writer.columns {
                let mut text = encode::LONG_HEADER.to_owned();
                for (name, column) in columns {
                    let points = self.samples.points(column.sample);
                    points.iter().for_each(|point| encode::push_point(&mut text, name, point));
                }
                if text.len() > encode::LONG_HEADER.len() {
                    let attempt = self.attempt.to_owned();
                    let name = SampleName { attempt, writer: *number, table: *table, revision };
                    files.insert(name.path(), text.into_bytes());
                }
            }
        }
        files
    }

    fn limit(&mut self) {
        self.is_over = true;
        self.writers.values_mut().for_each(|writer| writer.text.limit());
    }
}

fn pointer(attempt: &str, (sha256, size): (String, u64)) -> Pointer {
    Pointer {
        path: whole_path(attempt).into(),
        sha256,
        size,
        media_type: Some(PARQUET.to_owned()),
        executable: false,
        step: None,
        key: None,
        inline: false,
    }
}

impl Sink for Collector<'_> {
    fn row(
        &mut self,
        writer: u64,
        step: Option<Number>,
        time: Option<Number>,
        values: &IndexMap<String, Number>,
    ) -> Result<()> {
        let committed = &mut self.committed;
        let is_over = self.is_over;
        let one = self
            .writers
            .entry(writer)
            .or_insert_with(|| OneWriter::new(committed.remove(&writer).unwrap_or_default(), is_over));
        let Some(placed) = one.text.log(step, time, values) else { return Ok(()) };
        let columns = one.columns.entry(placed.table).or_default();
        let mut begin = |name: &str| Column {
            whole: self.whole.chunk.number(writer, name),
            sample: self.samples.begin(),
        };
        if placed.table == TABLE_LONG {
            for name in values.keys().filter(|name| !columns.contains_key(*name)).collect::<Vec<_>>() {
                columns.insert(name.clone(), begin(name));
            }
        } else if columns.is_empty() {
            columns.extend(one.text.names(placed.table).iter().map(|name| (name.clone(), begin(name))));
        }
        let is_long = placed.table == TABLE_LONG;
        let in_call = values.keys().filter(|_| is_long).map(|name| columns[name]);
        let in_table = columns.values().filter(|_| !is_long).copied();
        for (place, (column, value)) in in_call.chain(in_table).zip(one.text.values()).enumerate() {
            let point = Point { step, time, value: *value };
            self.whole.chunk.push(column.whole, &point);
            if place >= placed.committed {
                self.samples.push(column.sample, &point);
            }
        }
        self.text_size += placed.size;
        if self.text_size > self.text_max && !self.is_over {
            self.limit();
        }
        if self.whole.chunk.is_full() { self.whole.write() } else { Ok(()) }
    }

    fn thing(
        &mut self,
        writer: u64,
        step: Option<Number>,
        time: Option<Number>,
        thing: &Thing,
    ) -> Result<()> {
        self.events.push(writer, step, time, thing);
        Ok(())
    }
}

impl OneWriter {
    fn new(committed: BTreeMap<u8, u16>, is_limited: bool) -> Self {
        let mut text = Writer::after(committed);
        if is_limited {
            text.limit();
        }
        Self { text, columns: BTreeMap::new() }
    }
}

/// The Parquet file that all points go to; it is there once there are too many to wait, and gone with this value.
struct Whole {
    path: PathBuf,
    file: Option<whole::Writer<BufWriter<File>>>,
    chunk: whole::Chunk,
}

impl Whole {
    fn new(path: PathBuf) -> Self {
        Self { path, file: None, chunk: whole::Chunk::default() }
    }

    fn write(&mut self) -> Result<()> {
        let cannot_write = || format!("cannot write '{}'", self.path.display());
        if self.file.is_none() {
            fs::create_dir_all(self.path.parent().unwrap_or(&self.path)).with_context(cannot_write)?;
            let file = File::create(&self.path).with_context(cannot_write)?;
            self.file = Some(whole::Writer::new(BufWriter::new(file)).with_context(cannot_write)?);
        }
        match &mut self.file {
            Some(file) => file.write(&mut self.chunk).with_context(cannot_write),
            None => Ok(()),
        }
    }

    /// Ends the file and puts it into the store: its digest and size.
    fn store(&mut self, artifacts: &Artifacts) -> Result<(String, u64)> {
        self.write()?;
        if let Some(file) = self.file.take() {
            file.finish()?.flush()?;
        }
        let stored = artifacts.add(&self.path)?;
        Ok((stored.sha256, stored.size))
    }
}

impl Drop for Whole {
    fn drop(&mut self) {
        // There is none unless something was written.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::series::{self, Series};
    use proptest::prelude::*;
    use tempfile::TempDir;

    const ATTEMPT: &str = "k7f3q2ab";

    /// Calls as writers make them: writer, step, time, values.
    type Call = (u64, Option<Number>, Option<Number>, IndexMap<String, Number>);

    struct Store(TempDir);

    impl Store {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn lay_down(&self, calls: &[Call], committed: &[String], text_max: usize) -> Laid {
            let temporary = self.0.path().join("tmp");
            let mut collector = Collector::new(ATTEMPT, committed, &temporary, text_max);
            for (writer, step, time, values) in calls {
                collector.row(*writer, *step, *time, values).unwrap();
            }
            let laid = collector.conclude(Replay::default(), &self.artifacts(), 2).unwrap();
            assert!(fs::read_dir(&temporary).into_iter().flatten().next().is_none());
            laid
        }

        fn artifacts(&self) -> Artifacts {
            Artifacts::new(self.0.path())
        }

        fn whole(&self, laid: &Laid, metric: &str) -> Vec<(u64, Vec<Point>)> {
            let file = self.artifacts().open(&laid.artifacts[0].sha256).unwrap();
            whole::read(file, metric).unwrap()
        }
    }

    fn calls() -> impl Strategy<Value = Vec<Call>> {
        let number = || {
            prop_oneof![
                any::<i64>().prop_map(|int| Number::Int(int.into())),
                (0_i8..9).prop_map(|int| Number::Int(int.into())),
                any::<u64>().prop_map(|bits| Number::Float(f64::from_bits(bits))),
            ]
        };
        let name = prop_oneof![
            prop::sample::select(vec!["a", "b", "c", "d\t"]).prop_map(str::to_owned),
            "[e-m]".prop_map(|name| name)
        ];
        let values =
            prop::collection::vec((name, number()), 0..5).prop_map(|pairs| pairs.into_iter().collect());
        let call = (
            0_u64..3,
            prop::option::of(number()),
            prop::option::of(any::<f64>().prop_map(Number::Float)),
            values,
        );
        prop::collection::vec(call, 0..80).prop_map(|mut calls: Vec<Call>| {
            calls.sort_by_key(|(writer, ..)| *writer);
            calls
        })
    }

    /// The points of a metric by writer as they were logged, as text: NaN is not equal to itself, nor has it bits there.
    fn logged(calls: &[Call], metric: &str) -> Vec<(u64, Vec<String>)> {
        let mut found: BTreeMap<u64, Vec<Point>> = BTreeMap::new();
        for (writer, step, time, values) in calls {
            if let Some(value) = values.get(metric) {
                found.entry(*writer).or_default().push(Point { step: *step, time: *time, value: *value });
            }
        }
        found.into_iter().map(|(writer, points)| (writer, written(&points))).collect()
    }

    fn written(points: &[Point]) -> Vec<String> {
        let mut texts: Vec<String> = points
            .iter()
            .map(|point| {
                let mut text = String::new();
                encode::push_row(&mut text, point.step, point.time, &[point.value]);
                text
            })
            .collect();
        // Order is another law's: readers sort by time.
        texts.sort();
        texts
    }

    fn sorted(mut points: Vec<(u64, Vec<String>)>) -> Vec<(u64, Vec<String>)> {
        points.iter_mut().for_each(|(_, points)| points.sort());
        points
    }

    fn by_writer(series: &[Series]) -> Vec<(u64, Vec<String>)> {
        series.iter().map(|series| (series.writer, written(&series.points))).collect()
    }

    fn ramp(count: i128) -> Vec<Call> {
        let call = |step: i128| -> Call {
            let value = Number::Float(((step * 7919) % 1000) as f64 / 10.0);
            (0, Some(Number::Int(step)), None, IndexMap::from([("a".to_owned(), value)]))
        };
        (0..count).map(call).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(60) })]

        #[test]
        fn every_point_is_given_back(calls in calls()) {
            let store = Store::new();
            let laid = store.lay_down(&calls, &[], TEXT_MAX);
            prop_assert!(laid.artifacts.is_empty() && laid.notes.is_empty());
            let over = store.lay_down(&calls, &[], 0);
            prop_assert!(over.files.keys().all(|path| path.contains("sampled-2")));
            for metric in ["a", "b", "c", "d\t", "e", "f", "m"] {
                let expected = sorted(logged(&calls, metric));
                prop_assert_eq!(&by_writer(&series::read_metric(&laid.files, metric).series), &expected);
                // So few points are all in the sample.
                prop_assert_eq!(&by_writer(&series::read_metric(&over.files, metric).series), &expected);
                if !over.artifacts.is_empty() {
                    let whole = store.whole(&over, metric);
                    let whole = whole.iter().map(|(writer, points)| (*writer, written(points))).collect::<Vec<_>>();
                    prop_assert_eq!(whole, expected);
                }
            }
        }

        #[test]
        fn a_longer_journal_only_adds(calls in calls(), cut in 0_usize..80) {
            let store = Store::new();
            // More rows come in at the end of each writer's file.
            let mut seen = BTreeMap::new();
            let early: Vec<Call> = calls.iter().filter(|(writer, ..)| {
                let seen: &mut usize = seen.entry(*writer).or_default();
                *seen += 1;
                *seen <= cut / 3
            }).cloned().collect();
            let (shorter, longer) = (store.lay_down(&early, &[], TEXT_MAX), store.lay_down(&calls, &[], TEXT_MAX));
            for (path, bytes) in &shorter.files {
                prop_assert!(longer.files[path].starts_with(bytes), "{}", path);
            }
            let committed: Vec<String> = shorter.files.keys().cloned().collect();
            let over = store.lay_down(&calls, &committed, 0);
            for (path, bytes) in &shorter.files {
                prop_assert!(over.files[path].starts_with(bytes), "{}", path);
            }
            for metric in ["a", "b", "c", "d\t", "e"] {
                let expected = sorted(logged(&calls, metric));
                prop_assert_eq!(by_writer(&series::read_metric(&over.files, metric).series), expected);
            }
        }
    }

    #[test]
    fn past_the_limit_the_whole_is_a_file_and_the_record_holds_a_sample() {
        let store = Store::new();
        let calls = ramp(100_000);
        let laid = store.lay_down(&calls, &[], 100_000);
        assert_eq!(laid.files.keys().collect::<Vec<_>>(), ["metrics/k7f3q2ab-0-00-sampled-2.tsv"]);
        let sample = series::read_metric(&laid.files, "a");
        let sampled = &sample.series[0].points;
        assert!((1000..2100).contains(&sampled.len()), "{}", sampled.len());
        assert_eq!(sampled[sampled.len() - 1].step, Some(Number::Int(99_999)));
        let whole = store.whole(&laid, "a");
        assert_eq!(whole[0].1.len(), 100_000);
        assert!(
            whole[0]
                .1
                .iter()
                .zip(&calls)
                .all(|(point, call)| point.value == call.3["a"] && point.step == call.1)
        );
        let pointer = &laid.artifacts[0];
        assert_eq!(pointer.path, "series/k7f3q2ab.parquet".into());
        assert!(pointer.size < 500_000 && !pointer.inline, "{}", pointer.size);
        assert!(laid.notes[0].contains("series/k7f3q2ab.parquet"), "{}", laid.notes[0]);
        let again = store.lay_down(&calls, &[], 100_000);
        assert_eq!((again.files, again.artifacts), (laid.files, laid.artifacts));
    }

    #[test]
    fn what_a_checkpoint_held_is_never_taken_away() {
        let store = Store::new();
        let (early, calls) = (ramp(80_000), ramp(250_000));
        let checkpoint = store.lay_down(&early, &[], 2 << 20);
        let committed: Vec<String> = checkpoint.files.keys().cloned().collect();
        assert_eq!(committed, ["metrics/k7f3q2ab-0-00-0000.tsv"]);
        let laid = store.lay_down(&calls, &committed, 2 << 20);
        assert!(laid.files[&committed[0]].starts_with(&checkpoint.files[&committed[0]]));
        let paths: Vec<&String> = laid.files.keys().collect();
        assert_eq!(paths, ["metrics/k7f3q2ab-0-00-0000.tsv", "metrics/k7f3q2ab-0-00-sampled-2.tsv"]);
        let points = &series::read_metric(&laid.files, "a").series[0].points;
        let steps: Vec<f64> = points.iter().filter_map(|point| point.step.map(Number::as_f64)).collect();
        assert!(steps.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(store.whole(&laid, "a")[0].1.len(), 250_000);
    }
}
