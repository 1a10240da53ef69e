//! Artifacts written to files of the user's: those that are wanted, taken from the store first if they are not here.
//!
//! Their paths are somebody else's words: `name` makes them harmless, `beneath` keeps them below the folder.

use std::fs::File;
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use globset::GlobBuilder;

use crate::artifact::{ArtifactStore, Artifacts, Content, Standing};
use crate::error::{Kind, Problem};
use crate::human;
use crate::ops::artifact::beneath::{self, Folder};
use crate::ops::artifact::verify::inline_bytes;
use crate::ops::artifact::{Held, bytes_of, distinct, moves, name, shown};
use crate::run::id::sha256;
use crate::tracker::Tracker;

/// How artifacts are written.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Whether files that are there give way.
    pub force: bool,
}

/// What became of an artifact.
#[derive(Debug)]
pub struct Got {
    /// Which.
    pub held: Held,
    /// The file it is in, or would be.
    pub file: PathBuf,
    /// Whether its path had to be changed to be safe.
    pub is_renamed: bool,
    /// Whether it was written; or why not.
    pub outcome: Result<()>,
    parts: Vec<String>,
}

/// Of these artifacts of one run the ones that the words name: by path, by folder, by glob, by id or by digest. Of several
/// with one path, step and key the last counts.
pub fn choose(artifacts: Vec<Held>, words: &[String]) -> Result<Vec<Held>> {
    let mut chosen: Vec<Held> = Vec::new();
    let matchers: Vec<Matcher> = words.iter().map(|word| Matcher::new(word)).collect::<Result<_>>()?;
    for matcher in &matchers {
        if !artifacts.iter().any(|held| matcher.takes(held)) {
            return Err(unknown(matcher.word, &artifacts).into());
        }
    }
    for held in artifacts {
        let wanted = matchers.iter().any(|matcher| matcher.takes(&held));
        if !matchers.is_empty() && !wanted {
            continue;
        }
        let is_named = matchers.iter().any(|matcher| matcher.word == held.id);
        let same = |known: &Held| (&known.path, known.step, &known.key) == (&held.path, held.step, &held.key);
        if let (false, Some(earlier)) = (is_named, chosen.iter().position(same)) {
            chosen.remove(earlier);
        }
        chosen.push(held);
    }
    Ok(chosen)
}

struct Matcher<'a> {
    word: &'a str,
    glob: globset::GlobMatcher,
}

impl<'a> Matcher<'a> {
    fn new(word: &'a str) -> Result<Self> {
        let built = GlobBuilder::new(word).literal_separator(true).backslash_escape(true).build();
        let built =
            built.map_err(|error| Problem::usage(format!("{word:?} is no glob: {}", error.kind())))?;
        Ok(Self { word, glob: built.compile_matcher() })
    }

    fn takes(&self, held: &Held) -> bool {
        let path = shown(&held.path);
        let is_below =
            path.strip_prefix(self.word.trim_end_matches('/')).is_some_and(|rest| rest.starts_with('/'));
        let is_digest = self.word.len() >= 8 && held.content.sha256.starts_with(self.word);
        path == self.word || is_below || held.id == self.word || is_digest || self.glob.is_match(&path)
    }
}

fn unknown(word: &str, artifacts: &[Held]) -> Problem {
    let paths: Vec<String> = artifacts.iter().map(|held| shown(&held.path)).collect();
    let problem = Problem::new(format!("the run has no artifact {word:?}")).of(Kind::NotFound);
    match human::nearest(word, paths.iter().map(String::as_str)) {
        Some(nearest) => problem.hint(format!("did you mean '{nearest}'?")),
        None => problem.hint("`git xtrack artifact ls RUN` lists them"),
    }
}

/// Which of these are not here, and have to be taken from the store.
pub fn absent(tracker: &Tracker, artifacts: &[Held]) -> Vec<Content> {
    distinct(artifacts.iter()).into_iter().filter(|content| !tracker.artifacts.has(content)).collect()
}

/// Takes what is not here from the store; what cannot be taken is told with the file that lacks it.
pub fn fetch(tracker: &Tracker, store: &dyn ArtifactStore, absent: &[Content]) -> Result<moves::Moved> {
    let plan = moves::plan_take(tracker, store, absent)?;
    moves::take(tracker, store, plan)
}

