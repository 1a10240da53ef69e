//! Git's own maintenance, begun once there is something to do: loose objects are packed, refs written into one file.
//!
//! Detached and at the lowest priority: nobody waits for it. It takes nothing away that anybody named or may still name.

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::journal::owner::{self, Life};
use crate::run::text;
use crate::tracker::Tracker;

/// From how many refs of runs that are files of their own there is something to do.
const LOOSE_REFS: usize = 500;
/// From about how many objects that are files of their own.
const LOOSE_OBJECTS: usize = 2560;
/// How long apart it is begun, whatever there is to do.
const APART: Duration = Duration::from_secs(600);
/// Who is at it, in our folder.
const NOTE: &str = "maintenance";

/// Begins it if there is something to do, nobody is at it, and nothing forbids it; whether it was begun. What fails, fails
/// silently: it is tried another time.
pub fn begin_if_due(tracker: &Tracker) -> bool {
    let store = &tracker.store;
    let is_due =
        || store.loose_run_count(LOOSE_REFS) >= LOOSE_REFS || store.loose_object_estimate() >= LOOSE_OBJECTS;
    if !is_allowed(tracker) || !is_due() {
        return false;
    }
    let note = tracker.state_dir().join(NOTE);
    claim(tracker, &note).is_some_and(|mut claimed| begin(tracker, &mut claimed).is_some())
}

/// Whether neither our setting nor git's own keep it from being begun.
fn is_allowed(tracker: &Tracker) -> bool {
    let says_no = |value: Option<String>| {
        value.is_some_and(|value| ["false", "no", "off", "0"].contains(&value.to_ascii_lowercase().as_str()))
    };
    tracker.config.maintenance
        && !says_no(tracker.store.config("maintenance.auto"))
        && !says_no(tracker.store.config("gc.auto"))
}

/// Takes the right to begin it; nothing if somebody is at it, or was a moment ago.
fn claim(tracker: &Tracker, note: &Path) -> Option<File> {
    if let Ok(known) = fs::metadata(note) {
        // One of a time to come is of a clock that was set back.
        let age = known.modified().ok()?.elapsed().unwrap_or_else(|ahead| ahead.duration());
        let owner = fs::read(note).ok().and_then(|bytes| text::read(&bytes).ok());
        if age < APART || owner.as_ref().is_some_and(|owner| owner::state(owner) == Life::Alive) {
            return None;
        }
        if owner.is_some() {
            remove_dead_lock(tracker, &known);
        }
        match fs::remove_file(note) {
            Err(error) if error.kind() != ErrorKind::NotFound => return None,
            _ => {}
        }
    }
    // Of several who come at once one gets it.
    File::options().write(true).create_new(true).open(note).ok()
}

/// Removes git's own lock where it is of a maintenance of ours that was killed: with it none would ever run again.
fn remove_dead_lock(tracker: &Tracker, begun: &fs::Metadata) {
    let lock: PathBuf = tracker.store.common_dir().join("objects/maintenance.lock");
    let time = |found: &fs::Metadata| found.modified().ok();
    let is_of_ours = fs::metadata(&lock).is_ok_and(|found| {
        // It was made while ours lived, which wrote the note as it began; another's maintenance would be younger by long.
        let apart = time(&found).zip(time(begun)).and_then(|(lock, note)| lock.duration_since(note).ok());
        apart.is_some_and(|apart| apart < Duration::from_secs(60))
    });
    if is_of_ours {
        let _ = fs::remove_file(lock);
    }
}

fn begin(tracker: &Tracker, note: &mut File) -> Option<()> {
    let mut git = tracker.store.git();
    // What is packed takes the place of what was synced.
    git.args(["-c", "core.fsync=all", "maintenance", "run", "--auto", "--quiet"]);
    git.args(["--task=loose-objects", "--task=pack-refs"]);
    let child = spawn(&mut politely(&git)).or_else(|_| spawn(&mut git)).ok()?;
    // Without it nobody can tell later that it died.
    let owner = owner::process(child.id()).map(|owner| text::write(&owner)).unwrap_or_default();
    note.write_all(owner.as_bytes()).ok()
}

/// The same command, through `nice`.
fn politely(git: &Command) -> Command {
    let mut nice = Command::new("nice");
    nice.args(["-n", "19"]).arg(git.get_program()).args(git.get_args());
    for (name, value) in git.get_envs() {
        match value {
            Some(value) => nice.env(name, value),
            None => nice.env_remove(name),
        };
    }
    if let Some(folder) = git.get_current_dir() {
        nice.current_dir(folder);
    }
    nice
}

fn spawn(command: &mut Command) -> std::io::Result<std::process::Child> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt as _;
        // What interrupts the command that began it does not reach it.
        command.process_group(0);
    }
    command.spawn()
}
