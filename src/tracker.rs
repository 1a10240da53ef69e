//! The opened repository as a tracker of runs: it joins store, settings and artifacts, names runs and loads them.
//!
//! Knows how people name runs, those in progress too, and what this clone remembers of its own; not what is done with
//! runs (`ops`), nor how they are shown (`view`).

mod alike;
mod name;
mod read;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::artifact::Artifacts;
use crate::config::Config;
use crate::error::Problem;
use crate::index::{Index, Reading};
use crate::journal::folder::{self, LiveFolder};
use crate::journal::owner;
use crate::run::id::{RunId, Time, sha256};
use crate::run::{Run, fold};
use crate::store::{Oid, RunTip, Store};
use crate::tracker::name::not_found;
use crate::tracker::read::{load, read, with_live};

pub use crate::tracker::alike::Search;
pub use crate::tracker::read::Level;

/// The name of the settings file at the top of the work tree.
pub const SETTINGS: &str = "xtrack.toml";

/// The file of the runs that this clone hides, a line each time one is hidden or shown again.
const HIDDEN: &str = "hidden";
/// What such a line ends in when the run is shown again.
const SHOWN: &str = "shown";

/// Below this many runs a second thread costs more than it saves.
const PARALLEL_MIN: usize = 500;
/// How often, and how long apart, a run is read again that its recorder is at.
const SETTLING_MAX: usize = 100;
const SETTLING: Duration = Duration::from_millis(50);

/// An opened repository.
pub struct Tracker {
    /// Where records lie.
    pub store: Store,
    /// What the project and this clone ask for.
    pub config: Config,
    /// Where the bytes of large artifacts lie.
    pub artifacts: Artifacts,
    directory: PathBuf,
    progress: Option<Progress>,
    transfer_progress: Option<TransferProgress>,
}

/// Is told how many runs were read, and of how many.
type Progress = Box<dyn Fn(usize, usize) + Sync>;

/// Is told how many bytes are through, and of how many.
type TransferProgress = Box<dyn Fn(u64, u64)>;

/// A run that cannot be read.
pub struct Damaged {
    /// Which.
    pub id: RunId,
    /// Why.
    pub error: anyhow::Error,
}

/// The runs that could be loaded, and those that could not.
#[derive(Default)]
pub struct Loaded {
    /// In the order asked for.
    pub runs: Vec<Run>,
    /// Named, so that nobody takes the list for whole.
    pub damaged: Vec<Damaged>,
    /// The remotes that runs were fetched from of which we have none of our own.
    pub remotes: BTreeMap<RunId, String>,
}

impl Tracker {
    /// Opens the repository that `directory` lies in.
    pub fn open(directory: &Path) -> Result<Self> {
        let mut store = Store::open(directory)?;
        let text = settings_text(&store)?;
        let config = Config::read(text.as_deref(), &store.config_section("xtrack"))?;
        let artifacts = Artifacts::new(store.common_dir());
        store.sign_locks(folder::parent(&store.common_dir().join("xtrack")), owner::mark());
        Ok(Self {
            store,
            config,
            artifacts,
            directory: directory.to_owned(),
            progress: None,
            transfer_progress: None,
        })
    }

    /// Tells from now on how far it is with reading many runs.
    pub fn on_progress(&mut self, progress: impl Fn(usize, usize) + Sync + 'static) {
        self.progress = Some(Box::new(progress));
    }

    /// What is to be told how far it is with many runs.
    pub fn progress(&self) -> &(dyn Fn(usize, usize) + Sync) {
        self.progress.as_deref().unwrap_or(&|_, _| {})
    }

    /// Tells from now on how far artifacts are on their way.
    pub fn on_transfer(&mut self, progress: impl Fn(u64, u64) + 'static) {
        self.transfer_progress = Some(Box::new(progress));
    }

    /// Says how many bytes of artifacts are through, and of how many.
    pub fn tell_transfer(&self, done: u64, total: u64) {
        if let Some(progress) = &self.transfer_progress {
            progress(done, total);
        }
    }

    /// The moment it is; tests fix it.
    pub fn now(&self) -> Time {
        now()
    }

