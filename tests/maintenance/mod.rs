//! What people and scripts do to repositories to keep them small and tidy: no run, no code state and no artifact is lost.

mod power;

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::reliability::skip;
use crate::sharing::{Bare, has, tips};
use crate::support::{Repo, live};

/// A repository with all that can be lost, and one run in progress.
struct Household {
    repo: Repo,
    _bare: Bare,
    owner: live::Sleeper,
    folder: std::path::PathBuf,
}

impl Household {
    fn new() -> Self {
        let bare = Bare::new();
        let repo = Repo::new();
        repo.git(&["remote", "add", "origin", &format!("file://{}", bare.path())]);
        repo.write(".gitignore", "*.bin\n");
        repo.write("train.py", "print(1)\n");
        repo.commit("first");
        repo.git(&["push", "-q", "origin", "main"]);
        repo.xtrack(&["init"]).ok();
        repo.write("model.bin", vec![7; 200_000]);
        repo.write("plot.svg", "<svg/>");
        repo.xtrack(&["record", "--name", "pushed", "-p", "lr=0.1", "-a", "model.bin"]).ok();
        repo.xtrack(&["push"]).ok();
        // From here on nothing is anywhere else.
        repo.write("train.py", "print(2)\n");
        repo.write("new.py", "print(3)\n");
        repo.write("other.bin", vec![8; 200_000]);
        repo.xtrack(&["record", "--name", "dirty", "-p", "lr=0.2", "-a", "other.bin", "-a", "plot.svg"]).ok();
        repo.git(&["checkout", "-q", "-b", "topic"]);
        repo.commit("second");
        repo.xtrack(&["record", "--name", "topic", "-m", "loss=0.5", "--", "true"]).ok();
        repo.xtrack(&["note", "dirty", "looks odd"]).ok();
        repo.xtrack(&["note", "pushed", "still the best"]).ok();
        repo.xtrack(&["record", "--name", "gone", "-p", "lr=0.4"]).ok();
        repo.xtrack(&["rm", "gone"]).ok();
        repo.git(&["checkout", "-q", "main"]);
        let owner = live::Sleeper::new();
        let folder = live::begin(&repo, &owner, &["-p", "lr=0.5", "--name", "running"]);
        live::journal(&folder, "a", &live::lines("{}", 5, None));
        Self { repo, _bare: bare, owner, folder }
    }

    /// All that the runs say, the run in progress among them.
    fn said(&self) -> Vec<Value> {
        ["pushed", "dirty", "topic", "gone", "running"]
            .iter()
            .map(|name| {
                let mut run = live::json(&self.repo, &["show", name, "--json"]);
                // Seconds go on while it runs.
                run["duration"] = Value::Null;
                run
            })
            .collect()
    }

    /// The code that runs name, file by file.
    fn code(&self) -> Vec<String> {
        let states = self.repo.git(&["for-each-ref", "--format=%(refname:lstrip=3)", "refs/xtrack/code"]);
        states.lines().map(|state| self.repo.git(&["ls-tree", "-r", state])).collect()
    }

    #[track_caller]
    fn assert_sound(&self, what: &str) {
        let output = self.repo.xtrack(&["fsck", "--full"]);
        assert_eq!(output.code, 0, "{what}: {output:?}");
        assert!(output.stderr.starts_with("4 runs, "), "{what}: {}", output.stderr);
    }
}

/// What is done, and whether commits keep their ids.
struct Chore {
    name: &'static str,
    does: fn(&Repo),
    rewrites: bool,
}

const fn chore(name: &'static str, does: fn(&Repo)) -> Chore {
    Chore { name, does, rewrites: false }
}

fn collect(repo: &Repo) {
    repo.git(&["reflog", "expire", "--expire=now", "--expire-unreachable=now", "--all"]);
    repo.git(&["gc", "-q", "--prune=now"]);
}

