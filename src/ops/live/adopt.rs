//! Adoption: folders of runs that were written where no repository was, or that were copied from another machine.
//!
//! Nothing in such a folder is believed: every name is checked, links are refused, and files outside it are not read.
//! Nothing is ever written into it. What is adopted is a function of the folder's bytes; its revision counts its events,
//! so that of two adoptions the one that saw more wins, wherever they were made.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::error::Problem;
use crate::human;
use crate::journal::folder::{LiveFolder, START, begin_of};
use crate::journal::owner;
use crate::journal::replay::{self};
use crate::ops::live::portable::{HINT, checked, facts};
use crate::ops::live::{recover, verdict};
use crate::ops::record::close::{self, Closing, Revision};
use crate::ops::record::harvest::Harvest;
use crate::run::attempt::{Facts, Status};
use crate::run::id::RunId;
use crate::run::record::{Files, Place, RUN};
use crate::run::text;
use crate::run::value::Table;
use crate::tracker::Tracker;

/// How many writers a run may have.
const JOURNALS_MAX: usize = 10_000;
/// How many files a folder may hold.
const FILES_MAX: usize = 200_000;
/// How large its journals may be together: a sparse file costs its maker nothing.
const BYTES_MAX: u64 = 16 << 30;
/// How deep a run's folder goes: `artifacts/<edit>/<file>`.
const DEPTH_MAX: usize = 3;
/// How many folders are looked at below the one that was named.
const RUNS_MAX: usize = 100_000;

/// How folders are adopted.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Whether files that were logged by their path alone are read, where this user on this machine wrote the folder.
    pub with_files: bool,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The runs, in the order of the folders.
    pub adopted: Vec<Adopted>,
    /// The folders that could not be adopted, and why.
    pub failed: Vec<(PathBuf, anyhow::Error)>,
}

/// A run that was adopted.
#[derive(Debug, Clone, PartialEq)]
pub struct Adopted {
    /// Which.
    pub id: RunId,
    /// Its name.
    pub name: Option<String>,
    /// How it ended, as far as the folder tells.
    pub status: Status,
    /// How many lines its writers had written.
    pub events: u64,
    /// Whether that was new.
    pub is_new: bool,
    /// What was lost, or could not be taken.
    pub remarks: Vec<String>,
}

/// Takes in the runs in the folders: each is one run's, or holds some.
pub fn adopt(tracker: &Tracker, paths: &[PathBuf], options: &Options) -> Result<Outcome> {
    let mut folders = Vec::new();
    for path in paths {
        // All are looked at before the first is taken in.
        folders.extend(find(&tracker.directory().join(path))?);
    }
    let mut outcome = Outcome::default();
    for folder in folders {
        match take(tracker, &folder, options) {
            Ok(adopted) => outcome.adopted.push(adopted),
            Err(error) => outcome.failed.push((folder.path, error)),
        }
    }
    Ok(outcome)
}

