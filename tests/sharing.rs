//! Runs shared by plain git: push, clone, fetch, and what configuration must not break.

use crate::support::repo::Repo;

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
