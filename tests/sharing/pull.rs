//! `git xtrack pull`, `fetch` and `merge`: what comes, what is joined, and what never goes.

use serde_json::Value;

use crate::sharing::{Bare, NEW_YEAR, bury, clone_of, edit_runs, make_runs, paths, run_id, tips, tips_at};
use crate::support::{Output, Repo};

fn pull(repo: &Repo, arguments: &[&str]) -> Output {
    repo.xtrack(&[&["pull"], arguments].concat())
}

/// Two clones that share some runs through a bare repository.
fn sharing(count: u32) -> (Bare, Repo, Repo) {
    let bare = Bare::new();
    let (ada, bo) = (clone_of(&bare, "Ada"), clone_of(&bare, "Bo"));
    make_runs(&ada, 0..count);
    ada.xtrack(&["push"]).ok();
    pull(&bo, &[]).ok();
    (bare, ada, bo)
}

fn show(repo: &Repo, run: &str) -> Value {
    serde_json::from_str(&repo.xtrack(&["show", run, "--json"]).ok().stdout).unwrap()
}

#[test]
fn runs_arrive_are_followed_and_are_joined() {
    let (bare, ada, bo) = sharing(40);
    assert_eq!(tips(&ada), tips(&bo));
    assert_eq!(pull(&bo, &[]).ok().stderr, "nothing new from 'origin'\n");
    edit_runs(&ada, 0..2, "Ada", |edit| edit.note = Some("from Ada".into()));
    edit_runs(&bo, 1..3, "Bo", |edit| edit.note = Some("from Bo".into()));
    ada.xtrack(&["push"]).ok();
    let answer: Value = serde_json::from_str(&pull(&bo, &["--json"]).ok().stdout).unwrap();
    let hows: Vec<_> =
        answer["changed"].as_array().unwrap().iter().map(|run| run["how"].as_str().unwrap()).collect();
    assert_eq!(hows, ["followed", "merged"]);
    assert_eq!(answer["unchanged"], 38);
    let notes = show(&bo, "run-1")["notes"].as_array().unwrap().len();
    assert_eq!(notes, 2);
    bo.xtrack(&["push"]).ok();
    pull(&ada, &[]).ok();
    assert_eq!(tips(&ada), tips(&bo));
    assert_eq!(tips(&ada), tips_at(&ada, bare.path()));
    ada.assert_sound();
    bo.assert_sound();
}

#[test]
fn two_who_merge_the_same_at_once_make_the_same_commit() {
    let (_bare, ada, bo) = sharing(1);
    edit_runs(&ada, 0..1, "Ada", |edit| edit.name = Some("one".into()));
    edit_runs(&bo, 0..1, "Bo", |edit| edit.name = Some("two".into()));
    let ours = |repo: &Repo| format!("file://{}", repo.path().display());
    ada.git(&["fetch", "-q", &ours(&bo), "+refs/runs/*:refs/xtrack/remotes/origin/runs/*"]);
    bo.git(&["fetch", "-q", &ours(&ada), "+refs/runs/*:refs/xtrack/remotes/origin/runs/*"]);
    let output = ada.xtrack(&["merge"]).ok();
    assert_eq!(output.stderr, "1 run from 'origin': 1 merged\n");
    bo.xtrack(&["merge", "origin"]).ok();
    assert_eq!(tips(&ada), tips(&bo));
    let commit = ada.git(&["cat-file", "-p", &format!("refs/runs/{}", run_id(0))]);
    assert!(
        commit.contains(&format!("git-xtrack <git-xtrack@localhost> {} +0000", NEW_YEAR + 100)),
        "{commit}"
    );
    // The later word by the order of edits counts, the other is in the history.
    let name = show(&ada, &run_id(0).to_string())["name"].clone();
    assert!(name == "one" || name == "two", "{name}");
    let history = ada.xtrack(&["show", &run_id(0).to_string(), "--history"]).ok().stdout;
    assert!(history.contains("one") && history.contains("two"), "{history}");
}

#[test]
fn what_two_say_of_one_thing_has_one_outcome_everywhere() {
    let (_bare, ada, bo) = sharing(1);
    let id = run_id(0).to_string();
    for (repo, name, lr) in [(&ada, "by-ada", "0.1"), (&bo, "by-bo", "0.2")] {
        repo.xtrack(&["edit", &id, "--name", name, "--correct", &format!("lr={lr}")]).ok();
    }
    ada.xtrack(&["tag", &id, "good"]).ok();
    bo.xtrack(&["tag", &id, "--", "-good"]);
    ada.xtrack(&["push"]).ok();
    pull(&bo, &[]).ok();
    bo.xtrack(&["push"]).ok();
    pull(&ada, &[]).ok();
    assert_eq!(tips(&ada), tips(&bo));
    assert_eq!(show(&ada, &id), show(&bo, &id));
    let edits = paths(&ada, 0).into_iter().filter(|path| path.starts_with("edits/")).count();
    assert!(edits >= 3, "{edits}");
}

