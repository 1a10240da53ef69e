//! Artifacts: which files are meant, and their bytes brought to safety, in the record if they are small.
//!
//! Knows paths, globs and limits; not whose artifacts they are, nor when they are committed.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::Result;
use globset::GlobBuilder;
use indexmap::IndexSet;

use crate::artifact::Artifacts;
use crate::error::Problem;
use crate::ops::record::child;
use crate::ops::record::place::{Places, normalised};
use crate::ops::record::walk::{Links, walk};
use crate::run::attempt::Number;
use crate::run::id::sha256;
use crate::run::pointer::Pointer;
use crate::run::record::Files;
use crate::run::value::Value;
use crate::tracker::Tracker;

/// The size up to which an artifact's bytes lie in the record itself.
const INLINE_MAX: u64 = 128 * 1024;

/// How much of that one attempt or edit may bring.
const INLINE_TOTAL_MAX: u64 = 2 * 1024 * 1024;

/// How far a file system's clock may lag behind ours.
const CLOCK_SLACK: Duration = Duration::from_millis(20);

/// A path or glob that someone asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The path, whole, or a glob.
    pub path: PathBuf,
    /// Whether a person typed it now, rather than a settings file at some time.
    pub is_explicit: bool,
}

/// The artifacts that were found.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Harvest {
    /// What they are; the bytes of those that are not inline are in the store.
    pub pointers: Vec<Pointer>,
    /// The bytes of the inline ones, by their place in `pointers`.
    inline: BTreeMap<usize, Vec<u8>>,
    /// How many bytes those are.
    inline_size: u64,
    /// Where in `pointers` each name, step and key is: there may be very many.
    places: HashMap<String, usize>,
    /// What was asked for and could not be taken: subject and reason.
    pub missing: Vec<String>,
    /// What else is worth saying.
    pub notes: Vec<String>,
}

impl Harvest {
    /// The bytes of the small artifacts, laid out below the attempt or edit that brings them.
    pub fn inline_files(&self, owner: &str) -> Files {
        let place =
            |(index, bytes): (&usize, &Vec<u8>)| (self.pointers[*index].inline_path(owner), bytes.clone());
        self.inline.iter().map(place).collect()
    }

    /// How large they are together.
    pub fn bytes(&self) -> u64 {
        self.pointers.iter().map(|pointer| pointer.size).sum()
    }
}

/// The artifacts at `paths` (globs too), meant from where the user is; one that is missing is an error.
pub fn artifacts(tracker: &Tracker, paths: &[PathBuf]) -> Result<Harvest> {
    let places = Places::of(tracker);
    let wanted: Vec<_> =
        paths.iter().map(|path| Wanted { path: places.here.join(path), is_explicit: true }).collect();
    let matched = find(&wanted, &places);
    if let Some(missing) = matched.missing.first() {
        return Err(Problem::new(missing.clone()).into());
    }
    let harvest = take(&tracker.artifacts, &places, matched, None);
    match harvest.missing.first() {
        Some(missing) => Err(Problem::new(missing.clone()).into()),
        None => Ok(harvest),
    }
}

/// Files that are meant, before their bytes are read.
#[derive(Debug, Default)]
pub struct Matched {
    files: IndexSet<PathBuf>,
    /// What was asked for and is not there or cannot be taken.
    pub missing: Vec<String>,
    notes: Vec<String>,
}

/// Finds the files that are wanted, each once; folders are walked.
pub fn find(wanted: &[Wanted], places: &Places) -> Matched {
    let mut matched = Matched::default();
    for wanted in wanted {
        if let Err(error) = matched.add(wanted, places) {
            matched.missing.push(format!("cannot take artifact '{}': {error:#}", places.shown(&wanted.path)));
        }
    }
    matched
}

impl Matched {
    /// Keeps those files only.
    pub fn retain(&mut self, is_kept: &dyn Fn(&Path) -> bool) {
        self.files.retain(|file| is_kept(file));
    }

