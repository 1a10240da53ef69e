//! Many refs made at once: one write of packed-refs instead of a file, three syncs and a lock for each.
//!
//! Only for refs that are new. Git reads a ref's own file before packed-refs, so that whoever makes one of them at the
//! same time wins, and is found out afterwards.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::error::Problem;
use crate::store::commit::Composed;
use crate::store::operation::Move;
use crate::store::platform::sync_dir;
use crate::store::refs::{PACKED_REFS, jitter};
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

    /// Writes packed-refs with the new ones; false if that is not how this file is written.
    fn create_packed(&self, refs: &[(String, Oid)]) -> Result<bool> {
        let path = self.common_dir.join(PACKED_REFS);
        let cannot = || format!("cannot write '{}'", path.display());
        let began = Instant::now();
        let mut lock = loop {
            match self.lock(PACKED_REFS)? {
                Some((lock, _)) => break lock,
                None if began.elapsed() > WAIT_MAX => {
                    return Err(Problem::new(format!("'{PACKED_REFS}.lock' is in the way")).into());
                }
                None => std::thread::sleep(jitter()),
            }
        };
        let before = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => format!("{HEADER}\n"),
            Err(error) => return Err(error).with_context(cannot),
        };
        let Some(text) = with_refs(&before, refs) else {
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

/// The text of packed-refs with more refs; none if it is not sorted, or one of them is there already.
fn with_refs(before: &str, refs: &[(String, Oid)]) -> Option<String> {
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
    for line in lines.lines() {
        // `^<oid>` says what the tag before it stands for, and stays behind it.
        if let Some((_, name)) = line.split_once(' ') {
            while let Some((name, tip)) = new.next_if(|(new, _)| *new < name) {
                put(&format!("{tip} {name}"));
            }
            if new.peek().is_some_and(|(new, _)| *new == name) {
                return None;
            }
        }
        put(line);
    }
    new.for_each(|(name, tip)| put(&format!("{tip} {name}")));
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_refs_stand_in_their_order_and_tags_keep_what_they_stand_for() {
        let refs = |pairs: &[(&str, &str)]| -> Vec<(String, Oid)> {
            pairs.iter().map(|(name, tip)| ((*name).to_owned(), (*tip).to_owned())).collect()
        };
        let before = format!("{HEADER}\n1 refs/b\n2 refs/tags/t\n^3\n");
        let after = with_refs(&before, &refs(&[("refs/z", "9"), ("refs/a", "7"), ("refs/tags/u", "8")]));
        let wanted = format!("{HEADER}\n7 refs/a\n1 refs/b\n2 refs/tags/t\n^3\n8 refs/tags/u\n9 refs/z\n");
        assert_eq!(after, Some(wanted));
        assert_eq!(with_refs(&before, &refs(&[("refs/b", "9")])), None, "it is there");
        assert_eq!(with_refs("# pack-refs with: peeled \n", &refs(&[("refs/b", "9")])), None, "not sorted");
        assert_eq!(with_refs("1 refs/b\n", &refs(&[("refs/c", "9")])), None, "no header");
    }
}
