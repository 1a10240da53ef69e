//! The live folder: what lies on disk while a run is in progress, and how it comes, is told from others and goes.
//!
//! Knows the layout (`docs/protocol.md`) and whether a run's owners live; not what its journals come to (`replay`), nor
//! how it becomes a record. A run's folder appears and goes as a whole: whoever sees it sees all of it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};

use crate::error::Problem;
use crate::journal::event::{Begin, Body};
use crate::journal::name::random_name;
use crate::journal::owner::{self, Life};
use crate::journal::{line, read};
use crate::run::attempt::{FORMAT, Facts};
use crate::run::edit::Edit;
use crate::run::id::{AttemptId, EditId, RunId, sha256};
use crate::run::record::{ENVIRONMENT, Files, Place, edit_path};
use crate::run::text;
use crate::run::value::{Table, Value};

/// What is known at the start, with the owner.
pub const START: &str = "start.toml";
/// What a folder holds whose run was recovered while nobody could tell that its owners are gone.
pub const RECOVERED: &str = "recovered";

/// Where processes find the folder of the run they belong to.
const RUN_DIR: &str = "XTRACK_RUN_DIR";
/// Room on the disk that is kept for how the run ended, should the disk fill meanwhile.
const RESERVE: &str = "reserve";
/// How much: a file system hands out room in blocks of about this size, and a journal is a file of its own.
const RESERVE_SIZE: usize = 16 << 10;

/// How young a folder is that its maker has perhaps not filled yet.
const BIRTH: Duration = Duration::from_secs(60);
/// How much of a text file of ours is read.
const TEXT_MAX: u64 = 16 << 20;
/// How long a journal's first line may be.
const FIRST_LINE_MAX: u64 = 4 << 20;
/// How large a file is that an edit brings in the record itself.
const INLINE_MAX: u64 = 1 << 20;

/// The folder of a run in progress.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveFolder {
    /// Where it is.
    pub path: PathBuf,
}

/// What was known when a run began.
#[derive(Debug, Clone, PartialEq)]
pub struct Start {
    /// The attempt's facts, its status running.
    pub facts: Facts,
    /// Who will finish it.
    pub owner: Table,
    /// The files that are to be taken then: lists of paths and globs, by what they are.
    pub wanted: Table,
}

/// What lies in the folder of live folders.
#[derive(Debug, Default)]
pub struct Found {
    /// Runs in progress, sorted by name.
    pub folders: Vec<LiveFolder>,
    /// What else lies there under a name of ours: folders on their way in or out, locks.
    pub leftovers: Vec<PathBuf>,
}

/// A folder that was there is there no more: another process has finished or recovered the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gone;

impl std::fmt::Display for Gone {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("the run was finished by another process meanwhile")
    }
}

impl std::error::Error for Gone {}

/// Where the live folders of a clone lie.
pub fn parent(state_dir: &Path) -> PathBuf {
    state_dir.join("live")
}

impl LiveFolder {
    /// Writes down all that is known before the run begins. `owner` tells who will finish it, `wanted` the files that
    /// are to be taken then.
    pub fn begin(
        state_dir: &Path,
        facts: &Facts,
        environment: &Table,
        owner: Table,
        wanted: &Table,
    ) -> Result<Self> {
        let live = parent(state_dir);
        let folder = Self { path: live.join(name(facts)) };
        let cannot = || format!("cannot write '{}'", folder.path.display());
        make_shared(&live).with_context(cannot)?;
        let new = live.join(format!(".new-{}", random_name().with_context(cannot)?));
        let written = Self::write(&new, facts, environment, owner, wanted)
            .and_then(|()| Ok(fs::rename(&new, &folder.path)?));
        if written.is_err() {
            // The error that matters is the one above.
            let _ = fs::remove_dir_all(&new);
        }
        written.with_context(cannot)?;
        Ok(folder)
    }

