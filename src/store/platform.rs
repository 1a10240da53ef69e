//! What differs between systems: making files durable, their modes, telling files apart, the account.
//!
//! The one file of `store` with Unix-only calls.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// `core.sharedRepository`: the mode bits that files and folders get besides what the umask leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Sharing {
    /// The umask decides.
    #[default]
    Umask,
    /// These bits are added.
    Add(u32),
    /// These bits it is, whatever the umask.
    Exactly(u32),
}

impl Sharing {
    /// Reads the setting's value as git does.
    pub fn parse(value: &str) -> Self {
        match value.to_ascii_lowercase().as_str() {
            "umask" | "false" | "no" | "off" | "0" => Sharing::Umask,
            "" | "group" | "true" | "yes" | "on" | "1" => Sharing::Add(0o660),
            "all" | "world" | "everybody" | "2" => Sharing::Add(0o664),
            octal => match u32::from_str_radix(octal, 8) {
                // Git takes no mode that locks its owner out.
                Ok(mode) if mode & 0o600 == 0o600 => Sharing::Exactly(mode & 0o666),
                _ => Sharing::Umask,
            },
        }
    }

    /// The mode that a file or folder with `mode` gets.
    fn applied(self, mode: u32, is_dir: bool) -> u32 {
        let (mut bits, kept) = match self {
            Sharing::Umask => return mode,
            Sharing::Add(bits) => (bits, mode),
            Sharing::Exactly(bits) => (bits, mode & !0o777),
        };
        if mode & 0o200 == 0 {
            bits &= !0o222;
        }
        if mode & 0o100 != 0 {
            bits |= (bits & 0o444) >> 2;
        }
        let shared = kept | bits;
        match is_dir {
            // New files in it belong to its group.
            true => shared | ((shared & 0o444) >> 2) | 0o2000,
            false => shared,
        }
    }

    /// Gives an existing file or folder the mode it should have.
    #[cfg(unix)]
    pub fn apply(self, path: &Path) -> io::Result<()> {
        use std::os::unix::fs::PermissionsExt;
        if self == Sharing::Umask {
            return Ok(());
        }
        let metadata = std::fs::metadata(path)?;
        let mode = metadata.permissions().mode() & 0o7777;
        let wanted = self.applied(mode, metadata.is_dir());
        if wanted == mode {
            return Ok(());
        }
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(wanted))
    }

    /// Gives an existing file or folder the mode it should have; here there are none.
    #[cfg(not(unix))]
    pub fn apply(self, _path: &Path) -> io::Result<()> {
        let _ = self.applied(0o644, false);
        Ok(())
    }
}

/// A new file that nobody is to write to again once this handle is closed.
#[cfg(unix)]
pub(super) fn create_read_only(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    OpenOptions::new().write(true).create_new(true).mode(0o444).open(path)
}

/// A new file.
#[cfg(not(unix))]
pub(super) fn create_read_only(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}

/// Waits until a folder's entries are on disk.
#[cfg(unix)]
pub(super) fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Waits until a folder's entries are on disk; this system does so by itself.
#[cfg(not(unix))]
pub(super) fn sync_dir(_path: &Path) -> io::Result<()> {
    Ok(())
}

/// Waits until a file's bytes are on disk.
#[cfg(unix)]
pub(super) fn sync_file(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Waits until a file's bytes are on disk.
#[cfg(not(unix))]
pub(super) fn sync_file(path: &Path) -> io::Result<()> {
    OpenOptions::new().write(true).open(path)?.sync_all()
}

/// Whether both are names of one file.
#[cfg(unix)]
pub(super) fn is_same_file(a: &Path, b: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let of = |path| std::fs::symlink_metadata(path).map(|metadata| (metadata.dev(), metadata.ino()));
    matches!((of(a), of(b)), (Ok(a), Ok(b)) if a == b)
}

/// Whether both are names of one file; here nobody can tell.
#[cfg(not(unix))]
pub(super) fn is_same_file(_a: &Path, _b: &Path) -> bool {
    false
}

/// By what a file is told apart from the one that replaced it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp(u64, u64, i128, i128);

impl Stamp {
    /// The file's stamp; `None` if there is none.
    #[cfg(unix)]
    pub fn of(path: &Path) -> Option<Self> {
        use std::os::unix::fs::MetadataExt;
        let metadata = std::fs::metadata(path).ok()?;
        let nanoseconds = |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
        let modified = nanoseconds(metadata.mtime(), metadata.mtime_nsec());
        let changed = nanoseconds(metadata.ctime(), metadata.ctime_nsec());
        Some(Stamp(metadata.ino(), metadata.size(), modified, changed))
    }

    /// Whether the file may yet be replaced by one with the same stamp; clocks of network file systems count seconds.
    pub fn is_young(self) -> bool {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        self.2.max(self.3) + 2_000_000_000 > now.as_nanos() as i128
    }

    /// The file's stamp; `None` if there is none.
    #[cfg(not(unix))]
    pub fn of(path: &Path) -> Option<Self> {
        let metadata = std::fs::metadata(path).ok()?;
        let modified = metadata.modified().ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
        Some(Stamp(0, metadata.len(), modified.as_nanos() as i128, 0))
    }
}

impl std::fmt::Display for Stamp {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Stamp(inode, size, modified, changed) = self;
        write!(formatter, "{inode},{size},{modified},{changed}")
    }
}

