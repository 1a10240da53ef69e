//! Which runs were asked to do the same, by the beginnings of their fingerprints.
//!
//! Runs that are found may still differ in the rest; those that are not found do differ. What counts as the same is
//! `run::fingerprint`'s.

use anyhow::Result;

use crate::index::Index;
use crate::index::rows::fingerprint_number;
use crate::run::fingerprint;
use crate::run::id::RunId;

impl Index {
    /// The runs that may have this fingerprint, sorted.
    pub fn begun_alike(&self, wanted: &str) -> Result<Vec<RunId>> {
        let Some(number) = fingerprint_number(wanted) else { return Ok(Vec::new()) };
        let found = self.ids("SELECT id FROM run WHERE fingerprint = ?", &[&number])?;
        Ok(self.with_overlay(found, |_, run| run.and_then(fingerprint::of_run).as_deref() == Some(wanted)))
    }

    /// The runs that may have a fingerprint that others have as well, sorted.
    pub fn all_begun_alike(&self) -> Result<Vec<RunId>> {
        let is_shared = "fingerprint IN (SELECT fingerprint FROM run WHERE fingerprint IS NOT NULL
                         GROUP BY fingerprint HAVING count(*) > 1)";
        let mut found = self.ids(&format!("SELECT id FROM run WHERE {is_shared}"), &[])?;
        for wanted in self.overlay.read().filter_map(fingerprint::of_run) {
            found.extend(self.begun_alike(&wanted)?);
        }
        Ok(self.with_overlay(found, |_, run| run.and_then(fingerprint::of_run).is_some()))
    }
}
