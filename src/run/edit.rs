//! Edits: what people said of a run afterwards, one file each under `edits/`.
//!
//! Knows what an edit may say and how it is written; what it comes to is `fold`.

use indexmap::IndexMap;

use crate::error::Problem;
use crate::run::attempt::{FORMAT, Number, Reader, Status, Writer, bad};
use crate::run::id::{AttemptId, EditId, Time};
use crate::run::text;
use crate::run::value::{Table, Value};

/// A verdict on a run's status: it covers the attempts it names and no later one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The status they are to have.
    pub status: Status,
    /// The attempts it speaks of.
    pub attempts: Vec<AttemptId>,
}

/// One edit.
#[derive(Debug, Clone, PartialEq)]
pub struct Edit {
    /// Who says so: a claim, which `verify` compares with the commit.
    pub by: String,
    /// When.
    pub at: Time,
    /// The edits that were the heads when it was made.
    pub after: Vec<EditId>,
    /// The run's new name.
    pub name: Option<String>,
    /// The experiment it now belongs to.
    pub experiment: Option<String>,
    /// Tags added.
    pub tags_added: Vec<String>,
    /// Tags removed.
    pub tags_removed: Vec<String>,
    /// A note added.
    pub note: Option<String>,
    /// Notes and artifacts withdrawn, each by `<owner>/<n>`.
    pub withdrawn: Vec<String>,
    /// Withdrawals taken back, each by `<owner>/<n>`.
    pub reinstated: Vec<String>,
    /// A verdict on the status.
    pub verdict: Option<Verdict>,
    /// Metrics set.
    pub metrics: IndexMap<String, Number>,
    /// Metrics hidden.
    pub metrics_hidden: Vec<String>,
    /// Params corrected, nested as params are.
    pub params: Table,
    /// Whether the run is deleted.
    pub deleted: Option<bool>,
    /// The sha256 of the pointer file of the artifacts added, which bears this edit's id.
    pub artifacts: Option<String>,
    /// Whether it is of a format that this program knows; one that is not says only `by`, `at` and `after` here.
    pub understood: bool,
}

impl Edit {
    /// An edit that says nothing yet.
    pub fn new(by: String, at: Time, after: Vec<EditId>) -> Self {
        Self {
            by,
            at,
            after,
            name: None,
            experiment: None,
            tags_added: Vec::new(),
            tags_removed: Vec::new(),
            note: None,
            withdrawn: Vec::new(),
            reinstated: Vec::new(),
            verdict: None,
            metrics: IndexMap::new(),
            metrics_hidden: Vec::new(),
            params: Table::new(),
            deleted: None,
            artifacts: None,
            understood: true,
        }
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::new(self.by.clone(), self.at, self.after.clone())
    }

    /// The bytes of its file, and the id they give it.
    pub fn encode(&self) -> (EditId, Vec<u8>) {
        let bytes = text::write(&self.to_table()).into_bytes();
        (EditId::of(self.at, &bytes), bytes)
    }

    /// Reads the file named `id`; bytes that do not give that id are refused.
    pub fn decode(id: &EditId, bytes: &[u8]) -> Result<Self, Problem> {
        let table = text::read(bytes)?;
        let edit = Self::from_table(&table)?;
        match EditId::of(edit.at, bytes) == *id {
            true => Ok(edit),
            false => Err(Problem::new("does not hold the bytes that its name says")),
        }
    }

    fn to_table(&self) -> Table {
        let mut writer = Writer(Table::new());
        writer.put("format", FORMAT);
        writer.put("by", self.by.clone());
        writer.put("at", self.at.to_string());
        writer.list("after", self.after.iter().map(|id| id.as_str().into()));
        writer.some("name", self.name.clone());
        writer.some("experiment", self.experiment.clone());
        writer.list("tags_added", self.tags_added.iter().cloned().map(Value::Text));
        writer.list("tags_removed", self.tags_removed.iter().cloned().map(Value::Text));
        writer.some("note", self.note.clone());
        writer.list("withdrawn", self.withdrawn.iter().cloned().map(Value::Text));
        writer.list("reinstated", self.reinstated.iter().cloned().map(Value::Text));
        if let Some(verdict) = &self.verdict {
            writer.put("status", verdict.status.as_str());
            writer.list("attempts", verdict.attempts.iter().map(|id| id.as_str().into()));
        }
        writer.list("metrics_hidden", self.metrics_hidden.iter().cloned().map(Value::Text));
        writer.some("deleted", self.deleted);
        writer.some("artifacts", self.artifacts.clone());
        writer.table("params", self.params.clone());
        writer.table("metrics", self.metrics.iter().map(|(name, number)| (name.clone(), number.value())));
        writer.0
    }

    fn from_table(table: &Table) -> Result<Self, Problem> {
        let reader = Reader(table);
        let by = reader.text("by")?.ok_or_else(|| bad("by"))?;
        let at = reader.time("at")?.ok_or_else(|| bad("at"))?;
        let mut edit = Self::new(by, at, reader.ids("after", EditId::parse)?);
        if reader.int("format")?.is_some_and(|format| format > FORMAT) {
            edit.understood = false;
            return Ok(edit);
        }
        reader.format()?;
        edit.name = reader.text("name")?;
        edit.experiment = reader.text("experiment")?;
        edit.tags_added = reader.texts("tags_added")?;
        edit.tags_removed = reader.texts("tags_removed")?;
        edit.note = reader.text("note")?;
        edit.withdrawn = reader.texts("withdrawn")?;
        edit.reinstated = reader.texts("reinstated")?;
        edit.verdict = match reader.text("status")? {
            None => None,
            Some(text) => Some(Verdict {
                status: Status::parse(&text).ok_or_else(|| bad("status"))?,
                attempts: reader.ids("attempts", AttemptId::parse)?,
            }),
        };
        edit.metrics_hidden = reader.texts("metrics_hidden")?;
        edit.deleted = reader.bool("deleted")?;
        edit.artifacts = reader.sha256("artifacts")?;
        edit.params = reader.table("params")?.cloned().unwrap_or_default();
        edit.metrics = reader.each("metrics", |value| Number::of(value).ok_or_else(|| bad("metrics")))?;
        Ok(edit)
    }
}
