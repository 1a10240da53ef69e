//! Runs in progress, recovered and adopted: what `status`, `recover` and `adopt` answer.
//!
//! Knows how that reads, and as JSON; not how it was found out.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json, json};

use crate::human;
use crate::ops::live::adopt::{self, Adopted};
use crate::ops::live::recover::{self, Recovered};
use crate::ops::live::status::{LiveRun, State, Status};
use crate::render::style::Role;
use crate::render::{Align, Block, Cell, Column, Report, Table};
use crate::run::id::{RunId, Time};
use crate::view::value;

/// How many metrics are shown of a run.
const METRICS_SHOWN: usize = 3;

/// How the runs in progress stand.
pub fn status(status: &Status, now: Time) -> Report {
    let mut report = Report::default();
    if !status.runs.is_empty() {
        report.section("In progress", Block::Table(runs(&status.runs, now)));
    }
    if !status.unreadable.is_empty() {
        let mut table = Table::new(vec![Column::new("folder"), Column::new("why").rank(1)]);
        let row = |one: &crate::ops::live::status::Unreadable| {
            vec![one.folder.as_str().into(), Cell::of(Role::Warning, one.error.as_str())]
        };
        table.rows = status.unreadable.iter().map(row).collect();
        report.section("Not readable", Block::Table(table));
    }
    if !status.recovered.is_empty() {
        let mut table = Table::new(vec![Column::new("id"), Column::new("name"), Column::new("recovered")]);
        table.rows = status
            .recovered
            .iter()
            .map(|run| {
                let ago = human::age(now.seconds() - run.at.seconds());
                vec![
                    Cell::of(Role::Id, run.id.suffix()),
                    run.name.clone().unwrap_or_default().into(),
                    Cell::of(Role::Dim, format!("{ago} ago")),
                ]
            })
            .collect();
        report.section("Recovered lately", Block::Table(table));
    }
    report
}

fn runs(runs: &[LiveRun], now: Time) -> Table {
    let mut table = Table::new(vec![
        Column::new("id"),
        Column::new("name"),
        Column::new("state"),
        Column::new("age").align(Align::Right),
        Column::new("heard").align(Align::Right).rank(1),
        Column::new("host").rank(3),
        Column::new("writers").align(Align::Right).rank(4),
        Column::new("step").align(Align::Right).rank(1),
        Column::new("metrics").rank(2),
    ]);
    table.rows = runs.iter().map(|run| row(run, now)).collect();
    table
}

fn row(run: &LiveRun, now: Time) -> Vec<Cell> {
    let age = run.started.map(|started| human::age(now.seconds() - started.seconds())).unwrap_or_default();
    let heard = run.silent.map(|seconds| human::age(seconds as i64)).unwrap_or_default();
    let shown = run.metrics.iter().take(METRICS_SHOWN);
    let metrics: Vec<_> = shown.map(|(name, number)| format!("{name} {}", value::number(*number))).collect();
    vec![
        Cell::of(Role::Id, run.id.suffix()),
        run.name.clone().unwrap_or_default().into(),
        Cell::of(role(run.state), word(run.state)),
        Cell::of(Role::Dim, age),
        Cell::of(Role::Dim, heard),
        run.host.clone().unwrap_or_default().into(),
        run.writers.to_string().into(),
        run.step.map(value::number).unwrap_or_default().into(),
        metrics.join(", ").into(),
    ]
}

fn word(state: State) -> &'static str {
    match state {
        State::Live => "running",
        State::Stale => "stale",
        State::Dead => "dead",
        State::Kept => "recovered",
    }
}

fn role(state: State) -> Role {
    match state {
        State::Live => Role::Running,
        State::Stale | State::Dead => Role::Warning,
        State::Kept => Role::Dim,
    }
}

/// The runs in progress with every metric, numbers and text whole: for spreadsheets.
pub fn exact(status: &Status) -> Report {
    let fixed = [
        "id",
        "name",
        "experiment",
        "state",
        "host",
        "pid",
        "started",
        "writers",
        "silent_seconds",
        "step",
        "folder",
    ];
    let metrics: BTreeSet<&str> =
        status.runs.iter().flat_map(|run| &run.metrics).map(|(name, _)| name.as_str()).collect();
    let titles = fixed.iter().map(|title| (*title).to_owned());
    let titles = titles.chain(metrics.iter().map(|name| format!("metrics.{name}")));
    let mut table = Table::new(titles.map(Column::new).collect());
    for run in &status.runs {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let of = |metric: &str| run.metrics.iter().find(|(name, _)| name == metric);
        let fixed = [
            run.id.to_string(),
            text(&run.name),
            text(&run.experiment),
            word(run.state).to_owned(),
            text(&run.host),
            run.pid.map(|pid| pid.to_string()).unwrap_or_default(),
            run.started.map(|started| started.to_string()).unwrap_or_default(),
            run.writers.to_string(),
            run.silent.map(|seconds| seconds.to_string()).unwrap_or_default(),
            run.step.map(value::exact_number).unwrap_or_default(),
            run.folder.clone(),
        ];
        let metrics = metrics
            .iter()
            .map(|name| of(name).map(|(_, last)| value::exact_number(*last)).unwrap_or_default());
        table.rows.push(fixed.into_iter().chain(metrics).map(Cell::from).collect());
    }
    Report { blocks: vec![Block::Table(table)] }
}

