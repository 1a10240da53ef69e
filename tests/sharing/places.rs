//! Where a word leads: several addresses for pushes, rewritten ones, names that git would not give, and what gets in the way there.

use std::fs;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::sharing::{Bare, clone_of, edit_runs, make_runs, run_id, set_executable, tips, tips_at};
use crate::support::Repo;

/// A remote that takes no push.
fn refuse(bare: &Bare) -> String {
    let hook = format!("{}/hooks/pre-receive", bare.path());
    fs::create_dir_all(format!("{}/hooks", bare.path())).unwrap();
    fs::write(&hook, "#!/bin/sh\nexit 1\n").unwrap();
    set_executable(&hook);
    hook
}

#[test]
fn a_remote_with_several_addresses_for_pushes_gets_runs_at_each() {
    let (first, second) = (Bare::new(), Bare::new());
    let repo = clone_of(&first, "Ada");
    for place in [&first, &second] {
        repo.git(&["remote", "set-url", "--add", "--push", "origin", place.path()]);
    }
    make_runs(&repo, 0..2);
    repo.xtrack(&["push"]).ok();
    let hook = refuse(&first);
    make_runs(&repo, 2..3);
    let output = repo.xtrack(&["push"]);
    assert_eq!(output.code, 1, "{}", output.stderr);
    assert!(output.stderr.contains("pre-receive hook declined"), "{}", output.stderr);
    assert_eq!(tips_at(&repo, second.path()), tips(&repo), "the other has it all the same");
    assert_eq!(tips_at(&repo, first.path()).lines().count(), 2);
    fs::remove_file(hook).unwrap();
    let output = repo.xtrack(&["push", "--json"]).ok();
    let answer: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(answer["pushed"][0]["id"], run_id(2).as_str(), "{answer}");
    assert_eq!(answer["also"][0]["already_there"], 3, "{answer}");
    assert_eq!(tips_at(&repo, first.path()), tips(&repo));
    // One that cannot be reached does not keep it from the other.
    fs::remove_dir_all(first.path()).unwrap();
    make_runs(&repo, 3..4);
    assert_eq!(repo.xtrack(&["push"]).code, 1);
    assert_eq!(tips_at(&repo, second.path()), tips(&repo));
}

#[test]
fn what_a_push_compares_with_is_where_it_goes() {
    let (there, elsewhere) = (Bare::new(), Bare::new());
    let repo = clone_of(&there, "Ada");
    make_runs(&repo, 0..2);
    repo.xtrack(&["push"]).ok();
    let address = format!("file://{}", there.path());
    repo.git(&["config", &format!("url.{}.pushInsteadOf", elsewhere.path()), &address]);
    let output = repo.xtrack(&["push"]).ok();
    assert_eq!(output.stderr, "pushed 2 runs to 'origin': 2 new\n");
    assert_eq!(tips_at(&repo, elsewhere.path()), tips(&repo));
    assert_eq!(repo.xtrack(&["push"]).ok().stderr, "'origin' has all of it already\n");
    // An address that a rule makes of another is not made another again.
    let folder = elsewhere.path().strip_suffix("bare.git").unwrap();
    repo.git(&["config", &format!("url.{folder}nowhere/.insteadOf"), folder]);
    assert_eq!(repo.xtrack(&["push"]).ok().stderr, "'origin' has all of it already\n");
}

#[test]
fn a_remote_may_be_named_by_the_users_own_settings() {
    let bare = Bare::new();
    let repo = Repo::new();
    repo.git(&["config", "--global", "remote.lab.url", bare.path()]);
    make_runs(&repo, 0..2);
    repo.xtrack(&["push", "lab"]).ok();
    assert_eq!(tips_at(&repo, bare.path()), tips(&repo));
}

