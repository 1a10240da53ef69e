//! A cache of what the store says of runs, so that questions are answered without reading them all.
//!
//! Deleting it loses nothing; whatever is wrong with it, it is rebuilt or passed by. It is asked only once the refs have
//! been compared with those that it reflects, so that refs moved by plain git are always seen; what it could not be
//! brought to reflect is laid over its answers. Every failure here means one thing to the caller: read the runs instead.

mod alike;
mod brief;
mod build;
mod count;
mod feed;
mod file;
mod find;
mod fresh;
mod glance;
mod names;
mod place;
mod rows;
mod schema;
mod select;
mod set;
mod sql;
mod values;
mod verify;
mod write;

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, anyhow};
use rusqlite::{Connection, OptionalExtension as _};

use crate::index::build::Outcome;
use crate::index::file::Seal;
use crate::index::place::Place;
use crate::run::Run;
use crate::run::id::RunId;
use crate::store::{RunTip, Standing, Store};

pub use crate::index::count::rows as rows_read;
pub use crate::index::feed::Reading;
pub use crate::index::glance::{Held, Named};
pub use crate::index::rows::Damage;
pub use crate::index::select::{Answer, Ask, Asked, FoundRun};
pub use crate::index::sql::SqlAnswer;

/// How often the index is looked at anew because another process changed it meanwhile.
const TRIES_MAX: usize = 4;
/// How many runs are kept in memory at most when they cannot be written.
const OVERLAY_MAX: usize = 2000;

/// An index that answers as the refs stood when it was opened, or later.
pub struct Index {
    connection: Connection,
    place: Place,
    overlay: Overlay,
}

/// What an index is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// Where it lies.
    pub path: PathBuf,
    /// How large it is, in bytes.
    pub size: u64,
    /// How many runs it holds.
    pub runs: u64,
    /// How many runs it knows that cannot be read.
    pub damaged: u64,
    /// How many of them were fetched, and are not ours.
    pub fetched: u64,
    /// How often it was written since it was built, that included.
    pub changes: i64,
    /// How many runs are laid over it, because they are in progress or could not be written.
    pub beside: usize,
}

/// What counts instead of what the index says.
#[derive(Default)]
struct Overlay {
    /// By run: what it is now, or that it cannot be read, or that it is gone.
    runs: HashMap<RunId, Now>,
}

/// What a run of the overlay is.
enum Now {
    Read(Box<Run>, Option<String>),
    Damaged(Damage),
    Gone,
}

impl Index {
    /// Opens the index of the repository, once it reflects all refs, or what it lacks has been read beside it.
    pub fn open(store: &Store, reading: &Reading<'_>) -> Result<Self> {
        for _ in 0..TRIES_MAX {
            match Self::try_open(store, reading) {
                Ok(Some(index)) => return Ok(index),
                Ok(None) => {}
                // What its seal says is sound and SQLite says is not has been damaged without a trace: away with it.
                Err(error) if is_damage(&error) => unseal(store)?,
                Err(error) => return Err(error),
            }
        }
        Err(anyhow!("the index is changed by others all the time"))
    }

    /// Builds the index anew, whatever it is.
    pub fn rebuild(store: &Store, reading: &Reading<'_>) -> Result<Self> {
        let place = first_place(store)?;
        let rejected = Seal::of(&place);
        build::build(store, reading, &place, rejected.as_ref())?;
        Self::open(store, reading)
    }

    /// Brings the index in step with the runs, and leaves nothing in its files of what runs do not say any more: of rows that
    /// go SQLite keeps the bytes.
    pub fn forget(store: &Store, reading: &Reading<'_>) -> Result<()> {
        let place = Self::write_anew(store, reading)?;
        for other in place::every_place(store.common_dir()).into_iter().filter(|other| *other != place) {
            file::remove(&other.file)?;
            file::remove(&other.journal())?;
        }
        Ok(())
    }

    fn write_anew(store: &Store, reading: &Reading<'_>) -> Result<Place> {
        for _ in 0..TRIES_MAX {
            let index = Self::open(store, reading)?;
            if index.has_overlay() {
                break;
            }
            let place = index.place.clone();
            drop(index);
            if build::write_anew(store, &place)? == Outcome::Done {
                return Ok(place);
            }
        }
        Ok(Self::rebuild(store, reading)?.place)
    }

    /// An index of all runs as they now are, in memory: for questions that no overlay can answer, where none can be
    /// written.
    pub fn in_memory(store: &Store, reading: &Reading<'_>) -> Result<Self> {
        let connection = build::in_memory(store, reading)?;
        Ok(Self { connection, place: first_place(store)?, overlay: Overlay::default() })
    }

