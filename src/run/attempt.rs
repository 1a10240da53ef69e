//! Facts: what one process life of a run was, as `run.toml` and `attempts/<aid>.toml` hold it.
//!
//! Knows the keys and their order; not where the file lies, nor how attempts combine (`fold`).

use indexmap::IndexMap;

use crate::error::Problem;
use crate::run::id::{AttemptId, RunId, Time, is_hex};
use crate::run::value::{Table, Value};

pub use crate::series::number::Number;

/// The version of the format this program writes, and the newest it reads.
pub const FORMAT: i64 = 1;

/// How an attempt, or a run, stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// It ended with exit code 0.
    Finished,
    /// Imported, and the source does not say.
    Unknown,
    /// It ended with another exit code, or could not be started.
    Failed,
    /// A signal, or the user, ended it.
    Killed,
    /// Its owner vanished, and what it had written was recovered.
    Crashed,
    /// It has not ended.
    Running,
}

impl Status {
    /// Every status, from the best to the one that weighs most when attempts combine.
    pub const ALL: [Status; 6] =
        [Status::Finished, Status::Unknown, Status::Failed, Status::Killed, Status::Crashed, Status::Running];

    /// The word for it, on disk and on screen.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Finished => "finished",
            Status::Unknown => "unknown",
            Status::Failed => "failed",
            Status::Killed => "killed",
            Status::Crashed => "crashed",
            Status::Running => "running",
        }
    }

    /// Reads the word, in lower case.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// Whether the attempt itself said how it ended, which nothing supersedes.
    pub fn is_final(self) -> bool {
        matches!(self, Status::Finished | Status::Failed | Status::Killed)
    }
}

impl Number {
    /// The number a value is, if it is one.
    pub fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Int(int) => Some(Number::Int((*int).into())),
            Value::BigInt(digits) => digits.parse().ok().map(Number::Int),
            Value::Float(float) => Some(Number::Float(*float)),
            _ => None,
        }
    }

    /// The value that holds it.
    pub fn value(self) -> Value {
        match self {
            Number::Int(int) => {
                i64::try_from(int).map_or_else(|_| Value::BigInt(int.to_string()), Value::Int)
            }
            Number::Float(float) => Value::Float(float),
        }
    }
}

/// How the names of metrics begin that tell of the machine, not of the training.
pub const MACHINE: &str = "system/";

/// What is kept in the facts of a metric's points.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// The last in the order logged.
    pub last: Number,
    /// The smallest; NaN only if all are.
    pub min: Number,
    /// The largest; NaN only if all are.
    pub max: Number,
    /// The step of `last`, if it has one.
    pub last_step: Option<Number>,
    /// The step of the first `min`, if it has one.
    pub min_step: Option<Number>,
    /// The step of the first `max`, if it has one.
    pub max_step: Option<Number>,
    /// How many points there are.
    pub count: u64,
    /// How many of them are NaN or infinite.
    pub nonfinite: u64,
}

impl Summary {
    /// A value that was set, without a step.
    pub fn plain(value: Number) -> Self {
        Self::at(value, None)
    }

    /// One point.
    pub fn at(value: Number, step: Option<Number>) -> Self {
        let nonfinite = u64::from(!value.as_f64().is_finite());
        Self {
            last: value,
            min: value,
            max: value,
            last_step: step,
            min_step: step,
            max_step: step,
            count: 1,
            nonfinite,
        }
    }

    /// Takes in what was logged after this.
    pub fn then(&mut self, later: &Summary) {
        (self.last, self.last_step) = (later.last, later.last_step);
        let (min, new) = (self.min.as_f64(), later.min.as_f64());
        if new < min || (min.is_nan() && !new.is_nan()) {
            (self.min, self.min_step) = (later.min, later.min_step);
        }
        let (max, new) = (self.max.as_f64(), later.max.as_f64());
        if new > max || (max.is_nan() && !new.is_nan()) {
            (self.max, self.max_step) = (later.max, later.max_step);
        }
        self.count += later.count;
        self.nonfinite += later.nonfinite;
    }

    fn is_plain(&self) -> bool {
        let bits = |number: Number| (matches!(number, Number::Int(_)), number.as_f64().to_bits());
        let steps = self.last_step.is_some() || self.min_step.is_some() || self.max_step.is_some();
        self.count == 1 && !steps && bits(self.last) == bits(self.min) && bits(self.last) == bits(self.max)
    }
}

