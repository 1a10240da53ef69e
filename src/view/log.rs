//! Many runs at once: the table of `log`, its short and exact forms, and the order of the runs.
//!
//! Which runs they are is the caller's choice; how many columns there is room for is the writer's.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

use serde_json::Value as Json;

use crate::error::Problem;
use crate::human;
use crate::render::style::Role;
use crate::render::{Align, Block, Cell, Column, Report, Table};
use crate::run::Run;
use crate::run::attempt::{Goal, MACHINE, Number, Status};
use crate::run::id::{RunId, Time};
use crate::run::value::Value;
use crate::view::{run as one_run, value};

/// How a log is shown.
#[derive(Debug, Clone)]
pub struct LogOptions {
    /// The moment that ages are counted from.
    pub now: Time,
    /// The metric that matters most.
    pub primary: Option<String>,
    /// A word on some of the runs, such as `rebased`.
    pub marks: HashMap<RunId, String>,
}

/// How wide a column of a param or a metric may become.
const COLUMN_MAX: usize = 22;
/// How many columns of params and of metrics are offered; a terminal shows fewer.
const COLUMNS_MAX: usize = 40;

/// The table of runs, in the order given: what matters most stays longest where room is short.
pub fn log(runs: &[Run], options: &LogOptions) -> Report {
    if runs.is_empty() {
        return Report { blocks: vec![Block::Prose("no runs".into())] };
    }
    let columns = columns(runs, options);
    let mut table = Table::new(columns.iter().map(|column| column.0.clone()).collect());
    table.rows = runs
        .iter()
        .map(|run| columns.iter().map(|(_, content)| content.cell(run, options)).collect())
        .collect();
    Report { blocks: vec![Block::Table(table)] }
}

/// One line for each run: short id, name, status and the metric that matters most.
pub fn oneline(runs: &[Run], options: &LogOptions) -> Report {
    let metrics = metric_names(runs, options.primary.as_deref());
    let line = |run: &Run| {
        let cell = Content::Id.cell(run, options).and(Role::Plain, " ");
        let mut cell = join(cell, Content::Name.cell(run, options)).and(Role::Plain, " ");
        cell = join(cell, Content::Status.cell(run, options));
        let shown = metrics.iter().find_map(|name| Some((name, value::metric(run, name)?)));
        match shown {
            Some((name, number)) => cell.and(Role::Plain, format!(" {name}={}", value::number(number))),
            None => cell,
        }
    };
    Report { blocks: runs.iter().map(|run| Block::Prose(line(run))).collect() }
}

/// Every run with every metric and param, numbers and text whole: for spreadsheets and other programs.
pub fn exact(runs: &[Run], primary: Option<&str>) -> Report {
    let metrics = metric_names(runs, primary);
    let params: Vec<HashMap<String, &Value>> =
        runs.iter().map(|run| value::named_leaves(&run.params).into_iter().collect()).collect();
    let param_names = in_first_order(
        runs.iter().flat_map(|run| value::named_leaves(&run.params).into_iter().map(|(name, _)| name)),
    );
    let fixed = ["id", "name", "experiment", "status", "started", "ended", "exit_code", "user", "tags"];
    let titles = fixed.iter().map(|title| (*title).to_owned());
    let titles = titles
        .chain(metrics.iter().map(|name| format!("metrics.{name}")))
        .chain(param_names.iter().map(|name| format!("params.{name}")));
    let mut table = Table::new(titles.map(Column::new).collect());
    for (run, params) in runs.iter().zip(&params) {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let time = |time: Option<Time>| time.map(|time| time.to_string()).unwrap_or_default();
        let mut row: Vec<String> = vec![
            run.id.to_string(),
            text(&run.name),
            text(&run.experiment),
            run.status.as_str().to_owned(),
            time(run.started),
            time(run.ended),
            run.exit_code.map(|code| code.to_string()).unwrap_or_default(),
            text(&run.user),
            run.tags.join(" "),
        ];
        row.extend(
            metrics.iter().map(|name| value::metric(run, name).map(value::exact_number).unwrap_or_default()),
        );
        row.extend(
            param_names
                .iter()
                .map(|name| params.get(name).map(|given| value::exact(given)).unwrap_or_default()),
        );
        table.rows.push(row.into_iter().map(Cell::from).collect());
    }
    Report { blocks: vec![Block::Table(table)] }
}