    /// Random bytes from the system; tests fix them.
    pub fn random<const N: usize>(&self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        if let Some(seed) = std::env::var_os("XTRACK_TEST_SEED") {
            let digest = sha256(format!("{}/{N}", seed.to_string_lossy()).as_bytes());
            digest.bytes().zip(&mut bytes).for_each(|(byte, slot)| *slot = byte.wrapping_mul(37));
            return Ok(bytes);
        }
        getrandom::fill(&mut bytes)
            .map_err(|error| Problem::new(format!("the system gives no random bytes: {error}")))?;
        Ok(bytes)
    }

    /// Where the program runs, as it was told.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Our own folder in the common git folder.
    pub fn state_dir(&self) -> PathBuf {
        self.store.common_dir().join("xtrack")
    }

    /// Adds what the settings say of metrics, where the run itself says nothing.
    pub fn define(&self, run: &mut Run) {
        for (name, definition) in &self.config.definitions {
            run.definitions.entry(name.clone()).or_insert_with(|| definition.clone());
        }
    }

    /// The run of this id, whatever state it is in.
    pub fn load(&self, id: &RunId) -> Result<Run> {
        let live = self.live_of(id);
        let tip = self.tip(id)?;
        if tip.is_none() && live.is_empty() {
            return Err(not_found(id.as_str()).into());
        }
        let read = || -> Result<Run> {
            let files = tip.map(|tip| read(&self.store, &tip, Level::Whole)).transpose()?.unwrap_or_default();
            Ok(fold::fold(id, &with_live(files, &live)?)?)
        };
        let mut run = read().with_context(|| format!("cannot read run '{id}'"))?;
        self.define(&mut run);
        Ok(run)
    }

    /// The run whose chain ends there, with what the settings say of its metrics.
    pub fn load_at(&self, id: &RunId, tip: &Oid, level: Level) -> Result<Run> {
        let mut run = load(&self.store, id, tip, level).with_context(|| format!("cannot read run '{id}'"))?;
        self.define(&mut run);
        Ok(run)
    }

    /// Where the run's chain ends, ours or else one that was fetched.
    pub fn tip(&self, id: &RunId) -> Result<Option<Oid>> {
        match self.store.run_tip(id)? {
            None => Ok(self.store.fetched_tip(id)?.map(|(tip, _)| tip)),
            tip => Ok(tip),
        }
    }

    /// The folders of the runs in progress in this clone.
    pub fn live(&self) -> Vec<LiveFolder> {
        LiveFolder::list(&self.state_dir())
    }

    /// Those of one run.
    pub fn live_of(&self, id: &RunId) -> Vec<LiveFolder> {
        self.live().into_iter().filter(|folder| folder.run().as_ref() == Some(id)).collect()
    }

    /// The runs in progress as they now stand, sorted by id; what cannot be read is left out.
    pub fn live_runs(&self) -> Vec<Run> {
        let ids: BTreeSet<RunId> = self.live().iter().filter_map(LiveFolder::run).collect();
        ids.iter().filter_map(|id| self.load(id).ok()).collect()
    }

    /// Puts the runs in progress among those of records, in place of what a checkpoint says of them; sorted by id.
    pub fn add_live(&self, runs: &mut Vec<Run>) {
        let live = self.live_runs();
        if live.is_empty() {
            return;
        }
        runs.retain(|run| live.iter().all(|live| live.id != run.id));
        runs.extend(live);
        runs.sort_by(|a, b| a.id.cmp(&b.id));
    }

    /// Every run, recorded or in progress, sorted by id; those that cannot be read are named.
    pub fn load_all(&self) -> Result<Loaded> {
        // Looked at before the records: a run that ends meanwhile is in one of the two.
        let live: BTreeSet<RunId> = self.live().iter().filter_map(LiveFolder::run).collect();
        let mut all = self.read_all()?;
        self.add_live(&mut all.runs);
        let damaged = std::mem::take(&mut all.damaged);
        let is_there = |runs: &[Run], id: &RunId| runs.iter().any(|run| run.id == *id);
        for Damaged { id, error } in damaged {
            if is_there(&all.runs, &id) {
                continue;
            }
            match self.load_settled(&id) {
                Ok(run) => all.runs.push(run),
                Err(_) => all.damaged.push(Damaged { id, error }),
            }
        }
        let ended = live.iter().filter(|id| !is_there(&all.runs, id)).filter_map(|id| self.load(id).ok());
        let ended: Vec<Run> = ended.collect();
        all.runs.extend(ended);
        all.runs.sort_by(|a, b| a.id.cmp(&b.id));
        all.runs.iter_mut().for_each(|run| self.define(run));
        Ok(all)
    }