/// Whether less or more of a metric is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// Less is better.
    Min,
    /// More is better.
    Max,
}

impl Goal {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Goal::Min => "min",
            Goal::Max => "max",
        }
    }

    /// Reads the word, `minimize` and `maximize` too.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "min" | "minimize" => Some(Goal::Min),
            "max" | "maximize" => Some(Goal::Max),
            _ => None,
        }
    }
}

/// What is said of a metric besides its values.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Definition {
    /// Whether less or more is better.
    pub goal: Option<Goal>,
    /// The unit, as people write it.
    pub unit: Option<String>,
    /// The metric that is its x axis, instead of the step.
    pub x: Option<String>,
    /// Which of `last`, `min`, `max` stands for it in tables.
    pub summary: Option<String>,
}

impl Definition {
    /// Takes in what was said later; what that leaves open stands.
    pub fn refine(&mut self, later: &Definition) {
        self.goal = later.goal.or(self.goal);
        self.unit = later.unit.clone().or(self.unit.take());
        self.x = later.x.clone().or(self.x.take());
        self.summary = later.summary.clone().or(self.summary.take());
    }
}

/// The code that ran.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Code {
    /// HEAD at the start, in hex; absent on an unborn branch.
    pub commit: Option<String>,
    /// The tree that ran, exactly, in hex; absent if the work tree had changes and no snapshot was taken.
    pub tree: Option<String>,
    /// The commit that holds the changes, in hex, when there were any.
    pub snapshot: Option<String>,
    /// The branch, without `refs/heads/`.
    pub branch: Option<String>,
    /// The remote's address, without credentials.
    pub remote: Option<String>,
    /// The patch id of `commit`, by which it is found again after a rebase.
    pub patch_id: Option<String>,
    /// Tracked files that differed from `commit`; the first of them, see `changed_count`.
    pub changed: Vec<CodeFile>,
    /// How many tracked files differed.
    pub changed_count: u64,
    /// Untracked files that the snapshot holds; the first of them, see `untracked_count`.
    pub untracked: Vec<CodeFile>,
    /// How many untracked files the snapshot holds.
    pub untracked_count: u64,
    /// What was there and is not in the snapshot; the first of it, see `left_out_count`.
    pub left_out: Vec<LeftOut>,
    /// How many were left out.
    pub left_out_count: u64,
}

impl Code {
    /// How many files each list holds at most.
    pub const LISTED_MAX: usize = 100;

    /// Whether what ran differs from `commit`.
    pub fn is_dirty(&self) -> bool {
        self.snapshot.is_some() || self.changed_count > 0 || self.untracked_count > 0
    }
}

/// A file of the code.
#[derive(Debug, Clone, PartialEq)]
pub struct CodeFile {
    /// Its path from the top, text or bytes.
    pub path: Value,
    /// Its blob id in hex; absent for a deleted file.
    pub blob: Option<String>,
}

/// A file or folder that is not in the snapshot.
#[derive(Debug, Clone, PartialEq)]
pub struct LeftOut {
    /// Its path from the top, text or bytes; a folder ends in `/`.
    pub path: Value,
    /// Why.
    pub reason: String,
    /// Its size in bytes, if it is a file.
    pub size: Option<u64>,
}

/// A file or data set that the run read.
#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    /// What the user calls it.
    pub name: String,
    /// Its path from the top, or address; text or bytes.
    pub path: Value,
    /// `file` or `dir`.
    pub kind: String,
    /// The sha256 of its bytes, in hex; of a folder, of its sorted listing.
    pub sha256: Option<String>,
    /// The digest that another tool keeps of it, as it is (`md5:…`).
    pub digest: Option<String>,
    /// Its size in bytes.
    pub size: Option<u64>,
    /// How many files a folder holds.
    pub files: Option<u64>,
}

/// What the facts say of the artifacts: the pointers are in a file of their own.
#[derive(Debug, Clone, PartialEq)]
pub struct ArtifactTotal {
    /// How many there are.
    pub count: u64,
    /// Their size together, in bytes.
    pub bytes: u64,
    /// The sha256 of the pointer file, in hex.
    pub sha256: String,
}

