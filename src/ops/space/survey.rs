//! Who needs what: which artifact bytes and which code states the runs, live journals and undo refs name.
//!
//! Errs on the side of keeping: whatever looks like a digest or an object id in a file that may name one counts as named,
//! also in files of newer formats and in damaged ones. What cannot be read at all is told, and then nothing may go.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::SystemTime;

use anyhow::{Context as _, Result};

use crate::journal::folder;
use crate::run::id::RunId;
use crate::run::record::{Place, TOMBSTONE};
use crate::store::{Keep, Oid, RunRef, Store};
use crate::tracker::Tracker;

/// Below this many tips a second thread costs more than it saves.
const PARALLEL_MIN: usize = 500;
/// How long an object id in hex is, and how long a sha256, of an artifact or in a sha256 repository.
const LENGTHS: [usize; 2] = [40, 64];

/// Whose a tip is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Holder {
    /// A run of ours.
    Run(RunId),
    /// A run as it was fetched.
    Fetched(String, RunId),
    /// What an operation dropped.
    Kept(String),
}

/// A tip, and what it names.
#[derive(Debug, Clone)]
pub struct Named {
    /// Whose it is.
    pub holder: Holder,
    /// The tip.
    pub tip: Oid,
    /// The artifact bytes that it names and that are here.
    pub artifacts: BTreeSet<String>,
    /// The code states that it names and that refs keep.
    pub code: BTreeSet<Oid>,
}

/// What is here, and who needs it.
pub struct Survey {
    /// The bytes of artifacts that are here, by digest.
    pub held: BTreeMap<String, Held>,
    /// The code states that refs keep.
    pub code: BTreeSet<Oid>,
    /// Every tip, and what it names.
    pub named: Vec<Named>,
    /// What runs in progress name.
    pub live: BTreeSet<String>,
    /// When the first of the runs in progress began, as far as their folders tell.
    pub live_since: Option<SystemTime>,
    /// What operations dropped.
    pub kept: Vec<Keep>,
    /// What cannot be read, and why.
    pub unreadable: Vec<(String, anyhow::Error)>,
}

/// Bytes that are here.
#[derive(Debug, Clone, Copy)]
pub struct Held {
    /// How many.
    pub size: u64,
    /// When they were last stored.
    pub stored: SystemTime,
}

/// Looks at everything.
pub fn survey(tracker: &Tracker) -> Result<Survey> {
    let store = &tracker.store;
    // What is here is listed before those who need it: what comes meanwhile is not among it.
    let held = tracker.artifacts.held()?.into_iter();
    let held: BTreeMap<String, Held> =
        held.map(|one| (one.sha256, Held { size: one.size, stored: one.stored })).collect();
    let code = store.code_states()?;
    let (kept, lost) = store.kept()?;
    let (live, live_since) = live(tracker);
    let tips = tips(store, &kept)?;
    let wanted = Wanted { held: held.keys().cloned().collect(), code: code.iter().cloned().collect() };
    let (named, mut unreadable) = read_all(tracker, tips, &wanted);
    unreadable.extend(lost.into_iter().map(|(operation, error)| (shown(&Holder::Kept(operation)), error)));
    Ok(Survey { held, code, named, live, live_since, kept, unreadable })
}

/// Every tip of a run that is here, whoever holds it.
pub fn tips(store: &Store, kept: &[Keep]) -> Result<Vec<(Holder, Oid)>> {
    // Loose first, so that a ref that is packed meanwhile is not missed; and they count more.
    let mut seen = HashSet::new();
    let refs = store.loose_runs()?.refs.into_iter().chain(store.packed_runs()?);
    let refs = refs.filter(|found| seen.insert((found.id.clone(), found.place.clone())));
    let mut tips: Vec<(Holder, Oid)> = refs.map(|found| (holder(&found), found.tip)).collect();
    for keep in kept {
        tips.extend(keep.dropped.iter().map(|tip| (Holder::Kept(keep.operation.clone()), tip.clone())));
    }
    tips.sort();
    Ok(tips)
}

fn holder(found: &RunRef) -> Holder {
    match found.place.is_empty() {
        true => Holder::Run(found.id.clone()),
        false => Holder::Fetched(found.place.clone(), found.id.clone()),
    }
}

/// What is worth finding.
#[derive(Clone)]
struct Wanted {
    held: HashSet<String>,
    code: HashSet<Oid>,
}

type Read = (Vec<Named>, Vec<(String, anyhow::Error)>);

fn read_all(tracker: &Tracker, tips: Vec<(Holder, Oid)>, wanted: &Wanted) -> Read {
    if wanted.held.is_empty() && wanted.code.is_empty() {
        let nothing =
            |(holder, tip)| Named { holder, tip, artifacts: BTreeSet::new(), code: BTreeSet::new() };
        return (tips.into_iter().map(nothing).collect(), Vec::new());
    }
    let (read, total, progress) = (AtomicUsize::new(0), tips.len(), tracker.progress());
    let tell = || progress(read.fetch_add(1, Ordering::Relaxed) + 1, total);
    let workers = thread::available_parallelism().map_or(1, usize::from).min(8);
    if tips.len() < PARALLEL_MIN || workers == 1 {
        return read_each(&tracker.store, &tips, wanted, &tell);
    }
    let directory = tracker.directory();
    let parts: Vec<Read> = thread::scope(|scope| {
        let spawn = |tips: &'_ [(Holder, Oid)]| {
            let (tips, tell) = (tips.to_vec(), &tell);
            // A store is of one thread: each opens its own.
            scope.spawn(move || match Store::open(directory) {
                Ok(store) => read_each(&store, &tips, wanted, tell),
                Err(error) => (Vec::new(), vec![("the repository".to_owned(), error)]),
            })
        };
        let handles: Vec<_> = tips.chunks(tips.len().div_ceil(workers)).map(spawn).collect();
        handles.into_iter().map(|handle| handle.join().expect("a reader does not panic")).collect()
    });
    let mut all = Read::default();
    for (named, unreadable) in parts {
        all.0.extend(named);
        all.1.extend(unreadable);
    }
    all
}

