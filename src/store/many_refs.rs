//! Many refs made or moved at once: one write of packed-refs instead of a file and three syncs for each.
//!
//! Git reads a ref's own file before packed-refs. So who makes one of those that are new at the same time wins, and is found
//! out afterwards; and those that move are locked, one by one, before packed-refs is written.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::error::Problem;
use crate::store::commit::Composed;
use crate::store::operation::Move;
use crate::store::platform::sync_dir;
use crate::store::refs::{Lock, PACKED_REFS, jitter};
use crate::store::{Moved, Oid, Store, object_id, output_with_input};

/// From how many refs on they are written together.
const TOGETHER_MIN: usize = 24;
/// How long another writer of packed-refs is waited for.
const WAIT_MAX: Duration = Duration::from_secs(10);
/// What packed-refs begins with where there was none.
const HEADER: &str = "# pack-refs with: peeled fully-peeled sorted ";

/// Why a ref is not as it was to be.
pub type Missed = Vec<(String, anyhow::Error)>;

impl Store {
    /// Makes refs that do not exist yet; those that turn out to exist otherwise are given back as [`Moved`].
    pub fn create_refs(&self, refs: &[(String, Oid)]) -> Result<Missed> {
        let new =
            |(name, tip): &(String, Oid)| Move { name: name.clone(), before: None, after: Some(tip.clone()) };
        self.foretell(&refs.iter().map(new).collect::<Vec<_>>());
        let missed = self.create_together(refs)?;
        self.strike(&missed.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>());
        Ok(missed)
    }

    fn create_together(&self, refs: &[(String, Oid)]) -> Result<Missed> {
        if refs.len() < TOGETHER_MIN {
            return self.create_each(refs);
        }
        let by_git = self.moves_refs_by_git();
        let written = match by_git {
            true => self.create_by_git(refs),
            false => self.create_packed(refs),
        };
        match written {
            // One that is in the way holds up all: each by itself.
            Err(_) | Ok(false) => self.create_each(refs),
            // Git has looked whether they are there, under its locks.
            Ok(true) if by_git => Ok(Missed::new()),
            Ok(true) => self.look_after(refs),
        }
    }

    /// Moves refs, each from what it must point at now; what became of each, in order. A ref that is not as expected
    /// is the error [`Moved`]. What they drop is kept for a while, but for what was purged.
    pub fn change_refs(&self, changes: &[(String, Oid, Oid)]) -> Result<Vec<Result<Oid>>> {
        self.keep_what_drops(changes)?;
        let compose = |(name, old, new): &(String, Oid, Oid)| {
            let (expected, tip) = (Some(object_id(self, old)?), object_id(self, new)?);
            Ok(Composed { name: name.clone(), expected, tip, objects: Vec::new() })
        };
        self.write_together(changes.iter().map(compose).collect())
    }

    /// Moves those that nobody else is at by one write of packed-refs; the names of those that moved.
    pub(super) fn move_packed(&self, ready: &[&Composed]) -> Result<Vec<String>> {
        let mut locked: Vec<(&Composed, Lock)> = Vec::new();
        for composed in ready {
            if let Some((lock, _)) = self.lock(&composed.name)?
                && self.ref_tip(&composed.name)? == composed.expected
            {
                locked.push((composed, lock));
            }
        }
        let refs: Vec<(String, Oid)> =
            locked.iter().map(|(one, _)| (one.name.clone(), one.tip.to_string())).collect();
        if refs.is_empty() { Ok(Vec::new()) } else { self.replace_packed(&refs) }
    }

    /// The name of a run's ref in this repository.
    pub fn run_ref_name(&self, id: &crate::run::id::RunId) -> String {
        self.run_ref(id)
    }

    fn create_each(&self, refs: &[(String, Oid)]) -> Result<Missed> {
        let tried = refs.iter().map(|(name, tip)| (name, self.create_ref(name, tip)));
        Ok(tried.filter_map(|(name, tried)| Some((name.clone(), tried.err()?))).collect())
    }

