//! Runs in progress, one frame: how far each is, and the course of its metrics.
//!
//! Pure: what was read, and the moment, come in.

use crate::human;
use crate::ops::live::watch::{Course, Followed};
use crate::render::plot::sparkline::sparkline;
use crate::render::style::Role;
use crate::render::{Align, Block, Cell, Column, Report, Table};
use crate::run::Run;
use crate::run::attempt::{MACHINE, Number};
use crate::run::id::Time;
use crate::run::value::leaves;
use crate::view::run::status_cell;
use crate::view::value;

/// How wide the picture of a metric's course is.
const COURSE_WIDTH: usize = 24;

/// How many metrics of one run a frame shows where several runs are watched.
const METRICS_SHOWN: usize = 6;

/// The params that name how many steps there will be, as training scripts call them.
const TOTALS: &[&str] = &[
    "max_steps",
    "total_steps",
    "num_steps",
    "num_train_steps",
    "steps",
    "max_iters",
    "iterations",
    "num_boost_round",
];

/// One frame.
pub fn frame<'a>(runs: impl Iterator<Item = &'a Followed>, primary: Option<&str>, now: Time) -> Report {
    let runs: Vec<_> = runs.collect();
    let shown = if runs.len() > 1 { METRICS_SHOWN } else { usize::MAX };
    let mut report = Report::default();
    for followed in runs {
        report.title(title(followed, now));
        report.blocks.push(Block::Prose(progress(followed, now)));
        let rows = rows(followed, primary, shown);
        if !rows.is_empty() {
            report.blocks.push(Block::Table(Table { columns: columns(), rows }));
        }
    }
    report
}

fn title(followed: &Followed, now: Time) -> Cell {
    let run = &followed.run;
    let took = run.started.map(|started| value::seconds_between(started, run.ended.unwrap_or(now)));
    let took = took.map(|seconds| format!(" · {}", human::duration(seconds))).unwrap_or_default();
    let mut cell =
        Cell::of(Role::Heading, value::called(run)).and(Role::Id, format!(" {} ", run.id.suffix()));
    cell.spans.extend(status_cell(run).spans);
    cell.and(Role::Dim, took)
}

/// `step 120 of 1,000 · 12.5 steps/s · last logged 3s ago`.
fn progress(followed: &Followed, now: Time) -> Cell {
    let step = followed.step.map(|step| match total(&followed.run) {
        Some(total) if total > 0.0 => {
            let percent = (100.0 * (step.as_f64() + 1.0) / total).clamp(0.0, 100.0);
            format!("step {} of {} ({percent:.0}%)", value::number(step), value::number(Number::Float(total)))
        }
        _ => format!("step {}", value::number(step)),
    });
    let ago = followed.last.filter(|_| !followed.has_ended).map(|last| {
        let seconds = (now.0 as f64 / 1e6 - last).max(0.0);
        format!("last logged {} ago", human::age(seconds as i64))
    });
    let parts: Vec<String> = [step, ago].into_iter().flatten().collect();
    match parts.is_empty() {
        true => Cell::of(Role::Dim, "nothing logged yet"),
        false => Cell::of(Role::Plain, parts.join(" · ")),
    }
}

fn total(run: &Run) -> Option<f64> {
    let all = leaves(&run.params);
    let named = |total: &&str| {
        all.iter().find(|(path, _)| path.last().is_some_and(|name| name.replace('-', "_") == **total))
    };
    TOTALS.iter().find_map(|total| named(total)?.1.as_number())
}

fn columns() -> Vec<Column> {
    vec![Column::new("metric"), Column::new("last").align(Align::Right), Column::new("course")]
}

/// The metrics of the training first, the primary one before all; those of the machine last.
fn rows(followed: &Followed, primary: Option<&str>, shown: usize) -> Vec<Vec<Cell>> {
    let mut courses: Vec<_> = followed.courses.iter().collect();
    courses.sort_by_key(|(name, _)| (name.starts_with(MACHINE), Some(name.as_str()) != primary));
    let definitions = &followed.run.definitions;
    let row = |(name, course): (&String, &Course)| {
        let unit = definitions.get(name).and_then(|definition| definition.unit.as_deref());
        let unit = unit.filter(|_| name.starts_with(MACHINE));
        let last = course.last.map(|last| value::with_unit(last, unit)).unwrap_or_default();
        vec![
            Cell::of(Role::Plain, name),
            Cell::of(Role::Strong, last),
            Cell::of(Role::Running, picture(course)),
        ]
    };
    courses.into_iter().take(shown).map(row).collect()
}

/// The last of the course.
fn picture(course: &Course) -> String {
    let first = course.values.len().saturating_sub(COURSE_WIDTH);
    let values: Vec<f64> = course.values.iter().skip(first).copied().collect();
    sparkline(&values, COURSE_WIDTH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_course_the_end_is_seen() {
        let values = [&[100.0; 40][..], &[0.0; 20], &[7.0, f64::NAN, 3.5, 7.0]].concat();
        let course = Course { values: values.into_iter().collect(), last: None };
        assert_eq!(picture(&course), "▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁█ ▅█");
    }
}
