//! The best runs by one metric, ranked: those with the same number share a rank.

use serde_json::{Value as Json, json};

use crate::query::{Attribute, Field, Part};
use crate::render::style::Role;
use crate::render::{Align, Block, Cell, Column, Report, Table};
use crate::run::Run;
use crate::run::attempt::{Number, Status};
use crate::view::columns::{self, Around, Content};
use crate::view::{run as one_run, value};

/// A run and its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranked<'a> {
    /// Its place, from 1; after two that share one, the next is left out.
    pub rank: usize,
    /// Whether others share it.
    pub tied: bool,
    /// Its number.
    pub number: Number,
    /// The run.
    pub run: &'a Run,
}

/// The ranks of runs that come in the order of a metric, the best first; those that have no number there have none.
pub fn ranked<'a>(runs: &'a [Run], metric: &Field) -> Vec<Ranked<'a>> {
    let mut board: Vec<Ranked<'a>> = Vec::new();
    let number = |run: &Run| field_number(run, metric).filter(|number| !number.as_f64().is_nan());
    for (run, number) in runs.iter().filter_map(|run| Some((run, number(run)?))) {
        let tie = board.last_mut().filter(|last| value::same_number(last.number, number));
        let tied = tie.map(|last| {
            last.tied = true;
            last.rank
        });
        let rank = tied.unwrap_or(board.len() + 1);
        board.push(Ranked { rank, tied: tied.is_some(), number, run });
    }
    board
}

fn field_number(run: &Run, metric: &Field) -> Option<Number> {
    metric.get(run).as_ref().and_then(Number::of)
}

/// The board for people.
pub fn report(board: &[Ranked<'_>], metric: &Field, around: &Around) -> Report {
    if board.is_empty() {
        return Report::default();
    }
    let runs: Vec<Run> = board.iter().map(|ranked| ranked.run.clone()).collect();
    let shown = columns::lay_out(contents(&runs, metric, around), &runs, true);
    let mut columns = vec![Column::new("rank").align(Align::Right)];
    columns.extend(shown.iter().map(|shown| shown.column.clone()));
    let mut table = Table::new(columns);
    for ranked in board {
        let role = if ranked.rank == 1 { Role::Strong } else { Role::Plain };
        let mut row = vec![Cell::of(role, format!("{}{}", ranked.rank, if ranked.tied { "=" } else { "" }))];
        row.extend(shown.iter().map(|shown| match &shown.content {
            Content::Field(Field::Attribute(Attribute::User)) => person(ranked.run).into(),
            _ => shown.cell(ranked.run, around),
        }));
        table.rows.push(row);
    }
    Report { blocks: vec![Block::Table(table)] }
}

/// The board with numbers whole, for spreadsheets.
pub fn exact(board: &[Ranked<'_>], metric: &Field, around: &Around) -> Report {
    let runs: Vec<Run> = board.iter().map(|ranked| ranked.run.clone()).collect();
    let contents = contents(&runs, metric, around);
    let titles = ["rank".to_owned()].into_iter().chain(contents.iter().map(Content::exact_title));
    let mut table = Table::new(titles.map(Column::new).collect());
    for ranked in board {
        let row = contents.iter().map(|content| content.exact(ranked.run, around));
        table.rows.push([ranked.rank.to_string()].into_iter().chain(row).map(Cell::from).collect());
    }
    Report { blocks: vec![Block::Table(table)] }
}

/// The board as `leaderboard --json` tells it: an array (`docs/json.md`).
pub fn to_json(board: &[Ranked<'_>], metric: &Field) -> Json {
    let entry = |ranked: &Ranked<'_>| {
        json!({
            "format": 1,
            "rank": ranked.rank,
            "tied": ranked.tied,
            "metric": metric.title(),
            "value": value::number_json(ranked.number),
            "run": one_run::to_json_brief(ranked.run),
        })
    };
    board.iter().map(entry).collect()
}

/// What matters most stays longest: the name, the number, who and when; then what differs, and what else was measured.
fn contents(runs: &[Run], metric: &Field, around: &Around) -> Vec<Content> {
    let attribute = |attribute| Content::Field(Field::Attribute(attribute));
    let mut contents = vec![
        attribute(Attribute::Id),
        attribute(Attribute::Name),
        Content::Field(metric.clone()),
        attribute(Attribute::User),
        Content::Age,
    ];
    if runs.iter().any(|run| run.status != Status::Finished) {
        contents.push(attribute(Attribute::Status));
    }
    let params = columns::differing_params(runs).into_iter().map(Field::Param);
    let metrics = columns::metric_names(runs, around.primary.as_deref()).into_iter();
    let metrics = metrics.map(|name| Field::Metric(name, Part::Shown)).filter(|other| other != metric);
    contents.extend(params.take(columns::COLUMNS_MAX).map(Content::Field));
    contents.extend(metrics.take(columns::COLUMNS_MAX).map(Content::Field));
    contents
}

/// Who ran it, without the address.
fn person(run: &Run) -> String {
    let user = run.user.as_deref().unwrap_or_default();
    let name = user.split_once('<').map_or(user, |(name, _)| name).trim();
    if name.is_empty() { user.to_owned() } else { name.to_owned() }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::render::terminal::{Terminal, write};
    use crate::view::sample::{at, plain, run, training};

    fn runs() -> Vec<Run> {
        let mut failed = training(3, 1.0, 0.9);
        failed.status = Status::Failed;
        let runs = [training(1, 0.1, 0.975), training(2, 0.01, 0.9), failed, training(4, 0.5, 0.1), plain(5)];
        runs.into_iter().map(run).collect()
    }

    fn metric() -> Field {
        Field::Metric("accuracy".into(), Part::Shown)
    }

    #[test]
    fn equals_share_a_rank_and_the_next_is_left_out() {
        let runs = runs();
        let board = ranked(&runs, &metric());
        let ranks: Vec<(usize, bool)> = board.iter().map(|ranked| (ranked.rank, ranked.tied)).collect();
        assert_eq!(ranks, [(1, false), (2, true), (2, true), (4, false)]);
        let around = Around { primary: Some("accuracy".into()), ..Around::plain(at(6 * 3600)) };
        let terminal = Terminal { width: 110, colour: false };
        insta::assert_snapshot!(write(&report(&board, &metric(), &around), &terminal), @"
        rank  id        name           accuracy ↑  user  age  status      lr  loss  images
           1  b1111111  quiet-otter-1       0.975  Ana    5h  finished  0.1    nan    1797
          2=  c2222222  quiet-otter-2       0.9    Ana    4h  finished  0.01   nan    1797
          2=  d3333333  quiet-otter-3       0.9    Ana    3h  failed    1.0    nan    1797
           4  e4444444  quiet-otter-4       0.1    Ana    2h  finished  0.5    nan    1797
        ");
        let text = crate::render::csv::write(&exact(&board[..1], &metric(), &around)).replace('\r', "");
        insta::assert_snapshot!(text, @"
        rank,id,name,metrics.accuracy,user,started,metrics.loss,metrics.images
        1,20260102-130000-b1111111,quiet-otter-1,0.975,Ana <ana@example.org>,2026-01-02T13:00:00.000000Z,nan,1797
        ");
        let told = to_json(&board, &metric());
        assert_eq!((&told[1]["rank"], &told[1]["tied"]), (&json!(2), &json!(true)));
        assert_eq!((&told[0]["value"], &told[0]["run"]["name"]), (&json!(0.975), &json!("quiet-otter-1")));
    }
}
