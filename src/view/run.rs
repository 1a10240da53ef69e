//! One run: everything of it for people, and the JSON that `docs/json.md` promises.
//!
//! The keys of the JSON and their order are a contract: they are written here one by one, and none is ever left out.

use std::collections::BTreeSet;

use indexmap::IndexMap;
use serde_json::{Map, Value as Json, json};

use crate::human;
use crate::render::style::Role;
use crate::render::{Align, Block, Cell, Column, Keep, Report, Table};
use crate::run::attempt::{Code, CodeFile, Facts, Input, LeftOut, MACHINE, Number, Status, Summary};
use crate::run::id::Time;
use crate::run::value::{Table as Params, Value, named_leaves};
use crate::run::{Note, OwnedPointer, Run};
use crate::view::history::{self, Commit};
use crate::view::value;

/// The version of the JSON contract.
pub const FORMAT: i64 = 1;

/// How a run is shown.
#[derive(Debug, Clone)]
pub struct ShowOptions {
    /// The moment that ages are counted from.
    pub now: Time,
    /// Whether to tell who changed what, when.
    pub history: bool,
    /// The commits of its record, newest first, for the history.
    pub commits: Vec<Commit>,
    /// The text of `git diff` to put at the end.
    pub code: Option<String>,
    /// The digests of artifacts whose bytes are in this clone.
    pub here: BTreeSet<String>,
}

/// Everything of one run.
pub fn show(run: &Run, options: &ShowOptions) -> Report {
    let mut report = Report::default();
    report.title(title(run));
    if let Some(stone) = &run.tombstone {
        let by = format!("purged by {} on {}: {}", stone.by, value::time(stone.at), stone.why);
        report.prose(Cell::of(Role::Warning, by));
        return report;
    }
    if !run.disputed.is_empty() {
        report.prose(Cell::of(Role::Warning, disputed(run)));
    }
    report.blocks.push(Block::Fields(overview(run, options.now)));
    params(&mut report, run);
    metrics(&mut report, run);
    notes(&mut report, run);
    inputs(&mut report, run);
    artifacts(&mut report, run, &options.here);
    attempts(&mut report, run, options.now);
    machine(&mut report, run);
    if options.history {
        report.blocks.extend(history::blocks(run, &options.commits));
    }
    if let Some(diff) = &options.code {
        report.section("Changes to the code", code_diff(diff));
    }
    report
}

/// How a run stands, in its colour.
pub fn status_cell(run: &Run) -> Cell {
    match run.tombstone {
        Some(_) => Cell::of(Role::Dim, "purged"),
        None => Cell::of(status_role(run.status), run.status.as_str()),
    }
}

fn status_role(status: Status) -> Role {
    match status {
        Status::Finished => Role::Good,
        Status::Unknown => Role::Dim,
        Status::Failed | Status::Killed | Status::Crashed => Role::Bad,
        Status::Running => Role::Running,
    }
}

fn title(run: &Run) -> Cell {
    match &run.name {
        Some(name) => {
            Cell::of(Role::Heading, name.as_str()).and(Role::Plain, "  ").and(Role::Id, run.id.as_str())
        }
        None => Cell::of(Role::Id, run.id.as_str()),
    }
}

fn disputed(run: &Run) -> String {
    format!(
        "warning: copies of this run disagree about {}; one of each is shown, the others are kept in its record",
        run.disputed.join(", ")
    )
}

fn code_diff(diff: &str) -> Block {
    match diff.trim().is_empty() {
        true => Block::Prose("none".into()),
        false => Block::Verbatim(diff.to_owned()),
    }
}

