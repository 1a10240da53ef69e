//! The Python client with the libraries people train with: each file of `tests/frameworks/` run by a real Python.
//!
//! Libraries come from the package index, once, into `<target folder>/python-env-<hash>`: with XTRACK_FRAMEWORKS=1
//! the light ones, with XTRACK_HEAVY=1 the heavy ones too (some 6 GB). Light ones that are there are used unasked.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;

use sha2::{Digest as _, Sha256};

use crate::support::Repo;

const LIGHT: Group = Group {
    requirements: "requirements.txt",
    variables: &["XTRACK_FRAMEWORKS", "XTRACK_HEAVY"],
    is_quick: true,
};
const HEAVY: Group =
    Group { requirements: "requirements-heavy.txt", variables: &["XTRACK_HEAVY"], is_quick: false };

#[test]
fn sklearn() {
    LIGHT.test("test_sklearn.py", &[]);
}

#[test]
fn xgboost() {
    LIGHT.test("test_xgboost.py", &[]);
}

#[test]
fn lightgbm() {
    LIGHT.test("test_lightgbm.py", &[]);
}

#[test]
fn optuna() {
    LIGHT.test("test_optuna.py", &[]);
}

#[test]
fn what_people_hand_to_the_client() {
    LIGHT.test("test_client.py", &[]);
}

#[test]
fn reading_runs() {
    LIGHT.test("test_read.py", &[]);
}

#[test]
fn heavy_keras() {
    HEAVY.test("test_keras.py", &[]);
}

#[test]
fn heavy_huggingface() {
    HEAVY.test("test_huggingface.py", &[]);
}

#[test]
fn heavy_lightning() {
    HEAVY.test("test_lightning.py", &["lightning.pytorch"]);
}

#[test]
fn heavy_pytorch_lightning() {
    HEAVY.test("test_lightning.py", &["pytorch_lightning"]);
}

#[test]
fn heavy_tensors() {
    HEAVY.test("test_client.py", &[]);
}

/// Libraries that are installed together.
pub struct Group {
    /// The file that pins them.
    pub requirements: &'static str,
    /// The variables any of which asks for them.
    pub variables: &'static [&'static str],
    /// Whether it is tested unasked where its libraries are there.
    pub is_quick: bool,
}

impl Group {
    /// Runs a file of tests with these libraries; says aloud that it did not where they are not to be had.
    #[track_caller]
    fn test(&self, file: &str, arguments: &[&str]) {
        let python = match self.python() {
            Ok(python) => python,
            Err(reason) => return say(&format!("skipped: {file}: {reason}")),
        };
        let place = Repo::folder("work");
        let mut command = place.command(python.to_str().unwrap());
        command.arg(tests().join(file)).args(arguments).envs(environment());
        let output = command.env("MPLCONFIGDIR", place.home()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{file}\n{}{said}", String::from_utf8_lossy(&output.stdout));
        assert!(said.contains("\nOK") && !said.contains("Ran 0 tests"), "{file} ran no test\n{said}");
    }

    /// The Python that has these libraries, or why there is none.
    pub fn python(&self) -> Result<PathBuf, String> {
        let is_asked_for =
            self.variables.iter().any(|name| std::env::var_os(name).is_some_and(|value| value == "1"));
        let not_asked_for = || Err(format!("{}=1 installs what it needs, and runs it", self.variables[0]));
        if !is_asked_for && !self.is_quick {
            return not_asked_for();
        }
        let requirements = fs::read(tests().join(self.requirements)).unwrap();
        let version = said_by(Command::new("python3").args(["-c", "import sys; print(sys.version)"]))?;
        let digest = Sha256::new().chain_update(&requirements).chain_update(&version).finalize();
        let name: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        let folder = target().join(format!("python-env-{name}"));
        // Tests side by side, in this process or another, want the same folder.
        let lock = File::create(folder.with_extension("lock")).map_err(|error| error.to_string())?;
        lock.lock().map_err(|error| error.to_string())?;
        if !folder.join("complete").exists() {
            if !is_asked_for {
                return not_asked_for();
            }
            self.install(&folder)?;
        }
        Ok(folder.join("bin/python"))
    }

    /// Makes the folder. A failure is remembered for the rest of this run, so that it is waited for once.
    fn install(&self, folder: &Path) -> Result<(), String> {
        static FAILED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());
        if FAILED.lock().unwrap().iter().any(|failed| failed == folder) {
            return Err("its libraries could not be installed".to_owned());
        }
        say(&format!("installing {} into {}", self.requirements, folder.display()));
        let requirements = tests().join(self.requirements);
        let installed = said_by(Command::new("python3").args(["-m", "venv", "--clear"]).arg(folder))
            .and_then(|_| {
                let mut pip = Command::new(folder.join("bin/python"));
                pip.args("-m pip install --quiet --disable-pip-version-check --retries=2 -r".split(' '));
                said_by(pip.arg(requirements))
            });
        match installed {
            Ok(_) => File::create(folder.join("complete")).map(drop).map_err(|error| error.to_string()),
            Err(reason) => {
                FAILED.lock().unwrap().push(folder.to_owned());
                Err(format!("its libraries could not be installed: {reason}"))
            }
        }
    }
}

/// What the tests need beside a hermetic environment.
fn environment() -> Vec<(&'static str, String)> {
    let program = Path::new(env!("CARGO_BIN_EXE_git-xtrack")).parent().unwrap();
    let path = std::env::var("PATH").unwrap_or_default();
    let client = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/python");
    vec![
        ("PATH", format!("{}:{path}", program.display())),
        ("PYTHONPATH", client.display().to_string()),
        ("PYTHONDONTWRITEBYTECODE", "1".to_owned()),
        ("KERAS_BACKEND", "torch".to_owned()),
        ("CUDA_VISIBLE_DEVICES", String::new()),
    ]
}

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/frameworks")
}

/// The target folder that the program was built into.
fn target() -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_git-xtrack")).ancestors().nth(2).unwrap().to_owned()
}

/// What a command printed, or the last line of what it complained of.
fn said_by(command: &mut Command) -> Result<Vec<u8>, String> {
    let Output { status, stdout, stderr } = command.output().map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&stderr);
    let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it failed");
    status.success().then_some(stdout).ok_or_else(|| last.to_owned())
}

/// Past the test runner, which shows what a test prints only where it fails.
pub fn say(text: &str) {
    let _ = std::io::stderr().lock().write_all(format!("{text}\n").as_bytes());
}
