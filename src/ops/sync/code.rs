//! The code of runs that are pushed: which states the remote has anyway, and what the others would make public.

use std::collections::BTreeSet;

use anyhow::Result;

use crate::run::id::RunId;
use crate::store::{CommitLine, Listing, Oid, SnapshotFile, Store};
use crate::tracker::Tracker;

/// The code states that could go along with a push.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Those whose commits the remote has: a ref for them shows nothing new.
    pub free: Vec<Oid>,
    /// Those that would make something public.
    pub private: Vec<Oid>,
    /// What it would be; looked at only if the code is to go along.
    pub public: Publication,
}

/// What a push would make public.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Publication {
    /// Commits that the remote does not have, the newest first.
    pub commits: Vec<CommitLine>,
    /// Uncommitted states, and the files that are in no commit.
    pub snapshots: Vec<Snapshot>,
}

/// An uncommitted state of the code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Its commit.
    pub commit: Oid,
    /// What it changes.
    pub files: Vec<SnapshotFile>,
}

/// Which code states could go along with these runs; with all of them if none is named.
pub fn plan(
    tracker: &Tracker,
    listing: &Listing,
    runs: Option<&[(RunId, Oid)]>,
    with_code: bool,
) -> Result<Plan> {
    let store = &tracker.store;
    let mut states = store.code_states()?;
    if let Some(runs) = runs {
        let wanted = states_of(tracker, runs);
        states.retain(|state| wanted.contains(state));
    }
    let candidates: Vec<Oid> = states.difference(&listing.code).cloned().collect();
    if candidates.is_empty() {
        return Ok(Plan::default());
    }
    let there = present(store, listing);
    let unpublished = match there.is_empty() && !with_code {
        true => return Ok(Plan { private: candidates, ..Plan::default() }),
        false => store.commits_not_in(&candidates, &there)?,
    };
    let new: BTreeSet<&Oid> = unpublished.iter().map(|line| &line.commit).collect();
    let (private, free): (Vec<Oid>, Vec<Oid>) =
        candidates.iter().cloned().partition(|state| new.contains(state));
    let public = match with_code {
        true => publication(store, unpublished)?,
        false => Publication::default(),
    };
    Ok(Plan { free, private, public })
}

/// The code that the runs ran, in all of their attempts.
fn states_of(tracker: &Tracker, runs: &[(RunId, Oid)]) -> BTreeSet<Oid> {
    let mut states = BTreeSet::new();
    for (id, _) in runs {
        // One that cannot be read names nothing.
        let Ok(run) = tracker.load(id) else { continue };
        for code in run.attempts.iter().filter_map(|facts| facts.code.as_ref()) {
            states.extend(code.snapshot.clone().or(code.commit.clone()));
        }
    }
    states
}

/// What the remote's refs point at, as far as it is here.
fn present(store: &Store, listing: &Listing) -> Vec<Oid> {
    let tips: Vec<Oid> = listing.others.union(&listing.code).cloned().collect();
    tips.into_iter().filter(|tip| store.has_object(tip)).collect()
}

fn publication(store: &Store, unpublished: Vec<CommitLine>) -> Result<Publication> {
    let mut public = Publication::default();
    for line in unpublished {
        match line.is_snapshot {
            true => {
                let files = store.changes_of(&line.commit)?;
                public.snapshots.push(Snapshot { commit: line.commit, files });
            }
            false => public.commits.push(line),
        }
    }
    Ok(public)
}
