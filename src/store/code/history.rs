//! The code's history as git tells it: what a revision range holds, what a commit changed, how two states differ.

use std::collections::HashSet;

use anyhow::{Context, Result};

use crate::error::Problem;
use crate::store::{CodeDiffOptions, Oid, Range, Store, object_id, output_of};

impl Store {
    /// What `git rev-list RANGE` lists, with trees and patch ids.
    pub fn range(&self, revisions: &str) -> Result<Range> {
        let mut git = self.git();
        git.args(["rev-list", "--format=%H %T", "--end-of-options", revisions, "--"]);
        let unknown = || format!("cannot list the revisions {revisions:?}");
        let text =
            output_of(&mut git).map_err(|error| Problem::usage(error.to_string())).with_context(unknown)?;
        let mut range = Range::default();
        for line in String::from_utf8_lossy(&text).lines().filter(|line| !line.starts_with("commit ")) {
            if let Some((commit, tree)) = line.split_once(' ') {
                range.commits.insert(commit.to_owned());
                range.trees.insert(tree.to_owned());
            }
        }
        if !range.commits.is_empty() {
            range.patch_ids = self.patch_ids(&range.commits)?;
        }
        Ok(range)
    }

    /// The commits that a revision came from, and its own.
    pub fn ancestors(&self, revision: &str) -> Result<HashSet<String>> {
        let mut git = self.git();
        git.args(["rev-list", "--end-of-options", revision, "--"]);
        let unknown = || format!("cannot find the ancestors of {revision:?}");
        let text =
            output_of(&mut git).map_err(|error| Problem::usage(error.to_string())).with_context(unknown)?;
        Ok(String::from_utf8_lossy(&text).lines().map(str::to_owned).collect())
    }

    /// The difference of two commits or trees, as `git diff` shows it.
    pub fn code_diff(&self, before: &Oid, after: &Oid, options: &CodeDiffOptions) -> Result<String> {
        let (before, after) = (object_id(self, before)?, object_id(self, after)?);
        let mut git = self.git();
        git.args(["diff", "--no-ext-diff", "--no-textconv"]);
        git.arg(if options.colour { "--color=always" } else { "--color=never" });
        git.args(options.stat.then_some("--stat"));
        git.arg(before.to_string()).arg(after.to_string()).arg("--").args(&options.paths);
        let text = output_of(&mut git).context("cannot compare the code")?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// The paths that a commit changed against its first parent.
    pub fn changed_paths(&self, commit: &Oid) -> Result<Vec<String>> {
        let commit = object_id(self, commit)?;
        let mut git = self.git();
        git.args([
            "diff-tree",
            "-r",
            "--root",
            "-z",
            "--name-only",
            "--no-commit-id",
            "-m",
            "--first-parent",
        ]);
        let text = output_of(git.arg(commit.to_string())).context("cannot see what a commit changed")?;
        let paths = text.split(|byte| *byte == 0).filter(|path| !path.is_empty());
        Ok(paths.map(|path| String::from_utf8_lossy(path).into_owned()).collect())
    }
}
