//! Runs by groups: what the numbers of those that have something in common come to, as over seeds.
//!
//! Which runs they are is the caller's choice; the statistics are `statistics`'.

use serde_json::{Map, Value as Json, json};

use crate::query::Field;
use crate::query::order::Order;
use crate::render::style::Role;
use crate::render::{Align, Block, Cell, Column, Report, Table};
use crate::run::Run;
use crate::run::attempt::{Goal, Number};
use crate::run::id::RunId;
use crate::run::value::Value;
use crate::statistics::summary::Summary;
use crate::view::alike::{Alike, alike};
use crate::view::columns::{self, Around};
use crate::view::value;

/// How wide a column may become.
const COLUMN_MAX: usize = 26;
/// What stands above how many runs there are.
const RUNS_TITLE: &str = "runs";

/// Runs that have the same in all fields that they are grouped by.
#[derive(Debug, Clone)]
pub struct Group<'a> {
    /// What they have there, field by field.
    pub values: Vec<Option<Value>>,
    /// The runs, in the order given.
    pub runs: Vec<&'a Run>,
}

/// What a metric comes to over the runs of a group.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// Of the finite numbers, if there are any.
    pub summary: Option<Summary>,
    /// How many runs have a number that is NaN or infinite.
    pub nonfinite: usize,
    /// The run with the best number, where it is known what is better.
    pub best: Option<(RunId, Option<String>, f64)>,
}

/// How groups are shown.
#[derive(Debug, Clone)]
pub struct GroupOptions<'a> {
    /// What the runs are grouped by.
    pub by: &'a [Field],
    /// The metrics whose numbers are told.
    pub metrics: &'a [Field],
    /// What the series say.
    pub around: &'a Around,
}

/// The groups, in the order of what they have in common.
pub fn groups<'a>(runs: &'a [Run], by: &[Field]) -> Vec<Group<'a>> {
    let group = |alike: Alike| Group {
        values: alike.values,
        runs: alike.places.into_iter().map(|place| &runs[place]).collect(),
    };
    alike(runs, by).into_iter().map(group).collect()
}

/// Sorts groups: by what they have in common, by the mean of a metric, and by all else as their first run has it.
pub fn sort(groups: &mut [Group<'_>], order: &Order, by: &[Field]) {
    groups.sort_by_cached_key(|group| {
        order.0.iter().map(|key| key.rank(group.sorted_by(&key.field, by))).collect::<Vec<_>>()
    });
}

impl Group<'_> {
    fn sorted_by(&self, field: &Field, by: &[Field]) -> Option<Value> {
        if let Some(place) = by.iter().position(|known| known == field) {
            return self.values[place].clone();
        }
        match field {
            Field::Metric(..) => {
                let numbers: Vec<f64> =
                    self.runs.iter().filter_map(|run| field.get(run)?.as_number()).collect();
                Some(Value::Float(Summary::of(&numbers)?.mean))
            }
            _ => self.runs.first().and_then(|run| field.get(run)),
        }
    }

    /// What a metric comes to; nothing where no run has it.
    pub fn measured(&self, metric: &Field, around: &Around) -> Option<Measured> {
        let number = |run: &&Run| columns::number(run, metric, around).map(Number::as_f64);
        let numbers: Vec<(&Run, f64)> =
            self.runs.iter().filter_map(|run| Some((*run, number(run)?))).collect();
        let finite: Vec<f64> =
            numbers.iter().map(|(_, number)| *number).filter(|number| number.is_finite()).collect();
        (!numbers.is_empty()).then(|| Measured {
            summary: Summary::of(&finite),
            nonfinite: numbers.len() - finite.len(),
            best: self.goal(metric).and_then(|goal| best(&numbers, goal)),
        })
    }

    fn goal(&self, metric: &Field) -> Option<Goal> {
        let Field::Metric(name, _) = metric else { return None };
        self.runs.iter().find_map(|run| run.goal(name))
    }
}

