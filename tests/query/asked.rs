//! Questions through the program: what Git and the series are asked, and what a person is told.

use crate::support::repo::{Output, Repo};

fn record(repo: &Repo, name: &str, points: &str) {
    let script = format!("printf 'epoch,loss\\n{points}' > log.csv");
    let arguments =
        ["record", "--no-system", "--name", name, "--harvest", "keras", "--", "sh", "-c", &script];
    repo.xtrack(&arguments).ok();
}

/// Two runs on `main`, where the second changed `src/model.py`, and one on a branch from the first commit.
fn repository() -> Repo {
    let repo = Repo::new();
    repo.write(".gitignore", "log.csv\n");
    repo.write("src/model.py", "print(1)\n");
    repo.commit("first");
    repo.git(&["branch", "-q", "first"]);
    record(&repo, "one", "0,1.0\\n100,0.5\\n");
    repo.write("src/model.py", "print(2)\n");
    repo.commit("second");
    repo.git(&["branch", "-q", "second"]);
    record(&repo, "two", "0,2.0\\n100,nan\\n");
    repo.git(&["checkout", "-q", "-b", "topic", "first"]);
    repo.write("other.py", "print(3)\n");
    repo.commit("third");
    repo.write("src/data.py", "print(4)\n");
    repo.xtrack(&["record", "--no-system", "--name", "three", "-m", "loss=0.25", "-p", "lr=0.1"]).ok();
    repo
}

fn ask(repo: &Repo, question: &str) -> Output {
    repo.xtrack(&["log", "--json", "--sort", "started", "--where", question])
}

#[track_caller]
fn check(repo: &Repo, question: &str, wanted: &[&str]) {
    let output = ask(repo, question).ok();
    let runs: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    let names: Vec<&str> = runs.as_array().unwrap().iter().map(|run| run["name"].as_str().unwrap()).collect();
    assert_eq!(names, wanted, "{question}\n{}", output.stderr);
}

#[test]
fn git_is_asked_of_the_code() {
    let repo = repository();
    check(&repo, "code in first..second", &["two"]);
    check(&repo, "code in first", &["one"]);
    check(&repo, "not code in second", &["three"]);
    check(&repo, "code touches src/model.py", &["one", "two"]);
    check(&repo, "code touches src and not code touches ./src/model.py", &["three"]);
    check(&repo, "code touches other.py or code touches nothing.py", &["three"]);
    check(&repo, "ancestor of second", &["one", "two"]);
    check(&repo, "ancestor of second~1", &["one"]);
    check(&repo, "(ancestor of topic)", &["one", "three"]);
    check(&repo, "branch = topic and code.dirty", &["three"]);
    let output = ask(&repo, "code in no-such..second");
    assert_eq!(output.code, 2, "{}", output.stderr);
    assert!(output.stderr.contains("no-such"), "{}", output.stderr);
    let output = ask(&repo, "ancestor of --all");
    assert_eq!(output.code, 2, "{}", output.stderr);
}

#[test]
fn series_are_read_where_they_are_asked_for() {
    let repo = repository();
    check(&repo, "loss at 0 >= 1", &["one", "two"]);
    check(&repo, "loss at 100 = 0.5", &["one"]);
    check(&repo, "loss at 100 = nan", &["two"]);
    check(&repo, "not loss at 100 < 1", &["two", "three"]);
    check(&repo, "loss.mean = 0.75", &["one"]);
    check(&repo, "loss.mean = 2 and loss.first = 2.0", &["two"]);
    check(&repo, "loss.first < 1", &["three"]);
    check(&repo, "loss at 7 > -inf", &[]);
}

#[test]
fn what_is_not_understood_is_shown_with_its_place() {
    let repo = repository();
    let output = ask(&repo, "los > 1 and lr = 0.1");
    insta::assert_snapshot!(output.stderr, @"
    error: 'los' is no param, metric or attribute here
      los > 1 and lr = 0.1
      ^^^
    hint: did you mean 'loss'?
    ");
    assert_eq!(output.code, 2);
    let output = ask(&repo, "loss > \u{1b}[31m");
    assert_eq!(output.code, 2);
    assert!(!output.stderr.contains('\u{1b}'), "{:?}", output.stderr);
    let output = ask(&repo, "metrics.los < 1").ok();
    assert_eq!(output.stdout.trim(), "[]");
    assert!(output.stderr.contains("no run has the metric 'los': did you mean 'loss'?"), "{}", output.stderr);
}
