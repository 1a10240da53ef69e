//! Which runs a name may mean: ids, their ends and beginnings, names that people gave, and the newest.
//!
//! Knows what there is; which of several is meant is the tracker's to say.

use std::collections::{BTreeSet, HashSet};

use anyhow::Result;
use rusqlite::{ToSql, params_from_iter};

use crate::index::rows::run_id;
use crate::index::{Index, Now, count};
use crate::query::Vocabulary;
use crate::run::Run;
use crate::run::id::RunId;

impl Index {
    /// Whether there is such a run, readable or not.
    pub fn has(&self, id: &RunId) -> Result<bool> {
        match self.overlay.runs.get(id) {
            Some(now) => Ok(!matches!(now, Now::Gone)),
            None => Ok(!self.ids("SELECT id FROM run WHERE id = ?", &[&id.as_str()])?.is_empty()),
        }
    }

    /// The runs whose ids end in this suffix, sorted.
    pub fn by_suffix(&self, suffix: &str) -> Result<Vec<RunId>> {
        let found = self.ids("SELECT id FROM run WHERE substr(id, 17) = ?", &[&suffix])?;
        Ok(self.with_overlay(found, |id, _| id.suffix() == suffix))
    }

    /// The runs that people gave this name, sorted.
    pub fn by_name(&self, name: &str) -> Result<Vec<RunId>> {
        let found = self.ids("SELECT id FROM run WHERE name = ?", &[&name])?;
        Ok(self.with_overlay(found, |_, run| run.is_some_and(|run| run.name.as_deref() == Some(name))))
    }

    /// The runs whose ids, or the ends of them, begin so, sorted.
    pub fn by_beginning(&self, beginning: &str, of_suffixes: bool) -> Result<Vec<RunId>> {
        // Ids hold ASCII only: what lies between these is what begins so.
        let end = format!("{beginning}\u{7f}");
        let mut found = self.ids("SELECT id FROM run WHERE id >= ?1 AND id < ?2", &[&beginning, &end])?;
        if of_suffixes {
            let more = "SELECT id FROM run WHERE substr(id, 17) >= ?1 AND substr(id, 17) < ?2";
            found.extend(self.ids(more, &[&beginning, &end])?);
        }
        let begins = |id: &RunId| {
            id.as_str().starts_with(beginning) || (of_suffixes && id.suffix().starts_with(beginning))
        };
        Ok(self.with_overlay(found, |id, _| begins(id)))
    }

