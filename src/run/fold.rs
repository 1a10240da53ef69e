//! What attempts and edits come to: the run as it now stands, and the order in which its words count.
//!
//! A function of the set of files, so that all clones agree whatever the order they arrived in.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;

use crate::error::Problem;
use crate::run::attempt::{Facts, Reader, Status, Summary, bad};
use crate::run::edit::Edit;
use crate::run::id::{AttemptId, EditId, RunId, Time, sha256};
use crate::run::pointer::{self, Pointer};
use crate::run::record::{Files, Place, RUN, TOMBSTONE};
use crate::run::value::{Table, overlay};
use crate::run::{Note, OwnedPointer, Run, Tombstone, text};

/// The run that a record holds. Files that are absent (environment, pointers, series) are taken as not loaded.
pub fn fold(id: &RunId, files: &Files) -> Result<Run, Problem> {
    if let Some(bytes) = files.get(TOMBSTONE) {
        return tombstone(bytes).map(|stone| buried(id, stone)).map_err(|problem| inside(TOMBSTONE, problem));
    }
    let mut parts = Parts::default();
    for (path, bytes) in files {
        parts.take(path, bytes).map_err(|problem| inside(path, problem))?;
    }
    let key = parts.identify(id)?;
    let attempts = order_attempts(parts.attempts);
    let edits = order_edits(parts.edits);
    let mut run = from_attempts(id, key, &attempts);
    run.disputed = parts.disputed.into_iter().collect();
    run.environment = attempts.last().and_then(|facts| environment_of(facts, &mut parts.environments));
    run.artifacts = artifacts_of(&attempts, &edits, &parts.pointers)?;
    apply(&mut run, &attempts, &edits);
    run.attempts = attempts;
    run.edits = edits;
    Ok(run)
}

/// The edits that no other came after: what the next edit is `after`.
pub fn heads(edits: &[(EditId, Edit)]) -> Vec<EditId> {
    let followed: BTreeSet<&EditId> = edits.iter().flat_map(|(_, edit)| &edit.after).collect();
    let mut heads: Vec<_> =
        edits.iter().map(|(id, _)| id).filter(|id| !followed.contains(id)).cloned().collect();
    heads.sort();
    heads
}

/// The attempts that no other followed: whose status is the run's.
pub fn open_ends(attempts: &[Facts]) -> Vec<&Facts> {
    let followed: BTreeSet<&AttemptId> = attempts.iter().flat_map(|facts| &facts.after).collect();
    let is_end = |facts: &&Facts| facts.attempt.as_ref().is_some_and(|id| !followed.contains(id));
    let ends: Vec<_> = attempts.iter().filter(is_end).collect();
    // A forged cycle leaves none: then all count.
    if ends.is_empty() { attempts.iter().collect() } else { ends }
}

fn inside(path: &str, problem: Problem) -> Problem {
    Problem { message: format!("'{path}' {}", problem.message), ..problem }
}

/// What lies in the files, read and checked one by one.
#[derive(Default)]
struct Parts {
    identity: Option<Facts>,
    attempts: Vec<Facts>,
    edits: Vec<(EditId, Edit)>,
    environments: BTreeMap<Option<AttemptId>, Table>,
    /// By owner and sha256 of the file.
    pointers: BTreeMap<(String, String), Vec<Pointer>>,
    disputed: BTreeSet<String>,
}

impl Parts {
    fn take(&mut self, path: &str, bytes: &[u8]) -> Result<(), Problem> {
        match Place::parse(path)? {
            Place::Run => {
                let facts = Facts::from_table(&text::read(bytes)?)?;
                if facts.attempt.is_some() {
                    self.attempts.push(facts.clone());
                }
                self.identity = Some(facts);
            }
            Place::Attempt(id) => {
                let facts = Facts::from_table(&text::read(bytes)?)?;
                if facts.attempt.as_ref() != Some(&id) {
                    return Err(bad("attempt"));
                }
                self.attempts.push(facts);
            }
            Place::Edit(id) => {
                let edit = Edit::decode(&id, bytes)?;
                self.edits.push((id, edit));
            }
            Place::Environment(attempt) => {
                self.environments.insert(attempt, text::read(bytes)?);
            }
            Place::AttemptArtifacts(id) => self.take_pointers(id.as_str(), bytes)?,
            Place::EditArtifacts(id) => self.take_pointers(id.as_str(), bytes)?,
            Place::Disputed { path, .. } => {
                self.disputed.insert(path);
            }
            Place::Metrics
            | Place::Events
            | Place::Inline
            | Place::ConsoleHead
            | Place::ConsoleTail
            | Place::Tombstone => {}
        }
        Ok(())
    }

