//! What lies in the store of this clone, and how bytes leave it while others may just be storing them again.
//!
//! Who stores bytes that are here already touches them: who takes bytes away puts them aside first, and back if they were
//! touched since.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};

use crate::artifact::content::Content;
use crate::artifact::local::{Artifacts, Standing, create_folder};
use crate::run::id::is_hex;

/// Where bytes lie that are being taken away.
const ASIDE: &str = "aside";

/// Bytes in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Their digest.
    pub sha256: String,
    /// How many there are.
    pub size: u64,
    /// When they were last stored.
    pub stored: SystemTime,
}

/// Temporary files that nobody can still be writing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LeftOver {
    /// How many.
    pub count: usize,
    /// Their bytes.
    pub size: u64,
}

impl Artifacts {
    /// Whether the folder is another's, which a link leads to: other repositories may use what lies there.
    pub fn is_elsewhere(&self) -> bool {
        fs::symlink_metadata(self.folder()).is_ok_and(|found| found.is_symlink())
    }

    /// All bytes in the store, sorted by digest.
    pub fn held(&self) -> Result<Vec<Held>> {
        let mut held = Vec::new();
        for folder in entries(self.folder())?.into_iter().filter(|entry| is_hex(&name(entry), 2)) {
            for file in entries(&folder.path())?.into_iter().filter(|file| is_hex(&name(file), 64)) {
                // Another process may have taken it away meanwhile.
                if let Ok(found) = file.metadata() {
                    let stored = found.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                    held.push(Held { sha256: name(&file), size: found.len(), stored });
                }
            }
        }
        held.sort_by(|a, b| a.sha256.cmp(&b.sha256));
        Ok(held)
    }

    /// Takes bytes away, unless they were stored again after `since`; whether they are gone.
    pub fn take_away(&self, sha256: &str, since: SystemTime) -> Result<bool> {
        let path = self.path(sha256);
        let cannot = || format!("cannot remove '{}'", path.display());
        let aside = self.aside(sha256);
        fs::create_dir_all(self.folder().join("tmp").join(ASIDE)).with_context(cannot)?;
        match fs::rename(&path, &aside) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(true),
            other => other.with_context(cannot)?,
        }
        let removed = match fs::metadata(&aside).and_then(|found| found.modified()) {
            Ok(stored) if stored > since => fs::rename(&aside, &path).map(|()| false),
            // Nothing is taken away that cannot be looked at.
            Err(error) => Err(error),
            Ok(_) => fs::remove_file(&aside).map(|()| true),
        };
        match removed {
            // Another process found it aside, and put it back.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            removed => removed.with_context(cannot),
        }
    }

    /// Where bytes lie while they are taken away; a process that was killed at that left them there.
    pub fn aside(&self, sha256: &str) -> PathBuf {
        self.folder().join("tmp").join(ASIDE).join(sha256)
    }

    /// Puts bytes aside that are not what their name says, or cannot be read, so that others can take their place; they are
    /// kept for as long as what is on its way. Where they are then.
    pub fn set_aside(&self, content: &Content) -> io::Result<Option<PathBuf>> {
        if let Ok(Standing::Whole | Standing::Absent) = self.standing(content) {
            return Ok(None);
        }
        let aside = self.temporary_folder().join(format!("damaged-{}", content.sha256));
        create_folder(&self.temporary_folder())?;
        match fs::rename(self.path(&content.sha256), &aside) {
            // Another process was faster.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            renamed => renamed?,
        }
        // From now on their time counts.
        let _ = touch(&aside);
        Ok(Some(aside))
    }

    /// Puts back what was put aside, if nothing better came.
    pub fn bring_back(&self, content: &Content, aside: &Path) {
        let path = self.path(&content.sha256);
        if !path.exists() {
            // Where that fails it stays where it is, and is kept for a while.
            let _ = fs::rename(aside, path);
        }
    }

    /// Puts back what a killed process had put aside and not taken away yet: somebody may have stored it again.
    pub fn put_back(&self) -> Result<()> {
        let folder = self.folder().join("tmp").join(ASIDE);
        for file in entries(&folder)?.into_iter().filter(|file| is_hex(&name(file), 64)) {
            let place = self.path(&name(&file));
            let done = match place.exists() {
                true => fs::remove_file(file.path()),
                false => fs::rename(file.path(), place),
            };
            match done {
                // Another process is at it.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                done => done.with_context(|| format!("cannot put '{}' back", file.path().display()))?,
            }
        }
        Ok(())
    }

    /// Temporary files older than that; they go if `removes`.
    pub fn left_over(&self, age: Duration, removes: bool) -> Result<LeftOver> {
        let mut found = LeftOver::default();
        for file in entries(&self.folder().join("tmp"))? {
            let Ok(metadata) = file.metadata() else { continue };
            let is_old =
                metadata.modified().ok().and_then(|time| time.elapsed().ok()).is_some_and(|old| old > age);
            if is_old && metadata.is_file() && (!removes || fs::remove_file(file.path()).is_ok()) {
                found.count += 1;
                found.size += metadata.len();
            }
        }
        Ok(found)
    }
}

