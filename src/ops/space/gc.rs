//! What nobody needs any more: bytes of artifacts, code states, what operations dropped, and what killed processes left.
//!
//! Safe beside a `record` and anything else: what is young stays, what is stored again meanwhile stays, and a code state that
//! somebody came to rely on at this very moment gets its ref back. A process that is killed in between leaves nothing half done.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::Result;

use crate::journal::folder::LiveFolder;
use crate::ops::operation;
use crate::ops::space::purge;
use crate::ops::space::survey::{self, Holder, Survey};
use crate::run::id::{RunId, Time};
use crate::store::{Keep, Moved, Oid, Purpose, Store};
use crate::tracker::{Level, Tracker};

/// How young bytes and refs are that somebody may be about to name: who sends large artifacts here takes his time before the
/// runs follow that name them.
const YOUNG: Duration = Duration::from_secs(24 * 3600);
/// How old a temporary file or folder is that nobody can still be at.
const LEFT_OVER_AGE: Duration = Duration::from_secs(24 * 3600);

/// What can go.
pub struct Plan {
    /// Bytes of artifacts that no run names, with their sizes.
    pub nameless: Vec<(String, u64)>,
    /// Bytes that only runs name which were deleted longer than the grace period ago.
    pub deleted: Vec<(String, u64)>,
    /// Those runs.
    pub deleted_runs: BTreeSet<RunId>,
    /// Code states that no run names.
    pub code: Vec<Oid>,
    /// What git could free of them, once they are no longer kept.
    pub code_bytes: u64,
    /// What operations dropped longer ago than the grace period.
    pub expired: Vec<Keep>,
    /// What git could free of that.
    pub expired_bytes: u64,
    /// Temporary files and folders.
    pub left_over: Vec<LeftOver>,
    /// Hidden runs that are not here any more.
    pub hidden: BTreeSet<RunId>,
    /// Purges that were killed, to be finished.
    pub purges: Vec<RunId>,
    /// Why some things stay that might go.
    pub held_back: Vec<String>,
    young: SystemTime,
}

/// A temporary file or folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOver {
    /// Its name, in our folder.
    pub name: String,
    /// Its bytes.
    pub size: u64,
}

/// What went.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Collected {
    /// How many artifacts.
    pub artifacts: usize,
    /// Their bytes.
    pub artifact_bytes: u64,
    /// How many code states.
    pub code: usize,
    /// How many operations can no longer be taken back.
    pub expired: usize,
    /// How many temporary files and folders.
    pub left_over: usize,
    /// Their bytes.
    pub left_over_bytes: u64,
    /// How many hidden runs are no longer listed so.
    pub hidden: usize,
    /// How many purges were finished.
    pub purges: usize,
    /// What did not work, and why.
    pub failed: Vec<String>,
}

impl Plan {
    /// Whether nothing can go.
    pub fn is_empty(&self) -> bool {
        self.nameless.is_empty()
            && self.deleted.is_empty()
            && self.code.is_empty()
            && self.expired.is_empty()
            && self.left_over.is_empty()
            && self.hidden.is_empty()
            && self.purges.is_empty()
    }

    /// Whether something would go for good that somebody may want.
    pub fn is_final(&self) -> bool {
        !(self.nameless.is_empty() && self.deleted.is_empty() && self.expired.is_empty())
    }

    /// The bytes of artifacts that can go.
    pub fn artifact_bytes(&self) -> u64 {
        self.nameless.iter().chain(&self.deleted).map(|(_, size)| size).sum()
    }
}

/// Looks at what can go. Nothing is changed.
pub fn plan(tracker: &Tracker) -> Result<Plan> {
    let now = tracker.now();
    let young = SystemTime::now() - YOUNG;
    let survey = survey::survey(tracker)?;
    let mut plan = Plan {
        nameless: Vec::new(),
        deleted: Vec::new(),
        deleted_runs: BTreeSet::new(),
        code: Vec::new(),
        code_bytes: 0,
        expired: survey.kept.iter().filter(|keep| is_past(tracker, keep.at, now)).cloned().collect(),
        expired_bytes: 0,
        left_over: left_over(tracker, false)?,
        hidden: orphaned_hidden(tracker)?,
        purges: purge::unfinished(tracker),
        held_back: Vec::new(),
        young,
    };
    for (what, error) in &survey.unreadable {
        plan.held_back.push(format!("{what} cannot be read, and nothing goes that it may need: {error:#}"));
    }
    if survey.unreadable.is_empty() {
        plan_artifacts(tracker, &survey, &mut plan)?;
        plan_code(tracker, &survey, &mut plan)?;
    }
    if !plan.expired.is_empty() {
        let tips: Vec<Oid> = plan.expired.iter().map(|keep| keep.tip.clone()).collect();
        let others = ["--exclude=refs/xtrack/undo/*", "--all"];
        plan.expired_bytes = tracker.store.disk_usage(&[], &others, &tips).unwrap_or_default();
    }
    Ok(plan)
}

