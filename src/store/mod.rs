//! Runs as Git keeps them: the repository found, its settings, its refs and objects, and the code that ran.
//!
//! The only user of `gix`; what `gix` lacks (reftable, signing, snapshots, history) goes through the `git` program.
//! Knows which refs hold runs and code, not what the files of a run say. Whatever talks with another repository is in
//! `remote`, whatever is about the user's code in `code`.

mod bases;
mod batch;
mod check;
mod code;
mod collector;
mod commit;
mod count;
mod delete;
mod format;
mod identity;
mod kept;
mod many_refs;
pub mod mend;
mod merge;
mod objects;
mod open;
mod operation;
mod pack;
mod platform;
mod reach;
mod read;
mod refs;
mod remote;
mod sign;
mod signature;
mod tips;

use std::cell::RefCell;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use gix::ObjectId;

use crate::error::Problem;
use crate::run::id::{RunId, Time, hex};
use crate::run::record::Files;
use crate::store::operation::Current;
use crate::store::platform::Sharing;
use crate::store::refs::{PackedRefs, Signer};

pub use crate::store::check::{Chain, FoundRef, FoundRefs, Lack, Link, Target, Trouble};
pub use crate::store::count::{Counts, counts};
pub use crate::store::identity::Identity;
pub use crate::store::kept::Keep;
pub use crate::store::merge::{Content, Known, Merge};
pub use crate::store::operation::{Entry, Move};
pub use crate::store::reach::{Objects, Sizes, Weight};
pub use crate::store::remote::address::{Helper, Login};
pub use crate::store::remote::fetch::{Arrival, Fault, Kept, Wanted};
pub use crate::store::remote::published::{CommitLine, SnapshotFile};
pub use crate::store::remote::push::{Answer, Answers, Sent};
pub use crate::store::remote::refusals::{Refusal, Refusals};
pub use crate::store::remote::transport::{Interrupted, Talk, patiently, pause};
pub use crate::store::remote::unsound::Unsound;
pub use crate::store::remote::{Listing, Remote};
pub use crate::store::signature::{Signed, Verdict};
pub use crate::store::tips::{
    LooseRuns, Purpose, RunRef, RunTip, Standing, Stray, doubt_loose, effective, remote_of, strays,
};

/// An object's id in lower-case hex.
pub type Oid = String;

/// An opened repository.
pub struct Store {
    repository: gix::Repository,
    git_dir: PathBuf,
    common_dir: PathBuf,
    work_tree: Option<PathBuf>,
    is_reftable: bool,
    has_promisor: bool,
    sharing: Sharing,
    runs_prefix: String,
    packed_refs: RefCell<PackedRefs>,
    signer: Option<Signer>,
    warnings: RefCell<Vec<String>>,
    current: Current,
}

/// What [`Store::write_run`] writes.
pub struct RunWrite<'a> {
    /// The run.
    pub id: &'a RunId,
    /// The tip that the run must have; `None`: the run must not exist.
    pub expected: Option<Oid>,
    /// The files that are laid over the expected tip's tree.
    pub files: &'a Files,
    /// The commit's message.
    pub message: &'a str,
    /// The commit's date.
    pub at: Time,
}

/// The ref moved meanwhile: what was to be written must be made anew from the new tip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved;

impl std::fmt::Display for Moved {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("the run was changed by another process meanwhile")
    }
}

impl std::error::Error for Moved {}

/// Where HEAD is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Head {
    /// Its commit; absent on an unborn branch.
    pub commit: Option<Oid>,
    /// Its branch, without `refs/heads/`; absent when detached.
    pub branch: Option<String>,
}

/// A commit of a record chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitInfo {
    /// Its id.
    pub oid: Oid,
    /// Who made it, `Name <mail>`.
    pub author: String,
    /// When.
    pub at: Time,
    /// The first line of its message.
    pub subject: String,
}

/// The commits of a revision range, and how else they are known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Range {
    /// Their ids.
    pub commits: HashSet<Oid>,
    /// Their trees.
    pub trees: HashSet<Oid>,
    /// The patch ids of those that are no merges.
    pub patch_ids: HashSet<String>,
}

/// How [`Store::code_diff`] shows a difference.
#[derive(Debug, Clone, Default)]
pub struct CodeDiffOptions {
    /// The files and how many lines of each, instead of the lines.
    pub stat: bool,
    /// With colours.
    pub colour: bool,
    /// Only these paths; all if empty.
    pub paths: Vec<String>,
}

