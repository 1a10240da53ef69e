//! What is told of each run, line by line: how it went, its params, its metrics, its code, its inputs.
//!
//! Knows what differs and what is best; not whether a line becomes a row or a column.

use std::collections::HashMap;

use indexmap::IndexSet;

use crate::human;
use crate::render::Cell;
use crate::render::style::Role;
use crate::run::Run;
use crate::run::attempt::{Code, Goal, Input, Number};
use crate::run::value::{Value, named_leaves};
use crate::view::compare::{BEST, CompareOptions};
use crate::view::{columns, run as one_run, value};

/// What a line is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// How it went.
    Run,
    /// What it was given.
    Params,
    /// What came out.
    Metrics,
    /// The code that ran.
    Code,
    /// What it read.
    Inputs,
}

impl Section {
    pub const ALL: [Section; 5] =
        [Section::Run, Section::Params, Section::Metrics, Section::Code, Section::Inputs];

    /// What stands above it.
    pub fn title(self) -> &'static str {
        match self {
            Section::Run => "Run",
            Section::Params => "Params",
            Section::Metrics => "Metrics",
            Section::Code => "Code",
            Section::Inputs => "Inputs",
        }
    }
}

/// One thing, run by run.
#[derive(Debug, Clone)]
pub struct Line {
    /// What it is about.
    pub section: Section,
    /// What it is.
    pub title: String,
    /// What each run has there.
    pub cells: Vec<Cell>,
    /// Whether the runs differ in it.
    pub differs: bool,
    /// Whether it is a number in all of them.
    pub is_number: bool,
}

/// A metric, run by run.
pub struct Measured {
    /// Its name.
    pub name: String,
    /// Where it is to go, if that is known.
    pub goal: Option<Goal>,
    /// What each run has.
    pub numbers: Vec<Option<Number>>,
    /// Which are the best.
    pub best: Vec<bool>,
}

/// Everything that is told of the runs.
pub fn lines(runs: &[Run], options: &CompareOptions) -> Vec<Line> {
    let mut lines = went(runs, options);
    lines.extend(params(runs, options.all));
    lines.extend(metrics(runs, options));
    lines.extend(code(runs, options.all));
    lines.extend(inputs(runs, options.all));
    lines
}

fn went(runs: &[Run], options: &CompareOptions) -> Vec<Line> {
    let text =
        |title: &str, of: &dyn Fn(&Run) -> Cell| line(Section::Run, title, runs.iter().map(of).collect());
    let mut lines = vec![
        text("status", &one_run::status_cell),
        text("duration", &|run| run.duration().map(human::duration).unwrap_or_default().into()),
        text("age", &|run| Cell::of(Role::Dim, columns::age(run, options.now))),
    ];
    for (title, of) in [
        ("experiment", (|run: &Run| run.experiment.clone()) as fn(&Run) -> Option<String>),
        ("group", |run| run.group.clone()),
        ("host", |run| run.host.clone()),
        ("user", |run| run.user.clone()),
    ] {
        let told = text(title, &|run| of(run).unwrap_or_default().into());
        let is_known = told.cells.iter().any(|cell| !cell.is_empty());
        lines.extend((told.differs || options.all && is_known).then_some(told));
    }
    lines
}

/// The names of all params, in the order in which they first come.
pub fn param_names(runs: &[Run]) -> Vec<String> {
    let names = runs.iter().flat_map(|run| named_leaves(&run.params)).map(|(name, _)| name);
    names.collect::<IndexSet<_>>().into_iter().collect()
}

/// The params that are told: those that differ, and then the others if all are wanted; each with whether it differs.
pub fn told_params(runs: &[Run], all: bool) -> Vec<(String, bool)> {
    let differing = columns::differing_params(runs);
    let same =
        param_names(runs).into_iter().filter(|name| all && !differing.contains(name)).collect::<Vec<_>>();
    let differing = differing.into_iter().map(|name| (name, true));
    differing.chain(same.into_iter().map(|name| (name, false))).collect()
}

