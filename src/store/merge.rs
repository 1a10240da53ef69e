//! Record chains that went apart: how their tips stand to one another, and the commit that joins them.
//!
//! Also looks through chains from elsewhere, object by object, before anything of them is used. What a record may hold,
//! and what two of them come to, is decided above.

use std::collections::{BTreeMap, HashMap, HashSet};

use anyhow::{Context as _, Result};
use gix::ObjectId;
use gix::objs::{CommitRef, Kind};

use crate::error::Problem;
use crate::run::id::RunId;
use crate::run::join::{Ancestry, merge_date, merge_parents};
use crate::store::code::snapshot::AUTHOR;
use crate::store::commit::{Composed, Words, commit_data};
use crate::store::objects::Object;
use crate::store::read::{DEPTH_MAX, FILES_MAX};
use crate::store::remote::unsound::Unsound;
use crate::store::{Oid, Store, failed, object_id};

/// What merge commits say: they are the same wherever they are made.
const MESSAGE: &str = "Join two copies of the record";
/// How many commits of a chain are looked at.
const COMMITS_MAX: usize = 100_000;
/// The latest date that Git reads everywhere.
const DATE_MAX: i64 = 253_402_300_799;

/// What a path of a record holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A blob that is here.
    Blob(Oid),
    /// These bytes.
    Bytes(Vec<u8>),
}

/// A merge commit that is not written yet.
pub struct Merge {
    /// The run.
    pub id: RunId,
    /// Our tip, whose place it takes.
    pub ours: Oid,
    /// Its own id.
    pub tip: Oid,
    composed: Composed,
}

/// What is known of objects before they are looked at.
#[derive(Default)]
pub struct Known<'a> {
    /// Commits that are here and good, and all behind them.
    pub good: HashSet<Oid>,
    /// What git found wrong with others.
    pub unsound: Option<&'a Unsound>,
}

impl Known<'_> {
    fn check(&self, id: &ObjectId) -> Result<(), Problem> {
        match self.unsound.and_then(|unsound| unsound.get(id)) {
            Some(what) => Err(Problem::new(what.clone())),
            None => Ok(()),
        }
    }
}

impl Store {
    /// The files of a record by their blobs.
    pub fn blobs(&self, tip: &Oid) -> Result<BTreeMap<String, Oid>> {
        let tree = self.tree_of(object_id(self, tip)?)?;
        let files = self.files_of(tree, &mut HashSet::new())?;
        Ok(files.into_iter().map(|(path, id)| (path, id.to_string())).collect())
    }

    /// A file's bytes.
    pub fn blob(&self, oid: &Oid) -> Result<Vec<u8>> {
        self.object(object_id(self, oid)?, Kind::Blob)
    }

    /// How large a file is; the bytes are not read.
    pub fn blob_size(&self, oid: &Oid) -> Result<u64> {
        let id = object_id(self, oid)?;
        match self.repository.try_find_header(id) {
            Ok(Some(header)) if header.kind() == Kind::Blob => Ok(header.size()),
            Ok(Some(header)) => {
                Err(Problem::new(format!("object {id} is a {}, not a blob", header.kind())).into())
            }
            // It is promised, or a collector has moved it, or it is told what it lacks.
            _ => Ok(self.object(id, Kind::Blob)?.len() as u64),
        }
    }

    /// How the commits behind two tips stand to one another.
    pub fn ancestry(&self, ours: &Oid, theirs: &Oid) -> Result<Ancestry> {
        let (ours, theirs) = (object_id(self, ours)?, object_id(self, theirs)?);
        let ours_reached = self.reached(ours)?;
        if ours_reached.contains_key(&theirs) {
            return Ok(if ours == theirs { Ancestry::Behind } else { Ancestry::Ahead });
        }
        let theirs_reached = self.reached(theirs)?;
        if theirs_reached.contains_key(&ours) {
            return Ok(Ancestry::Behind);
        }
        let said = |reached: HashMap<ObjectId, bool>| -> HashSet<ObjectId> {
            reached.into_iter().filter(|(_, is_merge)| !is_merge).map(|(id, _)| id).collect()
        };
        Ok(if said(ours_reached) == said(theirs_reached) { Ancestry::Equivalent } else { Ancestry::Diverged })
    }

    /// The commits behind a tip, itself among them.
    pub fn commits(&self, tip: &Oid) -> Result<HashSet<Oid>> {
        Ok(self.reached(object_id(self, tip)?)?.into_keys().map(|id| id.to_string()).collect())
    }

