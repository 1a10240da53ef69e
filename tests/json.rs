//! What `--json` prints is what `docs/json.md` says: every command that has it is told of there, and its keys are those
//! of the example.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::Repo;
use crate::support::live::{Sleeper, begin, begin_dead, journal, json, lines};

/// Objects whose keys are names that people chose: only what is in them has a shape.
const OPEN: [&str; 10] =
    ["params", "metrics", "environment", "inputs", "files", "packages", "machine", "values", "goals", "by"];

#[test]
fn every_command_with_json_is_told_of() {
    let output =
        Command::new(env!("CARGO_BIN_EXE_git-xtrack")).args(["help", "--markdown"]).output().unwrap();
    let reference = String::from_utf8(output.stdout).unwrap();
    let page = page();
    let mut seen = 0;
    for section in reference.split("\n## git xtrack ").skip(1) {
        let name = section.lines().next().unwrap_or_default();
        if section.lines().any(|line| line.trim_start().starts_with("--json")) {
            seen += 1;
            let is_told =
                page.contains(&format!("`{name} --json`")) || page.contains(&format!("`git xtrack {name} "));
            assert!(is_told, "docs/json.md does not tell of `git xtrack {name} --json`");
        }
    }
    assert!(seen >= 8, "{seen} commands have --json");
}

#[test]
fn runs_have_the_keys_of_the_example() {
    let repo = whole();
    let example = example("## A run");
    check(&example, &json(&repo, &["show", "@", "--json"]));
    let mut brief = example;
    for key in ["environment", "artifacts"] {
        brief.as_object_mut().unwrap().remove(key);
    }
    check(&brief, &json(&repo, &["log", "--json"])[0]);
}

#[test]
fn a_difference_has_the_keys_of_the_example() {
    let repo = whole();
    repo.write("train.py", "print(3)\n");
    repo.write("data.csv", "3\n");
    let more = ["-p", "lr=0.2", "-m", "accuracy=0.9", "--input", "data=data.csv", "--", "true", "x"];
    repo.xtrack(&[&["record", "--name", "after"][..], &more].concat()).ok();
    check(&example("## A difference"), &json(&repo, &["diff", "@~1", "@", "--json"]));
}

#[test]
fn what_compares_and_ranks_has_the_keys_of_the_examples() {
    let repo = Repo::new();
    repo.write("xtrack.toml", "primary = \"accuracy\"\n[metric.accuracy]\ngoal = \"max\"\n");
    repo.write("data.csv", "1\n");
    for number in 1..=6 {
        let (lr, seed) = (["lr=0.1", "lr=0.01"][number % 2], format!("seed={number}"));
        let (name, accuracy) = (format!("run-{number}"), format!("accuracy=0.9{number}"));
        let arguments = ["record", "--name", &name, "-e", "digits", "-p", lr, "-p", &seed, "-m", &accuracy];
        repo.xtrack(&[&arguments[..], &["--input", "data=data.csv"]].concat()).ok();
    }
    repo.xtrack(&["baseline", "run-1"]).ok();
    let told: [(&str, &[&str]); 10] = [
        ("\n`compare --json`:\n", &["compare", "run-1", "run-2", "--all"]),
        ("\n`compare --group-by FIELD --json`:\n", &["compare", "--where", "lr > 0", "--group-by", "lr"]),
        ("--where A --where B --json`:\n", &["diff", "--where", "lr = 0.1", "--where", "lr = 0.01"]),
        ("\n`importance METRIC --json`:\n", &["importance", "accuracy"]),
        ("\n`log --group-by FIELD --json`:\n", &["log", "--group-by", "lr"]),
        ("\n`leaderboard --json`:\n", &["leaderboard"]),
        ("\n`experiments --json`:\n", &["experiments"]),
        ("`baseline --json`:\n", &["baseline"]),
        ("\n`plot … --json`:\n", &["plot", "accuracy"]),
        ("\n`status --json`:\n", &["status"]),
    ];
    for (heading, arguments) in told {
        check(&example(heading), &json(&repo, &[arguments, &["--json"]].concat()));
    }
    let against = json(&repo, &["log", "--against", "run-1", "--json"]);
    check(&example("has one key more"), &serde_json::json!({ "against": against[0]["against"] }));
    let several = json(&repo, &["diff", "run-1", "run-2", "run-3", "--json"]);
    assert_eq!(several["differences"].as_array().map(Vec::len), Some(2), "{several:#}");
    check(&example("## A difference"), &several["differences"][0]);
}

