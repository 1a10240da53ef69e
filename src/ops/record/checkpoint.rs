//! Checkpoints: a run in progress is committed, and shared, every so often, so that others can read it meanwhile.
//!
//! Knows when; what a commit of an attempt holds is `close`'s. A thread of its own: the command never waits for it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::error::Problem;
use crate::human;
use crate::journal::folder::LiveFolder;
use crate::ops::record::Draft;
use crate::ops::record::close::{self, Closing, Revision};
use crate::ops::record::harvest::Harvest;
use crate::run::attempt::Facts;
use crate::run::id::RunId;
use crate::run::value::Table;
use crate::tracker::Tracker;

/// The remote that runs are pushed to where nothing else is set.
const REMOTE: &str = "origin";

/// The checkpoints of one run, as long as it lasts.
pub struct Checkpoints {
    end: Sender<()>,
    thread: JoinHandle<BTreeSet<String>>,
}

/// What one checkpoint is made of.
struct Run {
    directory: PathBuf,
    folder: LiveFolder,
    facts: Facts,
    environment: Table,
    is_pushed: bool,
}

impl Checkpoints {
    /// Begins them.
    pub fn start(
        tracker: &Tracker,
        live: &LiveFolder,
        draft: &Draft,
        every: Duration,
        is_pushed: bool,
    ) -> Self {
        let run = Run {
            directory: tracker.directory().to_owned(),
            folder: LiveFolder { path: live.path.clone() },
            facts: draft.facts.clone(),
            environment: draft.environment.clone(),
            is_pushed,
        };
        let (end, ended) = mpsc::channel();
        let thread = thread::spawn(move || {
            let mut warnings = BTreeSet::new();
            while ended.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                if let Err(error) = run.checkpoint() {
                    warnings.insert(format!("{error:#}"));
                }
            }
            warnings
        });
        Self { end, thread }
    }

    /// Ends them, one that is being made included; what went wrong, each thing once.
    pub fn stop(self) -> BTreeSet<String> {
        drop(self.end);
        self.thread.join().unwrap_or_else(|_| BTreeSet::from(["the checkpoints broke off".to_owned()]))
    }
}

impl Run {
    fn checkpoint(&self) -> Result<()> {
        // A store is of one thread.
        let tracker = Tracker::open(&self.directory)?;
        let closing = Closing {
            folder: &self.folder,
            facts: self.facts.clone(),
            environment: self.environment.clone(),
            harvest: Harvest::default(),
            revision: Revision::Next,
            // What the process named is taken at its end, when it is whole.
            reads_sources: false,
        };
        let closed = close::close(&tracker, &closing).context("cannot make a checkpoint")?;
        if self.is_pushed && closed.is_new {
            push(&tracker, &closed.id)?;
        }
        Ok(())
    }
}

/// Pushes one run to the remote that the settings name, else `origin`.
pub fn push(tracker: &Tracker, id: &RunId) -> Result<()> {
    let remote = tracker.config.remote.as_deref().unwrap_or(REMOTE);
    // Only a remote that the user gave git: an address in a settings file may be a stranger's.
    let Some(found) = tracker.store.remote_named(remote)? else {
        let problem = Problem::new(format!("cannot push: there is no remote '{remote}'"));
        return Err(problem
            .hint("`git remote add` makes one; `remote` in the settings names another")
            .into());
    };
    tracker.store.push_run(&found, id).with_context(|| format!("cannot push run '{id}' to '{remote}'"))
}

/// Reads how often: `5m`, `30s`, `1h30m`.
pub fn parse_every(text: &str) -> Result<Duration, Problem> {
    let every = human::parse_duration(text).filter(|every| *every >= Duration::from_secs(1));
    let refused = || {
        Problem::usage(format!("{text:?} is no time between checkpoints"))
            .hint("write '30s', '5m' or '1.5h'; a second at least")
    };
    every.ok_or_else(refused)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        assert_eq!(parse_every("5m").unwrap(), Duration::from_secs(300));
        assert_eq!(parse_every("1.5h").unwrap(), Duration::from_secs(5400));
        assert!(parse_every("0s").is_err());
        assert!(parse_every("soon").is_err());
    }
}