fn params(runs: &[Run], all: bool) -> Vec<Line> {
    let by_run: Vec<HashMap<String, &Value>> =
        runs.iter().map(|run| named_leaves(&run.params).into_iter().collect()).collect();
    let told = told_params(runs, all).into_iter().map(|(name, differs)| {
        let given = || by_run.iter().map(|params| params.get(&name).copied());
        let role = if differs { Role::Plain } else { Role::Dim };
        let cells =
            given().map(|given| Cell::of(role, given.map(value::value).unwrap_or_default())).collect();
        let is_number = given().flatten().all(|given| Number::of(given).is_some());
        Line { section: Section::Params, title: name, cells, differs, is_number }
    });
    told.collect()
}

/// The metrics that are told.
pub fn measured(runs: &[Run], options: &CompareOptions) -> Vec<Measured> {
    let mut names = columns::metric_names(runs, options.primary.as_deref());
    if options.all {
        let every: IndexSet<&String> = runs.iter().flat_map(|run| run.metrics.keys()).collect();
        let more: Vec<String> = every.into_iter().filter(|name| !names.contains(name)).cloned().collect();
        names.extend(more);
    }
    let measured = names.into_iter().map(|name| {
        let goal = columns::goal_of(runs, &name);
        let numbers: Vec<Option<Number>> = runs.iter().map(|run| run.metric(&name)).collect();
        let best = best(&numbers, goal);
        Measured { name, goal, numbers, best }
    });
    measured.collect()
}

/// Which of the numbers are the best, where that is known and they are not all the same.
fn best(numbers: &[Option<Number>], goal: Option<Goal>) -> Vec<bool> {
    let finite = || numbers.iter().flatten().map(|number| number.as_f64()).filter(|number| !number.is_nan());
    let (least, most) = (finite().reduce(f64::min), finite().reduce(f64::max));
    let best = match goal {
        Some(Goal::Min) => least,
        Some(Goal::Max) => most,
        None => None,
    };
    let best = best.filter(|_| least != most);
    numbers.iter().map(|number| best.is_some() && number.map(Number::as_f64) == best).collect()
}

fn metrics(runs: &[Run], options: &CompareOptions) -> Vec<Line> {
    let told = measured(runs, options).into_iter().map(|measured| {
        let first = measured.numbers.first().copied().flatten().filter(|_| options.with_first);
        let numbers = measured.numbers.iter().zip(&measured.best).enumerate();
        let cells: Vec<Cell> = numbers
            .map(|(index, (number, is_best))| {
                let cell = match number {
                    None => Cell::default(),
                    Some(number) if *is_best => {
                        Cell::of(Role::Strong, format!("{}{BEST}", value::number(*number)))
                    }
                    Some(number) => value::number(*number).into(),
                };
                let first = first.filter(|_| index > 0);
                with_difference(cell, first, *number, measured.goal)
            })
            .collect();
        let title = format!("{}{}", measured.name, value::goal_arrow(measured.goal));
        Line { is_number: true, ..line(Section::Metrics, &title, cells) }
    });
    told.collect()
}

fn with_difference(cell: Cell, first: Option<Number>, number: Option<Number>, goal: Option<Goal>) -> Cell {
    let (Some(first), Some(number)) = (first, number) else {
        return cell;
    };
    let difference = number.as_f64() - first.as_f64();
    if !difference.is_finite() || difference == 0.0 {
        return cell;
    }
    let role = match (goal, difference > 0.0) {
        (None, _) => Role::Dim,
        (Some(Goal::Max), true) | (Some(Goal::Min), false) => Role::Good,
        _ => Role::Bad,
    };
    let difference = match (first, number) {
        (Number::Int(first), Number::Int(number)) => Number::Int(number.saturating_sub(first)),
        _ => Number::Float(difference),
    };
    cell.and(role, format!(" ({})", value::signed(difference)))
}