    fn write(folder: &Path, facts: &Facts, environment: &Table, owner: Table, wanted: &Table) -> Result<()> {
        let mut start = facts.to_table();
        start.insert("owner".to_owned(), Value::Table(owner));
        start.insert("wanted".to_owned(), Value::Table(wanted.clone()));
        make_shared(folder)?;
        fs::write(folder.join(ENVIRONMENT), text::write(environment))?;
        fs::write(folder.join(START), text::write(&start))?;
        // Where there is no room for it now, none can be kept.
        let _ = fs::write(folder.join(RESERVE), noise(RESERVE_SIZE));
        Ok(())
    }

    /// Gives back the room that was kept for how the run ended.
    pub fn make_room(&self) {
        let _ = fs::remove_file(self.path.join(RESERVE));
    }

    /// The folder at a path.
    pub fn open(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// The runs in progress of a clone; what cannot be read holds none.
    pub fn list(state_dir: &Path) -> Vec<Self> {
        Self::find(state_dir).unwrap_or_default().folders
    }

    /// The same, and what else lies among them.
    pub fn find(state_dir: &Path) -> io::Result<Found> {
        let mut found = Found::default();
        let children = match fs::read_dir(parent(state_dir)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
            other => other?,
        };
        for child in children {
            let child = child?;
            let folder = Self { path: child.path() };
            if folder.run().is_some() {
                found.folders.push(folder);
            } else if child.file_name().to_str().is_some_and(|name| name.starts_with('.')) {
                found.leftovers.push(folder.path);
            }
        }
        found.folders.sort_by(|a, b| a.path.cmp(&b.path));
        found.leftovers.sort();
        Ok(found)
    }

    /// Its own name.
    pub fn name(&self) -> &str {
        self.path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
    }

    /// The run that its name says it is of.
    pub fn run(&self) -> Option<RunId> {
        let (id, attempt) = match self.name() {
            name if name.len() > 24 => (name.get(..24)?, Some(name.get(24..)?.strip_prefix('-')?)),
            name => (name, None),
        };
        attempt.is_none_or(|attempt| AttemptId::parse(attempt).is_some()).then_some(())?;
        RunId::parse(id)
    }

    /// Whether it is still where it was.
    pub fn is_there(&self) -> bool {
        self.path.is_dir()
    }

    /// Refuses with [`Gone`] what was taken away meanwhile. Who has read a folder asks before using what was read: if it
    /// is still there, all of it was.
    pub fn check(&self) -> Result<(), Gone> {
        if self.is_there() { Ok(()) } else { Err(Gone) }
    }

    /// What was known when the run began; nothing if no program of ours began it.
    pub fn start(&self) -> Result<Option<Start>> {
        let Some(bytes) = self.read(START)? else {
            return Ok(None);
        };
        let start = || -> Result<Start> {
            let table = text::read(&bytes)?;
            let part = |key: &str| table.get(key).and_then(Value::as_table).cloned().unwrap_or_default();
            Ok(Start { facts: Facts::from_table(&table)?, owner: part("owner"), wanted: part("wanted") })
        };
        start().with_context(|| format!("'{}' is damaged", self.path.join(START).display())).map(Some)
    }

    /// What the run runs in, as far as that was known when it began.
    pub fn environment(&self) -> Result<Table> {
        let Some(bytes) = self.read(ENVIRONMENT)? else {
            return Ok(Table::from([("format".to_owned(), FORMAT.into())]));
        };
        let read = text::read(&bytes);
        read.with_context(|| format!("'{}' is damaged", self.path.join(ENVIRONMENT).display()))
    }

    /// A text file of the folder.
    pub fn read(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let path = self.path.join(name);
        let cannot = || format!("cannot read '{}'", path.display());
        // Whoever can write here may have put a pipe there, on which an ordinary open would wait for ever.
        let file = match read::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.with_context(cannot)?,
        };
        let mut bytes = Vec::new();
        file.take(TEXT_MAX + 1).read_to_end(&mut bytes).with_context(cannot)?;
        match bytes.len() as u64 > TEXT_MAX {
            true => Err(Problem::new(format!("holds more than {TEXT_MAX} bytes"))).with_context(cannot),
            false => Ok(Some(bytes)),
        }
    }

