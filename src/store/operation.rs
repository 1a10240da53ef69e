//! The operation log: every ref that is moved here, from where to where, by which command, and when; and what is hidden.
//!
//! Lines of JSON in one file, each appended by one write before the refs move, so that a process that is killed leaves no move
//! untold; what did not move after all is struck out. Nothing that a user typed goes in, only names of commands and refs: a log
//! must not keep a secret that was purged. What can be taken back, and how, is decided above.

use std::cell::RefCell;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use gix::ObjectId;
use serde_json::{Value as Json, json};

use crate::run::id::{AttemptId, RunId, Time};
use crate::store::{Oid, Store, failed};

/// The log, in our folder.
const LOG: &str = "operations.jsonl";
/// How many earlier files there are beside it.
const EARLIER_MAX: usize = 3;
/// From which size on another file is begun.
const SIZE_MAX: u64 = 8 << 20;
/// How long a file may be in the way of beginning another.
const ROTATION_MAX: Duration = Duration::from_secs(60);

/// A ref that moves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// The ref.
    pub name: String,
    /// What it pointed at; nothing if it was not there.
    pub before: Option<Oid>,
    /// What it points at; nothing if it is gone.
    pub after: Option<Oid>,
}

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The operation that it is of; an operation may have several.
    pub operation: String,
    /// When it was written.
    pub at: Time,
    /// The command.
    pub command: String,
    /// Who ran it.
    pub user: String,
    /// The operation that it takes back.
    pub undoes: Option<String>,
    /// What was to move.
    pub moves: Vec<Move>,
    /// What of the same operation did not move after all.
    pub struck: Vec<String>,
    /// Refs that something is about to rely on, moved or not.
    pub uses: Vec<String>,
    /// Runs that were to be hidden in this clone, or shown again.
    pub hiding: Vec<(RunId, bool)>,
}

/// What is done now, in whose name refs move.
#[derive(Debug, Clone)]
pub(super) struct Operation {
    id: String,
    command: String,
    undoes: Option<String>,
    clock: fn() -> Time,
}

impl Default for Operation {
    fn default() -> Self {
        Self { id: new_id(), command: "unknown".to_owned(), undoes: None, clock: system_time }
    }
}

fn system_time() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time(i64::try_from(since.as_micros()).unwrap_or_default())
}

fn new_id() -> String {
    let mut random = [0; 8];
    // Without randomness two operations may be taken for one.
    let _ = getrandom::fill(&mut random);
    AttemptId::new(random).to_string()
}

/// The operation in progress.
#[derive(Default)]
pub(super) struct Current {
    operation: RefCell<Operation>,
}

impl Move {
    /// Of a ref that moves from one object to another.
    pub(super) fn of(name: &str, before: Option<ObjectId>, after: Option<ObjectId>) -> Self {
        let text = |id: ObjectId| id.to_string();
        Self { name: name.to_owned(), before: before.map(text), after: after.map(text) }
    }
}

impl Store {
    /// Begins an operation: refs that move from now on move in its name. `clock` tells the time; its id is given back.
    pub fn begin_operation(&self, command: &str, clock: fn() -> Time) -> String {
        let operation = Operation { id: new_id(), command: command.to_owned(), undoes: None, clock };
        let id = operation.id.clone();
        self.current.operation.replace(operation);
        id
    }

    /// Says that the operation in progress takes another back.
    pub fn undoes(&self, operation: &str) {
        self.current.operation.borrow_mut().undoes = Some(operation.to_owned());
    }

    /// The id of the operation in progress.
    pub fn operation_id(&self) -> String {
        self.current.operation.borrow().id.clone()
    }

    /// The moment it is, by the clock of the operation in progress.
    pub(super) fn operation_time(&self) -> Time {
        (self.current.operation.borrow().clock)()
    }

    /// Notes what is about to move. A log that cannot be written costs the entry, and nothing else.
    pub(super) fn foretell(&self, moves: &[Move]) {
        let moves: Vec<&Move> = moves.iter().filter(|moving| moving.before != moving.after).collect();
        if moves.is_empty() {
            return;
        }
        let triples = moves.iter().map(|moving| json!([moving.name, moving.before, moving.after]));
        self.note("moves", triples.collect());
    }

    /// Notes that something is about to rely on a ref: who collects what nobody names looks for that last of all.
    pub(super) fn note_use(&self, name: &str) {
        self.note("uses", json!([name]));
    }

    /// Notes which runs are about to be hidden in this clone, or shown again.
    pub fn foretell_hiding(&self, runs: &[RunId], hidden: bool) {
        let key = if hidden { "hides" } else { "shows" };
        self.note(key, runs.iter().map(|id| json!(id.as_str())).collect());
    }

    /// Takes back what was noted of hiding that did not come about.
    pub fn strike_hiding(&self, runs: &[RunId]) {
        self.strike(&runs.iter().map(RunId::to_string).collect::<Vec<_>>());
    }

    /// Takes back what was noted of refs that did not move after all.
    pub(super) fn strike(&self, names: &[String]) {
        if !names.is_empty() {
            self.note("struck", names.iter().map(|name| json!(name)).collect());
        }
    }

    fn note(&self, key: &str, what: Json) {
        let operation = self.current.operation.borrow();
        let mut line = json!({
            "operation": operation.id,
            "at": (operation.clock)().to_string(),
            "command": operation.command,
            "user": self.identity().to_string(),
        });
        if let Some(undoes) = &operation.undoes {
            line["undoes"] = json!(undoes);
        }
        line[key] = what;
        if let Err(error) = self.append(&line.to_string()) {
            self.warn(format!(
                "cannot note in the operation log what is done, so that it cannot be undone: {error:#}"
            ));
        }
    }

