//! Recording a run: what goes in is read, the command runs, what came out is gathered, all of it is committed.
//!
//! Knows the order of things and what a failure of each may cost: the command's results are worth more than our record
//! of them, so that once it may start, nothing of ours stops it.

pub mod child;
pub mod command_params;
mod commit;
mod environment;
pub mod files;
mod given;
pub mod harvest;
mod input;
pub mod key_value;
mod live;
mod place;
pub mod redact;
mod summary;
mod walk;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context as _, Result};

use crate::error::Problem;
use crate::ops::record::child::Ended;
use crate::ops::record::given::Given;
use crate::ops::record::harvest::Harvest;
use crate::ops::record::live::Live;
use crate::ops::record::place::Places;
use crate::ops::record::redact::Redactor;
use crate::run::attempt::{Code, Facts, Number, Status};
use crate::run::id::{AttemptId, RunId, check_name, pet_name};
use crate::run::value::{Table, Value};
use crate::store::SnapshotLimits;
use crate::tracker::Tracker;

/// What is to be recorded.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The run's name; made up if absent.
    pub name: Option<String>,
    /// The experiment; the settings' if absent.
    pub experiment: Option<String>,
    /// Params, over all others.
    pub params: Vec<(Vec<String>, Value)>,
    /// Files of params, over the settings'.
    pub params_files: Vec<PathBuf>,
    /// Metrics, over the files'.
    pub metrics: Vec<(String, Number)>,
    /// Files of metrics, read when the command has ended.
    pub metrics_files: Vec<PathBuf>,
    /// Paths and globs of artifacts.
    pub artifacts: Vec<PathBuf>,
    /// Inputs, `[NAME=]PATH`.
    pub inputs: Vec<OsString>,
    /// Tags.
    pub tags: Vec<String>,
    /// Notes.
    pub notes: Vec<String>,
    /// The run it belongs under, named as people name runs.
    pub parent: Option<String>,
    /// The group it belongs to.
    pub group: Option<String>,
    /// The key its id is drawn from.
    pub key: Option<String>,
    /// Where to write the id before the command starts.
    pub id_file: Option<PathBuf>,
    /// Whether a fault of ours counts as one of the command's.
    pub strict: bool,
    /// Whether no snapshot of changed code is taken.
    pub no_snapshot: bool,
    /// Whether the snapshot leaves out untracked files.
    pub no_untracked: bool,
    /// The command; without one, what is given is recorded.
    pub command: Vec<OsString>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The run.
    pub id: RunId,
    /// The exit code to end with: the command's own, as far as it had one.
    pub exit: u8,
    /// What went wrong without stopping it.
    pub warnings: Vec<String>,
    /// What else is worth saying.
    pub notes: Vec<String>,
    /// One line that says what was recorded; nothing if that failed.
    pub summary: Option<String>,
}

/// What is to be said at the end.
#[derive(Debug, Default)]
pub struct Remarks {
    /// Whether a fault is said and passed over, rather than ending it here.
    pub tolerant: bool,
    /// How many faults there were.
    pub faults: usize,
    warnings: Vec<String>,
    notes: Vec<String>,
}

impl Remarks {
    /// Something that is not as asked.
    pub fn warn(&mut self, warning: String) {
        self.warnings.push(warning);
    }

    /// Something worth knowing.
    pub fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// A fault: ours, or of what was asked for. It ends everything unless faults are tolerated.
    pub fn fault(&mut self, error: anyhow::Error) -> Result<()> {
        if !self.tolerant {
            return Err(error);
        }
        self.faults += 1;
        self.warnings.push(format!("{error:#}"));
        Ok(())
    }

    /// The value, or nothing after a fault.
    fn accept<T>(&mut self, result: Result<T>) -> Result<Option<T>> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(error) => self.fault(error).map(|()| None),
        }
    }
}

/// An attempt whose facts are not all known yet.
struct Draft {
    facts: Facts,
    environment: Table,
    given: Given,
}

/// Records a run.
pub fn record(tracker: &Tracker, options: &Options) -> Result<Outcome> {
    check(options)?;
    let places = Places::of(tracker);
    let has_command = !options.command.is_empty();
    let mut remarks = Remarks { tolerant: has_command && !options.strict, ..Remarks::default() };
    let mut draft = draft(tracker, options, &places, &mut remarks)?;
    if has_command {
        accompany(tracker, options, &places, &mut draft, remarks)
    } else {
        set_down(tracker, options, &places, draft, remarks)
    }
}

