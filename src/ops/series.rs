//! The points of a metric for readers: from the record of a run, and from the live folder of an attempt in progress.
//!
//! Knows where points lie and which of several places to believe; which of them one curve is made of is
//! `series::choose`'s. The only place that reads series.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::Path;

use anyhow::{Context as _, Result};
use indexmap::IndexMap;

use crate::error::Problem;
use crate::human;
use crate::journal::event::Thing;
use crate::journal::folder::LiveFolder;
use crate::journal::replay::{self, Sink};
use crate::ops::record::series::{PARQUET, whole_path};
use crate::run::attempt::{Number, Summary};
use crate::run::id::AttemptId;
use crate::run::record::{Files, Place};
use crate::run::{OwnedPointer, Run, join};
use crate::series::choose::{self, Lineage, Strand};
use crate::series::columns::{self, Columns};
use crate::series::{self, Found, Malformed, Point, Series, whole};
use crate::tracker::Tracker;

/// How many names an error lists.
const NAMES_SHOWN: usize = 30;

/// Where points are looked for.
pub enum Source<'a> {
    /// The record of a run.
    Record(&'a Run),
    /// An attempt in progress: what it has logged so far counts, whatever a checkpoint holds of it.
    Live {
        /// The attempt.
        attempt: &'a str,
        /// The attempts it knew of when it began.
        after: &'a [String],
        /// Its live folder.
        folder: &'a Path,
    },
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The metric.
    pub metric: String,
    /// Whether every point of every writer is wanted, those that a later attempt took back too.
    pub all: bool,
}

/// The points that were asked for.
#[derive(Debug)]
pub struct Answer<S = Series> {
    /// In the order of the attempts, then of the writers.
    pub series: Vec<S>,
    /// What keeps them from being all there is.
    pub notes: Vec<String>,
}

/// What one source says.
struct Part<S> {
    attempts: Vec<Lineage>,
    series: Vec<S>,
    names: BTreeSet<String>,
    notes: Vec<String>,
}

/// A shape that points can be read into.
trait Shape: Strand + From<Series> {
    /// Those of a metric that the text of a record holds.
    fn of_text(files: &Files, metric: &str, workers: usize) -> Found<Self>
    where
        Self: Sized;

    /// Those of a metric that the whole series of an attempt hold.
    fn of_whole(file: File, attempt: &str, metric: &str) -> Result<Vec<Self>, Malformed>
    where
        Self: Sized;
}

impl Shape for Series {
    fn of_text(files: &Files, metric: &str, _: usize) -> Found {
        series::read_metric(files, metric)
    }

    fn of_whole(file: File, attempt: &str, metric: &str) -> Result<Vec<Self>, Malformed> {
        let found = whole::read(file, metric)?.into_iter();
        Ok(found.map(|(writer, points)| series::ordered(metric, attempt, writer, points)).collect())
    }
}

impl Shape for Columns {
    fn of_text(files: &Files, metric: &str, workers: usize) -> Found<Self> {
        columns::read(files, metric, workers)
    }

    fn of_whole(file: File, attempt: &str, metric: &str) -> Result<Vec<Self>, Malformed> {
        let mut found: BTreeMap<u64, Columns> = BTreeMap::new();
        let new = |writer| Columns { attempt: attempt.to_owned(), writer, ..Columns::default() };
        whole::read_each(file, metric, &mut |writer, point| {
            let or_nan = |number: Option<Number>| number.map_or(f64::NAN, Number::as_f64);
            let columns = found.entry(writer).or_insert_with(|| new(writer));
            columns.push(or_nan(point.step), or_nan(point.time), point.value.as_f64());
        })?;
        Ok(found.into_values().collect())
    }
}

/// The points of a metric of a run, as it now stands: what is in progress of it has logged more than its record holds.
pub fn of_run(tracker: &Tracker, run: &Run, wanted: &Wanted) -> Result<Answer> {
    in_shape(tracker, run, wanted, 1)
}

/// The same points as columns, to draw or to count; so many files are read at once.
pub fn columns_of_run(tracker: &Tracker, run: &Run, metric: &str, workers: usize) -> Result<Answer<Columns>> {
    in_shape(tracker, run, &Wanted { metric: metric.to_owned(), all: false }, workers)
}

