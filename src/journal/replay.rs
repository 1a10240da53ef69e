//! Replay: what the journals of one live folder come to together.
//!
//! Streams file by file in the order of writers, so that memory does not grow with points; what is kept of all else is
//! limited. Trusts nothing: whatever of an event cannot be used is left out and counted, and never costs the rest.

use std::collections::{BTreeSet, HashSet};
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use indexmap::IndexMap;

use crate::journal::event::{Begin, Body, Event, Finish, LoggedFile, PROTOCOL, Step, Thing};
use crate::journal::line::{Place, Row};
use crate::journal::read::{self, Found, Lines, Loss};
use crate::run::attempt::{Definition, Input, Number, Summary};
use crate::run::id::{check_name, is_deceptive};
use crate::run::value::{Table, Value, overlay};

/// How many metrics a run may have.
pub const METRICS_MAX: usize = 100_000;
/// How many bytes of memory params, tags, notes, artifacts and all else but points may take, about.
pub const KEPT_MAX: usize = 64 << 20;
/// How many files of one folder are read.
pub const WRITERS_MAX: usize = 65_536;
/// What an item takes in memory besides its text, about.
const ITEM: usize = 64;
/// The longest key of a param, in bytes.
const KEY_MAX: usize = 1024;
/// The longest path of an artifact, in bytes.
const PATH_MAX: usize = 4096;
/// The highest rank that becomes the writer's number.
const RANK_MAX: u64 = 1_000_000;
/// How many remarks are kept.
const REMARKS_MAX: usize = 100;
/// How much of a file is read to see who wrote it.
const BEGIN_MAX: u64 = 1 << 20;
/// How many events are read to see who wrote a file.
const BEGIN_EVENTS: usize = 64;
/// How much is read at once.
const BUFFER: usize = 256 << 10;
/// How much a glimpse takes of all files together.
const GLIMPSE_MAX: u64 = 1 << 20;
/// The least that a glimpse takes of each file.
const GLIMPSE_MIN: u64 = 8 << 10;

/// Takes what is too much to be kept: points and things, one after the other, one writer after the other.
pub trait Sink {
    /// Takes what one call logged.
    fn row(
        &mut self,
        writer: u64,
        step: Option<Number>,
        time: Option<Number>,
        values: &IndexMap<String, Number>,
    ) -> Result<()>;

    /// Takes something logged that is no number, alerts too.
    fn thing(&mut self, writer: u64, step: Option<Number>, time: Option<Number>, thing: &Thing)
    -> Result<()>;
}

/// A sink that takes nothing.
#[derive(Debug, Default)]
pub struct Nothing;

impl Sink for Nothing {
    fn row(
        &mut self,
        _: u64,
        _: Option<Number>,
        _: Option<Number>,
        _: &IndexMap<String, Number>,
    ) -> Result<()> {
        Ok(())
    }

    fn thing(&mut self, _: u64, _: Option<Number>, _: Option<Number>, _: &Thing) -> Result<()> {
        Ok(())
    }
}

/// What the journals of a live folder come to.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Replay {
    /// The params, laid over each other.
    pub params: Table,
    /// Those that writers with a role found beside the training: all that was said otherwise counts more.
    pub params_found: Table,
    /// The tags, each once.
    pub tags: Vec<String>,
    /// The notes.
    pub notes: Vec<String>,
    /// The name that was given last.
    pub name: Option<String>,
    /// The experiment that was given last.
    pub experiment: Option<String>,
    /// The group that was given last.
    pub group: Option<String>,
    /// What the points come to: of each metric those of the lowest-numbered writer that logged it.
    pub metrics: IndexMap<String, Summary>,
    /// What was said of metrics.
    pub definitions: IndexMap<String, Definition>,
    /// The files that were produced.
    pub artifacts: Vec<LoggedAt>,
    /// What was read.
    pub inputs: Vec<Input>,
    /// What the processes ran in.
    pub environment: Table,
    /// The code, as the process itself knows it.
    pub code: Option<LoggedFile>,
    /// The alerts, with their steps.
    pub alerts: Vec<(Option<Number>, Thing)>,
    /// Who wrote, in the order of their numbers.
    pub writers: Vec<Writer>,
    /// The facts of the attempt, in a folder that no program of ours began.
    pub start: Option<Table>,
    /// How many events were read.
    pub lines: u64,
    /// What was left out, and why: the first of it.
    pub remarks: Vec<String>,
}

impl Replay {
    /// What all files together lost.
    pub fn loss(&self) -> Loss {
        let mut all = Loss::default();
        self.writers.iter().for_each(|writer| all.add(writer.loss));
        all
    }
}

/// A file that was produced, and where in the training.
#[derive(Debug, Clone, PartialEq)]
pub struct LoggedAt {
    /// The file.
    pub file: LoggedFile,
    /// The step, if it belongs to one.
    pub step: Option<Number>,
    /// When it was logged.
    pub time: Option<Number>,
}

/// One process that wrote, and its file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Writer {
    /// The name of its file, without `.jsonl`.
    pub name: String,
    /// Its number in the record.
    pub number: u64,
    /// Who it is.
    pub begin: Begin,
    /// How it says it ended.
    pub finish: Option<Finish>,
    /// The time of its first event, in Unix seconds.
    pub first: Option<f64>,
    /// The time of its last event.
    pub last: Option<f64>,
    /// How many events were read.
    pub lines: u64,
    /// What its file lost.
    pub loss: Loss,
}

