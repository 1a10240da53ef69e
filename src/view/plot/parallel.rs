//! Several fields of many runs at once: an upright axis each, and a line for each run.

use crate::human;
use crate::query::Field;
use crate::render::plot::scale::{Kind, Scale};
use crate::render::plot::{Axis, Body, Figure, Line, Parallel, Upright};
use crate::run::Run;
use crate::run::value::Value;
use crate::view::plot::{listed, number};
use crate::view::value;

/// How many params are chosen where none are named.
const CHOSEN_MAX: usize = 7;
/// How many names an axis has at most.
const NAMES_MAX: usize = 24;
/// From how many times its smallest value on an axis is better read by powers of ten.
const LOG_FROM: f64 = 100.0;

/// The params that are not the same in all runs, those that could be told apart on an axis; and how many there are.
pub fn varying(runs: &[Run], params: &[Field]) -> (Vec<Field>, usize) {
    let varies = |field: &&Field| {
        let values: Vec<Option<String>> =
            runs.iter().map(|run| field.get(run).map(|given| value::exact(&given))).collect();
        values.windows(2).any(|pair| pair[0] != pair[1])
    };
    let found: Vec<Field> = params.iter().filter(varies).cloned().collect();
    let count = found.len();
    (found.into_iter().take(CHOSEN_MAX).collect(), count)
}

/// The fields from left to right; the last gives the lines their colours.
pub fn figure(runs: &[Run], names: &[String], fields: &[Field]) -> Figure {
    let given: Vec<Vec<Option<Value>>> =
        fields.iter().map(|field| runs.iter().map(|run| field.get(run)).collect()).collect();
    let (axes, places): (Vec<Upright>, Vec<Vec<Option<f64>>>) =
        fields.iter().zip(&given).map(|(field, given)| upright(field, given)).unzip();
    let last = axes.len().saturating_sub(1);
    let line = |run: usize| {
        let values: Vec<Option<f64>> = places.iter().map(|places| places[run]).collect();
        let shade = values.last().copied().flatten().map(|value| axes[last].axis.scale.place(value));
        let shade = shade.filter(|shade| shade.is_finite()).map(|shade| shade.clamp(0.0, 1.0));
        Line { keys: vec![runs[run].id.to_string()], label: names[run].clone(), values, shade }
    };
    let lines: Vec<Line> =
        (0..runs.len()).map(line).filter(|line| line.values.iter().flatten().count() > 1).collect();
    let lacking: Vec<&str> =
        (0..runs.len()).filter(|run| given[last][*run].is_none()).map(|run| names[run].as_str()).collect();
    let mut notes = Vec::new();
    if !lacking.is_empty() {
        let count = human::count(lacking.len(), "run");
        notes.push(format!("{count} without '{}': {}", fields[last].title(), listed(lacking.into_iter())));
    }
    let title = format!("{} of {}", fields[last].title(), human::count(lines.len(), "run"));
    Figure { title, body: Body::Parallel(Parallel { axes, lines }), notes }
}

fn upright(field: &Field, given: &[Option<Value>]) -> (Upright, Vec<Option<f64>>) {
    let numbers: Vec<Option<(f64, Kind)>> =
        given.iter().map(|given| given.as_ref().and_then(number)).collect();
    let are_numbers = given.iter().zip(&numbers).all(|(given, number)| given.is_none() || number.is_some());
    if !are_numbers {
        return named(field, given);
    }
    let values: Vec<Option<f64>> = numbers
        .iter()
        .map(|number| number.map(|(value, _)| value).filter(|value| value.is_finite()))
        .collect();
    let are_whole = values.iter().flatten().all(|value| value.fract() == 0.0);
    let kind = match numbers.iter().flatten().map(|(_, kind)| *kind).next() {
        Some(Kind::Linear) | None if are_whole => Kind::Whole,
        kind => kind.unwrap_or(Kind::Linear),
    };
    let (low, high) = values
        .iter()
        .flatten()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(*value), high.max(*value)));
    // No flag says it axis by axis: what spans powers of ten is read by them.
    let is_log = matches!(kind, Kind::Linear | Kind::Whole) && low > 0.0 && high / low >= LOG_FROM;
    let scale = Scale::new(if is_log { Kind::Log } else { kind }, low, high);
    let title = if is_log { format!("{} (log)", field.title()) } else { field.title() };
    (Upright { axis: Axis::new(title, scale), names: None }, values)
}

fn named(field: &Field, given: &[Option<Value>]) -> (Upright, Vec<Option<f64>>) {
    let said: Vec<Option<String>> = given.iter().map(|given| given.as_ref().map(value::bare)).collect();
    let mut names: Vec<String> = said.iter().flatten().cloned().collect();
    names.sort();
    names.dedup();
    if names.len() > NAMES_MAX {
        names.truncate(NAMES_MAX - 1);
        names.push("… others".to_owned());
    }
    let place = |said: &Option<String>| {
        let said = said.as_ref()?;
        Some(names.iter().position(|name| name == said).unwrap_or(names.len() - 1) as f64)
    };
    let places = said.iter().map(place).collect();
    let scale = Scale::new(Kind::Linear, 0.0, (names.len().max(2) - 1) as f64);
    (Upright { axis: Axis::new(field.title(), scale), names: Some(names) }, places)
}
