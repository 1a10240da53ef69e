//! Git's collector at work beside us: what it takes of objects that nothing named yet is written again.
//!
//! `git gc --prune=now` looks at the refs first and removes unnamed objects later, however young. What was written in
//! between and named by a ref since would be lost; a collector that begins after the ref moved keeps it. Knows how a
//! running collector is told (`gc.pid`, builtin/gc.c of Git), not what objects hold.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use gix::ObjectId;
use gix::objs::{Exists as _, Find as _, Kind};

use crate::store::objects::{Object, loose_path};
use crate::store::{Store, failed};

/// How long a collector is waited for that may take what was just written.
const WAIT_MAX: Duration = Duration::from_secs(60);
/// How often an object is looked for that collectors have moved.
const LOOKS_MAX: usize = 50;
/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(10);

impl Store {
    /// Lets a collector that is at work end before a ref comes to name the objects: readers had better not see a run of
    /// which it is about to take a part.
    pub(super) fn precede_collector(&self, objects: &[Object]) -> Result<()> {
        if self.wait_for_collector() { self.write_again(objects) } else { Ok(()) }
    }

    /// Makes sure that objects which a ref has just come to name are there to stay.
    pub(super) fn outlast_collector(&self, objects: &[Object]) -> Result<()> {
        self.wait_for_collector();
        self.write_again(objects)
    }

    /// Writes those of the objects that are not there any more.
    fn write_again(&self, objects: &[Object]) -> Result<()> {
        let missing = self.missing(objects.iter().map(|object| &object.id))?;
        let lost: Vec<Object> =
            objects.iter().filter(|object| missing.contains(&object.id)).cloned().collect();
        if lost.is_empty() { Ok(()) } else { self.write_objects(&lost) }
    }

    /// Waits while the collector runs that is at work now and spares nothing; whether there was one. One that begins
    /// after it sees what has been named by then.
    pub(super) fn wait_for_collector(&self) -> bool {
        let began = Instant::now();
        let Some(first) = self.merciless_collector() else {
            return false;
        };
        while self.merciless_collector().is_some_and(|now| now == first) && began.elapsed() < WAIT_MAX {
            std::thread::sleep(LOOK);
        }
        true
    }

    /// The collector at work that does not spare young objects, as it does by default; what `gc.pid` says of it.
    fn merciless_collector(&self) -> Option<String> {
        let text = fs::read_to_string(self.common_dir.join("gc.pid")).ok()?;
        let pid = text.split_whitespace().next()?;
        // One that was killed left the file behind; one on another host cannot be looked at.
        let command = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let mut words = command.split(|byte| *byte == 0);
        let is_told = words.any(|word| word.starts_with(b"--prune"));
        (is_told || self.config("gc.pruneExpire").is_some()).then_some(text)
    }

    /// Those of the objects that are not there now. Packs are looked at anew: those that were known may be gone.
    pub(super) fn missing<'a>(&self, ids: impl Iterator<Item = &'a ObjectId>) -> Result<HashSet<ObjectId>> {
        let folder = self.objects_dir();
        let mut packed = None;
        let mut missing = HashSet::new();
        for id in ids.filter(|id| !loose_path(&folder, id).exists()) {
            let packed = match &packed {
                Some(packed) => packed,
                None => packed.insert(self.packs(&folder)?),
            };
            // One that was packed between the two looks is found now; one that was unpacked, by the third.
            if !packed.exists(id) && !loose_path(&folder, id).exists() {
                missing.insert(*id);
            }
        }
        Ok(missing)
    }

    /// An object that was not found where it was a moment ago. While a collector is at work, it is waited for: what it
    /// takes of a run whose ref has just moved is written again.
    pub(super) fn find_anew(&self, id: &ObjectId) -> Result<Option<(Kind, Vec<u8>)>> {
        let mut is_collected = false;
        for _ in 0..LOOKS_MAX {
            let mut data = Vec::new();
            let packs = self.packs(&self.objects_dir())?;
            let found =
                packs.try_find(id, &mut data).map_err(|error| failed("cannot read an object", error))?;
            if let Some(kind) = found.map(|found| found.kind) {
                return Ok(Some((kind, data)));
            }
            is_collected |= self.wait_for_collector();
            if !is_collected {
                break;
            }
            std::thread::sleep(LOOK);
        }
        Ok(None)
    }

    fn packs(&self, folder: &Path) -> Result<gix::odb::Handle> {
        gix::odb::at(folder, self.hash_kind()).context("cannot look at the objects")
    }
}
