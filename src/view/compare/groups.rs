//! Groups of runs side by side, as over seeds: the mean of each metric with its confidence interval.
//!
//! Which runs are a group is the caller's choice; whether groups differ by more than chance is `diff`'s.

use serde_json::{Map, Value as Json, json};

use crate::query::Field;
use crate::render::style::Role;
use crate::render::{Align, Block, Cell, Column, Report, Table};
use crate::run::Run;
use crate::run::attempt::{Goal, Number};
use crate::run::value::Value;
use crate::statistics::summary::{CONFIDENCE, Summary};
use crate::view::alike::{Alike, alike};
use crate::view::compare::{BEST, CompareOptions};
use crate::view::{columns, run as one_run, value};

/// How wide a column may become.
const COLUMN_MAX: usize = 28;

/// Runs that have something in common.
#[derive(Debug, Clone)]
pub struct Group {
    /// What they have in common.
    pub values: Vec<(Field, Option<Value>)>,
    /// The runs.
    pub runs: Vec<Run>,
}

/// What a metric comes to over a group.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// Of the finite numbers; absent where there is none.
    pub summary: Option<Summary>,
    /// How many runs have one that is NaN or infinite.
    pub nonfinite: usize,
}

/// The runs by what they have in these fields, in the order of that.
pub fn split(runs: Vec<Run>, by: &[Field]) -> Vec<Group> {
    let found = alike(&runs, by);
    let mut runs: Vec<Option<Run>> = runs.into_iter().map(Some).collect();
    let mut group = |alike: Alike| Group {
        values: by.iter().cloned().zip(alike.values).collect(),
        runs: alike.places.into_iter().filter_map(|place| runs[place].take()).collect(),
    };
    found.into_iter().map(&mut group).collect()
}

impl Group {
    /// What it is called: `lr 0.1, optimizer adam`.
    pub fn title(&self) -> String {
        let each = self.values.iter().map(|(field, value)| format!("{} {}", field.title(), shown(value)));
        each.collect::<Vec<_>>().join(", ")
    }

    /// What a metric comes to.
    pub fn measured(&self, metric: &str) -> Measured {
        Measured::of(&numbers(&self.runs, metric))
    }
}

impl Measured {
    /// What these numbers come to.
    pub fn of(numbers: &[f64]) -> Self {
        let nonfinite = numbers.iter().filter(|number| !number.is_finite()).count();
        Self { summary: Summary::of(numbers), nonfinite }
    }
}

/// The numbers that runs have of a metric.
pub fn numbers(runs: &[Run], metric: &str) -> Vec<f64> {
    runs.iter().filter_map(|run| run.metric(metric)).map(Number::as_f64).collect()
}

fn shown(value: &Option<Value>) -> String {
    value.as_ref().map_or_else(|| "-".to_owned(), value::value)
}

/// The groups, a row each.
pub fn compare(groups: &[Group], options: &CompareOptions) -> Report {
    let mut report = Report::default();
    let names = titles(groups, Field::title);
    let metrics = metrics(groups, options);
    let mut columns: Vec<Column> =
        names.iter().map(|name| Column::new(name.as_str()).width_max(COLUMN_MAX)).collect();
    columns.push(Column::new("runs").align(Align::Right));
    for (place, (metric, goal, _)) in metrics.iter().enumerate() {
        let title = format!("{metric}{}", value::goal_arrow(*goal));
        columns.push(Column::new(title).align(Align::Decimal).width_max(COLUMN_MAX).rank(if place == 0 {
            0
        } else {
            place
        }));
    }
    let mut table = Table::new(columns);
    for (index, group) in groups.iter().enumerate() {
        let mut row: Vec<Cell> = group.values.iter().map(|(_, value)| shown(value).into()).collect();
        row.push(group.runs.len().to_string().into());
        row.extend(metrics.iter().map(|(metric, _, best)| {
            measured_cell(&group.measured(metric), group.runs.len(), *best == Some(index))
        }));
        table.rows.push(row);
    }
    report.blocks.push(Block::Table(table));
    let interval = format!(
        "± is half the {:.0} % confidence interval of the mean (Student's t); one run has none",
        CONFIDENCE * 100.0
    );
    report.prose(Cell::of(Role::Dim, interval));
    if groups.len() > 1 {
        let hint = "whether groups differ by more than chance: `git xtrack diff --group-by FIELD`";
        report.prose(Cell::of(Role::Dim, hint));
    }
    report
}

/// What the fields are called that the groups have in common.
fn titles(groups: &[Group], title: impl Fn(&Field) -> String) -> Vec<String> {
    groups.first().into_iter().flat_map(|group| &group.values).map(|(field, _)| title(field)).collect()
}

/// For programs: a param and a metric of one name are two.
fn exact_title(field: &Field) -> String {
    columns::Content::Field(field.clone()).exact_title()
}

