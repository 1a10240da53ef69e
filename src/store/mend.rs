//! Putting right what is here: a ref that cannot be read, a record that is not in its form, a lock that nobody holds.
//!
//! Knows how each is done without taking anything away; whether it is to be done is decided above.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::error::Problem;
use crate::run::id::{RunId, Time};
use crate::store::commit::{Composed, Words};
use crate::store::platform::sync_dir;
use crate::store::remote::quarantine::LEFT_OVER_AGE;
use crate::store::{Content, Moved, Oid, Store, failed, object_id};

/// What a record is to become.
pub struct Rewrite<'a> {
    /// The run.
    pub id: &'a RunId,
    /// The tip that it must have.
    pub tip: &'a Oid,
    /// All of its files.
    pub files: BTreeMap<String, Content>,
    /// The commit's message.
    pub message: &'a str,
    /// The commit's date.
    pub at: Time,
}

impl Store {
    /// Commits exactly these files upon the run's tip; the new tip. The error [`Moved`] if the tip is another.
    pub fn rewrite_run(&self, rewrite: Rewrite<'_>) -> Result<Oid> {
        let mut objects = Vec::new();
        let root = self.tree_of_files(rewrite.files, &mut objects)?;
        let expected = object_id(self, rewrite.tip)?;
        let (parents, by) = ([expected], self.identity().to_string());
        let words = Words { parents: &parents, by, seconds: rewrite.at.seconds(), message: rewrite.message };
        let tip = self.push_commit(&root, &words, &mut objects)?;
        let composed = Composed { name: self.run_ref(rewrite.id), expected: Some(expected), tip, objects };
        let mut written = self.write_together(vec![Ok(composed)])?;
        written.pop().context("one was written")?
    }

    /// Points a ref of a run somewhere, of which only what cannot be used is known: `found` is what its own file says, as
    /// [`Store::found_refs`] told it. The error [`Moved`] if it says something else by now.
    pub fn put_back(&self, id: &RunId, found: &crate::store::Target, new: &Oid) -> Result<()> {
        use crate::store::Target;
        let (name, new) = (self.run_ref(id), object_id(self, new)?);
        if let Target::Object(old) = found {
            return self.update_ref(&name, Some(object_id(self, old)?), new);
        }
        let path = self.common_dir.join(&name);
        let cannot = || format!("cannot write '{}'", path.display());
        let Some((mut lock, _)) = self.lock(&name)? else {
            return Err(Problem::new(format!("cannot write '{name}': another process writes it now")).into());
        };
        let now = self.found_refs()?.refs.remove(&name);
        if now.is_none_or(|now| now.target != *found) {
            return Err(Moved.into());
        }
        lock.file.write_all(format!("{new}\n").as_bytes()).with_context(cannot)?;
        lock.file.sync_all().with_context(cannot)?;
        self.sharing.apply(&lock.path)?;
        fs::rename(&lock.path, &path).with_context(cannot)?;
        lock.is_kept = true;
        path.parent().map_or(Ok(()), sync_dir).with_context(cannot)
    }

    /// The lock of a ref, if it is so old that nobody can still be at work under it.
    pub fn forgotten_lock(&self, name: &str) -> Option<PathBuf> {
        let path = self.common_dir.join(format!("{name}.lock"));
        is_old(&path).then_some(path)
    }

    /// What processes of ours that were killed left in our folder and among git's packs, old enough that nobody can
    /// still be at work with it.
    pub fn left_over(&self) -> Vec<PathBuf> {
        let state = self.state_dir();
        let children = |folder: PathBuf| fs::read_dir(folder).into_iter().flatten().flatten();
        let is_temporary = |name: &str| name.starts_with("tmp-") || name.contains(".tmp-");
        let of_state = children(state.clone())
            .filter(|child| is_temporary(&child.file_name().to_string_lossy()))
            .map(|child| child.path());
        let copies = children(state.join("objects/tmp")).map(|child| child.path());
        let keeps = children(self.objects_dir().join("pack")).map(|child| child.path()).filter(|path| {
            let is_keep = path.extension().is_some_and(|extension| extension == "keep");
            is_keep && fs::read_to_string(path).is_ok_and(|text| text.starts_with("git-xtrack:"))
        });
        of_state.chain(copies).chain(keeps).filter(|path| is_old(path)).collect()
    }

    /// Removes what [`Store::left_over`] or [`Store::forgotten_lock`] found, if it is still old.
    pub fn remove_left_over(&self, path: &std::path::Path) -> Result<()> {
        if !is_old(path) {
            return Err(Problem::new("somebody is at work with it again").into());
        }
        let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
        removed.map_err(|error| failed(&format!("cannot remove '{}'", path.display()), error).into())
    }
}

fn is_old(path: &std::path::Path) -> bool {
    age(path).is_some_and(|age| age > LEFT_OVER_AGE)
}

fn age(path: &std::path::Path) -> Option<Duration> {
    fs::symlink_metadata(path).ok()?.modified().ok()?.elapsed().ok()
}
