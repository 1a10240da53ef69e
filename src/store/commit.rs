//! A run's record as a commit: files become trees, trees a commit, and the run's ref moves to it.
//!
//! Everything is built in memory first, so that a refusal leaves nothing behind.

use std::collections::{BTreeMap, HashSet};

use anyhow::Result;
use gix::ObjectId;
use gix::objs::Kind;

use crate::error::Problem;
use crate::run::record::Files;
use crate::store::objects::Object;
use crate::store::{Oid, RunWrite, Store, object_id};

/// The mode of a file, as a tree spells it.
const FILE: &str = "100644";
/// The mode of a folder, as a tree spells it.
const FOLDER: &str = "40000";

/// A folder of the tree that is being built.
#[derive(Default)]
struct Folder {
    files: BTreeMap<String, ObjectId>,
    folders: BTreeMap<String, Folder>,
}

/// What a commit says besides its tree.
pub(super) struct Words<'a> {
    /// Its parents.
    pub parents: &'a [ObjectId],
    /// Author and committer, `Name <mail>`.
    pub by: String,
    /// Its date, in seconds since 1970.
    pub seconds: i64,
    /// Its message.
    pub message: &'a str,
}

/// A run's commit before anything of it is written.
pub(super) struct Composed {
    /// The run's ref.
    pub name: String,
    /// Where the ref must point.
    pub expected: Option<ObjectId>,
    /// The commit that it is to point at.
    pub tip: ObjectId,
    /// The objects that are new.
    pub objects: Vec<Object>,
}

impl Store {
    /// Commits the files over the expected tip's tree and moves the run's ref there; the new tip. The objects are on
    /// disk before the ref names them. A ref that is not as expected is the error [`crate::store::Moved`].
    pub fn write_run(&self, write: &RunWrite<'_>) -> Result<Oid> {
        let composed = self.compose(write)?;
        self.write_objects(&composed.objects)?;
        self.precede_collector(&composed.objects)?;
        self.update_ref(&composed.name, composed.expected, composed.tip)?;
        self.outlast_collector(&composed.objects)?;
        Ok(composed.tip.to_string())
    }

    /// Puts the files alone in the place of the run's whole chain: what was before is neither under them nor behind them,
    /// and is not kept.
    pub fn bury_run(&self, write: &RunWrite<'_>) -> Result<Oid> {
        let composed = self.compose_over(write, None)?;
        self.write_objects(&composed.objects)?;
        self.precede_collector(&composed.objects)?;
        self.update_ref(&composed.name, composed.expected, composed.tip)?;
        self.outlast_collector(&composed.objects)?;
        Ok(composed.tip.to_string())
    }

    /// What is to be written, in memory.
    pub(super) fn compose(&self, write: &RunWrite<'_>) -> Result<Composed> {
        let base = write.expected.as_ref().map(|tip| object_id(self, tip)).transpose()?;
        self.compose_over(write, base)
    }

    /// The same, as a commit upon `base` and over its files.
    fn compose_over(&self, write: &RunWrite<'_>, base: Option<ObjectId>) -> Result<Composed> {
        let expected = write.expected.as_ref().map(|tip| object_id(self, tip)).transpose()?;
        let name = self.run_ref(write.id);
        // Checked again when the ref moves; here it saves writing objects that nothing would name.
        self.check_ref(&name, expected)?;
        let (root, mut objects) = self.record_tree(base, write.files)?;
        let parents: Vec<ObjectId> = base.into_iter().collect();
        let by = self.identity().to_string();
        let words = Words { parents: &parents, by, seconds: write.at.seconds(), message: write.message };
        let tip = self.push_commit(&root, &words, &mut objects)?;
        Ok(Composed { name, expected, tip, objects })
    }

    /// Adds the commit of a tree to the objects it needs, signed if the user wants that; its id.
    pub(super) fn push_commit(
        &self,
        root: &ObjectId,
        words: &Words<'_>,
        objects: &mut Vec<Object>,
    ) -> Result<ObjectId> {
        let mut data = commit_data(root, words)?;
        if self.config_bool("commit.gpgsign") {
            data = self.signed(root, objects, words).unwrap_or(data);
        }
        let commit = Object::new(self.hash_kind(), Kind::Commit, data)?;
        let tip = commit.id;
        objects.push(commit);
        Ok(tip)
    }

    /// The root tree of these blobs; the trees of it are put into `objects`.
    pub(super) fn tree_of_blobs(
        &self,
        blobs: &BTreeMap<String, ObjectId>,
        objects: &mut Vec<Object>,
    ) -> Result<ObjectId> {
        let mut root = Folder::default();
        blobs.iter().try_for_each(|(path, id)| root.put(path, *id))?;
        root.build(self.hash_kind(), &mut HashSet::new(), objects)
    }

