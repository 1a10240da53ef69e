//! Bytes that are on their way here: what arrived before a connection broke is kept, and goes on where it stopped.
//!
//! One process at a time writes to the file of a name; what it comes to is looked at before it gets that name.

use std::fs::{self, File};
use std::io::{self, Read as _, Write};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::artifact::content::{Content, Counted, Tally};
use crate::artifact::local::{Artifacts, create_folder, is_at};
use crate::error::Problem;

/// How files begin that are not whole yet and may go on.
const PREFIX: &str = "part-";
/// How old such a file is when nobody is expected to go on with it.
const LEFT_OVER_AGE: Duration = Duration::from_secs(14 * 24 * 3600);

/// The bytes of a name, as far as they are here; nobody else writes to them meanwhile.
pub struct Partial<'a> {
    artifacts: &'a Artifacts,
    path: PathBuf,
    content: Content,
    written: Counted<File>,
    tally: Tally,
}

impl<'a> Partial<'a> {
    /// Goes on with what is here of the bytes; nothing, if they are whole meanwhile.
    pub fn open(artifacts: &'a Artifacts, content: &Content, tally: &Tally) -> Result<Option<Self>> {
        let folder = artifacts.temporary_folder();
        create_folder(&folder).with_context(|| format!("cannot create '{}'", folder.display()))?;
        let path = folder.join(format!("{PREFIX}{}", content.sha256));
        loop {
            if artifacts.has(content) {
                return Ok(None);
            }
            let file = File::options().read(true).append(true).create(true).open(&path)?;
            // Where a file system has no locks, what two processes write is refused for its digest at worst.
            let _ = file.lock();
            // It may have become whole, and got its name, while the lock was waited for.
            if !is_at(&file, &path) {
                continue;
            }
            let mut partial = Self {
                artifacts,
                path,
                content: content.clone(),
                written: Counted::new(file),
                tally: tally.clone(),
            };
            partial.take_up()?;
            return Ok(Some(partial));
        }
    }

    /// How many bytes are here.
    pub fn size(&self) -> u64 {
        self.written.size()
    }

    /// Begins anew: what is here is not what the name says, or the other side sends all of it again.
    pub fn restart(&mut self) -> Result<()> {
        self.written.get_ref().set_len(0)?;
        self.tally.take_back(self.size());
        self.written.forget();
        Ok(())
    }

    /// Gives the bytes their name, if they are what it says; else they are not kept.
    pub fn finish(mut self) -> Result<()> {
        let found = self.written.content();
        if found.size < self.content.size {
            let (found, size) = (found.size, self.content.size);
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                format!("the answer ended after {found} of {size} bytes"),
            )
            .into());
        }
        if found != self.content {
            self.restart()?;
            return Err(Other.into());
        }
        self.artifacts.make_durable(self.written.get_ref())?;
        self.artifacts.place(&self.path, &self.content)?;
        // Gone already, unless whole bytes lay there.
        let _ = fs::remove_file(&self.path);
        Ok(())
    }

    /// Hashes what is here already; what is too long is of no use.
    fn take_up(&mut self) -> Result<()> {
        let mut file = File::open(&self.path)?.take(self.content.size + 1);
        self.written.take_up(&mut file)?;
        self.tally.add(self.size());
        if self.size() > self.content.size { self.restart() } else { Ok(()) }
    }
}

impl Write for Partial<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        if self.size() + buffer.len() as u64 > self.content.size {
            return Err(io::Error::other(Other));
        }
        let written = self.written.write(buffer)?;
        self.tally.add(written as u64);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.written.flush()
    }
}

/// What came is something else than was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Other;

impl std::fmt::Display for Other {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("what came is not what its sha256 and size say")
    }
}

impl std::error::Error for Other {}

impl Artifacts {
    /// How much of these bytes came here before the connection broke.
    pub fn arrived(&self, content: &Content) -> u64 {
        let path = self.temporary_folder().join(format!("{PREFIX}{}", content.sha256));
        fs::metadata(path).map_or(0, |file| file.len().min(content.size))
    }

