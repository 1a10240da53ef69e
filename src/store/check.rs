//! What is here and whole: refs as they are found, record chains object by object, their bytes against their names.
//!
//! Nothing is fetched and nothing changed. What is missing is told apart: in a partial clone it may be promised by a
//! remote, in a shallow one it lies beyond the edge. What files mean is decided above.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use gix::ObjectId;
use gix::bstr::{BString, ByteSlice as _};
use gix::objs::{CommitRef, Kind};

use crate::store::merge::{check_dates, entries_of, is_merge};
use crate::store::read::{DEPTH_MAX, FILES_MAX};
use crate::store::refs::CODE_PREFIX;
use crate::store::{Oid, Store, count, failed, object_id};

/// Below this lie all refs of ours that name no run of ours.
const OURS: &str = "refs/xtrack/";
/// How deep folders of refs are looked into.
const REF_DEPTH_MAX: usize = 12;
/// How many files the commits of one chain are looked through for, all together.
const ENTRIES_MAX: usize = 5_000_000;

/// A ref as it is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundRef {
    /// Its whole name.
    pub name: String,
    /// What it points at.
    pub target: Target,
    /// What `packed-refs` says of it, where its own file hides that.
    pub packed: Option<Oid>,
}

/// What a ref points at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// An object, which may be missing.
    Object(Oid),
    /// Another ref.
    Symbolic(String),
    /// Nothing that can be read: what its file holds instead.
    Damaged(String),
}

/// The refs of ours.
#[derive(Debug, Default)]
pub struct FoundRefs {
    /// By their names.
    pub refs: BTreeMap<String, FoundRef>,
    /// Lock files among them, by the names of the refs they lock.
    pub locks: Vec<String>,
    /// What could not be read, and why.
    pub unreadable: Vec<String>,
}

/// How an object fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lack {
    /// It is not here.
    Missing,
    /// It is not here, and a remote has promised it.
    Promised,
    /// It is here, and not what it should be.
    Damaged(String),
}

/// An object that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// Its id.
    pub object: Oid,
    /// What it is for.
    pub role: String,
    /// The path in the record, if it is a file's.
    pub path: Option<String>,
    /// What is wrong.
    pub lack: Lack,
    /// Whether the tip's own commit or tree has it, and not only an earlier one.
    pub is_of_tip: bool,
}

/// A commit of a record chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its id.
    pub commit: Oid,
    /// Those it came after, which may be beyond a shallow clone's edge.
    pub parents: Vec<Oid>,
    /// Who says to have made it, `Name <mail>`.
    pub author: String,
    /// When, in seconds since 1970.
    pub seconds: i64,
    /// Whether it joins two others, made by a program of ours.
    pub is_merge: bool,
    /// Whether it bears a signature.
    pub is_signed: bool,
    /// Its files by their blobs.
    pub files: BTreeMap<String, Oid>,
}

/// A record chain, as far as it is here.
#[derive(Debug, Default)]
pub struct Chain {
    /// Its commits; each before those it came after, where no clock lies. The tip is the first.
    pub links: Vec<Link>,
    /// What is not as it should be.
    pub troubles: Vec<Trouble>,
    /// Whether its beginning lies beyond a shallow clone's edge.
    pub is_cut: bool,
}

impl Chain {
    /// Whether all of the tip's own tree is here.
    pub fn has_tip(&self, tip: &Oid) -> bool {
        self.links.first().is_some_and(|link| link.commit == *tip)
    }

    /// The commit of this id.
    pub fn link(&self, commit: &Oid) -> Option<&Link> {
        self.links.iter().find(|link| link.commit == *commit)
    }
}

/// What was looked at on the way along one chain.
#[derive(Default)]
struct Seen {
    trees: HashMap<(String, ObjectId), bool>,
    blobs: HashSet<ObjectId>,
    entries: usize,
}

