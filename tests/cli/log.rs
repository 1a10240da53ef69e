//! `git xtrack log`.

use crate::support::repo::Repo;

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
