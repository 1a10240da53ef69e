//! `git xtrack push`: which word is what, what goes, what is refused, and what is asked before.

use std::fs;

use serde_json::Value;

use crate::sharing::{
    Bare, SSH, bytes_of, clone_of, edit_runs, facts, make_runs, run_id, set_executable, tips, tips_at,
};
use crate::support::{Output, Repo};

fn push(repo: &Repo, arguments: &[&str]) -> Output {
    repo.xtrack(&[&["push"], arguments].concat())
}

fn json(repo: &Repo, arguments: &[&str]) -> Value {
    let output = push(repo, &[arguments, &["--json"]].concat());
    serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{}", output.stderr))
}

#[test]
fn all_runs_go_in_one_push_and_again_there_is_nothing_to_do() {
    let bare = Bare::new();
    let repo = clone_of(&bare, "Ada");
    make_runs(&repo, 0..30);
    let output = push(&repo, &[]).ok();
    assert_eq!(output.stderr, "pushed 30 runs to 'origin': 30 new\n");
    assert_eq!(tips(&repo), tips_at(&repo, bare.path()));
    assert_eq!(push(&repo, &["origin"]).ok().stderr, "'origin' has all of it already\n");
    edit_runs(&repo, 0..2, "Ada", |edit| edit.note = Some("good".into()));
    let answer = json(&repo, &[]);
    assert_eq!(answer["already_there"], 28);
    assert_eq!(answer["pushed"][0]["change"], "updated");
    assert_eq!(answer["pushed"].as_array().map(Vec::len), Some(2));
    // What went is remembered as the remote's.
    assert_eq!(repo.refs("refs/xtrack/remotes/origin/runs").len(), 30);
}

#[test]
fn the_first_word_is_a_remote_a_repository_an_address_or_a_run() {
    let (origin, other) = (Bare::new(), Bare::new());
    let repo = clone_of(&origin, "Ada");
    repo.git(&["remote", "add", "lab", other.path()]);
    make_runs(&repo, 0..3);
    fs::create_dir(repo.path().join("run-1")).unwrap();
    push(&repo, &["run-1"]).ok();
    assert_eq!(
        origin.refs(&repo, "refs/runs").lines().count(),
        1,
        "a folder that is no repository is no remote"
    );
    push(&repo, &["lab", "run-0", "run-1"]).ok();
    assert_eq!(other.refs(&repo, "refs/runs").lines().count(), 2);
    push(&repo, &[other.path(), "run-2"]).ok();
    assert_eq!(other.refs(&repo, "refs/runs").lines().count(), 3);
    push(&repo, &[&format!("file://{}", origin.path()), "--where", "name = 'run-0'"]).ok();
    assert_eq!(origin.refs(&repo, "refs/runs").lines().count(), 2);
    repo.git(&["config", "xtrack.remote", "lab"]);
    assert_eq!(push(&repo, &[]).ok().stderr, "'lab' has all of it already\n");
    let output = push(&repo, &["nowhere"]);
    assert_eq!(
        (output.code, output.stderr.contains("no run is named \"nowhere\"")),
        (4, true),
        "{}",
        output.stderr
    );
    for word in ["--upload-pack=x", "-x"] {
        assert_eq!(push(&repo, &["--", word]).code, 4, "{word} is not given to git");
    }
}

#[test]
fn a_path_is_meant_from_where_one_stands() {
    let bare = Bare::new();
    let repo = clone_of(&bare, "Ada");
    repo.write("a/b/x", "");
    repo.git(&["clone", "-q", "--bare", bare.path(), "a/other.git"]);
    make_runs(&repo, 0..1);
    repo.at("a/b").xtrack(&["push", "../other.git"]).ok();
    assert_eq!(tips(&repo), tips_at(&repo, "a/other.git"));
}

