//! Sharing runs with other repositories: pushed, fetched, joined. Everything goes through git; nothing that comes from
//! elsewhere is believed before it was looked at, and nothing there takes anything away here.

pub mod artifacts;
pub mod check;
pub mod code;
pub mod fetch;
mod look;
pub mod merge;
pub mod plan;
pub mod pull;
pub mod push;

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use anyhow::Result;

use crate::error::Problem;
use crate::run::id::RunId;
use crate::store::Remote;
use crate::tracker::Tracker;

/// The remote that runs are shared through where nothing else is set.
const REMOTE: &str = "origin";

/// A run that is left as it is, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Which.
    pub id: RunId,
    /// Why.
    pub reason: String,
    /// Which sort of reason it is.
    pub cause: Cause,
}

/// The sorts of reason for which a run is left as it is; what to do about each differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Bytes of its artifacts are missing or damaged here.
    Artifacts,
    /// The remote has words on it that are not here.
    Diverged,
    /// One of the two was purged, the other not.
    Purged,
    /// What came, or what the remote has, is not sound.
    Unsound,
    /// The remote refused it.
    Remote,
    /// What is here gets in the way.
    Here,
}

impl Refused {
    fn new(id: RunId, cause: Cause, reason: impl Into<String>) -> Self {
        Self { id, reason: reason.into(), cause }
    }
}

/// The repository that a word must mean; without one, that which runs are shared through.
pub fn remote(tracker: &Tracker, word: Option<&str>) -> Result<Remote> {
    match word {
        Some(word) => Ok(remote_of(tracker, word)?.ok_or_else(|| {
            let problem = Problem::usage(format!("{word:?} is no remote, no repository and no address"));
            problem.hint("`git remote -v` lists the remotes")
        })?),
        None => usual_remote(tracker),
    }
}

/// The remote that runs are shared through: the one that is set, else `origin`.
pub fn usual_remote(tracker: &Tracker) -> Result<Remote> {
    let name = tracker.config.remote.as_deref().unwrap_or(REMOTE);
    Ok(tracker.store.remote_named(name)?.ok_or_else(|| no_remote(tracker, name))?)
}

/// What is said of a name that git's configuration does not know.
pub fn no_remote(tracker: &Tracker, name: &str) -> Problem {
    Problem::usage(format!("there is no remote '{name}'")).hint(
        match tracker.store.remote_names().as_slice() {
            [] => {
                "`git remote add origin ADDRESS` makes one; a path or an address will do as well".to_owned()
            }
            names => format!("name one of '{}', or a path or an address", names.join("', '")),
        },
    )
}

/// The repository that a word means, if it means one: a remote's name, the path of a repository, an address.
pub fn remote_of(tracker: &Tracker, word: &str) -> Result<Option<Remote>> {
    if let Some(remote) = tracker.store.remote_named(word)? {
        return Ok(Some(remote));
    }
    let path = tracker.directory().join(word);
    // Git runs elsewhere: what is relative is meant from here.
    if !word.is_empty() && path.exists() && (is_repository(&path) || word.contains('/')) {
        let path = std::path::absolute(&path)?;
        return tracker.store.remote_at(&path.to_string_lossy()).map(Some);
    }
    if is_address(word) { tracker.store.remote_at(word).map(Some) } else { Ok(None) }
}

fn is_repository(path: &Path) -> bool {
    path.join(".git").exists()
        || (path.join("HEAD").exists() && path.join("objects").is_dir())
        || is_bundle(path)
}

/// Whether it is a file made by `git bundle`; a run may well be named as some other file here is.
fn is_bundle(path: &Path) -> bool {
    let mut start = [0; 6];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && (start == *b"# v2 g" || start == *b"# v3 g")
}

/// Whether git takes the word for an address: `scheme://…`, `helper::…`, `host:path`.
fn is_address(word: &str) -> bool {
    let scheme = word.split_once("://").or_else(|| word.split_once("::"));
    let is_scheme = |scheme: &str| {
        !scheme.is_empty()
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    };
    if scheme.is_some_and(|(scheme, _)| is_scheme(scheme)) {
        return true;
    }
    // A run's name may hold a colon; a host is followed by a path, or preceded by a user.
    word.split_once(':').is_some_and(|(host, path)| {
        let is_host = !host.is_empty() && !host.contains(['/', ' ', '=']) && !host.starts_with('-');
        is_host && !path.is_empty() && (host.contains('@') || path.contains('/') || path.ends_with(".git"))
    })
}

#[cfg(test)]
mod tests {
    use super::is_address;

    #[test]
    fn addresses_are_told_from_names() {
        for word in ["https://h/x", "ssh://h/x", "file:///x", "git@h:x", "h:a/b", "h:x.git", "ext::sh -c x"] {
            assert!(is_address(word), "{word}");
        }
        for word in
            ["origin", "lr:0.1", "a b:c/d", "quiet-otter", "-x:a/b", "20260101-000000-aaaaaaaa", "./x:y"]
        {
            assert!(!is_address(word), "{word}");
        }
    }
}
