//! What of a run goes into the tables: made by readers side by side, so that the one writer has little to do.

use anyhow::Result;

use crate::index::brief;
use crate::run::attempt::{Code, Definition, Goal, Input, Number, Summary};
use crate::run::id::{RunId, hex, sha256};
use crate::run::text::write_value;
use crate::run::value::{Value, named_leaves};
use crate::run::{Note, Run, fingerprint};
use crate::store::RunTip;

/// The longest text of a param that is sought whole, in bytes.
pub(super) const TEXT_MAX: usize = 1024;

/// A number or text as SQLite has it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    Null,
    Int(i64),
    Real(f64),
    Text(String),
}

/// A run that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// Why.
    pub why: String,
    /// Whether it will be so as long as the ref stays where it is: objects that are missing may come.
    pub is_lasting: bool,
}

/// All rows of one run.
pub(super) struct Rows {
    pub tip: RunTip,
    pub content: Result<Content, Damage>,
}

/// Those of a run that could be read.
pub(super) struct Content {
    pub deleted: bool,
    pub status: &'static str,
    pub started: Option<i64>,
    pub ended: Option<i64>,
    pub exit_code: Option<i64>,
    /// What it was asked to do, see [`fingerprint_number`].
    pub fingerprint: Option<i64>,
    /// Name, experiment, user, host, signal, parent, group, key, command: as the table has them.
    pub texts: [Option<String>; 9],
    pub brief: Vec<u8>,
    pub code: Option<CodeRow>,
    pub params: Vec<ParamRow>,
    pub metrics: Vec<MetricRow>,
    pub tags: Vec<String>,
    pub notes: Vec<Note>,
    pub inputs: Vec<Input>,
}

/// The code that ran.
pub(super) struct CodeRow {
    /// Tells it from all others.
    pub digest: [u8; 32],
    /// Commit, tree, branch and patch id.
    pub texts: [Option<String>; 4],
    pub is_dirty: bool,
    pub bytes: Vec<u8>,
}

pub(super) struct ParamRow {
    pub name: String,
    pub kind: ParamType,
    pub value: Cell,
    pub whole: Option<String>,
}

/// What a param's value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ParamType {
    Int,
    Float,
    Text,
    Bool,
    Null,
    Bytes,
    List,
    Dict,
    Json,
    /// Text of which the row holds the beginning only.
    LongText,
}

pub(super) struct MetricRow {
    pub name: String,
    pub own: i64,
    pub shown: Cell,
    /// Last, min, max, and the steps of those.
    pub numbers: [Cell; 6],
    pub count: i64,
    pub nonfinite: i64,
}

/// What a run itself says of a metric, as the column `own` holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Own {
    /// Which of its numbers stands for it; nothing if the run defines nothing at all.
    pub shown: Option<Shown>,
    /// Whether less or more is better.
    pub goal: Option<Goal>,
    /// Whether a number of the row is only near that of the run.
    pub is_rough: bool,
}

/// Which number stands for a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    Last,
    Min,
    Max,
}

impl Shown {
    /// What a definition says.
    pub fn of(definition: &Definition) -> Self {
        match definition.summary.as_deref() {
            Some("min") => Shown::Min,
            Some("max") => Shown::Max,
            _ => Shown::Last,
        }
    }
}

impl Own {
    fn number(self) -> i64 {
        let shown = match self.shown {
            None => 0,
            Some(Shown::Last) => 1,
            Some(Shown::Min) => 2,
            Some(Shown::Max) => 3,
        };
        let goal = match self.goal {
            None => 0,
            Some(Goal::Min) => 8,
            Some(Goal::Max) => 16,
        };
        shown | goal | if self.is_rough { 4 } else { 0 }
    }

    /// What the column's number means.
    pub fn from_number(number: i64) -> Self {
        Self {
            shown: [None, Some(Shown::Last), Some(Shown::Min), Some(Shown::Max)][number as usize & 3],
            goal: [None, Some(Goal::Min), Some(Goal::Max), None][number as usize >> 3 & 3],
            is_rough: number & 4 != 0,
        }
    }
}

impl Rows {
    /// The rows of a run as it was read.
    pub fn of(tip: RunTip, read: Result<Run, Damage>) -> Self {
        Self { tip, content: read.map(Content::of) }
    }
}

impl Content {
    fn of(run: Run) -> Self {
        let command = command_of(&run);
        Self {
            deleted: run.deleted,
            status: run.status.as_str(),
            started: run.started.map(|time| time.0),
            ended: run.ended.map(|time| time.0),
            exit_code: run.exit_code,
            fingerprint: fingerprint::of_run(&run).as_deref().and_then(fingerprint_number),
            brief: brief::encode(&run),
            code: run.code.as_ref().map(CodeRow::of),
            params: named_leaves(&run.params).into_iter().map(|(name, value)| param(name, value)).collect(),
            metrics: run.metrics.iter().map(|(name, summary)| metric(&run, name, summary)).collect(),
            texts: [
                run.name,
                run.experiment,
                run.user,
                run.host,
                run.signal,
                run.parent,
                run.group,
                run.key,
                command,
            ],
            tags: run.tags,
            notes: run.notes,
            inputs: run.inputs,
        }
    }
}

/// The beginning of a fingerprint as a number, which takes little room: runs whose numbers differ were not begun alike.
pub(super) fn fingerprint_number(fingerprint: &str) -> Option<i64> {
    i64::from_str_radix(fingerprint.get(..15)?, 16).ok()
}