/// The runs as JSON: an array of what `show --json` gives, without environment and artifacts.
pub fn to_json(runs: &[Run]) -> Json {
    runs.iter().map(one_run::to_json_brief).collect()
}

/// What a column shows of a run.
enum Content {
    Id,
    Name,
    Age,
    Status,
    /// A metric, and its best value among the runs where that is worth marking.
    Metric(String, Option<f64>),
    Param(String),
    Tags,
}

impl Content {
    fn cell(&self, run: &Run, options: &LogOptions) -> Cell {
        match self {
            Content::Id => Cell::of(Role::Id, run.id.suffix()),
            Content::Name => name_cell(run, options),
            Content::Age => Cell::of(Role::Dim, age(run, options.now)),
            Content::Status => one_run::status_cell(run),
            Content::Metric(name, best) => metric_cell(run, name, *best),
            Content::Param(name) => param_of(run, name).map(value::bare).unwrap_or_default().into(),
            Content::Tags => Cell::of(Role::Tag, run.tags.join(", ")),
        }
    }
}

fn columns(runs: &[Run], options: &LogOptions) -> Vec<(Column, Content)> {
    let metrics = metric_names(runs, options.primary.as_deref());
    let params = differing_params(runs);
    let mut columns = vec![
        (Column::new("id"), Content::Id),
        (Column::new("name").width_max(28).rank(3), Content::Name),
        (Column::new("age").align(Align::Right).rank(4), Content::Age),
        (Column::new("status").rank(1), Content::Status),
    ];
    // The primary metric, then params and metrics by turns, give way last to first; tags before the third of them.
    columns.extend(metrics.into_iter().take(COLUMNS_MAX).enumerate().map(|(index, name)| {
        let goal = runs.iter().find_map(|run| value::goal(run, &name));
        let best = if index == 0 { goal.and_then(|goal| best(runs, &name, goal)) } else { None };
        let column = Column::new(format!("{name}{}", value::goal_arrow(goal))).align(Align::Decimal);
        (column.width_max(COLUMN_MAX).rank(2 + 4 * index), Content::Metric(name, best))
    }));
    columns.extend(params.into_iter().take(COLUMNS_MAX).enumerate().map(|(index, (name, is_number))| {
        let align = if is_number { Align::Decimal } else { Align::Left };
        (
            Column::new(name.clone()).align(align).width_max(COLUMN_MAX).rank(5 + 4 * index),
            Content::Param(name),
        )
    }));
    if runs.iter().any(|run| !run.tags.is_empty()) {
        columns.push((Column::new("tags").width_max(COLUMN_MAX).rank(11), Content::Tags));
    }
    columns
}

/// The metrics of the runs: the primary first, then those that most of them have.
fn metric_names(runs: &[Run], primary: Option<&str>) -> Vec<String> {
    let mut counts: indexmap::IndexMap<&str, usize> = indexmap::IndexMap::new();
    let named = runs.iter().flat_map(|run| run.metrics.keys());
    // What the machine did is shown with each run, and here if it is what matters most.
    for name in named.filter(|name| !name.starts_with(MACHINE) || primary == Some(name.as_str())) {
        *counts.entry(name).or_default() += 1;
    }
    let mut names: Vec<(&str, usize)> = counts.into_iter().collect();
    names.sort_by_key(|(name, count)| (primary != Some(*name), usize::MAX - count));
    names.into_iter().map(|(name, _)| name.to_owned()).collect()
}

/// The params that are not the same in all runs, those that most have first, and whether all of them are numbers.
fn differing_params(runs: &[Run]) -> Vec<(String, bool)> {
    struct Seen<'a> {
        first: &'a Value,
        count: usize,
        differs: bool,
        is_number: bool,
    }
    let mut seen: indexmap::IndexMap<String, Seen<'_>> = indexmap::IndexMap::new();
    for (name, given) in runs.iter().flat_map(|run| value::named_leaves(&run.params)) {
        let is_number = Number::of(given).is_some();
        let param = seen.entry(name).or_insert(Seen { first: given, count: 0, differs: false, is_number });
        param.count += 1;
        param.differs |= !value::same(param.first, given);
        param.is_number &= is_number;
    }
    let differs = |param: &Seen<'_>| param.differs || param.count < runs.len();
    let mut found: Vec<_> = seen.into_iter().filter(|(_, param)| differs(param)).collect();
    // Given in some runs and not in others tells less than given otherwise.
    found.sort_by_key(|(_, param)| (!param.differs, usize::MAX - param.count));
    found.into_iter().map(|(name, param)| (name, param.is_number)).collect()
}

