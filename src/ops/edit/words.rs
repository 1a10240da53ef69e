//! What words come to as an edit of one run: checked, and said in short.
//!
//! What is hidden, withdrawn, corrected or judged must be there; how an edit is laid down is `ops::edit`'s.

use anyhow::Result;

use crate::error::Problem;
use crate::human;
use crate::ops::edit::Words;
use crate::ops::record::key_value;
use crate::run::attempt::Status;
use crate::run::edit::{Edit, Verdict};
use crate::run::id::check_name;
use crate::run::value::Value;
use crate::run::{Run, fold, value};
use crate::tracker::Tracker;

/// The words that mean the same for every run.
pub fn compose(tracker: &Tracker, words: &Words) -> Result<Edit> {
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
pub fn aim(template: &Edit, run: &Run, words: &Words) -> Result<Edit> {
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
pub fn message(edit: &Edit) -> String {
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
