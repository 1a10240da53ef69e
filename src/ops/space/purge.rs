//! Purging: a run that held a secret is replaced by a stone, and what it alone held is taken out of this clone.
//!
//! What is to go is written down first, so that a purge that is killed can be finished: once the stone is there, nobody could tell
//! any more what else belonged to the run. Then the stone, then everything else. Nothing of it is kept, and it cannot be undone.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};
use serde_json::{Value as Json, json};

use crate::error::{Kind, Problem};
use crate::journal::folder::{self, LiveFolder};
use crate::journal::owner::Life;
use crate::ops::operation;
use crate::ops::space::survey::{self, Holder, Survey};
use crate::run::attempt::FORMAT;
use crate::run::id::{RunId, Time, is_hex};
use crate::run::record::{Files, TOMBSTONE};
use crate::run::text;
use crate::run::value::{Table, Value};
use crate::store::{Moved, Oid, Purpose, RunWrite, Store};
use crate::tracker::Tracker;

/// Where it is written down what a purge is to take away, in our folder.
const FOLDER: &str = "purging";
/// How often a purge is tried again when an edit came between.
const TRIES_MAX: usize = 50;

/// What a purge is to take away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// The run.
    pub id: RunId,
    /// Every tip that it has or had here.
    pub tips: BTreeSet<Oid>,
    /// The commits with which its chains begin.
    pub roots: BTreeSet<Oid>,
    /// The code states that it alone names.
    pub code: BTreeSet<Oid>,
    /// The artifact bytes that it alone names.
    pub artifacts: BTreeMap<String, u64>,
    /// When it was written down: what is stored again later stays.
    pub at: SystemTime,
}

/// What went.
#[derive(Debug, Default)]
pub struct Purged {
    /// The stone that is left.
    pub stone: Oid,
    /// What was taken away with it.
    pub went: Went,
    /// What is still here, or was not reached, and how to get at it.
    pub remains: Vec<Remains>,
}

/// What was taken away.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Went {
    /// Code states.
    pub code: Vec<Oid>,
    /// Artifacts, with their sizes.
    pub artifacts: Vec<(String, u64)>,
    /// Refs of remotes' copies.
    pub tracked: usize,
    /// Operations of which something is no longer kept.
    pub operations: usize,
    /// Folders of a run in progress that had died.
    pub live: usize,
    /// What did not work, and why.
    pub failed: Vec<String>,
}

/// Something that a purge does not reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remains {
    /// What it is.
    pub what: String,
    /// What to type.
    pub commands: Vec<String>,
}

/// What a purge would take away. Nothing is changed.
pub fn plan(tracker: &Tracker, ids: &[RunId]) -> Result<Vec<Intent>> {
    for id in ids {
        refuse_live(tracker, id)?;
    }
    let survey = survey::survey(tracker)?;
    if let Some((what, error)) = survey.unreadable.first() {
        let problem =
            Problem::new(format!("{what} cannot be read, so nobody can tell what it shares: {error:#}"));
        return Err(problem
            .hint("`git fsck` tells what is damaged; fetch it again, or delete its ref")
            .into());
    }
    let lost: BTreeSet<&RunId> = ids.iter().collect();
    let operations = operation::list(tracker)?;
    let mut intents = Vec::new();
    for id in ids {
        let mut tips = tips_of(&survey, id);
        if tips.is_empty() {
            return Err(Problem::new(format!("there is no run '{id}'")).of(Kind::NotFound).into());
        }
        let logged = operations.iter().flat_map(|one| &one.moves).filter(|moved| {
            matches!(tracker.store.purpose_of(&moved.name),
                Purpose::Run(known) | Purpose::Tracked { id: known, .. } if known == *id)
        });
        tips.extend(logged.flat_map(|moved| moved.before.iter().chain(&moved.after).cloned()));
        tips.retain(|tip| !tracker.store.is_stone(tip).unwrap_or(false));
        let roots = roots(tracker, &tips);
        intents.push(Intent {
            id: id.clone(),
            roots,
            tips,
            code: BTreeSet::new(),
            artifacts: BTreeMap::new(),
            at: SystemTime::now(),
        });
    }
    share_out(tracker, &survey, &lost, &mut intents);
    for intent in &mut intents {
        // One that was killed knew what nobody could tell any more.
        if let Some(known) = fs::read(note_of(tracker, &intent.id)).ok().and_then(|bytes| read_note(&bytes)) {
            intent.tips.extend(known.tips);
            intent.roots.extend(known.roots);
            intent.code.extend(known.code);
            intent.artifacts.extend(known.artifacts);
        }
    }
    Ok(intents)
}

