//! The experiments: how many runs each has and how they stand, the best of them, the latest, the baseline.

use indexmap::IndexMap;
use serde_json::{Map, Value as Json, json};

use crate::human;
use crate::render::style::Role;
use crate::render::{Align, Block, Cell, Column, Report, Table};
use crate::run::Run;
use crate::run::attempt::{Goal, Number, Status};
use crate::run::id::{RunId, Time};
use crate::view::columns::goal_of;
use crate::view::value;

/// A named group of runs.
#[derive(Debug, Clone)]
pub struct Experiment<'a> {
    /// Its name; runs of none are together.
    pub name: Option<String>,
    /// What the settings say of it.
    pub description: Option<String>,
    /// Its runs, the newest first.
    pub runs: Vec<&'a Run>,
    /// The one that its others are measured by.
    pub baseline: Option<RunId>,
}

/// What the experiments are told by.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// What the settings say of experiments.
    pub descriptions: IndexMap<String, String>,
    /// The metric that matters most.
    pub primary: Option<String>,
    /// The baselines, by experiment.
    pub baselines: std::collections::BTreeMap<Option<String>, RunId>,
}

/// The experiments of these runs, which come the newest first: the one with the newest run first, then those of which
/// the settings know and that have none; last the runs of none.
pub fn experiments<'a>(runs: &'a [Run], told: &Told) -> Vec<Experiment<'a>> {
    let mut by_name: IndexMap<Option<&str>, Vec<&'a Run>> = IndexMap::new();
    for run in runs {
        by_name.entry(run.experiment.as_deref()).or_default().push(run);
    }
    for name in told.descriptions.keys() {
        by_name.entry(Some(name)).or_default();
    }
    let nameless = by_name.shift_remove_entry(&None);
    let of = |(name, runs): (Option<&str>, Vec<&'a Run>)| {
        let name = name.map(str::to_owned);
        Experiment {
            description: name.as_ref().and_then(|name| told.descriptions.get(name)).cloned(),
            baseline: told.baselines.get(&name).cloned(),
            name,
            runs,
        }
    };
    by_name.into_iter().chain(nameless).map(of).collect()
}

impl<'a> Experiment<'a> {
    /// How many of its runs stand so.
    fn count(&self, status: Status) -> usize {
        self.runs.iter().filter(|run| run.status == status).count()
    }

    /// The run with the best number of the metric, where it is known what is better.
    fn best(&self, metric: Option<&str>, goal: Option<Goal>) -> Option<(&'a Run, Number)> {
        let (metric, goal) = metric.zip(goal)?;
        let numbers = self.runs.iter().filter_map(|run| Some((*run, run.metric(metric)?)));
        let better = |one: Number, other: Number| match goal {
            Goal::Min => one.as_f64() < other.as_f64(),
            Goal::Max => one.as_f64() > other.as_f64(),
        };
        numbers
            .filter(|(_, number)| !number.as_f64().is_nan())
            .reduce(|best, next| if better(next.1, best.1) { next } else { best })
    }
}

