//! Metrics over steps or time: a curve for each run, or the mean of each group of runs with the band of its spread.

use crate::human;
use crate::ops::plot::{Across, Gathered, Traced, Wanted};
use crate::render::plot::scale::{Kind, Scale};
use crate::render::plot::{Axis, Band, Body, Chart, Curve, Figure, Look, Spot, ink_of};
use crate::run::Run;
use crate::run::attempt::{Goal, Number};
use crate::view::plot::{Axes, Group, Reach, groups, listed, notes, range};
use crate::view::value;

/// What is drawn.
pub struct Lines<'a> {
    /// The runs.
    pub runs: &'a [Run],
    /// What each is called.
    pub names: &'a [String],
    /// The groups of them, if groups are to be averaged.
    pub groups: Option<&'a [Group]>,
    /// What was asked for.
    pub wanted: &'a Wanted,
    /// What was found.
    pub gathered: &'a Gathered,
    /// How the axes are to be.
    pub axes: Axes,
}

/// Some of the metrics in one figure.
pub fn figure(lines: &Lines<'_>, metrics: &[usize]) -> Figure {
    let traced: Vec<&Traced> =
        lines.gathered.traced.iter().filter(|traced| metrics.contains(&traced.metric)).collect();
    let (mut curves, bands) = match lines.groups {
        Some(groups) => averaged(lines, metrics, &traced, groups),
        None => (each(lines, metrics, &traced), Vec::new()),
    };
    let mut notes = notes::missing(lines, metrics, &traced);
    if lines.axes.log_y {
        notes.extend(notes::of_log(&mut curves));
    }
    let x = x_axis(lines, &curves);
    let y = y_axis(lines, metrics, &curves, &bands, &mut notes);
    Figure {
        title: title(lines, metrics, &traced),
        body: Body::Chart(Chart { x, y, curves, bands, columns: Vec::new() }),
        notes,
    }
}

/// Whether lines have nothing to join: each of several runs has one value of the metric.
pub fn are_points(gathered: &Gathered) -> bool {
    gathered.traced.len() > 1 && gathered.traced.iter().all(|traced| traced.count == 1)
}

/// The metrics that would be flat lines on one axis with the others.
pub fn flat(gathered: &Gathered, count: usize, axes: Axes) -> Vec<usize> {
    const FLAT: f64 = 0.02;
    let ends = |metric: usize| {
        let own = gathered.traced.iter().filter(|traced| traced.metric == metric);
        range::usual(&own.map(|traced| traced.spots.as_slice()).collect::<Vec<_>>())
    };
    let ends: Vec<_> = (0..count).map(ends).collect();
    let low = ends.iter().map(|ends| ends.low).fold(f64::INFINITY, f64::min);
    let high = ends.iter().map(|ends| ends.high).fold(f64::NEG_INFINITY, f64::max);
    let is_flat = |metric: &usize| {
        let own = ends[*metric].high - ends[*metric].low;
        own > 0.0 && own < FLAT * (high - low)
    };
    if axes.log_y || axes.y != Reach::Usual { Vec::new() } else { (0..count).filter(is_flat).collect() }
}

fn each(lines: &Lines<'_>, metrics: &[usize], traced: &[&Traced]) -> Vec<Curve> {
    let mut runs: Vec<usize> = traced.iter().map(|traced| traced.run).collect();
    runs.dedup();
    let mut curves = Vec::new();
    for one in traced {
        let run = runs.iter().position(|run| *run == one.run).unwrap_or_default();
        let metric = metrics.iter().position(|metric| *metric == one.metric).unwrap_or_default();
        let ink = ink_of(run, metric, runs.len() > 1, metrics.len() > 1);
        let (name, metric) = (&lines.names[one.run], &lines.wanted.metrics[one.metric]);
        let label = match (metrics.len() > 1, runs.len() > 1) {
            (true, true) => format!("{metric} of {name}"),
            (true, false) => metric.clone(),
            (false, _) => name.clone(),
        };
        let curve = Curve {
            keys: vec![lines.runs[one.run].id.to_string(), metric.clone()],
            label: Some(label),
            remark: one.last.map(|last| value::number(Number::Float(last))).unwrap_or_default(),
            ink,
            look: Look::Line,
            spots: one.spots.clone(),
        };
        if !one.unsmoothed.is_empty() {
            let spots = one.unsmoothed.clone();
            curves.push(Curve { label: None, look: Look::Faint, spots, ..curve.clone() });
        }
        curves.push(curve);
    }
    curves
}

fn averaged(
    lines: &Lines<'_>,
    metrics: &[usize],
    traced: &[&Traced],
    all: &[Group],
) -> (Vec<Curve>, Vec<Band>) {
    let (mut curves, mut bands) = (Vec::new(), Vec::new());
    for (place, &metric) in metrics.iter().enumerate() {
        for (group, Group { name, runs }) in all.iter().enumerate() {
            let own = traced.iter().filter(|traced| traced.metric == metric && runs.contains(&traced.run));
            let own: Vec<&Traced> = own.copied().collect();
            if own.is_empty() {
                continue;
            }
            let ink = ink_of(group, place, all.len() > 1, metrics.len() > 1);
            let spots: Vec<&[Spot]> = own.iter().map(|traced| traced.spots.as_slice()).collect();
            let mean = groups::mean(&spots);
            let label = if metrics.len() > 1 {
                format!("{} of {name}", lines.wanted.metrics[metric])
            } else {
                name.clone()
            };
            curves.push(Curve {
                keys: own.iter().map(|traced| lines.runs[traced.run].id.to_string()).collect(),
                label: Some(label),
                remark: format!("{}({})", last_of(&mean), human::count(own.len(), "run")),
                ink,
                look: Look::Line,
                spots: mean.spots,
            });
            bands.push(Band { ink, edges: mean.edges });
        }
    }
    (curves, bands)
}

