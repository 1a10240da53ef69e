//! Taking away what a purged run held: done again, each step does what is left.

use std::collections::{BTreeSet, HashSet};
use std::fs;

use anyhow::{Context as _, Result};

use crate::error::Problem;
use crate::journal::folder::{self, LiveFolder};
use crate::journal::owner::Life;
use crate::ops::space::purge::{Intent, note};
use crate::store::{Oid, Store};
use crate::tracker::Tracker;

/// What was taken away.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Went {
    /// Code states.
    pub code: Vec<Oid>,
    /// Artifacts, with their sizes.
    pub artifacts: Vec<(String, u64)>,
    /// Refs of remotes' copies.
    pub tracked: usize,
    /// Operations of which something is no longer kept.
    pub operations: usize,
    /// Folders of a run in progress that had died.
    pub live: usize,
    /// What did not work, and why.
    pub failed: Vec<String>,
}

/// One of the things that a purge takes away.
type Step = fn(&Tracker, &Intent, &mut Went) -> Result<()>;

/// Takes away what the run held; done again, it does what is left. Once all is done, nothing tells of it any more.
pub(super) fn clear(tracker: &Tracker, intent: &Intent) -> Went {
    let mut went = Went::default();
    let steps: [Step; 6] = [clear_live, clear_tracked, clear_kept, clear_code, clear_artifacts, clear_caches];
    for step in steps {
        if let Err(error) = step(tracker, intent, &mut went) {
            went.failed.push(format!("{error:#}"));
        }
    }
    if went.failed.is_empty()
        && let Err(error) = note::remove(tracker, &intent.id)
    {
        went.failed.push(format!("{error:#}"));
    }
    went
}

/// First: a folder of a dead process would be recovered.
fn clear_live(tracker: &Tracker, intent: &Intent, went: &mut Went) -> Result<()> {
    for folder in tracker.live_of(&intent.id) {
        if folder.life()? == Life::Dead {
            folder.remove()?;
            went.live += 1;
        }
    }
    // What was put aside and could not be deleted then.
    let above = folder::parent(&tracker.state_dir());
    for entry in fs::read_dir(above).into_iter().flatten().flatten() {
        let aside = LiveFolder::open(&entry.path());
        if aside.run_aside().as_ref() == Some(&intent.id) {
            aside.delete()?;
        }
    }
    Ok(())
}

fn clear_tracked(tracker: &Tracker, intent: &Intent, went: &mut Went) -> Result<()> {
    let store = &tracker.store;
    let mut refs = Vec::new();
    for found in store.loose_runs()?.refs.into_iter().chain(store.packed_runs()?) {
        if found.id == intent.id && !found.place.is_empty() {
            refs.push((store.ref_name_of(&found), found.tip));
        }
    }
    // Loose first: a packed ref of the same name says what was before.
    let mut seen = BTreeSet::new();
    refs.retain(|(name, tip)| seen.insert(name.clone()) && !store.is_bare_stone(tip).unwrap_or(false));
    for done in store.forget_refs(&refs)? {
        done?;
        went.tracked += 1;
    }
    Ok(())
}

fn clear_kept(tracker: &Tracker, intent: &Intent, went: &mut Went) -> Result<()> {
    let (kept, unreadable) = tracker.store.kept()?;
    for keep in kept {
        let lost: HashSet<Oid> = keep
            .dropped
            .iter()
            .filter(|tip| intent.code.contains(*tip) || intent.owns(&tracker.store, tip))
            .cloned()
            .collect();
        if !lost.is_empty() {
            tracker.store.keep_less(&keep, &lost)?;
            went.operations += 1;
        }
    }
    match unreadable.into_iter().next() {
        None => Ok(()),
        Some((operation, error)) => {
            Err(error.context(format!("cannot tell what operation '{operation}' dropped")))
        }
    }
}

fn clear_code(tracker: &Tracker, intent: &Intent, went: &mut Went) -> Result<()> {
    let here = tracker.store.code_states()?;
    let commits: Vec<&Oid> = intent.code.iter().filter(|commit| here.contains(*commit)).collect();
    let refs: Vec<(String, Oid)> =
        commits.iter().map(|commit| (Store::code_ref_name(commit), (*commit).clone())).collect();
    for (done, commit) in tracker.store.forget_refs(&refs)?.into_iter().zip(commits) {
        done?;
        went.code.push(commit.clone());
    }
    Ok(())
}

fn clear_artifacts(tracker: &Tracker, intent: &Intent, went: &mut Went) -> Result<()> {
    if intent.artifacts.is_empty() {
        return Ok(());
    }
    if tracker.artifacts.is_elsewhere() {
        let what = "the folder of artifacts is linked from elsewhere: its bytes stay";
        return Err(Problem::new(what).into());
    }
    tracker.artifacts.put_back()?;
    for (sha256, size) in &intent.artifacts {
        let is_here = tracker.artifacts.path(sha256).exists();
        if tracker.artifacts.take_away(sha256, intent.at)? && is_here {
            went.artifacts.push((sha256.clone(), *size));
        }
    }
    Ok(())
}

/// What is remembered of the run besides: rows of the index, of which SQLite keeps the bytes, and its fingerprint, which tells
/// small secrets to who guesses them.
fn clear_caches(tracker: &Tracker, intent: &Intent, _: &mut Went) -> Result<()> {
    tracker.forget_fingerprint(&intent.id)?;
    tracker.forget_in_index().context("the index, a cache, may hold words of it still")
}
