//! Runs shared by plain git: push, clone, fetch, bundles, and what configuration must not break.

use crate::sharing::{Bare, clone_of, edit_runs, has, make_runs, skip, tips, tips_at};
use crate::support::Repo;

/// A repository with two runs that have artifacts in their records, and one that has not.
fn recorded(bare: &Bare) -> Repo {
    let repo = clone_of(bare, "Ada");
    repo.write("train.py", "print(1)\n");
    repo.commit("base");
    repo.write("plot.svg", "<svg/>");
    repo.write("model.bin", vec![7; 300_000]);
    for name in ["a", "b"] {
        repo.xtrack(&["record", "--name", name, "-p", "lr=0.1", "-m", "loss=0.5", "-a", "plot.svg"]).ok();
    }
    repo.xtrack(&["record", "--name", "c", "-a", "model.bin"]).ok();
    repo
}

/// Everything that the program says of all runs.
fn said(repo: &Repo) -> String {
    let shown = ["a", "b", "c"].map(|name| repo.xtrack(&["show", name, "--json"]).ok().stdout);
    format!("{}{}", repo.xtrack(&["log", "--json"]).ok().stdout, shown.concat())
}

#[test]
fn a_mirror_a_bundle_and_an_alternate_carry_whole_runs() {
    let bare = Bare::new();
    let repo = recorded(&bare);
    let folder = repo.root().to_str().unwrap().to_owned();
    repo.git(&["clone", "-q", "--mirror", ".", &format!("{folder}/mirror.git")]);
    assert_eq!(tips(&repo), tips_at(&repo, &format!("{folder}/mirror.git")));
    repo.git(&["bundle", "create", "-q", &format!("{folder}/x.bundle"), "--glob=refs/runs/*"]);
    let other = Repo::new();
    other.git(&["fetch", "-q", &format!("{folder}/x.bundle"), "refs/runs/*:refs/runs/*"]);
    assert_eq!(said(&other), said(&repo));
    // A bundle is as good as a repository for us, too.
    let third = Repo::new();
    third.xtrack(&["pull", &format!("{folder}/x.bundle")]).ok();
    assert_eq!(tips(&third), tips(&repo));
    let sharing = Repo::folder("work");
    sharing.git(&["clone", "-q", "--shared", repo.path().to_str().unwrap(), "."]);
    sharing.git(&["fetch", "-q", "origin", "refs/runs/*:refs/runs/*"]);
    assert_eq!(said(&sharing), said(&repo));
    sharing.xtrack(&["tag", "a", "x"]).ok();
    sharing.xtrack(&["push"]).ok();
    assert!(repo.xtrack(&["show", "a"]).ok().stdout.contains('x'));
}

#[test]
fn git_lfs_is_no_hindrance_and_nothing_that_runs_need() {
    if !has("git-lfs") {
        return skip("git-lfs");
    }
    let bare = Bare::new();
    let repo = recorded(&bare);
    repo.git(&["lfs", "install", "--local"]);
    repo.git(&["lfs", "track", "*.bin"]);
    repo.xtrack(&["record", "--name", "d", "-a", "model.bin"]).ok();
    repo.git(&["push", "-q", "origin", "refs/runs/*"]);
    assert_eq!(tips(&repo), tips_at(&repo, bare.path()));
    let clone = clone_of(&bare, "Bo");
    clone.git(&["lfs", "install", "--local"]);
    clone.git(&["fetch", "-q", "origin", "refs/runs/*:refs/runs/*"]);
    assert_eq!(tips(&repo), tips(&clone));
    repo.xtrack(&["tag", "d", "x"]).ok();
    repo.xtrack(&["push"]).ok();
    clone.xtrack(&["pull"]).ok();
    assert_eq!(tips(&repo), tips(&clone));
    assert!(!repo.path().join(".git/lfs/objects").exists(), "no artifact is LFS's");
}

#[test]
fn no_setting_that_prunes_takes_a_run_away() {
    let bare = Bare::new();
    let repo = clone_of(&bare, "Ada");
    repo.write("a", "1");
    repo.commit("base");
    repo.git(&["tag", "v1"]);
    repo.git(&["push", "-q", "origin", "main"]);
    repo.xtrack(&["init"]).ok();
    make_runs(&repo, 0..3);
    let before = tips(&repo);
    for (key, value) in [
        ("fetch.prune", "true"),
        ("fetch.pruneTags", "true"),
        ("remote.origin.prune", "true"),
        ("remote.origin.pruneTags", "true"),
    ] {
        repo.git(&["config", key, value]);
        repo.git(&["fetch", "-q"]);
        repo.git(&["fetch", "-q", "--all", "--prune", "--tags"]);
        repo.xtrack(&["pull"]).ok();
    }
    repo.git(&["fetch", "-q", "--prune", "--prune-tags", "origin"]);
    repo.git(&["remote", "prune", "origin"]);
    repo.git(&["remote", "update", "--prune"]);
    repo.git(&["pull", "-q", "--prune", "origin", "main"]);
    repo.git(&["gc", "-q", "--prune=now"]);
    assert_eq!(tips(&repo), before);
    // Even what is removed from the remote.
    repo.xtrack(&["push"]).ok();
    repo.git(&["fetch", "-q"]);
    repo.git(&["-C", bare.path(), "for-each-ref", "--format=delete %(refname)", "refs/runs"]);
    let doomed = repo.git(&["-C", bare.path(), "for-each-ref", "--format=delete %(refname)", "refs/runs"]);
    repo.git_stdin(&["-C", bare.path(), "update-ref", "--stdin"], &(doomed + "\n"));
    repo.git(&["fetch", "-q", "--prune"]);
    assert_eq!(tips(&repo), before);
}

