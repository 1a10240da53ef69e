//! Tips of runs from elsewhere laid together with those here: followed, joined, or left.
//!
//! What two records come to is `run::join`'s; this decides nothing but the order of doing it, and asks before a purged run
//! takes one that is here.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use anyhow::{Context as _, Result};

use crate::error::Problem;
use crate::ops::space::purge;
use crate::ops::sync::{Cause, Refused, check, no_remote};
use crate::run::Tombstone;
use crate::run::fold;
use crate::run::id::RunId;
use crate::run::join::{self, Ancestry, Merged, Tip};
use crate::run::record::{Files, Place, TOMBSTONE};
use crate::store::{Content, Known, Merge, Moved, Oid};
use crate::tracker::Tracker;

/// How often a run is tried again that others change meanwhile.
const TRIES_MAX: usize = 20;
/// How many merges are written at a time.
const TOGETHER_MAX: usize = 200;

/// How a run came to its new tip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// It was not here.
    New,
    /// Theirs says all that ours does.
    Followed,
    /// Each said something that the other did not.
    Joined,
    /// Both said the same; of two tips one was settled on.
    Settled,
    /// It was purged, and is gone here too.
    Purged,
}

/// A run that changed here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// Which.
    pub id: RunId,
    /// Its tip before.
    pub before: Option<Oid>,
    /// Its tip now.
    pub tip: Oid,
    /// How it came to that.
    pub how: How,
    /// The paths that became disputed: two different truths for one thing, of which one must be forged or damaged.
    pub disputed: Vec<String>,
}

/// A purged run that is still here.
#[derive(Debug, Clone, PartialEq)]
pub struct Purge {
    /// Which.
    pub id: RunId,
    /// Who purged it, when and why, as far as that is said.
    pub stone: Tombstone,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The runs that changed here, by id.
    pub changed: Vec<Changed>,
    /// Runs that are left as they are because what came cannot be used.
    pub refused: Vec<Refused>,
    /// Runs that were purged elsewhere and wait for a word before they go here.
    pub purges: Vec<Purge>,
    /// Runs that a newer program wrote, which stay unmerged.
    pub newer: Vec<RunId>,
    /// How many needed nothing.
    pub current: usize,
    /// What could not be taken away of runs that were purged elsewhere.
    pub remaining: Vec<String>,
}

/// What is known of the tips that are to be merged.
#[derive(Default)]
pub struct Options {
    /// Tips that were checked already.
    pub checked: HashSet<Oid>,
    /// Whether runs go that were purged elsewhere.
    pub takes_purges: bool,
}

/// Lays the tips, which are in this repository, together with what is here.
pub fn merge(tracker: &Tracker, tips: &BTreeMap<RunId, Oid>, options: &Options) -> Result<Outcome> {
    let unchecked: Vec<Oid> = tips.values().filter(|tip| !options.checked.contains(*tip)).cloned().collect();
    // What does not come now is told of run by run.
    let _ = tracker.store.bring_promised(&unchecked);
    let mut outcome = Outcome::default();
    let mut left: BTreeSet<RunId> = tips.keys().cloned().collect();
    for _ in 0..TRIES_MAX {
        if left.is_empty() {
            break;
        }
        left = round(tracker, tips, &left, options, &mut outcome)?;
    }
    let busy = "it is being changed all the time; try again";
    outcome.refused.extend(left.into_iter().map(|id| Refused::new(id, Cause::Here, busy)));
    outcome.changed.sort_by(|a, b| a.id.cmp(&b.id));
    outcome.refused.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(outcome)
}

/// What is to become of one run.
enum Step {
    /// Nothing.
    Stay,
    /// It takes their tip.
    Take(How),
    /// It takes a commit that joins both.
    Join(Merge, Vec<String>),
    /// It waits.
    Newer,
    /// It waits for a word.
    Ask(Tombstone),
}

/// Tries each of the runs once; those that moved meanwhile are given back.
fn round(
    tracker: &Tracker,
    tips: &BTreeMap<RunId, Oid>,
    left: &BTreeSet<RunId>,
    options: &Options,
    outcome: &mut Outcome,
) -> Result<BTreeSet<RunId>> {
    let store = &tracker.store;
    let here: HashMap<RunId, Oid> = store.runs()?.into_iter().collect();
    let (mut moved, mut new, mut takes, mut joins) = (BTreeSet::new(), Vec::new(), Vec::new(), Vec::new());
    for id in left {
        let theirs = &tips[id];
        let ours = here.get(id);
        if ours == Some(theirs) {
            outcome.current += 1;
            continue;
        }
        match step(tracker, id, ours, theirs, options) {
            Err(error) => {
                outcome.refused.push(Refused::new(id.clone(), Cause::Unsound, format!("{error:#}")))
            }
            Ok(Step::Stay) => outcome.current += 1,
            Ok(Step::Newer) => outcome.newer.push(id.clone()),
            Ok(Step::Ask(stone)) => outcome.purges.push(Purge { id: id.clone(), stone }),
            Ok(Step::Take(How::New)) => new.push(id.clone()),
            Ok(Step::Take(how)) => takes.push(changed(id, ours, theirs, how)),
            Ok(Step::Join(merge, disputed)) => joins.push((merge, disputed)),
        }
        if joins.len() == TOGETHER_MAX {
            land(tracker, std::mem::take(&mut joins), outcome, &mut moved)?;
        }
    }
    land(tracker, joins, outcome, &mut moved)?;
    take(tracker, takes, outcome, &mut moved)?;
    create(tracker, tips, new, outcome, &mut moved)?;
    Ok(moved)
}

