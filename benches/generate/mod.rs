//! Repositories of many runs, made up but written with the product's own bytes: one pack, packed refs.
//!
//! The same shape gives the same records. Knows how runs get into Git quickly, and which refs there are; how one run looks
//! is `run`'s business, what is measured with them that of others.

mod run;
mod stream;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use xtrack::run::id::Time;
use xtrack::run::record::{ENVIRONMENT, RUN, edit_path};
use xtrack::run::text;
use xtrack::run::value::Table;

use crate::generate::run::{BEGIN, CHANGES, PEOPLE, State, Written, environment, one};
use crate::generate::stream::{fed, git, import, push_blob, push_commit, push_file, push_known};

/// What is to be made.
pub struct Shape {
    /// How many runs.
    pub runs: usize,
    /// How many points each of their five metrics has.
    pub steps: usize,
    /// What all chance is drawn from.
    pub seed: u64,
    /// How many of the runs, the last ones, have refs that are files.
    pub loose: usize,
    /// Whether refs are kept in a reftable.
    pub reftable: bool,
}

impl Default for Shape {
    fn default() -> Self {
        Self { runs: 1000, steps: 20, seed: 1, loose: 0, reftable: false }
    }
}

/// What was made.
#[derive(Debug, Default)]
pub struct Made {
    /// How many runs answer `params.lr = 0.1 and metrics.acc > 0.9`, without those deleted.
    pub matching: usize,
    /// How many have an edit.
    pub edited: usize,
    /// How many of those say that it is deleted.
    pub deleted: usize,
}

/// How many runs are written at once: blobs of one kind lie together, so that git finds each one's neighbour.
const CHUNK: usize = 50;
/// How many commits the code has.
const COMMITS: usize = 40;

/// The first mark that a run has; those below are the code's and the environments'.
const FIRST_MARK: usize = 10_000;
/// How many marks each run has: its commit, its facts, its points, the commit of its edit.
const MARKS: usize = 4;

/// The ref that git's importer needs while it imports.
const SCRATCH: &str = "refs/xtrack/generated";

/// Makes the repository in a folder that is new or empty; its work tree holds the code of the last commit.
pub fn make(shape: &Shape, folder: &Path) -> Result<Made> {
    fs::create_dir_all(folder)?;
    ensure!(fs::read_dir(folder)?.next().is_none(), "'{}' is not empty", folder.display());
    let mut init = vec!["init", "-q", "-b", "main"];
    // Older versions of git know files only, and no such option.
    init.extend(shape.reftable.then_some("--ref-format=reftable"));
    git(folder, &init)?;
    let settings = [("user.name", "Ada Bench"), ("user.email", "ada@example.com")];
    for (key, value) in settings.into_iter().chain([("gc.auto", "0"), ("maintenance.auto", "false")]) {
        git(folder, &["config", key, value])?;
    }
    let states = write_code(folder)?;
    let (made, refs) = write_runs(shape, folder, &states)?;
    write_refs(shape, folder, refs)?;
    git(folder, &["prune-packed", "-q"])?;
    git(folder, &["reset", "-q", "--hard"])?;
    Ok(made)
}

/// The stream that makes the code's commits, and the changed states of each.
fn code_stream() -> Vec<u8> {
    let mut stream = Vec::new();
    for number in 0..COMMITS {
        let commit = 1 + number * (CHANGES + 1);
        let parent = (number > 0).then(|| commit - CHANGES - 1);
        let message = format!("train: version {number}\n");
        push_commit(&mut stream, "refs/heads/main", commit, (PEOPLE[0].0, BEGIN), &message, parent);
        push_file(&mut stream, "train.py", train_py(number, 0).as_bytes());
        if number == 0 {
            push_file(&mut stream, "xtrack.toml", SETTINGS.as_bytes());
        }
        for change in 1..=CHANGES {
            let words = (PEOPLE[0].0, BEGIN);
            push_commit(&mut stream, SCRATCH, commit + change, words, "xtrack: snapshot\n", Some(commit));
            push_file(&mut stream, "train.py", train_py(number, change).as_bytes());
        }
    }
    stream
}

const SETTINGS: &str = "experiment = \"baseline\"\nprimary = \"acc\"\n\n[experiments]\nrates = \"which rate to \
                        learn at\"\nfinal = \"what goes into the report\"\n\n[metric.acc]\ngoal = \"max\"\n\n\
                        [metric.loss]\ngoal = \"min\"\n";

fn train_py(version: usize, change: usize) -> String {
    let lines: String = (0..60).map(|line| format!("    x = layer_{line}(x)\n")).collect();
    format!("VERSION = \"{version}.{change}\"\n\n\ndef forward(x):\n{lines}    return x\n")
}

/// Writes the code as loose objects, which the pack of the runs takes in, and says what states there are.
fn write_code(folder: &Path) -> Result<Vec<State>> {
    let marks = import(folder, &["-c", "fastimport.unpackLimit=100000"], |sink| sink(code_stream()))?;
    let mut states = Vec::new();
    for mark in 1..=COMMITS * (CHANGES + 1) {
        let oid = &marks[&mark];
        let found = git(folder, &["rev-parse", &format!("{oid}^{{tree}}"), &format!("{oid}:train.py")])?;
        let mut found = found.lines().map(str::to_owned);
        let (tree, blob) = (found.next().unwrap_or_default(), found.next().unwrap_or_default());
        let change = (mark - 1) % (CHANGES + 1);
        let commit = marks[&(mark - change)].clone();
        states.push(State { commit, tree, snapshot: (change > 0).then(|| oid.clone()), blob });
    }
    Ok(states)
}

