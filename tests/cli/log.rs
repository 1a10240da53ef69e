//! `git xtrack log`.

use crate::support::repo::{Repo, run};

fn record(repo: &Repo, arguments: &[&str]) -> String {
    let output = repo.xtrack(&[&["record"], arguments].concat());
    assert_eq!(output.code, 0, "{}", output.stderr);
    output.stdout.trim().to_owned()
}

fn names(repo: &Repo, arguments: &[&str]) -> Vec<String> {
    let output = repo.xtrack(&[&["log", "--json"], arguments].concat());
    assert_eq!(output.code, 0, "{}", output.stderr);
    let runs: serde_json::Value = serde_json::from_str(&output.stdout).expect("JSON");
    let name = |run: &serde_json::Value| run["name"].as_str().expect("a name").to_owned();
    runs.as_array().expect("an array").iter().map(name).collect()
}

#[test]
fn an_empty_repository_says_how_to_begin() {
    let output = Repo::new().xtrack::<&str>(&[]);
    assert_eq!((output.code, output.stdout.as_str()), (0, ""));
    assert!(output.stderr.contains("git xtrack record -- "), "{}", output.stderr);
    assert_eq!(Repo::new().xtrack(&["log", "--json"]).stdout, "[]\n");
}

#[test]
fn no_repository_is_said_with_what_to_do() {
    let repo = Repo::new();
    let elsewhere = tempfile::tempdir().expect("a folder");
    let output = repo.xtrack(&["-C", elsewhere.path().to_str().expect("text"), "log"]);
    assert_eq!(output.code, 3, "{}", output.stderr);
    for word in ["git init", "-C", "GIT_DIR"] {
        assert!(output.stderr.contains(word), "{word}: {}", output.stderr);
    }
}

#[test]
fn the_newest_is_first_and_fields_sort() {
    let repo = Repo::new();
    for (name, accuracy) in [("one", "0.5"), ("two", "0.9"), ("three", "0.7")] {
        record(&repo, &["--name", name, "-m", &format!("accuracy={accuracy}"), "-p", "lr=0.1"]);
    }
    record(&repo, &["--name", "none"]);
    assert_eq!(names(&repo, &[]), ["none", "three", "two", "one"]);
    assert_eq!(names(&repo, &["--sort", "-accuracy"]), ["two", "three", "one", "none"]);
    assert_eq!(names(&repo, &["--sort", "accuracy"]), ["one", "three", "two", "none"]);
    assert_eq!(names(&repo, &["--sort", "-metrics.accuracy", "-n", "1"]), ["two"]);
    let output = repo.xtrack(&["log", "--sort", "acuracy"]);
    assert_eq!(output.code, 2);
    assert!(output.stderr.contains("accuracy"), "{}", output.stderr);
    // What single series say is in no order; nobody is told one that is none.
    for arguments in [
        ["log", "--sort", "-accuracy.first"],
        ["leaderboard", "-m", "accuracy.mean"],
        ["log", "--best=accuracy.first", "-n1"],
    ] {
        let output = repo.xtrack(&arguments);
        assert_eq!(output.code, 2, "{arguments:?} {}", output.stdout);
        assert!(output.stderr.contains("accuracy.min"), "{}", output.stderr);
    }
}

#[test]
fn a_range_finds_runs_after_amend_and_rebase() {
    let repo = Repo::new();
    repo.write("train.py", "print(1)\n");
    repo.commit("base");
    repo.git(&["branch", "-q", "base"]);
    repo.git(&["checkout", "-q", "-b", "topic"]);
    repo.write("train.py", "print(2)\n");
    repo.commit("topic");
    record(&repo, &["--name", "on-topic"]);
    assert_eq!(names(&repo, &["base..HEAD"]), ["on-topic"]);
    assert_eq!(names(&repo, &["--", "train.py"]), ["on-topic"]);
    assert_eq!(names(&repo, &["--", "other.py"]), Vec::<String>::new());
    // Paths are meant from where one is, as by git.
    repo.write("sub/x", "");
    let from_sub = |path: &str| {
        let mut command = repo.command(env!("CARGO_BIN_EXE_git-xtrack"));
        command.args(["log", "--oneline", "--", path]).current_dir(repo.path().join("sub"));
        run(&mut command).ok().stdout.lines().count()
    };
    assert_eq!((from_sub("../train.py"), from_sub("train.py")), (1, 0));
    // Rebased onto other work: the commit and the tree are new, the patch is the same.
    repo.git(&["checkout", "-q", "base"]);
    repo.write("README", "more\n");
    repo.commit("more");
    repo.git(&["checkout", "-q", "topic"]);
    repo.git(&["rebase", "-q", "base"]);
    assert_eq!(names(&repo, &["base..topic"]), ["on-topic"]);
    let output = repo.xtrack(&["log", "base..topic"]);
    assert!(output.stdout.contains("rebased"), "{}", output.stdout);
    assert_eq!(names(&repo, &["base..base"]), Vec::<String>::new());
    assert_ne!(repo.xtrack(&["log", "no-such..HEAD"]).code, 0);
}

