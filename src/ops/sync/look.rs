//! Tips from elsewhere, looked at where they can do no harm, before anything of them is used.
//!
//! Knows who finds fault with them: git, the schema, or what is remembered of an earlier look.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::path::Path;
use std::thread;

use anyhow::Result;

use crate::error;
use crate::ops::sync::check;
use crate::run::id::RunId;
use crate::store::{Kept, Known, Oid, Refusal, Refusals, Remote, Store, Talk, Unsound, Wanted, patiently};

/// From how many tips on several threads look at them.
const PARALLEL_MIN: usize = 200;
/// How many.
const WORKERS_MAX: usize = 8;

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
        self.judge(id, tip, self.view(self.store, self.seen()).check(id, tip, ours))
    }

    /// The same for many, several at a time; `directory` is where the repository is opened once more for each.
    pub fn check_each(
        &self,
        tips: &[(RunId, Oid)],
        ours: &BTreeMap<RunId, Oid>,
        directory: &Path,
    ) -> Vec<Result<(), String>> {
        let check = |view: &View<'_>, tips: &[(RunId, Oid)]| -> Vec<Verdict> {
            tips.iter().map(|(id, tip)| view.check(id, tip, ours.get(id))).collect()
        };
        let workers = thread::available_parallelism().map_or(1, usize::from).min(WORKERS_MAX);
        let verdicts = match self.arrival.as_ref().filter(|_| tips.len() >= PARALLEL_MIN && workers > 1) {
            None => check(&self.view(self.store, self.seen()), tips),
            Some(arrived) => {
                let (faults, arrival) = (&self.faults, &arrived.arrival);
                // A store is of one thread: each opens its own.
                let work = |tips: &[(RunId, Oid)]| -> Result<Vec<Verdict>> {
                    let store = Store::open(directory)?;
                    let seen = arrival.seen_by(&store)?;
                    Ok(check(
                        &View { store: &store, seen: &seen, faults, unsound: Some(&arrival.unsound) },
                        tips,
                    ))
                };
                let chunk = tips.len().div_ceil(workers);
                let parts: Vec<_> = thread::scope(|scope| {
                    let handles: Vec<_> =
                        tips.chunks(chunk).map(|tips| scope.spawn(move || work(tips))).collect();
                    handles
                        .into_iter()
                        .map(|handle| handle.join().expect("a reader does not panic"))
                        .collect()
                });
                let whole: Result<Vec<Vec<Verdict>>> = parts.into_iter().collect();
                // Where it cannot be opened again it is looked at here.
                whole
                    .map_or_else(|_| check(&self.view(self.store, self.seen()), tips), |parts| parts.concat())
            }
        };
        let judged = tips.iter().zip(verdicts);
        judged.map(|((id, tip), verdict)| self.judge(id, tip, verdict)).collect()
    }

    fn view<'b>(&'b self, store: &'b Store, seen: &'b Store) -> View<'b> {
        let unsound = self.arrival.as_ref().map(|arrived| &arrived.arrival.unsound);
        View { store, seen, faults: &self.faults, unsound }
    }

    /// Remembers what is worth it.
    fn judge(&self, id: &RunId, tip: &Oid, verdict: Verdict) -> Result<(), String> {
        verdict.map_err(|fault| {
            let has_come = self.arrival.as_ref().is_some_and(|arrived| arrived.tips.contains(tip));
            if let Some(is_lasting) = fault.is_lasting.filter(|_| has_come) {
                self.remember(id, tip, &fault.reason, is_lasting);
            }
            fault.reason
        })
    }

    /// Lets in what the good tips need; `all` if none was refused.
    pub fn let_in(&self, good: &[Oid], all: bool) -> Result<Option<Kept>> {
        let arrived = self.arrival.as_ref();
        arrived.map(|arrived| self.store.let_in(&arrived.arrival, good, all)).transpose()
    }
}

/// What one thread sees of it.
struct View<'a> {
    store: &'a Store,
    seen: &'a Store,
    faults: &'a HashMap<(RunId, Oid), String>,
    unsound: Option<&'a Unsound>,
}

/// What is said of a tip.
type Verdict = Result<(), Flaw>;

/// Why a tip cannot be used.
#[derive(Clone)]
struct Flaw {
    reason: String,
    /// Whether it will be the same another time; nothing if that is known already, or not worth knowing.
    is_lasting: Option<bool>,
}

impl View<'_> {
    fn check(&self, id: &RunId, tip: &Oid, ours: Option<&Oid>) -> Verdict {
        let flaw = |reason, is_lasting| Flaw { reason, is_lasting };
        if let Some(reason) = self.faults.get(&(id.clone(), tip.clone())) {
            return Err(flaw(reason.clone(), None));
        }
        let good = ours.map(|ours| self.store.commits(ours)).transpose();
        let good = good
            .map_err(|error| flaw(format!("what is here cannot be read: {error:#}"), None))?
            .unwrap_or_default();
        let known = Known { good, unsound: self.unsound };
        check::check(self.seen, id, tip, &known).map_err(|error| {
            // What a disk did not give may be there the next time; what one remote lacks another may have.
            let is_of_disk = error.chain().any(|cause| cause.is::<io::Error>());
            match error::kind(&error) == error::Kind::Absent {
                true => flaw(format!("it is not whole there, as in a shallow clone: {error:#}"), Some(false)),
                false => flaw(format!("{error:#}"), (!is_of_disk).then_some(true)),
            }
        })
    }
}
