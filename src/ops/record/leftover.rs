//! What a dead recorder was to take at the end of its run: files of metrics, and artifacts.
//!
//! Knows that it comes late: what lies under a path now may be another run's, so that only files are taken that were
//! written while this one ran.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use indexmap::IndexMap;

use crate::ops::record::files;
use crate::ops::record::harvest::{self, Harvest, Wanted};
use crate::ops::record::place::Places;
use crate::run::attempt::{Facts, Number, Summary};
use crate::run::id::Time;
use crate::run::value::{Table, Value};
use crate::tracker::Tracker;

/// How long after the last event a file may have been written that is still the run's.
const SLACK: Duration = Duration::from_secs(60);

/// The largest file of metrics that is read.
const METRICS_MAX: u64 = 64 << 20;

/// Takes the files that are there and of the run's time; metrics go into the facts where its own writers said nothing.
pub fn take(tracker: &Tracker, wanted: &Table, facts: &mut Facts) -> Harvest {
    let (Some(began), Some(ended)) = (facts.started.map(moment), facts.ended.map(moment)) else {
        return Harvest::default();
    };
    let is_own = |path: &Path| {
        let written = path.metadata().and_then(|metadata| metadata.modified());
        written.is_ok_and(|written| written >= began && written <= ended + SLACK)
    };
    for path in paths(wanted, "metrics").iter().filter(|path| is_own(path)) {
        for (name, number) in read_metrics(path) {
            facts.metrics.insert(name, Summary::plain(number));
        }
    }
    let places = Places::of(tracker);
    let artifacts = paths(wanted, "artifacts").into_iter().map(|path| Wanted { path, is_explicit: false });
    let mut matched = harvest::find(&artifacts.collect::<Vec<_>>(), &places);
    matched.missing.clear();
    matched.retain(&is_own);
    harvest::take(&tracker.artifacts, &places, matched, None)
}

fn moment(time: Time) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_micros(u64::try_from(time.0).unwrap_or_default())
}

fn paths(wanted: &Table, kind: &str) -> Vec<PathBuf> {
    let listed = wanted.get(kind).and_then(Value::as_list).unwrap_or_default();
    listed.iter().filter_map(Value::as_text).map(PathBuf::from).collect()
}

fn read_metrics(path: &Path) -> IndexMap<String, Number> {
    let is_small = path.metadata().is_ok_and(|metadata| metadata.len() <= METRICS_MAX);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let bytes = if is_small { std::fs::read(path).unwrap_or_default() } else { Vec::new() };
    // One that was cut off by the end of the run says nothing.
    files::read_metrics(&name, &bytes).unwrap_or_default()
}