/// Whether something is longer ago than the grace period.
fn is_past(tracker: &Tracker, at: Time, now: Time) -> bool {
    let grace = i64::try_from(tracker.config.grace.as_micros()).unwrap_or(i64::MAX);
    now.0.saturating_sub(at.0) > grace
}

fn plan_artifacts(tracker: &Tracker, survey: &Survey, plan: &mut Plan) -> Result<()> {
    if tracker.artifacts.is_elsewhere() {
        plan.held_back
            .push("the folder of artifacts is linked from elsewhere, and stays as it is".to_owned());
        return Ok(());
    }
    let gone = long_deleted(tracker, survey)?;
    let expired: HashSet<&String> = plan.expired.iter().map(|keep| &keep.operation).collect();
    let mut needed: HashSet<&str> = survey.live.iter().map(String::as_str).collect();
    let mut of_deleted: HashSet<&str> = HashSet::new();
    for named in &survey.named {
        let expires = match &named.holder {
            Holder::Run(id) => gone.contains(id),
            // A copy of a deleted run that a remote has too is no more than that.
            Holder::Fetched(_, id) => gone.contains(id),
            Holder::Kept(operation) => expired.contains(operation),
        };
        let users = if expires { &mut of_deleted } else { &mut needed };
        users.extend(named.artifacts.iter().map(String::as_str));
    }
    // A run in progress may have stored bytes long ago, and name them only at its end.
    let young = survey.live_since.map_or(plan.young, |since| since.min(plan.young));
    plan.young = young;
    for (sha256, held) in survey.held.iter().filter(|(_, held)| held.stored < young) {
        match (needed.contains(sha256.as_str()), of_deleted.contains(sha256.as_str())) {
            (true, _) => {}
            (false, true) => plan.deleted.push((sha256.clone(), held.size)),
            (false, false) => plan.nameless.push((sha256.clone(), held.size)),
        }
    }
    let went: HashSet<&str> = plan.deleted.iter().map(|(sha256, _)| sha256.as_str()).collect();
    for named in &survey.named {
        if let Holder::Run(id) = &named.holder
            && named.artifacts.iter().any(|sha256| went.contains(sha256.as_str()))
        {
            plan.deleted_runs.insert(id.clone());
        }
    }
    Ok(())
}

/// The runs that have been deleted for longer than the grace period. What was said elsewhere counts from when it came here:
/// nobody can say today that it was long ago.
fn long_deleted(tracker: &Tracker, survey: &Survey) -> Result<BTreeSet<RunId>> {
    let now = tracker.now();
    let store = &tracker.store;
    let mut lately = BTreeSet::new();
    for operation in operation::list(tracker)?.iter().filter(|one| !is_past(tracker, one.at, now)) {
        lately.extend(operation.moves.iter().filter_map(|moved| match store.purpose_of(&moved.name) {
            Purpose::Run(id) => Some(id),
            _ => None,
        }));
    }
    // A run in progress may be about to say more.
    lately.extend(tracker.live().iter().filter_map(LiveFolder::run));
    let mut gone = BTreeSet::new();
    for named in survey.named.iter().filter(|named| !named.artifacts.is_empty()) {
        let Holder::Run(id) = &named.holder else { continue };
        if lately.contains(id) {
            continue;
        }
        // One that cannot be understood is not deleted.
        let Ok(run) = tracker.load_at(id, &named.tip, Level::Brief) else { continue };
        let said =
            run.edits.iter().filter(|(_, edit)| edit.deleted == Some(true)).map(|(_, edit)| edit.at).max();
        if run.deleted && said.is_some_and(|at| is_past(tracker, at, now)) {
            gone.insert(id.clone());
        }
    }
    Ok(gone)
}