#[test]
fn what_others_said_meanwhile_is_not_overwritten_and_the_rest_goes() {
    let bare = Bare::new();
    let (ada, bo) = (clone_of(&bare, "Ada"), clone_of(&bare, "Bo"));
    make_runs(&ada, 0..3);
    push(&ada, &[]).ok();
    bo.git(&["fetch", "-q", "origin", "refs/runs/*:refs/runs/*"]);
    edit_runs(&bo, 0..2, "Bo", |edit| edit.note = Some("from Bo".into()));
    push(&bo, &[]).ok();
    edit_runs(&ada, 0..1, "Ada", |edit| edit.note = Some("from Ada".into()));
    make_runs(&ada, 3..4);
    let output = push(&ada, &[]);
    assert_eq!(output.code, 1);
    assert_eq!(
        output.stderr,
        format!(
            "pushed 1 run to 'origin': 1 new\n\
             'origin' is further on with 1 run: `git xtrack pull` brings that here\n\
             warning: run '{}': 'origin' has words on it that are not here\n\
             hint: `git xtrack pull origin` brings them; then push again\n",
            run_id(0)
        )
    );
    ada.xtrack(&["pull"]).ok();
    push(&ada, &[]).ok();
    bo.xtrack(&["pull"]).ok();
    assert_eq!(tips(&ada), tips(&bo));
    assert_eq!(tips(&ada), tips_at(&ada, bare.path()));
}

#[test]
fn each_refusal_of_the_remote_is_told_and_the_others_land() {
    let bare = Bare::new();
    let repo = clone_of(&bare, "Ada");
    make_runs(&repo, 0..3);
    let hook = format!("#!/bin/sh\ncase $1 in *{}) echo no >&2; exit 1;; esac\n", run_id(1));
    let path = format!("{}/hooks/update", bare.path());
    fs::write(&path, hook).unwrap();
    set_executable(&path);
    let output = push(&repo, &[]);
    assert_eq!(output.code, 1);
    assert!(output.stderr.contains("pushed 2 runs to 'origin': 2 new\n"), "{}", output.stderr);
    let refused = format!("warning: run '{}': 'origin' refused it: hook declined\n", run_id(1));
    assert!(output.stderr.contains(&refused), "{}", output.stderr);
    assert_eq!(bare.refs(&repo, "refs/runs").lines().count(), 2);
}

#[test]
fn a_namespace_that_a_remote_refuses_is_mapped_to_one_it_takes() {
    let bare = Bare::new();
    let (repo, other) = (clone_of(&bare, "Ada"), clone_of(&bare, "Bo"));
    repo.git(&["-C", bare.path(), "config", "receive.hideRefs", "refs/runs"]);
    make_runs(&repo, 0..2);
    let output = push(&repo, &[]);
    assert_eq!(output.code, 1);
    assert!(
        output.stderr.contains("git config remote.origin.xtrackPrefix refs/heads/xtrack"),
        "{}",
        output.stderr
    );
    repo.xtrack(&["init", "--prefix", "refs/heads/xtrack"]).ok();
    push(&repo, &[]).ok();
    assert_eq!(bare.refs(&repo, "refs/heads/xtrack/runs").lines().count(), 2);
    other.xtrack(&["init", "--prefix", "refs/heads/xtrack"]).ok();
    other.xtrack(&["pull"]).ok();
    assert_eq!(tips(&repo), tips(&other));
    // A plain fetch knows it too.
    make_runs(&repo, 2..3);
    push(&repo, &[]).ok();
    other.git(&["fetch", "-q"]);
    other.xtrack(&["merge"]).ok();
    assert_eq!(tips(&repo), tips(&other));
    for bad in ["runs", "refs/heads", "refs/a b", "-x"] {
        assert_eq!(repo.xtrack(&["init", "--prefix", bad]).code, 2, "{bad}");
    }
}

#[test]
fn a_dry_run_changes_nothing() {
    let bare = Bare::new();
    let repo = clone_of(&bare, "Ada");
    make_runs(&repo, 0..2);
    assert_eq!(push(&repo, &["--dry-run"]).ok().stderr, "would push 2 runs to 'origin': 2 new\n");
    assert_eq!(bare.refs(&repo, "refs"), "");
    assert!(repo.refs("refs/xtrack").is_empty());
}