fn find(path: &Path) -> Result<Vec<LiveFolder>> {
    let cannot = || format!("cannot adopt '{}'", path.display());
    let metadata = fs::metadata(path).with_context(cannot)?;
    if !metadata.is_dir() {
        return Err(Problem::usage("it is no folder").hint(HINT)).with_context(cannot);
    }
    let here = LiveFolder::open(&fs::canonicalize(path).with_context(cannot)?);
    if is_run(&here) {
        return Ok(vec![here]);
    }
    let mut found = Vec::new();
    for (number, child) in fs::read_dir(&here.path).with_context(cannot)?.enumerate() {
        if number >= RUNS_MAX {
            return Err(Problem::new(format!("it holds more than {RUNS_MAX} things"))).with_context(cannot);
        }
        let child = child.with_context(cannot)?;
        let folder = LiveFolder::open(&child.path());
        // Not through links: they lead anywhere.
        if child.file_type().is_ok_and(|kind| kind.is_dir()) && is_run(&folder) {
            found.push(folder);
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    match found.is_empty() {
        true => Err(Problem::usage("no run is in it").hint(HINT)).with_context(cannot),
        false => Ok(found),
    }
}

fn is_run(folder: &LiveFolder) -> bool {
    folder.path.join(START).is_file() || folder.journals().is_ok_and(|journals| !journals.is_empty())
}

fn take(tracker: &Tracker, folder: &LiveFolder, options: &Options) -> Result<Adopted> {
    if folder.path.starts_with(fs::canonicalize(tracker.state_dir()).unwrap_or_else(|_| tracker.state_dir()))
    {
        return Err(Problem::usage("it is in progress in this repository")
            .hint("`git xtrack recover` ends it")
            .into());
    }
    inspect(folder)?;
    let events = recover::events(folder)?;
    let glimpse = replay::glimpse(&folder.path)?;
    let (facts, environment) = match folder.start()? {
        Some(_) => (checked(&start_table(folder)?)?, folder.environment()?),
        None => (facts(&glimpse)?, folder.environment()?),
    };
    let mut facts = verdict::judged(facts, &glimpse);
    // One that saw nothing is the first revision.
    facts.revision = events + 1;
    if let Some(known) = known(tracker, &facts)? {
        let status = known.status;
        return Ok(Adopted {
            id: known.id,
            name: known.name,
            status,
            events,
            is_new: false,
            remarks: Vec::new(),
        });
    }
    let reads_sources = options.with_files && is_own(folder);
    let revision = Revision::Exactly(facts.revision);
    let closing =
        Closing { folder, facts, environment, harvest: Harvest::default(), revision, reads_sources };
    let closed = close::close(tracker, &closing)?;
    Ok(Adopted {
        id: closed.id,
        name: closed.facts.name,
        status: closed.facts.status,
        events,
        is_new: closed.is_new,
        remarks: closed.remarks,
    })
}

/// The facts of the attempt in the record, if they come from as many events or more: fewer never take their place.
fn known(tracker: &Tracker, facts: &Facts) -> Result<Option<Facts>> {
    let Some(tip) = tracker.store.run_tip(&facts.id)? else {
        return Ok(None);
    };
    let is_facts = |path: &str| matches!(Place::parse(path), Ok(Place::Run | Place::Attempt(_)));
    let files: Files = tracker.store.read(&tip, &is_facts)?;
    for (path, bytes) in &files {
        let known = Facts::from_table(&text::read(bytes)?);
        let known = known.with_context(|| format!("'{path}' of run '{}'", facts.id))?;
        if path == RUN && known.attempt.is_none() != facts.key.is_some() {
            let problem = Problem::new(format!("run '{}' is here, and is another one", facts.id));
            return Err(problem.hint("one of both was given a run key, the other was not").into());
        }
        if known.attempt == facts.attempt && known.revision >= facts.revision {
            return Ok(Some(known));
        }
    }
    Ok(None)
}

fn start_table(folder: &LiveFolder) -> Result<Table> {
    let bytes = folder.read(START)?.ok_or_else(|| Problem::new(format!("'{START}' is gone")))?;
    Ok(text::read(&bytes)?)
}

/// Refuses a folder in which anything is what a run's folder never holds.
fn inspect(folder: &LiveFolder) -> Result<()> {
    let mut open = vec![(folder.path.clone(), 0)];
    let (mut files, mut journals, mut bytes) = (0, 0, 0);
    while let Some((path, depth)) = open.pop() {
        for child in fs::read_dir(&path).with_context(|| format!("cannot read '{}'", path.display()))? {
            let child = child?;
            let kind = child.file_type()?;
            let refused = |why: &str| {
                let shown = child.path();
                let shown = shown.strip_prefix(&folder.path).unwrap_or(&shown).display().to_string();
                Problem::new(format!("'{shown}' in it is {why}"))
            };
            if kind.is_symlink() {
                return Err(refused("a link").hint("copy it without links: `cp -rL`").into());
            }
            if !kind.is_dir() && !kind.is_file() {
                return Err(refused("a device, socket or pipe").into());
            }
            files += 1;
            if depth == 0 && child.path().extension().is_some_and(|end| end == "jsonl") {
                (journals, bytes) = (journals + 1, bytes + child.metadata()?.len());
            }
            if files > FILES_MAX || journals > JOURNALS_MAX || bytes > BYTES_MAX {
                let problem = format!(
                    "it holds more than {FILES_MAX} files, {JOURNALS_MAX} journals, or {} of them",
                    human::size(BYTES_MAX)
                );
                return Err(Problem::new(problem).into());
            }
            if kind.is_dir() && depth + 1 < DEPTH_MAX {
                open.push((child.path(), depth + 1));
            }
        }
    }
    Ok(())
}

/// Whether this user wrote it on this machine.
fn is_own(folder: &LiveFolder) -> bool {
    let recorder = folder.start().ok().flatten().map(|start| start.owner);
    let begins = folder.journals().unwrap_or_default().into_iter().filter_map(|journal| begin_of(&journal));
    let mut owners = recorder.into_iter().chain(begins.map(|begin| begin.owner)).peekable();
    owners.peek().is_some() && owners.all(|owner| owner::is_here(&owner)) && is_mine(&folder.path)
}

#[cfg(unix)]
fn is_mine(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata(path).is_ok_and(|metadata| metadata.uid() == rustix::process::geteuid().as_raw())
}

#[cfg(not(unix))]
fn is_mine(_: &Path) -> bool {
    true
}