    /// The root tree of the files over the tip's, and the objects that are new.
    fn record_tree(&self, tip: Option<ObjectId>, files: &Files) -> Result<(ObjectId, Vec<Object>)> {
        let mut root = Folder::default();
        let mut known = HashSet::new();
        if let Some(tip) = tip {
            let tree = self.tree_of(tip)?;
            for (path, id) in self.files_of(tree, &mut known)? {
                root.put(&path, id)?;
                known.insert(id);
            }
        }
        let mut objects = Vec::new();
        for (path, bytes) in files {
            let blob = Object::new(self.hash_kind(), Kind::Blob, bytes.clone())?;
            root.put(path, blob.id)?;
            if known.insert(blob.id) {
                objects.push(blob);
            }
        }
        let root = root.build(self.hash_kind(), &mut known, &mut objects)?;
        Ok((root, objects))
    }
}

impl Folder {
    fn put(&mut self, path: &str, id: ObjectId) -> Result<(), Problem> {
        let refused = || Problem::new(format!("cannot store the path {path:?}"));
        let (folder, rest) = path.split_once('/').map_or((path, None), |(folder, rest)| (folder, Some(rest)));
        if matches!(folder, "" | "." | "..") || folder.eq_ignore_ascii_case(".git") || folder.contains('\0') {
            return Err(refused());
        }
        match rest {
            Some(_) if self.files.contains_key(folder) => Err(refused()),
            Some(rest) => self.folders.entry(folder.to_owned()).or_default().put(rest, id),
            None if self.folders.contains_key(folder) => Err(refused()),
            None => {
                self.files.insert(folder.to_owned(), id);
                Ok(())
            }
        }
    }

    fn build(
        self,
        hash: gix::hash::Kind,
        known: &mut HashSet<ObjectId>,
        objects: &mut Vec<Object>,
    ) -> Result<ObjectId> {
        let mut entries: Vec<(String, &str, ObjectId)> = Vec::new();
        for (name, folder) in self.folders {
            // Git sorts a folder as if its name ended in a slash.
            entries.push((format!("{name}/"), FOLDER, folder.build(hash, known, objects)?));
        }
        entries.extend(self.files.into_iter().map(|(name, id)| (name, FILE, id)));
        entries.sort();
        let mut data = Vec::new();
        for (name, mode, id) in entries {
            data.extend_from_slice(format!("{mode} {}\0", name.trim_end_matches('/')).as_bytes());
            data.extend_from_slice(id.as_slice());
        }
        let tree = Object::new(hash, Kind::Tree, data)?;
        let id = tree.id;
        if known.insert(id) {
            objects.push(tree);
        }
        Ok(id)
    }
}

/// The bytes of a commit object.
pub(super) fn commit_data(tree: &ObjectId, words: &Words<'_>) -> Result<Vec<u8>> {
    if words.message.contains('\0') {
        return Err(Problem::new("a commit message cannot hold a NUL").into());
    }
    let parents: String = words.parents.iter().map(|parent| format!("parent {parent}\n")).collect();
    let signature = format!("{} {} +0000", words.by, words.seconds);
    let message = words.message.trim_end_matches('\n');
    let text = format!("tree {tree}\n{parents}author {signature}\ncommitter {signature}\n\n{message}\n");
    Ok(text.into_bytes())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_git_refuses_are_refused() {
        let id = ObjectId::null(gix::hash::Kind::Sha1);
        for path in ["", "/a", "a/", "a//b", "../a", "a/./b", ".git/config", "a/.GIT/b"] {
            assert!(Folder::default().put(path, id).is_err(), "{path}");
        }
        let mut folder = Folder::default();
        folder.put("a/b", id).unwrap();
        assert!(folder.put("a", id).is_err());
        assert!(folder.put("a/b/c", id).is_err());
    }

    #[test]
    fn folders_are_sorted_as_git_sorts_them() {
        let blob = Object::new(gix::hash::Kind::Sha1, Kind::Blob, Vec::new()).unwrap().id;
        let mut root = Folder::default();
        for path in ["a/x", "a.b", "a0"] {
            root.put(path, blob).unwrap();
        }
        let mut objects = Vec::new();
        root.build(gix::hash::Kind::Sha1, &mut HashSet::new(), &mut objects).unwrap();
        assert_eq!(objects.len(), 2);
        assert_eq!(objects[1].id.to_string(), "cc6b940246a412b229914418bd12af5e1601ec85");
    }
}