#[test]
fn after_init_a_mirror_spares_runs_that_are_only_in_it() {
    let bare = Bare::new();
    let source = clone_of(&bare, "Ada");
    source.write("a", "1");
    source.commit("base");
    make_runs(&source, 0..2);
    source.git(&["push", "-q", "origin", "main", "refs/runs/*"]);
    let mirror = Repo::folder("mirror.git");
    mirror.git(&["clone", "-q", "--mirror", bare.path(), "."]);
    assert_eq!(tips(&mirror), tips(&source));
    let output = mirror.xtrack(&["init"]).ok();
    assert!(output.stderr.contains("this clone mirrors 'origin'"), "{}", output.stderr);
    make_runs(&mirror, 2..3);
    let before = tips(&mirror);
    mirror.git(&["fetch", "-q", "--prune"]);
    mirror.git(&["remote", "update", "--prune"]);
    assert_eq!(tips(&mirror), before);
    make_runs(&source, 3..4);
    source.git(&["push", "-q", "origin", "refs/runs/*"]);
    mirror.xtrack(&["pull"]).ok();
    assert_eq!(mirror.refs("refs/runs").len(), 4);
    mirror.xtrack(&["push"]).ok();
    assert_eq!(tips(&mirror), tips_at(&mirror, bare.path()));
}

#[test]
fn what_a_stale_mirror_pushed_away_comes_back_from_any_clone() {
    let bare = Bare::new();
    let (ada, bo) = (clone_of(&bare, "Ada"), clone_of(&bare, "Bo"));
    make_runs(&ada, 0..30);
    ada.xtrack(&["push"]).ok();
    let stale = Repo::folder("stale.git");
    stale.git(&["clone", "-q", "--mirror", bare.path(), "."]);
    bo.xtrack(&["pull"]).ok();
    edit_runs(&bo, 0..2, "Bo", |edit| edit.note = Some("from Bo".into()));
    make_runs(&bo, 30..33);
    bo.xtrack(&["push"]).ok();
    let before = tips(&bo);
    stale.git(&["push", "-q", "--mirror", bare.path()]);
    assert_eq!(
        bare.refs(&ada, "refs/runs").lines().count(),
        30,
        "what the mirror lacked is gone from the remote"
    );
    // Whoever pulls loses nothing, and whoever had it puts it back.
    bo.xtrack(&["pull"]).ok();
    assert_eq!(tips(&bo), before);
    bo.xtrack(&["push"]).ok();
    assert_eq!(tips_at(&bo, bare.path()), before);
    ada.xtrack(&["pull"]).ok();
    assert_eq!(tips(&ada), before);
    // A mirror that is up to date carries everything.
    let other = Bare::new();
    stale.git(&["fetch", "-q"]);
    stale.git(&["push", "-q", "--mirror", other.path()]);
    assert_eq!(tips_at(&bo, other.path()), before);
}

#[test]
fn a_fork_shares_runs_by_its_address() {
    let (upstream, fork) = (Bare::new(), Bare::new());
    let (ada, eve) = (clone_of(&upstream, "Ada"), clone_of(&fork, "Eve"));
    make_runs(&ada, 0..3);
    ada.xtrack(&["push"]).ok();
    // Whoever forked it has the runs once they are fetched, and pushes to the fork only.
    eve.git(&["remote", "add", "upstream", upstream.path()]);
    eve.xtrack(&["pull", "upstream"]).ok();
    edit_runs(&eve, 0..1, "Eve", |edit| edit.note = Some("better".into()));
    make_runs(&eve, 10..12);
    eve.xtrack(&["push"]).ok();
    assert_eq!(upstream.refs(&ada, "refs/runs").lines().count(), 3);
    // Upstream takes them by the fork's address, without a name for it.
    let output = ada.xtrack(&["pull", &format!("file://{}", fork.path())]).ok();
    assert!(output.stderr.contains("3 runs from"), "{}", output.stderr);
    assert_eq!(tips(&ada), tips(&eve));
    ada.xtrack(&["push"]).ok();
    assert_eq!(tips_at(&ada, upstream.path()), tips(&eve));
}

