//! What differs between two runs, section by section: params, metrics, environment, inputs, command and code.
//!
//! Knows what the runs say of their code; the text of `git diff` comes in as an argument.

pub mod groups;

use std::collections::HashMap;

use serde_json::{Map, Value as Json, json};

use crate::render::style::Role;
use crate::render::{Align, Block, Cell, Column, Keep, Report, Table};
use crate::run::Run;
use crate::run::attempt::{Code, CodeFile, Goal, Input, Number};
use crate::run::value::{Table as Params, Value, named_leaves};
use crate::view::{run as one_run, value};

/// How a difference is shown.
#[derive(Debug, Clone, Default)]
pub struct DiffOptions {
    /// Whether to leave out what is the same within a section that differs.
    pub only_changed: bool,
    /// The text of `git diff` between the two trees.
    pub code: Option<String>,
    /// The text of `git diff --stat` between the two trees.
    pub code_stat: Option<String>,
}

/// The longest text that is compared within a table.
const TEXT_MAX: usize = 60;

/// What differs between two runs; a section is there only if it differs.
pub fn diff(before: &Run, after: &Run, options: &DiffOptions) -> Report {
    let mut report = Report::default();
    report.title(title(before, after));
    let sections = [
        params(before, after, options),
        metrics(before, after, options),
        environment(before, after),
        inputs(before, after, options),
        command(before, after),
        code(before, after, options),
    ];
    report.blocks.extend(sections.into_iter().flatten());
    if report.blocks.len() == 1 {
        report.prose("the same params, metrics, environment, inputs, command and code");
    }
    report
}

/// What differs between two runs as JSON.
pub fn to_json(before: &Run, after: &Run) -> Json {
    json!({
        "format": one_run::FORMAT,
        "before": named_json(before),
        "after": named_json(after),
        "params": values_json(pair_params(&before.params, &after.params)),
        "metrics": metrics_json(before, after),
        "environment": environments(before, after).map_or(json!({}), values_json),
        "inputs": inputs_json(before, after),
        "command": command_json(before, after),
        "code": code_json(before, after),
    })
}

fn title(before: &Run, after: &Run) -> Cell {
    let named = |cell: Cell, run: &Run| {
        let cell = match &run.name {
            Some(name) => cell.and(Role::Heading, name.as_str()).and(Role::Plain, " "),
            None => cell,
        };
        cell.and(Role::Id, run.id.suffix())
    };
    named(named(Cell::default(), before).and(Role::Plain, " → "), after)
}

/// One thing in both runs, or in one of them.
struct Pair<T> {
    name: String,
    before: Option<T>,
    after: Option<T>,
}

impl<T> Pair<T> {
    fn differs(&self, same: impl Fn(&T, &T) -> bool) -> bool {
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => !same(before, after),
            _ => true,
        }
    }

    fn change(&self) -> &'static str {
        match (&self.before, &self.after) {
            (None, _) => "added",
            (_, None) => "removed",
            _ => "changed",
        }
    }
}

/// The things of both, by name: in the order of `before`, then what only `after` has.
fn pair<T>(before: Vec<(String, T)>, after: Vec<(String, T)>) -> Vec<Pair<T>> {
    let mut pairs: Vec<Pair<T>> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for (name, thing) in before {
        places.insert(name.clone(), pairs.len());
        pairs.push(Pair { name, before: Some(thing), after: None });
    }
    for (name, thing) in after {
        match places.get(&name) {
            Some(place) => pairs[*place].after = Some(thing),
            None => pairs.push(Pair { name, before: None, after: Some(thing) }),
        }
    }
    pairs
}

fn pair_params<'a>(before: &'a Params, after: &'a Params) -> Vec<Pair<&'a Value>> {
    pair(named_leaves(before), named_leaves(after))
}

fn same_value(one: &&Value, other: &&Value) -> bool {
    value::same(one, other)
}

fn changed<T>(pairs: Vec<Pair<T>>, same: impl Fn(&T, &T) -> bool) -> Vec<Pair<T>> {
    pairs.into_iter().filter(|pair| pair.differs(&same)).collect()
}

fn params(before: &Run, after: &Run, options: &DiffOptions) -> Vec<Block> {
    values("Params", pair_params(&before.params, &after.params), options.only_changed)
}

