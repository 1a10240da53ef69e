//! `git xtrack oplog` and `undo`: every move of a ref is told, and goes back.

use std::fs;

use serde_json::Value;

use crate::sharing::{Bare, clone_of, make_runs};
use crate::space::{json, operations, refs};
use crate::support::Repo;

const LOG: &str = ".git/xtrack/operations.jsonl";

fn show(repo: &Repo, run: &str) -> Value {
    json(repo, &["show", run, "--json"])
}

fn commands(repo: &Repo) -> Vec<String> {
    operations(repo).iter().map(|one| one["command"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn an_edit_is_taken_back_and_the_taking_back_too() {
    let repo = Repo::new();
    repo.xtrack(&["record", "--name", "a"]).ok();
    let recorded = refs(&repo);
    repo.xtrack(&["ls"]).ok();
    repo.xtrack(&["rm", "a"]).ok();
    let removed = refs(&repo);
    assert_eq!(commands(&repo), ["rm", "record"], "an alias and a list are no operations");
    let output = repo.xtrack(&["undo"]).ok();
    assert!(output.stderr.starts_with("took back rm "), "{}", output.stderr);
    assert_eq!(refs(&repo), recorded);
    assert_eq!(show(&repo, "a")["deleted"], false);
    // What was dropped is kept, whatever collects garbage.
    repo.git(&["gc", "-q", "--prune=now"]);
    repo.xtrack(&["undo"]).ok();
    assert_eq!(refs(&repo), removed);
    assert_eq!(commands(&repo), ["undo", "undo", "rm", "record"]);
    let all = operations(&repo);
    assert_eq!(all[0]["undoes"], all[1]["id"]);
    assert_eq!(all[1]["undoes"], all[2]["id"]);
    repo.assert_sound();
}

#[test]
fn a_recording_is_taken_back_by_name_only() {
    let repo = Repo::new();
    repo.commit("one");
    repo.xtrack(&["record", "--name", "a"]).ok();
    repo.xtrack(&["tag", "a", "+x"]).ok();
    repo.xtrack(&["record", "--name", "b", "--", "true"]).ok();
    let output = repo.xtrack(&["undo"]).ok();
    assert!(output.stderr.contains("took back tag "), "{}", output.stderr);
    let before = refs(&repo);
    let recorded = operations(&repo)[1]["id"].as_str().unwrap().to_owned();
    repo.xtrack(&["undo", &recorded[..4]]).ok();
    assert_eq!(repo.xtrack(&["show", "b"]).code, 4);
    assert!(refs(&repo).contains("refs/xtrack/code/"), "another run may have come to need it");
    repo.xtrack(&["undo", "1"]).ok();
    assert_eq!(refs(&repo), before);
    assert_eq!(repo.xtrack(&["undo", "99"]).code, 4);
    assert_eq!(repo.xtrack(&["undo", "zzzz"]).code, 4);
}

#[test]
fn replayed_backwards_the_log_gives_the_refs_before() {
    let bare = Bare::new();
    let (ada, bo) = (clone_of(&bare, "Ada"), clone_of(&bare, "Bo"));
    make_runs(&bo, 0..30);
    bo.xtrack(&["push"]).ok();
    ada.xtrack(&["record", "--name", "a"]).ok();
    let mut states = vec![refs(&ada)];
    let steps: &[&[&str]] = &[
        &["edit", "a", "--name", "b"],
        &["fetch"],
        &["merge"],
        &["tag", "run-3", "+x"],
        &["edit", "--where", "name ~ 'run-1'", "--yes", "--note", "n"],
        &["rm", "run-3"],
        &["restore", "run-3"],
        &["undo"],
        &["note", "b", "word"],
        &["pull"],
    ];
    for step in steps {
        ada.xtrack(step).ok();
        if *states.last().unwrap() != refs(&ada) {
            states.push(refs(&ada));
        }
    }
    // By the answers alone, as anybody could: from the refs as they are back to what was before.
    let mut now: std::collections::BTreeMap<String, String> = states
        .last()
        .unwrap()
        .lines()
        .map(|line| line.split_once(' ').unwrap())
        .map(|(name, tip)| (name.to_owned(), tip.to_owned()))
        .collect();
    let written = |refs: &std::collections::BTreeMap<String, String>| -> String {
        refs.iter().map(|(name, tip)| format!("{name} {tip}\n")).collect()
    };
    let all = operations(&ada);
    assert_eq!(all.len(), states.len(), "{all:#?}");
    for (operation, before) in all.iter().zip(states.iter().rev().skip(1)) {
        for moved in operation["refs"].as_array().unwrap() {
            let name = moved["name"].as_str().unwrap();
            if name.starts_with("refs/xtrack/undo/") {
                continue;
            }
            assert_eq!(now.get(name).map(String::as_str), moved["after"].as_str());
            match moved["before"].as_str() {
                Some(tip) => now.insert(name.to_owned(), tip.to_owned()),
                None => now.remove(name),
            };
        }
        assert_eq!(written(&now), *before);
    }
    // And by `undo`, the one after the other.
    let ids: Vec<String> = all.iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect();
    for (id, before) in ids.iter().zip(states.iter().rev().skip(1)) {
        ada.xtrack(&["undo", id]).ok();
        assert_eq!(refs(&ada), *before);
    }
    ada.assert_sound();
}

#[test]
fn what_has_gone_on_since_is_named_and_can_be_unsaid() {
    let repo = Repo::new();
    repo.xtrack(&["record", "--name", "a", "-m", "loss=1", "-p", "lr=0.1"]).ok();
    let words = ["--tag=+x", "--note=n", "-m", "loss=2", "--correct", "lr=0.2", "--name=b"];
    repo.xtrack(&[&["edit", "a"], &words[..]].concat()).ok();
    repo.xtrack(&["tag", "b", "+y"]).ok();
    let before = refs(&repo);
    let output = repo.xtrack(&["undo", "2"]);
    assert_eq!(output.code, 1);
    assert!(output.stderr.contains("has gone on since, and is left as it is"), "{}", output.stderr);
    assert!(output.stderr.contains("going back would lose: xtrack: tag y"), "{}", output.stderr);
    assert_eq!(refs(&repo), before);
    let answer: Value = serde_json::from_str(&repo.xtrack(&["undo", "2", "--json"]).stdout).unwrap();
    assert_eq!(answer["left"][0]["cause"], "gone_on");
    let instead = answer["left"][0]["instead"][0].as_str().unwrap();
    let words = shell_words::split(instead).unwrap();
    repo.xtrack(&words[2..]).ok();
    let run = show(&repo, "a");
    assert_eq!(run["tags"], serde_json::json!(["y"]));
    assert_eq!(run["notes"], serde_json::json!([]));
    assert_eq!(run["params"]["lr"], 0.1);
    assert_eq!(run["metrics"]["loss"]["last"], 1);
}

#[test]
fn a_pull_is_taken_back_and_can_be_done_again() {
    let bare = Bare::new();
    let (ada, bo) = (clone_of(&bare, "Ada"), clone_of(&bare, "Bo"));
    make_runs(&ada, 0..60);
    ada.xtrack(&["push"]).ok();
    bo.xtrack(&["record", "--name", "mine"]).ok();
    let before = refs(&bo);
    bo.xtrack(&["pull"]).ok();
    let pulled = refs(&bo);
    let output = bo.xtrack(&["undo"]).ok();
    assert!(output.stderr.contains("'origin' has 60 runs as that operation left it"), "{}", output.stderr);
    assert_eq!(refs(&bo), before);
    assert_eq!(json(&bo, &["log", "--json"]).as_array().unwrap().len(), 1);
    bo.git(&["gc", "-q", "--prune=now"]);
    bo.xtrack(&["undo"]).ok();
    assert_eq!(refs(&bo), pulled);
    bo.xtrack(&["undo"]).ok();
    bo.xtrack(&["pull"]).ok();
    assert_eq!(refs(&bo), pulled);
    bo.assert_sound();
}

#[test]
fn what_was_pushed_is_said_to_be_elsewhere() {
    let bare = Bare::new();
    let ada = clone_of(&bare, "Ada");
    ada.xtrack(&["record", "--name", "a"]).ok();
    ada.xtrack(&["rm", "a"]).ok();
    ada.xtrack(&["push"]).ok();
    let output = ada.xtrack(&["undo"]);
    assert_eq!(output.code, 1);
    assert!(output.stderr.contains("is a push: 'origin' has the runs now"), "{}", output.stderr);
    let output = ada.xtrack(&["undo", "2"]).ok();
    assert!(output.stderr.contains("'origin' has 1 run as that operation left it"), "{}", output.stderr);
    ada.xtrack(&["pull"]).ok();
    assert_eq!(show(&ada, "a")["deleted"], true, "as was said");
}

#[test]
fn nothing_that_was_typed_is_in_the_log() {
    let repo = Repo::new();
    repo.xtrack(&["record", "--name", "a", "-p", "token_hint=hunter2"]).ok();
    repo.xtrack(&["edit", "a", "--note", "the password is hunter2", "--name", "hunter2"]).ok();
    assert!(!repo.read(LOG).contains("hunter2"));
}

#[test]
fn a_log_that_is_torn_or_cannot_be_written_costs_only_itself() {
    let repo = Repo::new();
    repo.xtrack(&["record", "--name", "a"]).ok();
    let torn = format!("{}{{\"operation\":\"k7f3q2ab\",\"at\":\"20", repo.read(LOG));
    fs::write(repo.path().join(LOG), torn).unwrap();
    repo.xtrack(&["tag", "a", "+x"]).ok();
    assert_eq!(commands(&repo), ["tag", "record"]);
    // Refs that are not ours are not moved back, whatever a log says.
    let [before, after] = ["1", "2"].map(|digit| digit.repeat(40));
    for name in ["refs/heads/main", "../../elsewhere", "-x"] {
        let line = format!(
            "{{\"operation\":\"k7f3q2ab\",\"at\":\"2026-01-02T12:00:00.000000Z\",\"command\":\"\u{1b}[31medit\",\
             \"moves\":[[\"{name}\",\"{before}\",\"{after}\"]]}}\n"
        );
        let kept = repo.read(LOG);
        fs::write(repo.path().join(LOG), format!("{kept}{}", line.replace('\u{1b}', "\\u001b"))).unwrap();
        assert!(!repo.xtrack(&["oplog"]).ok().stdout.contains('\u{1b}'));
        let output = repo.xtrack(&["undo", "k7f3q2ab"]);
        assert!(output.stderr.contains("there is nothing in operation"), "{}", output.stderr);
        fs::write(repo.path().join(LOG), kept).unwrap();
    }
    fs::remove_file(repo.path().join(LOG)).unwrap();
    fs::create_dir(repo.path().join(LOG)).unwrap();
    let output = repo.xtrack(&["tag", "a", "+y"]).ok();
    assert!(output.stderr.contains("cannot note in the operation log"), "{}", output.stderr);
    assert_eq!(show(&repo, "a")["tags"], serde_json::json!(["x", "y"]));
    fs::remove_dir(repo.path().join(LOG)).unwrap();
    let output = repo.xtrack(&["undo"]);
    assert!(output.stderr.contains("there is nothing to take back"), "{}", output.stderr);
}

#[test]
fn many_at_once_are_all_told() {
    let repo = Repo::new();
    repo.xtrack(&["record", "--name", "a"]).ok();
    std::thread::scope(|scope| {
        for number in 0..12 {
            let tag = format!("+t{number}");
            let repo = &repo;
            scope.spawn(move || repo.xtrack(&["tag", "a", &tag]).ok());
        }
    });
    let tags = operations(&repo).iter().filter(|one| one["command"] == "tag").count();
    assert_eq!(tags, 12);
    assert_eq!(show(&repo, "a")["tags"].as_array().unwrap().len(), 12);
    // Each but the last has been built upon.
    assert_eq!(repo.xtrack(&["undo", "2"]).code, 1);
    repo.xtrack(&["undo", "1"]).ok();
    assert_eq!(show(&repo, "a")["tags"].as_array().unwrap().len(), 11);
}

#[test]
fn the_log_does_not_grow_without_end() {
    let repo = Repo::new();
    repo.xtrack(&["record", "--name", "a"]).ok();
    let line = repo.read(LOG).lines().next().unwrap().to_owned() + "\n";
    for _ in 0..6 {
        fs::write(repo.path().join(LOG), line.repeat((9 << 20) / line.len())).unwrap();
        repo.xtrack(&["tag", "a", "+x"]).ok();
        repo.xtrack(&["tag", "a", "-x"]).ok();
    }
    let folder = fs::read_dir(repo.path().join(".git/xtrack")).unwrap().flatten();
    let names = folder.map(|entry| entry.file_name().into_string().unwrap());
    assert_eq!(names.filter(|name| name.starts_with("operations")).count(), 4);
    repo.xtrack(&["undo"]).ok();
}

#[test]
fn hiding_is_told_and_taken_back() {
    let repo = Repo::new();
    for name in ["a", "b", "c"] {
        repo.xtrack(&["record", "--name", name]).ok();
    }
    let hidden = || json(&repo, &["log", "--deleted", "--json"]).as_array().unwrap().len();
    repo.xtrack(&["rm", "--local", "a", "b"]).ok();
    let first = operations(&repo)[0].clone();
    assert_eq!((&first["command"], first["hidden"].as_array().unwrap().len()), (&"rm".into(), 2));
    assert!(repo.xtrack(&["oplog"]).ok().stdout.contains("2 runs hidden here"));
    repo.xtrack(&["restore", "--local", "a"]).ok();
    assert_eq!(hidden(), 1);
    let output = repo.xtrack(&["undo"]).ok();
    assert!(output.stderr.starts_with("took back restore"), "{}", output.stderr);
    assert_eq!(hidden(), 2);
    repo.xtrack(&["undo", first["id"].as_str().unwrap()]).ok();
    assert_eq!(hidden(), 0);
    let answer = json(&repo, &["undo", "--json"]);
    assert_eq!(answer["hidden"].as_array().unwrap().len(), 2);
    assert_eq!(hidden(), 2);
    // What could not be done is not told as done.
    let told = operations(&repo).len();
    fs::rename(repo.path().join(".git/xtrack/hidden"), repo.path().join(".git/xtrack/aside")).unwrap();
    fs::create_dir(repo.path().join(".git/xtrack/hidden")).unwrap();
    assert_eq!(repo.xtrack(&["rm", "--local", "c"]).code, 1);
    assert_eq!(operations(&repo).len(), told);
    fs::remove_dir(repo.path().join(".git/xtrack/hidden")).unwrap();
    fs::rename(repo.path().join(".git/xtrack/aside"), repo.path().join(".git/xtrack/hidden")).unwrap();
    // A line that was torn by a full disk takes no other with it.
    let path = repo.path().join(".git/xtrack/hidden");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, &text[..text.len() - 5]).unwrap();
    repo.xtrack(&["rm", "--local", "c"]).ok();
    assert_eq!(hidden(), 2);
}

#[test]
fn many_runs_move_by_one_write_of_packed_refs_and_back() {
    let repo = Repo::new();
    make_runs(&repo, 0..600);
    repo.git(&["pack-refs", "--all"]);
    // Some are files of their own, which count more; another program is at one of them.
    repo.xtrack(&["rm", "--where", "name ~ 'run-1'", "--yes"]).ok();
    let before = refs(&repo);
    let locked = format!("{}.lock", repo.refs("refs/runs")[300]);
    fs::write(repo.path().join(".git").join(&locked), "").unwrap();
    let output = repo.xtrack(&["edit", "--where", "name ~ 'run-'", "--tag", "+x", "--yes"]);
    assert!(
        output.stderr.contains("1 failed") && output.stderr.contains("is in the way"),
        "{}",
        output.stderr
    );
    fs::remove_file(repo.path().join(".git").join(&locked)).unwrap();
    let edited = refs(&repo);
    let changed = before.lines().zip(edited.lines()).filter(|(before, after)| before != after).count();
    assert_eq!(changed, json(&repo, &["log", "--where", "tag = x", "--json"]).as_array().unwrap().len());
    assert!(changed > 400);
    let loose = fs::read_dir(repo.path().join(".git/refs/runs")).unwrap().count();
    assert!(loose < 200, "{loose}");
    assert!(!repo.path().join(".git/packed-refs.lock").exists());
    repo.xtrack(&["undo"]).ok();
    assert_eq!(refs(&repo), before);
    repo.xtrack(&["undo"]).ok();
    assert_eq!(refs(&repo), edited);
    repo.git(&["pack-refs", "--all"]);
    assert_eq!(refs(&repo), edited);
    repo.git(&["fsck", "--strict", "--no-dangling", "--no-progress"]);
}

#[test]
fn it_holds_with_reftable_and_in_worktrees_and_bare() {
    let repo = Repo::with(&["--ref-format=reftable"], "work");
    repo.xtrack(&["record", "--name", "a"]).ok();
    let before = refs(&repo);
    repo.xtrack(&["rm", "a"]).ok();
    repo.xtrack(&["undo"]).ok();
    assert_eq!(refs(&repo), before);
    repo.xtrack(&["undo", "3"]).ok();
    assert_eq!(repo.xtrack(&["show", "a"]).code, 4);

    let repo = Repo::new();
    repo.commit("one");
    repo.git(&["worktree", "add", "-q", "../other"]);
    repo.xtrack(&["record", "--name", "a"]).ok();
    repo.at("../other").xtrack(&["rm", "a"]).ok();
    repo.xtrack(&["undo"]).ok();
    assert_eq!(show(&repo, "a")["deleted"], false);
}
