//! Lays a finished attempt down as files of its run's record, and commits them.
//!
//! Knows where an attempt's files lie, in a run of its own and in a keyed one; how they become objects is `store`'s.

use anyhow::{Context as _, Result};

use crate::error::Problem;
use crate::ops::record::harvest::Harvest;
use crate::run::attempt::{ArtifactTotal, Facts, Reader};
use crate::run::id::{AttemptId, RunId, Time, sha256};
use crate::run::record::{ENVIRONMENT, Files, Place, RUN, TOMBSTONE};
use crate::run::value::Table;
use crate::run::{pointer, text};
use crate::store::{Oid, RunWrite, Store};

/// The attempts of the run that are known now: what the next one comes after. A run that must not be written is refused.
pub fn known_attempts(store: &Store, id: &RunId) -> Result<Vec<AttemptId>> {
    let Some(tip) = store.run_tip(id)? else {
        return Ok(Vec::new());
    };
    let paths = store.paths(&tip)?;
    let first = identity(store, id, &tip, &paths)?.attempt;
    let attempt = |path: &String| match Place::parse(path) {
        Ok(Place::Attempt(id)) => Some(id),
        _ => None,
    };
    Ok(first.into_iter().chain(paths.iter().filter_map(attempt)).collect())
}

/// What `run.toml` says; a run that was purged, or is of a newer format, must not be written and is refused.
fn identity(store: &Store, id: &RunId, tip: &Oid, paths: &[String]) -> Result<Facts> {
    if paths.iter().any(|path| path == TOMBSTONE) {
        return Err(Problem::new(format!("run '{id}' was purged"))
            .hint("record it under another key")
            .into());
    }
    let files = store.read(tip, &|path| path == RUN)?;
    let bytes = files.get(RUN).ok_or_else(|| Problem::new(format!("run '{id}' has no '{RUN}'")))?;
    let table = text::read(bytes)?;
    // A newer format is refused here, with its hint.
    Reader(&table).format().with_context(|| format!("'{RUN}' of run '{id}'"))?;
    Facts::from_table(&table).with_context(|| format!("'{RUN}' of run '{id}'"))
}

/// What the record says of an attempt before it is written (again).
#[derive(Debug, Default, PartialEq)]
pub struct Standing {
    /// The run's tip; nothing if it has no record yet.
    pub tip: Option<Oid>,
    /// The attempt's facts as the record has them.
    pub facts: Option<Facts>,
    /// The paths of the record.
    pub paths: Vec<String>,
}

impl Standing {
    /// How the attempt of these facts stands now.
    pub fn of(store: &Store, facts: &Facts) -> Result<Self> {
        let Some(tip) = store.run_tip(&facts.id)? else {
            return Ok(Self::default());
        };
        let paths = store.paths(&tip)?;
        let first = identity(store, &facts.id, &tip, &paths)?;
        let place = facts_path(facts);
        let recorded = match place.as_str() {
            RUN => Some(first),
            _ => store
                .read(&tip, &|path| path == place)?
                .remove(&place)
                .map(|bytes| read(&bytes))
                .transpose()?,
        };
        if recorded.as_ref().is_some_and(|recorded| recorded.attempt != facts.attempt) {
            let message = format!("run '{}' is already there, with another attempt", facts.id);
            return Err(Problem::new(message).into());
        }
        Ok(Self { tip: Some(tip), facts: recorded, paths })
    }
}

fn read(bytes: &[u8]) -> Result<Facts> {
    Ok(Facts::from_table(&text::read(bytes)?)?)
}

/// What the facts say of the artifacts; nothing if there are none.
pub fn total(harvest: &Harvest) -> Option<ArtifactTotal> {
    (!harvest.pointers.is_empty()).then(|| ArtifactTotal {
        count: harvest.pointers.len() as u64,
        bytes: harvest.bytes(),
        sha256: sha256(&pointer::encode(&harvest.pointers)),
    })
}