#[test]
fn a_tip_that_cannot_be_used_is_named_and_replaced_when_that_is_asked_for() {
    let bare = Bare::new();
    let repo = clone_of(&bare, "Ada");
    make_runs(&repo, 0..2);
    let name = format!("refs/runs/{}", run_id(0));
    let blob = repo.git_stdin(&["hash-object", "-w", "--stdin"], "no facts");
    let tree = repo.git_stdin(&["mktree"], &format!("100644 blob {blob}\trun.toml"));
    let commit = repo.git(&["commit-tree", "-m", "x", &tree]);
    repo.git(&["push", "-q", bare.path(), &format!("{commit}:{name}")]);
    let output = push(&repo, &[]);
    assert_eq!(output.code, 1);
    assert!(output.stderr.contains("pushed 1 run to 'origin': 1 new"), "{}", output.stderr);
    assert!(
        output.stderr.contains("what 'origin' has of it cannot be used: 'run.toml' is not TOML"),
        "{}",
        output.stderr
    );
    assert!(output.stderr.contains("hint: `git xtrack push origin --replace RUN`"), "{}", output.stderr);
    let refused = push(&repo, &["--replace", "run-0"]);
    assert_eq!(
        (refused.code, refused.stderr.contains("`--yes` answers yes")),
        (2, true),
        "{}",
        refused.stderr
    );
    let output = push(&repo, &["--replace", "run-0", "--yes"]).ok();
    assert_eq!(output.stderr, "pushed 1 run to 'origin': 1 replaced\n");
    assert_eq!(tips(&repo), tips_at(&repo, bare.path()));
}

#[test]
fn code_goes_along_where_the_remote_has_it_and_else_only_when_asked_for() {
    let bare = Bare::new();
    let repo = clone_of(&bare, "Ada");
    repo.write("train.py", "print(1)\n");
    let published = repo.commit("published");
    repo.git(&["push", "-q", "origin", "main"]);
    repo.xtrack(&["record", "--name", "clean"]).ok();
    repo.write("train.py", "print(2)\n");
    repo.write("notes.txt", "untracked\n");
    repo.xtrack(&["record", "--name", "dirty"]).ok();
    repo.commit("not published");
    repo.xtrack(&["record", "--name", "ahead"]).ok();
    let output = push(&repo, &[]).ok();
    assert_eq!(
        output.stderr,
        "pushed 3 runs to 'origin': 3 new\n1 state of code went along\n\
         2 states of code stay here: 'origin' does not have the commits; `--code` sends them\n"
    );
    let there = bare.refs(&repo, "refs/xtrack/code");
    assert_eq!(there, format!("{published} refs/xtrack/code/{published}"));
    let refused = push(&repo, &["--code"]);
    assert_eq!(refused.code, 2, "nobody is here to be asked");
    assert!(refused.stderr.contains("    "), "{}", refused.stderr);
    for shown in [
        "1 commit\n",
        "not published\n",
        "1 uncommitted state\n",
        "changes: train.py\n",
        "in no commit: notes.txt\n",
    ] {
        assert!(refused.stderr.contains(shown), "{shown}: {}", refused.stderr);
    }
    assert_eq!(bare.refs(&repo, "refs/xtrack/code").lines().count(), 1);
    push(&repo, &["--code", "--yes"]).ok();
    assert_eq!(bare.refs(&repo, "refs/xtrack/code").lines().count(), 3);
    let clone = clone_of(&bare, "Bo");
    clone.xtrack(&["pull", "--code"]).ok();
    assert_eq!(clone.refs("refs/xtrack/code"), repo.refs("refs/xtrack/code"));
    assert!(clone.xtrack(&["show", "dirty", "--code"]).ok().stdout.contains("+print(2)"));
    clone.assert_sound();
}

#[test]
fn only_the_code_of_chosen_runs_goes() {
    let bare = Bare::new();
    let repo = clone_of(&bare, "Ada");
    for name in ["a", "b"] {
        repo.write("train.py", format!("print({name:?})\n"));
        repo.commit(name);
        repo.xtrack(&["record", "--name", name]).ok();
    }
    push(&repo, &["a", "--code", "--yes"]).ok();
    assert_eq!(bare.refs(&repo, "refs/xtrack/code").lines().count(), 1);
    assert_eq!(bare.refs(&repo, "refs/runs").lines().count(), 1);
}

