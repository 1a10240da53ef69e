//! One made-up run: what went in, what came out, what was said of it afterwards.
//!
//! A function of the shape and the run's number; knows nothing of Git.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use xtrack::ops::record::summary;
use xtrack::run::attempt::{Code, CodeFile, Definition, Facts, Goal, Number, Status, Summary};
use xtrack::run::edit::Edit;
use xtrack::run::id::{AttemptId, EditId, RunId, Time, pet_name};
use xtrack::run::text;
use xtrack::run::value::{Table, Value};
use xtrack::series;

use crate::generate::Shape;

/// In how many ways each commit of the code was changed without a commit.
pub const CHANGES: usize = 4;

/// When the first run started, and how far the starts are from one another, in seconds.
pub const BEGIN: i64 = 1_735_689_600;
const APART: i64 = 600;

/// Who ran them, and where.
pub const PEOPLE: [(&str, &str); 4] = [
    ("Ada Bench <ada@example.com>", "node-1"),
    ("Grace Bench <grace@example.com>", "node-2"),
    ("Alan Bench <alan@example.com>", "node-3"),
    ("Emmy Bench <emmy@example.com>", "node-4"),
];

const METRICS: [&str; 5] = ["loss", "acc", "val/loss", "val/acc", "grad_norm"];
const EXPERIMENTS: [&str; 8] =
    ["baseline", "rates", "augmented", "distilled", "long-context", "small-model", "ablation", "final"];
const RATES: [f64; 8] = [1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 0.0003];
const PACKAGES: [&str; 24] = [
    "certifi",
    "charset-normalizer",
    "contourpy",
    "filelock",
    "fsspec",
    "idna",
    "jinja2",
    "joblib",
    "markupsafe",
    "matplotlib",
    "mpmath",
    "networkx",
    "numpy",
    "packaging",
    "pandas",
    "pillow",
    "pip",
    "pyyaml",
    "requests",
    "scikit-learn",
    "scipy",
    "sympy",
    "torch",
    "tqdm",
];

/// A state of the code that runs ran: a commit, perhaps with changes.
pub struct State {
    pub commit: String,
    pub tree: String,
    pub snapshot: Option<String>,
    pub blob: String,
}

/// One run, before it is written.
pub struct Written {
    pub facts: Facts,
    pub message: String,
    pub points: Vec<u8>,
    pub points_path: String,
    pub environment: usize,
    pub person: usize,
    pub edit: Option<(EditId, Vec<u8>, i64)>,
    pub deleted: bool,
    pub matching: bool,
}

/// The run of that number; five in a row differ by their seed only.
pub fn one(shape: &Shape, number: usize, states: &[State]) -> Written {
    let mut group = Chance::of(shape.seed, 1, number / 5);
    let mut chance = Chance::of(shape.seed, 2, number);
    let started = Time((BEGIN + number as i64 * APART) * 1_000_000 + chance.below(1_000_000) as i64);
    let mut facts = Facts::new(RunId::new(started, chance.bytes()), AttemptId::new(chance.bytes()), started);
    let person = group.below(PEOPLE.len());
    let (params, quality) = params(&mut group, number);
    (facts.user, facts.host) = (Some(PEOPLE[person].0.to_owned()), Some(PEOPLE[person].1.to_owned()));
    facts.experiment = Some(EXPERIMENTS[group.skewed(EXPERIMENTS.len())].to_owned());
    facts.name = Some(match number % 50 {
        0 => format!("sweep-{number}"),
        _ => pet_name(chance.bytes()),
    });
    facts.command = command(&params);
    facts.cwd = Some(".".into());
    facts.xtrack = Some("0.1.0".to_owned());
    facts.group = number.is_multiple_of(3).then(|| format!("sweep-{}", number / 500));
    facts.tags = tags(&mut group);
    facts.code = Some(code(states, number * states.len() / shape.runs.max(1), &mut group));
    facts.params = params;
    ending(&mut facts, &mut chance);
    let acc = quality + 0.012 * chance.normal();
    let points = log(&mut facts, shape.steps, acc, &mut chance);
    let ended = Time(started.0 + (60 + chance.below(7200) as i64) * 1_000_000);
    facts.ended = Some(ended);
    let last = facts.metrics.get("acc").map_or(0.0, |summary| summary.last.as_f64());
    let matching = facts.params.get("lr").and_then(Value::as_number) == Some(0.1) && last > 0.9;
    let (edit, deleted) = edit(PEOPLE[person].0, ended, &mut chance);
    let (points_path, points) = points.into_iter().next().unwrap_or_default();
    let message = summary::message(&facts, Some("acc"));
    let environment = (person + number / 20_000) % 8;
    Written { facts, message, points, points_path, environment, person, edit, deleted, matching }
}

