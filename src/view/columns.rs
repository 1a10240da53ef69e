//! What lists show of each run: chosen by what tells the runs apart, or as it is asked for.
//!
//! How many columns there is room for is the writer's choice; which runs they are of, the caller's.

use std::collections::HashMap;

use crate::error::Problem;
use crate::human;
use crate::ops::points::Points;
use crate::query::{Attribute, Field, Part, Vocabulary};
use crate::render::plot::sparkline::sparkline;
use crate::render::style::Role;
use crate::render::{Align, Cell, Column};
use crate::run::attempt::{Goal, MACHINE, Number};
use crate::run::id::{RunId, Time};
use crate::run::value::{Value, named_leaves};
use crate::run::{PIN, Run};
use crate::view::against::Against;
use crate::view::{run as one_run, value};

/// How wide a column of a param or a metric may become.
const COLUMN_MAX: usize = 22;
/// How wide a sparkline is.
const SPARK_WIDTH: usize = 16;
/// How many columns of params and of metrics are chosen; a terminal shows fewer.
pub const COLUMNS_MAX: usize = 40;

/// What cells say that their run does not.
#[derive(Debug, Clone)]
pub struct Around {
    /// The moment that ages are counted from.
    pub now: Time,
    /// The metric that matters most.
    pub primary: Option<String>,
    /// A word on some of the runs, such as `rebased`.
    pub marks: HashMap<RunId, String>,
    /// What the runs are compared with.
    pub against: Option<Against>,
    /// What only the series say.
    pub points: Points,
}

impl Around {
    /// Nothing but the moment.
    pub fn plain(now: Time) -> Self {
        let (marks, points) = (HashMap::new(), Points::default());
        Self { now, primary: None, marks, against: None, points }
    }
}

/// What a column shows of a run.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// What is asked for by a name of the query language.
    Field(Field),
    /// How long ago it began.
    Age,
    /// The course of a metric.
    Spark(String),
}

/// What was asked for, and what of it means nothing here.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Choice {
    /// The columns.
    pub contents: Vec<Content>,
    /// What a person should know.
    pub notes: Vec<String>,
}

/// Reads what is typed after `--columns`: fields, globs of them, `age` and `spark(METRIC)`; bare names may be of any of
/// the repository's runs, and globs are of those that are shown.
pub fn choose(words: &[String], known: &Vocabulary, shown: &[Run]) -> Result<Choice, Problem> {
    let here = Vocabulary::of(shown);
    let mut choice = Choice::default();
    for word in words {
        let found = contents(word, known, &here)?;
        if found.is_empty() {
            choice.notes.push(format!("no run here has '{word}'"));
        }
        for content in found {
            if !choice.contents.contains(&content) {
                choice.contents.push(content);
            }
        }
    }
    Ok(choice)
}

fn contents(word: &str, known: &Vocabulary, here: &Vocabulary) -> Result<Vec<Content>, Problem> {
    if let Some(metric) = word.strip_prefix("spark(").and_then(|rest| rest.strip_suffix(')')) {
        let fields = fields(metric.trim(), known, here)?;
        let spark = |field: Field| match field {
            Field::Metric(name, _) => Ok(Content::Spark(name)),
            other => Err(Problem::usage(format!("'{}' is no metric, and has no course", other.title()))),
        };
        return fields.into_iter().map(spark).collect();
    }
    if word == "age" && !here.params.contains(word) && !here.metrics.contains(word) {
        return Ok(vec![Content::Age]);
    }
    Ok(fields(word, known, here)?.into_iter().map(Content::Field).collect())
}

fn fields(word: &str, known: &Vocabulary, here: &Vocabulary) -> Result<Vec<Field>, Problem> {
    if !word.contains(['*', '?']) {
        return Field::matching(word, known);
    }
    // What the machine did is meant only where it is named.
    let is_meant = |field: &Field| match field {
        Field::Metric(name, _) => !name.starts_with(MACHINE) || word.contains(MACHINE),
        _ => true,
    };
    Ok(Field::matching(word, here)?.into_iter().filter(is_meant).collect())
}

