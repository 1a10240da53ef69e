//! What refs reach, and how much of the disk that takes.
//!
//! By the git program, which has bitmaps and commit graphs for it; sizes are those on the disk, deltas and compression included.

use std::collections::{HashMap, HashSet};
use std::fs;

use anyhow::{Context as _, Result};
use gix::ObjectId;
use gix::objs::tree::EntryKind;
use gix::objs::{CommitRef, Kind, TreeRef};

use crate::store::{Oid, Store, failed, object_id, output_of, output_with_input};

/// How many commits of a chain are looked through.
const CHAIN_MAX: usize = 10_000;

/// Everything that a chain of commits holds.
pub type Objects = Vec<ObjectId>;

/// The objects of many chains, and how much each takes.
#[derive(Debug, Default)]
pub struct Sizes {
    sizes: HashMap<ObjectId, u64>,
}

/// How much one of several chains takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Weight {
    /// What it alone holds.
    pub own: u64,
    /// What others hold as well.
    pub shared: u64,
}

impl Store {
    /// The bytes on the disk of what `include` reaches and `exclude` does not: revisions and options as `git rev-list` takes
    /// them.
    pub fn disk_usage(&self, include: &[&str], exclude: &[&str], oids: &[Oid]) -> Result<u64> {
        let mut git = self.git();
        git.args(["rev-list", "--objects", "--disk-usage", "--ignore-missing"]);
        git.args(include);
        if !exclude.is_empty() {
            git.arg("--not").args(exclude);
        }
        git.arg("--stdin");
        // What comes by standard input is not turned by `--not`.
        let lines: String = oids.iter().map(|oid| format!("{oid}\n")).collect();
        let said = output_with_input(&mut git, lines.as_bytes()).context("cannot tell what refs take")?;
        let text = String::from_utf8_lossy(&said);
        text.trim().parse().context("cannot tell what refs take")
    }

    /// Every object of the commits behind a tip.
    pub fn objects_behind(&self, tip: &Oid) -> Result<Objects> {
        let mut seen = HashSet::new();
        let tip = object_id(self, tip)?;
        let mut open = vec![tip];
        while let Some(id) = open.pop() {
            // Beyond a shallow clone's edge there is nothing to read.
            if !seen.insert(id) || (id != tip && !self.repository.has_object(id)) {
                continue;
            }
            let data = self.object(id, Kind::Commit)?;
            let commit = CommitRef::from_bytes(&data, self.hash_kind())
                .map_err(|error| failed("cannot read a commit", error))?;
            open.extend(commit.parents());
            self.objects_of_tree(commit.tree(), &mut seen)?;
        }
        Ok(seen.into_iter().collect())
    }

    fn objects_of_tree(&self, root: ObjectId, seen: &mut HashSet<ObjectId>) -> Result<()> {
        let mut open = vec![root];
        while let Some(id) = open.pop() {
            if !seen.insert(id) {
                continue;
            }
            let data = self.object(id, Kind::Tree)?;
            let tree = TreeRef::from_bytes(&data, self.hash_kind())
                .map_err(|error| failed("cannot read a tree", error))?;
            for entry in &tree.entries {
                match entry.mode.kind() {
                    EntryKind::Tree => open.push(entry.oid.to_owned()),
                    // Another repository's.
                    EntryKind::Commit => {}
                    _ => drop(seen.insert(entry.oid.to_owned())),
                }
            }
        }
        Ok(())
    }

    /// How much each object takes on the disk; those that are not here take nothing.
    pub fn sizes<'a>(&self, objects: impl Iterator<Item = &'a ObjectId>) -> Result<Sizes> {
        let mut git = self.git();
        git.args(["cat-file", "--batch-check=%(objectname) %(objectsize:disk)", "--unordered", "--buffer"]);
        git.env("GIT_NO_REPLACE_OBJECTS", "1");
        let lines: String = objects.map(|id| format!("{id}\n")).collect();
        let said =
            output_with_input(&mut git, lines.as_bytes()).context("cannot tell how large objects are")?;
        let text = String::from_utf8_lossy(&said);
        let size = |line: &str| {
            let (id, size) = line.split_once(' ')?;
            Some((ObjectId::from_hex(id.as_bytes()).ok()?, size.parse().ok()?))
        };
        Ok(Sizes { sizes: text.lines().filter_map(size).collect() })
    }

    /// The commits without parents behind a tip.
    pub fn roots_behind(&self, tip: &Oid) -> Result<Vec<Oid>> {
        let mut roots = Vec::new();
        let mut seen = HashSet::new();
        let mut open = vec![object_id(self, tip)?];
        while let Some(id) = open.pop().filter(|_| seen.len() < CHAIN_MAX) {
            if !seen.insert(id) {
                continue;
            }
            let parents = self.parents_of(id)?;
            match parents.is_empty() {
                true => roots.push(id.to_string()),
                false => open.extend(parents),
            }
        }
        Ok(roots)
    }

    /// The refs that reach a commit.
    pub fn refs_that_reach(&self, commit: &Oid) -> Result<Vec<String>> {
        let commit = object_id(self, commit)?.to_string();
        let mut git = self.git();
        let lines = output_of(git.args(["for-each-ref", "--format=%(refname)", "--contains", &commit]))?;
        Ok(String::from_utf8_lossy(&lines).lines().map(str::to_owned).collect())
    }

    /// Whether a ref has a log of its own.
    pub fn has_reflog(&self, name: &str) -> bool {
        output_of(self.git().args(["reflog", "exists", name])).is_ok()
    }

    /// The object folders that this repository borrows from, as git lists them.
    pub fn alternates(&self) -> Vec<String> {
        let text = fs::read_to_string(self.objects_dir().join("info/alternates")).unwrap_or_default();
        text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect()
    }

    /// How many refs of runs are files of their own, counted up to `enough`.
    pub fn loose_run_count(&self, enough: usize) -> usize {
        let folder = self.common_dir().join(self.runs_prefix().trim_end_matches('/'));
        fs::read_dir(folder).map_or(0, |entries| entries.take(enough).count())
    }

    /// About how many objects are files of their own: one folder of 256 is counted, as `git gc --auto` does it.
    pub fn loose_object_estimate(&self) -> usize {
        fs::read_dir(self.objects_dir().join("17")).map_or(0, |entries| entries.count() * 256)
    }
}

impl Sizes {
    /// How much these take together.
    pub fn of<'a>(&self, objects: impl Iterator<Item = &'a ObjectId>) -> u64 {
        objects.filter_map(|id| self.sizes.get(id)).sum()
    }

    /// How much each chain takes, alone and with others.
    pub fn weigh(&self, chains: &[Objects]) -> Vec<Weight> {
        let mut holders: HashMap<&ObjectId, u32> = HashMap::new();
        chains.iter().flatten().for_each(|id| *holders.entry(id).or_default() += 1);
        let weigh = |chain: &Objects| {
            let mut weight = Weight::default();
            for id in chain {
                let size = self.sizes.get(id).copied().unwrap_or_default();
                match holders.get(id) {
                    Some(1) => weight.own += size,
                    _ => weight.shared += size,
                }
            }
            weight
        };
        chains.iter().map(weigh).collect()
    }
}
