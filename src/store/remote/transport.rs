//! Talking with another repository, by the git program: credentials, transports, proxies and certificates are its own.
//!
//! Knows how git is started for that, what of its words is progress, and which failures a second try may mend.

use std::io::{self, BufReader, Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::error::Problem;
use crate::human;
use crate::store::{cannot_run_git, said};

/// How often it is tried again when a connection breaks off.
const TRIES_MAX: u32 = 4;
/// How long is waited before the second try; twice as long before each later one.
const PAUSE: Duration = Duration::from_millis(400);
/// How many bytes of git's answer are read: the names of three million refs.
const ANSWER_MAX: u64 = 1 << 28;
/// How many lines of what a server says are kept.
const LINES_MAX: usize = 500;

/// The connection broke off, or could not be made: the next try may succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interrupted;

impl std::fmt::Display for Interrupted {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("the connection failed")
    }
}

impl std::error::Error for Interrupted {}

/// Who is there while git talks.
#[derive(Clone, Copy, Default)]
pub struct Talk<'a> {
    /// Whether somebody can be asked for a password.
    pub is_attended: bool,
    /// Where progress goes, as git writes it: parts that end in a carriage return or a newline.
    pub progress: Option<&'a dyn Fn(&str)>,
}

/// What git said, and whether it did what it was asked.
pub(in crate::store) struct Said {
    pub stdout: Vec<u8>,
    /// What went to standard error, without progress.
    pub stderr: String,
    pub is_done: bool,
}

impl Said {
    /// The failure that git told of, marked if another try may mend it.
    pub fn failure(&self) -> anyhow::Error {
        let problem = anyhow::Error::from(said(self.stderr.as_bytes()));
        if is_interruption(&self.stderr) { problem.context(Interrupted) } else { problem }
    }

    /// What the server said for people to read.
    pub fn remarks(&self) -> Vec<String> {
        let lines = self.stderr.lines().filter_map(|line| line.strip_prefix("remote: "));
        lines.map(|line| line.trim_end().to_owned()).filter(|line| !line.is_empty()).collect()
    }
}

impl Talk<'_> {
    /// Runs git with this input; it is not an error here if git fails.
    pub(in crate::store) fn run(&self, git: &mut Command, input: &[u8]) -> Result<Said> {
        self.run_within(git, input, None)
    }

    /// The same; no file that git writes may become larger than `size_max`.
    pub(in crate::store) fn run_within(
        &self,
        git: &mut Command,
        input: &[u8],
        size_max: Option<u64>,
    ) -> Result<Said> {
        // What the user set stands; else git asks on the terminal if somebody is there.
        if self.is_attended && std::env::var_os("GIT_TERMINAL_PROMPT").is_none() {
            git.env_remove("GIT_TERMINAL_PROMPT");
        }
        git.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = spawn(git, size_max).map_err(cannot_run_git)?;
        let mut stdin = child.stdin.take().expect("it was asked for above");
        let stdout = child.stdout.take().expect("it was asked for above");
        let stderr = child.stderr.take().expect("it was asked for above");
        let (read, told) = thread::scope(|scope| {
            // A git that fails early does not read all of it; what it says of that counts.
            scope.spawn(move || drop(stdin.write_all(input)));
            let reader = scope.spawn(move || {
                let mut answer = Vec::new();
                stdout.take(ANSWER_MAX).read_to_end(&mut answer).map(|_| answer)
            });
            let told = self.listen(BufReader::new(stderr));
            (reader.join().expect("a reader does not panic"), told)
        });
        let status = child.wait().map_err(cannot_run_git)?;
        let stdout = read.context("cannot read what git says")?;
        if stdout.len() as u64 == ANSWER_MAX {
            let size = human::size(ANSWER_MAX);
            return Err(Problem::new(format!("it lists more refs than {size} hold")).into());
        }
        Ok(Said { stdout, stderr: told, is_done: status.success() })
    }

    /// Passes progress on as it comes, and keeps the rest.
    fn listen(&self, mut stderr: impl std::io::BufRead) -> String {
        let mut kept = String::new();
        let mut lines = 0;
        loop {
            let part = read_part(&mut stderr);
            if part.is_empty() {
                return kept;
            }
            let text = String::from_utf8_lossy(&part);
            let words = text.trim_end_matches(['\r', '\n']);
            match is_progress(words) {
                true => self.progress.iter().for_each(|progress| progress(&text)),
                false if lines < LINES_MAX && !words.trim().is_empty() => {
                    lines += 1;
                    kept.push_str(words);
                    kept.push('\n');
                }
                false => {}
            }
        }
    }
}

/// Starts git, and bounds the files that it and whatever it starts write.
fn spawn(git: &mut Command, size_max: Option<u64>) -> io::Result<Child> {
    let Some(size_max) = size_max else { return git.spawn() };
    let before = getrlimit(Resource::Fsize);
    let current = before.current.map_or(size_max, |current| current.min(size_max));
    // It is passed on at the start, which is the only way without unsafe code; and lifted here again at once.
    setrlimit(Resource::Fsize, Rlimit { current: Some(current), maximum: before.maximum })?;
    let child = git.spawn();
    setrlimit(Resource::Fsize, before)?;
    child
}