#[test]
fn what_is_gone_from_the_remote_stays_here() {
    let (bare, ada, bo) = sharing(3);
    ada.git(&["push", "-q", bare.path(), "--delete", &format!("refs/runs/{}", run_id(0))]);
    bo.git(&["config", "fetch.prune", "true"]);
    pull(&bo, &[]).ok();
    assert_eq!(bo.refs("refs/runs").len(), 3);
    // A tip that was set back says nothing new.
    edit_runs(&bo, 1..2, "Bo", |edit| edit.note = Some("x".into()));
    let before = tips(&bo);
    bo.xtrack(&["push"]).ok();
    ada.git(&["push", "-q", "--force", bare.path(), &format!("refs/runs/{}", run_id(1))]);
    pull(&bo, &[]).ok();
    assert_eq!(tips(&bo), before);
}

#[test]
fn a_descendant_that_took_words_away_is_not_followed() {
    let (bare, ada, bo) = sharing(1);
    let name = format!("refs/runs/{}", run_id(0));
    edit_runs(&ada, 0..1, "Ada", |edit| edit.note = Some("kept".into()));
    ada.xtrack(&["push"]).ok();
    pull(&bo, &[]).ok();
    let tree = ada.git(&["rev-parse", &format!("{name}~:")]);
    let commit = ada.git(&["commit-tree", "-m", "x", "-p", &name, &tree]);
    ada.git(&["push", "-q", bare.path(), &format!("{commit}:{name}")]);
    let output = pull(&bo, &[]).ok();
    assert_eq!(output.stderr, "1 run from 'origin': 1 merged\n");
    assert_eq!(paths(&bo, 0).len(), 2);
}

#[test]
fn a_purged_run_is_named_and_goes_only_when_that_is_confirmed() {
    let (bare, ada, bo) = sharing(2);
    let name = format!("refs/runs/{}", run_id(0));
    let commit = bury(&ada, 0, "a token");
    ada.git(&["push", "-q", "--force", bare.path(), &format!("{commit}:{name}")]);
    let before = tips(&bo);
    let output = pull(&bo, &[]).ok();
    assert_eq!(tips(&bo), before);
    assert!(
        output.stderr.contains("was purged by Ada <ada@example.com>: a token; it is still here"),
        "{}",
        output.stderr
    );
    // What was purged there does not come back from here.
    edit_runs(&bo, 0..1, "Bo", |edit| edit.note = Some("x".into()));
    bo.xtrack(&["merge"]).ok();
    let output = bo.xtrack(&["push"]);
    assert_eq!(output.code, 1);
    assert!(output.stderr.contains("it was purged in 'origin'"), "{}", output.stderr);
    let plain = bo.try_git(&["push", "-q", "origin", "refs/runs/*"]);
    assert_ne!(plain.code, 0, "plain git does not put it back either");
    assert!(tips_at(&bo, bare.path()).contains(&commit));
    pull(&bo, &["--yes"]).ok();
    assert_eq!(bo.git(&["rev-parse", &name]), commit);
    assert_eq!(bo.xtrack(&["push"]).ok().stderr, "'origin' has all of it already\n");
    // Another remote that still has it is not overwritten either, unless that is asked for.
    let other = Bare::new();
    bo.git(&["push", "-q", other.path(), "refs/xtrack/remotes/origin/runs/*:refs/runs/*"]);
    let fresh = clone_of(&other, "Cy");
    make_runs(&fresh, 0..1);
    fresh.git(&["push", "-q", "--force", "origin", &name]);
    let output = bo.xtrack(&["push", other.path()]);
    assert!(output.stderr.contains("it was purged here, and"), "{}", output.stderr);
    bo.xtrack(&["push", other.path(), "--replace", &run_id(0).to_string(), "--yes"]).ok();
    assert_eq!(tips_at(&bo, other.path()), tips(&bo));
}