    /// Every commit behind the tip, and whether it is a merge of ours.
    fn reached(&self, tip: ObjectId) -> Result<HashMap<ObjectId, bool>> {
        let mut reached = HashMap::new();
        let mut open = vec![tip];
        while let Some(id) = open.pop() {
            if reached.contains_key(&id) {
                continue;
            }
            // Beyond a shallow clone's edge there is nothing to read.
            if id != tip && !self.repository.has_object(id) && !self.has_promisor {
                reached.insert(id, false);
                continue;
            }
            let data = self.object(id, Kind::Commit)?;
            let commit = CommitRef::from_bytes(&data, self.hash_kind())
                .map_err(|error| failed("cannot read a commit", error))?;
            reached.insert(id, is_merge(&commit));
            open.extend(commit.parents());
            if reached.len() > COMMITS_MAX {
                return Err(Problem::new(format!("has more than {COMMITS_MAX} commits")).into());
            }
        }
        Ok(reached)
    }

    /// The tree of these files; what has to be written for it is put into `objects`.
    pub(super) fn tree_of_files(
        &self,
        files: BTreeMap<String, Content>,
        objects: &mut Vec<Object>,
    ) -> Result<ObjectId> {
        let mut blobs = BTreeMap::new();
        for (path, content) in files {
            let blob = match content {
                Content::Blob(oid) => object_id(self, &oid)?,
                Content::Bytes(bytes) => {
                    let object = Object::new(self.hash_kind(), Kind::Blob, bytes)?;
                    let id = object.id;
                    objects.push(object);
                    id
                }
            };
            blobs.insert(path, blob);
        }
        self.tree_of_blobs(&blobs, objects)
    }

    /// The commit that joins two tips in these files. It is the same wherever it is made.
    pub fn merge(
        &self,
        id: &RunId,
        ours: &Oid,
        theirs: &Oid,
        files: BTreeMap<String, Content>,
    ) -> Result<Merge> {
        let mut objects = Vec::new();
        let root = self.tree_of_files(files, &mut objects)?;
        let parents = merge_parents(ours, theirs).map(|parent| object_id(self, parent));
        let parents: Vec<ObjectId> = parents.into_iter().collect::<Result<_>>()?;
        let seconds = merge_date(self.seconds_of(parents[0])?, self.seconds_of(parents[1])?);
        let words = Words { parents: &parents, by: AUTHOR.to_owned(), seconds, message: MESSAGE };
        let commit = Object::new(self.hash_kind(), Kind::Commit, commit_data(&root, &words)?)?;
        let tip = commit.id;
        objects.push(commit);
        let composed =
            Composed { name: self.run_ref(id), expected: Some(object_id(self, ours)?), tip, objects };
        Ok(Merge { id: id.clone(), ours: ours.clone(), tip: tip.to_string(), composed })
    }

    /// Writes merge commits and moves the runs' refs to them. Those whose refs moved meanwhile are given back as the error
    /// [`crate::store::Moved`].
    pub fn land(&self, merges: Vec<Merge>) -> Result<Vec<Result<Oid>>> {
        self.write_together(merges.into_iter().map(|merge| Ok(merge.composed)).collect())
    }

    /// Looks through the commits behind a tip that are not known to be good: whether each is written as Git writes it and
    /// holds plain files only. `judge` decides of each file, by its path and size.
    pub fn inspect(
        &self,
        tip: &Oid,
        known: &Known<'_>,
        judge: &mut dyn FnMut(&str, u64) -> Result<(), Problem>,
    ) -> Result<()> {
        let mut seen = HashSet::new();
        let mut blobs = HashSet::new();
        let mut open = vec![object_id(self, tip)?];
        while let Some(id) = open.pop() {
            if known.good.contains(&id.to_string()) || !seen.insert(id) {
                continue;
            }
            known.check(&id)?;
            if seen.len() > COMMITS_MAX {
                return Err(Problem::new(format!("has more than {COMMITS_MAX} commits")).into());
            }
            let data = self.object(id, Kind::Commit)?;
            let commit = CommitRef::from_bytes(&data, self.hash_kind())
                .map_err(|_| Problem::new(format!("its commit {id} is damaged")))?;
            check_dates(&commit).with_context(|| format!("its commit {id} is damaged"))?;
            open.extend(commit.parents());
            self.inspect_tree(commit.tree(), known, (&mut seen, &mut blobs), judge)?;
        }
        Ok(())
    }

    fn inspect_tree(
        &self,
        root: ObjectId,
        known: &Known<'_>,
        (seen, blobs): (&mut HashSet<ObjectId>, &mut HashSet<(String, ObjectId)>),
        judge: &mut dyn FnMut(&str, u64) -> Result<(), Problem>,
    ) -> Result<()> {
        let mut open = vec![(String::new(), root, 0)];
        let mut count = 0;
        while let Some((folder, id, depth)) = open.pop() {
            // The same tree may stand at another path, where its files are judged otherwise; only roots recur for sure.
            if depth == 0 && !seen.insert(id) {
                continue;
            }
            known.check(&id)?;
            let header = self.repository.try_find_header(id).ok().flatten();
            let size = header.map_or(0, |header| header.size());
            if size > 64 * FILES_MAX as u64 {
                return Err(Problem::new(format!("holds more than {FILES_MAX} files")).into());
            }
            let data = self.object(id, Kind::Tree)?;
            for entry in entries_of(&data, self.hash_kind().len_in_bytes())? {
                let path = format!("{folder}{}", entry.name);
                count += 1;
                match (entry.is_folder, depth < DEPTH_MAX) {
                    _ if count > FILES_MAX => {
                        return Err(Problem::new(format!("holds more than {FILES_MAX} files")).into());
                    }
                    (true, true) => open.push((format!("{path}/"), entry.id, depth + 1)),
                    (true, false) => return Err(Problem::new("holds folders that go too deep").into()),
                    (false, _) if blobs.insert((path.clone(), entry.id)) => {
                        known.check(&entry.id)?;
                        judge(&path, self.blob_size(&entry.id.to_string())?)?;
                    }
                    (false, _) => {}
                }
            }
        }
        Ok(())
    }
}

