//! Writing the index: all of it into a new file, or what has changed into the one that is there.

use std::time::Duration;

use anyhow::{Result, anyhow};
use rusqlite::{Connection, TransactionBehavior};

use crate::index::feed::{Reading, feed};
use crate::index::file::{self, Lock, Seal};
use crate::index::fresh::{self, Delta};
use crate::index::place::Place;
use crate::index::rows::{Damage, Rows};
use crate::index::schema;
use crate::index::write::Writer;
use crate::run::Run;
use crate::store::{RunTip, Store};

/// How long another process is waited for that writes what we would have to read all runs for.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long one is waited for when the answer is at hand without it.
const IMPATIENCE: Duration = Duration::from_millis(50);

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is written.
    Done,
    /// Another process wrote meanwhile: what is to change must be found out anew.
    Outdated,
    /// Another process is writing.
    Busy,
}

/// Which refs an index is of.
pub(super) fn key(store: &Store) -> String {
    format!("{} {}", store.runs_prefix(), store.empty_tree().len())
}

/// Which of the writings an index has seen was the last.
pub(super) fn generation(connection: &Connection) -> Result<i64> {
    Ok(connection.query_row("SELECT value FROM meta WHERE key = 'generation'", [], |row| row.get(0))?)
}

/// Builds the index anew, unless another process has sealed one meanwhile. `rejected` is the seal of the one that is of
/// no use; none if there was no seal.
pub(super) fn build(
    store: &Store,
    reading: &Reading<'_>,
    place: &Place,
    rejected: Option<&Seal>,
) -> Result<Outcome> {
    let lock = Lock::take(place, PATIENCE)?;
    let now = Seal::of(place);
    if now.is_some() && now.as_ref() != rejected {
        return Ok(Outcome::Outdated);
    }
    let mut lock = lock.ok_or_else(|| anyhow!("another process builds the index"))?;
    let delta = fresh::everything(store)?;
    let grown = grow(store, reading, place, &delta);
    if grown.is_err() {
        let _ = file::remove(&place.growing());
    }
    grown?;
    store.share(&place.growing());
    store.share(&place.lock);
    file::replace(place, &mut lock, &delta.standing)?;
    Ok(Outcome::Done)
}

/// Writes the rows of the index into a new file, which takes the place of the old one.
pub(super) fn write_anew(store: &Store, place: &Place) -> Result<Outcome> {
    let mut lock = Lock::take(place, PATIENCE)?.ok_or_else(|| anyhow!("another process writes the index"))?;
    let Some(seal) = Seal::of(place) else {
        return Ok(Outcome::Outdated);
    };
    let copied = file::copy(&place.file, &place.growing());
    if copied.is_err() {
        let _ = file::remove(&place.growing());
    }
    copied?;
    store.share(&place.growing());
    file::replace(place, &mut lock, &seal.standing)?;
    Ok(Outcome::Done)
}

/// Builds another index beside the one that is there, for as long as it is looked at.
pub(super) fn beside(
    store: &Store,
    reading: &Reading<'_>,
    place: &Place,
    look: impl FnOnce(&Connection) -> Result<()>,
) -> Result<()> {
    let _lock = Lock::take(place, PATIENCE)?.ok_or_else(|| anyhow!("another process writes the index"))?;
    let looked = fresh::everything(store)
        .and_then(|delta| grow(store, reading, place, &delta))
        .and_then(|()| look(&file::open_to_read(&place.growing())?));
    file::remove(&place.growing())?;
    looked
}

/// An index that lies in memory alone.
pub(super) fn in_memory(store: &Store, reading: &Reading<'_>) -> Result<Connection> {
    let connection = Connection::open_in_memory()?;
    fill(&connection, store, reading, &fresh::everything(store)?)?;
    Ok(connection)
}

fn grow(store: &Store, reading: &Reading<'_>, place: &Place, delta: &Delta) -> Result<()> {
    let connection = file::create(&place.growing())?;
    fill(&connection, store, reading, delta)?;
    connection.close().map_err(|(_, error)| error)?;
    Ok(())
}

fn fill(connection: &Connection, store: &Store, reading: &Reading<'_>, delta: &Delta) -> Result<()> {
    connection.execute_batch("BEGIN")?;
    schema::create(connection)?;
    let mut writer = Writer::new(connection)?;
    delta.refs.iter().try_for_each(|row| writer.add_ref(row))?;
    feed(reading, store, &delta.changed, |rows| writer.add(&rows))?;
    writer.finish()?;
    schema::create_indexes(connection)?;
    connection.execute("INSERT INTO meta VALUES('key', ?), ('generation', 1)", [key(store)])?;
    connection.execute_batch("COMMIT")?;
    Ok(())
}

/// Writes a few changes, whose runs have been read already.
pub(super) fn apply_few(
    place: &Place,
    delta: &Delta,
    runs: &[(RunTip, Result<Run, Damage>)],
    generation: i64,
) -> Result<Outcome> {
    change(place, IMPATIENCE, delta, generation, |writer| {
        for (tip, run) in runs {
            writer.remove(&tip.id)?;
            writer.add(&Rows::of(tip.clone(), run.clone()))?;
        }
        Ok(())
    })
}

/// Writes many changes, whose runs are read meanwhile.
pub(super) fn apply_many(
    store: &Store,
    reading: &Reading<'_>,
    place: &Place,
    delta: &Delta,
    generation: i64,
) -> Result<Outcome> {
    change(place, PATIENCE, delta, generation, |writer| {
        feed(reading, store, &delta.changed, |rows| {
            writer.remove(&rows.tip.id)?;
            writer.add(&rows)
        })
    })
}

fn change(
    place: &Place,
    patience: Duration,
    delta: &Delta,
    known: i64,
    put_runs: impl FnOnce(&mut Writer<'_>) -> Result<()>,
) -> Result<Outcome> {
    let Some(mut lock) = Lock::take(place, patience)? else {
        return Ok(Outcome::Busy);
    };
    if Seal::of(place).is_none() {
        return Ok(Outcome::Outdated);
    }
    let mut connection = file::open_to_write(&place.file)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if generation(&transaction)? != known {
        return Ok(Outcome::Outdated);
    }
    let mut writer = Writer::new(&transaction)?;
    delta.gone.iter().try_for_each(|id| writer.remove(id))?;
    put_runs(&mut writer)?;
    delta.refs.iter().try_for_each(|row| writer.put_ref(row))?;
    writer.finish()?;
    transaction.execute("UPDATE meta SET value = value + 1 WHERE key = 'generation'", [])?;
    transaction.commit()?;
    connection.close().map_err(|(_, error)| error)?;
    lock.seal(place, &delta.standing)?;
    Ok(Outcome::Done)
}

/// Writes down that the refs still are what they were, so that the next one need not look as closely. If that cannot be
/// written, the next one looks.
pub(super) fn reseal(place: &Place, seal: &Seal, standing: &str) {
    if let Ok(Some(mut lock)) = Lock::take(place, Duration::ZERO)
        && Seal::of(place).as_ref() == Some(seal)
    {
        let _ = lock.seal(place, standing);
    }
}