    fn take_pointers(&mut self, owner: &str, bytes: &[u8]) -> Result<(), Problem> {
        self.pointers.insert((owner.to_owned(), sha256(bytes)), pointer::decode(bytes)?);
        Ok(())
    }

    /// The run's key, once all files say they are of this run.
    fn identify(&self, id: &RunId) -> Result<Option<String>, Problem> {
        let identity = self.identity.as_ref().ok_or_else(|| Problem::new(format!("has no '{RUN}'")))?;
        let mut attempts = BTreeSet::new();
        for facts in std::iter::once(identity).chain(&self.attempts) {
            if facts.id != *id {
                return Err(Problem::new(format!("holds the facts of another run, '{}'", facts.id)));
            }
        }
        for facts in &self.attempts {
            if !attempts.insert(&facts.attempt) {
                return Err(Problem::new("holds the facts of one attempt twice"));
            }
        }
        Ok(identity.key.clone())
    }
}

/// Topological by `after`; among those ready the one that started first, then the smallest id.
fn order_attempts(attempts: Vec<Facts>) -> Vec<Facts> {
    let first = attempts.iter().map(|facts| (facts.started, facts.attempt.clone())).collect();
    let keys: Vec<(Option<Time>, Option<AttemptId>)> = first;
    let place: BTreeMap<_, _> = keys.iter().enumerate().map(|(index, key)| (key.1.clone(), index)).collect();
    let after = |index: usize| -> Vec<usize> {
        attempts[index].after.iter().filter_map(|id| place.get(&Some(id.clone())).copied()).collect()
    };
    let order = topological(&keys, after);
    permute(attempts, &order)
}

/// Topological by `after`; among those ready the smallest id.
fn order_edits(edits: Vec<(EditId, Edit)>) -> Vec<(EditId, Edit)> {
    let keys: Vec<_> = edits.iter().map(|(id, _)| id.clone()).collect();
    let place: BTreeMap<_, _> = keys.iter().enumerate().map(|(index, id)| (id, index)).collect();
    let after = |index: usize| -> Vec<usize> {
        edits[index].1.after.iter().filter_map(|id| place.get(id).copied()).collect()
    };
    let order = topological(&keys, after);
    permute(edits, &order)
}

/// The order of the items with these keys: predecessors first, the smallest ready key next. Where a forged cycle
/// leaves none ready, the smallest left goes first.
fn topological<K: Ord>(keys: &[K], after: impl Fn(usize) -> Vec<usize>) -> Vec<usize> {
    let waits: Vec<BTreeSet<usize>> =
        (0..keys.len()).map(|index| after(index).into_iter().collect()).collect();
    let mut followers = vec![Vec::new(); keys.len()];
    let mut missing: Vec<usize> = waits.iter().map(BTreeSet::len).collect();
    for (index, before) in waits.iter().enumerate() {
        before.iter().for_each(|earlier| followers[*earlier].push(index));
    }
    let mut left: BTreeSet<(&K, usize)> = keys.iter().enumerate().map(|(index, key)| (key, index)).collect();
    let mut ready: BTreeSet<(&K, usize)> =
        left.iter().filter(|(_, index)| missing[*index] == 0).copied().collect();
    let mut order = Vec::with_capacity(keys.len());
    while let Some(next) = ready.first().or(left.first()).copied() {
        ready.remove(&next);
        left.remove(&next);
        order.push(next.1);
        for follower in &followers[next.1] {
            missing[*follower] -= 1;
            let item = (&keys[*follower], *follower);
            if missing[*follower] == 0 && left.contains(&item) {
                ready.insert(item);
            }
        }
    }
    order
}

