//! The baselines: of each experiment the run that its others are measured by, and who said so.

use serde_json::{Value as Json, json};

use crate::human;
use crate::ops::baseline::Baseline;
use crate::render::style::Role;
use crate::render::{Align, Block, Cell, Column, Report, Table};
use crate::run::id::Time;

/// The baselines for people.
pub fn report(baselines: &[Baseline], now: Time) -> Report {
    let mut table = Table::new(vec![
        Column::new("experiment").width_max(28),
        Column::new("id"),
        Column::new("name").rank(1).width_max(28),
        Column::new("named").align(Align::Right).rank(2),
        Column::new("by").rank(3).width_max(40),
    ]);
    for Baseline { run, at, by, .. } in baselines {
        let age = at.map(|at| format!("{} ago", human::age(now.seconds() - at.seconds())));
        table.rows.push(vec![
            match &run.experiment {
                Some(experiment) => experiment.clone().into(),
                None => Cell::of(Role::Dim, "(none)"),
            },
            Cell::of(Role::Id, run.id.suffix()),
            run.name.clone().unwrap_or_default().into(),
            Cell::of(Role::Dim, age.unwrap_or_default()),
            by.clone().unwrap_or_default().into(),
        ]);
    }
    Report { blocks: vec![Block::Table(table)] }
}

/// The baselines whole, for spreadsheets.
pub fn exact(baselines: &[Baseline]) -> Report {
    let titles = ["experiment", "id", "name", "named", "by"];
    let mut table = Table::new(titles.into_iter().map(Column::new).collect());
    for Baseline { run, at, by, .. } in baselines {
        let row = [
            run.experiment.clone().unwrap_or_default(),
            run.id.to_string(),
            run.name.clone().unwrap_or_default(),
            at.map(|at| at.to_string()).unwrap_or_default(),
            by.clone().unwrap_or_default(),
        ];
        table.rows.push(row.into_iter().map(Cell::from).collect());
    }
    Report { blocks: vec![Block::Table(table)] }
}

/// The baselines as `baseline --json` tells them: an array (`docs/json.md`).
pub fn to_json(baselines: &[Baseline]) -> Json {
    let one = |Baseline { run, at, by, .. }: &Baseline| {
        json!({
            "format": 1,
            "experiment": run.experiment,
            "id": run.id.as_str(),
            "name": run.name,
            "at": at.map(|at| at.to_string()),
            "by": by,
        })
    };
    baselines.iter().map(one).collect()
}