#[test]
fn experiments_and_people_narrow() {
    let repo = Repo::new();
    record(&repo, &["--name", "a", "--experiment", "x"]);
    record(&repo, &["--name", "b", "--experiment", "y"]);
    assert_eq!(names(&repo, &["--experiment", "x"]), ["a"]);
    assert_eq!(names(&repo, &["--mine"]), ["b", "a"]);
    repo.git(&["config", "user.email", "canada@example.com"]);
    record(&repo, &["--name", "c"]);
    repo.git(&["config", "user.email", "ada@example.com"]);
    assert_eq!(names(&repo, &["--mine"]), ["b", "a"]);
    assert_eq!(names(&repo, &["--user", "nobody-at-all"]), Vec::<String>::new());
}

#[test]
fn csv_is_safe_to_open_and_markdown_keeps_its_table() {
    let repo = Repo::new();
    record(&repo, &["--name", "=1+1", "-t", "a|b"]);
    let csv = repo.xtrack(&["log", "--csv"]).stdout;
    assert!(!csv.contains(",=1+1"), "{csv}");
    assert!(csv.contains("'=1+1"), "{csv}");
    let markdown = repo.xtrack(&["log", "--md"]).stdout;
    assert!(markdown.contains("a\\|b"), "{markdown}");
}

#[test]
fn control_characters_are_never_printed() {
    let repo = Repo::new();
    record(&repo, &["--name", "a", "-p", "x=\u{1b}[31mred\u{202e}", "-p", "y=1"]);
    record(&repo, &["--name", "b", "-p", "x=plain", "-p", "y=1"]);
    for arguments in [&["log"][..], &["show", "a"], &["diff", "a", "b"], &["log", "--md"], &["log", "--csv"]]
    {
        let output = repo.xtrack(arguments).stdout;
        assert!(!output.contains('\u{1b}') && !output.contains('\u{202e}'), "{arguments:?}: {output:?}");
    }
}

#[test]
fn a_damaged_run_is_named_and_the_others_shown() {
    let repo = Repo::new();
    record(&repo, &["--name", "good"]);
    let blob = repo.git_stdin(&["hash-object", "-w", "--stdin"], "not a run");
    let tree = repo.git_stdin(&["mktree"], &format!("100644 blob {}\trun.toml\n", blob.trim()));
    let commit = repo.git(&["commit-tree", "-m", "forged", tree.trim()]);
    repo.git(&["update-ref", "refs/runs/20260101-000000-abcdefgh", commit.trim()]);
    repo.git(&["update-ref", "refs/runs/not-an-id", commit.trim()]);
    let output = repo.xtrack(&["log", "--json"]);
    assert_eq!(output.code, 0);
    assert!(output.stderr.contains("20260101-000000-abcdefgh"), "{}", output.stderr);
    assert_eq!(names(&repo, &[]), ["good"]);
}

/// Four runs of two rates and two seeds, and one that measured nothing.
fn sweep() -> Repo {
    let repo = Repo::new();
    for (name, rate, seed, accuracy) in [
        ("a", "0.1", "1", "0.90"),
        ("b", "0.1", "2", "0.94"),
        ("c", "0.01", "1", "0.70"),
        ("d", "0.01", "2", "0.80"),
    ] {
        let given = [format!("lr={rate}"), format!("seed={seed}"), format!("accuracy={accuracy}")];
        record(&repo, &["--name", name, "-e", "digits", "-p", &given[0], "-p", &given[1], "-m", &given[2]]);
    }
    record(&repo, &["--name", "none"]);
    repo
}

#[test]
fn questions_orders_and_counts_go_together() {
    let repo = sweep();
    assert_eq!(names(&repo, &["--where", "lr = 0.1"]), ["b", "a"]);
    assert_eq!(names(&repo, &["--where", "accuracy > 0.75", "--sort", "lr,-accuracy"]), ["d", "b", "a"]);
    assert_eq!(names(&repo, &["--sort", "-params.lr", "--sort", "accuracy", "-n", "2"]), ["a", "b"]);
    assert_eq!(names(&repo, &["--where", "tags.none = 'x'"]), Vec::<String>::new());
    let output = repo.xtrack(&["log", "--where", "acuracy > 1"]);
    assert_eq!(output.code, 2);
    assert!(output.stderr.contains("accuracy"), "{}", output.stderr);
    let output = repo.xtrack(&["log", "--where", "accuracy > 2"]).ok();
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("", "no runs match\n"));
}

