//! What `demo` does: a small repository with a real training in it, and the commands a newcomer would type there.
//!
//! Knows the files it carries and the order of the steps; each step goes through the programs a person
//! would run, `git` and `git xtrack` itself. It prints nothing: its caller shows each step first.

use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use anyhow::{Context as _, Result};

use crate::error::Problem;

/// The files of the demo's repository.
const FILES: &[(&str, &[u8])] = &[
    ("train.py", include_bytes!("../demo/train.py")),
    ("digits.csv.gz", include_bytes!("../../fixtures/digits.csv.gz")),
    ("xtrack.toml", include_bytes!("../demo/xtrack.toml")),
    (".gitignore", include_bytes!("../demo/gitignore")),
    ("README.md", include_bytes!("../demo/README.md")),
];

/// The oldest Python that `train.py` is written for.
const PYTHON_OLDEST: (u32, u32) = (3, 9);

/// What git lets its environment say about "the repository"; the demo's repository is its own.
const GIT_ENVIRONMENT: &[&str] = &[
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "XTRACK_RUN_ID",
    "XTRACK_RUN_DIR",
];

/// One thing the demo does, in the order of [`STEPS`].
#[derive(Debug, Clone, Copy)]
pub enum Step {
    /// A sentence that says what comes next.
    Say(&'static str),
    /// A `git xtrack` command, and the exit code it ends with.
    Xtrack(&'static [&'static str], i32),
    /// One line of `train.py` replaced by another.
    Edit(&'static str, &'static str),
}

/// The story: six trainings of the same code, one of them diverging, then one of changed code.
pub const STEPS: &[Step] = &[
    Step::Say(
        "Put `git xtrack record --` before a command, and the run is recorded: its options become params.",
    ),
    Step::Xtrack(
        &["record", "--name", "baseline", "-t", "reference", "--", "python3", "train.py", "--lr", "0.1"],
        0,
    ),
    Step::Say("Other settings, other runs. The code is committed, so each run knows its exact commit."),
    Step::Xtrack(&["record", "--", "python3", "train.py", "--lr", "0.01"], 0),
    Step::Xtrack(&["record", "--", "python3", "train.py", "--lr", "0.5"], 0),
    Step::Xtrack(&["record", "--", "python3", "train.py", "--lr", "0.5", "--epochs", "10"], 0),
    Step::Xtrack(
        &[
            "record", "--name", "decay", "--", "python3", "train.py", "--lr", "0.5", "--epochs", "10",
            "--l2", "0.001",
        ],
        0,
    ),
    Step::Say("A run that fails is recorded as well, and the exit code is the command's own."),
    Step::Xtrack(
        &["record", "--name", "too-fast", "--", "python3", "train.py", "--lr", "300", "--l2", "0.1"],
        1,
    ),
    Step::Say("Now change the code and do not commit it: the run keeps a snapshot of exactly what ran."),
    Step::Edit("BATCH = 20 ", "BATCH = 5 "),
    Step::Xtrack(
        &[
            "record",
            "--name",
            "small-batch",
            "--note",
            "batches of 5 instead of 20",
            "--",
            "python3",
            "train.py",
            "--lr",
            "0.5",
            "--epochs",
            "10",
        ],
        0,
    ),
    Step::Say("Words can be added to a run at any time; they are added, nothing is rewritten."),
    Step::Xtrack(&["tag", "small-batch", "+best"], 0),
    Step::Say("All runs, the best first."),
    Step::Xtrack(&["log", "--sort", "-accuracy"], 0),
    Step::Say("What made the difference?"),
    Step::Xtrack(&["diff", "baseline", "small-batch", "--code"], 0),
];

/// A prepared repository, ready for the steps.
#[derive(Debug)]
pub struct Demo {
    /// Where it is.
    pub directory: PathBuf,
    program: PathBuf,
}