fn permute<T>(items: Vec<T>, order: &[usize]) -> Vec<T> {
    let mut items: Vec<Option<T>> = items.into_iter().map(Some).collect();
    order.iter().filter_map(|index| items[*index].take()).collect()
}

fn from_attempts(id: &RunId, key: Option<String>, attempts: &[Facts]) -> Run {
    let ends = open_ends(attempts);
    let mut run = empty(id, key);
    run.status = ends.iter().map(|facts| facts.status).max().unwrap_or(Status::Unknown);
    run.started = attempts.iter().filter_map(|facts| facts.started).min();
    let is_open = ends.iter().any(|facts| facts.status == Status::Running);
    run.ended = attempts.iter().filter_map(|facts| facts.ended).max().filter(|_| !is_open);
    for facts in attempts {
        add_attempt(&mut run, facts);
    }
    run
}

fn add_attempt(run: &mut Run, facts: &Facts) {
    let later = |old: &mut Option<String>, new: &Option<String>| {
        if new.is_some() {
            old.clone_from(new);
        }
    };
    later(&mut run.name, &facts.name);
    later(&mut run.experiment, &facts.experiment);
    later(&mut run.user, &facts.user);
    later(&mut run.host, &facts.host);
    later(&mut run.parent, &facts.parent);
    later(&mut run.group, &facts.group);
    run.exit_code = facts.exit_code;
    run.signal.clone_from(&facts.signal);
    if !facts.command.is_empty() {
        run.command.clone_from(&facts.command);
        run.cwd.clone_from(&facts.cwd);
    }
    if facts.code.is_some() {
        run.code.clone_from(&facts.code);
    }
    overlay(&mut run.params, &facts.params);
    for (name, summary) in &facts.metrics {
        run.metrics
            .entry(name.clone())
            .and_modify(|so_far| so_far.then(summary))
            .or_insert_with(|| summary.clone());
    }
    run.definitions.extend(facts.definitions.clone());
    facts.tags.iter().for_each(|tag| add_tag(&mut run.tags, tag));
    let owner = facts.attempt.as_ref().map(ToString::to_string).unwrap_or_default();
    run.notes.extend(facts.notes.iter().enumerate().map(|(index, text)| Note {
        id: format!("{owner}/{}", index + 1),
        text: text.clone(),
        by: facts.user.clone(),
        at: facts.started,
    }));
    for input in &facts.inputs {
        run.inputs.retain(|known| known.name != input.name);
        run.inputs.push(input.clone());
    }
}

/// Adds a tag; a later `key=…` replaces an earlier one.
fn add_tag(tags: &mut Vec<String>, tag: &str) {
    if let Some((key, _)) = tag.split_once('=') {
        tags.retain(|known| known.split_once('=').is_none_or(|(other, _)| other != key));
    }
    if !tags.iter().any(|known| known == tag) {
        tags.push(tag.to_owned());
    }
}

/// Takes a tag away, by the whole of it or by the key of a `key=value`.
fn remove_tag(tags: &mut Vec<String>, tag: &str) {
    tags.retain(|known| known != tag && known.split_once('=').is_none_or(|(key, _)| key != tag));
}

fn environment_of(facts: &Facts, environments: &mut BTreeMap<Option<AttemptId>, Table>) -> Option<Table> {
    environments.remove(&facts.attempt).or_else(|| environments.remove(&None))
}

/// The pointers that facts and edits name by digest; a file that none names is not theirs.
fn artifacts_of(
    attempts: &[Facts],
    edits: &[(EditId, Edit)],
    pointers: &BTreeMap<(String, String), Vec<Pointer>>,
) -> Result<Vec<OwnedPointer>, Problem> {
    let by_attempts = attempts.iter().filter_map(|facts| {
        let total = facts.artifacts.as_ref()?;
        Some((facts.attempt.as_ref()?.to_string(), total.sha256.clone()))
    });
    let by_edits = edits.iter().filter_map(|(id, edit)| Some((id.to_string(), edit.artifacts.clone()?)));
    let mut found = Vec::new();
    for named in by_attempts.chain(by_edits) {
        let owned =
            pointers.get(&named).into_iter().flatten().enumerate().map(|(index, pointer)| OwnedPointer {
                id: format!("{}/a{}", named.0, index + 1),
                owner: named.0.clone(),
                pointer: pointer.clone(),
            });
        found.extend(owned);
    }
    Ok(found)
}