/// The facts of one attempt. A keyed run's `run.toml` holds `id` and `key` only, and no attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// The run.
    pub id: RunId,
    /// The key a keyed run's id is drawn from.
    pub key: Option<String>,
    /// The run's name.
    pub name: Option<String>,
    /// The experiment it belongs to.
    pub experiment: Option<String>,
    /// This attempt; absent in a keyed run's `run.toml`.
    pub attempt: Option<AttemptId>,
    /// The attempts that were known when this one began.
    pub after: Vec<AttemptId>,
    /// 1, 2, … one for each checkpoint.
    pub revision: u64,
    /// How it stands.
    pub status: Status,
    /// When it began.
    pub started: Option<Time>,
    /// When it ended.
    pub ended: Option<Time>,
    /// Its exit code, if it had one.
    pub exit_code: Option<i64>,
    /// The signal that ended it, by name (`SIGKILL`).
    pub signal: Option<String>,
    /// The command line, text or bytes each.
    pub command: Vec<Value>,
    /// Where it ran, from the top, `.` there; text or bytes.
    pub cwd: Option<Value>,
    /// Who ran it, `name <mail>` or `user@host`.
    pub user: Option<String>,
    /// On which machine.
    pub host: Option<String>,
    /// The version of the program that recorded it.
    pub xtrack: Option<String>,
    /// The run it belongs under.
    pub parent: Option<String>,
    /// The group it belongs to.
    pub group: Option<String>,
    /// Its tags, bare or `key=value`.
    pub tags: Vec<String>,
    /// Its notes.
    pub notes: Vec<String>,
    /// What was known of it when it began, as a digest ([`crate::run::fingerprint`]).
    pub fingerprint: Option<String>,
    /// The code that ran.
    pub code: Option<Code>,
    /// Where it was imported from.
    pub imported: Option<Table>,
    /// What went in.
    pub params: Table,
    /// What came out.
    pub metrics: IndexMap<String, Summary>,
    /// What is said of metrics.
    pub definitions: IndexMap<String, Definition>,
    /// What was read.
    pub inputs: Vec<Input>,
    /// Which processes logged.
    pub writers: Vec<Table>,
    /// The scheduler's facts.
    pub scheduler: Option<Table>,
    /// The CI system's facts.
    pub ci: Option<Table>,
    /// What was produced, in short.
    pub artifacts: Option<ArtifactTotal>,
}

impl Facts {
    /// The facts of a run's first attempt, as far as its ids say them.
    pub fn new(id: RunId, attempt: AttemptId, started: Time) -> Self {
        Self { attempt: Some(attempt), started: Some(started), ..Self::identity(id, None) }
    }

    /// What a keyed run's `run.toml` holds.
    pub fn keyed(id: RunId, key: String) -> Self {
        Self::identity(id, Some(key))
    }

    fn identity(id: RunId, key: Option<String>) -> Self {
        Self {
            id,
            key,
            name: None,
            experiment: None,
            attempt: None,
            after: Vec::new(),
            revision: 1,
            status: Status::Running,
            started: None,
            ended: None,
            exit_code: None,
            signal: None,
            command: Vec::new(),
            cwd: None,
            user: None,
            host: None,
            xtrack: None,
            parent: None,
            group: None,
            tags: Vec::new(),
            notes: Vec::new(),
            fingerprint: None,
            code: None,
            imported: None,
            params: Table::new(),
            metrics: IndexMap::new(),
            definitions: IndexMap::new(),
            inputs: Vec::new(),
            writers: Vec::new(),
            scheduler: None,
            ci: None,
            artifacts: None,
        }
    }

