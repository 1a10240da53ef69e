//! What is written down of a purge before anything goes, so that one that is killed can be finished.

use std::collections::BTreeSet;
use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};
use serde_json::{Value as Json, json};

use crate::ops::space::purge::Intent;
use crate::run::id::{RunId, is_hex};
use crate::tracker::Tracker;

/// Where it lies, in our folder.
const FOLDER: &str = "purging";

/// Where it lies.
pub fn folder(tracker: &Tracker) -> PathBuf {
    tracker.state_dir().join(FOLDER)
}

/// Writes down what is to go.
pub fn write_down(tracker: &Tracker, intent: &Intent) -> Result<()> {
    let path = path_of(tracker, &intent.id);
    let cannot = || format!("cannot write '{}'", path.display());
    let above = path.parent().unwrap_or(&path);
    fs::create_dir_all(above).with_context(cannot)?;
    tracker.store.share(above);
    let temporary = path.with_extension(format!("tmp-{}", std::process::id()));
    let write = || -> std::io::Result<()> {
        let mut file = fs::File::create(&temporary)?;
        file.write_all(written(intent).as_bytes())?;
        file.sync_all()?;
        fs::rename(&temporary, &path)
    };
    // On a full disk nothing is to be left that takes more of it.
    write().inspect_err(|_| drop(fs::remove_file(&temporary))).with_context(cannot)?;
    if cfg!(unix) {
        fs::File::open(above).and_then(|folder| folder.sync_all()).with_context(cannot)?;
    }
    Ok(())
}

/// The purges that were not finished.
pub fn unfinished(tracker: &Tracker) -> Vec<RunId> {
    let entries = fs::read_dir(folder(tracker)).into_iter().flatten().flatten();
    let mut ids: Vec<RunId> = entries
        .filter_map(|entry| RunId::parse(entry.file_name().to_str()?.strip_suffix(".json")?))
        .collect();
    ids.sort();
    ids
}

/// What was written down of a purge; nothing if that is not there, or not whole.
pub(super) fn read(tracker: &Tracker, id: &RunId) -> Result<Option<Intent>> {
    let path = path_of(tracker, id);
    match fs::read(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        read => Ok(parse(&read.with_context(|| format!("cannot read '{}'", path.display()))?)),
    }
}

/// Removes what was written down of a purge, and what one left that was killed while it wrote that.
pub(super) fn remove(tracker: &Tracker, id: &RunId) -> Result<()> {
    for entry in fs::read_dir(folder(tracker)).into_iter().flatten().flatten() {
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

fn path_of(tracker: &Tracker, id: &RunId) -> PathBuf {
    folder(tracker).join(format!("{id}.json"))
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

fn parse(bytes: &[u8]) -> Option<Intent> {
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
