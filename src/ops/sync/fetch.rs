//! Others' runs brought here: listed, fetched into quarantine, checked one by one, and only then let in.
//!
//! Knows which runs need it; nothing that is gone from the remote goes here.

use std::collections::{BTreeMap, HashSet};

use anyhow::{Context as _, Result};

use crate::ops::sync::look::Look;
use crate::ops::sync::{Cause, Refused};
use crate::run::id::RunId;
use crate::store::{Kept, Listing, Moved, Oid, Remote, Store, Talk, Wanted, patiently};
use crate::tracker::Tracker;

/// How often the remote is listed again because what it had is gone from it.
const LISTINGS_MAX: usize = 3;

/// What came.
#[derive(Default)]
pub struct Fetched {
    /// What the remote holds.
    pub listing: Listing,
    /// Its runs' tips that are here now and can be used.
    pub tips: BTreeMap<RunId, Oid>,
    /// Our tips when it began.
    pub here: BTreeMap<RunId, Oid>,
    /// The remote's tips as they were noted then.
    tracked: BTreeMap<RunId, Oid>,
    /// Those of the remote's that were checked just now.
    pub checked: HashSet<Oid>,
    /// Runs that came for the first time.
    pub new: Vec<RunId>,
    /// Runs of which something new came.
    pub updated: Vec<RunId>,
    /// Runs of which nothing can be used, and why.
    pub refused: Vec<Refused>,
    /// Code states that came.
    pub code: Vec<Oid>,
    /// Code states that cannot be had, and why.
    pub code_refused: Vec<(Oid, String)>,
    /// Keeps what no ref names yet from git's collector.
    pub kept: Vec<Kept>,
}

/// Fetches the remote's runs, and its code states if they are wanted.
pub fn fetch(tracker: &Tracker, remote: &Remote, with_code: bool, talk: &Talk<'_>) -> Result<Fetched> {
    let cannot = || format!("cannot fetch from '{}'", remote.shown());
    let mut fetched = fetch_runs(tracker, remote, talk).with_context(cannot)?;
    if let Some(name) = &remote.name {
        let missed = try_note_tips(&tracker.store, name, &fetched.tips, &fetched.tracked)?;
        let told =
            |(id, error)| Refused::new(id, Cause::Here, format!("it came, and cannot be noted: {error:#}"));
        fetched.refused.extend(missed.into_iter().map(told));
    }
    if with_code {
        fetch_code(tracker, remote, &mut fetched, talk).with_context(cannot)?;
    }
    Ok(fetched)
}

fn fetch_runs(tracker: &Tracker, remote: &Remote, talk: &Talk<'_>) -> Result<Fetched> {
    for _ in 1..LISTINGS_MAX {
        let fetched = try_fetch(tracker, remote, talk)?;
        // A tip that was replaced since it was listed cannot be had any more.
        let is_gone = |refused: &Refused| {
            refused.reason.contains("not our ref") || refused.reason.contains("unadvertised")
        };
        if !fetched.refused.iter().any(is_gone) {
            return Ok(fetched);
        }
    }
    try_fetch(tracker, remote, talk)
}

fn try_fetch(tracker: &Tracker, remote: &Remote, talk: &Talk<'_>) -> Result<Fetched> {
    let store = &tracker.store;
    let listing = patiently(|| store.list_remote(remote, talk))?;
    let (here, tracked) = store.tips_beside(remote.name.as_deref())?;
    let is_news = |(id, tip): &(&RunId, &Oid)| here.get(id) != Some(*tip) && tracked.get(id) != Some(*tip);
    let news: Vec<(RunId, Oid)> =
        listing.runs.iter().filter(is_news).map(|(id, tip)| (id.clone(), tip.clone())).collect();
    let mut fetched = Fetched { tips: listing.runs.clone(), listing, here, tracked, ..Fetched::default() };
    if !news.is_empty() {
        fetched.bring(tracker, remote, &news, talk)?;
    }
    Ok(fetched)
}

/// Notes tips that the remote is known to have, of which those `known` are noted already.
pub fn note_tips(
    store: &Store,
    name: &str,
    tips: &BTreeMap<RunId, Oid>,
    known: &BTreeMap<RunId, Oid>,
) -> Result<()> {
    match try_note_tips(store, name, tips, known)?.into_iter().next() {
        Some((_, error)) => Err(error),
        None => Ok(()),
    }
}

