//! Commands that share and are killed at any moment: nothing is half done, no help is needed, and the next one completes.
//!
//! `XTRACK_TRIALS` says how often each is killed.

use std::os::unix::process::CommandExt as _;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use crate::sharing::{Bare, clone_of, edit_runs, make_runs, tips, tips_at, trials};
use crate::support::Repo;

/// What two have and one of them shared: new runs on both sides, and words of both on common ones.
fn sharing() -> (Bare, Repo, Repo) {
    let bare = Bare::new();
    let (ada, bo) = (clone_of(&bare, "Ada"), clone_of(&bare, "Bo"));
    make_runs(&ada, 0..40);
    ada.xtrack(&["push"]).ok();
    bo.xtrack(&["pull"]).ok();
    make_runs(&ada, 40..70);
    make_runs(&bo, 70..100);
    edit_runs(&ada, 0..30, "Ada", |edit| edit.note = Some("good".into()));
    edit_runs(&bo, 10..40, "Bo", |edit| edit.note = Some("bad".into()));
    ada.xtrack(&["push"]).ok();
    (bare, ada, bo)
}

/// Kills the command after so long; `is_alone`: what it started lives on.
fn kill(repo: &Repo, command: &str, after: Duration, is_alone: bool) {
    let mut program = repo.command(env!("CARGO_BIN_EXE_git-xtrack"));
    program.arg(command).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    let mut child = program.spawn().unwrap();
    thread::sleep(after);
    let target = if is_alone { child.id().to_string() } else { format!("-{}", child.id()) };
    // It may have ended by then.
    let killed = repo.command("kill").args(["-9", "--", &target]).stderr(Stdio::null()).status();
    killed.unwrap();
    child.wait().unwrap();
}

fn assert_killed(command: &str, prepare: impl Fn(&Repo)) {
    let seed: u64 = std::env::var("XTRACK_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    eprintln!("XTRACK_SEED={seed}");
    for trial in 0..trials(2) as u64 {
        let (bare, ada, bo) = sharing();
        prepare(&bo);
        let count = tips(&bo).lines().count();
        // How long it takes in all here; spread over that.
        let whole = Duration::from_millis(if trial == 0 { 40 } else { 400 });
        let part = (seed.wrapping_mul(7919).wrapping_add(trial * 104_729) % 1000) as u32;
        // What serves a push on the other side is not ours to kill here.
        kill(&bo, command, whole * part / 1000, command == "push" || trial % 2 == 1);
        let looked = bo.xtrack(&["log", "--json"]).ok();
        assert!(!looked.stderr.contains("damaged"), "{}", looked.stderr);
        assert!(tips(&bo).lines().count() >= count);
        for path in [bo.path().to_str().unwrap(), bare.path()] {
            bo.git(&["-C", path, "fsck", "--strict", "--no-dangling", "--connectivity-only"]);
        }
        bo.xtrack(&[command]).ok();
        for (repo, command) in [(&bo, "pull"), (&bo, "push"), (&ada, "pull")] {
            repo.xtrack(&[command]).ok();
        }
        assert_eq!(tips(&bo), tips(&ada));
        assert_eq!(tips(&bo), tips_at(&ada, bare.path()));
        assert_eq!(tips(&bo).lines().count(), 100);
    }
}

#[test]
fn a_pull_that_is_killed_leaves_whole_runs_and_the_next_completes() {
    assert_killed("pull", |_| ());
}

#[test]
fn a_merge_that_is_killed_leaves_whole_runs_and_the_next_completes() {
    assert_killed("merge", |bo| drop(bo.xtrack(&["fetch"]).ok()));
}

#[test]
fn a_push_that_is_killed_leaves_whole_runs_and_the_next_completes() {
    assert_killed("push", |bo| drop(bo.xtrack(&["pull"]).ok()));
}

#[test]
fn pulls_edits_and_recordings_at_once_do_not_get_in_each_others_way() {
    let (_bare, ada, bo) = sharing();
    thread::scope(|scope| {
        let pulls: Vec<_> = (0..3).map(|_| scope.spawn(|| bo.xtrack(&["pull"]).ok())).collect();
        scope.spawn(|| {
            for _ in 0..4 {
                bo.xtrack(&["record", "--", "true"]).ok();
            }
        });
        scope.spawn(|| bo.xtrack(&["edit", "run-75", "run-5", "run-15", "--note", "meanwhile", "-y"]).ok());
        pulls.into_iter().for_each(|pull| drop(pull.join().unwrap()));
    });
    bo.xtrack(&["pull"]).ok();
    bo.xtrack(&["push"]).ok();
    ada.xtrack(&["pull"]).ok();
    assert_eq!(tips(&bo), tips(&ada));
    assert_eq!(tips(&bo).lines().count(), 104);
    for run in ["run-75", "run-5", "run-15"] {
        let shown = ada.xtrack(&["show", run, "--history"]).ok().stdout;
        assert!(shown.contains("meanwhile"), "{run}: {shown}");
    }
    let left = |name: &str| name.ends_with(".keep") || name.starts_with("tmp-");
    for folder in ["objects/pack", "xtrack"] {
        let files = std::fs::read_dir(bo.path().join(".git").join(folder)).unwrap().flatten();
        let names: Vec<_> = files.map(|file| file.file_name().to_string_lossy().into_owned()).collect();
        assert!(!names.iter().any(|name| left(name)), "{names:?}");
    }
}
