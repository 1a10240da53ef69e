//! The protocol: what its page shows is read and run, and the golden journals are read for ever.
//!
//! Journals are only ever added. `XTRACK_WRITE_FIXTURES=1` writes the expectations that are missing; what it wrote is
//! to be read by eye before it is committed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use indexmap::IndexMap;
use xtrack::journal::event::{Body, LoggedFile, Thing};
use xtrack::journal::line;
use xtrack::journal::read::Loss;
use xtrack::journal::replay::{Nothing, Replay, Sink, Writer, replay};
use xtrack::run::attempt::{Facts, Number};
use xtrack::run::id::{AttemptId, RunId, Time};
use xtrack::run::text;
use xtrack::run::value::{Table, Value};

use crate::support::Repo;

#[test]
fn every_line_shown_is_read() {
    let mut shown = 0;
    for block in blocks("json") {
        for (number, line) in block.lines().enumerate() {
            let understood = line::understand(line.as_bytes()).unwrap_or_else(|why| panic!("{why}: {line}"));
            assert_eq!(understood.odd, None, "{line}");
            assert_eq!(understood.event.number, number as u64, "{line}");
            assert!(understood.event.body != Body::Unknown, "{line}");
            if let Body::Thing(thing) = understood.event.body {
                assert!(thing.has_shape(), "{line}");
            }
            shown += 1;
        }
    }
    assert!(shown > 20, "docs/protocol.md shows {shown} lines");
}

#[test]
fn the_shell_example_logs_what_it_says() {
    check("sh", "train.sh", true, |_, script| Some(program("sh", &[script])));
}

#[test]
fn the_python_example_logs_what_it_says() {
    check("python", "train.py", true, |_, script| Some(program("python3", &[script])));
}

