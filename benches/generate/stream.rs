//! How git takes in many objects at once: the stream that its importer reads, and the program itself.

use std::collections::HashMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;

use anyhow::{Context as _, Result, ensure};

/// Has git import what `make` hands to its sink, while more of it is made; the ids of the marked objects.
pub fn import(
    folder: &Path,
    settings: &[&str],
    make: impl FnOnce(&mut dyn FnMut(Vec<u8>)),
) -> Result<HashMap<usize, String>> {
    let marks = folder.join(".git/marks");
    let mut command = program(folder);
    command.args(settings).args(["fast-import", "--quiet", "--force", "--export-marks=.git/marks"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().context("cannot run git")?;
    let mut stdin = child.stdin.take().context("it was asked for above")?;
    let (sender, receiver) = mpsc::sync_channel::<Vec<u8>>(4);
    let feeder = std::thread::spawn(move || receiver.iter().try_for_each(|bytes| stdin.write_all(&bytes)));
    // If git is gone, its exit status says so.
    make(&mut |bytes| drop(sender.send(bytes)));
    drop(sender);
    feeder.join().expect("writing does not panic")?;
    ensure!(child.wait()?.success(), "git fast-import failed");
    let text = fs::read_to_string(&marks)?;
    fs::remove_file(&marks)?;
    let entry = |line: &str| {
        let (mark, oid) = line.strip_prefix(':')?.split_once(' ')?;
        Some((mark.parse().ok()?, oid.to_owned()))
    };
    text.lines().map(|line| entry(line).with_context(|| format!("{line:?} is no mark"))).collect()
}

/// A commit of the files that follow it.
pub fn push_commit(
    stream: &mut Vec<u8>,
    name: &str,
    mark: usize,
    (by, at): (&str, i64),
    message: &str,
    parent: Option<usize>,
) {
    let parent = parent.map(|mark| format!("from :{mark}\n")).unwrap_or_default();
    let length = message.len();
    let text = format!(
        "commit {name}\nmark :{mark}\nauthor {by} {at} +0000\ncommitter {by} {at} +0000\ndata {length}\n{message}\n{parent}"
    );
    stream.extend_from_slice(text.as_bytes());
}

/// A blob that files can be said to hold.
pub fn push_blob(stream: &mut Vec<u8>, mark: usize, bytes: &[u8]) {
    stream.extend_from_slice(format!("blob\nmark :{mark}\n").as_bytes());
    push_data(stream, bytes);
}

/// A file of the last commit, with its bytes.
pub fn push_file(stream: &mut Vec<u8>, path: &str, bytes: &[u8]) {
    stream.extend_from_slice(format!("M 100644 inline {path}\n").as_bytes());
    push_data(stream, bytes);
}

/// A file of the last commit that holds a marked blob.
pub fn push_known(stream: &mut Vec<u8>, path: &str, mark: usize) {
    stream.extend_from_slice(format!("M 100644 :{mark} {path}\n").as_bytes());
}

fn push_data(stream: &mut Vec<u8>, bytes: &[u8]) {
    stream.extend_from_slice(format!("data {}\n", bytes.len()).as_bytes());
    stream.extend_from_slice(bytes);
    stream.push(b'\n');
}

/// Git, as nobody has set it up.
fn program(folder: &Path) -> Command {
    let mut git = Command::new("git");
    git.current_dir(folder).env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_CONFIG_COUNT"] {
        git.env_remove(name);
    }
    git
}

/// What git prints.
pub fn git(folder: &Path, arguments: &[&str]) -> Result<String> {
    let output =
        Command::new("git").current_dir(folder).args(arguments).output().context("cannot run git")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "git {arguments:?} failed: {said}");
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Has git read `input`.
pub fn fed(folder: &Path, arguments: &[&str], input: &[u8]) -> Result<()> {
    let mut child = program(folder).args(arguments).stdin(Stdio::piped()).spawn()?;
    child.stdin.take().context("it was asked for above")?.write_all(input)?;
    ensure!(child.wait()?.success(), "git {arguments:?} failed");
    Ok(())
}