fn plan_code(tracker: &Tracker, survey: &Survey, plan: &mut Plan) -> Result<()> {
    let store = &tracker.store;
    let mut needed: HashSet<Oid> = survey.named.iter().flat_map(|named| named.code.iter().cloned()).collect();
    needed.extend(survey.live.iter().cloned());
    needed.extend(used_lately(tracker)?);
    // Plain git may have brought them, with the runs that name them to follow.
    let is_young = |commit: &Oid| store.has_moved_within(&Store::code_ref_name(commit), YOUNG);
    let nameless = survey.code.iter().filter(|commit| !needed.contains(*commit) && !is_young(commit));
    plan.code = nameless.cloned().collect();
    if !plan.code.is_empty() {
        let others = ["--exclude=refs/xtrack/code/*", "--exclude=refs/xtrack/undo/*", "--all"];
        plan.code_bytes = store.disk_usage(&[], &others, &plan.code).unwrap_or_default();
    }
    Ok(())
}

/// The code states that somebody came to rely on lately.
fn used_lately(tracker: &Tracker) -> Result<BTreeSet<Oid>> {
    let store = &tracker.store;
    let entries = store.operations()?;
    let young = i64::try_from(YOUNG.as_micros()).unwrap_or(i64::MAX);
    let since = Time(tracker.now().0.saturating_sub(young));
    let lately = entries.iter().filter(|entry| entry.at >= since);
    let names = lately.flat_map(|entry| {
        entry.uses.iter().chain(entry.moves.iter().filter(|one| one.after.is_some()).map(|one| &one.name))
    });
    Ok(names.filter_map(|name| code_of(store, name)).collect())
}

fn code_of(store: &Store, name: &str) -> Option<Oid> {
    match store.purpose_of(name) {
        Purpose::Code(commit) => Some(commit),
        _ => None,
    }
}

/// Lets go of what was planned.
pub fn collect(tracker: &Tracker, plan: &Plan) -> Result<Collected> {
    let mut collected = Collected::default();
    finish_purges(tracker, plan, &mut collected);
    collect_artifacts(tracker, plan, &mut collected)?;
    collect_code(tracker, plan, &mut collected)?;
    collect_expired(tracker, plan, &mut collected)?;
    if !plan.left_over.is_empty() {
        for one in left_over(tracker, true)? {
            collected.left_over += 1;
            collected.left_over_bytes += one.size;
        }
    }
    match tracker.hide(&plan.hidden.iter().cloned().collect::<Vec<_>>(), false) {
        Ok(shown) => collected.hidden = shown.len(),
        Err(error) => collected.failed.push(format!("{error:#}")),
    }
    Ok(collected)
}

fn finish_purges(tracker: &Tracker, plan: &Plan, collected: &mut Collected) {
    for id in &plan.purges {
        match purge::resume(tracker, id) {
            Ok(()) => collected.purges += 1,
            Err(error) => {
                collected.failed.push(format!("the purge of run '{id}' cannot be finished: {error:#}"))
            }
        }
    }
}

fn collect_artifacts(tracker: &Tracker, plan: &Plan, collected: &mut Collected) -> Result<()> {
    if !tracker.artifacts.is_elsewhere() {
        tracker.artifacts.put_back()?;
    }
    let all: Vec<&(String, u64)> = plan.nameless.iter().chain(&plan.deleted).collect();
    if all.is_empty() {
        return Ok(());
    }
    // Somebody may have come to name some of it between the plan and now: a run fetched, an edit, a restore.
    let now = survey::survey(tracker)?;
    if let Some((what, error)) = now.unreadable.first() {
        collected.failed.push(format!("no artifact went: {what} cannot be read any more: {error:#}"));
        return Ok(());
    }
    let expired: HashSet<&String> = plan.expired.iter().map(|keep| &keep.operation).collect();
    let gone = long_deleted(tracker, &now)?;
    let is_needed = |holder: &Holder| match holder {
        Holder::Run(id) | Holder::Fetched(_, id) => !gone.contains(id),
        Holder::Kept(operation) => !expired.contains(operation),
    };
    let needed = now.named.iter().filter(|named| is_needed(&named.holder)).flat_map(|named| &named.artifacts);
    let needed: HashSet<&String> = needed.chain(&now.live).collect();
    for (sha256, size) in all.into_iter().filter(|(sha256, _)| !needed.contains(sha256)) {
        match tracker.artifacts.take_away(sha256, plan.young) {
            Ok(true) => {
                collected.artifacts += 1;
                collected.artifact_bytes += size;
            }
            Ok(false) => {}
            Err(error) => collected.failed.push(format!("{error:#}")),
        }
    }
    Ok(())
}

