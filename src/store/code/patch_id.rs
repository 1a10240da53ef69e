//! Patch ids, by which a commit is found again after a rebase.
//!
//! Computed by git once per commit and kept in our folder; never at the price of a fetch or of a long wait.

use std::collections::HashSet;
use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Result;
use gix::ObjectId;

use crate::store::{Store, cannot_run_git, platform};

/// How a difference is made that patch ids are computed of: nothing of the user's settings may change it.
const DIFF: [&str; 6] = ["diff-tree", "-p", "--root", "--no-ext-diff", "--no-textconv", "--full-index"];
/// How long a run's start waits for it once all else is done.
const WAIT_MAX: Duration = Duration::from_millis(400);

/// A patch id that is known, or being computed.
pub(in crate::store) enum PatchId {
    /// Known, or known not to be.
    Known(Option<String>),
    /// Git is at it.
    Pending { diff: Child, patch_id: Child, file: PathBuf },
}

impl Store {
    /// Begins to compute the patch id of a commit; a merge has none, nor has the edge of a shallow clone.
    pub(in crate::store) fn patch_id(&self, commit: ObjectId) -> PatchId {
        let file = self.state_dir().join("patch-ids").join(commit.to_string());
        let kept = fs::read_to_string(&file).unwrap_or_default();
        // A power cut leaves files of this sort empty, torn or full of zeros; only a whole line counts.
        match kept.strip_suffix('\n') {
            Some("") => return PatchId::Known(None),
            Some(id) if self.is_oid(id) => return PatchId::Known(Some(id.to_owned())),
            _ => {}
        }
        let is_plain =
            self.parents_of(commit).is_ok_and(|parents| parents.len() < 2) && !self.is_shallow(commit);
        let started = if is_plain { self.start(&[&commit.to_string()], Stdio::null()).ok() } else { None };
        started.map_or(PatchId::Known(None), |(diff, patch_id)| PatchId::Pending { diff, patch_id, file })
    }

    /// The patch ids of these commits, merges aside.
    pub(in crate::store) fn patch_ids(&self, commits: &HashSet<String>) -> Result<HashSet<String>> {
        let list: String = commits.iter().map(|commit| format!("{commit}\n")).collect();
        let (mut diff, mut patch_id) = self.start(&["--stdin"], Stdio::piped())?;
        let mut stdin = diff.stdin.take().expect("it was asked for above");
        let writer = std::thread::spawn(move || std::io::Write::write_all(&mut stdin, list.as_bytes()));
        let text = read_all(&mut patch_id);
        let _ = (diff.wait(), patch_id.wait(), writer.join());
        // A partial clone may lack what is compared; then some are not known.
        Ok(text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect())
    }

    fn start(&self, arguments: &[&str], stdin: Stdio) -> Result<(Child, Child)> {
        let mut diff = self.plumbing();
        diff.args(DIFF).args(arguments).stdin(stdin).stdout(Stdio::piped());
        let mut diff = diff.spawn().map_err(cannot_run_git)?;
        let text = diff.stdout.take().expect("it was asked for above");
        let mut patch_id = self.plumbing();
        patch_id.args(["patch-id", "--stable"]).stdin(text).stdout(Stdio::piped());
        match patch_id.spawn() {
            Ok(patch_id) => Ok((diff, patch_id)),
            Err(error) => {
                platform::kill_group(&mut diff);
                Err(cannot_run_git(error))
            }
        }
    }

    fn plumbing(&self) -> Command {
        let mut git = self.git();
        git.env("GIT_NO_LAZY_FETCH", "1").stderr(Stdio::null());
        platform::in_own_group(&mut git);
        git
    }

    fn is_shallow(&self, commit: ObjectId) -> bool {
        let edge = fs::read_to_string(self.common_dir().join("shallow")).unwrap_or_default();
        let commit = commit.to_string();
        edge.lines().any(|line| line == commit)
    }
}

impl PatchId {
    /// The patch id, if it is there within a moment; one that takes longer is not tried again.
    pub fn wait(self) -> Option<String> {
        let (mut diff, mut patch_id, file) = match self {
            PatchId::Known(known) => return known,
            PatchId::Pending { diff, patch_id, file } => (diff, patch_id, file),
        };
        let began = Instant::now();
        while matches!(patch_id.try_wait(), Ok(None)) && began.elapsed() < WAIT_MAX {
            std::thread::sleep(Duration::from_millis(1));
        }
        let is_done = matches!(patch_id.try_wait(), Ok(Some(_)));
        if !is_done {
            platform::kill_group(&mut diff);
            platform::kill_group(&mut patch_id);
        }
        let text = if is_done { read_all(&mut patch_id) } else { String::new() };
        let succeeded = diff.wait().is_ok_and(|status| status.success());
        let id =
            text.split(' ').next().map(str::trim).filter(|id| !id.is_empty() && succeeded).map(str::to_owned);
        keep(&file, id.as_deref().unwrap_or_default());
        id
    }
}

fn read_all(child: &mut Child) -> String {
    let mut text = String::new();
    if let Some(stdout) = &mut child.stdout {
        let _ = stdout.read_to_string(&mut text);
    }
    text
}

/// Keeps it for the next run; a folder that cannot be written costs the time again, no more.
fn keep(file: &PathBuf, id: &str) {
    if let Some(folder) = file.parent() {
        let _ = fs::create_dir_all(folder);
    }
    let temporary = file.with_extension(format!("tmp{}", std::process::id()));
    if fs::write(&temporary, format!("{id}\n")).is_ok() {
        let _ = fs::rename(&temporary, file);
    }
}
