//! Runs shared between repositories: by plain git, by our commands, over bad lines, and with those who mean ill.

mod convergence;
mod cuts;
mod exchange;
mod hostile;
mod kills;
mod liars;
mod places;
mod plain;
mod pull;
mod push;
mod remotes;
pub mod sshd;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use xtrack::run::attempt::{Facts, Status};
use xtrack::run::edit::Edit;
use xtrack::run::id::{AttemptId, EditId, RunId, Time};
use xtrack::run::record::edit_path;
use xtrack::run::text;
use xtrack::run::value::Value;

use crate::support::Repo;

/// 2026-01-01 00:00:00 UTC.
const NEW_YEAR: i64 = 1_767_225_600;

/// A bare repository in a folder of its own.
pub struct Bare {
    _folder: TempDir,
    path: PathBuf,
}

impl Bare {
    /// An empty one.
    pub fn new() -> Self {
        Self::with(&[])
    }

    /// An empty one made with more options of `git init`.
    pub fn with(options: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().canonicalize().unwrap().join("bare.git");
        let maker = Repo::folder("maker");
        let init = ["init", "-q", "--bare", "-b", "main"];
        maker.git(&[&init[..], options, &[path.to_str().unwrap()]].concat());
        Self { _folder: folder, path }
    }

    /// Where it is.
    pub fn path(&self) -> &str {
        self.path.to_str().unwrap()
    }

    /// Its refs below a prefix, with what they point at.
    pub fn refs(&self, looker: &Repo, prefix: &str) -> String {
        looker.git(&["-C", self.path(), "for-each-ref", "--format=%(objectname) %(refname)", prefix])
    }
}

/// A clone that knows the bare repository as `origin`, with one commit; `name` is its owner's.
pub fn clone_of(bare: &Bare, name: &str) -> Repo {
    let repo = Repo::new();
    repo.git(&["config", "user.name", name]);
    repo.git(&["remote", "add", "origin", &format!("file://{}", bare.path())]);
    repo
}

/// The id of the run of this number.
pub fn run_id(number: u32) -> RunId {
    let bytes = number.to_be_bytes();
    RunId::new(
        Time((NEW_YEAR + i64::from(number)) * 1_000_000),
        [1, 2, 3, 4, bytes[0], bytes[1] % 32, bytes[2] % 32, bytes[3] % 32],
    )
}

/// The facts of a run that ended well.
pub fn facts(id: &RunId, name: &str) -> Facts {
    let mut facts = Facts::new(id.clone(), AttemptId::new([7; 8]), Time(NEW_YEAR * 1_000_000));
    (facts.name, facts.status, facts.exit_code) = (Some(name.to_owned()), Status::Finished, Some(0));
    facts.ended = Some(Time((NEW_YEAR + 60) * 1_000_000));
    facts.params.insert("lr".to_owned(), Value::Float(0.5));
    facts
}

/// Puts a tombstone in the place of a run here, as a purge does; the tombstone's commit.
pub fn bury(repo: &Repo, number: u32, why: &str) -> String {
    let id = run_id(number);
    let by = "Ada <ada@example.com>";
    let stone = format!(
        "format = 1\nid = \"{id}\"\nby = \"{by}\"\nat = \"2026-01-02T00:00:00.000000Z\"\nwhy = \"{why}\"\n"
    );
    let blob = repo.git_stdin(&["hash-object", "-w", "--stdin"], &stone);
    let tree = repo.git_stdin(&["mktree"], &format!("100644 blob {blob}\ttombstone.toml"));
    let commit = repo.git(&["commit-tree", "-m", "purge", &tree]);
    repo.git(&["update-ref", &format!("refs/runs/{id}"), &commit]);
    commit
}

/// The bytes of facts.
pub fn bytes_of(facts: &Facts) -> Vec<u8> {
    text::write(&facts.to_table()).into_bytes()
}

/// Makes runs as if they had been recorded here, in one go.
pub fn make_runs(repo: &Repo, numbers: impl Iterator<Item = u32>) {
    let mut stream = String::new();
    for number in numbers {
        let id = run_id(number);
        let bytes = String::from_utf8(bytes_of(&facts(&id, &format!("run-{number}")))).unwrap();
        commit(&mut stream, &format!("refs/runs/{id}"), NEW_YEAR, None, &[("run.toml", &bytes)]);
    }
    fast_import(repo, &stream);
}