/// A section that compares values side by side, and below them what is too long for that.
fn values(heading: &str, pairs: Vec<Pair<&Value>>, only_changed: bool) -> Vec<Block> {
    if !pairs.iter().any(|pair| pair.differs(same_value)) {
        return Vec::new();
    }
    let mut table = Table::new(vec![Column::new("name"), Column::new("before"), Column::new("after")]);
    let mut texts = Vec::new();
    for pair in &pairs {
        match pair.differs(same_value) {
            false if only_changed => {}
            false => table.rows.push(vec![
                Cell::of(Role::Dim, pair.name.as_str()),
                Cell::of(Role::Dim, shown(&pair.before)),
                Cell::of(Role::Dim, shown(&pair.after)),
            ]),
            true => match text_diff(pair) {
                Some(text) => texts.push(Block::Verbatim(text)),
                None => table.rows.push(sides(pair.name.as_str(), shown(&pair.before), shown(&pair.after))),
            },
        }
    }
    let mut blocks = vec![Block::Heading(heading.into())];
    if !table.rows.is_empty() {
        blocks.push(Block::Table(table));
    }
    blocks.extend(texts);
    blocks
}

fn sides(name: &str, before: String, after: String) -> Vec<Cell> {
    vec![name.into(), Cell::of(Role::Removed, before), Cell::of(Role::Added, after)]
}

fn shown(side: &Option<&Value>) -> String {
    side.map(value::value).unwrap_or_default()
}

/// How two long values differ, line by line.
fn text_diff(pair: &Pair<&Value>) -> Option<String> {
    let (before, after) = (value::exact(pair.before?), value::exact(pair.after?));
    let is_long = |text: &str| text.contains('\n') || text.chars().count() > TEXT_MAX;
    if !is_long(&before) && !is_long(&after) {
        return None;
    }
    let diff = similar::TextDiff::from_lines(&before, &after);
    let mut unified = diff.unified_diff();
    let (old, new) = (format!("before: {}", pair.name), format!("after: {}", pair.name));
    Some(unified.context_radius(3).header(&old, &new).missing_newline_hint(false).to_string())
}

fn metrics(before: &Run, after: &Run, options: &DiffOptions) -> Vec<Block> {
    let pairs = pair_metrics(before, after);
    if !pairs.iter().any(|pair| pair.differs(same_number)) {
        return Vec::new();
    }
    let number = |title: &str| Column::new(title).align(Align::Decimal);
    let mut table = Table::new(vec![
        Column::new("name"),
        number("before"),
        number("after"),
        number("difference").rank(1),
        number("per cent").rank(2),
        Column::new(""),
    ]);
    for pair in pairs {
        match pair.differs(same_number) {
            true => table.rows.push(metric_row(&pair, goal(before, after, &pair.name))),
            false if options.only_changed => {}
            false => {
                let [one, other] = [pair.before, pair.after]
                    .map(|side| Cell::of(Role::Dim, side.map(value::number).unwrap_or_default()));
                let mut row = vec![Cell::of(Role::Dim, pair.name), one, other];
                row.resize(6, Cell::default());
                table.rows.push(row);
            }
        }
    }
    vec![Block::Heading("Metrics".into()), Block::Table(table)]
}

fn pair_metrics(before: &Run, after: &Run) -> Vec<Pair<Number>> {
    let of = |run: &Run| {
        let names = run.metrics.keys();
        names.filter_map(|name| Some((name.clone(), run.metric(name)?))).collect::<Vec<_>>()
    };
    pair(of(before), of(after))
}

fn same_number(one: &Number, other: &Number) -> bool {
    value::same_number(*one, *other)
}

fn goal(before: &Run, after: &Run, name: &str) -> Option<Goal> {
    after.goal(name).or_else(|| before.goal(name))
}

fn metric_row(pair: &Pair<Number>, goal: Option<Goal>) -> Vec<Cell> {
    let mut sides = [pair.before, pair.after].map(|side| side.map(value::number).unwrap_or_default());
    // Numbers that differ must be seen to.
    if sides[0] == sides[1] {
        sides = [pair.before, pair.after].map(|side| side.map(value::exact_number).unwrap_or_default());
    }
    let difference = difference(pair);
    let (arrow, role) = verdict(difference, goal);
    let [before, after] = sides;
    vec![
        pair.name.as_str().into(),
        before.into(),
        after.into(),
        difference.map(value::signed).unwrap_or_default().into(),
        percent(pair).map(percent_text).unwrap_or_default().into(),
        Cell::of(role, arrow),
    ]
}