/// Where the attempt's facts lie: the first of a run of its own opens the record, every other lies beside it.
fn facts_path(facts: &Facts) -> String {
    match &facts.attempt {
        Some(attempt) if !is_first(facts) => format!("attempts/{attempt}.toml"),
        _ => RUN.to_owned(),
    }
}

/// Where its environment lies.
pub fn environment_path(facts: &Facts) -> String {
    match &facts.attempt {
        Some(attempt) if !is_first(facts) => format!("attempts/{attempt}.environment.toml"),
        _ => ENVIRONMENT.to_owned(),
    }
}

/// Where the pointers to its artifacts lie.
pub fn pointers_path(facts: &Facts) -> String {
    let attempt = facts.attempt.as_ref().expect("a recorded attempt has an id");
    format!("artifacts/{attempt}-{}.toml", facts.revision)
}

fn is_first(facts: &Facts) -> bool {
    facts.key.is_none() && facts.after.is_empty()
}

/// The files that hold the attempt, without a keyed run's identity.
pub fn files(facts: &Facts, environment: &Table, harvest: &Harvest) -> Files {
    let attempt = facts.attempt.as_ref().expect("a recorded attempt has an id");
    let mut files = harvest.inline_files(attempt.as_str());
    if !harvest.pointers.is_empty() {
        files.insert(pointers_path(facts), pointer::encode(&harvest.pointers));
    }
    files.insert(facts_path(facts), text::write(&facts.to_table()).into_bytes());
    files.insert(environment_path(facts), text::write(environment).into_bytes());
    files
}

/// Commits the files over the tip that they were made for; one that moved meanwhile is the error [`crate::store::Moved`].
pub fn commit(
    store: &Store,
    facts: &Facts,
    standing: &Standing,
    files: &Files,
    message: &str,
    at: Time,
) -> Result<()> {
    if standing.tip.is_none() && facts.key.is_none() && !is_first(facts) {
        let message = format!("run '{}', which this attempt resumes, is not here any more", facts.id);
        return Err(Problem::new(message).hint("fetch it, then run `git xtrack recover`").into());
    }
    let mut write = RunWrite { id: &facts.id, expected: standing.tip.clone(), files, message, at };
    let opened;
    if let (None, Some(key)) = (&standing.tip, &facts.key) {
        let identity = Facts::keyed(facts.id.clone(), key.clone()).to_table();
        let identity = (RUN.to_owned(), text::write(&identity).into_bytes());
        opened = files.clone().into_iter().chain([identity]).collect();
        write.files = &opened;
    }
    store.write_run(&write).map(|_| ())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::run::attempt::FORMAT;
    use crate::run::fold::fold;

    fn no_environment() -> Table {
        Table::from([("format".to_owned(), FORMAT.into())])
    }

    fn facts(key: Option<&str>) -> Facts {
        let id = key.map_or_else(|| RunId::new(Time(0), [1; 8]), RunId::keyed);
        let facts = Facts::new(id, AttemptId::new([2; 8]), Time(0));
        Facts { key: key.map(str::to_owned), ..facts }
    }

    #[test]
    fn a_run_of_its_own_holds_its_facts_at_the_top() {
        let files = files(&facts(None), &no_environment(), &Harvest::default());
        assert_eq!(files.keys().collect::<Vec<_>>(), [ENVIRONMENT, RUN]);
        fold(&facts(None).id, &files).unwrap();
    }

    #[test]
    fn an_attempt_of_a_keyed_run_lies_beside_the_others() {
        let facts = facts(Some("job-7"));
        let files = files(&facts, &no_environment(), &Harvest::default());
        let attempt = facts.attempt.unwrap();
        let paths = [format!("attempts/{attempt}.environment.toml"), format!("attempts/{attempt}.toml")];
        assert!(files.keys().eq(paths.iter()));
    }
}