fn overview(run: &Run, now: Time) -> Vec<(String, Cell)> {
    let mut fields = Fields::default();
    fields.put("Status", full_status(run));
    fields.text("Experiment", run.experiment.clone());
    fields.put("Started", started(run, now));
    fields.text("By", by(run));
    fields.text("Group", run.group.clone());
    fields.text("Parent", run.parent.clone());
    fields.text("Key", run.key.clone());
    fields.text("Command", (!run.command.is_empty()).then(|| value::shell(&run.command)));
    fields.text("Folder", run.cwd.as_ref().map(value::path).filter(|path| path != "."));
    fields.put("Code", run.code.as_ref().map(code_cell).unwrap_or_default());
    fields.put("Tags", Cell::of(Role::Tag, run.tags.join(", ")));
    fields.0
}

/// Labels and values; a value that is empty is no field.
#[derive(Default)]
struct Fields(Vec<(String, Cell)>);

impl Fields {
    fn put(&mut self, label: &str, cell: Cell) {
        if !cell.is_empty() {
            self.0.push((label.to_owned(), cell));
        }
    }

    fn text(&mut self, label: &str, text: Option<String>) {
        self.put(label, text.unwrap_or_default().into());
    }
}

fn full_status(run: &Run) -> Cell {
    let mut cell = status_cell(run);
    let how = match (&run.signal, run.exit_code) {
        (Some(signal), _) => Some(format!(" by {signal}")),
        (None, Some(code)) if code != 0 => Some(format!(" with exit code {code}")),
        _ => None,
    };
    if let Some(how) = how {
        cell = cell.and(Role::Plain, how);
    }
    match run.deleted {
        true => cell.and(Role::Warning, ", deleted"),
        false => cell,
    }
}

fn started(run: &Run, now: Time) -> Cell {
    let Some(started) = run.started else {
        return Cell::default();
    };
    let age = human::age(now.seconds() - started.seconds());
    let cell = Cell::from(format!("{}, {age} ago", value::time(started)));
    match run.ended {
        Some(ended) => {
            let took = human::duration(value::seconds_between(started, ended));
            cell.and(Role::Plain, format!(", took {took}"))
        }
        None => cell,
    }
}

fn by(run: &Run) -> Option<String> {
    match (&run.user, &run.host) {
        (Some(user), Some(host)) => Some(format!("{user} on {host}")),
        (Some(one), None) | (None, Some(one)) => Some(one.clone()),
        (None, None) => None,
    }
}

fn code_cell(code: &Code) -> Cell {
    let mut cell = match &code.commit {
        Some(commit) => Cell::of(Role::Id, value::short_oid(commit)),
        None => Cell::from("no commit yet"),
    };
    if let Some(branch) = &code.branch {
        cell = cell.and(Role::Plain, format!(" on {branch}"));
    }
    cell = match (&code.snapshot, code.is_dirty()) {
        (Some(snapshot), _) => {
            cell.and(Role::Plain, ", with changes kept in ").and(Role::Id, value::short_oid(snapshot))
        }
        (None, true) => cell.and(Role::Warning, ", with changes that were not kept"),
        (None, false) => cell,
    };
    let path = |file: &CodeFile| match file.blob {
        Some(_) => value::path(&file.path),
        None => format!("{} (deleted)", value::path(&file.path)),
    };
    let left_out = |file: &LeftOut| format!("{} ({})", value::path(&file.path), file.reason);
    let lines = [
        some_of("changed", code.changed.iter().map(path), code.changed_count),
        some_of("untracked", code.untracked.iter().map(path), code.untracked_count),
        some_of("left out", code.left_out.iter().map(left_out), code.left_out_count),
    ];
    lines.into_iter().flatten().fold(cell, |cell, line| cell.and(Role::Plain, format!("\n{line}")))
}

/// The first of many, and how many more there are.
fn some_of(label: &str, listed: impl ExactSizeIterator<Item = String>, count: u64) -> Option<String> {
    const SHOWN: usize = 5;
    let count = count.max(listed.len() as u64);
    let shown: Vec<String> = listed.take(SHOWN).collect();
    let more = count - shown.len() as u64;
    match (count, more) {
        (0, _) => None,
        (_, 0) => Some(format!("{label}: {}", shown.join(", "))),
        (_, _) if shown.is_empty() => Some(format!("{label}: {count} files")),
        _ => Some(format!("{label}: {} and {more} more", shown.join(", "))),
    }
}