fn difference(pair: &Pair<Number>) -> Option<Number> {
    match (pair.before?, pair.after?) {
        (Number::Int(before), Number::Int(after)) => after.checked_sub(before).map(Number::Int),
        (before, after) => {
            Some(Number::Float(after.as_f64() - before.as_f64())).filter(|number| number.as_f64().is_finite())
        }
    }
}

/// The difference in per cent of what was; of nothing there is none.
fn percent(pair: &Pair<Number>) -> Option<f64> {
    let percent = difference(pair)?.as_f64() / pair.before?.as_f64().abs() * 100.0;
    percent.is_finite().then_some(percent)
}

fn percent_text(percent: f64) -> String {
    match percent.abs() {
        extreme if !(0.1..1e6).contains(&extreme) => {
            format!("{}%", value::signed(Number::Float(percent)))
        }
        large if large >= 1000.0 => format!("{percent:+.0}%"),
        _ => format!("{percent:+.1}%"),
    }
}

/// An arrow, and whether that is better, where the goal is known.
fn verdict(difference: Option<Number>, goal: Option<Goal>) -> (String, Role) {
    let Some(difference) = difference.map(Number::as_f64).filter(|difference| *difference != 0.0) else {
        return (String::new(), Role::Plain);
    };
    let arrow = if difference > 0.0 { "↑" } else { "↓" };
    match is_better(difference, goal) {
        None => (arrow.to_owned(), Role::Plain),
        Some(true) => (format!("{arrow} better"), Role::Good),
        Some(false) => (format!("{arrow} worse"), Role::Bad),
    }
}

fn is_better(difference: f64, goal: Option<Goal>) -> Option<bool> {
    match goal? {
        Goal::Max => Some(difference > 0.0),
        Goal::Min => Some(difference < 0.0),
    }
}

/// What differs of the environments; of one that is not known nothing can be said.
fn environments<'a>(before: &'a Run, after: &'a Run) -> Option<Vec<Pair<&'a Value>>> {
    let of = |run: &'a Run| -> Option<Vec<(String, &'a Value)>> {
        let leaves = named_leaves(run.environment.as_ref()?);
        Some(leaves.into_iter().filter(|(name, _)| name != "format").collect())
    };
    Some(changed(pair(of(before)?, of(after)?), same_value))
}

fn environment(before: &Run, after: &Run) -> Vec<Block> {
    let mut pairs = environments(before, after).unwrap_or_default();
    for pair in &mut pairs {
        if let Some(package) = pair.name.strip_prefix("packages.") {
            pair.name = package.to_owned();
        }
    }
    values("Environment", pairs, true)
}

fn pair_inputs<'a>(before: &'a Run, after: &'a Run) -> Vec<Pair<&'a Input>> {
    let of = |run: &'a Run| run.inputs.iter().map(|input| (input.name.clone(), input)).collect::<Vec<_>>();
    pair(of(before), of(after))
}

/// By digest, or where there is none by path and size.
fn same_input(one: &&Input, other: &&Input) -> bool {
    match (one_run::input_digest(one), one_run::input_digest(other)) {
        (Some(one), Some(other)) => one == other,
        (None, None) => (&one.path, one.size) == (&other.path, other.size),
        _ => false,
    }
}

fn inputs(before: &Run, after: &Run, options: &DiffOptions) -> Vec<Block> {
    let pairs = pair_inputs(before, after);
    if !pairs.iter().any(|pair| pair.differs(same_input)) {
        return Vec::new();
    }
    let side = |input: &Option<&Input>| match input {
        None => String::new(),
        Some(input) => match one_run::input_digest(input) {
            Some(digest) => format!("{} {}", value::path(&input.path), one_run::short_digest(&digest)),
            None => value::path(&input.path),
        },
    };
    let columns = ["before", "after"].map(|title| Column::new(title).keep(Keep::End));
    let mut table = Table::new(std::iter::once(Column::new("name")).chain(columns).collect());
    for pair in pairs {
        match pair.differs(same_input) {
            true => table.rows.push(sides(&pair.name, side(&pair.before), side(&pair.after))),
            false if options.only_changed => {}
            false => table.rows.push(
                [pair.name.clone(), side(&pair.before), side(&pair.after)]
                    .map(|text| Cell::of(Role::Dim, text))
                    .to_vec(),
            ),
        }
    }
    vec![Block::Heading("Inputs".into()), Block::Table(table)]
}