fn check(options: &Options) -> Result<(), Problem> {
    let named = [
        ("a run's name", &options.name),
        ("an experiment", &options.experiment),
        ("a group", &options.group),
        ("a run key", &options.key),
    ];
    for (what, name) in named {
        name.as_ref().map_or(Ok(()), |name| check_name(what, name))?;
    }
    for tag in &options.tags {
        check_name("a tag", tag)?;
    }
    match options.notes.iter().any(|note| note.trim().is_empty()) {
        true => Err(Problem::usage("cannot add a note: it is empty")),
        false => Ok(()),
    }
}

/// Everything that can be known before the command starts. Nothing is written but the code snapshot.
fn draft(tracker: &Tracker, options: &Options, places: &Places, remarks: &mut Remarks) -> Result<Draft> {
    let config = &tracker.config;
    let redactor = Redactor::new(&config.redact)?;
    let parent = options.parent.as_deref().map(|name| tracker.resolve(name)).transpose();
    let parent = parent.context("cannot find the parent")?;
    let given = given::gather(tracker, options, places, &redactor, remarks)?;
    let code = code(tracker, options, remarks)?;
    remarks.notes.extend(code.as_ref().and_then(summary::left_out));
    let started = tracker.now();
    let id = match &options.key {
        Some(key) => RunId::keyed(key),
        None => RunId::new(started, tracker.random()?),
    };
    let mut facts = Facts::new(id, AttemptId::new(tracker.random()?), started);
    facts.key = options.key.clone();
    if facts.key.is_some() {
        facts.after = remarks.accept(commit::known_attempts(&tracker.store, &facts.id))?.unwrap_or_default();
    }
    facts.name = Some(match &options.name {
        Some(name) => name.clone(),
        None => pet_name(tracker.random()?),
    });
    facts.experiment = options.experiment.clone().or_else(|| config.experiment.clone());
    facts.command = redactor.command(&options.command);
    facts.cwd = places.cwd();
    let identity = tracker.store.identity();
    // Said once: who wants no identity needs no reminder with every run.
    if identity.is_fallback && !tracker.has_recorded() {
        remarks.note(format!(
            "no git identity is set: recorded as '{identity}'; `git config --global user.name NAME` and user.email set it"
        ));
    }
    facts.user = Some(identity.to_string());
    facts.host = Some(gethostname::gethostname().to_string_lossy().into_owned());
    facts.xtrack = Some(env!("CARGO_PKG_VERSION").to_owned());
    facts.parent = parent.map(|id| id.to_string());
    facts.group = options.group.clone();
    facts.tags = options.tags.clone();
    facts.notes = options.notes.clone();
    facts.params = given.params.clone();
    facts.inputs = given.inputs.clone();
    facts.scheduler = environment::scheduler();
    facts.ci = environment::ci();
    facts.code = code;
    let environment = environment::environment(&options.command, &config.environment, &redactor);
    Ok(Draft { facts, environment, given })
}

/// The code that is about to run; without a snapshot at least the commit it is based on.
fn code(tracker: &Tracker, options: &Options, remarks: &mut Remarks) -> Result<Option<Code>> {
    let settings = &tracker.config.snapshot;
    let limits = SnapshotLimits {
        enabled: settings.enabled && !options.no_snapshot,
        untracked: settings.untracked && !options.no_untracked,
        file_max: settings.file_max,
        files_max: settings.files_max,
        total_max: settings.total_max,
        secrets: settings.secrets.clone(),
    };
    let snapshot = tracker.store.snapshot(&limits).context("cannot take a snapshot of the code");
    if let Some(code) = remarks.accept(snapshot)? {
        return Ok(Some(code));
    }
    let head = remarks.accept(tracker.store.head())?;
    Ok(head.map(|head| Code { commit: head.commit, branch: head.branch, ..Code::default() }))
}

