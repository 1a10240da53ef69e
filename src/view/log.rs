//! Many runs at once: the table of `log`, its short and exact forms.
//!
//! Which runs they are, and in which order, is the caller's choice; what the columns show is `columns`'.

use serde_json::Value as Json;

use crate::query::{Attribute, Field, Part};
use crate::render::style::Role;
use crate::render::{Block, Cell, Column, Report, Table};
use crate::run::Run;
use crate::run::value::named_leaves;
use crate::view::columns::{self, Around, Content, Shown};
use crate::view::{run as one_run, value};

/// How many columns a table for programs may have: more no spreadsheet takes.
const EXACT_MAX: usize = 16_384;

/// The table of runs, in the order given, with the columns that were asked for or those that tell the runs apart.
pub fn log(runs: &[Run], asked: Option<&[Content]>, around: &Around) -> Report {
    if runs.is_empty() {
        return Report::default();
    }
    let (contents, left_out) = match asked {
        Some(asked) => (asked.to_vec(), 0),
        None => columns::automatic(runs, around),
    };
    let shown = columns::lay_out(contents, runs, asked.is_some());
    let mut report = Report { blocks: vec![Block::Table(table(runs, &shown, around))] };
    if left_out > 0 {
        let more = format!("and {} more; --columns chooses", crate::human::count(left_out, "column"));
        report.prose(Cell::of(Role::Dim, more));
    }
    if let Some(against) = &around.against {
        report.prose(against.legend());
    }
    report
}

fn table(runs: &[Run], shown: &[Shown], around: &Around) -> Table {
    let mut table = Table::new(shown.iter().map(|shown| shown.column.clone()).collect());
    let row = |run: &Run| shown.iter().map(|shown| shown.cell(run, around)).collect();
    table.rows = runs.iter().map(row).collect();
    table
}

/// One line for each run: short id, name, status and the metric that matters most.
pub fn oneline(runs: &[Run], around: &Around) -> Report {
    let metrics = columns::metric_names(runs, around.primary.as_deref());
    let line = |run: &Run| {
        let cell = Cell::of(Role::Id, run.id.suffix()).and(Role::Plain, " ");
        let mut cell = join(cell, columns::name_cell(run, around)).and(Role::Plain, " ");
        cell = join(cell, one_run::status_cell(run));
        let shown = metrics.iter().find_map(|name| Some((name, run.metric(name)?)));
        match shown {
            Some((name, number)) => cell.and(Role::Plain, format!(" {name}={}", value::number(number))),
            None => cell,
        }
    };
    Report { blocks: runs.iter().map(|run| Block::Prose(line(run))).collect() }
}

/// The runs with numbers and text whole, for spreadsheets and other programs: the columns that were asked for, or every
/// metric and param; and how many columns there is no room for.
pub fn exact(runs: &[Run], asked: Option<&[Content]>, around: &Around) -> (Report, usize) {
    let mut contents = asked.map_or_else(|| everything(runs, around), <[Content]>::to_vec);
    let left_out = contents.len().saturating_sub(EXACT_MAX);
    contents.truncate(EXACT_MAX);
    let differs =
        |content: &Content| around.against.is_some() && matches!(content, Content::Field(Field::Metric(..)));
    let mut columns = Vec::new();
    for content in &contents {
        columns.push(Column::new(content.exact_title()));
        if differs(content) {
            columns.push(Column::new(format!("{}.difference", content.exact_title())));
        }
    }
    let mut table = Table::new(columns);
    for run in runs {
        let mut row = Vec::with_capacity(table.columns.len());
        for content in &contents {
            row.push(Cell::from(content.exact(run, around)));
            if differs(content) {
                row.push(difference(run, content, around).into());
            }
        }
        table.rows.push(row);
    }
    (Report { blocks: vec![Block::Table(table)] }, left_out)
}

fn difference(run: &Run, content: &Content, around: &Around) -> String {
    let Content::Field(field) = content else { return String::new() };
    let difference = around.against.as_ref().and_then(|against| against.difference(run, field));
    difference.map(|difference| value::exact_number(difference.number)).unwrap_or_default()
}

fn everything(runs: &[Run], around: &Around) -> Vec<Content> {
    let attributes = [
        Attribute::Id,
        Attribute::Name,
        Attribute::Experiment,
        Attribute::Status,
        Attribute::Started,
        Attribute::Ended,
        Attribute::ExitCode,
        Attribute::User,
        Attribute::Tags,
    ];
    let metrics = columns::metric_names(runs, around.primary.as_deref());
    let params: indexmap::IndexSet<String> =
        runs.iter().flat_map(|run| named_leaves(&run.params)).map(|(name, _)| name).collect();
    let fields = attributes.into_iter().map(Field::Attribute);
    let fields = fields.chain(metrics.into_iter().map(|name| Field::Metric(name, Part::Shown)));
    fields.chain(params.into_iter().map(Field::Param)).map(Content::Field).collect()
}

/// Groups of runs that did the same, a table each.
pub fn alike(groups: &[Vec<Run>], asked: Option<&[Content]>, around: &Around) -> Report {
    let mut report = Report::default();
    for runs in groups {
        let title = format!(
            "{} of the same code, command, params and inputs",
            crate::human::count(runs.len(), "run")
        );
        report.blocks.push(Block::Heading(title.into()));
        report.blocks.extend(log(runs, asked, around).blocks);
    }
    report
}

