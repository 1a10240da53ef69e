//! How the runs in progress of a clone stand: who is at them, what they logged last, and what was recovered lately.
//!
//! Reads little of each and changes nothing.

use std::time::Duration;

use crate::journal::folder::LiveFolder;
use crate::journal::owner::Life;
use crate::journal::replay::{self, Replay};
use crate::ops::live::{portable, recover};
use crate::run::attempt::{Facts, Number, Summary};
use crate::run::id::{RunId, Time};
use crate::run::value::Value;
use crate::tracker::Tracker;

/// How long a recovered run is shown.
const SHOWN: Duration = Duration::from_secs(7 * 24 * 3600);
/// How many recovered runs are shown.
const SHOWN_MAX: usize = 20;

/// How a run in progress stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// A process of it lives, or may live elsewhere.
    Live,
    /// It is of another host or container, and has been silent for long.
    Stale,
    /// All its processes are gone, and it could not be recovered yet.
    Dead,
    /// It is recorded; its folder is kept, should a process of it come back.
    Kept,
}

/// A run in progress.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveRun {
    /// Which.
    pub id: RunId,
    /// Its name.
    pub name: Option<String>,
    /// Its experiment.
    pub experiment: Option<String>,
    /// How it stands.
    pub state: State,
    /// The host of the process that owns it.
    pub host: Option<String>,
    /// That process.
    pub pid: Option<i64>,
    /// When it began.
    pub started: Option<Time>,
    /// How many processes log.
    pub writers: u64,
    /// How long ago the last sign of life was, in seconds.
    pub silent: Option<u64>,
    /// The last step that was logged.
    pub step: Option<Number>,
    /// What was logged last, by metric.
    pub metrics: Vec<(String, Number)>,
    /// Its folder.
    pub folder: String,
}

/// A folder that cannot be read.
#[derive(Debug)]
pub struct Unreadable {
    /// Where it is.
    pub folder: String,
    /// Why.
    pub error: String,
}

/// A run that was recovered here.
#[derive(Debug, Clone, PartialEq)]
pub struct RecoveredRun {
    /// Which.
    pub id: RunId,
    /// Its name.
    pub name: Option<String>,
    /// When it was recovered.
    pub at: Time,
}

/// All of it.
#[derive(Debug, Default)]
pub struct Status {
    /// The runs in progress, the oldest first.
    pub runs: Vec<LiveRun>,
    /// Folders that nobody can make sense of.
    pub unreadable: Vec<Unreadable>,
    /// What was recovered in the last days, the latest first.
    pub recovered: Vec<RecoveredRun>,
}

/// How the runs in progress stand.
pub fn status(tracker: &Tracker) -> Status {
    let mut status = Status::default();
    for folder in tracker.live() {
        match look(&folder) {
            Ok(Some(run)) => status.runs.push(run),
            Err(error) if folder.is_there() => status
                .unreadable
                .push(Unreadable { folder: folder.path.display().to_string(), error: format!("{error:#}") }),
            // Being made, or just gone.
            Ok(None) | Err(_) => {}
        }
    }
    status.runs.sort_by(|a, b| (a.started, &a.id).cmp(&(b.started, &b.id)));
    status.recovered = recovered(tracker);
    status
}

fn look(folder: &LiveFolder) -> anyhow::Result<Option<LiveRun>> {
    let start = folder.start()?;
    if start.is_none() && folder.journals()?.is_empty() {
        return match folder.is_new() {
            true => Ok(None),
            false => Err(crate::error::Problem::new("it does not say which run it is of").into()),
        };
    }
    let glimpse = replay::glimpse(&folder.path)?;
    let (facts, owner) = match start {
        Some(start) => (start.facts, start.owner),
        None => (portable::facts(&glimpse)?, first_owner(&glimpse)),
    };
    let silent = folder.silence()?;
    let state = match folder.life()? {
        _ if folder.is_recovered() => State::Kept,
        Life::Alive => State::Live,
        Life::Dead => State::Dead,
        Life::Elsewhere if silent > recover::STALE => State::Stale,
        Life::Elsewhere => State::Live,
    };
    let Facts { id, name, experiment, started, host, .. } = facts;
    Ok(Some(LiveRun {
        id,
        name: glimpse.name.clone().or(name),
        experiment: glimpse.experiment.clone().or(experiment),
        state,
        host: owner.get("host").and_then(Value::as_text).map(str::to_owned).or(host),
        pid: owner.get("pid").and_then(Value::as_int),
        started,
        writers: glimpse.writers.iter().filter(|writer| writer.begin.role.is_none()).count() as u64,
        silent: Some(silent.as_secs()),
        step: step(glimpse.metrics.values()),
        metrics: glimpse.metrics.iter().map(|(name, summary)| (name.clone(), summary.last)).collect(),
        folder: folder.path.display().to_string(),
    }))
}

fn first_owner(glimpse: &Replay) -> crate::run::value::Table {
    glimpse.writers.first().map(|writer| writer.begin.owner.clone()).unwrap_or_default()
}

/// The furthest step at which anything was logged.
fn step<'a>(summaries: impl Iterator<Item = &'a Summary>) -> Option<Number> {
    let steps = summaries.filter_map(|summary| summary.last_step);
    steps.max_by(|a, b| a.as_f64().total_cmp(&b.as_f64()))
}

fn recovered(tracker: &Tracker) -> Vec<RecoveredRun> {
    let since = Time(tracker.now().0 - SHOWN.as_micros() as i64);
    let noted = recover::noted(tracker).into_iter().filter(|(_, at)| *at >= since).take(SHOWN_MAX);
    let name = |id: &RunId| tracker.load(id).ok().and_then(|run| run.name);
    noted.map(|(id, at)| RecoveredRun { name: name(&id), id, at }).collect()
}
