//! What a push would do: how each run here stands to the remote's copy of it, and what would go along.
//!
//! Nothing is changed here or there; what only the remote has is fetched to be looked at, and not kept.

use std::collections::{BTreeSet, HashMap};

use anyhow::{Context as _, Result};

use crate::error::Problem;
use crate::ops::sync::artifacts::{Destination, Needed, Whereabouts};
use crate::ops::sync::look::Look;
use crate::ops::sync::{Cause, Refused, code};
use crate::run::id::RunId;
use crate::run::join::{self, Ancestry, Merged, Tip};
use crate::run::record::{Files, TOMBSTONE};
use crate::store::{Listing, Oid, Remote, Store, Talk, patiently};
use crate::tracker::Tracker;

/// What is to be pushed.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The runs; all if absent.
    pub runs: Option<Vec<RunId>>,
    /// Runs whose place in the remote ours take, whatever is there.
    pub replaced: BTreeSet<RunId>,
    /// Whether the code goes along, whatever that makes public.
    pub code: bool,
    /// Whether runs go whose artifacts are missing.
    pub incomplete: bool,
    /// Whether it is only looked at what would happen.
    pub dry_run: bool,
}

/// How a run here stands to the remote's copy of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// They are the same.
    Same,
    /// The remote has none.
    New,
    /// Ours goes on from theirs.
    Updated,
    /// Both say the same, and ours is the tip that every clone settles on.
    Settled,
    /// Theirs takes the place of nothing: ours is to replace it.
    Replaced,
    /// Theirs says all that ours does, and perhaps more.
    Behind,
    /// It stays, for this reason.
    Blocked(Cause, String),
}

/// What is to happen to one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// Which.
    pub id: RunId,
    /// Its tip here.
    pub tip: Oid,
    /// Its tip in the remote.
    pub theirs: Option<Oid>,
    /// How the two stand.
    pub standing: Standing,
}

/// What a push would do.
pub struct Plan {
    /// Where to.
    pub remote: Remote,
    /// The runs that do not stay as they are in the remote, by id.
    pub runs: Vec<Planned>,
    /// How many are there already, as they are here or further on.
    pub same: usize,
    /// Those of which the remote knows more.
    pub behind: Vec<RunId>,
    /// Runs that stay, and why.
    pub refused: Vec<Refused>,
    /// Their artifacts.
    pub artifacts: Vec<Needed>,
    /// Their code.
    pub code: code::Plan,
    pub(super) destination: Destination,
}

/// Looks at what a push would do. Nothing is changed here or there.
pub fn plan(tracker: &Tracker, remote: &Remote, options: &Options, talk: &Talk<'_>) -> Result<Plan> {
    let cannot = || format!("cannot push to '{}'", remote.shown());
    let store = &tracker.store;
    let listing = patiently(|| store.list_remote(remote, talk)).with_context(cannot)?;
    let chosen = chosen(tracker, options)?;
    let compared = compare(tracker, remote, &chosen, &listing, options, talk).with_context(cannot)?;
    let runs = options.runs.is_some().then_some(chosen.as_slice());
    let mut plan = Plan {
        remote: remote.clone(),
        runs: Vec::new(),
        same: 0,
        behind: Vec::new(),
        refused: Vec::new(),
        artifacts: Vec::new(),
        code: code::plan(tracker, &listing, runs, options.code).with_context(cannot)?,
        destination: Destination::of(tracker, remote, talk.is_attended),
    };
    let mut going = Vec::new();
    for planned in compared {
        going.extend(plan.take(tracker, planned));
    }
    let mut needed: Vec<&mut Needed> = going.iter_mut().flat_map(|(_, needed)| needed).collect();
    plan.destination.locate(tracker, &mut needed);
    for (planned, needed) in going {
        plan.settle(planned, needed, options);
    }
    Ok(plan)
}

/// The runs that are to be pushed, and their tips.
fn chosen(tracker: &Tracker, options: &Options) -> Result<Vec<(RunId, Oid)>> {
    let all = tracker.store.runs()?;
    let Some(wanted) = &options.runs else {
        return Ok(all);
    };
    let tips: HashMap<&RunId, &Oid> = all.iter().map(|(id, tip)| (id, tip)).collect();
    let mut chosen = Vec::new();
    for id in wanted {
        let tip = tips.get(id).ok_or_else(|| {
            let problem = Problem::new(format!("run '{id}' is in progress and has no record yet"));
            problem.hint("push it when it has ended, or record it with `--checkpoint`")
        })?;
        chosen.push((id.clone(), (*tip).clone()));
    }
    Ok(chosen)
}

impl Plan {
    /// Sorts out a run that stays; one that is to go comes back, with the artifacts that it needs.
    fn take(&mut self, tracker: &Tracker, planned: Planned) -> Option<(Planned, Vec<Needed>)> {
        match &planned.standing {
            Standing::Same => self.same += 1,
            Standing::Behind => self.behind.push(planned.id),
            Standing::Blocked(cause, reason) => self.refused.push(Refused::new(planned.id, *cause, reason)),
            _ => {
                let theirs = planned.theirs.as_ref().filter(|theirs| tracker.store.has_object(theirs));
                match self.destination.needed(tracker, &planned.id, &planned.tip, theirs) {
                    Ok(needed) => return Some((planned, needed)),
                    Err(error) => {
                        let reason = format!("it is damaged here: {error:#}");
                        self.refused.push(Refused::new(planned.id, Cause::Here, reason));
                    }
                }
            }
        }
        None
    }

