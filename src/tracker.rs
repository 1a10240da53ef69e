//! The opened repository as a tracker of runs: it joins store, settings and artifacts, names runs and loads them.
//!
//! Knows how people name runs, those in progress too, and what this clone remembers of its own; not what is done with
//! runs (`ops`), nor how they are shown (`view`).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::artifact::Artifacts;
use crate::config::Config;
use crate::error::{Kind, Problem};
use crate::human;
use crate::journal::folder::{self, LiveFolder};
use crate::journal::{owner, replay};
use crate::run::Run;
use crate::run::attempt::Facts;
use crate::run::id::{AttemptId, RunId, Time, sha256};
use crate::run::record::{ENVIRONMENT, Files, Place, RUN};
use crate::run::value::overlay;
use crate::run::{fold, join, text};
use crate::store::{Oid, Store};

/// The name of the settings file at the top of the work tree.
pub const SETTINGS: &str = "xtrack.toml";

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
}

/// How much of a record is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Facts and edits: what lists need.
    Brief,
    /// Environment and artifact pointers too.
    Whole,
}

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
}

impl Tracker {
    /// Opens the repository that `directory` lies in.
    pub fn open(directory: &Path) -> Result<Self> {
        let mut store = Store::open(directory)?;
        let text = settings_text(&store)?;
        let config = Config::read(text.as_deref(), &store.config_section("xtrack"))?;
        let artifacts = Artifacts::new(store.common_dir());
        store.sign_locks(folder::parent(&store.common_dir().join("xtrack")), owner::mark());
        Ok(Self { store, config, artifacts, directory: directory.to_owned() })
    }