fn in_first_order(names: impl Iterator<Item = String>) -> Vec<String> {
    names.collect::<indexmap::IndexSet<_>>().into_iter().collect()
}

/// The best value of a metric, where more than one run has it.
fn best(runs: &[Run], name: &str, goal: Goal) -> Option<f64> {
    let numbers: Vec<f64> = runs
        .iter()
        .filter_map(|run| value::metric(run, name))
        .map(Number::as_f64)
        .filter(|number| !number.is_nan())
        .collect();
    let best = match goal {
        Goal::Min => numbers.iter().copied().reduce(f64::min),
        Goal::Max => numbers.iter().copied().reduce(f64::max),
    };
    best.filter(|_| numbers.len() > 1)
}

fn name_cell(run: &Run, options: &LogOptions) -> Cell {
    let cell = Cell::from(run.name.clone().unwrap_or_default());
    let mark = options.marks.get(&run.id).cloned();
    let words: Vec<String> = mark.into_iter().chain(run.deleted.then(|| "deleted".to_owned())).collect();
    match words.is_empty() {
        true => cell,
        false if cell.is_empty() => Cell::of(Role::Dim, format!("({})", words.join(", "))),
        false => cell.and(Role::Dim, format!(" ({})", words.join(", "))),
    }
}

fn age(run: &Run, now: Time) -> String {
    run.started.map(|started| human::age(now.seconds() - started.seconds())).unwrap_or_default()
}

fn metric_cell(run: &Run, name: &str, best: Option<f64>) -> Cell {
    match value::metric(run, name) {
        None => Cell::default(),
        Some(number) if Some(number.as_f64()) == best => Cell::of(Role::Strong, value::number(number)),
        Some(number) => value::number(number).into(),
    }
}

/// The param with this dotted name.
fn param_of<'a>(run: &'a Run, name: &str) -> Option<&'a Value> {
    // Only names with quoted segments cost a walk over all params.
    if name.contains('"') {
        return value::named_leaves(&run.params)
            .into_iter()
            .find(|(known, _)| known == name)
            .map(|(_, given)| given);
    }
    let mut segments = name.split('.');
    let first = run.params.get(segments.next()?)?;
    let found = segments.try_fold(first, |value, segment| value.as_table()?.get(segment))?;
    found.as_table().is_none_or(|table| table.is_empty()).then_some(found)
}

fn join(mut cell: Cell, other: Cell) -> Cell {
    cell.spans.extend(other.spans);
    cell
}

/// What runs can be sorted by besides metrics and params.
const ATTRIBUTES: [&str; 8] = ["started", "ended", "name", "status", "duration", "id", "experiment", "user"];

/// Sorts by the fields, the first that differs deciding, each descending or not: an attribute, a metric or a param
/// (`metrics.` or `params.` before it tells them apart). NaN comes late and what is absent last, whichever the
/// direction; ties are in the order of ids.
pub fn sort(runs: &mut [Run], fields: &[(String, bool)]) -> Result<(), Problem> {
    if runs.is_empty() {
        return Ok(());
    }
    let fields: Vec<(Field, bool)> = fields
        .iter()
        .map(|(name, descending)| Ok((Field::find(name, runs)?, *descending)))
        .collect::<Result<_, Problem>>()?;
    runs.sort_by_cached_key(|run| {
        let keys: Vec<Key> = fields.iter().map(|(field, descending)| field.key(run, *descending)).collect();
        (keys, run.id.clone())
    });
    Ok(())
}

