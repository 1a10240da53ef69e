//! `git xtrack show`.

use crate::support::repo::Repo;

#[test]
fn the_json_has_every_key_of_the_contract() {
    let repo = Repo::new();
    repo.write("train.py", "print(1)\n");
    repo.commit("base");
    repo.write("out.txt", "result");
    let arguments = [
        "record", "--name", "n", "-p", "a.b=1", "-p", "x=none", "-m", "loss=nan", "-a", "out.txt", "-t",
        "k=v", "--note", "hello",
    ];
    assert_eq!(repo.xtrack(&arguments).code, 0);
    let run: serde_json::Value =
        serde_json::from_str(&repo.xtrack(&["show", "@", "--json"]).stdout).expect("JSON");
    for key in [
        "format",
        "id",
        "name",
        "experiment",
        "status",
        "started",
        "ended",
        "exit_code",
        "signal",
        "user",
        "host",
        "command",
        "code",
        "params",
        "metrics",
        "tags",
        "notes",
        "inputs",
        "artifacts",
        "attempts",
        "parent",
        "group",
        "deleted",
        "environment",
    ] {
        assert!(run.get(key).is_some(), "no {key}: {run:#}");
    }
    assert_eq!(run["params"], serde_json::json!({"a": {"b": 1}, "x": null}));
    assert_eq!(run["metrics"]["loss"]["last"], "NaN");
    assert_eq!(run["metrics"]["loss"]["count"], 1);
    assert_eq!(run["metrics"]["loss"]["last_step"], serde_json::Value::Null);
    assert_eq!(run["tags"], serde_json::json!(["k=v"]));
    assert_eq!(run["notes"][0]["text"], "hello");
    assert_eq!(run["artifacts"][0]["path"], "out.txt");
    assert_eq!(run["artifacts"][0]["inline"], true);
    for key in ["commit", "tree", "snapshot", "branch", "dirty", "changed", "untracked", "left_out"] {
        assert!(run["code"].get(key).is_some(), "no code.{key}");
    }
}

#[test]
fn a_run_is_named_in_many_ways() {
    let repo = Repo::new();
    let id = repo.xtrack(&["record", "--name", "first"]).stdout.trim().to_owned();
    let second = repo.xtrack(&["record", "--name", "second"]).stdout.trim().to_owned();
    let shown = |name: &str| -> String {
        let output = repo.xtrack(&["show", name, "--json"]);
        let run: serde_json::Value =
            serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{name}: {}", output.stderr));
        run["id"].as_str().expect("an id").to_owned()
    };
    for name in [id.as_str(), &id[16..], "first", &id[16..21], "@~1", "@all~1"] {
        assert_eq!(shown(name), id, "{name}");
    }
    assert_eq!(shown("@"), second);
    let output = repo.xtrack(&["show", "frist"]);
    assert_eq!(output.code, 4);
    assert!(output.stderr.contains("did you mean 'first'?"), "{}", output.stderr);
    repo.xtrack(&["record", "--name", "first"]);
    let output = repo.xtrack(&["show", "first"]);
    assert_eq!(output.code, 2);
    assert!(output.stderr.contains("ambiguous") && output.stderr.contains(&id), "{}", output.stderr);
}

#[test]
fn the_code_that_ran_survives_everything() {
    let repo = Repo::new();
    repo.write("train.py", "print('committed')\n");
    repo.commit("base");
    repo.write("train.py", "print('changed')\n");
    repo.write("result.txt", "inline bytes");
    assert_eq!(repo.xtrack(&["record", "--name", "kept", "-a", "result.txt"]).code, 0);
    repo.git(&["commit", "-q", "--amend", "-am", "other"]);
    repo.git(&["checkout", "-q", "--orphan", "fresh"]);
    repo.git(&["rm", "-rfq", "."]);
    repo.write("x", "x");
    repo.commit("fresh");
    repo.git(&["branch", "-q", "-D", "main"]);
    repo.git(&["reset", "-q", "--hard"]);
    repo.git(&["reflog", "expire", "--expire=now", "--all"]);
    repo.git(&["gc", "-q", "--prune=now"]);
    let output = repo.xtrack(&["show", "kept", "--code"]);
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert!(output.stdout.contains("+print('changed')"), "{}", output.stdout);
    assert!(output.stdout.contains("-print('committed')"), "{}", output.stdout);
    let run: serde_json::Value =
        serde_json::from_str(&repo.xtrack(&["show", "kept", "--json"]).stdout).expect("JSON");
    let id = run["id"].as_str().expect("an id");
    let files = repo.git(&["ls-tree", "-r", "--name-only", &format!("refs/runs/{id}")]);
    let inline = files.lines().find(|path| path.ends_with("-result.txt")).expect("the artifact's bytes");
    assert_eq!(repo.git(&["show", &format!("refs/runs/{id}:{inline}")]).trim_end(), "inline bytes");
    repo.git(&["fsck", "--strict"]);
}