#[test]
fn runs_have_a_remote_of_their_own_if_that_is_wanted() {
    let (code, runs) = (Bare::new(), Bare::new());
    let repo = clone_of(&code, "Ada");
    repo.write("a", "1");
    repo.commit("base");
    repo.git(&["push", "-q", "origin", "main"]);
    repo.git(&["remote", "add", "lab", runs.path()]);
    let output = repo.xtrack(&["init", "lab"]).ok();
    assert!(output.stderr.contains("`git xtrack push` and `pull` now use 'lab'"), "{}", output.stderr);
    repo.xtrack(&["record", "--name", "x"]).ok();
    repo.xtrack(&["push"]).ok();
    assert_eq!(tips(&repo), tips_at(&repo, runs.path()));
    assert_eq!(code.refs(&repo, "refs/runs"), "");
    assert_eq!(runs.refs(&repo, "refs/xtrack"), "", "a remote without the code gets none of it");
    // Another one that is set up leaves the choice.
    let output = repo.xtrack(&["init", "origin"]).ok();
    assert!(output.stderr.contains("still use 'lab'"), "{}", output.stderr);
    assert_eq!(repo.xtrack(&["init", "nowhere"]).code, 2);
}

#[test]
fn plain_push_and_fetch_carry_whole_runs() {
    let repo = Repo::new();
    repo.write("train.py", "print(1)\n");
    repo.commit("base");
    repo.write("plot.svg", "<svg/>");
    for name in ["a", "b"] {
        let output =
            repo.xtrack(&["record", "--name", name, "-p", "lr=0.1", "-m", "loss=0.5", "-a", "plot.svg"]);
        assert_eq!(output.code, 0, "{}", output.stderr);
    }
    let there = tempfile::tempdir().expect("a folder");
    let bare = there.path().join("bare.git");
    let bare = bare.to_str().expect("text");
    repo.git(&["init", "-q", "--bare", bare]);
    repo.git(&["push", "-q", bare, "main"]);
    repo.git(&["push", "-q", bare, "refs/runs/*"]);
    let clone = repo.clone_of(bare);
    assert_eq!(clone.xtrack(&["log", "--json"]).stdout, "[]\n");
    clone.git(&["fetch", "-q", "origin", "refs/runs/*:refs/runs/*"]);
    assert_eq!(clone.xtrack(&["log", "--json"]).stdout, repo.xtrack(&["log", "--json"]).stdout);
    clone.git(&["fsck", "--strict"]);
}

#[test]
fn after_init_no_prune_removes_a_local_run() {
    let repo = Repo::new();
    repo.write("train.py", "print(1)\n");
    repo.commit("base");
    let there = tempfile::tempdir().expect("a folder");
    let bare = there.path().join("bare.git");
    let bare = bare.to_str().expect("text");
    repo.git(&["init", "-q", "--bare", bare]);
    repo.git(&["remote", "add", "origin", bare]);
    repo.git(&["push", "-q", "origin", "main"]);
    let output = repo.xtrack(&["init"]);
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert_eq!(repo.xtrack(&["init"]).code, 0);
    repo.git(&["config", "fetch.prune", "true"]);
    repo.xtrack(&["record", "--name", "mine"]);
    repo.git(&["fetch", "-q", "--prune", "origin"]);
    repo.git(&["remote", "prune", "origin"]);
    assert!(repo.xtrack(&["log"]).stdout.contains("mine"));
    // A colleague's runs arrive in a place of their own.
    let clone = repo.clone_of(bare);
    clone.xtrack(&["record", "--name", "theirs"]);
    clone.git(&["push", "-q", "origin", "refs/runs/*"]);
    repo.git(&["fetch", "-q", "origin"]);
    assert_eq!(
        repo.git(&["for-each-ref", "--format=%(refname)", "refs/xtrack/remotes/origin/runs"]).lines().count(),
        1
    );
}

#[test]
fn pack_refs_in_a_loop_never_hides_a_run() {
    let repo = Repo::new();
    for index in 0..20 {
        repo.xtrack(&["record", "--name", &format!("r{index}")]);
    }
    std::thread::scope(|scope| {
        let packing = scope.spawn(|| {
            for index in 0..30 {
                repo.git(&["pack-refs", "--all"]);
                repo.xtrack(&["tag", &format!("r{}", index % 20), &format!("t{index}")]);
            }
        });
        while !packing.is_finished() {
            let runs: serde_json::Value =
                serde_json::from_str(&repo.xtrack(&["log", "--json"]).stdout).expect("JSON");
            assert_eq!(runs.as_array().map(Vec::len), Some(20));
        }
    });
}
