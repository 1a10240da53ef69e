//! Refs of ours: their names, what they point at, and what else of git's settings could take them away.

use std::collections::{BTreeMap, BTreeSet};

use crate::ops::check::{Candidate, Fault, Mend, Options, Severity, What};
use crate::run::id::{RunId, is_hex};
use crate::store::{FoundRef, FoundRefs, Oid, Store, Target};
use crate::tracker::Tracker;

/// Below this lie the refs that were fetched from remotes: `<remote>/runs/<id>`.
const REMOTES: &str = "refs/xtrack/remotes/";
const CODE: &str = "refs/xtrack/code/";

/// Tells what is wrong with the refs; the runs whose records can be looked at.
pub fn check(
    tracker: &Tracker,
    refs: &FoundRefs,
    options: &Options,
    faults: &mut Vec<Fault>,
) -> Vec<Candidate> {
    let is_wanted = |id: &RunId| options.runs.as_ref().is_none_or(|runs| runs.contains(id));
    let mut candidates: BTreeMap<RunId, Candidate> = BTreeMap::new();
    let copies = copies_of(refs);
    let known = RemoteNames(tracker.store.remote_names());
    for found in refs.refs.values() {
        let ours = found.name.strip_prefix(tracker.store.runs_prefix());
        let theirs = found.name.strip_prefix(REMOTES).and_then(|rest| rest.rsplit_once('/'));
        match (ours, theirs) {
            (Some(name), _) => match RunId::parse(name) {
                Some(id) if is_wanted(&id) => {
                    let copies = copies.get(&id).cloned().unwrap_or_default();
                    let candidate = check_ours(tracker, found, id.clone(), copies, faults);
                    candidate.map(|candidate| candidates.insert(id, candidate));
                }
                Some(_) => {}
                None if options.runs.is_none() && !name.starts_with("archive/") => {
                    faults.push(misnamed(found))
                }
                None => {}
            },
            (None, Some((place, name))) if place.ends_with("/runs") || RunId::parse(name).is_some() => {
                match RunId::parse(name) {
                    Some(id) if is_wanted(&id) => check_theirs(tracker, found, &id, place, &known, faults),
                    Some(_) => {}
                    None if options.runs.is_none() => faults.push(misnamed(found)),
                    None => {}
                }
            }
            _ if options.runs.is_none() => check_other(tracker, found, faults),
            _ => {}
        }
    }
    add_fetched(refs, &copies, &is_wanted, &mut candidates);
    if options.runs.is_none() {
        let unreadable = |why: &String| {
            let message = format!("refs cannot be read: {why}");
            let advice =
                "`git pack-refs --all` says more; a copy of the file, or the remote, has what it held";
            Fault::new(What::Ref, Severity::Error, "refs", message).advise(advice)
        };
        faults.extend(refs.unreadable.iter().map(unreadable));
    }
    candidates.into_values().collect()
}

struct RemoteNames(Vec<String>);

/// The refs of copies of each run that were fetched, with what they point at.
fn copies_of(refs: &FoundRefs) -> BTreeMap<RunId, Vec<(String, Oid)>> {
    let mut copies: BTreeMap<RunId, Vec<(String, Oid)>> = BTreeMap::new();
    for found in refs.refs.values() {
        let id = found.name.strip_prefix(REMOTES).and_then(|rest| RunId::parse(rest.rsplit_once('/')?.1));
        if let (Some(id), Target::Object(tip)) = (id, &found.target) {
            copies.entry(id).or_default().push((found.name.clone(), tip.clone()));
        }
    }
    copies
}

