//! What a plot is drawn of: the points of metrics of several runs, as curves over the x axis that is wanted.
//!
//! Reads no more than that, on all cores, and keeps of a long curve what a screen can show of it; how it is drawn is
//! `view::plot`'s.

use std::thread;

use anyhow::Result;

use crate::human;
use crate::ops::series;
use crate::run::Run;
use crate::series::columns::Columns;
use crate::series::downsample::{self, Spot, Stretches};
use crate::tracker::Tracker;

/// In how many stretches a curve is kept: finer than any screen, wherever its own ends lie on the axis.
const STRETCHES: usize = 8192;

/// What is wanted of the runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// The metrics.
    pub metrics: Vec<String>,
    /// What stands across.
    pub x: Across,
    /// How much of the mean before a point stays in the mean behind it, from 0 to 1; 0 smooths nothing.
    pub smooth: f64,
    /// Which part of the x axis.
    pub range: (f64, f64),
    /// Whether each power of ten of the x axis is as long as the next.
    pub is_log: bool,
    /// Whether curves are averaged afterwards: then means are kept of them and not extremes.
    pub is_averaged: bool,
}

/// What stands across.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Across {
    /// The step.
    Step,
    /// The moment.
    Time,
    /// The seconds since the run began.
    Relative,
    /// The value of another metric, as it was then.
    Metric(String),
}

/// The curve of one metric of one run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Traced {
    /// Which of the runs.
    pub run: usize,
    /// Which of the metrics.
    pub metric: usize,
    /// What there is to draw; gaps where a value is not finite.
    pub spots: Vec<Spot>,
    /// The same before it was smoothed; empty if it was not.
    pub unsmoothed: Vec<Spot>,
    /// How many points there are.
    pub count: usize,
    /// How many of them are NaN or infinite.
    pub nonfinite: usize,
    /// How many have nothing that stands across.
    pub unplaced: usize,
    /// The last value that was logged.
    pub last: Option<f64>,
}

/// The curves, and what keeps them from being all there is.
#[derive(Debug, Default)]
pub struct Gathered {
    /// The curves, run by run.
    pub traced: Vec<Traced>,
    /// What a person should know.
    pub notes: Vec<String>,
}

/// The curves of the runs that have one of the metrics.
pub fn gather(tracker: &Tracker, runs: &[Run], wanted: &Wanted) -> Result<Gathered> {
    let tasks: Vec<(usize, usize)> = (0..runs.len())
        .flat_map(|run| (0..wanted.metrics.len()).map(move |metric| (run, metric)))
        .filter(|(run, metric)| runs[*run].metrics.contains_key(&wanted.metrics[*metric]))
        .collect();
    let cores = thread::available_parallelism().map_or(1, usize::from).min(8);
    let workers = cores.min(tasks.len());
    let parts = match workers {
        0 | 1 => vec![work(tracker, runs, wanted, (tasks.into_iter(), cores))],
        _ => thread::scope(|scope| {
            // A store is of one thread: each opens its own.
            let directory = tracker.directory();
            let start = |worker: usize| {
                let own = tasks.iter().copied().skip(worker).step_by(workers);
                scope.spawn(move || work(&Tracker::open(directory)?, runs, wanted, (own, 1)))
            };
            let started: Vec<_> = (0..workers).map(start).collect();
            started.into_iter().map(|worker| worker.join().expect("a reader does not panic")).collect()
        }),
    };
    let mut gathered = Gathered::default();
    for part in parts {
        let part = part?;
        gathered.traced.extend(part.traced);
        gathered.notes.extend(part.notes);
    }
    gathered.traced.sort_by_key(|traced| (traced.run, traced.metric));
    Ok(gathered)
}

fn work(
    tracker: &Tracker,
    runs: &[Run],
    wanted: &Wanted,
    (tasks, cores): (impl Iterator<Item = (usize, usize)>, usize),
) -> Result<Gathered> {
    let mut gathered = Gathered::default();
    for (run, metric) in tasks {
        let name = &wanted.metrics[metric];
        match trace(tracker, (&runs[run], name), wanted, cores) {
            Ok((mut traced, notes)) => {
                (traced.run, traced.metric) = (run, metric);
                gathered.traced.push(traced);
                gathered
                    .notes
                    .extend(notes.into_iter().map(|note| format!("run '{}': {note}", runs[run].id)));
            }
            Err(error) => {
                gathered.notes.push(format!("cannot read '{name}' of run '{}': {error:#}", runs[run].id))
            }
        }
    }
    Ok(gathered)
}

