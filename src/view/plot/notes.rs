//! What a plot of lines leaves out, and what to ask for to see it.

use crate::human;
use crate::ops::plot::{Across, Traced};
use crate::render::plot::{Curve, Look};
use crate::run::attempt::Number;
use crate::view::plot::lines::Lines;
use crate::view::plot::listed;
use crate::view::value;

/// What is not drawn, and what to ask for to see it.
pub fn missing(lines: &Lines<'_>, metrics: &[usize], traced: &[&Traced]) -> Vec<String> {
    let mut notes = Vec::new();
    for &metric in metrics {
        let name = &lines.wanted.metrics[metric];
        let lacks = |run: &usize| !traced.iter().any(|traced| traced.run == *run && traced.metric == metric);
        let missing: Vec<&str> =
            (0..lines.runs.len()).filter(lacks).map(|run| lines.names[run].as_str()).collect();
        if !missing.is_empty() {
            let count = format!("{} of {} runs", missing.len(), lines.runs.len());
            let verb = if missing.len() == 1 { "has" } else { "have" };
            notes.push(format!("{count} {verb} no '{name}': {}", listed(missing.into_iter())));
        }
    }
    let sum = |count: fn(&Traced) -> usize| traced.iter().map(|traced| count(traced)).sum::<usize>();
    let with = |count: fn(&Traced) -> usize| {
        let mut runs: Vec<usize> =
            traced.iter().filter(|traced| count(traced) > 0).map(|traced| traced.run).collect();
        runs.dedup();
        listed(runs.iter().map(|run| lines.names[*run].as_str()).collect::<Vec<_>>().into_iter())
    };
    let nonfinite = sum(|traced| traced.nonfinite);
    if nonfinite > 0 {
        let values = human::count(nonfinite, "value");
        notes.push(format!("× {values} NaN or infinite: {}", with(|traced| traced.nonfinite)));
    }
    let unplaced = sum(|traced| traced.unplaced);
    if unplaced > 0 {
        let (what, else_) = match &lines.wanted.x {
            Across::Step => ("no step", ": --x time shows them"),
            Across::Time | Across::Relative => ("no time", ": --x step shows them"),
            Across::Metric(_) => ("no value across at that step", ""),
        };
        let points = human::count(unplaced, "point");
        notes.push(format!("{points} left out, of {}, with {what}{else_}", with(|traced| traced.unplaced)));
    }
    if lines.axes.log_x {
        let count = traced.iter().flat_map(|traced| &traced.spots).filter(|spot| spot.x <= 0.0).count();
        if count > 0 {
            notes.push("what lies at or below zero is not on the log x axis".to_owned());
        }
    }
    notes
}

/// What a log axis cannot show becomes a gap, of which is told.
pub fn of_log(curves: &mut [Curve]) -> Option<String> {
    let mut count = 0;
    for curve in curves.iter_mut() {
        for spot in curve.spots.iter_mut().filter(|spot| spot.y <= 0.0) {
            spot.y = f64::NAN;
            count += usize::from(curve.look != Look::Faint);
        }
    }
    (count > 0).then(|| "× values at or below zero, which a log axis does not have".to_owned())
}

/// Which curves leave the frame, and how far they go.
pub fn beyond(curves: &[Curve], beyond: &[(usize, f64)]) -> Option<String> {
    let mut labels: Vec<&str> =
        beyond.iter().filter_map(|(index, _)| curves[*index].label.as_deref()).collect();
    labels.dedup();
    let farthest =
        beyond.iter().map(|(_, value)| *value).max_by(|one, other| one.abs().total_cmp(&other.abs()))?;
    let verb = if labels.len() == 1 { "leaves" } else { "leave" };
    Some(format!(
        "{} {verb} the chart, as far as {}: --log-y or --y-range all shows it",
        listed(labels.into_iter()),
        value::number(Number::Float(farthest))
    ))
}
