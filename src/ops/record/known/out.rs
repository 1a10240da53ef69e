//! The journal file that one source becomes: its events, under the names that metrics have in the run.
//!
//! Knows names, limits and the live folder; nothing of formats. A file is begun with the first event, so that a source
//! without any leaves none.

use std::collections::HashSet;
use std::fs::{self, OpenOptions};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, Result};
use indexmap::IndexMap;

use crate::human;
use crate::journal::event::{Begin, Body, Event, LoggedFile, PROTOCOL, Step, Thing};
use crate::journal::line;
use crate::journal::name::random_name;
use crate::journal::owner;
use crate::ops::record::files::limits;
use crate::run::attempt::Number;
use crate::run::id::{check_name, slug};
use crate::run::value::{Table, Value};

/// How many bytes of images and the like are copied out of one source.
const COPIED_MAX: u64 = 256 << 20;

/// What one source becomes.
pub struct Out {
    journal: JournalFile,
    shown: String,
    prefix: String,
    paths: HashSet<String>,
    copied: u64,
    left_out: IndexMap<String, u64>,
    notes: Vec<String>,
}

impl Out {
    /// The events of the source that is `shown` so, its metrics under this prefix.
    pub fn new(journal: JournalFile, shown: String, prefix: String) -> Self {
        Self {
            journal,
            shown,
            prefix,
            paths: HashSet::new(),
            copied: 0,
            left_out: IndexMap::new(),
            notes: Vec::new(),
        }
    }

    /// One row of values.
    pub fn points(
        &mut self,
        time: Option<f64>,
        step: Step,
        values: impl IntoIterator<Item = (String, Number)>,
    ) -> Result<()> {
        let points = self.named(values);
        match points.is_empty() {
            true => Ok(()),
            false => self.journal.event(time.map(Number::Float), step, Body::Points(points)),
        }
    }

    /// Values without a step.
    pub fn summary(&mut self, values: impl IntoIterator<Item = (String, Number)>) -> Result<()> {
        let values = self.named(values);
        match values.is_empty() {
            true => Ok(()),
            false => self.journal.event(None, Step::Nowhere, Body::Summary(values)),
        }
    }

    /// Params; they are the whole run's and get no prefix.
    pub fn params(&mut self, params: Table) -> Result<()> {
        match limits::settle(params) {
            Ok(params) if params.is_empty() => Ok(()),
            Ok(params) => self.journal.event(None, Step::Nowhere, Body::Params(params)),
            Err(problem) => {
                self.note(&format!("its params were left out: {problem}"));
                Ok(())
            }
        }
    }

    /// Something that is no number.
    pub fn thing(
        &mut self,
        time: Option<f64>,
        step: Step,
        name: &str,
        (kind, value): (&str, Value),
    ) -> Result<()> {
        match self.name(name.to_owned()) {
            None => Ok(()),
            Some(name) => {
                let thing = Thing { name, kind: kind.to_owned(), value };
                self.journal.event(time.map(Number::Float), step, Body::Thing(thing))
            }
        }
    }

    /// An image, whose bytes are copied.
    pub fn image(&mut self, time: Option<f64>, step: i64, name: &str, bytes: &[u8]) -> Result<()> {
        let Some(key) = self.name(name.to_owned()) else {
            return Ok(());
        };
        if self.copied + bytes.len() as u64 > COPIED_MAX {
            self.leave_out("image", &format!("over the limit of {}", human::size(COPIED_MAX)));
            return Ok(());
        }
        self.copied += bytes.len() as u64;
        let (media_type, ending) = image_type(bytes);
        let stem = format!("images/{}-{step}", harmless(&key));
        let mut path = format!("{stem}.{ending}");
        let mut copy = 2;
        while !self.paths.insert(path.clone()) {
            path = format!("{stem}-{copy}.{ending}");
            copy += 1;
        }
        let file = Some(self.journal.bytes(&path, bytes)?);
        let media_type = media_type.map(str::to_owned);
        let logged = LoggedFile { path, file, source: None, media_type, key: Some(key) };
        self.journal.event(
            time.map(Number::Float),
            Step::At(Number::Int(step.into())),
            Body::Artifact(logged),
        )
    }

    /// A file that lies beside the source and stays there until the record is made.
    pub fn file(&mut self, name: String, file: &Path) -> Result<()> {
        let Some(source) = file.to_str().map(str::to_owned) else {
            self.leave_out("file", "its name is not UTF-8");
            return Ok(());
        };
        let logged = LoggedFile { path: name, source: Some(source), ..LoggedFile::default() };
        self.journal.event(None, Step::Nowhere, Body::Artifact(logged))
    }

    /// Something worth saying of the source.
    pub fn note(&mut self, note: &str) {
        self.notes.push(format!("harvested '{}': {note}", self.shown.escape_debug()));
    }

