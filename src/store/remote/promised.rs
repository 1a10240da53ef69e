//! Objects that the remote of a partial clone has promised, brought all at once: git itself brings each when it is asked for.

use anyhow::{Context as _, Result};

use crate::store::{Oid, Store, output_of, output_with_input};

/// How often is looked for more: each level of folders may be missing by itself.
const ROUNDS_MAX: usize = 8;

impl Store {
    /// Brings what these commits hold and is merely promised.
    pub fn bring_promised(&self, tips: &[Oid]) -> Result<()> {
        if !self.has_promisor || tips.is_empty() {
            return Ok(());
        }
        for _ in 0..ROUNDS_MAX {
            let missing = self.promised(tips)?;
            if missing.is_empty() {
                return Ok(());
            }
            let remote = self.promising_remote()?;
            let mut git = self.git();
            // As git does it for a checkout: nothing is found out first, and nothing else comes along.
            git.args(["-c", "fetch.negotiationAlgorithm=noop", "fetch", "--quiet", "--no-tags"]);
            git.args(["--no-write-fetch-head", "--recurse-submodules=no", "--no-auto-maintenance"]);
            git.args(["--refmap=", "--filter=blob:none", "--stdin", "--", &remote]);
            let lines: String = missing.iter().map(|oid| format!("{oid}\n")).collect();
            output_with_input(&mut git, lines.as_bytes())
                .with_context(|| format!("cannot bring what '{remote}' has promised"))?;
        }
        Ok(())
    }

    fn promised(&self, tips: &[Oid]) -> Result<Vec<Oid>> {
        let mut git = self.git();
        git.args(["rev-list", "--objects", "--no-object-names", "--missing=print", "--stdin"]);
        let lines: String = tips.iter().map(|tip| format!("{tip}\n")).collect();
        let said = output_with_input(&mut git, lines.as_bytes()).context("cannot tell what is missing")?;
        let text = String::from_utf8_lossy(&said);
        let missing = text.lines().filter_map(|line| line.strip_prefix('?'));
        Ok(missing.filter(|oid| self.is_oid(oid)).map(str::to_owned).collect())
    }

    /// The remote that a partial clone was made of.
    fn promising_remote(&self) -> Result<String> {
        if let Some(name) = self.config("extensions.partialClone") {
            return Ok(name);
        }
        let settings = output_of(self.git().args(["config", "--get-regexp", r"^remote\..*\.promisor$"]))?;
        let text = String::from_utf8_lossy(&settings);
        let name = text.lines().find_map(|line| {
            let key = line.strip_suffix(" true")?;
            key.strip_prefix("remote.")?.strip_suffix(".promisor")
        });
        name.map(str::to_owned).context("no remote is known to have promised anything")
    }
}