/// A run in progress would write its secret again.
fn refuse_live(tracker: &Tracker, id: &RunId) -> Result<()> {
    for folder in tracker.live_of(id) {
        match folder.life()? {
            Life::Dead => {}
            Life::Alive => {
                let problem = Problem::new(format!("run '{id}' is in progress"));
                return Err(problem.hint("let it end, or stop it; then purge it").into());
            }
            Life::Elsewhere => {
                let problem = Problem::new(format!("run '{id}' is in progress on another machine, or was"));
                return Err(problem
                    .hint(format!("`git xtrack recover --force {id}` takes it for dead"))
                    .into());
            }
        }
    }
    Ok(())
}

fn tips_of(survey: &Survey, id: &RunId) -> BTreeSet<Oid> {
    let is_its =
        |holder: &Holder| matches!(holder, Holder::Run(known) | Holder::Fetched(_, known) if known == id);
    survey.named.iter().filter(|named| is_its(&named.holder)).map(|named| named.tip.clone()).collect()
}

/// The commits without parents behind the tips, as far as they are here.
fn roots(tracker: &Tracker, tips: &BTreeSet<Oid>) -> BTreeSet<Oid> {
    let logs = tips.iter().filter_map(|tip| tracker.store.roots_behind(tip).ok());
    logs.flatten().collect()
}

/// Whether a tip is the run's, by its name or by how its chain begins.
fn is_of(tracker: &Tracker, intent: &Intent, tip: &Oid) -> bool {
    intent.tips.contains(tip)
        || tracker
            .store
            .roots_behind(tip)
            .is_ok_and(|roots| roots.iter().any(|root| intent.roots.contains(root)))
}

/// What of code and artifacts nobody needs but the runs that are lost.
fn share_out(tracker: &Tracker, survey: &Survey, lost: &BTreeSet<&RunId>, intents: &mut [Intent]) {
    let (mut code, mut artifacts): (HashSet<&String>, HashSet<&String>) = Default::default();
    let whose = |holder: &Holder, tip: &Oid, intents: &[Intent]| match holder {
        Holder::Run(id) | Holder::Fetched(_, id) => lost.contains(id),
        Holder::Kept(_) => intents.iter().any(|intent| is_of(tracker, intent, tip)),
    };
    for named in &survey.named {
        if !whose(&named.holder, &named.tip, intents) {
            code.extend(&named.code);
            artifacts.extend(&named.artifacts);
        }
    }
    let live: HashSet<&String> = match lost.iter().all(|id| tracker.live_of(id).is_empty()) {
        true => survey.live.iter().collect(),
        // What a dead run of these names is as lost as its record.
        false => HashSet::new(),
    };
    for intent in intents.iter_mut() {
        let is_its = |named: &&survey::Named| match &named.holder {
            Holder::Run(id) | Holder::Fetched(_, id) => *id == intent.id,
            Holder::Kept(_) => is_of(tracker, intent, &named.tip),
        };
        for named in survey.named.iter().filter(is_its).collect::<Vec<_>>() {
            let own = named.code.iter().filter(|commit| !code.contains(commit) && !live.contains(commit));
            intent.code.extend(own.cloned());
            let own =
                named.artifacts.iter().filter(|sha256| !artifacts.contains(sha256) && !live.contains(sha256));
            intent
                .artifacts
                .extend(own.filter_map(|sha256| Some((sha256.clone(), survey.held.get(sha256)?.size))));
        }
    }
}