fn trace(
    tracker: &Tracker,
    (run, metric): (&Run, &str),
    wanted: &Wanted,
    cores: usize,
) -> Result<(Traced, Vec<String>)> {
    // Where the whole series lie is not part of what lists load of a run.
    let run = &tracker.load(&run.id)?;
    let read = |metric: &str| series::columns_of_run(tracker, run, metric, cores);
    let answer = read(metric)?;
    let mut notes = answer.notes;
    let known = match &wanted.x {
        Across::Metric(name) => match read(name) {
            Ok(answer) => Known::of(&answer.series),
            Err(_) => {
                notes.push(format!("it has no metric '{name}' to stand across"));
                Known::default()
            }
        },
        _ => Known::default(),
    };
    let began = run.started.map(|started| started.0 as f64 / 1e6).unwrap_or_default();
    let place = |step: f64, time: f64| match &wanted.x {
        Across::Step => step,
        Across::Time => time,
        Across::Relative => time - began,
        Across::Metric(_) => known.at(step, time),
    };
    let mut traced = Traced::default();
    let mut spots = placed(answer.series, place, &mut traced);
    // What was logged late or twice is drawn where it belongs; a metric may go back and forth.
    if !matches!(wanted.x, Across::Metric(_)) && !spots.is_sorted_by(|one, other| one.x <= other.x) {
        spots.sort_by(|one, other| one.x.total_cmp(&other.x));
    }
    if wanted.smooth > 0.0 {
        traced.unsmoothed = thinned(&spots, wanted);
        downsample::smooth(&mut spots, wanted.smooth);
    }
    traced.spots = thinned(&spots, wanted);
    Ok((traced, notes))
}

/// What another metric was at each step, or at each moment where there are no steps.
#[derive(Default)]
struct Known {
    by_step: Vec<(f64, f64)>,
    by_time: Vec<(f64, f64)>,
}

impl Known {
    fn of(series: &[Columns]) -> Self {
        let sorted = |places: fn(&Columns) -> &Vec<f64>| {
            let pairs = series
                .iter()
                .flat_map(|columns| places(columns).iter().copied().zip(columns.values.iter().copied()));
            let mut pairs: Vec<(f64, f64)> = pairs.filter(|(at, _)| !at.is_nan()).collect();
            pairs.sort_by(|one, other| one.0.total_cmp(&other.0));
            pairs
        };
        Self { by_step: sorted(|columns| &columns.steps), by_time: sorted(|columns| &columns.times) }
    }

    /// The last value at or before the point; NaN if there is none.
    fn at(&self, step: f64, time: f64) -> f64 {
        let by_steps = !step.is_nan() && !self.by_step.is_empty();
        let (pairs, at) = if by_steps { (&self.by_step, step) } else { (&self.by_time, time) };
        let behind = pairs.partition_point(|pair| pair.0 <= at);
        behind.checked_sub(1).map_or(f64::NAN, |last| pairs[last].1)
    }
}

/// The points where they stand, in the order of the attempts; of points none of which has a step or a time their order
/// stands across.
fn placed(series: Vec<Columns>, place: impl Fn(f64, f64) -> f64, traced: &mut Traced) -> Vec<Spot> {
    traced.count = series.iter().map(|columns| columns.values.len()).sum();
    traced.last = series.last().and_then(|columns| columns.values.last().copied());
    let has_none =
        |columns: &Columns| columns.steps.iter().chain(&columns.times).all(|number| number.is_nan());
    let is_counted = series.iter().all(has_none);
    let mut spots = Vec::with_capacity(traced.count);
    let mut index = 0.0;
    for Columns { steps, times, values, .. } in series {
        for ((step, time), value) in steps.into_iter().zip(times).zip(values) {
            let x = if is_counted { index } else { place(step, time) };
            index += 1.0;
            if !x.is_finite() {
                traced.unplaced += 1;
                continue;
            }
            traced.nonfinite += usize::from(!value.is_finite());
            spots.push(Spot { x, y: if value.is_finite() { value } else { f64::NAN } });
        }
    }
    spots
}

