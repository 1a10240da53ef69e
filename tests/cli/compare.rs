//! `git xtrack compare`.

use serde_json::{Value, json};

use crate::support::Repo;

/// Runs without a command, a line of options each; the first word is the name.
pub fn recorded(repo: &Repo, runs: &[&str]) {
    for run in runs {
        let words: Vec<&str> = run.split(' ').collect();
        repo.xtrack(&[&["record", "--name"], words.as_slice()].concat()).ok();
    }
}

fn trainings() -> Repo {
    let repo = Repo::new();
    repo.write("train.py", "print(1)\n");
    repo.write("xtrack.toml", "[metric.acc]\ngoal = \"max\"\n");
    repo.commit("base");
    recorded(&repo, &["a -p lr=0.1 -p seed=1 -m acc=0.5", "b -p lr=0.2 -p seed=1 -m acc=0.9 -m loss=2"]);
    repo.write("train.py", "print(2)\n");
    recorded(&repo, &["c -p lr=0.1 -p seed=1 -p depth=3 -m acc=0.7"]);
    repo
}

#[track_caller]
fn json(repo: &Repo, arguments: &[&str]) -> Value {
    serde_json::from_str(&repo.xtrack(&[arguments, &["--json"]].concat()).ok().stdout).unwrap()
}

#[test]
fn runs_stand_side_by_side_in_the_order_they_are_named() {
    let repo = trainings();
    let output = repo.xtrack(&["compare", "c", "a", "b"]).ok().stdout;
    let lines: Vec<&str> = output.lines().collect();
    let words = |start: &str| -> Vec<&str> {
        let line = lines.iter().find(|line| line.trim_start().starts_with(start)).expect(start);
        line.split_whitespace().collect()
    };
    assert_eq!(words("c "), ["c", "a", "b"], "{output}");
    assert_eq!(words("lr"), ["lr", "0.1", "0.1", "0.2"], "{output}");
    assert_eq!(words("acc"), ["acc", "↑", "0.7", "0.5", "0.9", "★"], "{output}");
    assert!(words("commit").contains(&"with"), "{output}");
    assert!(output.contains("1 param is the same in all"), "{output}");
    assert!(!output.contains("seed"), "{output}");
    assert!(repo.xtrack(&["compare", "c", "a", "--all"]).ok().stdout.contains("seed"));
}

#[test]
fn as_json_what_a_run_lacks_is_not_there() {
    let repo = trainings();
    let shown = json(&repo, &["compare", "--where", "acc > 0", "--sort", "-acc"]);
    let ids: Vec<&str> =
        shown["runs"].as_array().unwrap().iter().map(|run| run["id"].as_str().unwrap()).collect();
    assert_eq!(shown["runs"][0]["name"], "b");
    assert_eq!(shown["params"]["depth"], json!({"differs": true, "values": {ids[1]: 3}}));
    assert_eq!(shown["metrics"]["acc"]["best"], json!([ids[0]]));
    assert_eq!(shown["metrics"]["loss"]["goal"], Value::Null);
    assert_eq!(shown["code"]["same_tree"], false);
    assert_eq!(json(&repo, &["compare", "a", "b"])["code"]["same_tree"], true);
    assert_eq!(
        json(&repo, &["compare", "--where", "acc > 0", "-n", "2"])["runs"].as_array().unwrap().len(),
        2
    );
}

#[test]
fn every_form_is_written() {
    let repo = trainings();
    let csv = repo.xtrack(&["compare", "a", "b", "--csv"]).ok().stdout;
    assert!(csv.starts_with("id,name,status,started,duration,commit,dirty,tree,params.lr,"), "{csv}");
    assert_eq!(csv.lines().count(), 3, "{csv}");
    assert!(repo.xtrack(&["compare", "a", "b", "--md"]).ok().stdout.contains("| lr | 0.1 | 0.2 |"));
    assert!(repo.xtrack(&["compare", "a", "b", "--html"]).ok().stdout.contains("<table"));
    let format = repo.xtrack(&["compare", "a", "b", "--format", "{{ runs | length }}"]).ok().stdout;
    assert_eq!(format.trim(), "2");
}

#[test]
fn many_runs_fit_a_narrow_terminal() {
    let mut repo = Repo::new();
    for number in 0..60 {
        recorded(&repo, &[&format!("run-{number} -p lr={number} -m loss=0.{number:02}")]);
    }
    repo.set("COLUMNS", "40");
    let output = repo.xtrack(&["compare", "--where", "loss >= 0"]).ok().stdout;
    assert!(output.lines().all(|line| line.chars().count() <= 40), "{output}");
    assert_eq!(output.lines().filter(|line| line.contains("run-")).count(), 60, "{output}");
    let five = repo.xtrack(&["compare", "run-1", "run-2", "run-3", "run-4", "run-5"]).ok().stdout;
    assert!(five.lines().all(|line| line.chars().count() <= 40), "{five}");
    for name in ["run-1", "run-5"] {
        assert!(five.contains(name), "{five}");
    }
}

#[test]
fn groups_stand_side_by_side_by_their_means() {
    let repo = Repo::new();
    repo.write("xtrack.toml", "primary = \"acc\"\n[metric.acc]\ngoal = \"max\"\n");
    recorded(
        &repo,
        &["a1 -p lr=0.1 -m acc=0.5", "a2 -p lr=0.1 -m acc=0.7", "b1 -p lr=1e-2 -m acc=0.9", "c1 -m acc=nan"],
    );
    let output = repo.xtrack(&["compare", "a1", "a2", "b1", "c1", "--group-by", "lr"]).ok();
    let rows: Vec<Vec<&str>> = output.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[1], ["0.01", "1", "0.9", "★"], "{}", output.stdout);
    assert_eq!(rows[2], ["0.1", "2", "0.6", "±", "1.3"], "{}", output.stdout);
    assert_eq!(rows[3], ["-", "1", "not", "finite"], "{}", output.stdout);
    let shown = json(&repo, &["compare", "a1", "a2", "b1", "--group-by", "lr"]);
    assert_eq!(shown["groups"][1]["values"], json!({"params.lr": 0.1}));
    assert_eq!(shown["groups"][1]["runs"].as_array().unwrap().len(), 2);
    assert_eq!(shown["groups"][0]["metrics"]["acc"]["half_width"], Value::Null);
    let csv = repo.xtrack(&["compare", "a1", "a2", "b1", "--group-by", "lr", "--csv"]).ok().stdout;
    assert!(csv.starts_with("params.lr,runs,metrics.acc.count,metrics.acc.mean,"), "{csv}");
}

#[test]
fn what_cannot_be_meant_is_said() {
    let repo = trainings();
    for (arguments, code, said) in [
        (&["compare"][..], 2, "no run is named"),
        (&["compare", "a"], 2, "nothing to compare"),
        (&["compare", "a", "nobody"], 4, "nobody"),
        (&["compare", "a", "b", "--group-by", "lrr"], 2, "lr"),
        (&["compare", "a", "b", "--group-by", "acc.mean"], 2, "only their series"),
    ] {
        let output = repo.xtrack(arguments);
        assert_eq!(output.code, code, "{arguments:?}: {}", output.stderr);
        assert!(output.stderr.contains(said), "{arguments:?}: {}", output.stderr);
    }
    let none = repo.xtrack(&["compare", "--where", "acc > 5"]).ok();
    assert!(none.stderr.contains("no runs match"), "{}", none.stderr);
}
