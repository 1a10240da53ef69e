//! What a purge is to take away: whatever the run alone holds, by name or by how its chain begins.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::SystemTime;

use anyhow::Result;

use crate::error::{Kind, Problem};
use crate::journal::owner::Life;
use crate::ops::operation;
use crate::ops::space::purge::{Intent, note};
use crate::ops::space::survey::{self, Holder, Named, Survey};
use crate::run::id::RunId;
use crate::store::{Oid, Purpose};
use crate::tracker::Tracker;

/// What a purge would take away. Nothing is changed.
pub fn plan(tracker: &Tracker, ids: &[RunId]) -> Result<Vec<Intent>> {
    for id in ids {
        refuse_live(tracker, id)?;
    }
    let survey = survey::survey(tracker)?;
    if let Some((what, error)) = survey.unreadable.first() {
        let problem =
            Problem::new(format!("{what} cannot be read, so nobody can tell what it shares: {error:#}"));
        return Err(problem
            .hint("`git fsck` tells what is damaged; fetch it again, or delete its ref")
            .into());
    }
    let lost: BTreeSet<&RunId> = ids.iter().collect();
    let operations = operation::list(tracker)?;
    let mut intents = Vec::new();
    for id in ids {
        let mut tips = tips_of(&survey, id);
        if tips.is_empty() {
            return Err(Problem::new(format!("there is no run '{id}'")).of(Kind::NotFound).into());
        }
        let logged = operations.iter().flat_map(|one| &one.moves).filter(|moved| {
            matches!(tracker.store.purpose_of(&moved.name),
                Purpose::Run(known) | Purpose::Tracked { id: known, .. } if known == *id)
        });
        tips.extend(logged.flat_map(|moved| moved.before.iter().chain(&moved.after).cloned()));
        tips.retain(|tip| !tracker.store.is_bare_stone(tip).unwrap_or(false));
        let roots = roots(tracker, &tips);
        intents.push(Intent {
            id: id.clone(),
            roots,
            tips,
            code: BTreeSet::new(),
            artifacts: BTreeMap::new(),
            at: SystemTime::now(),
        });
    }
    share_out(tracker, &survey, &lost, &mut intents);
    for intent in &mut intents {
        // One that was killed knew what nobody could tell any more.
        if let Some(known) = note::read(tracker, &intent.id)? {
            intent.tips.extend(known.tips);
            intent.roots.extend(known.roots);
            intent.code.extend(known.code);
            intent.artifacts.extend(known.artifacts);
        }
    }
    Ok(intents)
}

/// A run in progress would write its secret again.
fn refuse_live(tracker: &Tracker, id: &RunId) -> Result<()> {
    for folder in tracker.live_of(id) {
        match folder.life()? {
            Life::Dead => {}
            Life::Alive => {
                let problem = Problem::new(format!("run '{id}' is in progress"));
                return Err(problem.hint("let it end, or stop it; then purge it").into());
            }
            Life::Elsewhere => {
                let problem = Problem::new(format!("run '{id}' is in progress on another machine, or was"));
                return Err(problem
                    .hint(format!("`git xtrack recover --force {id}` takes it for dead"))
                    .into());
            }
        }
    }
    Ok(())
}

fn tips_of(survey: &Survey, id: &RunId) -> BTreeSet<Oid> {
    let is_its =
        |holder: &Holder| matches!(holder, Holder::Run(known) | Holder::Fetched(_, known) if known == id);
    survey.named.iter().filter(|named| is_its(&named.holder)).map(|named| named.tip.clone()).collect()
}

/// The commits without parents behind the tips, as far as they are here.
fn roots(tracker: &Tracker, tips: &BTreeSet<Oid>) -> BTreeSet<Oid> {
    let logs = tips.iter().filter_map(|tip| tracker.store.roots_behind(tip).ok());
    logs.flatten().collect()
}

/// What of code and artifacts nobody needs but the runs that are lost.
fn share_out(tracker: &Tracker, survey: &Survey, lost: &BTreeSet<&RunId>, intents: &mut [Intent]) {
    let owners = owners(tracker, survey, intents);
    let (mut code, mut artifacts): (HashSet<&String>, HashSet<&String>) = Default::default();
    for (named, _) in survey.named.iter().zip(&owners).filter(|(_, owner)| owner.is_none()) {
        code.extend(&named.code);
        artifacts.extend(&named.artifacts);
    }
    let live: HashSet<&String> = match lost.iter().all(|id| tracker.live_of(id).is_empty()) {
        true => survey.live.iter().collect(),
        // What a dead run of these names is as lost as its record.
        false => HashSet::new(),
    };
    for (named, owner) in survey.named.iter().zip(&owners) {
        let Some(intent) = owner.map(|owner| &mut intents[owner]) else { continue };
        let own = named.code.iter().filter(|commit| !code.contains(commit) && !live.contains(commit));
        intent.code.extend(own.cloned());
        let own =
            named.artifacts.iter().filter(|sha256| !artifacts.contains(sha256) && !live.contains(sha256));
        intent
            .artifacts
            .extend(own.filter_map(|sha256| Some((sha256.clone(), survey.held.get(sha256)?.size))));
    }
}

/// Of each tip which of the lost runs it is of, if it is of one.
fn owners(tracker: &Tracker, survey: &Survey, intents: &[Intent]) -> Vec<Option<usize>> {
    let places: HashMap<&RunId, usize> =
        intents.iter().enumerate().map(|(place, intent)| (&intent.id, place)).collect();
    let owner = |named: &Named| match &named.holder {
        Holder::Run(id) | Holder::Fetched(_, id) => places.get(id).copied(),
        Holder::Kept(_) => intents.iter().position(|intent| intent.owns(&tracker.store, &named.tip)),
    };
    survey.named.iter().map(owner).collect()
}