impl Demo {
    /// Makes the repository in `directory`, or in a new temporary folder, with everything committed.
    pub fn prepare(directory: Option<&Path>) -> Result<Self> {
        check_git()?;
        check_python()?;
        let program = std::env::current_exe().context("cannot find the running program")?;
        let directory = match directory {
            Some(directory) => empty_folder(directory)?,
            None => temporary_folder()?,
        };
        let directory = std::path::absolute(directory).context("cannot tell the current folder")?;
        let demo = Self { directory, program };
        demo.write_files()?;
        demo.commit()?;
        Ok(demo)
    }

    /// Does one step, its output going where ours goes; [`Step::Say`] is the caller's to show.
    pub fn perform(&self, step: &Step) -> Result<()> {
        match step {
            Step::Say(_) => Ok(()),
            Step::Edit(before, after) => self.edit(before, after),
            Step::Xtrack(arguments, expected) => self.xtrack(arguments, *expected),
        }
    }

    /// The ref of the run that started last, for the hints at the end.
    pub fn latest_ref(&self) -> Result<String> {
        let listing = ["for-each-ref", "--count=1", "--sort=-refname", "--format=%(refname)", "refs/runs"];
        let output = self.command("git").args(listing).stderr(Stdio::inherit()).output()?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// The folder of this program when `git xtrack` would not find it, so that a person can put it on the path.
    pub fn missing_from_path(&self) -> Option<&Path> {
        let name = self.program.file_name()?;
        let path = std::env::var_os("PATH").unwrap_or_default();
        let found = std::env::split_paths(&path).any(|folder| folder.join(name).is_file());
        if found { None } else { self.program.parent() }
    }

    fn write_files(&self) -> Result<()> {
        for (name, bytes) in FILES {
            fs::write(self.directory.join(name), bytes).with_context(|| format!("cannot write '{name}'"))?;
        }
        Ok(())
    }

    /// The first commit. Its author is given for this commit alone: the demo needs no git identity and
    /// leaves none behind, and neither hooks nor signing set up for real work take part.
    fn commit(&self) -> Result<()> {
        self.git(&["-c", "init.defaultBranch=main", "init", "--quiet"])?;
        self.git(&["add", "--all"])?;
        self.git(&[
            "-c",
            "user.name=git xtrack demo",
            "-c",
            "user.email=demo@example.invalid",
            "-c",
            "commit.gpgsign=false",
            "-c",
            "core.hooksPath=/dev/null",
            "commit",
            "--quiet",
            "--message=A softmax classifier for handwritten digits",
        ])
    }

    fn git(&self, arguments: &[&str]) -> Result<()> {
        let status = self.command("git").args(arguments).status().context("cannot run 'git'")?;
        ended(status, 0, || format!("git {}", arguments.join(" ")))
    }

    /// The pager would hold the demo at its first table, so there is none.
    fn xtrack(&self, arguments: &[&str], expected: i32) -> Result<()> {
        let mut command = self.command(&self.program);
        command.args(arguments).env("GIT_PAGER", "cat").env("PAGER", "cat");
        let status = command.status().context("cannot run 'git-xtrack'")?;
        ended(status, expected, || format!("git xtrack {}", arguments.join(" ")))
    }

    fn edit(&self, before: &str, after: &str) -> Result<()> {
        let file = self.directory.join("train.py");
        let text = fs::read_to_string(&file).context("cannot read 'train.py'")?;
        fs::write(&file, text.replacen(before, after, 1)).context("cannot write 'train.py'")
    }

    fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.directory).stdin(Stdio::null());
        for name in GIT_ENVIRONMENT {
            command.env_remove(name);
        }
        command
    }
}

fn ended(status: ExitStatus, expected: i32, what: impl FnOnce() -> String) -> Result<()> {
    if status.code() == Some(expected) {
        return Ok(());
    }
    Err(Problem::new(format!("'{}' ended with {status}", what())).into())
}

fn check_git() -> Result<()> {
    match Command::new("git").arg("--version").stdout(Stdio::null()).status() {
        Ok(status) if status.success() => Ok(()),
        _ => Err(Problem::new("the demo needs git, and 'git' does not run")
            .hint("Install git, then try again.")
            .into()),
    }
}