    fn add(&mut self, wanted: &Wanted, places: &Places) -> Result<()> {
        let path = normalised(&wanted.path);
        if fs::symlink_metadata(&path).is_ok() {
            return self.add_path(&path, places);
        }
        if !is_glob(&path) {
            return Err(Problem::new("there is no such file").into());
        }
        let found = expand(&path)?;
        // A glob in the settings speaks of what some runs make.
        if found.is_empty() && wanted.is_explicit {
            return Err(Problem::new("nothing matches it").into());
        }
        found.iter().try_for_each(|path| self.add_path(path, places))
    }

    fn add_path(&mut self, path: &Path, places: &Places) -> Result<()> {
        let metadata = fs::metadata(path)?;
        if metadata.is_file() {
            self.files.insert(path.to_owned());
            return Ok(());
        }
        if !metadata.is_dir() {
            return Err(Problem::new("it is a device, socket or pipe").into());
        }
        let found = walk(path, Links::Inside)?;
        self.files.extend(found.files);
        let refused = found.refused.iter();
        self.missing.extend(
            refused.map(|(path, why)| format!("cannot take artifact '{}': {why}", places.shown(path))),
        );
        let empty = found.empty.iter();
        self.notes.extend(empty.map(|path| format!("artifact folder '{}' is empty", places.shown(path))));
        Ok(())
    }
}

/// Brings the bytes to safety. What is older than `since` is taken, and said to be.
pub fn take(artifacts: &Artifacts, places: &Places, matched: Matched, since: Option<SystemTime>) -> Harvest {
    let mut harvest = Harvest { missing: matched.missing, notes: matched.notes, ..Harvest::default() };
    for file in &matched.files {
        let named = Named { path: places.name(file), ..Named::default() };
        if let Err(error) = harvest.take(artifacts, file, named) {
            harvest.missing.push(format!("cannot take artifact '{}': {error:#}", places.shown(file)));
        } else if since.is_some_and(|since| is_older(file, since)) {
            harvest.notes.push(format!("artifact '{}' is older than the run", places.shown(file)));
        }
    }
    harvest
}

/// What a file is called in the record, and where in the run it belongs.
#[derive(Debug, Clone, PartialEq)]
pub struct Named {
    /// Its path there.
    pub path: Value,
    /// Its media type; told from its name if absent.
    pub media_type: Option<String>,
    /// The step it was logged at.
    pub step: Option<Number>,
    /// The key it was logged under.
    pub key: Option<String>,
}

impl Default for Named {
    fn default() -> Self {
        Self { path: "".into(), media_type: None, step: None, key: None }
    }
}

impl Harvest {
    /// Brings one file's bytes to safety under the name it is to have; what had that name, step and key before gives
    /// way.
    pub fn take(&mut self, artifacts: &Artifacts, file: &Path, named: Named) -> Result<()> {
        let metadata = fs::metadata(file)?;
        if !metadata.is_file() {
            return Err(Problem::new("it is no plain file").into());
        }
        let room = INLINE_MAX.min(INLINE_TOTAL_MAX.saturating_sub(self.inline_size));
        let mut pointer = Pointer {
            path: named.path,
            sha256: String::new(),
            size: metadata.len(),
            media_type: named.media_type.or_else(|| media_type(file).map(str::to_owned)),
            executable: child::is_executable(&metadata),
            step: named.step,
            key: named.key,
            inline: metadata.len() <= room,
        };
        let mut bytes = Vec::new();
        if pointer.inline {
            bytes = fs::read(file)?;
            // It may have grown since its size was asked.
            pointer.inline = bytes.len() as u64 <= room;
            (pointer.sha256, pointer.size) = (sha256(&bytes), bytes.len() as u64);
        }
        if !pointer.inline {
            let stored = artifacts.add(file)?;
            (pointer.sha256, pointer.size) = (stored.sha256, stored.size);
        }
        self.put(pointer, bytes);
        Ok(())
    }

    fn put(&mut self, pointer: Pointer, bytes: Vec<u8>) {
        let index = *self.places.entry(name(&pointer)).or_insert(self.pointers.len());
        let replaced = self.inline.remove(&index).map_or(0, |bytes| bytes.len() as u64);
        self.inline_size -= replaced;
        if pointer.inline {
            self.inline_size += bytes.len() as u64;
            self.inline.insert(index, bytes);
        }
        match self.pointers.get_mut(index) {
            Some(known) => *known = pointer,
            None => self.pointers.push(pointer),
        }
    }

