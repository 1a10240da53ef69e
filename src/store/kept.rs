//! What operations dropped, kept for a while: one ref for each operation, `refs/xtrack/undo/<operation>`, at commits without
//! files whose parents are the tips that no other ref need reach any more.
//!
//! What was purged is never kept. How long the rest is, is decided above.

use std::collections::HashSet;

use anyhow::{Context as _, Result};
use gix::ObjectId;
use gix::objs::{CommitRef, Kind};

use crate::run::id::Time;
use crate::run::record::TOMBSTONE;
use crate::store::code::snapshot::AUTHOR;
use crate::store::commit::{Words, commit_data};
use crate::store::objects::Object;
use crate::store::{Oid, Store, failed, object_id};

/// Where the refs are that keep what operations dropped.
pub(super) const UNDO_PREFIX: &str = "refs/xtrack/undo/";
/// What commits that keep it say.
const MESSAGE: &str = "Keep what an operation dropped";
/// How many tips one commit keeps.
const PARENTS_MAX: usize = 500;
/// How many commits of a chain are looked through for what it dropped.
const CHAIN_MAX: usize = 10_000;

/// What one operation dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keep {
    /// The operation.
    pub operation: String,
    /// What its ref points at.
    pub tip: Oid,
    /// When it was dropped.
    pub at: Time,
    /// The tips.
    pub dropped: Vec<Oid>,
}

/// Operations of which it cannot be told what they dropped, and why.
pub type Unreadable = Vec<(String, anyhow::Error)>;

impl Store {
    /// The ref that keeps what an operation dropped.
    pub fn undo_ref(operation: &str) -> String {
        format!("{UNDO_PREFIX}{operation}")
    }

    /// Whether a ref is one that keeps what an operation dropped.
    pub fn is_undo_ref(name: &str) -> bool {
        name.starts_with(UNDO_PREFIX)
    }

    /// Keeps what these moves would drop: what cannot be reached from where the ref goes.
    pub(super) fn keep_what_drops(&self, changes: &[(String, Oid, Oid)]) -> Result<()> {
        let mut dropped = Vec::new();
        for (_, old, new) in changes {
            // What cannot be looked at, for it is damaged or gone, cannot be kept either.
            let is_dropped = self.has_object(old)
                && !self.descends(new, old, CHAIN_MAX).unwrap_or(false)
                && !self.is_stone(new).unwrap_or(false);
            dropped.extend(is_dropped.then(|| old.clone()));
        }
        self.keep_dropped(&dropped)
    }

    /// Keeps tips that the operation in progress is about to drop; what is no commit, or not here, cannot be kept.
    pub(super) fn keep_dropped(&self, dropped: &[Oid]) -> Result<()> {
        let mut seen = HashSet::new();
        let ids: Vec<ObjectId> = dropped.iter().filter_map(|oid| object_id(self, oid).ok()).collect();
        let tips: Vec<ObjectId> =
            ids.into_iter().filter(|id| seen.insert(*id) && self.parents_of(*id).is_ok()).collect();
        if tips.is_empty() {
            return Ok(());
        }
        let name = Self::undo_ref(&self.operation_id());
        let before = self.ref_tip(&name)?;
        let (tip, objects) = self.keeping(before, &tips, self.operation_time().seconds())?;
        self.write_objects(&objects).context("cannot keep what is dropped")?;
        self.update_ref(&name, before, tip).context("cannot keep what is dropped")
    }

    /// The commits that keep these tips, and what they kept before.
    fn keeping(
        &self,
        before: Option<ObjectId>,
        tips: &[ObjectId],
        seconds: i64,
    ) -> Result<(ObjectId, Vec<Object>)> {
        let tree = Object::new(self.hash_kind(), Kind::Tree, Vec::new())?;
        let mut objects = vec![tree.clone()];
        let mut last = before;
        for tips in tips.chunks(PARENTS_MAX) {
            let parents: Vec<ObjectId> = last.into_iter().chain(tips.iter().copied()).collect();
            let words = Words { parents: &parents, by: AUTHOR.to_owned(), seconds, message: MESSAGE };
            let commit = Object::new(self.hash_kind(), Kind::Commit, commit_data(&tree.id, &words)?)?;
            last = Some(commit.id);
            objects.push(commit);
        }
        let last = last.context("there is nothing to keep")?;
        Ok((last, objects))
    }

