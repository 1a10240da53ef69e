//! The database as a file: how it is opened, known for sound, and how one writer at a time replaces or changes it.
//!
//! SQLite keeps a transaction whole if its process is killed or the machine stops, but takes bytes that others wrote into
//! the file for its own. So the lock file beside it holds a seal: how the file stood when it was last written here, and
//! which refs it reflects. What is not as its seal says is not used. Readers take no lock of ours.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant, UNIX_EPOCH};

use anyhow::{Context as _, Result, anyhow};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::index::place::{CACHE, Place};
use crate::index::schema;

/// What every seal begins with.
const MAGIC: &str = "xtrack index 1";
/// How long a writer waits until the readers of the moment are done.
const BUSY: Duration = Duration::from_millis(250);
/// How long apart a lock is tried that another holds.
const RETRY: Duration = Duration::from_millis(5);

/// What the lock file says of the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seal {
    /// How its file stood.
    pub stamp: String,
    /// How the refs stood that it reflects.
    pub standing: String,
}

/// The right to write, given back when it is dropped.
pub(super) struct Lock {
    file: File,
}

impl Seal {
    /// Reads the seal of an index; none if there is none, or if the database is not as it says.
    pub fn of(place: &Place) -> Option<Self> {
        let seal = Self::parse(&fs::read_to_string(&place.lock).ok()?)?;
        (stamp(&place.file).as_ref() == Some(&seal.stamp)).then_some(seal)
    }

    fn parse(text: &str) -> Option<Self> {
        let (content, sum) = text.strip_suffix('\n')?.rsplit_once('\n')?;
        (sum == checksum(content)).then_some(())?;
        let (stamp, standing) = content.strip_prefix(MAGIC)?.strip_prefix('\n')?.split_once('\n')?;
        Some(Self { stamp: stamp.to_owned(), standing: standing.to_owned() })
    }

    fn written(&self) -> String {
        let content = format!("{MAGIC}\n{}\n{}", self.stamp, self.standing);
        format!("{content}\n{}\n", checksum(&content))
    }
}

fn checksum(text: &str) -> String {
    format!("{:08x}", crc32c::crc32c(text.as_bytes()))
}

impl Lock {
    /// Takes the lock, waiting at most so long for another writer; nothing if that is still at it.
    pub fn take(place: &Place, patience: Duration) -> Result<Option<Self>> {
        let began = Instant::now();
        if let Some(folder) = place.lock.parent().filter(|folder| !folder.exists()) {
            create_folder(folder)?;
        }
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&place.lock)?;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Some(Self { file })),
                Err(TryLockError::WouldBlock) if began.elapsed() >= patience => return Ok(None),
                Err(TryLockError::WouldBlock) => std::thread::sleep(RETRY),
                Err(TryLockError::Error(error)) => return Err(error.into()),
            }
        }
    }

    /// Says that the database is sound as it now stands, and reflects refs that stood so.
    pub fn seal(&mut self, place: &Place, standing: &str) -> Result<()> {
        let stamp = stamp(&place.file).ok_or_else(|| anyhow!("the index has gone"))?;
        self.write(&Seal { stamp, standing: standing.to_owned() }.written())
    }

    /// Says that nothing is known of the database.
    pub fn unseal(&mut self) -> Result<()> {
        self.write("")
    }

    fn write(&mut self, text: &str) -> Result<()> {
        let mut old = String::new();
        self.file.rewind()?;
        // A seal that cannot be read is merely replaced.
        let _ = self.file.read_to_string(&mut old);
        if old == text {
            return Ok(());
        }
        self.file.rewind()?;
        self.file.write_all(text.as_bytes())?;
        self.file.set_len(text.len() as u64)?;
        Ok(())
    }
}

/// Opens the database to read it; what is of another version is refused.
pub(super) fn open_to_read(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection
        .execute_batch("PRAGMA temp_store = MEMORY; PRAGMA cache_size = -32000; PRAGMA mmap_size = 0")?;
    connection.busy_timeout(BUSY)?;
    set_up(&connection)?;
    check_version(&connection)?;
    Ok(connection)
}

/// Opens the database to change it.
pub(super) fn open_to_write(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    connection.execute_batch(
        "PRAGMA temp_store = MEMORY; PRAGMA cache_size = -32000; PRAGMA mmap_size = 0;
         PRAGMA synchronous = NORMAL",
    )?;
    set_up(&connection)?;
    check_version(&connection)?;
    Ok(connection)
}

/// Makes an empty database that nobody else knows of: nothing is synced before it is whole.
pub(super) fn create(path: &Path) -> Result<Connection> {
    remove(path)?;
    let connection = Connection::open(path)?;
    set_up(&connection)?;
    connection.execute_batch(&format!(
        "PRAGMA page_size = 4096; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;
         PRAGMA locking_mode = EXCLUSIVE; PRAGMA temp_store = FILE; PRAGMA cache_size = -24000;
         PRAGMA threads = 1; PRAGMA user_version = {}",
        schema::version()
    ))?;
    Ok(connection)
}

/// Copies the rows of a database into a new one, and nothing of those that have gone.
pub(super) fn copy(from: &Path, to: &Path) -> Result<()> {
    remove(to)?;
    let target = to.to_str().ok_or_else(|| anyhow!("the path of the index is not UTF-8"))?;
    open_to_read(from)?.execute("VACUUM INTO ?", [target])?;
    Ok(())
}

/// Puts a database that has grown in the place of the old one, and seals it.
pub(super) fn replace(place: &Place, lock: &mut Lock, standing: &str) -> Result<()> {
    let growing = place.growing();
    File::open(&growing)?.sync_all()?;
    lock.unseal()?;
    // A journal that a killed writer left would be played back into the new database. The old one goes first, so that
    // nobody reads it without its journal.
    remove(&place.file)?;
    remove(&place.journal())?;
    fs::rename(&growing, &place.file)?;
    lock.seal(place, standing)
}

/// Makes the folder. Who may look into the git folder is the repository's affair; what the cache folder tells of it is
/// the user's alone.
fn create_folder(folder: &Path) -> Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    if folder.file_name().is_some_and(|name| name == CACHE) {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    Ok(builder.create(folder)?)
}

/// Size and time of the last change: a copy that keeps them is as good as the original.
fn stamp(path: &Path) -> Option<String> {
    let metadata = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    let modified = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(format!("{},{}", metadata.len(), modified.as_nanos()))
}

/// Removes a file, or whatever lies in its place; it need not be there.
pub(super) fn remove(path: &Path) -> Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(_) => return Ok(()),
    };
    removed.with_context(|| format!("cannot remove '{}'", path.display()))
}

/// What a database brings along is not run. A plan, once made, is kept whatever it is asked with: making it anew for each
/// value costs more than any other could save.
fn set_up(connection: &Connection) -> Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    Ok(())
}

fn check_version(connection: &Connection) -> Result<()> {
    let version: i32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    match version == schema::version() {
        true => Ok(()),
        false => Err(anyhow!("the index is of another version")),
    }
}