/// Writes each to a file below the folder.
pub fn write(tracker: &Tracker, artifacts: Vec<Held>, folder: &Path, options: Options) -> Result<Vec<Got>> {
    let cannot = || format!("cannot write to '{}'", folder.display());
    let place = tracker.directory().join(folder);
    let opened = Folder::open(&place).with_context(cannot)?;
    Artifacts::at(&place).check_room(bytes_of(artifacts.iter().map(|held| &held.content)))?;
    let mut got = plan(artifacts, folder);
    for got in &mut got {
        got.outcome = write_one(tracker, got, &opened, options);
    }
    Ok(got)
}

fn write_one(tracker: &Tracker, got: &Got, opened: &Folder, options: Options) -> Result<()> {
    opened.write(&got.parts, options.force, |file| copy(tracker, &got.held, file)).map_err(told)
}

/// Writes again those that failed, as far as they were damaged and now are not.
pub fn write_again(tracker: &Tracker, got: &mut [Got], folder: &Path, options: Options) -> Result<()> {
    let place = tracker.directory().join(folder);
    let opened = Folder::open(&place).with_context(|| format!("cannot write to '{}'", folder.display()))?;
    for got in got.iter_mut().filter(|got| got.outcome.as_ref().is_err_and(|error| error.is::<Damaged>())) {
        got.outcome = write_one(tracker, got, &opened, options);
    }
    Ok(())
}

/// The bytes that were found damaged here, each once.
pub fn damaged(tracker: &Tracker, got: &[Got]) -> Vec<Content> {
    let failed = got.iter().filter(|got| got.outcome.as_ref().is_err_and(|error| error.is::<Damaged>()));
    distinct(failed.map(|got| &got.held).filter(|held| is_damaged(tracker, held)))
}

/// Whether an artifact's bytes are here, and others than were recorded.
pub fn is_damaged(tracker: &Tracker, held: &Held) -> bool {
    let standing = || tracker.artifacts.standing(&held.content);
    held.inline.is_none() && !matches!(standing(), Ok(Standing::Whole | Standing::Absent))
}

/// Where each would be written.
pub fn plan(artifacts: Vec<Held>, folder: &Path) -> Vec<Got> {
    let names = name::names(&artifacts);
    let got = |(held, parts): (Held, Vec<String>)| {
        let is_renamed = parts.join("/") != shown(&held.path);
        Got { file: beneath::path(folder, &parts), is_renamed, outcome: Ok(()), held, parts }
    };
    artifacts.into_iter().zip(names).map(got).collect()
}

fn told(error: anyhow::Error) -> anyhow::Error {
    match error.downcast_ref::<io::Error>().map(io::Error::kind) {
        Some(io::ErrorKind::AlreadyExists) => Problem::new("the file is there already")
            .hint("`--force` replaces it, `--to DIR` writes elsewhere")
            .into(),
        _ => error,
    }
}

/// Copies an artifact's bytes into a file, and looks at what came of it.
pub fn copy(tracker: &Tracker, held: &Held, file: &mut File) -> Result<()> {
    if let Some(place) = &held.inline {
        return Ok(file.write_all(&inline(tracker, held, place)?)?);
    }
    if !tracker.artifacts.has(&held.content) {
        return Err(Problem::new("its bytes are not here").into());
    }
    let mut source = tracker.artifacts.open(&held.content.sha256)?;
    io::copy(&mut source, file)?;
    file.seek(SeekFrom::Start(0))?;
    check(&Content::of_open(file)?, held)
}

/// Writes an artifact's bytes to a stream, once they were looked at.
pub fn stream(tracker: &Tracker, held: &Held, target: &mut dyn io::Write) -> Result<()> {
    if let Some(place) = &held.inline {
        return Ok(target.write_all(&inline(tracker, held, place)?)?);
    }
    let mut source = tracker.artifacts.open_checked(&held.content.sha256)?;
    io::copy(&mut source, target)?;
    Ok(())
}

fn inline(tracker: &Tracker, held: &Held, place: &str) -> Result<Vec<u8>> {
    let bytes = inline_bytes(tracker, held, place)?;
    let bytes = bytes.ok_or_else(|| Problem::new("its bytes are not in the record, which names them"))?;
    check(&Content { sha256: sha256(&bytes), size: bytes.len() as u64 }, held)?;
    Ok(bytes)
}

fn check(found: &Content, held: &Held) -> Result<()> {
    match *found == held.content {
        true => Ok(()),
        false => {
            let problem = Problem::new("its bytes here are no longer those that were recorded")
                .hint("`git xtrack artifact verify RUN --remote` tells whether the store has them whole");
            Err(anyhow::Error::from(problem).context(Damaged))
        }
    }
}

/// Marks a failure that whole bytes would mend.
#[derive(Debug)]
struct Damaged;

impl std::fmt::Display for Damaged {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("it is damaged")
    }
}
