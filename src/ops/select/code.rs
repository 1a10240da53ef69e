//! How the code that ran lies in a revision range, and which paths it changed.

use std::collections::{HashMap, HashSet};

use crate::ops::record::place::Places;
use crate::run::attempt::Code;
use crate::run::value::Value;
use crate::store::{Oid, Range};
use crate::tracker::Tracker;

/// How code lies in a range: by its commit (nothing to say), or by what a rebase or a squash leaves the same.
pub fn place_in(range: &Range, code: &Code) -> Option<&'static str> {
    let has =
        |set: &HashSet<String>, name: &Option<String>| name.as_ref().is_some_and(|name| set.contains(name));
    match () {
        () if has(&range.commits, &code.commit) => Some(""),
        () if has(&range.trees, &code.tree) => Some("same tree"),
        () if has(&range.patch_ids, &code.patch_id) => Some("rebased"),
        () => None,
    }
}

/// Paths as typed, from the folder where the user is; from the top, as Git names what a commit changed.
pub fn from_top(tracker: &Tracker, paths: &[String]) -> Vec<String> {
    let places = Places::of(tracker);
    let from_top = |path: &String| match places.shown(&places.here.join(path)) {
        top if top.is_empty() => ".".to_owned(),
        path => path,
    };
    paths.iter().map(from_top).collect()
}

/// Which code commits changed one of the paths, each asked of git once.
pub struct Changes<'a> {
    tracker: &'a Tracker,
    paths: Vec<String>,
    known: HashMap<Oid, bool>,
}

impl<'a> Changes<'a> {
    /// Nothing was asked yet.
    pub fn new(tracker: &'a Tracker, paths: &[String]) -> Self {
        Self { tracker, paths: paths.to_vec(), known: HashMap::new() }
    }

    /// Whether the code, its commit or what was changed since, touches one of the paths.
    pub fn touch(&mut self, code: &Code) -> bool {
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
