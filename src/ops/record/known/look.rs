//! Finding files that may be known, without walking a huge tree: bounded in entries and time, shallow folders first.
//!
//! Knows names, sizes and times; which files are of which kind is told later, of those that changed.

use std::collections::{HashSet, VecDeque};
use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use globset::GlobMatcher;
use indexmap::IndexMap;

use crate::ops::record::harvest;

/// How much of a file's end tells whether what came later was added to it.
const TAIL: u64 = 256;

/// How many entries are looked at in any case, so that a small tree is seen whole on a busy machine.
const ALWAYS: usize = 64;

/// Folders that hold programs, other people's data or other trackers' copies.
const PASSED_OVER: &[&str] =
    &["node_modules", "site-packages", "__pycache__", "wandb", "mlruns", "xtrack-runs"];

/// How far a search goes.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// The most entries of folders that are looked at.
    pub entries: usize,
    /// How long it may take.
    pub time: Duration,
}

/// Where a search begins.
#[derive(Debug, Clone)]
pub struct Root {
    /// The file or folder.
    pub path: PathBuf,
    /// What is wanted below it, besides files of known names.
    pub matcher: Option<GlobMatcher>,
}

/// What a search found.
#[derive(Debug, Default)]
pub struct Look {
    /// Files whose names may be known.
    pub files: IndexMap<PathBuf, Stat>,
    /// Whether it ended before everything was seen.
    pub is_cut: bool,
    roots: Vec<PathBuf>,
}

/// What tells whether a file changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stat {
    size: u64,
    modified: Option<SystemTime>,
    created: Option<SystemTime>,
    inode: Option<u64>,
    tail: Option<u32>,
}

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It is as it was.
    Same,
    /// All of it was written now.
    New,
    /// What lies from here on was added.
    Grown {
        /// Its size before.
        from: u64,
    },
}

/// Looks for files of known names below these roots; `with_tails`, so that what grows later is known by it.
pub fn look(roots: &[Root], budget: &Budget, with_tails: bool) -> Look {
    let mut search = Search {
        with_tails,
        look: Look { roots: roots.iter().map(|root| root.path.clone()).collect(), ..Look::default() },
        entries_max: budget.entries,
        seen_entries: 0,
        deadline: Instant::now() + budget.time,
        seen: HashSet::new(),
    };
    for root in roots {
        search.root(root);
    }
    search.look
}

impl Look {
    /// What became of a file that is `now` so.
    pub fn change(&self, path: &Path, now: &Stat, since: SystemTime) -> Change {
        let Some(before) = self.files.get(path) else {
            let is_covered = !self.is_cut && self.roots.iter().any(|root| path.starts_with(root));
            let is_new = is_covered || !harvest::is_older(path, since);
            return if is_new { Change::New } else { Change::Same };
        };
        let is_same_file = before.inode == now.inode && before.created == now.created;
        if is_same_file && before.size == now.size && before.modified == now.modified {
            return Change::Same;
        }
        let has_grown = is_same_file && 0 < before.size && before.size < now.size;
        match has_grown && before.tail.is_some() && tail(path, before.size) == before.tail {
            true => Change::Grown { from: before.size },
            false => Change::New,
        }
    }
}

struct Search {
    look: Look,
    with_tails: bool,
    entries_max: usize,
    seen_entries: usize,
    deadline: Instant,
    /// Where links led.
    seen: HashSet<PathBuf>,
}

impl Search {
    fn root(&mut self, root: &Root) {
        // A link that was named is followed.
        let Ok(metadata) = fs::metadata(&root.path) else {
            return;
        };
        if metadata.is_file() {
            self.file(root.path.clone());
            return;
        }
        let mut folders = VecDeque::from([root.path.clone()]);
        // What links lead to comes last: it may be anything.
        let mut links: VecDeque<PathBuf> = VecDeque::new();
        loop {
            while let Some(folder) = folders.pop_front() {
                self.folder(&folder, root, &mut folders, &mut links);
            }
            match links.pop_front() {
                None => break,
                Some(link) if self.is_elsewhere(&link, root) => folders.push_back(link),
                Some(_) => {}
            }
        }
    }

    /// Whether a link leads to where the search does not come otherwise.
    fn is_elsewhere(&mut self, link: &Path, root: &Root) -> bool {
        let (Ok(real), Ok(above)) = (fs::canonicalize(link), fs::canonicalize(&root.path)) else {
            return false;
        };
        !real.starts_with(&above) && !above.starts_with(&real) && self.seen.insert(real)
    }

    fn folder(
        &mut self,
        folder: &Path,
        root: &Root,
        folders: &mut VecDeque<PathBuf>,
        links: &mut VecDeque<PathBuf>,
    ) {
        if self.is_spent() {
            return;
        }
        let Ok(children) = fs::read_dir(folder) else {
            return;
        };
        let is_named = folder == root.path;
        for child in children.flatten() {
            self.seen_entries += 1;
            if self.is_spent() {
                return;
            }
            let (name, path) = (child.file_name(), child.path());
            let Ok(kind) = child.file_type() else {
                continue;
            };
            let name = name.to_string_lossy();
            // An environment of Python, wherever it lies.
            if name == "pyvenv.cfg" && !is_named {
                folders.retain(|other| other.parent() != Some(folder));
                return;
            }
            let is_passed_over = name.starts_with('.') || PASSED_OVER.contains(&name.as_ref());
            let is_folder = kind.is_dir() || kind.is_symlink() && path.is_dir();
            match is_folder {
                true if is_passed_over => {}
                true if kind.is_symlink() => links.push_back(path),
                true => folders.push_back(path),
                false => {
                    let is_wanted = root.matcher.as_ref().is_some_and(|matcher| matcher.is_match(&path));
                    if is_wanted || may_be_known(&name) {
                        self.file(path);
                    }
                }
            }
        }
    }

    fn file(&mut self, path: PathBuf) {
        let Ok(metadata) = fs::metadata(&path) else {
            return;
        };
        if !metadata.is_file() || self.look.files.contains_key(&path) {
            return;
        }
        let stat = Stat {
            size: metadata.len(),
            modified: metadata.modified().ok(),
            created: metadata.created().ok(),
            inode: inode(&metadata),
            tail: if self.with_tails { tail(&path, metadata.len()) } else { None },
        };
        self.look.files.insert(path, stat);
    }

    fn is_spent(&mut self) -> bool {
        let is_late = self.seen_entries > ALWAYS && Instant::now() > self.deadline;
        self.look.is_cut |= self.seen_entries >= self.entries_max || is_late;
        self.look.is_cut
    }
}

/// Whether a file of that name may be of a known kind.
fn may_be_known(name: &str) -> bool {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending);
    name.contains("tfevents")
        || matches!(name, "metrics.json" | "trainer_state.json")
        || matches!(ending, Some("csv" | "tsv" | "log"))
}

/// A digest of the last bytes before `end`.
fn tail(path: &Path, end: u64) -> Option<u32> {
    let mut file = File::open(path).ok()?;
    let start = end.saturating_sub(TAIL);
    file.seek(SeekFrom::Start(start)).ok()?;
    let mut bytes = Vec::new();
    file.take(end - start).read_to_end(&mut bytes).ok()?;
    (bytes.len() as u64 == end - start).then(|| crc32fast::hash(&bytes))
}

#[cfg(unix)]
fn inode(metadata: &fs::Metadata) -> Option<u64> {
    use std::os::unix::fs::MetadataExt as _;
    Some(metadata.ino())
}

#[cfg(not(unix))]
fn inode(_: &fs::Metadata) -> Option<u64> {
    None
}