/// What goes in, and how good a model comes of it: the rate matters most, then the depth and the dropout.
fn params(group: &mut Chance, number: usize) -> (Table, f64) {
    let rate = RATES[group.below(RATES.len())];
    let depth = 2 + 2 * group.below(6) as i64;
    let dropout = group.below(6) as f64 / 10.0;
    let batch = 16 << group.below(5);
    let far = (rate / 0.03).log10();
    let quality = 0.935 - 0.07 * far * far - 0.006 * (depth - 8).abs() as f64 - 0.05 * (dropout - 0.2).abs();
    let model = Table::from_iter([
        ("name".to_owned(), ["mlp", "resnet", "transformer"][group.below(3)].into()),
        ("depth".to_owned(), depth.into()),
        ("width".to_owned(), (64_i64 << group.below(4)).into()),
    ]);
    let table = [
        ("lr", Value::Float(rate)),
        ("batch_size", Value::Int(batch)),
        ("optimizer", ["adam", "adamw", "sgd"][group.below(3)].into()),
        ("dropout", Value::Float(dropout)),
        ("weight_decay", Value::Float([0.0, 0.0001, 0.01][group.below(3)])),
        ("epochs", Value::Int(20)),
        ("seed", Value::Int(number as i64 % 5)),
        ("model", Value::Table(model)),
    ];
    (table.map(|(key, value)| (key.to_owned(), value)).into_iter().collect(), quality)
}

fn command(params: &Table) -> Vec<Value> {
    let given = |key: &str| params.get(key).map(text::write_value).unwrap_or_default();
    let options = ["lr", "batch_size", "seed"].map(|key| format!("--{key}={}", given(key)));
    ["python3", "train.py"].map(str::to_owned).into_iter().chain(options).map(Value::Text).collect()
}

fn tags(group: &mut Chance) -> Vec<String> {
    let sets = [["sweep", "data=v1", "team=vision"], ["sweep", "data=v2", "team=vision"]];
    let more = [["candidate", "data=v2", "team=speech"], ["smoke", "data=v3", "team=speech"]];
    let chosen = if group.below(10) < 8 { sets } else { more };
    chosen[group.below(2)].map(str::to_owned).to_vec()
}

/// The code of that time; one run in ten ran changes.
fn code(states: &[State], at: usize, group: &mut Chance) -> Code {
    let first = at - at % (CHANGES + 1);
    let dirty = if group.below(10) == 0 { 1 + group.below(CHANGES) } else { 0 };
    let state = &states[first + dirty];
    let changed = CodeFile { path: "train.py".into(), blob: Some(state.blob.clone()) };
    Code {
        commit: Some(state.commit.clone()),
        tree: Some(state.tree.clone()),
        snapshot: state.snapshot.clone(),
        branch: Some("main".to_owned()),
        remote: Some("https://example.com/lab/model.git".to_owned()),
        patch_id: Some(states[first].tree.clone()),
        changed_count: u64::from(dirty > 0),
        changed: if dirty > 0 { vec![changed] } else { Vec::new() },
        ..Code::default()
    }
}

fn ending(facts: &mut Facts, chance: &mut Chance) {
    facts.status = match chance.below(200) {
        0..8 => Status::Failed,
        8..11 => Status::Killed,
        11..13 => Status::Crashed,
        _ => Status::Finished,
    };
    facts.exit_code = match facts.status {
        Status::Finished => Some(0),
        Status::Failed => Some(1),
        _ => None,
    };
    facts.signal = (facts.status == Status::Killed).then(|| "SIGTERM".to_owned());
}