    /// A run that could not be read a moment ago. While its recorder is at it, which a collector may have disturbed, it
    /// is given a while.
    fn load_settled(&self, id: &RunId) -> Result<Run> {
        for _ in 0..SETTLING_MAX {
            let is_live = !self.live_of(id).is_empty();
            match self.load(id) {
                Err(_) if is_live => thread::sleep(SETTLING),
                read => return read,
            }
        }
        self.load(id)
    }

    fn read_all(&self) -> Result<Loaded> {
        self.load_tips(&self.store.run_tips()?)
    }

    /// The runs whose chains end there, in this order, without what the settings say of their metrics.
    pub fn load_tips(&self, tips: &[RunTip]) -> Result<Loaded> {
        let workers = thread::available_parallelism().map_or(1, usize::from).min(8);
        if tips.len() < PARALLEL_MIN || workers == 1 {
            return Ok(load_each(&self.store, tips.to_vec()));
        }
        let chunk = tips.len().div_ceil(workers);
        let parts: Vec<Result<Loaded>> = thread::scope(|scope| {
            // A store is of one thread: each opens its own.
            let directory = &self.directory;
            let spawn = |tips: &[RunTip]| {
                let tips = tips.to_vec();
                scope.spawn(move || Ok(load_each(&Store::open(directory)?, tips)))
            };
            let handles: Vec<_> = tips.chunks(chunk).map(spawn).collect();
            handles.into_iter().map(|handle| handle.join().expect("a reader does not panic")).collect()
        });
        let mut all = Loaded::default();
        for part in parts {
            let part = part?;
            all.runs.extend(part.runs);
            all.damaged.extend(part.damaged);
            all.remotes.extend(part.remotes);
        }
        Ok(all)
    }

    /// The index, without what is in progress; why, if it cannot be had.
    pub fn index_or_why(&self) -> Result<Index> {
        let opened = self.reading(|reading| Index::open(&self.store, reading));
        opened.context("there is no index, and all runs are read each time")
    }

    /// An index that has all runs in it, without what is in progress: in memory, where none can be written.
    pub fn whole_index(&self) -> Result<Index> {
        let opened = self.reading(|reading| Index::open(&self.store, reading));
        match opened {
            Ok(index) if !index.has_overlay() => Ok(index),
            _ => self.reading(|reading| Index::in_memory(&self.store, reading)),
        }
    }

    /// Builds the index anew, whatever it is.
    pub fn rebuild_index(&self) -> Result<Index> {
        self.reading(|reading| Index::rebuild(&self.store, reading))
    }

    /// Brings the index in step with the runs, and leaves nothing in its files of what runs do not say any more.
    pub fn forget_in_index(&self) -> Result<()> {
        self.reading(|reading| Index::forget(&self.store, reading))
    }

    /// What differs between the index and the runs, read anew.
    pub fn verify_index(&self) -> Result<Vec<String>> {
        self.reading(|reading| Index::verify(&self.store, reading))
    }