fn params(report: &mut Report, run: &Run) {
    let fields: Vec<(String, Cell)> = named_leaves(&run.params)
        .into_iter()
        .map(|(name, given)| (name, value::value(given).into()))
        .collect();
    if !fields.is_empty() {
        report.section("Params", Block::Fields(fields));
    }
}

fn metrics(report: &mut Report, run: &Run) {
    let metrics: Vec<_> = run.metrics.iter().filter(|(name, _)| !name.starts_with(MACHINE)).collect();
    if metrics.is_empty() {
        return;
    }
    let is_plain = |summary: &Summary| summary.count == 1 && summary.last_step.is_none();
    let number = |title: &str| Column::new(title).align(Align::Decimal);
    // Without steps there is nothing but the value to tell.
    let mut table = match metrics.iter().all(|(_, summary)| is_plain(summary)) {
        true => Table::new(vec![Column::new("name"), number("value")]),
        false => Table::new(vec![
            Column::new("name"),
            number("last"),
            number("min"),
            number("at").rank(3),
            number("max"),
            number("at").rank(2),
            number("points").rank(1),
            number("nan or inf").rank(1),
        ]),
    };
    for (name, summary) in &metrics {
        let mut row = vec![metric_name(run, name), value::number(summary.last).into()];
        if table.columns.len() > 2 && !is_plain(summary) {
            let step =
                |step: Option<Number>| Cell::of(Role::Dim, step.map(value::number).unwrap_or_default());
            row.extend([value::number(summary.min).into(), step(summary.min_step)]);
            row.extend([value::number(summary.max).into(), step(summary.max_step)]);
            row.push(summary.count.to_string().into());
            row.push(Cell::of(
                Role::Warning,
                if summary.nonfinite > 0 { summary.nonfinite.to_string() } else { String::new() },
            ));
        }
        row.resize(table.columns.len(), Cell::default());
        table.rows.push(row);
    }
    if metrics.iter().all(|(_, summary)| summary.nonfinite == 0) && table.columns.len() > 2 {
        table.columns.pop();
    }
    report.section("Metrics", Block::Table(table));
}

/// What the run took of the machine, in the units of people.
fn machine(report: &mut Report, run: &Run) {
    let of_machine =
        run.metrics.iter().filter_map(|(name, summary)| Some((name.strip_prefix(MACHINE)?, summary)));
    let columns = ["name", "last", "max"].map(Column::new);
    let mut table = Table::new(columns.into());
    for (name, summary) in of_machine {
        let definition = run.definitions.get(&format!("{MACHINE}{name}"));
        let unit = definition.and_then(|definition| definition.unit.as_deref());
        let most = if summary.count > 1 { value::with_unit(summary.max, unit) } else { String::new() };
        table.rows.push(vec![name.into(), value::with_unit(summary.last, unit).into(), most.into()]);
    }
    if !table.rows.is_empty() {
        report.section("Machine", Block::Table(table));
    }
}

fn metric_name(run: &Run, name: &str) -> Cell {
    let cell = Cell::from(format!("{name}{}", value::goal_arrow(run.goal(name))));
    match run.definitions.get(name).and_then(|definition| definition.unit.as_ref()) {
        Some(unit) => cell.and(Role::Dim, format!(" ({unit})")),
        None => cell,
    }
}

fn notes(report: &mut Report, run: &Run) {
    let field = |note: &Note| {
        let said = [note.at.map(value::time), note.by.clone()];
        let said: Vec<String> = said.into_iter().flatten().collect();
        let cell = Cell::from(note.text.as_str()).and(Role::Dim, format!("\n{}", said.join(", ")));
        (note.id.clone(), cell)
    };
    if !run.notes.is_empty() {
        report.section("Notes", Block::Fields(run.notes.iter().map(field).collect()));
    }
}

