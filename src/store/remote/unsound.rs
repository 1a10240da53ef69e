//! All objects in quarantine that git finds fault with, found in one pass.
//!
//! A pack that is checked while it comes is refused as a whole, and only the first fault is told. Here it lies in quarantine
//! already: what is wrong with which object is known at once, however many there are.

use std::collections::HashMap;
use std::fs;
use std::io::Read as _;
use std::process::Stdio;

use anyhow::{Context as _, Result};
use gix::ObjectId;

use crate::error::Problem;
use crate::store::remote::quarantine::Quarantine;
use crate::store::{Store, cannot_run_git};

/// How much is read of what git says.
const SAID_MAX: u64 = 64 << 20;

/// By object: what is wrong with it.
pub type Unsound = HashMap<ObjectId, String>;

impl Quarantine {
    /// What git finds wrong with what is in here. An error if git cannot tell of all.
    pub fn unsound(&self, store: &Store, memory_max: &str) -> Result<Unsound> {
        let judge = self.folder().join("judge");
        let cannot = || format!("cannot write to '{}'", judge.display());
        let hash = match store.hash_kind() {
            gix::hash::Kind::Sha1 => String::new(),
            other => format!("[extensions]\n\tobjectFormat = {other}\n"),
        };
        let config = format!("[core]\n\trepositoryFormatVersion = 1\n\tbare = true\n{hash}");
        fs::create_dir_all(judge.join("refs"))
            .and_then(|()| fs::write(judge.join("HEAD"), b"ref: refs/heads/none\n"))
            .and_then(|()| fs::write(judge.join("config"), config))
            .with_context(cannot)?;
        let mut git = store.git();
        // In a repository without refs, objects of ours, and settings: nothing but what came is looked at, by git's own rules.
        git.env("GIT_DIR", &judge).env("GIT_OBJECT_DIRECTORY", self.objects());
        git.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
        for name in [
            "GIT_WORK_TREE",
            "GIT_COMMON_DIR",
            "GIT_ALTERNATE_OBJECT_DIRECTORIES",
            "GIT_CONFIG_PARAMETERS",
            "GIT_CONFIG_COUNT",
        ] {
            git.env_remove(name);
        }
        git.env("GIT_ALLOC_LIMIT", memory_max);
        // What the user forgives in a fetch is forgiven here.
        for (key, value) in store.config_section("fetch") {
            if let Some(fault) = key.strip_prefix("fsck.") {
                git.args(["-c", &format!("fsck.{fault}={value}")]);
            }
        }
        git.args(["fsck", "--strict", "--full", "--no-dangling", "--no-reflogs", "--no-progress"]);
        let mut child = git.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().map_err(cannot_run_git)?;
        let stderr = child.stderr.take().expect("it was asked for above");
        let mut said = Vec::new();
        let read = stderr.take(SAID_MAX).read_to_end(&mut said);
        let status = child.wait().map_err(cannot_run_git)?;
        read.context("cannot read what git says")?;
        let is_whole = status.code().is_some_and(|code| code < 128) && (said.len() as u64) < SAID_MAX;
        match is_whole {
            true => Ok(String::from_utf8_lossy(&said).lines().filter_map(fault).rev().collect()),
            false => Err(Problem::new("git cannot tell of all that came what is wrong with it").into()),
        }
    }
}

/// Reads `error in tree 1234: hasDotdot: contains '..'`.
fn fault(line: &str) -> Option<(ObjectId, String)> {
    let (object, what) = line.strip_prefix("error in ")?.split_once(": ")?;
    let id = object.split_once(' ')?.1;
    Some((ObjectId::from_hex(id.as_bytes()).ok()?, format!("object {id}: {what}")))
}

#[cfg(test)]
mod tests {
    use super::fault;

    #[test]
    fn only_faults_of_objects_are_read() {
        let id = "1234567812345678123456781234567812345678";
        let read = fault(&format!("error in tree {id}: hasDotdot: contains '..'"));
        let read = read.map(|(object, what)| (object.to_string(), what));
        assert_eq!(read, Some((id.to_owned(), format!("object {id}: hasDotdot: contains '..'"))));
        for line in [
            format!("warning in tree {id}: x"),
            format!("error: refs/known/0: invalid sha1 pointer {id}"),
            "error in tree 12: x".to_owned(),
            format!("error in {id}: x"),
            "notice: No default references".to_owned(),
        ] {
            assert_eq!(fault(&line), None, "{line}");
        }
    }
}
