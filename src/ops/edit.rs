//! Edits: what people say of a run afterwards, checked and appended to its record.
//!
//! Knows which words make sense for which run; how they are written is `run::edit`, how they are laid down `store`.

use std::io;
use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::error::Problem;
use crate::human;
use crate::ops::record::harvest;
use crate::ops::record::key_value;
use crate::run::attempt::Status;
use crate::run::edit::{Edit, Verdict};
use crate::run::id::{EditId, RunId, check_name};
use crate::run::record::{Files, edit_path};
use crate::run::value::Value;
use crate::run::{Run, fold, pointer, value};
use crate::store::{Moved, RunWrite};
use crate::tracker::Tracker;

/// How often an edit is tried again when another one came between.
const TRIES_MAX: usize = 50;

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

/// Appends the words to a run's record. Nothing is written if they change nothing.
pub fn edit(tracker: &Tracker, id: &RunId, words: &Words) -> Result<Option<EditId>> {
    let template = compose(tracker, words)?;
    let harvest = harvest::artifacts(tracker, &words.artifacts)?;
    for _ in 0..TRIES_MAX {
        let tip = tracker.store.run_tip(id)?;
        let run = tracker.load(id).with_context(|| format!("cannot edit run '{id}'"))?;
        let mut edit = aim(&template, &run, words)?;
        edit.after = fold::heads(&run.edits);
        let mut files = Files::new();
        if !harvest.pointers.is_empty() {
            let bytes = pointer::encode(&harvest.pointers);
            edit.artifacts = Some(crate::run::id::sha256(&bytes));
            let (edit_id, _) = edit.encode();
            files.insert(format!("artifacts/{edit_id}.toml"), bytes);
            files.extend(harvest.inline_files(edit_id.as_str()));
        }
        if edit.is_empty() {
            return Ok(None);
        }
        let (edit_id, bytes) = edit.encode();
        files.insert(edit_path(&edit_id), bytes);
        let Some(tip) = tip else {
            match leave(tracker, id, &files)? {
                true => return Ok(Some(edit_id)),
                // Its record has just been written, or will be in a moment.
                false => continue,
            }
        };
        let message = message(&edit);
        let write = RunWrite { id, expected: Some(tip), files: &files, message: &message, at: edit.at };
        match tracker.store.write_run(&write) {
            Ok(_) => return Ok(Some(edit_id)),
            Err(error) if error.is::<Moved>() => continue,
            Err(error) => return Err(error).with_context(|| format!("cannot edit run '{id}'")),
        }
    }
    Err(Problem::new(format!("cannot edit run '{id}': it is being changed all the time"))
        .hint("try again")
        .into())
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

/// The words that mean the same for every run.
fn compose(tracker: &Tracker, words: &Words) -> Result<Edit> {
    let mut edit = Edit::new(tracker.store.identity().to_string(), tracker.now(), Vec::new());
    for tag in &words.tags {
        let (list, tag) = match (tag.strip_prefix('+'), tag.strip_prefix('-')) {
            (Some(tag), _) => (&mut edit.tags_added, tag),
            (None, Some(tag)) => (&mut edit.tags_removed, tag),
            (None, None) => (&mut edit.tags_added, tag.as_str()),
        };
        check_name("tag", tag)?;
        if tag.starts_with(['+', '-']) {
            return Err(Problem::usage(format!("cannot use {tag:?} as a tag: it begins with a sign")).into());
        }
        list.push(tag.to_owned());
    }
    if let Some(name) = &words.name {
        check_name("name", name)?;
    }
    if let Some(experiment) = &words.experiment {
        check_name("experiment", experiment)?;
    }
    if words.note.as_deref().is_some_and(|note| note.trim().is_empty()) {
        return Err(Problem::usage("a note without text says nothing").into());
    }
    edit.note.clone_from(&words.note);
    edit.name.clone_from(&words.name);
    edit.experiment.clone_from(&words.experiment);
    edit.deleted = words.deleted;
    for metric in &words.metrics {
        let (name, number) = key_value::parse_metric(metric)?;
        edit.metrics.insert(name, number);
    }
    for param in &words.params {
        let (path, value) = key_value::parse_param(param)?;
        key_value::insert(&mut edit.params, &path, value)?;
    }
    Ok(edit)
}

/// The edit for one run: what is hidden, withdrawn, corrected or judged must be there.
fn aim(template: &Edit, run: &Run, words: &Words) -> Result<Edit> {
    let mut edit = template.clone();
    if run.tombstone.is_some() {
        return Err(Problem::new(format!("run '{}' was purged: nothing can be said of it", run.id)).into());
    }
    for metric in &words.metrics_hidden {
        check_known("metric", metric, run.metrics.keys().map(String::as_str))?;
        edit.metrics_hidden.push(metric.clone());
    }
    for thing in &words.withdrawn {
        let notes = run.notes.iter().map(|note| note.id.as_str());
        check_known(
            "note or artifact",
            thing,
            notes.chain(run.artifacts.iter().map(|artifact| artifact.id.as_str())),
        )?;
        edit.withdrawn.push(thing.clone());
    }
    for thing in &words.reinstated {
        let withdrawn = run.edits.iter().flat_map(|(_, edit)| &edit.withdrawn).map(String::as_str);
        check_known("withdrawn note or artifact", thing, withdrawn)?;
        edit.reinstated.push(thing.clone());
    }
    for (path, _) in value::leaves(&edit.params) {
        check_param(run, &path)?;
    }
    if let Some(word) = &words.status {
        let status = Status::parse(&word.to_lowercase()).ok_or_else(|| unknown_status(word))?;
        let attempts =
            fold::open_ends(&run.attempts).into_iter().filter_map(|facts| facts.attempt.clone()).collect();
        edit.verdict = Some(Verdict { status, attempts });
    }
    if edit.deleted == Some(run.deleted) {
        edit.deleted = None;
    }
    Ok(edit)
}

fn check_known<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str>) -> Result<()> {
    let known: Vec<_> = known.collect();
    if known.contains(&name) {
        return Ok(());
    }
    let problem = Problem::usage(format!("the run has no {what} {name:?}"));
    Err(match human::nearest(name, known.iter().copied()) {
        Some(nearest) => problem.hint(format!("did you mean '{nearest}'?")),
        None => problem.hint("`git xtrack show RUN` lists what it has"),
    }
    .into())
}