/// Records what is given, without a command: nothing is lost by an error, so every fault is one.
fn set_down(
    tracker: &Tracker,
    options: &Options,
    places: &Places,
    mut draft: Draft,
    mut remarks: Remarks,
) -> Result<Outcome> {
    let wanted = given::metrics_files(tracker, options, places);
    draft.facts.metrics = given::metrics(&draft.given.metrics, &wanted, None, &mut remarks)?;
    let matched = harvest::find(&given::wanted_artifacts(tracker, options, places), places);
    if let Some(missing) = matched.missing.first() {
        return Err(Problem::new(missing.clone()).into());
    }
    let mut harvest = harvest::take(&tracker.artifacts, places, matched, None);
    if let Some(missing) = harvest.missing.first() {
        return Err(Problem::new(missing.clone()).into());
    }
    remarks.notes.append(&mut harvest.notes);
    draft.facts.status = Status::Finished;
    draft.facts.ended = draft.facts.started;
    conclude(tracker, &mut draft, &harvest)?;
    remember(tracker, &draft.facts.id, &mut remarks);
    if let Some(file) = &options.id_file {
        live::write_id(&places.here.join(file), &draft.facts.id)?;
    }
    let summary = Some(summary::closing(&draft.facts, tracker.config.primary.as_deref()));
    Ok(outcome(tracker, draft.facts.id, 0, summary, remarks))
}

/// Runs the command and records how it went.
fn accompany(
    tracker: &Tracker,
    options: &Options,
    places: &Places,
    draft: &mut Draft,
    mut remarks: Remarks,
) -> Result<Outcome> {
    let owner = child::owner(draft.facts.host.as_deref().unwrap_or_default());
    let begun = Live::begin(&tracker.state_dir(), &draft.facts, &draft.environment, owner);
    let live = remarks.accept(begun)?;
    if let Some(file) = &options.id_file {
        live::write_id(&places.here.join(file), &draft.facts.id)?;
    }
    let since = SystemTime::now();
    let exit = run(options, places, live.as_ref(), &mut draft.facts, &mut remarks);
    draft.facts.ended = Some(tracker.now());

    // From here on the results are there: whatever goes wrong is said, and the rest recorded.
    remarks.tolerant = true;
    let harvest = gather(tracker, options, places, draft, since, &mut remarks)?;
    let committed = conclude(tracker, draft, &harvest);
    let is_committed = match committed {
        Ok(()) => {
            remember(tracker, &draft.facts.id, &mut remarks);
            true
        }
        Err(error) => {
            remarks.fault(error)?;
            if let Some(live) = &live {
                remarks.note(format!("what was known when it started is in '{}'", live.folder.display()));
            }
            false
        }
    };
    if let Some(live) = live.filter(|_| is_committed) {
        remarks.accept(live.remove())?;
    }
    let exit = if options.strict && remarks.faults > 0 && exit == 0 { 1 } else { exit };
    let primary = tracker.config.primary.as_deref();
    let summary = is_committed.then(|| summary::closing(&draft.facts, primary));
    Ok(outcome(tracker, draft.facts.id.clone(), exit, summary, remarks))
}

/// Runs the command; how it ended goes into the facts.
fn run(
    options: &Options,
    places: &Places,
    live: Option<&Live>,
    facts: &mut Facts,
    remarks: &mut Remarks,
) -> u8 {
    let mut command = Command::new(&options.command[0]);
    command.args(&options.command[1..]).current_dir(&places.here).env("XTRACK_RUN_ID", facts.id.as_str());
    match live {
        Some(live) => command.env("XTRACK_RUN_DIR", &live.folder),
        None => command.env_remove("XTRACK_RUN_DIR"),
    };
    match child::run(&mut command) {
        Ok(ended) => {
            judge(facts, &ended);
            child::exit_code(&ended)
        }
        Err(not_started) => {
            let program = options.command[0].to_string_lossy();
            remarks.warn(format!("cannot run '{program}': {}", not_started.reason));
            facts.status = Status::Failed;
            facts.exit_code = Some(not_started.code.into());
            not_started.code as u8
        }
    }
}

