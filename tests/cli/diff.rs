//! `git xtrack diff`.

use crate::cli::compare::recorded;
use crate::support::repo::Repo;

#[test]
fn what_differs_is_shown_and_what_is_the_same_is_not() {
    let repo = Repo::new();
    repo.write("train.py", "print(1)\n");
    repo.commit("base");
    repo.xtrack(&["record", "--name", "a", "-p", "lr=0.1", "-p", "seed=1", "-m", "loss=0.5"]);
    repo.write("train.py", "print(2)\n");
    repo.xtrack(&["record", "--name", "b", "-p", "lr=0.2", "-p", "seed=1", "-m", "loss=0.25"]);
    let output = repo.xtrack(&["diff", "a", "b", "--only-changed", "--code"]);
    assert_eq!(output.code, 0, "{}", output.stderr);
    for text in ["lr", "0.1", "0.2", "loss", "-50", "+print(2)"] {
        assert!(output.stdout.contains(text), "{text}: {}", output.stdout);
    }
    assert!(!output.stdout.contains("seed"), "{}", output.stdout);
    let json: serde_json::Value =
        serde_json::from_str(&repo.xtrack(&["diff", "a", "b", "--json"]).stdout).expect("JSON");
    assert_eq!(json["params"]["lr"], serde_json::json!({"change": "changed", "before": 0.1, "after": 0.2}));
    assert!(repo.xtrack(&["diff", "a", "b", "--stat"]).stdout.contains("train.py"));
    assert!(repo.xtrack(&["diff", "a", "b", "--md"]).stdout.contains('|'));
}

fn json(repo: &Repo, arguments: &[&str]) -> serde_json::Value {
    let output = repo.xtrack(&[&["diff"], arguments, &["--json"]].concat()).ok();
    serde_json::from_str(&output.stdout).expect("JSON")
}

/// Two settings with five seeds each; the accuracy of the second is better, its loss by chance.
fn seeds() -> Repo {
    let repo = Repo::new();
    repo.write("xtrack.toml", "[metric.acc]\ngoal = \"max\"\n");
    for seed in 0..5 {
        for (optimizer, acc) in [("sgd", 80 + seed), ("adam", 90 + seed)] {
            let loss = (seed * 3 + acc) % 7;
            recorded(
                &repo,
                &[&format!(
                    "{optimizer}-{seed} -p optimizer={optimizer} -p seed={seed} -m acc=0.{acc} -m loss={loss}"
                )],
            );
        }
    }
    repo
}

#[test]
fn more_than_two_are_compared_with_the_first() {
    let repo = Repo::new();
    recorded(&repo, &["a -p lr=1 -m acc=0.5", "b -p lr=2 -m acc=0.75", "c -p lr=1 -p x=1 -m acc=0.25"]);
    let output = repo.xtrack(&["diff", "a", "b", "c"]).ok().stdout;
    for text in ["2 runs compared with a", "0.75 (+0.25)", "0.25 (-0.25)", "x"] {
        assert!(output.contains(text), "{text}: {output}");
    }
    let shown = json(&repo, &["a", "b", "c"]);
    assert_eq!(shown["differences"][0]["params"]["lr"]["after"], 2);
    assert_eq!(shown["differences"][1]["after"]["name"], "c");
    let found = json(&repo, &["a", "--where", "acc != 0.5"]);
    assert_eq!(found["differences"].as_array().expect("two").len(), 2);
    // One of each question is a pair.
    let pair = json(&repo, &["--where", "name = 'a'", "--where", "name = 'b'"]);
    assert_eq!(pair["params"]["lr"]["after"], 2);
}

#[test]
fn groups_differ_by_more_than_chance_or_not() {
    let repo = seeds();
    let questions = ["--where", "optimizer = 'sgd'", "--where", "optimizer = 'adam'"];
    let output = repo.xtrack(&[&["diff"], &questions[..]].concat()).ok().stdout;
    for text in [
        "optimizer = 'sgd' (5 runs) → optimizer = 'adam' (5 runs)",
        "↑ better",
        "no difference seen",
        "(Holm)",
    ] {
        assert!(output.contains(text), "{text}: {output}");
    }
    let shown = json(&repo, &questions);
    let metrics = &shown["comparisons"][0]["metrics"];
    assert_eq!(metrics["acc"]["verdict"], "differs");
    assert_eq!(metrics["acc"]["rank"]["superiority"], 1.0);
    assert_eq!(metrics["loss"]["verdict"], "not seen");
    assert_eq!(shown["corrected_for"], 2);
    assert_eq!(shown["comparisons"][0]["params"]["optimizer"]["before"], serde_json::json!(["sgd"]));
    let grouped = json(&repo, &["--group-by", "optimizer", "-m", "acc"]);
    assert_eq!(grouped["comparisons"][0]["before"]["title"], "optimizer adam");
    assert_eq!(grouped["corrected_for"], 1);
    let csv = repo.xtrack(&[&["diff"], &questions[..], &["--csv"]].concat()).ok().stdout;
    assert_eq!(csv.lines().count(), 3, "{csv}");
    let few =
        repo.xtrack(&["diff", "--where", "name ~ 'sgd-[012]'", "--where", "name ~ 'adam-[012]'"]).ok().stdout;
    assert!(few.contains("too few to tell"), "{few}");
}

#[test]
fn what_is_no_comparison_is_said() {
    let repo = seeds();
    for (arguments, code, said) in [
        (&[][..], 2, "no run is named"),
        (&["--where", "acc > 0"], 2, "one group"),
        (&["--where", "acc > 0", "--where", "acc > 5"], 4, "no runs match 'acc > 5'"),
        (&["--where", "acc > 0", "--where", "acc > 1", "--group-by", "seed"], 2, "not by both"),
        (&["--where", "optimizer = 'sgd'", "--group-by", "optimizer"], 2, "nothing to compare"),
        (&["sgd-0", "sgd-1", "sgd-2", "--code"], 2, "of two runs"),
        (&["sgd-0", "sgd-1", "--where", "acc > 0"], 2, "several questions"),
    ] {
        let output = repo.xtrack(&[&["diff"], arguments].concat());
        assert_eq!(output.code, code, "{arguments:?}: {}", output.stderr);
        assert!(output.stderr.contains(said), "{arguments:?}: {}", output.stderr);
    }
}