    /// The journals, one of each writer, sorted by name. What is no regular file is none, whatever it is called.
    pub fn journals(&self) -> io::Result<Vec<PathBuf>> {
        let mut journals = Vec::new();
        for child in fs::read_dir(&self.path)? {
            let child = child?;
            let path = child.path();
            let is_called_so = path.extension().is_some_and(|extension| extension == "jsonl");
            if is_called_so && child.file_type().is_ok_and(|kind| kind.is_file()) {
                journals.push(path);
            }
        }
        journals.sort();
        Ok(journals)
    }

    /// Whether its recorder or any of its writers lives. It is dead only if all of them are known to be.
    pub fn life(&self) -> Result<Life> {
        let recorder = self.start()?.map(|start| owner::state(&start.owner));
        if recorder == Some(Life::Alive) {
            return Ok(Life::Alive);
        }
        let mut lives: Vec<Life> = recorder.into_iter().collect();
        for journal in self.journals()? {
            match begin_of(&journal) {
                Some(begin) if !begin.owner.is_empty() => lives.push(owner::state(&begin.owner)),
                // It says nothing of who writes: the others decide, if there are any.
                Some(_) => {}
                None if self.is_young(&journal) => lives.push(Life::Elsewhere),
                None => {}
            }
        }
        Ok(match () {
            () if lives.contains(&Life::Alive) => Life::Alive,
            () if lives.is_empty() || lives.contains(&Life::Elsewhere) => Life::Elsewhere,
            // One that has not logged yet, or does not say who it is, would lose what it logs from here on.
            () if owner::is_given_to_others(&self.path, RUN_DIR) => Life::Alive,
            () => Life::Dead,
        })
    }

