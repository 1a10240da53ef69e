//! Whether what the tracker keeps is sound: what is wrong, where, how bad that is, and what to do about it.
//!
//! Looks and tells; [`mend`] puts right what can be put right without guessing, [`verify`] asks whether a run is what it
//! claims to be. Nothing is fetched on the way.

mod artifacts;
mod journals;
pub mod mend;
mod record;
mod refs;
pub mod verify;

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;

use crate::artifact::Artifacts;
use crate::run::id::RunId;
use crate::store::{Oid, Store, Target};
use crate::tracker::Tracker;

/// Below this many runs a second thread costs more than it saves.
const PARALLEL_MIN: usize = 200;

/// What is to be looked at.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Only these runs, and nothing that belongs to none; everything if there are none.
    pub runs: Option<BTreeSet<RunId>>,
    /// Whether the bytes of artifacts are compared with their digests.
    pub artifacts: bool,
    /// Whether every byte is read: series, events, consoles and artifacts too.
    pub full: bool,
}

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// A ref.
    Ref,
    /// An object of git's.
    Object,
    /// A file that is not what the format says.
    Schema,
    /// A record that says the same in another form than its own.
    Form,
    /// Words that a record's history has and its tip has not.
    Words,
    /// Two different truths for one thing.
    Dispute,
    /// A tombstone.
    Tombstone,
    /// The code that ran.
    Code,
    /// The bytes of an artifact.
    Artifact,
    /// A run in progress, or what is left of one.
    Journal,
    /// What a killed process left.
    Leftover,
    /// The index.
    Index,
    /// A setting of git's.
    Setting,
}

impl What {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            What::Ref => "ref",
            What::Object => "object",
            What::Schema => "schema",
            What::Form => "form",
            What::Words => "words",
            What::Dispute => "dispute",
            What::Tombstone => "tombstone",
            What::Code => "code",
            What::Artifact => "artifact",
            What::Journal => "journal",
            What::Leftover => "leftover",
            What::Index => "index",
            What::Setting => "setting",
        }
    }
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Something that was said cannot be read, or is not what was said.
    Error,
    /// Something is not as it should be, and nothing that was said is lost by it.
    Warning,
    /// Nothing is wrong; it is well to know.
    Note,
}

impl Severity {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// What it is about.
    pub what: What,
    /// How bad it is.
    pub severity: Severity,
    /// The run it is about, if it is about one.
    pub run: Option<RunId>,
    /// The ref, path or setting it is at.
    pub place: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub advice: Option<String>,
    /// How it can be put right from here.
    pub mend: Option<Mend>,
    /// What was done about it; or why it could not be.
    pub outcome: Option<Result<String, String>>,
}

/// How a fault can be put right without guessing.
#[derive(Debug, Clone, PartialEq)]
pub enum Mend {
    /// A run's ref is pointed at the tip of another copy: what its file says now, and the refs of copies.
    Ref(Target, Vec<(String, Oid)>),
    /// A record takes up again what these commits of its history say.
    Words(Vec<Oid>),
    /// A record takes its own form.
    Form,
    /// A ref keeps this code state.
    Code(Oid),
    /// The bytes of an artifact are taken from this file, if they are still the ones.
    Artifact(PathBuf, String),
    /// What dead processes left is recorded.
    Journals,
    /// What a killed process left is removed.
    Leftover(PathBuf),
    /// The index is built anew.
    Index,
}

impl Fault {
    fn new(what: What, severity: Severity, place: impl Into<String>, message: impl Into<String>) -> Self {
        let (place, message) = (place.into(), message.into());
        Self { what, severity, run: None, place, message, advice: None, mend: None, outcome: None }
    }

    fn of(mut self, run: &RunId) -> Self {
        self.run = Some(run.clone());
        self
    }

    fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    fn mended_by(mut self, mend: Mend) -> Self {
        self.mend = Some(mend);
        self.advice.get_or_insert_with(|| "`git xtrack fsck --repair` puts it right".to_owned());
        self
    }

    /// Whether it is still there, and more than well to know.
    pub fn counts(&self) -> bool {
        self.severity != Severity::Note && !matches!(self.outcome, Some(Ok(_)))
    }
}

/// What was found.
#[derive(Debug, Default)]
pub struct Report {
    /// What is wrong, the worst first.
    pub faults: Vec<Fault>,
    /// How many runs were looked at.
    pub runs: usize,
    /// How many commits their records have.
    pub commits: usize,
    /// How many artifacts lie in the store of this clone.
    pub artifacts: usize,
    /// How many bytes of them were compared with their digests.
    pub compared: u64,
}