/// Purges a run.
pub fn purge(tracker: &Tracker, intent: &Intent, why: &str) -> Result<Purged> {
    let id = &intent.id;
    write_down(tracker, intent)?;
    let stone = lay_stone(tracker, id, why).with_context(|| format!("cannot purge run '{id}'"))?;
    let went = clear(tracker, intent);
    let remains = remains(tracker, intent);
    Ok(Purged { stone, went, remains })
}

/// Takes away what runs held that were purged elsewhere, once their stones are here.
pub fn follow(tracker: &Tracker, intents: &[Intent]) -> Vec<String> {
    intents.iter().flat_map(|intent| clear(tracker, intent).failed).collect()
}

/// Writes down what is to go.
pub fn write_down(tracker: &Tracker, intent: &Intent) -> Result<()> {
    let path = note_of(tracker, &intent.id);
    let cannot = || format!("cannot write '{}'", path.display());
    let above = path.parent().unwrap_or(&path);
    fs::create_dir_all(above).with_context(cannot)?;
    tracker.store.share(above);
    let temporary = path.with_extension(format!("tmp-{}", std::process::id()));
    let mut file = fs::File::create(&temporary).with_context(cannot)?;
    file.write_all(written(intent).as_bytes()).and_then(|()| file.sync_all()).with_context(cannot)?;
    fs::rename(&temporary, &path).with_context(cannot)?;
    if cfg!(unix) {
        fs::File::open(above).and_then(|folder| folder.sync_all()).with_context(cannot)?;
    }
    Ok(())
}

/// The purges that were not finished.
pub fn unfinished(tracker: &Tracker) -> Vec<RunId> {
    let entries = fs::read_dir(tracker.state_dir().join(FOLDER)).into_iter().flatten().flatten();
    let mut ids: Vec<RunId> = entries
        .filter_map(|entry| RunId::parse(entry.file_name().to_str()?.strip_suffix(".json")?))
        .collect();
    ids.sort();
    ids
}

/// Finishes a purge that was killed; one whose stone was not laid yet is given up, for it had taken nothing away.
pub fn resume(tracker: &Tracker, id: &RunId) -> Result<()> {
    let path = note_of(tracker, id);
    let intent = fs::read(&path).ok().and_then(|bytes| read_note(&bytes));
    let is_stone = match tracker.store.run_tip(id)? {
        Some(tip) => tracker.store.is_stone(&tip)?,
        None => false,
    };
    match intent.filter(|_| is_stone) {
        Some(intent) => match clear(tracker, &intent).failed.into_iter().next() {
            Some(failed) => Err(Problem::new(failed).into()),
            None => Ok(()),
        },
        None => fs::remove_file(&path).with_context(|| format!("cannot remove '{}'", path.display())),
    }
}

fn note_of(tracker: &Tracker, id: &RunId) -> PathBuf {
    tracker.state_dir().join(FOLDER).join(format!("{id}.json"))
}

fn written(intent: &Intent) -> String {
    let at = intent.at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    json!({
        "format": 1,
        "id": intent.id.as_str(),
        "at": u64::try_from(at.as_millis()).unwrap_or_default(),
        "tips": intent.tips,
        "roots": intent.roots,
        "code": intent.code,
        "artifacts": intent.artifacts,
    })
    .to_string()
}

fn read_note(bytes: &[u8]) -> Option<Intent> {
    let note: Json = serde_json::from_slice(bytes).ok()?;
    let list = |key: &str| -> Option<BTreeSet<String>> {
        note.get(key)?.as_array()?.iter().map(|one| one.as_str().map(str::to_owned)).collect()
    };
    let artifacts = note.get("artifacts")?.as_object()?.iter();
    Some(Intent {
        id: RunId::parse(note.get("id")?.as_str()?)?,
        tips: list("tips")?,
        roots: list("roots")?,
        code: list("code")?,
        artifacts: artifacts
            .filter(|(sha256, _)| is_hex(sha256, 64))
            .map(|(sha256, size)| Some((sha256.clone(), size.as_u64()?)))
            .collect::<Option<_>>()?,
        at: SystemTime::UNIX_EPOCH + Duration::from_millis(note.get("at")?.as_u64()?),
    })
}