/// The columns that tell the runs apart: the metrics that most of them have, and the params that differ. The others are
/// counted.
pub fn automatic(runs: &[Run], around: &Around) -> (Vec<Content>, usize) {
    let attribute = |attribute| Content::Field(Field::Attribute(attribute));
    let metrics = metric_names(runs, around.primary.as_deref());
    let params = differing_params(runs);
    let left_out = metrics.len().saturating_sub(COLUMNS_MAX) + params.len().saturating_sub(COLUMNS_MAX);
    let mut contents = vec![
        attribute(Attribute::Id),
        attribute(Attribute::Name),
        Content::Age,
        attribute(Attribute::Status),
    ];
    let metric = |name| Content::Field(Field::Metric(name, Part::Shown));
    contents.extend(metrics.into_iter().take(COLUMNS_MAX).map(metric));
    contents.extend(params.into_iter().take(COLUMNS_MAX).map(|name| Content::Field(Field::Param(name))));
    if runs.iter().any(|run| !run.tags.is_empty()) {
        contents.push(attribute(Attribute::Tags));
    }
    (contents, left_out)
}

/// A column with its place in what gives way, and what it shows.
pub struct Shown {
    /// What stands above it, and how it gives way.
    pub column: Column,
    /// What it shows.
    pub content: Content,
    /// Its best value among the runs, where that is worth marking.
    best: Option<f64>,
}

/// The columns as a table shows them. Chosen ones give way by what they are: the primary metric, then params and metrics
/// by turns, last to first; those that were asked for from the last to the first.
pub fn lay_out(contents: Vec<Content>, runs: &[Run], is_asked: bool) -> Vec<Shown> {
    let (mut metrics, mut params) = ((2..).step_by(4), (5..).step_by(4));
    let mut shown = Vec::new();
    for (index, content) in contents.into_iter().enumerate() {
        let rank = match &content {
            _ if is_asked => index,
            Content::Field(Field::Attribute(Attribute::Id)) => 0,
            Content::Field(Field::Attribute(Attribute::Status)) => 1,
            Content::Field(Field::Attribute(Attribute::Name)) => 3,
            Content::Age => 4,
            Content::Field(Field::Metric(..)) => metrics.next().unwrap_or_default(),
            Content::Field(Field::Param(_)) => params.next().unwrap_or_default(),
            // Before the third of them.
            _ => 11,
        };
        let best = match &content {
            Content::Field(field @ Field::Metric(name, _)) if rank == 2 || is_asked => {
                goal_of(runs, name).and_then(|goal| best(runs, field, goal))
            }
            _ => None,
        };
        let column = content.column(runs).rank(rank);
        shown.push(Shown { column, content, best });
    }
    shown
}

impl Shown {
    /// What it shows of the run.
    pub fn cell(&self, run: &Run, around: &Around) -> Cell {
        match &self.content {
            Content::Age => Cell::of(Role::Dim, age(run, around.now)),
            Content::Spark(metric) => spark(run, metric, around).into(),
            Content::Field(field) => match field {
                Field::Attribute(attribute) => attribute_cell(run, *attribute, around),
                Field::Metric(..) => self.metric_cell(run, field, around),
                Field::Param(name) => param_cell(run, name, around),
                Field::Tag(_) => {
                    Cell::of(Role::Tag, field.get(run).map(|given| value::bare(&given)).unwrap_or_default())
                }
            },
        }
    }

    fn metric_cell(&self, run: &Run, field: &Field, around: &Around) -> Cell {
        let Some(number) = number(run, field, around) else {
            return Cell::default();
        };
        let role = if Some(number.as_f64()) == self.best { Role::Strong } else { Role::Plain };
        let cell = Cell::of(role, value::number(number));
        match around.against.as_ref().and_then(|against| against.difference(run, field)) {
            Some(difference) => {
                cell.and(difference.role(), format!(" ({})", value::signed(difference.number)))
            }
            None => cell,
        }
    }
}

impl Content {
    /// What stands above it, for programs.
    pub fn exact_title(&self) -> String {
        match self {
            Content::Age => "started".to_owned(),
            Content::Spark(metric) => format!("spark({metric})"),
            Content::Field(Field::Attribute(attribute)) => Field::Attribute(*attribute).title(),
            // Without the quotes that only typing it needs.
            Content::Field(Field::Metric(name, Part::Shown)) => format!("metrics.{name}"),
            Content::Field(field) => field.full_name(),
        }
    }