/// The metrics that are told, with their goal and the group whose mean is the best.
fn metrics(groups: &[Group], options: &CompareOptions) -> Vec<(String, Option<Goal>, Option<usize>)> {
    let all: Vec<Run> = groups.iter().flat_map(|group| group.runs.iter().cloned()).collect();
    let names = columns::metric_names(&all, options.primary.as_deref());
    let told = names.into_iter().map(|name| {
        let goal = columns::goal_of(&all, &name);
        let means: Vec<Option<f64>> =
            groups.iter().map(|group| group.measured(&name).summary.map(|summary| summary.mean)).collect();
        let best = goal.and_then(|goal| best(&means, goal));
        (name, goal, best)
    });
    told.collect()
}

fn best(means: &[Option<f64>], goal: Goal) -> Option<usize> {
    let known = means.iter().enumerate().filter_map(|(index, mean)| Some((index, (*mean)?)));
    let known: Vec<(usize, f64)> = known.collect();
    let better = |one: f64, other: f64| match goal {
        Goal::Min => one < other,
        Goal::Max => one > other,
    };
    let best = known.iter().copied().reduce(|best, next| if better(next.1, best.1) { next } else { best })?;
    // Of two that are the same neither is.
    (known.iter().filter(|(_, mean)| *mean == best.1).count() == 1 && known.len() > 1).then_some(best.0)
}

fn measured_cell(measured: &Measured, runs: usize, is_best: bool) -> Cell {
    let Some(summary) = &measured.summary else {
        return match measured.nonfinite {
            0 => Cell::default(),
            _ => Cell::of(Role::Bad, "not finite"),
        };
    };
    let text = with_interval(summary.mean, summary.half_width());
    let cell = match is_best {
        true => Cell::of(Role::Strong, format!("{text}{BEST}")),
        false => text.into(),
    };
    match (measured.nonfinite, summary.count < runs) {
        (0, false) => cell,
        (0, true) => cell.and(Role::Dim, format!(" ({} runs)", summary.count)),
        (lost, _) => cell.and(Role::Bad, format!(" ({lost} not finite)")),
    }
}

/// A mean with half of its interval, written as finely as that allows: `0.922 ± 0.024`.
pub fn with_interval(mean: f64, half_width: Option<f64>) -> String {
    let Some(half_width) = half_width else {
        return value::number(Number::Float(mean));
    };
    // Two digits of the interval say where the mean's end.
    let places = 1.0 - half_width.log10().floor();
    match half_width > 0.0 && (0.0..=10.0).contains(&places) && mean.abs() < 1e9 {
        true => format!("{mean:.0$} ± {half_width:.0$}", places as usize),
        false => format!("{} ± {}", value::number(Number::Float(mean)), value::rough(half_width)),
    }
}

/// A row for each group, numbers whole.
pub fn exact(groups: &[Group], options: &CompareOptions) -> Report {
    let metrics = metrics(groups, options);
    let mut titles = titles(groups, exact_title);
    titles.push("runs".to_owned());
    for (metric, ..) in &metrics {
        for part in ["count", "mean", "std", "half_width", "min", "max", "nonfinite"] {
            titles.push(format!("metrics.{metric}.{part}"));
        }
    }
    let mut table = Table::new(titles.into_iter().map(Column::new).collect());
    let number = |number: f64| value::exact_number(Number::Float(number));
    for group in groups {
        let values =
            group.values.iter().map(|(_, value)| value.as_ref().map(value::exact).unwrap_or_default());
        let mut row: Vec<String> = values.chain([group.runs.len().to_string()]).collect();
        for (metric, ..) in &metrics {
            let measured = group.measured(metric);
            let of = |of: &dyn Fn(&Summary) -> Option<f64>| {
                measured.summary.as_ref().and_then(of).map(number).unwrap_or_default()
            };
            row.extend([
                measured.summary.as_ref().map_or(0, |summary| summary.count).to_string(),
                of(&|summary| Some(summary.mean)),
                of(&|summary| summary.deviation),
                of(&Summary::half_width),
                of(&|summary| Some(summary.min)),
                of(&|summary| Some(summary.max)),
                measured.nonfinite.to_string(),
            ]);
        }
        table.rows.push(row.into_iter().map(Cell::from).collect());
    }
    Report { blocks: vec![Block::Table(table)] }
}

