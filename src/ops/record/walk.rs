//! The files below a folder, in an order that depends on their names only.
//!
//! Knows links, cycles and what is no file; not what the files are wanted for.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Which links inside the folder are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Links {
    /// Those that stay in the folder: one that leads out would take in what nobody named.
    Inside,
    /// All of them.
    Anywhere,
}

/// What lies below a folder.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The files.
    pub files: Vec<PathBuf>,
    /// The folders with nothing in them.
    pub empty: Vec<PathBuf>,
    /// What was not taken, and why.
    pub refused: Vec<(PathBuf, String)>,
}

/// Walks `folder`, a link to one included; paths begin with `folder` as given.
pub fn walk(folder: &Path, links: Links) -> io::Result<Found> {
    let mut walk = Walk { root: fs::canonicalize(folder)?, links, found: Found::default() };
    let root = walk.root.clone();
    walk.folder(folder, &mut vec![root])?;
    Ok(walk.found)
}

struct Walk {
    root: PathBuf,
    links: Links,
    found: Found,
}

impl Walk {
    fn folder(&mut self, folder: &Path, above: &mut Vec<PathBuf>) -> io::Result<()> {
        let mut paths: Vec<PathBuf> =
            fs::read_dir(folder)?.map(|child| child.map(|child| child.path())).collect::<Result<_, _>>()?;
        paths.sort();
        if paths.is_empty() {
            self.found.empty.push(folder.to_owned());
        }
        for path in paths {
            if let Err(error) = self.child(&path, above) {
                self.found.refused.push((path, error.to_string()));
            }
        }
        Ok(())
    }

    fn child(&mut self, path: &Path, above: &mut Vec<PathBuf>) -> io::Result<()> {
        let is_link = fs::symlink_metadata(path)?.is_symlink();
        let metadata = fs::metadata(path)?;
        if !metadata.is_dir() && !metadata.is_file() {
            return Err(io::Error::other("it is a device, socket or pipe"));
        }
        if is_link && self.links == Links::Inside && !fs::canonicalize(path)?.starts_with(&self.root) {
            return Err(io::Error::other("it is a link that leads out of the folder"));
        }
        if metadata.is_file() {
            self.found.files.push(path.to_owned());
            return Ok(());
        }
        let real = fs::canonicalize(path)?;
        if above.contains(&real) {
            return Err(io::Error::other("it is a link to a folder that it lies in"));
        }
        above.push(real);
        let result = self.folder(path, above);
        above.pop();
        result
    }
}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn files_are_sorted_and_traps_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        fs::create_dir_all(root.join("b/empty")).unwrap();
        for file in ["b/2", "b/1", "a"] {
            fs::write(root.join(file), file).unwrap();
        }
        fs::write(folder.path().join("outside"), "x").unwrap();
        symlink(&root, root.join("b/loop")).unwrap();
        symlink(folder.path().join("outside"), root.join("out")).unwrap();
        symlink("b/1", root.join("within")).unwrap();
        let found = walk(&root, Links::Inside).unwrap();
        let names = |paths: &[PathBuf]| -> Vec<String> {
            paths.iter().map(|path| path.strip_prefix(&root).unwrap().display().to_string()).collect()
        };
        assert_eq!(names(&found.files), ["a", "b/1", "b/2", "within"]);
        assert_eq!(names(&found.empty), ["b/empty"]);
        let refused: Vec<_> = found.refused.iter().map(|(path, _)| path.clone()).collect();
        assert_eq!(names(&refused), ["b/loop", "out"]);
        assert_eq!(walk(&root, Links::Anywhere).unwrap().files.len(), 5);
    }
}
