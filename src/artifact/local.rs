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

use crate::artifact::content::{Content, Tally, damaged};
use crate::artifact::sweep::touch;
use crate::error::Problem;

/// How much is copied at a time.
const PART: u64 = 64 << 20;

/// Tells the temporary files of one process apart.
static COPIES: AtomicU32 = AtomicU32::new(0);

/// The store of artifact bytes in this clone.
#[derive(Debug, Clone)]
pub struct Artifacts {
    folder: PathBuf,
}

/// How the bytes of a name lie here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// All of them, as they were stored.
    Whole,
    /// None.
    Absent,
    /// Others than the name says.
    Damaged,
}

impl Artifacts {
    /// The store of the repository whose common git folder is `common_dir`; nothing is created yet.
    pub fn new(common_dir: &Path) -> Self {
        Self::at(&common_dir.join("xtrack").join("objects"))
    }

    /// A store in this folder, which is made when something is stored.
    pub fn at(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// The folder in which it lies.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether that folder is this one, whatever it is called: what is taken away here is gone there.
    pub fn is_at(&self, folder: &Path) -> bool {
        identity(&self.folder).is_some_and(|own| identity(folder) == Some(own))
    }

    /// Stores a copy of `file`; it is durable on return.
    pub fn add(&self, file: &Path) -> Result<Content> {
        self.store(file, None, &Tally::default())
            .with_context(|| format!("cannot store '{}'", file.display()))
    }

    /// Stores a copy of `file`, whose bytes must have this name.
    pub fn add_known(&self, file: &Path, content: &Content, tally: &Tally) -> Result<()> {
        self.store(file, Some(content), tally).map(drop)
    }

    /// Where the bytes with this digest lie, if they are here.
    pub fn path(&self, sha256: &str) -> PathBuf {
        self.folder.join(sha256.get(..2).unwrap_or("00")).join(sha256)
    }

    /// Whether a file of the right name and size is here; its bytes are not looked at.
    pub fn has(&self, content: &Content) -> bool {
        let found = fs::symlink_metadata(self.path(&content.sha256));
        found.is_ok_and(|file| file.is_file() && file.len() == content.size)
    }

    /// The same, for who is about to name them: from now on they count as stored just now.
    pub fn has_for_use(&self, content: &Content) -> bool {
        let is_gone =
            |touched: io::Result<()>| touched.is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
        self.has(content) && !is_gone(touch(&self.path(&content.sha256)))
    }

    /// How the bytes lie here, all of them looked at.
    pub fn standing(&self, content: &Content) -> io::Result<Standing> {
        match Content::of(&self.path(&content.sha256)) {
            Ok(found) if found == *content => Ok(Standing::Whole),
            Ok(_) => Ok(Standing::Damaged),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Standing::Absent),
            Err(error) => Err(error),
        }
    }

    /// Takes the bytes away.
    pub fn remove(&self, sha256: &str) -> Result<()> {
        let path = self.path(sha256);
        fs::remove_file(&path).with_context(|| format!("cannot remove '{}'", path.display()))
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
            Content::of(&path).with_context(|| format!("cannot read the artifact with sha256 '{sha256}'"))?;
        match found.sha256 == sha256 {
            true => self.open(sha256),
            false => Err(Problem::new(format!("the artifact with sha256 '{sha256}' is damaged")).into()),
        }
    }

    fn store(&self, file: &Path, expected: Option<&Content>, tally: &Tally) -> Result<Content> {
        if !fs::metadata(file)?.is_file() {
            return Err(Problem::new("it is no regular file").into());
        }
        let mut source = File::open(file)?;
        let copy = Temporary::new(&self.temporary_folder())?;
        let mut target = File::options().write(true).create_new(true).open(&copy.path)?;
        // In parts that are worth telling of; the kernel copies each, or shares its blocks.
        let mut copied = 0;
        loop {
            let part = io::copy(&mut (&mut source).take(PART), &mut target)?;
            copied += part;
            tally.add(part);
            if part == 0 {
                break;
            }
        }
        let stored = Content::of(&copy.path)?;
        if expected.is_some_and(|expected| *expected != stored) {
            tally.take_back(copied);
            return Err(damaged().into());
        }
        self.make_durable(&target)?;
        drop(target);
        self.place(&copy.path, &stored)?;
        Ok(stored)
    }

    /// Makes the bytes durable, and nobody's to change; whoever may write to the folder may read them.
    pub(super) fn make_durable(&self, file: &File) -> io::Result<()> {
        let mut permissions = file.metadata()?.permissions();
        permissions.set_readonly(true);
        share_reading(&mut permissions, &self.folder);
        // A disk that knows no such thing keeps bytes all the same.
        let _ = file.set_permissions(permissions);
        file.sync_all()
    }