fn inputs(report: &mut Report, run: &Run) {
    if run.inputs.is_empty() {
        return;
    }
    let mut table = Table::new(vec![
        Column::new("name"),
        Column::new("path").keep(Keep::End),
        Column::new("size").align(Align::Right).rank(2),
        Column::new("digest").rank(1),
    ]);
    table.rows = run.inputs.iter().map(input_row).collect();
    report.section("Inputs", Block::Table(table));
}

fn input_row(input: &Input) -> Vec<Cell> {
    let size = input.size.map(human::size).unwrap_or_default();
    let size = match input.files {
        Some(files) => format!("{files} files, {size}"),
        None => size,
    };
    let digest = input_digest(input).map(|digest| short_digest(&digest).to_owned()).unwrap_or_default();
    vec![
        input.name.as_str().into(),
        value::path(&input.path).into(),
        size.into(),
        Cell::of(Role::Dim, digest),
    ]
}

/// The digest by which an input is told from another.
pub fn input_digest(input: &Input) -> Option<String> {
    input.sha256.clone().or_else(|| input.digest.clone())
}

/// The beginning of a digest, by which people tell it apart.
pub fn short_digest(digest: &str) -> &str {
    match digest.split_once(':') {
        Some((kind, hex)) => digest.get(..kind.len() + 1 + hex.len().min(12)).unwrap_or(digest),
        None => digest.get(..12).unwrap_or(digest),
    }
}

fn artifacts(report: &mut Report, run: &Run, here: &BTreeSet<String>) {
    if run.artifacts.is_empty() {
        return;
    }
    let mut table = Table::new(vec![
        Column::new("path").keep(Keep::End),
        Column::new("size").align(Align::Right),
        Column::new("sha256").rank(1),
        Column::new("where").rank(2),
        Column::new("id").rank(3),
    ]);
    table.rows = run.artifacts.iter().map(|artifact| artifact_row(artifact, here)).collect();
    report.section("Artifacts", Block::Table(table));
}

fn artifact_row(artifact: &OwnedPointer, here: &BTreeSet<String>) -> Vec<Cell> {
    let pointer = &artifact.pointer;
    let place = match (pointer.inline, here.contains(&pointer.sha256)) {
        (true, _) => "inline".into(),
        (false, true) => "here".into(),
        (false, false) => Cell::of(Role::Dim, "not here"),
    };
    vec![
        value::path(&pointer.path).into(),
        human::size(pointer.size).into(),
        Cell::of(Role::Dim, short_digest(&pointer.sha256)),
        place,
        Cell::of(Role::Dim, artifact.id.as_str()),
    ]
}

fn attempts(report: &mut Report, run: &Run, now: Time) {
    if run.attempts.len() < 2 {
        return;
    }
    let mut table = Table::new(vec![
        Column::new("attempt"),
        Column::new("status"),
        Column::new("started").rank(2),
        Column::new("took").align(Align::Right).rank(3),
        Column::new("host").rank(4),
        Column::new("params changed").rank(1),
    ]);
    let mut known: IndexMap<String, &Value> = IndexMap::new();
    for (index, facts) in run.attempts.iter().enumerate() {
        let given = named_leaves(&facts.params);
        let changed = if index == 0 { String::new() } else { changed_params(&known, &given) };
        known.extend(given);
        table.rows.push(attempt_row(facts, changed, now));
    }
    report.section("Attempts", Block::Table(table));
}

fn attempt_row(facts: &Facts, changed: String, now: Time) -> Vec<Cell> {
    let end = facts.ended.or((facts.status == Status::Running).then_some(now));
    let took = facts.started.zip(end).map(|(from, to)| human::duration(value::seconds_between(from, to)));
    vec![
        Cell::of(Role::Id, facts.attempt.as_ref().map(ToString::to_string).unwrap_or_default()),
        Cell::of(status_role(facts.status), facts.status.as_str()),
        facts.started.map(value::time).unwrap_or_default().into(),
        took.unwrap_or_default().into(),
        facts.host.clone().unwrap_or_default().into(),
        changed.into(),
    ]
}