fn collect_code(tracker: &Tracker, plan: &Plan, collected: &mut Collected) -> Result<()> {
    let store = &tracker.store;
    if plan.code.is_empty() {
        return Ok(());
    }
    let refs = plan_refs(&plan.code);
    let mut gone = Vec::new();
    let done = store.delete_refs(&refs)?;
    for (one, done) in refs.into_iter().zip(done) {
        match done {
            Ok(()) => gone.push(one),
            Err(error) if error.is::<Moved>() => {}
            Err(error) => collected.failed.push(format!("{error:#}")),
        }
    }
    // Whoever began to rely on one of them said so before looking whether it is there: who looked before it went is seen now.
    let mut again = used_lately(tracker)?;
    again.extend(survey::live_words(tracker));
    let back: Vec<(String, Oid)> =
        gone.iter().filter(|(_, commit)| again.contains(commit)).cloned().collect();
    store.create_refs(&back)?;
    collected.code = gone.len() - back.len();
    Ok(())
}

fn plan_refs(code: &[Oid]) -> Vec<(String, Oid)> {
    code.iter().map(|commit| (Store::code_ref_name(commit), commit.clone())).collect()
}

fn collect_expired(tracker: &Tracker, plan: &Plan, collected: &mut Collected) -> Result<()> {
    let refs: Vec<(String, Oid)> =
        plan.expired.iter().map(|keep| (Store::undo_ref(&keep.operation), keep.tip.clone())).collect();
    for done in tracker.store.forget_refs(&refs)? {
        match done {
            Ok(()) => collected.expired += 1,
            Err(error) if error.is::<Moved>() => {}
            Err(error) => collected.failed.push(format!("{error:#}")),
        }
    }
    Ok(())
}

/// Hidden runs of which nothing is here.
fn orphaned_hidden(tracker: &Tracker) -> Result<BTreeSet<RunId>> {
    let mut hidden = tracker.hidden();
    if hidden.is_empty() {
        return Ok(hidden);
    }
    let here: HashSet<RunId> = tracker.store.run_tips()?.into_iter().map(|found| found.id).collect();
    hidden.retain(|id| !here.contains(id) && tracker.live_of(id).is_empty());
    Ok(hidden)
}

/// Temporary files and folders that nobody can still be at; they go if `removes`.
fn left_over(tracker: &Tracker, removes: bool) -> Result<Vec<LeftOver>> {
    let mut found = Vec::new();
    let folders = [tracker.state_dir(), purge::folder(tracker)];
    for entry in folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_ours = name.starts_with("tmp-") || name.contains(".tmp-") || name.ends_with(".new");
        let modified = entry.metadata().ok().and_then(|metadata| metadata.modified().ok());
        let is_old = modified.and_then(|time| time.elapsed().ok()).is_some_and(|age| age > LEFT_OVER_AGE);
        if !(is_ours && is_old) {
            continue;
        }
        let path = entry.path();
        let size = size_of(&path);
        let removed = match (removes, path.is_dir()) {
            (false, _) => Ok(()),
            (true, true) => fs::remove_dir_all(&path),
            (true, false) => fs::remove_file(&path),
        };
        if removed.is_ok() {
            found.push(LeftOver { name, size });
        }
    }
    let copies = tracker.artifacts.left_over(LEFT_OVER_AGE, removes)?;
    if copies.count > 0 {
        let name = format!("objects/tmp ({})", crate::human::count(copies.count, "file"));
        found.push(LeftOver { name, size: copies.size });
    }
    Ok(found)
}

/// The bytes of a file, or of all files in a folder.
pub fn size_of(path: &Path) -> u64 {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => {
            fs::read_dir(path).into_iter().flatten().flatten().map(|entry| size_of(&entry.path())).sum()
        }
        Ok(found) => found.len(),
        Err(_) => 0,
    }
}
