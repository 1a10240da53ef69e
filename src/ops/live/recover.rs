//! Recovery: what a dead process left behind becomes the record it would have made, and its traces are removed.
//!
//! Knows whose traces are whose and when they may be touched: only what nobody can be at work on any more. What is
//! recovered is a function of the folder's bytes, so that two recoveries of one folder, at once or after each other, or
//! one that is killed and one that follows, come to the same record. Nothing here relies on advisory locks.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::error::Problem;
use crate::journal::folder::{self, LiveFolder, RECOVERED};
use crate::journal::owner::{self, Life};
use crate::journal::replay::{self};
use crate::ops::live::away::{clear_aside, put_away};
use crate::ops::live::portable;
use crate::ops::live::verdict::{judged, leading};
use crate::ops::record::close::{self, Closed, Closing, Revision};
use crate::ops::record::harvest::Harvest;
use crate::ops::record::leftover;
use crate::run::attempt::Status;
use crate::run::id::{RunId, Time};
use crate::run::record::TOMBSTONE;
use crate::run::value::Value;
use crate::tracker::Tracker;

/// How long a run elsewhere is silent before it is taken for stale: twenty heartbeats.
pub const STALE: Duration = Duration::from_secs(5 * 60);
/// How long the folder of a run elsewhere is kept after a forced recovery, for a writer that comes back.
const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);
/// How old a temporary file is that nobody can still be writing.
const TEMPORARY_AGE: Duration = Duration::from_secs(24 * 3600);
/// What the name of a lock's signature begins with.
const LOCK: &str = ".lock,";

/// What is to be recovered.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted<'a> {
    /// Also runs of other hosts and containers that have been silent for long.
    pub force: bool,
    /// Only these; all if empty.
    pub runs: &'a [RunId],
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The runs that have a new or better record now.
    pub recovered: Vec<Recovered>,
    /// What could not be recovered, and why.
    pub failed: Vec<Failed>,
    /// What was left as it is, and why, as far as it was asked for.
    pub left: Vec<String>,
}

/// A run that was recovered.
#[derive(Debug, Clone, PartialEq)]
pub struct Recovered {
    /// Which.
    pub id: RunId,
    /// Its name.
    pub name: Option<String>,
    /// How it ended, as far as its traces tell.
    pub status: Status,
    /// How long it took, in seconds.
    pub seconds: Option<f64>,
    /// How many lines its writers had written.
    pub events: u64,
    /// What was lost, or could not be taken.
    pub remarks: Vec<String>,
}

/// A folder that could not be recovered.
#[derive(Debug)]
pub struct Failed {
    /// Its name.
    pub folder: String,
    /// Why.
    pub error: anyhow::Error,
}

/// What to do with a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Somebody is at work there, or may be.
    Leave,
    /// All who worked there are gone.
    Recover,
    /// It is to be recovered, but somebody may come back.
    RecoverAndKeep,
    /// All that is in it is in the record, and has been for long.
    Remove,
}

/// Recovers what can be, and removes what dead processes left. Where nothing was left it costs one look at one folder.
pub fn recover(tracker: &Tracker, wanted: &Wanted<'_>) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    let found = LiveFolder::find(&tracker.state_dir());
    // Whoever cannot look can recover nothing, and needs to know only if that was asked for.
    let found = match found {
        Err(_) if !wanted.force && wanted.runs.is_empty() => return Ok(outcome),
        other => other.context("cannot look for runs in progress")?,
    };
    for leftover in &found.leftovers {
        // What could not be cleared today is cleared another day.
        let _ = clear(tracker, leftover);
    }
    for folder in &found.folders {
        let is_wanted = wanted.runs.is_empty() || folder.run().is_some_and(|id| wanted.runs.contains(&id));
        if !is_wanted {
            continue;
        }
        match consider(tracker, folder, wanted) {
            Ok(Some(recovered)) => outcome.recovered.push(recovered),
            Ok(None) => outcome.left.extend(why_left(folder, wanted)),
            // Another process was faster.
            Err(_) if !folder.is_there() => {}
            Err(error) => outcome.failed.push(Failed { folder: folder.name().to_owned(), error }),
        }
    }
    if !outcome.recovered.is_empty() {
        clear_temporary(tracker);
    }
    Ok(outcome)
}

/// Recovers on the way of another command, which it must not disturb: what cannot be read or changed by this user is
/// left to `recover` and `status`, which name it.
pub fn quietly(tracker: &Tracker) -> Outcome {
    let mut outcome = recover(tracker, &Wanted::default()).unwrap_or_default();
    outcome.failed.retain(|failed| !failed.error.is::<Unreadable>() && !is_denied(&failed.error));
    outcome
}

/// Removes the locks of dead processes, which would be in the way of whatever is written next.
pub fn clear_locks(tracker: &Tracker) {
    let leftovers = LiveFolder::find(&tracker.state_dir()).map(|found| found.leftovers).unwrap_or_default();
    let is_lock =
        |path: &&PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(LOCK));
    // What could not be cleared is told by what it is in the way of.
    leftovers.iter().filter(is_lock).for_each(|leftover| drop(clear(tracker, leftover)));
}