#[test]
fn columns_are_those_that_were_asked_for() {
    let repo = sweep();
    let head = |arguments: &[&str]| {
        let output = repo.xtrack(&[&["log"], arguments].concat()).ok();
        output.stdout.lines().next().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(head(&["--columns", "name,metrics.*,params.lr"]), "name accuracy lr");
    assert_eq!(head(&["--columns", "id", "--columns", "started,user"]), "id started user");
    assert_eq!(head(&["--columns", "name,params.*", "--csv"]), "name,params.lr,params.seed");
    let output = repo.xtrack(&["log", "--columns", "nothing"]);
    assert_eq!(output.code, 2, "{}", output.stdout);
    let output = repo.xtrack(&["log", "--columns", "name,metrics.x*"]).ok();
    assert_eq!(output.stderr, "no run here has 'metrics.x*'\n");
}

#[test]
fn the_course_of_a_metric_is_a_column() {
    let repo = Repo::new();
    repo.write("train.py", "import xtrack\nfor n in range(8):\n    xtrack.log({'loss': 8 - n}, step=n)\n");
    let output = repo.xtrack(&["record", "--name", "a", "--", "python3", "train.py"]);
    if output.code == 127 {
        assert!(std::env::var_os("XTRACK_FORBID_SKIPS").is_none(), "python3 is wanted");
        return eprintln!("skipped: no python3 is here");
    }
    output.ok();
    let output = repo.xtrack(&["log", "--columns", "name,spark(loss),loss at 2,loss.first"]).ok();
    insta::assert_snapshot!(output.stdout, @"
    name  spark(loss)  loss at 2  loss.first
    a     █▇▆▅▄▃▂▁             6           8
    ");
}

#[test]
fn seeds_are_grouped() {
    let repo = sweep();
    let output = repo.xtrack(&["log", "--group-by", "lr", "--where", "has accuracy", "--csv"]).ok();
    insta::assert_snapshot!(output.stdout.replace('\r', "").lines().map(|line| line.split(",2026").next().unwrap()).collect::<Vec<_>>().join("\n"), @"
    params.lr,runs,metrics.accuracy.count,metrics.accuracy.nonfinite,metrics.accuracy.mean,metrics.accuracy.std,metrics.accuracy.min,metrics.accuracy.max,metrics.accuracy.best,metrics.accuracy.best_run
    0.01,2,2,0,0.75,0.07071067811865482,0.7,0.8,,
    0.1,2,2,0,0.9199999999999999,0.02828427124746185,0.9,0.94,,
    ");
    let output = repo.xtrack(&["log", "--group-by", "lr", "--sort", "-accuracy", "-n", "1", "--json"]).ok();
    let groups: serde_json::Value = serde_json::from_str(&output.stdout).expect("JSON");
    assert_eq!(groups.as_array().map(Vec::len), Some(1));
    assert_eq!((&groups[0]["by"]["params.lr"], &groups[0]["count"]), (&0.1.into(), &2.into()));
    assert_eq!(groups[0]["metrics"]["accuracy"]["max"], 0.94);
    assert_eq!(groups[0]["metrics"]["accuracy"]["best"], serde_json::Value::Null);
    let output = repo.xtrack(&["log", "--group-by", "experiment", "--ndjson"]).ok();
    assert_eq!(output.stdout.lines().count(), 2, "{}", output.stdout);
}

#[test]
fn a_view_stands_for_options_and_gives_way_to_them() {
    let repo = sweep();
    repo.write(
        "xtrack.toml",
        "[view.good]\nwhere = 'accuracy > 0.75'\nsort = '-accuracy'\ncolumns = ['name', 'metrics.*']\ncount = 2\n",
    );
    assert_eq!(names(&repo, &["--view", "good"]), ["b", "a"]);
    assert_eq!(names(&repo, &["--view", "good", "-n", "9", "--sort", "accuracy"]), ["d", "a", "b"]);
    assert_eq!(names(&repo, &["--view", "good", "--where", "lr = 0.01"]), ["d", "c"]);
    let output = repo.xtrack(&["log", "--view", "good"]).ok();
    assert_eq!(output.stdout, "name  accuracy\nb         0.94\na         0.9\n");
    let output = repo.xtrack(&["log", "--view", "god"]);
    assert_eq!((output.code, output.stderr.contains("did you mean 'good'?")), (2, true), "{}", output.stderr);
}

#[test]
fn the_best_needs_to_know_what_is_better() {
    let repo = sweep();
    let output = repo.xtrack(&["log", "--best"]);
    assert_eq!((output.code, output.stderr.contains("xtrack.primary")), (2, true), "{}", output.stderr);
    repo.git(&["config", "xtrack.primary", "accuracy"]);
    let output = repo.xtrack(&["log", "--best"]);
    assert_eq!((output.code, output.stderr.contains("metric.accuracy.goal")), (2, true), "{}", output.stderr);
    repo.git(&["config", "xtrack.metric.accuracy.goal", "max"]);
    assert_eq!(names(&repo, &["--best"]), ["b", "a", "d", "c"]);
    assert_eq!(names(&repo, &["--best", "-n", "1"]), ["b"]);
    assert_eq!(names(&repo, &["--best=accuracy", "-n", "1", "--where", "lr = 0.01"]), ["d"]);
    let output = repo.xtrack(&["log", "--best=acuracy"]);
    assert_eq!(
        (output.code, output.stderr.contains("did you mean 'accuracy'?")),
        (2, true),
        "{}",
        output.stderr
    );
}

#[test]
fn differences_are_those_to_the_run_or_the_baseline() {
    let repo = sweep();
    let output = repo.xtrack(&["log", "--against", "baseline"]);
    assert_eq!(
        (output.code, output.stderr.contains("git xtrack baseline RUN")),
        (2, true),
        "{}",
        output.stderr
    );
    let output = repo.xtrack(&["log", "--against", "a", "--columns", "name,accuracy,lr,seed"]).ok();
    insta::assert_snapshot!(output.stdout.lines().take(6).collect::<Vec<_>>().join("\n"), @"
    name               accuracy      lr  seed
    none                         *          *
    d              0.8 (-0.1)    0.01 *   2 *
    c              0.7 (-0.2)    0.01 *     1
    b              0.94 (+0.04)  0.1      2 *
    a (reference)  0.9           0.1        1
    ");
    repo.xtrack(&["baseline", "c"]).ok();
    let output = repo.xtrack(&["log", "--against", "baseline", "--json"]).ok();
    let runs: serde_json::Value = serde_json::from_str(&output.stdout).expect("JSON");
    let against = |name: &str| {
        runs.as_array().expect("an array").iter().find(|run| run["name"] == name).expect("the run")["against"]
            .clone()
    };
    assert_eq!(against("none"), serde_json::Value::Null);
    assert_eq!(against("d")["params"], serde_json::json!(["seed"]));
    assert_eq!(against("d")["name"], "c");
    let csv = repo.xtrack(&["log", "--against", "c", "--columns", "name,accuracy", "--csv"]).ok().stdout;
    assert!(csv.starts_with("name,metrics.accuracy,metrics.accuracy.difference"), "{csv}");
}

#[test]
fn pins_stay_on_top_of_what_people_read() {
    let repo = sweep();
    repo.xtrack(&["tag", "a", "+pin"]).ok();
    let shown = |arguments: &[&str]| -> Vec<String> {
        let output = repo.xtrack(&[&["log", "--oneline"], arguments].concat()).ok();
        let name = |line: &str| line.split(' ').nth(1).unwrap_or_default().to_owned();
        output.stdout.lines().map(name).collect()
    };
    assert_eq!(shown(&[]), ["a", "none", "d", "c", "b"]);
    assert_eq!(shown(&["-n", "1"]), ["a", "none"]);
    assert_eq!(shown(&["--where", "lr = 0.01", "-n", "1"]), ["d"]);
    assert!(repo.xtrack(&["log"]).stdout.contains("a (pinned)"));
    assert_eq!(names(&repo, &["-n", "1"]), ["none"]);
    repo.xtrack(&["tag", "a", "-pin"]).ok();
    assert_eq!(shown(&["-n", "1"]), ["none"]);
}

#[test]
fn runs_that_did_the_same_are_found() {
    let repo = Repo::new();
    repo.write("train.sh", "true\n");
    repo.commit("code");
    assert_eq!(repo.xtrack(&["log", "--duplicates"]).ok().stderr, "no two runs did the same\n");
    for name in ["a", "b"] {
        repo.xtrack(&["record", "--name", name, "-p", "lr=0.1", "--", "sh", "train.sh"]).ok();
    }
    repo.xtrack(&["record", "--name", "c", "-p", "lr=0.2", "--", "sh", "train.sh"]).ok();
    let output = repo.xtrack(&["log", "--duplicates", "--json"]).ok();
    let groups: serde_json::Value = serde_json::from_str(&output.stdout).expect("JSON");
    assert_eq!(groups.as_array().map(Vec::len), Some(1), "{}", output.stdout);
    assert_eq!((&groups[0]["count"], &groups[0]["runs"][0]["name"]), (&2.into(), &"a".into()));
    let table = repo.xtrack(&["log", "--duplicates"]).ok().stdout;
    assert!(table.starts_with("2 runs of the same code"), "{table}");
    assert_eq!(repo.xtrack(&["log", "--duplicates", "--where", "name = 'a'"]).ok().stdout, "");
}
