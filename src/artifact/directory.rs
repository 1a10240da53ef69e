//! A store that is a folder: a shared disk, a mounted network share, or the own store of another clone.
//!
//! Laid out as the store of a clone is: `<aa>/<sha256>`, read-only files that appear by one rename.

use std::fs::{self, File};
use std::io::{ErrorKind, Seek as _, SeekFrom};
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::artifact::content::{Content, Tally};
use crate::artifact::local::{Artifacts, identity};
use crate::artifact::stores::{ArtifactStore, Body, Presence, Purpose};
use crate::error::Problem;

/// A folder that keeps artifact bytes.
pub struct Directory {
    artifacts: Artifacts,
    shown: String,
    /// Which folder it is; nothing where it is made when it is needed.
    opened: Option<Folder>,
}

/// What tells a folder from the one below it, that is there once a disk is gone.
#[cfg(unix)]
type Folder = (u64, u64);
#[cfg(not(unix))]
type Folder = std::path::PathBuf;

impl Directory {
    /// The store in this folder; the folder itself must be there, so that a disk that is not mounted is noticed.
    pub fn open(folder: &Path, shown: &str) -> Result<Self> {
        match identity(folder).filter(|_| folder.is_dir()) {
            opened @ Some(_) => {
                Ok(Self { artifacts: Artifacts::at(folder), shown: shown.to_owned(), opened })
            }
            None => Err(not_there(shown).into()),
        }
    }

    /// The own store of another clone, which may have none yet.
    pub fn of_clone(common_dir: &Path, shown: &str) -> Self {
        Self { artifacts: Artifacts::new(common_dir), shown: shown.to_owned(), opened: None }
    }

    /// The folder in which the bytes lie.
    pub fn folder(&self) -> &Path {
        self.artifacts.folder()
    }

    /// The disk may go while it is used: what is not there then is not missing, and nothing goes to the one below it.
    fn check_there(&self) -> Result<()> {
        match self.opened.is_none() || identity(self.artifacts.folder()) == self.opened {
            true => Ok(()),
            false => Err(not_there(&self.shown).into()),
        }
    }

    fn presence(&self, content: &Content, purpose: Purpose) -> Presence {
        match fs::symlink_metadata(self.artifacts.path(&content.sha256)) {
            Ok(file) if file.is_file() && file.len() == content.size => match purpose {
                // Runs that name them are about to be sent: nobody is to collect them in between.
                Purpose::Send if !self.artifacts.has_for_use(content) => Presence::Absent,
                _ => Presence::There,
            },
            // What is damaged gives way to what is sent.
            Ok(_) => Presence::Absent,
            Err(error) if error.kind() == ErrorKind::NotFound => Presence::Absent,
            Err(error) => Presence::Refused(format!("cannot look into '{}': {error}", self.shown)),
        }
    }
}

fn not_there(shown: &str) -> Problem {
    Problem::new(format!("the artifact store '{shown}' is not there"))
        .hint("create the folder, or mount the disk that it is on")
}

impl ArtifactStore for Directory {
    fn shown(&self) -> String {
        self.shown.clone()
    }

    fn look(&self, contents: &[Content], purpose: Purpose) -> Result<Vec<Presence>> {
        self.check_there()?;
        let found = contents.iter().map(|content| self.presence(content, purpose)).collect();
        self.check_there().map(|()| found)
    }

    fn send(&self, content: &Content, file: &Path, tally: &Tally) -> Result<()> {
        self.check_there()?;
        let stored = self.artifacts.add_known(file, content, tally);
        stored.with_context(|| format!("cannot write to '{}'", self.shown))
    }

    fn open(&self, content: &Content, offset: u64) -> Result<Body> {
        self.check_there()?;
        let path = self.artifacts.path(&content.sha256);
        let mut file = File::open(&path).with_context(|| format!("cannot read '{}'", path.display()))?;
        file.seek(SeekFrom::Start(offset))?;
        Ok(Body { offset, reader: Box::new(file) })
    }

    fn prepare(&self, wanted: u64) -> Result<()> {
        self.artifacts.forget_left_over();
        self.artifacts.check_room(wanted)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    #[test]
    fn a_disk_that_goes_is_not_taken_for_an_empty_one() {
        let folder = tempfile::tempdir().unwrap();
        let (disk, file) = (folder.path().join("disk"), folder.path().join("model.bin"));
        fs::create_dir(&disk).unwrap();
        fs::write(&file, b"weights").unwrap();
        let content = Content::of(&file).unwrap();
        let store = Directory::open(&disk, "the disk").unwrap();
        store.send(&content, &file, &Tally::default()).unwrap();
        let look = || store.look(std::slice::from_ref(&content), Purpose::Take);
        assert_eq!(look().unwrap(), [Presence::There]);
        fs::rename(&disk, folder.path().join("gone")).unwrap();
        assert!(look().unwrap_err().to_string().contains("is not there"));
        // What it was mounted on.
        fs::create_dir(&disk).unwrap();
        assert!(look().is_err() && store.send(&content, &file, &Tally::default()).is_err());
        assert!(store.open(&content, 0).is_err());
        assert_eq!(fs::read_dir(&disk).unwrap().count(), 0);
        assert!(Directory::open(&folder.path().join("nowhere"), "x").is_err());
    }

    #[test]
    fn what_cannot_be_looked_at_is_not_missing() {
        let folder = tempfile::tempdir().unwrap();
        let content = Content { sha256: "ab".repeat(32), size: 1 };
        let store = Directory::open(folder.path(), "x").unwrap();
        fs::write(folder.path().join("ab"), b"no folder").unwrap();
        let found = store.look(&[content], Purpose::Take).unwrap();
        assert!(
            matches!(&found[0], Presence::Refused(why) if why.contains("cannot look into 'x'")),
            "{found:?}"
        );
    }

    #[test]
    fn bytes_that_somebody_is_about_to_name_count_as_stored_just_now() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("model.bin");
        fs::write(&file, b"weights").unwrap();
        let store = Directory::of_clone(place.path(), "there");
        let content = store.artifacts.add(&file).unwrap();
        let path = store.artifacts.path(&content.sha256);
        let long_ago = SystemTime::now() - Duration::from_secs(1 << 20);
        File::open(&path).unwrap().set_modified(long_ago).unwrap();
        let look = |purpose| store.look(std::slice::from_ref(&content), purpose).unwrap();
        assert_eq!(look(Purpose::Take), [Presence::There]);
        assert_eq!(look(Purpose::Send), [Presence::There]);
        let since = SystemTime::now() - Duration::from_secs(3600);
        assert!(!store.artifacts.take_away(&content.sha256, since).unwrap());
        File::open(&path).unwrap().set_modified(long_ago).unwrap();
        assert!(store.artifacts.take_away(&content.sha256, since).unwrap());
        assert_eq!(look(Purpose::Send), [Presence::Absent]);
    }
}