fn command(before: &Run, after: &Run) -> Vec<Block> {
    match before.command == after.command {
        true => Vec::new(),
        false => vec![
            Block::Heading("Command".into()),
            Block::Fields(vec![
                ("before".to_owned(), Cell::of(Role::Removed, value::shell(&before.command))),
                ("after".to_owned(), Cell::of(Role::Added, value::shell(&after.command))),
            ]),
        ],
    }
}

/// Whether both ran the same tree; absent if that is not known.
fn same_tree(before: &Run, after: &Run) -> Option<bool> {
    let tree = |run: &Run| run.code.as_ref().and_then(|code| code.tree.clone());
    Some(tree(before)? == tree(after)?)
}

fn code_differs(before: &Run, after: &Run) -> bool {
    let of = |run: &Run| {
        let code = run.code.clone().unwrap_or_default();
        (code.commit, code.tree, code.snapshot)
    };
    // Where a tree is not known, equal commits do not make equal code.
    let is_unknown = |run: &Run| run.code.as_ref().is_some_and(|code| code.tree.is_none());
    of(before) != of(after) || is_unknown(before) || is_unknown(after)
}

fn code(before: &Run, after: &Run, options: &DiffOptions) -> Vec<Block> {
    let texts = [&options.code_stat, &options.code].into_iter().flatten();
    let texts: Vec<Block> =
        texts.filter(|text| !text.trim().is_empty()).cloned().map(Block::Verbatim).collect();
    if !code_differs(before, after) && texts.is_empty() {
        return Vec::new();
    }
    let mut fields = vec![
        ("before".to_owned(), state(before.code.as_ref())),
        ("after".to_owned(), state(after.code.as_ref())),
    ];
    fields.push((
        "trees".to_owned(),
        match same_tree(before, after) {
            Some(true) => "the same".into(),
            Some(false) => "differ".into(),
            None => Cell::of(Role::Warning, "not known: changes were not kept"),
        },
    ));
    let files: Vec<String> =
        changed_files(before, after).iter().map(|pair| format!("{} {}", pair.change(), pair.name)).collect();
    if !files.is_empty() {
        fields.push(("files".to_owned(), files.join("\n").into()));
    }
    let mut blocks = vec![Block::Heading("Code".into()), Block::Fields(fields)];
    blocks.extend(texts);
    blocks
}

fn state(code: Option<&Code>) -> Cell {
    let Some(code) = code else {
        return Cell::of(Role::Dim, "not known");
    };
    let mut cell = match &code.commit {
        Some(commit) => Cell::of(Role::Id, value::short_oid(commit)),
        None => Cell::from("no commit yet"),
    };
    if let Some(branch) = &code.branch {
        cell = cell.and(Role::Plain, format!(" on {branch}"));
    }
    if code.is_dirty() { cell.and(Role::Plain, ", with changes") } else { cell }
}

/// The files that differ, as far as the runs themselves say: against one commit, what each had changed.
fn changed_files<'a>(before: &'a Run, after: &'a Run) -> Vec<Pair<&'a CodeFile>> {
    let (Some(one), Some(other)) = (&before.code, &after.code) else {
        return Vec::new();
    };
    if one.commit != other.commit {
        return Vec::new();
    }
    let of = |code: &'a Code| {
        let files = code.changed.iter().chain(&code.untracked);
        files.map(|file| (value::path(&file.path), file)).collect::<Vec<_>>()
    };
    changed(pair(of(one), of(other)), |one, other| one.blob == other.blob)
}

fn named_json(run: &Run) -> Json {
    json!({"id": run.id.as_str(), "name": run.name})
}

fn object<T>(pairs: Vec<Pair<T>>, json: impl Fn(&Pair<T>) -> Json) -> Json {
    Json::Object(pairs.iter().map(|pair| (pair.name.clone(), json(pair))).collect::<Map<_, _>>())
}

fn side_json<T>(side: &Option<T>, json: impl Fn(&T) -> Json) -> Json {
    side.as_ref().map_or(Json::Null, json)
}