/// What the end of the command says of the attempt.
fn judge(facts: &mut Facts, ended: &Ended) {
    facts.exit_code = ended.code.map(i64::from);
    facts.signal = ended.signal.map(child::signal_name);
    facts.status = match (ended.code, ended.signal) {
        (Some(0), _) => Status::Finished,
        (_, Some(_)) => Status::Killed,
        // It was asked to stop and did so in its own way.
        _ if ended.interrupted.is_some() => Status::Killed,
        _ => Status::Failed,
    };
}

/// What came out of the command: metrics and artifacts.
fn gather(
    tracker: &Tracker,
    options: &Options,
    places: &Places,
    draft: &mut Draft,
    since: SystemTime,
    remarks: &mut Remarks,
) -> Result<Harvest> {
    let wanted = given::metrics_files(tracker, options, places);
    draft.facts.metrics = given::metrics(&draft.given.metrics, &wanted, Some(since), remarks)?;
    let matched = harvest::find(&given::wanted_artifacts(tracker, options, places), places);
    let mut harvest = harvest::take(&tracker.artifacts, places, matched, Some(since));
    for missing in harvest.missing.drain(..) {
        remarks.fault(Problem::new(missing).into())?;
    }
    remarks.notes.append(&mut harvest.notes);
    Ok(harvest)
}

/// Commits the finished attempt.
fn conclude(tracker: &Tracker, draft: &mut Draft, harvest: &Harvest) -> Result<()> {
    let facts = &mut draft.facts;
    facts.artifacts = commit::total(harvest);
    let definitions = tracker.config.definitions.iter();
    let used = definitions.filter(|(name, _)| facts.metrics.contains_key(*name));
    facts.definitions = used.map(|(name, definition)| (name.clone(), definition.clone())).collect();
    let files = commit::files(facts, &draft.environment, harvest);
    let message = summary::message(facts, tracker.config.primary.as_deref());
    let at = facts.ended.or(facts.started).unwrap_or_else(|| tracker.now());
    commit::commit(&tracker.store, facts, files, &message, at)
        .with_context(|| format!("cannot record run '{}'", facts.id))
}

/// Notes that the run was recorded here; without that it is found all the same, but not as `@`.
fn remember(tracker: &Tracker, id: &RunId, remarks: &mut Remarks) {
    if let Err(error) = tracker.note_recorded(id) {
        remarks.warn(format!("{error:#}"));
    }
}

fn outcome(tracker: &Tracker, id: RunId, exit: u8, summary: Option<String>, remarks: Remarks) -> Outcome {
    let warnings = remarks.warnings.into_iter().chain(tracker.store.warnings()).collect();
    Outcome { id, exit, warnings, notes: remarks.notes, summary }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::id::Time;

    fn judged(ended: Ended) -> Facts {
        let mut facts = Facts::new(RunId::new(Time(0), [1; 8]), AttemptId::new([2; 8]), Time(0));
        judge(&mut facts, &ended);
        facts
    }

    #[test]
    fn the_end_of_the_command_is_the_status() {
        assert_eq!(judged(Ended { code: Some(0), ..Ended::default() }).status, Status::Finished);
        assert_eq!(judged(Ended { code: Some(2), ..Ended::default() }).status, Status::Failed);
        let killed = judged(Ended { signal: Some(9), ..Ended::default() });
        assert_eq!((killed.status, killed.exit_code), (Status::Killed, None));
        let interrupted = judged(Ended { code: Some(130), interrupted: Some(2), ..Ended::default() });
        assert_eq!((interrupted.status, interrupted.exit_code), (Status::Killed, Some(130)));
    }

    #[test]
    fn names_that_lie_are_refused() {
        let options = Options { tags: vec!["a\u{202e}b".to_owned()], ..Options::default() };
        assert!(check(&options).is_err());
        assert!(check(&Options { notes: vec![" \n".to_owned()], ..Options::default() }).is_err());
        assert!(check(&Options { notes: vec!["two\nlines".to_owned()], ..Options::default() }).is_ok());
    }

    #[test]
    fn faults_are_passed_over_only_where_that_is_asked() {
        let error = || anyhow::anyhow!("broken");
        assert!(Remarks::default().fault(error()).is_err());
        let mut remarks = Remarks { tolerant: true, ..Remarks::default() };
        assert!(remarks.fault(error()).is_ok());
        assert_eq!((remarks.faults, remarks.warnings), (1, vec!["broken".to_owned()]));
    }
}
