//! What lists ask of series: the courses of metrics, and numbers that no summary holds.

use std::collections::{BTreeSet, HashMap};

use anyhow::Result;

use crate::ops::select::outside::Repository;
use crate::query::{Field, Outside as _};
use crate::run::Run;
use crate::run::attempt::Number;
use crate::run::id::RunId;
use crate::tracker::Tracker;

/// What the series of some runs say.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Points {
    /// The values of a metric, in order.
    pub curves: HashMap<(RunId, String), Vec<f64>>,
    /// Single numbers, by the name of their field: the first, the mean, the one at a step.
    pub numbers: HashMap<(RunId, String), Number>,
    /// What could not be read.
    pub notes: Vec<String>,
}

/// Reads the courses of these metrics, and those of the fields that only series tell.
pub fn of_runs(
    tracker: &Tracker,
    runs: &[Run],
    courses: &BTreeSet<String>,
    fields: &[&Field],
) -> Result<Points> {
    let mut points = Points::default();
    let mut repository = Repository::new(tracker);
    for run in runs {
        for field in fields {
            let Field::Metric(metric, part) = field else { continue };
            if part.is_of_series()
                && let Some(number) = repository.point(metric, part, run)?
            {
                points.numbers.insert((run.id.clone(), field.full_name()), number);
            }
        }
        for metric in courses.iter().filter(|metric| run.metrics.contains_key(*metric)) {
            let series = repository.curve(metric, run);
            let values = series.iter().flat_map(|series| &series.points).map(|point| point.value.as_f64());
            points.curves.insert((run.id.clone(), metric.clone()), values.collect());
        }
    }
    points.notes.extend(repository.into_notes());
    Ok(points)
}
