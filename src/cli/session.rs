//! One call of the program: where it runs, how its terminal looks, and the only place that prints.
//!
//! Data goes to stdout, through git's pager on a terminal; all else to stderr.
#![allow(clippy::print_stderr)]

use std::env;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::Result;

use crate::cli::progress;
use crate::error::Problem;
use crate::ops::live::recover;
use crate::ops::operation;
use crate::ops::space::maintenance;
use crate::render::terminal::Terminal;
use crate::render::{Report, escape, json, terminal};
use crate::store::{Store, Talk};
use crate::tracker::{Tracker, now};
use crate::view;

/// What one call of the program knows of its surroundings.
pub struct Session {
    /// Where it runs.
    pub directory: PathBuf,
    /// Whether stdout takes colour, if no setting of git says otherwise.
    pub colour: bool,
    /// How many columns stdout has.
    pub width: usize,
    /// The command, by its own name.
    pub command: String,
}

impl Session {
    /// Looks at the process's terminal and environment.
    pub fn new(directory: PathBuf) -> Self {
        let is_plain = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || env::var("TERM").as_deref() == Ok("dumb");
        let colour = io::stdout().is_terminal() && !is_plain;
        Self { directory, colour, width: width(), command: "unknown".to_owned() }
    }

    /// The same, of this command.
    pub fn named(self, command: String) -> Self {
        Self { command, ..self }
    }

    /// Opens the repository, and records what killed runs left in it.
    pub fn tracker(&self) -> Result<Tracker> {
        let tracker = self.tracker_as_it_is()?;
        // Nobody asked for it: it is an operation of its own.
        tracker.store.begin_operation(operation::RECOVERY, now);
        let outcome = recover::quietly(&tracker);
        tracker.store.begin_operation(&self.command, now);
        outcome
            .recovered
            .iter()
            .for_each(|run| self.note(&format!("xtrack: {}", view::status::recovered(run))));
        for failed in &outcome.failed {
            self.warn(&format!("cannot recover '{}': {:#}", failed.folder, failed.error));
        }
        Ok(tracker)
    }

    /// Opens the repository.
    pub fn tracker_as_it_is(&self) -> Result<Tracker> {
        let mut tracker = Tracker::open(&self.directory)?;
        tracker.store.begin_operation(&self.command, now);
        tracker.on_progress(progress::on_stderr("reading runs"));
        tracker.on_transfer(progress::bytes_on_stderr("artifacts"));
        Ok(tracker)
    }

    /// Begins git's maintenance after a command that may have made many objects or refs, if it is due. Nobody waits for it.
    pub fn maintain(&self) {
        const MAKERS: &[&str] =
            &["record", "finish", "recover", "adopt", "edit", "tag", "note", "rm", "restore", "pull"];
        if MAKERS.contains(&self.command.as_str())
            && let Ok(tracker) = Tracker::open(&self.directory)
        {
            maintenance::begin_if_due(&tracker);
        }
    }