    fn append(&self, line: &str) -> Result<()> {
        let path = self.state_dir().join(LOG);
        let cannot = || format!("cannot write '{}'", path.display());
        let (mut file, size) = self.open_log(&path).with_context(cannot)?;
        if size > SIZE_MAX && self.begin_another(&path).with_context(cannot)? {
            file = self.open_log(&path).with_context(cannot)?.0;
        }
        // A line that was torn, by a full disk or a kill, does not take the next with it.
        let start = if is_torn(&mut file).with_context(cannot)? { "\n" } else { "" };
        // One write of one line: appends of several processes do not mix.
        file.write_all(format!("{start}{line}\n").as_bytes()).with_context(cannot)
    }

    fn open_log(&self, path: &Path) -> std::io::Result<(File, u64)> {
        let open = || OpenOptions::new().read(true).append(true).open(path);
        let file = match open() {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let state = self.state_dir();
                if !state.exists() {
                    fs::create_dir_all(&state)?;
                    self.share(&state);
                }
                let created = OpenOptions::new().read(true).append(true).create(true).open(path)?;
                self.share(path);
                created
            }
            opened => opened?,
        };
        let size = file.metadata()?.len();
        Ok((file, size))
    }

    /// Puts the log aside for a new one; false if another process is at that.
    fn begin_another(&self, path: &Path) -> std::io::Result<bool> {
        let claim = path.with_extension("lock");
        let age = fs::metadata(&claim).ok().and_then(|found| found.modified().ok()?.elapsed().ok());
        if age.is_some_and(|age| age > ROTATION_MAX) {
            let _ = fs::remove_file(&claim);
        }
        match OpenOptions::new().write(true).create_new(true).open(&claim) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(false),
            opened => drop(opened?),
        }
        // Another process may have done it before it was claimed here.
        let turned = match fs::metadata(path).map(|found| found.len() > SIZE_MAX) {
            Ok(true) => turn(path),
            _ => Ok(()),
        };
        let _ = fs::remove_file(&claim);
        turned.map(|()| true)
    }

    /// The log, the oldest first; lines that cannot be read are left out.
    pub fn operations(&self) -> Result<Vec<Entry>> {
        let path = self.state_dir().join(LOG);
        let mut entries = Vec::new();
        for path in (1..=EARLIER_MAX).rev().map(|number| earlier(&path, number)).chain([path.clone()]) {
            match fs::read(&path) {
                Ok(bytes) => {
                    entries.extend(bytes.split(|byte| *byte == b'\n').filter_map(entry));
                }
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(failed("cannot read the operation log", error).into()),
            }
        }
        Ok(entries)
    }
}

/// The log that was put aside so many times ago.
fn earlier(path: &Path, number: usize) -> PathBuf {
    path.with_extension(format!("{number}.jsonl"))
}

fn turn(path: &Path) -> std::io::Result<()> {
    for number in (1..EARLIER_MAX).rev() {
        match fs::rename(earlier(path, number), earlier(path, number + 1)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    fs::rename(path, earlier(path, 1))
}

/// Whether the last line has no end.
fn is_torn(file: &mut File) -> std::io::Result<bool> {
    let mut last = [b'\n'];
    if file.seek(SeekFrom::End(0))? > 0 {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    Ok(last != [b'\n'])
}

fn entry(line: &[u8]) -> Option<Entry> {
    let value: Json = serde_json::from_slice(line).ok()?;
    let text = |key: &str| value.get(key)?.as_str().map(str::to_owned);
    let list = |key: &str| value.get(key).and_then(Json::as_array).cloned().unwrap_or_default();
    let oid = |value: &Json| value.as_str().map(str::to_owned);
    let moving = |triple: &Json| {
        let name = triple.get(0)?.as_str()?.to_owned();
        Some(Move { name, before: oid(triple.get(1)?), after: oid(triple.get(2)?) })
    };
    Some(Entry {
        operation: AttemptId::parse(&text("operation")?)?.to_string(),
        at: Time::parse(&text("at")?)?,
        command: text("command")?,
        user: text("user").unwrap_or_default(),
        undoes: text("undoes"),
        moves: list("moves").iter().filter_map(moving).collect(),
        struck: list("struck").iter().filter_map(oid).collect(),
        uses: list("uses").iter().filter_map(oid).collect(),
        hiding: hiding(&list("hides"), true).chain(hiding(&list("shows"), false)).collect(),
    })
}

fn hiding(ids: &[Json], hidden: bool) -> impl Iterator<Item = (RunId, bool)> {
    ids.iter().filter_map(move |id| Some((RunId::parse(id.as_str()?)?, hidden)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_it_was_written_and_a_torn_one_is_not() {
        let line = r#"{"operation":"k7f3q2ab","at":"2026-01-02T12:00:00.000000Z","command":"edit","user":"Ada <a@b>","moves":[["refs/runs/x",null,"12"]]}"#;
        let read = entry(line.as_bytes()).unwrap();
        assert_eq!((read.operation.as_str(), read.command.as_str()), ("k7f3q2ab", "edit"));
        assert_eq!(
            read.moves,
            [Move { name: "refs/runs/x".to_owned(), before: None, after: Some("12".to_owned()) }]
        );
        for torn in [&line[..40], "", "null", "[1]", "{\"operation\":\"x\"}"] {
            assert_eq!(entry(torn.as_bytes()), None, "{torn}");
        }
    }

    #[test]
    fn a_torn_end_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        for (text, torn) in [("", false), ("a\n", false), ("a\nb", true)] {
            fs::write(&path, text).unwrap();
            assert_eq!(
                is_torn(&mut OpenOptions::new().read(true).append(true).open(&path).unwrap()).unwrap(),
                torn
            );
        }
    }
}