    /// The moment it is; tests fix it.
    pub fn now(&self) -> Time {
        let fixed = std::env::var("XTRACK_TEST_NOW").ok().and_then(|text| Time::parse(&text));
        fixed.unwrap_or_else(|| Time(chrono::Utc::now().timestamp_micros()))
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
    fn define(&self, run: &mut Run) {
        for (name, definition) in &self.config.definitions {
            run.definitions.entry(name.clone()).or_insert_with(|| definition.clone());
        }
    }

    /// The run of this id, whatever state it is in.
    pub fn load(&self, id: &RunId) -> Result<Run> {
        let tip = self.store.run_tip(id)?;
        let live = self.live_of(id);
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
        let tips = self.store.runs()?;
        let workers = thread::available_parallelism().map_or(1, usize::from).min(8);
        if tips.len() < PARALLEL_MIN || workers == 1 {
            return Ok(load_each(&self.store, &tips));
        }
        let chunk = tips.len().div_ceil(workers);
        let parts: Vec<Result<Loaded>> = thread::scope(|scope| {
            // A store is of one thread: each opens its own.
            let directory = &self.directory;
            let spawn = |tips| scope.spawn(move || Ok(load_each(&Store::open(directory)?, tips)));
            let handles: Vec<_> = tips.chunks(chunk).map(spawn).collect();
            handles.into_iter().map(|handle| handle.join().expect("a reader does not panic")).collect()
        });
        let mut all = Loaded::default();
        for part in parts {
            let part = part?;
            all.runs.extend(part.runs);
            all.damaged.extend(part.damaged);
        }
        Ok(all)
    }

    /// The run that `name` names: full id, suffix, exact name, unique prefix; `@`, `@~N` among those started in this
    /// clone, `@all`, `@all~N` among all.
    pub fn resolve(&self, name: &str) -> Result<RunId> {
        let tips = self.store.runs()?;
        if let Some(back) = name.strip_prefix("@all").and_then(generation) {
            return self.latest(name, &tips, back, |_| true);
        }
        if let Some(back) = name.strip_prefix('@').and_then(generation) {
            let here = self.recorded_here();
            return self.latest(name, &tips, back, |id| here.contains(id));
        }
        let live = self.live().into_iter().filter_map(|folder| folder.run());
        let ids: BTreeSet<RunId> = tips.into_iter().map(|(id, _)| id).chain(live).collect();
        if let Some(id) = ids.iter().find(|id| id.as_str() == name) {
            return Ok(id.clone());
        }
        if let Some(id) = only(name, ids.iter().filter(|id| id.suffix() == name))? {
            return Ok(id);
        }
        let names = self.names()?;
        let named = names.iter().filter(|(_, known)| known.as_deref() == Some(name)).map(|(id, _)| id);
        if let Some(id) = only(name, named)? {
            return Ok(id);
        }
        let begins =
            |id: &&RunId| id.as_str().starts_with(name) || (name.len() >= 3 && id.suffix().starts_with(name));
        let by_prefix = ids.iter().filter(|id| !name.is_empty() && begins(id));
        only(name, by_prefix)?.ok_or_else(|| unknown(name, &names).into())
    }

    /// Notes that this clone recorded the run, for `@`.
    pub fn note_recorded(&self, id: &RunId) -> Result<()> {
        self.append("recorded", id)
    }

    /// Whether this clone recorded a run before.
    pub fn has_recorded(&self) -> bool {
        self.state_dir().join("recorded").exists()
    }

    /// Hides the run in this clone, or shows it again.
    pub fn hide(&self, id: &RunId, hidden: bool) -> Result<()> {
        if hidden {
            return self.append("hidden", id);
        }
        let kept: String =
            self.listed("hidden").iter().filter(|known| *known != id).map(|id| format!("{id}\n")).collect();
        let path = self.state_dir().join("hidden");
        let temporary = path.with_extension(format!("tmp-{}", std::process::id()));
        fs::write(&temporary, kept)
            .and_then(|()| fs::rename(&temporary, &path))
            .with_context(|| cannot_write(&path))
    }

    /// The runs that this clone hides.
    pub fn hidden(&self) -> BTreeSet<RunId> {
        self.listed("hidden")
    }

    fn recorded_here(&self) -> BTreeSet<RunId> {
        self.listed("recorded")
    }

    fn append(&self, list: &str, id: &RunId) -> Result<()> {
        let path = self.state_dir().join(list);
        fs::create_dir_all(self.state_dir()).with_context(|| cannot_write(&path))?;
        // One write of one line: appends of several processes do not mix.
        let mut file = fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(&path)
            .with_context(|| cannot_write(&path))?;
        file.write_all(format!("{id}\n").as_bytes()).with_context(|| cannot_write(&path))
    }

    fn listed(&self, list: &str) -> BTreeSet<RunId> {
        let text = fs::read_to_string(self.state_dir().join(list)).unwrap_or_default();
        text.lines().filter_map(RunId::parse).collect()
    }

    fn latest(
        &self,
        name: &str,
        tips: &[(RunId, Oid)],
        back: usize,
        wanted: impl Fn(&RunId) -> bool,
    ) -> Result<RunId> {
        let wanted: Vec<_> = tips.iter().filter(|(id, _)| wanted(id)).cloned().collect();
        let mut runs = load_each(&self.store, &wanted).runs;
        // Whatever is in progress here was started here.
        self.add_live(&mut runs);
        runs.retain(|run| !run.deleted);
        runs.sort_by(|a, b| (b.started, &b.id).cmp(&(a.started, &a.id)));
        let found = runs.get(back).map(|run| run.id.clone());
        found.ok_or_else(|| {
            not_found(name)
                .hint(format!("{} runs count for it; `git xtrack log` lists them all", runs.len()))
                .into()
        })
    }

    fn names(&self) -> Result<BTreeMap<RunId, Option<String>>> {
        let mut runs = self.read_all()?.runs;
        self.add_live(&mut runs);
        Ok(runs.into_iter().map(|run| (run.id, run.name)).collect())
    }
}

fn load_each(store: &Store, tips: &[(RunId, Oid)]) -> Loaded {
    let mut loaded = Loaded::default();
    for (id, tip) in tips {
        match load(store, id, tip, Level::Brief) {
            Ok(run) => loaded.runs.push(run),
            Err(error) => loaded.damaged.push(Damaged { id: id.clone(), error }),
        }
    }
    loaded
}

fn load(store: &Store, id: &RunId, tip: &Oid, level: Level) -> Result<Run> {
    Ok(fold::fold(id, &read(store, tip, level)?)?)
}

fn read(store: &Store, tip: &Oid, level: Level) -> Result<Files> {
    Ok(join::normalise(&store.read(tip, &|path| is_wanted(path, level))?)?)
}

/// The record as it would be if what is in progress were recorded as it now stands.
fn with_live(mut files: Files, live: &[LiveFolder]) -> Result<Files> {
    for folder in live {
        let Some(start) = folder.start()?.filter(|_| !folder.is_recovered()) else {
            continue;
        };
        let mut facts = start.facts;
        lay_over(&mut facts, replay::glimpse(&folder.path)?);
        let attempt = facts.attempt.clone().expect("facts that were read as an attempt's have its id");
        let is_first = facts.key.is_none() && files.get(RUN).is_none_or(|first| is_attempt(first, &attempt));
        let (facts_path, environment_path) = match is_first {
            true => (RUN.to_owned(), ENVIRONMENT.to_owned()),
            false => (format!("attempts/{attempt}.toml"), format!("attempts/{attempt}.environment.toml")),
        };
        if let Some(key) = facts.key.clone().filter(|_| !files.contains_key(RUN)) {
            let identity = Facts::keyed(facts.id.clone(), key);
            files.insert(RUN.to_owned(), text::write(&identity.to_table()).into_bytes());
        }
        if let Some(recorded) = files.get(&facts_path) {
            keep_recorded(&mut facts, Facts::from_table(&text::read(recorded)?)?);
        }
        files.insert(facts_path, text::write(&facts.to_table()).into_bytes());
        files.insert(environment_path, text::write(&folder.environment()?).into_bytes());
        files.extend(folder.edits()?);
    }
    Ok(files)
}

fn is_attempt(facts: &[u8], attempt: &AttemptId) -> bool {
    let facts = text::read(facts).and_then(|table| Facts::from_table(&table));
    facts.is_ok_and(|facts| facts.attempt.as_ref() == Some(attempt))
}

/// What only a checkpoint knows, or the recorder that left its command behind.
fn keep_recorded(facts: &mut Facts, recorded: Facts) {
    (facts.revision, facts.artifacts) = (recorded.revision, recorded.artifacts);
    for (name, metric) in recorded.metrics {
        facts.metrics.entry(name).or_insert(metric);
    }
}

/// What was logged so far, over what was known at the start.
fn lay_over(facts: &mut Facts, logged: replay::Replay) {
    facts.name = logged.name.or(facts.name.take());
    facts.experiment = logged.experiment.or(facts.experiment.take());
    facts.group = logged.group.or(facts.group.take());
    facts.tags.extend(logged.tags);
    for note in logged.notes {
        if !facts.notes.contains(&note) {
            facts.notes.push(note);
        }
    }
    let given = facts.params.clone();
    for table in [&logged.params_found, &given, &logged.params] {
        overlay(&mut facts.params, table);
    }
    facts.metrics.extend(logged.metrics);
    facts.definitions.extend(logged.definitions);
}

fn is_wanted(path: &str, level: Level) -> bool {
    match Place::parse(path) {
        // An unknown path is loaded, so that the fold refuses it.
        Err(_) => true,
        Ok(Place::Run | Place::Attempt(_) | Place::Edit(_) | Place::Tombstone | Place::Disputed { .. }) => {
            true
        }
        Ok(Place::Environment(_) | Place::AttemptArtifacts(_) | Place::EditArtifacts(_)) => {
            level == Level::Whole
        }
        Ok(_) => false,
    }
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

/// The number after `@` or `@all`: nothing is 0, `~3` is 3.
fn generation(text: &str) -> Option<usize> {
    match text.strip_prefix('~') {
        None => text.is_empty().then_some(0),
        Some("") => Some(1),
        Some(digits) => digits.parse().ok(),
    }
}

fn only<'a>(name: &str, candidates: impl Iterator<Item = &'a RunId>) -> Result<Option<RunId>> {
    let mut candidates: Vec<_> = candidates.cloned().collect();
    if candidates.len() <= 1 {
        return Ok(candidates.pop());
    }
    let shown: Vec<_> = candidates.iter().take(10).map(|id| format!("'{id}'")).collect();
    let more = candidates.len().saturating_sub(shown.len());
    let tail = if more > 0 { format!(" and {more} more") } else { String::new() };
    let problem = Problem::usage(format!("run {name:?} is ambiguous: it may be {}{tail}", shown.join(", ")));
    Err(problem.hint("name it by its full id").into())
}

fn unknown(name: &str, names: &BTreeMap<RunId, Option<String>>) -> Problem {
    let known = names.iter().flat_map(|(id, name)| name.as_deref().into_iter().chain([id.suffix()]));
    match human::nearest(name, known) {
        Some(nearest) => not_found(name).hint(format!("did you mean '{nearest}'?")),
        None => not_found(name).hint("`git xtrack log` lists the runs"),
    }
}

fn not_found(name: &str) -> Problem {
    Problem::new(format!("no run is named {name:?}")).of(Kind::NotFound)
}

fn cannot_write(path: &Path) -> String {
    format!("cannot write '{}'", path.display())
}