fn read_each(store: &Store, tips: &[(Holder, Oid)], wanted: &Wanted, tell: &(dyn Fn() + Sync)) -> Read {
    let (mut named, mut unreadable) = (Vec::new(), Vec::new());
    // Equal tips, ours and as fetched, are read once.
    let mut known: HashMap<&Oid, (BTreeSet<String>, BTreeSet<Oid>)> = HashMap::new();
    for (holder, tip) in tips {
        tell();
        if let Some((artifacts, code)) = known.get(tip).cloned() {
            named.push(Named { holder: holder.clone(), tip: tip.clone(), artifacts, code });
            continue;
        }
        match read_one(store, holder, tip, wanted) {
            Ok((artifacts, code)) => {
                known.insert(tip, (artifacts.clone(), code.clone()));
                named.push(Named { holder: holder.clone(), tip: tip.clone(), artifacts, code });
            }
            Err(error) => unreadable.push((shown(holder), error)),
        }
    }
    (named, unreadable)
}

fn read_one(
    store: &Store,
    holder: &Holder,
    tip: &Oid,
    wanted: &Wanted,
) -> Result<(BTreeSet<String>, BTreeSet<Oid>)> {
    let (mut artifacts, mut code) = (BTreeSet::new(), BTreeSet::new());
    // What an operation dropped may be a state of the code.
    if matches!(holder, Holder::Kept(_)) && wanted.code.contains(tip) {
        code.insert(tip.clone());
    }
    let files = match store.read(tip, &may_name) {
        // A code state is no record: it holds links and programs.
        Err(_) if matches!(holder, Holder::Kept(_)) && store.has_object(tip) => return Ok((artifacts, code)),
        other => other.with_context(|| format!("cannot read '{}'", shown(holder)))?,
    };
    for bytes in files.values() {
        for word in hex_words(bytes) {
            if wanted.held.contains(word) {
                artifacts.insert(word.to_owned());
            }
            if wanted.code.contains(word) {
                code.insert(word.to_owned());
            }
        }
    }
    Ok((artifacts, code))
}

fn shown(holder: &Holder) -> String {
    match holder {
        Holder::Run(id) => format!("run '{id}'"),
        Holder::Fetched(place, id) => format!("run '{id}' of '{place}'"),
        Holder::Kept(operation) => format!("what operation '{operation}' dropped"),
    }
}

/// Whether a file may name artifacts or code; one at a place that is not known may.
fn may_name(path: &str) -> bool {
    match Place::parse(path) {
        Ok(Place::Run | Place::Attempt(_) | Place::AttemptArtifacts(_) | Place::EditArtifacts(_)) => true,
        Ok(Place::Disputed { path, .. }) => may_name(&path),
        Ok(_) => false,
        Err(_) => path != TOMBSTONE && path.ends_with(".toml"),
    }
}

/// The words in bytes that may be digests or object ids.
fn hex_words(bytes: &[u8]) -> impl Iterator<Item = &str> {
    let is_hex = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let words = bytes.split(move |byte| !is_hex(byte)).filter(|word| LENGTHS.contains(&word.len()));
    words.filter_map(|word| std::str::from_utf8(word).ok())
}

/// What the folders of runs in progress name, those put aside too, and when the first of them began.
fn live(tracker: &Tracker) -> (BTreeSet<String>, Option<SystemTime>) {
    let mut words = BTreeSet::new();
    let mut since: Option<SystemTime> = None;
    let above = folder::parent(&tracker.state_dir());
    for entry in
        std::fs::read_dir(above).into_iter().flatten().flatten().filter(|entry| entry.path().is_dir())
    {
        collect(&entry.path(), &mut words, &mut since);
    }
    (words, since)
}

fn collect(folder: &Path, words: &mut BTreeSet<String>, since: &mut Option<SystemTime>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, words, since);
            continue;
        }
        // Nothing in there is as old as the run but what was written at its beginning.
        let written = entry.metadata().ok().and_then(|metadata| metadata.modified().ok());
        *since = since.iter().copied().chain(written).min();
        if let Ok(bytes) = std::fs::read(&path) {
            words.extend(hex_words(&bytes).map(str::to_owned));
        }
    }
}

/// What runs in progress name now.
pub fn live_words(tracker: &Tracker) -> BTreeSet<String> {
    live(tracker).0
}

#[cfg(test)]
mod tests {
    use super::hex_words;

    #[test]
    fn whatever_looks_like_a_digest_counts() {
        let (oid, sha) = ("0123456789abcdef0123456789abcdef01234567", "ab".repeat(32));
        let text = format!("commit = \"{oid}\"\nsha256 = \"{sha}\"\nshort = \"abc\"\nlong = \"{sha}0\"");
        assert_eq!(hex_words(text.as_bytes()).collect::<Vec<_>>(), [oid, sha.as_str()]);
    }
}