#[test]
fn a_name_that_git_would_not_give_is_refused_and_breaks_nothing() {
    let bare = Bare::new();
    let repo = clone_of(&bare, "Ada");
    make_runs(&repo, 0..1);
    repo.git(&["config", "remote.two words.url", bare.path()]);
    for command in ["init", "pull", "fetch", "push"] {
        let output = repo.xtrack(&[command, "two words"]);
        assert_eq!(output.code, 2, "{command}: {}", output.stderr);
        assert!(output.stderr.contains("a name that no ref can be kept under"), "{}", output.stderr);
    }
    repo.git(&["fetch", "-q", "origin"]);
    assert_eq!(repo.xtrack(&["pull", ""]).code, 2, "no word is no folder");
    let output = repo.xtrack(&["merge", "nowhere"]);
    assert!(output.stderr.contains("there is no remote 'nowhere'"), "{}", output.stderr);
}

#[test]
fn a_remote_of_another_hash_is_told_apart_from_an_empty_one() {
    let bare = Bare::with(&["--object-format=sha256"]);
    let other = Repo::with(&["--object-format=sha256"], "work");
    make_runs(&other, 0..1);
    other.xtrack(&["push", bare.path()]).ok();
    let repo = clone_of(&bare, "Ada");
    make_runs(&repo, 0..1);
    for command in ["pull", "push"] {
        let output = repo.xtrack(&[command]);
        assert_eq!(output.code, 1);
        assert!(output.stderr.contains("by another hash"), "{}", output.stderr);
    }
}

/// Leaves a lock as a git does that is killed, so long ago that nobody waits for it.
fn stale_lock(repo: &Repo, name: &str) -> std::path::PathBuf {
    let path = repo.path().join(format!(".git/{name}.lock"));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let file = fs::File::create(&path).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(3600)).unwrap();
    path
}

#[test]
fn a_lock_on_one_ref_holds_up_no_other() {
    let bare = Bare::new();
    let (ada, bo) = (clone_of(&bare, "Ada"), clone_of(&bare, "Bo"));
    make_runs(&ada, 0..6);
    ada.xtrack(&["push"]).ok();
    // Of one the note of what the remote has, of one the run itself.
    let mut locks = vec![stale_lock(&bo, &format!("refs/xtrack/remotes/origin/runs/{}", run_id(1)))];
    locks.push(stale_lock(&bo, &format!("refs/runs/{}", run_id(2))));
    let output = bo.xtrack(&["pull"]);
    assert_eq!(output.code, 1);
    assert!(output.stderr.contains("5 runs from 'origin': 5 new\n"), "{}", output.stderr);
    for number in [1, 2] {
        let line = output.stderr.lines().find(|line| line.contains(run_id(number).as_str())).unwrap();
        assert!(line.contains("is in the way"), "{line}");
    }
    locks.drain(..).for_each(|lock| fs::remove_file(lock).unwrap());
    bo.xtrack(&["pull"]).ok();
    assert_eq!(tips(&bo), tips(&ada));
    // Followed and joined runs are told one by one as well.
    edit_runs(&ada, 0..6, "Ada", |edit| edit.note = Some("good".into()));
    edit_runs(&bo, 0..2, "Bo", |edit| edit.note = Some("bad".into()));
    ada.xtrack(&["push"]).ok();
    for number in [0, 3] {
        locks.push(stale_lock(&bo, &format!("refs/runs/{}", run_id(number))));
    }
    let output = bo.xtrack(&["pull"]);
    assert_eq!(output.code, 1);
    assert!(output.stderr.contains("4 runs from 'origin': 3 updated, 1 merged\n"), "{}", output.stderr);
    locks.drain(..).for_each(|lock| fs::remove_file(lock).unwrap());
    bo.xtrack(&["pull"]).ok();
    bo.xtrack(&["push"]).ok();
    ada.xtrack(&["pull"]).ok();
    assert_eq!(tips(&bo), tips(&ada));
}

#[test]
fn what_went_is_told_though_it_cannot_be_noted() {
    let bare = Bare::new();
    let repo = clone_of(&bare, "Ada");
    make_runs(&repo, 0..2);
    stale_lock(&repo, &format!("refs/xtrack/remotes/origin/runs/{}", run_id(1)));
    let output = repo.xtrack(&["push"]).ok();
    assert!(output.stderr.starts_with("pushed 2 runs to 'origin': 2 new\n"), "{}", output.stderr);
    assert!(output.stderr.contains("warning: what 'origin' has now cannot be noted"), "{}", output.stderr);
}
