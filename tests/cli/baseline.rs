//! `git xtrack baseline`.

use crate::support::repo::Repo;

fn baselines(repo: &Repo) -> Vec<(String, String)> {
    let output = repo.xtrack(&["baseline", "--json"]).ok();
    let told: serde_json::Value = serde_json::from_str(&output.stdout).expect("JSON");
    let text = |value: &serde_json::Value| value.as_str().unwrap_or("-").to_owned();
    let one = |one: &serde_json::Value| (text(&one["experiment"]), text(&one["name"]));
    told.as_array().expect("an array").iter().map(one).collect()
}

fn pair(experiment: &str, name: &str) -> (String, String) {
    (experiment.to_owned(), name.to_owned())
}

#[test]
fn an_experiment_has_one_and_the_next_takes_its_place() {
    let repo = Repo::new();
    for (name, experiment) in [("a", "x"), ("b", "x"), ("c", "y")] {
        repo.xtrack(&["record", "--name", name, "-e", experiment]).ok();
    }
    repo.xtrack(&["record", "--name", "d"]).ok();
    assert!(repo.xtrack(&["baseline"]).ok().stderr.contains("git xtrack baseline RUN"));
    let output = repo.xtrack(&["baseline", "a"]).ok();
    assert!(output.stderr.ends_with(" (a) is the baseline of experiment 'x'\n"), "{}", output.stderr);
    repo.xtrack(&["baseline", "c"]).ok();
    repo.xtrack(&["baseline", "d"]).ok();
    assert_eq!(baselines(&repo), [pair("-", "d"), pair("x", "a"), pair("y", "c")]);
    let output = repo.xtrack(&["baseline", "b"]).ok();
    assert!(output.stderr.contains("instead of") && output.stderr.contains("(a)"), "{}", output.stderr);
    assert_eq!(baselines(&repo), [pair("-", "d"), pair("x", "b"), pair("y", "c")]);
    let table = repo.xtrack(&["baseline", "-e", "x"]).ok().stdout;
    assert!(table.contains(" b ") && !table.contains(" c "), "{table}");
    let output = repo.xtrack(&["baseline", "--remove"]);
    assert_eq!((output.code, output.stderr.contains("-e")), (2, true), "{}", output.stderr);
    repo.xtrack(&["baseline", "--remove", "-e", "x"]).ok();
    repo.xtrack(&["baseline", "--remove", "c"]).ok();
    assert_eq!(baselines(&repo), [pair("-", "d")]);
    assert_eq!(repo.xtrack(&["baseline", "--remove", "a"]).code, 4);
    repo.xtrack(&["rm", "a"]).ok();
    assert_eq!(repo.xtrack(&["baseline", "a"]).code, 1);
}

#[test]
fn the_later_word_of_two_people_counts() {
    let mut repo = Repo::new();
    for name in ["a", "b"] {
        repo.xtrack(&["record", "--name", name, "-e", "x"]).ok();
    }
    let mut colleague = repo.clone(&[]);
    colleague.git(&["fetch", "-q", "origin", "refs/runs/*:refs/runs/*"]);
    repo.set("XTRACK_TEST_NOW", "2026-03-01T10:00:00.000000Z");
    colleague.set("XTRACK_TEST_NOW", "2026-03-01T11:00:00.000000Z");
    repo.xtrack(&["baseline", "a"]).ok();
    colleague.xtrack(&["baseline", "b"]).ok();
    // Each edited another run: plain git brings both words together.
    repo.git(&["fetch", "-q", colleague.path().to_str().expect("text"), "refs/runs/*:refs/xtrack/theirs/*"]);
    for name in repo.refs("refs/xtrack/theirs") {
        let id = name.rsplit('/').next().expect("a name").to_owned();
        let (ours, theirs) = (format!("refs/runs/{id}"), format!("refs/xtrack/theirs/{id}"));
        if repo.try_git(&["merge-base", "--is-ancestor", &ours, &theirs]).code == 0 {
            repo.git(&["update-ref", &ours, &theirs]);
        }
    }
    assert_eq!(baselines(&repo), [pair("x", "b")]);
    // Naming it once more settles it, and takes the earlier word back.
    repo.set("XTRACK_TEST_NOW", "2026-03-01T12:00:00.000000Z");
    repo.xtrack(&["baseline", "a"]).ok();
    assert_eq!(baselines(&repo), [pair("x", "a")]);
    let tagged = repo.xtrack(&["log", "--where", "has tag baseline", "--oneline"]).ok().stdout;
    assert_eq!(tagged.lines().count(), 1, "{tagged}");
}
