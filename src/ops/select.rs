//! Which runs a list is about: by the code they ran, the experiment, the person, and whether they are deleted.
//!
//! Knows how a run is found again after a rebase or a squash; not how the list looks.

use std::collections::{HashMap, HashSet};

use anyhow::Result;

use crate::run::Run;
use crate::run::id::RunId;
use crate::run::value::Value;
use crate::store::{Oid, Range};
use crate::tracker::{Loaded, Tracker};

/// What is wanted of the runs.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// A revision range that their code lies in, as `git rev-list` reads it.
    pub range: Option<String>,
    /// Paths one of which their code changed.
    pub paths: Vec<String>,
    /// The experiment.
    pub experiment: Option<String>,
    /// Part of the person's name or mail.
    pub user: Option<String>,
    /// Only the deleted ones, instead of only the others.
    pub deleted: bool,
}

/// The runs that were wanted, and what is to be said of some.
#[derive(Default)]
pub struct Selected {
    /// The runs, and those that could not be read.
    pub loaded: Loaded,
    /// Why a run is in the range though its commit is not.
    pub marks: HashMap<RunId, String>,
}

/// The runs of the repository that are wanted, sorted by id.
pub fn select(tracker: &Tracker, wanted: &Wanted) -> Result<Selected> {
    // The range first: a mistyped one is refused before the runs are read.
    let range = wanted.range.as_deref().map(|range| tracker.store.range(range)).transpose()?;
    let mut loaded = tracker.load_all()?;
    let hidden = tracker.hidden();
    loaded
        .runs
        .retain(|run| wanted.matches(run) && (wanted.deleted == (run.deleted || hidden.contains(&run.id))));
    let mut marks = HashMap::new();
    if let Some(range) = range {
        loaded.runs.retain(|run| match place_in(&range, run) {
            None => false,
            Some("") => true,
            Some(mark) => marks.insert(run.id.clone(), mark.to_owned()).is_none(),
        });
    }
    if !wanted.paths.is_empty() {
        let mut changes = Changes::new(tracker, &wanted.paths);
        loaded.runs.retain(|run| changes.touch(run));
    }
    Ok(Selected { loaded, marks })
}

impl Wanted {
    fn matches(&self, run: &Run) -> bool {
        let experiment = self.experiment.is_none() || run.experiment == self.experiment;
        let user = self
            .user
            .as_deref()
            .is_none_or(|user| run.user.as_deref().is_some_and(|known| known.contains(user)));
        experiment && user
    }
}

/// How a run lies in a range: by its commit (nothing to say), or by what a rebase or a squash leaves the same.
fn place_in(range: &Range, run: &Run) -> Option<&'static str> {
    let code = run.code.as_ref()?;
    let has =
        |set: &HashSet<String>, name: &Option<String>| name.as_ref().is_some_and(|name| set.contains(name));
    match () {
        () if has(&range.commits, &code.commit) => Some(""),
        () if has(&range.trees, &code.tree) => Some("same tree"),
        () if has(&range.patch_ids, &code.patch_id) => Some("rebased"),
        () => None,
    }
}

/// Which code commits changed one of the paths, each asked of git once.
struct Changes<'a> {
    tracker: &'a Tracker,
    paths: &'a [String],
    known: HashMap<Oid, bool>,
}

impl<'a> Changes<'a> {
    fn new(tracker: &'a Tracker, paths: &'a [String]) -> Self {
        Self { tracker, paths, known: HashMap::new() }
    }

    fn touch(&mut self, run: &Run) -> bool {
        let Some(code) = &run.code else {
            return false;
        };
        let files = code.changed.iter().chain(&code.untracked).filter_map(|file| match &file.path {
            Value::Text(path) => Some(path.as_str()),
            _ => None,
        });
        let mut files = files;
        files.any(|path| self.covers(path))
            || code.commit.as_ref().is_some_and(|commit| self.commit_touches(commit))
    }

    fn commit_touches(&mut self, commit: &Oid) -> bool {
        if let Some(known) = self.known.get(commit) {
            return *known;
        }
        // A commit that is not here (a colleague's run) cannot be asked.
        let changed = self.tracker.store.changed_paths(commit).unwrap_or_default();
        let touches = changed.iter().any(|path| self.covers(path));
        self.known.insert(commit.clone(), touches);
        touches
    }

    fn covers(&self, path: &str) -> bool {
        self.paths.iter().any(|wanted| {
            let wanted = wanted.trim_start_matches("./").trim_end_matches('/');
            wanted == "."
                || path == wanted
                || path.strip_prefix(wanted).is_some_and(|rest| rest.starts_with('/'))
        })
    }
}