/// Reads all journals of a folder. `known` writers keep the numbers that they have.
pub fn replay(folder: &Path, known: &[(String, u64)], sink: &mut dyn Sink) -> Result<Replay> {
    each_file(folder, known, sink, |state, candidate, file, _| state.stream(candidate, file, true))
}

/// Takes a cheap look at the journals of a live run, to learn how it stands: of a file that is too long only the first
/// and the last part, so that counts and extremes are those of the parts, and losses are not counted.
pub fn glimpse(folder: &Path) -> Result<Replay> {
    glimpse_of(folder, GLIMPSE_MAX)
}

fn glimpse_of(folder: &Path, max_bytes: u64) -> Result<Replay> {
    each_file(folder, &[], &mut Nothing, |state, candidate, file, count| {
        state.glance_at(candidate, file, (max_bytes / count as u64).max(GLIMPSE_MIN))
    })
}

/// Opens the files of a folder one after the other, in the order of their writers.
fn each_file(
    folder: &Path,
    known: &[(String, u64)],
    sink: &mut dyn Sink,
    take_in: impl Fn(&mut State<'_>, Candidate, File, usize) -> Result<()>,
) -> Result<Replay> {
    let mut state = State::new(sink);
    let candidates = candidates(folder, known, &mut state.replay.remarks)?;
    let count = candidates.len();
    for candidate in candidates {
        let path = file_of(folder, &candidate.name);
        match read::open(&path) {
            Ok(file) => take_in(&mut state, candidate, file, count),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error.into()),
        }
        .with_context(|| format!("cannot read '{}'", path.display()))?;
    }
    Ok(state.done())
}

fn file_of(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.jsonl"))
}

/// A writer before its file is read: what its number follows from.
struct Candidate {
    name: String,
    number: u64,
    rank: Option<u64>,
    has_role: bool,
    first: f64,
}