#[test]
fn runs_in_progress_have_the_keys_of_the_examples() {
    let repo = Repo::new();
    repo.commit("first");
    let owner = Sleeper::new();
    let pid = owner.0.id().to_string();
    check(
        &example("\n`begin --json`:\n"),
        &json(&repo, &["begin", "--owner", &pid, "--name", "a", "--json"]),
    );
    journal(&begin(&repo, &owner, &["--name", "b"]), "w", &lines("{}", 7, None));
    let damaged = begin(&repo, &owner, &["--name", "c"]);
    fs::write(damaged.join("start.toml"), "no run").unwrap();
    let recovered = begin_dead(&repo, &["--name", "d"]);
    journal(&recovered, "w", &lines("{}", 3, None));
    check(&example("\n`recover --json`:\n"), &json_of(&repo, &["recover", "--json"]));
    check(&example("\n`status --json`:\n"), &json(&repo, &["status", "--json"]));
    let adopted = begin(&repo, &owner, &["--name", "e"]);
    let elsewhere = repo.root().join("runs");
    fs::create_dir(&elsewhere).unwrap();
    fs::rename(&adopted, elsewhere.join(adopted.file_name().unwrap())).unwrap();
    check(
        &example("\n`adopt --json`:\n"),
        &json_of(&repo, &["adopt", elsewhere.to_str().unwrap(), "--json"]),
    );
}

#[test]
fn a_line_of_ndjson_is_an_element_of_the_json() {
    let repo = whole();
    let lines_of = |arguments: &[&str]| -> Vec<Value> {
        let output = repo.xtrack(arguments).ok().stdout;
        output.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    assert_eq!(lines_of(&["show", "@", "--ndjson"]), [json(&repo, &["show", "@", "--json"])]);
    let points = json(&repo, &["show", "@", "--series", "accuracy", "--json"]);
    assert_eq!(Value::from(lines_of(&["show", "@", "--series", "accuracy", "--ndjson"])), points);
    assert_eq!(lines_of(&["status", "--ndjson"]), [Value::Null; 0]);
}

/// A run that has something of everything.
fn whole() -> Repo {
    let repo = Repo::new();
    repo.write("train.py", "print(1)\n");
    repo.write("data.csv", "1\n");
    repo.commit("base");
    repo.write("train.py", "print(2)\n");
    repo.write("out.txt", "result");
    repo.write(".env", "KEY=1");
    let arguments = [
        "record",
        "--name",
        "n",
        "-p",
        "lr=0.1",
        "-m",
        "accuracy=0.5",
        "-a",
        "out.txt",
        "-t",
        "k=v",
        "--note",
        "hello",
        "--input",
        "data=data.csv",
        "--",
        "true",
    ];
    repo.xtrack(&arguments).ok();
    repo
}

/// The answer of a command that may not have done all that it was asked.
fn json_of(repo: &Repo, arguments: &[&str]) -> Value {
    let output = repo.xtrack(arguments);
    serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{arguments:?}: {output:?}"))
}

fn page() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/json.md")).unwrap()
}

/// The first example behind a heading.
fn example(heading: &str) -> Value {
    let page = page();
    let rest = page.split(heading).nth(1).unwrap_or_else(|| panic!("no {heading} in docs/json.md"));
    let block = rest.split("```json\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    serde_json::from_str(block).unwrap_or_else(|error| panic!("{heading}: {error}\n{block}"))
}

fn check(example: &Value, answer: &Value) {
    let mut wrong = Vec::new();
    compare(example, answer, "", &mut wrong);
    assert!(wrong.is_empty(), "not as docs/json.md says:\n{}\n{answer:#}", wrong.join("\n"));
}

fn compare(example: &Value, answer: &Value, at: &str, wrong: &mut Vec<String>) {
    match (example, answer) {
        (Value::Object(told), Value::Object(given)) => {
            let is_open = at.rsplit('.').next().is_some_and(|key| OPEN.contains(&key));
            // Only one example of a whole is given where it stands several times.
            let is_cut = told.contains_key("…");
            if is_open {
                let first = |object: &serde_json::Map<String, Value>| object.values().next().cloned();
                if let (Some(told), Some(given)) = (first(told), first(given)) {
                    compare(&told, &given, &format!("{at}.*"), wrong);
                }
                return;
            }
            wrong.extend(
                told.keys()
                    .filter(|key| *key != "…" && !given.contains_key(*key))
                    .map(|key| format!("{at}.{key} is not there")),
            );
            wrong.extend(
                given
                    .keys()
                    .filter(|key| !is_cut && !told.contains_key(*key))
                    .map(|key| format!("{at}.{key} is not told of")),
            );
            for (key, told) in told {
                if let Some(given) = given.get(key) {
                    compare(told, given, &format!("{at}.{key}"), wrong);
                }
            }
        }
        (Value::Array(told), Value::Array(given)) => {
            if let (Some(told), Some(given)) = (told.first(), given.first()) {
                compare(told, given, at, wrong);
            }
        }
        (told, given) if kind(told) == kind(given) || told.is_null() || given.is_null() => {}
        // A param or a metric may be of any kind.
        _ if at.contains(".params") || at.contains(".metrics") || at.contains(".environment") => {}
        (told, given) => wrong.push(format!("{at} is {given}, and is told to be like {told}")),
    }
}

fn kind(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(_) => 2,
        Value::String(_) => 3,
        Value::Array(_) => 4,
        Value::Object(_) => 5,
    }
}
