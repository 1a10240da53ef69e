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
use crate::store::{Moved, RunWrite, Store};

/// How often a keyed run's attempt is tried again when another one came between.
const TRIES_MAX: usize = 200;

/// The attempts of the run that are known now: what the next one comes after. A run that must not be written is refused.
pub fn known_attempts(store: &Store, id: &RunId) -> Result<Vec<AttemptId>> {
    let Some(tip) = store.run_tip(id)? else {
        return Ok(Vec::new());
    };
    let paths = store.paths(&tip)?;
    if paths.iter().any(|path| path == TOMBSTONE) {
        return Err(Problem::new(format!("run '{id}' was purged")).hint("use another key").into());
    }
    let identity = store.read(&tip, &|path| path == RUN)?;
    let identity = identity.get(RUN).ok_or_else(|| Problem::new(format!("run '{id}' has no '{RUN}'")))?;
    // A newer format is refused here, with its hint.
    Reader(&text::read(identity)?).format().with_context(|| format!("'{RUN}' of run '{id}'"))?;
    let attempt = |path: &String| match Place::parse(path) {
        Ok(Place::Attempt(id)) => Some(id),
        _ => None,
    };
    Ok(paths.iter().filter_map(attempt).collect())
}

/// What the facts say of the artifacts; nothing if there are none.
pub fn total(harvest: &Harvest) -> Option<ArtifactTotal> {
    (!harvest.pointers.is_empty()).then(|| ArtifactTotal {
        count: harvest.pointers.len() as u64,
        bytes: harvest.bytes(),
        sha256: sha256(&pointer::encode(&harvest.pointers)),
    })
}

/// The files that hold the attempt, without a keyed run's identity.
pub fn files(facts: &Facts, environment: &Table, harvest: &Harvest) -> Files {
    let attempt = facts.attempt.as_ref().expect("a recorded attempt has an id");
    let (facts_path, environment_path) = match facts.key {
        Some(_) => (format!("attempts/{attempt}.toml"), format!("attempts/{attempt}.environment.toml")),
        None => (RUN.to_owned(), ENVIRONMENT.to_owned()),
    };
    let mut files = harvest.inline_files(attempt.as_str());
    if !harvest.pointers.is_empty() {
        files.insert(
            format!("artifacts/{attempt}-{}.toml", facts.revision),
            pointer::encode(&harvest.pointers),
        );
    }
    files.insert(facts_path, text::write(&facts.to_table()).into_bytes());
    files.insert(environment_path, text::write(environment).into_bytes());
    files
}

/// Commits the files; an attempt of a keyed run goes on top of what is there.
pub fn commit(store: &Store, facts: &Facts, files: Files, message: &str, at: Time) -> Result<()> {
    match &facts.key {
        None => {
            let write = RunWrite { id: &facts.id, expected: None, files: &files, message, at };
            store.write_run(&write)?;
            Ok(())
        }
        Some(key) => commit_keyed(store, facts, key, files, message, at),
    }
}

fn commit_keyed(
    store: &Store,
    facts: &Facts,
    key: &str,
    mut files: Files,
    message: &str,
    at: Time,
) -> Result<()> {
    let identity = Facts::keyed(facts.id.clone(), key.to_owned()).to_table();
    for _ in 0..TRIES_MAX {
        let expected = store.run_tip(&facts.id)?;
        match &expected {
            // Purged meanwhile: what was purged must not come back under it.
            Some(_) => {
                known_attempts(store, &facts.id)?;
                files.remove(RUN);
            }
            None => {
                files.insert(RUN.to_owned(), text::write(&identity).into_bytes());
            }
        }
        let write = RunWrite { id: &facts.id, expected, files: &files, message, at };
        match store.write_run(&write) {
            Ok(_) => return Ok(()),
            Err(error) if error.is::<Moved>() => continue,
            Err(error) => return Err(error),
        }
    }
    Err(Problem::new(format!("other processes kept changing run '{}'", facts.id)).into())
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
