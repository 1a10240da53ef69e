//! Plots: what of runs is drawn, as figures that every surface shows alike, and as JSON.
//!
//! Pure: what was read comes in. How a figure is drawn is `render::plot`'s.

pub mod fields;
pub mod groups;
pub mod json;
pub mod lines;
pub mod parallel;
pub mod range;
pub mod things;

use std::collections::HashMap;

use crate::query::Field;
use crate::render::plot::scale::Kind;
use crate::run::Run;
use crate::run::id::Time;
use crate::run::value::Value;
use crate::view::value;

/// How many names a note lists.
const NAMES_SHOWN: usize = 4;

/// How the axes are to be.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Axes {
    /// Whether each power of ten across is as long as the next.
    pub log_x: bool,
    /// Whether each power of ten upwards is as long as the next.
    pub log_y: bool,
    /// Which part of the x axis is wanted.
    pub x: Option<(f64, f64)>,
    /// Which part of the y axis is wanted.
    pub y: Reach,
}

/// How far the y axis reaches.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Reach {
    /// As far as most values do.
    #[default]
    Usual,
    /// As far as all do.
    All,
    /// From here to there.
    Between(f64, f64),
}

/// What the runs are called on plots, each otherwise: by name, or by the fields that are wanted.
pub fn names(runs: &[Run], labels: &[Field]) -> Vec<String> {
    let name = |run: &Run| match labels {
        [] => value::called(run).to_owned(),
        labels => labels.iter().map(|label| said(label, run)).collect::<Vec<_>>().join(", "),
    };
    let names: Vec<String> = runs.iter().map(name).collect();
    let mut counts: HashMap<&str, usize> = HashMap::new();
    names.iter().for_each(|name| *counts.entry(name).or_default() += 1);
    let distinct = |(name, run): (&String, &Run)| match counts[name.as_str()] {
        1 => name.clone(),
        _ => format!("{name} {}", run.id.suffix()),
    };
    names.iter().zip(runs).map(distinct).collect()
}

/// `lr=0.1`.
fn said(field: &Field, run: &Run) -> String {
    match field.get(run) {
        Some(given) => format!("{}={}", field.title(), value::bare(&given)),
        None => format!("no {}", field.title()),
    }
}

/// In which group each run is: by the values of these fields.
pub fn groups(runs: &[Run], by: &[Field]) -> Vec<String> {
    runs.iter().map(|run| by.iter().map(|field| said(field, run)).collect::<Vec<_>>().join(", ")).collect()
}

/// The groups in the order of their first runs, each with its runs; numbers in their own order.
fn gathered(groups: &[String]) -> Vec<(&str, Vec<usize>)> {
    let mut found: Vec<(&str, Vec<usize>)> = Vec::new();
    for (run, group) in groups.iter().enumerate() {
        match found.iter_mut().find(|(name, _)| name == group) {
            Some((_, runs)) => runs.push(run),
            None => found.push((group, vec![run])),
        }
    }
    let number = |name: &str| name.rsplit('=').next().and_then(|text| text.parse::<f64>().ok());
    if found.iter().all(|(name, _)| number(name).is_some()) {
        found.sort_by(|one, other| {
            number(one.0).partial_cmp(&number(other.0)).unwrap_or(std::cmp::Ordering::Equal)
        });
    }
    found
}

/// Some names as a sentence lists them: `a, b and 3 more`.
fn listed<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    let count = names.len();
    let shown: Vec<&str> = names.take(NAMES_SHOWN).collect();
    match count - shown.len() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// The number of a field, where it is one: moments in Unix seconds.
fn number(given: &Value) -> Option<(f64, Kind)> {
    match given {
        Value::Text(text) => Time::parse(text).map(|time| (time.0 as f64 / 1e6, Kind::Moment)),
        other => Some((other.as_number()?, Kind::Linear)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_of_numbers_are_in_their_order() {
        let groups: Vec<String> = ["lr=0.1", "lr=0.01", "lr=0.1", "lr=1"].map(str::to_owned).to_vec();
        let found = gathered(&groups);
        assert_eq!(found, [("lr=0.01", vec![1]), ("lr=0.1", vec![0, 2]), ("lr=1", vec![3])]);
        let words: Vec<String> = ["o=sgd", "o=adam"].map(str::to_owned).to_vec();
        assert_eq!(gathered(&words)[0].0, "o=sgd");
    }

    #[test]
    fn many_names_are_counted() {
        assert_eq!(listed(["a", "b"].into_iter()), "a, b");
        assert_eq!(listed(["a", "b", "c", "d", "e", "f"].into_iter()), "a, b, c, d and 2 more");
    }
}
