//! The commands, one file each: what may be typed, then one short function that opens, calls and shows.

mod adopt;
mod begin;
mod completions;
mod demo;
mod diff;
mod edit;
mod finish;
mod given;
mod help;
mod init;
mod log;
mod man;
mod note;
pub mod pump;
mod record;
mod recover;
mod restore;
mod rm;
mod show;
mod status;
mod tag;
mod watch;

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
    /// Begin a run; `finish` ends it
    Begin(begin::Args),
    /// Finish a run that `begin` began, and record it
    Finish(finish::Args),
    /// Show the runs in progress, and what was recovered lately
    Status(status::Args),
    /// Record what killed runs left behind
    Recover(recover::Args),
    /// Take in runs that were written without a repository, or on another machine
    Adopt(adopt::Args),
    /// List runs, the newest first
    #[command(visible_alias = "ls")]
    Log(log::Args),
    /// Follow runs in progress
    Watch(watch::Args),
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
        Some(Command::Begin(args)) => begin::run(args, session),
        Some(Command::Finish(args)) => finish::run(args, session),
        Some(Command::Status(args)) => status::run(args, session),
        Some(Command::Recover(args)) => recover::run(args, session),
        Some(Command::Adopt(args)) => adopt::run(args, session),
        Some(Command::Log(args)) => log::run(args, session),
        Some(Command::Watch(args)) => watch::run(args, session),
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