    /// The document that holds these facts.
    pub fn to_table(&self) -> Table {
        let mut writer = Writer::new(&self.id);
        writer.some("key", self.key.clone());
        let Some(attempt) = &self.attempt else {
            return writer.0;
        };
        writer.some("name", self.name.clone());
        writer.some("experiment", self.experiment.clone());
        writer.put("attempt", attempt.as_str());
        writer.list("after", self.after.iter().map(|id| id.as_str().into()));
        writer.put("revision", self.revision as i64);
        writer.put("status", self.status.as_str());
        writer.some("started", self.started.map(|time| time.to_string()));
        writer.some("ended", self.ended.map(|time| time.to_string()));
        writer.some("exit_code", self.exit_code);
        writer.some("signal", self.signal.clone());
        writer.list("command", self.command.iter().cloned());
        writer.some("cwd", self.cwd.clone());
        writer.some("user", self.user.clone());
        writer.some("host", self.host.clone());
        writer.some("xtrack", self.xtrack.clone());
        writer.some("parent", self.parent.clone());
        writer.some("group", self.group.clone());
        writer.list("tags", self.tags.iter().cloned().map(Value::Text));
        writer.list("notes", self.notes.iter().cloned().map(Value::Text));
        writer.some("fingerprint", self.fingerprint.clone());
        writer.some("code", self.code.as_ref().map(code_to_table));
        writer.table("params", self.params.clone());
        writer.table(
            "metrics",
            self.metrics.iter().map(|(name, summary)| (name.clone(), summary_to_value(summary))),
        );
        let definitions =
            self.definitions.iter().map(|(name, definition)| (name.clone(), definition_to_value(definition)));
        writer.table("metric", definitions);
        writer.list("inputs", self.inputs.iter().map(input_to_value));
        writer.list("writers", self.writers.iter().cloned().map(Value::Table));
        writer.some("artifacts", self.artifacts.as_ref().map(total_to_table));
        writer.some("scheduler", self.scheduler.clone());
        writer.some("ci", self.ci.clone());
        writer.some("imported", self.imported.clone());
        writer.0
    }

    /// Reads the document; unknown keys are ignored, known ones of another type refused.
    pub fn from_table(table: &Table) -> Result<Self, Problem> {
        let reader = Reader(table);
        reader.format()?;
        let id = reader.text("id")?.and_then(|text| RunId::parse(&text)).ok_or_else(|| bad("id"))?;
        let mut facts = Self::identity(id, reader.text("key")?);
        if facts.key.is_some() && !table.contains_key("attempt") {
            return match facts.key.as_deref().map(RunId::keyed) == Some(facts.id.clone()) {
                true => Ok(facts),
                false => Err(bad("key")),
            };
        }
        facts.name = reader.text("name")?;
        facts.experiment = reader.text("experiment")?;
        facts.attempt = Some(
            reader.text("attempt")?.and_then(|text| AttemptId::parse(&text)).ok_or_else(|| bad("attempt"))?,
        );
        facts.after = reader.ids("after", AttemptId::parse)?;
        facts.revision =
            reader.count("revision")?.filter(|revision| *revision > 0).ok_or_else(|| bad("revision"))?;
        facts.status =
            reader.text("status")?.and_then(|text| Status::parse(&text)).ok_or_else(|| bad("status"))?;
        facts.started = reader.time("started")?;
        facts.ended = reader.time("ended")?;
        facts.exit_code = reader.int("exit_code")?;
        facts.signal = reader.text("signal")?;
        facts.command = reader.texts_or_bytes("command")?;
        facts.cwd = reader.text_or_bytes("cwd")?;
        facts.user = reader.text("user")?;
        facts.host = reader.text("host")?;
        facts.xtrack = reader.text("xtrack")?;
        facts.parent = reader.text("parent")?;
        facts.group = reader.text("group")?;
        facts.tags = reader.texts("tags")?;
        facts.notes = reader.texts("notes")?;
        facts.fingerprint = reader.sha256("fingerprint")?;
        facts.code = reader.table("code")?.map(code_from_table).transpose()?;
        facts.params = reader.table("params")?.cloned().unwrap_or_default();
        facts.metrics = reader.each("metrics", summary_from_value)?;
        facts.definitions = reader.each("metric", definition_from_value)?;
        facts.inputs =
            reader.tables("inputs")?.into_iter().map(input_from_table).collect::<Result<_, _>>()?;
        facts.writers = reader.tables("writers")?.into_iter().cloned().collect();
        facts.artifacts = reader.table("artifacts")?.map(total_from_table).transpose()?;
        facts.scheduler = reader.table("scheduler")?.cloned();
        facts.ci = reader.table("ci")?.cloned();
        facts.imported = reader.table("imported")?.cloned();
        Ok(facts)
    }
}

