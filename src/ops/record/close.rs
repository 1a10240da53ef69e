//! Closes an attempt: makes the files of its record out of what it left in its live folder, and commits them.
//!
//! A function of the folder's bytes and of the facts that the caller gives, without a clock: whoever closes the same
//! folder makes the same record. Knows which word counts where several were said; not why the attempt is closed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use indexmap::{IndexMap, IndexSet};

use crate::error::Problem;
use crate::human;
use crate::journal::event::{LoggedFile, RECORDER};
use crate::journal::folder::LiveFolder;
use crate::journal::replay::{LoggedAt, Replay, Writer};
use crate::ops::record::commit::{self, Standing};
use crate::ops::record::harvest::{Harvest, Named};
use crate::ops::record::input::Asked;
use crate::ops::record::place::Places;
use crate::ops::record::redact::Redactor;
use crate::ops::record::series::{self, Laid};
use crate::ops::record::walk::{Links, walk};
use crate::ops::record::{console, cost, environment, summary};
use crate::run::attempt::{Definition, Facts, Input};
use crate::run::id::{AttemptId, RunId, Time};
use crate::run::pointer;
use crate::run::record::{Change, Files, Place};
use crate::run::value::{Table, Value, overlay};
use crate::store::Moved;
use crate::tracker::Tracker;

/// How often it is tried again when the run was changed meanwhile.
const TRIES_MAX: usize = 200;

/// How much is said of what was lost or could not be taken.
const REMARKS_MAX: usize = 20;

/// What is said of a writer by others than itself.
const OWN_KEYS: &[&str] = &["number", "name", "rank", "role", "events", "lost"];

/// The folder of a record's artifacts that holds code which no commit knows: the cells of a notebook.
const CODE_FOLDER: &str = "code";

/// An attempt that is to be closed, or kept as it stands.
pub struct Closing<'a> {
    /// What it left.
    pub folder: &'a LiveFolder,
    /// Its facts, with the status, end and exit code that they are to have.
    pub facts: Facts,
    /// Its environment, as far as it was known when it began.
    pub environment: Table,
    /// The artifacts that its recorder took; those that it logged are added.
    pub harvest: Harvest,
    /// The revision that the facts are to have.
    pub revision: Revision,
    /// Whether files that it names by a path of the machine may be read.
    pub reads_sources: bool,
}

/// Which revision of an attempt's facts is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revision {
    /// The one after what the record holds.
    Next,
    /// This one: a function of the journal, where several clones may close the same folder.
    Exactly(u64),
}

/// What became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Closed {
    /// The run.
    pub id: RunId,
    /// The facts as they stand in the record.
    pub facts: Facts,
    /// Whether anything was written: not if the record said all this before.
    pub is_new: bool,
    /// What was lost or could not be taken.
    pub remarks: Vec<String>,
    /// How many lines of journals it comes to.
    pub lines: u64,
}

/// The files of an attempt, made for one state of its record.
struct Made {
    facts: Facts,
    files: Files,
    remarks: Vec<String>,
    lines: u64,
}

/// Closes the attempt; it is tried again if the run is changed meanwhile.
pub fn close(tracker: &Tracker, closing: &Closing) -> Result<Closed> {
    for _ in 0..TRIES_MAX {
        let standing = Standing::of(&tracker.store, &closing.facts)?;
        let Some(made) = make_new(tracker, closing, &standing)? else {
            let facts = standing.facts.unwrap_or_else(|| closing.facts.clone());
            return Ok(Closed { id: facts.id.clone(), facts, is_new: false, remarks: Vec::new(), lines: 0 });
        };
        // A folder that someone else is taking away was read in part: its record is theirs.
        closing.folder.check()?;
        match write(tracker, &made, &standing) {
            Ok(()) => {
                let Made { facts, remarks, lines, .. } = made;
                return Ok(Closed { id: facts.id.clone(), facts, is_new: true, remarks, lines });
            }
            Err(error) if error.is::<Moved>() => continue,
            Err(error) => return Err(error),
        }
    }
    Err(changing(&closing.facts.id).into())
}

