//! Inputs: what a run reads, found and told by digest before it starts.
//!
//! Knows files, folders, and the pointers that Git LFS and DVC leave in their place; keeps no bytes.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};

use crate::error::Problem;
use crate::ops::record::place::{Places, normalised, text_or_bytes};
use crate::ops::record::walk::{Links, walk};
use crate::run::attempt::Input;
use crate::run::id::{check_name, hex};
use crate::run::value::Value;

/// Small files are looked at for being pointers; no pointer is larger.
const POINTER_MAX: u64 = 4096;

/// An input as it is asked for: `[NAME=]PATH`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    name: Option<String>,
    path: PathBuf,
}

impl Asked {
    /// Reads `[NAME=]PATH`, the path meant from `folder`; a file that has the whole text as its name is that file.
    pub fn parse(text: &OsStr, folder: &Path) -> Result<Self, Problem> {
        if folder.join(text).exists() {
            return Ok(Self { name: None, path: text.into() });
        }
        let (name, path) = match text.to_str().and_then(|text| text.split_once('=')) {
            // In an address the sign belongs to the query.
            Some((name, path)) if !name.contains("://") => (Some(name.to_owned()), PathBuf::from(path)),
            _ => (None, text.into()),
        };
        if let Some(name) = &name {
            check_name("an input's name", name)?;
        }
        if path.as_os_str().is_empty() {
            return Err(Problem::usage(format!("input '{}' has no path", text.display())));
        }
        Ok(Self { name, path })
    }

    /// An input whose name and path are known apart.
    pub fn named(name: &str, path: &str) -> Self {
        Self { name: Some(name.to_owned()), path: path.into() }
    }

    /// Reads the input; paths are meant from `folder`.
    pub fn read(&self, folder: &Path, places: &Places) -> Result<Input> {
        if let Some(address) = self.path.to_str().filter(|text| text.contains("://")) {
            return Ok(self.input(Value::Text(without_credentials(address)), "file"));
        }
        let path = normalised(&folder.join(&self.path));
        self.at(&path, places).with_context(|| format!("cannot read input '{}'", self.path.display()))
    }

    fn at(&self, path: &Path, places: &Places) -> Result<Input> {
        let name = places.name(path);
        let beside = beside(path);
        let Ok(metadata) = fs::metadata(path) else {
            // Not fetched, but DVC knows what it is.
            let pointer = beside.ok_or_else(|| Problem::new("there is no such file"))?;
            return Ok(self.input(name, "file").with(pointer));
        };
        let input = match (metadata.is_dir(), metadata.is_file()) {
            (true, _) => self.folder(name, path)?,
            (_, true) => self.file(name, path, metadata.len())?,
            _ => return Err(Problem::new("it is a device, socket or pipe").into()),
        };
        Ok(Input { digest: input.digest.or(beside.and_then(|pointer| pointer.digest)), ..input })
    }

    fn file(&self, name: Value, path: &Path, size: u64) -> Result<Input> {
        let input = self.input(name, "file");
        if size <= POINTER_MAX {
            let bytes = fs::read(path)?;
            if let Some(pointer) = lfs_pointer(&bytes) {
                return Ok(input.with(pointer));
            }
            if path.extension().is_some_and(|extension| extension == "dvc") {
                let digest = dvc_pointer(&bytes).and_then(|pointer| pointer.digest);
                return Ok(Input {
                    sha256: Some(hex(&Sha256::digest(&bytes))),
                    digest,
                    size: Some(size),
                    ..input
                });
            }
        }
        let (sha256, size) = hash(path)?;
        Ok(Input { sha256: Some(sha256), size: Some(size), ..input })
    }

    /// The digest of a folder is that of its sorted listing, `path NUL sha256 LF` for each file.
    fn folder(&self, name: Value, path: &Path) -> Result<Input> {
        let found = walk(path, Links::Anywhere)?;
        if let Some((refused, why)) = found.refused.first() {
            return Err(Problem::new(format!("cannot read '{}': {why}", refused.display())).into());
        }
        let (mut listing, mut total) = (Sha256::new(), 0);
        for file in &found.files {
            let (sha256, size) = hash(file).with_context(|| format!("cannot read '{}'", file.display()))?;
            let below = file.strip_prefix(path).expect("a walk stays in its folder");
            listing.update(below.as_os_str().as_encoded_bytes());
            listing.update(format!("\0{sha256}\n"));
            total += size;
        }
        let (sha256, files) = (Some(hex(&listing.finalize())), Some(found.files.len() as u64));
        Ok(Input { sha256, size: Some(total), files, ..self.input(name, "dir") })
    }

    fn input(&self, path: Value, kind: &str) -> Input {
        let shown = || text_or_bytes(self.path.as_os_str());
        let name = self.name.clone().unwrap_or_else(|| match (&path, shown()) {
            (Value::Text(path), _) => path.clone(),
            (_, other) => {
                other.as_text().map_or_else(|| self.path.to_string_lossy().into_owned(), str::to_owned)
            }
        });
        let kind = kind.to_owned();
        Input { name, path, kind, sha256: None, digest: None, size: None, files: None }
    }
}