/// The writers of a folder, in the order of their numbers.
fn candidates(folder: &Path, known: &[(String, u64)], remarks: &mut Vec<String>) -> Result<Vec<Candidate>> {
    let mut found = Vec::new();
    for name in names(folder, remarks)? {
        let path = file_of(folder, &name);
        match read::open(&path) {
            Ok(file) => found.push(look_at(name, file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(|| format!("cannot read '{}'", path.display())),
        }
    }
    number(&mut found, known);
    found.sort_by_key(|candidate| candidate.number);
    Ok(found)
}

/// The names of the journals of a folder, sorted.
fn names(folder: &Path, remarks: &mut Vec<String>) -> Result<Vec<String>> {
    let unreadable = || format!("cannot read '{}'", folder.display());
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(folder).with_context(unreadable)? {
        let entry = entry.with_context(unreadable)?;
        let file = entry.file_name();
        let Some(name) =
            Path::new(&file).extension().filter(|end| *end == "jsonl").and(Path::new(&file).file_stem())
        else {
            continue;
        };
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        let name = name.to_str().filter(|name| check_name("file", name).is_ok());
        match name {
            _ if !is_file => remark(remarks, format!("{file:?} is no regular file: it was not read")),
            None => remark(remarks, format!("{file:?} has a name that cannot be used: it was not read")),
            Some(_) if names.len() == WRITERS_MAX => {
                remark(remarks, format!("more than {WRITERS_MAX} files are here: {file:?} was not read"));
            }
            Some(name) => drop(names.insert(name.to_owned())),
        }
    }
    Ok(names.into_iter().collect())
}

fn remark(remarks: &mut Vec<String>, what: String) {
    if remarks.len() < REMARKS_MAX {
        remarks.push(what);
    }
}

/// Who wrote a file, as its first lines say; what keeps them from being read shows when all of it is.
fn look_at(name: String, file: File) -> Candidate {
    let mut candidate = Candidate { name, number: 0, rank: None, has_role: false, first: f64::INFINITY };
    let lines = Lines::new(BufReader::new(file.take(BEGIN_MAX)));
    for event in lines.flatten().take(BEGIN_EVENTS) {
        if let Some(time) = event.time.filter(|_| candidate.first.is_infinite()) {
            candidate.first = time.as_f64();
        }
        if let Body::Begin(begin) = event.body {
            candidate.has_role = begin.role.is_some();
            candidate.rank = begin.rank.filter(|rank| *rank <= RANK_MAX && !candidate.has_role);
            break;
        }
    }
    candidate
}

/// Gives numbers to writers: those known keep theirs; a rank is its writer's number where that is free; then processes
/// of the training come before those with a role, each in the order of time, and take the lowest number that is free.
fn number(candidates: &mut [Candidate], known: &[(String, u64)]) {
    let mut taken: BTreeSet<u64> = known.iter().map(|(_, number)| *number).collect();
    let known: IndexMap<&str, u64> = known.iter().map(|(name, number)| (name.as_str(), *number)).collect();
    candidates.sort_by(|one, other| {
        let by_role = one.has_role.cmp(&other.has_role);
        by_role.then(one.first.total_cmp(&other.first)).then_with(|| one.name.cmp(&other.name))
    });
    let mut waiting = Vec::new();
    for candidate in candidates.iter_mut() {
        match (known.get(candidate.name.as_str()), candidate.rank) {
            (Some(number), _) => candidate.number = *number,
            (None, Some(rank)) if taken.insert(rank) => candidate.number = rank,
            _ => waiting.push(candidate),
        }
    }
    let mut next = 0;
    for candidate in waiting {
        while !taken.insert(next) {
            next += 1;
        }
        candidate.number = next;
    }
}

/// What was replayed so far.
struct State<'a> {
    sink: &'a mut dyn Sink,
    replay: Replay,
    metrics: IndexMap<String, Folded>,
    /// Values that were set without a step.
    set: IndexMap<String, Number>,
    tags: HashSet<String>,
    kept: usize,
    /// Of the writer that is read.
    writer: Writer,
    has_begun: bool,
    step: Option<Number>,
}

/// What one writer's points of one metric come to.
struct Folded {
    writer: u64,
    summary: Option<Summary>,
}

/// Where the values of a row go: for each its metric, or nowhere.
#[derive(Default)]
struct Slots {
    layout: Option<u64>,
    metrics: Vec<Option<usize>>,
    is_whole: bool,
}

impl<'a> State<'a> {
    fn new(sink: &'a mut dyn Sink) -> Self {
        Self {
            sink,
            replay: Replay::default(),
            metrics: IndexMap::new(),
            set: IndexMap::new(),
            tags: HashSet::new(),
            kept: 0,
            writer: Writer::default(),
            has_begun: false,
            step: None,
        }
    }

    fn glance_at(&mut self, candidate: Candidate, mut file: File, share: u64) -> Result<()> {
        let length = file.metadata()?.len();
        if length <= share {
            return self.stream(candidate, file, true);
        }
        let mut head = Vec::new();
        (&file).take(share / 2).read_to_end(&mut head)?;
        file.seek(SeekFrom::Start(length - share / 2))?;
        // Where the parts meet, two halves of lines make one that cannot be read.
        self.stream(candidate, io::Cursor::new(head).chain(file), false)
    }

    /// Reads a file; if it is not the whole of it, nothing is said of what is missing.
    fn stream(&mut self, candidate: Candidate, source: impl Read, is_whole: bool) -> Result<()> {
        self.writer = Writer { name: candidate.name, number: candidate.number, ..Writer::default() };
        (self.has_begun, self.step) = (false, None);
        let mut lines = Lines::new(BufReader::with_capacity(BUFFER, source));
        let (mut row, mut slots) = (Row::default(), Slots::default());
        while let Some(found) = lines.read(&mut row) {
            let odd = match found {
                Found::Points(place) => self.points(place, &row, &mut slots)?,
                Found::Event(event) => self.event(*event)?,
                Found::Malformed(_) => None,
            };
            if let Some(odd) = odd {
                lines.not_understood(odd);
            }
        }
        if let Some(error) = lines.failure() {
            return Err(error.into());
        }
        self.writer.lines = lines.lines();
        self.replay.lines += lines.lines();
        if is_whole {
            self.writer.loss = lines.loss();
            for reason in lines.reasons() {
                remark(&mut self.replay.remarks, format!("'{}.jsonl': {reason}", self.writer.name));
            }
        }
        self.replay.writers.push(std::mem::take(&mut self.writer));
        Ok(())
    }

    fn done(mut self) -> Replay {
        let folded = self.metrics.into_iter().filter_map(|(name, folded)| Some((name, folded.summary?)));
        self.replay.metrics = folded.collect();
        for (name, value) in self.set {
            self.replay.metrics.insert(name, Summary::plain(value));
        }
        self.replay
    }

    fn clock(&mut self, time: Option<Number>) -> Option<Number> {
        let time = time.filter(|time| time.as_f64().is_finite());
        if let Some(seconds) = time.map(Number::as_f64) {
            self.writer.first.get_or_insert(seconds);
            self.writer.last = Some(seconds);
        }
        time
    }

    /// The step of an event that counts: one more than the last, if it names none.
    fn counted(&mut self, step: Step) -> Option<Number> {
        let step = match step {
            Step::Nowhere => return None,
            Step::At(step) => step,
            Step::Next => match self.step {
                None => Number::Int(0),
                Some(Number::Int(last)) => Number::Int(last.saturating_add(1)),
                Some(Number::Float(last)) => Number::Float(last + 1.0),
            },
        };
        if step.as_f64().is_finite() {
            self.step = Some(step);
        }
        Some(step)
    }

    /// Takes in one row. What of it cannot be used is said.
    fn points(&mut self, place: Place, row: &Row, slots: &mut Slots) -> Result<Option<String>> {
        let time = self.clock(place.time);
        let step = self.counted(place.step);
        let odd = match slots.layout == Some(row.layout) && slots.is_whole {
            true => None,
            false => self.lay_out(row, slots),
        };
        for (slot, value) in slots.metrics.iter().zip(row.values.values()) {
            let folded = slot.and_then(|slot| self.metrics.get_index_mut(slot));
            if let Some((_, folded)) = folded.filter(|(_, folded)| folded.writer == self.writer.number) {
                let point = Summary::at(*value, step);
                match &mut folded.summary {
                    Some(summary) => summary.then(&point),
                    None => folded.summary = Some(point),
                }
            }
        }
        match slots.is_whole {
            true if row.values.is_empty() => {}
            true => self.sink.row(self.writer.number, step, time, &row.values)?,
            false => self.usable(step, time, row, slots)?,
        }
        Ok(odd)
    }

    /// Gives the sink those values of a row whose names can be used.
    fn usable(&mut self, step: Option<Number>, time: Option<Number>, row: &Row, slots: &Slots) -> Result<()> {
        let values = row.values.iter().zip(&slots.metrics).filter(|(_, slot)| slot.is_some());
        let values: IndexMap<String, Number> =
            values.map(|((name, value), _)| (name.clone(), *value)).collect();
        match values.is_empty() {
            true => Ok(()),
            false => self.sink.row(self.writer.number, step, time, &values),
        }
    }

    /// Finds the metrics that the names of a row stand for. What cannot be one is said.
    fn lay_out(&mut self, row: &Row, slots: &mut Slots) -> Option<String> {
        let mut odd = None;
        slots.metrics.clear();
        for name in row.values.keys() {
            let index = match self.metrics.get_index_of(name) {
                Some(index) => Ok(index),
                None => self.new_metric(name),
            };
            slots.metrics.push(index.map_err(|why| odd = Some(why)).ok());
        }
        slots.layout = Some(row.layout);
        slots.is_whole = odd.is_none();
        odd
    }

    fn new_metric(&mut self, name: &str) -> Result<usize, String> {
        self.check_metric(name, self.metrics.len())?;
        let folded = Folded { writer: self.writer.number, summary: None };
        Ok(self.metrics.insert_full(name.to_owned(), folded).0)
    }

    fn check_metric(&self, name: &str, count: usize) -> Result<(), String> {
        check_name("metric", name).map_err(|problem| problem.message)?;
        match count < METRICS_MAX {
            true => Ok(()),
            false => Err(format!("more than {METRICS_MAX} metrics are too many")),
        }
    }

    /// Takes in what is no row, or a row in another spelling. What of it cannot be used is said.
    fn event(&mut self, event: Event) -> Result<Option<String>> {
        if let Body::Points(values) = event.body {
            let place = Place { number: event.number, time: event.time, step: event.step };
            return self.points(place, &Row { values, layout: 0 }, &mut Slots::default());
        }
        let time = self.clock(event.time);
        if let Body::Thing(thing) = event.body {
            return self.thing(event.step, time, thing);
        }
        Ok(self.said(event.step, time, event.body).err())
    }

    fn thing(&mut self, step: Step, time: Option<Number>, thing: Thing) -> Result<Option<String>> {
        let problem = check_name("name", &thing.name).and_then(|()| check_name("kind", &thing.kind));
        if let Err(problem) = problem {
            return Ok(Some(problem.message));
        }
        if !thing.has_shape() {
            return Ok(Some(format!("'{}' has not the shape of a {}", thing.name, thing.kind)));
        }
        let is_alert = thing.kind == "alert";
        let step = match step {
            Step::Next if is_alert => None,
            step => self.counted(step),
        };
        self.sink.thing(self.writer.number, step, time, &thing)?;
        if is_alert {
            return Ok(self
                .keep(weight(&thing.value))
                .map(|()| self.replay.alerts.push((step, thing)))
                .err());
        }
        Ok(None)
    }

    /// Takes in what is kept.
    fn said(&mut self, step: Step, time: Option<Number>, body: Body) -> Result<(), String> {
        match body {
            Body::Points(_) | Body::Thing(_) | Body::Unknown => Ok(()),
            Body::Begin(begin) => self.begin(begin),
            Body::Params(params) => self.params(params),
            Body::Tags(tags) => self.add_tags(tags),
            Body::Note(note) => {
                self.keep(note.len())?;
                self.replay.notes.push(note);
                Ok(())
            }
            Body::Name(name) => named("name", name).map(|name| self.replay.name = Some(name)),
            Body::Experiment(name) => {
                named("experiment", name).map(|name| self.replay.experiment = Some(name))
            }
            Body::Group(name) => named("group", name).map(|name| self.replay.group = Some(name)),
            Body::Summary(values) => self.summary(values),
            Body::Define(definitions) => self.define(definitions),
            Body::Artifact(file) => self.artifact(file, step, time),
            Body::Input(input) => self.input(input),
            Body::Environment(mut table) => {
                let unusable = drop_keys(&mut table);
                self.keep(table_weight(&table))?;
                overlay(&mut self.replay.environment, &table);
                unusable.map_or(Ok(()), Err)
            }
            Body::Code(file) => {
                check_file(&file)?;
                self.replay.code = Some(file);
                Ok(())
            }
            Body::Finish(finish) => {
                self.keep(finish.error.as_ref().map_or(0, String::len))?;
                self.writer.finish = Some(finish);
                Ok(())
            }
        }
    }

    /// Counts what is kept in memory, and refuses what is too much.
    fn keep(&mut self, weight: usize) -> Result<(), String> {
        let kept = self.kept.saturating_add(weight).saturating_add(ITEM);
        if kept > KEPT_MAX {
            return Err(format!("more than {KEPT_MAX} bytes of all but points are too many"));
        }
        self.kept = kept;
        Ok(())
    }

    fn begin(&mut self, mut begin: Begin) -> Result<(), String> {
        // Of files that were put together the first says who wrote.
        if std::mem::replace(&mut self.has_begun, true) {
            return Ok(());
        }
        let role = begin.role.take().map(|role| named("role", role)).transpose()?;
        let start = begin.start.take();
        let unusable = drop_keys(&mut begin.facts);
        self.keep(table_weight(&begin.facts) + table_weight(&begin.owner))?;
        let protocol = begin.protocol;
        self.writer.begin = Begin { role, ..begin };
        if let Some(start) = start.filter(|_| self.replay.start.is_none()) {
            self.keep(table_weight(&start))?;
            self.replay.start = Some(start);
        }
        match protocol > PROTOCOL {
            true => Err(format!("it is of protocol {protocol}, newer than this program reads ({PROTOCOL})")),
            false => unusable.map_or(Ok(()), Err),
        }
    }

    fn params(&mut self, mut params: Table) -> Result<(), String> {
        let unusable = drop_keys(&mut params);
        let replaced = replaced(self.params_so_far(), &params);
        self.keep(table_weight(&params))?;
        self.kept = self.kept.saturating_sub(replaced);
        overlay(self.params_so_far(), &params);
        unusable.map_or(Ok(()), Err)
    }

    /// The params that those of the writer which is read are laid over.
    fn params_so_far(&mut self) -> &mut Table {
        match self.writer.begin.role {
            Some(_) => &mut self.replay.params_found,
            None => &mut self.replay.params,
        }
    }

    fn add_tags(&mut self, tags: Vec<String>) -> Result<(), String> {
        let mut said = Ok(());
        for tag in tags {
            match named("tag", tag) {
                Err(why) => said = Err(why),
                Ok(tag) if self.tags.contains(&tag) => {}
                Ok(tag) => {
                    self.keep(2 * tag.len())?;
                    self.tags.insert(tag.clone());
                    self.replay.tags.push(tag);
                }
            }
        }
        said
    }

    fn summary(&mut self, values: IndexMap<String, Number>) -> Result<(), String> {
        let mut said = Ok(());
        for (name, value) in values {
            match self.check_metric(&name, self.set.len()) {
                Ok(()) => drop(self.set.insert(name, value)),
                Err(why) => said = Err(why),
            }
        }
        said
    }

    fn define(&mut self, definitions: IndexMap<String, Definition>) -> Result<(), String> {
        let mut said = Ok(());
        for (name, later) in definitions {
            if let Err(why) = self.check_metric(&name, self.replay.definitions.len()) {
                said = Err(why);
                continue;
            }
            let mut usable = |text: Option<String>| {
                let checked = text.filter(|text| !text.is_empty()).map(|text| named("definition", text));
                checked.transpose().unwrap_or_else(|why| {
                    said = Err(why);
                    None
                })
            };
            let (unit, x) = (usable(later.unit), usable(later.x));
            let known = self.replay.definitions.entry(name).or_default();
            known.goal = later.goal.or(known.goal);
            known.unit = unit.or(known.unit.take());
            known.x = x.or(known.x.take());
            known.summary = later.summary.or(known.summary.take());
        }
        said
    }

    fn artifact(&mut self, file: LoggedFile, step: Step, time: Option<Number>) -> Result<(), String> {
        check_file(&file)?;
        let step = match step {
            Step::At(step) => Some(step),
            Step::Next | Step::Nowhere => None,
        };
        let texts = [&file.file, &file.source, &file.media_type, &file.key];
        let length = texts.into_iter().flatten().map(String::len).sum::<usize>();
        self.keep(file.path.len() + length)?;
        self.replay.artifacts.push(LoggedAt { file, step, time });
        Ok(())
    }

    fn input(&mut self, input: Input) -> Result<(), String> {
        check_name("input", &input.name).map_err(|problem| problem.message)?;
        self.keep(input.name.len() + weight(&input.path) + input.digest.as_ref().map_or(0, String::len))?;
        self.replay.inputs.push(input);
        Ok(())
    }
}

fn named(what: &str, name: String) -> Result<String, String> {
    check_name(what, &name).map(|()| name).map_err(|problem| problem.message)
}

/// Refuses a file whose path could lead elsewhere, or that names no bytes.
fn check_file(file: &LoggedFile) -> Result<(), String> {
    let is_plain = |path: &str| !path.is_empty() && path.len() <= PATH_MAX && !path.chars().any(is_deceptive);
    let is_inside = |path: &str| path.split('/').all(|part| !["", ".", ".."].contains(&part));
    if !is_plain(&file.path) || !is_inside(&file.path) {
        return Err(format!("the artifact path {:?} cannot be used", shortened(&file.path)));
    }
    if let Some(key) = &file.key {
        check_name("key", key).map_err(|problem| problem.message)?;
    }
    let copied = |path: &str| {
        let name = path.strip_prefix("files/").unwrap_or_default();
        is_plain(name) && is_inside(name) && !name.contains(['/', '\\'])
    };
    match (&file.file, &file.source) {
        (Some(path), _) if copied(path) => Ok(()),
        (None, Some(path))
            if Path::new(path).is_absolute() && path.len() <= PATH_MAX && !path.contains('\0') =>
        {
            Ok(())
        }
        _ => Err(format!("the artifact '{}' names no file that can be used", shortened(&file.path))),
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(100).collect()
}

/// Takes out the entries whose keys could not be told apart on a screen; what was taken out is said.
fn drop_keys(table: &mut Table) -> Option<String> {
    let mut unusable = None;
    table.retain(|key, value| {
        let problem = key_problem(key);
        let is_usable = problem.is_none();
        // Looked into even if something was found before: every key must go.
        let inside = drop_keys_in(value);
        unusable = unusable.take().or(problem).or(inside);
        is_usable
    });
    unusable
}

fn drop_keys_in(value: &mut Value) -> Option<String> {
    match value {
        Value::Table(table) => drop_keys(table),
        Value::List(list) => list.iter_mut().fold(None, |found, item| found.or(drop_keys_in(item))),
        _ => None,
    }
}

fn key_problem(key: &str) -> Option<String> {
    match key {
        "" => Some("the key of a param is empty".to_owned()),
        _ if key.len() > KEY_MAX => {
            Some(format!("the key of a param has {} bytes: {KEY_MAX} is the limit", key.len()))
        }
        _ if key.chars().any(is_deceptive) => {
            Some(format!("the key {:?} holds an unprintable character", shortened(key)))
        }
        _ => None,
    }
}

/// About how many bytes of memory a value takes.
fn weight(value: &Value) -> usize {
    ITEM + match value {
        Value::Text(text) | Value::BigInt(text) | Value::Json(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        Value::List(list) => list.iter().map(weight).sum(),
        Value::Table(table) => table_weight(table),
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) => 0,
    }
}

fn table_weight(table: &Table) -> usize {
    table.iter().map(|(key, value)| ITEM + key.len() + weight(value)).sum()
}

/// The weight of what goes when `upper` is laid over `lower`.
fn replaced(lower: &Table, upper: &Table) -> usize {
    let of_one = |(key, value): (&String, &Value)| match (lower.get(key), value) {
        (Some(Value::Table(below)), Value::Table(above)) if !above.is_empty() => {
            ITEM + key.len() + replaced(below, above)
        }
        (Some(below), _) => ITEM + key.len() + weight(below),
        (None, _) => 0,
    };
    upper.iter().map(of_one).sum()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::journal::write::JournalWriter;
    use tempfile::TempDir;

    fn folder(files: &[(&str, &str)]) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    fn read(folder: &TempDir) -> Replay {
        replay(folder.path(), &[], &mut Nothing).unwrap()
    }

    fn one(lines: &[&str]) -> Replay {
        let numbered = |(number, line): (usize, &&str)| format!("{{\"n\":{number},{line}}}\n");
        let text: String = lines.iter().enumerate().map(numbered).collect();
        read(&folder(&[("a.jsonl", &text)]))
    }

    /// Rows as text.
    #[derive(Default)]
    struct Rows(Vec<String>);

    impl Sink for Rows {
        fn row(
            &mut self,
            writer: u64,
            step: Option<Number>,
            _: Option<Number>,
            values: &IndexMap<String, Number>,
        ) -> Result<()> {
            let values: Vec<String> =
                values.iter().map(|(name, value)| format!("{name}={}", value.write())).collect();
            self.0.push(format!(
                "{writer}@{} {}",
                step.map_or("-".to_owned(), Number::write),
                values.join(" ")
            ));
            Ok(())
        }

        fn thing(
            &mut self,
            writer: u64,
            step: Option<Number>,
            _: Option<Number>,
            thing: &Thing,
        ) -> Result<()> {
            self.0.push(format!("{writer}@{} {}", step.map_or("-".to_owned(), Number::write), thing.name));
            Ok(())
        }
    }

    #[test]
    fn steps_that_are_not_said_are_counted() {
        let text = [
            r#""points":{"a":1}"#,
            r#""points":{"a":2}"#,
            r#""step":10,"points":{"a":3}"#,
            r#""points":{"a":4}"#,
            r#""step":5,"points":{"a":5}"#,
            r#""step":5,"points":{"a":5}"#,
            r#""step":0.5,"points":{"a":"NaN"}"#,
            r#""points":{"a":7}"#,
            r#""step":null,"points":{"a":8}"#,
            r#""thing":{"name":"text","kind":"text","value":"x"}"#,
            r#""thing":{"name":"alert","kind":"alert","value":{"title":"x"}}"#,
            r#""points":{"b":9}"#,
        ];
        let lines: String =
            text.iter().enumerate().map(|(number, line)| format!("{{\"n\":{number},{line}}}\n")).collect();
        let mut rows = Rows::default();
        let replay = replay(folder(&[("a.jsonl", &lines)]).path(), &[], &mut rows).unwrap();
        assert_eq!(
            rows.0,
            [
                "0@0 a=1",
                "0@1 a=2",
                "0@10 a=3",
                "0@11 a=4",
                "0@5 a=5",
                "0@5 a=5",
                "0@0.5 a=nan",
                "0@1.5 a=7",
                "0@- a=8",
                "0@2.5 text",
                "0@- alert",
                "0@3.5 b=9"
            ]
        );
        let a = &replay.metrics["a"];
        assert_eq!((a.last, a.last_step, a.count, a.nonfinite), (Number::Int(8), None, 9, 1));
        assert_eq!((a.max, a.max_step, a.min_step), (Number::Int(8), None, Some(Number::Int(0))));
        assert_eq!(replay.alerts.len(), 1);
        assert!(replay.loss().is_none());
    }

    #[test]
    fn what_was_said_later_is_laid_over() {
        let replay = one(&[
            r#""params":{"lr":0.1,"model":{"depth":3,"width":4}}"#,
            r#""params":{"model":{"depth":5}}"#,
            r#""tags":["a","b"]"#,
            r#""tags":["b","k=v"]"#,
            r#""note":"one""#,
            r#""note":"two""#,
            r#""name":"first""#,
            r#""name":"second""#,
            r#""experiment":"e""#,
            r#""group":"g""#,
            r#""points":{"loss":1}"#,
            r#""summary":{"loss":0.25,"best":2}"#,
            r#""define":{"loss":{"goal":"min","unit":"nats"}}"#,
            r#""define":{"loss":{"x":"epoch"}}"#,
            r#""environment":{"python":"3.11"}"#,
        ]);
        assert_eq!(
            crate::run::text::write_value(&Value::Table(replay.params)),
            "{ lr = 0.1, model = { depth = 5, width = 4 } }"
        );
        assert_eq!(
            (replay.tags, replay.notes),
            (vec!["a".into(), "b".into(), "k=v".into()], vec!["one".into(), "two".into()])
        );
        assert_eq!(
            (replay.name.as_deref(), replay.experiment.as_deref(), replay.group.as_deref()),
            (Some("second"), Some("e"), Some("g"))
        );
        assert_eq!(replay.metrics["loss"], Summary::plain(Number::Float(0.25)));
        assert_eq!(replay.metrics["best"], Summary::plain(Number::Int(2)));
        let loss = &replay.definitions["loss"];
        assert_eq!(
            (loss.unit.as_deref(), loss.x.as_deref(), loss.goal.is_some()),
            (Some("nats"), Some("epoch"), true)
        );
        assert_eq!(replay.lines, 15);
    }

    #[test]
    fn what_cannot_be_used_is_left_out_and_counted() {
        let replay = one(&[
            r#""points":{"\u001b[31m":1,"ok":2}"#,
            r#""points":{"":1}"#,
            r#""tags":["good","\u202e"]"#,
            r#""name":"""#,
            r#""params":{"a":1,"\u0007":2,"nested":{"":3,"b":4}}"#,
            r#""artifact":{"path":"../../etc/passwd","file":"files/x"}"#,
            r#""artifact":{"path":"a","file":"files/../../x"}"#,
            r#""artifact":{"path":"a","source":"relative"}"#,
            r#""artifact":{"path":"a"}"#,
            r#""artifact":{"path":"plots/a.png","file":"files/x-a.png"},"step":3"#,
            r#""thing":{"name":"h","kind":"histogram","value":{"edges":[0,1],"counts":[1,2]}}"#,
            r#""finish":{"status":"excellent"}"#,
            r#""what":1"#,
        ]);
        assert_eq!(replay.metrics.keys().collect::<Vec<_>>(), ["ok"]);
        assert_eq!((replay.tags, replay.name), (vec!["good".to_owned()], None));
        assert_eq!(
            crate::run::text::write_value(&Value::Table(replay.params)),
            "{ a = 1, nested = { b = 4 } }"
        );
        assert_eq!(replay.artifacts.len(), 1);
        assert_eq!(replay.artifacts[0].step, Some(Number::Int(3)));
        let loss = replay.writers[0].loss;
        assert_eq!(loss, Loss { not_understood: 12, ..Loss::default() });
        assert!(
            replay.remarks.iter().all(|remark| remark.starts_with("'a.jsonl': ")),
            "{:?}",
            replay.remarks
        );
        assert!(replay.remarks.iter().any(|remark| remark.contains("unprintable")), "{:?}", replay.remarks);
    }

    fn begin(rest: &str, time: u32, metric: u32) -> String {
        format!(
            "{{\"n\":0,\"t\":{time},\"begin\":{{\"protocol\":1{rest}}}}}\n{{\"n\":1,\"t\":{},\"points\":{{\"loss\":{metric}}}}}\n",
            time + 1
        )
    }

    #[test]
    fn ranks_are_numbers_and_roles_come_last() {
        let files = [
            ("sys.jsonl", begin(",\"role\":\"system\"", 1, 6)),
            ("late.jsonl", begin("", 9, 5)),
            ("fork.jsonl", begin(",\"rank\":0", 8, 4)),
            ("zero.jsonl", begin(",\"rank\":0", 2, 1)),
            ("two.jsonl", begin(",\"rank\":2", 3, 3)),
            ("huge.jsonl", begin(",\"rank\":9000000000", 10, 3)),
        ];
        let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
        let folder = folder(&files);
        let numbers = |known: &[(String, u64)]| {
            let replay = replay(folder.path(), known, &mut Nothing).unwrap();
            replay.writers.iter().map(|writer| (writer.name.clone(), writer.number)).collect::<Vec<_>>()
        };
        let named = |list: &[(&str, u64)]| {
            list.iter().map(|(name, number)| ((*name).to_owned(), *number)).collect::<Vec<_>>()
        };
        let first = named(&[("zero", 0), ("fork", 1), ("two", 2), ("late", 3), ("huge", 4), ("sys", 5)]);
        assert_eq!(numbers(&[]), first);
        assert_eq!(numbers(&first), first);
        let known = named(&[("sys", 0), ("gone", 2)]);
        let expected = named(&[("sys", 0), ("zero", 1), ("two", 3), ("fork", 4), ("late", 5), ("huge", 6)]);
        assert_eq!(numbers(&known), expected);
        let replay = read(&folder);
        assert_eq!(replay.metrics["loss"].last, Number::Int(1));
        assert_eq!((replay.writers[0].first, replay.writers[0].last), (Some(2.0), Some(3.0)));
        assert_eq!(replay.writers[5].begin.role.as_deref(), Some("system"));
    }

    #[test]
    fn only_regular_files_in_the_folder_itself_are_read() {
        let line = "{\"n\":0,\"tags\":[\"x\"]}\n";
        let folder = folder(&[("a.jsonl", line), ("b.json", line), ("outside", line)]);
        fs::create_dir(folder.path().join("c.jsonl")).unwrap();
        fs::create_dir(folder.path().join("files")).unwrap();
        fs::write(folder.path().join("files/d.jsonl"), line).unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink("outside", folder.path().join("e.jsonl")).unwrap();
        let replay = read(&folder);
        assert_eq!(replay.writers.len(), 1);
        assert_eq!(replay.remarks.len(), if cfg!(unix) { 2 } else { 1 }, "{:?}", replay.remarks);
    }

    #[test]
    fn what_is_kept_is_limited() {
        let mut sink = Nothing;
        let mut state = State::new(&mut sink);
        let text = |length: usize| Value::Text("x".repeat(length));
        for _ in 0..100 {
            // Logged again and again, but held once.
            state.params(Table::from([("a".to_owned(), text(1 << 20))])).unwrap();
        }
        assert!(state.params(Table::from([("b".to_owned(), text(KEPT_MAX))])).is_err());
        assert!(state.said(Step::Next, None, Body::Note("x".repeat(KEPT_MAX))).is_err());
        assert!(state.said(Step::Next, None, Body::Note("x".to_owned())).is_ok());
        let names: IndexMap<String, Number> =
            (0..METRICS_MAX + 5).map(|index| (format!("m{index}"), Number::Int(0))).collect();
        let row = Row { values: names, layout: 1 };
        let place = Place { number: 0, time: None, step: Step::Next };
        assert!(state.points(place, &row, &mut Slots::default()).unwrap().is_some());
        assert_eq!(state.done().metrics.len(), METRICS_MAX);
    }

    #[test]
    fn a_newer_protocol_is_read_as_far_as_it_is_known() {
        let replay = one(&[r#""begin":{"protocol":2,"new":1}"#, r#""points":{"a":1}"#, r#""hologram":{}"#]);
        assert_eq!(replay.metrics.len(), 1);
        assert_eq!(replay.loss().not_understood, 2);
        assert!(replay.remarks[0].contains("protocol 2"), "{:?}", replay.remarks);
    }

    #[test]
    fn a_glimpse_sees_both_ends() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = JournalWriter::create(folder.path(), Begin::default()).unwrap();
        writer.append(Step::Next, &Body::Name("quiet-otter".to_owned())).unwrap();
        for step in 0..2000 {
            let values = IndexMap::from([("loss".to_owned(), Number::Int(step))]);
            writer.append(Step::At(Number::Int(step)), &Body::Points(values)).unwrap();
        }
        let whole = glimpse_of(folder.path(), 10 << 20).unwrap();
        assert_eq!(whole, read(&folder));
        assert_eq!(whole.metrics["loss"].count, 2000);
        let part = glimpse_of(folder.path(), 1).unwrap();
        assert_eq!(
            (part.name.as_deref(), part.metrics["loss"].last),
            (Some("quiet-otter"), Number::Int(1999))
        );
        assert!(part.loss().is_none() && part.remarks.is_empty() && part.lines < 200, "{part:?}");
    }

    #[test]
    fn an_empty_folder_is_nothing_and_a_missing_one_an_error() {
        assert_eq!(read(&folder(&[])), Replay::default());
        assert!(replay(Path::new("/nowhere/at/all"), &[], &mut Nothing).is_err());
    }

    /// Measured apart: `cargo test --release --lib -- --ignored --nocapture a_million_rows`.
    #[test]
    #[ignore = "meaningful in release builds only"]
    #[allow(clippy::print_stderr)]
    fn a_million_rows_of_ten_metrics_are_replayed_in_time() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = io::BufWriter::new(File::create(folder.path().join("a.jsonl")).unwrap());
        for number in 0..1_000_000u64 {
            let value = |index: u64| ((number * 10 + index) as f64 * 0.618_033_988_749_895).fract();
            let values =
                (0..10).map(|index| (format!("train/metric_{index}"), Number::Float(value(index)))).collect();
            let time = Some(Number::Float(1.7e9 + number as f64 / 1000.0));
            let place = Place { number, time, step: Step::At(Number::Int(number.into())) };
            io::Write::write_all(&mut file, &crate::journal::line::write(place, &Body::Points(values)))
                .unwrap();
        }
        io::Write::flush(&mut file).unwrap();
        let begun = std::time::Instant::now();
        let replay = read(&folder);
        let elapsed = begun.elapsed().as_secs_f64();
        eprintln!("{} lines in {elapsed:.2} s", replay.lines);
        assert_eq!(replay.metrics["train/metric_9"].count, 1_000_000);
        assert!(elapsed < 2.5, "{elapsed} s");
    }
}