/// Puts the stone in the place of the chain, whatever comes between; the one that is there if there is one.
fn lay_stone(tracker: &Tracker, id: &RunId, why: &str) -> Result<Oid> {
    let store = &tracker.store;
    let at = tracker.now();
    let stone = stone(id, &store.identity().to_string(), at, why);
    let files = Files::from([(TOMBSTONE.to_owned(), stone)]);
    for _ in 0..TRIES_MAX {
        let expected = store.run_tip(id)?;
        if let Some(tip) = &expected
            && store.is_stone(tip)?
        {
            return Ok(tip.clone());
        }
        let write = RunWrite { id, expected, files: &files, message: "xtrack: purged\n", at };
        match store.bury_run(&write) {
            Err(error) if error.is::<Moved>() => {}
            written => return written,
        }
    }
    Err(Problem::new("it is being changed all the time").hint("try again").into())
}

/// The stone of a purged run.
pub fn stone(id: &RunId, by: &str, at: Time, why: &str) -> Vec<u8> {
    let mut table = Table::new();
    table.insert("format".to_owned(), FORMAT.into());
    table.insert("id".to_owned(), Value::Text(id.to_string()));
    table.insert("by".to_owned(), Value::Text(by.to_owned()));
    table.insert("at".to_owned(), Value::Text(at.to_string()));
    if !why.is_empty() {
        table.insert("why".to_owned(), Value::Text(why.to_owned()));
    }
    text::write(&table).into_bytes()
}

/// One of the things that a purge takes away.
type Step = fn(&Tracker, &Intent, &mut Went) -> Result<()>;

/// Takes away what the run held; done again, it does what is left. Once all is done, nothing tells of it any more.
fn clear(tracker: &Tracker, intent: &Intent) -> Went {
    let mut went = Went::default();
    let steps: [Step; 6] = [clear_live, clear_tracked, clear_kept, clear_code, clear_artifacts, clear_caches];
    for step in steps {
        if let Err(error) = step(tracker, intent, &mut went) {
            went.failed.push(format!("{error:#}"));
        }
    }
    if went.failed.is_empty()
        && let Err(error) = remove_notes(tracker, &intent.id)
    {
        went.failed.push(format!("{error:#}"));
    }
    went
}

/// Removes what was written down of a purge, and what one left that was killed while it wrote that.
fn remove_notes(tracker: &Tracker, id: &RunId) -> Result<()> {
    for entry in fs::read_dir(tracker.state_dir().join(FOLDER)).into_iter().flatten().flatten() {
        if !entry.file_name().to_string_lossy().starts_with(id.as_str()) {
            continue;
        }
        match fs::remove_file(entry.path()) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            other => other.with_context(|| format!("cannot remove '{}'", entry.path().display()))?,
        }
    }
    Ok(())
}

/// First: a folder of a dead process would be recovered.
fn clear_live(tracker: &Tracker, intent: &Intent, went: &mut Went) -> Result<()> {
    for folder in tracker.live_of(&intent.id) {
        if folder.life()? == Life::Dead {
            folder.remove()?;
            went.live += 1;
        }
    }
    // What was put aside and could not be deleted then.
    let above = folder::parent(&tracker.state_dir());
    for entry in fs::read_dir(above).into_iter().flatten().flatten() {
        let aside = LiveFolder::open(&entry.path());
        if aside.run_aside().as_ref() == Some(&intent.id) {
            aside.delete()?;
        }
    }
    Ok(())
}

fn clear_tracked(tracker: &Tracker, intent: &Intent, went: &mut Went) -> Result<()> {
    let store = &tracker.store;
    let mut refs = Vec::new();
    for found in store.loose_runs()?.refs.into_iter().chain(store.packed_runs()?) {
        if found.id == intent.id && !found.place.is_empty() {
            refs.push((store.ref_name_of(&found), found.tip));
        }
    }
    // Loose first: a packed ref of the same name says what was before.
    let mut seen = BTreeSet::new();
    refs.retain(|(name, tip)| seen.insert(name.clone()) && !store.is_stone(tip).unwrap_or(false));
    for done in store.forget_refs(&refs)? {
        done?;
        went.tracked += 1;
    }
    Ok(())
}

