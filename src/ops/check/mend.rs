//! Putting faults right, as far as that needs no guess: nothing is taken away that holds a word.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};

use crate::error::Problem;
use crate::human;
use crate::ops::check::{Fault, Mend, Report, record};
use crate::ops::live::recover;
use crate::ops::sync::check as incoming;
use crate::run::id::RunId;
use crate::run::join::{self, Ancestry};
use crate::run::record::Files;
use crate::store::mend::Rewrite;
use crate::store::{Content, Known, Oid, Store, Target};
use crate::tracker::Tracker;

/// How often a record is tried again that others change meanwhile.
const TRIES_MAX: usize = 20;
/// What the commit of a record says that takes its own form.
const MESSAGE: &str = "Put the record into its form";

/// What is answered to a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Yes.
    Yes,
    /// No.
    No,
    /// Nothing: nobody is here.
    Nobody,
}

/// Puts right what it can; `ask` is asked before a run's ref is pointed elsewhere. What nobody answers waits, and keeps
/// nothing else from being put right.
pub fn repair(tracker: &Tracker, report: &mut Report, ask: &dyn Fn(&str) -> Result<Answer>) -> Result<()> {
    recover::clear_locks(tracker);
    for fault in report.faults.iter_mut().filter(|fault| fault.mend.is_some()) {
        let answer = match &fault.mend {
            Some(Mend::Ref(..)) => ask(&format!("{}: {}; put it back?", fault.place, fault.message))?,
            _ => Answer::Yes,
        };
        fault.outcome = match answer {
            Answer::Yes => Some(mend(tracker, fault).map_err(|error| format!("{error:#}"))),
            Answer::No => None,
            Answer::Nobody => Some(Err("it waits for an answer, which `--yes` gives".to_owned())),
        };
    }
    Ok(())
}

fn mend(tracker: &Tracker, fault: &Fault) -> Result<String> {
    let run = || fault.run.as_ref().context("it is no fault of a run");
    match fault.mend.as_ref().context("it cannot be put right from here")? {
        Mend::Ref(target, copies) => put_back(tracker, run()?, target, copies),
        Mend::Words(commits) => take_up(tracker, run()?, commits),
        Mend::Form => normalise(tracker, run()?),
        Mend::Code(state) => keep_code(tracker, state),
        Mend::Artifact(file, digest) => take_bytes(tracker, file, digest),
        Mend::Journals => recover_all(tracker),
        Mend::Leftover(path) => {
            tracker.store.remove_left_over(path)?;
            Ok("it is removed".to_owned())
        }
        Mend::Index => {
            tracker.rebuild_index()?;
            Ok("it is built anew".to_owned())
        }
    }
}

/// Keeps a code state by the ref that bears its name, also where that was pointed elsewhere: what it points at then is a
/// code state of its own name, or none of ours.
fn keep_code(tracker: &Tracker, state: &Oid) -> Result<String> {
    let (store, name) = (&tracker.store, Store::code_ref(state));
    match store.found_refs()?.refs.remove(&name).map(|found| found.target) {
        Some(Target::Object(other)) if other != *state => {
            let changed = store.change_refs(&[(name, other, state.clone())])?;
            changed.into_iter().try_for_each(|changed| changed.map(drop))?;
        }
        _ => store.keep_code_states(std::slice::from_ref(state))?,
    }
    Ok("a ref keeps it now".to_owned())
}

/// Points a run's ref at the copy of it that is sound and furthest on.
fn put_back(tracker: &Tracker, id: &RunId, target: &Target, copies: &[(String, Oid)]) -> Result<String> {
    let store = &tracker.store;
    let is_sound = |tip: &Oid| -> Result<()> {
        incoming::check(store, id, tip, &Known::default())?;
        let chain = store.chain(tip, &record::is_read)?;
        match chain.troubles.first() {
            Some(trouble) => {
                Err(Problem::new(format!("{} {}", trouble.role, record::told(&trouble.lack))).into())
            }
            None => Ok(()),
        }
    };
    let mut best: Option<&(String, Oid)> = None;
    let mut why = None;
    for copy in copies {
        if let Err(error) = is_sound(&copy.1) {
            why = Some(error.context(format!("the copy at '{}' is no better", copy.0)));
            continue;
        }
        best = match best {
            Some(known) if store.ancestry(&known.1, &copy.1)? != Ancestry::Behind => Some(known),
            _ => Some(copy),
        };
    }
    let Some((place, tip)) = best else {
        return Err(why.unwrap_or_else(|| Problem::new("there is no copy of it").into()));
    };
    store.put_back(id, target, tip)?;
    Ok(format!("it is put back from '{place}', at {tip}"))
}