fn write(tracker: &Tracker, made: &Made, standing: &Standing) -> Result<()> {
    let message = summary::message(&made.facts, tracker.config.primary.as_deref());
    let at = made.facts.ended.or(made.facts.started).unwrap_or(Time(0));
    commit::commit(&tracker.store, &made.facts, standing, &made.files, &message, at)
        .with_context(|| format!("cannot record run '{}'", made.facts.id))
}

/// Commits an attempt of which what is given is all there is: it was no process, or its journal is gone. One that the
/// record knows already stays as it is.
pub fn set_down(tracker: &Tracker, facts: &mut Facts, environment: &Table, harvest: &Harvest) -> Result<()> {
    facts.artifacts = commit::total(harvest);
    add_definitions(tracker, facts, &IndexMap::new());
    let files = commit::files(facts, environment, harvest);
    for _ in 0..TRIES_MAX {
        let standing = Standing::of(&tracker.store, facts)?;
        if standing.facts.is_some() {
            return Ok(());
        }
        let made = Made { facts: facts.clone(), files: files.clone(), remarks: Vec::new(), lines: 0 };
        match write(tracker, &made, &standing) {
            Err(error) if error.is::<Moved>() => continue,
            written => return written,
        }
    }
    Err(changing(&facts.id).into())
}

fn changing(id: &RunId) -> Problem {
    Problem::new(format!("other processes kept changing run '{id}'")).hint("try again")
}

/// The files to write; nothing if the record says all this already.
fn make_new(tracker: &Tracker, closing: &Closing, standing: &Standing) -> Result<Option<Made>> {
    let Some(recorded) = &standing.facts else {
        let revision = match closing.revision {
            Revision::Next => 1,
            Revision::Exactly(revision) => revision,
        };
        return make(tracker, closing, standing, revision).map(Some);
    };
    match closing.revision {
        // As much or more of the journal is in the record.
        Revision::Exactly(revision) if revision <= recorded.revision => return Ok(None),
        Revision::Exactly(revision) => {
            let made = make(tracker, closing, standing, revision)?;
            return without_verdict(made, recorded, tracker, standing);
        }
        Revision::Next => {}
    }
    let made = make(tracker, closing, standing, recorded.revision + 1)?;
    let unchanged = Facts { revision: recorded.revision, ..made.facts.clone() };
    if unchanged == *recorded && is_recorded(tracker, standing, &under_revision(&made, recorded.revision))? {
        return Ok(None);
    }
    without_verdict(made, recorded, tracker, standing)
}

/// The files as an earlier revision would name them, but for the facts.
fn under_revision(made: &Made, revision: u64) -> Files {
    let (own, earlier) = (format!("-{}.", made.facts.revision), format!("-{revision}."));
    let named = |path: &String| match Place::parse(path) {
        Ok(Place::AttemptArtifacts(_) | Place::ConsoleTail) => path.replacen(&own, &earlier, 1),
        // Of the segments only samples have a revision.
        Ok(Place::Metrics) if path.contains("-sampled-") => path.replacen(&own, &earlier, 1),
        _ => path.clone(),
    };
    let is_facts = |path: &str| Place::parse(path).is_ok_and(|place| place.change() == Change::Revised);
    let others = made.files.iter().filter(|(path, _)| !is_facts(path));
    others.map(|(path, bytes)| (named(path), bytes.clone())).collect()
}

/// Nothing supersedes facts that say how the attempt ended: of what came later only the points, events and output are
/// added.
fn without_verdict(
    mut made: Made,
    recorded: &Facts,
    tracker: &Tracker,
    standing: &Standing,
) -> Result<Option<Made>> {
    if !recorded.status.is_final() {
        return Ok(Some(made));
    }
    let grows = |path: &String| Place::parse(path).is_ok_and(|place| place.change() == Change::Growing);
    made.files.retain(|path, _| grows(path));
    made.facts = recorded.clone();
    Ok((!is_recorded(tracker, standing, &made.files)?).then_some(made))
}