fn code_to_table(code: &Code) -> Table {
    let mut writer = Writer(Table::new());
    writer.some("commit", code.commit.clone());
    writer.some("tree", code.tree.clone());
    writer.some("snapshot", code.snapshot.clone());
    writer.some("branch", code.branch.clone());
    writer.some("remote", code.remote.clone());
    writer.some("patch_id", code.patch_id.clone());
    writer.count("changed_count", code.changed_count);
    writer.list("changed", code.changed.iter().map(code_file_to_value));
    writer.count("untracked_count", code.untracked_count);
    writer.list("untracked", code.untracked.iter().map(code_file_to_value));
    writer.count("left_out_count", code.left_out_count);
    writer.list("left_out", code.left_out.iter().map(left_out_to_value));
    writer.0
}

fn code_from_table(table: &Table) -> Result<Code, Problem> {
    let reader = Reader(table);
    let files =
        |key| reader.tables(key)?.into_iter().map(code_file_from_table).collect::<Result<Vec<_>, _>>();
    Ok(Code {
        commit: reader.object("commit")?,
        tree: reader.object("tree")?,
        snapshot: reader.object("snapshot")?,
        branch: reader.text("branch")?,
        remote: reader.text("remote")?,
        patch_id: reader.object("patch_id")?,
        changed: files("changed")?,
        changed_count: reader.count("changed_count")?.unwrap_or_default(),
        untracked: files("untracked")?,
        untracked_count: reader.count("untracked_count")?.unwrap_or_default(),
        left_out: reader
            .tables("left_out")?
            .into_iter()
            .map(left_out_from_table)
            .collect::<Result<_, _>>()?,
        left_out_count: reader.count("left_out_count")?.unwrap_or_default(),
    })
}

fn code_file_to_value(file: &CodeFile) -> Value {
    let mut writer = Writer(Table::new());
    writer.put("path", file.path.clone());
    writer.some("blob", file.blob.clone());
    Value::Table(writer.0)
}

fn code_file_from_table(table: &Table) -> Result<CodeFile, Problem> {
    let reader = Reader(table);
    Ok(CodeFile {
        path: reader.text_or_bytes("path")?.ok_or_else(|| bad("path"))?,
        blob: reader.object("blob")?,
    })
}

fn left_out_to_value(left_out: &LeftOut) -> Value {
    let mut writer = Writer(Table::new());
    writer.put("path", left_out.path.clone());
    writer.put("reason", left_out.reason.clone());
    writer.some("size", left_out.size.map(|size| size as i64));
    Value::Table(writer.0)
}

fn left_out_from_table(table: &Table) -> Result<LeftOut, Problem> {
    let reader = Reader(table);
    Ok(LeftOut {
        path: reader.text_or_bytes("path")?.ok_or_else(|| bad("path"))?,
        reason: reader.text("reason")?.ok_or_else(|| bad("reason"))?,
        size: reader.count("size")?,
    })
}

fn summary_to_value(summary: &Summary) -> Value {
    if summary.is_plain() {
        return summary.last.value();
    }
    let mut writer = Writer(Table::new());
    writer.put("last", summary.last.value());
    writer.put("min", summary.min.value());
    writer.put("max", summary.max.value());
    writer.some("last_step", summary.last_step.map(Number::value));
    writer.some("min_step", summary.min_step.map(Number::value));
    writer.some("max_step", summary.max_step.map(Number::value));
    writer.put("count", summary.count as i64);
    writer.count("nonfinite", summary.nonfinite);
    Value::Table(writer.0)
}

fn summary_from_value(value: &Value) -> Result<Summary, Problem> {
    if let Some(number) = Number::of(value) {
        return Ok(Summary::plain(number));
    }
    let reader = Reader(value.as_table().ok_or_else(|| bad("metrics"))?);
    let needed = |key| reader.number(key)?.ok_or_else(|| bad(key));
    Ok(Summary {
        last: needed("last")?,
        min: needed("min")?,
        max: needed("max")?,
        last_step: reader.number("last_step")?,
        min_step: reader.number("min_step")?,
        max_step: reader.number("max_step")?,
        count: reader.count("count")?.ok_or_else(|| bad("count"))?,
        nonfinite: reader.count("nonfinite")?.unwrap_or_default(),
    })
}