#[test]
fn artifacts_go_into_a_repository_on_this_machine_and_stay_otherwise() {
    let bare = Bare::new();
    let repo = clone_of(&bare, "Ada");
    repo.write("model.bin", vec![7; 300_000]);
    repo.xtrack(&["record", "--name", "a", "-a", "model.bin"]).ok();
    let output = push(&repo, &[]).ok();
    assert!(output.stderr.contains("1 artifact (293.0 KiB) of 1 run went along\n"), "{}", output.stderr);
    let sha256 = xtrack::run::id::sha256(&[7; 300_000]);
    let there = format!("{}/xtrack/objects/{}/{sha256}", bare.path(), &sha256[..2]);
    assert_eq!(fs::read(&there).unwrap(), [7; 300_000]);
    // Over another transport they stay, which is said.
    let other = Bare::new();
    let script = repo.root().join("ssh");
    fs::write(&script, SSH).unwrap();
    set_executable(script.to_str().unwrap());
    let mut repo = repo;
    repo.set("GIT_SSH_COMMAND", script.to_str().unwrap());
    let answer = json(&repo, &[&format!("ssh://host{}", other.path())]);
    assert_eq!(answer["artifacts"][0]["state"], "kept", "{answer}");
    assert_eq!(other.refs(&repo, "refs/runs").lines().count(), 1);
}

#[test]
fn runs_whose_artifacts_are_missing_are_named_and_the_others_go() {
    let bare = Bare::new();
    let repo = clone_of(&bare, "Ada");
    repo.write("model.bin", vec![7; 300_000]);
    repo.xtrack(&["record", "--name", "a", "-a", "model.bin"]).ok();
    repo.xtrack(&["record", "--name", "b"]).ok();
    fs::remove_dir_all(repo.path().join(".git/xtrack/objects")).unwrap();
    let output = push(&repo, &[]);
    assert_eq!(output.code, 1);
    assert!(output.stderr.contains("pushed 1 run to 'origin': 1 new"), "{}", output.stderr);
    assert!(output.stderr.contains("its artifact 'model.bin' is not here"), "{}", output.stderr);
    push(&repo, &["--incomplete"]).ok();
    // Once it is there, words on it need no artifacts.
    repo.xtrack(&["note", "a", "good"]).ok();
    push(&repo, &[]).ok();
    // Damaged bytes are no artifact.
    let other = Bare::new();
    repo.write("model.bin", vec![8; 300_000]);
    repo.xtrack(&["record", "--name", "c", "-a", "model.bin"]).ok();
    let sha256 = xtrack::run::id::sha256(&[8; 300_000]);
    let path = repo.path().join(".git/xtrack/objects").join(&sha256[..2]).join(&sha256);
    fs::remove_file(&path).unwrap();
    fs::write(&path, vec![9; 300_000]).unwrap();
    let output = push(&repo, &[other.path(), "c"]);
    assert_eq!((output.code, output.stderr.contains("is damaged here")), (1, true), "{}", output.stderr);
    assert_eq!(other.refs(&repo, "refs/runs"), "");
}

#[test]
fn two_who_push_at_once_both_land() {
    let bare = Bare::new();
    let clones = ["Ada", "Bo", "Cy"].map(|name| clone_of(&bare, name));
    for (number, clone) in (0..).zip(&clones) {
        make_runs(clone, number * 100..number * 100 + 20);
    }
    std::thread::scope(|scope| {
        for clone in &clones {
            scope.spawn(|| push(clone, &[]).ok());
        }
    });
    assert_eq!(bare.refs(&clones[0], "refs/runs").lines().count(), 60);
}

