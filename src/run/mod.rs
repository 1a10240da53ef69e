//! What a run is: its facts, the edits made to it, how copies join and what they come to.
//!
//! Pure: no I/O, no clock, no randomness, no Git; bytes and moments come in as arguments.

pub mod attempt;
pub mod edit;
pub mod fingerprint;
pub mod fold;
pub mod id;
pub mod join;
pub mod json;
pub mod pointer;
pub mod record;
pub mod text;
pub mod value;

#[cfg(test)]
pub(crate) mod tests;

use indexmap::IndexMap;

use crate::run::attempt::{Code, Definition, Facts, Goal, Input, Number, Status, Summary};
use crate::run::edit::Edit;
use crate::run::id::{EditId, RunId, Time};
use crate::run::pointer::Pointer;
use crate::run::value::{Table, Value};

/// The tag of the run that the others of its experiment are measured by.
pub const BASELINE: &str = "baseline";
/// The tag of runs that stay on top of lists.
pub const PIN: &str = "pin";

/// Something said of a run, and by whom.
#[derive(Debug, Clone, PartialEq)]
pub struct Note {
    /// `<owner>/<n>`, by which it can be withdrawn.
    pub id: String,
    /// What was said.
    pub text: String,
    /// Who said it.
    pub by: Option<String>,
    /// When.
    pub at: Option<Time>,
}

/// An artifact and who brought it.
#[derive(Debug, Clone, PartialEq)]
pub struct OwnedPointer {
    /// `<owner>/<n>`, by which it can be withdrawn.
    pub id: String,
    /// The attempt or edit that brought it.
    pub owner: String,
    /// What it is.
    pub pointer: Pointer,
}

/// A purged run's stone.
#[derive(Debug, Clone, PartialEq)]
pub struct Tombstone {
    /// Who purged it.
    pub by: String,
    /// When.
    pub at: Time,
    /// Why.
    pub why: String,
}

/// A run as it now stands: its attempts and all edits, folded.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// Its key, if it is a keyed run.
    pub key: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// The experiment it belongs to.
    pub experiment: Option<String>,
    /// How it stands.
    pub status: Status,
    /// When its first attempt began.
    pub started: Option<Time>,
    /// When its last attempt ended; absent while one runs.
    pub ended: Option<Time>,
    /// The last attempt's exit code.
    pub exit_code: Option<i64>,
    /// The signal that ended the last attempt.
    pub signal: Option<String>,
    /// Who ran the last attempt.
    pub user: Option<String>,
    /// Where.
    pub host: Option<String>,
    /// The last attempt's command.
    pub command: Vec<Value>,
    /// Where it ran, from the top.
    pub cwd: Option<Value>,
    /// The last attempt's code.
    pub code: Option<Code>,
    /// What went in, corrections applied.
    pub params: Table,
    /// What came out, without the hidden ones.
    pub metrics: IndexMap<String, Summary>,
    /// What is said of metrics.
    pub definitions: IndexMap<String, Definition>,
    /// Its tags, in the order they were given.
    pub tags: Vec<String>,
    /// Its notes, without the withdrawn ones.
    pub notes: Vec<Note>,
    /// What was read.
    pub inputs: Vec<Input>,
    /// What was produced, without what was withdrawn; empty if the pointers were not loaded.
    pub artifacts: Vec<OwnedPointer>,
    /// Its attempts, in order.
    pub attempts: Vec<Facts>,
    /// Its edits, in order.
    pub edits: Vec<(EditId, Edit)>,
    /// The run it belongs under.
    pub parent: Option<String>,
    /// The group it belongs to.
    pub group: Option<String>,
    /// Whether it is deleted.
    pub deleted: bool,
    /// The last attempt's environment; absent if it was not loaded.
    pub environment: Option<Table>,
    /// The paths for which two different blobs are kept.
    pub disputed: Vec<String>,
    /// Its tombstone, if it was purged; then nothing else is known of it.
    pub tombstone: Option<Tombstone>,
}

impl Run {
    /// The number that stands for a metric: the last, unless its definition says another.
    pub fn metric(&self, name: &str) -> Option<Number> {
        let summary = self.metrics.get(name)?;
        let which = self.definitions.get(name).and_then(|definition| definition.summary.as_deref());
        Some(match which {
            Some("min") => summary.min,
            Some("max") => summary.max,
            _ => summary.last,
        })
    }

    /// Whether less or more of a metric is better, where the run says so.
    pub fn goal(&self, name: &str) -> Option<Goal> {
        self.definitions.get(name).and_then(|definition| definition.goal)
    }

    /// The param with this dotted name ([`value::dotted`]); an empty dict and a list are params, a filled dict is none.
    pub fn param(&self, name: &str) -> Option<&Value> {
        // Only names with quoted segments cost a walk over all params.
        if name.contains('"') {
            let leaves = value::named_leaves(&self.params);
            return leaves.into_iter().find(|(known, _)| known == name).map(|(_, given)| given);
        }
        let mut segments = name.split('.');
        let first = self.params.get(segments.next()?)?;
        let found = segments.try_fold(first, |value, segment| value.as_table()?.get(segment))?;
        found.as_table().is_none_or(|table| table.is_empty()).then_some(found)
    }

    /// Whether it has this tag, whole or as the key of `key=value`.
    pub fn has_tag(&self, tag: &str) -> bool {
        self.tags.iter().any(|known| is_tag(known, tag))
    }

    /// How long it took, in seconds, from the beginning of its first attempt to the end of its last.
    pub fn duration(&self) -> Option<f64> {
        let (started, ended) = self.started.zip(self.ended)?;
        Some((ended.0 - started.0) as f64 / 1e6)
    }
}

/// Whether a run's tag is the one meant, whole or by the key of `key=value`.
pub fn is_tag(tag: &str, meant: &str) -> bool {
    tag == meant || tag.split_once('=').is_some_and(|(key, _)| key == meant)
}
