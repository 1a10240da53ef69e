//! What of the code a remote does not have yet, commit by commit and file by file.

use anyhow::{Context as _, Result};

use crate::store::code::snapshot::{AUTHOR, MESSAGE};
use crate::store::{Oid, Store, object_id, output_of, output_with_input};

/// A commit in one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitLine {
    /// Its id.
    pub commit: Oid,
    /// The first line of its message.
    pub subject: String,
    /// Whether it is an uncommitted state that a run kept.
    pub is_snapshot: bool,
}

/// A file of an uncommitted state that differs from the commit below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotFile {
    /// Its path; what is no UTF-8 in it is shown by number.
    pub path: String,
    /// Whether no commit holds it: it was untracked, or merely staged.
    pub is_new: bool,
    /// Whether it is gone.
    pub is_deleted: bool,
}

impl Store {
    /// The commits that the tips reach and those `there` do not, the newest first.
    pub fn commits_not_in(&self, tips: &[Oid], there: &[Oid]) -> Result<Vec<CommitLine>> {
        let mut git = self.git();
        git.args(["log", "--no-show-signature", "--no-color", "--format=%H%x00%an <%ae>%x00%s", "--stdin"]);
        // What goes is what is, whatever stands in its place here.
        git.env("GIT_NO_REPLACE_OBJECTS", "1");
        let wanted = tips.iter().map(|tip| format!("{tip}\n"));
        let lines: String = wanted.chain(there.iter().map(|tip| format!("^{tip}\n"))).collect();
        let said = output_with_input(&mut git, lines.as_bytes()).context("cannot list the commits")?;
        let text = String::from_utf8_lossy(&said);
        let line = |line: &str| {
            let mut parts = line.splitn(3, '\0');
            let (commit, author, subject) = (parts.next()?, parts.next()?, parts.next()?);
            let is_snapshot = author == AUTHOR && subject == MESSAGE;
            Some(CommitLine { commit: commit.to_owned(), subject: subject.to_owned(), is_snapshot })
        };
        Ok(text.lines().filter_map(line).collect())
    }

    /// The files in which a commit differs from its first parent.
    pub fn changes_of(&self, commit: &Oid) -> Result<Vec<SnapshotFile>> {
        let commit = object_id(self, commit)?;
        let mut git = self.git();
        git.args([
            "diff-tree",
            "-r",
            "--root",
            "-z",
            "--name-status",
            "--no-renames",
            "--no-commit-id",
            "-m",
        ]);
        git.args(["--first-parent", "--end-of-options"]).arg(commit.to_string());
        git.env("GIT_NO_REPLACE_OBJECTS", "1");
        let said = output_of(&mut git).context("cannot see what an uncommitted state holds")?;
        let parts: Vec<&[u8]> = said.split(|byte| *byte == 0).filter(|part| !part.is_empty()).collect();
        let file = |pair: &[&[u8]]| SnapshotFile {
            path: String::from_utf8_lossy(pair[1]).into_owned(),
            is_new: pair[0] == b"A",
            is_deleted: pair[0] == b"D",
        };
        Ok(parts.chunks_exact(2).map(file).collect())
    }
}
