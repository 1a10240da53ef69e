//! Where the index lies: in the common git folder, or, where that can be read only or lies on a network, in the user's
//! cache folder under a hash of the common git folder's path.

use std::path::{Path, PathBuf};

use crate::run::id::sha256;

/// The file's name in the common git folder.
const NAME: &str = "index.sqlite";

/// The folder's name in the user's cache folder.
pub(super) const CACHE: &str = "git-xtrack";

/// The files of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// The database.
    pub file: PathBuf,
    /// Held by whoever writes; tells how the database stood when it was last written, by which damage is known.
    pub lock: PathBuf,
}

impl Place {
    fn of(file: PathBuf) -> Self {
        let lock = file.with_extension("lock");
        Self { file, lock }
    }

    /// The file in which a new index grows.
    pub fn growing(&self) -> PathBuf {
        self.file.with_extension("new")
    }

    /// What SQLite leaves beside it when a writer is killed.
    pub fn journal(&self) -> PathBuf {
        self.file.with_extension("sqlite-journal")
    }
}

/// Where the index of the repository may be written, and where else one may lie that can be read.
pub(super) fn places(common_dir: &Path) -> Vec<Place> {
    let home = common_dir.join("xtrack");
    let ours = Place::of(home.join(NAME));
    if is_local(common_dir) && can_write(if home.exists() { &home } else { common_dir }) {
        return vec![ours];
    }
    cached(common_dir).into_iter().chain([ours]).collect()
}

/// Wherever an index of the repository may lie, from another time too.
pub(super) fn every_place(common_dir: &Path) -> Vec<Place> {
    let ours = Place::of(common_dir.join("xtrack").join(NAME));
    cached(common_dir).into_iter().chain([ours]).collect()
}

fn cached(common_dir: &Path) -> Option<Place> {
    let digest = sha256(common_dir.as_os_str().as_encoded_bytes());
    Some(Place::of(cache_dir()?.join(CACHE).join(format!("index-{}.sqlite", &digest[..32]))))
}

/// The user's own folder for what can be made again.
fn cache_dir() -> Option<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || variable("HOME");
    match () {
        () if cfg!(windows) => variable("LOCALAPPDATA"),
        () if cfg!(target_os = "macos") => home().map(|home| home.join("Library/Caches")),
        () => variable("XDG_CACHE_HOME").or_else(|| home().map(|home| home.join(".cache"))),
    }
}

/// Whether this user may make files in the folder.
#[cfg(unix)]
fn can_write(folder: &Path) -> bool {
    use rustix::fs::{Access, AtFlags, CWD, accessat};
    accessat(CWD, folder, Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS).is_ok()
}

/// Whether this user may make files in the folder.
#[cfg(not(unix))]
fn can_write(folder: &Path) -> bool {
    std::fs::metadata(folder).is_ok_and(|metadata| !metadata.permissions().readonly())
}

/// Whether the folder lies on a disk of this machine, as far as can be told: over a network locks are slow or missing.
#[cfg(target_os = "linux")]
fn is_local(folder: &Path) -> bool {
    /// NFS, SMB (three names), AFS (two), Coda, NCP, Ceph, Lustre, GPFS, BeeGFS, OrangeFS, GlusterFS and sshfs (FUSE).
    const REMOTE: [u32; 15] = [
        0x6969,
        0x517b,
        0xff53_4d42,
        0xfe53_4d42,
        0x5346_414f,
        0x6b41_4653,
        0x7375_7245,
        0x564c,
        0x00c3_6400,
        0x0bd0_0bd0,
        0x4750_4653,
        0x1983_0326,
        0x2003_0528,
        0x0102_1997,
        0x6573_5546,
    ];
    rustix::fs::statfs(folder).map_or(true, |found| !REMOTE.contains(&(found.f_type as u32)))
}

/// Whether the folder lies on a disk of this machine; here nobody asks.
#[cfg(not(target_os = "linux"))]
fn is_local(_folder: &Path) -> bool {
    true
}
