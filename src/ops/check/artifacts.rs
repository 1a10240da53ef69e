//! The bytes of artifacts: in the record or in the store of this clone, the right ones if that is asked for; where they
//! might be if they are missing.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::human;
use crate::ops::check::{Candidate, Fault, Look, Mend, Report, Severity, What};
use crate::run::id::{RunId, sha256};
use crate::run::value::Value;
use crate::run::{OwnedPointer, Run};
use crate::store::{Link, Store};
use crate::tracker::Tracker;

/// How many runs are named with an artifact that several share.
const NAMED_MAX: usize = 3;

/// An artifact whose bytes are in a store.
pub(super) struct Needed {
    /// The run that names it.
    pub id: RunId,
    /// The digest of its bytes.
    pub sha256: String,
    /// How many there are.
    pub size: u64,
    /// Its path, as it is shown.
    pub path: String,
    /// Where it was when it was recorded: a folder from the top of the work tree, and a machine.
    pub cwd: Option<String>,
    /// That machine.
    pub host: Option<String>,
    /// The remotes that have the run.
    pub remotes: Vec<String>,
    /// Whether this clone recorded the run, so that the bytes should be here.
    pub is_ours: bool,
}

/// The artifacts of a run that a store has to have; those in its record are looked at.
pub(super) fn needed(
    look: &Look<'_>,
    store: &Store,
    candidate: &Candidate,
    run: &Run,
    tip: &Link,
    faults: &mut Vec<Fault>,
) -> Vec<Needed> {
    let (inline, stored): (Vec<_>, Vec<_>) =
        run.artifacts.iter().partition(|artifact| artifact.pointer.inline);
    let is_compared = look.options.artifacts || look.options.full;
    for artifact in inline {
        if let Err(why) = check_inline(store, tip, artifact, is_compared) {
            let message = format!("the artifact '{}' {why}", shown(&artifact.pointer.path));
            let advice = format!("`git xtrack verify {}` tells who brought it", candidate.id);
            faults.push(
                Fault::new(What::Artifact, Severity::Error, &candidate.place, message)
                    .of(&candidate.id)
                    .advise(advice),
            );
        }
    }
    let of_place =
        |place: &str| Some(place.strip_prefix("refs/xtrack/remotes/")?.split_once("/runs/")?.0.to_owned());
    let remotes: Vec<String> = candidate
        .remote
        .clone()
        .into_iter()
        .chain(candidate.copies.iter().filter_map(|(place, _)| of_place(place)))
        .collect();
    let needed = |artifact: &OwnedPointer| {
        let facts = run
            .attempts
            .iter()
            .find(|facts| facts.attempt.as_ref().is_some_and(|id| id.as_str() == artifact.owner));
        Needed {
            id: candidate.id.clone(),
            sha256: artifact.pointer.sha256.clone(),
            size: artifact.pointer.size,
            path: shown(&artifact.pointer.path),
            cwd: facts.and_then(|facts| facts.cwd.as_ref()?.as_text().map(str::to_owned)),
            host: facts.and_then(|facts| facts.host.clone()),
            remotes: remotes.clone(),
            is_ours: look.recorded.contains(&candidate.id) && !run.deleted,
        }
    };
    stored.into_iter().map(needed).collect()
}

/// Whether the bytes of an artifact that is in the record are there, and are the ones.
pub(super) fn check_inline(
    store: &Store,
    tip: &Link,
    artifact: &OwnedPointer,
    is_compared: bool,
) -> Result<(), String> {
    let path = artifact.pointer.inline_path(&artifact.owner);
    let oid = tip.files.get(&path).ok_or_else(|| format!("is not in the record, at '{path}'"))?;
    if !is_compared {
        return Ok(());
    }
    let bytes = store.whole_blob(oid).map_err(|lack| crate::ops::check::record::told(&lack))?;
    let is_it = bytes.len() as u64 == artifact.pointer.size && sha256(&bytes) == artifact.pointer.sha256;
    if is_it {
        Ok(())
    } else {
        Err(format!("is not what its digest says (sha256 {})", artifact.pointer.sha256))
    }
}

