//! The process that is killed: it logs as fast as it may and acknowledges each call that returned.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::Repo;

/// Logs `loss` with steps 0, 1, … about 10,000 times a second, up to the step that it is given, and acknowledges each.
const PROGRAM: &str = r#"
import os, sys, time
import xtrack

ack = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
first, end = int(sys.argv[2]), int(sys.argv[3])
begin = time.perf_counter()
for step in range(first, end):
    xtrack.log({"loss": step * 0.5, "accuracy": 1.0 / (step + 1)}, step=step)
    os.write(ack, b"%d\n" % step)
    ahead = (step - first) / 10_000 - (time.perf_counter() - begin)
    if ahead > 0.005:
        time.sleep(ahead)
"#;

/// A repository with the logger in it.
pub fn repository() -> Repo {
    let repo = Repo::new();
    repo.write("logger.py", PROGRAM);
    repo.write(".gitignore", "ack*\npids\n");
    repo.commit("the logger");
    repo
}

/// Starts `git xtrack record -- python3 logger.py …` in a process group of its own.
pub fn record(repo: &Repo, options: &[&str], ack: &str, steps: (u64, u64)) -> Child {
    let (first, end) = (steps.0.to_string(), steps.1.to_string());
    let command = ["--", "python3", "logger.py", ack, &first, &end];
    start(repo, &[&["record"], options, &command].concat())
}

/// Starts the program with these arguments, in a process group of its own, its words kept for [`said`].
pub fn start(repo: &Repo, arguments: &[&str]) -> Child {
    use std::os::unix::process::CommandExt as _;
    let mut command = repo.command(env!("CARGO_BIN_EXE_git-xtrack"));
    let said = fs::File::options().append(true).create(true).open(said_path(repo)).unwrap();
    command.args(arguments).process_group(0).stdout(Stdio::null()).stderr(said);
    command.spawn().unwrap()
}

fn said_path(repo: &Repo) -> PathBuf {
    repo.root().join("said")
}

/// All that the programs which were started said on stderr.
pub fn said(repo: &Repo) -> String {
    fs::read_to_string(said_path(repo)).unwrap_or_default()
}

/// The steps whose calls returned.
pub fn acknowledged(path: &Path) -> BTreeSet<u64> {
    let text = fs::read_to_string(path).unwrap_or_default();
    // The last line may have been cut by the kill.
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(|line| line.parse().unwrap()).collect()
}

/// Waits until something was acknowledged.
pub fn wait_for_first(path: &Path) {
    let begin = Instant::now();
    while fs::metadata(path).map_or(0, |metadata| metadata.len()) == 0 {
        assert!(begin.elapsed() < Duration::from_secs(60), "nothing was logged");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The process ids of the loggers that run in this repository, told by their folder and script.
pub fn loggers(repo: &Repo) -> Vec<i32> {
    let own = |folder: &PathBuf| {
        let line = fs::read(folder.join("cmdline")).unwrap_or_default();
        let words: Vec<_> = line.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
        let program = words[0].rsplit('/').next().unwrap_or_default();
        let is_logger = program.starts_with("python") && words.iter().any(|word| word == "logger.py");
        is_logger && fs::read_link(folder.join("cwd")).is_ok_and(|cwd| cwd == repo.path())
    };
    let processes = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path()).filter(own);
    processes.filter_map(|path| path.file_name()?.to_str()?.parse().ok()).collect()
}

/// How many processes work in a folder, those that have ended and nobody waits for aside.
pub fn processes_in(folder: &Path) -> usize {
    let works_there = |process: &PathBuf| {
        let is_zombie = fs::read_to_string(process.join("stat"))
            .is_ok_and(|stat| stat.rsplit_once(')').is_some_and(|(_, rest)| rest.starts_with(" Z")));
        !is_zombie && fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd == folder)
    };
    fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path()).filter(works_there).count()
}

/// Sends a signal; a negative number names a process group.
pub fn kill(signal: &str, process: i32) {
    // It may have ended by itself.
    let _ =
        Command::new("kill").args(["-s", signal, "--", &process.to_string()]).stderr(Stdio::null()).status();
}

/// The steps of a metric that the run's record holds, over all attempts and writers.
pub fn recorded(repo: &Repo, run: &str, metric: &str) -> BTreeSet<u64> {
    let output = repo.xtrack(&["show", run, "--series", metric, "--json", "--all"]);
    if output.code != 0 {
        assert!(output.stderr.contains("metric"), "{}", output.stderr);
        return BTreeSet::new();
    }
    let points: Vec<Value> = serde_json::from_str(&output.stdout).unwrap();
    points.iter().map(|point| point["step"].as_u64().unwrap()).collect()
}

/// The ids of all runs, oldest first.
pub fn runs(repo: &Repo) -> Vec<String> {
    repo.refs("refs/runs").iter().map(|name| name.trim_start_matches("refs/runs/").to_owned()).collect()
}

/// Recovers what was killed, once the system has done with it; the runs that were not known before.
pub fn recover(repo: &Repo, known: &[String]) -> Vec<String> {
    let begin = Instant::now();
    loop {
        repo.xtrack(&["recover"]).ok();
        let new: Vec<_> = runs(repo).into_iter().filter(|id| !known.contains(id)).collect();
        // A process that is being killed lives for a moment more.
        if !new.is_empty() || begin.elapsed() > Duration::from_secs(10) {
            return new;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until no logger of the repository runs any more.
pub fn wait_for_end(repo: &Repo) {
    let begin = Instant::now();
    while !loggers(repo).is_empty() {
        assert!(begin.elapsed() < Duration::from_secs(60), "the logger does not end");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Waits for something that comes soon.
pub fn wait_until(is_there: impl Fn() -> bool) {
    let begin = Instant::now();
    while !is_there() {
        assert!(begin.elapsed() < Duration::from_secs(60), "it does not come");
        std::thread::sleep(Duration::from_millis(5));
    }
}
