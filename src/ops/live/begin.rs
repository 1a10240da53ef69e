//! Beginning and finishing a run from outside: for scripts and clients that are not started by `git xtrack record`.
//!
//! Knows what both ends need; between them the run lives in its folder, and its owner's death ends it as well.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::Result;

use crate::error::{Kind, Problem};
use crate::journal::folder::{Gone, LiveFolder};
use crate::journal::owner::{self, Life};
use crate::journal::replay;
use crate::ops::live::{away, verdict};
use crate::ops::record::close::{self, Closing, Revision};
use crate::ops::record::given::Given;
use crate::ops::record::place::Places;
use crate::ops::record::{self, Draft, Options, Remarks, accompany, summary};
use crate::run::attempt::{Facts, Status};
use crate::run::id::{AttemptId, RunId};
use crate::run::value::{Table, Value};
use crate::tracker::Tracker;

/// What an owner's description holds whose run is finished by `finish`.
const BEGUN: (&str, &str) = ("by", "begin");
/// Where a process finds the folder of the run it belongs to.
pub const RUN_DIR: &str = "XTRACK_RUN_DIR";

/// A run that has begun.
#[derive(Debug, Clone, PartialEq)]
pub struct Begun {
    /// Which.
    pub id: RunId,
    /// Its attempt.
    pub attempt: AttemptId,
    /// Its name.
    pub name: Option<String>,
    /// Where its writers write.
    pub folder: PathBuf,
    /// What went wrong without stopping it.
    pub warnings: Vec<String>,
    /// What else is worth saying.
    pub notes: Vec<String>,
}

/// Begins a run that lives as long as the process `pid`; without one, as long as the one that called this program.
pub fn begin(tracker: &Tracker, options: &Options, pid: Option<u32>) -> Result<Begun> {
    record::check(options)?;
    let owner = owner_of(pid)?;
    let places = Places::of(tracker);
    let mut remarks = Remarks { tolerant: !options.strict, ..Remarks::default() };
    let draft = record::draft(tracker, options, &places, &mut remarks)?;
    let facts = draft.facts;
    let folder = LiveFolder::begin(&tracker.state_dir(), &facts, &draft.environment, owner, &draft.wanted)?;
    if let Some(file) = &options.id_file {
        accompany::write_id(&places.here.join(file), &facts.id, Some(&folder))?;
    }
    let warnings = remarks.warnings.into_iter().chain(tracker.store.warnings()).collect();
    let attempt = facts.attempt.expect("a draft is of an attempt");
    Ok(Begun { id: facts.id, attempt, name: facts.name, folder: folder.path, warnings, notes: remarks.notes })
}

fn owner_of(pid: Option<u32>) -> Result<Table, Problem> {
    let pid = match pid {
        Some(pid) => pid,
        None => owner::caller().ok_or_else(|| {
            Problem::usage("nothing tells here which process the run belongs to")
                .hint("name it: `--owner PID`")
        })?,
    };
    let owner = owner::process(pid);
    let mut owner = owner.ok_or_else(|| Problem::usage(format!("there is no process {pid}")))?;
    owner.insert(BEGUN.0.to_owned(), BEGUN.1.into());
    Ok(owner)
}

/// How a run is to be finished.
#[derive(Debug, Clone, Default)]
pub struct Ending {
    /// Which: a run's name or a folder; else the one that this process belongs to, else the only one begun here.
    pub run: Option<String>,
    /// How it ended; else what its exit code or its writers say, else well.
    pub status: Option<Status>,
    /// Its exit code.
    pub exit_code: Option<i64>,
    /// What else it brought: metrics, files of metrics, artifacts.
    pub given: Options,
}

/// A run that was finished.
#[derive(Debug, Clone, PartialEq)]
pub struct Finished {
    /// Which.
    pub id: RunId,
    /// One line that says what was recorded.
    pub summary: String,
    /// What went wrong without stopping it.
    pub warnings: Vec<String>,
    /// What else is worth saying.
    pub notes: Vec<String>,
}

/// Finishes a run: its folder becomes its record.
pub fn finish(tracker: &Tracker, ending: &Ending) -> Result<Finished> {
    let folder = find(tracker, ending.run.as_deref())?;
    // What was read of a folder that is gone by now says nothing.
    finish_in(tracker, ending, &folder).map_err(|error| match folder.is_there() {
        true => error,
        false => Gone.into(),
    })
}