/// The largest lock file that is taken.
const LOCK_FILE_MAX: u64 = 4 * 1024 * 1024;

/// Files that pin what a program is run with: by whole name, and by how a name begins and ends. `pyproject.toml` is not
/// among them: it asks for versions and settles none.
const LOCK_FILES: &[&str] = &[
    "uv.lock",
    "poetry.lock",
    "pdm.lock",
    "Pipfile.lock",
    "pylock.toml",
    "conda-lock.yml",
    "pixi.lock",
    "Manifest.toml",
    "renv.lock",
];
const LOCK_FILES_LIKE: &[(&str, &str)] =
    &[("requirements", ".txt"), ("environment", ".yml"), ("environment", ".yaml")];

/// The lock files in the folder that the command runs in and at the top, tracked or not, but for those `known` already.
/// One that cannot be read is passed over: nobody asked for it.
pub fn lock_files(places: &Places, known: &[Input]) -> Vec<Input> {
    let mut found: Vec<Input> = Vec::new();
    let is_same = places.here == places.top;
    for folder in [Some(&places.here), Some(&places.top).filter(|_| !is_same)].into_iter().flatten() {
        for path in lock_files_in(folder) {
            let asked = Asked { name: None, path: path.clone() };
            let Ok(input) = asked.at(&path, places) else {
                continue;
            };
            let input = Input { name: lock_file_name(&path, &input, known.iter().chain(&found)), ..input };
            let is_taken = |other: &Input| other.path == input.path || other.name == input.name;
            if !known.iter().chain(&found).any(is_taken) {
                found.push(input);
            }
        }
    }
    found
}

/// Its file's name, or its path where another input has that.
fn lock_file_name<'a>(path: &Path, input: &Input, mut others: impl Iterator<Item = &'a Input>) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    match (others.any(|other| other.name == name), input.path.as_text()) {
        (true, Some(path)) => format!("/{path}"),
        _ => name,
    }
}

fn lock_files_in(folder: &Path) -> Vec<PathBuf> {
    let is_lock_file = |name: &str| {
        let is_like = |(begin, end): &(&str, &str)| name.starts_with(begin) && name.ends_with(end);
        LOCK_FILES.contains(&name) || LOCK_FILES_LIKE.iter().any(is_like)
    };
    let children = fs::read_dir(folder).into_iter().flatten().flatten();
    let named = children.filter(|child| child.file_name().to_str().is_some_and(is_lock_file));
    let is_small = |path: &PathBuf| {
        fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.len() <= LOCK_FILE_MAX)
    };
    let mut paths: Vec<PathBuf> = named.map(|child| child.path()).filter(is_small).collect();
    paths.sort();
    paths
}

/// What another tool's pointer says of the bytes it stands for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Elsewhere {
    sha256: Option<String>,
    digest: Option<String>,
    size: Option<u64>,
    files: Option<u64>,
    is_folder: bool,
}

impl Input {
    fn with(self, pointer: Elsewhere) -> Self {
        let kind = if pointer.is_folder { "dir".to_owned() } else { self.kind };
        let Elsewhere { sha256, digest, size, files, .. } = pointer;
        Input { kind, sha256, digest, size, files, ..self }
    }
}

fn beside(path: &Path) -> Option<Elsewhere> {
    let mut name = path.file_name()?.to_owned();
    name.push(".dvc");
    dvc_pointer(&fs::read(path.with_file_name(name)).ok()?)
}

fn lfs_pointer(bytes: &[u8]) -> Option<Elsewhere> {
    let text = str::from_utf8(bytes).ok()?;
    text.starts_with("version https://git-lfs.github.com/spec/v1\n").then_some(())?;
    let field = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
    let digest = field("oid")?;
    let sha256 = digest.strip_prefix("sha256:").filter(|hex| is_digest(hex) && hex.len() == 64)?.to_owned();
    let size = field("size")?.parse().ok()?;
    let (sha256, digest) = (Some(sha256), Some(digest.to_owned()));
    Some(Elsewhere { sha256, digest, size: Some(size), ..Elsewhere::default() })
}

/// The first output that a `.dvc` file names. Its few keys are picked by line: the rest of it is of no concern here.
fn dvc_pointer(bytes: &[u8]) -> Option<Elsewhere> {
    let text = str::from_utf8(bytes).ok()?;
    let outputs = text.split_once("outs:")?.1;
    let field = |key: &str| {
        let value = |line: &'_ str| -> Option<String> {
            let line = line.trim_start().trim_start_matches("- ").trim_start();
            Some(line.strip_prefix(key)?.strip_prefix(':')?.trim().trim_matches(['"', '\'']).to_owned())
        };
        outputs.lines().find_map(value)
    };
    let md5 = field("md5").filter(|digest| is_digest(digest.trim_end_matches(".dir")))?;
    let count = |key| field(key).and_then(|text| text.parse().ok());
    let digest = Some(format!("md5:{md5}"));
    let (size, files, is_folder) = (count("size"), count("nfiles"), md5.ends_with(".dir"));
    Some(Elsewhere { sha256: None, digest, size, files, is_folder })
}

