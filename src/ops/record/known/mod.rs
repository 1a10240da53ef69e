//! What scripts write of their own accord: files of known trackers and loggers, found and read into the run's journal.
//!
//! Knows which files are known, which of them a command wrote, and which were asked for; each kind's own file knows
//! its format. Commits nothing, and nothing here can fail a recording: what cannot be read is said.

/// Tables of text: CSV, TSV.
mod csv;
/// DVCLive's folders.
mod dvclive;
/// Hugging Face's `trainer_state.json`.
mod huggingface;
/// Objects in JSON that may be torn.
mod json_rows;
/// Keras' `CSVLogger`.
mod keras_csv;
/// Lightning's `CSVLogger`.
mod lightning_csv;
/// Bounded search.
mod look;
/// `metrics.json`.
mod metrics_json;
/// The journal file that a source becomes.
mod out;
/// TensorBoard's event files.
mod tensorboard;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::Result;
use globset::{GlobBuilder, GlobMatcher};
use indexmap::IndexMap;

use crate::error::Problem;
use crate::human;
use crate::ops::record::harvest;
use crate::ops::record::known::look::{Budget, Change, Look, Root};
use crate::ops::record::known::out::{JournalFile, Out};
use crate::ops::record::place::{Places, normalised};

/// The most sources that are read for one run.
const SOURCES_MAX: usize = 256;

/// What may be spent before the command starts.
const BEGIN: Budget = Budget { entries: 20_000, time: Duration::from_millis(50) };

/// What may be spent after it on what was asked for: nobody waits for the training any more.
const GATHER: Budget = Budget { entries: 500_000, time: Duration::from_secs(5) };

/// The most that may be spent after it to give a hint.
const HINT: Budget = Budget { entries: 20_000, time: Duration::from_millis(50) };

/// Folders of these names hold one side of a run, so their name always stays in the metrics' names.
const SPLITS: &[&str] = &["train", "training", "validation", "val", "valid", "test", "eval"];

/// A kind of file or folder that scripts write.
struct Kind {
    /// How it is asked for.
    name: &'static str,
    /// How it is spoken of.
    what: &'static str,
    /// The file or folder that is read if this file, which may be one of several, belongs to it.
    source: fn(&Path) -> Option<PathBuf>,
    /// Reads what was written during the run.
    read: fn(&Source, &mut Out) -> Result<()>,
}

/// The kinds; a file belongs to the first that claims it.
const KINDS: &[Kind] = &[
    Kind {
        name: "tensorboard",
        what: "TensorBoard events",
        source: tensorboard::source,
        read: tensorboard::read,
    },
    Kind { name: "dvclive", what: "DVCLive files", source: dvclive::source, read: dvclive::read },
    Kind {
        name: "huggingface",
        what: "a Hugging Face trainer state",
        source: huggingface::source,
        read: huggingface::read,
    },
    Kind {
        name: "lightning",
        what: "a Lightning CSV log",
        source: lightning_csv::source,
        read: lightning_csv::read,
    },
    Kind { name: "keras", what: "a Keras CSV log", source: keras_csv::source, read: keras_csv::read },
    Kind { name: "metrics-json", what: "metrics", source: metrics_json::source, read: metrics_json::read },
];

/// Asks for every kind.
const ALL: &str = "all";

/// The names by which kinds are asked for.
pub fn kinds() -> impl Iterator<Item = &'static str> {
    KINDS.iter().map(|kind| kind.name).chain([ALL])
}

/// What is to be harvested: a kind, or a path or glob of files and folders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The kind's name, or the path.
    pub text: String,
    /// Whether it is a path or glob.
    pub is_path: bool,
    /// Whether a person typed it now, rather than a settings file at some time: then finding nothing is said.
    pub is_explicit: bool,
}

