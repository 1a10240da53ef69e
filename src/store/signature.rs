//! Signatures of commits, judged by git: with the programs and the keys that the user's own configuration names.
//!
//! What was fetched has no say in it: neither objects nor files of a work tree are read as settings.

use std::collections::HashMap;

use anyhow::{Context as _, Result};

use crate::store::{Oid, Store, cannot_run_git, object_id, output_with_input};

/// How a signature was judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// There is none.
    Unsigned,
    /// `git verify-commit` accepts it.
    Good,
    /// It is not of these bytes.
    Bad,
    /// Its key has expired, or was revoked.
    Stale,
    /// Nobody here knows or trusts its key, or there is no program to look.
    Unknown,
}

/// A commit's signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// How it was judged.
    pub verdict: Verdict,
    /// Who signed, as the key says: `Name <mail>`, or what the list of allowed signers calls them.
    pub signer: Option<String>,
    /// The key, by its fingerprint.
    pub key: Option<String>,
}

impl Store {
    /// The signatures of commits, by commit.
    pub fn signatures(&self, commits: &[Oid]) -> Result<HashMap<Oid, Signed>> {
        if commits.is_empty() {
            return Ok(HashMap::new());
        }
        let mut git = self.git();
        git.args(["log", "--no-walk=unsorted", "--no-show-signature", "--no-color", "--no-decorate"]);
        git.args(["--no-mailmap", "--format=%H%x00%G?%x00%GS%x00%GF", "--stdin"]);
        let ids = commits.iter().map(|commit| object_id(self, commit).map(|id| format!("{id}\n")));
        let lines: String = ids.collect::<Result<_>>()?;
        let said = output_with_input(&mut git, lines.as_bytes()).context("cannot look at signatures")?;
        let text = String::from_utf8_lossy(&said);
        let mut signatures = HashMap::new();
        for line in text.lines() {
            let mut parts = line.split('\0');
            let mut next = || parts.next().unwrap_or_default().to_owned();
            let (commit, letter, signer, key) = (next(), next(), next(), next());
            let verdict = match letter.as_str() {
                "N" => Verdict::Unsigned,
                // Which of them are to count is the user's own setting (gpg.minTrustLevel), and git knows it.
                "G" | "U" => self.verified(&commit)?,
                "B" => Verdict::Bad,
                "X" | "Y" | "R" => Verdict::Stale,
                _ => Verdict::Unknown,
            };
            let told = |text: String| (!text.is_empty()).then_some(text);
            signatures.insert(commit, Signed { verdict, signer: told(signer), key: told(key) });
        }
        Ok(signatures)
    }

    /// Whether `git verify-commit` accepts a commit whose signature is of its bytes.
    fn verified(&self, commit: &Oid) -> Result<Verdict> {
        let mut git = self.git();
        git.args(["verify-commit", "--"]).arg(commit);
        let accepted = git.output().map_err(cannot_run_git)?.status.success();
        Ok(if accepted { Verdict::Good } else { Verdict::Unknown })
    }
}
