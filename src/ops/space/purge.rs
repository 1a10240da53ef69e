//! Purging: a run that held a secret is replaced by a stone, and what it alone held is taken out of this clone.
//!
//! What is to go is written down first, so that a purge that is killed can be finished: once the stone is there, nobody could tell
//! any more what else belonged to the run. Then the stone, then everything else. Nothing of it is kept, and it cannot be undone.

mod clear;
mod note;
mod plan;
mod remains;

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use anyhow::{Context as _, Result};

use crate::error::Problem;
use crate::run::attempt::FORMAT;
use crate::run::id::{RunId, Time};
use crate::run::record::{Files, TOMBSTONE};
use crate::run::text;
use crate::run::value::{Table, Value};
use crate::store::{Moved, Oid, RunWrite, Store};
use crate::tracker::Tracker;

pub use crate::ops::space::purge::clear::Went;
pub use crate::ops::space::purge::note::{folder, unfinished, write_down};
pub use crate::ops::space::purge::plan::plan;

/// How often a purge is tried again when an edit came between.
const TRIES_MAX: usize = 50;

/// What a purge is to take away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// The run.
    pub id: RunId,
    /// Every tip that it has or had here.
    pub tips: BTreeSet<Oid>,
    /// The commits with which its chains begin.
    pub roots: BTreeSet<Oid>,
    /// The code states that it alone names.
    pub code: BTreeSet<Oid>,
    /// The artifact bytes that it alone names.
    pub artifacts: BTreeMap<String, u64>,
    /// When it was written down: what is stored again later stays.
    pub at: SystemTime,
}

/// What went.
#[derive(Debug, Default)]
pub struct Purged {
    /// The stone that is left.
    pub stone: Oid,
    /// What was taken away with it.
    pub went: Went,
    /// What is still here, or was not reached, and how to get at it.
    pub remains: Vec<Remains>,
}

/// Something that a purge does not reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remains {
    /// What it is.
    pub what: String,
    /// What to type.
    pub commands: Vec<String>,
}

impl Intent {
    /// Whether a tip is the run's, by its name or by how its chain begins.
    fn owns(&self, store: &Store, tip: &Oid) -> bool {
        let begins_alike = |roots: Vec<Oid>| roots.iter().any(|root| self.roots.contains(root));
        self.tips.contains(tip) || store.roots_behind(tip).is_ok_and(begins_alike)
    }
}

/// Purges a run.
pub fn purge(tracker: &Tracker, intent: &Intent, why: &str) -> Result<Purged> {
    let id = &intent.id;
    write_down(tracker, intent)?;
    let stone = lay_stone(tracker, id, why).with_context(|| format!("cannot purge run '{id}'"))?;
    let went = clear::clear(tracker, intent);
    let remains = remains::remains(tracker, intent);
    Ok(Purged { stone, went, remains })
}

/// Takes away what runs held that were purged elsewhere, once their stones are here.
pub fn follow(tracker: &Tracker, intents: &[Intent]) -> Vec<String> {
    intents.iter().flat_map(|intent| clear::clear(tracker, intent).failed).collect()
}

/// Finishes a purge that was killed; one whose stone was not laid yet is given up, for it had taken nothing away.
pub fn resume(tracker: &Tracker, id: &RunId) -> Result<()> {
    let is_stone = match tracker.store.run_tip(id)? {
        Some(tip) => tracker.store.is_stone(&tip)?,
        None => false,
    };
    if !is_stone {
        return note::remove(tracker, id);
    }
    let intent = note::read(tracker, id)?.ok_or_else(|| {
        let hint = format!("`git xtrack purge {}` takes away what can still be found of it", id.suffix());
        Problem::new("what it was to take away was not written down whole").hint(hint)
    })?;
    match clear::clear(tracker, &intent).failed.into_iter().next() {
        Some(failed) => Err(Problem::new(failed).into()),
        None => Ok(()),
    }
}

/// Puts the stone in the place of the chain, whatever comes between; the one that is there if there is one.
fn lay_stone(tracker: &Tracker, id: &RunId, why: &str) -> Result<Oid> {
    let store = &tracker.store;
    let at = tracker.now();
    let stone = stone(id, &store.identity().to_string(), at, why);
    let mut files = Files::from([(TOMBSTONE.to_owned(), stone)]);
    for _ in 0..TRIES_MAX {
        let expected = store.run_tip(id)?;
        match &expected {
            Some(tip) if store.is_bare_stone(tip)? => return Ok(tip.clone()),
            // It was laid upon what was to go: the same one, without that.
            Some(tip) if store.is_stone(tip)? => files = store.read(tip, &|_| true)?,
            _ => {}
        }
        let write = RunWrite { id, expected, files: &files, message: "xtrack: purged\n", at };
        match store.bury_run(&write) {
            Err(error) if error.is::<Moved>() => {}
            written => return written,
        }
    }
    Err(Problem::new("it is being changed all the time").hint("try again").into())
}

/// The stone of a purged run.
pub fn stone(id: &RunId, by: &str, at: Time, why: &str) -> Vec<u8> {
    let mut table = Table::new();
    table.insert("format".to_owned(), FORMAT.into());
    table.insert("id".to_owned(), Value::Text(id.to_string()));
    table.insert("by".to_owned(), Value::Text(by.to_owned()));
    table.insert("at".to_owned(), Value::Text(at.to_string()));
    if !why.is_empty() {
        table.insert("why".to_owned(), Value::Text(why.to_owned()));
    }
    text::write(&table).into_bytes()
}
