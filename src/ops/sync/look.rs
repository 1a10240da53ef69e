//! Tips from elsewhere, looked at where they can do no harm, before anything of them is used.
//!
//! Knows who finds fault with them: git, the schema, or what is remembered of an earlier look.

use std::collections::{HashMap, HashSet};
use std::io;

use anyhow::Result;

use crate::ops::sync::check;
use crate::run::id::RunId;
use crate::store::{Kept, Oid, Remote, Store, Talk, Wanted, patiently};

/// Tips of runs in quarantine, or here already.
pub struct Look<'a> {
    store: &'a Store,
    arrival: Option<Arrived>,
    faults: HashMap<(RunId, Oid), String>,
}

/// What came into quarantine.
struct Arrived {
    arrival: crate::store::Arrival,
    seen: Store,
    tips: HashSet<Oid>,
}

impl<'a> Look<'a> {
    /// Fetches those of the tips that are not here; `known` are commits that are here and from which they may descend.
    pub fn at(
        store: &'a Store,
        remote: &Remote,
        tips: &[(RunId, Oid)],
        known: &[Oid],
        talk: &Talk<'_>,
    ) -> Result<Self> {
        let all: Vec<Oid> = tips.iter().map(|(_, tip)| tip.clone()).collect();
        let absent: HashSet<Oid> = store.absent(&all).into_iter().collect();
        let mut look = Self { store, arrival: None, faults: HashMap::new() };
        if absent.is_empty() {
            return Ok(look);
        }
        let refusals = store.refusals();
        let mut wanted = HashSet::new();
        for tip in tips.iter().filter(|(_, tip)| absent.contains(tip)) {
            match refusals.get(tip) {
                Some(reason) => drop(look.faults.insert(tip.clone(), reason.clone())),
                None => drop(wanted.insert(tip.1.clone())),
            }
        }
        // In the order in which they are listed, which is that of their age.
        let mut taken = HashSet::new();
        let order: Vec<Oid> =
            all.into_iter().filter(|tip| wanted.contains(tip) && taken.insert(tip.clone())).collect();
        if !order.is_empty() {
            look.bring(remote, tips, order, known, talk)?;
        }
        Ok(look)
    }

    fn bring(
        &mut self,
        remote: &Remote,
        tips: &[(RunId, Oid)],
        wanted: Vec<Oid>,
        known: &[Oid],
        talk: &Talk<'_>,
    ) -> Result<()> {
        let fetched = Wanted { tips: &wanted, known, is_code: false };
        let arrival = patiently(|| self.store.fetch(remote, &fetched, talk))?;
        let faults: HashMap<&Oid, _> = arrival.faults.iter().map(|fault| (&fault.tip, fault)).collect();
        for (id, tip) in tips {
            let Some(fault) = faults.get(tip) else { continue };
            self.faults.insert((id.clone(), tip.clone()), fault.reason.clone());
            if fault.is_lasting {
                self.store.remember_refusal(id, tip, &fault.reason);
            }
        }
        let seen = arrival.seen_by(self.store)?;
        self.arrival = Some(Arrived { arrival, seen, tips: wanted.into_iter().collect() });
        Ok(())
    }

    /// The repository as it would be with what came.
    pub fn seen(&self) -> &Store {
        self.arrival.as_ref().map_or(self.store, |arrived| &arrived.seen)
    }

    /// Why a tip is not there to be looked at.
    pub fn fault(&self, id: &RunId, tip: &Oid) -> Option<&String> {
        self.faults.get(&(id.clone(), tip.clone()))
    }

    /// Checks that a tip is of this run, of which `ours` is here; else the reason.
    pub fn check(&self, id: &RunId, tip: &Oid, ours: Option<&Oid>) -> Result<(), String> {
        if let Some(reason) = self.fault(id, tip) {
            return Err(reason.clone());
        }
        let known = ours.map(|ours| self.store.commits(ours)).transpose();
        let known =
            known.map_err(|error| format!("what is here cannot be read: {error:#}"))?.unwrap_or_default();
        check::check(self.seen(), id, tip, &|commit| known.contains(commit)).map_err(|error| {
            let reason = format!("{error:#}");
            // What a disk did not give may be there the next time.
            let is_lasting = !error.chain().any(|cause| cause.is::<io::Error>());
            if is_lasting && self.arrival.as_ref().is_some_and(|arrived| arrived.tips.contains(tip)) {
                self.store.remember_refusal(id, tip, &reason);
            }
            reason
        })
    }

    /// Lets in what the good tips need; `all` if none was refused.
    pub fn let_in(&self, good: &[Oid], all: bool) -> Result<Option<Kept>> {
        let arrived = self.arrival.as_ref();
        arrived.map(|arrived| self.store.let_in(&arrived.arrival, good, all)).transpose()
    }
}