/// Logs the run's points, and puts what they come to into the facts.
fn log(facts: &mut Facts, steps: usize, acc: f64, chance: &mut Chance) -> BTreeMap<String, Vec<u8>> {
    let done = if facts.status == Status::Finished { steps } else { 1 + chance.below(steps.max(1)) };
    let diverges = (chance.below(100) == 0).then_some(done / 2);
    let mut writer = series::Writer::new();
    let mut clock = facts.started.map_or(0.0, |time| time.0 as f64 / 1e6) + 10.0;
    for step in 0..done {
        let along = 1.0 - (-5.0 * (step + 1) as f64 / steps.max(1) as f64).exp();
        let acc = (acc * along + 0.003 * chance.normal()).clamp(0.0, 1.0);
        let loss = 2.3 * (1.0 - along) + 2.0 * (1.0 - acc) + 0.01 * chance.normal().abs();
        let loss = if diverges.is_some_and(|from| step >= from) { f64::NAN } else { loss };
        let (val_loss, val_acc) = (loss * 1.1 + 0.02 * chance.normal(), (acc - 0.02).max(0.0));
        let values = [loss, acc, val_loss, val_acc + 0.004 * chance.normal(), (0.3 * chance.normal()).exp()];
        let values: IndexMap<String, Number> = METRICS
            .iter()
            .zip(values)
            .map(|(name, value)| ((*name).to_owned(), Number::Float(value)))
            .collect();
        clock += 1.0 + chance.unit();
        let (at, time) = (Some(Number::Int(step as i128)), Number::Float((clock * 1e6).round() / 1e6));
        for (name, value) in &values {
            let point = Summary::at(*value, at);
            match facts.metrics.get_mut(name) {
                Some(summary) => summary.then(&point),
                None => drop(facts.metrics.insert(name.clone(), point)),
            }
        }
        writer.log(at, Some(time), &values);
    }
    facts.definitions = [("acc", Goal::Max), ("loss", Goal::Min)]
        .map(|(name, goal)| (name.to_owned(), Definition { goal: Some(goal), ..Definition::default() }))
        .into_iter()
        .collect();
    facts.writers = vec![one_writer(facts, done, chance)];
    writer.files(facts.attempt.as_ref().map_or("", AttemptId::as_str), 0)
}

fn one_writer(facts: &Facts, events: usize, chance: &mut Chance) -> Table {
    let name = RunId::new(Time(0), chance.bytes()).suffix().repeat(2);
    let entries = [
        ("number", Value::Int(0)),
        ("name", name.as_str().into()),
        ("host", facts.host.as_deref().unwrap_or_default().into()),
        ("pid", Value::Int(1000 + chance.below(30_000) as i64)),
        ("client", "xtrack-python 0.1.0".into()),
        ("events", Value::Int(events as i64 + 3)),
    ];
    entries.map(|(key, value)| (key.to_owned(), value)).into_iter().collect()
}

/// What was said of some runs afterwards; some are deleted by it.
fn edit(by: &str, ended: Time, chance: &mut Chance) -> (Option<(EditId, Vec<u8>, i64)>, bool) {
    let kind = chance.below(200);
    if kind >= 6 {
        return (None, false);
    }
    let at = Time(ended.0 + chance.below(86_400_000) as i64 * 1000);
    let mut edit = Edit::new(by.to_owned(), at, Vec::new());
    match kind {
        0 => edit.deleted = Some(true),
        1 => edit.note = Some("looks good, try it with more data".to_owned()),
        2 => edit.name = Some(format!("kept-{}", ended.seconds())),
        3 => edit.metrics = IndexMap::from([("test/acc".to_owned(), Number::Float(chance.unit()))]),
        _ => edit.tags_added = vec!["keep".to_owned()],
    }
    let (id, bytes) = edit.encode();
    (Some((id, bytes, at.seconds())), edit.deleted == Some(true))
}

/// What a machine has; a later number, later versions.
pub fn environment(number: usize) -> Table {
    let packages = PACKAGES.iter().enumerate().map(|(place, name)| {
        ((*name).to_owned(), Value::Text(format!("{}.{}.{}", 1 + place % 3, place + number, number)))
    });
    let entries = [
        ("format", Value::Int(1)),
        ("os", "linux".into()),
        ("os_name", "Debian GNU/Linux 12 (bookworm)".into()),
        ("arch", "x86_64".into()),
        ("cpu_count", Value::Int(8 << (number % 3))),
        ("memory", Value::Int(68_719_476_736)),
        ("python", format!("3.11.{number}").as_str().into()),
        ("packages", Value::Table(packages.collect())),
    ];
    entries.map(|(key, value)| (key.to_owned(), value)).into_iter().collect()
}

/// Chance that a seed decides: splitmix64.
struct Chance(u64);

impl Chance {
    fn of(seed: u64, stream: u64, number: usize) -> Self {
        let mut chance = Chance(seed ^ (stream << 56) ^ (number as u64).wrapping_mul(0x2545_F491_4F6C_DD1D));
        chance.next();
        chance
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    /// Below the limit; the lower the likelier.
    fn skewed(&mut self, limit: usize) -> usize {
        self.below(limit).min(self.below(limit))
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// About normal.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }

    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.next() as u8)
    }
}
