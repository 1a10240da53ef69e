//! Whether what came from elsewhere is a record of the run it claims to be, before anything of it is used.
//!
//! Knows the layout, sizes and facts; that objects are sound is found out by git and by `store`.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};

use crate::error::Problem;
use crate::human;
use crate::run::id::RunId;
use crate::run::record::{Files, Place, TOMBSTONE};
use crate::run::{fold, join};
use crate::store::{Known, Oid, Store};

/// How large a file that is read as a whole may be.
const TEXT_MAX: u64 = 16 << 20;
/// How large any file may be.
const FILE_MAX: u64 = 128 << 20;
/// How much of one record is read at a time.
const LOADED_MAX: u64 = 256 << 20;
/// How many disputed files a record may hold. Honest copies never dispute.
const DISPUTED_MAX: usize = 256;
/// What stands for a blob that need not be read.
const UNREAD: &[u8] = b"\0blob ";

/// Checks the tip of a run, and the commits behind it that are not known to be good.
pub fn check(store: &Store, id: &RunId, tip: &Oid, known: &Known<'_>) -> Result<()> {
    let mut misplaced = None;
    store.inspect(tip, known, &mut |path, size| {
        let place = Place::parse(path);
        let size_max = match &place {
            Ok(place) if !is_text(place) => FILE_MAX,
            _ => TEXT_MAX,
        };
        if size > size_max {
            return Err(Problem::new(format!("'{path}' is larger than {}", human::size(size_max))));
        }
        misplaced = misplaced.take().or(place.err());
        Ok(())
    })?;
    let blobs = store.blobs(tip)?;
    let files = load(store, &blobs, &|_| false)?;
    if join::is_newer(&files) {
        return Ok(());
    }
    match misplaced {
        Some(problem) => Err(problem.into()),
        None => check_files(id, &files),
    }
}

/// Checks files that were loaded: they can be read, belong to the run, and hold few disputes.
pub fn check_files(id: &RunId, files: &Files) -> Result<()> {
    let disputed = files.keys().filter(|path| path.starts_with("disputed/")).count();
    if disputed > DISPUTED_MAX {
        return Err(Problem::new(format!("holds more than {DISPUTED_MAX} disputed files")).into());
    }
    if files.contains_key(TOMBSTONE) && files.len() > 1 {
        return Err(Problem::new(format!("holds other files beside its '{TOMBSTONE}'")).into());
    }
    fold::fold(id, &join::normalise(files)?)?;
    Ok(())
}

/// Loads the files that say something of the run, those under dispute and those `wanted`; the others are stood for by their
/// blobs' ids, which are as different from one another as their bytes are.
pub fn load(store: &Store, blobs: &BTreeMap<String, Oid>, wanted: &dyn Fn(&str) -> bool) -> Result<Files> {
    let mut files = Files::new();
    let mut loaded = 0;
    for (path, oid) in blobs {
        let is_read =
            wanted(path) || Place::parse(path).is_ok_and(|place| is_text(&place) || is_disputed(&place));
        let bytes = match is_read {
            false => unread(oid),
            true => {
                loaded += store.blob_size(oid)?;
                if loaded > LOADED_MAX {
                    let size = human::size(LOADED_MAX);
                    return Err(Problem::new(format!("holds more than {size} that must be read")).into());
                }
                store.blob(oid).with_context(|| format!("cannot read '{path}'"))?
            }
        };
        files.insert(path.clone(), bytes);
    }
    Ok(files)
}

/// The blob that bytes stand for, if they stand for one.
pub fn blob_of(bytes: &[u8]) -> Option<Oid> {
    String::from_utf8(bytes.strip_prefix(UNREAD)?.to_vec()).ok()
}

/// What stands for a blob that is not read.
pub fn unread(oid: &Oid) -> Vec<u8> {
    [UNREAD, oid.as_bytes()].concat()
}

/// Whether a file says something of the run, and is read as a whole.
pub fn is_text(place: &Place) -> bool {
    match place {
        Place::Disputed { path, .. } => Place::parse(path).is_ok_and(|place| is_text(&place)),
        Place::Run
        | Place::Attempt(_)
        | Place::Environment(_)
        | Place::AttemptArtifacts(_)
        | Place::EditArtifacts(_)
        | Place::Edit(_)
        | Place::Tombstone => true,
        Place::Metrics | Place::Events | Place::Inline | Place::ConsoleHead | Place::ConsoleTail => false,
    }
}

/// Whether a file is the losing side of two.
pub fn is_disputed(place: &Place) -> bool {
    matches!(place, Place::Disputed { .. })
}