    /// What operations dropped and is kept still.
    pub fn kept(&self) -> Result<(Vec<Keep>, Unreadable)> {
        let (mut kept, mut unreadable) = (Vec::new(), Vec::new());
        for (operation, tip) in self.refs_by_git(UNDO_PREFIX)? {
            match self.keep_of(operation.clone(), tip) {
                Ok(keep) => kept.push(keep),
                Err(error) => unreadable.push((operation, error)),
            }
        }
        Ok((kept, unreadable))
    }

    fn keep_of(&self, operation: String, tip: Oid) -> Result<Keep> {
        let (mut dropped, mut at) = (Vec::new(), Time(0));
        let first = object_id(self, &tip)?;
        let mut open = vec![first];
        let mut seen = HashSet::new();
        while let Some(id) = open.pop() {
            if !seen.insert(id) {
                continue;
            }
            let data = match self.object(id, Kind::Commit) {
                // What is missing of what was dropped is for its reader to find out.
                Err(_) if id != first => {
                    dropped.push(id.to_string());
                    continue;
                }
                read => read?,
            };
            let commit = CommitRef::from_bytes(&data, self.hash_kind())
                .map_err(|error| failed("cannot read a commit", error))?;
            if !is_keeping(&commit) {
                dropped.push(id.to_string());
                continue;
            }
            let seconds = commit.time().map(|time| time.seconds).unwrap_or_default();
            at = at.max(Time(seconds.saturating_mul(1_000_000)));
            open.extend(commit.parents());
        }
        Ok(Keep { operation, tip, at, dropped })
    }

    /// Lets go of tips that an operation dropped, and keeps the others.
    pub fn keep_less(&self, keep: &Keep, lost: &HashSet<Oid>) -> Result<()> {
        let left: Vec<Oid> = keep.dropped.iter().filter(|tip| !lost.contains(*tip)).cloned().collect();
        if left.len() == keep.dropped.len() {
            return Ok(());
        }
        let name = Self::undo_ref(&keep.operation);
        if left.is_empty() {
            return self.forget_refs(&[(name, keep.tip.clone())])?.into_iter().collect();
        }
        let tips: Vec<ObjectId> = left.iter().map(|tip| object_id(self, tip)).collect::<Result<_>>()?;
        let (tip, objects) = self.keeping(None, &tips, keep.at.seconds())?;
        self.write_objects(&objects)?;
        self.update_ref(&name, Some(object_id(self, &keep.tip)?), tip)
    }

    /// Whether a commit holds the stone of a purged run, and no commit is behind it.
    pub fn is_bare_stone(&self, tip: &Oid) -> Result<bool> {
        Ok(self.is_stone(tip)? && self.parents_of(object_id(self, tip)?)?.is_empty())
    }

    /// Whether a commit holds the stone of a purged run and nothing else.
    pub fn is_stone(&self, tip: &Oid) -> Result<bool> {
        let data = self.object(self.tree_of(object_id(self, tip)?)?, Kind::Tree)?;
        let prefix = format!("100644 {TOMBSTONE}\0");
        Ok(data.starts_with(prefix.as_bytes())
            && data.len() == prefix.len() + self.hash_kind().len_in_bytes())
    }
}

/// Whether the commit is one of ours that keeps others.
fn is_keeping(commit: &CommitRef<'_>) -> bool {
    commit.message.trim_ascii() == MESSAGE.as_bytes() && commit.author.starts_with(AUTHOR.as_bytes())
}
