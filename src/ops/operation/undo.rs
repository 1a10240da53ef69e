//! Taking an operation back: each ref that is still where the operation left it goes to where it was before.
//!
//! Itself an operation, so that it can be taken back. What has gone on since is left as it is and named, with the words that
//! would say the opposite; what a remote has is not taken back by anything done here.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

use crate::error::Problem;
use crate::ops::operation::{Operation, can_go_back, opposite};
use crate::run::id::RunId;
use crate::store::{CommitInfo, Move, Moved, Oid, Purpose};
use crate::tracker::Tracker;

/// How many commits are looked through for what an operation did to a run.
const CHAIN_MAX: usize = 10_000;

/// What became of it.
#[derive(Debug)]
pub struct Undone {
    /// What was taken back.
    pub operation: Operation,
    /// The operation that did it; nothing if it was only looked at.
    pub by: Option<String>,
    /// The refs that went back.
    pub back: Vec<Move>,
    /// The runs that are shown again, or hidden again.
    pub hiding: BTreeMap<RunId, bool>,
    /// How many are where they were before already.
    pub already: usize,
    /// Those that did not, and why.
    pub left: Vec<Left>,
    /// How many of the runs each remote is known to have as the operation left them.
    pub known: BTreeMap<String, usize>,
}

/// A ref that was left where it is.
#[derive(Debug)]
pub struct Left {
    /// The ref.
    pub name: String,
    /// The run, if it is one's.
    pub run: Option<RunId>,
    /// Why.
    pub why: Why,
}

/// Why a ref is left where it is.
#[derive(Debug)]
pub enum Why {
    /// It has moved since. What going back would lose, the newest first, and commands that say the opposite instead.
    GoneOn {
        /// What came after.
        since: Vec<CommitInfo>,
        /// What to type instead.
        instead: Vec<String>,
    },
    /// It is gone.
    Gone,
    /// What it pointed at is not here any more.
    Lost,
    /// The run was purged.
    Purged,
    /// It could not be moved.
    Failed(anyhow::Error),
}

/// Takes an operation back, or only looks at what that would do.
pub fn undo(tracker: &Tracker, operation: &Operation, is_dry: bool) -> Result<Undone> {
    refuse(tracker, operation)?;
    let mut undone = Undone {
        operation: operation.clone(),
        by: None,
        back: Vec::new(),
        hiding: BTreeMap::new(),
        already: 0,
        left: Vec::new(),
        known: known(tracker, operation)?,
    };
    for (place, moved) in operation.moves.iter().enumerate() {
        (tracker.progress())(place + 1, operation.moves.len());
        if !can_go_back(&tracker.store, moved) {
            continue;
        }
        match standing(tracker, moved)? {
            Standing::Ready => undone.back.push(Move {
                name: moved.name.clone(),
                before: moved.after.clone(),
                after: moved.before.clone(),
            }),
            Standing::Back => undone.already += 1,
            Standing::Left(why) => undone.left.push(left(tracker, &moved.name, why)),
        }
    }
    let now = tracker.hidden();
    for (id, hidden) in &operation.hiding {
        match now.contains(id) == *hidden {
            true => drop(undone.hiding.insert(id.clone(), !hidden)),
            false => undone.already += 1,
        }
    }
    let is_due = !undone.back.is_empty() || !undone.hiding.is_empty();
    if is_due && !is_dry {
        tracker.store.undoes(&operation.id);
        move_back(tracker, &mut undone)?;
        for hidden in [true, false] {
            let ids = undone.hiding.iter().filter(|(_, wanted)| **wanted == hidden);
            tracker.hide(&ids.map(|(id, _)| id.clone()).collect::<Vec<_>>(), hidden)?;
        }
        undone.by = Some(tracker.store.operation_id());
    }
    Ok(undone)
}

/// Refuses what cannot be taken back here at all.
fn refuse(tracker: &Tracker, operation: &Operation) -> Result<()> {
    let id = &operation.id;
    match operation.command.as_str() {
        "push" => {
            let remotes: Vec<String> = operation.tally(&tracker.store).noted.into_keys().collect();
            let remotes = remotes.join("', '");
            Err(Problem::new(format!("operation '{id}' is a push: '{remotes}' has the runs now"))
                .hint("`git xtrack rm RUN` and a push delete them for all; `git xtrack purge RUN --remote NAME` is for secrets")
                .into())
        }
        "purge" => {
            Err(Problem::new(format!("operation '{id}' is a purge, which leaves nothing to take back"))
                .into())
        }
        _ if !operation.can_be_undone(&tracker.store) => {
            Err(Problem::new(format!("there is nothing in operation '{id}' that can be taken back")).into())
        }
        _ => Ok(()),
    }
}

/// How a ref stands to what an operation did to it.
enum Standing {
    Ready,
    Back,
    Left(Why),
}