fn changed(id: &RunId, before: Option<&Oid>, tip: &Oid, how: How) -> Changed {
    Changed { id: id.clone(), before: before.cloned(), tip: tip.clone(), how, disputed: Vec::new() }
}

fn land(
    tracker: &Tracker,
    joins: Vec<(Merge, Vec<String>)>,
    outcome: &mut Outcome,
    moved: &mut BTreeSet<RunId>,
) -> Result<()> {
    let told = |(merge, disputed): &(Merge, Vec<String>)| Changed {
        disputed: disputed.clone(),
        ..changed(&merge.id, Some(&merge.ours), &merge.tip, How::Joined)
    };
    let made: Vec<Changed> = joins.iter().map(told).collect();
    let landed = tracker.store.land(joins.into_iter().map(|(merge, _)| merge).collect())?;
    settle(made, landed, outcome, moved);
    Ok(())
}

fn take(
    tracker: &Tracker,
    mut takes: Vec<Changed>,
    outcome: &mut Outcome,
    moved: &mut BTreeSet<RunId>,
) -> Result<()> {
    let change = |taken: &Changed| {
        let before = taken.before.clone().unwrap_or_default();
        (tracker.store.run_ref_name(&taken.id), before, taken.tip.clone())
    };
    let intents = intend(tracker, &mut takes, outcome);
    let done = tracker.store.change_refs(&takes.iter().map(change).collect::<Vec<_>>())?;
    let gone: Vec<_> =
        takes.iter().zip(&done).filter(|(_, done)| done.is_ok()).map(|(one, _)| one.id.clone()).collect();
    let intents: Vec<_> = intents.into_iter().filter(|intent| gone.contains(&intent.id)).collect();
    settle(takes, done, outcome, moved);
    outcome.remaining.extend(purge::follow(tracker, &intents));
    Ok(())
}

/// Writes down what goes with runs that were purged elsewhere, while it can still be told; one of which it cannot stays.
fn intend(tracker: &Tracker, takes: &mut Vec<Changed>, outcome: &mut Outcome) -> Vec<purge::Intent> {
    let ids: Vec<RunId> =
        takes.iter().filter(|taken| taken.how == How::Purged).map(|taken| taken.id.clone()).collect();
    if ids.is_empty() {
        return Vec::new();
    }
    let planned = purge::plan(tracker, &ids).and_then(|intents| {
        intents.iter().try_for_each(|intent| purge::write_down(tracker, intent))?;
        Ok(intents)
    });
    planned.unwrap_or_else(|error| {
        let reason = format!("it was purged elsewhere, and cannot go here: {error:#}");
        outcome.refused.extend(ids.into_iter().map(|id| Refused::new(id, Cause::Here, reason.clone())));
        takes.retain(|taken| taken.how != How::Purged);
        Vec::new()
    })
}

/// Notes what changed, and what could not; what moved meanwhile is tried again.
fn settle(made: Vec<Changed>, done: Vec<Result<Oid>>, outcome: &mut Outcome, moved: &mut BTreeSet<RunId>) {
    for (changed, done) in made.into_iter().zip(done) {
        match done {
            Ok(_) => outcome.changed.push(changed),
            Err(error) if error.is::<Moved>() => drop(moved.insert(changed.id)),
            // A lock that a killed process left on one run holds up no other.
            Err(error) => {
                outcome.refused.push(Refused::new(changed.id, Cause::Here, format!("{error:#}")));
            }
        }
    }
}

fn create(
    tracker: &Tracker,
    tips: &BTreeMap<RunId, Oid>,
    new: Vec<RunId>,
    outcome: &mut Outcome,
    moved: &mut BTreeSet<RunId>,
) -> Result<()> {
    let name = |id: &RunId| tracker.store.run_ref_name(id);
    let refs: Vec<_> = new.iter().map(|id| (name(id), tips[id].clone())).collect();
    let missed: HashMap<String, anyhow::Error> = tracker.store.create_refs(&refs)?.into_iter().collect();
    for id in new {
        match missed.get(&name(&id)) {
            None => outcome.changed.push(changed(&id, None, &tips[&id], How::New)),
            Some(error) if error.is::<Moved>() => drop(moved.insert(id)),
            Some(error) => outcome.refused.push(Refused::new(id, Cause::Here, format!("{error:#}"))),
        }
    }
    Ok(())
}