    /// Tells others that the run's recorder lives, where they cannot see it.
    pub fn heartbeat(&self) -> io::Result<()> {
        let path = self.path.join("heartbeat");
        match File::options().append(true).create_new(true).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => touch(&path),
            made => made.map(drop),
        }
    }

    /// When it last showed a sign of life, by the clock of its file system.
    pub fn newest_mtime(&self) -> io::Result<SystemTime> {
        let own = [START, "heartbeat"].map(|name| self.path.join(name));
        let signs = self.journals()?.into_iter().chain(own).filter_map(|path| modified(&path));
        signs.max().map_or_else(|| fs::metadata(&self.path)?.modified(), Ok)
    }

    /// How long ago that was.
    pub fn silence(&self) -> io::Result<Duration> {
        let newest = self.newest_mtime()?;
        Ok(self.now().duration_since(newest).unwrap_or_default())
    }

    /// The moment it is by the clock of its file system.
    pub fn now(&self) -> SystemTime {
        file_time(self.path.parent().unwrap_or(&self.path))
    }

    /// A journal whose writer has perhaps not written its first line yet.
    fn is_young(&self, journal: &Path) -> bool {
        modified(journal).is_some_and(|at| self.now().duration_since(at).unwrap_or_default() < BIRTH)
    }

    /// Whether its maker may still be filling it.
    pub fn is_new(&self) -> bool {
        self.silence().is_ok_and(|silence| silence < BIRTH)
    }

    /// The edits made while the run is in progress, with the artifacts they bring, as the record holds them. What is
    /// damaged is left out.
    pub fn edits(&self) -> Result<Files> {
        let mut files = Files::new();
        let folder = self.path.join("edits");
        let children = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(files),
            other => other.with_context(|| format!("cannot read '{}'", folder.display()))?,
        };
        for child in children {
            let name = child?.file_name();
            let id = name.to_str().and_then(|name| EditId::parse(name.strip_suffix(".toml")?));
            if let Some(edit) = id.and_then(|id| self.edit(&id)) {
                files.extend(edit);
            }
        }
        Ok(files)
    }

    /// One edit's files; nothing if any of them is not what the others say.
    fn edit(&self, id: &EditId) -> Option<Files> {
        let path = edit_path(id);
        let bytes = self.regular(&path, TEXT_MAX)?;
        let edit = Edit::decode(id, &bytes).ok()?;
        let mut files = Files::from([(path, bytes)]);
        let Some(digest) = edit.artifacts else {
            return Some(files);
        };
        let pointers = format!("artifacts/{id}.toml");
        let bytes = self.regular(&pointers, TEXT_MAX).filter(|bytes| sha256(bytes) == digest)?;
        files.insert(pointers, bytes);
        for child in fs::read_dir(self.path.join(format!("artifacts/{id}"))).into_iter().flatten().flatten() {
            let path = format!("artifacts/{id}/{}", child.file_name().to_str()?);
            if matches!(Place::parse(&path), Ok(Place::Inline)) {
                files.insert(path.clone(), self.regular(&path, INLINE_MAX)?);
            }
        }
        Some(files)
    }

    fn regular(&self, name: &str, size_max: u64) -> Option<Vec<u8>> {
        let path = self.path.join(name);
        let metadata = fs::symlink_metadata(&path).ok()?;
        (metadata.is_file() && metadata.len() <= size_max).then_some(())?;
        fs::read(path).ok()
    }

    /// Adds an edit and what it brings, durably. The edit itself comes last: where it is, all of it is.
    pub fn add_edit(&self, files: &Files) -> io::Result<()> {
        let is_edit = |path: &str| path.starts_with("edits/");
        let ordered = files.iter().filter(|(path, _)| !is_edit(path));
        for (path, bytes) in ordered.chain(files.iter().filter(|(path, _)| is_edit(path))) {
            // The run's own folder is never made here: it may be on its way out.
            let place = self.path.join(path);
            let mut folder = self.path.clone();
            for part in Path::new(path).parent().into_iter().flatten() {
                folder.push(part);
                match fs::create_dir(&folder) {
                    Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                    _ => {}
                }
            }
            let temporary = folder.join(format!(".new-{}", random_name()?));
            let mut file = File::options().write(true).create_new(true).open(&temporary)?;
            let written = file.write_all(bytes).and_then(|()| file.sync_all());
            if let Err(error) = written.and_then(|()| fs::rename(&temporary, &place)) {
                let _ = fs::remove_file(&temporary);
                return Err(error);
            }
            sync_dir(&folder)?;
        }
        Ok(())
    }

    /// Where the bytes lie that an event names as `files/<name>`; anything but a plain file there is refused.
    pub fn file(&self, name: &str) -> Result<PathBuf, Problem> {
        let refused = |why: &str| Problem::new(format!("cannot take {name:?}: {why}"));
        let plain =
            name.strip_prefix("files/").filter(|rest| !rest.is_empty() && !rest.contains(['/', '\\', '\0']));
        let plain = plain.filter(|rest| !matches!(*rest, "." | ".."));
        let plain = plain.ok_or_else(|| refused("it is not the name of a file that was copied in"))?;
        let folder = self.path.join("files");
        let is_plain = |path: &Path| fs::symlink_metadata(path).map(|metadata| metadata.file_type());
        match (is_plain(&folder), is_plain(&folder.join(plain))) {
            (Ok(above), Ok(kind)) if above.is_dir() && kind.is_file() => Ok(folder.join(plain)),
            (Ok(_), Ok(_)) => Err(refused("it is no plain file")),
            (Err(error), _) | (_, Err(error)) => Err(refused(&error.to_string())),
        }
    }

    /// How many bytes each journal, edit and console file holds: what a recovery has seen of it.
    pub fn sizes(&self) -> io::Result<BTreeMap<String, u64>> {
        let mut sizes = BTreeMap::new();
        for folder in ["", "edits", "console"] {
            let children = match fs::read_dir(self.path.join(folder)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound && !folder.is_empty() => continue,
                other => other?,
            };
            for child in children {
                let child = child?;
                let name = child.file_name().to_string_lossy().into_owned();
                let is_seen = !folder.is_empty() || name.ends_with(".jsonl");
                let metadata = child.metadata()?;
                if is_seen && metadata.is_file() && !name.starts_with('.') {
                    sizes.insert(format!("{folder}/{name}"), metadata.len());
                }
            }
        }
        Ok(sizes)
    }

    /// What a recovery had seen of it that left it here, should a process of it come back; nothing if there was none.
    pub fn recovered(&self) -> Option<BTreeMap<String, u64>> {
        let table = text::read(&self.read(RECOVERED).ok()??).ok()?;
        let sizes = table.get("sizes")?.as_table()?.iter();
        let size = |value: &Value| value.as_int().and_then(|int| u64::try_from(int).ok());
        Some(sizes.filter_map(|(name, value)| Some((name.clone(), size(value)?))).collect())
    }

    /// Notes what a recovery has seen of it.
    pub fn mark_recovered(&self, sizes: &BTreeMap<String, u64>) -> Result<()> {
        let sizes = sizes.iter().map(|(name, size)| (name.clone(), Value::Int(*size as i64)));
        let table = Table::from([("sizes".to_owned(), Value::Table(sizes.collect()))]);
        let path = self.path.join(RECOVERED);
        let write = || -> io::Result<()> {
            let temporary = self.path.join(format!(".new-{}", random_name()?));
            fs::write(&temporary, text::write(&table)).and_then(|()| fs::rename(&temporary, &path))
        };
        write().with_context(|| format!("cannot write '{}'", path.display()))
    }

    /// Whether all that is in it is in the record.
    pub fn is_recovered(&self) -> bool {
        self.recovered().is_some_and(|seen| self.sizes().is_ok_and(|sizes| sizes == seen))
    }

    /// Takes it away from where others look for it, as a whole; what is left is to be deleted with [`Self::delete`].
    /// [`Gone`] if another process was faster.
    pub fn set_aside(&self) -> Result<Self> {
        let cannot = || format!("cannot remove '{}'", self.path.display());
        let aside = format!(".removed-{}-{}", self.name(), random_name().with_context(cannot)?);
        let aside = self.path.with_file_name(aside);
        match fs::rename(&self.path, &aside) {
            Ok(()) => Ok(Self { path: aside }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Gone.into()),
            Err(error) => Err(error).with_context(cannot),
        }
    }

    /// The run of a folder that was set aside.
    pub fn run_aside(&self) -> Option<RunId> {
        RunId::parse(self.name().strip_prefix(".removed-")?.get(..24)?)
    }

    /// Deletes what was set aside.
    pub fn delete(&self) -> Result<()> {
        match fs::remove_dir_all(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other.with_context(|| format!("cannot remove '{}'", self.path.display())),
        }
    }

    /// Removes it, once the record holds everything.
    pub fn remove(self) -> Result<()> {
        self.set_aside()?.delete()
    }
}

