//! Have I run this already? `record --skip-if-done`, and what `record` says at the end.

use std::fs;

use crate::support::repo::{Output, Repo};

fn repo() -> Repo {
    let repo = Repo::new();
    repo.write("train.py", "print('training')\n");
    repo.commit("first");
    repo
}

/// A training that counts how often it ran, outside the work tree, and logs one param of its own.
fn counting(repo: &Repo) -> [String; 3] {
    let count = repo.root().join("count");
    ["sh".to_owned(), "-c".to_owned(), format!("echo x >> '{}'", count.display())]
}

fn times_run(repo: &Repo) -> usize {
    fs::read_to_string(repo.root().join("count")).map_or(0, |text| text.lines().count())
}

#[track_caller]
fn record_counting(repo: &Repo, options: &[&str]) -> Output {
    let command = counting(repo);
    let command: Vec<&str> = command.iter().map(String::as_str).collect();
    repo.xtrack(&[&["record"], options, &["--"], command.as_slice()].concat()).ok()
}

#[test]
fn what_is_done_is_not_run_again() {
    let mut repo = repo();
    repo.set("XTRACK_TEST_NOW", "2026-01-02T12:00:00.000000Z");
    let skip =
        |repo: &Repo, options: &[&str]| record_counting(repo, &[&["--skip-if-done"], options].concat());
    skip(&repo, &["--name", "first", "-p", "lr=0.1", "-p", "seed=1"]);
    assert_eq!(times_run(&repo), 1);
    repo.set("XTRACK_TEST_NOW", "2026-01-05T12:00:00.000000Z");
    let id = repo.root().join("id");
    let output = skip(&repo, &["-p", "seed=1", "-p", "lr=0.1", "--id-file", id.to_str().unwrap()]);
    assert_eq!(output.stderr, "xtrack: not run: same as first (3d ago)\n");
    assert_eq!((output.stdout.as_str(), times_run(&repo)), ("", 1));
    assert_eq!(format!("refs/runs/{}", fs::read_to_string(id).unwrap().trim()), repo.refs("refs/runs")[0]);
    // Another param, another input, other code, another folder.
    skip(&repo, &["-p", "lr=0.2", "-p", "seed=1"]);
    assert_eq!(times_run(&repo), 2);
    fs::write(repo.root().join("data"), "1").unwrap();
    let data = format!("data={}", repo.root().join("data").display());
    let with_data = ["-p", "lr=0.1", "-p", "seed=1", "--input", data.as_str()];
    skip(&repo, &with_data);
    skip(&repo, &with_data);
    assert_eq!(times_run(&repo), 3);
    fs::write(repo.root().join("data"), "2").unwrap();
    skip(&repo, &with_data);
    assert_eq!(times_run(&repo), 4);
    repo.write("train.py", "print(2)\n");
    skip(&repo, &["-p", "lr=0.1", "-p", "seed=1"]);
    skip(&repo, &["-p", "lr=0.1", "-p", "seed=1"]);
    assert_eq!(times_run(&repo), 5);
    // The same tree, committed now.
    repo.commit("second");
    skip(&repo, &["-p", "lr=0.1", "-p", "seed=1"]);
    assert_eq!(times_run(&repo), 5);
}

#[test]
fn only_what_finished_is_done() {
    let repo = repo();
    let again =
        |options: &[&str]| record_counting(&repo, &[&["--skip-if-done", "-p", "lr=1"], options].concat());
    let mut failing = counting(&repo);
    failing[2].push_str("; exit 3");
    let failing: Vec<&str> = failing.iter().map(String::as_str).collect();
    for _ in 0..2 {
        let options: &[&str] = &["record", "--skip-if-done", "--"];
        assert_eq!(repo.xtrack(&[options, failing.as_slice()].concat()).code, 3);
    }
    assert_eq!(times_run(&repo), 2);
    again(&["--name", "done"]);
    again(&[]);
    assert_eq!(times_run(&repo), 3);
    // Thrown away, or judged otherwise.
    repo.xtrack(&["rm", "done"]).ok();
    again(&["--name", "more"]);
    assert_eq!(times_run(&repo), 4);
    repo.xtrack(&["edit", "more", "--status", "failed"]).ok();
    again(&[]);
    assert_eq!(times_run(&repo), 5);
    // Changes that were not kept match nothing.
    repo.write("train.py", "print(3)\n");
    for count in 6..8 {
        let output = again(&["--no-snapshot"]);
        assert_eq!(times_run(&repo), count);
        assert!(output.stderr.contains("cannot be told"), "{}", output.stderr);
    }
    let refused = repo.xtrack(&["record", "--skip-if-done", "-p", "lr=1"]);
    assert_eq!(refused.code, 2, "{}", refused.stderr);
}

#[test]
fn what_the_training_says_itself_is_not_known_before() {
    let mut repo = repo();
    repo.set("XTRACK_TEST_NOW", "2026-01-02T12:00:00.000000Z");
    // A seed that the training draws itself, another each time.
    let script = "python3 -c 'import os, xtrack; xtrack.config.update(seed=os.getpid())'";
    let command = ["--", "sh", "-c", script];
    let first = repo.xtrack(&[&["record", "--name", "drawn"], &command[..]].concat()).ok();
    assert!(!first.stderr.contains("same as"), "{}", first.stderr);
    // What was known at the start is the same, and all that can be compared.
    let skipped = repo.xtrack(&[&["record", "--skip-if-done"], &command[..]].concat()).ok();
    assert!(skipped.stderr.contains("not run: same as drawn (0s ago)"), "{}", skipped.stderr);
    // What was said in the end is not.
    let second = repo.xtrack(&[&["record", "--name", "again"], &command[..]].concat()).ok();
    assert!(!second.stderr.contains("same as"), "{}", second.stderr);
    let fixed = ["--", "sh", "-c", "python3 -c 'import xtrack; xtrack.config.update(seed=7)'"];
    repo.xtrack(&[&["record", "--name", "fixed"], &fixed[..]].concat()).ok();
    repo.set("XTRACK_TEST_NOW", "2026-01-02T14:00:00.000000Z");
    let second = repo.xtrack(&[&["record"], &fixed[..]].concat()).ok();
    assert!(second.stderr.trim_end().ends_with("· same as fixed (2h ago)"), "{}", second.stderr);
}
