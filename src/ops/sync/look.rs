//! Tips from elsewhere, looked at where they can do no harm, before anything of them is used.
//!
//! Knows who finds fault with them: git, the schema, or what is remembered of an earlier look.

use std::collections::{HashMap, HashSet};
use std::io;

use anyhow::Result;

use crate::error;
use crate::ops::sync::check;
use crate::run::id::RunId;
use crate::store::{Kept, Known, Oid, Refusal, Refusals, Remote, Store, Talk, Wanted, patiently};

/// Tips of runs in quarantine, or here already.
pub struct Look<'a> {
    store: &'a Store,
    arrival: Option<Arrived>,
    faults: HashMap<(RunId, Oid), String>,
    refusals: Refusals,
}

/// Tips that are to be fetched.
#[derive(Default)]
struct Tips {
    /// Those of which nothing is known.
    fresh: Vec<Oid>,
    /// Those that the remote could not give before.
    suspects: Vec<Oid>,
}

impl Tips {
    /// Each once. The suspects begin elsewhere each time: not all of them may be tried.
    fn settle(&mut self) {
        let mut taken = HashSet::new();
        self.fresh.retain(|tip| taken.insert(tip.clone()));
        self.suspects.retain(|tip| taken.insert(tip.clone()));
        let mut random = [0; 2];
        // Without randomness they merely begin where they did.
        let _ = getrandom::fill(&mut random);
        let start = usize::from(u16::from_le_bytes(random)) % self.suspects.len().max(1);
        self.suspects.rotate_left(start);
    }
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
        let mut look = Self { store, arrival: None, faults: HashMap::new(), refusals: Refusals::new() };
        if absent.is_empty() {
            return Ok(look);
        }
        let mut wanted = Tips::default();
        look.refusals = store.refusals();
        // In the order in which they are listed, which is that of their age.
        for tip in tips.iter().filter(|(_, tip)| absent.contains(tip)) {
            match look.refusals.get(tip) {
                Some(refusal) if refusal.is_lasting => {
                    look.faults.insert(tip.clone(), refusal.reason.clone());
                }
                Some(_) => wanted.suspects.push(tip.1.clone()),
                None => wanted.fresh.push(tip.1.clone()),
            }
        }
        wanted.settle();
        if !wanted.fresh.is_empty() || !wanted.suspects.is_empty() {
            look.bring(remote, tips, wanted, known, talk)?;
        }
        Ok(look)
    }

    fn bring(
        &mut self,
        remote: &Remote,
        tips: &[(RunId, Oid)],
        wanted: Tips,
        known: &[Oid],
        talk: &Talk<'_>,
    ) -> Result<()> {
        let fetched = Wanted { tips: &wanted.fresh, suspects: &wanted.suspects, known, is_code: false };
        let arrival = patiently(|| self.store.fetch(remote, &fetched, talk))?;
        let faults: HashMap<&Oid, _> = arrival.faults.iter().map(|fault| (&fault.tip, fault)).collect();
        for (id, tip) in tips {
            let Some(fault) = faults.get(tip) else { continue };
            self.faults.insert((id.clone(), tip.clone()), fault.reason.clone());
            if fault.is_doubtful {
                self.remember(id, tip, &fault.reason, false);
            }
        }
        let seen = arrival.seen_by(self.store)?;
        let tips = wanted.fresh.into_iter().chain(wanted.suspects).collect();
        self.arrival = Some(Arrived { arrival, seen, tips });
        Ok(())
    }

    fn remember(&self, id: &RunId, tip: &Oid, reason: &str, is_lasting: bool) {
        let refusal = Refusal { reason: reason.to_owned(), is_lasting };
        let known = self.refusals.get(&(id.clone(), tip.clone()));
        if known.is_none_or(|known| known.is_lasting != is_lasting) {
            self.store.remember_refusal(id, tip, &refusal);
        }
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
        let good = ours.map(|ours| self.store.commits(ours)).transpose();
        let good =
            good.map_err(|error| format!("what is here cannot be read: {error:#}"))?.unwrap_or_default();
        let known = Known { good, unsound: self.arrival.as_ref().map(|arrived| &arrived.arrival.unsound) };
        check::check(self.seen(), id, tip, &known).map_err(|error| {
            let is_absent = error::kind(&error) == error::Kind::Absent;
            let reason = match is_absent {
                true => format!("it is not whole there, as in a shallow clone: {error:#}"),
                false => format!("{error:#}"),
            };
            // What a disk did not give may be there the next time; what one remote lacks another may have.
            let is_lasting = !is_absent && !error.chain().any(|cause| cause.is::<io::Error>());
            let has_come = self.arrival.as_ref().is_some_and(|arrived| arrived.tips.contains(tip));
            if has_come && (is_lasting || is_absent) {
                self.remember(id, tip, &reason, is_lasting);
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
