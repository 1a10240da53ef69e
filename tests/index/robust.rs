//! Whatever becomes of the file of the index, and whoever is at it: answers stay right, and nothing fails.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::reliability::disk::with_mounts;
use crate::support::Repo;
use crate::support::repo::run;

/// A repository of a few runs.
fn repository(runs: usize) -> Repo {
    let repo = Repo::new();
    (0..runs).for_each(|number| record(&repo, number));
    repo
}

fn record(repo: &Repo, number: usize) {
    let (name, acc) = (format!("run-{number}"), format!("acc=0.{number}"));
    repo.xtrack(&["record", "--name", &name, "-p", "lr=0.1", "-m", &acc, "-t", "k=v"]).ok();
}

fn index(repo: &Repo) -> PathBuf {
    repo.path().join(".git/xtrack/index.sqlite")
}

/// The refs of runs, in the order they were recorded: ids of one second come in any.
fn refs(repo: &Repo) -> Vec<String> {
    let runs: Vec<Value> =
        serde_json::from_str(&repo.xtrack(&["log", "--json", "--sort", "name"]).ok().stdout).unwrap();
    runs.iter().map(|run| format!("refs/runs/{}", run["id"].as_str().unwrap())).collect()
}

/// What is listed, by a question and in an order that only the index makes short.
#[track_caller]
fn listed(repo: &Repo) -> Vec<String> {
    let output =
        repo.xtrack(&["log", "--json", "--where", "params.lr = 0.1 and has tag k", "--sort", "-acc"]).ok();
    assert_eq!(output.stderr, "");
    names(&output.stdout)
}

fn names(json: &str) -> Vec<String> {
    let runs: Vec<Value> = serde_json::from_str(json).unwrap();
    runs.iter().map(|run| run["name"].as_str().unwrap().to_owned()).collect()
}

/// What the next look at the runs reads.
fn work(repo: &Repo) -> (u64, u64) {
    let file = repo.root().join("count");
    let _ = fs::remove_file(&file);
    let mut command = repo.command(env!("CARGO_BIN_EXE_git-xtrack"));
    run(command.args(["log", "-n", "1"]).env("XTRACK_COUNT", &file)).ok();
    let counts: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    (counts["objects"].as_u64().unwrap(), counts["refs"].as_u64().unwrap())
}

fn write_over(path: &Path, offset: usize, bytes: &[u8]) {
    let mut all = fs::read(path).unwrap();
    let offset = offset.min(all.len() - bytes.len());
    all[offset..offset + bytes.len()].copy_from_slice(bytes);
    fs::write(path, all).unwrap();
}

