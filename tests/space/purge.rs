//! `git xtrack purge`: a secret is nowhere that can be reached, and nowhere at all once git has collected; and it does not come back.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::sharing::{Bare, clone_of};
use crate::space::{json, refs};
use crate::support::Repo;
use crate::support::repo::run;

const SECRET: &str = "hunter2-the-secret";

/// Whether any object of the repository holds the secret; only of those that refs reach, or of all.
fn is_in_objects(repo: &Repo, all: bool) -> bool {
    let list = match all {
        true => "git cat-file --batch-all-objects --batch",
        false => "git rev-list --objects --all --no-object-names | git cat-file --batch",
    };
    let script = format!("{list} | grep -a -c '{SECRET}'");
    let found = run(repo.command("sh").args(["-c", &script]));
    found.stdout.trim() != "0"
}

/// The files below a folder that hold the secret as it is.
fn files_with_secret(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        if entry.path().is_dir() {
            found.extend(files_with_secret(&entry.path()));
        } else {
            let bytes = fs::read(entry.path()).unwrap_or_default();
            let holds = bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes());
            found.extend(holds.then(|| entry.path().display().to_string()));
        }
    }
    found
}

/// A run with the secret wherever one may come to lie.
fn record_secret(repo: &Repo) {
    repo.write("train.py", "print(1)\n");
    repo.commit("one");
    repo.write("train.py", format!("KEY = '{SECRET}'\n"));
    repo.write("small.txt", SECRET);
    repo.write("large.bin", SECRET.repeat(30_000));
    let command = format!("echo {SECRET} | tr a-z a-z");
    let arguments =
        ["record", "--name", "a", "-p", &format!("word={SECRET}"), "-a", "small.txt", "-a", "large.bin"];
    repo.xtrack(&[&arguments[..], &["--", "sh", "-c", &command]].concat()).ok();
    repo.xtrack(&["edit", "a", "--note", SECRET, "--tag", &format!("+{SECRET}")]).ok();
    repo.xtrack(&["edit", "a", "--name", SECRET]).ok();
    repo.xtrack(&["undo"]).ok();
    repo.xtrack(&["log", "--where", "params.word != 'x'"]).ok();
    repo.git(&["checkout", "-q", "train.py"]);
    fs::remove_file(repo.path().join("large.bin")).unwrap();
    fs::remove_file(repo.path().join("small.txt")).unwrap();
}

/// Does what the purge says is left to do in this repository.
fn follow(repo: &Repo, answer: &Value) {
    for remains in answer[0]["not_reached"].as_array().unwrap() {
        for command in remains["commands"].as_array().unwrap() {
            let words = shell_words::split(command.as_str().unwrap()).unwrap();
            let words: Vec<&str> = words[1..].iter().map(String::as_str).collect();
            if words[0] != "xtrack" {
                repo.git(&words);
            }
        }
    }
}

#[test]
fn the_secret_is_nowhere_and_after_git_has_collected_nowhere_at_all() {
    let repo = Repo::new();
    repo.git(&["config", "core.logAllRefUpdates", "always"]);
    record_secret(&repo);
    repo.xtrack(&["record", "--name", "b", "-p", "lr=1"]).ok();
    assert!(is_in_objects(&repo, false));
    assert!(!files_with_secret(&repo.path().join(".git")).is_empty());
    let output = repo.xtrack(&["purge", "a", "--dry-run"]).ok();
    assert!(output.stderr.contains("1 artifact ("), "{}", output.stderr);
    assert_eq!(repo.xtrack(&["purge", "a"]).code, 2, "nobody is here to answer");
    let answer = json(&repo, &["purge", "a", "--yes", "--why", "a password", "--json"]);
    assert_eq!(answer[0]["failed"], serde_json::json!([]));
    assert_eq!(answer[0]["code"].as_array().unwrap().len(), 1);
    assert_eq!(answer[0]["artifacts"].as_array().unwrap().len(), 1);
    assert!(!is_in_objects(&repo, false), "reachable");
    assert_eq!(files_with_secret(&repo.path().join(".git")), [""; 0]);
    follow(&repo, &answer);
    assert!(!is_in_objects(&repo, true), "in an object");
    let run = &json(&repo, &["log", "--deleted", "--json"])[0];
    let id = run["id"].as_str().unwrap();
    let shown = repo.xtrack(&["show", id]).ok().stdout;
    assert!(shown.contains("a password"), "{shown}");
    assert_eq!(repo.xtrack(&["show", "b"]).code, 0);
    assert_eq!(repo.xtrack(&["undo"]).code, 1, "nothing is left to take back");
    repo.assert_sound();
}