    /// What it shows of the run, whole, for programs.
    pub fn exact(&self, run: &Run, around: &Around) -> String {
        match self {
            Content::Age => run.started.map(|time| time.to_string()).unwrap_or_default(),
            Content::Spark(metric) => spark(run, metric, around),
            Content::Field(Field::Attribute(Attribute::Tags)) => run.tags.join(" "),
            Content::Field(field @ Field::Metric(..)) => {
                number(run, field, around).map(value::exact_number).unwrap_or_default()
            }
            Content::Field(field) => field.get(run).map(|given| value::exact(&given)).unwrap_or_default(),
        }
    }

    fn column(&self, runs: &[Run]) -> Column {
        match self {
            Content::Age => Column::new("age").align(Align::Right),
            Content::Spark(metric) => Column::new(format!("spark({metric})")),
            Content::Field(field) => match field {
                Field::Attribute(Attribute::Id) => Column::new("id"),
                Field::Attribute(Attribute::Name) => Column::new("name").width_max(28),
                Field::Attribute(Attribute::Duration | Attribute::ExitCode) => {
                    Column::new(field.title()).align(Align::Right)
                }
                Field::Attribute(Attribute::Status | Attribute::Started | Attribute::Ended) => {
                    Column::new(field.title())
                }
                Field::Metric(name, _) => {
                    let title = format!("{}{}", field.title(), value::goal_arrow(goal_of(runs, name)));
                    Column::new(title).align(Align::Decimal).width_max(COLUMN_MAX)
                }
                Field::Param(name) => {
                    let given = || runs.iter().filter_map(|run| run.param(name));
                    let is_number = given().all(|given| Number::of(given).is_some());
                    let align = if is_number { Align::Decimal } else { Align::Left };
                    Column::new(name.clone()).align(align).width_max(COLUMN_MAX)
                }
                _ => Column::new(field.title()).width_max(COLUMN_MAX),
            },
        }
    }
}

/// The number that a run has there, the series asked too.
pub fn number(run: &Run, field: &Field, around: &Around) -> Option<Number> {
    match field {
        Field::Metric(_, part) if part.is_of_series() => {
            around.points.numbers.get(&(run.id.clone(), field.full_name())).copied()
        }
        field => field.get(run).as_ref().and_then(Number::of),
    }
}

/// The metrics of the runs: the primary first, then those that most of them have.
pub fn metric_names(runs: &[Run], primary: Option<&str>) -> Vec<String> {
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

/// The params that are not the same in all runs: those that were given otherwise before those that some lack, and of
/// each those that most have first.
pub fn differing_params(runs: &[Run]) -> Vec<String> {
    struct Seen<'a> {
        first: &'a Value,
        count: usize,
        differs: bool,
    }
    let mut seen: indexmap::IndexMap<String, Seen<'_>> = indexmap::IndexMap::new();
    for (name, given) in runs.iter().flat_map(|run| named_leaves(&run.params)) {
        let param = seen.entry(name).or_insert(Seen { first: given, count: 0, differs: false });
        param.count += 1;
        param.differs |= !value::same(param.first, given);
    }
    let differs = |param: &Seen<'_>| param.differs || param.count < runs.len();
    let mut found: Vec<_> = seen.into_iter().filter(|(_, param)| differs(param)).collect();
    found.sort_by_key(|(_, param)| (!param.differs, usize::MAX - param.count));
    found.into_iter().map(|(name, _)| name).collect()
}

/// The goal of a metric, where one of the runs says so.
pub fn goal_of(runs: &[Run], metric: &str) -> Option<Goal> {
    runs.iter().find_map(|run| run.goal(metric))
}

/// The best value that a run has there, where more than one run has any.
fn best(runs: &[Run], field: &Field, goal: Goal) -> Option<f64> {
    let numbers: Vec<f64> = runs
        .iter()
        .filter_map(|run| field.get(run).as_ref().and_then(Number::of))
        .map(Number::as_f64)
        .filter(|number| !number.is_nan())
        .collect();
    let best = match goal {
        Goal::Min => numbers.iter().copied().reduce(f64::min),
        Goal::Max => numbers.iter().copied().reduce(f64::max),
    };
    best.filter(|_| numbers.len() > 1)
}