fn in_shape<S: Shape>(tracker: &Tracker, run: &Run, wanted: &Wanted, workers: usize) -> Result<Answer<S>> {
    let live = live_attempts(tracker, run);
    let of_live =
        live.iter().map(|(folder, attempt, after)| Source::Live { attempt, after, folder: &folder.path });
    let sources: Vec<Source<'_>> = std::iter::once(Source::Record(run)).chain(of_live).collect();
    match points(tracker, &sources, wanted, workers) {
        // It ended while we looked: all of it is in the record now.
        Err(_) if live.iter().any(|(folder, ..)| !folder.is_there()) => {
            in_shape(tracker, &tracker.load(&run.id)?, wanted, workers)
        }
        answer => answer,
    }
}

/// The attempts of a run that are in progress: their folders, their ids, and the attempts that they knew of.
fn live_attempts(tracker: &Tracker, run: &Run) -> Vec<(LiveFolder, String, Vec<String>)> {
    let live = tracker.live_of(&run.id).into_iter();
    let one = |folder: LiveFolder| {
        let facts = folder.start().ok()??.facts;
        let after = facts.after.iter().map(ToString::to_string).collect();
        Some((folder, facts.attempt?.to_string(), after))
    };
    live.filter(|folder| !folder.is_recovered()).filter_map(one).collect()
}