const CHORES: &[Chore] = &[
    chore("gc --prune=now", |repo| drop(repo.git(&["gc", "-q", "--prune=now"]))),
    chore("gc --aggressive --prune=all --cruft", |repo| {
        repo.git(&["gc", "-q", "--aggressive", "--cruft", "--prune=all"]);
    }),
    chore("lfs prune", |repo| {
        if !has("git-lfs") {
            return skip("git-lfs");
        }
        repo.git(&["lfs", "install", "--local"]);
        repo.git(&["lfs", "track", "*.bin"]);
        repo.git(&["lfs", "prune", "--force"]);
        repo.git(&["config", "--remove-section", "filter.lfs"]);
        fs::remove_file(repo.path().join(".gitattributes")).unwrap();
        ["post-checkout", "post-commit", "post-merge", "pre-push"].iter().for_each(|hook| {
            let _ = fs::remove_file(repo.path().join(".git/hooks").join(hook));
        });
    }),
    chore("fetch --prune --prune-tags", |repo| {
        repo.git(&["fetch", "-q", "--prune", "--prune-tags", "--force", "origin"]);
        repo.git(&["-c", "fetch.prune=true", "fetch", "-q", "--all"]);
    }),
    chore("remote prune", |repo| {
        repo.git(&["remote", "prune", "origin"]);
        repo.git(&["remote", "update", "--prune"]);
    }),
    chore("remote remove", |repo| {
        repo.git(&["remote", "remove", "origin"]);
        collect(repo);
    }),
    chore("pack-refs --all --prune", |repo| drop(repo.git(&["pack-refs", "--all", "--prune"]))),
    chore("repack -ad", |repo| {
        repo.git(&["repack", "-adfq"]);
        repo.git(&["repack", "-Adq", "--unpack-unreachable=now"]);
        repo.git(&["prune-packed", "-q"]);
    }),
    chore("reflog expire --expire=now --all", collect),
    chore("branch -D", |repo| {
        repo.git(&["branch", "-D", "topic"]);
        collect(repo);
    }),
    chore("prune --expire=now", |repo| drop(repo.git(&["prune", "--expire=now"]))),
    chore("prune-packed", |repo| {
        repo.git(&["repack", "-aq"]);
        repo.git(&["prune-packed", "-q"]);
    }),
    chore("worktree prune", |repo| {
        let other = repo.root().join("other");
        repo.git(&["worktree", "add", "-q", "--detach", other.to_str().unwrap()]);
        fs::remove_dir_all(&other).unwrap();
        repo.git(&["worktree", "prune", "--expire=now"]);
        collect(repo);
    }),
    chore("clean -ffdx", |repo| {
        repo.git(&["clean", "-ffdxq"]);
        repo.git(&["clean", "-ffdXq"]);
    }),
    chore("maintenance run", |repo| {
        for task in ["gc", "commit-graph", "prefetch", "loose-objects", "incremental-repack", "pack-refs"] {
            repo.git(&["maintenance", "run", "--quiet", &format!("--task={task}")]);
        }
    }),
    chore("multi-pack-index repack, expire", |repo| {
        repo.git(&["repack", "-dq"]);
        repo.git(&["multi-pack-index", "write"]);
        repo.git(&["multi-pack-index", "repack", "--no-progress"]);
        repo.git(&["multi-pack-index", "expire", "--no-progress"]);
    }),
    chore("commit --amend", |repo| {
        repo.git(&["commit", "-q", "--amend", "--allow-empty", "-m", "another"]);
        collect(repo);
    }),
    chore("rebase", |repo| {
        repo.git(&["checkout", "-q", "topic"]);
        repo.git(&["rebase", "-q", "--root", "--force-rebase", "--exec", "git commit -q --amend -m again"]);
        collect(repo);
    }),
    chore("reset --hard, stash drop", |repo| {
        repo.write("train.py", "print(9)\n");
        repo.git(&["stash", "-q"]);
        repo.git(&["stash", "drop", "-q"]);
        repo.git(&["reset", "-q", "--hard"]);
        collect(repo);
    }),
    chore("filter-branch", |repo| {
        filter(repo, &["--branches"]);
        collect(repo);
    }),
    Chore {
        name: "filter-branch --all",
        does: |repo| {
            filter(repo, &["--all"]);
            // It renames what runs name, too: the states are still there, under `refs/original`.
            repo.xtrack(&["fsck", "--repair", "--yes"]);
            let kept = repo.git(&["for-each-ref", "--format=delete %(refname)", "refs/original"]) + "\n";
            repo.git_stdin(&["update-ref", "--stdin"], &kept);
            collect(repo);
        },
        rewrites: true,
    },
    chore("refs migrate", |repo| {
        if repo.try_git(&["refs", "migrate", "--ref-format=reftable"]).code != 0 {
            // Git 2.47 moves neither reflogs nor work trees along, and says so: there is nothing to survive.
            return eprintln!("not tried: this git cannot migrate these refs");
        }
        collect(repo);
    }),
];

