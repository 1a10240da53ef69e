//! What of the refs the index does not reflect yet: which moved, came and went, and which runs have to be read for that.

use std::collections::{BTreeMap, HashMap};

use anyhow::Result;
use rusqlite::{Connection, OptionalExtension as _, Row};

use crate::index::rows::{oid, oid_bytes, run_id};
use crate::index::write::RefRow;
use crate::run::id::RunId;
use crate::store::{self, RunRef, RunTip, Standing, Store, effective};

/// What has to change in the index.
#[derive(Debug, Default)]
pub(super) struct Delta {
    /// The refs as they now are; those without a target are gone.
    pub refs: Vec<RefRow>,
    /// The runs to be read.
    pub changed: Vec<RunTip>,
    /// The runs that could not be read, and perhaps can be now.
    pub again: Vec<RunTip>,
    /// The runs that are gone.
    pub gone: Vec<RunId>,
    /// How the refs stood before they were read.
    pub standing: String,
}

impl Delta {
    /// Whether there is nothing to write but how the refs stand.
    pub fn is_empty(&self) -> bool {
        self.refs.is_empty() && self.changed.is_empty() && self.gone.is_empty()
    }
}

/// All there is, for an index that knows nothing.
pub(super) fn everything(store: &Store) -> Result<Delta> {
    let standing = store.standing();
    // Loose first, so that a ref that is packed meanwhile is not missed.
    let loose = store.loose_runs()?;
    let refs = merged(loose.refs, store.packed_runs()?);
    let changed = effective(refs.iter().filter_map(RefRow::target).collect());
    Ok(Delta { refs, changed, standing: doubted(standing, loose.is_partial), ..Delta::default() })
}

/// What has changed since the refs stood so, as the index reflects them.
pub(super) fn changes(store: &Store, connection: &Connection, since: &str) -> Result<Delta> {
    // In this order: what moves between the two is looked at once more the next time. The other way round it would be
    // taken for seen.
    let standing = store.standing();
    let (refs, is_partial) = match store.moved_since(since) {
        Standing::Same => (Vec::new(), false),
        Standing::LooseMoved => {
            let loose = store.loose_runs()?;
            (loose_changes(connection, loose.refs)?, loose.is_partial)
        }
        Standing::Moved => {
            let loose = store.loose_runs()?;
            (all_changes(connection, merged(loose.refs, store.packed_runs()?))?, loose.is_partial)
        }
    };
    let mut delta = Delta { standing: doubted(standing, is_partial), refs, ..Delta::default() };
    delta.find_runs(connection)?;
    Ok(delta)
}

impl Delta {
    /// Which runs the refs that moved are of, and whether what counts for them has changed.
    fn find_runs(&mut self, connection: &Connection) -> Result<()> {
        let mut touched: BTreeMap<&RunId, Vec<&RefRow>> = BTreeMap::new();
        self.refs.iter().for_each(|row| touched.entry(&row.id).or_default().push(row));
        let mut others = connection.prepare("SELECT id, place, packed, loose FROM ref WHERE id = ?")?;
        let mut known = connection.prepare("SELECT tip, remote FROM run WHERE id = ?")?;
        for (id, rows) in touched {
            let mut refs: Vec<RunRef> = rows.iter().filter_map(|row| row.target()).collect();
            for other in others.query_map([id.as_str()], ref_row)? {
                let other = other??;
                if rows.iter().all(|row| row.place != other.place) {
                    refs.extend(other.target());
                }
            }
            let now = effective(refs).pop();
            let before: Option<(Vec<u8>, Option<String>)> =
                known.query_row([id.as_str()], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
            match (before, now) {
                (Some((tip, remote)), Some(now)) if tip == oid_bytes(&now.tip) && remote == now.remote => {}
                (_, Some(now)) => self.changed.push(now),
                (Some(_), None) => self.gone.push(id.clone()),
                (None, None) => {}
            }
        }
        self.find_damaged(connection)
    }

    /// Adds the runs of which objects were missing: those may have come.
    fn find_damaged(&mut self, connection: &Connection) -> Result<()> {
        let mut damaged = connection
            .prepare("SELECT id, tip, remote FROM run WHERE damage IS NOT NULL AND NOT is_lasting")?;
        let found = damaged.query_map([], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, Vec<u8>>(1)?, row.get::<_, Option<String>>(2)?))
        })?;
        for found in found {
            let (id, tip, remote) = found?;
            let id = run_id(&id)?;
            if !self.gone.contains(&id) && self.changed.iter().all(|changed| changed.id != id) {
                self.again.push(RunTip { id, tip: oid(&tip), remote });
            }
        }
        Ok(())
    }
}