#[test]
fn the_rust_example_logs_what_it_says() {
    check("rust", "train.rs", false, |folder, source| {
        let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
        if Command::new(&rustc).arg("--version").output().is_err() {
            return None;
        }
        let built = folder.join("train");
        let built = built.to_str().unwrap();
        let output = program(&rustc, &["--edition", "2024", "-o", built, source]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Some(program(built, &[]))
    });
}

#[test]
fn the_r_example_logs_what_it_says() {
    check("r", "train.R", true, |_, script| Some(program("Rscript", &[script])));
}

/// Runs an example within a run, and where it can, alone; what it logged must be what all of them log.
fn check(language: &str, file: &str, is_portable: bool, build: impl Fn(&Path, &str) -> Option<Command>) {
    let code =
        blocks(language).into_iter().find(|block| block.lines().take(2).any(|line| line.contains(file)));
    let repo = Repo::folder("work");
    repo.write(file, code.unwrap_or_else(|| panic!("docs/protocol.md shows no {file}")));
    let script = repo.path().join(file);
    let Some(mut command) = build(repo.path(), script.to_str().unwrap()) else {
        return skip(language);
    };
    let live = repo.root().join("live");
    fs::create_dir(&live).unwrap();
    // Twice, as two processes of a run.
    for _ in 0..2 {
        if !run(command.current_dir(repo.path()).env("XTRACK_RUN_DIR", &live)) {
            return skip(language);
        }
    }
    assert_logged(&live, 2);
    if is_portable {
        run(command.env_remove("XTRACK_RUN_DIR"));
        run(command.env("XTRACK_DIR", repo.root().join("elsewhere")));
        for runs in [repo.path().join("xtrack-runs"), repo.root().join("elsewhere")] {
            let folders: Vec<PathBuf> =
                fs::read_dir(runs).unwrap().map(|entry| entry.unwrap().path()).collect();
            let [folder] = folders.as_slice() else { panic!("{folders:?}") };
            let start = assert_logged(folder, 1).start.expect("the portable form says what began");
            assert_eq!(start["id"].as_text(), folder.file_name().unwrap().to_str());
            let mut facts = start.clone();
            facts.insert("revision".to_owned(), Value::Int(1));
            facts.insert("status".to_owned(), Value::from("running"));
            let facts = Facts::from_table(&facts).unwrap();
            assert!(facts.started.is_some() && facts.attempt.is_some() && facts.command.len() == 1);
        }
    }
}

fn assert_logged(folder: &Path, writers: usize) -> Replay {
    let found = replay(folder, &[], &mut Nothing).unwrap();
    assert_eq!(found.writers.len(), writers);
    for writer in &found.writers {
        assert!(writer.loss.is_none(), "{}", writer.loss);
        assert_eq!(writer.name.len(), 16, "{}", writer.name);
        assert_eq!(writer.begin.protocol, 1);
        assert!(writer.begin.owner["pid"].as_int().is_some_and(|pid| pid > 1));
        assert!(writer.first.is_some_and(|first| first > 1.7e9));
        assert_eq!(
            writer.finish.as_ref().map(|finish| (finish.status.as_str(), finish.exit_code)),
            Some(("finished", Some(0)))
        );
        assert_eq!(writer.lines, 9);
    }
    assert_eq!(
        text::write_value(&Value::Table(found.params.clone())),
        "{ lr = 0.1, model = { layers = [64, 64] } }"
    );
    assert_eq!(found.tags, ["example"]);
    let loss = &found.metrics["train/loss"];
    assert_eq!((loss.last, loss.last_step), (Number::Float(0.25), Some(Number::Int(2))));
    assert_eq!((loss.max, loss.count), (Number::Float(0.9), 3));
    assert_eq!(found.metrics["epoch"].last, Number::Int(1));
    assert_eq!(found.metrics["best"].last, Number::Float(0.25));
    for artifact in &found.artifacts {
        assert_eq!(artifact.file.path, "report.txt");
        let bytes = fs::read(folder.join(artifact.file.file.as_ref().unwrap())).unwrap();
        assert_eq!(bytes, b"it learns\n");
    }
    assert_eq!(found.artifacts.len(), writers);
    found
}

/// Whether it ran; what is not on this machine does not.
fn run(command: &mut Command) -> bool {
    let Ok(output) = command.output() else {
        return false;
    };
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
    true
}

fn program(name: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(name);
    command.args(arguments).env_remove("XTRACK_RUN_DIR").env_remove("XTRACK_DIR").env_remove("RANK");
    command
}

fn skip(language: &str) {
    let is_forbidden = std::env::var_os("XTRACK_FORBID_SKIPS").is_some() && language != "r";
    assert!(!is_forbidden, "{language} is wanted and not here");
    eprintln!("skipped: {language} is not here");
}

/// The code blocks of the protocol's page that are in a language.
fn blocks(language: &str) -> Vec<String> {
    let page = fs::read_to_string(root().join("docs/protocol.md")).unwrap().replace("\r\n", "\n");
    let fence = format!("\n```{language}\n");
    let after = page.split(&fence).skip(1);
    after.map(|rest| rest.split("\n```\n").next().unwrap().to_owned() + "\n").collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn golden_journals_are_read_for_ever() {
    let mut cases = 0;
    for version in folders(&root().join("fixtures/protocol")) {
        for case in folders(&version) {
            let mut streamed = Streamed::default();
            let found = replay(&case, &[], &mut streamed).unwrap();
            let told = text::write(&told(&found, streamed));
            let path = case.join("expected.toml");
            if !path.exists() && std::env::var_os("XTRACK_WRITE_FIXTURES").is_some() {
                fs::write(&path, &told).unwrap();
            }
            let expected = fs::read_to_string(&path).unwrap_or_default();
            assert!(told == expected, "{} comes to\n{told}\nnot\n{expected}", case.display());
            cases += 1;
        }
    }
    assert!(cases >= 10, "{cases} golden folders");
}

fn folders(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| path.is_dir());
    found.sort();
    found
}

/// What a sink gets, as text.
#[derive(Default)]
struct Streamed {
    rows: Vec<Value>,
    things: Vec<Value>,
}

fn place(writer: u64, step: Option<Number>, time: Option<Number>) -> String {
    let written = |number: Option<Number>| number.map_or("-".to_owned(), Number::write);
    format!("{writer} @ {} {}", written(step), written(time))
}

impl Sink for Streamed {
    fn row(
        &mut self,
        writer: u64,
        step: Option<Number>,
        time: Option<Number>,
        values: &IndexMap<String, Number>,
    ) -> Result<()> {
        let values: Vec<String> =
            values.iter().map(|(name, value)| format!("{name}={}", value.write())).collect();
        self.rows.push(Value::Text(format!("{}: {}", place(writer, step, time), values.join(" "))));
        Ok(())
    }

    fn thing(
        &mut self,
        writer: u64,
        step: Option<Number>,
        time: Option<Number>,
        thing: &Thing,
    ) -> Result<()> {
        let Thing { name, kind, value } = thing;
        let value = text::write_value(value);
        self.things.push(Value::Text(format!("{}: {name} {kind} {value}", place(writer, step, time))));
        Ok(())
    }
}

/// A replay as a document.
fn told(found: &Replay, streamed: Streamed) -> Table {
    let id = RunId::new(Time(0), [0; 8]);
    let mut facts = Facts::new(id, AttemptId::new([0; 8]), Time(0));
    facts.name = found.name.clone();
    facts.experiment = found.experiment.clone();
    facts.group = found.group.clone();
    facts.tags = found.tags.clone();
    facts.notes = found.notes.clone();
    facts.params = found.params.clone();
    facts.metrics = found.metrics.clone();
    facts.definitions = found.definitions.clone();
    facts.inputs = found.inputs.clone();
    let mut table = facts.to_table();
    for identity in ["format", "id", "attempt", "revision", "status", "started"] {
        table.shift_remove(identity);
    }
    let texts = |list: Vec<String>| Value::List(list.into_iter().map(Value::Text).collect());
    put(&mut table, "lines", Some(found.lines as i64));
    put(&mut table, "loss", Some(Value::Table(loss(found.loss()))));
    put(&mut table, "rows", Some(Value::List(streamed.rows)));
    put(&mut table, "things", Some(Value::List(streamed.things)));
    let alert =
        |(step, alert): &(Option<Number>, Thing)| format!("{}: {}", place(0, *step, None), alert.name);
    put(&mut table, "alerts", Some(texts(found.alerts.iter().map(alert).collect())));
    let artifacts = found.artifacts.iter().map(|logged| {
        let mut table = file(&logged.file);
        put(&mut table, "step", logged.step.map(Number::value));
        put(&mut table, "time", logged.time.map(Number::value));
        Value::Table(table)
    });
    put(&mut table, "artifacts", Some(Value::List(artifacts.collect())));
    put(&mut table, "code", found.code.as_ref().map(|code| Value::Table(file(code))));
    put(&mut table, "writers", Some(Value::List(found.writers.iter().map(writer).collect())));
    put(&mut table, "start", found.start.clone().map(Value::Table));
    put(&mut table, "environment", Some(Value::Table(found.environment.clone())));
    table.retain(|_, value| value.as_table().is_none_or(|table| !table.is_empty()));
    table
}

fn put(table: &mut Table, key: &str, value: Option<impl Into<Value>>) {
    table.extend(value.map(|value| (key.to_owned(), value.into())));
}

fn loss(loss: Loss) -> Table {
    let counts = [
        ("missing", loss.missing),
        ("unreadable", loss.unreadable),
        ("not_understood", loss.not_understood),
        ("torn_tail", loss.torn_tail.into()),
    ];
    counts
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(key, count)| (key.to_owned(), Value::Int(count as i64)))
        .collect()
}