/// A folder of which nobody knows what it is.
#[derive(Debug)]
struct Unreadable;

impl std::fmt::Display for Unreadable {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("it is left as it is, and holds up nothing else")
    }
}

fn is_denied(error: &anyhow::Error) -> bool {
    let denied = [io::ErrorKind::PermissionDenied, io::ErrorKind::ReadOnlyFilesystem];
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    causes.any(|cause| denied.contains(&cause.kind()))
}

fn consider(tracker: &Tracker, folder: &LiveFolder, wanted: &Wanted<'_>) -> Result<Option<Recovered>> {
    let fate = fate(folder, wanted).map_err(|error| match folder.is_there() {
        true => error.context(Unreadable),
        false => error,
    })?;
    match fate {
        Fate::Leave => Ok(None),
        Fate::Remove => put_away(tracker, folder).map(|()| None),
        Fate::Recover | Fate::RecoverAndKeep => {
            check_writable(folder)?;
            bring_in(tracker, folder, fate)
        }
    }
}

fn fate(folder: &LiveFolder, wanted: &Wanted<'_>) -> Result<Fate> {
    let is_known = folder.start()?.is_some() || !folder.journals()?.is_empty();
    if !is_known {
        return unknown(folder);
    }
    match folder.life()? {
        Life::Alive => Ok(Fate::Leave),
        Life::Dead => Ok(Fate::Recover),
        Life::Elsewhere => fate_elsewhere(folder, wanted),
    }
}

/// A folder that nobody has written to: its maker is at it, or was killed before anything was known of the run.
fn unknown(folder: &LiveFolder) -> Result<Fate> {
    if !folder.is_new() {
        // An empty one holds nothing; all else is for a person to look at.
        let is_removed = fs::remove_dir(&folder.path).is_ok();
        let problem = || Problem::new(format!("'{}' does not say which run it is of", folder.path.display()));
        return if is_removed { Ok(Fate::Leave) } else { Err(problem().into()) };
    }
    Ok(Fate::Leave)
}

fn fate_elsewhere(folder: &LiveFolder, wanted: &Wanted<'_>) -> Result<Fate> {
    let is_stale = || folder.silence().map(|silence| silence > STALE);
    Ok(match folder.recovered() {
        None if wanted.force && is_stale()? => Fate::RecoverAndKeep,
        None => Fate::Leave,
        Some(seen) if seen == folder.sizes()? => match folder.silence()? > KEPT {
            true => Fate::Remove,
            false => Fate::Leave,
        },
        // Somebody came back. While they write they are in progress; what they said last counts.
        Some(_) if is_stale()? || has_finished(folder)? => Fate::RecoverAndKeep,
        Some(_) => Fate::Leave,
    })
}

fn has_finished(folder: &LiveFolder) -> Result<bool> {
    let glimpse = replay::glimpse(&folder.path)?;
    Ok(leading(&glimpse).is_some_and(|writer| writer.finish.is_some()))
}

/// What is worth saying of a folder that was left, if it was asked for.
fn why_left(folder: &LiveFolder, wanted: &Wanted<'_>) -> Option<String> {
    if wanted.runs.is_empty() || !folder.is_there() {
        return None;
    }
    let id = folder.run()?;
    let start = folder.start().ok().flatten();
    let owner = |key| start.as_ref().and_then(|start| start.owner.get(key));
    let host = owner("host").and_then(Value::as_text).unwrap_or("another host").to_owned();
    Some(match folder.life().ok()? {
        Life::Alive => match owner("pid").and_then(Value::as_int) {
            Some(pid) => format!("{id} is in progress: process {pid} or a process of its own lives"),
            None => format!("{id} is in progress: a process of it lives"),
        },
        Life::Dead => return None,
        Life::Elsewhere if folder.is_recovered() => format!("{id} was recovered already"),
        Life::Elsewhere => {
            let silence = crate::human::age(folder.silence().ok()?.as_secs() as i64);
            let means =
                if wanted.force { "too lately to be taken for dead" } else { "`--force` takes it for dead" };
            format!("{id} is of '{host}', last heard of {silence} ago: {means}")
        }
    })
}

/// Who may not write there cannot finish what is there either; that is found out before anything is done.
fn check_writable(folder: &LiveFolder) -> Result<()> {
    let above = folder.path.parent().unwrap_or(&folder.path);
    for path in [above, &folder.path] {
        writable(path).with_context(|| format!("cannot write '{}'", path.display()))?;
    }
    Ok(())
}

#[cfg(unix)]
fn writable(path: &Path) -> io::Result<()> {
    use rustix::fs::Access;
    Ok(rustix::fs::access(path, Access::WRITE_OK | Access::EXEC_OK)?)
}

#[cfg(not(unix))]
fn writable(_: &Path) -> io::Result<()> {
    Ok(())
}

