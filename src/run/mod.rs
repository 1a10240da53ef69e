//! What a run is: its facts, the edits made to it, how copies join and what they come to.
//!
//! Pure: no I/O, no clock, no randomness, no Git; bytes and moments come in as arguments.

pub mod attempt;
pub mod edit;
pub mod fold;
pub mod id;
pub mod join;
pub mod json;
pub mod pointer;
pub mod record;
pub mod text;
pub mod value;

#[cfg(test)]
mod tests;

use indexmap::IndexMap;

use crate::run::attempt::{Code, Definition, Facts, Input, Status, Summary};
use crate::run::edit::Edit;
use crate::run::id::{EditId, RunId, Time};
use crate::run::pointer::Pointer;
use crate::run::value::{Table, Value};

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