fn apply(run: &mut Run, attempts: &[Facts], edits: &[(EditId, Edit)]) {
    let mut statuses: BTreeMap<&AttemptId, Status> = open_ends(attempts)
        .into_iter()
        .filter_map(|facts| Some((facts.attempt.as_ref()?, facts.status)))
        .collect();
    let mut withdrawn = BTreeSet::new();
    for (id, edit) in edits {
        apply_one(run, id, edit);
        withdrawn.extend(edit.withdrawn.iter().cloned());
        edit.reinstated.iter().for_each(|thing| {
            withdrawn.remove(thing);
        });
        for attempt in edit.verdict.iter().flat_map(|verdict| &verdict.attempts) {
            if let (Some(status), Some(verdict)) = (statuses.get_mut(attempt), &edit.verdict) {
                *status = verdict.status;
            }
        }
    }
    if let Some(worst) = statuses.values().max() {
        run.status = *worst;
    }
    run.notes.retain(|note| !withdrawn.contains(&note.id));
    run.artifacts.retain(|artifact| !withdrawn.contains(&artifact.id));
}

fn apply_one(run: &mut Run, id: &EditId, edit: &Edit) {
    if edit.name.is_some() {
        run.name.clone_from(&edit.name);
    }
    if edit.experiment.is_some() {
        run.experiment.clone_from(&edit.experiment);
    }
    edit.tags_removed.iter().for_each(|tag| remove_tag(&mut run.tags, tag));
    edit.tags_added.iter().for_each(|tag| add_tag(&mut run.tags, tag));
    if let Some(text) = &edit.note {
        run.notes.push(Note {
            id: format!("{id}/1"),
            text: text.clone(),
            by: Some(edit.by.clone()),
            at: Some(edit.at),
        });
    }
    for (name, number) in &edit.metrics {
        run.metrics.insert(name.clone(), Summary::plain(*number));
    }
    edit.metrics_hidden.iter().for_each(|name| {
        run.metrics.shift_remove(name);
    });
    overlay(&mut run.params, &edit.params);
    if let Some(deleted) = edit.deleted {
        run.deleted = deleted;
    }
}

/// Reads the tombstone of a purged run.
pub fn tombstone(bytes: &[u8]) -> Result<Tombstone, Problem> {
    let table = text::read(bytes)?;
    let reader = Reader(&table);
    reader.format()?;
    Ok(Tombstone {
        by: reader.text("by")?.ok_or_else(|| bad("by"))?,
        at: reader.time("at")?.ok_or_else(|| bad("at"))?,
        why: reader.text("why")?.unwrap_or_default(),
    })
}

fn buried(id: &RunId, stone: Tombstone) -> Run {
    Run { deleted: true, tombstone: Some(stone), ..empty(id, None) }
}

fn empty(id: &RunId, key: Option<String>) -> Run {
    Run {
        id: id.clone(),
        key,
        name: None,
        experiment: None,
        status: Status::Unknown,
        started: None,
        ended: None,
        exit_code: None,
        signal: None,
        user: None,
        host: None,
        command: Vec::new(),
        cwd: None,
        code: None,
        params: Table::new(),
        metrics: IndexMap::new(),
        definitions: IndexMap::new(),
        tags: Vec::new(),
        notes: Vec::new(),
        inputs: Vec::new(),
        artifacts: Vec::new(),
        attempts: Vec::new(),
        edits: Vec::new(),
        parent: None,
        group: None,
        deleted: false,
        environment: None,
        disputed: Vec::new(),
        tombstone: None,
    }
}
