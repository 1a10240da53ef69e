//! Reading many runs by several threads for one writer.
//!
//! Knows how the work is shared out, and that memory stays bounded; not how a run is read, nor what becomes of it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread;

use anyhow::Result;

use crate::index::rows::{Damage, Rows};
use crate::run::Run;
use crate::run::id::RunId;
use crate::store::{Oid, RunTip, Store};

/// How many runs are handed on at once.
const PORTION: usize = 64;
/// After how many portions a reader opens the repository anew: the pages of packs that it has looked at are let go then.
const OPENED_FOR: usize = 64;
/// How many portions wait for the writer at most, for each reader.
const WAITING_MAX: usize = 4;
/// Below this many runs another thread costs more than it saves.
const PARALLEL_MIN: usize = 200;
/// How many threads read at most.
const READERS_MAX: usize = 8;
/// How many portions are kept back at most until those before them have come.
const BACK_MAX: usize = 64;

/// How runs are read: the one thing that the index must be told.
pub struct Reading<'a> {
    /// Opens the repository once more, for another thread.
    pub open: &'a (dyn Fn() -> Result<Store> + Sync),
    /// Reads a run, as lists need it, from the end of its chain.
    pub load: &'a (dyn Fn(&Store, &RunId, &Oid) -> Result<Run, Damage> + Sync),
    /// Is told now and then how many runs were read, and of how many.
    pub progress: &'a dyn Fn(usize, usize),
}

/// Reads the runs and hands their rows on, in order as far as that costs nothing.
pub(super) fn feed(
    reading: &Reading<'_>,
    store: &Store,
    tips: &[RunTip],
    mut take: impl FnMut(Rows) -> Result<()>,
) -> Result<()> {
    let workers = thread::available_parallelism().map_or(1, usize::from).min(READERS_MAX);
    let rows = |store: &Store, tip: &RunTip| Rows::of(tip.clone(), (reading.load)(store, &tip.id, &tip.tip));
    if tips.len() < PARALLEL_MIN || workers == 1 {
        for (done, tip) in tips.iter().enumerate() {
            take(rows(store, tip))?;
            (reading.progress)(done + 1, tips.len());
        }
        return Ok(());
    }
    let portions: Vec<&[RunTip]> = tips.chunks(PORTION).collect();
    let next = AtomicUsize::new(0);
    let (sender, receiver) = sync_channel::<(usize, Vec<Rows>)>(workers * WAITING_MAX);
    let (open, load) = (reading.open, reading.load);
    thread::scope(|scope| {
        let readers: Vec<_> = (0..workers)
            .map(|_| {
                let (sender, portions, next) = (sender.clone(), &portions, &next);
                scope.spawn(move || -> Result<()> {
                    let mut store = open()?;
                    for read in 1.. {
                        if read % OPENED_FOR == 0 {
                            drop(store);
                            store = open()?;
                        }
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        let Some(portion) = portions.get(number) else {
                            return Ok(());
                        };
                        let rows = portion
                            .iter()
                            .map(|tip| Rows::of(tip.clone(), load(&store, &tip.id, &tip.tip)))
                            .collect();
                        // The writer has failed, and says why.
                        if sender.send((number, rows)).is_err() {
                            return Ok(());
                        }
                    }
                    Ok(())
                })
            })
            .collect();
        drop(sender);
        let mut back: BTreeMap<usize, Vec<Rows>> = BTreeMap::new();
        let (mut expected, mut done) = (0, 0);
        let mut written = Ok(());
        for (number, rows) in &receiver {
            back.insert(number, rows);
            while let Some(rows) = in_turn(&mut back, &mut expected) {
                done += rows.len();
                written = rows.into_iter().try_for_each(&mut take);
                (reading.progress)(done, tips.len());
                if written.is_err() {
                    break;
                }
            }
            if written.is_err() {
                break;
            }
        }
        drop(receiver);
        for reader in readers {
            reader.join().expect("a reader does not panic")?;
        }
        written?;
        back.into_values().flatten().try_for_each(take)
    })
}

/// The next portion; one out of turn if too many wait for it.
fn in_turn(back: &mut BTreeMap<usize, Vec<Rows>>, expected: &mut usize) -> Option<Vec<Rows>> {
    let first = *back.keys().next()?;
    (first <= *expected || back.len() > BACK_MAX).then_some(())?;
    *expected = first + 1;
    back.remove(&first)
}