fn changed_params(known: &IndexMap<String, &Value>, given: &[(String, &Value)]) -> String {
    let changes = given.iter().filter_map(|(name, new)| match known.get(name) {
        Some(old) if value::same(old, new) => None,
        Some(old) => Some(format!("{name} {} → {}", value::value(old), value::value(new))),
        None => Some(format!("{name} = {}", value::value(new))),
    });
    changes.collect::<Vec<_>>().join(", ")
}

/// The whole run as JSON.
pub fn to_json(run: &Run) -> Json {
    let mut object = common_json(run);
    object.insert("artifacts".into(), run.artifacts.iter().map(artifact_json).collect());
    object.insert("attempts".into(), run.attempts.iter().map(attempt_json).collect());
    end_json(&mut object, run);
    let environment = run.environment.clone().unwrap_or_default();
    object.insert("environment".into(), value::table_json(&without_format(environment)));
    Json::Object(object)
}

/// The run as JSON without environment and artifacts, for lists.
pub fn to_json_brief(run: &Run) -> Json {
    let mut object = common_json(run);
    object.insert("attempts".into(), run.attempts.iter().map(attempt_json).collect());
    end_json(&mut object, run);
    Json::Object(object)
}

fn common_json(run: &Run) -> Map<String, Json> {
    let time = |time: Option<Time>| time.map(|time| time.to_string());
    let mut object = Map::new();
    let mut put = |key: &str, value: Json| {
        object.insert(key.to_owned(), value);
    };
    put("format", json!(FORMAT));
    put("id", json!(run.id.as_str()));
    put("name", json!(run.name));
    put("experiment", json!(run.experiment));
    put("status", json!(run.status.as_str()));
    put("started", json!(time(run.started)));
    put("ended", json!(time(run.ended)));
    put("exit_code", json!(run.exit_code));
    put("signal", json!(run.signal));
    put("user", json!(run.user));
    put("host", json!(run.host));
    put("command", run.command.iter().map(value::to_json).collect());
    put("code", code_json(run.code.as_ref()));
    put("params", value::table_json(&run.params));
    put("metrics", metrics_json(&run.metrics));
    put("tags", json!(run.tags));
    put("notes", run.notes.iter().map(note_json).collect());
    put("inputs", run.inputs.iter().map(input_json).collect());
    object
}

fn end_json(object: &mut Map<String, Json>, run: &Run) {
    object.insert("parent".into(), json!(run.parent));
    object.insert("group".into(), json!(run.group));
    object.insert("deleted".into(), json!(run.deleted));
}

/// The environment's own version is the file's affair.
pub fn without_format(mut environment: Params) -> Params {
    environment.shift_remove("format");
    environment
}

/// The code of a run as JSON; every key is there even where nothing is known.
pub fn code_json(code: Option<&Code>) -> Json {
    let unknown = Code::default();
    let code = code.unwrap_or(&unknown);
    let file = |file: &CodeFile| json!({"path": value::to_json(&file.path), "blob": file.blob});
    let left_out = |file: &LeftOut| json!({"path": value::to_json(&file.path), "reason": file.reason, "size": file.size});
    json!({
        "commit": code.commit,
        "tree": code.tree,
        "snapshot": code.snapshot,
        "branch": code.branch,
        "dirty": code.is_dirty(),
        "changed": code.changed.iter().map(file).collect::<Vec<_>>(),
        "untracked": code.untracked.iter().map(file).collect::<Vec<_>>(),
        "left_out": code.left_out.iter().map(left_out).collect::<Vec<_>>(),
    })
}

fn metrics_json(metrics: &IndexMap<String, Summary>) -> Json {
    Json::Object(metrics.iter().map(|(name, summary)| (name.clone(), summary_json(summary))).collect())
}

fn summary_json(summary: &Summary) -> Json {
    let step = |step: Option<Number>| step.map_or(Json::Null, value::number_json);
    json!({
        "last": value::number_json(summary.last),
        "min": value::number_json(summary.min),
        "max": value::number_json(summary.max),
        "count": summary.count,
        "last_step": step(summary.last_step),
        "min_step": step(summary.min_step),
        "max_step": step(summary.max_step),
    })
}