/// The same; those that cannot be noted are given back, and hold up no other.
fn try_note_tips(
    store: &Store,
    name: &str,
    tips: &BTreeMap<RunId, Oid>,
    known: &BTreeMap<RunId, Oid>,
) -> Result<Vec<(RunId, anyhow::Error)>> {
    let prefix = Store::tracking_prefix(name);
    let (mut new, mut old) = (Vec::new(), Vec::new());
    for (id, tip) in tips {
        match known.get(id) {
            Some(before) if before == tip => {}
            Some(before) => old.push((format!("{prefix}{id}"), before.clone(), tip.clone())),
            None => new.push((format!("{prefix}{id}"), tip.clone())),
        }
    }
    let created = store.create_refs(&new)?;
    let changed = store.change_refs(&old)?;
    let changed = old.into_iter().zip(changed).filter_map(|((name, ..), done)| Some((name, done.err()?)));
    // Somebody else who noted something at the same time knows as much.
    let missed = created.into_iter().chain(changed).filter(|(_, error)| !error.is::<Moved>());
    Ok(missed.filter_map(|(name, error)| Some((RunId::parse(name.strip_prefix(&prefix)?)?, error))).collect())
}

/// Brings the code states that refs of the remote keep, and keeps them here.
fn fetch_code(tracker: &Tracker, remote: &Remote, fetched: &mut Fetched, talk: &Talk<'_>) -> Result<()> {
    let store = &tracker.store;
    let kept = store.code_states()?;
    let missing: Vec<Oid> = fetched.listing.code.difference(&kept).cloned().collect();
    let absent = store.absent(&missing);
    if !absent.is_empty() {
        let wanted = Wanted { tips: &absent, suspects: &[], known: &[], is_code: true };
        let arrival = patiently(|| store.fetch(remote, &wanted, talk))?;
        let refused = arrival.faults.iter().map(|fault| (fault.tip.clone(), fault.reason.clone()));
        fetched.code_refused.extend(refused);
        let good: Vec<Oid> = absent.into_iter().filter(|tip| !fetched.is_refused(tip)).collect();
        fetched.kept.push(store.let_in(&arrival, &good, fetched.code_refused.is_empty())?);
    }
    fetched.code = missing.into_iter().filter(|tip| !fetched.is_refused(tip)).collect();
    store.keep_code_states(&fetched.code)
}

impl Fetched {
    /// Brings tips that are not known yet.
    fn bring(
        &mut self,
        tracker: &Tracker,
        remote: &Remote,
        news: &[(RunId, Oid)],
        talk: &Talk<'_>,
    ) -> Result<()> {
        let store = &tracker.store;
        let known = news.iter().filter_map(|(id, _)| self.here.get(id).or(self.tracked.get(id)));
        let look = Look::at(store, remote, news, &known.cloned().collect::<Vec<_>>(), talk)?;
        let mut good = Vec::new();
        let checked = look.check_each(news, &self.here, tracker.directory());
        for ((id, tip), checked) in news.iter().zip(checked) {
            if let Err(reason) = checked {
                self.tips.remove(id);
                self.refused.push(Refused::new(id.clone(), Cause::Unsound, reason));
                continue;
            }
            // What was purged here does not come in again, not even beside ours; a stone from there does.
            let is_purged = |ours| store.is_stone(ours).unwrap_or(false);
            if self.here.get(id).is_some_and(is_purged) && !look.seen().is_stone(tip)? {
                self.tips.remove(id);
                continue;
            }
            good.push(tip.clone());
            self.checked.insert(tip.clone());
            let is_new = !self.here.contains_key(id) && !self.tracked.contains_key(id);
            if is_new { &mut self.new } else { &mut self.updated }.push(id.clone());
        }
        self.kept.extend(look.let_in(&good, good.len() == news.len())?);
        Ok(())
    }

    fn is_refused(&self, code: &Oid) -> bool {
        self.code_refused.iter().any(|(refused, _)| refused == code)
    }
}
