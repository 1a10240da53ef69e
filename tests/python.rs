//! The Python client: its own tests (`tests/python`), by every Python that is here.
//!
//! Knows where interpreters lie, and which are too old; what is tested is said in Python.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::repo::run;
use crate::support::{Output, Repo};

/// The oldest Python 3 that the client runs on.
const OLDEST: u32 = 9;

/// The newest that is looked for by name.
const NEWEST: u32 = 13;

#[test]
fn the_client_passes_its_tests_on_every_python() {
    let pythons = pythons();
    for version in (OLDEST..=NEWEST).filter(|version| !pythons.contains_key(version)) {
        eprintln!("skipped: no Python 3.{version} is here");
    }
    if pythons.is_empty() {
        assert!(std::env::var_os("XTRACK_FORBID_SKIPS").is_none(), "a Python 3 is wanted");
    }
    let failed: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = pythons.values().map(|python| scope.spawn(|| tests(python))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).filter(|output| output.code != 0).collect()
    });
    assert!(failed.is_empty(), "{}", failed.iter().map(|output| output.stderr.as_str()).collect::<String>());
}

#[test]
#[ignore = "wants the package index"]
fn the_client_installs_by_pip() {
    let repo = Repo::folder("work");
    let python = pythons().into_values().next_back().unwrap();
    run(repo.command(&python).args(["-m", "venv", "venv"])).ok();
    let python = repo.path().join("venv/bin/python");
    // A copy: a build writes beside the sources.
    let source = top().join("src/python");
    run(repo.command("cp").arg("-r").arg(source).arg("package")).ok();
    let mut pip = repo.command(python.to_str().unwrap());
    // Its own settings tell where the index is.
    if let Some(home) = std::env::var_os("HOME") {
        pip.env("HOME", home);
    }
    for name in ["PIP_INDEX_URL", "PIP_CONFIG_FILE", "SSL_CERT_FILE", "HTTPS_PROXY", "https_proxy"] {
        pip.envs(std::env::var_os(name).map(|value| (name, value)));
    }
    run(pip.args(["-m", "pip", "install", "--quiet", "./package"])).ok();
    let code = "import importlib.metadata, os, xtrack; print(importlib.metadata.version('xtrack'), \
                os.path.exists(os.path.join(os.path.dirname(xtrack.__file__), 'py.typed')))";
    let output = run(repo.command(python.to_str().unwrap()).args(["-c", code])).ok();
    assert_eq!(output.stdout.trim(), format!("{} True", env!("CARGO_PKG_VERSION")));
}

fn tests(python: &str) -> Output {
    let repo = Repo::folder("work");
    let mut command = repo.command(python);
    command
        .args(["-W", "error::ResourceWarning", "-m", "unittest", "discover", "-s"])
        .arg(top().join("tests/python"));
    command.env("PYTHONDONTWRITEBYTECODE", "1").env("XTRACK_TEST_CLIENT", top().join("src/python"));
    command.env("XTRACK_TEST_PROGRAM", env!("CARGO_BIN_EXE_git-xtrack"));
    let mut output = run(&mut command);
    output.stderr = format!("{python}:\n{}\n", output.stderr);
    output
}

/// An interpreter for each minor version of Python 3 that is new enough.
fn pythons() -> BTreeMap<u32, String> {
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let kept = std::fs::read_dir(home.join(".pyenv/versions")).into_iter().flatten().flatten();
    let kept = kept.map(|entry| entry.path().join("bin/python3").display().to_string());
    let named = (OLDEST..=NEWEST).map(|version| format!("python3.{version}"));
    let candidates = ["python3".to_owned()].into_iter().chain(named).chain(kept);
    candidates.filter_map(|program| version(&program)).collect()
}

/// The minor version of an interpreter and its own path, if it runs and is new enough.
fn version(program: &str) -> Option<(u32, String)> {
    let code = "import sys; print(sys.version_info[0], sys.version_info[1], sys.executable)";
    let output =
        Command::new(program).args(["-c", code]).output().ok().filter(|output| output.status.success())?;
    let said = String::from_utf8(output.stdout).ok()?;
    let mut words = said.trim().splitn(3, ' ');
    let (major, minor) = (words.next()?.parse::<u32>().ok()?, words.next()?.parse::<u32>().ok()?);
    (major == 3 && minor >= OLDEST).then(|| Some((minor, words.next()?.to_owned())))?
}

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
