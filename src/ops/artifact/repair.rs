//! Damaged bytes put right: those here from the store, those in the store from here, where the other has them whole.
//!
//! What is damaged here is put aside and not deleted: if nothing better comes, it is put back.

use std::collections::BTreeMap;

use anyhow::{Result, anyhow};

use crate::artifact::{self, ArtifactStore, Artifacts, Content, Presence, Purpose, Standing, Tally};
use crate::ops::artifact::verify::Verdict;
use crate::ops::artifact::{Held, bytes_of, distinct, moves};
use crate::tracker::Tracker;

/// What a repair came to.
#[derive(Debug, Default)]
pub struct Repaired {
    /// What was taken from the store again.
    pub here: Vec<Content>,
    /// What was sent to the store again.
    pub there: Vec<Content>,
    /// What stays damaged, and why.
    pub failed: BTreeMap<Content, String>,
}

/// Puts right what the verdicts call damaged; afterwards they say what came of it.
pub fn repair(
    tracker: &Tracker,
    store: &dyn ArtifactStore,
    artifacts: &[Held],
    verdicts: &mut [Verdict],
) -> Result<Repaired> {
    let mut repaired = Repaired::default();
    let broken_here = chosen(artifacts, verdicts, |verdict| !verdict.here_is_sound());
    repaired.here =
        sort_out(broken_here.iter().zip(take_again(tracker, store, &broken_here)?), &mut repaired);
    let whole = |verdict: &mut Verdict| verdict.here = Ok(Standing::Whole);
    settle(artifacts, verdicts, &repaired.here, whole);
    let broken_there = chosen(artifacts, verdicts, |verdict| {
        verdict.here == Ok(Standing::Whole) && verdict.store == Some(Ok(Standing::Damaged))
    });
    let local = &tracker.artifacts;
    let sent = moves::each(tracker, &broken_there, &|content, tally| {
        artifact::send_again(store, local, content, tally)
    });
    repaired.there = sort_out(broken_there.iter().zip(sent), &mut repaired);
    let whole = |verdict: &mut Verdict| verdict.store = Some(Ok(Standing::Whole));
    settle(artifacts, verdicts, &repaired.there, whole);
    Ok(repaired)
}

/// The bytes of which this holds, each once.
fn chosen(artifacts: &[Held], verdicts: &[Verdict], holds: impl Fn(&Verdict) -> bool) -> Vec<Content> {
    let of = artifacts.iter().zip(verdicts).filter(|(_, verdict)| holds(verdict)).map(|(held, _)| held);
    distinct(of)
}

/// Those that went well; the others are noted with their reasons.
fn sort_out<'a>(
    outcomes: impl Iterator<Item = (&'a Content, Result<()>)>,
    repaired: &mut Repaired,
) -> Vec<Content> {
    let mut done = Vec::new();
    for (content, outcome) in outcomes {
        match outcome {
            Ok(()) => done.push(content.clone()),
            Err(error) => drop(repaired.failed.insert(content.clone(), format!("{error:#}"))),
        }
    }
    done
}

fn settle(artifacts: &[Held], verdicts: &mut [Verdict], done: &[Content], say: impl Fn(&mut Verdict)) {
    for (held, verdict) in artifacts.iter().zip(verdicts) {
        if held.inline.is_none() && done.contains(&held.content) {
            say(verdict);
        }
    }
}

/// Takes bytes that are damaged here from the store, one answer each.
pub fn take_again(
    tracker: &Tracker,
    store: &dyn ArtifactStore,
    contents: &[Content],
) -> Result<Vec<Result<()>>> {
    if contents.is_empty() {
        return Ok(Vec::new());
    }
    let local = &tracker.artifacts;
    local.check_room(bytes_of(contents))?;
    let found: BTreeMap<&Content, Presence> =
        contents.iter().zip(artifact::look(store, contents, Purpose::Take)?).collect();
    Ok(moves::each(tracker, contents, &|content, tally| match &found[content] {
        Presence::There => exchange(local, store, content, tally),
        Presence::Absent => Err(anyhow!("it is damaged here, and '{}' does not have it", store.shown())),
        Presence::Refused(why) => Err(anyhow!("it is damaged here; {why}")),
    }))
}

fn exchange(local: &Artifacts, store: &dyn ArtifactStore, content: &Content, tally: &Tally) -> Result<()> {
    let aside = local.set_aside(content)?;
    let taken = artifact::take(store, local, content, tally);
    if let (Err(_), Some(aside)) = (&taken, aside) {
        local.bring_back(content, &aside);
    }
    taken
}