    /// Where files lie that are not whole yet.
    pub fn temporary_folder(&self) -> PathBuf {
        self.folder.join("tmp")
    }

    /// Gives a whole file its name.
    pub(super) fn place(&self, file: &Path, stored: &Content) -> Result<()> {
        let target = self.path(&stored.sha256);
        let parent = target.parent().expect("an object lies in a folder");
        create_folder(parent)?;
        // What lies there already is trusted only once its bytes have been looked at; damaged ones make room.
        // Who collects what nobody names spares what was touched since; what it took at this very moment, and what is another
        // user's, is stored anew.
        if self.set_aside(stored)?.is_some() || touch(&target).is_err() {
            fs::rename(file, &target)?;
        }
        sync_folder(parent)?;
        Ok(())
    }
}

/// What tells a folder from all others, however it is reached.
#[cfg(unix)]
pub(super) fn identity(folder: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata(folder).ok().map(|found| (found.dev(), found.ino()))
}

/// What tells a folder from all others, however it is reached.
#[cfg(not(unix))]
pub(super) fn identity(folder: &Path) -> Option<PathBuf> {
    folder.canonicalize().ok()
}

/// Whether an open file is still the one of that name.
#[cfg(unix)]
pub(super) fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let key = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    file.metadata().map(key).ok() == fs::symlink_metadata(path).map(key).ok()
}

/// Whether an open file is still the one of that name.
#[cfg(not(unix))]
pub(super) fn is_at(_: &File, path: &Path) -> bool {
    path.exists()
}

/// Where others may write, they may read: that is what the folder is for, whatever the mask of who stores something there.
#[cfg(unix)]
fn share_reading(permissions: &mut fs::Permissions, folder: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    if let Some(shared) = shared_mode(folder) {
        permissions.set_mode(permissions.mode() | (shared & 0o444));
    }
}

#[cfg(not(unix))]
fn share_reading(_: &mut fs::Permissions, _: &Path) {}

/// The mode of a folder that others than its owner may write to.
#[cfg(unix)]
fn shared_mode(folder: &Path) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = fs::metadata(folder).ok()?.permissions().mode() & 0o7777;
    (mode & 0o022 != 0).then_some(mode)
}

/// Lets others write to a new folder who may write to the one above it.
#[cfg(unix)]
fn share_writing(parent: &Path, folder: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    if let Some(shared) = shared_mode(parent) {
        // A disk that knows no modes lets everybody write, or nobody.
        let _ = fs::set_permissions(folder, fs::Permissions::from_mode(shared));
    }
}

#[cfg(not(unix))]
fn share_writing(_: &Path, _: &Path) {}

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

/// Creates a folder durably: each new one is synced into its parent, and open to those to whom that is.
pub(super) fn create_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let parent = folder.parent().unwrap_or(folder);
    create_folder(parent)?;
    match fs::create_dir(folder) {
        Ok(()) => share_writing(parent, folder),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    sync_folder(parent)
}

/// Makes the names in a folder durable; elsewhere than on Unix a folder cannot be opened for that.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if !cfg!(unix) {
        return Ok(());
    }
    match File::open(folder)?.sync_all() {
        // Some network disks have no such thing for folders.
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => {
            Ok(())
        }
        synced => synced,
    }
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
        assert_eq!(stored, Content { sha256: sha256(b"weights"), size: 7 });
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
        // Somebody may want them all the same.
        let aside = artifacts.temporary_folder().join(format!("damaged-{}", sha256(b"weights")));
        assert_eq!(fs::read(aside).unwrap(), b"weigh");
    }

    #[cfg(unix)]
    #[test]
    fn where_others_may_write_they_may_read_and_go_on_writing() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let (file, store) = (folder.path().join("model.bin"), folder.path().join("store"));
        fs::write(&file, b"weights").unwrap();
        fs::create_dir(&store).unwrap();
        fs::set_permissions(&store, fs::Permissions::from_mode(0o2777)).unwrap();
        let artifacts = Artifacts::at(&store);
        let path = artifacts.path(&artifacts.add(&file).unwrap().sha256);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode(path.parent().unwrap()), 0o2777);
        assert_eq!(mode(&artifacts.temporary_folder()), 0o2777);
        assert_eq!(mode(&path), 0o444);
    }

    #[test]
    fn folders_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Artifacts::new(folder.path()).add(folder.path()).is_err());
    }
}