fn check_ours(
    tracker: &Tracker,
    found: &FoundRef,
    id: RunId,
    mut copies: Vec<(String, Oid)>,
    faults: &mut Vec<Fault>,
) -> Option<Candidate> {
    let why = match &found.target {
        Target::Object(tip) => match tracker.store.kind_of(tip).as_deref() {
            Some("commit") => {
                let (place, tip) = (found.name.clone(), tip.clone());
                return Some(Candidate { id, place, tip, remote: None, copies });
            }
            Some(other) => format!("it points at a {other}, not at a commit"),
            None => format!("it points at {tip}, which is not here"),
        },
        Target::Symbolic(other) => format!("it is a symbolic ref to '{other}'"),
        Target::Damaged(why) => why.clone(),
    };
    copies.extend(found.packed.clone().map(|tip| ("packed-refs".to_owned(), tip)));
    let fault =
        Fault::new(What::Ref, Severity::Error, &found.name, format!("the run's ref cannot be used: {why}"));
    let fault = fault.of(&id);
    let usual = usual_remote(tracker).unwrap_or_else(|| "REMOTE".to_owned());
    faults.push(match copies.is_empty() {
        true => fault.advise(format!(
            "`git update-ref -d {}`, then `git fetch {usual} refs/runs/{id}:{}` from where the run is whole",
            found.name, found.name
        )),
        false => {
            let from: Vec<&str> = copies.iter().map(|(place, _)| place.as_str()).collect();
            let advice = format!("`git xtrack fsck --repair` puts it back from '{}'", from.join("' or '"));
            fault.advise(advice).mended_by(Mend::Ref(found.target.clone(), copies))
        }
    });
    None
}

fn check_theirs(
    tracker: &Tracker,
    found: &FoundRef,
    id: &RunId,
    place: &str,
    known: &RemoteNames,
    faults: &mut Vec<Fault>,
) {
    let remote = place.strip_suffix("/runs").unwrap_or(place);
    let again = match known.0.iter().any(|name| name == remote) {
        true => format!("`git update-ref -d {}`, then `git xtrack fetch {remote}`", found.name),
        false => format!("`git update-ref -d {}`", found.name),
    };
    let why = match &found.target {
        Target::Object(tip) => match tracker.store.kind_of(tip).as_deref() {
            Some("commit") => return,
            Some(other) => format!("it points at a {other}, not at a commit"),
            None => format!("it points at {tip}, which is not here"),
        },
        Target::Symbolic(other) => format!("it is a symbolic ref to '{other}'"),
        Target::Damaged(why) => why.clone(),
    };
    let message = format!("what was fetched from '{remote}' cannot be used: {why}");
    faults.push(Fault::new(What::Ref, Severity::Warning, &found.name, message).of(id).advise(again));
}

/// A ref of ours that names no run: code states, what an operation dropped.
fn check_other(tracker: &Tracker, found: &FoundRef, faults: &mut Vec<Fault>) {
    let state = found.name.strip_prefix(CODE);
    let is_here = |state: &str| tracker.store.kind_of(&state.to_owned()).as_deref() == Some("commit");
    let why = match (&found.target, state) {
        (Target::Object(tip), Some(name)) if is_oid(name) && name != tip => {
            format!("it keeps {tip}, not the code state that its name says")
        }
        (Target::Object(_), Some(name)) if !is_oid(name) => "its name is no code state".to_owned(),
        (Target::Object(tip), _) => match (tracker.store.kind_of(tip), state) {
            (Some(kind), Some(_)) if kind != "commit" => format!("it points at a {kind}, not at a commit"),
            (Some(_), _) => return,
            (None, _) => format!("it points at {tip}, which is not here"),
        },
        (Target::Symbolic(other), _) => format!("it is a symbolic ref to '{other}'"),
        (Target::Damaged(why), _) => why.clone(),
    };
    let advice = format!(
        "`git update-ref -d {}` removes it; the run that names the state says so by itself",
        found.name
    );
    let fault =
        Fault::new(What::Ref, Severity::Warning, &found.name, format!("the ref cannot be used: {why}"));
    faults.push(match state {
        Some(state) if is_oid(state) && is_here(state) => fault.mended_by(Mend::Code(state.to_owned())),
        Some(_) => fault.advise(advice),
        None => fault.advise(format!("`git update-ref -d {}` removes it", found.name)),
    });
}

fn misnamed(found: &FoundRef) -> Fault {
    let advice = format!("`git show {0}` shows it; `git update-ref -d {0}` removes it", found.name);
    Fault::new(What::Ref, Severity::Warning, &found.name, "its name is no run's id, and nothing reads it")
        .advise(advice)
}

