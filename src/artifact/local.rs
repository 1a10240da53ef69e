//! The store of this clone: one read-only file for each content, durable before anything names it.
//!
//! A stored file is always a copy, never a hard link: a user who rewrites a file in place must not change what is
//! stored. Copying goes through the kernel, which shares blocks where the file system can (btrfs, XFS); the digest is
//! taken of the copy, so that it is true of what is stored whatever happens to the source meanwhile.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};

use crate::error::Problem;
use crate::run::id::hex;

/// Tells the temporary files of one process apart.
static COPIES: AtomicU32 = AtomicU32::new(0);

/// The store of artifact bytes in this clone.
#[derive(Debug, Clone)]
pub struct Artifacts {
    folder: PathBuf,
}

/// What was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The sha256 of the bytes, in lower-case hex: their name.
    pub sha256: String,
    /// How many bytes there are.
    pub size: u64,
}

impl Artifacts {
    /// The store of the repository whose common git folder is `common_dir`; nothing is created yet.
    pub fn new(common_dir: &Path) -> Self {
        Self { folder: common_dir.join("xtrack").join("objects") }
    }

    /// Stores a copy of `file`; it is durable on return.
    pub fn add(&self, file: &Path) -> Result<Stored> {
        self.store(file).with_context(|| format!("cannot store '{}'", file.display()))
    }

    /// Where the bytes with this digest lie, if they are here.
    pub fn path(&self, sha256: &str) -> PathBuf {
        self.folder.join(sha256.get(..2).unwrap_or("00")).join(sha256)
    }

    /// Opens the bytes with this digest; they are not hashed again.
    pub fn open(&self, sha256: &str) -> Result<File> {
        File::open(self.path(sha256))
            .with_context(|| format!("cannot open the artifact with sha256 '{sha256}'"))
    }

    /// Opens the bytes with this digest after hashing them again.
    pub fn open_checked(&self, sha256: &str) -> Result<File> {
        let path = self.path(sha256);
        let found =
            digest(&path).with_context(|| format!("cannot read the artifact with sha256 '{sha256}'"))?;
        match found.sha256 == sha256 {
            true => self.open(sha256),
            false => Err(Problem::new(format!("the artifact with sha256 '{sha256}' is damaged")).into()),
        }
    }

    fn store(&self, file: &Path) -> Result<Stored> {
        if !fs::metadata(file)?.is_file() {
            return Err(Problem::new("it is no regular file").into());
        }
        let mut source = File::open(file)?;
        let copy = Temporary::new(&self.folder.join("tmp"))?;
        let mut target = File::options().write(true).create_new(true).open(&copy.path)?;
        io::copy(&mut source, &mut target)?;
        let stored = digest(&copy.path)?;
        let mut permissions = target.metadata()?.permissions();
        permissions.set_readonly(true);
        target.set_permissions(permissions)?;
        target.sync_all()?;
        drop(target);
        self.place(copy, &stored)?;
        Ok(stored)
    }

    fn place(&self, copy: Temporary, stored: &Stored) -> Result<()> {
        let target = self.path(&stored.sha256);
        let parent = target.parent().expect("an object lies in a folder");
        create_folder(parent)?;
        // What lies there already is trusted only once its bytes have been looked at; a damaged one is replaced.
        if digest(&target).ok().as_ref() != Some(stored) {
            fs::rename(&copy.path, &target)?;
        }
        sync_folder(parent)?;
        Ok(())
    }
}

/// A file that goes away with this value, unless it was renamed.
struct Temporary {
    path: PathBuf,
}

impl Temporary {
    fn new(folder: &Path) -> io::Result<Self> {
        create_folder(folder)?;
        let number = COPIES.fetch_add(1, Ordering::Relaxed);
        let nanos = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |age| age.as_nanos());
        Ok(Self { path: folder.join(format!("{}-{number}-{nanos}", std::process::id())) })
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // Gone already when it was renamed.
        let _ = fs::remove_file(&self.path);
    }
}

/// The digest and size of a file's bytes.
fn digest(file: &Path) -> io::Result<Stored> {
    let mut file = File::open(file)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 256 * 1024];
    let mut size = 0;
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(Stored { sha256: hex(&hasher.finalize()), size });
        }
        hasher.update(&buffer[..read]);
        size += read as u64;
    }
}

/// Creates a folder durably: each new one is synced into its parent.
fn create_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let parent = folder.parent().unwrap_or(folder);
    create_folder(parent)?;
    match fs::create_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => sync_folder(parent),
    }
}

/// Makes the names in a folder durable; elsewhere than on Unix a folder cannot be opened for that.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::run::id::sha256;

    #[test]
    fn bytes_are_stored_once_under_their_digest_and_read_only() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("model.bin");
        fs::write(&file, b"weights").unwrap();
        let artifacts = Artifacts::new(folder.path());
        let stored = artifacts.add(&file).unwrap();
        assert_eq!(stored, Stored { sha256: sha256(b"weights"), size: 7 });
        assert_eq!(artifacts.add(&file).unwrap(), stored);
        let path = artifacts.path(&stored.sha256);
        assert!(fs::metadata(&path).unwrap().permissions().readonly());
        assert_eq!(io::read_to_string(artifacts.open(&stored.sha256).unwrap()).unwrap(), "weights");
        assert_eq!(fs::read_dir(folder.path().join("xtrack/objects/tmp")).unwrap().count(), 0);
    }

    #[test]
    fn rewriting_the_file_in_place_leaves_what_is_stored() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("model.bin");
        fs::write(&file, b"before").unwrap();
        let artifacts = Artifacts::new(folder.path());
        let stored = artifacts.add(&file).unwrap();
        fs::write(&file, b"after!").unwrap();
        assert_eq!(fs::read(artifacts.path(&stored.sha256)).unwrap(), b"before");
    }

    #[test]
    fn a_damaged_object_is_not_trusted() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("model.bin");
        fs::write(&file, b"weights").unwrap();
        let artifacts = Artifacts::new(folder.path());
        let path = artifacts.path(&sha256(b"weights"));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, b"weigh").unwrap();
        assert!(artifacts.open_checked(&sha256(b"weights")).is_err());
        artifacts.add(&file).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"weights");
        assert!(artifacts.open_checked(&sha256(b"weights")).is_ok());
    }

    #[test]
    fn folders_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Artifacts::new(folder.path()).add(folder.path()).is_err());
    }
}