/// Writes all runs as one pack; what they are, and where each ref is to point.
fn write_runs(shape: &Shape, folder: &Path, states: &[State]) -> Result<(Made, Vec<(String, String)>)> {
    let mut made = Made::default();
    let mut ids = Vec::with_capacity(shape.runs);
    let environments: Vec<Table> =
        (0..4 + (shape.runs.saturating_sub(1) / 20_000).min(4)).map(environment).collect();
    let marks = import(folder, &["-c", "fastimport.unpackLimit=1"], |sink| {
        let mut opening = code_stream();
        for (number, table) in environments.iter().enumerate() {
            push_blob(&mut opening, environment_mark(number), text::write(table).as_bytes());
        }
        sink(opening);
        for first in (0..shape.runs).step_by(CHUNK) {
            let runs: Vec<Written> =
                (first..shape.runs.min(first + CHUNK)).map(|number| one(shape, number, states)).collect();
            sink(chunk_stream(first, &runs));
            for run in runs {
                made.edited += usize::from(run.edit.is_some());
                made.deleted += usize::from(run.deleted);
                made.matching += usize::from(run.matching && !run.deleted);
                ids.push((run.facts.id, run.edit.is_some(), run.person == 0));
            }
        }
    })?;
    let mut refs = Vec::with_capacity(ids.len() + states.len());
    let mut here = String::new();
    for (number, (id, is_edited, is_here)) in ids.into_iter().enumerate() {
        let mark = FIRST_MARK + number * MARKS + if is_edited { 3 } else { 0 };
        refs.push((format!("refs/runs/{id}"), marks[&mark].clone()));
        if is_here {
            writeln!(here, "{id}")?;
        }
    }
    fs::create_dir_all(folder.join(".git/xtrack"))?;
    fs::write(folder.join(".git/xtrack/recorded"), here)?;
    let kept = states.iter().map(|state| state.snapshot.as_ref().unwrap_or(&state.commit));
    refs.extend(kept.map(|oid| (format!("refs/xtrack/code/{oid}"), oid.clone())));
    Ok((made, refs))
}
fn environment_mark(number: usize) -> usize {
    FIRST_MARK - 100 + number
}

fn chunk_stream(first: usize, runs: &[Written]) -> Vec<u8> {
    let mut stream = Vec::new();
    let mark = |number: usize, which: usize| FIRST_MARK + (first + number) * MARKS + which;
    for (number, run) in runs.iter().enumerate() {
        push_blob(&mut stream, mark(number, 1), text::write(&run.facts.to_table()).as_bytes());
    }
    for (number, run) in runs.iter().enumerate() {
        push_blob(&mut stream, mark(number, 2), &run.points);
    }
    for (number, run) in runs.iter().enumerate() {
        let by = PEOPLE[run.person].0;
        let ended = run.facts.ended.map_or(BEGIN, Time::seconds);
        stream.extend_from_slice(format!("reset {SCRATCH}\n\n").as_bytes());
        push_commit(&mut stream, SCRATCH, mark(number, 0), (by, ended), &run.message, None);
        push_known(&mut stream, ENVIRONMENT, environment_mark(run.environment));
        push_known(&mut stream, &run.points_path, mark(number, 2));
        push_known(&mut stream, RUN, mark(number, 1));
        if let Some((id, bytes, at)) = &run.edit {
            let message = if run.deleted { "xtrack: delete\n" } else { "xtrack: edit\n" };
            let own = Some(mark(number, 0));
            push_commit(&mut stream, SCRATCH, mark(number, 3), (by, *at), message, own);
            push_file(&mut stream, &edit_path(id), bytes);
        }
    }
    stream
}

/// Puts the refs where git looks for them, without a file each.
fn write_refs(shape: &Shape, folder: &Path, mut refs: Vec<(String, String)>) -> Result<()> {
    git(folder, &["update-ref", "-d", SCRATCH])?;
    if shape.reftable {
        let lines: String = refs.iter().map(|(name, oid)| format!("create {name} {oid}\n")).collect();
        fed(folder, &["update-ref", "--stdin"], lines.as_bytes())?;
        return git(folder, &["pack-refs", "--all"]).map(drop);
    }
    let main = git(folder, &["rev-parse", "refs/heads/main"])?.trim().to_owned();
    let loose = refs.drain(shape.runs.saturating_sub(shape.loose)..shape.runs).collect::<Vec<_>>();
    refs.push(("refs/heads/main".to_owned(), main));
    refs.sort();
    let mut packed = "# pack-refs with: peeled fully-peeled sorted \n".to_owned();
    refs.iter().try_for_each(|(name, oid)| writeln!(packed, "{oid} {name}"))?;
    fs::write(folder.join(".git/packed-refs"), packed)?;
    fs::remove_file(folder.join(".git/refs/heads/main"))?;
    for (name, oid) in loose {
        let path = folder.join(".git").join(name);
        fs::create_dir_all(path.parent().context("a ref lies in a folder")?)?;
        fs::write(path, format!("{oid}\n"))?;
    }
    Ok(())
}