    /// Nothing if another process changed it meanwhile.
    fn try_open(store: &Store, reading: &Reading<'_>) -> Result<Option<Self>> {
        let places = place::places(store.common_dir());
        let sealed = places.iter().find_map(|place| Some((place.clone(), Seal::of(place)?)));
        let first = places.first().ok_or_else(|| anyhow!("there is no place for an index"))?;
        let Some((place, seal)) = sealed else {
            build::build(store, reading, first, None)?;
            return Ok(None);
        };
        let Ok(connection) = open_checked(store, &place) else {
            build::build(store, reading, first, Some(&seal))?;
            return Ok(None);
        };
        let moved = store.moved_since(&seal.standing);
        connection.execute_batch("BEGIN")?;
        if moved == Standing::Same && !has_unlasting_damage(&connection)? {
            connection.execute_batch("COMMIT")?;
            return Ok(Some(Self { connection, place, overlay: Overlay::default() }));
        }
        let mut delta = fresh::changes(store, &connection, &seal.standing)?;
        let generation = build::generation(&connection)?;
        let count: i64 = connection.query_row("SELECT count(*) FROM run", [], |row| row.get(0))?;
        connection.execute_batch("COMMIT")?;
        if delta.changed.len() > OVERLAY_MAX {
            if delta.changed.len() as i64 > count / 2 {
                build::build(store, reading, first, Some(&seal))?;
            } else {
                build::apply_many(store, reading, &place, &delta, generation)?;
            }
            return Ok(None);
        }
        let read = |tip: RunTip| {
            let run = (reading.load)(store, &tip.id, &tip.tip);
            (tip, run)
        };
        let mut runs: Vec<(RunTip, Result<Run, Damage>)> = delta.again.drain(..).map(read).collect();
        runs.retain(|(_, run)| run.is_ok());
        runs.extend(delta.changed.iter().cloned().map(read));
        if runs.is_empty() && delta.is_empty() {
            if delta.standing != seal.standing {
                build::reseal(&place, &seal, &delta.standing);
            }
            return Ok(Some(Self { connection, place, overlay: Overlay::default() }));
        }
        match build::apply_few(&place, &delta, &runs, generation) {
            Ok(Outcome::Done) => Ok(Some(Self { connection, place, overlay: Overlay::default() })),
            Ok(Outcome::Outdated) => Ok(None),
            // The disk is full, the folder may not be written to, another one writes: the answer is right all the same.
            Ok(Outcome::Busy) | Err(_) => {
                Ok(Some(Self { connection, place, overlay: Overlay::of(runs, delta.gone) }))
            }
        }
    }

    /// Gives it up: something about it is odd. The next one that wants an index builds it anew.
    pub fn distrust(self) {
        if let Ok(Some(mut lock)) = file::Lock::take(&self.place, Duration::ZERO) {
            let _ = lock.unseal();
        }
    }

    /// What it is.
    pub fn state(&self) -> Result<State> {
        let count = |condition: &str| -> Result<u64> {
            let query = format!("SELECT count(*) FROM run WHERE {condition}");
            let count: i64 = self.connection.query_row(&query, [], |row| row.get(0))?;
            Ok(count.unsigned_abs())
        };
        Ok(State {
            path: self.place.file.clone(),
            size: std::fs::metadata(&self.place.file)?.len(),
            runs: count("damage IS NULL")?,
            damaged: count("damage IS NOT NULL")?,
            fetched: count("remote IS NOT NULL")?,
            changes: build::generation(&self.connection)?,
            beside: self.overlay.runs.len(),
        })
    }

    /// Whether runs count that are not in it as they now are.
    pub fn has_overlay(&self) -> bool {
        !self.overlay.runs.is_empty()
    }

    /// What counts instead of what the index says of these runs.
    pub fn lay_over(&mut self, runs: Vec<Run>) {
        for run in runs {
            let remote = None;
            self.overlay.runs.insert(run.id.clone(), Now::Read(Box::new(run), remote));
        }
    }
}

impl Overlay {
    /// The runs of it that could be read.
    fn read(&self) -> impl Iterator<Item = &Run> {
        self.runs.values().filter_map(|now| match now {
            Now::Read(run, _) => Some(&**run),
            _ => None,
        })
    }

    fn of(runs: Vec<(RunTip, Result<Run, Damage>)>, gone: Vec<RunId>) -> Self {
        let now = |(tip, run): (RunTip, Result<Run, Damage>)| match run {
            Ok(run) => (tip.id, Now::Read(Box::new(run), tip.remote)),
            Err(damage) => (tip.id, Now::Damaged(damage)),
        };
        let gone = gone.into_iter().map(|id| (id, Now::Gone));
        Self { runs: runs.into_iter().map(now).chain(gone).collect() }
    }
}

/// Whether SQLite finds the database itself wrong.
fn is_damage(error: &anyhow::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    let mut codes =
        error.chain().filter_map(|cause| cause.downcast_ref::<rusqlite::Error>()?.sqlite_error_code());
    codes.any(|code| [DatabaseCorrupt, NotADatabase].contains(&code))
}

fn unseal(store: &Store) -> Result<()> {
    for place in place::places(store.common_dir()) {
        if let Ok(Some(mut lock)) = file::Lock::take(&place, Duration::ZERO) {
            lock.unseal()?;
        }
    }
    Ok(())
}

fn first_place(store: &Store) -> Result<Place> {
    let places = place::places(store.common_dir());
    places.into_iter().next().ok_or_else(|| anyhow!("there is no place for an index"))
}

/// Opens what a seal says is sound, if it is of this version and of these refs.
fn open_checked(store: &Store, place: &Place) -> Result<Connection> {
    let connection = file::open_to_read(&place.file)?;
    let key: Option<String> =
        connection.query_row("SELECT value FROM meta WHERE key = 'key'", [], |row| row.get(0)).optional()?;
    match key == Some(build::key(store)) {
        true => Ok(connection),
        false => Err(anyhow!("the index is of other refs")),
    }
}

fn has_unlasting_damage(connection: &Connection) -> Result<bool> {
    Ok(connection.query_row(
        "SELECT EXISTS(SELECT 1 FROM run WHERE damage IS NOT NULL AND NOT is_lasting)",
        [],
        |row| row.get(0),
    )?)
}
