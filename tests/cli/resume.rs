//! Several attempts of one run: resumed, beside each other, in several clones.
#![cfg(target_os = "linux")]

use serde_json::Value;

use crate::support::Repo;
use crate::support::live::*;

fn show(repo: &Repo, run: &str) -> Value {
    json(repo, &["show", run, "--json"])
}

/// Logs points with a journal written by hand: steps `first..last`, loss = value.
fn training(first: u32, last: u32, value: u32) -> String {
    format!(
        r#"f="$XTRACK_RUN_DIR/aaaaaaaaaaaaaaaa.jsonl"; printf '{{"n":0,"begin":{{"protocol":1}}}}\n' > "$f"; n=1
        s={first}; while [ $s -lt {last} ]; do
        printf '{{"n":%d,"t":%d,"step":%d,"points":{{"loss":{value}}}}}\n' $n $(date +%s) $s >> "$f"; n=$((n+1)); s=$((s+1)); done"#
    )
}

/// The steps and values of a metric.
fn points(repo: &Repo, run: &str, metric: &str) -> Vec<(i64, f64)> {
    let points = json(repo, &["show", run, "--series", metric, "--json"]);
    let pair = |point: &Value| (point[0].as_i64().unwrap(), point[2].as_f64().unwrap());
    points.as_array().unwrap().iter().map(pair).collect()
}

