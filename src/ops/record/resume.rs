//! Going on with a run: what came before the attempt that begins now.
//!
//! Knows that the attempt before may still run, or may have been left on another machine without a record: then what it
//! has logged so far becomes its record first, as at a checkpoint, so that there is something to lay the new one beside.

use anyhow::{Context as _, Result};

use crate::error::Problem;
use crate::journal::folder::LiveFolder;
use crate::journal::owner::Life;
use crate::ops::record::Remarks;
use crate::ops::record::close::{self, Closing, Revision};
use crate::ops::record::commit;
use crate::ops::record::harvest::Harvest;
use crate::run::id::{AttemptId, RunId};
use crate::tracker::Tracker;

/// How often it is looked again when an attempt ended meanwhile.
const TRIES_MAX: usize = 10;

/// The attempts of the run that there are, those in progress too.
pub fn attempts_before(tracker: &Tracker, id: &RunId, remarks: &mut Remarks) -> Result<Vec<AttemptId>> {
    for _ in 0..TRIES_MAX {
        // In this order: one that ends in between is in the record then.
        let live = tracker.live_of(id);
        let mut known = commit::known_attempts(&tracker.store, id)?;
        if known.is_empty() {
            live.iter().try_for_each(|folder| keep(tracker, folder))?;
            continue;
        }
        for folder in live {
            let Some(start) = folder.start()? else { continue };
            known.extend(start.facts.attempt.filter(|attempt| !known.contains(attempt)));
            if folder.life()? == Life::Alive {
                remarks.note(format!("run '{id}' is still in progress: this attempt runs beside it"));
            }
        }
        return Ok(known);
    }
    Err(Problem::new(format!("cannot go on with run '{id}': it has no attempt yet")).hint("try again").into())
}

/// Records an attempt in progress as it stands.
fn keep(tracker: &Tracker, folder: &LiveFolder) -> Result<()> {
    let Some(start) = folder.start()? else { return Ok(()) };
    let closing = Closing {
        folder,
        facts: start.facts,
        environment: folder.environment()?,
        harvest: Harvest::default(),
        revision: Revision::Next,
        reads_sources: false,
    };
    match close::close(tracker, &closing) {
        Err(_) if !folder.is_there() => Ok(()),
        closed => closed.map(drop).context("cannot record what came before"),
    }
}
