//! Edits: what people say of runs afterwards, checked and appended to their records, one run or ten thousand.
//!
//! Knows how edits land where others write too; which words make sense for which run is `words`', how they are written
//! `run::edit`'s, how they are laid down the store's.

mod words;

use std::io;
use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::error::Problem;
use crate::ops::record::harvest::{self, Harvest};
use crate::run::edit::Edit;
use crate::run::id::{EditId, RunId, sha256};
use crate::run::record::{Files, edit_path};
use crate::run::{fold, pointer};
use crate::store::{Moved, Oid, RunWrite};
use crate::tracker::Tracker;

/// How often an edit is tried again when another one came between.
const TRIES_MAX: usize = 50;
/// How many runs are written together.
const BATCH: usize = 4096;

/// What is to be said.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Words {
    /// Tags, `+tag` or `tag` to add, `-tag` to remove.
    pub tags: Vec<String>,
    /// A note to add.
    pub note: Option<String>,
    /// Notes and artifacts to withdraw, each by its id.
    pub withdrawn: Vec<String>,
    /// Withdrawals to take back, each by the id of what was withdrawn.
    pub reinstated: Vec<String>,
    /// The new name.
    pub name: Option<String>,
    /// The new experiment.
    pub experiment: Option<String>,
    /// Metrics to set, `K=V`.
    pub metrics: Vec<String>,
    /// Metrics to hide.
    pub metrics_hidden: Vec<String>,
    /// Params to correct, `K=V`.
    pub params: Vec<String>,
    /// Files to add as artifacts, paths or globs.
    pub artifacts: Vec<PathBuf>,
    /// The status it is to have.
    pub status: Option<String>,
    /// Whether it is deleted.
    pub deleted: Option<bool>,
}

/// What became of the words for one run.
#[derive(Debug)]
pub struct Edited {
    /// The run.
    pub id: RunId,
    /// The edit; nothing if the words change nothing; or why they could not be said.
    pub outcome: Result<Option<EditId>>,
}

/// Appends the words to a run's record. Nothing is written if they change nothing.
pub fn edit(tracker: &Tracker, id: &RunId, words: &Words) -> Result<Option<EditId>> {
    Saying::new(tracker, words)?.edit(id)
}

/// Appends the words to each run's record, many runs at a time; one that fails does not stop the others.
pub fn edit_each(tracker: &Tracker, ids: &[RunId], words: &Words) -> Result<Vec<Edited>> {
    let saying = Saying::new(tracker, words)?;
    let mut edited = Vec::new();
    for batch in ids.chunks(saying.batch()) {
        (tracker.progress())(edited.len(), ids.len());
        edited.extend(saying.edit_batch(batch));
    }
    (tracker.progress())(ids.len(), ids.len());
    Ok(edited)
}

/// What is to be said of any number of runs, made ready once.
struct Saying<'a> {
    tracker: &'a Tracker,
    words: &'a Words,
    template: Edit,
    harvest: Harvest,
}

/// An edit of one run.
enum Ready {
    /// The words change nothing.
    Nothing,
    /// The run has no record yet, and they were left for it.
    Left(EditId),
    /// The run came or went just now: it is to be looked at again.
    Again,
    /// To be written over the tip.
    Write { edit: EditId, tip: Oid, files: Files, message: String },
}

impl<'a> Saying<'a> {
    fn new(tracker: &'a Tracker, words: &'a Words) -> Result<Self> {
        let template = words::compose(tracker, words)?;
        let harvest = harvest::artifacts(tracker, &words.artifacts)?;
        Ok(Self { tracker, words, template, harvest })
    }

    /// How many runs are written together: the bytes of artifacts are not held many times.
    fn batch(&self) -> usize {
        if self.harvest.pointers.is_empty() { BATCH } else { 1 }
    }