fn attribute_cell(run: &Run, attribute: Attribute, around: &Around) -> Cell {
    let text = || Field::Attribute(attribute).get(run).map(|given| value::bare(&given)).unwrap_or_default();
    let time = |time: Option<Time>| time.map(value::time).unwrap_or_default();
    match attribute {
        Attribute::Id => Cell::of(Role::Id, run.id.suffix()),
        Attribute::Name => name_cell(run, around),
        Attribute::Status => one_run::status_cell(run),
        Attribute::Tags => Cell::of(Role::Tag, run.tags.join(", ")),
        Attribute::Started => time(run.started).into(),
        Attribute::Ended => time(run.ended).into(),
        Attribute::Duration => run.duration().map(human::duration).unwrap_or_default().into(),
        Attribute::Command => value::shell(&run.command).into(),
        Attribute::CodeCommit | Attribute::CodeTree => Cell::of(Role::Id, value::short_oid(&text())),
        _ => text().into(),
    }
}

/// The name, with a word on what is not plain to see.
pub fn name_cell(run: &Run, around: &Around) -> Cell {
    let is_reference = around.against.as_ref().is_some_and(|against| against.is_reference(&run.id));
    let mut words: Vec<String> = around.marks.get(&run.id).cloned().into_iter().collect();
    words.extend(is_reference.then(|| "reference".to_owned()));
    words.extend(run.has_tag(PIN).then(|| "pinned".to_owned()));
    words.extend(run.deleted.then(|| "deleted".to_owned()));
    let cell = Cell::from(run.name.clone().unwrap_or_default());
    match words.is_empty() {
        true => cell,
        false if cell.is_empty() => Cell::of(Role::Dim, format!("({})", words.join(", "))),
        false => cell.and(Role::Dim, format!(" ({})", words.join(", "))),
    }
}

fn param_cell(run: &Run, name: &str, around: &Around) -> Cell {
    let cell = Cell::from(run.param(name).map(value::bare).unwrap_or_default());
    match around.against.as_ref().is_some_and(|against| against.differs(run, name)) {
        true if cell.is_empty() => Cell::of(Role::Warning, "*"),
        true => cell.and(Role::Warning, " *"),
        false => cell,
    }
}

/// How long ago the run began.
pub fn age(run: &Run, now: Time) -> String {
    run.started.map(|started| human::age(now.seconds() - started.seconds())).unwrap_or_default()
}