/// What is known of the code: the commits, and the trees where those do not say all.
fn code(runs: &[Run], all: bool) -> Vec<Line> {
    let commit = |run: &Run| match &run.code {
        None => Cell::of(Role::Dim, "not known"),
        Some(code) => commit_cell(code),
    };
    let tree = |run: &Run| {
        let tree = run.code.as_ref().and_then(|code| code.tree.as_deref());
        tree.map_or(Cell::of(Role::Warning, "not kept"), |tree| Cell::of(Role::Id, value::short_oid(tree)))
    };
    if runs.iter().all(|run| run.code.is_none()) {
        return Vec::new();
    }
    let commits = line(Section::Code, "commit", runs.iter().map(commit).collect());
    let trees = match same_tree(runs) {
        // Said in one word, rather than in ids that are to be compared by eye.
        Some(true) => Line {
            cells: runs.iter().map(|_| Cell::of(Role::Dim, "the same")).collect(),
            ..line(Section::Code, "tree", vec![Cell::default(); runs.len()])
        },
        _ => line(Section::Code, "tree", runs.iter().map(tree).collect()),
    };
    let mut lines = vec![commits, trees];
    let branch =
        |run: &Run| run.code.as_ref().and_then(|code| code.branch.clone()).unwrap_or_default().into();
    let branches = line(Section::Code, "branch", runs.iter().map(branch).collect());
    lines.extend((branches.differs || all).then_some(branches));
    lines
}

fn commit_cell(code: &Code) -> Cell {
    let cell = match &code.commit {
        Some(commit) => Cell::of(Role::Id, value::short_oid(commit)),
        None => Cell::from("no commit yet"),
    };
    if code.is_dirty() { cell.and(Role::Plain, ", with changes") } else { cell }
}

/// Whether all runs ran the same tree; absent where that is not known of one.
pub fn same_tree(runs: &[Run]) -> Option<bool> {
    let tree = |run: &Run| run.code.as_ref().and_then(|code| code.tree.clone());
    let trees: Option<Vec<String>> = runs.iter().map(tree).collect();
    Some(trees?.windows(2).all(|pair| pair[0] == pair[1]))
}

/// The inputs that are told: each by name, with what each run has of it, and whether they differ.
pub fn told_inputs(runs: &[Run], all: bool) -> Vec<(String, Vec<Option<&Input>>, bool)> {
    let names: IndexSet<&str> =
        runs.iter().flat_map(|run| &run.inputs).map(|input| input.name.as_str()).collect();
    let told = names.into_iter().map(|name| {
        let named =
            |run: &'_ Run| -> Option<usize> { run.inputs.iter().position(|input| input.name == name) };
        let inputs: Vec<Option<&Input>> =
            runs.iter().map(|run| named(run).map(|place| &run.inputs[place])).collect();
        let content = |input: &Option<&Input>| input.map(content);
        let differs = inputs.windows(2).any(|pair| content(&pair[0]) != content(&pair[1]));
        (name.to_owned(), inputs, differs)
    });
    told.filter(|(_, _, differs)| *differs || all).collect()
}

/// What tells an input from another: its digest, or where there is none its path.
pub fn content(input: &Input) -> String {
    one_run::input_digest(input).unwrap_or_else(|| value::path(&input.path))
}

fn inputs(runs: &[Run], all: bool) -> Vec<Line> {
    let cell = |input: &Option<&Input>| match input {
        None => Cell::default(),
        Some(input) => Cell::from(one_run::short_digest(&content(input)).to_owned()),
    };
    let told = told_inputs(runs, all).into_iter();
    told.map(|(name, inputs, _)| line(Section::Inputs, &name, inputs.iter().map(cell).collect())).collect()
}

fn line(section: Section, title: &str, cells: Vec<Cell>) -> Line {
    let differs = cells.windows(2).any(|pair| pair[0].text() != pair[1].text());
    Line { section, title: title.to_owned(), cells, differs, is_number: false }
}
