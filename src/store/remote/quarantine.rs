//! A folder of our own beside the repository's objects, for git to write into what may never be kept.
//!
//! Gone when it is dropped; what a killed process left goes after a day.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::store::platform::{bytes_of, path_of};
use crate::store::{Oid, Store, random_name};

const PREFIX: &str = "tmp-";
/// When nobody can still be at work with something.
pub(in crate::store) const LEFT_OVER_AGE: Duration = Duration::from_secs(24 * 3600);

/// A temporary folder with an object folder in it.
pub(in crate::store) struct Quarantine {
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

    /// Where git writes packs.
    pub fn packs(&self) -> PathBuf {
        self.objects().join("pack")
    }

    /// Removes what a git that failed did not write to its end; how large the largest of that was.
    pub fn remove_unfinished(&self) -> u64 {
        let is_unfinished =
            |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("tmp_"));
        let unfinished: Vec<_> = files_in(&self.packs()).filter(|(path, _)| is_unfinished(path)).collect();
        unfinished.iter().for_each(|(path, _)| drop(fs::remove_file(path)));
        unfinished.into_iter().map(|(_, size)| size).max().unwrap_or(0)
    }

    /// Makes git write its objects here, and read those of the repository.
    pub fn confine(&self, git: &mut Command) {
        git.env("GIT_OBJECT_DIRECTORY", self.objects());
        git.env("GIT_ALTERNATE_OBJECT_DIRECTORIES", path_of(&self.alternates));
    }

    /// Makes the folder a repository with these refs only, the settings of the repository and its objects: whatever git
    /// does with refs in it costs by what is in it, not by what the repository holds.
    pub fn become_repository(&self, store: &Store, refs: &[(String, Oid)]) -> Result<()> {
        let hash = match store.hash_kind() {
            gix::hash::Kind::Sha1 => String::new(),
            other => format!("[extensions]\n\tobjectFormat = {other}\n"),
        };
        // Settings of the repository come first: it may have a work tree, this has none.
        let includes = [store.common_dir.join("config"), store.git_dir.join("config.worktree")];
        let mut config = b"[include]\n".to_vec();
        for include in includes {
            config.extend([b"\tpath = ", config_value(&include).as_slice(), b"\n"].concat());
        }
        config.extend(format!("[core]\n\trepositoryFormatVersion = 1\n\tbare = true\n{hash}").into_bytes());
        let mut sorted: Vec<_> = refs.iter().collect();
        sorted.sort();
        let lines: String = sorted.iter().map(|(name, tip)| format!("{tip} {name}\n")).collect();
        let packed = format!("# pack-refs with: peeled fully-peeled sorted \n{lines}");
        let write = |name: &str, bytes: &[u8]| fs::write(self.folder.join(name), bytes);
        write("HEAD", b"ref: refs/heads/none\n")
            .and_then(|()| write("config", &config))
            .and_then(|()| write("packed-refs", packed.as_bytes()))
            .and_then(|()| fs::create_dir_all(self.folder.join("refs")))
            .with_context(|| format!("cannot write to '{}'", self.folder.display()))
    }

    /// Makes git work in the folder, once it has become a repository.
    pub fn enter(&self, store: &Store, git: &mut Command) {
        git.env("GIT_DIR", &self.folder).env_remove("GIT_WORK_TREE").env_remove("GIT_COMMON_DIR");
        git.env("GIT_OBJECT_DIRECTORY", store.objects_dir());
        let shallow = store.common_dir.join("shallow");
        if shallow.exists() {
            git.env("GIT_SHALLOW_FILE", shallow);
        }
    }

    /// The same repository as it would be with what is in here.
    pub fn seen_by(&self, store: &Store) -> Result<Store> {
        let info = self.objects().join("info");
        let path = info.join("alternates");
        // Not again: others may be reading it, by stores of their own.
        if !path.exists() {
            let list = [bytes_of(&store.objects_dir()).as_slice(), b"\n"].concat();
            fs::create_dir_all(&info)
                .and_then(|()| fs::write(path, list))
                .with_context(|| format!("cannot write to '{}'", info.display()))?;
        }
        store.with_objects(&self.objects())
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
    in_quotes(&bytes)
}

/// A path as the value of a setting.
fn config_value(path: &Path) -> Vec<u8> {
    in_quotes(&bytes_of(path))
}

fn in_quotes(bytes: &[u8]) -> Vec<u8> {
    let escape = |byte: &u8| match byte {
        b'"' => b"\\\"".to_vec(),
        b'\\' => b"\\\\".to_vec(),
        b'\n' => b"\\n".to_vec(),
        other => vec![*other],
    };
    let inner: Vec<u8> = bytes.iter().flat_map(escape).collect();
    [b"\"", inner.as_slice(), b"\""].concat()
}

/// The files in a folder, with their sizes.
pub(in crate::store) fn files_in(folder: &Path) -> impl Iterator<Item = (PathBuf, u64)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| Some((entry.path(), entry.metadata().ok()?.len())))
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