#[test]
fn settings_of_a_push_of_branches_do_not_get_in_the_way() {
    let bare = Bare::new();
    let repo = clone_of(&bare, "Ada");
    repo.write("a", "1");
    repo.commit("base");
    repo.git(&["tag", "-a", "-m", "private", "v1"]);
    make_runs(&repo, 0..2);
    for (key, value) in [
        ("push.followTags", "true"),
        ("push.recurseSubmodules", "check"),
        ("remote.origin.mirror", "true"),
        ("remote.origin.push", "refs/heads/*:refs/heads/*"),
        ("core.hooksPath", "hooks"),
    ] {
        repo.git(&["config", key, value]);
    }
    repo.write("hooks/pre-push", "#!/bin/sh\nexit 1\n");
    set_executable(repo.path().join("hooks/pre-push").to_str().unwrap());
    push(&repo, &[]).ok();
    let names: Vec<_> = bare.refs(&repo, "refs").lines().map(|line| line[41..].to_owned()).collect();
    assert_eq!(names, repo.refs("refs/runs"));
}

#[test]
fn a_run_in_progress_has_nothing_to_send_yet() {
    let bare = Bare::new();
    let repo = clone_of(&bare, "Ada");
    let owner = crate::support::live::Sleeper::new();
    crate::support::live::begin(&repo, &owner, &["--name", "live"]);
    let output = push(&repo, &["live"]);
    assert_eq!((output.code, output.stderr.contains("is in progress and has no record yet")), (1, true));
    push(&repo, &["--where", "name = 'live'"]).ok();
}

#[test]
fn a_reftable_and_a_sha256_repository_share_as_others_do() {
    for options in [&["--ref-format=reftable"] as &[_], &["--object-format=sha256"]] {
        if Repo::folder("probe").try_git(&[&["init", "-q"], options, &["."]].concat()).code != 0 {
            eprintln!("skipped: this git has no {options:?}");
            continue;
        }
        let bare = Bare::with(options);
        let repos = ["Ada", "Bo"].map(|name| {
            let repo = Repo::with(options, "work");
            repo.git(&["config", "user.name", name]);
            repo.git(&["remote", "add", "origin", bare.path()]);
            repo
        });
        let [ada, bo] = &repos;
        for name in ["a", "b"] {
            ada.xtrack(&["record", "--name", name]).ok();
        }
        push(ada, &[]).ok();
        bo.xtrack(&["pull"]).ok();
        ada.xtrack(&["tag", "a", "from-ada"]).ok();
        bo.xtrack(&["tag", "a", "from-bo"]).ok();
        push(ada, &[]).ok();
        bo.xtrack(&["pull"]).ok();
        push(bo, &[]).ok();
        ada.xtrack(&["pull"]).ok();
        assert_eq!(tips(ada), tips(bo), "{options:?}");
        ada.assert_sound();
        bo.assert_sound();
    }
}

#[test]
fn forged_facts_are_kept_beside_the_honest_ones() {
    let bare = Bare::new();
    let (ada, eve) = (clone_of(&bare, "Ada"), clone_of(&bare, "Eve"));
    make_runs(&ada, 0..1);
    push(&ada, &[]).ok();
    eve.xtrack(&["pull"]).ok();
    let mut forged = facts(&run_id(0), "stolen");
    forged.revision = 9;
    let blob =
        eve.git_stdin(&["hash-object", "-w", "--stdin"], std::str::from_utf8(&bytes_of(&forged)).unwrap());
    let tree = eve.git_stdin(&["mktree"], &format!("100644 blob {blob}\trun.toml"));
    let name = format!("refs/runs/{}", run_id(0));
    let commit = eve.git(&["commit-tree", "-m", "x", "-p", &name, &tree]);
    eve.git(&["update-ref", &name, &commit]);
    eve.git(&["push", "-q", bare.path(), &name]);
    let output = ada.xtrack(&["pull"]).ok();
    assert!(
        output.stderr.contains("two different copies of 'run.toml', of which one must be forged"),
        "{}",
        output.stderr
    );
    assert!(ada.xtrack(&["show", &run_id(0).to_string()]).ok().stdout.contains("run.toml"));
    assert_eq!(crate::sharing::paths(&ada, 0).len(), 2);
}