/// Reads one `KIND|PATH`; a word that nearly is a kind is refused, as a misspelt one.
pub fn parse_wanted(text: &str) -> Result<Wanted, Problem> {
    let wanted = |is_path| Wanted { text: text.to_owned(), is_path, is_explicit: false };
    if text.trim().is_empty() {
        return Err(Problem::usage("cannot harvest '': it is empty").hint(kinds_hint()));
    }
    if kinds().any(|kind| kind == text) {
        return Ok(wanted(false));
    }
    let is_word = text.chars().all(|letter| letter.is_alphanumeric() || matches!(letter, '-' | '_'));
    match human::nearest(text, kinds()) {
        Some(nearest) if is_word => Err(Problem::usage(format!("there is no kind '{text}' to harvest"))
            .hint(format!("did you mean '{nearest}'? a file or folder of that name is './{text}'"))),
        _ => {
            matcher(Path::new(text))?;
            Ok(wanted(true))
        }
    }
}

/// What is wanted in all: by the settings, whose paths are meant from the top, and on the command line, whose paths
/// are meant from where the user is.
pub fn wanted(settings: &[String], given: &[String], places: &Places) -> Result<Vec<Wanted>, Problem> {
    let mut all = Vec::new();
    for text in settings {
        all.push(parse_wanted(text)?);
    }
    for text in given {
        let mut wanted = Wanted { is_explicit: true, ..parse_wanted(text)? };
        if wanted.is_path && Path::new(text).is_relative() {
            wanted.text = below(&places.here, text);
        }
        all.push(wanted);
    }
    Ok(all)
}

/// The path `text` meant from `folder`; what the folder's own name holds is no glob.
fn below(folder: &Path, text: &str) -> String {
    let folder = folder.to_string_lossy();
    match is_glob(Path::new(text)) {
        true => format!("{}/{text}", globset::escape(&folder)),
        false => format!("{folder}/{text}"),
    }
}

fn kinds_hint() -> String {
    format!("it takes {}, a path or a glob", kinds().collect::<Vec<_>>().join(", "))
}

/// What was there before the command started, and what is wanted of what comes.
#[derive(Debug)]
pub struct Watch {
    top: PathBuf,
    wanted: Vec<Wanted>,
    before: Look,
    elsewhere: Vec<PathBuf>,
    notes: Vec<String>,
}

/// What came of it.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Gathered {
    /// What could have been harvested.
    pub hints: Vec<String>,
    /// What was lost, limited or not found.
    pub notes: Vec<String>,
}

/// A file of a source, and from which byte on it was written during the run.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Fresh {
    path: PathBuf,
    from: u64,
}

/// A file or folder of a known kind that was written during the run.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Source {
    /// The file or folder.
    path: PathBuf,
    /// Those of its files that were written.
    files: Vec<Fresh>,
    /// When the command started.
    since: SystemTime,
    /// The top of the work tree, from which files are named.
    top: PathBuf,
}

impl Source {
    /// Whether the file is there and was written during the run.
    fn is_fresh(&self, file: &Path) -> bool {
        file.is_file() && !harvest::is_older(file, self.since)
    }

    /// The path as records name it.
    fn name(&self, path: &Path) -> String {
        path.strip_prefix(&self.top).unwrap_or(path).to_string_lossy().into_owned()
    }
}

/// Notes which known files are there already, cheaply: the command waits for this.
///
/// Where nothing is wanted nothing is looked at.
pub fn begin(top: &Path, wanted: &[Wanted]) -> Watch {
    let mut notes = Vec::new();
    let before = look::look(&roots(top, wanted), &BEGIN, true);
    if before.is_cut {
        notes.push(format!(
            "not every file in '{}' was looked at before the command started: of files to harvest that were \
             there already, the old part may be taken too; naming their folder avoids that",
            top.display()
        ));
    }
    Watch { top: top.to_owned(), wanted: wanted.to_owned(), before, elsewhere: Vec::new(), notes }
}

/// Where to look for what is wanted.
fn roots(top: &Path, wanted: &[Wanted]) -> Vec<Root> {
    let mut roots: Vec<_> =
        wanted.iter().filter(|wanted| wanted.is_path).map(|path| root(top, path)).collect();
    if wanted.iter().any(|wanted| !wanted.is_path) {
        roots.push(Root { path: top.to_owned(), matcher: None });
    }
    roots
}

fn root(top: &Path, wanted: &Wanted) -> Root {
    let path = normalised(&top.join(&wanted.text));
    if !is_glob(&path) || fs::symlink_metadata(&path).is_ok() {
        return Root { path, matcher: None };
    }
    let plain = |part: &std::path::Component<'_>| !is_glob(Path::new(part.as_os_str()));
    Root { path: path.components().take_while(plain).collect(), matcher: matcher(&path).ok() }
}