/// The run's id; attempts of a keyed run share that, and may run side by side.
fn name(facts: &Facts) -> String {
    match &facts.attempt {
        Some(attempt) if facts.key.is_some() || !facts.after.is_empty() => format!("{}-{attempt}", facts.id),
        _ => facts.id.to_string(),
    }
}

/// The first line of a journal; nothing if it is not whole yet, or damaged.
pub fn begin_of(journal: &Path) -> Option<Begin> {
    let mut bytes = Vec::new();
    let file = BufReader::new(read::open(journal).ok()?);
    file.take(FIRST_LINE_MAX).read_until(b'\n', &mut bytes).ok()?;
    match line::decode(bytes.strip_suffix(b"\n")?).ok()?.body {
        Body::Begin(begin) => Some(begin),
        _ => None,
    }
}

/// The moment it is by the clock of a folder's file system, which may be another machine's; ours if nothing can be
/// written there.
pub fn file_time(folder: &Path) -> SystemTime {
    let probe = || -> io::Result<SystemTime> {
        let path = folder.join(format!(".clock-{}", random_name()?));
        let file = File::options().write(true).create_new(true).open(&path)?;
        let time = file.metadata().and_then(|metadata| metadata.modified());
        fs::remove_file(&path)?;
        time
    };
    probe().unwrap_or_else(|_| SystemTime::now())
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).ok()?.modified().ok()
}

