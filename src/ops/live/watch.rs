//! Watching: the runs in progress as their journals grow.
//!
//! Knows how far it has read each journal, so that a look costs what was written since; not how it looks on a terminal.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use indexmap::IndexMap;

use crate::error::Problem;
use crate::journal::event::{Body, Step};
use crate::journal::folder::LiveFolder;
use crate::journal::line;
use crate::run::Run;
use crate::run::attempt::Number;
use crate::run::id::RunId;
use crate::tracker::Tracker;

/// How much of a journal is read when it is seen first.
const TAIL: u64 = 1 << 20;

/// How many points of a metric are kept, for a picture of its course.
const COURSE: usize = 64;

/// Follows some or all of the runs in progress.
#[derive(Default)]
pub struct Watch {
    wanted: Option<RunId>,
    runs: BTreeMap<RunId, Followed>,
}

/// A run that is followed.
pub struct Followed {
    /// The run as it was when it was first seen.
    pub run: Run,
    /// The last points of its metrics.
    pub courses: IndexMap<String, Course>,
    /// The last step that was logged.
    pub step: Option<Number>,
    /// When anything was logged last, in Unix seconds.
    pub last: Option<f64>,
    /// Whether it has ended meanwhile.
    pub has_ended: bool,
    offsets: BTreeMap<PathBuf, u64>,
    next: BTreeMap<PathBuf, f64>,
}

/// The last points of a metric.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Course {
    /// Their values, the last one last.
    pub values: VecDeque<f64>,
    /// The last value as it was logged.
    pub last: Option<Number>,
}

impl Watch {
    /// Watches one run, or all that are in progress.
    pub fn new(wanted: Option<RunId>) -> Self {
        Self { wanted, ..Self::default() }
    }

    /// Looks at what was written since the last look; what is watched, sorted by id.
    pub fn look(&mut self, tracker: &Tracker) -> Result<&BTreeMap<RunId, Followed>> {
        let folders = tracker.live();
        self.runs.values_mut().for_each(|followed| followed.has_ended = true);
        for folder in &folders {
            let Some(id) = folder.run().filter(|id| self.wanted.as_ref().is_none_or(|wanted| wanted == id))
            else {
                continue;
            };
            if !self.runs.contains_key(&id) {
                // It may end just now.
                let Ok(run) = tracker.load(&id) else { continue };
                self.runs.insert(id.clone(), Followed::new(run));
            }
            if let Some(followed) = self.runs.get_mut(&id) {
                followed.has_ended = false;
                followed.read(folder).with_context(|| format!("cannot read '{}'", folder.path.display()))?;
            }
        }
        for followed in self.runs.values_mut().filter(|followed| followed.has_ended) {
            if let Ok(run) = tracker.load(&followed.run.id) {
                followed.run = run;
            }
        }
        Ok(&self.runs)
    }

    /// The error where there is nothing to watch.
    pub fn nothing() -> Problem {
        Problem::new("no run is in progress in this clone")
            .hint("`git xtrack record -- COMMAND` starts one; `git xtrack log` lists those that ended")
    }
}

impl Followed {
    fn new(run: Run) -> Self {
        Self {
            run,
            courses: IndexMap::new(),
            step: None,
            last: None,
            has_ended: false,
            offsets: BTreeMap::new(),
            next: BTreeMap::new(),
        }
    }

    fn read(&mut self, folder: &LiveFolder) -> io::Result<()> {
        for journal in folder.journals()? {
            self.read_journal(&journal)?;
        }
        Ok(())
    }

    /// Reads the whole lines that a journal has got since it was last read.
    fn read_journal(&mut self, journal: &Path) -> io::Result<()> {
        let mut file = File::open(journal)?;
        let length = file.metadata()?.len();
        let known = self.offsets.get(journal).copied();
        let begin = known.unwrap_or_else(|| length.saturating_sub(TAIL));
        if length <= begin {
            return Ok(());
        }
        file.seek(SeekFrom::Start(begin))?;
        let mut bytes = Vec::new();
        file.take(length - begin).read_to_end(&mut bytes)?;
        // What has no end yet comes with the next look.
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        self.offsets.insert(journal.to_owned(), begin + whole as u64);
        let mut lines = bytes[..whole].split(|byte| *byte == b'\n');
        if known.is_none() && begin > 0 {
            // The first of them is cut off.
            lines.next();
        }
        lines.filter(|line| !line.is_empty()).for_each(|line| self.take(journal, line));
        Ok(())
    }

    fn take(&mut self, journal: &Path, line: &[u8]) {
        let Ok(event) = line::decode(line) else { return };
        let Body::Points(values) = event.body else { return };
        self.last = event.time.map(Number::as_f64).into_iter().chain(self.last).reduce(f64::max);
        let next = self.next.entry(journal.to_owned()).or_default();
        let step = match event.step {
            Step::At(step) => Some(step),
            Step::Next => Some(Number::Int(*next as i128)),
            Step::Nowhere => None,
        };
        if let Some(step) = step {
            *next = step.as_f64().floor() + 1.0;
            self.step = Some(step);
        }
        for (name, value) in values {
            let course = self.courses.entry(name).or_default();
            course.last = Some(value);
            course.values.push_back(value.as_f64());
            if course.values.len() > COURSE {
                course.values.pop_front();
            }
        }
    }
}
