//! The index at a glance, for who types: as it lies there, with little laid over it, and nothing written.
//!
//! It may lag behind the refs where many have moved. So it is for what a person may mean to say, never for an answer.

use std::collections::BTreeSet;

use anyhow::Result;

use crate::index::feed::Reading;
use crate::index::file::Seal;
use crate::index::rows::run_id;
use crate::index::{Index, Overlay, count, fresh, open_checked, place};
use crate::run::Run;
use crate::run::attempt::Status;
use crate::run::id::{RunId, Time};
use crate::store::{RunTip, Standing, Store};

/// How many runs that changed are read.
const CHANGED_MAX: usize = 200;
/// How many refs are compared with those that the index reflects, where any may have moved.
const REFS_MAX: i64 = 20_000;

/// A run by what it can be named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// Its id.
    pub id: RunId,
    /// Its name.
    pub name: Option<String>,
    /// How it stands.
    pub status: Status,
    /// When it began.
    pub started: Option<Time>,
}

/// What runs hold, by what there are not many of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// Tags, whole.
    Tag,
    /// Experiments.
    Experiment,
    /// Groups.
    Group,
    /// People.
    User,
}

impl Named {
    /// Of a run.
    pub fn of(run: &Run) -> Self {
        Self { id: run.id.clone(), name: run.name.clone(), status: run.status, started: run.started }
    }

    /// Whether its name, its id or the short one begins so.
    pub fn begins(&self, beginning: &str) -> bool {
        let name = self.name.as_deref().unwrap_or_default();
        let id = self.id.as_str();
        name.starts_with(beginning) || self.id.suffix().starts_with(beginning) || id.starts_with(beginning)
    }
}

impl Held {
    /// What the run holds of it.
    pub fn of(self, run: &Run) -> Vec<String> {
        match self {
            Held::Tag => run.tags.clone(),
            Held::Experiment => run.experiment.iter().cloned().collect(),
            Held::Group => run.group.iter().cloned().collect(),
            Held::User => run.user.iter().cloned().collect(),
        }
    }

    fn query(self) -> &'static str {
        match self {
            Held::Tag => {
                "SELECT name.text || ifnull('=' || value, '')
                 FROM (SELECT DISTINCT name, value FROM tag) JOIN name USING (name)"
            }
            Held::Experiment => "SELECT DISTINCT experiment FROM run WHERE experiment IS NOT NULL",
            Held::Group => "SELECT DISTINCT run_group FROM run WHERE run_group IS NOT NULL",
            Held::User => "SELECT DISTINCT user FROM run WHERE user IS NOT NULL",
        }
    }
}

impl Index {
    /// The index as it lies there; nothing if there is none.
    pub fn at_a_glance(store: &Store, reading: &Reading<'_>) -> Option<Self> {
        let places = place::places(store.common_dir());
        let (place, seal) =
            places.into_iter().find_map(|place| Seal::of(&place).map(|seal| (place, seal)))?;
        let connection = open_checked(store, &place).ok()?;
        let mut index = Self { connection, place, overlay: Overlay::default() };
        match store.moved_since(&seal.standing) {
            Standing::Same => {}
            Standing::Moved if index.count_of_refs().ok()? > REFS_MAX => {}
            _ => index.look_at_changes(store, reading, &seal.standing).ok()?,
        }
        Some(index)
    }

    /// The runs, deleted or not, that can be named by what begins so, the newest first.
    pub fn named(&self, beginning: &str, deleted: bool, count_max: usize) -> Result<Vec<Named>> {
        let is_it = "SELECT id, name, status, started FROM run WHERE damage IS NULL AND deleted = ?1";
        let query = match beginning.is_empty() {
            true => format!("{is_it} ORDER BY started DESC, id DESC LIMIT ?4"),
            false => format!(
                "{is_it} AND name >= ?2 AND name < ?3 UNION {is_it} AND id >= ?2 AND id < ?3
                 UNION {is_it} AND substr(id, 17) >= ?2 AND substr(id, 17) < ?3
                 ORDER BY started DESC, id DESC LIMIT ?4"
            ),
        };
        let end = format!("{beginning}{}", char::MAX);
        let limit = (count_max + self.overlay.runs.len()) as i64;
        let mut statement = self.connection.prepare(&query)?;
        let mut rows = statement.query(rusqlite::params![deleted, beginning, end, limit])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let id = run_id(row.get_ref(0)?.as_str()?)?;
            let status: Option<String> = row.get(2)?;
            let status = status.and_then(|word| Status::parse(&word)).unwrap_or(Status::Unknown);
            let started = row.get::<_, Option<i64>>(3)?.map(Time);
            found.push(Named { id, name: row.get(1)?, status, started });
        }
        count::add(found.len() as u64);
        found.retain(|named| !self.overlay.runs.contains_key(&named.id));
        found.extend(self.overlay.read().filter(|run| run.deleted == deleted).map(Named::of));
        found.retain(|named| named.begins(beginning));
        found.sort_by(|a, b| (b.started, &b.id).cmp(&(a.started, &a.id)));
        found.truncate(count_max);
        Ok(found)
    }

    /// What runs hold.
    pub fn held(&self, held: Held) -> Result<BTreeSet<String>> {
        let mut statement = self.connection.prepare(held.query())?;
        let texts = statement.query_map([], |row| row.get(0))?;
        let mut found = texts.collect::<Result<BTreeSet<String>, _>>()?;
        count::add(found.len() as u64);
        found.extend(self.overlay.read().flat_map(|run| held.of(run)));
        Ok(found)
    }

    fn count_of_refs(&self) -> Result<i64> {
        Ok(self.connection.query_row("SELECT count(*) FROM run", [], |row| row.get(0))?)
    }

    fn look_at_changes(&mut self, store: &Store, reading: &Reading<'_>, since: &str) -> Result<()> {
        let delta = fresh::changes(store, &self.connection, since)?;
        if delta.changed.len() <= CHANGED_MAX {
            let read = |tip: RunTip| {
                let run = (reading.load)(store, &tip.id, &tip.tip);
                (tip, run)
            };
            self.overlay = Overlay::of(delta.changed.into_iter().map(read).collect(), delta.gone);
        }
        Ok(())
    }
}
