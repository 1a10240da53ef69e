//! Runs side by side: what they were given, what came out and which is best, their code and what they read.
//!
//! Few runs have a column each, many a row each; how wide the terminal is decides how many columns stand beside each other.

pub mod exact;
pub mod groups;
mod lines;

use crate::human;
use crate::render::style::Role;
use crate::render::{Align, Block, Cell, Column, Report, Table};
use crate::run::Run;
use crate::run::id::Time;
use crate::view::compare::lines::{Line, Section, lines};
use crate::view::{columns, value};

/// How runs are compared.
#[derive(Debug, Clone)]
pub struct CompareOptions {
    /// The moment that ages are counted from.
    pub now: Time,
    /// The metric that matters most.
    pub primary: Option<String>,
    /// Whether what is the same in all runs is shown too, and what tells of the machine.
    pub all: bool,
    /// How wide the page is.
    pub width: usize,
    /// Whether the runs are compared with the first of them.
    pub with_first: bool,
}

/// Of more runs each has a row.
const RUNS_BESIDE_MAX: usize = 8;
/// How wide the column of a run, or of a value, may become.
const COLUMN_MAX: usize = 28;
/// How much stands between columns.
const GAP: usize = 2;
/// What stands beside the best.
pub(super) const BEST: &str = " ★";

/// The runs side by side, in the order given.
pub fn compare(runs: &[Run], options: &CompareOptions) -> Report {
    let mut report = Report::default();
    report.title(title(runs, options));
    let lines = lines(runs, options);
    match runs.len() <= RUNS_BESIDE_MAX {
        true => beside(&mut report, runs, &lines, options),
        false => report.blocks.push(Block::Table(below(runs, &lines, options))),
    }
    if let Some(left_out) = left_out(runs, options) {
        report.prose(Cell::of(Role::Dim, left_out));
    }
    report
}

fn title(runs: &[Run], options: &CompareOptions) -> Cell {
    let title = match runs.first().filter(|_| options.with_first) {
        Some(first) => Cell::of(Role::Heading, human::count(runs.len() - 1, "run"))
            .and(Role::Plain, " compared with ")
            .and(Role::Heading, value::called(first)),
        None => Cell::of(Role::Heading, human::count(runs.len(), "run")),
    };
    match lines::same_tree(runs) {
        Some(true) if runs.len() > 1 => title.and(Role::Plain, ", of the same code"),
        _ => title,
    }
}

/// What is the same and not shown.
fn left_out(runs: &[Run], options: &CompareOptions) -> Option<String> {
    let names = lines::param_names(runs);
    let same = names.len() - columns::differing_params(runs).len();
    (!options.all && same > 0).then(|| match same {
        1 => "1 param is the same in all; --all shows it".to_owned(),
        _ => format!("{same} params are the same in all; --all shows them"),
    })
}

/// A column a run: as many beside each other as there is room for.
fn beside(report: &mut Report, runs: &[Run], lines: &[Line], options: &CompareOptions) {
    let shown = |cell: &Cell| cell.text().chars().count().min(COLUMN_MAX);
    let names = lines.iter().map(|line| line.title.chars().count()).max().unwrap_or_default().min(COLUMN_MAX);
    let width = |index: usize| {
        let cells = lines.iter().map(|line| shown(&line.cells[index]));
        cells.max().unwrap_or_default().max(value::called(&runs[index]).chars().count().min(COLUMN_MAX))
    };
    let mut begin = 0;
    while begin < runs.len() {
        // The first stays beside the others where they are compared with it.
        let first = (options.with_first && begin > 0).then_some(0);
        let mut room = options.width.saturating_sub(names + first.map_or(0, |index| width(index) + GAP));
        let mut end = begin;
        while end < runs.len() && (end == begin || width(end) + GAP <= room) {
            room = room.saturating_sub(width(end) + GAP);
            end += 1;
        }
        let shown: Vec<usize> = first.into_iter().chain(begin..end).collect();
        report.blocks.push(Block::Table(table(runs, lines, &shown)));
        begin = end;
    }
}

fn table(runs: &[Run], lines: &[Line], shown: &[usize]) -> Table {
    let column = |index: &usize| Column::new(value::called(&runs[*index])).width_max(COLUMN_MAX);
    let first = Column::new("").width_max(COLUMN_MAX);
    let mut table = Table::new(std::iter::once(first).chain(shown.iter().map(column)).collect());
    let ids = shown.iter().map(|index| Cell::of(Role::Id, runs[*index].id.suffix()));
    table.rows.push(std::iter::once(Cell::default()).chain(ids).collect());
    for section in Section::ALL {
        let mut of_section = lines.iter().filter(|line| line.section == section).peekable();
        if of_section.peek().is_some() && section != Section::Run {
            let mut heading = vec![Cell::of(Role::Heading, section.title())];
            heading.resize(shown.len() + 1, Cell::default());
            table.rows.push(heading);
        }
        for line in of_section {
            let cells = shown.iter().map(|index| line.cells[*index].clone());
            let role = if line.differs { Role::Plain } else { Role::Dim };
            table.rows.push(std::iter::once(Cell::of(role, line.title.as_str())).chain(cells).collect());
        }
    }
    table
}