/// Runs that were fetched and of which we have none of our own.
fn add_fetched(
    refs: &FoundRefs,
    copies: &BTreeMap<RunId, Vec<(String, Oid)>>,
    is_wanted: &dyn Fn(&RunId) -> bool,
    candidates: &mut BTreeMap<RunId, Candidate>,
) {
    let ours: BTreeSet<RunId> = refs
        .refs
        .keys()
        .filter_map(|name| {
            RunId::parse(name.rsplit_once('/')?.1).filter(|_| !name.starts_with("refs/xtrack/"))
        })
        .collect();
    for (id, copies) in copies.iter().filter(|(id, _)| is_wanted(id) && !ours.contains(*id)) {
        let Some((place, tip)) = copies.first().cloned() else { continue };
        let remote =
            place.strip_prefix(REMOTES).and_then(|rest| rest.split_once("/runs/")).map(|(name, _)| name);
        let remote = Some(remote.unwrap_or_default().to_owned());
        let candidate = Candidate { id: id.clone(), place, tip, remote, copies: copies[1..].to_vec() };
        candidates.insert(id.clone(), candidate);
    }
}

/// Code states that runs recorded here name, are here, and are kept by no ref.
pub fn check_code(refs: &FoundRefs, states: BTreeMap<Oid, RunId>, faults: &mut Vec<Fault>) {
    for (state, id) in states {
        let name = Store::code_ref(&state);
        let is_kept = refs.refs.get(&name).is_some_and(|found| found.target == Target::Object(state.clone()));
        if !is_kept {
            let message =
                "no ref keeps the code that it ran; git may remove it once no branch has it".to_owned();
            let fault = Fault::new(What::Code, Severity::Warning, name, message).of(&id);
            faults.push(fault.mended_by(Mend::Code(state)));
        }
    }
}

/// Settings by which a plain fetch would take runs away.
pub fn check_settings(tracker: &Tracker, faults: &mut Vec<Fault>) {
    let store = &tracker.store;
    let settings = store.config_section("remote");
    let spared = |remote: &str| {
        settings.iter().any(|(key, value)| {
            key.rsplit_once('.') == Some((remote, "fetch"))
                && value.strip_prefix('^').is_some_and(|spared| spared.starts_with(store.runs_prefix()))
        })
    };
    for (key, value) in &settings {
        let Some((remote, "fetch")) = key.rsplit_once('.') else { continue };
        let Some((_, target)) = value.strip_prefix('+').unwrap_or(value).split_once(':') else { continue };
        let target = target.trim_end_matches('*');
        let reaches = !target.is_empty()
            && (store.runs_prefix().starts_with(target) || target.starts_with(store.runs_prefix()));
        if !reaches || spared(remote) {
            continue;
        }
        let message = format!(
            "with '{value}', a fetch that prunes or forces takes runs away that '{remote}' does not have"
        );
        let advice = match target == "refs/" {
            true => format!("`git xtrack init {remote}` takes the runs out of it"),
            false => format!("`git config --edit`, and take the line out; then `git xtrack init {remote}`"),
        };
        faults.push(
            Fault::new(What::Setting, Severity::Warning, format!("remote.{key}"), message).advise(advice),
        );
    }
}

/// Objects that lie in another repository, which knows nothing of whoever borrows them.
pub fn check_borrowing(tracker: &Tracker, faults: &mut Vec<Fault>) {
    let lenders = tracker.store.alternates();
    if lenders.is_empty() {
        return;
    }
    let message =
        format!("objects are borrowed from '{}': what goes there is lost here", lenders.join("', '"));
    let advice = "`git repack -a -d` copies them; then remove that file";
    faults.push(Fault::new(What::Setting, Severity::Note, "objects/info/alternates", message).advise(advice));
}

/// A remote from which something may be had again.
pub fn usual_remote(tracker: &Tracker) -> Option<String> {
    let names = tracker.store.remote_names();
    let set = tracker.config.remote.clone().unwrap_or_else(|| "origin".to_owned());
    names.iter().find(|name| **name == set).or(names.first()).cloned()
}

fn is_oid(name: &str) -> bool {
    is_hex(name, 40) || is_hex(name, 64)
}