/// The experiments for people.
pub fn report(experiments: &[Experiment<'_>], runs: &[Run], told: &Told, now: Time) -> Report {
    if experiments.is_empty() {
        return Report::default();
    }
    let metric = told.primary.as_deref();
    let goal = metric.and_then(|metric| goal_of(runs, metric));
    let has_best = goal.is_some();
    let mut columns = vec![
        Column::new("experiment").width_max(28),
        Column::new("runs").align(Align::Right),
        Column::new("of which").rank(4).width_max(32),
        Column::new("latest").rank(2).width_max(32),
    ];
    if has_best {
        let title = format!("best {}{}", metric.unwrap_or_default(), value::goal_arrow(goal));
        columns.push(Column::new(title).rank(1).align(Align::Decimal));
    }
    if experiments.iter().any(|experiment| experiment.baseline.is_some()) {
        columns.push(Column::new("baseline").rank(3).width_max(24));
    }
    if experiments.iter().any(|experiment| experiment.description.is_some()) {
        columns.push(Column::new("about").rank(5));
    }
    let titles: Vec<String> = columns.iter().map(|column| column.title.clone()).collect();
    let mut table = Table::new(columns);
    for experiment in experiments {
        let cell = |title: &String| match title.as_str() {
            "experiment" => name_cell(experiment),
            "runs" => human::grouped(experiment.runs.len()).into(),
            "of which" => standing(experiment),
            "latest" => latest_cell(experiment, now),
            "baseline" => baseline_cell(experiment, runs),
            "about" => experiment.description.clone().unwrap_or_default().into(),
            _ => best_cell(experiment.best(metric, goal)),
        };
        table.rows.push(titles.iter().map(cell).collect());
    }
    Report { blocks: vec![Block::Table(table)] }
}

/// The experiments with everything whole, for spreadsheets.
pub fn exact(experiments: &[Experiment<'_>], runs: &[Run], told: &Told) -> Report {
    let statuses = Status::ALL.iter().map(|status| status.as_str().to_owned());
    let titles = ["experiment", "description", "runs"].into_iter().map(str::to_owned).chain(statuses);
    let more = ["latest", "latest_started", "best_metric", "best", "best_run", "baseline"];
    let titles = titles.chain(more.into_iter().map(str::to_owned));
    let mut table = Table::new(titles.map(Column::new).collect());
    let metric = told.primary.as_deref();
    let goal = metric.and_then(|metric| goal_of(runs, metric));
    for experiment in experiments {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let mut row =
            vec![text(&experiment.name), text(&experiment.description), experiment.runs.len().to_string()];
        row.extend(Status::ALL.iter().map(|status| experiment.count(*status).to_string()));
        let latest = experiment.runs.first();
        let best = experiment.best(metric, goal);
        row.extend([
            latest.map(|run| run.id.to_string()).unwrap_or_default(),
            latest.and_then(|run| run.started).map(|time| time.to_string()).unwrap_or_default(),
            metric.filter(|_| best.is_some()).unwrap_or_default().to_owned(),
            best.map(|(_, number)| value::exact_number(number)).unwrap_or_default(),
            best.map(|(run, _)| run.id.to_string()).unwrap_or_default(),
            experiment.baseline.as_ref().map(ToString::to_string).unwrap_or_default(),
        ]);
        table.rows.push(row.into_iter().map(Cell::from).collect());
    }
    Report { blocks: vec![Block::Table(table)] }
}

/// The experiments as `experiments --json` tells them: an array (`docs/json.md`).
pub fn to_json(experiments: &[Experiment<'_>], runs: &[Run], told: &Told) -> Json {
    let metric = told.primary.as_deref();
    let goal = metric.and_then(|metric| goal_of(runs, metric));
    let named = |run: &Run| json!({"id": run.id.as_str(), "name": run.name});
    let one = |experiment: &Experiment<'_>| {
        let counts: Map<String, Json> = Status::ALL
            .iter()
            .map(|status| (status.as_str().to_owned(), experiment.count(*status).into()))
            .collect();
        let best = experiment.best(metric, goal).map(|(run, number)| {
            json!({
                "metric": metric,
                "goal": goal.map(Goal::as_str),
                "value": value::number_json(number),
                "id": run.id.as_str(),
                "name": run.name,
            })
        });
        let latest = experiment.runs.first().map(|run| {
            json!({
                "id": run.id.as_str(),
                "name": run.name,
                "status": run.status.as_str(),
                "started": run.started.map(|time| time.to_string()),
            })
        });
        let baseline = experiment.baseline.as_ref().and_then(|id| runs.iter().find(|run| run.id == *id));
        json!({
            "format": 1,
            "name": experiment.name,
            "description": experiment.description,
            "count": experiment.runs.len(),
            "counts": counts,
            "best": best,
            "latest": latest,
            "baseline": baseline.map(named),
        })
    };
    experiments.iter().map(one).collect()
}

fn name_cell(experiment: &Experiment<'_>) -> Cell {
    match &experiment.name {
        Some(name) => Cell::of(Role::Strong, name.clone()),
        None => Cell::of(Role::Dim, "(none)"),
    }
}

/// How many stand otherwise than finished, and how.
fn standing(experiment: &Experiment<'_>) -> Cell {
    let told = |status: &Status| {
        let count = experiment.count(*status);
        (count > 0).then(|| format!("{} {}", human::grouped(count), status.as_str()))
    };
    let all: Vec<String> = Status::ALL.iter().filter_map(told).collect();
    all.join(", ").into()
}

fn latest_cell(experiment: &Experiment<'_>, now: Time) -> Cell {
    match experiment.runs.first() {
        Some(run) => Cell::from(value::called(run)).and(
            Role::Dim,
            run.started
                .map(|started| format!(", {} ago", human::age(now.seconds() - started.seconds())))
                .unwrap_or_default(),
        ),
        None => Cell::default(),
    }
}

fn best_cell(best: Option<(&Run, Number)>) -> Cell {
    match best {
        Some((run, number)) => {
            Cell::from(value::number(number)).and(Role::Dim, format!(" ({})", value::called(run)))
        }
        None => Cell::default(),
    }
}

fn baseline_cell(experiment: &Experiment<'_>, runs: &[Run]) -> Cell {
    let Some(id) = &experiment.baseline else { return Cell::default() };
    match runs.iter().find(|run| run.id == *id) {
        Some(run) => value::called(run).into(),
        None => Cell::of(Role::Id, id.suffix()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::render::terminal::{Terminal, write};
    use crate::view::sample::{at, plain, run, training};

    fn runs() -> Vec<Run> {
        let mut failed = training(2, 1.0, 0.4);
        failed.status = Status::Failed;
        let mut other = training(4, 1.0, 0.5);
        other.experiment = Some("letters".into());
        let runs = [other, plain(3), failed, training(1, 0.1, 0.975)];
        runs.into_iter().map(run).collect()
    }

    fn told() -> Told {
        Told {
            descriptions: [("digits", "small images"), ("words", "not begun")]
                .map(|(name, about)| (name.to_owned(), about.to_owned()))
                .into_iter()
                .collect(),
            primary: Some("accuracy".into()),
            baselines: [(Some("digits".to_owned()), runs()[3].id.clone())].into(),
        }
    }

    #[test]
    fn each_with_its_best_and_its_latest() {
        let (runs, told) = (runs(), told());
        let found = experiments(&runs, &told);
        let terminal = Terminal { width: 150, colour: false };
        insta::assert_snapshot!(write(&report(&found, &runs, &told, at(6 * 3600)), &terminal), @"
        experiment  runs  of which              latest                       best accuracy ↑  baseline       about
        letters        1  1 finished            quiet-otter-4, 2h ago  0.5 (quiet-otter-4)
        digits         2  1 finished, 1 failed  quiet-otter-2, 4h ago  0.975 (quiet-otter-1)  quiet-otter-1  small images
        words          0                                                                                     not begun
        (none)         1  1 finished            quiet-otter-3, 3h ago
        ");
        insta::assert_snapshot!(crate::render::csv::write(&exact(&found, &runs, &told)).replace('\r', ""), @"
        experiment,description,runs,finished,unknown,failed,killed,crashed,running,latest,latest_started,best_metric,best,best_run,baseline
        letters,,1,1,0,0,0,0,0,20260102-160000-e4444444,2026-01-02T16:00:00.000000Z,accuracy,0.5,20260102-160000-e4444444,
        digits,small images,2,1,0,1,0,0,0,20260102-140000-c2222222,2026-01-02T14:00:00.000000Z,accuracy,0.975,20260102-130000-b1111111,20260102-130000-b1111111
        words,not begun,0,0,0,0,0,0,0,,,,,,
        ,,1,1,0,0,0,0,0,20260102-150000-d3333333,2026-01-02T15:00:00.000000Z,,,,
        ");
        insta::assert_snapshot!(serde_json::to_string_pretty(&to_json(&found, &runs, &told)[1]).unwrap(), @r#"
        {
          "format": 1,
          "name": "digits",
          "description": "small images",
          "count": 2,
          "counts": {
            "finished": 1,
            "unknown": 0,
            "failed": 1,
            "killed": 0,
            "crashed": 0,
            "running": 0
          },
          "best": {
            "metric": "accuracy",
            "goal": "max",
            "value": 0.975,
            "id": "20260102-130000-b1111111",
            "name": "quiet-otter-1"
          },
          "latest": {
            "id": "20260102-140000-c2222222",
            "name": "quiet-otter-2",
            "status": "failed",
            "started": "2026-01-02T14:00:00.000000Z"
          },
          "baseline": {
            "id": "20260102-130000-b1111111",
            "name": "quiet-otter-1"
          }
        }
        "#);
    }

    #[test]
    fn without_a_primary_metric_nothing_is_the_best() {
        let runs = runs();
        let found = experiments(&runs, &Told::default());
        assert_eq!(found.len(), 3);
        assert!(to_json(&found, &runs, &Told::default())[0]["best"].is_null());
    }
}