/// `0.93 ± 0.02 `, of the last place.
fn last_of(mean: &groups::Mean) -> String {
    let short = |number: f64| value::number(Number::Float(number));
    match (mean.spots.last(), mean.edges.last()) {
        (Some(spot), Some((x, low, high))) if spot.x == *x => {
            format!("{} ± {} ", short(spot.y), value::rough((high - low) / 2.0))
        }
        (Some(spot), _) => format!("{} ", short(spot.y)),
        (None, _) => String::new(),
    }
}

fn title(lines: &Lines<'_>, metrics: &[usize], traced: &[&Traced]) -> String {
    let names: Vec<&str> = metrics.iter().map(|metric| lines.wanted.metrics[*metric].as_str()).collect();
    let mut runs: Vec<usize> = traced.iter().map(|traced| traced.run).collect();
    runs.dedup();
    let of = match runs.as_slice() {
        [only] => lines.names[*only].clone(),
        runs => human::count(runs.len(), "run"),
    };
    let mean = if lines.groups.is_some() { ", mean ± standard deviation" } else { "" };
    format!("{} of {of}{mean}", listed(names.into_iter()))
}

fn x_axis(lines: &Lines<'_>, curves: &[Curve]) -> Axis {
    let (title, kind) = match &lines.wanted.x {
        Across::Step => ("step".to_owned(), Kind::Whole),
        Across::Time => ("time (UTC)".to_owned(), Kind::Moment),
        Across::Relative => ("time since the run began".to_owned(), Kind::Span),
        Across::Metric(name) => (name.clone(), Kind::Whole),
    };
    let places = || curves.iter().flat_map(|curve| &curve.spots).map(|spot| spot.x);
    let places = || places().filter(|x| x.is_finite() && (!lines.axes.log_x || *x > 0.0));
    let kind = match kind {
        _ if lines.axes.log_x => Kind::Log,
        Kind::Whole if places().any(|x| x.fract() != 0.0) => Kind::Linear,
        kind => kind,
    };
    let ends = places().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)));
    let given = lines.axes.x.unwrap_or((f64::NEG_INFINITY, f64::INFINITY));
    let low = if given.0.is_finite() { given.0 } else { ends.0 };
    let high = if given.1.is_finite() { given.1 } else { ends.1 };
    Axis::new(title, Scale::new(kind, low, high))
}

fn y_axis(
    lines: &Lines<'_>,
    metrics: &[usize],
    curves: &[Curve],
    bands: &[Band],
    notes: &mut Vec<String>,
) -> Axis {
    let spots: Vec<&[Spot]> = curves.iter().map(|curve| curve.spots.as_slice()).collect();
    let edges: Vec<Vec<Spot>> = bands
        .iter()
        .map(|band| {
            band.edges.iter().flat_map(|&(x, low, high)| [Spot { x, y: low }, Spot { x, y: high }]).collect()
        })
        .collect();
    let everything = || spots.iter().copied().chain(edges.iter().map(Vec::as_slice));
    let kind = if lines.axes.log_y { Kind::Log } else { Kind::Linear };
    let scale = match lines.axes.y {
        Reach::Between(low, high) => Scale::new(kind, low, high),
        Reach::Usual if !lines.axes.log_y && lines.groups.is_none() => {
            let reached = range::usual(&spots);
            notes.extend(notes::beyond(curves, &reached.beyond));
            Scale::new(kind, reached.low, reached.high).with_room()
        }
        _ => {
            // Below zero a log axis has nothing.
            let above = everything().map(|spots| {
                spots.iter().copied().filter(|spot| kind != Kind::Log || spot.y > 0.0).collect::<Vec<_>>()
            });
            let above: Vec<Vec<Spot>> = above.collect();
            let (low, high) = range::all(above.iter().map(Vec::as_slice));
            Scale::new(kind, low, high).with_room()
        }
    };
    Axis::new(y_title(lines, metrics), scale)
}

/// What the numbers are and where they should go, where the runs say it and agree.
fn y_title(lines: &Lines<'_>, metrics: &[usize]) -> String {
    let definitions = || {
        let of_run = |run: &'_ Run| {
            metrics
                .iter()
                .filter_map(|metric| run.definitions.get(&lines.wanted.metrics[*metric]).cloned())
                .collect::<Vec<_>>()
        };
        lines.runs.iter().flat_map(of_run)
    };
    let unit = definitions().find_map(|definition| definition.unit).unwrap_or_default();
    let goal = match (metrics, definitions().find_map(|definition| definition.goal)) {
        ([_], Some(Goal::Min)) => "less is better",
        ([_], Some(Goal::Max)) => "more is better",
        _ => "",
    };
    match (unit.as_str(), goal) {
        ("", goal) => goal.to_owned(),
        (unit, "") => unit.to_owned(),
        (unit, goal) => format!("{unit}, {goal}"),
    }
}
