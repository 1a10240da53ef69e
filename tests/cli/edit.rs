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
    assert!(repo.xtrack(&["log"]).stderr.contains("`git xtrack log --deleted` lists what can come back"));
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

#[test]
fn an_experiment_is_renamed_by_a_question() {
    let repo = Repo::new();
    for index in 0..14 {
        let experiment = if index < 12 { "digits" } else { "other" };
        repo.xtrack(&["record", "--name", &format!("r{index}"), "-e", experiment, "-p", "lr=0.1"]).ok();
    }
    let rename = ["edit", "--where", "experiment = digits", "--experiment", "mnist"];
    let output = repo.xtrack(&rename);
    assert_eq!(output.code, 2);
    assert_eq!(
        output.stderr,
        "error: this is about 12 runs, and nobody is here to agree\nhint: --yes agrees; --dry-run lists them\n"
    );
    let output = repo.xtrack(&[&rename[..], &["--dry-run"]].concat()).ok();
    assert_eq!(output.stdout.lines().count(), 12, "{}", output.stdout);
    assert_eq!(output.stderr, "12 runs; nothing is changed\n");
    assert_eq!(repo.git(&["rev-list", "--count", "--glob=refs/runs/*"]).trim(), "14");
    let output = repo.xtrack(&[&rename[..], &["--yes"]].concat()).ok();
    assert_eq!(output.stderr, "edited 12 runs\n");
    assert_eq!(show(&repo, "r3")["experiment"], "mnist");
    assert_eq!(repo.xtrack(&rename).ok().stderr, "no runs match\n");
    // Up to ten are not asked about, and each is told.
    let output = repo.xtrack(&["edit", "--where", "experiment = other", "--experiment", "mnist"]).ok();
    assert_eq!(output.stderr.lines().count(), 3, "{}", output.stderr);
    repo.assert_sound();
}

#[test]
fn one_that_fails_does_not_stop_the_others() {
    let repo = Repo::new();
    for index in 0..20 {
        let param = if index == 7 { "rate=0.1" } else { "lr=0.1" };
        repo.xtrack(&["record", "--name", &format!("r{index}"), "-p", param]).ok();
    }
    let output = repo.xtrack(&["edit", "--where", "name ~ 'r'", "--correct", "lr=0.5", "--yes"]);
    assert_eq!(output.code, 1);
    let lines: Vec<&str> = output.stderr.lines().collect();
    assert_eq!(lines.last(), Some(&"edited 19 runs, 1 failed"));
    assert!(lines[0].starts_with("error: run '") && lines[0].contains("no param \"lr\""), "{}", lines[0]);
    assert_eq!(show(&repo, "r8")["params"]["lr"], 0.5);
}

#[test]
fn short_forms_take_questions_and_names_narrow_them() {
    let repo = Repo::new();
    for name in ["a", "b", "c"] {
        repo.xtrack(&["record", "--name", name, "-p", &format!("x={name}")]).ok();
    }
    repo.xtrack(&["tag", "--where", "x in ('a', 'b')", "+good", "old"]).ok();
    repo.xtrack(&["note", "--where", "has tag good", "fine"]).ok();
    assert_eq!(show(&repo, "a")["tags"], serde_json::json!(["good", "old"]));
    assert_eq!(show(&repo, "b")["notes"][0]["text"], "fine");
    assert_eq!(show(&repo, "c")["notes"], serde_json::json!([]));
    repo.xtrack(&["rm", "b", "c", "--where", "has tag good"]).ok();
    assert_eq!(repo.xtrack(&["log", "--oneline"]).stdout.lines().count(), 2);
    let output = repo.xtrack(&["restore", "--where", "x = 'b'"]).ok();
    assert!(output.stderr.starts_with("restored "), "{}", output.stderr);
    assert_eq!(repo.xtrack(&["log", "--oneline"]).stdout.lines().count(), 3);
    let shown = repo.xtrack(&["show", "--where", "x = 'c'", "--format", "{{ name }}"]).ok().stdout;
    assert_eq!(shown.trim(), "c");
    let output = repo.xtrack(&["show", "--where", "has x"]);
    assert_eq!(output.code, 2);
    assert!(output.stderr.contains("3 runs match, and one is wanted: '"), "{}", output.stderr);
    assert_eq!(repo.xtrack(&["show", "--where", "x = 'z'"]).code, 4);
    assert_eq!(repo.xtrack(&["tag", "a"]).code, 2);
    assert_eq!(repo.xtrack(&["edit", "--name", "x"]).code, 2);
}

#[test]
fn many_edits_land_in_every_kind_of_repository() {
    for options in [&["--ref-format=reftable"][..], &["--object-format=sha256"], &[]] {
        let repo = Repo::with(options, "work");
        for index in 0..20 {
            repo.xtrack(&["record", "--name", &format!("r{index}")]).ok();
        }
        let output = repo.xtrack(&["tag", "--where", "name ~ 'r'", "+all", "--yes"]).ok();
        assert_eq!(output.stderr, "edited 20 runs\n", "{options:?}");
        assert_eq!(repo.xtrack(&["log", "--where", "has tag all", "--oneline"]).stdout.lines().count(), 20);
        repo.assert_sound();
    }
}