#[test]
fn a_chunk_goes_on_where_the_one_before_was_killed() {
    let repo = Repo::new();
    let first = format!("{}; kill -9 $$", training(0, 5, 9));
    assert_eq!(repo.xtrack(&["record", "--name", "job", "-p", "lr=1", "--", "sh", "-c", &first]).code, 137);
    let second = format!("{}; exit 3", training(3, 6, 8));
    assert_eq!(repo.xtrack(&["record", "--resume", "job", "-p", "lr=2", "--", "sh", "-c", &second]).code, 3);
    let third = training(5, 8, 7);
    let output = repo.xtrack(&["record", "--resume", "@", "--", "sh", "-c", &third]).ok();
    assert!(output.stderr.contains("recorded job ("), "{}", output.stderr);
    let run = show(&repo, "job");
    assert_eq!(
        (&run["status"], &run["name"], &run["params"]["lr"]),
        (&"finished".into(), &"job".into(), &2.into())
    );
    let after: Vec<usize> = run["attempts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|attempt| attempt["after"].as_array().unwrap().len())
        .collect();
    assert_eq!(after, [0, 1, 2]);
    let expected = [(0, 9.0), (1, 9.0), (2, 9.0), (3, 8.0), (4, 8.0), (5, 7.0), (6, 7.0), (7, 7.0)];
    assert_eq!(points(&repo, "job", "loss"), expected);
    assert_eq!(
        json(&repo, &["show", "job", "--series", "loss", "--all", "--json"]).as_array().unwrap().len(),
        11
    );
    let listed = json(&repo, &["log", "--json"]);
    assert_eq!(listed.as_array().or(listed["runs"].as_array()).unwrap().len(), 1, "{listed}");
    repo.xtrack(&["record", "--name", "other", "-p", "lr=3"]).ok();
    let diff = repo.xtrack(&["diff", "job", "other"]).ok().stdout;
    assert!(diff.contains("lr") && diff.contains('2') && diff.contains('3'), "{diff}");
    repo.assert_sound();
}

#[test]
fn shards_in_two_clones_become_one_run() {
    let origin = Repo::new();
    origin.commit("first");
    let clones = [origin.clone(&[]), origin.clone(&[])];
    for (clone, (first, value)) in clones.iter().zip([(0, 1), (10, 2)]) {
        let script = training(first, first + 3, value);
        clone.xtrack(&["record", "--run-key", "ci-7", "--name", "matrix", "--", "sh", "-c", &script]).ok();
    }
    let name = clones[0].refs("refs/runs")[0].clone();
    assert_eq!(clones[1].refs("refs/runs"), [name.as_str()]);
    let there = format!("file://{}", clones[1].path().display());
    clones[0].git(&["fetch", "-q", &there, &format!("{name}:refs/theirs")]);
    let tree =
        clones[0].git(&["merge-tree", "--write-tree", "--allow-unrelated-histories", &name, "refs/theirs"]);
    let commit = clones[0].git(&["commit-tree", "-p", &name, "-p", "refs/theirs", "-m", "merge", &tree]);
    clones[0].git(&["update-ref", &name, &commit]);
    let output = clones[0].xtrack(&["log"]);
    assert_eq!((output.stderr.as_str(), output.stdout.contains("matrix")), ("", true), "{}", output.stdout);
    let run = show(&clones[0], "matrix");
    assert_eq!((&run["status"], run["attempts"].as_array().unwrap().len()), (&"finished".into(), 2));
    let expected = [(0, 1.0), (1, 1.0), (2, 1.0), (10, 2.0), (11, 2.0), (12, 2.0)];
    let mut found = points(&clones[0], "matrix", "loss");
    found.sort_by_key(|(step, _)| *step);
    assert_eq!(found, expected);
    // A later chunk knows of both, by the run's name as well as by its key.
    let script = training(2, 12, 5);
    clones[0].xtrack(&["record", "--resume", "matrix", "--", "sh", "-c", &script]).ok();
    assert_eq!(show(&clones[0], "matrix")["attempts"][2]["after"].as_array().unwrap().len(), 2);
    clones[0].xtrack(&["record", "--run-key", "ci-7", "--", "true"]).ok();
    assert_eq!(show(&clones[0], "matrix")["attempts"][3]["after"].as_array().unwrap().len(), 3);
    clones[0].git(&["update-ref", "-d", "refs/theirs"]);
    clones[0].assert_sound();
}

#[test]
fn a_run_that_was_left_on_another_host_is_gone_on_with() {
    let repo = Repo::new();
    let folder = begin_dead(&repo, &["--name", "job"]);
    replace(&folder, "host = ", "\"node7\"");
    replace(&folder, "boot = ", "\"00000000-0000-0000-0000-000000000000\"");
    replace(&folder, "machine = ", "\"0000000000000000\"");
    journal(&folder, "w", &lines("{}", 3, None));
    repo.xtrack(&["record", "--resume", "job", "--", "sh", "-c", &training(2, 4, 0)]).ok();
    let run = show(&repo, "job");
    assert_eq!(run["attempts"].as_array().unwrap().len(), 2, "{run}");
    assert_eq!(points(&repo, "job", "loss"), [(0, 3.5), (1, 2.5), (2, 0.0), (3, 0.0)]);
    // The first comes back and says how it ended.
    age(&folder, 3600);
    repo.xtrack(&["recover", "--force"]).ok();
    let run = show(&repo, "job");
    assert_eq!((&run["attempts"][0]["status"], &run["status"]), (&"crashed".into(), &"finished".into()));
    repo.assert_sound();
}

#[test]
fn a_run_in_progress_shows_its_points() {
    let repo = Repo::new();
    let owner = Sleeper::new();
    let folder = begin(&repo, &owner, &["--name", "a"]);
    journal(&folder, "w", &lines("{}", 3, None));
    assert_eq!(repo.refs("refs/runs"), Vec::<String>::new());
    assert_eq!(points(&repo, "a", "loss"), [(0, 3.5), (1, 2.5), (2, 1.5)]);
    let missing = repo.xtrack(&["show", "a", "--series", "lss"]);
    assert_eq!(missing.code, 2);
    assert!(missing.stderr.contains("did you mean 'loss'?"), "{}", missing.stderr);
    // Another attempt beside it, while the first still logs.
    repo.xtrack(&["record", "--resume", "a", "--", "sh", "-c", &training(2, 4, 0)]).ok();
    journal(&folder, "w", &lines("{}", 3, None));
    let output = repo.xtrack(&["show", "a", "--series", "loss"]).ok();
    assert_eq!(output.stderr, "");
    assert_eq!(points(&repo, "a", "loss"), [(0, 3.5), (1, 2.5), (2, 0.0), (3, 0.0)]);
    assert_eq!(show(&repo, "a")["attempts"].as_array().unwrap().len(), 2);
    repo.xtrack(&["finish", "a"]).ok();
    assert_eq!(points(&repo, "a", "loss"), [(0, 3.5), (1, 2.5), (2, 0.0), (3, 0.0)]);
    repo.assert_sound();
}

#[test]
fn a_record_within_a_record_is_a_run_of_its_own() {
    let mut repo = Repo::new();
    put_on_path(&mut repo);
    repo.set("XTRACK_RUN_KEY", "job-7");
    repo.set("XTRACK_NOTES", "from the job script");
    let script = "git xtrack record --name inner -- true && git xtrack record --name second -m x=1";
    repo.xtrack(&["record", "--name", "outer", "--", "sh", "-c", script]).ok();
    assert_eq!(repo.refs("refs/runs").len(), 3);
    assert_eq!(show(&repo, "outer")["notes"][0]["text"], "from the job script");
    assert_eq!(show(&repo, "inner")["notes"], serde_json::json!([]));
    // Who names the run that is meant means it, whatever the job is called.
    repo.xtrack(&["record", "--resume", "inner", "--", "true"]).ok();
    assert_eq!(show(&repo, "inner")["attempts"].as_array().map(Vec::len), Some(2));
}

#[test]
fn who_resumes_a_run_that_goes_on_runs_beside_it() {
    let mut repo = Repo::new();
    put_on_path(&mut repo);
    let inner = "git xtrack record --resume a -m again=1 -- echo two 2>said";
    repo.xtrack(&["record", "--name", "a", "--", "sh", "-c", inner]).ok();
    assert!(
        repo.read("said").contains("is still in progress: this attempt runs beside it"),
        "{}",
        repo.read("said")
    );
    let run = show(&repo, "a");
    assert_eq!(run["attempts"].as_array().map(Vec::len), Some(2));
    assert_eq!((&run["status"], &run["metrics"]["again"]["last"]), (&"finished".into(), &1.into()));
    assert_eq!(repo.refs("refs/runs").len(), 1);
    repo.assert_sound();
}
