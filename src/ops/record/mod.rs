//! Recording a run: what goes in is read, the command runs, what came out is gathered, all of it is committed.
//!
//! Knows the order of things and what a failure of each may cost: the command's results are worth more than our record
//! of them, so that once it may start, nothing of ours stops it.

pub mod accompany;
pub mod checkpoint;
pub mod child;
pub mod close;
pub mod command_params;
pub mod commit;
pub mod console;
pub mod cost;
pub mod environment;
mod events;
pub mod files;
pub mod given;
pub mod harvest;
mod heartbeat;
pub mod id_file;
mod input;
pub mod key_value;
pub mod known;
pub mod leftover;
pub mod place;
pub mod python;
pub mod redact;
mod resume;
pub mod series;
pub mod summary;
pub mod surroundings;
pub mod system;
mod walk;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};

use crate::error::Problem;
use crate::ops::done;
use crate::ops::record::given::Given;
use crate::ops::record::harvest::Harvest;
use crate::ops::record::place::{Places, text_or_bytes};
use crate::ops::record::redact::Redactor;
use crate::run::attempt::{Code, Facts, Number, Status, Summary};
use crate::run::id::{AttemptId, RunId, check_name, pet_name};
use crate::run::value::{Table, Value};
use crate::run::{Run, fingerprint};
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
    /// The run that this is another attempt of, named as people name runs.
    pub resume: Option<String>,
    /// Where to write the id before the command starts.
    pub id_file: Option<PathBuf>,
    /// Whether a fault of ours counts as one of the command's.
    pub strict: bool,
    /// Whether no snapshot of changed code is taken.
    pub no_snapshot: bool,
    /// Whether the snapshot leaves out untracked files.
    pub no_untracked: bool,
    /// Whether the output of the command is not kept.
    pub no_console: bool,
    /// Whether the machine is not watched.
    pub no_system: bool,
    /// How often the run is committed while it lasts; never if absent.
    pub checkpoint: Option<Duration>,
    /// Whether it is pushed, at each checkpoint and at its end.
    pub push: bool,
    /// Kinds and places of files that the command writes for other tools, and whose series become the run's.
    pub harvest: Vec<String>,
    /// Whether the command is not started if a finished run did the same.
    pub skip_if_done: bool,
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
    /// What could be done better the next time.
    pub hints: Vec<String>,
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
    /// What is not as asked.
    pub warnings: Vec<String>,
    /// What is worth knowing.
    pub notes: Vec<String>,
    /// What could be done better the next time.
    pub hints: Vec<String>,
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

    /// Something that could be done better the next time.
    pub fn hint(&mut self, hint: String) {
        self.hints.push(hint);
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
pub struct Draft {
    /// Its facts, as far as they are known.
    pub facts: Facts,
    /// The environment it runs in.
    pub environment: Table,
    /// What is to be taken at its end, for who closes it instead of its recorder: lists of absolute paths and globs.
    pub wanted: Table,
    /// What the user gives it.
    pub given: Given,
}

/// Records a run.
pub fn record(tracker: &Tracker, options: &Options) -> Result<Outcome> {
    check(options)?;
    let places = Places::of(tracker);
    let has_command = !options.command.is_empty();
    let mut remarks = Remarks { tolerant: has_command && !options.strict, ..Remarks::default() };
    let draft = draft(tracker, options, &places, &mut remarks)?;
    if let Some(done) = done(tracker, options, &draft, &mut remarks)? {
        return skipped(tracker, options, &places, &done, remarks);
    }
    if has_command {
        accompany::accompany(tracker, options, &places, draft, remarks)
    } else {
        set_down(tracker, options, &places, draft, remarks)
    }
}

/// Refuses names, tags and notes that cannot be recorded.
pub fn check(options: &Options) -> Result<(), Problem> {
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
    options.harvest.iter().try_for_each(|text| known::parse_wanted(text).map(drop))?;
    match options.notes.iter().any(|note| note.trim().is_empty()) {
        true => Err(Problem::usage("cannot add a note: it is empty")),
        false => Ok(()),
    }
}

/// Everything that can be known before the command starts. Nothing is written but the code snapshot.
pub fn draft(tracker: &Tracker, options: &Options, places: &Places, remarks: &mut Remarks) -> Result<Draft> {
    let config = &tracker.config;
    let redactor = Redactor::new(&config.redact)?;
    let parent = options.parent.as_deref().map(|name| tracker.resolve(name)).transpose();
    let parent = parent.context("cannot find the parent")?;
    let given = given::gather(tracker, options, places, &redactor, remarks)?;
    let code = code(tracker, options, remarks)?;
    remarks.notes.extend(code.as_ref().and_then(summary::left_out));
    let started = tracker.now();
    let resumed = options.resume.as_deref().map(|name| tracker.resolve(name)).transpose();
    let resumed = resumed.context("cannot find the run to resume")?;
    let id = match (&options.key, &resumed) {
        (Some(key), _) => RunId::keyed(key),
        (None, Some(id)) => id.clone(),
        (None, None) => RunId::new(started, tracker.random()?),
    };
    let mut facts = Facts::new(id, AttemptId::new(tracker.random()?), started);
    facts.key = options.key.clone();
    if resumed.is_some() {
        // Without what came before it, the attempt could not be laid beside it.
        facts.after = resume::attempts_before(tracker, &facts.id, remarks)?;
    } else if facts.key.is_some() {
        facts.after = remarks.accept(commit::known_attempts(&tracker.store, &facts.id))?.unwrap_or_default();
    }
    facts.name = options.name.clone();
    facts.experiment = options.experiment.clone();
    // An attempt that others came before says nothing new of these, unless asked to.
    if resumed.is_none() && facts.after.is_empty() {
        let made_up = || match facts.key {
            Some(_) => Ok(pet_name_of(&facts.id)),
            None => tracker.random().map(pet_name),
        };
        facts.name = Some(facts.name.map_or_else(made_up, Ok)?);
        facts.experiment = facts.experiment.or_else(|| config.experiment.clone());
    }
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
    // Known from the start, so that whoever finishes the run in our place knows them too.
    facts.metrics =
        given.metrics.iter().map(|(name, number)| (name.clone(), Summary::plain(*number))).collect();
    facts.inputs = given.inputs.clone();
    facts.scheduler = environment::scheduler();
    facts.ci = environment::ci();
    facts.code = code;
    facts.fingerprint = fingerprint::begun(&facts);
    let environment =
        environment::environment(&options.command, &places.here, &config.environment, &redactor);
    let wanted = wanted(tracker, options, places);
    Ok(Draft { facts, environment, wanted, given })
}

/// The finished run that did the same, where such a one is enough.
fn done(tracker: &Tracker, options: &Options, draft: &Draft, remarks: &mut Remarks) -> Result<Option<Run>> {
    if !options.skip_if_done {
        return Ok(None);
    }
    if draft.facts.fingerprint.is_none() {
        let why = "whether this was run before cannot be told: it is not known exactly which code is to run";
        remarks.note(why.to_owned());
        remarks.hint("commit the changes, or let the snapshot take them".to_owned());
        return Ok(None);
    }
    Ok(remarks.accept(done::finished_alike(tracker, &draft.facts))?.flatten())
}

/// Says that nothing was run, and of which run the results are.
fn skipped(
    tracker: &Tracker,
    options: &Options,
    places: &Places,
    done: &Run,
    remarks: Remarks,
) -> Result<Outcome> {
    if let Some(file) = &options.id_file {
        id_file::write_id(&places.here.join(file), &done.id)?;
    }
    let summary = format!("not run: same as {}", done::described(done, tracker.now()));
    Ok(outcome(tracker, done.id.clone(), 0, Some(summary), remarks))
}

/// The made-up name of a keyed run: its pieces come to the same one, wherever they run.
fn pet_name_of(id: &RunId) -> String {
    let letters = id.suffix().as_bytes();
    pet_name([letters[1] ^ letters[2].rotate_left(3), letters[3] ^ letters[4].rotate_left(3)])
}

/// The artifacts and metrics files that are to be taken at the end.
fn wanted(tracker: &Tracker, options: &Options, places: &Places) -> Table {
    let artifacts = given::wanted_artifacts(tracker, options, places);
    let metrics = given::metrics_files(tracker, options, places);
    let list = |paths: Vec<&Path>| {
        Value::List(paths.into_iter().map(|path| text_or_bytes(path.as_os_str())).collect())
    };
    let lists = [
        ("artifacts", list(artifacts.iter().map(|wanted| wanted.path.as_path()).collect())),
        ("metrics", list(metrics.iter().map(|file| file.path.as_path()).collect())),
    ];
    lists.into_iter().map(|(key, paths)| (key.to_owned(), paths)).collect()
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
    close::set_down(tracker, &mut draft.facts, &draft.environment, &harvest)?;
    remember(tracker, &draft.facts.id, &mut remarks);
    if let Some(file) = &options.id_file {
        id_file::write_id(&places.here.join(file), &draft.facts.id)?;
    }
    let summary = Some(summary::closing(&draft.facts, tracker.config.primary.as_deref(), None));
    Ok(outcome(tracker, draft.facts.id, 0, summary, remarks))
}

/// What came out of the run: metrics and artifacts.
pub fn gather(
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

/// Notes that the run was recorded here; without that it is found all the same, but not as `@`.
fn remember(tracker: &Tracker, id: &RunId, remarks: &mut Remarks) {
    if let Err(error) = tracker.note_recorded(id) {
        remarks.warn(format!("{error:#}"));
    }
}

fn outcome(tracker: &Tracker, id: RunId, exit: u8, summary: Option<String>, remarks: Remarks) -> Outcome {
    let warnings = remarks.warnings.into_iter().chain(tracker.store.warnings()).collect();
    Outcome { id, exit, warnings, notes: remarks.notes, hints: remarks.hints, summary }
}

#[cfg(test)]
mod tests {
    use super::*;

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