/// The same as one table, whole, the number of the group in front.
pub fn exact_alike(groups: &[Vec<Run>], asked: Option<&[Content]>, around: &Around) -> (Report, usize) {
    let runs: Vec<Run> = groups.iter().flatten().cloned().collect();
    let numbers = groups.iter().enumerate().flat_map(|(place, runs)| runs.iter().map(move |_| place + 1));
    let (mut report, left_out) = exact(&runs, asked, around);
    if let Some(Block::Table(table)) = report.blocks.first_mut() {
        table.columns.insert(0, Column::new("group"));
        table.rows.iter_mut().zip(numbers).for_each(|(row, number)| row.insert(0, number.to_string().into()));
    }
    (report, left_out)
}

/// A group of them as an element of what `log --duplicates --json` tells.
pub fn alike_element(runs: &[Run], around: &Around) -> Json {
    let elements: Json = runs.iter().map(|run| element(run, around)).collect();
    serde_json::json!({ "format": 1, "count": runs.len(), "runs": elements })
}

/// A run as an element of that array.
pub fn element(run: &Run, around: &Around) -> Json {
    let mut told = one_run::to_json_brief(run);
    if let (Some(against), Json::Object(told)) = (&around.against, &mut told) {
        told.insert("against".to_owned(), against.to_json(run));
    }
    told
}

fn join(mut cell: Cell, other: Cell) -> Cell {
    cell.spans.extend(other.spans);
    cell
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::render::terminal::{Terminal, write};
    use crate::render::{csv, markdown};
    use crate::run::attempt::Status;
    use crate::view::sample::{at, plain, run, training};

    fn runs() -> Vec<Run> {
        let mut failed = training(3, 1.0, 0.4);
        failed.status = Status::Failed;
        failed.exit_code = Some(1);
        failed.tags.clear();
        failed.params.insert("optimizer".into(), "=adam".into());
        vec![run(training(1, 0.1, 0.975)), run(training(2, 0.01, 1.0 / 3.0)), run(failed), run(plain(4))]
    }

    fn around() -> Around {
        Around {
            primary: Some("accuracy".into()),
            marks: HashMap::from([(runs()[1].id.clone(), "rebased".to_owned())]),
            ..Around::plain(at(6 * 3600))
        }
    }

    fn table(width: usize) -> String {
        write(&log(&runs(), None, &around()), &Terminal { width, colour: false })
    }

    #[test]
    fn wide() {
        insta::assert_snapshot!(table(200), @r#"
        id        name                     age  status    accuracy ↑  loss  images    lr  epochs  model.depth  model."act.fn"  optimizer  tags
        b1111111  quiet-otter-1             5h  finished     0.975     nan    1797  0.1       20            3  relu                       baseline, stage=dev
        c2222222  quiet-otter-2 (rebased)   4h  finished     0.33333   nan    1797  0.01      20            3  relu                       baseline, stage=dev
        d3333333  quiet-otter-3             3h  failed       0.4       nan    1797  1.0       20            3  relu            =adam
        e4444444  quiet-otter-4             2h  finished
        "#);
    }

    #[test]
    fn narrow() {
        insta::assert_snapshot!(table(60), @"
        id        name                     age  status    accuracy ↑
        b1111111  quiet-otter-1             5h  finished     0.975
        c2222222  quiet-otter-2 (rebased)   4h  finished     0.33333
        d3333333  quiet-otter-3             3h  failed       0.4
        e4444444  quiet-otter-4             2h  finished
        not shown, to fit: loss, images, lr, epochs, model.depth, m…
        ");
    }

    #[test]
    fn one_line_each() {
        let report = oneline(&runs(), &around());
        insta::assert_snapshot!(write(&report, &Terminal { width: 80, colour: false }), @"
        b1111111 quiet-otter-1 finished accuracy=0.975
        c2222222 quiet-otter-2 (rebased) finished accuracy=0.33333
        d3333333 quiet-otter-3 failed accuracy=0.4
        e4444444 quiet-otter-4 finished
        ");
    }

    #[test]
    fn other_forms() {
        insta::assert_snapshot!(markdown::write(&log(&runs()[..2], None, &around())), @"
        | id | name | age | status | accuracy ↑ | loss | images | lr | tags |
        | --- | --- | ---: | --- | ---: | ---: | ---: | ---: | --- |
        | b1111111 | quiet-otter-1 | 5h | finished | 0.975 | nan | 1797 | 0.1 | baseline, stage=dev |
        | c2222222 | quiet-otter-2 (rebased) | 4h | finished | 0.33333 | nan | 1797 | 0.01 | baseline, stage=dev |
        ");
        let text = csv::write(&exact(&runs()[1..], None, &Around::plain(at(0))).0).replace('\r', "");
        insta::assert_snapshot!(text, @r#"
        id,name,experiment,status,started,ended,exit_code,user,tags,metrics.loss,metrics.accuracy,metrics.images,params.lr,params.epochs,params.model.depth,"params.model.""act.fn""",params.optimizer
        20260102-140000-c2222222,quiet-otter-2,digits,finished,2026-01-02T14:00:00.000000Z,2026-01-02T14:01:30.500000Z,0,Ana <ana@example.org>,baseline stage=dev,nan,0.3333333333333333,1797,0.01,20,3,relu,
        20260102-150000-d3333333,quiet-otter-3,digits,failed,2026-01-02T15:00:00.000000Z,2026-01-02T15:01:30.500000Z,1,Ana <ana@example.org>,,nan,0.4,1797,1.0,20,3,relu,'=adam
        20260102-160000-e4444444,quiet-otter-4,,finished,2026-01-02T16:00:00.000000Z,2026-01-02T16:01:30.500000Z,0,,,,,,,,,,
        "#);
    }
}