/// Bytes that a file system cannot store in less room.
fn noise(size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    // Without randomness some file systems keep less room.
    let _ = getrandom::fill(&mut bytes);
    bytes
}

/// Makes a folder, and those above it that are missing, as open to others as the one they are made in: git gives a
/// shared repository's folders their modes.
fn make_shared(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let above = folder.parent().filter(|above| !above.as_os_str().is_empty());
    above.map_or(Ok(()), make_shared)?;
    match fs::create_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        other => other?,
    }
    above.map_or(Ok(()), |above| system::open_like(folder, above))
}

#[cfg(unix)]
fn touch(path: &Path) -> io::Result<()> {
    use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_NOW, utimensat};
    // The file system's own clock, not ours.
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW as _ };
    let times = Timestamps { last_access: now, last_modification: now };
    Ok(utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}

#[cfg(not(unix))]
fn touch(path: &Path) -> io::Result<()> {
    File::options().append(true).open(path)?.set_modified(SystemTime::now())
}

#[cfg(unix)]
fn sync_dir(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_dir(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
mod system {
    use std::fs::{self, Permissions};
    use std::io;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;

    /// What others may do in a folder: the bits of group and others, and that new files get its group.
    const SHARED: u32 = 0o2077;

    pub fn open_like(folder: &Path, above: &Path) -> io::Result<()> {
        let mode = |path: &Path| fs::metadata(path).map(|metadata| metadata.permissions().mode());
        let (own, wanted) = (mode(folder)?, mode(above)? & SHARED);
        match own | wanted == own {
            true => Ok(()),
            false => fs::set_permissions(folder, Permissions::from_mode(own | wanted)),
        }
    }
}

#[cfg(not(unix))]
mod system {
    use std::io;
    use std::path::Path;

    pub fn open_like(_: &Path, _: &Path) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::run::id::Time;

    fn facts() -> Facts {
        let id = RunId::new(Time(0), [1; 8]);
        Facts::new(id, AttemptId::new([2; 8]), Time(0))
    }

    fn begun(state_dir: &Path) -> LiveFolder {
        LiveFolder::begin(state_dir, &facts(), &Table::new(), owner::this_process(), &Table::new()).unwrap()
    }

    #[test]
    fn the_start_reads_as_facts_with_their_owner() {
        let state_dir = tempfile::tempdir().unwrap();
        let folder = begun(state_dir.path());
        let start = folder.start().unwrap().unwrap();
        assert_eq!((&start.facts, &start.owner), (&facts(), &owner::this_process()));
        assert_eq!(LiveFolder::list(state_dir.path()), std::slice::from_ref(&folder));
        assert_eq!(folder.run(), Some(facts().id));
        assert!(folder.is_new());
        assert!(
            LiveFolder::begin(state_dir.path(), &facts(), &Table::new(), Table::new(), &Table::new())
                .is_err()
        );
        let path = folder.path.clone();
        folder.clone().remove().unwrap();
        assert!(!path.exists());
        assert!(folder.remove().unwrap_err().is::<Gone>());
        let found = LiveFolder::find(state_dir.path()).unwrap();
        assert!(found.folders.is_empty() && found.leftovers.is_empty(), "{found:?}");
    }

    #[test]
    fn attempts_of_a_keyed_run_have_a_folder_each() {
        let keyed = Facts { key: Some("k".to_owned()), ..facts() };
        assert_ne!(name(&keyed), name(&Facts { attempt: Some(AttemptId::new([3; 8])), ..keyed.clone() }));
        assert_eq!(name(&facts()), facts().id.as_str());
        for (name, is_one) in [(name(&keyed), true), (name(&facts()), true), ("x".repeat(24), false)] {
            assert_eq!(LiveFolder::open(Path::new(&name)).run().is_some(), is_one, "{name}");
        }
    }

    #[test]
    fn an_edit_is_whole_or_not_there() {
        let state_dir = tempfile::tempdir().unwrap();
        let folder = begun(state_dir.path());
        let mut edit = Edit::new("Ada".to_owned(), Time(0), Vec::new());
        edit.note = Some("n".to_owned());
        let (id, bytes) = edit.encode();
        let files = Files::from([(edit_path(&id), bytes.clone())]);
        folder.add_edit(&files).unwrap();
        folder.add_edit(&files).unwrap();
        assert_eq!(folder.edits().unwrap(), files);
        // One whose artifacts are not there, and one that is damaged.
        edit.artifacts = Some("a".repeat(64));
        let (other, bytes) = edit.encode();
        folder.add_edit(&Files::from([(edit_path(&other), bytes)])).unwrap();
        fs::write(folder.path.join("edits/20260101-000000-0123456789abcdef.toml"), "x").unwrap();
        assert_eq!(folder.edits().unwrap(), files);
        folder.clone().remove().unwrap();
        assert_eq!(folder.add_edit(&files).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[cfg(unix)]
    #[test]
    fn only_plain_files_that_were_copied_in_are_taken() {
        let state_dir = tempfile::tempdir().unwrap();
        let folder = begun(state_dir.path());
        fs::create_dir_all(folder.path.join("files/sub")).unwrap();
        fs::write(folder.path.join("files/plain"), "x").unwrap();
        std::os::unix::fs::symlink("/etc/passwd", folder.path.join("files/link")).unwrap();
        assert!(folder.file("files/plain").is_ok());
        for name in [
            "files/link",
            "files/sub",
            "files/../start.toml",
            "files/",
            "files/..",
            "start.toml",
            "/etc/passwd",
            "",
        ] {
            assert!(folder.file(name).is_err(), "{name}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_run_lives_while_its_recorder_or_a_writer_does() {
        let state_dir = tempfile::tempdir().unwrap();
        let mut dead = owner::this_process();
        dead.insert("start_ticks".to_owned(), 1i64.into());
        let folder =
            LiveFolder::begin(state_dir.path(), &facts(), &Table::new(), dead.clone(), &Table::new())
                .unwrap();
        assert_eq!(folder.life().unwrap(), Life::Dead);
        let journal = folder.path.join("aaaaaaaaaaaaaaaa.jsonl");
        let begin = |ticks: &str| {
            let own = owner::this_process();
            let int = |key: &str| own[key].as_int().unwrap();
            let text = |key: &str| own[key].as_text().unwrap().to_owned();
            let ticks = if ticks.is_empty() { int("start_ticks").to_string() } else { ticks.to_owned() };
            format!(
                "{{\"n\":0,\"begin\":{{\"protocol\":1,\"owner\":{{\"pid\":{},\"host\":{:?},\"boot\":{:?},\
                 \"start_ticks\":{ticks}}}}}}}\n",
                int("pid"),
                text("host"),
                text("boot"),
            )
        };
        fs::write(&journal, begin("")).unwrap();
        assert_eq!(folder.life().unwrap(), Life::Alive);
        fs::write(&journal, begin("1")).unwrap();
        assert_eq!(folder.life().unwrap(), Life::Dead);
        fs::write(&journal, "{\"n\":0,\"begin\":{\"proto").unwrap();
        assert_eq!(folder.life().unwrap(), Life::Elsewhere, "its first line is perhaps being written");
        let old = SystemTime::now() - Duration::from_secs(3600);
        File::options().append(true).open(&journal).unwrap().set_modified(old).unwrap();
        assert_eq!(folder.life().unwrap(), Life::Dead);
    }
}