#[test]
fn the_index_forgets_without_being_built_anew_wherever_it_lies() {
    let repo = Repo::new();
    record_secret(&repo);
    for number in 0..40 {
        repo.xtrack(&["record", "--name", &format!("r{number}"), "-p", "lr=1"]).ok();
    }
    let index = || json(&repo, &["index", "--json"]);
    let before = index()["changes"].as_i64().unwrap();
    // One of another time, when the repository could not be written.
    let common = repo.path().join(".git");
    let digest = xtrack::run::id::sha256(common.as_os_str().as_encoded_bytes());
    let other = repo.home().join(format!(".cache/git-xtrack/index-{}.sqlite", &digest[..32]));
    fs::create_dir_all(other.parent().unwrap()).unwrap();
    fs::copy(common.join("xtrack/index.sqlite"), &other).unwrap();
    repo.xtrack(&["purge", "a", "--yes"]).ok();
    assert!(index()["changes"].as_i64().unwrap() > before);
    assert_eq!(files_with_secret(&repo.path().join(".git")), [""; 0]);
    assert!(!other.exists());
    assert!(repo.xtrack(&["index", "--verify"]).ok().code == 0);
    assert_eq!(json(&repo, &["log", "--json"]).as_array().unwrap().len(), 40);
}

#[test]
fn what_was_not_written_down_whole_is_not_taken_for_done() {
    let repo = Repo::new();
    repo.xtrack(&["record", "--name", "a"]).ok();
    let id = json(&repo, &["show", "a", "--json"])["id"].as_str().unwrap().to_owned();
    repo.xtrack(&["purge", "a", "--yes"]).ok();
    let note = repo.path().join(format!(".git/xtrack/purging/{id}.json"));
    fs::write(&note, "{\"format\":1").unwrap();
    let output = repo.xtrack(&["gc"]);
    assert_eq!(output.code, 1);
    assert!(output.stderr.contains("cannot be finished"), "{}", output.stderr);
    assert!(note.exists());
    repo.xtrack(&["purge", &id, "--yes"]).ok();
    assert!(!note.exists());
}

#[test]
fn what_other_runs_need_stays() {
    let repo = Repo::new();
    repo.write("train.py", "print(1)\n");
    repo.commit("one");
    repo.write("train.py", "print(2)\n");
    repo.write("model.bin", vec![1; 300_000]);
    for name in ["a", "b"] {
        repo.xtrack(&["record", "--name", name, "-a", "model.bin", "--", "true"]).ok();
    }
    let answer = json(&repo, &["purge", "a", "--yes", "--json"]);
    assert_eq!(answer[0]["code"], serde_json::json!([]));
    assert_eq!(answer[0]["artifacts"], serde_json::json!([]));
    repo.git(&["gc", "-q", "--prune=now"]);
    repo.xtrack(&["show", "b", "--code"]).ok();
    assert_eq!(json(&repo, &["du", "--json"])["artifacts"]["count"], 1);
    let answer = json(&repo, &["purge", "b", "--yes", "--json"]);
    assert_eq!(answer[0]["code"].as_array().unwrap().len(), 1);
    assert_eq!(answer[0]["artifacts"].as_array().unwrap().len(), 1);
}

#[test]
fn it_does_not_come_back_by_any_clone() {
    let bare = Bare::new();
    let (ada, bo, cy) = (clone_of(&bare, "Ada"), clone_of(&bare, "Bo"), clone_of(&bare, "Cy"));
    record_secret(&ada);
    ada.xtrack(&["push"]).ok();
    bo.xtrack(&["pull"]).ok();
    cy.xtrack(&["pull"]).ok();
    let answer = json(&ada, &["purge", "a", "--yes", "--json"]);
    follow(&ada, &answer);
    // The remote has it still: it does not come here again, not even beside ours.
    ada.xtrack(&["pull"]).ok();
    ada.xtrack(&["fetch"]).ok();
    assert!(!is_in_objects(&ada, true));
    let id = ada.refs("refs/runs")[0].strip_prefix("refs/runs/").unwrap().to_owned();
    let output = ada.xtrack(&["purge", &id, "--yes", "--remote", "origin"]).ok();
    assert!(output.stderr.contains("the stone is in 'origin'"), "{}", output.stderr);
    // Bo goes on with it, and has not heard.
    bo.xtrack(&["tag", "a", "+bo"]).ok();
    bo.xtrack(&["push"]);
    ada.xtrack(&["pull"]).ok();
    assert!(!is_in_objects(&ada, true));
    let stone = ada.git(&["rev-parse", &format!("refs/runs/{id}")]);
    assert!(bare.refs(&ada, "refs/runs").contains(&stone));
    // Bo pulls, says nothing, and then yes.
    let output = bo.xtrack(&["pull"]).ok();
    assert!(output.stderr.contains("was purged by"), "{}", output.stderr);
    assert_eq!(bo.xtrack(&["show", "a"]).code, 0);
    bo.xtrack(&["pull", "--yes"]).ok();
    assert_eq!(bo.git(&["rev-parse", &format!("refs/runs/{id}")]), stone);
    assert!(!is_in_objects(&bo, false));
    bo.git(&["gc", "-q", "--prune=now"]);
    assert!(!is_in_objects(&bo, true));
    assert_eq!(files_with_secret(&bo.path().join(".git")), [""; 0]);
    assert!(bo.refs("refs/xtrack/undo").is_empty());
    // Cy merges what a plain fetch brought, edits, pushes.
    cy.git(&["fetch", "-q", "origin", "+refs/runs/*:refs/xtrack/remotes/origin/runs/*"]);
    cy.xtrack(&["merge", "--yes"]).ok();
    assert_eq!(cy.xtrack(&["tag", &id, "+cy"]).code, 1);
    cy.xtrack(&["push"]).ok();
    ada.xtrack(&["pull"]).ok();
    for clone in [&ada, &bo, &cy] {
        assert_eq!(clone.git(&["rev-parse", &format!("refs/runs/{id}")]), stone);
    }
}