fn finish_in(tracker: &Tracker, ending: &Ending, folder: &LiveFolder) -> Result<Finished> {
    let start =
        folder.start()?.ok_or_else(|| Problem::new(format!("'{}' has no start", folder.path.display())))?;
    if !is_begun(&start.owner) && owner::state(&start.owner) == Life::Alive {
        let pid = start.owner.get("pid").and_then(Value::as_int).unwrap_or_default();
        return Err(Problem::usage(format!("run '{}' is being recorded by process {pid}", start.facts.id))
            .hint("it ends when its command does")
            .into());
    }
    let seen = folder.sizes()?;
    let places = Places::of(tracker);
    let since = start.facts.started.map_or_else(SystemTime::now, |at| {
        SystemTime::UNIX_EPOCH + Duration::from_micros(u64::try_from(at.0).unwrap_or_default())
    });
    let mut facts = start.facts;
    facts.ended = Some(tracker.now());
    judge(&mut facts, ending, folder)?;
    let given = Given { metrics: ending.given.metrics.iter().cloned().collect(), ..Given::default() };
    let mut draft = Draft { facts, environment: folder.environment()?, wanted: Table::new(), given };
    let mut remarks = Remarks { tolerant: true, ..Remarks::default() };
    let harvest = record::gather(tracker, &ending.given, &places, &mut draft, since, &mut remarks)?;
    // Without it the run is found all the same, but not as `@`.
    let _ = tracker.note_recorded(&draft.facts.id);
    let Draft { facts, environment, .. } = draft;
    let revision = Revision::Next;
    let closing = Closing { folder, facts, environment, harvest, revision, reads_sources: true };
    let closed = close::close(tracker, &closing)?;
    away::settle(tracker, folder, &seen)?;
    remarks.notes.extend(closed.remarks);
    let warnings = remarks.warnings.into_iter().chain(tracker.store.warnings()).collect();
    let summary = summary::closing(&closed.facts, tracker.config.primary.as_deref(), None);
    Ok(Finished { id: closed.id, summary, warnings, notes: remarks.notes })
}

/// How it ended: as told, else as its exit code says, else as its writers do.
fn judge(facts: &mut Facts, ending: &Ending, folder: &LiveFolder) -> Result<()> {
    let by_code = ending.exit_code.map(|code| if code == 0 { Status::Finished } else { Status::Failed });
    if let Some(status) = ending.status.or(by_code) {
        (facts.status, facts.exit_code) = (status, ending.exit_code);
        return Ok(());
    }
    let said = verdict::judged(facts.clone(), &replay::glimpse(&folder.path)?);
    (facts.status, facts.exit_code) = match said.status {
        // Nobody said anything: whoever finishes a run in so many words has come to its end.
        Status::Crashed => (Status::Finished, None),
        status => (status, said.exit_code),
    };
    Ok(())
}

fn find(tracker: &Tracker, run: Option<&str>) -> Result<LiveFolder> {
    let surrounding = std::env::var_os(RUN_DIR).filter(|path| !path.is_empty()).map(PathBuf::from);
    match (run, surrounding) {
        // A folder that is called as the run is has nothing to do with it, unless it is its own.
        (Some(run), _) if run.contains('/') => at(tracker, &tracker.directory().join(run)),
        (Some(run), _) => at(tracker, &tracker.directory().join(run)).or_else(|_| named(tracker, run)),
        (None, Some(path)) => at(tracker, &path),
        (None, None) => only(tracker),
    }
}

fn at(tracker: &Tracker, path: &Path) -> Result<LiveFolder> {
    let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let found = tracker.live().into_iter().find(|folder| folder.path == real || folder.path == path);
    let problem = || {
        let problem =
            Problem::new(format!("no run is in progress in '{}'", path.display())).of(Kind::NotFound);
        match LiveFolder::open(path).run().map(|id| tracker.store.run_tip(&id)) {
            Some(Ok(Some(_))) => problem.hint("it has ended: `git xtrack show` shows it"),
            _ if path.is_dir() => problem.hint("`git xtrack adopt` takes in runs from elsewhere"),
            _ => problem.hint(LIST),
        }
    };
    Ok(found.ok_or_else(problem)?)
}

fn named(tracker: &Tracker, name: &str) -> Result<LiveFolder> {
    let id = tracker.resolve(name)?;
    let mut folders = tracker.live_of(&id);
    match (folders.pop(), folders.is_empty()) {
        (Some(folder), true) => Ok(folder),
        (Some(_), false) => Err(Problem::usage(format!("several attempts of run '{id}' are in progress"))
            .hint("name the folder of one")
            .into()),
        (None, _) => Err(Problem::new(format!("run '{id}' is not in progress"))
            .of(Kind::NotFound)
            .hint(format!("`git xtrack edit {} --status …` says how it ended", id.suffix()))
            .into()),
    }
}

fn only(tracker: &Tracker) -> Result<LiveFolder> {
    let is_ours = |folder: &LiveFolder| {
        let start = folder.start().ok().flatten();
        start.is_some_and(|start| is_begun(&start.owner) && owner::is_here(&start.owner))
    };
    let mut begun: Vec<LiveFolder> = tracker.live().into_iter().filter(is_ours).collect();
    match begun.len() {
        0 => Err(Problem::new("no run was begun here")
            .of(Kind::NotFound)
            .hint("`git xtrack begin` begins one")
            .into()),
        1 => Ok(begun.remove(0)),
        count => {
            let problem = Problem::usage(format!("{count} runs were begun here: name one"));
            Err(problem.hint(LIST).into())
        }
    }
}

const LIST: &str = "`git xtrack status` lists the runs in progress";

fn is_begun(owner: &Table) -> bool {
    owner.get(BEGUN.0).and_then(Value::as_text) == Some(BEGUN.1)
}