enum Field {
    Attribute(&'static str),
    Metric(String),
    Param(String),
}

impl Field {
    fn find(name: &str, runs: &[Run]) -> Result<Self, Problem> {
        let attribute = ATTRIBUTES.into_iter().find(|attribute| *attribute == name);
        let metric = name.strip_prefix("metrics.").unwrap_or(name);
        let param = name.strip_prefix("params.").unwrap_or(name);
        let has_metric = |name: &str| runs.iter().any(|run| run.metrics.contains_key(name));
        let has_param = |name: &str| runs.iter().any(|run| param_of(run, name).is_some());
        match attribute {
            Some(attribute) => Ok(Field::Attribute(attribute)),
            None if !name.starts_with("params.") && has_metric(metric) => {
                Ok(Field::Metric(metric.to_owned()))
            }
            None if has_metric(name) => Ok(Field::Metric(name.to_owned())),
            None if !name.starts_with("metrics.") && has_param(param) => Ok(Field::Param(param.to_owned())),
            None if has_param(name) => Ok(Field::Param(name.to_owned())),
            None => Err(unknown_field(name, runs)),
        }
    }

    fn key(&self, run: &Run, descending: bool) -> Key {
        let time = |time: Option<Time>| time.map(|time| Sorted::Number(time.0 as f64));
        let text = |text: &Option<String>| text.clone().map(Sorted::Text);
        let sorted = match self {
            Field::Attribute("started") => time(run.started),
            Field::Attribute("ended") => time(run.ended),
            Field::Attribute("name") => text(&run.name),
            Field::Attribute("status") => Some(Sorted::Number(severity(run.status))),
            Field::Attribute("duration") => {
                run.started.zip(run.ended).map(|(from, to)| Sorted::Number(value::seconds_between(from, to)))
            }
            Field::Attribute("id") => Some(Sorted::Text(run.id.to_string())),
            Field::Attribute("experiment") => text(&run.experiment),
            Field::Attribute(_) => text(&run.user),
            Field::Metric(name) => value::metric(run, name).map(|number| Sorted::Number(number.as_f64())),
            Field::Param(name) => param_of(run, name).map(|given| match Number::of(given) {
                Some(number) => Sorted::Number(number.as_f64()),
                None => Sorted::Text(value::exact(given)),
            }),
        };
        Key { sorted, descending }
    }
}

fn severity(status: Status) -> f64 {
    Status::ALL.iter().position(|known| *known == status).unwrap_or_default() as f64
}

fn unknown_field(name: &str, runs: &[Run]) -> Problem {
    let metrics: HashSet<&str> = runs.iter().flat_map(|run| run.metrics.keys()).map(String::as_str).collect();
    let params: HashSet<String> =
        runs.iter().flat_map(|run| value::named_leaves(&run.params)).map(|(name, _)| name).collect();
    let mut known: Vec<&str> = metrics.into_iter().chain(params.iter().map(String::as_str)).collect();
    known.sort_unstable();
    let bare = name.strip_prefix("metrics.").or(name.strip_prefix("params.")).unwrap_or(name);
    let problem = Problem::usage(format!("no run here has '{name}' to sort by"));
    match human::nearest(bare, ATTRIBUTES.into_iter().chain(known)) {
        Some(near) => problem.hint(format!("did you mean '{near}'?")),
        None => problem.hint(format!("sort by a metric, a param, or one of {}", ATTRIBUTES.join(", "))),
    }
}

/// What a run is sorted by.
struct Key {
    sorted: Option<Sorted>,
    descending: bool,
}

enum Sorted {
    Number(f64),
    Text(String),
}

impl Key {
    /// Numbers, text, NaN, nothing: this order holds in both directions.
    fn class(&self) -> u8 {
        match &self.sorted {
            Some(Sorted::Number(number)) if number.is_nan() => 2,
            Some(Sorted::Number(_)) => 0,
            Some(Sorted::Text(_)) => 1,
            None => 3,
        }
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        let within = match (&self.sorted, &other.sorted) {
            (Some(Sorted::Number(one)), Some(Sorted::Number(other))) => {
                one.partial_cmp(other).unwrap_or(Ordering::Equal)
            }
            (Some(Sorted::Text(one)), Some(Sorted::Text(other))) => one.cmp(other),
            _ => Ordering::Equal,
        };
        let within = if self.descending { within.reverse() } else { within };
        self.class().cmp(&other.class()).then(within)
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Key {}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::render::terminal::{Terminal, write};
    use crate::render::{csv, markdown};
    use crate::view::sample::{at, plain, run, training};

    fn runs() -> Vec<Run> {
        let mut failed = training(3, 1.0, 0.4);
        failed.status = Status::Failed;
        failed.exit_code = Some(1);
        failed.tags.clear();
        failed.params.insert("optimizer".into(), "=adam".into());
        vec![run(training(1, 0.1, 0.975)), run(training(2, 0.01, 1.0 / 3.0)), run(failed), run(plain(4))]
    }

    fn options() -> LogOptions {
        let runs = runs();
        LogOptions {
            now: at(6 * 3600),
            primary: Some("accuracy".into()),
            marks: HashMap::from([(runs[1].id.clone(), "rebased".to_owned())]),
        }
    }

    fn table(width: usize) -> String {
        write(&log(&runs(), &options()), &Terminal { width, colour: false })
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
        let report = oneline(&runs(), &options());
        insta::assert_snapshot!(write(&report, &Terminal { width: 80, colour: false }), @"
        b1111111 quiet-otter-1 finished accuracy=0.975
        c2222222 quiet-otter-2 (rebased) finished accuracy=0.33333
        d3333333 quiet-otter-3 failed accuracy=0.4
        e4444444 quiet-otter-4 finished
        ");
    }

    #[test]
    fn other_forms() {
        insta::assert_snapshot!(markdown::write(&log(&runs()[..2], &options())), @"
        | id | name | age | status | accuracy ↑ | loss | images | lr | tags |
        | --- | --- | ---: | --- | ---: | ---: | ---: | ---: | --- |
        | b1111111 | quiet-otter-1 | 5h | finished | 0.975 | nan | 1797 | 0.1 | baseline, stage=dev |
        | c2222222 | quiet-otter-2 (rebased) | 4h | finished | 0.33333 | nan | 1797 | 0.01 | baseline, stage=dev |
        ");
        let text = csv::write(&exact(&runs()[1..], None)).replace('\r', "");
        insta::assert_snapshot!(text, @r#"
        id,name,experiment,status,started,ended,exit_code,user,tags,metrics.loss,metrics.accuracy,metrics.images,params.lr,params.epochs,params.model.depth,"params.model.""act.fn""",params.optimizer
        20260102-140000-c2222222,quiet-otter-2,digits,finished,2026-01-02T14:00:00.000000Z,2026-01-02T14:01:30.500000Z,0,Ana <ana@example.org>,baseline stage=dev,nan,0.3333333333333333,1797,0.01,20,3,relu,
        20260102-150000-d3333333,quiet-otter-3,digits,failed,2026-01-02T15:00:00.000000Z,2026-01-02T15:01:30.500000Z,1,Ana <ana@example.org>,,nan,0.4,1797,1.0,20,3,relu,'=adam
        20260102-160000-e4444444,quiet-otter-4,,finished,2026-01-02T16:00:00.000000Z,2026-01-02T16:01:30.500000Z,0,,,,,,,,,,
        "#);
    }

    fn order(field: &str, descending: bool) -> Vec<String> {
        let mut runs = runs();
        sort(&mut runs, &[(field.to_owned(), descending)]).unwrap();
        runs.iter().map(|run| run.name.clone().unwrap().replace("quiet-otter-", "")).collect()
    }

    #[test]
    fn sorted_by_anything_with_the_absent_last() {
        assert_eq!(order("accuracy", true), ["1", "3", "2", "4"]);
        assert_eq!(order("metrics.accuracy", false), ["2", "3", "1", "4"]);
        assert_eq!(order("params.lr", false), ["2", "1", "3", "4"]);
        assert_eq!(order("model.\"act.fn\"", false), ["1", "2", "3", "4"]);
        assert_eq!(order("started", true), ["4", "3", "2", "1"]);
        assert_eq!(order("status", true), ["3", "1", "2", "4"]);
        // NaN in all that have it: by id, and before the one that has none.
        assert_eq!(order("loss", true), ["1", "2", "3", "4"]);
    }

    #[test]
    fn an_unknown_field_names_the_nearest() {
        let problem = sort(&mut runs(), &[("acuracy".to_owned(), false)]).unwrap_err();
        assert_eq!(problem.message, "no run here has 'acuracy' to sort by");
        assert_eq!(problem.hints, ["did you mean 'accuracy'?"]);
    }
}