    /// Prints data as it is.
    pub fn out(&self, text: &str) -> Result<()> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(text.as_bytes())?;
        Ok(stdout.flush()?)
    }

    /// Prints JSON.
    pub fn json(&self, value: &serde_json::Value) -> Result<()> {
        self.out(&format!("{}\n", json::pretty(value)))
    }

    /// Prints a report, through the pager on a terminal.
    pub fn show(&self, store: &Store, report: &Report) -> Result<()> {
        let terminal = Terminal { width: self.width, colour: self.takes_colour(store) };
        self.page(store, &terminal::write(report, &terminal))
    }

    /// Prints text through git's pager if stdout is a terminal and the text does not fit it.
    pub fn page(&self, store: &Store, text: &str) -> Result<()> {
        match pager(store).filter(|_| io::stdout().is_terminal()) {
            Some(pager) if text.lines().count() >= height() => page(&pager, text).or_else(|_| self.out(text)),
            _ => self.out(text),
        }
    }

    /// How many rows the terminal has.
    pub fn height(&self) -> usize {
        height()
    }

    /// A line on stderr.
    pub fn note(&self, text: &str) {
        say(text);
    }

    /// A question on stderr, to be answered on the same line.
    pub fn ask(question: &str) {
        let _ = write!(io::stderr(), "{}", escape::visible(question));
    }

    /// Whether a person reads what is said on stderr.
    pub fn is_attended(&self) -> bool {
        io::stderr().is_terminal()
    }

    /// A warning on stderr.
    pub fn warn(&self, text: &str) {
        say(&format!("warning: {text}"));
    }

    /// An error on stderr, with what it is about and what to do next.
    pub fn error(&self, message: &str, excerpt: &[String], hints: &[String]) {
        say(&format!("error: {message}"));
        excerpt.iter().for_each(|line| say(line));
        hints.iter().for_each(|hint| say(&format!("hint: {hint}")));
    }

    /// Whether somebody is here to be asked.
    pub fn can_ask(&self) -> bool {
        io::stdin().is_terminal() && self.is_attended()
    }

    /// Asks a question that is answered by yes or no; where nobody can answer, it is refused.
    pub fn confirm(&self, question: &str) -> Result<bool> {
        if !self.can_ask() {
            let problem = Problem::usage(format!("nobody is here to answer: {question}"));
            return Err(problem.hint("`--yes` answers yes").into());
        }
        Self::ask(&format!("{question} [y/N] "));
        let mut answer = String::new();
        io::stdin().read_line(&mut answer)?;
        Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
    }

    /// How git talks with another repository: it says how far it is if somebody looks, and asks for passwords.
    pub fn talk(&self, is_quiet: bool) -> Talk<'static> {
        let is_attended = self.is_attended();
        let progress: &dyn Fn(&str) = &Self::progress;
        Talk { is_attended, progress: (is_attended && !is_quiet).then_some(progress) }
    }

    /// Passes on how far git is, in parts that end as git ends them.
    fn progress(part: &str) {
        let words = part.trim_end_matches(['\r', '\n']);
        let end = &part[words.len()..];
        let _ = write!(io::stderr(), "{}{end}", escape::visible(words));
    }

    /// Whether stdout takes colour, `color.ui` included.
    pub fn takes_colour(&self, store: &Store) -> bool {
        match store.config("color.ui").as_deref() {
            Some("always") => true,
            Some("never" | "false" | "no" | "off" | "0") => false,
            _ => self.colour,
        }
    }
}

/// Says a line on stderr. That may lead into a file on a full disk: nobody can be told, and the exit code of the command
/// that was recorded is not to become ours for that.
fn say(text: &str) {
    let _ = writeln!(io::stderr(), "{}", escape::visible(text));
}

/// Whether the reader of our output went away, as `head` does.
pub fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

fn width() -> usize {
    let columns = env::var("COLUMNS").ok().and_then(|text| text.parse().ok()).filter(|columns| *columns > 0);
    columns.unwrap_or_else(|| match terminal_size::terminal_size_of(io::stdout()) {
        Some((terminal_size::Width(columns), _)) => columns.into(),
        // Nothing to fit: a file or a pipe takes every column.
        None if !io::stdout().is_terminal() => usize::MAX,
        None => 80,
    })
}

fn height() -> usize {
    terminal_size::terminal_size_of(io::stdout()).map_or(24, |(_, terminal_size::Height(rows))| rows.into())
}

/// The pager git would use; `cat` and nothing are none.
fn pager(store: &Store) -> Option<String> {
    let chosen =
        env::var("GIT_PAGER").ok().or_else(|| store.config("core.pager")).or_else(|| env::var("PAGER").ok());
    Some(chosen.unwrap_or_else(|| "less".to_owned())).filter(|pager| !pager.is_empty() && pager != "cat")
}

fn page(pager: &str, text: &str) -> Result<()> {
    let mut command = Command::new("sh");
    command.arg("-c").arg(pager).stdin(Stdio::piped());
    for (variable, value) in [("LESS", "FRX"), ("LV", "-c")] {
        if env::var_os(variable).is_none() {
            command.env(variable, value);
        }
    }
    let mut child = command.spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // The reader may quit before the end.
        let _ = stdin.write_all(text.as_bytes());
    }
    child.wait()?;
    Ok(())
}