/// The groups as JSON.
pub fn to_json(groups: &[Group], options: &CompareOptions) -> Json {
    let metrics = metrics(groups, options);
    let group = |(index, group): (usize, &Group)| {
        let values = group
            .values
            .iter()
            .map(|(field, value)| (exact_title(field), value.as_ref().map_or(Json::Null, value::to_json)));
        let measured = metrics.iter().map(|(metric, _, best)| {
            let mut json = measured_json(&group.measured(metric));
            json["best"] = json!(*best == Some(index));
            (metric.clone(), json)
        });
        json!({
            "values": Json::Object(values.collect()),
            "runs": group.runs.iter().map(|run| run.id.as_str()).collect::<Vec<_>>(),
            "metrics": Json::Object(measured.collect::<Map<_, _>>()),
        })
    };
    json!({
        "format": one_run::FORMAT,
        "confidence": CONFIDENCE,
        "goals": Json::Object(metrics.iter().map(|(name, goal, _)| (name.clone(), json!(goal.map(Goal::as_str)))).collect()),
        "groups": groups.iter().enumerate().map(group).collect::<Vec<_>>(),
    })
}

/// What a metric comes to as JSON; what is not known is null.
pub fn measured_json(measured: &Measured) -> Json {
    let of = |of: &dyn Fn(&Summary) -> Option<f64>| {
        let number = measured.summary.as_ref().and_then(of);
        number.map_or(Json::Null, |number| value::number_json(Number::Float(number)))
    };
    json!({
        "count": measured.summary.as_ref().map_or(0, |summary| summary.count),
        "mean": of(&|summary| Some(summary.mean)),
        "std": of(&|summary| summary.deviation),
        "half_width": of(&Summary::half_width),
        "min": of(&|summary| Some(summary.min)),
        "max": of(&|summary| Some(summary.max)),
        "nonfinite": measured.nonfinite,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::query::Vocabulary;
    use crate::render::terminal::{Terminal, write};
    use crate::view::sample::{at, run, training};

    fn groups() -> Vec<Group> {
        let accuracies = [0.91, 0.93, 0.92, 0.95, 0.97, 0.96, f64::NAN, 0.5];
        let runs: Vec<Run> = accuracies
            .into_iter()
            .zip(1..)
            .map(|(accuracy, number)| {
                run(training(number, [0.1, 0.01, 1.0][(number as usize - 1) / 3], accuracy))
            })
            .collect();
        let known = Vocabulary::of(&runs);
        split(runs, &[Field::parse("lr", &known).unwrap()])
    }

    fn options() -> CompareOptions {
        CompareOptions {
            now: at(0),
            primary: Some("accuracy".into()),
            all: false,
            width: 100,
            with_first: false,
        }
    }

    #[test]
    fn a_row_each() {
        let report = compare(&groups(), &options());
        insta::assert_snapshot!(write(&report, &Terminal { width: 100, colour: false }), @"
        lr    runs          accuracy ↑        loss    images
        0.01     3  0.960 ± 0.025 ★     not finite  1797 ± 0
        0.1      3  0.920 ± 0.025       not finite  1797 ± 0
        1.0      2  0.5 (1 not finite)  not finite  1797 ± 0
        ± is half the 95 % confidence interval of the mean (Student's t); one run has none
        whether groups differ by more than chance: `git xtrack diff --group-by FIELD`
        ");
        insta::assert_snapshot!(write(&report, &Terminal { width: 40, colour: false }), @"
        lr    runs          accuracy ↑
        0.01     3  0.960 ± 0.025 ★
        0.1      3  0.920 ± 0.025
        1.0      2  0.5 (1 not finite)
        not shown, to fit: loss, images
        ± is half the 95 % confidence interval
        of the mean (Student's t); one run has
        none
        whether groups differ by more than
        chance: `git xtrack diff --group-by
        FIELD`
        ");
    }

    #[test]
    fn for_programs() {
        let json = to_json(&groups(), &options());
        assert_eq!(json["groups"][0]["values"], json!({"params.lr": 0.01}));
        insta::assert_snapshot!(format!("{:#}", json["groups"][1]["metrics"]["accuracy"]), @r#"
        {
          "count": 3,
          "mean": 0.92,
          "std": 0.010000000000000009,
          "half_width": 0.024841377117503356,
          "min": 0.91,
          "max": 0.93,
          "nonfinite": 0,
          "best": false
        }
        "#);
        assert_eq!(json["groups"][2]["metrics"]["accuracy"]["nonfinite"], 1);
        assert_eq!(json["groups"][2]["metrics"]["accuracy"]["half_width"], Json::Null);
    }

    #[test]
    fn a_mean_is_as_fine_as_its_interval() {
        assert_eq!(with_interval(0.922, Some(0.023_88)), "0.922 ± 0.024");
        assert_eq!(with_interval(1234.56, Some(98.7)), "1235 ± 99");
        assert_eq!(with_interval(1.0 / 3.0, None), "0.33333");
        assert_eq!(with_interval(2.0, Some(0.0)), "2 ± 0");
        assert_eq!(with_interval(3e-14, Some(2e-15)), "3e-14 ± 2e-15");
        assert_eq!(with_interval(5e12, Some(1e11)), "5e12 ± 1e11");
    }
}
