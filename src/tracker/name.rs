//! How people name runs: by id, the end of an id, a name they gave, a beginning that no other has, or the newest.
//!
//! Asks the index, or the runs themselves where there is none; both come to the same.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

use crate::error::{Kind, Problem};
use crate::human;
use crate::index::Index;
use crate::run::id::RunId;
use crate::tracker::Tracker;

/// How many characters of the end of an id are enough to find it by.
const SUFFIX_MIN: usize = 3;

impl Tracker {
    /// The run that `name` names: full id, suffix, exact name, unique prefix; `@`, `@~N` among those started in this
    /// clone, `@all`, `@all~N` among all.
    pub fn resolve(&self, name: &str) -> Result<RunId> {
        self.resolve_all(&[name.to_owned()])?.pop().ok_or_else(|| not_found(name).into())
    }

    /// The runs that these names name, each as [`Tracker::resolve`] does.
    pub fn resolve_all(&self, names: &[String]) -> Result<Vec<RunId>> {
        // Whole ids need no index.
        let is_there = |id: &RunId| -> Result<bool> {
            Ok(self.store.run_tip(id)?.is_some() || !self.live_of(id).is_empty())
        };
        let mut whole = Vec::new();
        for name in names {
            match RunId::parse(name) {
                Some(id) if is_there(&id)? => whole.push(id),
                _ => break,
            }
        }
        if whole.len() == names.len() {
            return Ok(whole);
        }
        if let Some(index) = self.index() {
            let resolved = names.iter().map(|name| self.resolve_by(&index, name)).collect::<Result<_>>();
            match resolved {
                // What the index cannot say for reasons of its own is asked of the runs.
                Err(error) if !error.chain().any(|cause| cause.is::<Problem>()) => index.distrust(),
                other => return other,
            }
        }
        let scan = Scan::of(self)?;
        names.iter().map(|name| scan.resolve(self, name)).collect()
    }

    /// The same, without the index: what it is compared with.
    pub fn resolve_by_scan(&self, name: &str) -> Result<RunId> {
        Scan::of(self)?.resolve(self, name)
    }

    /// Every run that can be read, with its name, sorted by id.
    pub fn names(&self) -> Result<Vec<(RunId, Option<String>)>> {
        if let Some(names) = self.index().and_then(|index| index.names().ok()) {
            return Ok(names);
        }
        Ok(Scan::of(self)?.names.into_iter().collect())
    }

    fn resolve_by(&self, index: &Index, name: &str) -> Result<RunId> {
        if let Some((back, here)) = self.generation(name) {
            let is_wanted = |id: &RunId| here.as_ref().is_none_or(|here| here.contains(id));
            let (found, count) = index.newest(back, &is_wanted)?;
            return found.ok_or_else(|| too_far(name, count).into());
        }
        if let Some(id) = RunId::parse(name)
            && index.has(&id)?
        {
            return Ok(id);
        }
        if let Some(id) = only(name, index.by_suffix(name)?.iter())? {
            return Ok(id);
        }
        if let Some(id) = only(name, index.by_name(name)?.iter())? {
            return Ok(id);
        }
        if !name.is_empty()
            && let Some(id) = only(name, index.by_beginning(name, name.len() >= SUFFIX_MIN)?.iter())?
        {
            return Ok(id);
        }
        let names = index.names()?;
        Err(unknown(name, names.iter().map(|(id, name)| (id, name))).into())
    }

    /// How far back `@` or `@all` reach, and among which runs: those started here, or all.
    fn generation(&self, name: &str) -> Option<(usize, Option<BTreeSet<RunId>>)> {
        if let Some(back) = name.strip_prefix("@all").and_then(generation) {
            return Some((back, None));
        }
        let back = name.strip_prefix('@').and_then(generation)?;
        let mut here = self.recorded_here();
        // Whatever is in progress here was started here.
        here.extend(self.live().iter().filter_map(|folder| folder.run()));
        Some((back, Some(here)))
    }
}

/// All runs, read to find some by name.
struct Scan {
    ids: BTreeSet<RunId>,
    names: BTreeMap<RunId, Option<String>>,
    /// Those that are not deleted, the newest first.
    newest: Vec<RunId>,
}