fn filter(repo: &Repo, which: &[&str]) {
    let mut git = repo.command("git");
    git.env("FILTER_BRANCH_SQUELCH_WARNING", "1");
    git.args(["filter-branch", "-f", "--msg-filter", "cat; echo signed-off", "--"]).args(which);
    assert!(git.output().unwrap().status.success());
}

#[test]
fn no_chore_loses_a_run_its_code_or_an_artifact() {
    assert!(CHORES.len() >= 14);
    let only = std::env::var("XTRACK_CHORE").ok();
    for chore in CHORES.iter().filter(|chore| only.as_deref().is_none_or(|only| chore.name.contains(only))) {
        let house = Household::new();
        let (said, code, before) = (house.said(), house.code(), tips(&house.repo));
        (chore.does)(&house.repo);
        assert_eq!(house.said(), said, "{}", chore.name);
        assert_eq!(house.code(), code, "{}", chore.name);
        if !chore.rewrites {
            assert_eq!(tips(&house.repo), before, "{}", chore.name);
        }
        house.assert_sound(chore.name);
        // Life goes on: the run in progress lands, and another is recorded.
        house.owner.kill();
        house.repo.xtrack(&["recover"]).ok();
        assert!(!house.folder.exists(), "{}", chore.name);
        let run = live::json(&house.repo, &["show", "running", "--json"]);
        assert_eq!(run["metrics"]["loss"]["count"], 5, "{}", chore.name);
        house.repo.xtrack(&["record", "--name", "after", "-p", "lr=1"]).ok();
        assert_eq!(house.repo.xtrack(&["fsck", "--full"]).code, 0, "{}", chore.name);
        eprintln!("git {}: nothing lost", chore.name);
    }
}

#[test]
fn a_mirror_push_from_a_stale_clone_is_made_good_by_who_has_the_runs() {
    let house = Household::new();
    let ada = &house.repo;
    // Somebody cloned everything long ago.
    let stale = Repo::folder("work");
    let address = ada.git(&["remote", "get-url", "origin"]);
    stale.git(&["clone", "-q", "--mirror", &address, "."]);
    // A third fetched by plain git, and did not merge yet.
    ada.xtrack(&["push"]).ok();
    let third = Repo::new();
    third.git(&["remote", "add", "origin", &address]);
    third.xtrack(&["init"]).ok();
    third.git(&["fetch", "-q"]);
    let all = ada.refs("refs/runs").len();
    stale.git(&["push", "-q", "--mirror", "origin"]);
    let left = ada.git(&["ls-remote", "origin", "refs/runs/*"]);
    assert!(left.lines().count() < all, "{left}");
    // Pruning takes what is said of the remote, and nothing of ours.
    ada.git(&["fetch", "-q", "--prune"]);
    assert_eq!(ada.refs("refs/runs").len(), all);
    house.assert_sound("after the prune");
    // What was fetched is runs again by a merge.
    third.xtrack(&["merge"]).ok();
    assert_eq!(third.refs("refs/runs").len(), all);
    assert_eq!(tips(&third), tips(ada));
    // Whoever has them pushes them again; the stale clone pulls them.
    ada.xtrack(&["push"]).ok();
    assert_eq!(ada.git(&["ls-remote", "origin", "refs/runs/*"]).lines().count(), all);
    stale.xtrack(&["pull"]).ok();
    assert_eq!(tips(&stale), tips(ada));
}

#[test]
fn refs_that_a_crash_emptied_come_back_from_what_was_fetched() {
    let house = Household::new();
    let repo = &house.repo;
    repo.xtrack(&["push"]).ok();
    repo.xtrack(&["fetch"]).ok();
    let before = tips(repo);
    // A crash of a system whose file system orders nothing leaves files that are empty.
    let emptied = empty_files(&repo.path().join(".git/refs/runs"));
    assert!(emptied > 0);
    assert_eq!(repo.xtrack(&["fsck"]).code, 1);
    let output = repo.xtrack(&["fsck", "--repair", "--yes"]);
    assert_eq!(output.code, 0, "{output:?}");
    assert_eq!(tips(repo), before);
    house.assert_sound("after the repair");
}

fn empty_files(folder: &Path) -> usize {
    let files = fs::read_dir(folder).unwrap().flatten().map(|file| file.path());
    files.map(|file| fs::write(file, "").unwrap()).count()
}