/// What a snapshot takes.
#[derive(Debug, Clone)]
pub struct SnapshotLimits {
    /// Whether changes are kept at all.
    pub enabled: bool,
    /// Whether untracked files are taken.
    pub untracked: bool,
    /// The largest untracked file taken, in bytes.
    pub file_max: u64,
    /// How many untracked files are taken.
    pub files_max: usize,
    /// How large they may be together, in bytes; a changed tracked file larger than that stays as it was.
    pub total_max: u64,
    /// More globs of names that look like secrets.
    pub secrets: Vec<String>,
}

impl Default for SnapshotLimits {
    fn default() -> Self {
        Self {
            enabled: true,
            untracked: true,
            file_max: 256 << 10,
            files_max: 200,
            total_max: 4 << 20,
            secrets: Vec::new(),
        }
    }
}

impl Store {
    /// The git folder that all work trees of the repository share.
    pub fn common_dir(&self) -> &Path {
        &self.common_dir
    }

    /// This work tree's own git folder.
    pub fn git_dir(&self) -> &Path {
        &self.git_dir
    }

    /// The top of the work tree; a bare repository has none.
    pub fn work_tree(&self) -> Option<&Path> {
        self.work_tree.as_deref()
    }

    /// What went wrong without stopping what was asked, so far.
    pub fn warnings(&self) -> Vec<String> {
        self.warnings.borrow().clone()
    }

    fn warn(&self, warning: String) {
        let mut warnings = self.warnings.borrow_mut();
        if !warnings.contains(&warning) {
            warnings.push(warning);
        }
    }

    /// A setting, with git's own precedence; `GIT_CONFIG_*` and `git -c` count.
    pub fn config(&self, key: &str) -> Option<String> {
        self.repository.config_snapshot().string(key).map(|value| value.to_string())
    }

    fn config_bool(&self, key: &str) -> bool {
        self.repository.config_snapshot().boolean(key).unwrap_or(false)
    }

    /// All settings of a section, lowest precedence first: the rest of the key in lower case (a subsection as it is
    /// written), and the value.
    pub fn config_section(&self, section: &str) -> Vec<(String, String)> {
        let snapshot = self.repository.config_snapshot();
        let mut settings = Vec::new();
        for part in snapshot.plumbing().sections_by_name(section).into_iter().flatten() {
            let subsection = part.header().subsection_name().map(|name| format!("{name}."));
            let mut seen = HashSet::new();
            for name in part.value_names().map(|name| name.to_lowercase()) {
                let key = format!("{}{name}", subsection.as_deref().unwrap_or_default());
                if seen.insert(key.clone()) {
                    settings
                        .extend(part.values(&name).into_iter().map(|value| (key.clone(), value.to_string())));
                }
            }
        }
        settings
    }

    /// The git program, in this repository: untranslated, no optional locks, no fsmonitor, no prompts, no input.
    pub fn git(&self) -> Command {
        let mut git = Command::new("git");
        git.args(["-c", "core.fsmonitor=false"]);
        git.current_dir(self.work_tree().unwrap_or(&self.git_dir));
        git.env("GIT_DIR", &self.git_dir);
        match self.work_tree() {
            Some(top) => git.env("GIT_WORK_TREE", top),
            None => git.env_remove("GIT_WORK_TREE"),
        };
        // A relative path in them is meant from where the user stands, and git is run from the top.
        for name in ["GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR"] {
            if let Some(path) = std::env::var_os(name) {
                git.env(name, std::path::absolute(&path).unwrap_or_else(|_| path.into()));
            }
        }
        git.env("LC_ALL", "C").env("GIT_OPTIONAL_LOCKS", "0").env("GIT_TERMINAL_PROMPT", "0");
        git.stdin(Stdio::null());
        git
    }

    /// Whether the object is here; nothing is fetched to find out.
    pub fn has_object(&self, oid: &Oid) -> bool {
        ObjectId::from_hex(oid.as_bytes()).is_ok_and(|id| self.repository.has_object(id))
    }

    /// The id of the tree without files.
    pub fn empty_tree(&self) -> Oid {
        ObjectId::empty_tree(self.hash_kind()).to_string()
    }

    fn hash_kind(&self) -> gix::hash::Kind {
        self.repository.object_hash()
    }

    /// Gives a file or folder of ours the mode that `core.sharedRepository` asks for, as far as this user may.
    pub fn share(&self, path: &Path) {
        let _ = self.sharing.apply(path);
    }

    fn objects_dir(&self) -> PathBuf {
        let path = self.repository.objects.store_ref().path();
        // Git runs elsewhere: what is relative is meant from here.
        std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
    }