fn file(file: &LoggedFile) -> Table {
    let mut table = Table::new();
    put(&mut table, "path", Some(file.path.clone()));
    put(&mut table, "file", file.file.clone());
    put(&mut table, "source", file.source.clone());
    put(&mut table, "type", file.media_type.clone());
    put(&mut table, "key", file.key.clone());
    table
}

fn writer(writer: &Writer) -> Value {
    let mut table = Table::new();
    put(&mut table, "name", Some(writer.name.clone()));
    put(&mut table, "number", Some(writer.number as i64));
    put(&mut table, "lines", Some(writer.lines as i64));
    put(&mut table, "loss", Some(Value::Table(loss(writer.loss))));
    put(&mut table, "first", writer.first);
    put(&mut table, "last", writer.last);
    put(&mut table, "protocol", Some(writer.begin.protocol));
    put(&mut table, "owner", Some(Value::Table(writer.begin.owner.clone())));
    put(&mut table, "rank", writer.begin.rank.map(|rank| rank as i64));
    put(&mut table, "role", writer.begin.role.clone());
    put(&mut table, "facts", Some(Value::Table(writer.begin.facts.clone())));
    if let Some(finish) = &writer.finish {
        put(&mut table, "finish", Some(finish.status.clone()));
        put(&mut table, "exit_code", finish.exit_code);
        put(&mut table, "error", finish.error.clone());
    }
    table.retain(|_, value| value.as_table().is_none_or(|table| !table.is_empty()));
    Value::Table(table)
}