impl Report {
    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        !self.faults.iter().any(Fault::counts)
    }

    /// How many faults of a sort are still there.
    pub fn count(&self, severity: Severity) -> usize {
        let is_left = |fault: &&Fault| fault.severity == severity && !matches!(fault.outcome, Some(Ok(_)));
        self.faults.iter().filter(is_left).count()
    }
}

/// A run that is to be looked at.
#[derive(Debug, Clone)]
struct Candidate {
    id: RunId,
    /// The ref it is looked at by.
    place: String,
    tip: Oid,
    /// The remote it was fetched from, if it is not one of ours.
    remote: Option<String>,
    /// The refs of other copies of it.
    copies: Vec<(String, Oid)>,
}

/// What all runs are looked at with.
struct Look<'a> {
    options: &'a Options,
    artifacts: Artifacts,
    /// The runs that this clone recorded: what they need should be here.
    recorded: BTreeSet<RunId>,
    /// A remote from which something may be had again.
    remote: Option<String>,
}

/// What one run comes to.
#[derive(Default)]
struct Found {
    faults: Vec<Fault>,
    commits: usize,
    artifacts: Vec<artifacts::Needed>,
    /// Code states of runs recorded here, which are here, and the run each is of.
    states: Vec<(Oid, RunId)>,
}

/// Looks at everything, or at the runs that are wanted.
pub fn check(
    tracker: &Tracker,
    options: &Options,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Report> {
    let mut report = Report::default();
    let refs = tracker.store.found_refs()?;
    let candidates = refs::check(tracker, &refs, options, &mut report.faults);
    let look = Look {
        options,
        artifacts: tracker.artifacts.clone(),
        recorded: tracker.recorded_here(),
        remote: refs::usual_remote(tracker),
    };
    report.runs = candidates.len();
    let found = check_runs(tracker, &look, &candidates, progress)?;
    let (mut needed, mut states) = (Vec::new(), BTreeMap::new());
    for found in found {
        report.faults.extend(found.faults);
        report.commits += found.commits;
        needed.extend(found.artifacts);
        states.extend(found.states);
    }
    refs::check_code(&refs, states, &mut report.faults);
    artifacts::check(tracker, &look, needed, &mut report);
    if options.runs.is_none() {
        journals::check(tracker, &refs, &mut report.faults)?;
        // In a partial clone the index would fetch what is only promised.
        if !report.faults.iter().any(|fault| fault.what == What::Object && fault.severity == Severity::Note) {
            check_index(tracker, &mut report.faults);
        }
        refs::check_settings(tracker, &mut report.faults);
        refs::check_borrowing(tracker, &mut report.faults);
    }
    let order = |fault: &Fault| (fault.severity, fault.what, fault.place.clone());
    report.faults.sort_by_cached_key(order);
    Ok(report)
}

fn check_runs(
    tracker: &Tracker,
    look: &Look<'_>,
    candidates: &[Candidate],
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Vec<Found>> {
    let (next, total) = (AtomicUsize::new(0), candidates.len());
    let found = Mutex::new(Vec::new());
    let work = |store: &Store| {
        let mut mine = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(candidate) = candidates.get(index) else { break };
            mine.push(record::check(look, store, candidate));
            progress(index + 1, total);
        }
        found.lock().unwrap_or_else(std::sync::PoisonError::into_inner).extend(mine);
    };
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(8);
    if total < PARALLEL_MIN || workers == 1 {
        work(&tracker.store);
    } else {
        let directory = tracker.directory();
        std::thread::scope(|scope| -> Result<()> {
            // A store is of one thread: each opens its own.
            let spawn = |_| scope.spawn(|| Store::open(directory).map(|store| work(&store)));
            let handles: Vec<_> = (0..workers).map(spawn).collect();
            handles.into_iter().try_for_each(|handle| handle.join().expect("a reader does not panic"))
        })?;
    }
    Ok(found.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner))
}

fn check_index(tracker: &Tracker, faults: &mut Vec<Fault>) {
    let place = "index.sqlite";
    match tracker.verify_index() {
        Ok(differences) => faults.extend(differences.into_iter().map(|difference| {
            let message = format!("the index is not what the runs are: {difference}");
            Fault::new(What::Index, Severity::Warning, place, message).mended_by(Mend::Index)
        })),
        // It is a cache: every question is answered without it.
        Err(error) => {
            let message = format!("the index cannot be looked at: {error:#}");
            let is_to_be_read_only = error.chain().any(|cause| {
                let kind = cause.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
                matches!(kind, Some(ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied))
            });
            let advice = match is_to_be_read_only {
                true => "nothing can be written here; every question is answered without it",
                false => "`git xtrack index --rebuild` builds it anew",
            };
            faults.push(Fault::new(What::Index, Severity::Note, place, message).advise(advice));
        }
    }
}
