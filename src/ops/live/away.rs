//! Putting a live folder away once its record is written, whoever wrote it.
//!
//! Knows who may still write there, and what was said in the last moment; not how the record came to be.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};

use crate::error::Problem;
use crate::journal::folder::{Gone, LiveFolder};
use crate::journal::owner::{self, Life};
use crate::journal::replay;
use crate::run::id::RunId;
use crate::run::record::{Files, TOMBSTONE};
use crate::run::value::Table;
use crate::store::{Moved, RunWrite};
use crate::tracker::Tracker;

/// How often late edits are tried again when another writer came between.
const TRIES_MAX: usize = 50;

/// Removes the folder of a run whose record holds everything; an edit that came in the last moment is added to it.
pub fn put_away(tracker: &Tracker, folder: &LiveFolder) -> Result<()> {
    match folder.set_aside() {
        Ok(aside) => clear_aside(tracker, &aside),
        Err(error) if error.is::<Gone>() => Ok(()),
        Err(error) => Err(error),
    }
}

/// After this process has finished a run: the folder goes, unless another process may still write there, whose last
/// words are then recovered once it is gone.
pub fn settle(tracker: &Tracker, folder: &LiveFolder, seen: &BTreeMap<String, u64>) -> Result<()> {
    match has_others(folder) {
        Ok(true) => folder.mark_recovered(seen),
        Ok(false) => put_away(tracker, folder),
        // Another process has finished it too.
        Err(_) if !folder.is_there() => Ok(()),
        Err(error) => Err(error),
    }
}

/// Whether a process lives that writes there and has not said that it is done.
pub fn has_others(folder: &LiveFolder) -> Result<bool> {
    let glimpse = replay::glimpse(&folder.path)?;
    let mut open =
        glimpse.writers.iter().filter(|writer| writer.finish.is_none() && writer.begin.role.is_none());
    let owner = folder.start()?.map(|start| start.owner).unwrap_or_default();
    let pid = |owner: &Table| owner.get("pid").cloned();
    Ok(open.any(|writer| {
        pid(&writer.begin.owner) != pid(&owner) && owner::state(&writer.begin.owner) == Life::Alive
    }))
}

/// Removes a folder that was put away, and adds what was said in its last moment.
pub fn clear_aside(tracker: &Tracker, aside: &LiveFolder) -> Result<()> {
    if let Some(id) = aside.run_aside() {
        add_late_edits(tracker, &id, &aside.edits()?)?;
    }
    // A network file system keeps files that are still open; another command removes them.
    let _ = aside.delete();
    Ok(())
}

/// Edits that were made between the moment the record was written and the one the folder was taken away.
fn add_late_edits(tracker: &Tracker, id: &RunId, edits: &Files) -> Result<()> {
    for _ in 0..TRIES_MAX {
        let Some(tip) = tracker.store.run_tip(id)?.filter(|_| !edits.is_empty()) else {
            return Ok(());
        };
        let known = tracker.store.paths(&tip)?;
        let is_purged = known.iter().any(|path| path == TOMBSTONE);
        let late: Files = edits
            .iter()
            .filter(|(path, _)| !known.contains(path))
            .map(|(path, bytes)| (path.clone(), bytes.clone()))
            .collect();
        if late.is_empty() || is_purged {
            return Ok(());
        }
        let message = "xtrack: add edits that were made while the run was in progress\n";
        let write = RunWrite { id, expected: Some(tip), files: &late, message, at: tracker.now() };
        match tracker.store.write_run(&write) {
            Err(error) if error.is::<Moved>() => continue,
            other => return other.map(drop).with_context(|| format!("cannot add edits to run '{id}'")),
        }
    }
    Err(Problem::new(format!("cannot add edits to run '{id}': it is being changed all the time")).into())
}
