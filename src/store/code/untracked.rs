//! Which untracked files a snapshot takes: text that is small, not too much of it, and no secrets.
//!
//! Never walks a folder that is huge or an environment of Python.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result};

use crate::store::code::secrets::Secrets;
use crate::store::platform::{bytes_of, path_of};
use crate::store::{SnapshotLimits, Store, output_of};

/// How many entries of an untracked folder are looked at.
const FOLDER_MAX: usize = 1_000;
/// How many entries of all untracked folders together.
const FOLDERS_MAX: usize = 5_000;
/// How many files are looked into before the rest is left out.
const FILES_SEEN_MAX: usize = 2_000;
/// How many bytes at the beginning of a file decide whether it is text; git looks at as many.
const LOOKED_AT: u64 = 8_000;

/// A path, why it is left out, its size.
pub(in crate::store) type Left = (Vec<u8>, String, Option<u64>);

/// What is taken and what is not; paths from the top, in order.
#[derive(Debug, Default)]
pub(in crate::store) struct Untracked {
    /// What the snapshot takes.
    pub taken: Vec<Vec<u8>>,
    /// What it does not.
    pub left_out: Vec<Left>,
}

/// What a look into a folder found.
enum Folder {
    /// Small enough to list, but for these folders below it.
    Small { except: Vec<Vec<u8>> },
    /// Nothing of it is to be listed.
    LeftOut(&'static str),
}

impl Store {
    /// Chooses among what `git status` calls untracked.
    pub(in crate::store) fn choose_untracked(
        &self,
        top: &Path,
        found: &[Vec<u8>],
        limits: &SnapshotLimits,
        secrets: &Secrets,
    ) -> Result<Untracked> {
        let mut untracked = Untracked::default();
        if !limits.untracked {
            let reason = format!("untracked files are not taken ({})", counted(found.len()));
            untracked.left_out.extend((!found.is_empty()).then(|| (b"./".to_vec(), reason, None)));
            return Ok(untracked);
        }
        let (folders, mut files): (Vec<&Vec<u8>>, Vec<Vec<u8>>) = {
            let folders = found.iter().filter(|path| path.ends_with(b"/")).collect();
            (folders, found.iter().filter(|path| !path.ends_with(b"/")).cloned().collect())
        };
        let (mut listed, mut except, mut seen) = (Vec::new(), Vec::new(), 0);
        for folder in folders {
            if secrets.has(folder) {
                untracked.left_out.push((folder.clone(), "looks like a secret".to_owned(), None));
                continue;
            }
            match look_into(top, folder, &mut seen) {
                Folder::LeftOut(reason) => untracked.left_out.push((folder.clone(), reason.to_owned(), None)),
                Folder::Small { except: more } => {
                    listed.push(folder.clone());
                    let python = more.iter().map(|path| (path.clone(), PYTHON.to_owned(), None));
                    untracked.left_out.extend(python);
                    except.extend(more);
                }
            }
        }
        files.extend(self.files_below(&listed, &except)?);
        files.sort();
        files.dedup();
        choose(top, files, limits, secrets, &mut untracked);
        Ok(untracked)
    }