/// Whether the record holds exactly these files.
fn is_recorded(tracker: &Tracker, standing: &Standing, files: &Files) -> Result<bool> {
    let Some(tip) = &standing.tip else {
        return Ok(files.is_empty());
    };
    let recorded = tracker.store.read(tip, &|path| files.contains_key(path))?;
    Ok(recorded == *files)
}

fn make(tracker: &Tracker, closing: &Closing, standing: &Standing, revision: u64) -> Result<Made> {
    let attempt = closing.facts.attempt.as_ref().expect("a live run has an attempt");
    let folder = &closing.folder.path;
    let known = known_writers(standing);
    let committed = committed_segments(standing, attempt);
    let laid = series::lay_down(tracker, folder, &known, attempt, &committed, revision)
        .with_context(|| format!("cannot read the journal '{}'", folder.display()))?;
    let redactor = Redactor::new(&tracker.config.redact)?;
    let Laid { replay, files: mut series, artifacts, notes } = laid;
    let mut made =
        Made { facts: closing.facts.clone(), files: Files::new(), remarks: notes, lines: replay.lines };
    made.remarks.extend(replay.writers.iter().filter_map(loss));
    made.remarks.extend(replay.remarks.iter().cloned());
    made.facts.revision = revision;
    // A clock that was put back meanwhile makes no run end before it began.
    made.facts.ended = made.facts.ended.max(made.facts.started.filter(|_| made.facts.ended.is_some()));
    let mut harvest = closing.harvest.clone();
    add_logged(tracker, closing, &replay, &mut harvest, &mut made.remarks);
    artifacts.into_iter().for_each(|pointer| harvest.add_stored(pointer));
    add_words(&mut made.facts, &replay, &redactor);
    keep_recorded(tracker, standing, &mut made.facts, &mut harvest)?;
    add_inputs(tracker, closing, &replay, &mut made);
    cost::charge(&mut made.facts, &tracker.config);
    add_definitions(tracker, &mut made.facts, &replay.definitions);
    made.facts.artifacts = commit::total(&harvest);
    let mut environment = closing.environment.clone();
    match closing.reads_sources {
        true => environment::complete(&mut environment, &replay.environment),
        false => environment::complete_from_elsewhere(&mut environment, &replay.environment),
    }
    made.files = commit::files(&made.facts, &environment, &harvest);
    if standing.paths.contains(&commit::environment_path(&made.facts)) {
        // Written once: what a checkpoint said of the machine stands.
        made.files.remove(&commit::environment_path(&made.facts));
    }
    made.files.append(&mut series);
    if closing.reads_sources {
        console::gather(folder);
    }
    made.files.append(&mut console::files(folder, attempt, revision));
    made.files.append(&mut closing.folder.edits()?);
    let more = made.remarks.len().saturating_sub(REMARKS_MAX);
    if more > 0 {
        made.remarks.truncate(REMARKS_MAX);
        made.remarks.push(format!("{} like these", human::count(more, "more remark")));
    }
    Ok(made)
}

/// What an earlier revision of the attempt holds and this one knows nothing of: its recorder took it, and who closes the
/// attempt after that one has gone cannot.
fn keep_recorded(
    tracker: &Tracker,
    standing: &Standing,
    facts: &mut Facts,
    harvest: &mut Harvest,
) -> Result<()> {
    let (Some(tip), Some(recorded)) = (&standing.tip, &standing.facts) else {
        return Ok(());
    };
    for (name, metric) in &recorded.metrics {
        facts.metrics.entry(name.clone()).or_insert_with(|| metric.clone());
    }
    let path = commit::pointers_path(recorded);
    let pointers = tracker.store.read(tip, &|known| known == path)?.remove(&path);
    if let Some(bytes) = pointers.filter(|_| recorded.artifacts.is_some()) {
        pointer::decode(&bytes)?.into_iter().for_each(|pointer| harvest.keep(pointer));
    }
    Ok(())
}

/// The numbers that writers have in the record.
fn known_writers(standing: &Standing) -> Vec<(String, u64)> {
    let writers = standing.facts.iter().flat_map(|facts| &facts.writers);
    let known = |table: &Table| {
        let number = table.get("number").and_then(Value::as_int)?;
        Some((table.get("name")?.as_text()?.to_owned(), u64::try_from(number).ok()?))
    };
    writers.filter_map(known).collect()
}

