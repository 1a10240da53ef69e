//! What questions ask and a brief run does not say: of Git, and of the series.
//!
//! Asks each thing once for one question, however many runs it is asked about; what of a series cannot be read is
//! noted, and taken as not there.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

use anyhow::Result;

use crate::ops::select::code::{Changes, place_in};
use crate::ops::series::{self, Wanted};
use crate::query::{CodeTerm, Outside, Part};
use crate::run::Run;
use crate::run::attempt::Number;
use crate::run::id::RunId;
use crate::series::{Point, Series};
use crate::store::Range;
use crate::tracker::Tracker;

/// Asks the opened repository.
pub struct Repository<'a> {
    tracker: &'a Tracker,
    ranges: HashMap<String, Range>,
    ancestors: HashMap<String, HashSet<String>>,
    changes: HashMap<String, Changes<'a>>,
    /// The curves of the run that was asked about last: runs are asked about one after the other.
    curves: Option<(RunId, HashMap<String, Vec<Series>>)>,
    notes: Vec<String>,
}

impl<'a> Repository<'a> {
    /// Nothing is asked yet.
    pub fn new(tracker: &'a Tracker) -> Self {
        Self {
            tracker,
            ranges: HashMap::new(),
            ancestors: HashMap::new(),
            changes: HashMap::new(),
            curves: None,
            notes: Vec::new(),
        }
    }

    /// What could not be read.
    pub fn into_notes(self) -> Vec<String> {
        self.notes
    }

    fn is_in(&mut self, revisions: &str, run: &Run) -> Result<bool> {
        if !self.ranges.contains_key(revisions) {
            self.ranges.insert(revisions.to_owned(), self.tracker.store.range(revisions)?);
        }
        Ok(run.code.as_ref().is_some_and(|code| place_in(&self.ranges[revisions], code).is_some()))
    }

    fn is_ancestor(&mut self, revision: &str, run: &Run) -> Result<bool> {
        if !self.ancestors.contains_key(revision) {
            self.ancestors.insert(revision.to_owned(), self.tracker.store.ancestors(revision)?);
        }
        let commit = run.code.as_ref().and_then(|code| code.commit.as_ref());
        Ok(commit.is_some_and(|commit| self.ancestors[revision].contains(commit)))
    }

    fn touches(&mut self, path: &str, run: &Run) -> bool {
        let Some(code) = &run.code else { return false };
        let tracker = self.tracker;
        let changes = self.changes.entry(path.to_owned());
        changes.or_insert_with(|| Changes::new(tracker, &[path.to_owned()])).touch(code)
    }

    /// The points of a metric that count; of what cannot be read there are none, and a note says why.
    pub fn curve(&mut self, metric: &str, run: &Run) -> &[Series] {
        if self.curves.as_ref().is_none_or(|(id, _)| *id != run.id) {
            self.curves = Some((run.id.clone(), HashMap::new()));
        }
        let (_, curves) = self.curves.as_mut().expect("it was put there above");
        curves.entry(metric.to_owned()).or_insert_with(|| {
            // Of a run from a list the attempts and artifacts are missing that series are told apart by and kept in.
            let whole = self.tracker.load(&run.id);
            let wanted = Wanted { metric: metric.to_owned(), all: false };
            match whole.and_then(|run| series::of_run(self.tracker, &run, &wanted)) {
                Ok(answer) => {
                    self.notes.extend(answer.notes.iter().map(|note| format!("run '{}': {note}", run.id)));
                    answer.series
                }
                Err(error) => {
                    self.notes.push(format!("run '{}': {error:#}", run.id));
                    Vec::new()
                }
            }
        })
    }
}

impl Outside for Repository<'_> {
    fn code(&mut self, term: &CodeTerm, run: &Run) -> Result<bool> {
        match term {
            CodeTerm::In(revisions) => self.is_in(revisions, run),
            CodeTerm::Touches(path) => Ok(self.touches(path, run)),
            CodeTerm::AncestorOf(revision) => self.is_ancestor(revision, run),
        }
    }

    fn point(&mut self, metric: &str, part: &Part, run: &Run) -> Result<Option<Number>> {
        // Hidden metrics and those of other runs are not looked for.
        if !run.metrics.contains_key(metric) {
            return Ok(None);
        }
        let mut points = self.curve(metric, run).iter().flat_map(|series| &series.points);
        Ok(match part {
            Part::First => points.next().map(|point| point.value),
            Part::Mean => mean(points),
            Part::At(step) => {
                let is_there = |point: &&Point| {
                    point.step.is_some_and(|known| known.compare(*step).is_some_and(Ordering::is_eq))
                };
                // Of several at one step, the last.
                points.rfind(is_there).map(|point| point.value)
            }
            _ => None,
        })
    }
}

/// The mean of what is finite.
fn mean<'a>(points: impl Iterator<Item = &'a Point>) -> Option<Number> {
    let finite = points.map(|point| point.value.as_f64()).filter(|value| value.is_finite());
    // As it goes, so that sums of large values stay finite.
    let (count, mean) = finite.fold((0.0, 0.0), |(count, mean), value| {
        let count = count + 1.0;
        (count, mean + (value / count - mean / count))
    });
    (count > 0.0).then_some(Number::Float(mean))
}