fn clear_kept(tracker: &Tracker, intent: &Intent, went: &mut Went) -> Result<()> {
    for keep in tracker.store.kept()? {
        let lost: HashSet<Oid> = keep
            .dropped
            .iter()
            .filter(|tip| intent.code.contains(*tip) || is_of(tracker, intent, tip))
            .cloned()
            .collect();
        if !lost.is_empty() {
            tracker.store.keep_less(&keep, &lost)?;
            went.operations += 1;
        }
    }
    Ok(())
}

fn clear_code(tracker: &Tracker, intent: &Intent, went: &mut Went) -> Result<()> {
    let here = tracker.store.code_states()?;
    let commits: Vec<&Oid> = intent.code.iter().filter(|commit| here.contains(*commit)).collect();
    let refs: Vec<(String, Oid)> =
        commits.iter().map(|commit| (Store::code_ref_name(commit), (*commit).clone())).collect();
    for (done, commit) in tracker.store.forget_refs(&refs)?.into_iter().zip(commits) {
        done?;
        went.code.push(commit.clone());
    }
    Ok(())
}

fn clear_artifacts(tracker: &Tracker, intent: &Intent, went: &mut Went) -> Result<()> {
    if intent.artifacts.is_empty() {
        return Ok(());
    }
    if tracker.artifacts.is_elsewhere() {
        let what = "the folder of artifacts is linked from elsewhere: its bytes stay";
        return Err(Problem::new(what).into());
    }
    tracker.artifacts.put_back()?;
    for (sha256, size) in &intent.artifacts {
        let is_here = tracker.artifacts.path(sha256).exists();
        if tracker.artifacts.take_away(sha256, intent.at)? && is_here {
            went.artifacts.push((sha256.clone(), *size));
        }
    }
    Ok(())
}

/// What is remembered of the run besides: rows of the index, of which SQLite keeps the bytes, and its fingerprint, which tells
/// small secrets to who guesses them.
fn clear_caches(tracker: &Tracker, intent: &Intent, _: &mut Went) -> Result<()> {
    tracker.forget_fingerprint(&intent.id)?;
    tracker.rebuild_index().map(drop).context("the index, a cache, may hold words of it still")
}

/// What a purge in this clone does not reach.
fn remains(tracker: &Tracker, intent: &Intent) -> Vec<Remains> {
    let store = &tracker.store;
    let mut remains = Vec::new();
    let roots = intent.roots.iter().filter(|root| store.has_object(root));
    let mut refs: BTreeSet<String> =
        roots.flat_map(|root| store.refs_that_reach(root).unwrap_or_default()).collect();
    refs.remove(&store.run_ref_name(&intent.id));
    if !refs.is_empty() {
        let names = refs.iter().map(String::as_str).collect::<Vec<_>>().join("', '");
        remains.push(Remains {
            what: format!("other refs reach it: '{names}'"),
            commands: refs.iter().map(|name| format!("git update-ref -d {name}")).collect(),
        });
    }
    let name = store.run_ref_name(&intent.id);
    let mut commands = Vec::new();
    if store.has_reflog(&name) {
        commands.push(format!("git reflog expire --expire=now --expire-unreachable=now {name}"));
    }
    commands.push("git gc --prune=now".to_owned());
    remains.push(Remains {
        what:
            "its objects lie in this repository until git collects them, with all others that nothing names"
                .to_owned(),
        commands,
    });
    let alternates = store.alternates();
    if !alternates.is_empty() {
        remains.push(Remains {
            what: format!(
                "this repository borrows objects from '{}', which may hold it",
                alternates.join("', '")
            ),
            commands: Vec::new(),
        });
    }
    remains
}