fn spark(run: &Run, metric: &str, around: &Around) -> String {
    let curve = around.points.curves.get(&(run.id.clone(), metric.to_owned()));
    curve.map(|values| sparkline(values, SPARK_WIDTH)).unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::render::terminal::{Terminal, write};
    use crate::run::fold::fold;
    use crate::run::record::{Files, RUN};
    use crate::run::text;
    use crate::view::log::{exact, log};
    use crate::view::sample::{at, plain, run, training};

    fn runs() -> Vec<Run> {
        let mut pinned = training(3, 1.0, 0.4);
        pinned.tags = vec!["pin".into()];
        vec![run(training(1, 0.1, 0.975)), run(training(2, 0.01, 1.0 / 3.0)), run(pinned), run(plain(4))]
    }

    fn chosen(words: &[&str]) -> Result<Choice, Problem> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        choose(&words, &Vocabulary::of(&runs()), &runs())
    }

    fn table(words: &[&str], around: &Around) -> String {
        let contents = chosen(words).unwrap().contents;
        write(&log(&runs(), Some(&contents), around), &Terminal { width: 120, colour: false })
    }

    #[test]
    fn columns_are_as_they_were_asked_for() {
        insta::assert_snapshot!(table(&["name", "id", "params.lr", "accuracy", "age"], &Around::plain(at(6 * 3600))), @"
        name                    id          lr  accuracy ↑  age
        quiet-otter-1           b1111111  0.1      0.975     5h
        quiet-otter-2           c2222222  0.01     0.33333   4h
        quiet-otter-3 (pinned)  d3333333  1.0      0.4       3h
        quiet-otter-4           e4444444                     2h
        ");
    }

    #[test]
    fn globs_take_what_the_runs_have() {
        let titles = |words: &[&str]| -> Vec<String> {
            chosen(words).unwrap().contents.iter().map(Content::exact_title).collect()
        };
        assert_eq!(titles(&["metrics.*"]), ["metrics.accuracy", "metrics.images", "metrics.loss"]);
        assert_eq!(
            titles(&["params.model.*", "id", "*acc*", "id"]),
            ["params.model.\"act.fn\"", "params.model.depth", "id", "metrics.accuracy"]
        );
        assert_eq!(
            titles(&["spark(loss)", "age", "loss.min", "tags.stage"]),
            ["spark(loss)", "started", "metrics.loss.min", "tags.stage"]
        );
        assert_eq!(chosen(&["metrics.none*"]).unwrap().notes, ["no run here has 'metrics.none*'"]);
    }

    #[test]
    fn what_nobody_has_is_told_with_the_nearest() {
        let problem = chosen(&["acuracy"]).unwrap_err();
        assert!(problem.to_string().contains("acuracy"), "{problem}");
        assert!(
            problem.hints.concat().contains("accuracy") || problem.message.contains("accuracy"),
            "{problem:?}"
        );
        assert!(chosen(&["spark(lr)"]).unwrap_err().message.contains("is no metric"));
    }

    #[test]
    fn courses_and_single_points_come_from_the_series() {
        let mut around = Around::plain(at(6 * 3600));
        let first = runs()[0].id.clone();
        around.points.curves.insert((first.clone(), "loss".into()), vec![3.0, 2.0, 1.0]);
        around.points.numbers.insert((first, "metrics.loss at 2".into()), Number::Int(7));
        insta::assert_snapshot!(table(&["name", "spark(loss)", "loss at 2"], &around), @"
        name                    spark(loss)  loss at 2
        quiet-otter-1           █▅▁                  7
        quiet-otter-2
        quiet-otter-3 (pinned)
        quiet-otter-4
        ");
    }

    #[test]
    fn differences_stand_beside_the_numbers() {
        let around = Around {
            against: Some(Against::Run(Box::new(runs()[0].clone()))),
            ..Around::plain(at(6 * 3600))
        };
        insta::assert_snapshot!(table(&["name", "accuracy", "images", "lr", "epochs"], &around), @"
        name                               accuracy ↑     images      lr  epochs
        quiet-otter-1 (reference)  0.975                    1797  0.1         20
        quiet-otter-2              0.33333 (-0.64167)  1797 (+0)  0.01 *      20
        quiet-otter-3 (pinned)     0.4 (-0.575)        1797 (+0)  1.0 *       20
        quiet-otter-4                                             *            *
        in brackets the difference to quiet-otter-1 (b1111111); * a param that differs
        ");
        let contents = chosen(&["name", "accuracy"]).unwrap().contents;
        let text = crate::render::csv::write(&exact(&runs(), Some(&contents), &around).0).replace('\r', "");
        insta::assert_snapshot!(text, @"
        name,metrics.accuracy,metrics.accuracy.difference
        quiet-otter-1,0.975,
        quiet-otter-2,0.3333333333333333,-0.6416666666666666
        quiet-otter-3,0.4,-0.575
        quiet-otter-4,,
        ");
        insta::assert_snapshot!(around.against.unwrap().to_json(&runs()[1]), @r#"{"id":"20260102-130000-b1111111","name":"quiet-otter-1","metrics":{"accuracy":{"difference":-0.6416666666666666,"better":false},"images":{"difference":0,"better":null}},"params":["lr"]}"#);
    }

    #[test]
    fn a_run_with_very_many_metrics_fits() {
        let mut facts = plain(1);
        for index in 0..30_000 {
            let metric = crate::run::attempt::Summary::plain(Number::Int(index));
            facts.metrics.insert(format!("m{index}"), metric);
        }
        let files = Files::from([(RUN.to_owned(), text::write(&facts.to_table()).into_bytes())]);
        let runs = [fold(&facts.id, &files).unwrap()];
        let around = Around::plain(at(0));
        let shown = write(&log(&runs, None, &around), &Terminal { width: usize::MAX, colour: false });
        assert!(shown.contains("and 29,960 columns more; --columns chooses"), "{}", &shown[..200]);
        let (table, left_out) = exact(&runs, None, &around);
        assert_eq!(left_out, 30_000 + 9 - 16_384);
        let crate::render::Block::Table(table) = &table.blocks[0] else { panic!() };
        assert_eq!(table.columns.len(), 16_384);
    }
}