/// What is kept of a curve: what lies in the range, with a neighbour at either side so that its lines reach the edges.
fn thinned(spots: &[Spot], wanted: &Wanted) -> Vec<Spot> {
    let is_within =
        |spot: &Spot| (wanted.range.0..=wanted.range.1).contains(&spot.x) && (!wanted.is_log || spot.x > 0.0);
    let Some(first) = spots.iter().position(is_within) else { return Vec::new() };
    let last = spots.iter().rposition(is_within).unwrap_or(first);
    let spots = &spots[first.saturating_sub(1)..(last + 2).min(spots.len())];
    // Chosen once: a compiler that may take logarithms ahead takes one of each point.
    let across: fn(f64) -> f64 = if wanted.is_log { f64::log10 } else { |x| x };
    let ends = spots.iter().filter(|spot| is_within(spot)).map(|spot| across(spot.x));
    let (low, high) =
        ends.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)));
    let stretches = Stretches { low, high, count: STRETCHES };
    let stretch = |x: f64| stretches.of(across(x));
    match wanted.is_averaged {
        true if spots.len() > STRETCHES => downsample::means(spots.iter().copied(), stretch),
        true => spots.to_vec(),
        false => downsample::downsample(spots.iter().copied(), stretch),
    }
}

/// Which of the metrics none of the runs has, with the nearest that one has.
pub fn unknown<'a>(runs: &'a [Run], metrics: &'a [String]) -> Vec<(&'a str, Option<&'a str>)> {
    let is_known = |metric: &str| runs.iter().any(|run| run.metrics.contains_key(metric));
    let names = || runs.iter().flat_map(|run| run.metrics.keys()).map(String::as_str);
    let missing = metrics.iter().map(String::as_str).filter(|metric| !is_known(metric));
    missing.map(|metric| (metric, human::nearest(metric, names()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted() -> Wanted {
        Wanted {
            metrics: vec!["loss".to_owned()],
            x: Across::Step,
            smooth: 0.0,
            range: (f64::NEG_INFINITY, f64::INFINITY),
            is_log: false,
            is_averaged: false,
        }
    }

    const NONE: f64 = f64::NAN;

    fn columns(points: &[(f64, f64, f64)]) -> Columns {
        let mut columns = Columns::default();
        points.iter().for_each(|&(step, time, value)| columns.push(step, time, value));
        columns
    }

    #[test]
    fn another_metric_stands_across_as_it_was_then() {
        let known = Known::of(&[columns(&[(0.0, NONE, 1.0), (10.0, NONE, 2.0)])]);
        let at = |step: f64| known.at(step, NONE);
        assert!(at(-1.0).is_nan());
        assert_eq!([at(0.0), at(9.0), at(10.0), at(99.0)], [1.0, 1.0, 2.0, 2.0]);
        let timed = Known::of(&[columns(&[(NONE, 5.0, 1.0)])]);
        assert_eq!(timed.at(NONE, 6.0), 1.0);
        assert!(timed.at(NONE, NONE).is_nan());
    }

    #[test]
    fn what_has_no_place_or_no_number_is_counted() {
        let logged = columns(&[(1.0, NONE, 0.5), (NONE, 1.0, 0.5), (2.0, NONE, f64::INFINITY)]);
        let mut traced = Traced::default();
        let spots = placed(vec![logged], |step, _| step, &mut traced);
        assert_eq!((spots.len(), traced.count, traced.unplaced, traced.nonfinite), (2, 3, 1, 1));
        assert!(spots[1].y.is_nan());
        let bare = columns(&[(NONE, NONE, 0.5), (NONE, NONE, 0.25)]);
        let spots = placed(vec![bare], |step, _| step, &mut Traced::default());
        assert_eq!(spots, [Spot { x: 0.0, y: 0.5 }, Spot { x: 1.0, y: 0.25 }]);
    }

    #[test]
    fn of_a_range_the_neighbours_stay() {
        let spots: Vec<Spot> = (0..100).map(|x| Spot { x: f64::from(x), y: 0.0 }).collect();
        let kept = thinned(&spots, &Wanted { range: (10.0, 20.5), ..wanted() });
        assert_eq!(
            (kept.first().map(|spot| spot.x), kept.last().map(|spot| spot.x)),
            (Some(9.0), Some(21.0))
        );
        assert!(thinned(&spots, &Wanted { range: (200.0, 300.0), ..wanted() }).is_empty());
        let kept = thinned(&spots, &Wanted { is_log: true, ..wanted() });
        assert_eq!(kept.iter().filter(|spot| spot.x > 0.0).count(), 99);
    }
}
