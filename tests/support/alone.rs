//! A test of the library in a process of its own, so that the machine's settings do not reach it.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

const MARK: &str = "XTRACK_TEST_ALONE";

/// Runs `test` in a process whose environment holds PATH, an empty home and `variables` only; `{home}` in their values
/// is that home. `name` is the calling test's own, with its modules.
#[track_caller]
pub fn alone(name: &str, variables: &[(&str, &str)], test: impl FnOnce(&Path)) {
    if std::env::var_os(MARK).is_some() {
        return test(&PathBuf::from(std::env::var_os("HOME").unwrap()));
    }
    let folder = TempDir::new().unwrap();
    let home = folder.path().canonicalize().unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", name, "--nocapture", "--test-threads=1"]).env_clear().current_dir(&home);
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("HOME", &home).env("GIT_CONFIG_NOSYSTEM", "1").env("USER", "tester").env(MARK, "1");
    for (name, value) in variables {
        command.env(name, value.replace("{home}", &home.to_string_lossy()));
    }
    let output = super::repo::run(&mut command);
    let ran = output.stdout.contains("1 passed");
    assert!(output.code == 0 && ran, "{name} failed alone\n{}\n{}", output.stdout, output.stderr);
}