    /// A run goes if its artifacts are there, or can go before it.
    fn settle(&mut self, planned: Planned, needed: Vec<Needed>, options: &Options) {
        match missing(&needed).filter(|_| !options.incomplete) {
            Some(reason) => self.refused.push(Refused::new(planned.id, Cause::Artifacts, reason)),
            None => {
                self.artifacts.extend(needed);
                self.runs.push(planned);
            }
        }
    }
}

fn missing(needed: &[Needed]) -> Option<String> {
    if let Some(refused) = needed.iter().find(|one| one.whereabouts == Whereabouts::Refused) {
        let why = refused.reason.as_deref().unwrap_or("it is refused");
        return Some(format!("its artifact '{}' cannot go along: {why}", refused.path));
    }
    let missing: Vec<_> = needed.iter().filter(|one| one.whereabouts == Whereabouts::Missing).collect();
    let first = missing.first()?;
    Some(match missing.len() {
        1 => format!("its artifact '{}' is not here", first.path),
        count => format!("{count} of its artifacts are not here, '{}' among them", first.path),
    })
}

/// Compares the runs with the remote's. What only the remote has is fetched to be looked at, and not kept.
pub(super) fn compare(
    tracker: &Tracker,
    remote: &Remote,
    chosen: &[(RunId, Oid)],
    listing: &Listing,
    options: &Options,
    talk: &Talk<'_>,
) -> Result<Vec<Planned>> {
    let is_unlike = |(id, tip): &&(RunId, Oid)| listing.runs.get(id).is_some_and(|theirs| theirs != tip);
    let unlike: Vec<&(RunId, Oid)> = chosen.iter().filter(is_unlike).collect();
    let tips: Vec<(RunId, Oid)> =
        unlike.iter().map(|(id, _)| (id.clone(), listing.runs[id].clone())).collect();
    let known: Vec<Oid> = unlike.iter().map(|(_, tip)| tip.clone()).collect();
    let look = Look::at(&tracker.store, remote, &tips, &known, talk)?;
    let mut compared = Vec::new();
    for (id, tip) in chosen {
        let theirs = listing.runs.get(id);
        let standing = match theirs {
            None => Standing::New,
            Some(theirs) if theirs == tip => Standing::Same,
            Some(_) if options.replaced.contains(id) => Standing::Replaced,
            Some(theirs) => stand(&look, id, tip, theirs, remote)?,
        };
        compared.push(Planned { id: id.clone(), tip: tip.clone(), theirs: theirs.cloned(), standing });
    }
    Ok(compared)
}

fn unusable(why: &str, remote: &Remote) -> Standing {
    Standing::Blocked(Cause::Unsound, format!("what '{}' has of it cannot be used: {why}", remote.shown()))
}

/// How our tip stands to theirs.
fn stand(look: &Look<'_>, id: &RunId, ours: &Oid, theirs: &Oid, remote: &Remote) -> Result<Standing> {
    if let Some(why) = look.fault(id, theirs) {
        return Ok(unusable(why, remote));
    }
    let seen = look.seen();
    let ancestry = match seen.ancestry(ours, theirs) {
        Ok(Ancestry::Ahead) => return Ok(Standing::Updated),
        Ok(ancestry) => ancestry,
        Err(error) => return Ok(unusable(&format!("{error:#}"), remote)),
    };
    if let Err(why) = look.check(id, theirs, Some(ours)) {
        return Ok(unusable(&why, remote));
    }
    let place = remote.shown();
    Ok(match (ancestry, stone(seen, ours)?, stone(seen, theirs)?) {
        (_, None, Some(_)) => Standing::Blocked(Cause::Purged, format!("it was purged in '{place}'")),
        (_, Some(_), None) => {
            Standing::Blocked(Cause::Purged, format!("it was purged here, and '{place}' still has it"))
        }
        (_, Some(our_stone), Some(their_stone)) => {
            let tip = |commit, files| Tip { commit, files };
            match join::merge(tip(ours, &our_stone), tip(theirs, &their_stone), ancestry)? {
                Merged::Ours => Standing::Settled,
                _ => Standing::Behind,
            }
        }
        (Ancestry::Behind, ..) => Standing::Behind,
        (Ancestry::Equivalent, ..) if ours < theirs => Standing::Settled,
        (Ancestry::Equivalent, ..) => Standing::Behind,
        _ => Standing::Blocked(Cause::Diverged, format!("'{place}' has words on it that are not here")),
    })
}

/// The files of a tip that is a tombstone's.
fn stone(store: &Store, tip: &Oid) -> Result<Option<Files>> {
    let files = store.read(tip, &|path| path == TOMBSTONE)?;
    Ok(files.contains_key(TOMBSTONE).then_some(files))
}