fn check_python() -> Result<()> {
    let (major, minor) = PYTHON_OLDEST;
    let question = format!("import sys; sys.exit(sys.version_info < ({major}, {minor}))");
    let answer =
        Command::new("python3").args(["-c", &question]).stdin(Stdio::null()).stderr(Stdio::null()).status();
    let message = match answer {
        Ok(status) if status.success() => return Ok(()),
        Ok(status) if status.code() == Some(1) => "the 'python3' found here is older than that",
        Ok(_) => "'python3' does not run",
        Err(error) if error.kind() == ErrorKind::NotFound => "there is no 'python3' on the path",
        Err(_) => "'python3' cannot be run",
    };
    Err(Problem::new(format!("the demo trains with Python {major}.{minor} or newer, and {message}"))
        .hint("Install python3 (its standard library is all that is used), then try again.")
        .into())
}

/// `directory`, made if need be; refused when anything is in it, for the demo overwrites nothing.
fn empty_folder(directory: &Path) -> Result<PathBuf> {
    let shown = directory.display();
    let found = match fs::read_dir(directory) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            fs::create_dir_all(directory).with_context(|| format!("cannot make the folder '{shown}'"))?;
            return Ok(directory.to_owned());
        }
        Err(error) => return Err(error).with_context(|| format!("cannot use '{shown}' as a folder")),
    };
    if found.count() > 0 {
        return Err(Problem::usage(format!("'{shown}' is not empty"))
            .hint("Name a folder that is new or empty, or none at all to use a temporary one.")
            .into());
    }
    Ok(directory.to_owned())
}

/// A new folder that nobody else can have made before us: an existing name is never taken over.
fn temporary_folder() -> Result<PathBuf> {
    let parent = std::env::temp_dir();
    for _ in 0..16 {
        let mut random = [0; 4];
        getrandom::fill(&mut random).context("cannot draw a random name")?;
        let folder = parent.join(format!("git-xtrack-demo-{:08x}", u32::from_ne_bytes(random)));
        match fs::create_dir(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => {
                return Err(error).with_context(|| format!("cannot make the folder '{}'", folder.display()));
            }
        }
    }
    Err(Problem::new(format!("cannot make a new folder in '{}'", parent.display())).into())
}

/// How a step reads at a prompt.
pub fn shown(step: &Step) -> String {
    match step {
        Step::Say(text) => format!("# {text}"),
        Step::Edit(before, after) => format!("# train.py: {} → {}", before.trim(), after.trim()),
        Step::Xtrack(arguments, _) => format!("$ git xtrack {}", shell_words::join(*arguments)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_edit_changes_the_carried_script() {
        let (_, script) = FILES.iter().find(|(name, _)| *name == "train.py").unwrap();
        let script = std::str::from_utf8(script).unwrap();
        for step in STEPS {
            if let Step::Edit(before, after) = step {
                assert_eq!(script.matches(before).count(), 1, "{before}");
                assert!(!script.contains(after), "{after}");
            }
        }
    }

    #[test]
    fn at_least_six_runs_are_recorded() {
        let recorded = STEPS.iter().filter(|step| matches!(step, Step::Xtrack(["record", ..], _))).count();
        assert!(recorded >= 6, "{recorded}");
    }

    #[test]
    fn commands_are_shown_as_a_shell_takes_them() {
        let step = Step::Xtrack(&["record", "--note", "two words"], 0);
        assert_eq!(shown(&step), "$ git xtrack record --note 'two words'");
    }

    #[test]
    fn a_folder_that_holds_anything_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(empty_folder(folder.path()).is_ok());
        fs::write(folder.path().join("mine"), "").unwrap();
        let refused = empty_folder(folder.path()).unwrap_err();
        assert!(refused.to_string().ends_with("is not empty"), "{refused}");
    }
}