/// A row a run.
fn below(runs: &[Run], lines: &[Line], options: &CompareOptions) -> Table {
    let mut columns = vec![Column::new("id"), Column::new("name").width_max(COLUMN_MAX).rank(3)];
    // What matters most stays longest: the first metric, then params and metrics by turns, the rest goes first.
    let mut places = [0; Section::ALL.len()];
    // A column of what is the same in all says nothing; the title says it of the code.
    let is_told = |line: &&Line| line.differs || !matches!(line.section, Section::Code | Section::Inputs);
    let mut ordered: Vec<&Line> = lines.iter().filter(is_told).collect();
    ordered.sort_by_key(|line| match line.section {
        Section::Run => 0,
        Section::Metrics => 1,
        Section::Params => 2,
        Section::Code => 3,
        Section::Inputs => 4,
    });
    for line in &ordered {
        let place = &mut places[line.section as usize];
        let rank = match line.section {
            Section::Metrics => 2 + 4 * *place,
            Section::Params => 5 + 4 * *place,
            Section::Run => 4 + 3 * *place,
            Section::Code | Section::Inputs => 60 + *place,
        };
        *place += 1;
        let align = if line.is_number { Align::Decimal } else { Align::Left };
        columns.push(Column::new(line.title.as_str()).align(align).width_max(COLUMN_MAX).rank(rank));
    }
    let mut table = Table::new(columns);
    for (index, run) in runs.iter().enumerate() {
        let fixed = [Cell::of(Role::Id, run.id.suffix()), run.name.clone().unwrap_or_default().into()];
        let is_reference = options.with_first && index == 0;
        let cell = |line: &&Line| match is_reference {
            true => Cell::of(Role::Heading, line.cells[index].text()),
            false => line.cells[index].clone(),
        };
        table.rows.push(fixed.into_iter().chain(ordered.iter().map(cell)).collect());
    }
    table
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::render::markdown;
    use crate::render::terminal::{Terminal, write};
    use crate::run::attempt::Input;
    use crate::view::sample::{at, run, training, with_changes};

    fn runs() -> Vec<Run> {
        let mut third = with_changes(training(3, 0.1, 0.95));
        third.params.insert("optimizer".into(), "adam".into());
        third.inputs.push(Input {
            name: "digits".into(),
            path: "data/digits.csv".into(),
            kind: "file".into(),
            sha256: Some("b".repeat(64)),
            digest: None,
            size: None,
            files: None,
        });
        vec![run(training(1, 0.1, 0.975)), run(training(2, 0.01, 1.0 / 3.0)), run(third)]
    }

    fn options(width: usize) -> CompareOptions {
        CompareOptions {
            now: at(6 * 3600),
            primary: Some("accuracy".into()),
            all: false,
            width,
            with_first: false,
        }
    }

    fn shown(runs: &[Run], options: &CompareOptions) -> String {
        write(&compare(runs, options), &Terminal { width: options.width, colour: false })
    }

    #[test]
    fn a_column_each() {
        insta::assert_snapshot!(shown(&runs(), &options(120)), @"
        3 runs
                    quiet-otter-1  quiet-otter-2  quiet-otter-3
                    b1111111       c2222222       d3333333
        status      finished       finished       finished
        duration    1m 31s         1m 31s         1m 31s
        age         5h             4h             3h
        Params
        lr          0.1            0.01           0.1
        optimizer                                 adam
        Metrics
        accuracy ↑  0.975 ★        0.33333        0.95
        loss        nan            nan            nan
        images      1797           1797           1797
        Code
        commit      1111111111     1111111111     1111111111, with changes
        tree        2222222222     2222222222     3333333333
        Inputs
        digits                                    bbbbbbbbbbbb
        3 params are the same in all; --all shows them
        ");
    }

    #[test]
    fn where_room_is_short_they_stand_below_each_other() {
        insta::assert_snapshot!(shown(&runs(), &options(44)), @"
        3 runs
                    quiet-otter-1  quiet-otter-2
                    b1111111       c2222222
        status      finished       finished
        duration    1m 31s         1m 31s
        age         5h             4h
        Params
        lr          0.1            0.01
        optimizer
        Metrics
        accuracy ↑  0.975 ★        0.33333
        loss        nan            nan
        images      1797           1797
        Code
        commit      1111111111     1111111111
        tree        2222222222     2222222222
        Inputs
        digits
                    quiet-otter-3
                    d3333333
        status      finished
        duration    1m 31s
        age         3h
        Params
        lr          0.1
        optimizer   adam
        Metrics
        accuracy ↑  0.95
        loss        nan
        images      1797
        Code
        commit      1111111111, with changes
        tree        3333333333
        Inputs
        digits      bbbbbbbbbbbb
        3 params are the same in all; --all shows
        them
        ");
    }

    #[test]
    fn with_the_first() {
        let options = CompareOptions { with_first: true, ..options(120) };
        insta::assert_snapshot!(shown(&runs(), &options), @"
        2 runs compared with quiet-otter-1
                    quiet-otter-1  quiet-otter-2       quiet-otter-3
                    b1111111       c2222222            d3333333
        status      finished       finished            finished
        duration    1m 31s         1m 31s              1m 31s
        age         5h             4h                  3h
        Params
        lr          0.1            0.01                0.1
        optimizer                                      adam
        Metrics
        accuracy ↑  0.975 ★        0.33333 (-0.64167)  0.95 (-0.025)
        loss        nan            nan                 nan
        images      1797           1797                1797
        Code
        commit      1111111111     1111111111          1111111111, with changes
        tree        2222222222     2222222222          3333333333
        Inputs
        digits                                         bbbbbbbbbbbb
        3 params are the same in all; --all shows them
        ");
    }

    #[test]
    fn everything() {
        let options = CompareOptions { all: true, ..options(120) };
        insta::assert_snapshot!(shown(&runs()[..2], &options), @r#"
        2 runs, of the same code
                        quiet-otter-1          quiet-otter-2
                        b1111111               c2222222
        status          finished               finished
        duration        1m 31s                 1m 31s
        age             5h                     4h
        experiment      digits                 digits
        host            node7                  node7
        user            Ana <ana@example.org>  Ana <ana@example.org>
        Params
        lr              0.1                    0.01
        epochs          20                     20
        model.depth     3                      3
        model."act.fn"  relu                   relu
        Metrics
        accuracy ↑      0.975 ★                0.33333
        loss            nan                    nan
        images          1797                   1797
        Code
        commit          1111111111             1111111111
        tree            the same               the same
        branch          main                   main
        "#);
    }

    #[test]
    fn many_have_a_row_each() {
        let runs: Vec<Run> = (1..=10u8)
            .map(|number| run(training(number, f64::from(number) / 10.0, 0.5 + f64::from(number) / 100.0)))
            .collect();
        insta::assert_snapshot!(shown(&runs, &options(100)), @"
        10 runs, of the same code
        id        name            status    duration  age  accuracy ↑  loss  images   lr
        b1111111  quiet-otter-1   finished  1m 31s    5h        0.51    nan    1797  0.1
        c2222222  quiet-otter-2   finished  1m 31s    4h        0.52    nan    1797  0.2
        d3333333  quiet-otter-3   finished  1m 31s    3h        0.53    nan    1797  0.3
        e4444444  quiet-otter-4   finished  1m 31s    2h        0.54    nan    1797  0.4
        f5555555  quiet-otter-5   finished  1m 31s    1h        0.55    nan    1797  0.5
        g6666666  quiet-otter-6   finished  1m 31s    0s        0.56    nan    1797  0.6
        h7777777  quiet-otter-7   finished  1m 31s    0s        0.57    nan    1797  0.7
        j8888888  quiet-otter-8   finished  1m 31s    0s        0.58    nan    1797  0.8
        k9999999  quiet-otter-9   finished  1m 31s    0s        0.59    nan    1797  0.9
        maaaaaaa  quiet-otter-10  finished  1m 31s    0s        0.6 ★   nan    1797  1.0
        3 params are the same in all; --all shows them
        ");
        insta::assert_snapshot!(shown(&runs[..9], &options(50)), @"
        9 runs, of the same code
        id        name           status    accuracy ↑   lr
        b1111111  quiet-otter-1  finished      0.51    0.1
        c2222222  quiet-otter-2  finished      0.52    0.2
        d3333333  quiet-otter-3  finished      0.53    0.3
        e4444444  quiet-otter-4  finished      0.54    0.4
        f5555555  quiet-otter-5  finished      0.55    0.5
        g6666666  quiet-otter-6  finished      0.56    0.6
        h7777777  quiet-otter-7  finished      0.57    0.7
        j8888888  quiet-otter-8  finished      0.58    0.8
        k9999999  quiet-otter-9  finished      0.59 ★  0.9
        not shown, to fit: duration, age, loss, images
        3 params are the same in all; --all shows them
        ");
    }

    #[test]
    fn as_markdown() {
        insta::assert_snapshot!(markdown::write(&compare(&runs()[..2], &options(usize::MAX))), @"
        ## 2 runs, of the same code

        |  | quiet-otter-1 | quiet-otter-2 |
        | --- | --- | --- |
        |  | b1111111 | c2222222 |
        | status | finished | finished |
        | duration | 1m 31s | 1m 31s |
        | age | 5h | 4h |
        | Params |  |  |
        | lr | 0.1 | 0.01 |
        | Metrics |  |  |
        | accuracy ↑ | 0.975 ★ | 0.33333 |
        | loss | nan | nan |
        | images | 1797 | 1797 |
        | Code |  |  |
        | commit | 1111111111 | 1111111111 |
        | tree | the same | the same |

        3 params are the same in all; --all shows them
        ");
    }
}
