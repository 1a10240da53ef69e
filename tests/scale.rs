//! Work, counted: a command reads the runs that it shows, however many others there are.
//!
//! Milliseconds are for `benches/`. Here the program counts what it reads (`XTRACK_COUNT`): objects of Git, refs, and rows
//! of the index. The runs are made up by what also makes those that are measured.

use std::time::Duration;

use crate::generate::{Made, Shape, make};
use crate::support::{Repo, repo};

/// So many runs that an object for each of them stands out.
const RUNS: usize = 2000;

/// What one command read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Work {
    objects: u64,
    refs: u64,
    rows: u64,
}

/// At most so many objects, refs and rows.
fn within(work: Work, objects: u64, refs: u64, rows: u64) -> bool {
    work.objects <= objects && work.refs <= refs && work.rows <= rows
}

/// What the program reads when it is called so; it must succeed.
#[track_caller]
fn work(repo: &Repo, arguments: &[&str]) -> Work {
    let file = repo.root().join("count");
    let mut command = repo.command(env!("CARGO_BIN_EXE_git-xtrack"));
    repo::run(command.args(arguments).env("XTRACK_COUNT", &file)).ok();
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    // A command may start others, each of which writes a line.
    let mut work = Work::default();
    for line in text.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let count = |key: &str| line[key].as_u64().unwrap();
        work.objects += count("objects");
        work.refs += count("refs");
        work.rows += count("rows");
    }
    work
}

/// A repository of many runs, its index, and its files old enough to be trusted.
fn many() -> (Repo, Made) {
    let repo = Repo::folder("work");
    let made = make(&Shape { runs: RUNS, ..Shape::default() }, repo.path()).unwrap();
    std::thread::sleep(Duration::from_millis(2100));
    repo.xtrack(&["log", "-n", "1"]).ok();
    (repo, made)
}

#[test]
fn commands_read_the_runs_they_show_and_no_others() {
    let (repo, made) = many();
    let id = repo.refs("refs/runs")[RUNS / 2].rsplit('/').next().unwrap().to_owned();
    let runs = RUNS as u64;
    let question = "params.lr = 0.1 and metrics.acc > 0.9";
    let listed = repo.xtrack(&["log", "--oneline", "--where", question]).ok().stdout;
    assert_eq!(listed.lines().count(), made.matching);
    for (arguments, objects, refs, rows) in [
        // Some thirty names, and the twenty themselves; no run is read.
        (&["log", "-n", "20"] as &[&str], 0, 0, 100),
        (&["log", "-n", "20", "--sort", "-metrics.acc"], 0, 0, 100),
        (&["log", "-n", "20", "--sort", "params.lr,-metrics.acc"], 0, 0, 2 * runs),
        (&["log", "-n", "20", "--where", question], 0, 0, 2 * runs),
        (&["show", &id], 8, 0, 4),
        (&["show", &id[16..]], 8, 0, 4),
        (&["show", "sweep-1000"], 8, 0, 4),
        (&["show", "@"], 8, 0, 60),
        // The record, and of its points one blob.
        (&["show", &id, "--series", "loss"], 10, 0, 4),
        (&["record", "-m", "acc=0.5"], 4, 2, 4),
        (&["record", "--", "true"], 4, 4, 4),
        // Those that were begun alike, which is the one above.
        (&["record", "--skip-if-done", "--", "true"], 12, 4, 20),
        (&["log", "--duplicates"], 8, 4, 200),
    ] {
        let work = work(&repo, arguments);
        assert!(within(work, objects, refs, rows), "{arguments:?} reads {work:?}");
    }
}

#[test]
fn of_what_is_new_only_that_is_read() {
    let (repo, _) = many();
    for _ in 0..2 {
        repo.xtrack(&["record", "-m", "acc=0.5"]).ok();
        let first = work(&repo, &["log", "-n", "20", "--sort", "-metrics.acc"]);
        // A commit, a tree, the facts.
        assert!(within(first, 3, 2, 100), "{first:?}");
        let again = work(&repo, &["log", "-n", "20", "--sort", "-metrics.acc"]);
        assert_eq!(again.objects, 0, "{again:?}");
    }
    repo.git(&["pack-refs", "--all"]);
    std::thread::sleep(Duration::from_millis(2100));
    let packed = work(&repo, &["log", "-n", "20"]);
    assert_eq!(packed.objects, 0, "{packed:?}");
    let settled = work(&repo, &["log", "-n", "20"]);
    assert!(within(settled, 0, 0, 100), "{settled:?}");
}

#[test]
fn the_same_seed_makes_the_same_runs() {
    let tips = |seed: u64| {
        let repo = Repo::folder("work");
        make(&Shape { runs: 60, seed, ..Shape::default() }, repo.path()).unwrap();
        let output = repo.xtrack(&["log", "--oneline"]).ok();
        assert_eq!(output.stderr, "");
        assert!(output.stdout.lines().count() > 50, "{}", output.stdout);
        repo.git(&["fsck", "--strict", "--no-progress", "--no-dangling"]);
        repo.git(&["for-each-ref"])
    };
    assert_eq!(tips(1), tips(1));
    assert_ne!(tips(1), tips(2));
}