    /// Adds what an earlier revision of the record holds, unless there is something newer under that name, step and
    /// key; its bytes are where they were.
    pub fn keep(&mut self, recorded: Pointer) {
        if let Entry::Vacant(place) = self.places.entry(name(&recorded)) {
            place.insert(self.pointers.len());
            self.pointers.push(recorded);
        }
    }

    /// Adds a file whose bytes are in the store already.
    pub fn add_stored(&mut self, pointer: Pointer) {
        self.put(pointer, Vec::new());
    }
}

/// What tells an artifact from the others of its run.
fn name(pointer: &Pointer) -> String {
    format!("{:?} {:?} {:?}", pointer.path, pointer.step, pointer.key)
}

/// Whether the file was last written before `since`.
pub fn is_older(file: &Path, since: SystemTime) -> bool {
    let modified = fs::metadata(file).and_then(|metadata| metadata.modified());
    modified.is_ok_and(|modified| precedes(modified, since))
}

/// Whether a file time lies before a moment, the file system's granularity allowed for.
fn precedes(modified: SystemTime, since: SystemTime) -> bool {
    let is_whole = modified.duration_since(SystemTime::UNIX_EPOCH).is_ok_and(|age| age.subsec_nanos() == 0);
    // Some file systems keep whole seconds, or two of them.
    let slack = if is_whole { Duration::from_secs(2) } else { CLOCK_SLACK };
    modified + slack < since
}

fn is_glob(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().iter().any(|byte| b"*?[{".contains(byte))
}

/// What matches the glob, found from the last folder that its plain beginning names.
fn expand(glob: &Path) -> Result<Vec<PathBuf>> {
    let text = glob.to_str().ok_or_else(|| Problem::usage("a glob must be UTF-8"))?;
    let built = GlobBuilder::new(text).literal_separator(true).backslash_escape(true).build();
    let matcher =
        built.map_err(|error| Problem::usage(format!("it is no glob: {}", error.kind())))?.compile_matcher();
    let base: PathBuf = glob.components().take_while(|part| !is_glob(Path::new(part.as_os_str()))).collect();
    let depth = match text.contains("**") {
        true => usize::MAX,
        false => glob.components().count() - base.components().count(),
    };
    let mut found = Vec::new();
    search(&base, depth, &|path| matcher.is_match(path), &mut found);
    Ok(found)
}

/// Collects what matches below `folder`; links to folders are not followed, nor is `.git` entered.
fn search(folder: &Path, depth: usize, matches: &dyn Fn(&Path) -> bool, found: &mut Vec<PathBuf>) {
    let Ok(children) = fs::read_dir(folder) else {
        return;
    };
    let mut children: Vec<_> = children.flatten().filter(|child| child.file_name() != ".git").collect();
    children.sort_by_key(fs::DirEntry::path);
    for child in children {
        let path = child.path();
        if matches(&path) {
            found.push(path);
        } else if depth > 1 && child.file_type().is_ok_and(|kind| kind.is_dir()) {
            search(&path, depth - 1, matches, found);
        }
    }
}

/// The media type that a file's name tells.
fn media_type(file: &Path) -> Option<&'static str> {
    let extension = file.extension()?.to_str()?.to_ascii_lowercase();
    MEDIA_TYPES.iter().find(|(known, _)| *known == extension).map(|(_, media_type)| *media_type)
}

