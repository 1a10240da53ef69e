//! What a run in progress leaves on disk: `<common git dir>/xtrack/live/<id>/start.toml`, and the file that tells its id.
//!
//! Knows that a recorder may be killed at any moment; not how what it leaves is recovered.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::run::attempt::Facts;
use crate::run::id::RunId;
use crate::run::text;
use crate::run::value::{Table, Value};

/// The folder of a run in progress.
#[derive(Debug)]
pub struct Live {
    /// Where it is.
    pub folder: PathBuf,
}

impl Live {
    /// Writes down all that is known before the command starts. `owner` tells who will finish it.
    pub fn begin(state_dir: &Path, facts: &Facts, environment: &Table, owner: Table) -> Result<Self> {
        let folder = state_dir.join("live").join(name(facts));
        Self::write(&folder, facts, environment, owner)
            .with_context(|| format!("cannot write '{}'", folder.display()))?;
        Ok(Self { folder })
    }

    fn write(folder: &Path, facts: &Facts, environment: &Table, owner: Table) -> Result<()> {
        let mut start = facts.to_table();
        start.insert("owner".to_owned(), Value::Table(owner));
        fs::create_dir_all(folder)?;
        fs::write(folder.join("environment.toml"), text::write(environment))?;
        let mut file = File::options().write(true).create_new(true).open(folder.join("start.toml"))?;
        // One write, so that nobody reads half of it.
        Ok(file.write_all(text::write(&start).as_bytes())?)
    }

    /// Removes it, once the record holds everything.
    pub fn remove(self) -> Result<()> {
        fs::remove_dir_all(&self.folder).with_context(|| format!("cannot remove '{}'", self.folder.display()))
    }
}

/// The run's id; attempts of a keyed run share that, and may run side by side.
fn name(facts: &Facts) -> String {
    match (&facts.key, &facts.attempt) {
        (Some(_), Some(attempt)) => format!("{}-{attempt}", facts.id),
        _ => facts.id.to_string(),
    }
}

/// Writes the id to `file`, which is whole whenever it is there.
pub fn write_id(file: &Path, id: &RunId) -> Result<()> {
    let line = format!("{id}\n");
    let is_special = fs::metadata(file).is_ok_and(|metadata| !metadata.is_file());
    let written = match is_special {
        // A pipe or `/dev/stdout` is written to, not replaced.
        true => File::options().write(true).open(file).and_then(|mut file| file.write_all(line.as_bytes())),
        false => {
            let mut temporary = file.as_os_str().to_owned();
            temporary.push(format!(".tmp-{}", std::process::id()));
            let renamed = fs::write(&temporary, line).and_then(|()| fs::rename(&temporary, file));
            if renamed.is_err() {
                // The error that matters is the one above.
                let _ = fs::remove_file(&temporary);
            }
            renamed
        }
    };
    written.with_context(|| format!("cannot write the id file '{}'", file.display()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::run::id::{AttemptId, Time};

    fn facts() -> Facts {
        let id = RunId::new(Time(0), [1; 8]);
        Facts::new(id, AttemptId::new([2; 8]), Time(0))
    }

    #[test]
    fn the_start_reads_as_facts_with_their_owner() {
        let folder = tempfile::tempdir().unwrap();
        let owner = Table::from([("pid".to_owned(), 7i64.into())]);
        let live = Live::begin(folder.path(), &facts(), &Table::new(), owner.clone()).unwrap();
        let table = text::read(&fs::read(live.folder.join("start.toml")).unwrap()).unwrap();
        assert_eq!(Facts::from_table(&table).unwrap(), facts());
        assert_eq!(table["owner"], Value::Table(owner));
        let path = live.folder.clone();
        live.remove().unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn attempts_of_a_keyed_run_have_a_folder_each() {
        let keyed = Facts { key: Some("k".to_owned()), ..facts() };
        assert_ne!(name(&keyed), name(&Facts { attempt: Some(AttemptId::new([3; 8])), ..keyed.clone() }));
        assert_eq!(name(&facts()), facts().id.as_str());
    }

    #[test]
    fn the_id_file_is_replaced_whole() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("id");
        fs::write(&file, "older and longer than the new text, by far").unwrap();
        write_id(&file, &facts().id).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), format!("{}\n", facts().id));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(write_id(&folder.path().join("no/id"), &facts().id).is_err());
    }
}
