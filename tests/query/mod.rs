//! The query language beside MLflow: the same runs, the same questions, the same answers.
//!
//! MLflow answers from a database of its own ([`mlflow_search.py`](mlflow_search.py)); ours is the scan, which the index
//! is held to elsewhere. `XTRACK_QUESTIONS` says how many, `XTRACK_SEED` which.

mod asked;

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value as Json, json};
use xtrack::query::order::Order;
use xtrack::query::{CodeTerm, Outside, Part, Query, Vocabulary};
use xtrack::run::Run;
use xtrack::run::attempt::{Facts, Input, Number, Status, Summary};
use xtrack::run::fold::fold;
use xtrack::run::id::{AttemptId, RunId, Time};
use xtrack::run::record::{Files, RUN};
use xtrack::run::text;
use xtrack::run::value::Value;

use crate::frameworks::Group;

const MLFLOW: Group =
    Group { requirements: "../query/requirements.txt", variables: &["XTRACK_MLFLOW"], is_quick: false };

/// How many runs there are.
const RUNS: usize = 200;
/// When the first of them began.
const BEGAN_MS: i64 = 1_767_355_200_000;

/// What params are logged as, and Python's text of each; not `None`, which MLflow keeps as text and so never is null.
const PARAMS: &[(&str, &str)] = &[
    ("0.1", "0.1"),
    ("1e-05", "1e-05"),
    ("1e16", "1e+16"),
    ("2.0", "2.0"),
    ("3", "3"),
    ("-12", "-12"),
    ("9007199254740993", "9007199254740993"),
    ("18446744073709551617", "18446744073709551617"),
    ("true", "True"),
    ("false", "False"),
    ("\"adam\"", "adam"),
    ("\"Adam W\"", "Adam W"),
    ("\"a_b%c\"", "a_b%c"),
    ("\"\"", ""),
    ("\"été\"", "été"),
    ("[64, 32]", "[64, 32]"),
    ("[0.5, \"x\", true]", "[0.5, 'x', True]"),
];
const PARAM_NAMES: &[&str] = &["lr", "model.depth", "opt name", "seed", "flag", "data/path"];
const METRIC_NAMES: &[&str] = &["acc", "val loss", "loss.min", "f1", "val/top-5"];
const METRICS: &[f64] =
    &[0.0, 0.5, 0.25, 0.9, 1.0, -1.5, 3.0, 1e-7, 1e9, f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
const TAG_NAMES: &[&str] = &["stage", "team.name", "note to all"];
const TEXTS: &[&str] = &["dev", "prod", "Dev", "a%b", "x_y", "longer text, of words", "0.1"];
const STATUSES: &[(Status, &str)] = &[
    (Status::Finished, "FINISHED"),
    (Status::Failed, "FAILED"),
    (Status::Killed, "KILLED"),
    (Status::Running, "RUNNING"),
];
const PATTERNS: &[&str] =
    &["%", "_", "%a%", "a_b%", "D__", "%.%", "1e%", "[%]", "%T%", "", "adam", "0._", "%,%"];

#[test]
fn mlflow_answers_the_same() {
    let python = match MLFLOW.python() {
        Ok(python) => python,
        Err(reason) => return crate::frameworks::say(&format!("skipped: mlflow_answers_the_same: {reason}")),
    };
    let asked = |name: &str, default: u64| {
        std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    let mut random = Random(asked("XTRACK_SEED", 20_260_102));
    let runs: Vec<(Run, Json)> = (0..RUNS).map(|number| random.run(number)).collect();
    let questions: Vec<Question> =
        (0..asked("XTRACK_QUESTIONS", 1000)).map(|_| random.question(&runs)).collect();
    let (theirs, refusals) = ask_mlflow(&python, &runs, &questions);
    let ours = Ours::new(runs.iter().map(|(run, _)| run.clone()).collect());
    let mut wrong = Vec::new();
    let mut selected = 0;
    for (question, theirs) in questions.iter().zip(theirs) {
        let mut theirs = theirs.unwrap_or_else(|| panic!("MLflow refuses {:?}\n{refusals}", question.filter));
        let mut ours = ours.ask(question);
        selected += theirs.len();
        if question.order.is_empty() {
            theirs.sort_unstable();
            ours.sort_unstable();
        }
        if ours != theirs {
            wrong.push(format!(
                "{} {:?}\n  MLflow: {theirs:?}\n  ours:   {ours:?}",
                question.filter, question.order
            ));
        }
    }
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), questions.len(), wrong.join("\n"));
    assert!(selected > questions.len(), "{selected} runs selected tell little");
}

