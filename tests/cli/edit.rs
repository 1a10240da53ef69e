//! `git xtrack edit` and its short forms.

use crate::support::repo::Repo;

fn show(repo: &Repo, run: &str) -> serde_json::Value {
    let output = repo.xtrack(&["show", run, "--json"]);
    serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{}", output.stderr))
}

#[test]
fn words_are_added_and_none_is_lost() {
    let repo = Repo::new();
    repo.xtrack(&["record", "--name", "a", "-p", "lr=0.1", "-m", "loss=1", "-m", "junk=2"]);
    for arguments in [
        &[
            "edit",
            "a",
            "--name",
            "b",
            "--experiment",
            "e",
            "-m",
            "late=0.5",
            "--hide-metric",
            "junk",
            "--correct",
            "lr=0.2",
        ][..],
        &["tag", "b", "+paper", "draft"],
        &["tag", "b", "-draft"],
        &["note", "b", "first\nsecond"],
        &["edit", "b", "--status", "killed"],
    ] {
        let output = repo.xtrack(arguments);
        assert_eq!(output.code, 0, "{arguments:?}: {}", output.stderr);
    }
    let run = show(&repo, "b");
    assert_eq!(run["experiment"], "e");
    assert_eq!(run["params"]["lr"], 0.2);
    assert_eq!(run["metrics"]["late"]["last"], 0.5);
    assert!(run["metrics"].get("junk").is_none());
    assert_eq!(run["tags"], serde_json::json!(["paper"]));
    assert_eq!(run["notes"][0]["text"], "first\nsecond");
    assert_eq!(run["status"], "killed");
    let history = repo.xtrack(&["show", "b", "--history"]).stdout;
    for word in ["paper", "draft", "lr"] {
        assert!(history.contains(word), "{word}: {history}");
    }
    let note = run["notes"][0]["id"].as_str().expect("an id").to_owned();
    assert_eq!(repo.xtrack(&["edit", "b", "--withdraw", &note]).code, 0);
    assert_eq!(show(&repo, "b")["notes"], serde_json::json!([]));
    assert_eq!(repo.xtrack(&["edit", "b", "--reinstate", &note]).code, 0);
    assert_eq!(show(&repo, "b")["notes"].as_array().map(Vec::len), Some(1));
}

#[test]
fn deleting_is_undone_and_hiding_stays_here() {
    let repo = Repo::new();
    repo.xtrack(&["record", "--name", "a"]);
    assert_eq!(repo.xtrack(&["rm", "a"]).code, 0);
    assert_eq!(repo.xtrack(&["log", "--json"]).stdout, "[]\n");
    assert!(repo.xtrack(&["log", "--deleted"]).stdout.contains('a'));
    assert_eq!(repo.xtrack(&["restore", "a"]).code, 0);
    assert_ne!(repo.xtrack(&["log", "--json"]).stdout, "[]\n");
    assert_eq!(repo.xtrack(&["rm", "--local", "a"]).code, 0);
    assert_eq!(repo.xtrack(&["log", "--json"]).stdout, "[]\n");
    assert_eq!(repo.xtrack(&["restore", "a"]).code, 0);
    assert_ne!(repo.xtrack(&["log", "--json"]).stdout, "[]\n");
}

#[test]
fn what_is_not_there_cannot_be_corrected() {
    let repo = Repo::new();
    repo.xtrack(&["record", "--name", "a", "-p", "learning_rate=0.1", "-m", "loss=1"]);
    for (arguments, hint) in [
        (&["edit", "a", "--correct", "learning_rat=1"][..], "learning_rate"),
        (&["edit", "a", "--hide-metric", "los"], "loss"),
        (&["edit", "a", "--status", "done"], "finished"),
        (&["edit", "a", "--withdraw", "x/1"], "show"),
        (&["edit", "a"], "edit"),
        (&["tag", "a", "+bad\u{1b}"], "U+001B"),
    ] {
        let output = repo.xtrack(arguments);
        assert_eq!(output.code, 2, "{arguments:?}: {}", output.stderr);
        assert!(output.stderr.contains(hint), "{hint}: {}", output.stderr);
    }
    assert_eq!(repo.git(&["rev-list", "--count", "--glob=refs/runs/*"]).trim(), "1");
}

#[test]
fn edits_of_two_at_once_are_both_kept() {
    let repo = Repo::new();
    repo.xtrack(&["record", "--name", "a"]);
    std::thread::scope(|scope| {
        for index in 0..8 {
            let repo = &repo;
            scope.spawn(move || assert_eq!(repo.xtrack(&["tag", "a", &format!("t{index}")]).code, 0));
        }
    });
    assert_eq!(show(&repo, "a")["tags"].as_array().map(Vec::len), Some(8));
}