fn note_json(note: &Note) -> Json {
    json!({"id": note.id, "text": note.text, "by": note.by, "at": note.at.map(|time| time.to_string())})
}

/// An input as JSON.
pub fn input_json(input: &Input) -> Json {
    json!({
        "name": input.name,
        "path": value::to_json(&input.path),
        "sha256": input.sha256,
        "size": input.size,
    })
}

fn artifact_json(artifact: &OwnedPointer) -> Json {
    let pointer = &artifact.pointer;
    json!({
        "path": value::to_json(&pointer.path),
        "sha256": pointer.sha256,
        "size": pointer.size,
        "inline": pointer.inline,
    })
}

fn attempt_json(facts: &Facts) -> Json {
    json!({
        "id": facts.attempt.as_ref().map(|id| id.as_str()),
        "after": facts.after.iter().map(|id| id.as_str()).collect::<Vec<_>>(),
        "status": facts.status.as_str(),
        "started": facts.started.map(|time| time.to_string()),
        "ended": facts.ended.map(|time| time.to_string()),
        "exit_code": facts.exit_code,
        "signal": facts.signal,
        "user": facts.user,
        "host": facts.host,
        "command": facts.command.iter().map(value::to_json).collect::<Vec<_>>(),
        "code": code_json(facts.code.as_ref()),
        "params": value::table_json(&facts.params),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::render::terminal::{Terminal, write};
    use crate::run::edit::Edit;
    use crate::run::fold::fold;
    use crate::run::id::AttemptId;
    use crate::run::record::{Files, RUN, TOMBSTONE};
    use crate::run::text;
    use crate::view::sample::{at, plain, run, table, training, whole, with_changes};

    fn options() -> ShowOptions {
        ShowOptions {
            now: at(4 * 3600),
            history: false,
            commits: Vec::new(),
            code: None,
            here: BTreeSet::new(),
        }
    }

    fn shown(run: &Run) -> String {
        let text = write(&show(run, &options()), &Terminal { width: 100, colour: false });
        text.lines().map(without_amounts).collect::<Vec<_>>().join("\n")
    }

    /// How durations and sizes are worded, and so how wide their columns are, is not this file's business.
    fn without_amounts(line: &str) -> String {
        let line = line.replace(&human::duration(90.5), "DURATION");
        let line = [1000, 2048].iter().fold(line, |line, size| line.replace(&human::size(*size), "SIZE"));
        let has_amount = ["DURATION", "SIZE", " size ", " took "].iter().any(|word| line.contains(word));
        match has_amount && line.starts_with("  ") {
            true => format!(
                "  {}",
                line.split("  ")
                    .map(str::trim)
                    .filter(|part| !part.is_empty())
                    .collect::<Vec<_>>()
                    .join("  ")
            ),
            false => line,
        }
    }

    fn full() -> Run {
        let mut facts = with_changes(training(1, 0.1, 0.975));
        facts.inputs.push(Input {
            name: "digits".into(),
            path: "data/digits.csv".into(),
            kind: "file".into(),
            sha256: Some("b".repeat(64)),
            digest: None,
            size: Some(1000),
            files: None,
        });
        facts.params.insert("wild".into(), "a\u{1b}[31m\nb".into());
        let mut edit = Edit::new("Bo <bo@example.org>".into(), at(7200), Vec::new());
        edit.note = Some("the best so far".into());
        whole(facts, table([("numpy", "2.0.0".into())]), &[edit])
    }

    #[test]
    fn everything_of_a_run() {
        insta::assert_snapshot!(shown(&full()), @r#"
        quiet-otter-1  20260102-130000-b1111111
        Status      finished
        Experiment  digits
        Started     2026-01-02 13:00:00 UTC, 3h ago, took DURATION
        By          Ana <ana@example.org> on node7
        Command     python3 train.py '--note=two words'
        Code        1111111111 on main, with changes kept in 4444444444
                    changed: train.py
                    left out: .env (looks like a secret)
        Tags        baseline, stage=dev

        Params
          lr              0.1
          epochs          20
          model.depth     3
          model."act.fn"  relu
          wild            a\x1b[31m
                          b

        Metrics
          name            last    min  at      max  at  points  nan or inf
          loss         nan      nan    20  nan      20       1           1
          accuracy ↑     0.975    0.1   1    0.975  20       2
          images      1797

        Notes
          20260102-140000-7c7df635ef749118/1  the best so far
                                              2026-01-02 14:00:00 UTC, Bo <bo@example.org>

        Inputs
          name  path  size  digest
          digits  data/digits.csv  SIZE  bbbbbbbbbbbb

        Artifacts
          path  size  sha256  where  id
          plots/loss curve.png  SIZE  aaaaaaaaaaaa  inline  nbbbbbbb/a1
        "#);
    }

    #[test]
    fn the_json_is_whole() {
        insta::assert_snapshot!(serde_json::to_string_pretty(&to_json(&full())).unwrap(), @r#"
        {
          "format": 1,
          "id": "20260102-130000-b1111111",
          "name": "quiet-otter-1",
          "experiment": "digits",
          "status": "finished",
          "started": "2026-01-02T13:00:00.000000Z",
          "ended": "2026-01-02T13:01:30.500000Z",
          "exit_code": 0,
          "signal": null,
          "user": "Ana <ana@example.org>",
          "host": "node7",
          "command": [
            "python3",
            "train.py",
            "--note=two words"
          ],
          "code": {
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
          "params": {
            "lr": 0.1,
            "epochs": 20,
            "model": {
              "depth": 3,
              "act.fn": "relu"
            },
            "wild": "a\u001b[31m\nb"
          },
          "metrics": {
            "loss": {
              "last": "NaN",
              "min": "NaN",
              "max": "NaN",
              "count": 1,
              "last_step": 20,
              "min_step": 20,
              "max_step": 20
            },
            "accuracy": {
              "last": 0.975,
              "min": 0.1,
              "max": 0.975,
              "count": 2,
              "last_step": 20,
              "min_step": 1,
              "max_step": 20
            },
            "images": {
              "last": 1797,
              "min": 1797,
              "max": 1797,
              "count": 1,
              "last_step": null,
              "min_step": null,
              "max_step": null
            }
          },
          "tags": [
            "baseline",
            "stage=dev"
          ],
          "notes": [
            {
              "id": "20260102-140000-7c7df635ef749118/1",
              "text": "the best so far",
              "by": "Bo <bo@example.org>",
              "at": "2026-01-02T14:00:00.000000Z"
            }
          ],
          "inputs": [
            {
              "name": "digits",
              "path": "data/digits.csv",
              "sha256": "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
              "size": 1000
            }
          ],
          "artifacts": [
            {
              "path": "plots/loss curve.png",
              "sha256": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
              "size": 2048,
              "inline": true
            }
          ],
          "attempts": [
            {
              "id": "nbbbbbbb",
              "after": [],
              "status": "finished",
              "started": "2026-01-02T13:00:00.000000Z",
              "ended": "2026-01-02T13:01:30.500000Z",
              "exit_code": 0,
              "signal": null,
              "user": "Ana <ana@example.org>",
              "host": "node7",
              "command": [
                "python3",
                "train.py",
                "--note=two words"
              ],
              "code": {
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
              "params": {
                "lr": 0.1,
                "epochs": 20,
                "model": {
                  "depth": 3,
                  "act.fn": "relu"
                },
                "wild": "a\u001b[31m\nb"
              }
            }
          ],
          "parent": null,
          "group": null,
          "deleted": false,
          "environment": {
            "packages": {
              "numpy": "2.0.0"
            }
          }
        }
        "#);
    }

    #[test]
    fn every_key_is_there_even_of_an_empty_run() {
        insta::assert_snapshot!(to_json(&run(plain(1))), @r#"{"format":1,"id":"20260102-130000-b1111111","name":"quiet-otter-1","experiment":null,"status":"finished","started":"2026-01-02T13:00:00.000000Z","ended":"2026-01-02T13:01:30.500000Z","exit_code":0,"signal":null,"user":null,"host":null,"command":[],"code":{"commit":null,"tree":null,"snapshot":null,"branch":null,"dirty":false,"changed":[],"untracked":[],"left_out":[]},"params":{},"metrics":{},"tags":[],"notes":[],"inputs":[],"artifacts":[],"attempts":[{"id":"nbbbbbbb","after":[],"status":"finished","started":"2026-01-02T13:00:00.000000Z","ended":"2026-01-02T13:01:30.500000Z","exit_code":0,"signal":null,"user":null,"host":null,"command":[],"code":{"commit":null,"tree":null,"snapshot":null,"branch":null,"dirty":false,"changed":[],"untracked":[],"left_out":[]},"params":{}}],"parent":null,"group":null,"deleted":false,"environment":{}}"#);
        let (whole, brief) = (to_json(&full()), to_json_brief(&full()));
        let keys = |json: &Json| json.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        let expected: Vec<String> =
            keys(&whole).into_iter().filter(|key| key != "artifacts" && key != "environment").collect();
        assert_eq!(keys(&brief), expected);
    }

    #[test]
    fn attempts_tell_what_changed_between_them() {
        let first = training(1, 0.1, 0.5);
        let mut second = training(1, 0.05, 0.9);
        second.attempt = Some(AttemptId::new([9; 8]));
        second.after = first.attempt.clone().into_iter().collect();
        second.status = Status::Killed;
        second.signal = Some("SIGKILL".into());
        second.exit_code = None;
        let mut files = Files::from([(RUN.to_owned(), text::write(&first.to_table()).into_bytes())]);
        let path = format!("attempts/{}.toml", second.attempt.clone().unwrap());
        files.insert(path, text::write(&second.to_table()).into_bytes());
        files.insert(format!("disputed/{}/{RUN}", "0".repeat(64)), b"anything".to_vec());
        insta::assert_snapshot!(shown(&fold(&first.id, &files).unwrap()), @r#"
        quiet-otter-1  20260102-130000-b1111111
        warning: copies of this run disagree about run.toml; one of each is shown, the others are kept in
        its record
        Status      killed by SIGKILL
        Experiment  digits
        Started     2026-01-02 13:00:00 UTC, 3h ago, took DURATION
        By          Ana <ana@example.org> on node7
        Command     python3 train.py '--note=two words'
        Code        1111111111 on main
        Tags        baseline, stage=dev

        Params
          lr              0.05
          epochs          20
          model.depth     3
          model."act.fn"  relu

        Metrics
          name          last     min  at     max  at  points  nan or inf
          loss         nan     nan    20   nan    20       2           2
          accuracy ↑     0.9     0.1   1     0.9  20       4
          images      1797    1797        1797             2

        Attempts
          attempt  status  started  took  host  params changed
          nbbbbbbb  finished  2026-01-02 13:00:00 UTC  DURATION  node7
          k9999999  killed  2026-01-02 13:00:00 UTC  DURATION  node7  lr 0.1 → 0.05
        "#);
    }

    #[test]
    fn of_a_purged_run_only_the_stone_is_left() {
        let stone = table([
            ("format", Value::Int(1)),
            ("by", "Ana".into()),
            ("at", at(0).to_string().into()),
            ("why", "held a secret".into()),
        ]);
        let files = Files::from([(TOMBSTONE.to_owned(), text::write(&stone).into_bytes())]);
        insta::assert_snapshot!(shown(&fold(&plain(1).id, &files).unwrap()), @"
        20260102-130000-b1111111
        purged by Ana on 2026-01-02 12:00:00 UTC: held a secret
        ");
    }
}