/// Looks for the artifacts in the store of this clone.
pub(super) fn check(tracker: &Tracker, look: &Look<'_>, needed: Vec<Needed>, report: &mut Report) {
    let mut by_digest: BTreeMap<(String, u64), Vec<Needed>> = BTreeMap::new();
    for one in needed {
        by_digest.entry((one.sha256.clone(), one.size)).or_default().push(one);
    }
    for ((digest, size), of) in by_digest {
        let path = look.artifacts.path(&digest);
        let is_compared = look.options.artifacts || look.options.full;
        match path.metadata() {
            Ok(file) if file.len() == size => {
                report.artifacts += 1;
                if is_compared {
                    report.compared += size;
                    if let Err(error) = look.artifacts.open_checked(&digest) {
                        report.faults.push(broken(tracker, &of, &path, &format!("is damaged: {error:#}")));
                    }
                }
            }
            Ok(file) => {
                let why = format!(
                    "is damaged: it has {} instead of {}",
                    human::size(file.len()),
                    human::size(size)
                );
                report.faults.push(broken(tracker, &of, &path, &why));
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                report.faults.push(missing(tracker, &of))
            }
            Err(error) => {
                report.faults.push(broken(tracker, &of, &path, &format!("cannot be read: {error}")))
            }
        }
    }
}

fn broken(tracker: &Tracker, of: &[Needed], path: &std::path::Path, why: &str) -> Fault {
    let message = format!("the artifact '{}' ({}) {why}", of[0].path, runs(of));
    with_source(
        tracker,
        of,
        Fault::new(What::Artifact, Severity::Error, path.display().to_string(), message).of(&of[0].id),
    )
}

fn missing(tracker: &Tracker, of: &[Needed]) -> Fault {
    let is_ours = of.iter().any(|one| one.is_ours);
    let severity = if is_ours { Severity::Warning } else { Severity::Note };
    let message = format!("the artifact '{}' ({}) is not here", of[0].path, runs(of));
    with_source(
        tracker,
        of,
        Fault::new(What::Artifact, severity, format!("sha256:{}", of[0].sha256), message).of(&of[0].id),
    )
}

fn runs(of: &[Needed]) -> String {
    let shown: Vec<String> = of.iter().take(NAMED_MAX).map(|one| format!("'{}'", one.id)).collect();
    let more = of.len().saturating_sub(NAMED_MAX);
    let tail = if more > 0 { format!(" and {more} more") } else { String::new() };
    let size = human::size(of[0].size);
    format!("{size}, of run {}{tail}", shown.join(", "))
}

/// Tells where the bytes might be; a file of the work tree that has them is where they are taken from.
fn with_source(tracker: &Tracker, of: &[Needed], fault: Fault) -> Fault {
    let aside = tracker.artifacts.aside(&of[0].sha256);
    if aside.metadata().is_ok_and(|file| file.len() == of[0].size) {
        let advice = "a killed `git xtrack gc` had put it aside: `git xtrack fsck --repair` takes it back";
        return fault.advise(advice).mended_by(Mend::Artifact(aside, of[0].sha256.clone()));
    }
    if let Some(file) = in_work_tree(tracker, of) {
        let advice = format!(
            "`git xtrack fsck --repair` takes it from '{}', if that is still the same",
            file.display()
        );
        return fault.advise(advice).mended_by(Mend::Artifact(file, of[0].sha256.clone()));
    }
    let mut places: Vec<String> = of
        .iter()
        .flat_map(|one| &one.remotes)
        .map(|remote| format!("where '{remote}' keeps artifacts"))
        .collect();
    places.extend(
        of.iter().filter_map(|one| Some(format!("on '{}', where it was recorded", one.host.as_ref()?))),
    );
    places.sort();
    places.dedup();
    match places.is_empty() {
        true => fault.advise(format!(
            "put the file back into the work tree as '{}', then `git xtrack fsck --repair`",
            of[0].path
        )),
        false => fault.advise(format!(
            "it may be {}; from a clone that has it: `git xtrack push PATH {}`",
            places.join(", or "),
            of[0].id
        )),
    }
}

/// A file of the work tree that may hold the bytes: where the run had it, as long.
fn in_work_tree(tracker: &Tracker, of: &[Needed]) -> Option<PathBuf> {
    let top = tracker.store.work_tree()?;
    let candidates = of.iter().flat_map(|one| {
        let cwd = one.cwd.as_deref().unwrap_or_default();
        [top.join(cwd).join(&one.path), top.join(&one.path)]
    });
    let mut there = candidates.filter(|path| {
        // Nothing that a record names leads out of the work tree.
        let is_below = path.canonicalize().is_ok_and(|real| real.starts_with(top));
        is_below && path.metadata().is_ok_and(|file| file.is_file() && file.len() == of[0].size)
    });
    there.next()
}

/// A path as it is shown.
pub(super) fn shown(path: &Value) -> String {
    match path {
        Value::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        text => text.as_text().unwrap_or_default().to_owned(),
    }
}