    fn edit_batch(&self, ids: &[RunId]) -> Vec<Edited> {
        let ready: Vec<Result<Ready>> = ids.iter().map(|id| self.prepare(id)).collect();
        let writes: Vec<RunWrite<'_>> = ids
            .iter()
            .zip(&ready)
            .filter_map(|(id, ready)| ready.as_ref().ok().and_then(|ready| self.write(id, ready)))
            .collect();
        let mut written = self.tracker.store.write_runs(&writes).into_iter();
        let settle = |(id, ready): (&RunId, Result<Ready>)| {
            let outcome = match ready {
                Err(error) => Err(error),
                Ok(Ready::Nothing) => Ok(None),
                Ok(Ready::Left(edit)) => Ok(Some(edit)),
                Ok(Ready::Again) => self.edit(id),
                Ok(Ready::Write { edit, .. }) => match written.next().expect("each write has an outcome") {
                    Ok(_) => Ok(Some(edit)),
                    Err(error) if error.is::<Moved>() => self.edit(id),
                    Err(error) => Err(error.context(cannot_edit(id))),
                },
            };
            Edited { id: id.clone(), outcome }
        };
        ids.iter().zip(ready).map(settle).collect()
    }

    fn edit(&self, id: &RunId) -> Result<Option<EditId>> {
        for _ in 0..TRIES_MAX {
            let ready = self.prepare(id)?;
            match self.write(id, &ready).map(|write| self.tracker.store.write_run(&write)) {
                Some(Err(error)) if error.is::<Moved>() => continue,
                Some(Err(error)) => return Err(error.context(cannot_edit(id))),
                Some(Ok(_)) | None => {}
            }
            match ready {
                Ready::Nothing => return Ok(None),
                Ready::Left(edit) | Ready::Write { edit, .. } => return Ok(Some(edit)),
                Ready::Again => {}
            }
        }
        Err(Problem::new(format!("{}: it is being changed all the time", cannot_edit(id)))
            .hint("try again")
            .into())
    }

    fn write<'b>(&self, id: &'b RunId, ready: &'b Ready) -> Option<RunWrite<'b>> {
        match ready {
            Ready::Write { tip, files, message, .. } => {
                Some(RunWrite { id, expected: Some(tip.clone()), files, message, at: self.template.at })
            }
            _ => None,
        }
    }

    /// The edit of the run as it now stands.
    fn prepare(&self, id: &RunId) -> Result<Ready> {
        let tip = self.tracker.store.run_tip(id)?;
        let run = self.tracker.load(id).with_context(|| cannot_edit(id))?;
        let mut edit = words::aim(&self.template, &run, self.words)?;
        edit.after = fold::heads(&run.edits);
        let mut files = Files::new();
        if !self.harvest.pointers.is_empty() {
            let bytes = pointer::encode(&self.harvest.pointers);
            edit.artifacts = Some(sha256(&bytes));
            let (edit_id, _) = edit.encode();
            files.insert(format!("artifacts/{edit_id}.toml"), bytes);
            files.extend(self.harvest.inline_files(edit_id.as_str()));
        }
        if edit.is_empty() {
            return Ok(Ready::Nothing);
        }
        let (edit_id, bytes) = edit.encode();
        files.insert(edit_path(&edit_id), bytes);
        match tip {
            Some(tip) => Ok(Ready::Write { edit: edit_id, tip, files, message: words::message(&edit) }),
            None if leave(self.tracker, id, &files)? => Ok(Ready::Left(edit_id)),
            // What was fetched becomes ours with the first word that is said of it.
            None if self.tracker.store.take_fetched(id)? => Ok(Ready::Again),
            // Its record has just been written, or will be in a moment.
            None => Ok(Ready::Again),
        }
    }
}

fn cannot_edit(id: &RunId) -> String {
    format!("cannot edit run '{id}'")
}

/// Leaves the edit in the folder of a run that has no record yet, with which it will land. Whether it is there: who
/// takes the folder away looks for edits once more afterwards, so that one that is there is never lost.
fn leave(tracker: &Tracker, id: &RunId, files: &Files) -> Result<bool> {
    let Some(folder) = tracker.live_of(id).into_iter().next() else {
        return Ok(false);
    };
    match folder.add_edit(files) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound && !folder.is_there() => Ok(false),
        Err(error) => Err(error).with_context(|| format!("cannot edit run '{id}', which is in progress")),
    }
}
