//! Baselines: of each experiment the run that its others are measured by.
//!
//! Being one is said by a tag, so that it travels and merges as all words do; where several runs of an experiment bear
//! it, the one of which it was said last is meant (`docs/format.md`, section 10).

use std::collections::BTreeMap;

use anyhow::Result;

use crate::error::{Kind, Problem};
use crate::ops::edit::{self, Words};
use crate::ops::select::{self, Wanted};
use crate::run::id::{RunId, Time};
use crate::run::{BASELINE, Run};
use crate::tracker::Tracker;

/// The baselines, by their experiment; runs of none have one together.
pub type Baselines = BTreeMap<Option<String>, Baseline>;

/// A run by which others of its experiment are measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Baseline {
    /// The run.
    pub run: Run,
    /// When that was said of it.
    pub at: Option<Time>,
    /// By whom.
    pub by: Option<String>,
    /// Others of the experiment of which it was said earlier, and not taken back.
    pub earlier: Vec<RunId>,
}

/// The baselines that the repository's runs have, or that of one experiment.
pub fn all(tracker: &Tracker, experiment: Option<&str>) -> Result<Baselines> {
    let wanted = Wanted {
        query: Some(format!("has tag {BASELINE}")),
        experiment: experiment.map(str::to_owned),
        ..Wanted::default()
    };
    let selected = select::select(tracker, &wanted)?;
    // Who said so, and when, is in the edits, which a list need not hold.
    let whole: Vec<Run> =
        selected.loaded.runs.iter().map(|run| tracker.load(&run.id)).collect::<Result<_>>()?;
    Ok(among(whole))
}

/// Names the run the baseline of its experiment; those that were it, which are told, are it no longer.
pub fn name(tracker: &Tracker, id: &RunId) -> Result<Vec<Run>> {
    let run = tracker.load(id)?;
    if run.deleted {
        return Err(Problem::new(format!("run '{id}' is deleted, and cannot be a baseline"))
            .hint(format!("bring it back first: `git xtrack restore {}`", id.suffix()))
            .into());
    }
    let others: Vec<Run> = bearers(tracker, &run)?.into_iter().filter(|other| other.id != *id).collect();
    // First, so that there is one at any moment; said once more, it is said last.
    if !(run.has_tag(BASELINE) && others.is_empty()) {
        edit::edit(tracker, id, &said(true))?;
    }
    take_back(tracker, &others)?;
    Ok(others)
}

/// Takes it back, of those too of which it was said earlier: then the experiment has none.
pub fn remove(tracker: &Tracker, baseline: &Baseline) -> Result<()> {
    edit::edit(tracker, &baseline.run.id, &said(false))?;
    for id in &baseline.earlier {
        edit::edit(tracker, id, &said(false))?;
    }
    Ok(())
}

/// The baseline that a run is; an error if it is none.
pub fn of_run(tracker: &Tracker, id: &RunId) -> Result<Baseline> {
    let run = tracker.load(id)?;
    let found = all(tracker, run.experiment.as_deref())?.remove(&run.experiment);
    let is_it = |found: &Baseline| found.run.id == *id || found.earlier.contains(id);
    found.filter(is_it).ok_or_else(|| {
        Problem::new(format!("run '{id}' is no baseline"))
            .of(Kind::NotFound)
            .hint("`git xtrack baseline` lists them")
            .into()
    })
}

/// The winners among runs that bear the tag.
fn among(runs: Vec<Run>) -> Baselines {
    let mut said: BTreeMap<Option<String>, Vec<(Word, Run)>> = BTreeMap::new();
    for run in runs.into_iter().filter(|run| run.has_tag(BASELINE)) {
        said.entry(run.experiment.clone()).or_default().push((Word::of(&run), run));
    }
    let winner = |(experiment, mut runs): (Option<String>, Vec<(Word, Run)>)| {
        runs.sort_by(|(one, a), (other, b)| (one.at, &one.edit, &a.id).cmp(&(other.at, &other.edit, &b.id)));
        let (word, run) = runs.pop()?;
        let earlier = runs.into_iter().map(|(_, run)| run.id).collect();
        Some((experiment, Baseline { run, at: word.at, by: word.by, earlier }))
    };
    said.into_iter().filter_map(winner).collect()
}

/// When the tag was given to a run, and by whom: by the last of its edits that did, or by the attempt it was recorded with.
struct Word {
    at: Option<Time>,
    edit: Option<String>,
    by: Option<String>,
}

impl Word {
    fn of(run: &Run) -> Self {
        let gives = |tags: &[String]| tags.iter().any(|tag| crate::run::is_tag(tag, BASELINE));
        match run.edits.iter().rev().find(|(_, edit)| gives(&edit.tags_added)) {
            Some((id, edit)) => {
                Self { at: Some(edit.at), edit: Some(id.to_string()), by: Some(edit.by.clone()) }
            }
            None => {
                let attempt = run.attempts.iter().rev().find(|facts| gives(&facts.tags));
                Self {
                    at: attempt.and_then(|facts| facts.started),
                    edit: None,
                    by: attempt.and_then(|facts| facts.user.clone()),
                }
            }
        }
    }
}

/// The runs of the same experiment that bear the tag.
fn bearers(tracker: &Tracker, run: &Run) -> Result<Vec<Run>> {
    let wanted = Wanted { query: Some(format!("has tag {BASELINE}")), ..Wanted::default() };
    let runs = select::select(tracker, &wanted)?.loaded.runs;
    Ok(runs.into_iter().filter(|other| other.experiment == run.experiment).collect())
}

fn take_back(tracker: &Tracker, runs: &[Run]) -> Result<()> {
    runs.iter().try_for_each(|run| edit::edit(tracker, &run.id, &said(false)).map(drop))
}

fn said(is_baseline: bool) -> Words {
    let sign = if is_baseline { '+' } else { '-' };
    Words { tags: vec![format!("{sign}{BASELINE}")], ..Words::default() }
}