fn matcher(path: &Path) -> Result<GlobMatcher, Problem> {
    let text = path.to_str().ok_or_else(|| Problem::usage("a glob must be UTF-8"))?;
    let glob = GlobBuilder::new(text).literal_separator(true).backslash_escape(true).build();
    let invalid = |error: globset::Error| {
        Problem::usage(format!("cannot harvest '{}': it is no glob: {}", text.escape_debug(), error.kind()))
    };
    glob.map(|glob| glob.compile_matcher()).map_err(invalid)
}

fn is_glob(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().iter().any(|byte| b"*?[{".contains(byte))
}

/// Known files that were written, by the kind's place in [`KINDS`] and their source.
type Found = IndexMap<(usize, PathBuf), Vec<Fresh>>;

impl Watch {
    /// Says that these files are read in another way, so that no hint speaks of them.
    pub fn read_elsewhere(&mut self, files: impl IntoIterator<Item = PathBuf>) {
        self.elsewhere.extend(files);
    }

    /// Reads what was asked for and written since the command started into journal files in `folder`.
    pub fn gather(mut self, folder: &Path, since: SystemTime) -> Gathered {
        let mut found = Found::new();
        let asked = self.search(&roots(&self.top, &self.wanted), &GATHER, since, &mut found);
        if asked.is_cut {
            self.notes.push(format!(
                "not every file in '{}' was looked at for something to harvest: naming the folder helps",
                self.top.display()
            ));
        }
        let (taken, left) = self.divide(found);
        self.note_missing(&taken);
        for (index, kind) in KINDS.iter().enumerate() {
            let of_kind: Vec<_> = taken.iter().filter(|((of, _), _)| *of == index).collect();
            let paths: Vec<_> = of_kind.iter().map(|((_, path), _)| path.clone()).collect();
            for (((_, path), files), prefix) in of_kind.into_iter().zip(prefixes(&paths)) {
                let source =
                    Source { path: path.clone(), files: files.clone(), since, top: self.top.clone() };
                let shown = source.name(path);
                let mut out = Out::new(JournalFile::new(folder, kind.name, &shown), shown.clone(), prefix);
                if let Err(error) = (kind.read)(&source, &mut out) {
                    self.notes.push(format!("cannot harvest '{}': {error:#}", shown.escape_debug()));
                }
                self.notes.extend(out.close());
            }
        }
        let hints = self.hint(left, since, &taken).into_iter().collect();
        Gathered { hints, notes: self.notes }
    }

    /// Adds the known files below these roots that were written during the run.
    fn search(&self, roots: &[Root], budget: &Budget, since: SystemTime, found: &mut Found) -> Look {
        let look = look::look(roots, budget, false);
        for (path, now) in &look.files {
            let from = match self.before.change(path, now, since) {
                Change::Same => continue,
                Change::New => 0,
                Change::Grown { from } => from,
            };
            let claim = KINDS.iter().enumerate().find_map(|(kind, of)| Some((kind, (of.source)(path)?)));
            let claim = claim.or_else(|| self.claim_named(path));
            if let Some(claim) = claim {
                let files = found.entry(claim).or_default();
                if files.iter().all(|fresh| fresh.path != *path) {
                    files.push(Fresh { path: path.clone(), from });
                }
            }
        }
        found.values_mut().for_each(|files| files.sort_by(|one, other| one.path.cmp(&other.path)));
        found.sort_keys();
        look
    }

