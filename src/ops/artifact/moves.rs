//! Artifact bytes sent to the store and taken from it, those that are not there yet.
//!
//! What failed is told per content; the rest is not held up by it.

use std::collections::BTreeMap;

use anyhow::Result;

use crate::artifact::{self, ArtifactStore, Content, Presence, Purpose, Tally};
use crate::ops::artifact::bytes_of;
use crate::tracker::Tracker;

/// What a transfer came to.
#[derive(Debug, Default)]
pub struct Moved {
    /// What arrived.
    pub arrived: Vec<Content>,
    /// What was there already.
    pub there: Vec<Content>,
    /// What is neither here nor there.
    pub missing: Vec<Content>,
    /// What failed, and why.
    pub failed: BTreeMap<Content, String>,
}

/// What a transfer would do.
#[derive(Debug, Default)]
pub struct Plan {
    /// What is to go.
    pub going: Vec<Content>,
    /// What is there already.
    pub there: Vec<Content>,
    /// What is neither here nor there.
    pub missing: Vec<Content>,
    /// What the store refuses, and why.
    pub refused: BTreeMap<Content, String>,
}

impl Plan {
    /// How many bytes are to go.
    pub fn bytes(&self) -> u64 {
        bytes_of(&self.going)
    }
}

/// What is to be sent, so that the store has all of these.
pub fn plan_send(tracker: &Tracker, store: &dyn ArtifactStore, contents: &[Content]) -> Result<Plan> {
    let mut plan = Plan::default();
    for (content, presence) in contents.iter().zip(artifact::look(store, contents, Purpose::Send)?) {
        match presence {
            Presence::There => plan.there.push(content.clone()),
            _ if !tracker.artifacts.has(content) => plan.missing.push(content.clone()),
            Presence::Absent => plan.going.push(content.clone()),
            Presence::Refused(why) => drop(plan.refused.insert(content.clone(), why)),
        }
    }
    Ok(plan)
}

/// What is to be taken, so that all of these are here; the store is asked only for what is not.
pub fn plan_take(tracker: &Tracker, store: &dyn ArtifactStore, contents: &[Content]) -> Result<Plan> {
    let mut plan = Plan::default();
    let (here, away): (Vec<Content>, Vec<Content>) =
        contents.iter().cloned().partition(|content| tracker.artifacts.has(content));
    plan.there = here;
    if away.is_empty() {
        return Ok(plan);
    }
    for (content, presence) in away.iter().zip(artifact::look(store, &away, Purpose::Take)?) {
        match presence {
            Presence::There => plan.going.push(content.clone()),
            Presence::Absent => plan.missing.push(content.clone()),
            Presence::Refused(why) => drop(plan.refused.insert(content.clone(), why)),
        }
    }
    Ok(plan)
}

/// Sends what was planned.
pub fn send(tracker: &Tracker, store: &dyn ArtifactStore, plan: Plan) -> Result<Moved> {
    store.prepare(plan.bytes())?;
    let local = &tracker.artifacts;
    Ok(go(tracker, plan, &|content, tally| artifact::send(store, local, content, tally)))
}

/// Takes what was planned.
pub fn take(tracker: &Tracker, store: &dyn ArtifactStore, plan: Plan) -> Result<Moved> {
    let local = &tracker.artifacts;
    local.forget_left_over();
    let arrived = plan.going.iter().map(|content| local.arrived(content)).sum();
    local.check_room(plan.bytes().saturating_sub(arrived))?;
    Ok(go(tracker, plan, &|content, tally| artifact::take(store, local, content, tally)))
}

type Work<'a> = &'a (dyn Fn(&Content, &Tally) -> Result<()> + Sync);

fn go(tracker: &Tracker, plan: Plan, work: Work<'_>) -> Moved {
    let outcomes = each(tracker, &plan.going, work);
    let mut moved =
        Moved { there: plan.there, missing: plan.missing, failed: plan.refused, ..Moved::default() };
    for (content, outcome) in plan.going.into_iter().zip(outcomes) {
        match outcome {
            Ok(()) => moved.arrived.push(content),
            Err(error) => drop(moved.failed.insert(content, format!("{error:#}"))),
        }
    }
    moved
}

/// Does the work for each content, several at a time, and tells how many of their bytes are through.
pub fn each<R: Send>(
    tracker: &Tracker,
    contents: &[Content],
    work: &(dyn Fn(&Content, &Tally) -> Result<R> + Sync),
) -> Vec<Result<R>> {
    let tally = Tally::default();
    let total = bytes_of(contents);
    let results = artifact::side_by_side(
        contents,
        tracker.config.store.transfers,
        |content| work(content, &tally),
        &mut || tracker.tell_transfer(tally.get(), total),
    );
    tracker.tell_transfer(total, total);
    results
}