/// Joins a record with commits of its own history, so that it says again what they say.
fn take_up(tracker: &Tracker, id: &RunId, commits: &[Oid]) -> Result<String> {
    let store = &tracker.store;
    for commit in commits {
        retry(|| {
            let tip = store.run_tip(id)?.context("the run is gone")?;
            let (before, now) = (store.blobs(commit)?, store.blobs(&tip)?);
            if record::missing_in(store, &before, &now)?.is_empty() {
                return Ok(());
            }
            let (joined, _) = record::joined(store, &before, &now)?;
            incoming::check_files(id, &joined).context("together they cannot be read")?;
            let merge = store.merge(id, &tip, commit, contents(joined, &[&before, &now], store)?)?;
            store.land(vec![merge])?.pop().context("one was written")?.map(|_| ())
        })?;
    }
    Ok("it says all of it again".to_owned())
}

fn normalise(tracker: &Tracker, id: &RunId) -> Result<String> {
    let store = &tracker.store;
    retry(|| {
        let tip = store.run_tip(id)?.context("the run is gone")?;
        let blobs = store.blobs(&tip)?;
        let (normal, files) = record::joined(store, &blobs, &blobs)?;
        debug_assert_eq!(normal, join::normalise(&files)?);
        if normal == files {
            return Ok(());
        }
        let files = contents(normal, &[&blobs], store)?;
        let rewrite = Rewrite { id, tip: &tip, files, message: MESSAGE, at: tracker.now() };
        store.rewrite_run(rewrite).map(|_| ())
    })?;
    Ok("it has its own form now".to_owned())
}

/// Tries again what another process came between.
fn retry(work: impl Fn() -> Result<()>) -> Result<()> {
    for _ in 1..TRIES_MAX {
        match work() {
            Err(error) if error.is::<crate::store::Moved>() => {}
            other => return other,
        }
    }
    work()
}

/// Files by their blobs, where there are such.
fn contents(
    files: Files,
    sources: &[&BTreeMap<String, Oid>],
    store: &Store,
) -> Result<BTreeMap<String, Content>> {
    let mut known: BTreeMap<Vec<u8>, Oid> = BTreeMap::new();
    for oid in sources.iter().flat_map(|blobs| blobs.values()) {
        known.insert(incoming::unread(oid), oid.clone());
    }
    for (path, oid) in sources.iter().flat_map(|blobs| blobs.iter()).filter(|(path, _)| record::is_read(path))
    {
        let bytes = store
            .whole_blob(oid)
            .map_err(|lack| Problem::new(format!("'{path}' {}", record::told(&lack))))?;
        known.insert(bytes, oid.clone());
    }
    let content = |bytes: Vec<u8>| match known.get(&bytes) {
        Some(oid) => Content::Blob(oid.clone()),
        None => Content::Bytes(bytes),
    };
    Ok(files.into_iter().map(|(path, bytes)| (path, content(bytes))).collect())
}

/// Takes an artifact's bytes from a file, if they are still the ones.
fn take_bytes(tracker: &Tracker, file: &std::path::Path, digest: &str) -> Result<String> {
    let stored = tracker.artifacts.add(file)?;
    match stored.sha256 == digest {
        true => Ok(format!("its bytes are taken from '{}'", file.display())),
        false => Err(Problem::new(format!("'{}' is not what was recorded any more", file.display())).into()),
    }
}

fn recover_all(tracker: &Tracker) -> Result<String> {
    let outcome = recover::recover(tracker, &recover::Wanted::default())?;
    match outcome.failed.into_iter().next() {
        Some(failed) => Err(failed.error.context(format!("cannot recover '{}'", failed.folder))),
        None => Ok(match outcome.recovered.len() {
            0 => "it is recorded".to_owned(),
            count => format!("{} recorded", human::count(count, "run")),
        }),
    }
}
