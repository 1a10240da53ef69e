//! What is installed in Python's package folders, by the names of the metadata folders that lie in them.
//!
//! Opens metadata only where a name does not say enough; imports nothing and starts nothing.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use crate::run::value::{Table, Value};

/// The most packages that are listed.
const PACKAGES_MAX: usize = 5_000;

/// How long packages may be asked where they came from: on a slow network file system that is a trip each.
const ASKING_MAX: Duration = Duration::from_millis(250);

/// The packages in these folders, name to version, sorted; of one that is in several the first folder's counts, as it
/// does for an import. One that was not installed from an index says so after its version: `0.1.0 (editable)`.
pub fn packages(folders: &[PathBuf]) -> Table {
    let begun = Instant::now();
    let mut found = BTreeMap::new();
    for folder in folders {
        for (name, version) in in_folder(folder, &|| begun.elapsed() < ASKING_MAX) {
            if found.len() < PACKAGES_MAX {
                found.entry(name).or_insert(version);
            }
        }
    }
    found.into_iter().map(|(name, version)| (name, Value::Text(version))).collect()
}

fn in_folder(folder: &Path, may_ask: &dyn Fn() -> bool) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for child in fs::read_dir(folder).into_iter().flatten().flatten() {
        let file_name = child.file_name();
        let Some(package) = file_name.to_str().and_then(|name| package(folder, name)) else {
            continue;
        };
        let origin = if may_ask() { package.origin() } else { None };
        let version = match origin {
            Some(origin) => format!("{} ({origin})", package.version),
            None => package.version,
        };
        // Two of one name are left by a broken upgrade; the folder's order is chance, the text's is not.
        let entry = found.entry(normalised(&package.name)).or_insert_with(|| version.clone());
        if version > *entry {
            *entry = version;
        }
    }
    found
}

/// What a metadata folder tells.
struct Package {
    name: String,
    version: String,
    /// The folder, of a kind that may hold `direct_url.json`.
    metadata: Option<PathBuf>,
    is_linked: bool,
}

impl Package {
    /// Where it was installed from, if not from an index.
    fn origin(&self) -> Option<String> {
        if self.is_linked {
            return Some("editable".to_owned());
        }
        origin(&beginning_of(&self.metadata.as_ref()?.join("direct_url.json"), 4096)?)
    }
}

fn package(folder: &Path, file_name: &str) -> Option<Package> {
    // What pip left over of an interrupted upgrade begins with `~` or `-`.
    let is_name = file_name.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '_');
    let (stem, extension) = file_name.rsplit_once('.').filter(|_| is_name)?;
    let path = folder.join(file_name);
    match extension {
        "dist-info" => {
            let (name, version) = named(stem).or_else(|| described(&path, "METADATA"))?;
            Some(Package { name, version, metadata: Some(path), is_linked: false })
        }
        "egg-info" => {
            let (name, version) = named(stem).or_else(|| described(&path, "PKG-INFO"))?;
            Some(Package { name, version, metadata: None, is_linked: false })
        }
        "egg-link" => {
            let source = beginning_of(&path, 4096)?;
            let source =
                Path::new(source.lines().next()?).join(format!("{}.egg-info", stem.replace('-', "_")));
            let (name, version) = described(&source, "PKG-INFO")?;
            Some(Package { name, version, metadata: None, is_linked: true })
        }
        _ => None,
    }
}

/// `NAME-VERSION` or `NAME-VERSION-py3.11`, if it is that.
fn named(stem: &str) -> Option<(String, String)> {
    let (name, rest) = stem.split_once('-')?;
    let version = rest.split_once("-py").map_or(rest, |(version, _)| version);
    let is_version = version.starts_with(|first: char| first.is_ascii_digit()) && !version.contains('-');
    is_version.then(|| (name.to_owned(), version.to_owned()))
}

/// The name and version in the metadata itself.
fn described(path: &Path, file: &str) -> Option<(String, String)> {
    // An old `.egg-info` is the file itself.
    let text = beginning_of(&path.join(file), 4096).or_else(|| beginning_of(path, 4096))?;
    let header = |key: &str| {
        let mut lines = text.lines().take_while(|line| !line.is_empty());
        lines.find_map(|line| Some(line.strip_prefix(key)?.strip_prefix(':')?.trim().to_owned()))
    };
    Some((header("Name")?, header("Version")?))
}

/// What `direct_url.json` says, without credentials.
fn origin(text: &str) -> Option<String> {
    let json: Json = serde_json::from_str(text).ok()?;
    if json["dir_info"]["editable"] == Json::Bool(true) {
        return Some("editable".to_owned());
    }
    let url = json["url"].as_str()?;
    match (json["vcs_info"]["vcs"].as_str(), json["vcs_info"]["commit_id"].as_str()) {
        (Some(vcs), Some(commit)) => Some(format!("{vcs}+{}@{commit}", public(url))),
        // The path says where on one machine it was, not what.
        _ if url.starts_with("file:") => Some("local".to_owned()),
        _ => Some(public(url)),
    }
}