impl Store {
    /// The refs of ours as they are found, whatever is wrong with them.
    pub fn found_refs(&self) -> Result<FoundRefs> {
        let mut found = FoundRefs::default();
        let prefixes = [self.runs_prefix.clone(), OURS.to_owned()];
        if self.is_reftable {
            for prefix in &prefixes {
                for (rest, tip) in self.refs_by_git(prefix)? {
                    found.put(format!("{prefix}{rest}"), Target::Object(tip));
                }
            }
            return Ok(found);
        }
        // Loose first, so that a ref that is packed meanwhile is not missed.
        for prefix in &prefixes {
            let folder = prefix.trim_end_matches('/');
            self.loose_below(&self.common_dir.join(folder), folder, 0, &mut found);
        }
        if let Err(error) = self.packed_below(&prefixes, &mut found) {
            found.unreadable.push(format!("{error:#}"));
        }
        count::refs(found.refs.len());
        Ok(found)
    }

    fn loose_below(&self, folder: &Path, name: &str, depth: usize, found: &mut FoundRefs) {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return,
            Err(error) => return found.unreadable.push(format!("'{name}': {error}")),
        };
        for entry in entries.flatten() {
            let path = entry.path();
            let Ok(child) = entry.file_name().into_string() else {
                found.unreadable.push(format!("'{}' is no name of a ref", path.display()));
                continue;
            };
            let full = format!("{name}/{child}");
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                match depth < REF_DEPTH_MAX {
                    true => self.loose_below(&path, &full, depth + 1, found),
                    false => found.unreadable.push(format!("'{full}' lies too deep")),
                }
            } else if let Some(locked) = full.strip_suffix(".lock") {
                found.locks.push(locked.to_owned());
            } else if let Ok(bytes) = fs::read(&path) {
                found.put(full, self.target_of(&bytes));
            }
        }
    }

    /// What a ref's own file says.
    fn target_of(&self, bytes: &[u8]) -> Target {
        let text = String::from_utf8_lossy(bytes);
        if let Some(other) = text.strip_prefix("ref:") {
            return Target::Symbolic(other.trim().to_owned());
        }
        match self.is_oid(text.trim_ascii()) {
            true => Target::Object(text.trim_ascii().to_owned()),
            false if bytes.is_empty() => Target::Damaged("it is empty".to_owned()),
            false => Target::Damaged(format!("it holds {:?}", crate::error::shorten(&text))),
        }
    }

    fn packed_below(&self, prefixes: &[String], found: &mut FoundRefs) -> Result<()> {
        self.with_packed_refs(|packed| {
            for prefix in prefixes {
                let refs = packed.iter_prefixed(BString::from(prefix.as_str()));
                for packed in refs.map_err(|error| failed("cannot read packed-refs", error))? {
                    let packed = packed.map_err(|error| failed("cannot read packed-refs", error))?;
                    let Ok(name) = packed.name.as_bstr().to_str() else { continue };
                    let target = packed.target().to_string();
                    match found.refs.get_mut(name) {
                        Some(loose) => loose.packed = Some(target),
                        None => found.put(name.to_owned(), Target::Object(target)),
                    }
                }
            }
            Ok(())
        })?;
        Ok(())
    }

    /// The name of the ref that keeps a code state.
    pub fn code_ref(commit: &Oid) -> String {
        format!("{CODE_PREFIX}{commit}")
    }

    /// What an object is, if it is here: `commit`, `tree`, `blob` or `tag`.
    pub fn kind_of(&self, oid: &Oid) -> Option<String> {
        let header = self.repository.find_header(object_id(self, oid).ok()?).ok()?;
        Some(header.kind().to_string())
    }

    /// The commits behind a run's tip with their files, each object read and compared with its name, but for files, of
    /// which those are read that are `wanted`.
    pub fn chain(&self, tip: &Oid, wanted: &dyn Fn(&str) -> bool) -> Result<Chain> {
        let edge = self.shallow_edge();
        let (mut chain, mut seen) = (Chain::default(), Seen::default());
        let mut known = HashSet::new();
        let mut open = std::collections::BinaryHeap::new();
        let tip = object_id(self, tip)?;
        known.insert(tip);
        open.push((i64::MAX, std::cmp::Reverse(0), tip));
        while let Some((_, order, id)) = open.pop() {
            let link = match self.link(id, wanted, &mut seen, &mut chain) {
                Ok(link) => link,
                Err(lack) => {
                    chain.trouble(id, "a commit of its record", None, lack);
                    continue;
                }
            };
            if edge.contains(&id) {
                chain.is_cut = true;
            } else {
                let parents = link.parents.iter().filter_map(|parent| object_id(self, parent).ok());
                let new = parents.filter(|parent| known.insert(*parent)).enumerate();
                // Commits of one second stand in the order in which they were found.
                open.extend(
                    new.map(|(index, parent)| (link.seconds, std::cmp::Reverse(order.0 + 1 + index), parent)),
                );
            }
            chain.links.push(link);
            if seen.entries > ENTRIES_MAX {
                let why = format!("its record has more than {ENTRIES_MAX} files in all of its commits");
                chain.trouble(tip, "its record", None, Lack::Damaged(why));
                chain.troubles.iter_mut().for_each(|trouble| trouble.is_of_tip = true);
                break;
            }
        }
        Ok(chain)
    }

    fn link(
        &self,
        id: ObjectId,
        wanted: &dyn Fn(&str) -> bool,
        seen: &mut Seen,
        chain: &mut Chain,
    ) -> Result<Link, Lack> {
        let data = self.whole(id, Kind::Commit)?;
        let damaged = || Lack::Damaged("it cannot be read".to_owned());
        let commit = CommitRef::from_bytes(&data, self.hash_kind()).map_err(|_| damaged())?;
        check_dates(&commit).map_err(|error| Lack::Damaged(error.to_string()))?;
        let author = commit.author().map_err(|_| damaged())?;
        let files = self.whole_files(commit.tree(), wanted, seen, chain);
        Ok(Link {
            commit: id.to_string(),
            parents: commit.parents().map(|parent| parent.to_string()).collect(),
            author: format!("{} <{}>", author.name, author.email),
            seconds: commit.time().map(|time| time.seconds).unwrap_or_default(),
            is_merge: is_merge(&commit),
            is_signed: commit.extra_headers().pgp_signature().is_some() || has_header(&data, "gpgsig-sha256"),
            files,
        })
    }

    /// The files below a tree, as far as its folders can be read.
    fn whole_files(
        &self,
        root: ObjectId,
        wanted: &dyn Fn(&str) -> bool,
        seen: &mut Seen,
        chain: &mut Chain,
    ) -> BTreeMap<String, Oid> {
        let mut files = BTreeMap::new();
        let mut open = vec![(String::new(), root, 0)];
        while let Some((folder, id, depth)) = open.pop() {
            let is_new = seen.trees.insert((folder.clone(), id), true).is_none();
            let role = if folder.is_empty() {
                "its record's tree".to_owned()
            } else {
                format!("the folder '{folder}'")
            };
            let read = self.whole(id, Kind::Tree).and_then(|data| {
                entries_of(&data, self.hash_kind().len_in_bytes())
                    .map_err(|problem| Lack::Damaged(format!("it {}", problem.message)))
            });
            let entries = match read {
                Ok(entries) if seen.entries + entries.len() <= ENTRIES_MAX + FILES_MAX => entries,
                Ok(_) => continue,
                Err(lack) if is_new => {
                    chain.trouble(id, &role, None, lack);
                    continue;
                }
                Err(_) => continue,
            };
            seen.entries += entries.len();
            for entry in entries {
                let path = format!("{folder}{}", entry.name);
                match (entry.is_folder, depth < DEPTH_MAX) {
                    (true, true) => open.push((format!("{path}/"), entry.id, depth + 1)),
                    (true, false) => {
                        let why = "it holds folders that go too deep".to_owned();
                        chain.trouble(id, &role, None, Lack::Damaged(why));
                    }
                    (false, _) => {
                        if seen.blobs.insert(entry.id)
                            && let Err(lack) = self.check_blob(entry.id, wanted(&path))
                        {
                            chain.trouble(entry.id, &format!("the file '{path}'"), Some(path.clone()), lack);
                        }
                        files.insert(path, entry.id.to_string());
                    }
                }
            }
        }
        files
    }

    fn check_blob(&self, id: ObjectId, is_read: bool) -> Result<(), Lack> {
        if is_read {
            return self.whole(id, Kind::Blob).map(|_| ());
        }
        match self.repository.try_find_header(id) {
            Ok(Some(header)) if header.kind() == Kind::Blob => Ok(()),
            Ok(Some(header)) => Err(Lack::Damaged(format!("it is a {}, not a blob", header.kind()))),
            // A collector may have moved it between two looks.
            _ => self.whole(id, Kind::Blob).map(|_| ()),
        }
    }

    /// A file's bytes, if they are here and are what their id says.
    pub fn whole_blob(&self, oid: &Oid) -> Result<Vec<u8>, Lack> {
        let id = object_id(self, oid).map_err(|error| Lack::Damaged(error.to_string()))?;
        self.whole(id, Kind::Blob)
    }

    /// The bytes of an object that is here and what its id says.
    fn whole(&self, id: ObjectId, kind: Kind) -> Result<Vec<u8>, Lack> {
        count::object();
        let found = match self.repository.try_find_object(id).map(|found| found.map(gix::Object::detach)) {
            Ok(Some(object)) => Some((object.kind, object.data)),
            // A collector may have moved it between two looks.
            Ok(None) => self.find_anew(&id).ok().flatten(),
            Err(error) => match self.find_anew(&id) {
                Ok(Some(found)) => Some(found),
                _ => return Err(Lack::Damaged(error.to_string())),
            },
        };
        let Some((found, data)) = found else {
            return Err(if self.has_promisor { Lack::Promised } else { Lack::Missing });
        };
        if found != kind {
            return Err(Lack::Damaged(format!("it is a {found}, not a {kind}")));
        }
        match gix::objs::compute_hash(self.hash_kind(), kind, &data) {
            Ok(real) if real == id => Ok(data),
            _ => Err(Lack::Damaged("its bytes are not those that its name says".to_owned())),
        }
    }

    /// The commits whose parents a shallow clone did not take.
    fn shallow_edge(&self) -> HashSet<ObjectId> {
        let text = fs::read_to_string(self.common_dir.join("shallow")).unwrap_or_default();
        text.lines().filter_map(|line| object_id(self, line.trim()).ok()).collect()
    }

    /// The tree of a commit that is here.
    pub fn tree_at(&self, commit: &Oid) -> Result<Oid, Lack> {
        let damaged = |error: anyhow::Error| Lack::Damaged(format!("{error:#}"));
        let data = self.whole(object_id(self, commit).map_err(damaged)?, Kind::Commit)?;
        let commit = CommitRef::from_bytes(&data, self.hash_kind())
            .map_err(|_| Lack::Damaged("it cannot be read".to_owned()))?;
        Ok(commit.tree().to_string())
    }

    /// The first parent of a commit that is here.
    pub fn first_parent(&self, commit: &Oid) -> Result<Option<Oid>> {
        let parents = self.parents_of(object_id(self, commit)?).context("cannot read a commit")?;
        Ok(parents.first().map(ObjectId::to_string))
    }
}

impl FoundRefs {
    fn put(&mut self, name: String, target: Target) {
        self.refs.insert(name.clone(), FoundRef { name, target, packed: None });
    }
}

impl Chain {
    fn trouble(&mut self, object: ObjectId, role: &str, path: Option<String>, lack: Lack) {
        let is_of_tip = self.links.is_empty();
        self.troubles.push(Trouble {
            object: object.to_string(),
            role: role.to_owned(),
            path,
            lack,
            is_of_tip,
        });
    }
}

/// Whether a commit's head has a line of this name.
fn has_header(commit: &[u8], name: &str) -> bool {
    let head = commit.split(|byte| *byte == b'\n').take_while(|line| !line.is_empty());
    head.into_iter().any(|line| line.strip_prefix(name.as_bytes()).is_some_and(|rest| rest.starts_with(b" ")))
}
