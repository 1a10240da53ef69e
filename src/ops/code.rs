//! The code of runs as text: what was changed before a run, and what differs between two.

use anyhow::Result;

use crate::error::Problem;
use crate::run::Run;
use crate::store::{CodeDiffOptions, Oid};
use crate::tracker::Tracker;

/// The uncommitted changes that ran, as `git diff` shows them; empty if there were none.
pub fn of_run(tracker: &Tracker, run: &Run, colour: bool) -> Result<String> {
    let code = run.code.as_ref().ok_or_else(|| no_code(run))?;
    let Some(snapshot) = &code.snapshot else {
        return Ok(String::new());
    };
    need(tracker, run, snapshot)?;
    let empty = tracker.store.empty_tree();
    let before = code.commit.as_ref().unwrap_or(&empty);
    tracker.store.code_diff(before, snapshot, &CodeDiffOptions { stat: false, colour, paths: Vec::new() })
}

/// The difference of two runs' code, as `git diff` shows it.
pub fn between(tracker: &Tracker, before: &Run, after: &Run, stat: bool, colour: bool) -> Result<String> {
    let (before, after) = (state(tracker, before)?, state(tracker, after)?);
    if before == after {
        return Ok(String::new());
    }
    tracker.store.code_diff(&before, &after, &CodeDiffOptions { stat, colour, paths: Vec::new() })
}

/// The tree that ran.
fn state(tracker: &Tracker, run: &Run) -> Result<Oid> {
    let code = run.code.as_ref().ok_or_else(|| no_code(run))?;
    let tree = code.tree.clone().or_else(|| code.commit.clone()).ok_or_else(|| no_code(run))?;
    need(tracker, run, &tree)?;
    Ok(tree)
}

fn need(tracker: &Tracker, run: &Run, object: &Oid) -> Result<()> {
    if tracker.store.has_object(object) {
        return Ok(());
    }
    let problem = Problem::new(format!("the code of run '{}' is not in this repository", run.id));
    Err(problem.hint("fetch it: git fetch REMOTE 'refs/xtrack/code/*:refs/xtrack/code/*'").into())
}

fn no_code(run: &Run) -> Problem {
    Problem::new(format!("run '{}' has no record of its code", run.id))
}