fn values_json(pairs: Vec<Pair<&Value>>) -> Json {
    object(changed(pairs, same_value), |pair| {
        let side = |side| side_json(side, |given: &&Value| value::to_json(given));
        json!({"change": pair.change(), "before": side(&pair.before), "after": side(&pair.after)})
    })
}

fn metrics_json(before: &Run, after: &Run) -> Json {
    object(changed(pair_metrics(before, after), same_number), |pair| {
        let side = |side| side_json(side, |number: &Number| value::number_json(*number));
        let goal = goal(before, after, &pair.name);
        let difference = difference(pair);
        json!({
            "change": pair.change(),
            "before": side(&pair.before),
            "after": side(&pair.after),
            "difference": side(&difference),
            "percent": side(&percent(pair).map(Number::Float)),
            "goal": goal.map(Goal::as_str),
            "better": difference.and_then(|difference| is_better(difference.as_f64(), goal)),
        })
    })
}

fn inputs_json(before: &Run, after: &Run) -> Json {
    object(changed(pair_inputs(before, after), same_input), |pair| {
        let side = |side| side_json(side, |input: &&Input| one_run::input_json(input));
        json!({"change": pair.change(), "before": side(&pair.before), "after": side(&pair.after)})
    })
}

fn command_json(before: &Run, after: &Run) -> Json {
    let side = |run: &Run| run.command.iter().map(value::to_json).collect::<Vec<_>>();
    match before.command == after.command {
        true => Json::Null,
        false => json!({"before": side(before), "after": side(after)}),
    }
}