fn step(tracker: &Tracker, id: &RunId, ours: Option<&Oid>, theirs: &Oid, options: &Options) -> Result<Step> {
    let store = &tracker.store;
    let Some(ours) = ours else {
        if !options.checked.contains(theirs) {
            check::check(store, id, theirs, &Known::default())?;
        }
        return Ok(Step::Take(How::New));
    };
    let ancestry = store.ancestry(ours, theirs)?;
    // What we had, and went on from, says nothing new.
    if ancestry == Ancestry::Ahead {
        return Ok(Step::Stay);
    }
    if !options.checked.contains(theirs) {
        let known = Known { good: store.commits(ours)?, ..Known::default() };
        check::check(store, id, theirs, &known)?;
    }
    let ours_blobs = store.blobs(ours)?;
    let theirs_blobs = store.blobs(theirs)?;
    let disputed: BTreeSet<String> = [&ours_blobs, &theirs_blobs]
        .into_iter()
        .flat_map(|blobs| blobs.keys())
        .filter_map(|path| claimed(path))
        .collect();
    let differ =
        |path: &str| matches!((ours_blobs.get(path), theirs_blobs.get(path)), (Some(a), Some(b)) if a != b);
    let wanted = |path: &str| differ(path) || disputed.contains(path);
    let ours_files = check::load(store, &ours_blobs, &wanted).context("what is here cannot be read")?;
    let theirs_files = check::load(store, &theirs_blobs, &wanted)?;
    if let Some(stone) = theirs_files.get(TOMBSTONE).filter(|_| !ours_files.contains_key(TOMBSTONE)) {
        let stone = fold::tombstone(stone)?;
        return Ok(if options.takes_purges { Step::Take(How::Purged) } else { Step::Ask(stone) });
    }
    let tip = |commit, files| Tip { commit, files };
    match join::merge(tip(ours, &ours_files), tip(theirs, &theirs_files), ancestry)? {
        Merged::Ours => Ok(Step::Stay),
        Merged::Theirs if ancestry == Ancestry::Behind => Ok(Step::Take(How::Followed)),
        Merged::Theirs => Ok(Step::Take(How::Settled)),
        Merged::Newer => Ok(Step::Newer),
        Merged::Both(files) => {
            check::check_files(id, &files).context("together with what is here it cannot be read")?;
            let disputed = new_disputes(&files, &ours_files);
            let sources = [(&ours_blobs, &ours_files), (&theirs_blobs, &theirs_files)];
            Ok(Step::Join(store.merge(id, ours, theirs, contents(files, sources))?, disputed))
        }
    }
}

/// The path that a disputed file is for.
fn claimed(path: &str) -> Option<String> {
    match Place::parse(path) {
        Ok(Place::Disputed { path, .. }) => Some(path),
        _ => None,
    }
}

fn new_disputes(joined: &Files, ours: &Files) -> Vec<String> {
    let new = joined.keys().filter(|path| !ours.contains_key(*path));
    let paths: BTreeSet<String> = new.filter_map(|path| claimed(path)).collect();
    paths.into_iter().collect()
}

/// The files by their blobs, where there are such.
fn contents(files: Files, sources: [(&BTreeMap<String, Oid>, &Files); 2]) -> BTreeMap<String, Content> {
    let mut known: HashMap<&[u8], &Oid> = HashMap::new();
    for (blobs, files) in sources {
        known.extend(files.iter().filter_map(|(path, bytes)| Some((bytes.as_slice(), blobs.get(path)?))));
    }
    let content = |bytes: Vec<u8>| match (check::blob_of(&bytes), known.get(bytes.as_slice())) {
        (_, Some(oid)) => Content::Blob((*oid).clone()),
        (Some(oid), None) => Content::Blob(oid),
        (None, None) => Content::Bytes(bytes),
    };
    files.into_iter().map(|(path, bytes)| (path, content(bytes))).collect()
}

/// The tips of a remote's runs as last fetched; without one, of all that were.
pub fn fetched(tracker: &Tracker, remote: Option<&str>) -> Result<Vec<(String, BTreeMap<RunId, Oid>)>> {
    let names = match remote {
        Some(name) => vec![name.to_owned()],
        None => tracker.store.remote_names(),
    };
    let mut fetched = Vec::new();
    for name in names {
        let tips = tracker.store.tracked(&name)?;
        if !tips.is_empty() {
            fetched.push((name, tips));
        }
    }
    if let (Some(name), true) = (remote, fetched.is_empty()) {
        if tracker.store.remote_named(name)?.is_none() {
            return Err(no_remote(tracker, name).into());
        }
        let problem = Problem::new(format!("nothing was fetched from '{name}' yet"));
        return Err(problem
            .hint(format!("`git xtrack fetch {name}` fetches; `git xtrack pull` does both"))
            .into());
    }
    Ok(fetched)
}