fn bring_in(tracker: &Tracker, folder: &LiveFolder, fate: Fate) -> Result<Option<Recovered>> {
    let (sizes, events) = (folder.sizes()?, events(folder)?);
    let glimpse = replay::glimpse(&folder.path)?;
    let (facts, environment) = match folder.start()? {
        Some(start) => (start.facts, folder.environment()?),
        None => (portable::facts(&glimpse)?, folder.environment()?),
    };
    let facts = judged(facts, &glimpse);
    folder.check()?;
    if is_purged(tracker, &facts.id)? {
        // What was purged must not come back.
        return put_away(tracker, folder).map(|()| None);
    }
    // Without it the run is found all the same, but not as `@`.
    let _ = tracker.note_recorded(&facts.id);
    // Elsewhere other files lie under the same paths.
    let reads_sources = fate == Fate::Recover;
    let mut facts = facts;
    let harvest = match folder.start()?.filter(|_| reads_sources) {
        Some(start) => leftover::take(tracker, &start.wanted, &mut facts),
        None => Harvest::default(),
    };
    let revision = Revision::Next;
    let closing = Closing { folder, facts, environment, harvest, revision, reads_sources };
    let closed = close::close(tracker, &closing)?;
    match fate {
        Fate::RecoverAndKeep => folder.mark_recovered(&sizes)?,
        _ => put_away(tracker, folder)?,
    }
    if closed.is_new {
        note(tracker, &closed.id);
    }
    Ok(closed.is_new.then(|| recovered(closed, events)))
}

fn is_purged(tracker: &Tracker, id: &RunId) -> Result<bool> {
    let tip = tracker.store.run_tip(id)?;
    let paths = tip.map(|tip| tracker.store.paths(&tip)).transpose()?.unwrap_or_default();
    Ok(paths.iter().any(|path| path == TOMBSTONE))
}

fn recovered(closed: Closed, events: u64) -> Recovered {
    let Closed { id, facts, remarks, .. } = closed;
    let seconds = facts.started.zip(facts.ended).map(|(started, ended)| (ended.0 - started.0) as f64 / 1e6);
    Recovered { id, name: facts.name, status: facts.status, seconds, events, remarks }
}

/// How many whole lines the journals hold.
pub fn events(folder: &LiveFolder) -> io::Result<u64> {
    let mut lines = 0;
    let mut buffer = vec![0; 1 << 16];
    for journal in folder.journals()? {
        let mut file = File::open(journal)?;
        loop {
            match file.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => lines += buffer[..read].iter().filter(|byte| **byte == b'\n').count() as u64,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(lines)
}

/// Clears one thing that lies among the live folders under a name of ours.
fn clear(tracker: &Tracker, leftover: &Path) -> Result<()> {
    let name = leftover.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if name.starts_with(".removed-") {
        return clear_aside(tracker, &LiveFolder::open(leftover));
    }
    if name.starts_with(LOCK) {
        let is_dead = |mark: &str| owner::state_of_mark(mark) == Life::Dead;
        return tracker.store.remove_dead_lock(leftover, &is_dead).map(drop);
    }
    if age(leftover).is_some_and(|age| age > TEMPORARY_AGE)
        && (name.starts_with(".new-") || name.starts_with(".clock-"))
    {
        remove(leftover);
    }
    Ok(())
}

/// Removes temporary files that nobody can still be writing.
fn clear_temporary(tracker: &Tracker) {
    let state = tracker.state_dir();
    let children =
        |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten().map(|child| child.path());
    let lists = children(&state).filter(|path| path.to_string_lossy().contains(".tmp-"));
    let copies = children(&state.join("objects/tmp"));
    for path in lists.chain(copies) {
        if age(&path).is_some_and(|age| age > TEMPORARY_AGE) {
            remove(&path);
        }
    }
}

fn remove(path: &Path) {
    let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
}

fn age(path: &Path) -> Option<Duration> {
    let modified = fs::symlink_metadata(path).ok()?.modified().ok()?;
    folder::file_time(path.parent()?).duration_since(modified).ok()
}

/// Notes that a run was recovered here, for `status`.
fn note(tracker: &Tracker, id: &RunId) {
    let path = tracker.state_dir().join(RECOVERED);
    let line = format!("{id} {}\n", tracker.now());
    // A reminder, no more.
    let _ = File::options()
        .append(true)
        .create(true)
        .open(path)
        .and_then(|mut file| file.write_all(line.as_bytes()));
}

/// The runs that were recovered here, and when, the latest first.
pub fn noted(tracker: &Tracker) -> Vec<(RunId, Time)> {
    let text = fs::read_to_string(tracker.state_dir().join(RECOVERED)).unwrap_or_default();
    let line =
        |line: &str| line.split_once(' ').and_then(|(id, at)| Some((RunId::parse(id)?, Time::parse(at)?)));
    let mut noted: Vec<_> = text.lines().filter_map(line).collect();
    noted.reverse();
    let mut seen = std::collections::BTreeSet::new();
    noted.retain(|(id, _)| seen.insert(id.clone()));
    noted
}
