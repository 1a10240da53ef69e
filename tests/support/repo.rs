//! A Git repository in a temporary folder, with a home, an identity and settings of its own.
//!
//! Nothing of the environment reaches git or the program but PATH.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// What a program said, and how it ended.
#[derive(Debug, Clone)]
pub struct Output {
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
    /// Its exit code; 128 + N after signal N.
    pub code: i32,
}

impl Output {
    /// The same, if it succeeded; else the test fails with what it said.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!(self.code, 0, "failed\nstdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }
}

/// A repository that is removed when this is dropped.
pub struct Repo {
    folder: TempDir,
    path: PathBuf,
    /// Variables that git and the program get besides the hermetic ones.
    pub env: Vec<(String, String)>,
}

impl Repo {
    /// An empty repository on branch `main`, with an identity.
    pub fn new() -> Self {
        Self::with(&[], "work")
    }

    /// An empty repository made with more options of `git init`, in a folder of that name.
    pub fn with(init: &[&str], name: &str) -> Self {
        let repo = Self::folder(name);
        let mut arguments = vec!["init", "-q", "-b", "main"];
        arguments.extend(init);
        arguments.push(".");
        repo.git(&arguments);
        repo
    }

    /// A folder with a home beside it, and no repository in it.
    pub fn folder(name: &str) -> Self {
        super::signals::heard_by_children();
        let folder = TempDir::new().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let path = root.join(name);
        std::fs::create_dir_all(&path).unwrap();
        std::fs::create_dir_all(root.join("home")).unwrap();
        let config = "[user]\n\tname = Ada Test\n\temail = ada@example.com\n[init]\n\tdefaultBranch = main\n\
                      [protocol \"file\"]\n\tallow = always\n[gc]\n\tauto = 0\n[maintenance]\n\tauto = false\n";
        std::fs::write(root.join("home/.gitconfig"), config).unwrap();
        Self { folder, path, env: Vec::new() }
    }

    /// A clone of this repository with more options of `git clone`, in a temporary folder of its own.
    pub fn clone(&self, options: &[&str]) -> Self {
        let clone = Self::folder("work");
        let source = format!("file://{}", self.path.display());
        let mut arguments = vec!["clone", "-q"];
        arguments.extend(options);
        arguments.extend([source.as_str(), "."]);
        clone.git(&arguments);
        clone
    }

    /// A clone of the repository at `source`, in a temporary folder of its own.
    pub fn clone_of(&self, source: &str) -> Self {
        let clone = Self::folder("work");
        clone.git(&["clone", "-q", source, "."]);
        clone
    }

    /// The same home and environment, looking from another folder, as `cd` would.
    pub fn at(&self, path: impl AsRef<Path>) -> At<'_> {
        At { repo: self, path: self.path.join(path) }
    }

    /// The top of the work tree, or the bare repository.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder that holds the work tree and the home.
    pub fn root(&self) -> &Path {
        self.path.parent().unwrap()
    }

    /// The home folder.
    pub fn home(&self) -> PathBuf {
        self.root().join("home")
    }

    /// Sets a variable for git and the program.
    pub fn set(&mut self, name: &str, value: &str) {
        self.env.push((name.to_owned(), value.to_owned()));
    }

    /// Runs git; it must succeed. What it printed, without the newline at the end.
    #[track_caller]
    pub fn git(&self, arguments: &[&str]) -> String {
        self.try_git(arguments).ok().stdout.trim_end_matches('\n').to_owned()
    }

    /// Runs git with this input; it must succeed. What it printed, without the newline at the end.
    #[track_caller]
    pub fn git_stdin(&self, arguments: &[&str], input: &str) -> String {
        let mut command = self.command("git");
        let mut child = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "git {arguments:?} failed");
        String::from_utf8(output.stdout).unwrap().trim_end_matches('\n').to_owned()
    }

    /// Runs git, which may fail.
    pub fn try_git(&self, arguments: &[&str]) -> Output {
        run(self.command("git").args(arguments))
    }

    /// Runs the program; whether it succeeds is the test's to check.
    pub fn xtrack<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Output {
        run(self.command(env!("CARGO_BIN_EXE_git-xtrack")).args(arguments))
    }

    /// A program with the hermetic environment, in this repository, with no input.
    pub fn command(&self, program: &str) -> Command {
        self.command_in(program, &self.path)
    }

    fn command_in(&self, program: &str, folder: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(folder).env_clear().stdin(Stdio::null());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.home()).env("GIT_CONFIG_NOSYSTEM", "1").env("LC_ALL", "C.UTF-8");
        command.env("GIT_TERMINAL_PROMPT", "0").env("TZ", "UTC");
        command.env("GIT_AUTHOR_DATE", "1767225600 +0000").env("GIT_COMMITTER_DATE", "1767225600 +0000");
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Writes a file, with the folders it needs.
    pub fn write(&self, path: impl AsRef<Path>, text: impl AsRef<[u8]>) {
        let path = self.path.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Reads a file as text.
    pub fn read(&self, path: impl AsRef<Path>) -> String {
        std::fs::read_to_string(self.path.join(path)).unwrap()
    }

    /// Commits everything that is not ignored; the commit's id.
    pub fn commit(&self, message: &str) -> String {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", message]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// The names of all refs under `prefix`.
    pub fn refs(&self, prefix: &str) -> Vec<String> {
        let names = self.git(&["for-each-ref", "--format=%(refname)", prefix]);
        names.lines().map(str::to_owned).collect()
    }

    /// Fails the test unless `git fsck --strict` finds nothing, dangling objects included.
    #[track_caller]
    pub fn assert_sound(&self) {
        let output = self.try_git(&["fsck", "--strict", "--full", "--no-progress", "--no-reflogs"]).ok();
        let said = format!("{}{}", output.stdout, output.stderr);
        let notable: Vec<_> = said.lines().filter(|line| !line.starts_with("notice:")).collect();
        assert!(notable.is_empty(), "git fsck says: {said}");
    }
}

/// A folder of a repository, from which git and the program are run.
pub struct At<'a> {
    repo: &'a Repo,
    path: PathBuf,
}

impl At<'_> {
    /// Runs git here; it must succeed.
    #[track_caller]
    pub fn git(&self, arguments: &[&str]) -> String {
        let output = run(self.repo.command_in("git", &self.path).args(arguments)).ok();
        output.stdout.trim_end_matches('\n').to_owned()
    }

    /// Runs the program here.
    pub fn xtrack<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Output {
        run(self.repo.command_in(env!("CARGO_BIN_EXE_git-xtrack"), &self.path).args(arguments))
    }
}

/// Runs a command to its end and takes what it said.
pub fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    Output {
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        code: code(output.status),
    }
}

#[cfg(unix)]
fn code(status: std::process::ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default())
}

#[cfg(not(unix))]
fn code(status: std::process::ExitStatus) -> i32 {
    status.code().unwrap_or(-1)
}