    fn reading<T>(&self, work: impl FnOnce(&Reading<'_>) -> T) -> T {
        let directory = &self.directory;
        let progress = self.progress();
        work(&Reading { open: &|| Store::open(directory), load: &read::read_brief, progress })
    }

    /// The index as it answers now, with what is in progress laid over it; nothing where it cannot be had, and the runs
    /// themselves have to be read.
    pub fn index(&self) -> Option<Index> {
        // Looked at before the records: a run that ends meanwhile is in one of the two.
        let live: BTreeSet<RunId> = self.live().iter().filter_map(LiveFolder::run).collect();
        let mut index = self.reading(|reading| Index::open(&self.store, reading)).ok()?;
        let mut runs = self.live_runs();
        for id in live {
            if runs.iter().all(|run| run.id != id) && !index.has(&id).ok()? {
                runs.extend(self.load(&id).ok());
            }
        }
        index.lay_over(runs);
        Some(index)
    }

    /// The index as it lies there, with what is in progress laid over it: for who types, nothing is written. Nothing if
    /// there is none.
    pub fn index_at_a_glance(&self) -> Option<Index> {
        let mut index = self.reading(|reading| Index::at_a_glance(&self.store, reading))?;
        index.lay_over(self.live_runs());
        Some(index)
    }

    /// Notes that this clone recorded the run, for `@`.
    pub fn note_recorded(&self, id: &RunId) -> Result<()> {
        self.append("recorded", &format!("{id}\n"))
    }

    /// Whether this clone recorded a run before.
    pub fn has_recorded(&self) -> bool {
        self.state_dir().join("recorded").exists()
    }

    /// Hides runs in this clone, or shows them again; those of which that was not so yet.
    pub fn hide(&self, ids: &[RunId], hidden: bool) -> Result<Vec<RunId>> {
        let known = self.hidden();
        let changed: Vec<RunId> = ids.iter().filter(|id| known.contains(id) != hidden).cloned().collect();
        if !changed.is_empty() {
            self.store.foretell_hiding(&changed, hidden);
            let line = |id: &RunId| if hidden { format!("{id}\n") } else { format!("{id} {SHOWN}\n") };
            self.append(HIDDEN, &changed.iter().map(line).collect::<String>())
                .inspect_err(|_| self.store.strike_hiding(&changed))?;
        }
        Ok(changed)
    }

    /// The runs that this clone hides: of each the last word counts.
    pub fn hidden(&self) -> BTreeSet<RunId> {
        let text = fs::read_to_string(self.state_dir().join(HIDDEN)).unwrap_or_default();
        let mut hidden = BTreeSet::new();
        for line in text.lines() {
            match (RunId::parse(line), line.strip_suffix(SHOWN).map(str::trim_end).and_then(RunId::parse)) {
                (Some(id), _) => drop(hidden.insert(id)),
                (None, Some(id)) => drop(hidden.remove(&id)),
                (None, None) => {}
            }
        }
        hidden
    }

    /// The runs that this clone recorded.
    pub fn recorded_here(&self) -> BTreeSet<RunId> {
        self.listed("recorded")
    }

    fn append(&self, list: &str, lines: &str) -> Result<()> {
        let path = self.state_dir().join(list);
        fs::create_dir_all(self.state_dir()).with_context(|| cannot_write(&path))?;
        // One write of whole lines: appends of several processes do not mix.
        let append = || -> std::io::Result<()> {
            let mut file = fs::OpenOptions::new().read(true).append(true).create(true).open(&path)?;
            // A line that was torn, by a full disk or a kill, does not take the next with it.
            let start = if is_torn(&mut file)? { "\n" } else { "" };
            file.write_all(format!("{start}{lines}").as_bytes())
        };
        append().with_context(|| cannot_write(&path))
    }

    fn listed(&self, list: &str) -> BTreeSet<RunId> {
        let text = fs::read_to_string(self.state_dir().join(list)).unwrap_or_default();
        text.lines().filter_map(RunId::parse).collect()
    }
}

/// The moment it is, where no repository is open; tests fix it.
pub fn now() -> Time {
    let fixed = std::env::var("XTRACK_TEST_NOW").ok().and_then(|text| Time::parse(&text));
    fixed.unwrap_or_else(|| Time(chrono::Utc::now().timestamp_micros()))
}

/// Whether a file's last line has no end.
fn is_torn(file: &mut fs::File) -> std::io::Result<bool> {
    let mut last = [b'\n'];
    if file.seek(SeekFrom::End(0))? > 0 {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    Ok(last != [b'\n'])
}

fn load_each(store: &Store, tips: Vec<RunTip>) -> Loaded {
    let mut loaded = Loaded::default();
    for RunTip { id, tip, remote } in tips {
        if let Some(remote) = remote {
            loaded.remotes.insert(id.clone(), remote);
        }
        match load(store, &id, &tip, Level::Brief) {
            Ok(run) => loaded.runs.push(run),
            Err(error) => loaded.damaged.push(Damaged { id, error }),
        }
    }
    loaded
}

fn settings_text(store: &Store) -> Result<Option<String>> {
    let Some(path) = store.work_tree().map(|top| top.join(SETTINGS)) else {
        return Ok(None);
    };
    match fs::read(&path) {
        Ok(bytes) => Ok(Some(
            String::from_utf8(bytes).map_err(|_| Problem::usage(format!("'{SETTINGS}' is not UTF-8")))?,
        )),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read '{SETTINGS}'")),
    }
}

fn cannot_write(path: &Path) -> String {
    format!("cannot write '{}'", path.display())
}
