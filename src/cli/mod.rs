//! The command line: what may be typed, exit codes, and all printing.
//!
//! A command is a file under `commands`; this file knows only how they are reached and how they end.

pub mod batch;
pub mod choice;
pub mod commands;
mod completion;
mod consent;
pub mod form;
pub mod progress;
pub mod reference;
mod session;
pub mod trust;

use std::ffi::OsString;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory as _, FromArgMatches as _, Parser};

use crate::cli::commands::Command;
pub use crate::cli::session::Session;
use crate::error::{self, Kind};
use crate::index;
use crate::store::{self, Counts};

/// What the program did not do, as its exit code says it. `record` passes on its command's own code instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It went wrong while doing it.
    Failed = 1,
    /// It cannot be meant: a bad value, an unknown word, an ambiguous run.
    Usage = 2,
    /// There is no repository, or it cannot be opened.
    NoRepository = 3,
    /// No run has that name.
    NotFound = 4,
}

impl From<Kind> for Exit {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Failed | Kind::Absent => Exit::Failed,
            Kind::Usage => Exit::Usage,
            Kind::NoRepository => Exit::NoRepository,
            Kind::NotFound => Exit::NotFound,
        }
    }
}

/// Track machine-learning experiments in git: every run is a commit under refs/runs/*, no server needed
#[derive(Parser)]
#[command(
    name = "git-xtrack",
    bin_name = "git xtrack",
    version,
    disable_help_subcommand = true,
    max_term_width = 100
)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// Run as if started in DIR
    #[arg(short = 'C', value_name = "DIR", global = true, value_hint = clap::ValueHint::DirPath)]
    directory: Option<PathBuf>,

    #[command(subcommand)]
    command: Option<Command>,
}

const EXAMPLES: &str = "\
Examples:
  git xtrack record -- python train.py --lr 0.1   Record a training
  git xtrack                                      List the runs
  git xtrack diff @~1 @                           Compare the last two
  git push origin 'refs/runs/*'                   Share them

What answers something answers as --json, --ndjson, --csv, --tsv, --md or --html too, or by a template of
yours: --format '{{ id }} {{ metrics.loss.last }}'. `git xtrack help output` tells of them.

Exit codes: 0 done, 1 failed, 2 not understood, 3 no repository, 4 no such run;
`record -- COMMAND` ends with the command's own code.";

/// Runs the program on the process's own arguments.
pub fn main() -> ExitCode {
    // Before anything else: a command that is recorded waits for its pump.
    if commands::pump::is_called() {
        return ExitCode::SUCCESS;
    }
    let code = run(std::env::args_os().collect());
    tell_counts();
    code
}

/// Appends what was read to the file that `XTRACK_COUNT` names: tests count work instead of time.
fn tell_counts() {
    let Some(path) = std::env::var_os("XTRACK_COUNT") else { return };
    let Counts { objects, refs } = store::counts();
    let line = format!("{{\"objects\":{objects},\"rows\":{},\"refs\":{refs}}}\n", index::rows_read());
    // Who asks for counts sees that there are none.
    let file = std::fs::OpenOptions::new().append(true).create(true).open(path);
    let _ = file.and_then(|mut file| file.write_all(line.as_bytes()));
}

fn run(arguments: Vec<OsString>) -> ExitCode {
    let (arguments, command) = match parse(&arguments) {
        Ok(parsed) => parsed,
        Err(error) => return refuse(&error, &arguments),
    };
    let directory = arguments.directory.unwrap_or_else(|| PathBuf::from("."));
    let session = Session::new(directory).named(command);
    match commands::run(arguments.command, &session) {
        Ok(code) => {
            session.maintain();
            code
        }
        Err(error) => fail(&session, &error),
    }
}

/// What was typed, and the command by its own name, whichever alias was typed.
fn parse(arguments: &[OsString]) -> Result<(Arguments, String), clap::Error> {
    let mut definition = Arguments::command();
    let mut matches = definition.try_get_matches_from_mut(arguments)?;
    let command = matches.subcommand_name().unwrap_or("log").to_owned();
    let arguments = Arguments::from_arg_matches_mut(&mut matches);
    arguments.map(|arguments| (arguments, command)).map_err(|error| error.format(&mut definition))
}

/// A mistyped command is answered as `help` answers it: its nearest name is found where clap's own measure finds none.
fn refuse(error: &clap::Error, arguments: &[OsString]) -> ExitCode {
    match (error.kind(), error.get(ContextKind::InvalidSubcommand)) {
        (ErrorKind::InvalidSubcommand, Some(ContextValue::String(name))) => {
            let session = Session::new(PathBuf::from("."));
            fail(&session, &commands::unknown(name, arguments).into())
        }
        _ => explain(error),
    }
}

/// Help and version go to stdout, a usage error to stderr; clap knows which.
fn explain(error: &clap::Error) -> ExitCode {
    // A closed pipe is no reason to complain.
    let _ = error.print();
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(Exit::Usage as u8))
}

fn fail(session: &Session, error: &anyhow::Error) -> ExitCode {
    if session::is_closed_pipe(error) {
        return ExitCode::SUCCESS;
    }
    complain(session, error, None);
    ExitCode::from(Exit::from(error::kind(error)) as u8)
}

/// Says what went wrong, of what if that is known, and what to do next.
fn complain(session: &Session, error: &anyhow::Error, subject: Option<&str>) {
    let (message, hints) = error::describe(error);
    let message = match subject {
        Some(subject) => format!("{subject}: {message}"),
        None => message,
    };
    session.error(&message, error::excerpt(error), &hints);
}

/// The whole command line, as the reference and the man pages describe it.
pub fn definition() -> clap::Command {
    Arguments::command()
}