/// The next part that ends in a carriage return or a newline, at most so long; empty at the end.
fn read_part(reader: &mut impl std::io::BufRead) -> Vec<u8> {
    let mut part = Vec::new();
    while part.len() < 4096 {
        let Some(byte) = reader.fill_buf().ok().and_then(|buffer| buffer.first().copied()) else {
            break;
        };
        reader.consume(1);
        part.push(byte);
        if byte == b'\n' || byte == b'\r' {
            break;
        }
    }
    part
}

/// Whether git says how far it is: `Receiving objects:  12% (3/25)`, `remote: Counting objects: 5, done.`
fn is_progress(line: &str) -> bool {
    const WHAT: &[&str] = &[
        "Enumerating objects",
        "Counting objects",
        "Compressing objects",
        "Writing objects",
        "Receiving objects",
        "Unpacking objects",
        "Resolving deltas",
        "Checking objects",
        "Checking connectivity",
        "Delta compression using",
        "Total ",
        "Bitmap",
    ];
    let line = line.strip_prefix("remote: ").unwrap_or(line).trim_start();
    WHAT.iter().any(|what| line.starts_with(what))
}

/// Whether the failure lies in between, not at either end.
fn is_interruption(stderr: &str) -> bool {
    const SIGNS: &[&str] = &[
        "early eof",
        "hung up",
        "connection reset",
        "connection refused",
        "connection closed",
        "connection timed out",
        "operation timed out",
        "timed out after",
        "timeout",
        "could not resolve",
        "unable to look up",
        "temporary failure",
        "network is unreachable",
        "no route to host",
        "broken pipe",
        "rpc failed",
        "unexpected disconnect",
        "failed to report status",
        "returned error: 429",
        "returned error: 500",
        "returned error: 502",
        "returned error: 503",
        "returned error: 504",
        "kex_exchange_identification",
        "ssl_read",
        "ssl_error_syscall",
        "gnutls_handshake",
        "protocol error: bad line length",
        "unexpected flush packet",
        "expected flush",
        "expected 'packfile'",
        // Also where nothing came at all.
        "bad pack header",
        "invalid index-pack output",
        "read error",
        "error while running git upload-pack",
    ];
    // What the other side decided is no matter of luck.
    const DECIDED: &[&str] = &[
        "remote error:",
        "authentication failed",
        "permission denied",
        "could not read username",
        "could not read password",
        "does not appear to be a git repository",
        "repository not found",
        "host key verification failed",
        "fsck error",
        "hash algorithm",
        "does not support",
        "does not exist",
        "not our ref",
        "exceeds",
    ];
    let stderr = stderr.to_lowercase();
    let has = |list: &[&str]| list.iter().any(|sign| stderr.contains(sign));
    has(SIGNS) && !has(DECIDED)
}

/// Does the work, again after a pause if the connection broke off.
pub fn patiently<T>(mut work: impl FnMut() -> Result<T>) -> Result<T> {
    for attempt in 1..TRIES_MAX {
        match work() {
            Err(error) if error.is::<Interrupted>() => pause(attempt),
            other => return other,
        }
    }
    work().map_err(|error| match error.is::<Interrupted>() {
        true => error.context(
            Problem::new(format!("tried {TRIES_MAX} times"))
                .hint("try again when the connection is better; what arrived is kept"),
        ),
        false => error,
    })
}

/// Waits before the next of several tries, for a time that differs between processes.
pub fn pause(attempt: u32) {
    let mut random = [0; 1];
    // Without randomness the wait is merely the same for all.
    let _ = getrandom::fill(&mut random);
    let spread = PAUSE * u32::from(random[0]) / 255;
    thread::sleep((PAUSE * 2u32.saturating_pow(attempt.saturating_sub(1)) + spread).min(PAUSE * 16));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_told_from_words() {
        for line in
            ["Receiving objects:  12% (3/25)", "remote: Counting objects: 5, done.", "Total 3 (delta 0)"]
        {
            assert!(is_progress(line), "{line}");
        }
        for line in ["error: cannot lock ref", "remote: error: GH001: too large", "fatal: early EOF"] {
            assert!(!is_progress(line), "{line}");
        }
    }

    #[test]
    fn only_what_lies_in_between_is_tried_again() {
        for line in
            ["fatal: early EOF", "fatal: the remote end hung up unexpectedly", "error: RPC failed; HTTP 503"]
        {
            assert!(is_interruption(line), "{line}");
        }
        for line in [
            "fatal: Authentication failed for 'https://example.org/'",
            "fatal: remote error: access denied\nfatal: the remote end hung up unexpectedly",
            "error: object 1234: hasDotdot: contains '..'\nfatal: fsck error in packed object\nfatal: early EOF",
        ] {
            assert!(!is_interruption(line), "{line}");
        }
    }

    #[test]
    fn parts_end_where_git_ends_them() {
        let seen = std::cell::RefCell::new(Vec::new());
        let progress = |part: &str| seen.borrow_mut().push(part.to_owned());
        let talk = Talk { is_attended: false, progress: Some(&progress) };
        let kept = talk.listen(&b"Counting objects: 1\rCounting objects: 2\nerror: no\n\nfatal: end"[..]);
        assert_eq!(kept, "error: no\nfatal: end\n");
        assert_eq!(seen.into_inner(), ["Counting objects: 1\r", "Counting objects: 2\n"]);
    }
}
