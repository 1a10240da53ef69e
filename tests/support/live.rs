//! Runs in progress as tests need them: begun by a process that can be killed, and journals written by hand.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::support::Repo;

/// A process that does nothing, and is gone when this is dropped.
pub struct Sleeper(pub Child);

impl Sleeper {
    /// Starts it.
    pub fn new() -> Self {
        Self(Command::new("sleep").arg("600").stdin(Stdio::null()).spawn().unwrap())
    }

    /// Ends it and waits for it.
    pub fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// Ends it and does not wait for it: it is a zombie as long as this lives.
    pub fn kill_only(&mut self) {
        self.0.kill().unwrap();
        let stat = format!("/proc/{}/stat", self.0.id());
        while !fs::read_to_string(&stat).unwrap().rsplit_once(')').unwrap().1.starts_with(" Z") {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Begins a run that belongs to the process; its folder.
#[track_caller]
pub fn begin(repo: &Repo, owner: &Sleeper, more: &[&str]) -> PathBuf {
    let pid = owner.0.id().to_string();
    let output = repo.xtrack(&[&["begin", "--owner", &pid], more].concat()).ok();
    PathBuf::from(output.stdout.trim_end())
}

/// Begins a run whose owner is dead; its folder.
#[track_caller]
pub fn begin_dead(repo: &Repo, more: &[&str]) -> PathBuf {
    let owner = Sleeper::new();
    let folder = begin(repo, &owner, more);
    // Left to itself the next command would recover the first of several.
    replace(&folder, "start_ticks = ", "1");
    folder
}

/// The first line of a journal.
pub fn first_line(owner: &str) -> String {
    format!(r#"{{"n":0,"t":1782897300.0,"begin":{{"protocol":1,"owner":{owner}}}}}"#)
}

/// The lines of a journal with `points` points and the ending, if any.
pub fn lines(owner: &str, points: usize, ending: Option<&str>) -> String {
    let mut text = first_line(owner) + "\n";
    for step in 0..points {
        let seconds = 1_782_897_301 + step;
        text += &format!(
            r#"{{"n":{},"t":{seconds}.5,"step":{step},"points":{{"loss":{}.5}}}}"#,
            step + 1,
            points - step
        );
        text += "\n";
    }
    if let Some(status) = ending {
        let seconds = 1_782_897_400;
        text += &format!(
            r#"{{"n":{},"t":{seconds},"finish":{{"status":"{status}","exit_code":0,"error":null}}}}"#,
            points + 1
        );
        text += "\n";
    }
    text
}

/// Writes a journal by hand.
pub fn journal(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(format!("{name:a<16}.jsonl"));
    fs::write(&path, text).unwrap();
    path
}

/// Replaces what follows `key` on its line of `start.toml`; an empty value removes the line.
#[track_caller]
pub fn replace(folder: &Path, key: &str, value: &str) {
    let path = folder.join("start.toml");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.lines().any(|line| line.starts_with(key)), "no {key:?} in {text}");
    let line = |line: &str| match (line.starts_with(key), value) {
        (false, _) => format!("{line}\n"),
        (true, "") => String::new(),
        (true, value) => format!("{key}{value}\n"),
    };
    fs::write(&path, text.lines().map(line).collect::<String>()).unwrap();
}

/// Makes all that lies in the folder so much older.
pub fn age(folder: &Path, seconds: u64) {
    let at = SystemTime::now() - Duration::from_secs(seconds);
    for child in fs::read_dir(folder).unwrap().flatten() {
        if child.file_type().unwrap().is_file() {
            File::options().append(true).open(child.path()).unwrap().set_modified(at).unwrap();
        }
    }
    File::open(folder).unwrap().set_modified(at).unwrap();
}

/// The folders of runs in progress.
pub fn live(repo: &Repo) -> Vec<String> {
    let children = fs::read_dir(repo.path().join(".git/xtrack/live")).into_iter().flatten().flatten();
    let mut names: Vec<_> = children.map(|child| child.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Lets scripts call the program as users do.
pub fn put_on_path(repo: &mut Repo) {
    let folder = Path::new(env!("CARGO_BIN_EXE_git-xtrack")).parent().unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    repo.set("PATH", &path);
}

/// The run's id that a folder's name begins with.
pub fn id_of(folder: &Path) -> String {
    folder.file_name().unwrap().to_str().unwrap()[..24].to_owned()
}

/// What a command prints as JSON.
#[track_caller]
pub fn json(repo: &Repo, arguments: &[&str]) -> Value {
    let output = repo.xtrack(arguments);
    serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{arguments:?}: {}", output.stderr))
}