/// The segments of the attempt's series and events that the record holds.
fn committed_segments(standing: &Standing, attempt: &AttemptId) -> Vec<String> {
    let is_own = |path: &&String| {
        ["metrics/", "events/"]
            .iter()
            .any(|folder| path.strip_prefix(folder).is_some_and(|name| name.starts_with(attempt.as_str())))
    };
    standing.paths.iter().filter(is_own).cloned().collect()
}

fn loss(writer: &Writer) -> Option<String> {
    let name = match &writer.begin.role {
        Some(role) => role.clone(),
        None => writer.number.to_string(),
    };
    (!writer.loss.is_none()).then(|| format!("of what writer {name} logged, {}", writer.loss))
}

/// What the processes said of the run counts more than what was given from outside: they know what they did.
fn add_words(facts: &mut Facts, replay: &Replay, redactor: &Redactor) {
    add_params(&mut facts.params, replay, redactor);
    let later = |old: &mut Option<String>, new: &Option<String>| {
        if new.is_some() {
            old.clone_from(new);
        }
    };
    later(&mut facts.name, &replay.name);
    later(&mut facts.experiment, &replay.experiment);
    later(&mut facts.group, &replay.group);
    let redacted = |texts: &[String]| texts.iter().map(|text| redactor.text(text)).collect::<Vec<_>>();
    // Each of several processes says what a variable of the environment told all of them.
    add_new(&mut facts.tags, redacted(&replay.tags));
    add_new(&mut facts.notes, redacted(&replay.notes));
    for (name, metric) in &replay.metrics {
        // A series says more than the one value that a file holds at the end.
        let is_known = facts.metrics.contains_key(name);
        if !is_known || metric.count > 1 || metric.last_step.is_some() {
            facts.metrics.insert(name.clone(), metric.clone());
        }
    }
    let logging = replay.writers.iter().filter(|writer| writer.begin.role.as_deref() != Some(RECORDER));
    facts.writers = logging.map(writer_table).collect();
}

/// Adds the texts that are not there yet; there may be very many.
fn add_new(texts: &mut Vec<String>, more: Vec<String>) {
    let mut all: IndexSet<String> = std::mem::take(texts).into_iter().collect();
    all.extend(more);
    *texts = all.into_iter().collect();
}

/// What lay beside the training counts least, what was given comes next, and what the training said itself most.
fn add_params(params: &mut Table, replay: &Replay, redactor: &Redactor) {
    let given = params.clone();
    let (mut found, mut said) = (replay.params_found.clone(), replay.params.clone());
    redactor.table(&mut found);
    redactor.table(&mut said);
    for table in [found, given, said] {
        overlay(params, &table);
    }
}

/// A writer as the facts list it. What it says of itself takes nothing of that away.
fn writer_table(writer: &Writer) -> Table {
    let mut table = Table::new();
    table.insert("number".to_owned(), (writer.number as i64).into());
    table.insert("name".to_owned(), writer.name.as_str().into());
    let begin = &writer.begin;
    if let Some(rank) = begin.rank {
        table.insert("rank".to_owned(), (rank as i64).into());
    }
    if let Some(role) = &begin.role {
        table.insert("role".to_owned(), role.as_str().into());
    }
    for key in ["host", "pid"] {
        if let Some(value) = begin.owner.get(key) {
            table.insert(key.to_owned(), value.clone());
        }
    }
    for (key, value) in &begin.facts {
        if !OWN_KEYS.contains(&key.as_str()) {
            table.insert(key.clone(), value.clone());
        }
    }
    table.insert("events".to_owned(), (writer.lines as i64).into());
    let lost = writer.loss.missing + writer.loss.unreadable;
    if lost > 0 {
        table.insert("lost".to_owned(), (lost as i64).into());
    }
    table
}