fn code_json(before: &Run, after: &Run) -> Json {
    if !code_differs(before, after) {
        return Json::Null;
    }
    let files = object(changed_files(before, after), |pair| {
        let side = |side| side_json(side, |file: &&CodeFile| json!(file.blob));
        json!({"before": side(&pair.before), "after": side(&pair.after)})
    });
    json!({
        "before": one_run::code_json(before.code.as_ref()),
        "after": one_run::code_json(after.code.as_ref()),
        "same_tree": same_tree(before, after),
        "files": files,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::render::terminal::{Terminal, write};
    use crate::view::sample::{table, training, whole, with_changes};

    fn pair_of_runs() -> (Run, Run) {
        let mut one = training(1, 0.1, 0.9);
        one.params.insert("prompt".into(), "a\nb\nc\n".into());
        one.metrics.shift_remove("images");
        let mut other = with_changes(training(2, 0.05, 0.95));
        other.params.insert("prompt".into(), "a\nB\nc\n".into());
        other.params.insert("seed".into(), Value::Int(7));
        other.command.push("--quiet".into());
        let input = Input {
            name: "digits".into(),
            path: "data/digits.csv".into(),
            kind: "file".into(),
            sha256: Some("b".repeat(64)),
            digest: None,
            size: Some(1000),
            files: None,
        };
        one.inputs.push(Input { sha256: Some("c".repeat(64)), ..input.clone() });
        other.inputs.push(input);
        (
            whole(one, table([("numpy", "2.0.0".into()), ("six", "1.0".into())]), &[]),
            whole(other, table([("numpy", "2.1.0".into()), ("six", "1.0".into())]), &[]),
        )
    }

    fn shown(before: &Run, after: &Run, options: &DiffOptions) -> String {
        write(&diff(before, after, options), &Terminal { width: 100, colour: false })
    }

    #[test]
    fn each_section_that_differs() {
        let (before, after) = pair_of_runs();
        insta::assert_snapshot!(shown(&before, &after, &DiffOptions::default()), @r#"
        quiet-otter-1 b1111111 → quiet-otter-2 c2222222

        Params
          name            before  after
          lr              0.1     0.05
          epochs          20      20
          model.depth     3       3
          model."act.fn"  relu    relu
          seed                    7
        --- before: prompt
        +++ after: prompt
        @@ -1,3 +1,3 @@
         a
        -b
        +B
         c

        Metrics
          name      before    after  difference  per cent
          loss       nan     nan
          accuracy     0.9     0.95       +0.05     +5.6%  ↑ better
          images            1797

        Environment
          name   before  after
          numpy  2.0.0   2.1.0

        Inputs
          name    before                        after
          digits  data/digits.csv cccccccccccc  data/digits.csv bbbbbbbbbbbb

        Command
          before  python3 train.py '--note=two words'
          after   python3 train.py '--note=two words' --quiet

        Code
          before  1111111111 on main
          after   1111111111 on main, with changes
          trees   differ
          files   added train.py
        "#);
    }

    #[test]
    fn only_what_changed_and_the_code() {
        let (before, after) = pair_of_runs();
        let options = DiffOptions {
            only_changed: true,
            code: Some("diff --git a/train.py b/train.py\n-a\n+b\n".into()),
            code_stat: None,
        };
        let text = shown(&before, &after, &options);
        assert!(!text.contains("epochs"), "{text}");
        assert!(text.ends_with("-a\n+b\n"), "{text}");
    }

    #[test]
    fn as_json() {
        let (before, after) = pair_of_runs();
        insta::assert_snapshot!(serde_json::to_string_pretty(&to_json(&before, &after)).unwrap(), @r#"
        {
          "format": 1,
          "before": {
            "id": "20260102-130000-b1111111",
            "name": "quiet-otter-1"
          },
          "after": {
            "id": "20260102-140000-c2222222",
            "name": "quiet-otter-2"
          },
          "params": {
            "lr": {
              "change": "changed",
              "before": 0.1,
              "after": 0.05
            },
            "prompt": {
              "change": "changed",
              "before": "a\nb\nc\n",
              "after": "a\nB\nc\n"
            },
            "seed": {
              "change": "added",
              "before": null,
              "after": 7
            }
          },
          "metrics": {
            "accuracy": {
              "change": "changed",
              "before": 0.9,
              "after": 0.95,
              "difference": 0.04999999999999993,
              "percent": 5.555555555555548,
              "goal": "max",
              "better": true
            },
            "images": {
              "change": "added",
              "before": null,
              "after": 1797,
              "difference": null,
              "percent": null,
              "goal": null,
              "better": null
            }
          },
          "environment": {
            "packages.numpy": {
              "change": "changed",
              "before": "2.0.0",
              "after": "2.1.0"
            }
          },
          "inputs": {
            "digits": {
              "change": "changed",
              "before": {
                "name": "digits",
                "path": "data/digits.csv",
                "sha256": "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc",
                "size": 1000
              },
              "after": {
                "name": "digits",
                "path": "data/digits.csv",
                "sha256": "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
                "size": 1000
              }
            }
          },
          "command": {
            "before": [
              "python3",
              "train.py",
              "--note=two words"
            ],
            "after": [
              "python3",
              "train.py",
              "--note=two words",
              "--quiet"
            ]
          },
          "code": {
            "before": {
              "commit": "1111111111111111111111111111111111111111",
              "tree": "2222222222222222222222222222222222222222",
              "snapshot": null,
              "branch": "main",
              "dirty": false,
              "changed": [],
              "untracked": [],
              "left_out": []
            },
            "after": {
              "commit": "1111111111111111111111111111111111111111",
              "tree": "3333333333333333333333333333333333333333",
              "snapshot": "4444444444444444444444444444444444444444",
              "branch": "main",
              "dirty": true,
              "changed": [
                {
                  "path": "train.py",
                  "blob": "5555555555555555555555555555555555555555"
                }
              ],
              "untracked": [],
              "left_out": [
                {
                  "path": ".env",
                  "reason": "looks like a secret",
                  "size": 12
                }
              ]
            },
            "same_tree": false,
            "files": {
              "train.py": {
                "before": null,
                "after": "5555555555555555555555555555555555555555"
              }
            }
          }
        }
        "#);
    }

    #[test]
    fn long_values_are_compared_line_by_line() {
        let long = |end: &str| Value::from(format!("{} {end}", "x".repeat(TEXT_MAX)));
        let (one, other) = (long("a"), long("b"));
        let pair = Pair { name: "prompt".to_owned(), before: Some(&one), after: Some(&other) };
        insta::assert_snapshot!(text_diff(&pair).unwrap(), @"
        --- before: prompt
        +++ after: prompt
        @@ -1 +1 @@
        -xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx a
        +xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx b
        ");
    }

    #[test]
    fn a_run_differs_in_nothing_from_itself() {
        let (run, _) = pair_of_runs();
        insta::assert_snapshot!(shown(&run, &run, &DiffOptions::default()), @"
        quiet-otter-1 b1111111 → quiet-otter-1 b1111111
        the same params, metrics, environment, inputs, command and code
        ");
    }
}
