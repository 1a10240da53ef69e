//! What to say of a run so that words of an operation no longer count, where others have been said since.
//!
//! Gives commands to be typed; whether they are typed is for a person to decide, since somebody may rely on those words by now.

use anyhow::Result;

use crate::run::Run;
use crate::run::edit::Edit;
use crate::run::id::{EditId, RunId};
use crate::run::text;
use crate::run::value::{Value, named_leaves};
use crate::store::Oid;
use crate::tracker::{Level, Tracker};

/// The commands that say the opposite of what came to a run between two tips.
pub fn opposite(tracker: &Tracker, id: &RunId, before: &Oid, after: &Oid) -> Result<Vec<String>> {
    let earlier = tracker.load_at(id, before, Level::Whole)?;
    let later = tracker.load_at(id, after, Level::Whole)?;
    let is_known = |edit: &EditId| earlier.edits.iter().any(|(known, _)| known == edit);
    let mut commands = Vec::new();
    for (edit_id, edit) in later.edits.iter().filter(|(edit_id, _)| !is_known(edit_id)) {
        let options = options(&earlier, &later, edit_id, edit);
        if !options.is_empty() {
            commands.push(format!("git xtrack edit {} {}", id.suffix(), options.join(" ")));
        }
        commands.extend(edit.deleted.map(|deleted| match deleted {
            true => format!("git xtrack restore {}", id.suffix()),
            false => format!("git xtrack rm {}", id.suffix()),
        }));
    }
    Ok(commands)
}

/// The options of `edit` that take back what an edit says.
fn options(earlier: &Run, later: &Run, edit_id: &EditId, edit: &Edit) -> Vec<String> {
    let mut options = Vec::new();
    let mut say =
        |option: &str, value: String| options.push(format!("--{option}={}", shell_words::quote(&value)));
    for tag in edit.tags_added.iter().filter(|tag| !earlier.tags.contains(tag)) {
        say("tag", format!("-{tag}"));
    }
    for tag in edit.tags_removed.iter().filter(|tag| earlier.tags.contains(tag)) {
        say("tag", format!("+{tag}"));
    }
    if edit.note.is_some() {
        say("withdraw", format!("{edit_id}/1"));
    }
    let added = later.artifacts.iter().filter(|artifact| artifact.owner == edit_id.as_str());
    added.for_each(|artifact| say("withdraw", artifact.id.clone()));
    edit.withdrawn.iter().for_each(|thing| say("reinstate", thing.clone()));
    edit.reinstated.iter().for_each(|thing| say("withdraw", thing.clone()));
    if let (Some(_), Some(name)) = (&edit.name, &earlier.name) {
        say("name", name.clone());
    }
    if let (Some(_), Some(experiment)) = (&edit.experiment, &earlier.experiment) {
        say("experiment", experiment.clone());
    }
    if edit.verdict.is_some() {
        say("status", earlier.status.as_str().to_owned());
    }
    for metric in edit.metrics.keys().chain(&edit.metrics_hidden) {
        match earlier.metric(metric) {
            Some(number) => say("metric", format!("{metric}={}", text::write_value(&number.value()))),
            None => say("hide-metric", metric.clone()),
        }
    }
    for (name, _) in named_leaves(&edit.params) {
        if let Some(given) = earlier.param(&name).and_then(typed) {
            say("correct", format!("{name}={given}"));
        }
    }
    options
}

/// A value as it is typed after `--correct`; what cannot be typed there is left to the reader.
fn typed(value: &Value) -> Option<String> {
    match value {
        Value::Text(given) => Some(given.clone()),
        Value::Int(_) | Value::Float(_) | Value::Bool(_) => Some(text::write_value(value)),
        _ => None,
    }
}