    /// The kind of a file that bears no known name, but was named: told by how it ends.
    fn claim_named(&self, path: &Path) -> Option<(usize, PathBuf)> {
        self.wanted.iter().find(|wanted| wanted.is_path && self.names(wanted, path, false))?;
        let kind = match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "csv" | "tsv" | "log" => "keras",
            "json" | "jsonl" | "ndjson" => "metrics-json",
            _ => return None,
        };
        Some((KINDS.iter().position(|of| of.name == kind)?, path.to_owned()))
    }

    /// Whether a wanted path or glob means this one, or, if `or_above`, a folder that it lies in.
    fn names(&self, wanted: &Wanted, path: &Path, or_above: bool) -> bool {
        let root = root(&self.top, wanted);
        let is_it = |path: &Path| match &root.matcher {
            Some(matcher) => matcher.is_match(path),
            None => path == root.path,
        };
        if or_above { path.ancestors().any(is_it) } else { is_it(path) }
    }

    fn wants(&self, wanted: &Wanted, kind: usize, source: &Path, files: &[Fresh]) -> bool {
        match wanted.is_path {
            false => wanted.text == ALL || wanted.text == KINDS[kind].name,
            true => {
                self.names(wanted, source, true)
                    || files.iter().any(|fresh| self.names(wanted, &fresh.path, true))
            }
        }
    }

    /// What was asked for, at most so many sources, and what was not.
    fn divide(&mut self, found: Found) -> (Found, Found) {
        let is_wanted = |((kind, source), files): &(&(usize, PathBuf), &Vec<Fresh>)| {
            self.wanted.iter().any(|wanted| self.wants(wanted, *kind, source, files))
        };
        let asked: Vec<bool> = found.iter().map(|entry| is_wanted(&entry)).collect();
        let (mut taken, mut left) = (Found::new(), Found::new());
        let mut over = 0;
        for ((key, files), is_asked) in found.into_iter().zip(asked) {
            match is_asked {
                true if taken.len() == SOURCES_MAX => over += 1,
                true => drop(taken.insert(key, files)),
                false => drop(left.insert(key, files)),
            }
        }
        if over > 0 {
            self.notes.push(format!(
                "the first {SOURCES_MAX} files and folders were harvested, which is the limit of a run: {over} more were left out"
            ));
        }
        (taken, left)
    }

    fn note_missing(&mut self, taken: &Found) {
        let found_nothing = |wanted: &&Wanted| {
            !taken.iter().any(|((kind, source), files)| self.wants(wanted, *kind, source, files))
        };
        let explicit = self.wanted.iter().filter(|wanted| wanted.is_explicit);
        let missing: Vec<_> = explicit.filter(found_nothing).map(|wanted| self.missing(wanted)).collect();
        self.notes.extend(missing);
    }

    fn missing(&self, wanted: &Wanted) -> String {
        let root = root(&self.top, wanted);
        let shown = match wanted.is_path {
            true => Path::new(&wanted.text).strip_prefix(&self.top).unwrap_or(Path::new(&wanted.text)),
            false => Path::new(&wanted.text),
        };
        let why = match wanted.is_path {
            true if root.matcher.is_none() && !root.path.exists() => "there is no such file or folder",
            true if root.matcher.is_none() && root.path.is_file() => {
                "it was not written during the run, or is of no known kind"
            }
            true => "nothing of a known kind was written there",
            false => "the command wrote none",
        };
        format!("cannot harvest '{}': {why}", shown.display().to_string().escape_debug())
    }

    /// One line about what was written and not asked for.
    fn hint(&self, mut left: Found, since: SystemTime, taken: &Found) -> Option<String> {
        // A fraction of what the command itself took, so that no short one feels it.
        let elapsed = since.elapsed().unwrap_or_default();
        let time = (elapsed / 20).clamp(Duration::from_millis(5), HINT.time);
        let root = Root { path: self.top.clone(), matcher: None };
        if !self.wanted.iter().any(|wanted| !wanted.is_path) {
            self.search(&[root], &Budget { time, ..HINT }, since, &mut left);
        }
        left.retain(|(_, source), files| {
            let is_taken = taken.keys().any(|(_, other)| other == source);
            let is_read = |file: &Fresh| self.elsewhere.contains(&file.path);
            !is_taken && !files.iter().all(is_read)
        });
        let mut written: IndexMap<usize, Vec<PathBuf>> = IndexMap::new();
        for (kind, source) in left.into_keys() {
            written.entry(kind).or_default().push(source);
        }
        (!written.is_empty()).then(|| self.hint_of(&written))
    }

    fn hint_of(&self, written: &IndexMap<usize, Vec<PathBuf>>) -> String {
        let shown = |path: &Path| {
            let name = path.strip_prefix(&self.top).unwrap_or(path).display().to_string();
            if name.is_empty() { ".".to_owned() } else { name.escape_debug().to_string() }
        };
        let phrase = |(kind, sources): (&usize, &Vec<PathBuf>)| {
            let more = match sources.len() {
                1 => String::new(),
                number => format!(" and {} more", number - 1),
            };
            format!("{} in '{}'{more}", KINDS[*kind].what, shown(&sources[0]))
        };
        let what = joined(&written.iter().map(phrase).collect::<Vec<_>>());
        let names: Vec<_> = written.keys().map(|kind| KINDS[*kind].name).collect();
        let options: Vec<_> = names.iter().map(|name| format!("--harvest {name}")).collect();
        format!(
            "the command wrote {what}: `{}`, or `harvest = [\"{}\"]` under [record] in xtrack.toml, makes that \
             the run's series",
            options.join(" "),
            names.join("\", \"")
        )
    }
}

