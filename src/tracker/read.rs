//! One run's record, read and folded, and what is in progress laid over it.
//!
//! Knows which files a list needs and which a whole run; not which runs there are.

use anyhow::Result;

use crate::index::Damage;
use crate::journal::folder::LiveFolder;
use crate::journal::replay;
use crate::run::attempt::Facts;
use crate::run::id::{AttemptId, RunId};
use crate::run::record::{ENVIRONMENT, Files, Place, RUN};
use crate::run::value::overlay;
use crate::run::{Run, fold, join, text};
use crate::store::{Oid, Store};

/// How much of a record is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// What lists show and questions ask: all but attempts, edits, environment and artifacts, which are empty then.
    Listed,
    /// All facts and edits.
    Brief,
    /// Environment and artifact pointers too.
    Whole,
}

/// Reads a run of which lists need little; whether a failure will last is told apart.
pub(super) fn read_brief(store: &Store, id: &RunId, tip: &Oid) -> Result<Run, Damage> {
    let told = |error: &anyhow::Error, is_lasting| Damage { why: format!("{error:#}"), is_lasting };
    let files =
        store.read(tip, &|path| is_wanted(path, Level::Brief)).map_err(|error| told(&error, false))?;
    let folded = join::normalise(&files).and_then(|files| fold::fold(id, &files));
    folded.map_err(|problem| told(&problem.into(), true))
}

pub(super) fn load(store: &Store, id: &RunId, tip: &Oid, level: Level) -> Result<Run> {
    Ok(fold::fold(id, &read(store, tip, level)?)?)
}

pub(super) fn read(store: &Store, tip: &Oid, level: Level) -> Result<Files> {
    Ok(join::normalise(&store.read(tip, &|path| is_wanted(path, level))?)?)
}

/// The record as it would be if what is in progress were recorded as it now stands.
pub(super) fn with_live(mut files: Files, live: &[LiveFolder]) -> Result<Files> {
    for folder in live {
        let Some(start) = folder.start()?.filter(|_| !folder.is_recovered()) else {
            continue;
        };
        let mut facts = start.facts;
        lay_over(&mut facts, replay::glimpse(&folder.path)?);
        let attempt = facts.attempt.clone().expect("facts that were read as an attempt's have its id");
        let is_first = facts.key.is_none() && files.get(RUN).is_none_or(|first| is_attempt(first, &attempt));
        let (facts_path, environment_path) = match is_first {
            true => (RUN.to_owned(), ENVIRONMENT.to_owned()),
            false => (format!("attempts/{attempt}.toml"), format!("attempts/{attempt}.environment.toml")),
        };
        if let Some(key) = facts.key.clone().filter(|_| !files.contains_key(RUN)) {
            let identity = Facts::keyed(facts.id.clone(), key);
            files.insert(RUN.to_owned(), text::write(&identity.to_table()).into_bytes());
        }
        if let Some(recorded) = files.get(&facts_path) {
            keep_recorded(&mut facts, Facts::from_table(&text::read(recorded)?)?);
        }
        files.insert(facts_path, text::write(&facts.to_table()).into_bytes());
        files.insert(environment_path, text::write(&folder.environment()?).into_bytes());
        files.extend(folder.edits()?);
    }
    Ok(files)
}

fn is_attempt(facts: &[u8], attempt: &AttemptId) -> bool {
    let facts = text::read(facts).and_then(|table| Facts::from_table(&table));
    facts.is_ok_and(|facts| facts.attempt.as_ref() == Some(attempt))
}

/// What only a checkpoint knows, or the recorder that left its command behind.
fn keep_recorded(facts: &mut Facts, recorded: Facts) {
    (facts.revision, facts.artifacts) = (recorded.revision, recorded.artifacts);
    for (name, metric) in recorded.metrics {
        facts.metrics.entry(name).or_insert(metric);
    }
}

/// What was logged so far, over what was known at the start.
fn lay_over(facts: &mut Facts, logged: replay::Replay) {
    facts.name = logged.name.or(facts.name.take());
    facts.experiment = logged.experiment.or(facts.experiment.take());
    facts.group = logged.group.or(facts.group.take());
    facts.tags.extend(logged.tags);
    for note in logged.notes {
        if !facts.notes.contains(&note) {
            facts.notes.push(note);
        }
    }
    let given = facts.params.clone();
    for table in [&logged.params_found, &given, &logged.params] {
        overlay(&mut facts.params, table);
    }
    facts.metrics.extend(logged.metrics);
    facts.definitions.extend(logged.definitions);
}

fn is_wanted(path: &str, level: Level) -> bool {
    match Place::parse(path) {
        // An unknown path is loaded, so that the fold refuses it.
        Err(_) => true,
        Ok(Place::Run | Place::Attempt(_) | Place::Edit(_) | Place::Tombstone | Place::Disputed { .. }) => {
            true
        }
        Ok(Place::Environment(_) | Place::AttemptArtifacts(_) | Place::EditArtifacts(_)) => {
            level == Level::Whole
        }
        Ok(_) => false,
    }
}