/// Adds an edit to runs, each as a commit upon its tip, in one go; the edits' ids.
pub fn edit_runs(
    repo: &Repo,
    numbers: impl Iterator<Item = u32>,
    by: &str,
    say: impl Fn(&mut Edit),
) -> Vec<EditId> {
    let (mut stream, mut ids) = (String::new(), Vec::new());
    for number in numbers {
        let mut edit = Edit::new(by.to_owned(), Time((NEW_YEAR + 100) * 1_000_000), Vec::new());
        say(&mut edit);
        let (id, bytes) = edit.encode();
        let target = format!("refs/runs/{}", run_id(number));
        let text = String::from_utf8(bytes).unwrap();
        commit(&mut stream, &target, NEW_YEAR + 100, Some(&target), &[(&edit_path(&id), &text)]);
        ids.push(id);
    }
    fast_import(repo, &stream);
    ids
}

/// Adds a run of that many bytes that do not compress.
pub fn make_large_run(repo: &Repo, number: u32, size: usize) {
    let id = run_id(number);
    let facts = String::from_utf8(bytes_of(&facts(&id, "large"))).unwrap();
    let mut state = u64::from(number) + 1;
    let mut letter = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(33 + (state >> 33) as u8 % 90)
    };
    let console: String = (0..size).map(|_| letter()).collect();
    let path = format!("console/{}-head.log", AttemptId::new([7; 8]));
    let mut stream = String::new();
    commit(
        &mut stream,
        &format!("refs/runs/{id}"),
        NEW_YEAR,
        None,
        &[(&path, &console), ("run.toml", &facts)],
    );
    fast_import(repo, &stream);
}

fn commit(stream: &mut String, target: &str, seconds: i64, from: Option<&str>, files: &[(&str, &str)]) {
    write!(stream, "commit {target}\ncommitter Ada <ada@example.com> {seconds} +0000\ndata 2\nx\n").unwrap();
    if let Some(from) = from {
        writeln!(stream, "from {from}^0").unwrap();
    }
    for (path, text) in files {
        write!(stream, "M 100644 inline {path}\ndata {}\n{text}\n", text.len()).unwrap();
    }
}

fn fast_import(repo: &Repo, stream: &str) {
    repo.git_stdin(&["fast-import", "--quiet", "--date-format=raw"], stream);
}

/// The tips of all runs, with their trees.
pub fn tips(repo: &Repo) -> String {
    repo.git(&["for-each-ref", "--format=%(refname) %(objectname) %(tree)", "refs/runs"])
}

/// The same of a bare repository.
pub fn tips_at(looker: &Repo, path: &str) -> String {
    looker.git(&["-C", path, "for-each-ref", "--format=%(refname) %(objectname) %(tree)", "refs/runs"])
}

/// Every path in every run's tree.
pub fn paths(repo: &Repo, number: u32) -> Vec<String> {
    let listed = repo.git(&["ls-tree", "-r", "--name-only", &format!("refs/runs/{}", run_id(number))]);
    listed.lines().map(str::to_owned).collect()
}

/// How many trials a test that can go on for long makes: what `XTRACK_TRIALS` says, else so many.
pub fn trials(quick: usize) -> usize {
    std::env::var("XTRACK_TRIALS").ok().and_then(|text| text.parse().ok()).unwrap_or(quick)
}

/// Says that a test cannot be made here, which fails it where skips are forbidden.
#[track_caller]
pub fn skip(what: &str) {
    assert!(std::env::var_os("XTRACK_FORBID_SKIPS").is_none(), "{what} is wanted and does not work");
    eprintln!("skipped: {what} does not work here");
}

/// An ssh that goes nowhere: it does here what it is to do there.
pub const SSH: &str = "#!/bin/sh\nwhile [ $# -gt 1 ]; do shift; done\nexec sh -c \"$1\"\n";

/// Lets a script be run.
pub fn set_executable(path: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// Whether a program is there.
pub fn has(program: &str) -> bool {
    let found = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&found).any(|folder: PathBuf| Path::new(&folder).join(program).is_file())
}