/// The address without what may be secret: who asks, and what is asked for with which token.
fn public(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}

/// The name as indexes compare it: lower case, one `-` for each run of `-`, `_` and `.`.
fn normalised(name: &str) -> String {
    let mut normal = String::with_capacity(name.len());
    for character in name.chars() {
        match character {
            '-' | '_' | '.' if normal.ends_with('-') => {}
            '-' | '_' | '.' => normal.push('-'),
            other => normal.extend(other.to_lowercase()),
        }
    }
    normal
}

fn beginning_of(path: &Path, bytes_max: u64) -> Option<String> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(bytes_max).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn folder(names: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in names {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        folder
    }

    fn listed(folder: &Path) -> Vec<String> {
        let packages = packages(&[folder.to_owned()]);
        packages.iter().map(|(name, version)| format!("{name} {}", version.as_text().unwrap())).collect()
    }

    #[test]
    fn names_of_metadata_folders_say_what_is_installed() {
        let folder = folder(&[
            "numpy-2.1.0.dist-info",
            "scikit_learn-1.5.1.dist-info",
            "Zope.Interface-7.0.dist-info",
            "torch-2.8.0+cu128.dist-info",
            "old-1.2-py3.11.egg-info",
            "~umpy-1.0.dist-info",
            "numpy",
            "__pycache__",
            "nameless.dist-info",
        ]);
        fs::write(
            folder.path().join("nameless.dist-info/METADATA"),
            "Metadata-Version: 2.1\nName: name-less\nVersion: 0.3\n\nName: x\n",
        )
        .unwrap();
        fs::write(folder.path().join("ancient.egg-info"), "Name: Ancient\nVersion: 0.0.1\n").unwrap();
        assert_eq!(
            listed(folder.path()),
            [
                "ancient 0.0.1",
                "name-less 0.3",
                "numpy 2.1.0",
                "old 1.2",
                "scikit-learn 1.5.1",
                "torch 2.8.0+cu128",
                "zope-interface 7.0"
            ]
        );
    }

    #[test]
    fn what_came_from_elsewhere_says_so_without_credentials() {
        let table = [
            (r#"{"url": "file:///home/me/lib", "dir_info": {"editable": true}}"#, "1 (editable)"),
            (r#"{"url": "file:///home/me/lib", "dir_info": {}}"#, "1 (local)"),
            (
                r#"{"url": "https://me:ghp_x@host/a.git", "vcs_info": {"vcs": "git", "commit_id": "abc"}}"#,
                "1 (git+https://host/a.git@abc)",
            ),
            (r#"{"url": "https://host/a.whl?token=x#y", "archive_info": {}}"#, "1 (https://host/a.whl)"),
            ("{", "1"),
        ];
        for (text, version) in table {
            let folder = folder(&["a-1.dist-info"]);
            fs::write(folder.path().join("a-1.dist-info/direct_url.json"), text).unwrap();
            assert_eq!(listed(folder.path()), [format!("a {version}")]);
        }
        let (linked, source) = (folder(&[]), folder(&["my_lib.egg-info"]));
        fs::write(source.path().join("my_lib.egg-info/PKG-INFO"), "Name: my-lib\nVersion: 2\n").unwrap();
        let link = format!("{}\n.\n", source.path().display());
        fs::write(linked.path().join("my-lib.egg-link"), link).unwrap();
        assert_eq!(listed(linked.path()), ["my-lib 2 (editable)"]);
    }

    #[test]
    fn the_first_folder_wins() {
        let (first, second) = (folder(&["a-1.dist-info"]), folder(&["a-2.dist-info", "b-3.dist-info"]));
        let packages = packages(&[first.path().into(), second.path().into(), "/does/not/exist".into()]);
        assert_eq!(packages.get("a"), Some(&"1".into()));
        assert_eq!(packages.get("b"), Some(&"3".into()));
    }

    #[test]
    fn two_thousand_packages_take_milliseconds() {
        let names: Vec<String> = (0..2000).map(|at| format!("package_{at}-1.{at}.dist-info")).collect();
        let folder = folder(&names.iter().map(String::as_str).collect::<Vec<_>>());
        let begun = Instant::now();
        assert_eq!(packages(&[folder.path().to_owned()]).len(), 2000);
        // Twenty milliseconds are meant, of an optimised build on a quiet machine.
        assert!(begun.elapsed() < Duration::from_millis(500), "{:?}", begun.elapsed());
    }
}