/// Something that becomes of a file.
type Mishap = (&'static str, fn(&Path));

#[test]
fn whatever_lies_in_its_place_the_answer_is_right() {
    let repo = repository(4);
    let expected = ["run-3", "run-2", "run-1", "run-0"];
    let file = index(&repo);
    let lock = file.with_extension("lock");
    let mishaps: &[Mishap] = &[
        ("deleted", |file| fs::remove_file(file).unwrap()),
        ("empty", |file| fs::write(file, "").unwrap()),
        ("cut in half", |file| {
            let all = fs::read(file).unwrap();
            fs::write(file, &all[..all.len() / 2]).unwrap();
        }),
        ("no database", |file| fs::write(file, "no database\n".repeat(1000)).unwrap()),
        ("another program's", |file| {
            fs::remove_file(file).unwrap();
            // The header of an empty database of SQLite, version 0.
            fs::write(file, [b"SQLite format 3\0".as_slice(), &[0; 84]].concat()).unwrap();
        }),
        ("other bytes at the beginning", |file| write_over(file, 0, &[0xa5; 64])),
        ("other bytes in the middle", |file| write_over(file, 20_000, &[0xa5; 300])),
        ("other bytes at the end", |file| write_over(file, usize::MAX - 10_000, &[0xa5; 4096])),
        ("a name changed", |file| {
            let all = fs::read(file).unwrap();
            let place = all.windows(5).position(|bytes| bytes == b"run-1").unwrap();
            write_over(file, place, b"run-9");
        }),
        ("a folder", |file| {
            fs::remove_file(file).unwrap();
            fs::create_dir(file).unwrap();
            fs::write(file.join("x"), "").unwrap();
        }),
        ("a journal beside it", |file| fs::write(file.with_extension("sqlite-journal"), [7; 5000]).unwrap()),
        ("a half-built one beside it", |file| fs::write(file.with_extension("new"), [7; 5000]).unwrap()),
    ];
    for (what, happens) in mishaps {
        for victim in [&file, &lock] {
            assert_eq!(listed(&repo), expected);
            // A change within one tick of the clock looks like none.
            thread::sleep(Duration::from_millis(20));
            let is_for_both =
                !["a journal beside it", "a half-built one beside it", "a name changed"].contains(what);
            if victim == &file
                || (is_for_both
                    && *what != "other bytes at the end"
                    && *what != "other bytes in the middle"
                    && *what != "other bytes at the beginning")
            {
                happens(victim);
            }
            assert_eq!(listed(&repo), expected, "{what}: {}", victim.display());
            let _ = fs::remove_dir_all(&lock);
        }
        assert_eq!(
            repo.xtrack(&["index", "--verify"]).ok().stderr,
            "the index is what the runs are\n",
            "{what}"
        );
    }
}

#[test]
fn refs_that_plain_git_moved_are_seen_at_once() {
    let repo = repository(4);
    let refs = refs(&repo);
    let old = |repo: &Repo| {
        // Once it is old enough to be trusted, what did not move costs nothing.
        listed(repo);
        thread::sleep(Duration::from_millis(2100));
        listed(repo);
        assert_eq!(work(repo), (0, 0));
    };
    old(&repo);
    repo.git(&["update-ref", "-d", &refs[1]]);
    assert_eq!(listed(&repo), ["run-3", "run-2", "run-0"]);
    old(&repo);
    repo.git(&["pack-refs", "--all"]);
    assert_eq!(listed(&repo), ["run-3", "run-2", "run-0"]);
    old(&repo);
    // A packed ref that moves becomes a file; packed-refs stays as it was.
    let tip = repo.git(&["rev-parse", &refs[3]]);
    repo.xtrack(&["edit", "run-3", "-m", "acc=-1"]).ok();
    assert_eq!(listed(&repo), ["run-2", "run-0", "run-3"]);
    old(&repo);
    repo.git(&["update-ref", &refs[3], &tip]);
    assert_eq!(listed(&repo), ["run-3", "run-2", "run-0"]);
    old(&repo);
    repo.git(&["update-ref", "-d", &refs[3]]);
    assert_eq!(listed(&repo), ["run-2", "run-0"]);
    old(&repo);
    repo.git(&["update-ref", &format!("refs/xtrack/remotes/a/b/runs/{}", &refs[3][10..]), &tip]);
    assert_eq!(listed(&repo), ["run-3", "run-2", "run-0"]);
    old(&repo);
    repo.git(&["update-ref", &format!("refs/xtrack/remotes/a/b/runs/{}", &refs[1][10..]), &tip]);
    let output = repo.xtrack(&["log", "--json"]).ok();
    assert!(output.stderr.contains("is damaged"), "another run's record: {}", output.stderr);
}

#[test]
fn reftable_is_followed_as_well() {
    let repo = Repo::folder("work");
    if repo.try_git(&["init", "-q", "-b", "main", "--ref-format=reftable", "."]).code != 0 {
        return eprintln!("skipped: this git has no reftable");
    }
    (0..3).for_each(|number| record(&repo, number));
    assert_eq!(listed(&repo), ["run-2", "run-1", "run-0"]);
    assert_eq!(work(&repo), (0, 0));
    let refs = refs(&repo);
    repo.git(&["update-ref", "-d", &refs[2]]);
    assert_eq!(listed(&repo), ["run-1", "run-0"]);
    repo.git(&["pack-refs", "--all"]);
    assert_eq!(listed(&repo), ["run-1", "run-0"]);
    record(&repo, 5);
    assert_eq!(listed(&repo), ["run-5", "run-1", "run-0"]);
}

#[test]
fn another_place_for_runs_is_another_index() {
    let repo = repository(2);
    assert_eq!(listed(&repo), ["run-1", "run-0"]);
    repo.git(&["config", "xtrack.runsPrefix", "refs/heads/runs/"]);
    assert_eq!(repo.xtrack(&["log", "--json"]).ok().stdout, "[]\n");
    record(&repo, 7);
    assert_eq!(listed(&repo), ["run-7"]);
    repo.git(&["config", "--unset", "xtrack.runsPrefix"]);
    assert_eq!(listed(&repo), ["run-1", "run-0"]);
}

#[test]
fn sixteen_at_once_see_what_is_there() {
    let repo = repository(3);
    let tip = repo.git(&["rev-parse", &repo.refs("refs/runs/")[0]]);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let readers: Vec<_> = (0..16)
            .map(|number| {
                let (repo, is_over) = (&repo, &is_over);
                scope.spawn(move || {
                    let mut looks = 0;
                    while looks < 3 || !is_over.load(Ordering::Relaxed) {
                        if number == 0 {
                            let _ = fs::remove_file(index(repo));
                        }
                        let output =
                            repo.xtrack(&["log", "--json", "--where", "lr = 0.1", "--sort", "-acc"]).ok();
                        assert_eq!(names(&output.stdout), ["run-2", "run-1", "run-0"]);
                        // The refs that come and go name the records of others.
                        let is_said = |line: &str| line.starts_with("warning: run '20200101-");
                        assert!(output.stderr.lines().all(is_said), "{}", output.stderr);
                        looks += 1;
                    }
                })
            })
            .collect();
        for number in 0..30 {
            let name = format!("refs/runs/20200101-0000{number:02}-aaaaaaaa");
            repo.git(&["update-ref", &name, &tip]);
            if number % 10 == 0 {
                repo.git(&["pack-refs", "--all"]);
            }
            repo.git(&["update-ref", "-d", &name]);
        }
        is_over.store(true, Ordering::Relaxed);
        readers.into_iter().for_each(|reader| reader.join().unwrap());
    });
    assert_eq!(repo.xtrack(&["index", "--verify"]).ok().stderr, "the index is what the runs are\n");
}