    fn create_ref(&self, name: &str, tip: &Oid) -> Result<()> {
        self.move_ref(name, None, object_id(self, tip)?)
    }

    fn create_by_git(&self, refs: &[(String, Oid)]) -> Result<bool> {
        let lines: String = refs.iter().map(|(name, tip)| format!("create {name} {tip}\n")).collect();
        let mut git = self.git();
        git.args(["-c", "core.fsync=all", "update-ref", "--no-deref", "-m", "xtrack", "--stdin"]);
        output_with_input(&mut git, lines.as_bytes()).map(|_| true)
    }

    /// Writes packed-refs with new ones; false if that is not how this file is written, or one of them is there.
    fn create_packed(&self, refs: &[(String, Oid)]) -> Result<bool> {
        let path = self.common_dir.join(PACKED_REFS);
        let cannot = || format!("cannot write '{}'", path.display());
        let mut lock = self.lock_packed_refs()?;
        let Some(text) = with_refs(&self.packed_text().with_context(cannot)?, refs, false) else {
            return Ok(false);
        };
        lock.file.write_all(text.as_bytes()).with_context(cannot)?;
        lock.file.sync_all().with_context(cannot)?;
        self.sharing.apply(&lock.path)?;
        fs::rename(&lock.path, &path).with_context(cannot)?;
        lock.is_kept = true;
        sync_dir(&self.common_dir).with_context(cannot)?;
        Ok(true)
    }

    /// Writes packed-refs with these in place of what it says of them, and removes the files of their own, which would count
    /// more; the names of those that moved, none if that is not how packed-refs is written.
    fn replace_packed(&self, refs: &[(String, Oid)]) -> Result<Vec<String>> {
        let path = self.common_dir.join(PACKED_REFS);
        let cannot = || format!("cannot write '{}'", path.display());
        // Held to the end: who packs refs meanwhile would take what the files of their own say, which is over.
        let _lock = self.lock_packed_refs()?;
        let Some(text) = with_refs(&self.packed_text().with_context(cannot)?, refs, true) else {
            return Ok(Vec::new());
        };
        let new = self.state_dir().join(format!("{PACKED_REFS}.new"));
        let mut file = File::create(&new).with_context(cannot)?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).with_context(cannot)?;
        self.sharing.apply(&new)?;
        fs::rename(&new, &path).with_context(cannot)?;
        sync_dir(&self.common_dir).with_context(cannot)?;
        let (mut moved, mut changed) = (Vec::new(), BTreeSet::new());
        for (name, _) in refs {
            let own = self.common_dir.join(name);
            match fs::remove_file(&own) {
                Ok(()) => drop(changed.insert(own.parent().unwrap_or(&self.common_dir).to_owned())),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                // It is what it was.
                Err(_) => continue,
            }
            moved.push(name.clone());
        }
        self.sync_folders(changed.iter().map(PathBuf::as_path))?;
        Ok(moved)
    }

    fn lock_packed_refs(&self) -> Result<Lock> {
        let began = Instant::now();
        loop {
            match self.lock(PACKED_REFS)? {
                Some((lock, _)) => return Ok(lock),
                None if began.elapsed() > WAIT_MAX => {
                    return Err(Problem::new(format!("'{PACKED_REFS}.lock' is in the way")).into());
                }
                None => std::thread::sleep(jitter()),
            }
        }
    }

    fn packed_text(&self) -> std::io::Result<String> {
        match fs::read_to_string(self.common_dir.join(PACKED_REFS)) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(format!("{HEADER}\n")),
            read => read,
        }
    }

    /// Those of the refs that somebody else made otherwise meanwhile.
    fn look_after(&self, refs: &[(String, Oid)]) -> Result<Missed> {
        let (mut missed, mut packed) = (Missed::new(), Vec::new());
        for (name, tip) in refs {
            let tip = object_id(self, tip)?;
            match self.loose_tip(name)? {
                None => packed.push((name, tip)),
                Some(loose) if loose == tip => {}
                Some(_) => missed.push((name.clone(), Moved.into())),
            }
        }
        let is_missing = |text: &gix::refs::packed::Buffer, (name, tip): &(&String, gix::ObjectId)| {
            let found = text.try_find(name.as_str()).ok().flatten();
            found.is_none_or(|found| found.target() != *tip)
        };
        // In one look: the file is so new that it would be read again for each.
        let gone = self.with_packed_refs(|text| {
            Ok(packed.iter().filter(|one| is_missing(text, one)).map(|(name, _)| (*name).clone()).collect())
        })?;
        let gone: Vec<String> =
            gone.unwrap_or_else(|| packed.iter().map(|(name, _)| (*name).clone()).collect());
        missed.extend(gone.into_iter().map(|name| (name, Moved.into())));
        Ok(missed)
    }
}

