//! `git xtrack show RUN --series METRIC`.

use std::path::Path;

use indexmap::IndexMap;
use xtrack::artifact::Artifacts;
use xtrack::run::attempt::{ArtifactTotal, Facts, Number, Status, Summary};
use xtrack::run::id::{AttemptId, RunId, Time, sha256};
use xtrack::run::pointer::{self, Pointer};
use xtrack::run::record::{Files, RUN};
use xtrack::run::text;
use xtrack::series::{Point, Writer, whole};
use xtrack::store::{RunWrite, Store};

use crate::support::repo::Repo;

const ID: &str = "20260101-100000-q7d3k9ma";
const AT: Time = Time(1_767_261_600_000_000);

/// A run that is committed as a recorder would.
struct Recorded {
    files: Files,
    attempts: Vec<AttemptId>,
}

impl Recorded {
    fn new() -> Self {
        Self { files: Files::new(), attempts: Vec::new() }
    }

    fn facts(&self, attempt: &str) -> Facts {
        let mut facts = Facts::new(RunId::parse(ID).unwrap(), AttemptId::parse(attempt).unwrap(), AT);
        facts.started = Some(Time(AT.0 + 3_600_000_000 * self.attempts.len() as i64));
        facts.status = Status::Finished;
        facts.ended = facts.started;
        facts.name = Some("quiet-otter".into());
        facts.after = self.attempts.clone();
        facts
    }

    /// Adds an attempt that knew of those before it.
    fn attempt(&mut self, facts: Facts) {
        let id = facts.attempt.clone().unwrap();
        let path = if self.attempts.is_empty() { RUN.to_owned() } else { format!("attempts/{id}.toml") };
        self.files.insert(path, text::write(&facts.to_table()).into_bytes());
        self.attempts.push(id);
    }

    fn log(&mut self, attempt: &str, writer: u64, rows: &[(f64, &[(&str, f64)])]) {
        let mut tables = Writer::new();
        for (step, values) in rows {
            let values: IndexMap<String, Number> =
                values.iter().map(|(name, value)| ((*name).to_owned(), Number::Float(*value))).collect();
            let time = Some(Number::Float(1_767_261_600.5 + step));
            tables.log(Some(Number::Int(*step as i128)), time, &values);
        }
        self.files.extend(tables.files(attempt, writer));
    }

    fn commit(&self, repo: &Repo) {
        let id = RunId::parse(ID).unwrap();
        let write = RunWrite { id: &id, expected: None, files: &self.files, message: "finished", at: AT };
        Store::open(repo.path()).unwrap().write_run(&write).unwrap();
    }
}

/// A run that was resumed from step 2, with two writers in the first attempt.
fn resumed(repo: &Repo) {
    let mut run = Recorded::new();
    let mut facts = run.facts("k7f3q2ab");
    facts.metrics.insert("loss".into(), Summary::at(Number::Float(0.5), Some(Number::Int(3))));
    facts.metrics.insert("test/accuracy".into(), Summary::plain(Number::Float(0.9)));
    run.attempt(facts);
    run.attempt(run.facts("p0x8w4ze"));
    let rows: [(f64, &[(&str, f64)]); 4] = [
        (0.0, &[("loss", 0.9), ("lr", 0.1)]),
        (1.0, &[("loss", 0.8), ("lr", 0.1)]),
        (2.0, &[("loss", f64::NAN), ("lr", 0.1)]),
        (3.0, &[("loss", 0.7), ("lr", 0.1)]),
    ];
    run.log("k7f3q2ab", 0, &rows);
    run.log("k7f3q2ab", 1, &[(0.0, &[("loss", 7.0)])]);
    run.log("p0x8w4ze", 0, &[(2.0, &[("loss", 0.6)]), (3.0, &[("loss", f64::INFINITY)])]);
    run.commit(repo);
}

fn show(repo: &Repo, arguments: &[&str]) -> String {
    let output = repo.xtrack(&[&["show", "quiet-otter", "--series"], arguments].concat()).ok();
    assert_eq!(output.stderr, "");
    output.stdout
}