/// The points of a metric, the later sources being believed where two speak of one attempt.
fn points<S: Shape>(
    tracker: &Tracker,
    sources: &[Source<'_>],
    wanted: &Wanted,
    workers: usize,
) -> Result<Answer<S>> {
    let mut all = Part::new(Vec::new());
    let is_live = |attempt: &AttemptId| {
        let is_it = |source: &Source<'_>| matches!(source, Source::Live { attempt: live, .. } if *live == attempt.as_str());
        sources.iter().any(is_it)
    };
    for source in sources {
        let part = match source {
            Source::Record(run) => of_record(tracker, run, (&wanted.metric, workers), &is_live)?,
            Source::Live { attempt, after, folder } => of_live(attempt, after, folder, &wanted.metric)?,
        };
        all.overlay(part);
    }
    if all.series.is_empty() && !all.names.contains(&wanted.metric) {
        return Err(unknown(&wanted.metric, &all).into());
    }
    let series = match wanted.all {
        true => choose::in_order(all.series, &all.attempts),
        false => choose::choose(all.series, &all.attempts),
    };
    Ok(Answer { series, notes: all.notes })
}

/// The points of a metric that a journal folder holds, one series for each writer.
pub fn of_folder(folder: &Path, metric: &str) -> Result<Vec<Series>> {
    Ok(collect(folder, "", metric)?.0)
}

impl<S: Strand> Part<S> {
    fn new(attempts: Vec<Lineage>) -> Self {
        Self { attempts, series: Vec::new(), names: BTreeSet::new(), notes: Vec::new() }
    }

    fn overlay(&mut self, part: Part<S>) {
        let is_told = |attempt: &str| part.attempts.iter().any(|lineage| lineage.attempt == attempt);
        self.series.retain(|series| !is_told(series.attempt()));
        // One that is told of again keeps its place: the order of attempts is the record's.
        for lineage in part.attempts {
            match self.attempts.iter_mut().find(|known| known.attempt == lineage.attempt) {
                Some(known) => *known = lineage,
                None => self.attempts.push(lineage),
            }
        }
        self.series.extend(part.series);
        self.names.extend(part.names);
        self.notes.extend(part.notes);
    }
}

fn unknown<S>(metric: &str, all: &Part<S>) -> Problem {
    let mut problem = Problem::usage(format!("the run has no metric '{metric}'"));
    if let Some(nearest) = human::nearest(metric, all.names.iter().map(String::as_str)) {
        problem = problem.hint(format!("did you mean '{nearest}'?"));
    }
    let shown: Vec<&str> = all.names.iter().map(String::as_str).take(NAMES_SHOWN).collect();
    let more = all.names.len() - shown.len();
    match (shown.as_slice(), more) {
        ([], _) => problem.hint("it has no metrics"),
        (shown, 0) => problem.hint(format!("it has {}", shown.join(", "))),
        (shown, more) => problem.hint(format!("it has {} and {more} more", shown.join(", "))),
    }
}

/// What the record holds; of attempts that are live its facts say nothing, since the points are elsewhere.
fn of_record<S: Shape>(
    tracker: &Tracker,
    run: &Run,
    (metric, workers): (&str, usize),
    is_live: &dyn Fn(&AttemptId) -> bool,
) -> Result<Part<S>> {
    let mut found = S::of_text(&segments(tracker, run)?, metric, workers);
    let mut part = Part { names: std::mem::take(&mut found.names), ..Part::new(lineage(run)) };
    part.names.extend(run.metrics.keys().cloned());
    for problem in &found.damaged {
        part.notes.push(format!("{problem}: its points are missing"));
    }
    for pointer in run.artifacts.iter().filter(|pointer| is_whole(pointer)) {
        let attempt = &pointer.owner;
        match read_whole(tracker, pointer, metric) {
            Ok(Some(series)) => {
                found.series.retain(|series: &S| series.attempt() != attempt);
                found.series.extend(series);
            }
            Ok(None) if found.sampled.contains(attempt) => {
                part.notes.push(format!(
                    "the whole series of attempt '{attempt}' are in the artifact '{}', which is not here: some points are a sample",
                    whole_path(attempt)
                ));
            }
            Ok(None) => {}
            Err(error) => part.notes.push(format!("{error:#}: some points are a sample")),
        }
    }
    part.series = found.series;
    if part.series.is_empty() {
        let (series, note) = from_facts(run, metric, is_live);
        part.series.extend(series.into_iter().map(S::from));
        part.notes.extend(note);
    }
    Ok(part)
}

/// All segments and samples of the run. It would do to read the first lines of the tables first, and the others only
/// of those that hold the metric; the store reads whole blobs, and all of them together are at most 64 MiB.
fn segments(tracker: &Tracker, run: &Run) -> Result<Files> {
    let Some(tip) = tracker.tip(&run.id)? else { return Ok(Files::new()) };
    let is_wanted = |path: &str| match Place::parse(path) {
        Ok(Place::Metrics) => true,
        Ok(Place::Disputed { path, .. }) => matches!(Place::parse(&path), Ok(Place::Metrics)),
        _ => false,
    };
    let read = || format!("cannot read the series of run '{}'", run.id);
    let files = tracker.store.read(&tip, &is_wanted).with_context(read)?;
    // Nothing to settle unless something is disputed; a copy of all of it is saved.
    if files.keys().all(|path| path.starts_with("metrics/")) {
        return Ok(files);
    }
    join::normalise(&files).with_context(read)
}

fn lineage(run: &Run) -> Vec<Lineage> {
    let known = run.attempts.iter().filter_map(|facts| Some((facts.attempt.as_ref()?, &facts.after)));
    let text = |id: &AttemptId| id.to_string();
    known.map(|(id, after)| Lineage { attempt: text(id), after: after.iter().map(text).collect() }).collect()
}

fn is_whole(pointer: &OwnedPointer) -> bool {
    pointer.pointer.media_type.as_deref() == Some(PARQUET)
        && pointer.pointer.path.as_text() == Some(&whole_path(&pointer.owner))
}

/// The whole series of an attempt, if the file is here.
fn read_whole<S: Shape>(tracker: &Tracker, pointer: &OwnedPointer, metric: &str) -> Result<Option<Vec<S>>> {
    let (attempt, sha256) = (&pointer.owner, &pointer.pointer.sha256);
    if !tracker.artifacts.path(sha256).is_file() {
        return Ok(None);
    }
    let cannot_read = || format!("cannot read '{}'", whole_path(attempt));
    let file = tracker.artifacts.open_checked(sha256).with_context(cannot_read)?;
    Ok(Some(S::of_whole(file, attempt, metric).with_context(cannot_read)?))
}

/// A value that was set without a step is one point; of points that cannot be found it is said how many there were.
fn from_facts(
    run: &Run,
    metric: &str,
    is_live: &dyn Fn(&AttemptId) -> bool,
) -> (Vec<Series>, Option<String>) {
    let mut series = Vec::new();
    let mut missing = 0;
    for facts in &run.attempts {
        let (Some(attempt), Some(summary)) = (&facts.attempt, facts.metrics.get(metric)) else { continue };
        match is_set(summary) {
            false if is_live(attempt) => {}
            true => {
                let point = Point { step: None, time: None, value: summary.last };
                series.push(series::ordered(metric, attempt.as_str(), 0, vec![point]));
            }
            false => missing += summary.count,
        }
    }
    let note = (missing > 0).then(|| {
        format!(
            "the facts tell of {} of '{metric}' that the record lacks",
            human::count(missing as usize, "point")
        )
    });
    (series, note)
}

fn is_set(summary: &Summary) -> bool {
    summary.count == 1 && summary.last_step.is_none()
}

fn of_live<S: Shape>(attempt: &str, after: &[String], folder: &Path, metric: &str) -> Result<Part<S>> {
    let (series, names) = collect(folder, attempt, metric)?;
    let lineage = Lineage { attempt: attempt.to_owned(), after: after.to_vec() };
    Ok(Part { series: series.into_iter().map(S::from).collect(), names, ..Part::new(vec![lineage]) })
}

/// The series of one metric, and the names of all that the folder tells of.
fn collect(folder: &Path, attempt: &str, metric: &str) -> Result<(Vec<Series>, BTreeSet<String>)> {
    let mut sink = OneMetric { metric, writers: IndexMap::new() };
    let replay = replay::replay(folder, &[], &mut sink)?;
    let mut series: Vec<Series> = sink
        .writers
        .into_iter()
        .map(|(writer, points)| series::ordered(metric, attempt, writer, points))
        .collect();
    let set = replay.metrics.get(metric).filter(|summary| series.is_empty() && is_set(summary));
    if let Some(summary) = set {
        let point = Point { step: None, time: None, value: summary.last };
        series.push(series::ordered(metric, attempt, 0, vec![point]));
    }
    Ok((series, replay.metrics.into_keys().collect()))
}

/// Takes the points of one metric out of a journal.
struct OneMetric<'a> {
    metric: &'a str,
    writers: IndexMap<u64, Vec<Point>>,
}

