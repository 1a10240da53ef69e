//! `git xtrack du`: what takes the space, own and shared; and hidden runs, which take as much.

use crate::sharing::make_runs;
use crate::space::json;
use crate::support::Repo;

#[test]
fn own_and_shared_are_told_apart() {
    let repo = Repo::new();
    repo.write("train.py", "print(1)\n");
    repo.commit("one");
    repo.write("shared.bin", vec![1; 300_000]);
    repo.xtrack(&["record", "--name", "a", "-a", "shared.bin", "--", "true"]).ok();
    repo.write("own.bin", vec![2; 400_000]);
    repo.write("notes.txt", "in no commit\n");
    let output = repo.xtrack(&["record", "--name", "b", "-a", "shared.bin", "-a", "own.bin", "--", "true"]);
    output.ok();
    let usage = json(&repo, &["du", "--json"]);
    assert_eq!(usage["runs"]["count"], 2);
    assert_eq!(usage["artifacts"], serde_json::json!({ "count": 2, "bytes": 700_000 }));
    assert_eq!(usage["artifacts_shared"], serde_json::json!({ "count": 1, "bytes": 300_000 }));
    assert_eq!(usage["artifacts_nameless"]["count"], 0);
    assert_eq!(usage["code"]["count"], 2);
    assert!(usage["code"]["bytes"].as_u64().unwrap() > 0, "untracked files are in no branch");
    let first = &usage["each"][0];
    assert_eq!(first["name"], "b");
    assert_eq!(first["artifacts"], serde_json::json!({ "own": 400_000, "shared": 300_000 }));
    assert!(first["record"]["own"].as_u64().unwrap() > 0);
    // What is told of runs adds up to all there is.
    let own: u64 =
        usage["each"].as_array().unwrap().iter().map(|one| one["record"]["own"].as_u64().unwrap()).sum();
    let shared = first["record"]["shared"].as_u64().unwrap();
    assert_eq!(own + shared, usage["runs"]["bytes"].as_u64().unwrap());
    let one = json(&repo, &["du", "a", "--json"]);
    assert_eq!(one["each"].as_array().unwrap().len(), 1);
    assert_eq!(one["each"][0]["held"][0]["runs"], 2);
    let text = repo.xtrack(&["du", "b"]).ok().stdout;
    assert!(text.contains("390.6 KiB"), "{text}");
    let table = repo.xtrack(&["du", "--csv"]).ok().stdout;
    assert!(table.starts_with("id,name,deleted,record_own"), "{table}");
    repo.git(&["add", "-A"]);
    repo.git(&["commit", "-qm", "clean"]);
    repo.xtrack(&["record", "--name", "c", "--", "true"]).ok();
    assert_eq!(json(&repo, &["du", "--json"])["code"]["count"], 3);
}

#[test]
fn an_empty_repository_takes_nothing() {
    let repo = Repo::new();
    let usage = json(&repo, &["du", "--json"]);
    assert_eq!(usage["runs"], serde_json::json!({ "count": 0, "bytes": 0 }));
    repo.xtrack(&["du"]).ok();
    repo.xtrack(&["gc"]).ok();
    assert_eq!(repo.xtrack(&["oplog"]).ok().stderr, "no operation is known yet\n");
}

#[test]
fn a_long_list_of_refs_is_worth_a_word() {
    let repo = Repo::new();
    make_runs(&repo, 0..5_000);
    let output = repo.xtrack(&["du"]).ok();
    assert!(
        output.stderr.contains("lists 5,000 runs to everybody who pushes to it, about 468.8 KiB"),
        "{}",
        output.stderr
    );
}

#[test]
fn hidden_runs_are_found_counted_and_shown_again() {
    let repo = Repo::new();
    for (name, loss) in [("a", "loss=1"), ("b", "loss=2"), ("c", "loss=3")] {
        repo.xtrack(&["record", "--name", name, "-m", loss]).ok();
    }
    repo.xtrack(&["rm", "--local", "a"]).ok();
    let names = |arguments: &[&str]| -> Vec<String> {
        let found = json(&repo, arguments);
        found.as_array().unwrap().iter().map(|run| run["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&["log", "--sort", "loss", "-n", "1", "--json"]), ["b"], "the best that is shown");
    assert_eq!(names(&["log", "--deleted", "--json"]), ["a"]);
    assert_eq!(json(&repo, &["show", "a", "--json"])["deleted"], false);
    repo.xtrack(&["rm", "b"]).ok();
    repo.xtrack(&["restore", "--local", "--where", "metrics.loss > 0"]).ok();
    assert_eq!(names(&["log", "--sort", "loss", "--json"]), ["a", "c"]);
    assert_eq!(names(&["log", "--deleted", "--json"]), ["b"], "deleted, not hidden");
}
