//! Many runs written at once: their objects as one pack, their refs a few hundred at a time, so that the disk is waited
//! for a few times and not once for each run.
//!
//! Each ref moves by compare-and-swap all the same, and only when its objects are on disk; one that cannot be moved
//! leaves the others alone.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::store::commit::Composed;
use crate::store::objects::{Object, each_in_parallel};
use crate::store::operation::Move;
use crate::store::platform::sync_file;
use crate::store::refs::Lock;
use crate::store::{Oid, RunWrite, Store, output_with_input};

/// From how many runs on a pack costs less than loose objects.
const BATCH_MIN: usize = 16;
/// How many refs are locked at a time: others who want one of them wait that long.
const LOCKS_MAX: usize = 256;
/// From how many refs on packed-refs is written anew instead of a file for each; and how many at a time.
const PACKED_MIN: usize = 256;
const PACKED_MAX: usize = 4096;

impl Store {
    /// Writes each as [`Store::write_run`] does, faster where they are many; what became of each, in order.
    pub fn write_runs(&self, writes: &[RunWrite<'_>]) -> Vec<Result<Oid>> {
        if writes.len() < BATCH_MIN {
            return writes.iter().map(|write| self.write_run(write)).collect();
        }
        match self.write_together(writes.iter().map(|write| self.compose(write)).collect()) {
            Ok(written) => written,
            // One by one each of them says why, and those that can be written are.
            Err(_) => writes.iter().map(|write| self.write_run(write)).collect(),
        }
    }

    /// Writes the objects of all and moves each ref; what became of each, in order. An error if the objects cannot be
    /// written.
    pub(super) fn write_together(&self, mut written: Vec<Result<Composed>>) -> Result<Vec<Result<Oid>>> {
        let mut objects = Vec::new();
        let mut known = HashSet::new();
        for composed in written.iter_mut().flatten() {
            let new = std::mem::take(&mut composed.objects).into_iter();
            objects.extend(new.filter(|object| known.insert(object.id)));
        }
        match objects.len() {
            0 => {}
            count if count < BATCH_MIN => {
                self.write_objects(&objects)?;
                self.precede_collector(&objects)?;
            }
            _ => self.write_packed(&objects)?,
        }
        let moved = self.move_refs(written);
        if let Err(error) = self.outlast_collector(&objects) {
            self.warn(format!("{error:#}"));
        }
        Ok(moved)
    }

    fn write_packed(&self, objects: &[Object]) -> Result<()> {
        self.write_pack(objects)?;
        self.precede_collector(objects)
    }

    fn move_refs(&self, written: Vec<Result<Composed>>) -> Vec<Result<Oid>> {
        let by_git = self.moves_refs_by_git();
        let ready: Vec<&Composed> = written.iter().flatten().collect();
        let moves: Vec<Move> =
            ready.iter().map(|one| Move::of(&one.name, one.expected, Some(one.tip))).collect();
        self.foretell(&moves);
        let are_many = ready.len() >= PACKED_MIN;
        let together = |chunk: &[&Composed]| match (by_git, are_many) {
            (true, _) => self.move_by_git(chunk),
            (false, true) => self.move_packed(chunk),
            (false, false) => self.move_by_files(chunk),
        };
        // Whatever keeps some from moving together, each of them is tried alone, and says what is wrong.
        let moved: HashSet<String> = ready
            .chunks(if are_many { PACKED_MAX } else { LOCKS_MAX })
            .filter_map(|chunk| together(chunk).ok())
            .flatten()
            .collect();
        let mut struck = Vec::new();
        let mut settle = |composed: Composed| {
            if !moved.contains(&composed.name)
                && let Err(error) = self.move_ref(&composed.name, composed.expected, composed.tip)
            {
                struck.push(composed.name);
                return Err(error);
            }
            Ok(composed.tip.to_string())
        };
        let settled = written.into_iter().map(|composed| composed.and_then(&mut settle)).collect();
        self.strike(&struck);
        settled
    }

    /// Moves all of them in one transaction of git's; the names of those that moved.
    fn move_by_git(&self, ready: &[&Composed]) -> Result<Vec<String>> {
        let line = |composed: &&Composed| match composed.expected {
            Some(old) => format!("update {} {} {old}\n", composed.name, composed.tip),
            None => format!("create {} {}\n", composed.name, composed.tip),
        };
        let lines: String = ready.iter().map(line).collect();
        let mut git = self.git();
        git.args(["-c", "core.fsync=all", "update-ref", "--no-deref", "-m", "xtrack", "--stdin"]);
        output_with_input(&mut git, lines.as_bytes())?;
        Ok(ready.iter().map(|composed| composed.name.clone()).collect())
    }

    /// Moves those that nobody else is at; the names of those that moved.
    fn move_by_files(&self, ready: &[&Composed]) -> Result<Vec<String>> {
        let mut locked: Vec<(&Composed, Lock)> = Vec::new();
        let mut changed: BTreeSet<PathBuf> = BTreeSet::new();
        for composed in ready {
            let Some((mut lock, new_folders)) = self.lock(&composed.name)? else {
                continue;
            };
            changed.extend(new_folders.iter().filter_map(|folder| folder.parent()).map(Path::to_owned));
            if self.ref_tip(&composed.name)? == composed.expected {
                lock.file.write_all(format!("{}\n", composed.tip).as_bytes())?;
                locked.push((composed, lock));
            }
        }
        each_in_parallel(locked.iter().map(|(_, lock)| lock.path.as_path()), sync_file)?;
        let mut done = Vec::new();
        for (composed, lock) in &mut locked {
            let path = self.common_dir().join(&composed.name);
            self.sharing.apply(&lock.path)?;
            fs::rename(&lock.path, &path).with_context(|| format!("cannot write '{}'", path.display()))?;
            lock.is_kept = true;
            changed.extend(path.parent().map(Path::to_owned));
            done.push(composed.name.clone());
        }
        self.sync_folders(changed.iter().map(PathBuf::as_path))?;
        Ok(done)
    }
}