/// The same as JSON.
pub fn status_json(status: &Status) -> Json {
    json!({
        "format": 1,
        "runs": status.runs.iter().map(run_json).collect::<Json>(),
        "unreadable": status.unreadable.iter().map(|one| json!({ "folder": one.folder, "error": one.error })).collect::<Json>(),
        "recovered": status.recovered.iter().map(|run| json!({ "id": run.id.as_str(), "name": run.name, "at": run.at.to_string() })).collect::<Json>(),
    })
}

/// A run in progress as JSON.
pub fn run_json(run: &LiveRun) -> Json {
    let metrics: Map<String, Json> =
        run.metrics.iter().map(|(name, number)| (name.clone(), value::number_json(*number))).collect();
    json!({
        "id": run.id.as_str(),
        "name": run.name,
        "experiment": run.experiment,
        "state": word(run.state),
        "host": run.host,
        "pid": run.pid,
        "started": run.started.map(|time| time.to_string()),
        "writers": run.writers,
        "silent_seconds": run.silent,
        "step": run.step.map(value::number_json),
        "metrics": metrics,
        "folder": run.folder,
    })
}

/// One line that says what was recovered.
pub fn recovered(recovered: &Recovered) -> String {
    // Where nothing was logged nothing tells how long it took.
    let took = recovered.seconds.filter(|seconds| *seconds > 0.0);
    let took = took.map(|seconds| format!(" after {}", human::duration(seconds))).unwrap_or_default();
    let events = human::count(usize::try_from(recovered.events).unwrap_or(usize::MAX), "event");
    let lost = match recovered.remarks.is_empty() {
        true => "nothing lost".to_owned(),
        false => recovered.remarks.join("; "),
    };
    let called = called(recovered.name.as_deref(), &recovered.id);
    format!("recovered {called}: {}{took}, {events}, {lost}", recovered.status.as_str())
}

/// One line that says what was adopted.
pub fn adopted(adopted: &Adopted) -> String {
    let called = called(adopted.name.as_deref(), &adopted.id);
    if !adopted.is_new {
        return format!("{called} is here already");
    }
    let events = human::count(usize::try_from(adopted.events).unwrap_or(usize::MAX), "event");
    let remarks: String = adopted.remarks.iter().map(|remark| format!("; {remark}")).collect();
    format!("adopted {called}: {}, {events}{remarks}", adopted.status.as_str())
}

fn called(name: Option<&str>, id: &RunId) -> String {
    match name {
        Some(name) => format!("{name} ({})", id.suffix()),
        None => id.suffix().to_owned(),
    }
}

/// What was recovered, as JSON.
pub fn recovered_json(outcome: &recover::Outcome) -> Json {
    let run = |one: &Recovered| {
        json!({
            "id": one.id.as_str(),
            "name": one.name,
            "status": one.status.as_str(),
            "seconds": one.seconds,
            "events": one.events,
            "remarks": one.remarks,
        })
    };
    let failed = |one: &recover::Failed| json!({ "folder": one.folder, "error": format!("{:#}", one.error) });
    json!({
        "format": 1,
        "recovered": outcome.recovered.iter().map(run).collect::<Json>(),
        "failed": outcome.failed.iter().map(failed).collect::<Json>(),
        "left": outcome.left,
    })
}

/// What was adopted, as JSON.
pub fn adopted_json(outcome: &adopt::Outcome) -> Json {
    let run = |one: &Adopted| {
        json!({
            "id": one.id.as_str(),
            "name": one.name,
            "status": one.status.as_str(),
            "events": one.events,
            "new": one.is_new,
            "remarks": one.remarks,
        })
    };
    let failed = |(folder, error): &(std::path::PathBuf, anyhow::Error)| json!({ "folder": folder.display().to_string(), "error": format!("{error:#}") });
    json!({
        "format": 1,
        "adopted": outcome.adopted.iter().map(run).collect::<Json>(),
        "failed": outcome.failed.iter().map(failed).collect::<Json>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::attempt::Status::Crashed;

    #[test]
    fn a_recovered_run_is_one_line() {
        let mut run = Recovered {
            id: RunId::new(Time(0), [1; 8]),
            name: Some("quiet-otter".to_owned()),
            status: Crashed,
            seconds: Some(185.0),
            events: 1204,
            remarks: Vec::new(),
        };
        let line = recovered(&run);
        assert_eq!(
            line,
            "recovered quiet-otter (b1111111): crashed after 3m 05s, 1,204 events, nothing lost"
        );
        (run.name, run.seconds, run.events) = (None, None, 1);
        run.remarks = vec!["2 lines were damaged".to_owned()];
        assert_eq!(recovered(&run), "recovered b1111111: crashed, 1 event, 2 lines were damaged");
    }
}