/// An entry of a tree.
pub(super) struct Entry {
    /// Its name.
    pub name: String,
    /// What it is.
    pub id: ObjectId,
    /// Whether that is a folder.
    pub is_folder: bool,
}

/// Reads a tree that holds plain files and folders only, and is written as Git writes it.
pub(super) fn entries_of(data: &[u8], id_length: usize) -> Result<Vec<Entry>, Problem> {
    let damaged = || Problem::new("holds a damaged folder");
    let mut entries = Vec::new();
    let mut rest = data;
    let mut last: Option<Vec<u8>> = None;
    let mut names = HashSet::new();
    while !rest.is_empty() {
        let space = rest.iter().position(|byte| *byte == b' ').ok_or_else(damaged)?;
        let nul = rest.iter().position(|byte| *byte == 0).ok_or_else(damaged)?;
        let end = nul + 1 + id_length;
        if space > nul || rest.len() < end {
            return Err(damaged());
        }
        let name = std::str::from_utf8(&rest[space + 1..nul])
            .map_err(|_| Problem::new("holds a path that is not UTF-8"))?
            .to_owned();
        let is_folder = match &rest[..space] {
            b"100644" => false,
            b"40000" => true,
            _ => return Err(Problem::new(format!("holds {name:?}, which is no plain file"))),
        };
        let id = ObjectId::try_from(&rest[nul + 1..end]).map_err(|_| damaged())?;
        // Git sorts a folder as if its name ended in a slash; a name stands once.
        let key = [name.as_bytes(), if is_folder { b"/" } else { b"" }].concat();
        if last.as_ref().is_some_and(|last| *last >= key) || !names.insert(name.clone()) {
            return Err(damaged());
        }
        last = Some(key);
        entries.push(Entry { name, id, is_folder });
        rest = &rest[end..];
    }
    Ok(entries)
}

/// Whether the commit is one of ours that joins two others.
pub(super) fn is_merge(commit: &CommitRef<'_>) -> bool {
    let is_ours = |signature: &gix::bstr::BStr| signature.starts_with(AUTHOR.as_bytes());
    commit.parents.len() == 2
        && commit.message.trim_ascii() == MESSAGE.as_bytes()
        && is_ours(commit.author)
        && is_ours(commit.committer)
}

pub(super) fn check_dates(commit: &CommitRef<'_>) -> Result<()> {
    let seconds = [commit.author().ok(), commit.committer().ok()]
        .map(|signature| signature.and_then(|signature| signature.time().ok()).map(|time| time.seconds));
    match seconds {
        [Some(author), Some(committer)] if author.abs() <= DATE_MAX && committer.abs() <= DATE_MAX => Ok(()),
        _ => Err(Problem::new("it has no date that can be read").into()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn tree(entries: &[(&str, &str)]) -> Vec<u8> {
        entries
            .iter()
            .flat_map(|(mode, name)| [format!("{mode} {name}\0").as_bytes(), &[7; 20]].concat())
            .collect()
    }

    #[test]
    fn trees_are_read_only_as_git_writes_them() {
        let names = |entries: &[(&str, &str)]| {
            entries_of(&tree(entries), 20)
                .map(|entries| entries.into_iter().map(|entry| entry.name).collect::<Vec<_>>())
        };
        assert_eq!(names(&[("40000", "a"), ("100644", "b")]).unwrap(), ["a", "b"]);
        assert_eq!(
            names(&[("100644", "a.b"), ("40000", "a"), ("100644", "a0")]).unwrap(),
            ["a.b", "a", "a0"]
        );
        for bad in [
            &[("100755", "a")] as &[_],
            &[("120000", "a")],
            &[("160000", "a")],
            &[("040000", "a")],
            &[("100644", "b"), ("100644", "a")],
            &[("100644", "a"), ("100644", "a")],
            &[("100644", "a"), ("40000", "a")],
        ] {
            assert!(names(bad).is_err(), "{bad:?}");
        }
        assert!(entries_of(b"100644 a\x00123", 20).is_err());
        assert!(entries_of(b"100644", 20).is_err());
    }
}