impl CodeRow {
    fn of(code: &Code) -> Self {
        let bytes = brief::encode_code(code);
        let texts = [&code.commit, &code.tree, &code.branch, &code.patch_id].map(Clone::clone);
        Self { digest: digest(&bytes), texts, is_dirty: code.is_dirty(), bytes }
    }
}

fn digest(bytes: &[u8]) -> [u8; 32] {
    let bytes = oid_bytes(&sha256(bytes));
    std::array::from_fn(|index| bytes[index])
}

impl ParamType {
    /// The type of this number in the table.
    pub fn from_number(number: i64) -> Option<Self> {
        use ParamType::{Bool, Bytes, Dict, Float, Int, Json, List, LongText, Null, Text};
        let all = [Int, Float, Text, Bool, Null, Bytes, List, Dict, Json, LongText];
        usize::try_from(number).ok().and_then(|number| all.get(number).copied())
    }
}

/// The key of a tag, and the value behind its `=`.
pub(super) fn tag_parts(tag: &str) -> (&str, Option<&str>) {
    tag.split_once('=').map_or((tag, None), |(key, value)| (key, Some(value)))
}

/// Text, or bytes as near as text comes.
pub(super) fn lossy(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        other => write_value(other),
    }
}

fn command_of(run: &Run) -> Option<String> {
    let words: Vec<String> = run.command.iter().map(lossy).collect();
    (!words.is_empty()).then(|| shell_words::join(words))
}

fn param(name: String, value: &Value) -> ParamRow {
    let text = |kind, text: &str| {
        let whole = (!is_short(text)).then(|| text.to_owned());
        (kind, Cell::Text(beginning(text)), whole)
    };
    let (kind, value, whole) = match value {
        Value::Int(int) => (ParamType::Int, Cell::Int(*int), None),
        Value::BigInt(digits) => text(ParamType::Int, digits),
        Value::Float(float) if float.is_nan() => text(ParamType::Float, "nan"),
        Value::Float(float) => (ParamType::Float, Cell::Real(*float), None),
        Value::Text(given) if is_short(given) => text(ParamType::Text, given),
        Value::Text(given) => text(ParamType::LongText, given),
        Value::Null => (ParamType::Null, Cell::Null, None),
        Value::Bool(_) => text(ParamType::Bool, &write_value(value)),
        Value::Bytes(_) => text(ParamType::Bytes, &write_value(value)),
        Value::List(_) => text(ParamType::List, &write_value(value)),
        Value::Table(_) => text(ParamType::Dict, &write_value(value)),
        Value::Json(json) => text(ParamType::Json, json),
    };
    ParamRow { name, kind, value, whole }
}

fn is_short(text: &str) -> bool {
    text.len() <= TEXT_MAX
}

fn beginning(text: &str) -> String {
    let end =
        (0..=TEXT_MAX.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    text[..end].to_owned()
}

fn metric(run: &Run, name: &str, summary: &Summary) -> MetricRow {
    let definition = run.definitions.get(name);
    let numbers = [summary.last, summary.min, summary.max];
    let steps = [summary.last_step, summary.min_step, summary.max_step];
    let counts = [summary.count, summary.nonfinite].map(|count| Number::Int(count.into()));
    let own = Own {
        shown: definition.map(Shown::of),
        goal: definition.and_then(|definition| definition.goal),
        is_rough: numbers.into_iter().chain(steps.into_iter().flatten()).chain(counts).any(is_rough)
            // A step that is no number is there all the same, which NULL does not say.
            || steps.into_iter().flatten().any(|step| step.as_f64().is_nan()),
    };
    let shown = match own.shown {
        None | Some(Shown::Last) => summary.last,
        Some(Shown::Min) => summary.min,
        Some(Shown::Max) => summary.max,
    };
    let [last_step, min_step, max_step] = steps.map(|step| step.map_or(Cell::Null, number));
    MetricRow {
        name: name.to_owned(),
        own: own.number(),
        shown: number(shown),
        numbers: [
            number(summary.last),
            number(summary.min),
            number(summary.max),
            last_step,
            min_step,
            max_step,
        ],
        count: i64::try_from(summary.count).unwrap_or(i64::MAX),
        nonfinite: i64::try_from(summary.nonfinite).unwrap_or(i64::MAX),
    }
}

/// Whether SQLite has no such number, so that the double next to it stands in the row.
fn is_rough(number: Number) -> bool {
    matches!(number, Number::Int(int) if i64::try_from(int).is_err())
}

fn number(number: Number) -> Cell {
    match number {
        Number::Int(int) => i64::try_from(int).map_or(Cell::Real(int as f64), Cell::Int),
        Number::Float(float) if float.is_nan() => Cell::Null,
        Number::Float(float) => Cell::Real(float),
    }
}

/// The bytes of an object id in hex.
pub(super) fn oid_bytes(oid: &str) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).unwrap_or_default() as u8;
    oid.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(*pair.get(1).unwrap_or(&b'0'))).collect()
}

/// The object id of these bytes, in hex.
pub(super) fn oid(bytes: &[u8]) -> String {
    hex(bytes)
}

/// Which run a row is of.
pub(super) fn run_id(text: &str) -> Result<RunId> {
    RunId::parse(text).ok_or_else(|| anyhow::anyhow!("the index names {text:?}, which is no run"))
}