/// A filter as it is pasted, but for `{run:N}`, and the order, in both languages.
struct Question {
    filter: String,
    order: Vec<String>,
}

/// The numbers of the runs that MLflow selects, and what it says where it refuses.
fn ask_mlflow(
    python: &Path,
    runs: &[(Run, Json)],
    questions: &[Question],
) -> (Vec<Option<Vec<usize>>>, String) {
    let runs: Vec<&Json> = runs.iter().map(|(_, json)| json).collect();
    let questions: Vec<Json> =
        questions.iter().map(|asked| json!({"filter": asked.filter, "order": asked.order})).collect();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/query/mlflow_search.py");
    let home = tempfile::tempdir().unwrap();
    let mut child = Command::new(python)
        .arg(script)
        .current_dir(home.path())
        .env_clear()
        .envs([("HOME", home.path()), ("TMPDIR", home.path())])
        .envs([("PATH", "/usr/bin:/bin"), ("MLFLOW_DISABLE_TELEMETRY", "true"), ("DO_NOT_TRACK", "true")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let input = json!({"runs": runs, "questions": questions}).to_string();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let answers: Vec<Json> = serde_json::from_slice(&output.stdout).unwrap();
    let numbers = |answer: &Json| {
        let list = answer.as_array()?;
        Some(list.iter().map(|number| number.as_u64().unwrap() as usize).collect())
    };
    (answers.iter().map(numbers).collect(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Our own runs, and the names that they use.
struct Ours {
    runs: Vec<Run>,
    known: Vocabulary,
}

impl Ours {
    fn new(runs: Vec<Run>) -> Self {
        let known = Vocabulary::of(&runs);
        Self { runs, known }
    }

    fn ask(&self, question: &Question) -> Vec<usize> {
        let mut filter = question.filter.clone();
        for (number, run) in self.runs.iter().enumerate() {
            filter = filter.replace(&format!("{{run:{number}}}"), run.id.as_str());
        }
        let bound = Query::parse(&filter)
            .and_then(|query| query.bind(&self.known, Time(0)))
            .unwrap_or_else(|problem| panic!("{filter}\n{problem}\n{}", problem.excerpt.join("\n")));
        let is_wanted = |run: &&Run| bound.matches(run, &mut Nobody).unwrap();
        let mut found: Vec<Run> = self.runs.iter().filter(is_wanted).cloned().collect();
        Order::parse(&question.order, &self.known).unwrap().sort(&mut found);
        found.iter().map(|run| run.name.as_deref().unwrap()[4..].parse().unwrap()).collect()
    }
}

struct Nobody;

impl Outside for Nobody {
    fn code(&mut self, term: &CodeTerm, _: &Run) -> anyhow::Result<bool> {
        panic!("MLflow does not ask for {term:?}")
    }

    fn point(&mut self, metric: &str, part: &Part, _: &Run) -> anyhow::Result<Option<Number>> {
        panic!("MLflow does not ask for {part:?} of {metric}")
    }
}

/// Marsaglia's xorshift.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }

    fn is(&mut self, one_in: usize) -> bool {
        self.below(one_in) == 0
    }

    /// A run, and what MLflow is told of it.
    fn run(&mut self, number: usize) -> (Run, Json) {
        // No two begin at once, and not in the order of their numbers.
        let start = BEGAN_MS + (number as i64 * 7919) % 10_007 * 1000 + self.below(1000) as i64;
        let started = Time(start * 1000 + self.below(1000) as i64);
        let suffix = (number as u64 + 1).to_be_bytes();
        let mut facts = Facts::new(RunId::new(started, suffix), AttemptId::new([1; 8]), started);
        facts.name = Some(format!("run-{number}"));
        let (status, status_name) = self.pick(STATUSES);
        facts.status = status;
        let end = (status != Status::Running).then(|| start + self.below(100_000) as i64);
        facts.ended = end.map(|end| Time(end * 1000 + 999));
        let mut told = json!({
            "name": facts.name, "status": status_name, "start_time": start, "end_time": end,
            "params": {}, "metrics": {}, "tags": {}, "datasets": [],
        });
        for name in PARAM_NAMES {
            if !self.is(3) {
                let (written, _) = self.pick(PARAMS);
                let value = xtrack::run::json::read(written, xtrack::run::json::Beyond::Nearest).unwrap();
                told["params"][*name] = match &value {
                    // Python is to read a float, not what another library makes of it.
                    Value::Float(float) => json!({"float": float}),
                    _ => serde_json::from_str(written).unwrap(),
                };
                facts.params.insert((*name).to_owned(), value);
            }
        }
        for name in METRIC_NAMES {
            if !self.is(3) {
                let values: Vec<f64> = (0..=self.below(3)).map(|_| self.pick(METRICS)).collect();
                let mut points = values.iter().enumerate();
                let point = |(step, value): (usize, &f64)| {
                    Summary::at(Number::Float(*value), Some(Number::Int(step as i128)))
                };
                let mut summary = point(points.next().unwrap());
                points.for_each(|later| summary.then(&point(later)));
                facts.metrics.insert((*name).to_owned(), summary);
                let number = |value: &f64| match value.is_finite() {
                    true => json!(value),
                    false => json!(value.to_string()),
                };
                told["metrics"][*name] = values.iter().map(number).collect();
            }
        }
        for name in TAG_NAMES {
            if !self.is(3) {
                let value = self.pick(TEXTS);
                facts.tags.push(format!("{name}={value}"));
                told["tags"][*name] = json!(value);
            }
        }
        for name in ["digits", "letters", "Digits"] {
            if self.is(3) {
                let digest = self.pick(&["aa11", "bb22"]);
                facts.inputs.push(Input {
                    name: name.to_owned(),
                    path: "data".into(),
                    kind: "file".to_owned(),
                    sha256: None,
                    digest: Some(digest.to_owned()),
                    size: None,
                    files: None,
                });
                told["datasets"].as_array_mut().unwrap().push(json!([name, digest]));
            }
        }
        let files = Files::from([(RUN.to_owned(), text::write(&facts.to_table()).into_bytes())]);
        (fold(&facts.id, &files).unwrap(), told)
    }

    fn question(&mut self, runs: &[(Run, Json)]) -> Question {
        let terms: Vec<String> = (0..=self.below(3)).map(|_| self.term(runs)).collect();
        let and = self.pick(&[" and ", " AND ", "  And\n"]);
        let filter = if self.is(40) { String::new() } else { terms.join(and) };
        let mut order = Vec::new();
        if self.is(2) {
            let metric = self.pick(METRIC_NAMES);
            let metric = self.quoted_key(metric);
            order.push(format!("metrics.{metric} {}", self.pick(&["DESC", "ASC", "desc"])));
            // Ties are broken otherwise, so nothing is left to them.
            order.push(
                self.pick(&["start_time DESC", "attributes.start_time ASC", "Created desc"]).to_owned(),
            );
        }
        Question { filter, order }
    }

    fn term(&mut self, runs: &[(Run, Json)]) -> String {
        match self.below(9) {
            0..=2 => {
                let (prefix, key) = (self.pick(&["metrics", "metric"]), self.pick(METRIC_NAMES));
                let key = self.quoted_key(key);
                let sign = self.pick(&[">", ">=", "=", "!=", "<", "<="]);
                let value = self
                    .pick(&["0", "0.5", ".25", "0.9", "1", "1.0", "-1.5", "3", "1e-7", "1E9", "5.", "1e300"]);
                format!("{prefix}.{key}{}{sign} {value}", self.pick(&[" ", ""]))
            }
            3 | 4 => {
                let prefix = self.pick(&["params", "param", "parameter", "parameters"]);
                let key = if self.is(20) { "absent" } else { self.pick(PARAM_NAMES) };
                let key = self.quoted_key(key);
                let texts: Vec<&str> = PARAMS.iter().map(|(_, text)| *text).collect();
                format!("{prefix}.{key} {}", self.text_check(&texts))
            }
            5 => {
                let (prefix, key) = (self.pick(&["tags", "tag"]), self.pick(TAG_NAMES));
                let key = self.quoted_key(key);
                format!("{prefix}.{key} {}", self.text_check(TEXTS))
            }
            6 => {
                let prefix = self.pick(&["attributes.", "attribute.", "attr.", "run.", ""]);
                let statuses: Vec<&str> =
                    STATUSES.iter().map(|(_, name)| *name).chain(["SCHEDULED"]).collect();
                match self.below(2) {
                    0 => format!("{prefix}status {} '{}'", self.pick(&["=", "!="]), self.pick(&statuses)),
                    _ => format!("{prefix}status LIKE '{}'", self.pick(&["F%", "%ED", "%", "_AILED"])),
                }
            }
            7 => {
                let number = self.below(runs.len());
                match self.below(4) {
                    0 => {
                        let name = self.pick(&[
                            "run_name",
                            "attributes.run_name",
                            "attributes.`Run Name`",
                            "tags.`mlflow.runName`",
                            "tags.mlflow.runName",
                        ]);
                        format!("{name} {} 'run-{number}'", self.pick(&["=", "!=", "LIKE"]))
                    }
                    1 => format!("attributes.run_id {} '{{run:{number}}}'", self.pick(&["=", "!="])),
                    2 => {
                        let other = self.below(runs.len());
                        format!(
                            "run_id {} ('{{run:{number}}}', '{{run:{other}}}')",
                            self.pick(&["IN", "NOT IN"])
                        )
                    }
                    _ => {
                        let name = self.pick(&[
                            "start_time",
                            "attributes.created",
                            "attribute.end_time",
                            "run.Created",
                        ]);
                        let of = if name.contains("end") { "end_time" } else { "start_time" };
                        let value = runs[number].1[of].as_i64().unwrap_or(BEGAN_MS);
                        format!("{name} {} {value}", self.pick(&[">", ">=", "=", "!=", "<", "<="]))
                    }
                }
            }
            _ => {
                let prefix = self.pick(&["dataset", "datasets"]);
                let (key, values) =
                    self.pick(&[("name", ["digits", "letters"]), ("digest", ["aa11", "bb22"])]);
                match self.below(3) {
                    0 => format!("{prefix}.{key} {} '{}'", self.pick(&["=", "!="]), self.pick(&values)),
                    1 => format!(
                        "{prefix}.{key} {} ('{}', 'other')",
                        self.pick(&["IN", "NOT IN"]),
                        self.pick(&values)
                    ),
                    _ => format!(
                        "{prefix}.{key} {} '{}'",
                        self.pick(&["LIKE", "ILIKE"]),
                        self.pick(&["D%", "%1", "%e%"])
                    ),
                }
            }
        }
    }

    /// A check that MLflow has for text.
    fn text_check(&mut self, texts: &[&str]) -> String {
        match self.below(4) {
            0 => self.pick(&["IS NULL", "is not null", "IS NOT NULL"]).to_owned(),
            1 => format!("{} '{}'", self.pick(&["LIKE", "like", "ILIKE", "ilike"]), self.pick(PATTERNS)),
            _ => {
                let text = self.pick(texts);
                let quote = if text.contains('\'') || self.is(4) { '"' } else { '\'' };
                // An empty text in double quotes is none to MLflow's reader.
                let quote = if text.is_empty() { '\'' } else { quote };
                format!("{} {quote}{text}{quote}", self.pick(&["=", "!="]))
            }
        }
    }

    fn quoted_key(&mut self, key: &str) -> String {
        let is_plain = key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        match self.below(3) {
            0 => format!("`{key}`"),
            1 => format!("\"{key}\""),
            _ if is_plain || key == "model.depth" || key == "loss.min" || key == "team.name" => {
                key.to_owned()
            }
            _ => format!("`{key}`"),
        }
    }
}