#[test]
fn killed_at_any_moment_it_is_finished_later() {
    for delay in [2, 10, 15, 20, 25, 30, 40, 50, 70, 90] {
        let repo = Repo::new();
        record_secret(&repo);
        let id = repo.refs("refs/runs")[0].strip_prefix("refs/runs/").unwrap().to_owned();
        let mut command = repo.command(env!("CARGO_BIN_EXE_git-xtrack"));
        command.args(["purge", &id, "--yes"]).stderr(std::process::Stdio::null());
        let mut child = command.spawn().unwrap();
        std::thread::sleep(Duration::from_millis(delay));
        let _ = child.kill();
        child.wait().unwrap();
        // Nothing half done: the run is whole, or it is a stone.
        let paths = repo.git(&["ls-tree", "-r", "--name-only", &format!("refs/runs/{id}")]);
        if paths == "tombstone.toml" {
            repo.xtrack(&["gc"]).ok();
        } else {
            assert!(paths.contains("run.toml"));
            repo.xtrack(&["gc"]).ok();
            assert_eq!(repo.xtrack(&["show", &id]).code, 0);
            repo.xtrack(&["purge", &id, "--yes"]).ok();
        }
        assert!(!is_in_objects(&repo, false), "after {delay} ms");
        assert_eq!(files_with_secret(&repo.path().join(".git")), [""; 0], "after {delay} ms");
        let notes = fs::read_dir(repo.path().join(".git/xtrack/purging")).into_iter().flatten().count();
        assert_eq!(notes, 0);
    }
}

#[test]
fn a_run_in_progress_and_what_is_not_there_are_refused() {
    let repo = Repo::new();
    assert_eq!(repo.xtrack(&["purge", "x", "--yes"]).code, 4);
    let mut command = repo.command(env!("CARGO_BIN_EXE_git-xtrack"));
    let mut child = command.args(["record", "--name", "live", "--", "sleep", "20"]).spawn().unwrap();
    for _ in 0..200 {
        if repo.xtrack(&["show", "live"]).code == 0 {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let output = repo.xtrack(&["purge", "live", "--yes"]);
    assert_eq!(output.code, 1);
    assert!(output.stderr.contains("is in progress"), "{}", output.stderr);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn it_holds_with_reftable_and_for_runs_that_were_only_fetched() {
    let repo = Repo::with(&["--ref-format=reftable"], "work");
    record_secret(&repo);
    let answer = json(&repo, &["purge", "a", "--yes", "--json"]);
    follow(&repo, &answer);
    assert!(!is_in_objects(&repo, true));

    let bare = Bare::new();
    let (ada, bo) = (clone_of(&bare, "Ada"), clone_of(&bare, "Bo"));
    record_secret(&ada);
    ada.xtrack(&["push"]).ok();
    bo.xtrack(&["fetch"]).ok();
    let answer = json(&bo, &["purge", "a", "--yes", "--json"]);
    follow(&bo, &answer);
    assert!(!is_in_objects(&bo, true));
    assert_eq!(bo.refs("refs/runs").len(), 1);
    bo.xtrack(&["fetch"]).ok();
    assert!(!is_in_objects(&bo, true));
    assert!(refs(&bo).contains("refs/runs/"));
}
