//! The Python client, carried in the program: laid out on first use, so that a recorded script imports it uninstalled.
//!
//! Knows files and their digest; not what the client does.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::journal::name::random_name;
use crate::run::id::{hex, sha256};

/// The package, a row a file.
const FILES: &[(&str, &str)] = &[
    ("xtrack/__init__.py", include_str!("../../python/xtrack/__init__.py")),
    ("xtrack/_begin.py", include_str!("../../python/xtrack/_begin.py")),
    ("xtrack/_callback.py", include_str!("../../python/xtrack/_callback.py")),
    ("xtrack/_config.py", include_str!("../../python/xtrack/_config.py")),
    ("xtrack/_exit.py", include_str!("../../python/xtrack/_exit.py")),
    ("xtrack/_git.py", include_str!("../../python/xtrack/_git.py")),
    ("xtrack/_ids.py", include_str!("../../python/xtrack/_ids.py")),
    ("xtrack/_journal.py", include_str!("../../python/xtrack/_journal.py")),
    ("xtrack/_loading.py", include_str!("../../python/xtrack/_loading.py")),
    ("xtrack/_media.py", include_str!("../../python/xtrack/_media.py")),
    ("xtrack/_notebook.py", include_str!("../../python/xtrack/_notebook.py")),
    ("xtrack/_process.py", include_str!("../../python/xtrack/_process.py")),
    ("xtrack/_read.py", include_str!("../../python/xtrack/_read.py")),
    ("xtrack/_run.py", include_str!("../../python/xtrack/_run.py")),
    ("xtrack/_say.py", include_str!("../../python/xtrack/_say.py")),
    ("xtrack/_things.py", include_str!("../../python/xtrack/_things.py")),
    ("xtrack/_track.py", include_str!("../../python/xtrack/_track.py")),
    ("xtrack/_values.py", include_str!("../../python/xtrack/_values.py")),
    ("xtrack/_version.py", include_str!("../../python/xtrack/_version.py")),
    ("xtrack/huggingface.py", include_str!("../../python/xtrack/huggingface.py")),
    ("xtrack/keras.py", include_str!("../../python/xtrack/keras.py")),
    ("xtrack/lightgbm.py", include_str!("../../python/xtrack/lightgbm.py")),
    ("xtrack/lightning.py", include_str!("../../python/xtrack/lightning.py")),
    ("xtrack/optuna.py", include_str!("../../python/xtrack/optuna.py")),
    ("xtrack/py.typed", include_str!("../../python/xtrack/py.typed")),
    ("xtrack/sklearn.py", include_str!("../../python/xtrack/sklearn.py")),
    ("xtrack/xgboost.py", include_str!("../../python/xtrack/xgboost.py")),
];

/// The folder to put first on `PYTHONPATH`: `<state>/python/<digest>`, made on first use. It holds the package and nothing
/// else. Folders of other versions stay: a process that began with one may still load from it.
pub fn client(state_dir: &Path) -> Result<PathBuf> {
    let base = state_dir.join("python");
    let folder = base.join(&digest()[..16]);
    // It appears by one rename, whole and durable: the last file stands for all.
    if !folder.join("xtrack/py.typed").exists() {
        lay_out(&base, &folder)
            .with_context(|| format!("cannot write the Python client to '{}'", folder.display()))?;
    }
    Ok(folder)
}

/// The client in a folder that goes with this: where the repository has no place for it, a script that imports it is to
/// run all the same.
pub struct Fleeting {
    /// The folder to put first on `PYTHONPATH`.
    pub folder: PathBuf,
    above: PathBuf,
}

impl Fleeting {
    /// Lays it out in a new folder for temporary files.
    pub fn new() -> Result<Self> {
        let mut random = [0; 8];
        getrandom::fill(&mut random)?;
        let above = std::env::temp_dir().join(format!("xtrack-{}", hex(&random)));
        let cannot = || format!("cannot write the Python client to '{}'", above.display());
        make_private(&above).with_context(cannot)?;
        let fleeting = Self { folder: above.join("python"), above };
        write(&fleeting.folder)
            .with_context(|| format!("cannot write the Python client to '{}'", fleeting.folder.display()))?;
        Ok(fleeting)
    }
}

impl Drop for Fleeting {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.above);
    }
}

/// A new folder that nobody else can put a module into.
fn make_private(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Digests the names and bytes of all files.
fn digest() -> String {
    let parts = FILES
        .iter()
        .flat_map(|(name, text)| [name.len().to_string(), (*name).to_owned(), sha256(text.as_bytes())]);
    sha256(parts.collect::<Vec<_>>().join("\n").as_bytes())
}

/// Writes everything beside the folder, then renames it there. Who loses a race against another process has what it
/// wanted all the same.
fn lay_out(base: &Path, folder: &Path) -> Result<()> {
    let temporary = base.join(format!(".new-{}", random_name()?));
    let written = write(&temporary).and_then(|()| fs::rename(&temporary, folder));
    if written.is_err() {
        // The error that matters is the one above.
        let _ = fs::remove_dir_all(&temporary);
    }
    match written {
        Err(_) if folder.join("xtrack/py.typed").exists() => Ok(()),
        written => Ok(written?),
    }
}

fn write(folder: &Path) -> io::Result<()> {
    let package = folder.join("xtrack");
    fs::create_dir_all(&package)?;
    for (name, text) in FILES {
        let mut file = File::options().write(true).create_new(true).open(folder.join(name))?;
        file.write_all(text.as_bytes())?;
        // Once per version. Files that a power cut left empty would be imported for ever.
        file.sync_all()?;
    }
    File::open(&package)?.sync_all()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_package_has_a_row() {
        let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/python/xtrack");
        let files = fs::read_dir(package).unwrap().map(|entry| entry.unwrap());
        let files = files.filter(|entry| entry.file_type().unwrap().is_file());
        let mut names: Vec<_> =
            files.map(|entry| format!("xtrack/{}", entry.file_name().to_str().unwrap())).collect();
        names.sort();
        let rows: Vec<_> = FILES.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(rows, names, "FILES of src/ops/record/python.rs, in this order");
    }

    #[test]
    fn the_client_is_laid_out_once() {
        let state = tempfile::tempdir().unwrap();
        let folder = client(state.path()).unwrap();
        for (name, text) in FILES {
            assert_eq!(fs::read_to_string(folder.join(name)).unwrap(), *text);
        }
        fs::write(folder.join("xtrack/_run.py"), "").unwrap();
        assert_eq!(client(state.path()).unwrap(), folder);
        assert_eq!(fs::read_to_string(folder.join("xtrack/_run.py")).unwrap(), "", "it is not written again");
        let beside: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(beside, ["xtrack"]);
    }

    #[test]
    fn many_may_lay_it_out_at_once() {
        let state = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| client(state.path()).unwrap())).collect();
            let folders: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
            assert!(folders.windows(2).all(|pair| pair[0] == pair[1]));
        });
        let left: Vec<_> = fs::read_dir(state.path().join("python")).unwrap().collect();
        assert_eq!(left.len(), 1, "{left:?}");
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_an_error() {
        let state = tempfile::tempdir().unwrap();
        fs::write(state.path().join("python"), "a file").unwrap();
        assert!(client(state.path()).unwrap_err().to_string().starts_with("cannot write the Python client"));
    }
}
