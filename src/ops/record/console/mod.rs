//! The console of a recorded command: what it prints reaches its destination byte for byte, and a copy is kept.
//!
//! What is a regular file stays the command's own and is read at the end. Everything else goes through a pump: a process
//! of its own, so that the command goes on undisturbed even if the recorder is killed. Knows what is kept and where; how
//! the command is run is `child`'s.

mod collapse;
pub mod look;
#[cfg(unix)]
mod plumbing;
#[cfg(unix)]
pub mod pump;
mod source;
mod spool;
mod veil;

use std::path::{Path, PathBuf};

use crate::ops::record::console::look::Look;
#[cfg(unix)]
pub use crate::ops::record::console::plumbing::{Attached, attach};
use crate::ops::record::console::source::Source;
use crate::run::id::AttemptId;
use crate::run::record::Files;

/// What is to be captured of a command's output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capture {
    /// The live folder.
    pub folder: PathBuf,
    /// What the settings add to what is redacted.
    pub redact: Vec<String>,
}

/// The files of a record that hold what the live folder has captured. Reads nothing outside of it.
pub fn files(folder: &Path, attempt: &AttemptId, revision: u64) -> Files {
    Look::of_folder(folder).files(attempt, revision)
}

/// What was captured of a run in progress, the files that its command writes to by itself included.
pub fn look(folder: &Path) -> Look {
    match files_alone(folder) {
        Some(source) => source.look(false),
        None => Look::of_folder(folder),
    }
}

/// Brings what the command wrote to files by itself into the live folder; for folders of this machine's own runs only,
/// since the folder says which files these are.
pub fn gather(folder: &Path) {
    bring_in(folder, false);
}

/// The same when nothing more comes.
#[cfg(unix)]
fn conclude(folder: &Path) {
    bring_in(folder, true);
}

fn bring_in(folder: &Path, is_over: bool) {
    let Some(mut source) = files_alone(folder) else {
        return;
    };
    // What cannot be kept on a full disk is lost; the file itself is still the user's.
    let _ = source.look(is_over).store(folder);
    if is_over {
        // Whoever writes to the files after that is another.
        source.files.clear();
        let _ = source.write(folder);
    }
}

/// Where the output goes, if no pump takes it.
fn files_alone(folder: &Path) -> Option<Source> {
    Source::read(folder).filter(|source| !source.is_pumped && !source.files.is_empty())
}
