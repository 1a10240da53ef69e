//! Many runs between two clones, by plain git and by our commands: the same in the end, and nothing lost.

use crate::sharing::{Bare, clone_of, edit_runs, make_runs, run_id, tips, tips_at, trials};
use crate::support::Repo;

const SPEC: &str = "+refs/runs/*:refs/xtrack/remotes/origin/runs/*";

/// Two clones with common runs, own ones, and words of both on the common ones.
fn apart(runs: u32, edits: u32) -> (Bare, Repo, Repo) {
    let bare = Bare::new();
    let (ada, bo) = (clone_of(&bare, "Ada"), clone_of(&bare, "Bo"));
    let common = runs / 2;
    make_runs(&ada, 0..common);
    ada.git(&["push", "-q", "origin", "refs/runs/*"]);
    bo.git(&["fetch", "-q", "origin", "refs/runs/*:refs/runs/*"]);
    make_runs(&ada, 100_000..100_000 + runs - common);
    make_runs(&bo, 200_000..200_000 + runs - common);
    edit_runs(&ada, 0..edits, "Ada", |edit| edit.note = Some("from Ada".into()));
    edit_runs(&bo, 0..edits, "Bo", |edit| edit.note = Some("from Bo".into()));
    (bare, ada, bo)
}

#[track_caller]
fn assert_alike(ada: &Repo, bo: &Repo, runs: u32, edits: u32) {
    assert_eq!(tips(ada), tips(bo));
    assert_eq!(tips(ada).lines().count() as u32, runs + (runs - runs / 2));
    for number in [0, edits / 2, edits - 1] {
        let paths = crate::sharing::paths(ada, number);
        assert_eq!(paths.iter().filter(|path| path.starts_with("edits/")).count(), 2, "{}", run_id(number));
    }
    let all = ada.git(&["for-each-ref", "--format=%(refname)", "refs/runs"]);
    let edited = all
        .lines()
        .take(edits as usize)
        .filter(|name| ada.git(&["ls-tree", "--name-only", name, "edits/"]).lines().count() == 2);
    assert_eq!(edited.count() as u32, edits);
}

#[test]
fn by_plain_git_and_merge() {
    let (runs, edits) = if trials(0) > 0 { (1000, 200) } else { (200, 40) };
    let (bare, ada, bo) = apart(runs, edits);
    // Each puts its own where the other can fetch it: plain git, no word of ours.
    ada.git(&["push", "-q", "origin", "refs/runs/*"]);
    bo.git(&["fetch", "-q", "origin", SPEC]);
    bo.xtrack(&["merge"]).ok();
    bo.git(&["push", "-q", "origin", "refs/runs/*"]);
    ada.git(&["fetch", "-q", "origin", SPEC]);
    ada.xtrack(&["merge"]).ok();
    assert_alike(&ada, &bo, runs, edits);
    assert_eq!(tips(&ada), tips_at(&ada, bare.path()));
}

#[test]
fn by_plain_git_both_at_once() {
    let (_bare, ada, bo) = apart(60, 20);
    ada.git(&["fetch", "-q", bo.path().to_str().unwrap(), SPEC]);
    bo.git(&["fetch", "-q", ada.path().to_str().unwrap(), SPEC]);
    ada.xtrack(&["merge"]).ok();
    bo.xtrack(&["merge"]).ok();
    assert_alike(&ada, &bo, 60, 20);
}

#[test]
fn by_our_commands() {
    let (runs, edits) = if trials(0) > 0 { (1000, 200) } else { (200, 40) };
    let (bare, ada, bo) = apart(runs, edits);
    ada.xtrack(&["push"]).ok();
    assert_eq!(bo.xtrack(&["push"]).code, 1, "what is Ada's must be pulled first");
    bo.xtrack(&["pull"]).ok();
    bo.xtrack(&["push"]).ok();
    ada.xtrack(&["pull"]).ok();
    assert_alike(&ada, &bo, runs, edits);
    assert_eq!(tips(&ada), tips_at(&ada, bare.path()));
    ada.assert_sound();
    bo.assert_sound();
}
