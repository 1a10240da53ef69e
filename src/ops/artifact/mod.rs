//! Artifacts of runs: which there are, where their bytes lie, and how they travel.
//!
//! Joins what runs name with what this clone and its store keep; runs themselves are sent and fetched by `ops::sync`.

mod beneath;
pub mod get;
pub mod moves;
mod name;
pub mod prune;
pub mod repair;
pub mod stores;
pub mod verify;

use std::collections::BTreeMap;

use anyhow::Result;

use crate::artifact::{self, ArtifactStore, Content, Presence, Purpose};
use crate::run::attempt::Number;
use crate::run::id::RunId;
use crate::run::value::Value;
use crate::run::{OwnedPointer, Run};
use crate::tracker::{Damaged, Tracker};

/// An artifact of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Held {
    /// The run.
    pub run: RunId,
    /// `<owner>/<n>`, by which it can be withdrawn.
    pub id: String,
    /// Its path, as the user names it.
    pub path: Value,
    /// The step it belongs to.
    pub step: Option<Number>,
    /// The key it was logged under.
    pub key: Option<String>,
    /// The name of its bytes.
    pub content: Content,
    /// Where those lie in the record, if they do.
    pub inline: Option<String>,
}

/// Where an artifact's bytes lie, as far as was looked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whereabouts {
    /// In the record itself.
    pub inline: bool,
    /// In this clone's store.
    pub here: bool,
    /// In the store elsewhere; nothing if it was not asked.
    pub store: Option<Presence>,
}

/// Artifacts, and the runs that could not be read.
#[derive(Default)]
pub struct Listed {
    /// In the order of the runs.
    pub artifacts: Vec<Held>,
    /// Named, so that nobody takes the list for whole.
    pub damaged: Vec<Damaged>,
}

/// The artifacts of these runs.
pub fn of_each(tracker: &Tracker, runs: &[Run]) -> Listed {
    let mut listed = Listed::default();
    for run in runs.iter().filter(|run| may_have_some(run)) {
        match tracker.load(&run.id) {
            Ok(run) => listed.artifacts.extend(of_run(&run)),
            Err(error) => listed.damaged.push(Damaged { id: run.id.clone(), error }),
        }
    }
    listed
}

/// The artifacts of a run that was read whole.
pub fn of_run(run: &Run) -> Vec<Held> {
    let held = |artifact: &OwnedPointer| {
        let pointer = &artifact.pointer;
        Held {
            run: run.id.clone(),
            id: artifact.id.clone(),
            path: pointer.path.clone(),
            step: pointer.step,
            key: pointer.key.clone(),
            content: Content { sha256: pointer.sha256.clone(), size: pointer.size },
            inline: pointer.inline.then(|| pointer.inline_path(&artifact.owner)),
        }
    };
    run.artifacts.iter().map(held).collect()
}

/// Whether facts or edits name any; a list need not be read to know.
fn may_have_some(run: &Run) -> bool {
    run.attempts.iter().any(|facts| facts.artifacts.is_some())
        || run.edits.iter().any(|(_, edit)| edit.artifacts.is_some())
}

/// Where the bytes of each lie; the store is asked if there is one.
pub fn whereabouts(
    tracker: &Tracker,
    artifacts: &[Held],
    store: Option<&dyn ArtifactStore>,
) -> Result<Vec<Whereabouts>> {
    let contents = distinct(artifacts.iter());
    let asked: BTreeMap<&Content, Presence> = match store {
        Some(store) => contents.iter().zip(artifact::look(store, &contents, Purpose::Take)?).collect(),
        None => BTreeMap::new(),
    };
    let of = |held: &Held| Whereabouts {
        inline: held.inline.is_some(),
        here: held.inline.is_none() && tracker.artifacts.has(&held.content),
        store: asked.get(&held.content).cloned(),
    };
    Ok(artifacts.iter().map(of).collect())
}

/// The bytes that are not in records, each once, the largest first: the last transfer is not to be the longest.
pub fn distinct<'a>(artifacts: impl Iterator<Item = &'a Held>) -> Vec<Content> {
    let mut contents: Vec<Content> =
        artifacts.filter(|held| held.inline.is_none()).map(|held| held.content.clone()).collect();
    contents.sort_by(|a, b| b.size.cmp(&a.size).then_with(|| a.sha256.cmp(&b.sha256)));
    contents.dedup();
    contents
}

/// How many bytes those are.
pub fn bytes_of<'a>(contents: impl IntoIterator<Item = &'a Content>) -> u64 {
    contents.into_iter().fold(0, |sum, content| sum.saturating_add(content.size))
}

/// The artifact's path as text; bytes that are none are replaced.
pub fn shown(path: &Value) -> String {
    match path {
        Value::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        text => text.as_text().unwrap_or_default().to_owned(),
    }
}