const MEDIA_TYPES: &[(&str, &str)] = &[
    ("csv", "text/csv"),
    ("gif", "image/gif"),
    ("gz", "application/gzip"),
    ("htm", "text/html"),
    ("html", "text/html"),
    ("ipynb", "application/x-ipynb+json"),
    ("jpeg", "image/jpeg"),
    ("jpg", "image/jpeg"),
    ("json", "application/json"),
    ("jsonl", "application/jsonl"),
    ("log", "text/plain"),
    ("md", "text/markdown"),
    ("mp3", "audio/mpeg"),
    ("mp4", "video/mp4"),
    ("npy", "application/x-npy"),
    ("npz", "application/x-npz"),
    ("parquet", "application/vnd.apache.parquet"),
    ("pdf", "application/pdf"),
    ("png", "image/png"),
    ("svg", "image/svg+xml"),
    ("tar", "application/x-tar"),
    ("toml", "application/toml"),
    ("tsv", "text/tab-separated-values"),
    ("txt", "text/plain"),
    ("wav", "audio/wav"),
    ("webm", "video/webm"),
    ("webp", "image/webp"),
    ("yaml", "application/yaml"),
    ("yml", "application/yaml"),
    ("zip", "application/zip"),
];

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn harvest(folder: &Path, wanted: &[&str], is_explicit: bool) -> Harvest {
        let folder = fs::canonicalize(folder).unwrap();
        let places = Places { here: folder.clone(), top: folder.clone() };
        let wanted: Vec<_> =
            wanted.iter().map(|path| Wanted { path: folder.join(path), is_explicit }).collect();
        take(&Artifacts::new(&folder.join(".git")), &places, find(&wanted, &places), None)
    }

    fn names(harvest: &Harvest) -> Vec<&str> {
        harvest.pointers.iter().map(|pointer| pointer.path.as_text().unwrap()).collect()
    }

    #[test]
    fn small_files_are_inline_and_large_ones_stored() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("loss.png"), b"plot").unwrap();
        fs::write(folder.path().join("model.bin"), vec![7; 200_000]).unwrap();
        let harvest = harvest(folder.path(), &["loss.png", "model.bin", "./loss.png"], true);
        assert_eq!(names(&harvest), ["loss.png", "model.bin"]);
        assert_eq!(harvest.pointers[0].media_type.as_deref(), Some("image/png"));
        assert!(harvest.pointers[0].inline && !harvest.pointers[1].inline);
        let files = harvest.inline_files("k7f3q2ab");
        let path = format!("artifacts/k7f3q2ab/{}-loss.png", &sha256(b"plot")[..16]);
        assert_eq!(files.into_iter().collect::<Vec<_>>(), [(path, b"plot".to_vec())]);
        let stored = Artifacts::new(&folder.path().join(".git")).path(&harvest.pointers[1].sha256);
        assert_eq!(fs::read(stored).unwrap(), vec![7; 200_000]);
    }

    #[test]
    fn what_is_inline_stays_under_its_total() {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..20 {
            fs::write(folder.path().join(format!("{number:02}.txt")), vec![number; 125_000]).unwrap();
        }
        let harvest = harvest(folder.path(), &["*.txt"], true);
        assert_eq!(harvest.pointers.len(), 20);
        assert_eq!(harvest.pointers.iter().filter(|pointer| pointer.inline).count(), 16);
    }

    #[test]
    fn globs_stop_at_separators_unless_doubled() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("out/deep")).unwrap();
        fs::create_dir_all(folder.path().join(".git")).unwrap();
        for file in ["out/a.png", "out/deep/b.png", ".git/c.png", "out/[x].txt"] {
            fs::write(folder.path().join(file), file).unwrap();
        }
        assert_eq!(names(&harvest(folder.path(), &["out/*.png"], true)), ["out/a.png"]);
        assert_eq!(names(&harvest(folder.path(), &["**/*.png"], true)), ["out/a.png", "out/deep/b.png"]);
        assert_eq!(names(&harvest(folder.path(), &["out/d*"], true)), ["out/deep/b.png"]);
        assert_eq!(names(&harvest(folder.path(), &["out/[x].txt"], true)), ["out/[x].txt"]);
    }

    #[test]
    fn only_what_was_typed_is_missed() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(harvest(folder.path(), &["*.png", "x.txt"], true).missing.len(), 2);
        assert_eq!(harvest(folder.path(), &["*.png"], false).missing.len(), 0);
    }

    #[test]
    fn file_times_are_compared_with_their_granularity() {
        let at = |millis| SystemTime::UNIX_EPOCH + Duration::from_millis(millis);
        assert!(precedes(at(5_500), at(6_000)));
        assert!(!precedes(at(5_999), at(6_000)));
        assert!(!precedes(at(5_000), at(6_900)));
        assert!(precedes(at(5_000), at(7_100)));
    }
}