    /// Removes what was on its way here so long ago that nobody goes on with it.
    pub fn forget_left_over(&self) {
        for entry in fs::read_dir(self.temporary_folder()).into_iter().flatten().flatten() {
            let age = entry.metadata().ok().and_then(|metadata| metadata.modified().ok()?.elapsed().ok());
            if age.is_some_and(|age| age > LEFT_OVER_AGE) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    /// Refuses to begin where the disk has no room for so many bytes more.
    #[cfg(unix)]
    pub fn check_room(&self, wanted: u64) -> Result<()> {
        let folder = self.folder().ancestors().find(|folder| folder.exists());
        let Some(free) = folder.and_then(|folder| rustix::fs::statvfs(folder).ok()) else {
            return Ok(());
        };
        let free = free.f_bavail.saturating_mul(free.f_frsize);
        match wanted > free {
            true => {
                let (wanted, free) = (crate::human::size(wanted), crate::human::size(free));
                let problem = format!(
                    "there is no room for {wanted}: {free} are free in '{}'",
                    self.folder().display()
                );
                Err(Problem::new(problem)
                    .hint("name fewer runs, or make room there; in a clone `git xtrack gc` and `git xtrack artifact prune` do")
                    .into())
            }
            false => Ok(()),
        }
    }

    /// Refuses to begin where the disk has no room for so many bytes more; elsewhere than on Unix it is tried.
    #[cfg(not(unix))]
    pub fn check_room(&self, _: u64) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::run::id::sha256;

    fn content(bytes: &[u8]) -> Content {
        Content { sha256: sha256(bytes), size: bytes.len() as u64 }
    }

    #[test]
    fn what_arrived_is_gone_on_with() {
        let folder = tempfile::tempdir().unwrap();
        let artifacts = Artifacts::at(folder.path());
        let content = content(b"hello world");
        let tally = Tally::default();
        let mut partial = Partial::open(&artifacts, &content, &tally).unwrap().unwrap();
        partial.write_all(b"hello ").unwrap();
        assert!(partial.finish().unwrap_err().to_string().contains("6 of 11"));
        assert_eq!(artifacts.arrived(&content), 6);
        let mut partial = Partial::open(&artifacts, &content, &Tally::default()).unwrap().unwrap();
        assert_eq!(partial.size(), 6);
        partial.write_all(b"world").unwrap();
        partial.finish().unwrap();
        assert_eq!(fs::read(artifacts.path(&content.sha256)).unwrap(), b"hello world");
        assert_eq!(fs::read_dir(artifacts.temporary_folder()).unwrap().count(), 0);
        assert!(Partial::open(&artifacts, &content, &tally).unwrap().is_none());
    }

    #[test]
    fn other_bytes_are_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let artifacts = Artifacts::at(folder.path());
        let content = content(b"hello world");
        let tally = Tally::default();
        let mut partial = Partial::open(&artifacts, &content, &tally).unwrap().unwrap();
        partial.write_all(b"HELLO WORLD").unwrap();
        assert!(partial.write_all(b"!").unwrap_err().to_string().contains("not what its sha256"));
        assert!(partial.finish().unwrap_err().is::<Other>());
        assert_eq!((artifacts.arrived(&content), tally.get()), (0, 0));
        assert!(!artifacts.has(&content));
        let mut partial = Partial::open(&artifacts, &content, &tally).unwrap().unwrap();
        partial.write_all(b"hel").unwrap();
        partial.restart().unwrap();
        partial.write_all(b"hello world").unwrap();
        partial.finish().unwrap();
        assert!(artifacts.has(&content));
    }

    #[test]
    fn too_much_room_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let artifacts = Artifacts::at(&folder.path().join("not/yet"));
        assert!(artifacts.check_room(1).is_ok());
        let said = artifacts.check_room(u64::MAX).unwrap_err();
        assert!(said.to_string().contains("there is no room for"), "{said}");
    }
}
