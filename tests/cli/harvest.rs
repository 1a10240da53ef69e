//! `record --harvest`: an unchanged script is tracked.

use crate::support::repo::{Output, Repo};

/// Writes a Keras log, a row an epoch.
const SCRIPT: &str = "printf 'epoch,loss,acc\\n0,1.0,0.1\\n1,0.5,nan\\n2,0.25,0.9\\n' > log.csv";

fn record(repo: &Repo, options: &[&str], script: &str) -> Output {
    let mut arguments = vec!["record", "--no-system"];
    arguments.extend(options);
    arguments.extend(["--", "sh", "-c", script]);
    repo.xtrack(&arguments)
}

fn committed() -> Repo {
    let repo = Repo::new();
    repo.git(&["commit", "-q", "--allow-empty", "-m", "begin"]);
    repo
}

#[test]
fn the_rows_of_a_log_become_the_runs_series() {
    let repo = committed();
    let output = record(&repo, &["--harvest", "keras"], SCRIPT).ok();
    assert!(!output.stderr.contains("hint:"), "{}", output.stderr);
    let series = repo.xtrack(&["show", "@", "--series", "loss", "--json"]).ok().stdout;
    assert_eq!(series.split_whitespace().collect::<String>(), "[[0,null,1.0],[1,null,0.5],[2,null,0.25]]");
    let shown = repo.xtrack(&["show", "@"]).ok().stdout;
    assert!(shown.contains("acc") && shown.contains("0.9"), "{shown}");
}

#[test]
fn the_settings_ask_for_it_too() {
    let repo = committed();
    std::fs::write(repo.path().join("xtrack.toml"), "[record]\nharvest = [\"dvclive\", \"out/*.csv\"]\n")
        .unwrap();
    let output = record(&repo, &[], &format!("mkdir out && cd out && {SCRIPT}")).ok();
    assert!(!output.stderr.contains("dvclive"), "a setting finds nothing in silence: {}", output.stderr);
    let series = repo.xtrack(&["show", "@", "--series", "loss", "--json"]).ok().stdout;
    assert_eq!(series.split_whitespace().collect::<String>(), "[[0,null,1.0],[1,null,0.5],[2,null,0.25]]");
}

#[test]
fn what_nobody_asked_for_is_hinted_at() {
    let repo = committed();
    let output = record(&repo, &[], SCRIPT).ok();
    let hint = "hint: the command wrote a Keras CSV log in 'log.csv': `--harvest keras`, or `harvest = [\"keras\"]` under [record] in xtrack.toml, makes that the run's series";
    assert_eq!(output.stderr.lines().filter(|line| line.starts_with("hint:")).collect::<Vec<_>>(), [hint]);
    let shown = repo.xtrack(&["show", "@", "--json"]).ok().stdout;
    assert!(!shown.contains("\"loss\""), "{shown}");
}

#[test]
fn what_is_asked_for_and_missing_or_damaged_is_said_and_costs_nothing() {
    let repo = committed();
    let torn = format!("{SCRIPT}; printf '3,0.1' >> log.csv");
    let output = record(&repo, &["--harvest", "all", "--harvest", "tensorboard"], &torn).ok();
    assert!(
        output.stderr.contains("cannot harvest 'tensorboard': the command wrote none"),
        "{}",
        output.stderr
    );
    assert!(
        output.stderr.contains("'log.csv': it ends in the middle of a row: the last 5 bytes"),
        "{}",
        output.stderr
    );
    let series = repo.xtrack(&["show", "@", "--series", "loss", "--json"]).ok().stdout;
    assert_eq!(series.matches("null").count(), 3, "{series}");
}

#[test]
fn a_misspelt_kind_is_refused_before_the_command_starts() {
    let repo = committed();
    let output = record(&repo, &["--harvest", "tensorbord"], "touch started");
    assert_eq!(output.code, 2, "{}", output.stderr);
    assert!(output.stderr.contains("error: there is no kind 'tensorbord' to harvest"), "{}", output.stderr);
    assert!(output.stderr.contains("hint: did you mean 'tensorboard'?"), "{}", output.stderr);
    assert!(!repo.path().join("started").exists());
}