#[test]
fn a_resumed_run_is_one_curve_and_all_of_it_is_there_for_the_asking() {
    let repo = Repo::new();
    resumed(&repo);
    insta::assert_snapshot!(show(&repo, &["loss"]), @r"
    step                     time  value
       0  2026-01-01 10:00:00.500    0.9
       1  2026-01-01 10:00:01.500    0.8
       2  2026-01-01 10:00:02.500    0.6
       3  2026-01-01 10:00:03.500    inf
    ");
    insta::assert_snapshot!(show(&repo, &["loss", "--json"]), @r#"
    [
     [0, 1767261600.5, 0.9],
     [1, 1767261601.5, 0.8],
     [2, 1767261602.5, 0.6],
     [3, 1767261603.5, "Infinity"]
    ]
    "#);
    insta::assert_snapshot!(show(&repo, &["loss", "--csv", "--all"]), @r"
    attempt,writer,step,time,value
    k7f3q2ab,0,0,1767261600.5,0.9
    k7f3q2ab,1,0,1767261600.5,7.0
    k7f3q2ab,0,1,1767261601.5,0.8
    k7f3q2ab,0,2,1767261602.5,nan
    k7f3q2ab,0,3,1767261603.5,0.7
    p0x8w4ze,0,2,1767261602.5,0.6
    p0x8w4ze,0,3,1767261603.5,inf
    ");
    let all: serde_json::Value = serde_json::from_str(&show(&repo, &["loss", "--all", "--json"])).unwrap();
    assert_eq!(
        all[3],
        serde_json::json!({"attempt": "k7f3q2ab", "writer": 0, "step": 2, "time": 1_767_261_602.5, "value": "NaN"})
    );
    assert_eq!(show(&repo, &["lr", "--csv"]).lines().count(), 1 + 4);
    assert_eq!(show(&repo, &["test/accuracy", "--json"]), "[\n [null, null, 0.9]\n]\n");
}

#[test]
fn a_metric_that_is_not_there_is_named_with_those_that_are() {
    let repo = Repo::new();
    resumed(&repo);
    let output = repo.xtrack(&["show", "quiet-otter", "--series", "los"]);
    assert_eq!((output.code, output.stdout.as_str()), (2, ""));
    insta::assert_snapshot!(output.stderr, @r"
    error: the run has no metric 'los'
    hint: did you mean 'loss'?
    hint: it has loss, lr, test/accuracy
    ");
    let output = repo.xtrack(&["show", "quiet-otter", "--all"]);
    assert_eq!(output.code, 2);
    assert!(output.stderr.contains("--series <METRIC>"), "{}", output.stderr);
}

#[test]
fn a_damaged_segment_is_named_and_the_others_are_shown() {
    let repo = Repo::new();
    let mut run = Recorded::new();
    run.attempt(run.facts("k7f3q2ab"));
    run.log("k7f3q2ab", 0, &[(0.0, &[("loss", 0.5)])]);
    run.files.insert("metrics/k7f3q2ab-0-00-0001.tsv".into(), b"step\ttime\tloss\n1\t\t0.50\n".to_vec());
    run.commit(&repo);
    let output = repo.xtrack(&["show", "quiet-otter", "--series", "loss", "--csv"]).ok();
    assert_eq!(output.stdout, "step,time,value\r\n0,1767261600.5,0.5\r\n");
    assert_eq!(
        output.stderr,
        "warning: 'metrics/k7f3q2ab-0-00-0001.tsv' has a malformed line 2: its points are missing\n"
    );
}

/// A run whose first two points are text and all of whose points are in a file of their own.
fn sampled(repo: &Repo) -> Pointer {
    let mut run = Recorded::new();
    run.log("k7f3q2ab", 0, &[(0.0, &[("loss", 0.5)]), (1.0, &[("loss", 0.25)])]);
    let sample = b"step\ttime\tname\tvalue\n2\t\tloss\t0.125\n9\t\tloss\t0.0\n".to_vec();
    run.files.insert("metrics/k7f3q2ab-0-00-sampled-1.tsv".into(), sample);

    let (mut chunk, mut file) = (whole::Chunk::default(), whole::Writer::new(Vec::new()).unwrap());
    let series = chunk.number(0, "loss");
    for step in 0..10 {
        let value = Number::Float(if step < 9 { 0.5 / f64::from(1 << step) } else { 0.0 });
        chunk.push(series, &Point { step: Some(Number::Int(step.into())), time: None, value });
    }
    file.write(&mut chunk).unwrap();
    let bytes = file.finish().unwrap();
    repo.write("whole", &bytes);
    let stored = Artifacts::new(&repo.path().join(".git")).add(&repo.path().join("whole")).unwrap();
    let pointer = Pointer {
        path: "series/k7f3q2ab.parquet".into(),
        sha256: stored.sha256,
        size: stored.size,
        media_type: Some("application/vnd.apache.parquet".into()),
        executable: false,
        step: None,
        key: None,
        inline: false,
    };
    let pointers = pointer::encode(std::slice::from_ref(&pointer));
    let mut facts = run.facts("k7f3q2ab");
    facts.artifacts = Some(ArtifactTotal { count: 1, bytes: stored.size, sha256: sha256(&pointers) });
    run.files.insert("artifacts/k7f3q2ab-1.toml".into(), pointers);
    run.attempt(facts);
    run.commit(repo);
    pointer
}

#[test]
fn whole_series_are_read_where_they_are_here_and_a_sample_where_not() {
    let repo = Repo::new();
    let pointer = sampled(&repo);
    let whole = show(&repo, &["loss", "--json"]);
    let whole: Vec<serde_json::Value> = serde_json::from_str(&whole).unwrap();
    assert_eq!(whole.len(), 10);
    assert_eq!(whole[3], serde_json::json!([3, null, 0.0625]));

    let stored = Artifacts::new(&repo.path().join(".git")).path(&pointer.sha256);
    let output = || repo.xtrack(&["show", "quiet-otter", "--series", "loss"]).ok();
    damage(&stored);
    assert!(output().stderr.contains("is damaged: some points are a sample"), "{}", output().stderr);
    assert_eq!(output().stdout.lines().count(), 1 + 4);

    std::fs::remove_file(&stored).unwrap();
    insta::assert_snapshot!(output().stderr, @"warning: the whole series of attempt 'k7f3q2ab' are in the artifact 'series/k7f3q2ab.parquet', which is not here: some points are a sample");
    insta::assert_snapshot!(output().stdout, @r"
    step                     time  value
       0  2026-01-01 10:00:00.500    0.5
       1  2026-01-01 10:00:01.500   0.25
       2                        -  0.125
       9                        -    0.0
    ");
}

fn damage(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[10] ^= 1;
    std::fs::remove_file(path).unwrap();
    std::fs::write(path, bytes).unwrap();
}