#[test]
fn whoever_is_killed_leaves_no_wrong_answer() {
    let repo = repository(6);
    let expected = listed(&repo);
    for round in 0..40_u64 {
        if round % 2 == 0 {
            let _ = fs::remove_file(index(&repo));
        } else {
            repo.xtrack(&["edit", "run-0", "--note", &format!("note {round}")]).ok();
        }
        let mut command = repo.command(env!("CARGO_BIN_EXE_git-xtrack"));
        let mut child = command.args(["log"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        thread::sleep(Duration::from_micros(round * round * 40));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(listed(&repo), expected);
    }
    assert_eq!(repo.xtrack(&["index", "--verify"]).ok().stderr, "the index is what the runs are\n");
}

#[test]
fn a_read_only_repository_has_its_index_in_the_cache_folder() {
    let repo = repository(2);
    let cached = repo.home().join(".cache/git-xtrack");
    let script = "
        mount --bind work/.git work/.git && mount -o remount,bind,ro work/.git
        cd work
        git xtrack log --json --sort -acc > ../first
        git xtrack index > ../index
        git xtrack log --json --sort -acc > ../second";
    let _ = fs::remove_file(index(&repo));
    let Some(output) = with_mounts(&repo, script) else { return };
    assert_eq!(output.ok().stderr, "");
    let read = |name: &str| fs::read_to_string(repo.root().join(name)).unwrap();
    assert_eq!(names(&read("first")), ["run-1", "run-0"]);
    assert_eq!(read("first"), read("second"));
    assert!(read("index").contains(cached.to_str().unwrap()), "{}", read("index"));
    assert!(!index(&repo).exists());
}

#[test]
fn a_full_disk_costs_time_and_nothing_else() {
    let repo = Repo::new();
    fs::create_dir(repo.root().join("small")).unwrap();
    let script = "
        mount -t tmpfs -o size=2000k none small
        git init -q small/repo && cd small/repo && git commit -q --allow-empty -m first
        for acc in 1 2 3; do git xtrack record --no-snapshot -m acc=$acc; done > ../../ids
        rm -f .git/xtrack/index*
        head -c 9999k /dev/zero > ../filler 2> ../../why || true
        git xtrack log --json --sort -acc > ../../without
        git xtrack sql 'select count(*) as runs from runs' --json > ../../sql
        rm ../filler
        git xtrack log --json --sort -acc > ../../with
        git xtrack index > ../../index
        head -c 9999k /dev/zero > ../filler 2> ../../why || true
        git xtrack log --json --sort -acc > ../../again";
    let Some(output) = with_mounts(&repo, script) else { return };
    assert_eq!(output.ok().stderr, "");
    let read = |name: &str| fs::read_to_string(repo.root().join(name)).unwrap();
    assert_eq!(serde_json::from_str::<Vec<Value>>(&read("with")).unwrap().len(), 3);
    assert_eq!(read("without"), read("with"));
    assert_eq!(read("again"), read("with"));
    assert_eq!(serde_json::from_str::<Value>(&read("sql")).unwrap()[0]["runs"], 3);
    assert!(read("index").contains("index.sqlite"));
}

#[test]
fn runs_that_were_fetched_are_listed_and_become_ours_when_something_is_said_of_them() {
    let lab = repository(2);
    let clone = lab.clone(&[]);
    clone.xtrack(&["init"]).ok();
    clone.git(&["fetch", "-q"]);
    assert_eq!(listed(&clone), ["run-1", "run-0"]);
    assert_eq!(clone.refs("refs/runs/").len(), 0);
    let table = clone.xtrack(&["log"]).ok().stdout;
    assert!(table.contains("origin"), "{table}");
    assert!(clone.xtrack(&["show", "run-1"]).ok().stdout.contains("run-1"));
    lab.xtrack(&["note", "run-1", "looked at again"]).ok();
    clone.xtrack(&["tag", "run-1", "+mine"]).ok();
    assert_eq!(clone.refs("refs/runs/").len(), 1);
    let output = clone.xtrack(&["log", "--json", "--where", "has tag mine"]).ok();
    assert_eq!(names(&output.stdout), ["run-1"]);
    assert_eq!(listed(&clone), ["run-1", "run-0"]);
    // What others have said meanwhile is told of, once it was fetched; what each has said of its own is not newer.
    lab.xtrack(&["note", "run-0", "a word"]).ok();
    clone.xtrack(&["note", "run-0", "another"]).ok();
    clone.git(&["fetch", "-q"]);
    let table = clone.xtrack(&["log"]).ok().stdout;
    assert!(!table.contains("newer on origin"), "{table}");
    let id =
        lab.git(&["for-each-ref", "--format=%(refname)", "refs/runs/"]).lines().next().unwrap().to_owned();
    clone.git(&["fetch", "-q", "origin", &format!("+{id}:{id}")]);
    let number =
        if lab.xtrack(&["show", &id[10..]]).ok().stdout.contains("run-0") { "run-0" } else { "run-1" };
    lab.xtrack(&["note", number, "a last word"]).ok();
    clone.git(&["fetch", "-q"]);
    let table = clone.xtrack(&["log"]).ok().stdout;
    assert!(table.contains("newer on origin"), "{table}");
}