impl Sink for OneMetric<'_> {
    fn row(
        &mut self,
        writer: u64,
        step: Option<Number>,
        time: Option<Number>,
        values: &IndexMap<String, Number>,
    ) -> Result<()> {
        if let Some(value) = values.get(self.metric) {
            self.writers.entry(writer).or_default().push(Point { step, time, value: *value });
        }
        Ok(())
    }

    fn thing(&mut self, _: u64, _: Option<Number>, _: Option<Number>, _: &Thing) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_folder_gives_the_points_of_one_metric() {
        let folder = tempfile::tempdir().unwrap();
        let journal = "{\"n\":0,\"t\":1,\"begin\":{\"protocol\":1,\"rank\":2}}\n\
                       {\"n\":1,\"t\":2.5,\"step\":3,\"points\":{\"loss\":0.5,\"acc\":1}}\n\
                       {\"n\":2,\"points\":{\"loss\":\"NaN\"}}\n\
                       {\"n\":3,\"t\":3,\"step\":null,\"points\":{\"acc\":2}}\n\
                       {\"n\":4,\"t\":3,\"summary\":{\"best\":7}}\n";
        std::fs::write(folder.path().join("0123456789abcdef.jsonl"), journal).unwrap();
        let found = of_folder(folder.path(), "loss").unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].writer, found[0].points.len()), (2, 2));
        assert_eq!(found[0].points[0].step, Some(Number::Int(3)));
        assert_eq!(found[0].points[1].step, Some(Number::Int(4)));
        assert!(found[0].points[1].value.as_f64().is_nan());
        let best = of_folder(folder.path(), "best").unwrap();
        assert_eq!(best[0].points, [Point { step: None, time: None, value: Number::Int(7) }]);
        assert!(of_folder(folder.path(), "none").unwrap().is_empty());
    }
}