    /// The untracked files in the folders that are not ignored; a repository in them is listed as a folder.
    fn files_below(&self, folders: &[Vec<u8>], except: &[Vec<u8>]) -> Result<Vec<Vec<u8>>> {
        let mut files = Vec::new();
        // Chunks, for a command line has its limit.
        for folders in folders.chunks(200) {
            let mut git = self.git();
            git.args(["--literal-pathspecs", "ls-files", "-z", "--others", "--exclude-standard"]);
            for path in except {
                git.arg("--exclude").arg(path_of(&pattern_of(path)));
            }
            git.arg("--").args(folders.iter().map(|folder| path_of(folder)));
            let listed = output_of(&mut git).context("cannot list the untracked files")?;
            files.extend(listed.split(|byte| *byte == 0).filter(|path| !path.is_empty()).map(<[u8]>::to_vec));
        }
        Ok(files)
    }
}

const PYTHON: &str = "a Python environment";

fn choose(
    top: &Path,
    files: Vec<Vec<u8>>,
    limits: &SnapshotLimits,
    secrets: &Secrets,
    untracked: &mut Untracked,
) {
    let mut total = 0;
    for (seen, path) in files.into_iter().enumerate() {
        let is_full = untracked.taken.len() >= limits.files_max || seen >= FILES_SEEN_MAX;
        match judge(top, &path, limits, secrets, is_full) {
            Ok(size) if total + size > limits.total_max => {
                let reason = format!("over {} of untracked files together", bytes(limits.total_max));
                untracked.left_out.push((path, reason, Some(size)));
            }
            Ok(size) => {
                total += size;
                untracked.taken.push(path);
            }
            Err((reason, size)) => untracked.left_out.push((path, reason, size)),
        }
    }
}

/// The file's size if it is taken, else why not.
fn judge(
    top: &Path,
    path: &[u8],
    limits: &SnapshotLimits,
    secrets: &Secrets,
    is_full: bool,
) -> Result<u64, (String, Option<u64>)> {
    if path.ends_with(b"/") {
        return Err(("a repository of its own".to_owned(), None));
    }
    let file = top.join(path_of(path));
    let metadata = fs::symlink_metadata(&file).map_err(|error| (format!("cannot be read: {error}"), None))?;
    let size = Some(metadata.len()).filter(|_| metadata.is_file());
    if secrets.has(path) {
        return Err(("looks like a secret".to_owned(), size));
    }
    if is_full {
        return Err((format!("over {} untracked files", limits.files_max), size));
    }
    if metadata.is_symlink() {
        return Ok(metadata.len());
    }
    if !metadata.is_file() {
        return Err(("not a regular file".to_owned(), None));
    }
    if metadata.len() > limits.file_max {
        return Err((format!("larger than {}", bytes(limits.file_max)), size));
    }
    match is_binary(&file) {
        Ok(false) => Ok(metadata.len()),
        Ok(true) => Err(("looks binary".to_owned(), size)),
        Err(error) => Err((format!("cannot be read: {error}"), size)),
    }
}

fn is_binary(file: &Path) -> std::io::Result<bool> {
    let mut begin = Vec::new();
    File::open(file)?.take(LOOKED_AT).read_to_end(&mut begin)?;
    Ok(begin.contains(&0))
}

/// Counts what is in a folder, breadth first, until it is too much.
fn look_into(top: &Path, folder: &[u8], seen: &mut usize) -> Folder {
    let mut except = Vec::new();
    let mut open = VecDeque::from([top.join(path_of(folder))]);
    let mut here = 0;
    if open[0].join("pyvenv.cfg").exists() {
        return Folder::LeftOut(PYTHON);
    }
    while let Some(next) = open.pop_front() {
        for entry in fs::read_dir(&next).into_iter().flatten().flatten() {
            here += 1;
            *seen += 1;
            if here > FOLDER_MAX {
                return Folder::LeftOut("over 1000 entries, not looked at");
            }
            if *seen > FOLDERS_MAX {
                return Folder::LeftOut("too many untracked folders, not looked at");
            }
            if !entry.file_type().is_ok_and(|kind| kind.is_dir()) || entry.file_name() == ".git" {
                continue;
            }
            match entry.path().join("pyvenv.cfg").exists() {
                true => except.push([below(top, &entry.path()), b"/".to_vec()].concat()),
                false => open.push_back(entry.path()),
            }
        }
    }
    Folder::Small { except }
}

fn below(top: &Path, path: &Path) -> Vec<u8> {
    bytes_of(path.strip_prefix(top).unwrap_or(path))
}

/// A pattern that ignores exactly this folder.
fn pattern_of(folder: &[u8]) -> Vec<u8> {
    let mut pattern = vec![b'/'];
    for byte in folder {
        if b"\\*?[ !#".contains(byte) {
            pattern.push(b'\\');
        }
        pattern.push(*byte);
    }
    pattern
}

/// A limit as people write it.
pub(in crate::store) fn bytes(limit: u64) -> String {
    match limit {
        0..1024 => format!("{limit} bytes"),
        1024..1_048_576 => format!("{} KiB", limit / 1024),
        _ => format!("{} MiB", limit / 1_048_576),
    }
}

fn counted(count: usize) -> String {
    if count == 1 { "1 entry".to_owned() } else { format!("{count} entries") }
}
