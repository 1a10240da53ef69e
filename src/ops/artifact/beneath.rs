//! Files written below a folder and nowhere else, whoever changes that folder meanwhile.
//!
//! Each folder on the way is opened from the one above it and no link is followed; a file appears whole, by one step, and
//! takes nobody's place unless that was asked for.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, Mode, OFlags};

/// An opened folder.
pub struct Folder {
    handle: OwnedFd,
}

impl Folder {
    /// Opens the folder that the user named, which is made if it is not there; links in its own path are the user's.
    pub fn open(path: &Path) -> io::Result<Self> {
        fs::create_dir_all(path)?;
        let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
        Ok(Self { handle: rustix::fs::open(path, flags, Mode::empty())? })
    }

    /// Writes a file below it, with the folders that it needs; `write` fills it.
    pub fn write(
        &self,
        parts: &[String],
        replace: bool,
        write: impl FnOnce(&mut File) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let (name, folders) = parts.split_last().ok_or_else(|| io::Error::other("it has no name"))?;
        let mut folder = self.handle.try_clone()?;
        for part in folders {
            folder = below(&folder, part)?;
        }
        if !replace && exists(&folder, name) {
            return Err(io::Error::from(io::ErrorKind::AlreadyExists).into());
        }
        let temporary = Temporary::new(&folder, name)?;
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::RDWR | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&folder, &temporary.name, flags, Mode::from_raw_mode(0o666))?;
        let mut file = File::from(file);
        write(&mut file)?;
        drop(file);
        match replace {
            true => rustix::fs::renameat(&folder, &temporary.name, &folder, name)?,
            false => place(&folder, &temporary.name, name)?,
        }
        Ok(())
    }
}

/// Gives a file its name if nothing has that name.
fn place(folder: &OwnedFd, temporary: &str, name: &str) -> io::Result<()> {
    match rustix::fs::linkat(folder, temporary, folder, name, AtFlags::empty()) {
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::EXIST) => Err(io::ErrorKind::AlreadyExists.into()),
        // A file system without hard links.
        Err(_) if !exists(folder, name) => Ok(rustix::fs::renameat(folder, temporary, folder, name)?),
        Err(_) => Err(io::ErrorKind::AlreadyExists.into()),
    }
}

/// Whether something has that name, a link that leads nowhere too.
fn exists(folder: &OwnedFd, name: &str) -> bool {
    rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).is_ok()
}

/// Opens a folder in a folder, which is made if it is not there.
fn below(folder: &OwnedFd, name: &str) -> io::Result<OwnedFd> {
    match rustix::fs::mkdirat(folder, name, Mode::from_raw_mode(0o777)) {
        Ok(()) | Err(rustix::io::Errno::EXIST) => {}
        Err(error) => return Err(error.into()),
    }
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::RDONLY | OFlags::CLOEXEC;
    rustix::fs::openat(folder, name, flags, Mode::empty()).map_err(|error| match error {
        rustix::io::Errno::LOOP | rustix::io::Errno::NOTDIR => {
            io::Error::other(format!("'{name}' in that folder is a link or a file, and is not followed"))
        }
        error => error.into(),
    })
}

/// A name for a file that is not whole yet; what is left of it goes with this value.
struct Temporary {
    folder: OwnedFd,
    name: String,
}

impl Temporary {
    fn new(folder: &OwnedFd, name: &str) -> io::Result<Self> {
        let mut random = [0; 4];
        getrandom::fill(&mut random).map_err(|error| io::Error::other(error.to_string()))?;
        let short: String = name.chars().take(20).collect();
        let name = format!(".{short}.xtrack-{:08x}", u32::from_le_bytes(random));
        Ok(Self { folder: folder.as_fd().try_clone_to_owned()?, name })
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // Gone already when it was renamed.
        let _ = rustix::fs::unlinkat(&self.folder, &self.name, AtFlags::empty());
    }
}

/// The path that parts make below a folder, to be shown.
pub fn path(folder: &Path, parts: &[String]) -> PathBuf {
    parts.iter().fold(folder.to_owned(), |path, part| path.join(part))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn parts(path: &str) -> Vec<String> {
        path.split('/').map(str::to_owned).collect()
    }

    fn put(folder: &Folder, path: &str, text: &str, replace: bool) -> anyhow::Result<()> {
        folder.write(&parts(path), replace, |file| Ok(file.write_all(text.as_bytes())?))
    }

    #[test]
    fn files_appear_below_and_take_nobodys_place() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::open(&place.path().join("new")).unwrap();
        put(&folder, "a/b/c.txt", "one", false).unwrap();
        assert!(put(&folder, "a/b/c.txt", "two", false).is_err());
        let path = place.path().join("new/a/b/c.txt");
        assert_eq!(fs::read_to_string(&path).unwrap(), "one");
        put(&folder, "a/b/c.txt", "two", true).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
        assert!(put(&folder, "a/b", "x", true).is_err());
        assert!(put(&folder, "a/b/c.txt/d", "x", false).is_err());
        let failed = folder.write(&parts("a/d"), false, |file| {
            file.write_all(b"half")?;
            anyhow::bail!("broken off")
        });
        assert!(failed.is_err());
        assert_eq!(fs::read_dir(place.path().join("new/a")).unwrap().count(), 1);
        assert_eq!(fs::read_dir(place.path().join("new/a/b")).unwrap().count(), 1);
    }

    #[test]
    fn links_are_not_followed() {
        let place = tempfile::tempdir().unwrap();
        let outside = place.path().join("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("file"), "theirs").unwrap();
        let folder = Folder::open(&place.path().join("in")).unwrap();
        std::os::unix::fs::symlink(&outside, place.path().join("in/link")).unwrap();
        std::os::unix::fs::symlink(outside.join("file"), place.path().join("in/file")).unwrap();
        std::os::unix::fs::symlink(outside.join("new"), place.path().join("in/nowhere")).unwrap();
        assert!(put(&folder, "link/x", "x", true).is_err());
        assert!(put(&folder, "file", "x", false).is_err());
        assert!(put(&folder, "nowhere", "x", false).is_err());
        // With --force the link is replaced, not what it leads to.
        put(&folder, "file", "x", true).unwrap();
        assert_eq!(fs::read_to_string(outside.join("file")).unwrap(), "theirs");
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
    }
}
