//! Plots: what of runs is drawn, as figures that every surface shows alike, and as JSON.
//!
//! Pure: what was read comes in. How a figure is drawn is `render::plot`'s.

pub mod fields;
pub mod groups;
pub mod json;
pub mod lines;
mod notes;
pub mod parallel;
pub mod range;
mod tables;
pub mod things;

use std::collections::HashMap;

use crate::query::Field;
use crate::render::plot::scale::Kind;
use crate::run::Run;
use crate::run::id::Time;
use crate::run::value::Value;
use crate::view::alike::{Alike, alike};
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

/// Runs that are drawn as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// What they have in common.
    pub name: String,
    /// Which of the runs they are.
    pub runs: Vec<usize>,
}

/// The runs by the values of these fields, in the order of that.
pub fn groups(runs: &[Run], by: &[Field]) -> Vec<Group> {
    let name = |run: &Run| by.iter().map(|field| said(field, run)).collect::<Vec<_>>().join(", ");
    let group = |alike: Alike| Group { name: name(&runs[alike.places[0]]), runs: alike.places };
    alike(runs, by).into_iter().map(group).collect()
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
    fn many_names_are_counted() {
        assert_eq!(listed(["a", "b"].into_iter()), "a, b");
        assert_eq!(listed(["a", "b", "c", "d", "e", "f"].into_iter()), "a, b, c, d and 2 more");
    }
}