/// The account's name, from the environment or the system's own list.
pub(super) fn account() -> String {
    let named = ["USER", "LOGNAME", "USERNAME"].into_iter().find_map(|name| std::env::var(name).ok());
    named.filter(|name| !name.is_empty()).or_else(account_of_system).unwrap_or_default()
}

#[cfg(unix)]
fn account_of_system() -> Option<String> {
    let id = rustix::process::getuid().as_raw().to_string();
    let list = std::fs::read_to_string("/etc/passwd").ok()?;
    let fields = list.lines().map(|line| line.split(':').collect::<Vec<_>>());
    fields.into_iter().find(|fields| fields.get(2) == Some(&id.as_str())).map(|fields| fields[0].to_owned())
}

#[cfg(not(unix))]
fn account_of_system() -> Option<String> {
    None
}

/// A path as git gave it.
#[cfg(unix)]
pub(super) fn path_of(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    PathBuf::from(std::ffi::OsStr::from_bytes(bytes))
}

/// A path as git gave it.
#[cfg(not(unix))]
pub(super) fn path_of(bytes: &[u8]) -> PathBuf {
    PathBuf::from(String::from_utf8_lossy(bytes).into_owned())
}

/// The bytes of a path, as git takes it.
#[cfg(unix)]
pub(super) fn bytes_of(path: &Path) -> Vec<u8> {
    use std::os::unix::ffi::OsStrExt;
    path.as_os_str().as_bytes().to_vec()
}

/// The bytes of a path, as git takes it.
#[cfg(not(unix))]
pub(super) fn bytes_of(path: &Path) -> Vec<u8> {
    path.to_string_lossy().replace('\\', "/").into_bytes()
}

/// Puts the program and what it will start into a group of their own, so that [`kill_group`] ends them all.
#[cfg(unix)]
pub(super) fn in_own_group(command: &mut std::process::Command) {
    std::os::unix::process::CommandExt::process_group(command, 0);
}

/// Puts the program and what it will start into a group of their own; here there are none.
#[cfg(not(unix))]
pub(super) fn in_own_group(_command: &mut std::process::Command) {}

/// Ends a program that [`in_own_group`] was started with, and all that it started.
#[cfg(unix)]
pub(super) fn kill_group(child: &mut std::process::Child) {
    if let Some(id) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process_group(id, rustix::process::Signal::KILL);
    }
    let _ = child.kill();
    let _ = child.wait();
}

/// Ends a program.
#[cfg(not(unix))]
pub(super) fn kill_group(child: &mut std::process::Child) {
    let _ = child.kill();
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use super::Sharing;

    #[test]
    fn modes_are_those_of_git() {
        assert_eq!(Sharing::parse("group").applied(0o444, false), 0o444);
        assert_eq!(Sharing::parse("group").applied(0o600, false), 0o660);
        assert_eq!(Sharing::parse("group").applied(0o755, true), 0o2775);
        assert_eq!(Sharing::parse("all").applied(0o640, false), 0o664);
        assert_eq!(Sharing::parse("0640").applied(0o444, false), 0o440);
        assert_eq!(Sharing::parse("0660").applied(0o700, true), 0o2770);
        assert_eq!(Sharing::parse("umask").applied(0o600, false), 0o600);
    }
}