fn add_inputs(tracker: &Tracker, closing: &Closing, replay: &Replay, made: &mut Made) {
    let places = Places::of(tracker);
    let mut inputs: IndexMap<String, Input> = IndexMap::new();
    inputs
        .extend(std::mem::take(&mut made.facts.inputs).into_iter().map(|input| (input.name.clone(), input)));
    for input in &replay.inputs {
        let read = match closing.reads_sources && input.sha256.is_none() && input.digest.is_none() {
            true => read_input(input, &places),
            false => Ok(input.clone()),
        };
        let input = read.unwrap_or_else(|error| {
            made.remarks.push(format!("{error:#}"));
            input.clone()
        });
        inputs.insert(input.name.clone(), input);
    }
    made.facts.inputs = inputs.into_values().collect();
}

fn read_input(input: &Input, places: &Places) -> Result<Input> {
    let Some(path) = input.path.as_text() else {
        return Ok(input.clone());
    };
    let read = Asked::named(&input.name, path).read(&places.top, places)?;
    Ok(Input { name: input.name.clone(), ..read })
}

/// What the settings and the processes say of the metrics that there are.
fn add_definitions(tracker: &Tracker, facts: &mut Facts, said: &IndexMap<String, Definition>) {
    let mut definitions = tracker.config.definitions.clone();
    for (name, said) in facts.definitions.iter().chain(said) {
        definitions.entry(name.clone()).or_default().refine(said);
    }
    definitions.retain(|name, _| facts.metrics.contains_key(name));
    facts.definitions = definitions;
}

/// Takes the files that the processes logged: those they copied into the folder, and those they named.
fn add_logged(
    tracker: &Tracker,
    closing: &Closing,
    replay: &Replay,
    harvest: &mut Harvest,
    remarks: &mut Vec<String>,
) {
    let code = replay.code.iter().map(|code| {
        let path = format!("{CODE_FOLDER}/{}", code.path);
        LoggedAt { file: LoggedFile { path, ..code.clone() }, step: None, time: None }
    });
    let mut untaken = BTreeSet::new();
    for logged in replay.artifacts.iter().cloned().chain(code) {
        for (file, path) in files_of(closing, &logged.file, &mut untaken) {
            let named = Named {
                path: path.as_str().into(),
                media_type: logged.file.media_type.clone(),
                step: logged.step,
                key: logged.file.key.clone(),
            };
            if let Err(error) = harvest.take(&tracker.artifacts, &file, named) {
                untaken.insert(format!("cannot take artifact '{path}': {error:#}"));
            }
        }
    }
    remarks.extend(untaken);
}

/// The files that an event names, with what each is called in the record.
fn files_of(
    closing: &Closing,
    logged: &LoggedFile,
    untaken: &mut BTreeSet<String>,
) -> Vec<(PathBuf, String)> {
    let cannot = |why: &str| format!("cannot take artifact '{}': {why}", logged.path);
    if let Some(file) = &logged.file {
        return match closing.folder.file(file) {
            Ok(path) => vec![(path, logged.path.clone())],
            Err(problem) => {
                untaken.insert(cannot(&problem.message));
                Vec::new()
            }
        };
    }
    let source = match &logged.source {
        Some(source) if closing.reads_sources => Path::new(source),
        Some(_) => {
            untaken.insert(cannot("it was not copied, and lies on the machine that ran"));
            return Vec::new();
        }
        None => {
            untaken.insert(cannot("the event names no file"));
            return Vec::new();
        }
    };
    if !source.is_dir() {
        return vec![(source.to_owned(), logged.path.clone())];
    }
    match walk(source, Links::Inside) {
        Ok(found) => {
            untaken.extend(
                found.refused.iter().map(|(path, why)| cannot(&format!("'{}': {why}", path.display()))),
            );
            found.files.into_iter().filter_map(|file| below(source, file, &logged.path)).collect()
        }
        Err(error) => {
            untaken.insert(cannot(&format!("{error:#}")));
            Vec::new()
        }
    }
}

fn below(folder: &Path, file: PathBuf, name: &str) -> Option<(PathBuf, String)> {
    let rest = file.strip_prefix(folder).ok()?.to_string_lossy().into_owned();
    Some((file, format!("{}/{rest}", name.trim_end_matches('/'))))
}
