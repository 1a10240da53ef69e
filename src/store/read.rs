//! Reading what is in the repository: records, record chains, HEAD.
//!
//! Whatever is read may come from anybody: modes, depth and counts are checked before bytes are used.

use std::collections::{BTreeMap, BinaryHeap, HashSet, VecDeque};

use anyhow::{Context, Result};
use gix::ObjectId;
use gix::objs::tree::EntryKind;
use gix::objs::{CommitRef, Kind, TreeRef};

use crate::error::{self, Problem};
use crate::run::id::Time;
use crate::run::record::Files;
use crate::store::{CommitInfo, Head, Oid, Store, count, failed, object_id, output_of};

/// How deep a record's folders go: `disputed/<sha256>/artifacts/<owner>/<file>` is the deepest.
pub(super) const DEPTH_MAX: usize = 8;
/// How many files a record may hold.
pub(super) const FILES_MAX: usize = 200_000;

impl Store {
    /// The files of a run's commit that are wanted.
    pub fn read(&self, tip: &Oid, wanted: &dyn Fn(&str) -> bool) -> Result<Files> {
        let mut files = Files::new();
        for (path, id) in self.record_of(tip)? {
            if wanted(&path) {
                let bytes = self.object(id, Kind::Blob).with_context(|| format!("cannot read '{path}'"))?;
                files.insert(path, bytes);
            }
        }
        Ok(files)
    }

    /// The paths of a run's commit, sorted.
    pub fn paths(&self, tip: &Oid) -> Result<Vec<String>> {
        Ok(self.record_of(tip)?.into_keys().collect())
    }

    fn record_of(&self, tip: &Oid) -> Result<BTreeMap<String, ObjectId>> {
        let tree = self.tree_of(object_id(self, tip)?)?;
        self.files_of(tree, &mut HashSet::new())
    }

    /// Every file below a tree; the trees that were read are put into `trees`. Anything but plain files is refused.
    pub(super) fn files_of(
        &self,
        tree: ObjectId,
        trees: &mut HashSet<ObjectId>,
    ) -> Result<BTreeMap<String, ObjectId>> {
        let mut files = BTreeMap::new();
        let mut open = vec![(String::new(), tree, 0)];
        while let Some((folder, id, depth)) = open.pop() {
            let data = self.object(id, Kind::Tree)?;
            trees.insert(id);
            let tree = TreeRef::from_bytes(&data, self.hash_kind())
                .map_err(|error| failed("cannot read a tree", error))?;
            for entry in &tree.entries {
                let name = std::str::from_utf8(entry.filename)
                    .map_err(|_| Problem::new("holds a path that is not UTF-8"))?;
                let path = format!("{folder}{name}");
                match entry.mode.kind() {
                    EntryKind::Tree if depth < DEPTH_MAX => {
                        open.push((format!("{path}/"), entry.oid.to_owned(), depth + 1))
                    }
                    EntryKind::Blob if entry.mode.value() == 0o100_644 => {
                        files.insert(path, entry.oid.to_owned());
                    }
                    _ => return Err(Problem::new(format!("holds {path:?}, which is no plain file")).into()),
                }
                if files.len() + open.len() > FILES_MAX {
                    return Err(Problem::new(format!("holds more than {FILES_MAX} files")).into());
                }
            }
        }
        Ok(files)
    }

    /// The tree of a commit.
    pub(super) fn tree_of(&self, commit: ObjectId) -> Result<ObjectId> {
        let data = self.object(commit, Kind::Commit)?;
        let commit = CommitRef::from_bytes(&data, self.hash_kind())
            .map_err(|error| failed("cannot read a commit", error))?;
        Ok(commit.tree())
    }

    /// The commits of a run's record, newest first.
    pub fn log_of(&self, tip: &Oid) -> Result<Vec<CommitInfo>> {
        let mut log = Vec::new();
        let mut seen = HashSet::new();
        let mut open = BinaryHeap::new();
        let tip = object_id(self, tip)?;
        open.push((i64::MAX, 0, tip));
        seen.insert(tip);
        let mut order = 0;
        while let Some((_, _, id)) = open.pop() {
            let data = self.object(id, Kind::Commit)?;
            let commit = CommitRef::from_bytes(&data, self.hash_kind())
                .map_err(|error| failed("cannot read a commit", error))?;
            log.push(commit_info(id, &commit));
            for parent in commit.parents() {
                // Beyond a shallow clone's edge there is nothing to read.
                if seen.insert(parent) && (self.has_promisor || self.repository.has_object(parent)) {
                    order -= 1;
                    open.push((self.seconds_of(parent)?, order, parent));
                }
            }
        }
        Ok(log)
    }