    /// Counts something that was left out.
    pub fn leave_out(&mut self, what: &str, why: &str) {
        self.lose(1, what, why);
    }

    /// Counts several things that were left out.
    pub fn lose(&mut self, number: u64, what: &str, why: &str) {
        if number > 0 {
            *self.left_out.entry(format!("{what}\n{why}")).or_default() += number;
        }
    }

    /// Ends it; what is to be said.
    pub fn close(mut self) -> Vec<String> {
        if let Err(error) = self.journal.end() {
            self.note(&format!("not all of it could be kept: {error:#}"));
        }
        for (left_out, number) in std::mem::take(&mut self.left_out) {
            let (what, why) = left_out.split_once('\n').unwrap_or((&left_out, ""));
            let counted = human::count(usize::try_from(number).unwrap_or(usize::MAX), what);
            self.note(&format!("{counted} left out: {why}"));
        }
        self.notes
    }

    fn named(&mut self, values: impl IntoIterator<Item = (String, Number)>) -> IndexMap<String, Number> {
        let named = values.into_iter().filter_map(|(name, number)| Some((self.name(name)?, number)));
        named.collect()
    }

    /// The name in the run; none, and counted, if no metric can be called so.
    fn name(&mut self, name: String) -> Option<String> {
        let name = if self.prefix.is_empty() { name } else { format!("{}{name}", self.prefix) };
        match check_name("a metric", &name) {
            Ok(()) => Some(name),
            Err(problem) => {
                self.leave_out("value", &problem.message);
                None
            }
        }
    }
}

/// The media type and file ending of an image, by its first bytes.
fn image_type(bytes: &[u8]) -> (Option<&'static str>, &'static str) {
    match bytes {
        [0x89, b'P', b'N', b'G', ..] => (Some("image/png"), "png"),
        [0xff, 0xd8, 0xff, ..] => (Some("image/jpeg"), "jpg"),
        [b'G', b'I', b'F', b'8', ..] => (Some("image/gif"), "gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => (Some("image/webp"), "webp"),
        _ => (None, "bin"),
    }
}

/// The name as a relative path that leads nowhere else.
fn harmless(name: &str) -> String {
    let parts: Vec<_> = name.split(['/', '\\']).filter(|part| !matches!(*part, "" | "." | "..")).collect();
    if parts.is_empty() { "image".to_owned() } else { parts.join("/") }
}

/// A journal file in a live folder.
pub struct JournalFile {
    folder: PathBuf,
    begin: Begin,
    file: Option<BufWriter<fs::File>>,
    number: u64,
}

impl JournalFile {
    /// The file of one source; nothing is made yet.
    pub fn new(folder: &Path, kind: &str, source: &str) -> Self {
        let mut facts = Table::new();
        facts.insert("client".to_owned(), format!("git-xtrack {}", env!("CARGO_PKG_VERSION")).into());
        facts.insert("kind".to_owned(), kind.into());
        facts.insert("source".to_owned(), source.into());
        let begin = Begin {
            protocol: PROTOCOL,
            owner: owner::this_process(),
            role: Some("harvest".to_owned()),
            facts,
            ..Begin::default()
        };
        Self { folder: folder.to_owned(), begin, file: None, number: 0 }
    }

    /// Writes an event; `time` is the source's own, or none.
    fn event(&mut self, time: Option<Number>, step: Step, body: Body) -> Result<()> {
        if self.file.is_none() {
            let path = self.folder.join(format!("{}.jsonl", random_name()?));
            let file = OpenOptions::new().append(true).create_new(true).open(path);
            self.file = Some(BufWriter::new(file.context("cannot begin a journal")?));
            // Writers without ranks are numbered in the order of their beginnings.
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            let begin = Body::Begin(self.begin.clone());
            self.event(Some(Number::Float(now.as_secs_f64())), Step::Nowhere, begin)?;
        }
        let line = line::encode(&Event { number: self.number, time, step, body });
        let file = self.file.as_mut().context("the journal was begun above")?;
        file.write_all(&line).context("cannot write the journal")?;
        self.number += 1;
        Ok(())
    }

    /// Copies bytes into the live folder; returns where, relative to it.
    fn bytes(&mut self, name: &str, bytes: &[u8]) -> Result<String> {
        let place = format!("files/{}-{}", random_name()?, slug(name.as_bytes()));
        fs::create_dir_all(self.folder.join("files"))?;
        fs::write(self.folder.join(&place), bytes).with_context(|| format!("cannot keep '{name}'"))?;
        Ok(place)
    }

    /// Nothing more comes.
    fn end(&mut self) -> Result<()> {
        if let Some(file) = &mut self.file {
            file.flush()?;
        }
        Ok(())
    }
}