impl Scan {
    fn of(tracker: &Tracker) -> Result<Self> {
        let all = tracker.load_all()?;
        let ids = all.runs.iter().map(|run| &run.id).chain(all.damaged.iter().map(|damaged| &damaged.id));
        let ids = ids.cloned().collect();
        let mut newest: Vec<_> =
            all.runs.iter().filter(|run| !run.deleted).map(|run| (run.started, run.id.clone())).collect();
        newest.sort_by(|a, b| b.cmp(a));
        Ok(Self {
            ids,
            newest: newest.into_iter().map(|(_, id)| id).collect(),
            names: all.runs.into_iter().map(|run| (run.id, run.name)).collect(),
        })
    }

    fn resolve(&self, tracker: &Tracker, name: &str) -> Result<RunId> {
        if let Some((back, here)) = tracker.generation(name) {
            let is_wanted = |id: &&RunId| here.as_ref().is_none_or(|here| here.contains(*id));
            let wanted: Vec<&RunId> = self.newest.iter().filter(is_wanted).collect();
            return wanted
                .get(back)
                .map(|id| (*id).clone())
                .ok_or_else(|| too_far(name, wanted.len()).into());
        }
        if let Some(id) = self.ids.iter().find(|id| id.as_str() == name) {
            return Ok(id.clone());
        }
        if let Some(id) = only(name, self.ids.iter().filter(|id| id.suffix() == name))? {
            return Ok(id);
        }
        let is_named = |(_, known): &(&RunId, &Option<String>)| known.as_deref() == Some(name);
        if let Some(id) = only(name, self.names.iter().filter(is_named).map(|(id, _)| id))? {
            return Ok(id);
        }
        let begins = |id: &&RunId| {
            id.as_str().starts_with(name) || (name.len() >= SUFFIX_MIN && id.suffix().starts_with(name))
        };
        let by_beginning = self.ids.iter().filter(|id| !name.is_empty() && begins(id));
        only(name, by_beginning)?.ok_or_else(|| unknown(name, self.names.iter()).into())
    }
}

/// The number after `@` or `@all`: nothing is 0, `~3` is 3.
fn generation(text: &str) -> Option<usize> {
    match text.strip_prefix('~') {
        None => text.is_empty().then_some(0),
        Some("") => Some(1),
        Some(digits) => digits.parse().ok(),
    }
}

fn only<'a>(name: &str, candidates: impl Iterator<Item = &'a RunId>) -> Result<Option<RunId>> {
    let mut candidates: Vec<_> = candidates.cloned().collect();
    if candidates.len() <= 1 {
        return Ok(candidates.pop());
    }
    let shown: Vec<_> = candidates.iter().take(10).map(|id| format!("'{id}'")).collect();
    let more = candidates.len().saturating_sub(shown.len());
    let tail = if more > 0 { format!(" and {more} more") } else { String::new() };
    let problem = Problem::usage(format!("run {name:?} is ambiguous: it may be {}{tail}", shown.join(", ")));
    Err(problem.hint("name it by its full id").into())
}

fn unknown<'a>(name: &str, names: impl Iterator<Item = (&'a RunId, &'a Option<String>)>) -> Problem {
    let known = names.flat_map(|(id, name)| name.as_deref().into_iter().chain([id.suffix()]));
    match human::nearest(name, known) {
        Some(nearest) => not_found(name).hint(format!("did you mean '{nearest}'?")),
        None => not_found(name).hint("`git xtrack log` lists the runs"),
    }
}

fn too_far(name: &str, count: usize) -> Problem {
    match (count, name.starts_with("@all")) {
        (0, true) => Problem::new("there are no runs yet")
            .of(Kind::NotFound)
            .hint("record one with `git xtrack record -- python train.py`"),
        (0, false) => Problem::new("no run was started in this clone")
            .of(Kind::NotFound)
            .hint("`git xtrack log` lists the runs, and '@all' is the latest of all"),
        _ => not_found(name)
            .hint(format!("it counts {}; `git xtrack log` lists all there are", human::count(count, "run"))),
    }
}

pub(super) fn not_found(name: &str) -> Problem {
    Problem::new(format!("no run is named {name:?}")).of(Kind::NotFound)
}