fn definition_to_value(definition: &Definition) -> Value {
    let mut writer = Writer(Table::new());
    writer.some("goal", definition.goal.map(|goal| goal.as_str().to_owned()));
    writer.some("unit", definition.unit.clone());
    writer.some("x", definition.x.clone());
    writer.some("summary", definition.summary.clone());
    Value::Table(writer.0)
}

fn definition_from_value(value: &Value) -> Result<Definition, Problem> {
    let reader = Reader(value.as_table().ok_or_else(|| bad("metric"))?);
    let goal = reader.text("goal")?.map(|text| Goal::parse(&text).ok_or_else(|| bad("goal"))).transpose()?;
    Ok(Definition {
        goal,
        unit: reader.text("unit")?,
        x: reader.text("x")?,
        summary: reader.text("summary")?,
    })
}

fn input_to_value(input: &Input) -> Value {
    let mut writer = Writer(Table::new());
    writer.put("name", input.name.clone());
    writer.put("path", input.path.clone());
    writer.put("kind", input.kind.clone());
    writer.some("sha256", input.sha256.clone());
    writer.some("digest", input.digest.clone());
    writer.some("size", input.size.map(|size| size as i64));
    writer.some("files", input.files.map(|files| files as i64));
    Value::Table(writer.0)
}

fn input_from_table(table: &Table) -> Result<Input, Problem> {
    let reader = Reader(table);
    Ok(Input {
        name: reader.text("name")?.ok_or_else(|| bad("name"))?,
        path: reader.text_or_bytes("path")?.ok_or_else(|| bad("path"))?,
        kind: reader.text("kind")?.ok_or_else(|| bad("kind"))?,
        sha256: reader.sha256("sha256")?,
        digest: reader.text("digest")?,
        size: reader.count("size")?,
        files: reader.count("files")?,
    })
}

fn total_to_table(total: &ArtifactTotal) -> Table {
    let mut writer = Writer(Table::new());
    writer.put("count", total.count as i64);
    writer.put("bytes", total.bytes as i64);
    writer.put("sha256", total.sha256.clone());
    writer.0
}

fn total_from_table(table: &Table) -> Result<ArtifactTotal, Problem> {
    let reader = Reader(table);
    Ok(ArtifactTotal {
        count: reader.count("count")?.ok_or_else(|| bad("count"))?,
        bytes: reader.count("bytes")?.ok_or_else(|| bad("bytes"))?,
        sha256: reader.sha256("sha256")?.ok_or_else(|| bad("sha256"))?,
    })
}

impl From<Table> for Value {
    fn from(table: Table) -> Self {
        Value::Table(table)
    }
}

/// A key whose value is missing or of another type than the format says.
pub fn bad(key: &str) -> Problem {
    Problem::new(format!("has no valid '{key}'"))
}

/// Puts keys into a document in order, leaving out what is empty.
pub struct Writer(pub Table);

impl Writer {
    /// A document about a run: `format` and `id` first.
    pub fn new(id: &RunId) -> Self {
        let mut writer = Writer(Table::new());
        writer.put("format", FORMAT);
        writer.put("id", id.as_str());
        writer
    }

    /// Puts a value.
    pub fn put(&mut self, key: &str, value: impl Into<Value>) {
        self.0.insert(key.to_owned(), value.into());
    }

    /// Puts a value if there is one.
    pub fn some(&mut self, key: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.put(key, value);
        }
    }

    /// Puts a count unless it is 0.
    pub fn count(&mut self, key: &str, count: u64) {
        if count > 0 {
            self.put(key, count as i64);
        }
    }

    /// Puts a list unless it is empty.
    pub fn list(&mut self, key: &str, items: impl Iterator<Item = Value>) {
        let items: Vec<_> = items.collect();
        if !items.is_empty() {
            self.put(key, Value::List(items));
        }
    }

    /// Puts a dict unless it is empty.
    pub fn table(&mut self, key: &str, items: impl IntoIterator<Item = (String, Value)>) {
        let table: Table = items.into_iter().collect();
        if !table.is_empty() {
            self.put(key, table);
        }
    }
}

/// Takes keys out of a document by type; a key of another type is refused by name.
pub struct Reader<'a>(pub &'a Table);