/// The text of packed-refs with these refs; none if it is not sorted, or one of them is there already and is not to be
/// replaced.
fn with_refs(before: &str, refs: &[(String, Oid)], replaces: bool) -> Option<String> {
    let (header, lines) = before.split_once('\n')?;
    if !header.starts_with("# pack-refs with:") || !header.split(' ').any(|word| word == "sorted") {
        return None;
    }
    let sorted: BTreeMap<&str, &str> = refs.iter().map(|(name, tip)| (name.as_str(), tip.as_str())).collect();
    let mut new = sorted.into_iter().peekable();
    let mut text = String::with_capacity(before.len() + refs.len() * 96);
    let mut put = |line: &str| {
        text.push_str(line);
        text.push('\n');
    };
    put(header);
    let mut is_replaced = false;
    for line in lines.lines() {
        // `^<oid>` says what the tag before it stands for, and stays or goes with it.
        if let Some((_, name)) = line.split_once(' ') {
            while let Some((name, tip)) = new.next_if(|(new, _)| *new < name) {
                put(&format!("{tip} {name}"));
            }
            let other = new.next_if(|(new, _)| *new == name);
            is_replaced = other.is_some();
            match other {
                Some((name, tip)) if replaces => put(&format!("{tip} {name}")),
                Some(_) => return None,
                None => {}
            }
        }
        if !is_replaced {
            put(line);
        }
    }
    new.for_each(|(name, tip)| put(&format!("{tip} {name}")));
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refs_that_move_take_their_own_place() {
        let refs = [("refs/b".to_owned(), "9".to_owned()), ("refs/tags/t".to_owned(), "8".to_owned())];
        let before = format!("{HEADER}\n1 refs/a\n1 refs/b\n2 refs/tags/t\n^3\n4 refs/z\n");
        let wanted = format!("{HEADER}\n1 refs/a\n9 refs/b\n8 refs/tags/t\n4 refs/z\n");
        assert_eq!(with_refs(&before, &refs, true), Some(wanted));
    }

    #[test]
    fn new_refs_stand_in_their_order_and_tags_keep_what_they_stand_for() {
        let refs = |pairs: &[(&str, &str)]| -> Vec<(String, Oid)> {
            pairs.iter().map(|(name, tip)| ((*name).to_owned(), (*tip).to_owned())).collect()
        };
        let before = format!("{HEADER}\n1 refs/b\n2 refs/tags/t\n^3\n");
        let after =
            with_refs(&before, &refs(&[("refs/z", "9"), ("refs/a", "7"), ("refs/tags/u", "8")]), false);
        let wanted = format!("{HEADER}\n7 refs/a\n1 refs/b\n2 refs/tags/t\n^3\n8 refs/tags/u\n9 refs/z\n");
        assert_eq!(after, Some(wanted));
        assert_eq!(with_refs(&before, &refs(&[("refs/b", "9")]), false), None, "it is there");
        assert_eq!(
            with_refs("# pack-refs with: peeled \n", &refs(&[("refs/b", "9")]), false),
            None,
            "not sorted"
        );
        assert_eq!(with_refs("1 refs/b\n", &refs(&[("refs/c", "9")]), false), None, "no header");
    }
}