fn standing(tracker: &Tracker, moved: &Move) -> Result<Standing> {
    let store = &tracker.store;
    let now = store.ref_target(&moved.name)?;
    if now == moved.before {
        return Ok(Standing::Back);
    }
    let is_stone = |tip: &Option<Oid>| tip.as_ref().is_some_and(|tip| store.is_stone(tip).unwrap_or(false));
    if is_stone(&now) || is_stone(&moved.after) {
        return Ok(Standing::Left(Why::Purged));
    }
    if now != moved.after {
        return Ok(Standing::Left(match now {
            None => Why::Gone,
            Some(now) => gone_on(tracker, moved, &now),
        }));
    }
    match &moved.before {
        Some(before) if !store.has_object(before) => Ok(Standing::Left(Why::Lost)),
        _ => Ok(Standing::Ready),
    }
}

/// What a run went on to since an operation, and how the operation's words are unsaid without that.
fn gone_on(tracker: &Tracker, moved: &Move, now: &Oid) -> Why {
    let store = &tracker.store;
    let then: BTreeSet<Oid> =
        moved.after.iter().flat_map(|after| store.commits(after).unwrap_or_default()).collect();
    let log = store.log_of(now).unwrap_or_default();
    let since = log.into_iter().filter(|commit| !then.contains(&commit.oid)).take(CHAIN_MAX).collect();
    let instead = match (store.purpose_of(&moved.name), &moved.before, &moved.after) {
        (Purpose::Run(id), Some(before), Some(after)) => {
            opposite::opposite(tracker, &id, before, after).unwrap_or_default()
        }
        (Purpose::Run(id), None, _) => vec![format!("git xtrack rm {}", id.suffix())],
        _ => Vec::new(),
    };
    Why::GoneOn { since, instead }
}

fn left(tracker: &Tracker, name: &str, why: Why) -> Left {
    let run = match tracker.store.purpose_of(name) {
        Purpose::Run(id) | Purpose::Tracked { id, .. } => Some(id),
        _ => None,
    };
    Left { name: name.to_owned(), run, why }
}

/// How many of the runs each remote has as the operation left them, or further on.
fn known(tracker: &Tracker, operation: &Operation) -> Result<BTreeMap<String, usize>> {
    let store = &tracker.store;
    let run = |moved: &Move| match store.purpose_of(&moved.name) {
        Purpose::Run(id) => Some((id, moved.after.clone()?)),
        _ => None,
    };
    let runs: Vec<(RunId, Oid)> = operation.moves.iter().filter_map(run).collect();
    let mut known = BTreeMap::new();
    if runs.is_empty() {
        return Ok(known);
    }
    for remote in store.remote_names() {
        let tracked = store.tracked(&remote)?;
        let has = |(id, tip): &&(RunId, Oid)| {
            tracked.get(id).is_some_and(|theirs| {
                theirs == tip || store.descends(theirs, tip, CHAIN_MAX).unwrap_or(false)
            })
        };
        let count = runs.iter().filter(has).count();
        if count > 0 {
            known.insert(remote, count);
        }
    }
    Ok(known)
}

/// Moves the refs, each only from where the operation left it.
fn move_back(tracker: &Tracker, undone: &mut Undone) -> Result<()> {
    let store = &tracker.store;
    let back = std::mem::take(&mut undone.back);
    let (mut new, mut gone, mut changed) = (Vec::new(), Vec::new(), Vec::new());
    for moved in back {
        match (&moved.before, &moved.after) {
            (None, Some(after)) => new.push((moved.name.clone(), after.clone())),
            (Some(before), None) => gone.push((moved.name.clone(), before.clone())),
            (Some(before), Some(after)) => changed.push((moved.name.clone(), before.clone(), after.clone())),
            (None, None) => {}
        }
    }
    let mut missed: BTreeMap<String, anyhow::Error> = store.create_refs(&new)?.into_iter().collect();
    let mut results: Vec<(Move, Result<()>)> = Vec::new();
    results.extend(new.into_iter().map(|(name, tip)| {
        let done = missed.remove(&name).map_or(Ok(()), Err);
        (Move { name, before: None, after: Some(tip) }, done)
    }));
    let done = store.change_refs(&changed)?.into_iter().map(|done| done.map(drop));
    results.extend(changed.into_iter().zip(done).map(|((name, before, after), done)| {
        (Move { name, before: Some(before), after: Some(after) }, done)
    }));
    let done = store.delete_refs(&gone)?;
    results.extend(
        gone.into_iter()
            .zip(done)
            .map(|((name, tip), done)| (Move { name, before: Some(tip), after: None }, done)),
    );
    for (moved, done) in results {
        match done {
            Ok(()) => undone.back.push(moved),
            // It went on at this very moment.
            Err(error) if error.is::<Moved>() => {
                let why = Why::GoneOn { since: Vec::new(), instead: Vec::new() };
                undone.left.push(left(tracker, &moved.name, why));
            }
            Err(error) => undone.left.push(left(tracker, &moved.name, Why::Failed(error))),
        }
    }
    Ok(())
}