/// Says of bytes that they were stored just now. Only their owner may say that, of a file that is read only too.
pub(super) fn touch(path: &Path) -> io::Result<()> {
    fs::File::open(path)?.set_modified(SystemTime::now())?;
    // Who takes them away looks at their time once they are aside: if they are still in their place, that is yet to come.
    fs::symlink_metadata(path).map(drop)
}

fn entries(folder: &Path) -> Result<Vec<fs::DirEntry>> {
    match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        read => {
            read.and_then(Iterator::collect).with_context(|| format!("cannot read '{}'", folder.display()))
        }
    }
}

fn name(entry: &fs::DirEntry) -> String {
    entry.file_name().to_string_lossy().into_owned()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_were_stored_again_stay() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("model.bin");
        fs::write(&file, b"weights").unwrap();
        let artifacts = Artifacts::new(folder.path());
        let sha256 = artifacts.add(&file).unwrap().sha256;
        let path = artifacts.path(&sha256);
        let long_ago = SystemTime::now() - Duration::from_secs(7200);
        fs::File::open(&path).unwrap().set_modified(long_ago).unwrap();
        let hour_ago = SystemTime::now() - Duration::from_secs(3600);
        assert!(artifacts.held().unwrap()[0].stored < hour_ago);
        artifacts.add(&file).unwrap();
        assert!(!artifacts.take_away(&sha256, hour_ago).unwrap(), "stored again");
        assert_eq!(fs::read(&path).unwrap(), b"weights");
        assert!(artifacts.take_away(&sha256, SystemTime::now()).unwrap());
        assert_eq!(artifacts.held().unwrap(), []);
        assert!(artifacts.take_away(&sha256, SystemTime::now()).unwrap(), "gone already");
    }

    #[test]
    fn damaged_bytes_make_room_and_are_kept_for_a_while() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("model.bin");
        fs::write(&file, b"weights").unwrap();
        let artifacts = Artifacts::new(folder.path());
        let stored = artifacts.add(&file).unwrap();
        assert_eq!(artifacts.set_aside(&stored).unwrap(), None, "whole");
        let path = artifacts.path(&stored.sha256);
        fs::remove_file(&path).unwrap();
        assert_eq!(artifacts.set_aside(&stored).unwrap(), None, "absent");
        fs::write(&path, b"weightz").unwrap();
        fs::File::open(&path).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        let aside = artifacts.set_aside(&stored).unwrap().unwrap();
        artifacts.forget_left_over();
        assert_eq!(fs::read(aside).unwrap(), b"weightz");
        assert!(!path.exists());
    }

    #[test]
    fn what_a_killed_process_put_aside_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("model.bin");
        fs::write(&file, b"weights").unwrap();
        let artifacts = Artifacts::new(folder.path());
        let sha256 = artifacts.add(&file).unwrap().sha256;
        let aside = artifacts.folder().join("tmp").join(ASIDE);
        fs::create_dir_all(&aside).unwrap();
        fs::rename(artifacts.path(&sha256), aside.join(&sha256)).unwrap();
        artifacts.put_back().unwrap();
        assert_eq!(artifacts.held().unwrap().len(), 1);
        assert_eq!(artifacts.left_over(Duration::ZERO, true).unwrap(), LeftOver::default());
    }
}
