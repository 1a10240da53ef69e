//! Artifacts and the stores that keep them: folders, LFS servers, buckets and web servers, good ones and bad ones.
//!
//! Real servers come from the package index, once, into the target folder: with XTRACK_SERVERS=1 (or XTRACK_FRAMEWORKS=1).
#![cfg(target_os = "linux")]

mod bucket;
mod clouds;
mod faults;
mod folder;
mod get;
mod lfs;
mod line;
mod real;
mod server;
mod trust;
mod web;

use std::path::{Path, PathBuf};

use serde_json::Value;
use xtrack::run::id::sha256;

use crate::support::Repo;

/// Bytes that are not like each other.
pub fn bytes(seed: u8, size: usize) -> Vec<u8> {
    let mut state = u32::from(seed) + 1;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..size).map(|_| next()).collect()
}

/// A repository with a run of that name, which has one large artifact `model.bin` and a small one `note.txt`.
pub fn repository(run: &str, model: &[u8]) -> Repo {
    let repo = Repo::new();
    record(&repo, run, model);
    repo
}

/// Records a run with these bytes as `model.bin`.
pub fn record(repo: &Repo, run: &str, model: &[u8]) {
    repo.write("model.bin", model);
    repo.write("note.txt", "small\n");
    repo.xtrack(&["record", "--name", run, "-a", "model.bin", "-a", "note.txt"]).ok();
}

/// Where bytes lie in a store that is a folder.
pub fn place(folder: &Path, bytes: &[u8]) -> PathBuf {
    let sha256 = sha256(bytes);
    folder.join(&sha256[..2]).join(sha256)
}

/// Where bytes lie in a clone.
pub fn here(repo: &Repo, bytes: &[u8]) -> PathBuf {
    place(&repo.path().join(".git/xtrack/objects"), bytes)
}

/// Sets the store in git's config.
pub fn set_store(repo: &Repo, url: &str) {
    repo.git(&["config", "xtrack.store.url", url]);
}

/// What `git xtrack artifact …` says as JSON.
#[track_caller]
pub fn json(repo: &Repo, arguments: &[&str]) -> Value {
    let arguments = [&["artifact"], arguments, &["--json"]].concat();
    let output = repo.xtrack(&arguments);
    serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{arguments:?}: {}", output.stderr))
}

/// Forgets what is here of these bytes.
pub fn forget(repo: &Repo, bytes: &[u8]) {
    std::fs::remove_file(here(repo, bytes)).unwrap();
}
