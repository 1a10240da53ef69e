//! The commands, one file each: what may be typed, then one short function that opens, calls and shows.

mod completions;
mod demo;
mod diff;
mod edit;
mod help;
mod init;
mod log;
mod man;
mod note;
mod record;
mod restore;
mod rm;
mod show;
mod tag;

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

use crate::cli::Session;
pub use crate::cli::commands::help::unknown;

/// Every command.
#[derive(Subcommand)]
pub enum Command {
    /// Record a run: of a command, or of what is given
    #[command(visible_alias = "run")]
    Record(record::Args),
    /// List runs, the newest first
    #[command(visible_alias = "ls")]
    Log(log::Args),
    /// Show everything of one run
    Show(show::Args),
    /// Compare two runs
    Diff(diff::Args),
    /// Say something of runs afterwards: rename, tag, correct, judge
    Edit(edit::Args),
    /// Add and remove tags
    Tag(tag::Args),
    /// Add a note
    Note(note::Args),
    /// Delete runs; `restore` brings them back
    Rm(rm::Args),
    /// Bring deleted runs back
    Restore(restore::Args),
    /// Set up this clone, so that `git fetch` brings others' runs
    Init(init::Args),
    /// Try it all out: seven recorded trainings in a new repository
    Demo(demo::Args),
    /// Print or install the man pages and completions
    Man(man::Args),
    /// Print the completion script of a shell
    Completions(completions::Args),
    /// Explain a command
    Help(help::Args),
}

/// Runs the command; none is `log`.
pub fn run(command: Option<Command>, session: &Session) -> Result<ExitCode> {
    match command {
        None => log::run(log::Args::default(), session),
        Some(Command::Record(args)) => record::run(args, session),
        Some(Command::Log(args)) => log::run(args, session),
        Some(Command::Show(args)) => show::run(args, session),
        Some(Command::Diff(args)) => diff::run(args, session),
        Some(Command::Edit(args)) => edit::run(args, session),
        Some(Command::Tag(args)) => tag::run(args, session),
        Some(Command::Note(args)) => note::run(args, session),
        Some(Command::Rm(args)) => rm::run(args, session),
        Some(Command::Restore(args)) => restore::run(args, session),
        Some(Command::Init(args)) => init::run(args, session),
        Some(Command::Demo(args)) => demo::run(args, session),
        Some(Command::Man(args)) => man::run(args, session),
        Some(Command::Completions(args)) => completions::run(args, session),
        Some(Command::Help(args)) => help::run(args, session),
    }
}