    fn state_dir(&self) -> PathBuf {
        self.common_dir.join("xtrack")
    }
}

/// Reads an object id; what is none, or of another hash than the repository's, is refused.
fn object_id(store: &Store, oid: &str) -> Result<ObjectId> {
    let id = ObjectId::from_hex(oid.as_bytes()).ok().filter(|id| id.kind() == store.hash_kind());
    id.ok_or_else(|| Problem::new(format!("{oid:?} is no object id of this repository")).into())
}

/// What git printed; if it failed, what it said of that.
fn output_of(git: &mut Command) -> Result<Vec<u8>> {
    let output = git.output().map_err(cannot_run_git)?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(said(&output.stderr).into())
}

/// What git printed, given `input`.
fn output_with_input(git: &mut Command, input: &[u8]) -> Result<Vec<u8>> {
    git.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = git.spawn().map_err(cannot_run_git)?;
    let mut stdin = child.stdin.take().expect("it was asked for above");
    let (written, output) = std::thread::scope(|scope| {
        let writer = scope.spawn(move || std::io::Write::write_all(&mut stdin, input));
        let output = child.wait_with_output();
        (writer.join().expect("a writer does not panic"), output)
    });
    let output = output.map_err(cannot_run_git)?;
    if !output.status.success() {
        return Err(said(&output.stderr).into());
    }
    written.context("cannot give git its input")?;
    Ok(output.stdout)
}

fn cannot_run_git(error: std::io::Error) -> anyhow::Error {
    Problem::new(format!("cannot run git: {error}")).hint("install git, or put it on the PATH").into()
}

/// The failure that git's standard error tells of.
fn said(stderr: &[u8]) -> Problem {
    let text = String::from_utf8_lossy(stderr);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let is_failure = |line: &str| line.starts_with("fatal: ") || line.starts_with("error: ");
    // These tell only that the other side, or ssh, said what is wrong before.
    let is_echo = |line: &str| {
        line.contains("ould not read from remote repository") || line.contains("hung up unexpectedly")
    };
    let cause = lines.iter().position(|line| is_failure(line) && !is_echo(line));
    let echo = || lines.iter().position(|line| is_echo(line)).map(|at| at.saturating_sub(1));
    let line = cause.or_else(echo).map(|at| lines[at]).or(lines.last().copied());
    let line = line.unwrap_or("git failed and said nothing");
    let problem =
        Problem::new(format!("git: {}", line.trim_start_matches("fatal: ").trim_start_matches("error: ")));
    // Git tells how to go on where it does not trust an owner.
    match lines.iter().find(|line| line.starts_with("git config --global --add safe.directory ")) {
        Some(advice) => problem.hint(format!("if you trust its owner: {advice}")),
        None => problem,
    }
}

/// 16 random hex digits, for the names of temporary files.
fn random_name() -> std::io::Result<String> {
    let mut random = [0; 8];
    getrandom::fill(&mut random)
        .map_err(|error| std::io::Error::other(format!("the system gives no random bytes: {error}")))?;
    Ok(hex(&random))
}

/// A failure of gix, told as a cause under `what`.
fn failed(what: &str, error: impl std::fmt::Display) -> Problem {
    Problem::new(format!("{what}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::said;

    #[test]
    fn of_what_git_says_the_cause_is_told() {
        let told = |text: &str| said(text.as_bytes()).message;
        let ssh = "git@h: Permission denied (publickey).\nfatal: Could not read from remote repository.\n\nPlease make sure";
        assert_eq!(told(ssh), "git: git@h: Permission denied (publickey).");
        assert_eq!(
            told("fatal: Could not read from remote repository."),
            "git: Could not read from remote repository."
        );
        let options = "fatal: the receiving end does not support push options\nfatal: the remote end hung up unexpectedly";
        assert_eq!(told(options), "git: the receiving end does not support push options");
        let last = "fatal: the remote end hung up unexpectedly\nfatal: the receiving end does not support push options";
        assert_eq!(told(last), "git: the receiving end does not support push options");
        assert_eq!(told("x\ny\n"), "git: y");
        assert_eq!(told(""), "git: git failed and said nothing");
        let owner = "fatal: detected dubious ownership in repository at '/r'\nTo add an exception for this directory, call:\n\n\t\
                     git config --global --add safe.directory /r\n";
        assert_eq!(
            said(owner.as_bytes()).hints,
            ["if you trust its owner: git config --global --add safe.directory /r"]
        );
    }
}