/// `a`, `a and b`, `a, b and c`.
fn joined(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

/// What goes before the names of each source's metrics: where it lies below the folder that all have in common.
///
/// A single source has no prefix, so that the time and host that many tools put into a folder's name do not keep
/// runs from being compared.
fn prefixes(sources: &[PathBuf]) -> Vec<String> {
    let units: Vec<PathBuf> = sources.iter().map(|source| unit(source)).collect();
    let Some(first) = units.first() else {
        return Vec::new();
    };
    let mut base = first.as_path();
    while !units.iter().all(|unit| unit.starts_with(base)) {
        base = base.parent().unwrap_or(Path::new(""));
    }
    let is_split = |name: &str| SPLITS.contains(&name.to_ascii_lowercase().as_str());
    // A lone `train.csv` is a name, no side of anything.
    let is_folder = base != sources[0].with_extension("") || base == sources[0];
    if is_folder && base.file_name().and_then(|name| name.to_str()).is_some_and(is_split) {
        base = base.parent().unwrap_or(Path::new(""));
    }
    let prefix = |unit: &PathBuf| match unit.strip_prefix(base) {
        Ok(below) if !below.as_os_str().is_empty() => format!("{}/", below.to_string_lossy()),
        _ => String::new(),
    };
    units.iter().map(prefix).collect()
}

/// What tells a source from the others: its folder, or the file's own name where that says something.
fn unit(source: &Path) -> PathBuf {
    let is_file = source.extension().is_some_and(|extension| {
        ["csv", "tsv", "log", "json", "jsonl", "ndjson"]
            .iter()
            .any(|known| extension.eq_ignore_ascii_case(known))
    });
    match is_file {
        false => source.to_owned(),
        true if source.file_stem().is_some_and(|stem| stem == "metrics") => {
            source.parent().unwrap_or(Path::new("")).to_owned()
        }
        true => source.with_extension(""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_tell_sources_apart_and_no_more() {
        let table: &[(&[&str], &[&str])] = &[
            (&["/w/runs/Jan01_host"], &[""]),
            (&["/w/runs/a", "/w/runs/b"], &["a/", "b/"]),
            (&["/w/runs/x", "/w/runs/x/hp"], &["", "hp/"]),
            (&["/w/logs/train"], &["train/"]),
            (&["/w/logs/Validation", "/w/logs/train"], &["Validation/", "train/"]),
            (&["/w/train", "/w/train/hp"], &["train/", "train/hp/"]),
            (&["/w/version_0/metrics.csv", "/w/version_1/metrics.csv"], &["version_0/", "version_1/"]),
            (&["/w/version_0/metrics.csv"], &[""]),
            (&["/w/a.csv", "/w/b.csv"], &["a/", "b/"]),
            (&["/w/a.csv"], &[""]),
            (&["/w/training.csv"], &[""]),
            (&["/w/train/log.csv"], &[""]),
            (&["/w/train/metrics.csv"], &["train/"]),
            (&["/w/train.csv", "/w/val.csv"], &["train/", "val/"]),
            (&[], &[]),
        ];
        for (sources, expected) in table {
            let sources: Vec<_> = sources.iter().map(PathBuf::from).collect();
            assert_eq!(prefixes(&sources), *expected, "{sources:?}");
        }
    }
}
