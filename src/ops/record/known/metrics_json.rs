//! `metrics.json`, and any JSON file that was asked for by its path: one object of last values, a list of rows, or a row
//! a line.
//!
//! A row's step is `step`, `global_step`, `iteration`, `iter` or, without those, `epoch`; rows without any count from 0.
//! One object without a step holds values without one, and its lists of numbers are series over their places. Nested
//! names are joined by `.`, as in files of metrics; what is no number is passed over.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::human;
use crate::journal::event::Step;
use crate::ops::record::known::json_rows::Objects;
use crate::ops::record::known::out::Out;
use crate::ops::record::known::{Fresh, Source, json_rows};
use crate::run::attempt::Number;
use crate::run::value::{Table, Value};

const STEPS: &[&str] = &["step", "global_step", "iteration", "iter", "epoch"];

/// The file itself.
pub fn source(file: &Path) -> Option<PathBuf> {
    (file.file_name()? == "metrics.json").then(|| file.to_owned())
}

/// Reads objects.
pub fn read(source: &Source, out: &mut Out) -> Result<()> {
    source.files.iter().try_for_each(|fresh| file(fresh, out))
}

fn file(fresh: &Fresh, out: &mut Out) -> Result<()> {
    let text = json_rows::text(&fresh.path)?;
    let mut objects = Objects::new(&text, false);
    let first = objects.next();
    let second = objects.next();
    let is_list = text.trim_start().starts_with('[');
    match (first, second) {
        (None, _) => {}
        (Some((row, _)), None) if !is_list && step_of(&row).is_none() => values(&row, out)?,
        (first, second) => {
            // A document is written anew as a whole; only a row a line is added to.
            let from = if is_list || second.is_none() { 0 } else { fresh.from };
            let rows = first.into_iter().chain(second).chain(objects.by_ref());
            for (index, (row, _)) in rows.enumerate().filter(|(_, (_, end))| *end > from) {
                point(&row, index, out)?;
            }
        }
    }
    out.lose(objects.unreadable, "object", "not readable");
    if objects.torn > 0 {
        let bytes = human::count(usize::try_from(objects.torn).unwrap_or(usize::MAX), "byte");
        out.note(&format!("it is not whole: the last {bytes} were left out"));
    }
    Ok(())
}

fn step_of(row: &Table) -> Option<(&'static str, Number)> {
    STEPS.iter().find_map(|step| Some((*step, json_rows::number(row.get(*step)?)?)))
}

fn point(row: &Table, index: usize, out: &mut Out) -> Result<()> {
    let (column, step) = match step_of(row) {
        Some((column, step)) => (column, step),
        None => ("", Number::Int(index as i128)),
    };
    let values = json_rows::flatten(row, ".").into_iter().filter(|(name, _)| name != column);
    out.points(None, Step::At(step), values.collect::<Vec<_>>())
}

/// Values without a step, and lists of numbers.
fn values(row: &Table, out: &mut Out) -> Result<()> {
    out.summary(json_rows::flatten(row, "."))?;
    let series: Vec<_> = row.iter().filter_map(|(name, value)| Some((name, numbers(value)?))).collect();
    let length = series.iter().map(|(_, numbers)| numbers.len()).max().unwrap_or_default();
    for index in 0..length {
        let at = |(name, numbers): &(&String, Vec<Number>)| Some(((*name).clone(), *numbers.get(index)?));
        let step = Step::At(Number::Int(index as i128));
        out.points(None, step, series.iter().filter_map(at).collect::<Vec<_>>())?;
    }
    Ok(())
}

fn numbers(value: &Value) -> Option<Vec<Number>> {
    value.as_list()?.iter().map(json_rows::number).collect()
}