fn is_digest(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

fn hash(file: &Path) -> Result<(String, u64)> {
    let mut file = File::open(file)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 128 * 1024];
    let mut size = 0;
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok((hex(&hasher.finalize()), size));
        }
        hasher.update(&buffer[..read]);
        size += read as u64;
    }
}

/// The address without the name and password before its host.
fn without_credentials(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else {
        return address.to_owned();
    };
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::run::id::sha256;

    fn read(folder: &Path, text: &str) -> Result<Input> {
        let folder = fs::canonicalize(folder).unwrap();
        let places = Places { here: folder.clone(), top: folder.clone() };
        Asked::parse(OsStr::new(text), &folder)?.read(&folder, &places)
    }

    #[test]
    fn files_and_folders_are_told_by_digest() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("data")).unwrap();
        fs::write(folder.path().join("data/b"), "2").unwrap();
        fs::write(folder.path().join("data/a"), "1").unwrap();
        let file = read(folder.path(), "train=data/a").unwrap();
        assert_eq!((file.name.as_str(), &file.path, file.size), ("train", &Value::from("data/a"), Some(1)));
        assert_eq!(file.sha256, Some(sha256(b"1")));
        let listing = format!("a\0{}\nb\0{}\n", sha256(b"1"), sha256(b"2"));
        let input = read(folder.path(), "data").unwrap();
        assert_eq!((input.kind.as_str(), input.files, input.size), ("dir", Some(2), Some(2)));
        assert_eq!(input.sha256, Some(sha256(listing.as_bytes())));
        assert!(read(folder.path(), "gone").is_err());
        assert!(read(folder.path(), "x=").is_err());
    }

    #[test]
    fn pointers_are_taken_as_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let oid = "ab".repeat(32);
        let pointer = format!("version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize 12345\n");
        fs::write(folder.path().join("x.bin"), pointer).unwrap();
        let input = read(folder.path(), "x.bin").unwrap();
        assert_eq!((input.sha256, input.size), (Some(oid.clone()), Some(12345)));
        assert_eq!(input.digest, Some(format!("sha256:{oid}")));
        let pointer =
            "outs:\n- md5: 0123456789abcdef0123456789abcdef.dir\n  size: 99\n  nfiles: 3\n  path: images\n";
        fs::write(folder.path().join("images.dvc"), pointer).unwrap();
        for name in ["images", "images.dvc"] {
            let input = read(folder.path(), name).unwrap();
            assert_eq!(input.digest.as_deref(), Some("md5:0123456789abcdef0123456789abcdef.dir"), "{name}");
        }
        assert_eq!(read(folder.path(), "images").unwrap().files, Some(3));
    }

    #[test]
    fn lock_files_are_found_where_the_command_runs_and_at_the_top() {
        let folder = tempfile::tempdir().unwrap();
        let top = fs::canonicalize(folder.path()).unwrap();
        let here = top.join("sub");
        fs::create_dir(&here).unwrap();
        for name in
            ["uv.lock", "requirements.txt", "environment-gpu.yml", "requirements.md", "pyproject.toml"]
        {
            fs::write(top.join(name), name).unwrap();
        }
        fs::write(here.join("requirements-dev.txt"), "x").unwrap();
        fs::write(here.join("uv.lock"), "y").unwrap();
        fs::create_dir(here.join("requirements.txt")).unwrap();
        File::create(top.join("pixi.lock")).unwrap().set_len(LOCK_FILE_MAX + 1).unwrap();
        let places = Places { here, top: top.clone() };
        let given = read(&top, "mine=requirements.txt").unwrap();
        let found = lock_files(&places, &[given]);
        let shown: Vec<_> =
            found.iter().map(|input| (input.name.as_str(), input.path.as_text().unwrap())).collect();
        assert_eq!(
            shown,
            [
                ("requirements-dev.txt", "sub/requirements-dev.txt"),
                ("uv.lock", "sub/uv.lock"),
                ("environment-gpu.yml", "environment-gpu.yml"),
                ("/uv.lock", "uv.lock"),
            ]
        );
        assert_eq!(found[1].sha256, Some(sha256(b"y")));
        let places = Places { here: top.clone(), top };
        assert_eq!(lock_files(&places, &[]).len(), 3);
    }

    #[test]
    fn addresses_lose_their_credentials() {
        let folder = tempfile::tempdir().unwrap();
        let input = read(folder.path(), "raw=https://me:secret@host/x?a=b").unwrap();
        assert_eq!(input.path, Value::from("https://host/x?a=b"));
        assert_eq!(read(folder.path(), "s3://bucket/x?a=b").unwrap().name, "s3://bucket/x?a=b");
    }
}