/// A correction of what was never given is a mistyped key.
fn check_param(run: &Run, path: &[&str]) -> Result<()> {
    let mut table = Some(&run.params);
    for key in path {
        match table.and_then(|table| table.get(*key)) {
            Some(value) => table = value.as_table(),
            None => {
                let leaves = value::leaves(&run.params);
                let known: Vec<String> = leaves.iter().map(|(path, _)| path.join(".")).collect();
                return check_known("param", &path.join("."), known.iter().map(String::as_str));
            }
        }
    }
    Ok(())
}

fn unknown_status(word: &str) -> Problem {
    let words: Vec<_> = Status::ALL.iter().map(|status| status.as_str()).collect();
    Problem::usage(format!("{word:?} is no status")).hint(format!("use one of {}", words.join(", ")))
}

/// The commit message: what the edit says, in short.
fn message(edit: &Edit) -> String {
    let mut parts = Vec::new();
    let mut part = |says: bool, text: String| {
        if says {
            parts.push(text);
        }
    };
    part(edit.deleted == Some(true), "delete".to_owned());
    part(edit.deleted == Some(false), "restore".to_owned());
    part(!edit.tags_added.is_empty(), format!("tag {}", edit.tags_added.join(", ")));
    part(!edit.tags_removed.is_empty(), format!("untag {}", edit.tags_removed.join(", ")));
    part(edit.note.is_some(), "add a note".to_owned());
    part(edit.name.is_some(), format!("rename to {}", edit.name.as_deref().unwrap_or_default()));
    part(
        edit.experiment.is_some(),
        format!("move to experiment {}", edit.experiment.as_deref().unwrap_or_default()),
    );
    part(
        !edit.metrics.is_empty(),
        format!("set {}", edit.metrics.keys().cloned().collect::<Vec<_>>().join(", ")),
    );
    part(!edit.metrics_hidden.is_empty(), format!("hide {}", edit.metrics_hidden.join(", ")));
    part(!edit.params.is_empty(), format!("correct {}", corrected(&edit.params)));
    part(
        edit.verdict.is_some(),
        format!("call it {}", edit.verdict.as_ref().map_or("", |v| v.status.as_str())),
    );
    part(edit.artifacts.is_some(), "add artifacts".to_owned());
    part(!edit.withdrawn.is_empty(), "withdraw".to_owned());
    part(!edit.reinstated.is_empty(), "take a withdrawal back".to_owned());
    format!("xtrack: {}\n", parts.join("; "))
}

fn corrected(params: &indexmap::IndexMap<String, Value>) -> String {
    value::leaves(params).iter().map(|(path, _)| path.join(".")).collect::<Vec<_>>().join(", ")
}
