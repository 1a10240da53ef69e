//! A folder of our own beside the repository's objects, for git to write into what may never be kept.
//!
//! Gone when it is dropped; what a killed process left goes after a day.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::store::platform::{bytes_of, path_of};
use crate::store::{Store, random_name};

const PREFIX: &str = "tmp-";
const LEFT_OVER_AGE: Duration = Duration::from_secs(24 * 3600);

/// A temporary folder with an object folder in it.
pub(super) struct Quarantine {
    folder: PathBuf,
    alternates: Vec<u8>,
}

impl Quarantine {
    /// An empty one.
    pub fn new(store: &Store) -> Result<Self> {
        let state = store.state_dir();
        remove_left_over(&state);
        let folder = state.join(format!("{PREFIX}{}", random_name()?));
        let new = Self { folder, alternates: alternates(store) };
        fs::create_dir_all(new.objects())
            .with_context(|| format!("cannot make '{}'", new.folder.display()))?;
        let _ = store.sharing.apply(&state);
        Ok(new)
    }

    /// The temporary folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where git writes objects.
    pub fn objects(&self) -> PathBuf {
        self.folder.join("objects")
    }

    /// Makes git write its objects here, and read those of the repository.
    pub fn confine(&self, git: &mut Command) {
        git.env("GIT_OBJECT_DIRECTORY", self.objects());
        git.env("GIT_ALTERNATE_OBJECT_DIRECTORIES", path_of(&self.alternates));
    }
}

impl Drop for Quarantine {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The repository's object folder, and those that the environment adds, as git wants the list.
fn alternates(store: &Store) -> Vec<u8> {
    let mut list = quoted(&store.objects_dir());
    if let Some(more) = std::env::var_os("GIT_ALTERNATE_OBJECT_DIRECTORIES") {
        list.push(if cfg!(windows) { b';' } else { b':' });
        list.extend(bytes_of(Path::new(&more)));
    }
    list
}

fn quoted(path: &Path) -> Vec<u8> {
    let bytes = bytes_of(path);
    if !bytes.iter().any(|byte| b"\":;\n".contains(byte)) {
        return bytes;
    }
    let escape = |byte: &u8| match byte {
        b'"' => b"\\\"".to_vec(),
        b'\\' => b"\\\\".to_vec(),
        b'\n' => b"\\n".to_vec(),
        other => vec![*other],
    };
    let inner: Vec<u8> = bytes.iter().flat_map(escape).collect();
    [b"\"", inner.as_slice(), b"\""].concat()
}

fn remove_left_over(state: &Path) {
    for entry in fs::read_dir(state).into_iter().flatten().flatten() {
        let is_ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
        let age = entry.metadata().ok().and_then(|metadata| metadata.modified().ok()?.elapsed().ok());
        if is_ours && age.is_some_and(|age| age > LEFT_OVER_AGE) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
