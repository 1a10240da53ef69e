//! Have I run this already? Runs that were begun alike: same code, command, params and inputs.
//!
//! What is compared at the start is what was known at the start of the others; see [`crate::run::fingerprint`].

use std::collections::BTreeMap;

use anyhow::Result;

use crate::human;
use crate::run::attempt::{Facts, Status};
use crate::run::id::{RunId, Time};
use crate::run::{Run, fingerprint};
use crate::tracker::{Search, Tracker};

/// The newest finished run that began as this attempt is to begin, whatever its training said later. Nothing if there is
/// none, or if it is not known exactly what is to run.
pub fn finished_alike(tracker: &Tracker, facts: &Facts) -> Result<Option<Run>> {
    let Some(wanted) = &facts.fingerprint else {
        return Ok(None);
    };
    let alike = tracker.runs_like(wanted, Search::Whole)?;
    let hidden = tracker.hidden();
    let counts = |run: &Run| run.id != facts.id && is_done(run) && !hidden.contains(&run.id);
    Ok(alike.into_iter().filter(counts).max_by_key(|run| (run.started, run.id.clone())))
}

/// A word on the newest finished run before this one that had the same code, command, params and inputs, what the training
/// itself said included. It is worth nothing next to the run that was just recorded: where it would take long, or fails,
/// there is none.
pub fn same_as(tracker: &Tracker, facts: &Facts) -> Option<String> {
    let wanted = facts.fingerprint.as_ref().filter(|_| facts.key.is_none() && facts.after.is_empty())?;
    let alike = tracker.runs_like(wanted, Search::Short).ok()?;
    // Later runs find this one; without that they are as good.
    let _ = tracker.note_fingerprint(wanted, &facts.id);
    let own = fingerprint::in_the_end(std::slice::from_ref(facts));
    let is_same = |run: &Run| {
        run.id != facts.id
            && is_done(run)
            && run.started <= facts.started
            && fingerprint::in_the_end(&run.attempts) == own
    };
    let earlier = alike.into_iter().filter(is_same).max_by_key(|run| (run.started, run.id.clone()))?;
    Some(format!("same as {}", described(&earlier, facts.started?)))
}

/// The run by name, with how long ago it began.
pub fn described(run: &Run, now: Time) -> String {
    let name = run.name.as_deref().unwrap_or(run.id.suffix());
    match run.started {
        Some(started) => format!("{name} ({} ago)", human::age(now.seconds() - started.seconds())),
        None => name.to_owned(),
    }
}

/// Groups of runs that did the same: code, command, params and inputs, what their trainings said included; in each the oldest
/// first, the group that began last first. Deleted and hidden ones do not count, however they ended the others do.
pub fn duplicates(tracker: &Tracker) -> Result<Vec<Vec<RunId>>> {
    let hidden = tracker.hidden();
    let mut groups = Vec::new();
    for alike in tracker.runs_alike()? {
        let mut same: BTreeMap<String, Vec<Run>> = BTreeMap::new();
        for run in alike.into_iter().filter(|run| !run.deleted && !hidden.contains(&run.id)) {
            same.entry(fingerprint::in_the_end(&run.attempts)).or_default().push(run);
        }
        groups.extend(same.into_values().filter(|runs| runs.len() > 1));
    }
    groups.iter_mut().for_each(|runs| runs.sort_by_key(|run| (run.started, run.id.clone())));
    groups.sort_by_key(|runs| std::cmp::Reverse(runs.last().map(|run| (run.started, run.id.clone()))));
    Ok(groups.into_iter().map(|runs| runs.into_iter().map(|run| run.id).collect()).collect())
}

fn is_done(run: &Run) -> bool {
    run.status == Status::Finished && !run.deleted
}
