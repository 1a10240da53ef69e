//! Where things lie: paths as typed, turned into paths from the top of the work tree.
//!
//! Knows folders; not what lies in them.

use std::ffi::OsStr;
use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::run::value::Value;
use crate::tracker::Tracker;

/// The folders that paths are meant from.
#[derive(Debug, Clone)]
pub struct Places {
    /// Where the user is: paths on the command line are meant from here.
    pub here: PathBuf,
    /// The top of the work tree, or `here` where there is none: paths in the settings are meant from there.
    pub top: PathBuf,
}

impl Places {
    /// Those of an opened repository.
    pub fn of(tracker: &Tracker) -> Self {
        let real = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let here = real(tracker.directory());
        let top = tracker.store.work_tree().map_or_else(|| here.clone(), real);
        Self { here, top }
    }

    /// The path as records name it: from the top if it lies below it, else whole.
    pub fn name(&self, path: &Path) -> Value {
        let path = normalised(path);
        text_or_bytes(path.strip_prefix(&self.top).unwrap_or(&path).as_os_str())
    }

    /// The same, to be shown.
    pub fn shown(&self, path: &Path) -> String {
        let path = normalised(path);
        path.strip_prefix(&self.top).unwrap_or(&path).display().to_string()
    }

    /// Where the user is, from the top, `.` there; nothing if it is elsewhere.
    pub fn cwd(&self) -> Option<Value> {
        let below = self.here.strip_prefix(&self.top).ok()?.as_os_str();
        Some(if below.is_empty() { ".".into() } else { text_or_bytes(below) })
    }
}

/// Text, or the bytes if they are no UTF-8.
pub fn text_or_bytes(text: &OsStr) -> Value {
    match text.to_str() {
        Some(text) => text.into(),
        None => Value::Bytes(text.as_encoded_bytes().to_vec()),
    }
}

/// The path without `.` and `..`; links are not looked at.
pub fn normalised(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                normal.pop();
            }
            other => normal.push(other),
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_named_from_the_top() {
        let places = Places { here: "/repo/sub".into(), top: "/repo".into() };
        assert_eq!(places.name(Path::new("/repo/sub/../a/./b")), Value::from("a/b"));
        assert_eq!(places.name(Path::new("/else/b")), Value::from("/else/b"));
        assert_eq!(places.cwd(), Some("sub".into()));
        assert_eq!(Places { here: "/repo".into(), top: "/repo".into() }.cwd(), Some(".".into()));
        assert_eq!(Places { here: "/x".into(), top: "/repo".into() }.cwd(), None);
    }
}