#[test]
fn a_ring_of_clones_that_pull_from_each_other_at_once_comes_to_rest() {
    let bare = Bare::new();
    let clones = ["Ada", "Bo", "Cy"].map(|name| clone_of(&bare, name));
    make_runs(&clones[0], 0..2);
    clones[0].xtrack(&["push"]).ok();
    for clone in &clones {
        pull(clone, &[]).ok();
        edit_runs(clone, 0..2, &clone.git(&["config", "user.name"]), |edit| edit.note = Some("x".into()));
    }
    let mut rounds = 0;
    loop {
        let before = clones.each_ref().map(tips);
        let next = |number: usize| clones[(number + 1) % 3].path().to_str().unwrap().to_owned();
        // Each fetches the other's as they were before any of them merged.
        for (number, clone) in clones.iter().enumerate() {
            clone.git(&["fetch", "-q", &next(number), "+refs/runs/*:refs/xtrack/remotes/origin/runs/*"]);
        }
        for clone in &clones {
            clone.xtrack(&["merge"]).ok();
        }
        rounds += 1;
        if clones.each_ref().map(tips) == before {
            break;
        }
        assert!(rounds < 12, "it never rests");
    }
    assert_eq!(tips(&clones[0]), tips(&clones[1]));
    assert_eq!(tips(&clones[0]), tips(&clones[2]));
    assert_eq!(paths(&clones[0], 0).len(), 4);
}

#[test]
fn a_ring_of_clones_that_pull_at_the_same_moment_comes_to_rest() {
    let bare = Bare::new();
    let clones = ["Ada", "Bo", "Cy"].map(|name| clone_of(&bare, name));
    make_runs(&clones[0], 0..30);
    clones[0].xtrack(&["push"]).ok();
    for clone in &clones {
        pull(clone, &[]).ok();
        edit_runs(clone, 0..30, &clone.git(&["config", "user.name"]), |edit| edit.note = Some("x".into()));
    }
    for round in 0.. {
        let before = clones.each_ref().map(tips);
        std::thread::scope(|scope| {
            for (number, clone) in clones.iter().enumerate() {
                let next = clones[(number + 1) % 3].path().to_str().unwrap().to_owned();
                scope.spawn(move || pull(clone, &[&next]).ok());
            }
        });
        if clones.each_ref().map(tips) == before {
            break;
        }
        assert!(round < 12, "it never rests");
    }
    assert_eq!(tips(&clones[0]), tips(&clones[1]));
    assert_eq!(tips(&clones[0]), tips(&clones[2]));
    assert_eq!(paths(&clones[0], 7).len(), 4);
}

#[test]
fn plain_git_merge_agrees_where_no_path_changed_on_both_sides() {
    let (_bare, ada, bo) = sharing(1);
    edit_runs(&ada, 0..1, "Ada", |edit| edit.note = Some("from Ada".into()));
    edit_runs(&bo, 0..1, "Bo", |edit| edit.tags_added = vec!["good".into()]);
    bo.git(&["fetch", "-q", ada.path().to_str().unwrap(), "+refs/runs/*:refs/xtrack/remotes/origin/runs/*"]);
    let id = run_id(0);
    let (ours, theirs) = (format!("refs/runs/{id}"), format!("refs/xtrack/remotes/origin/runs/{id}"));
    let merged = bo.git(&["merge-tree", "--write-tree", "-X", "find-renames=100%", &ours, &theirs]);
    bo.xtrack(&["merge"]).ok();
    assert_eq!(bo.git(&["rev-parse", &format!("{ours}^{{tree}}")]), merged);
}

#[test]
fn runs_of_a_newer_format_are_carried_and_left_unmerged() {
    let (bare, ada, bo) = sharing(1);
    let name = format!("refs/runs/{}", run_id(0));
    let blob = ada.git_stdin(&["hash-object", "-w", "--stdin"], "format = 2\nnovel = true\n");
    let tree = ada
        .git_stdin(&["mktree"], &format!("100644 blob {blob}\tnovel.toml\n100644 blob {blob}\trun.toml\n"));
    let commit = ada.git(&["commit-tree", "-m", "x", "-p", &name, &tree]);
    let other = format!("refs/runs/{}", run_id(1));
    ada.git(&["push", "-q", bare.path(), &format!("{commit}:{name}"), &format!("{commit}:{other}")]);
    let output = pull(&bo, &[]).ok();
    assert!(
        output.stderr.contains("1 run from 'origin': 1 new\n1 run of a newer git-xtrack stays unmerged"),
        "{}",
        output.stderr
    );
    assert_eq!(bo.git(&["rev-parse", &other]), commit);
}

#[test]
fn a_pull_from_a_path_needs_no_name() {
    let (_bare, ada, _bo) = sharing(30);
    let repo = Repo::new();
    repo.xtrack(&["pull", ada.path().to_str().unwrap()]).ok();
    assert_eq!(tips(&repo), tips(&ada));
    assert!(repo.refs("refs/xtrack/remotes").is_empty());
    let output = repo.xtrack(&["fetch", ada.path().to_str().unwrap()]);
    assert_eq!((output.code, output.stderr.contains("`git xtrack pull` needs no name")), (2, true));
    let output = repo.xtrack(&["pull"]);
    assert_eq!(
        (output.code, output.stderr.contains("there is no remote 'origin'")),
        (2, true),
        "{}",
        output.stderr
    );
    assert_eq!(repo.xtrack(&["pull", "nowhere"]).code, 2);
    assert_eq!(repo.xtrack(&["pull", "--", "--upload-pack=x"]).code, 2);
}