    /// Every run that can be read, with its name, sorted.
    pub fn names(&self) -> Result<Vec<(RunId, Option<String>)>> {
        let mut statement = self.connection.prepare("SELECT id, name FROM run WHERE damage IS NULL")?;
        let mut rows = statement.query([])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let id = run_id(row.get_ref(0)?.as_str()?)?;
            if !self.overlay.runs.contains_key(&id) {
                found.push((id, row.get(1)?));
            }
        }
        count::add(found.len() as u64);
        found.extend(self.overlay.read().map(|run| (run.id.clone(), run.name.clone())));
        found.sort();
        Ok(found)
    }

    /// The runs that are not deleted, the newest first, from the one after `skip`; of those alone that are wanted.
    pub fn newest(&self, skip: usize, wanted: &dyn Fn(&RunId) -> bool) -> Result<(Option<RunId>, usize)> {
        let mut beside: Vec<_> = self
            .overlay
            .read()
            .filter(|run| !run.deleted && wanted(&run.id))
            .map(|run| (run.started.map(|time| time.0), run.id.clone()))
            .collect();
        beside.sort_by(|a, b| b.cmp(a));
        let mut beside = beside.into_iter().peekable();
        let mut statement = self.connection.prepare(
            "SELECT started, id FROM run WHERE NOT deleted AND damage IS NULL ORDER BY started DESC, id DESC",
        )?;
        let mut rows = statement.query([])?;
        let (mut seen, mut looked) = (0, 0);
        let mut found = None;
        while found.is_none() {
            let next = match rows.next()? {
                None => None,
                Some(row) => {
                    looked += 1;
                    Some((row.get::<_, Option<i64>>(0)?, run_id(row.get_ref(1)?.as_str()?)?))
                }
            };
            let bound = next.as_ref();
            while let Some((_, id)) = beside.next_if(|beside| bound.is_none_or(|next| beside > next)) {
                if seen == skip && found.is_none() {
                    found = Some(id);
                }
                seen += 1;
            }
            let Some((_, id)) = next else { break };
            if self.overlay.runs.contains_key(&id) || !wanted(&id) {
                continue;
            }
            if seen == skip && found.is_none() {
                found = Some(id);
            }
            seen += 1;
        }
        count::add(looked);
        Ok((found, seen))
    }

    /// The names that runs use.
    pub fn vocabulary(&self) -> Result<Vocabulary> {
        let mut known = Vocabulary::default();
        let mut statement = self.connection.prepare("SELECT name, kind, text, uses FROM name")?;
        let masked = self.masked_uses()?;
        let mut rows = statement.query([])?;
        let mut looked = 0;
        while let Some(row) = rows.next()? {
            looked += 1;
            let (name, uses): (i64, i64) = (row.get(0)?, row.get(3)?);
            if uses <= masked.iter().filter(|masked| **masked == name).count() as i64 {
                continue;
            }
            let names = match row.get::<_, i64>(1)? {
                crate::index::write::PARAM => &mut known.params,
                crate::index::write::METRIC => &mut known.metrics,
                _ => &mut known.tags,
            };
            names.insert(row.get(2)?);
        }
        count::add(looked);
        self.overlay.read().for_each(|run| known.take(run));
        Ok(known)
    }

    /// The names that runs use which do not count as the index has them, once for each run.
    fn masked_uses(&self) -> Result<Vec<i64>> {
        let mut uses = Vec::new();
        for run in self.masked()? {
            for table in ["param", "metric", "tag"] {
                let names = format!("SELECT DISTINCT name FROM {table} WHERE run = ?");
                let mut names = self.connection.prepare_cached(&names)?;
                for name in names.query_map([run], |row| row.get(0))? {
                    uses.push(name?);
                }
            }
        }
        Ok(uses)
    }

    /// The rows that do not count.
    pub(super) fn masked(&self) -> Result<Vec<i64>> {
        let mut statement = self.connection.prepare_cached("SELECT run FROM run WHERE id = ?")?;
        let mut masked = Vec::new();
        for id in self.overlay.runs.keys() {
            for run in statement.query_map([id.as_str()], |row| row.get(0))? {
                masked.push(run?);
            }
        }
        Ok(masked)
    }

    pub(super) fn ids(&self, query: &str, values: &[&dyn ToSql]) -> Result<HashSet<RunId>> {
        let mut statement = self.connection.prepare_cached(query)?;
        let mut rows = statement.query(params_from_iter(values))?;
        let mut found = HashSet::new();
        while let Some(row) = rows.next()? {
            found.insert(run_id(row.get_ref(0)?.as_str()?)?);
        }
        count::add(found.len() as u64);
        Ok(found)
    }

    /// What the index found, as the overlay has it; of a run that cannot be read there is only the id.
    pub(super) fn with_overlay(
        &self,
        found: HashSet<RunId>,
        is_it: impl Fn(&RunId, Option<&Run>) -> bool,
    ) -> Vec<RunId> {
        let mut found: BTreeSet<RunId> =
            found.into_iter().filter(|id| !self.overlay.runs.contains_key(id)).collect();
        for (id, now) in &self.overlay.runs {
            let run = match now {
                Now::Gone => continue,
                Now::Read(run, _) => Some(&**run),
                Now::Damaged(_) => None,
            };
            if is_it(id, run) {
                found.insert(id.clone());
            }
        }
        found.into_iter().collect()
    }
}