impl<'a> Reader<'a> {
    /// Checks `format`: a newer one is refused with a hint.
    pub fn format(&self) -> Result<(), Problem> {
        match self.int("format")? {
            Some(FORMAT) => Ok(()),
            Some(newer) if newer > FORMAT => {
                Err(Problem::new(format!("is of format {newer}, newer than this program reads ({FORMAT})"))
                    .hint("install a newer git-xtrack to read and write it"))
            }
            _ => Err(bad("format")),
        }
    }

    /// Text.
    pub fn text(&self, key: &str) -> Result<Option<String>, Problem> {
        self.get(key, |value| value.as_text().map(str::to_owned))
    }

    /// An integer.
    pub fn int(&self, key: &str) -> Result<Option<i64>, Problem> {
        self.get(key, Value::as_int)
    }

    /// A count, not negative.
    pub fn count(&self, key: &str) -> Result<Option<u64>, Problem> {
        self.get(key, |value| value.as_int().and_then(|int| u64::try_from(int).ok()))
    }

    /// A boolean.
    pub fn bool(&self, key: &str) -> Result<Option<bool>, Problem> {
        self.get(key, Value::as_bool)
    }

    /// A number.
    pub fn number(&self, key: &str) -> Result<Option<Number>, Problem> {
        self.get(key, Number::of)
    }

    /// A moment.
    pub fn time(&self, key: &str) -> Result<Option<Time>, Problem> {
        self.get(key, |value| value.as_text().and_then(Time::parse))
    }

    /// A git object id in lower-case hex.
    pub fn object(&self, key: &str) -> Result<Option<String>, Problem> {
        self.get(key, |value| {
            value.as_text().filter(|text| is_hex(text, 40) || is_hex(text, 64)).map(str::to_owned)
        })
    }

    /// A sha256 in lower-case hex.
    pub fn sha256(&self, key: &str) -> Result<Option<String>, Problem> {
        self.get(key, |value| value.as_text().filter(|text| is_hex(text, 64)).map(str::to_owned))
    }

    /// Text, or bytes that are none.
    pub fn text_or_bytes(&self, key: &str) -> Result<Option<Value>, Problem> {
        self.get(key, |value| is_text_or_bytes(value).then(|| value.clone()))
    }

    /// A list of text, or bytes that are none; empty if absent.
    pub fn texts_or_bytes(&self, key: &str) -> Result<Vec<Value>, Problem> {
        self.list(key, |value| is_text_or_bytes(value).then(|| value.clone()))
    }

    /// A list of text; empty if absent.
    pub fn texts(&self, key: &str) -> Result<Vec<String>, Problem> {
        self.list(key, |value| value.as_text().map(str::to_owned))
    }

    /// A list of ids; empty if absent.
    pub fn ids<T>(&self, key: &str, parse: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, Problem> {
        self.list(key, |value| value.as_text().and_then(&parse))
    }

    /// A nested dict.
    pub fn table(&self, key: &str) -> Result<Option<&'a Table>, Problem> {
        self.get(key, Value::as_table)
    }

    /// A list of dicts; empty if absent.
    pub fn tables(&self, key: &str) -> Result<Vec<&'a Table>, Problem> {
        self.list(key, Value::as_table)
    }

    /// A dict whose values are each read by `read`; empty if absent.
    pub fn each<T>(
        &self,
        key: &str,
        read: impl Fn(&Value) -> Result<T, Problem>,
    ) -> Result<IndexMap<String, T>, Problem> {
        let table = self.table(key)?;
        table.into_iter().flatten().map(|(name, value)| Ok((name.clone(), read(value)?))).collect()
    }

    fn get<T>(&self, key: &str, read: impl Fn(&'a Value) -> Option<T>) -> Result<Option<T>, Problem> {
        self.0.get(key).map(|value| read(value).ok_or_else(|| bad(key))).transpose()
    }

    fn list<T>(&self, key: &str, read: impl Fn(&'a Value) -> Option<T>) -> Result<Vec<T>, Problem> {
        let items = self.get(key, Value::as_list)?.unwrap_or_default();
        items.iter().map(|item| read(item).ok_or_else(|| bad(key))).collect()
    }
}

fn is_text_or_bytes(value: &Value) -> bool {
    matches!(value, Value::Text(_) | Value::Bytes(_))
}