#[test]
fn a_shallow_and_a_partial_clone_get_whole_runs() {
    let bare = Bare::new();
    let ada = clone_of(&bare, "Ada");
    for number in 0..3 {
        ada.write("a", number.to_string());
        ada.commit("code");
    }
    ada.commit("code");
    ada.git(&["push", "-q", "origin", "main"]);
    ada.git(&["-C", bare.path(), "config", "uploadpack.allowFilter", "true"]);
    ada.xtrack(&["record", "--name", "a", "-m", "loss=1"]).ok();
    ada.xtrack(&["push"]).ok();
    let source = format!("file://{}", bare.path());
    for option in ["--depth=1", "--filter=blob:none"] {
        let clone = Repo::folder("work");
        clone.git(&["clone", "-q", option, &source, "."]);
        pull(&clone, &[]).ok();
        assert_eq!(show(&clone, "a")["metrics"]["loss"]["last"], 1, "{option}");
        clone.git(&["remote", "set-url", "origin", "/nowhere"]);
        assert_eq!(show(&clone, "a")["name"], "a", "{option}");
        // What is recorded here goes back.
        clone.git(&["remote", "set-url", "origin", &source]);
        clone.xtrack(&["record", "--name", &option[2..6]]).ok();
        clone.xtrack(&["push"]).ok();
    }
    assert_eq!(bare.refs(&ada, "refs/runs").lines().count(), 3);
}

#[test]
fn a_pull_beside_a_merciless_collector_loses_nothing() {
    let (_bare, ada, bo) = sharing(1);
    std::thread::scope(|scope| {
        let collecting = scope.spawn(|| {
            for _ in 0..15 {
                bo.try_git(&["gc", "-q", "--prune=now"]);
            }
        });
        let mut number = 1;
        while !collecting.is_finished() {
            make_runs(&ada, number..number + 1);
            ada.xtrack(&["push"]).ok();
            pull(&bo, &[]).ok();
            number += 1;
        }
    });
    assert_eq!(tips(&ada), tips(&bo));
    bo.git(&["fsck", "--strict", "--no-dangling"]);
    assert_eq!(bo.xtrack(&["log"]).ok().stderr, "");
}

#[test]
fn what_a_shallow_clone_lacks_comes_from_where_it_is_whole() {
    let (bare, ada, _) = sharing(2);
    let bo = clone_of(&bare, "Bo");
    edit_runs(&ada, 0..2, "Ada", |edit| edit.note = Some("good".into()));
    ada.xtrack(&["push"]).ok();
    // A colleague who took only the last commit of each.
    let shallow = clone_of(&bare, "Cy");
    shallow.git(&["fetch", "-q", "--depth=1", "origin", "refs/runs/*:refs/runs/*"]);
    let output = bo.xtrack(&["pull", &format!("file://{}", shallow.path().display())]);
    assert_eq!(output.code, 1);
    assert!(output.stderr.contains("it is not whole there, as in a shallow clone"), "{}", output.stderr);
    bo.assert_sound();
    pull(&bo, &[]).ok();
    assert_eq!(tips(&bo), tips(&ada));
}

#[test]
fn what_plain_git_brought_into_a_partial_clone_is_merged() {
    let (bare, ada, _) = sharing(3);
    edit_runs(&ada, 0..2, "Ada", |edit| edit.note = Some("good".into()));
    ada.xtrack(&["push"]).ok();
    ada.commit("code");
    ada.git(&["push", "-q", "origin", "main"]);
    ada.git(&["-C", bare.path(), "config", "uploadpack.allowFilter", "true"]);
    for filter in ["--filter=blob:none", "--filter=tree:0"] {
        let mut partial = Repo::folder("work");
        let address = format!("file://{}", bare.path());
        partial.git(&["clone", "-q", "--no-checkout", filter, &address, "."]);
        partial.xtrack(&["init"]).ok();
        partial.git(&["fetch", "-q"]);
        let trace = partial.root().join("trace");
        partial.set("GIT_TRACE", trace.to_str().unwrap());
        let output = partial.xtrack(&["merge"]).ok();
        assert!(output.stderr.contains("3 runs from 'origin': 3 new"), "{}", output.stderr);
        let traced = std::fs::read_to_string(&trace).unwrap();
        let fetches = traced.lines().filter(|line| line.contains("built-in: git fetch")).count();
        assert!(fetches <= 4, "a fetch for each object\n{traced}");
        partial.env.clear();
        assert_eq!(tips(&partial), tips(&ada));
    }
}