    /// Whether one commit came from another, as far as `count_max` commits tell.
    pub fn descends(&self, commit: &Oid, ancestor: &Oid, count_max: usize) -> Result<bool> {
        let ancestor = object_id(self, ancestor)?;
        let mut seen = HashSet::new();
        let mut open = VecDeque::from([object_id(self, commit)?]);
        while let Some(id) = open.pop_front().filter(|_| seen.len() < count_max) {
            if id == ancestor {
                return Ok(true);
            }
            open.extend(self.parents_of(id)?.into_iter().filter(|parent| seen.insert(*parent)));
        }
        Ok(false)
    }

    /// A commit's own date, in seconds since 1970.
    pub(super) fn seconds_of(&self, commit: ObjectId) -> Result<i64> {
        let data = self.object(commit, Kind::Commit)?;
        let commit = CommitRef::from_bytes(&data, self.hash_kind())
            .map_err(|error| failed("cannot read a commit", error))?;
        Ok(commit.time().map(|time| time.seconds).unwrap_or_default())
    }

    /// A commit's parents.
    pub(super) fn parents_of(&self, commit: ObjectId) -> Result<Vec<ObjectId>> {
        let data = self.object(commit, Kind::Commit)?;
        let commit = CommitRef::from_bytes(&data, self.hash_kind())
            .map_err(|error| failed("cannot read a commit", error))?;
        Ok(commit.parents().collect())
    }

    /// An object's bytes; in a partial clone git fetches it if need be.
    pub(super) fn object(&self, id: ObjectId, kind: Kind) -> Result<Vec<u8>> {
        count::object();
        let found = self.repository.try_find_object(id).map(|found| found.map(gix::Object::detach));
        let found = match found {
            Ok(Some(object)) => Some((object.kind, object.data)),
            // A collector may have moved it between two looks.
            Ok(None) => self.find_anew(&id).ok().flatten(),
            Err(error) => match self.find_anew(&id) {
                Ok(Some(found)) => Some(found),
                _ => return Err(failed(&format!("cannot read object {id}"), error).into()),
            },
        };
        match found {
            Some((found, data)) if found == kind => Ok(data),
            Some((found, _)) => Err(Problem::new(format!("object {id} is a {found}, not a {kind}")).into()),
            None if self.has_promisor => {
                let mut git = self.git();
                git.env("GIT_NO_REPLACE_OBJECTS", "1");
                output_of(git.args(["cat-file", &kind.to_string(), &id.to_string()]))
            }
            None => Err(Problem::new(format!("object {id} is missing"))
                .of(error::Kind::Absent)
                .hint("`git fsck` tells what else is; fetch the runs again from where they are whole")
                .into()),
        }
    }

    /// Where HEAD is.
    pub fn head(&self) -> Result<Head> {
        if self.is_reftable {
            return self.head_by_git();
        }
        let head = self.repository.head().map_err(|error| failed("cannot read HEAD", error))?;
        let branch = head.referent_name().map(|name| name.shorten().to_string());
        let commit = match head.is_unborn() {
            true => None,
            false => {
                Some(head.into_peeled_id().map_err(|error| failed("cannot read HEAD", error))?.to_string())
            }
        };
        Ok(Head { commit, branch })
    }

    fn head_by_git(&self) -> Result<Head> {
        let said = |arguments: &[&str]| -> Option<String> {
            let bytes = output_of(self.git().args(arguments)).ok()?;
            let text = String::from_utf8_lossy(&bytes).trim().to_owned();
            (!text.is_empty()).then_some(text)
        };
        Ok(Head {
            commit: said(&["rev-parse", "-q", "--verify", "HEAD^{commit}"]),
            branch: said(&["symbolic-ref", "-q", "--short", "HEAD"]),
        })
    }
}

fn commit_info(id: ObjectId, commit: &CommitRef<'_>) -> CommitInfo {
    let author =
        commit.author().map(|author| format!("{} <{}>", author.name, author.email)).unwrap_or_default();
    let seconds = commit.time().map(|time| time.seconds).unwrap_or_default();
    let subject = String::from_utf8_lossy(commit.message).lines().next().unwrap_or_default().to_owned();
    CommitInfo { oid: id.to_string(), author, at: Time(seconds.saturating_mul(1_000_000)), subject }
}
