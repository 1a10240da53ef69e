//! `git xtrack leaderboard` and `experiments`.

use crate::support::repo::Repo;

/// Three runs of one experiment and one of another, two of them equally good.
fn repo() -> Repo {
    let repo = Repo::new();
    repo.write(
        "xtrack.toml",
        "primary = 'accuracy'\n[experiments]\ndigits = 'small images'\n[metric.accuracy]\ngoal = 'max'\n",
    );
    for (name, experiment, accuracy, rate) in [
        ("a", "digits", "0.9", "0.1"),
        ("b", "digits", "0.8", "0.2"),
        ("c", "digits", "0.9", "0.3"),
        ("d", "letters", "0.7", "0.1"),
    ] {
        let given = [format!("accuracy={accuracy}"), format!("lr={rate}")];
        repo.xtrack(&["record", "--name", name, "-e", experiment, "-m", &given[0], "-p", &given[1]]).ok();
    }
    repo.xtrack(&["record", "--name", "none", "-e", "digits"]).ok();
    repo
}

fn json(repo: &Repo, arguments: &[&str]) -> serde_json::Value {
    let output = repo.xtrack(&[arguments, &["--json"]].concat()).ok();
    serde_json::from_str(&output.stdout).expect("JSON")
}

fn ranks(board: &serde_json::Value) -> Vec<(u64, String)> {
    let entry = |entry: &serde_json::Value| {
        (entry["rank"].as_u64().expect("a rank"), entry["run"]["name"].as_str().expect("a name").to_owned())
    };
    let mut ranks: Vec<(u64, String)> = board.as_array().expect("an array").iter().map(entry).collect();
    // Equals come in the order of their ids, which are drawn at random.
    ranks.sort();
    ranks
}

#[test]
fn the_best_are_ranked_and_ties_share_a_rank() {
    let repo = repo();
    let wanted = [(1, "a"), (1, "c"), (3, "b"), (4, "d")].map(|(rank, name)| (rank, name.to_owned()));
    assert_eq!(ranks(&json(&repo, &["leaderboard"])), wanted);
    assert_eq!(ranks(&json(&repo, &["leaderboard", "digits", "-n", "2"])), wanted[..2]);
    assert_eq!(ranks(&json(&repo, &["leaderboard", "--where", "lr > 0.15", "-n", "0"])).len(), 2);
    let head = repo.xtrack(&["leaderboard", "digits"]).ok().stdout;
    let head: Vec<&str> = head.lines().next().expect("a head").split_whitespace().collect();
    assert_eq!(head, ["rank", "id", "name", "accuracy", "↑", "user", "age", "lr"]);
    let csv = repo.xtrack(&["leaderboard", "--csv"]).ok().stdout;
    assert!(csv.starts_with("rank,id,name,metrics.accuracy,user,started"), "{csv}");
    let output = repo.xtrack(&["leaderboard", "nothing"]).ok();
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("", "no runs match\n"));
}

#[test]
fn another_metric_ranks_once_it_is_known_what_is_better() {
    let repo = repo();
    repo.xtrack(&["record", "--name", "e", "-m", "loss=0.5"]).ok();
    let output = repo.xtrack(&["leaderboard", "--metric", "loss"]);
    assert_eq!(
        (output.code, output.stderr.contains("xtrack.metric.loss.goal")),
        (2, true),
        "{}",
        output.stderr
    );
    repo.git(&["config", "xtrack.metric.loss.goal", "min"]);
    assert_eq!(ranks(&json(&repo, &["leaderboard", "--metric", "loss"])), [(1, "e".to_owned())]);
    let output = repo.xtrack(&["leaderboard", "--metric", "los"]);
    assert_eq!((output.code, output.stderr.contains("did you mean 'loss'?")), (2, true), "{}", output.stderr);
}

#[test]
fn experiments_tell_their_best_and_latest() {
    let repo = repo();
    repo.xtrack(&["baseline", "b"]).ok();
    let found = json(&repo, &["experiments"]);
    let digits = &found.as_array().expect("an array").iter().find(|one| one["name"] == "digits").expect("it");
    assert_eq!(digits["description"], "small images");
    assert_eq!((&digits["count"], &digits["counts"]["finished"]), (&4.into(), &4.into()));
    assert_eq!(digits["best"]["value"], 0.9);
    assert_eq!((&digits["latest"]["name"], &digits["baseline"]["name"]), (&"none".into(), &"b".into()));
    let table = repo.xtrack(&["experiments"]).ok().stdout;
    assert!(table.contains("small images") && table.contains("letters"), "{table}");
    assert_eq!(
        json(&repo, &["experiments", "--where", "experiment = letters"]).as_array().map(Vec::len),
        Some(1)
    );
    let output = Repo::new().xtrack(&["experiments"]).ok();
    assert!(output.stderr.contains("no experiments yet"), "{}", output.stderr);
}