/// The groups for people.
pub fn report(groups: &[Group<'_>], options: &GroupOptions<'_>) -> Report {
    if groups.is_empty() {
        return Report::default();
    }
    let mut columns: Vec<Column> =
        options.by.iter().map(|field| Column::new(field.title()).width_max(COLUMN_MAX)).collect();
    columns.push(Column::new(RUNS_TITLE).align(Align::Right));
    for (place, metric) in options.metrics.iter().enumerate() {
        // The means stay longest, and of all else that of the first metrics.
        let column = |title: String, rank| Column::new(title).width_max(COLUMN_MAX).rank(rank);
        let goal = groups.iter().find_map(|group| group.goal(metric));
        let title = metric.title();
        let rank = options.metrics.len() + 3 * place;
        columns.push(column(format!("{title}{}", value::goal_arrow(goal)), place).align(Align::Decimal));
        columns.push(column(format!("{title} best"), rank));
        columns.push(column(format!("{title} min"), rank + 1).align(Align::Decimal));
        columns.push(column(format!("{title} max"), rank + 2).align(Align::Decimal));
    }
    let mut table = Table::new(columns);
    let best: Vec<Option<f64>> =
        options.metrics.iter().map(|metric| best_mean(groups, metric, options)).collect();
    for group in groups {
        let mut row: Vec<Cell> = group.values.iter().map(shared_cell).collect();
        row.push(group.runs.len().to_string().into());
        for (metric, best) in options.metrics.iter().zip(&best) {
            row.extend(measured_cells(group.measured(metric, options.around), *best));
        }
        table.rows.push(row);
    }
    let mut report = Report { blocks: vec![Block::Table(table)] };
    if !options.metrics.is_empty() {
        report.prose(Cell::of(
            Role::Dim,
            "mean ± standard deviation over the runs of a group; one run has none",
        ));
    }
    report
}

/// The groups with numbers whole, for spreadsheets.
pub fn exact(groups: &[Group<'_>], options: &GroupOptions<'_>) -> Report {
    let title = |field: &Field| columns::Content::Field(field.clone()).exact_title();
    let mut titles: Vec<String> = options.by.iter().map(title).collect();
    titles.push(RUNS_TITLE.to_owned());
    for metric in options.metrics {
        let title = title(metric);
        let parts = ["count", "nonfinite", "mean", "std", "min", "max", "best", "best_run"];
        titles.extend(parts.map(|part| format!("{title}.{part}")));
    }
    let mut table = Table::new(titles.into_iter().map(Column::new).collect());
    let number = |number: f64| value::exact_number(Number::Float(number));
    for group in groups {
        let shared = group.values.iter().map(|given| given.as_ref().map(value::exact).unwrap_or_default());
        let mut row: Vec<String> = shared.collect();
        row.push(group.runs.len().to_string());
        for metric in options.metrics {
            let measured = group.measured(metric, options.around);
            let nonfinite = measured.as_ref().map_or(0, |measured| measured.nonfinite);
            let summary = measured.as_ref().and_then(|measured| measured.summary);
            let best = measured.and_then(|measured| measured.best);
            let told = |part: fn(&Summary) -> f64| summary.as_ref().map(part).map(number).unwrap_or_default();
            row.extend([
                summary.map_or(0, |summary| summary.count).to_string(),
                nonfinite.to_string(),
                told(|summary| summary.mean),
                summary.and_then(|summary| summary.deviation).map(number).unwrap_or_default(),
                told(|summary| summary.min),
                told(|summary| summary.max),
                best.as_ref().map(|(_, _, best)| number(*best)).unwrap_or_default(),
                best.map(|(id, _, _)| id.to_string()).unwrap_or_default(),
            ]);
        }
        table.rows.push(row.into_iter().map(Cell::from).collect());
    }
    Report { blocks: vec![Block::Table(table)] }
}

/// The groups as `log --group-by --json` tells them: an array (`docs/json.md`).
pub fn to_json(groups: &[Group<'_>], options: &GroupOptions<'_>) -> Json {
    groups.iter().map(|group| group_json(group, options)).collect()
}

fn group_json(group: &Group<'_>, options: &GroupOptions<'_>) -> Json {
    let number = |number: f64| value::number_json(Number::Float(number));
    let title = |field: &Field| columns::Content::Field(field.clone()).exact_title();
    let shared = options
        .by
        .iter()
        .zip(&group.values)
        .map(|(field, given)| (title(field), given.as_ref().map(value::to_json).unwrap_or_default()));
    let measured = |metric: &Field| {
        let Field::Metric(..) = metric else { return None };
        let Measured { summary, nonfinite, best } = group.measured(metric, options.around)?;
        let best =
            best.map(|(id, name, best)| json!({"value": number(best), "id": id.as_str(), "name": name}));
        let told = json!({
            "count": summary.map_or(0, |summary| summary.count),
            "nonfinite": nonfinite,
            "mean": summary.map(|summary| number(summary.mean)),
            "std": summary.and_then(|summary| summary.deviation).map(number),
            "min": summary.map(|summary| number(summary.min)),
            "max": summary.map(|summary| number(summary.max)),
            "best": best,
        });
        Some((metric.title(), told))
    };
    json!({
        "format": 1,
        "by": shared.collect::<Map<_, _>>(),
        "count": group.runs.len(),
        "runs": group.runs.iter().map(|run| run.id.as_str()).collect::<Vec<_>>(),
        "metrics": options.metrics.iter().filter_map(measured).collect::<Map<_, _>>(),
    })
}

fn shared_cell(given: &Option<Value>) -> Cell {
    match given {
        Some(given) => value::bare(given).into(),
        None => Cell::of(Role::Dim, "-"),
    }
}

/// Mean and deviation, best, smallest, largest.
fn measured_cells(measured: Option<Measured>, best_mean: Option<f64>) -> [Cell; 4] {
    let Some(Measured { summary, best, nonfinite }) = measured else { return Default::default() };
    let Some(summary) = summary else {
        return [Cell::of(Role::Bad, "not finite"), Cell::default(), Cell::default(), Cell::default()];
    };
    let number = |number: f64| value::number(Number::Float(number));
    let role = if Some(summary.mean) == best_mean { Role::Strong } else { Role::Plain };
    let mean = Cell::of(role, number(summary.mean));
    let mean = match summary.deviation {
        Some(deviation) => mean.and(Role::Plain, format!(" ± {}", value::rough(deviation))),
        None => mean,
    };
    let mean = match nonfinite {
        0 => mean,
        nonfinite => mean.and(Role::Bad, format!(" ({nonfinite} not finite)")),
    };
    let best = match best {
        Some((id, name, best)) => {
            Cell::from(number(best)).and(Role::Dim, format!(" ({})", name.as_deref().unwrap_or(id.suffix())))
        }
        None => Cell::default(),
    };
    [mean, best, number(summary.min).into(), number(summary.max).into()]
}

/// The best mean of all groups, where it is known what is better and there is more than one.
fn best_mean(groups: &[Group<'_>], metric: &Field, options: &GroupOptions<'_>) -> Option<f64> {
    let goal = groups.iter().find_map(|group| group.goal(metric))?;
    let means: Vec<f64> = groups
        .iter()
        .filter_map(|group| Some(group.measured(metric, options.around)?.summary?.mean))
        .collect();
    let best = match goal {
        Goal::Min => means.iter().copied().reduce(f64::min),
        Goal::Max => means.iter().copied().reduce(f64::max),
    };
    best.filter(|_| means.len() > 1)
}

fn best(numbers: &[(&Run, f64)], goal: Goal) -> Option<(RunId, Option<String>, f64)> {
    let finite = numbers.iter().filter(|(_, number)| number.is_finite());
    let better = |one: f64, other: f64| match goal {
        Goal::Min => one < other,
        Goal::Max => one > other,
    };
    // Of equals the first, as the runs are in order.
    let best = finite.reduce(|best, next| if better(next.1, best.1) { next } else { best });
    best.map(|(run, number)| (run.id.clone(), run.name.clone(), *number))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::query::{Attribute, Part, Vocabulary};
    use crate::render::terminal::{Terminal, write};
    use crate::view::sample::{at, plain, run, training};

    fn runs() -> Vec<Run> {
        let mut whole = training(5, 0.1, 0.5);
        whole.params.insert("lr".into(), Value::Int(1));
        let runs = [training(1, 0.1, 0.9), training(2, 1.0, 0.8), training(3, 0.1, 0.7), plain(4), whole];
        runs.into_iter().map(run).collect()
    }

    fn fields(names: &[&str]) -> Vec<Field> {
        let known = Vocabulary::of(&runs());
        names.iter().map(|name| Field::parse(name, &known).unwrap()).collect()
    }

    #[test]
    fn seeds_come_to_one_row() {
        let (runs, by, metrics) = (runs(), fields(&["lr"]), fields(&["accuracy", "loss", "images"]));
        let around = Around::plain(at(0));
        let options = GroupOptions { by: &by, metrics: &metrics, around: &around };
        let groups = groups(&runs, &by);
        let terminal = Terminal { width: 130, colour: false };
        insta::assert_snapshot!(write(&report(&groups, &options), &terminal), @"
        lr   runs   accuracy ↑  accuracy best        accuracy min  accuracy max        loss  loss best  loss min  loss max    images
        0.1     2  0.8 ± 0.14   0.9 (quiet-otter-1)           0.7           0.9  not finite                                 1797 ± 0
        1.0     2  0.65 ± 0.21  0.8 (quiet-otter-2)           0.5           0.8  not finite                                 1797 ± 0
        -       1
        not shown, to fit: images best, images min, images max
        mean ± standard deviation over the runs of a group; one run has none
        ");
        insta::assert_snapshot!(crate::render::csv::write(&exact(&groups, &options)).replace('\r', ""), @"
        params.lr,runs,metrics.accuracy.count,metrics.accuracy.nonfinite,metrics.accuracy.mean,metrics.accuracy.std,metrics.accuracy.min,metrics.accuracy.max,metrics.accuracy.best,metrics.accuracy.best_run,metrics.loss.count,metrics.loss.nonfinite,metrics.loss.mean,metrics.loss.std,metrics.loss.min,metrics.loss.max,metrics.loss.best,metrics.loss.best_run,metrics.images.count,metrics.images.nonfinite,metrics.images.mean,metrics.images.std,metrics.images.min,metrics.images.max,metrics.images.best,metrics.images.best_run
        0.1,2,2,0,0.8,0.14142135623730953,0.7,0.9,0.9,20260102-130000-b1111111,0,2,,,,,,,2,0,1797.0,0.0,1797.0,1797.0,,
        1.0,2,2,0,0.65,0.21213203435596428,0.5,0.8,0.8,20260102-140000-c2222222,0,2,,,,,,,2,0,1797.0,0.0,1797.0,1797.0,,
        ,1,0,0,,,,,,,0,0,,,,,,,0,0,,,,,,
        ");
        insta::assert_snapshot!(serde_json::to_string_pretty(&to_json(&groups[..1], &options)).unwrap(), @r#"
        [
          {
            "format": 1,
            "by": {
              "params.lr": 0.1
            },
            "count": 2,
            "runs": [
              "20260102-130000-b1111111",
              "20260102-150000-d3333333"
            ],
            "metrics": {
              "accuracy": {
                "count": 2,
                "nonfinite": 0,
                "mean": 0.8,
                "std": 0.14142135623730953,
                "min": 0.7,
                "max": 0.9,
                "best": {
                  "value": 0.9,
                  "id": "20260102-130000-b1111111",
                  "name": "quiet-otter-1"
                }
              },
              "loss": {
                "count": 0,
                "nonfinite": 2,
                "mean": null,
                "std": null,
                "min": null,
                "max": null,
                "best": null
              },
              "images": {
                "count": 2,
                "nonfinite": 0,
                "mean": 1797.0,
                "std": 0.0,
                "min": 1797.0,
                "max": 1797.0,
                "best": null
              }
            }
          }
        ]
        "#);
    }

    #[test]
    fn groups_sort_by_what_they_share_and_by_means() {
        let (runs, by) = (runs(), fields(&["lr"]));
        let sorted = |words: &[&str]| -> Vec<String> {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            let mut groups = groups(&runs, &by);
            sort(&mut groups, &Order::parse(&words, &Vocabulary::of(&runs)).unwrap(), &by);
            groups.iter().map(|group| group.values[0].as_ref().map(value::bare).unwrap_or_default()).collect()
        };
        assert_eq!(sorted(&["-accuracy"]), ["0.1", "1.0", ""]);
        assert_eq!(sorted(&["accuracy"]), ["1.0", "0.1", ""]);
        assert_eq!(sorted(&["-lr"]), ["1.0", "0.1", ""]);
        assert_eq!(sorted(&["started"]), ["0.1", "1.0", ""]);
    }

    #[test]
    fn attributes_and_several_fields_group_too() {
        let (runs, by) = (runs(), vec![Field::Attribute(Attribute::Experiment), Field::Param("lr".into())]);
        let counts: Vec<usize> = groups(&runs, &by).iter().map(|group| group.runs.len()).collect();
        assert_eq!(counts, [2, 2, 1]);
    }

    proptest! {
        #[test]
        fn every_run_is_in_one_group(rates in prop::collection::vec(0_u8..4, 0..12)) {
            let runs: Vec<Run> =
                rates.iter().enumerate().map(|(n, rate)| run(training(n as u8, f64::from(*rate), 0.5))).collect();
            let by = [Field::Param("lr".into())];
            let groups = groups(&runs, &by);
            prop_assert_eq!(groups.iter().map(|group| group.runs.len()).sum::<usize>(), runs.len());
            let metric = Field::Metric("accuracy".into(), Part::Shown);
            for group in &groups {
                let summary = group.measured(&metric, &Around::plain(at(0))).unwrap().summary.unwrap();
                prop_assert!(summary.min <= summary.mean && summary.mean <= summary.max);
                prop_assert!(group.runs.iter().all(|run| run.param("lr") == group.values[0].as_ref()));
            }
        }
    }
}
