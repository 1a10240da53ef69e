//! Runs that were begun alike: found by their fingerprints.
//!
//! Knows how they are looked for and what that may cost; not what is made of them.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};

use anyhow::Result;

use crate::index::Index;
use crate::run::id::RunId;
use crate::run::{Run, fingerprint};
use crate::tracker::Tracker;

/// How much of the end of the list of begun runs is looked at: some ten thousand runs.
const LISTED_MAX: u64 = 1 << 20;
/// Where this clone notes the fingerprints of the runs it recorded, a line each. A cache: without it nothing is lost but a word.
const LIST: &str = "fingerprints";

/// How many of the noted runs are read.
const NOTED_MAX: usize = 4;

/// How long a search for runs may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Search {
    /// As long as it takes.
    Whole,
    /// Not longer than anybody would notice: among those that this clone recorded lately.
    Short,
}

impl Tracker {
    /// The runs with this fingerprint, the newest first.
    pub fn runs_like(&self, wanted: &str, search: Search) -> Result<Vec<Run>> {
        let is_like = |run: &Run| fingerprint::of_run(run).as_deref() == Some(wanted);
        let likely = match search {
            Search::Short => self.noted_with(wanted)?,
            Search::Whole => self.indexed(|index| index.begun_alike(wanted))?,
        };
        // One run that cannot be read does not hide the others.
        Ok(likely.iter().rev().filter_map(|id| self.load(id).ok()).filter(is_like).collect())
    }

    /// Notes the fingerprint of a run that this clone recorded.
    pub fn note_fingerprint(&self, fingerprint: &str, id: &RunId) -> Result<()> {
        let mut file = OpenOptions::new().append(true).create(true).open(self.state_dir().join(LIST))?;
        // One write of one line: appends of several processes do not mix.
        Ok(file.write_all(format!("{fingerprint} {id}\n").as_bytes())?)
    }

    /// Forgets what was noted of a run.
    pub fn forget_fingerprint(&self, id: &RunId) -> Result<()> {
        let path = self.state_dir().join(LIST);
        let text = match std::fs::read_to_string(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            read => read?,
        };
        let is_its = |line: &&str| line.split(' ').any(|word| word == id.as_str());
        if text.lines().any(|line| is_its(&line)) {
            let kept: String =
                text.lines().filter(|line| !is_its(line)).map(|line| format!("{line}\n")).collect();
            let temporary = path.with_extension(format!("tmp-{}", std::process::id()));
            std::fs::write(&temporary, kept).and_then(|()| std::fs::rename(&temporary, &path))?;
        }
        Ok(())
    }

    /// The runs that were noted with this fingerprint, the last of them.
    fn noted_with(&self, wanted: &str) -> Result<Vec<RunId>> {
        let mut file = match File::open(self.state_dir().join(LIST)) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            opened => opened?,
        };
        let size = file.metadata()?.len();
        file.seek(SeekFrom::Start(size.saturating_sub(LISTED_MAX)))?;
        let mut text = String::new();
        file.take(LISTED_MAX).read_to_string(&mut text)?;
        let ids = text.lines().filter_map(|line| RunId::parse(line.strip_prefix(wanted)?.trim_start()));
        let mut ids: Vec<RunId> = ids.collect();
        Ok(ids.split_off(ids.len().saturating_sub(NOTED_MAX)))
    }

    /// The runs of every fingerprint that several have, the oldest first.
    pub fn runs_alike(&self) -> Result<Vec<Vec<Run>>> {
        let likely = self.indexed(Index::all_begun_alike)?;
        let mut by_fingerprint: BTreeMap<String, Vec<Run>> = BTreeMap::new();
        for run in likely.iter().filter_map(|id| self.load(id).ok()) {
            if let Some(fingerprint) = fingerprint::of_run(&run) {
                by_fingerprint.entry(fingerprint).or_default().push(run);
            }
        }
        Ok(by_fingerprint.into_values().filter(|runs| runs.len() > 1).collect())
    }

    /// The runs that the index names; where it cannot be had, all.
    fn indexed(&self, ask: impl Fn(&Index) -> Result<Vec<RunId>>) -> Result<Vec<RunId>> {
        let index = self.index();
        match index.as_ref().map(ask) {
            Some(Ok(found)) => Ok(found),
            _ => Ok(self.load_all()?.runs.into_iter().map(|run| run.id).collect()),
        }
    }
}