/// What differs between the refs that are files and those that were.
fn loose_changes(connection: &Connection, now: Vec<RunRef>) -> Result<Vec<RefRow>> {
    let mut before: HashMap<(RunId, String), RefRow> = HashMap::new();
    let mut loose = connection.prepare("SELECT id, place, packed, loose FROM ref WHERE loose IS NOT NULL")?;
    for row in loose.query_map([], ref_row)? {
        let row = row??;
        before.insert((row.id.clone(), row.place.clone()), row);
    }
    let mut packed = connection.prepare("SELECT packed FROM ref WHERE id = ? AND place = ?")?;
    let mut changes = Vec::new();
    for found in now {
        let row = before.remove(&(found.id.clone(), found.place.clone()));
        if row.as_ref().is_some_and(|row| row.loose.as_ref() == Some(&found.tip)) {
            continue;
        }
        let packed: Option<Option<Vec<u8>>> =
            packed.query_row([found.id.as_str(), &found.place], |row| row.get(0)).optional()?;
        let packed = packed.flatten().map(|bytes| oid(&bytes));
        changes.push(RefRow { id: found.id, place: found.place, packed, loose: Some(found.tip) });
    }
    changes.extend(before.into_values().map(|row| RefRow { loose: None, ..row }));
    Ok(changes)
}

/// What differs between all refs and those that were.
fn all_changes(connection: &Connection, now: Vec<RefRow>) -> Result<Vec<RefRow>> {
    let mut now: HashMap<(RunId, String), RefRow> =
        now.into_iter().map(|row| ((row.id.clone(), row.place.clone()), row)).collect();
    let mut changes = Vec::new();
    let mut before = connection.prepare("SELECT id, place, packed, loose FROM ref")?;
    for row in before.query_map([], ref_row)? {
        let row = row??;
        match now.remove(&(row.id.clone(), row.place.clone())) {
            None => changes.push(RefRow { packed: None, loose: None, ..row }),
            Some(found) if found != row => changes.push(found),
            Some(_) => {}
        }
    }
    changes.extend(now.into_values());
    Ok(changes)
}

/// Each ref once, with what is said of it in both places.
fn merged(loose: Vec<RunRef>, packed: Vec<RunRef>) -> Vec<RefRow> {
    let row = |found: RunRef, is_loose: bool| {
        let (packed, loose) = if is_loose { (None, Some(found.tip)) } else { (Some(found.tip), None) };
        RefRow { id: found.id, place: found.place, packed, loose }
    };
    let mut rows: Vec<RefRow> = packed.into_iter().map(|found| row(found, false)).collect();
    rows.extend(loose.into_iter().map(|found| row(found, true)));
    rows.sort_by(|a, b| (&a.id, &a.place).cmp(&(&b.id, &b.place)));
    rows.dedup_by(|later, first| {
        let is_same = (&later.id, &later.place) == (&first.id, &first.place);
        if is_same {
            first.loose = later.loose.take().or(first.loose.take());
            first.packed = later.packed.take().or(first.packed.take());
        }
        is_same
    });
    rows
}

/// A ref from its row.
pub(super) fn ref_row(row: &Row<'_>) -> rusqlite::Result<Result<RefRow>> {
    let hex = |bytes: Option<Vec<u8>>| bytes.map(|bytes| oid(&bytes));
    let (id, place): (String, String) = (row.get(0)?, row.get(1)?);
    let (packed, loose) = (hex(row.get(2)?), hex(row.get(3)?));
    Ok(run_id(&id).map(|id| RefRow { id, place, packed, loose }))
}

fn doubted(standing: String, is_partial: bool) -> String {
    if is_partial { store::doubt_loose(&standing) } else { standing }
}
